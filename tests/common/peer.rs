//! A client of Engine.IO and Socket.IO at any server, over either transport, that none of the server's code is in.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::people::token_of;
use super::{BINARY, CLOSE, PATIENCE, TEXT, frame, read_frame, upgrade_request};

/// What stands between the packets of a payload.
pub const SEPARATOR: char = '\x1e';

pub const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";
pub const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// A session over long-polling.
pub struct Polling {
    pub address: SocketAddr,
    pub sid: String,
    get: Option<Http>,
    post: Option<Http>,
    arrived: VecDeque<String>,
    /// So long the answer to a poll is waited for.
    patience: Duration,
}

impl Polling {
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).expect("a session")
    }

    pub fn try_open(address: SocketAddr) -> Option<Self> {
        let mut get = Http::open(address).ok()?;
        get.send("GET", HANDSHAKE, "").ok()?;
        let answer = get.answer()?;
        let open: Value = serde_json::from_str(answer.body.strip_prefix('0')?).ok()?;
        let sid = open["sid"].as_str()?.to_owned();
        Some(Self { address, sid, get: Some(get), post: None, arrived: VecDeque::new(), patience: PATIENCE })
    }

    /// Where its requests go, or the WebSocket that takes it over.
    pub fn target(&self, transport: &str) -> String {
        format!("/socket.io/?EIO=4&transport={transport}&sid={}", self.sid)
    }

    /// Asks for packets on a new connection, and leaves the answer to be read.
    pub fn begin_poll(&self) -> Http {
        let mut http = Http::open(self.address).unwrap();
        http.send("GET", &self.target("polling"), "").unwrap();
        http
    }

    pub fn poll(&self) -> Answer {
        self.begin_poll().answer().expect("an answer")
    }

    pub fn begin_push(&self, payload: impl AsRef<[u8]>) -> Http {
        let mut http = Http::open(self.address).unwrap();
        http.send("POST", &self.target("polling"), payload).unwrap();
        http
    }

    /// Sends a payload. Returns whether the server took it, and how it answered if not.
    pub fn try_push(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Option<Answer>> {
        if self.post.as_ref().is_none_or(Http::is_stale) {
            self.post = Some(Http::open(self.address).map_err(|_| None)?);
        }
        let target = self.target("polling");
        let http = self.post.as_mut().ok_or(None)?;
        http.send("POST", &target, payload).map_err(|_| None)?;
        match http.answer() {
            Some(answer) if answer.status == 200 => Ok(()),
            answer => Err(answer),
        }
    }

    #[track_caller]
    pub fn push(&mut self, payload: impl AsRef<[u8]>) {
        self.try_push(payload).expect("the post is taken");
    }

    /// The next packet that is no ping; pings are answered. Nothing when the session or the server is gone.
    pub fn try_receive(&mut self) -> Option<String> {
        loop {
            while let Some(packet) = self.arrived.pop_front() {
                match packet.as_str() {
                    "2" => self.try_push("3").ok()?,
                    "6" => {}
                    "1" => return None,
                    _ => return Some(packet),
                }
            }
            if self.get.as_ref().is_none_or(Http::is_stale) {
                self.get = Some(Http::open(self.address).ok()?);
            }
            let target = self.target("polling");
            let http = self.get.as_mut()?;
            http.set_patience(self.patience);
            http.send("GET", &target, "").ok()?;
            let answer = http.answer()?;
            if answer.status != 200 {
                return None;
            }
            self.arrived.extend(answer.body.split(SEPARATOR).map(str::to_owned));
        }
    }

    #[track_caller]
    pub fn receive(&mut self) -> String {
        self.try_receive().expect("a packet")
    }

    /// The next packet is this one.
    #[track_caller]
    pub fn expect(&mut self, packet: &str) {
        assert_eq!(self.receive(), packet);
    }
}

/// A WebSocket of Engine.IO.
pub struct Socket(BufReader<TcpStream>);

