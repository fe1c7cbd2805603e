//! What the integration tests share: the real binary on a free port, and clients that speak to it in whole messages or
//! in raw bytes.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

#[cfg(all(feature = "postgres", feature = "redis"))]
pub mod cluster;
pub mod crowd;
pub mod curl;
#[cfg(feature = "sqlite")]
pub mod database;
pub mod disk;
pub mod engine;
pub mod event;
pub mod http;
pub mod network;
pub mod nginx;
#[cfg(feature = "redis")]
pub mod nodes;
pub mod outage;
pub mod packets;
pub mod peer;
pub mod people;
pub mod polling;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod process;
#[cfg(feature = "redis")]
pub mod program;
pub mod protocol;
#[cfg(feature = "redis")]
pub mod redis;
pub mod returner;
#[cfg(all(feature = "postgres", feature = "redis"))]
pub mod site;
#[cfg(feature = "sqlite")]
pub mod socketio;
pub mod stream;
#[cfg(feature = "sqlite")]
pub mod subject;
pub mod tools;
pub mod trace;
pub mod waiting;
pub mod wire;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};

pub use waiting::{PATIENCE, wait_until};

pub const ACTION: &str = "/chatserver/connect";
pub const ECHO: &str = "/echo";

/// The variables that are understood besides the program's own.
const FOREIGN: [&str; 12] = [
    "HOST",
    "PORT",
    "DEBUG",
    "DATABASE_URL",
    "REDIS_URL",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_DB",
    "REDIS_PASSWORD",
    "SHELLO_API_URL",
    "SHELLO_API_KEY",
    "SHELLO_WS_PORT",
];

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    start_line: String,
    /// Where its log is written, so that all that it has logged is there to be read.
    log: PathBuf,
}

/// That of this build, unless `PROGRAM` names another one.
fn program() -> OsString {
    std::env::var_os("PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_roomcast").into())
}

/// The command `roomcast`, without the settings of whoever runs the tests.
pub fn roomcast() -> Command {
    without_settings(Command::new(program()))
}

/// The same under a program that watches it: the words of `watcher` come before it.
pub fn roomcast_under(watcher: &[&str]) -> Command {
    let mut command = Command::new(watcher[0]);
    command.args(&watcher[1..]).arg(program());
    without_settings(command)
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("ROOMCAST_") || FOREIGN.contains(&&*name_text) {
            command.env_remove(name);
        }
    }
    command.current_dir(scratch_dir());
    command
}

/// A directory of this test's own, empty at first.
pub fn scratch_dir() -> PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// `roomcast serve` on a free port, with these flags besides. Its store keeps nothing, if no flag says otherwise.
pub fn serve(flags: &[&str]) -> Command {
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", "sqlite::memory:"]).args(flags);
    command
}

impl Server {
    /// A server with these flags, see [`serve`].
    pub fn start(flags: &[&str]) -> Self {
        Self::spawn(serve(flags))
    }

    /// Without the limit of messages per second, for tests that send many.
    pub fn unlimited(flags: &[&str]) -> Self {
        Self::start(&[&["--rate", "0"], flags].concat())
    }

    /// A prepared command that serves; waits until it says where it listens.
    pub fn spawn(mut command: Command) -> Self {
        let log = scratch_dir().join("log");
        let stderr = File::create(&log).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut start_line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut start_line).unwrap();
        let address = start_line.split("http://").nth(1).and_then(|rest| rest.split(": ").next()?.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("not a start line: {start_line:?}{}", read_log(&log));
        };
        Self { child, address, start_line, log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far, start line and log.
    pub fn log(&self) -> String {
        format!("{}{}", self.start_line, read_log(&self.log))
    }

    /// Waits until the log has `text` in it.
    pub fn wait_for_log(&self, text: &str) {
        wait_until(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the process. Returns its status and all that it printed.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        (status, self.log())
    }

    /// Resident memory, in bytes, of the process's own pages.
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("RssAnon:")
    }

    /// All resident memory, in bytes: the binary's pages too.
    pub fn resident_bytes_of_all(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most of that there ever was.
    pub fn peak_bytes_of_all(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// CPU time used so far, user and system.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// Whether it has nothing to do and waits for something.
    pub fn is_asleep(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('S')
    }

    pub fn open_descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// A WebSocket client at `path`.
    pub fn connect(&self, path: &str) -> Client {
        Client::over(self.raw(), &format!("ws://{}{path}", self.address)).expect("the upgrade")
    }

    /// An action client that has been welcomed, and its connection id.
    pub fn join_in(&self) -> (Client, String) {
        let mut client = self.connect(ACTION);
        let welcome = client.receive();
        let id =
            welcome.strip_prefix(r#"{"action":"connection","user_id":""#).and_then(|rest| rest.strip_suffix("\"}"));
        let id = id.unwrap_or_else(|| panic!("not a welcome: {welcome}")).to_owned();
        (client, id)
    }

    /// A bare connection.
    pub fn raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Many bare connections, made no faster than the server accepts: the kernel's queue of those waiting is short.
    pub fn many_raw(&self, count: usize) -> Vec<TcpStream> {
        let connect = |number| {
            if number % 64 == 63 {
                self.settle();
            }
            self.raw()
        };
        (0..count).map(connect).collect()
    }

    /// Waits until the server has read all that was sent before. It takes up what arrives in its order, so the answer
    /// to a new connection comes after.
    pub fn settle(&self) {
        let answer = self.get("/health", &[]);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// Sends `bytes`, finishes sending, and returns all that comes back.
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.raw();
        // The server may refuse and close before it has read everything.
        let _ = stream.write_all(bytes.as_ref());
        let _ = stream.shutdown(Shutdown::Write);
        read_to_end(&mut stream)
    }

    /// `GET path` with these further header lines.
    pub fn get(&self, path: &str, headers: &[&str]) -> String {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        self.exchange(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.address))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// All that comes until the end, as text. A reset counts as the end.
pub fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            // A process that was stopped and goes on finds its waits ended, where they have a limit.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("no end of the answer: {error}; so far {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The bytes of a WebSocket handshake.
pub fn upgrade_request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A client's frame: the first byte as given, the payload masked with a fixed key.
pub fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let key = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;

/// Reads one frame of the server: its first byte and payload. `None` at the end.
pub fn read_frame(stream: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    assert_eq!(head[1] & 0x80, 0, "a server's frame is not masked");
    let length = match head[1] {
        126 => {
            let mut bytes = [0; 2];
            stream.read_exact(&mut bytes).ok()?;
            u64::from(u16::from_be_bytes(bytes))
        }
        127 => {
            let mut bytes = [0; 8];
            stream.read_exact(&mut bytes).ok()?;
            u64::from_be_bytes(bytes)
        }
        length => u64::from(length),
    };
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((head[0], payload))
}

/// An upgraded raw connection to `path`: the answer to the handshake is read already.
pub fn raw_websocket(server: &Server, path: &str) -> TcpStream {
    let mut stream = server.raw();
    stream.write_all(upgrade_request(path).as_bytes()).unwrap();
    read_upgrade(&mut stream);
    stream
}

/// Reads the head that answers an upgrade, and not a byte more.
pub fn read_upgrade(stream: &mut impl Read) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
}

/// Reads frames until the close frame. Returns its code and reason.
pub fn read_close(stream: &mut impl Read) -> (u16, String) {
    loop {
        let (first, payload) = read_frame(stream).expect("a close frame before the end");
        if first == CLOSE {
            assert!(payload.len() >= 2, "a close frame without a code");
            let reason = String::from_utf8(payload[2..].to_vec()).unwrap();
            return (u16::from_be_bytes([payload[0], payload[1]]), reason);
        }
    }
}

/// Enters the room that [`gather`] fills; the answer is the same.
pub const JOIN: &[u8] = br#"{"action":"join","room":"everybody"}"#;

/// So many action clients in one room, which is theirs alone; nothing is on its way to any of them.
pub fn room_of(server: &Server, members: usize) -> Vec<TcpStream> {
    let mut room: Vec<TcpStream> = (0..members).map(|_| raw_websocket(server, ACTION)).collect();
    gather(&mut room);
    room
}

/// Has them all join one room of their own.
pub fn gather(room: &mut [TcpStream]) {
    gather_by(JOIN, room);
}

/// Has them all join a room. A part at a time, so that what all are told of all does not pile up.
pub fn gather_by(join: &[u8], room: &mut [TcpStream]) {
    const PART: usize = 500;
    for start in (0..room.len()).step_by(PART) {
        let end = (start + PART).min(room.len());
        for joining in &mut room[start..end] {
            joining.write_all(&frame(TEXT, join)).unwrap();
        }
        for joining in &mut room[start..end] {
            while read_frame(joining).unwrap().1 != join {}
        }
        // All of this part are in, so that this is the last that anybody is told.
        say(&mut room[0], "all here?");
        for member in &mut room[..end] {
            read_until(member, br#""message":"all here?"}"#);
        }
    }
}

/// Says something to the room that the stream is in.
pub fn say(stream: &mut TcpStream, text: &str) {
    let request = format!(r#"{{"action":"room_message","message":"{text}"}}"#);
    stream.write_all(&frame(TEXT, request.as_bytes())).unwrap();
}

/// Reads in large pieces until what has come ends with `ending`.
pub fn read_until(stream: &mut TcpStream, ending: &[u8]) {
    let mut buffer = [0; 1 << 16];
    let mut tail = Vec::new();
    while !tail.ends_with(ending) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection ended");
        tail.extend_from_slice(&buffer[..count]);
        tail.drain(..tail.len().saturating_sub(ending.len()));
    }
}

/// Raises the limit of open files as far as it goes. Returns how many there may be.
pub fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.unwrap_or(u64::MAX)
}

/// A WebSocket client that none of the server's code is in.
pub struct Client {
    pub socket: WebSocket<TcpStream>,
}

impl Client {
    /// Upgrades a connection.
    pub fn over(stream: TcpStream, url: &str) -> Result<Self, String> {
        let (socket, _) = tungstenite::client(url, stream).map_err(|error| error.to_string())?;
        Ok(Self { socket })
    }

    pub fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// The next text.
    pub fn receive(&mut self) -> String {
        loop {
            match self.socket.read().expect("a message") {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    /// The next text is this one, to the letter.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        assert_eq!(self.receive(), text);
    }

    /// Sends `request` and expects `reply`.
    #[track_caller]
    pub fn ask(&mut self, request: &str, reply: &str) {
        self.send(request);
        self.expect(reply);
    }

    /// Nothing has come and nothing is on its way: the next frame is the answer to a ping sent now.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.socket.send(Message::Ping("nothing?".into())).unwrap();
        loop {
            match self.socket.read().expect("a pong") {
                Message::Pong(payload) if payload.as_ref() == b"nothing?" => return,
                Message::Ping(_) => {}
                other => panic!("something came: {other:?}"),
            }
        }
    }

    /// The code of the close frame that comes next, other frames skipped.
    pub fn receive_close(&mut self) -> (u16, String) {
        loop {
            match self.socket.read().expect("a close frame") {
                Message::Close(Some(close)) => return (close.code.into(), close.reason.to_string()),
                Message::Close(None) => panic!("a close frame without a code"),
                _ => {}
            }
        }
    }

    /// Closes in order: both close frames, then the end.
    pub fn close(mut self) {
        self.socket.close(None).unwrap();
        loop {
            match self.socket.read() {
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed) => return,
                Err(error) => panic!("not closed in order: {error}"),
            }
        }
    }
}