impl Socket {
    /// Upgrades a connection with further header lines; else it is the answer.
    pub fn try_open(address: SocketAddr, target: &str, headers: &str) -> Result<Self, Option<Answer>> {
        let mut http = Http::open(address).map_err(|_| None)?;
        let request = upgrade_request(target).replace("\r\n\r\n", &format!("\r\n{headers}\r\n"));
        http.write(request).map_err(|_| None)?;
        match http.answer() {
            Some(answer) if answer.status == 101 => Ok(Self(http.into_reader())),
            answer => Err(answer),
        }
    }

    /// A connection to that target, which is upgraded.
    pub fn at(address: SocketAddr, target: &str) -> Self {
        Self::try_open(address, target, "").expect("the upgrade")
    }

    /// A new session. Its open packet has been read.
    pub fn open(address: SocketAddr) -> Self {
        let mut socket = Self::at(address, WEBSOCKET);
        assert!(socket.receive().starts_with(r#"0{"sid":""#));
        socket
    }

    pub fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub fn try_send(&mut self, packet: &str) -> bool {
        self.0.get_mut().write_all(&frame(TEXT, packet.as_bytes())).is_ok()
    }

    #[track_caller]
    pub fn send(&mut self, packet: &str) {
        assert!(self.try_send(packet));
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(&frame(BINARY, bytes)).unwrap();
    }

    /// The next text packet that is no ping; pings are answered. Nothing at the end.
    pub fn try_receive(&mut self) -> Option<String> {
        loop {
            match read_frame(&mut self.0)? {
                (TEXT, ping) if ping == b"2" => drop(self.try_send("3")),
                (TEXT, packet) => return Some(String::from_utf8(packet).unwrap()),
                (CLOSE, _) => return None,
                (first, payload) => panic!("not a text packet: {first:x} {payload:?}"),
            }
        }
    }

    #[track_caller]
    pub fn receive(&mut self) -> String {
        self.try_receive().expect("a packet")
    }

    #[track_caller]
    pub fn expect(&mut self, packet: &str) {
        assert_eq!(self.receive(), packet);
    }

    /// Nothing but pings and events come before the close frame. Returns its code and reason.
    #[track_caller]
    pub fn read_close(&mut self) -> (u16, String) {
        super::read_close(&mut self.0)
    }
}

/// A session over either transport.
pub enum Carrier {
    Polling(Polling),
    Socket(Socket),
}

impl Carrier {
    pub fn try_send(&mut self, packet: &str) -> bool {
        match self {
            Self::Polling(session) => session.try_push(packet).is_ok(),
            Self::Socket(socket) => socket.try_send(packet),
        }
    }

    /// So long an answer, or a packet, is waited for.
    pub fn set_patience(&mut self, patience: Duration) {
        match self {
            Self::Polling(session) => session.patience = patience,
            Self::Socket(socket) => socket.stream().set_read_timeout(Some(patience)).unwrap(),
        }
    }

    pub fn try_receive(&mut self) -> Option<String> {
        match self {
            Self::Polling(session) => session.try_receive(),
            Self::Socket(socket) => socket.try_receive(),
        }
    }
}

/// The CONNECT packet of that user on a namespace, `/` being "".
pub fn connect_packet(namespace: &str, name: &str) -> String {
    let comma = if namespace.is_empty() { "" } else { "," };
    format!("40{namespace}{comma}{}", json!({ "token": token_of(name) }))
}

/// A packet's namespace, `/` being "", and the JSON behind it: of an event or an acknowledgement without attachments.
pub fn content(packet: &str) -> Option<(&str, Value)> {
    let rest = packet.strip_prefix("42").or_else(|| packet.strip_prefix("43"))?;
    let (namespace, rest) = if rest.starts_with('/') { rest.split_once(',')? } else { ("", rest) };
    let json = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    Some((namespace, serde_json::from_str(json).ok()?))
}

/// What a `message:new` says; nothing for any other packet.
pub fn said(packet: &str) -> Option<String> {
    let (_, content) = content(packet)?;
    (content[0] == "message:new").then(|| content[1]["content"].as_str().unwrap().to_owned())
}

/// Somebody's event `message:send` on the namespace `/chat`, to be acknowledged by that number.
pub fn saying(ack: usize, chat: i64, text: &str) -> String {
    format!("42/chat,{ack}{}", json!(["message:send", { "chatId": chat, "content": text }]))
}
