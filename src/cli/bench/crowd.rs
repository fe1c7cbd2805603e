//! The members before there is any load: they connect, are welcomed and join their rooms. `mod` calls [`connect`] and
//! [`gather`] on one thread and hands the result to `load`.
//!
//! Sockets wait here, each with a limit: that keeps a conversation of four frames readable, and many at once still keep
//! the server busy, because a whole batch has asked before the first is listened to.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::Deserialize;

use super::frames::{self, Salvo, Seen, TEXT, Walker};
use super::options::Options;
use super::progress::Progress;
use crate::cli::address::Address;

/// How many connect at once: no more than the shortest queue of a listener holds.
const BATCH: usize = 64;

/// How many join at once, so that what all are told of all does not pile up in the server. Even, for the pairs.
const PART: usize = 500;

/// For each sign of life.
const PATIENCE: Duration = Duration::from_secs(10);

const READ_BYTES: usize = 64 * 1024;

/// One member, connected.
pub(super) struct Client {
    stream: TcpStream,
    /// Where it is in what the server sends.
    walker: Walker,
    /// Received and not looked at.
    unread: Vec<u8>,
}

/// Connects all members and, where the server speaks first, waits for its welcome.
pub(super) fn connect(options: &Options, progress: &mut Progress) -> Result<Vec<Client>, String> {
    let cannot = |why: String| format!("cannot connect to {}: {why}", options.address);
    let host = (options.address.host.as_str(), options.address.port);
    let mut places: Vec<SocketAddr> = host.to_socket_addrs().map_err(|error| cannot(error.to_string()))?.collect();
    let request = request(&options.address);
    let mut clients: Vec<Client> = Vec::with_capacity(options.members);
    while clients.len() < options.members {
        let begin = clients.len();
        for _ in begin..options.members.min(begin + BATCH) {
            let client = Client::open(&places, &request, options.distance()).map_err(cannot)?;
            // All go where the first one was let in.
            places = client.stream.peer_addr().into_iter().collect();
            clients.push(client);
        }
        for client in &mut clients[begin..] {
            client.expect_upgrade()?;
            if options.mode.is_welcomed() {
                client.expect("connection")?;
            }
        }
        progress.tell(|| format!("connected {} of {}", clients.len(), options.members));
    }
    Ok(clients)
}

/// Has all join their rooms, one room after the other in the order of the clients, and comes back when nothing is on
/// its way to any of them.
pub(super) fn gather(clients: &mut [Client], options: &Options, progress: &mut Progress) -> Result<(), String> {
    let size = options.members_in_room();
    let mut message = Salvo::new(options.mode.wording(), options.payload, 1);
    let message = message.stamped(1, 0);
    let join = |number: usize| match &options.room {
        Some(name) => join(name),
        // New for each run, since the members of the last one may still be leaving.
        None => join(&format!("{}-{}", std::process::id(), number / size)),
    };
    // The first one tries it all alone, so that a server which does not like it is quoted.
    clients[0].send(&join(0))?;
    clients[0].expect("join")?;
    clients[0].send(message)?;
    clients[0].expect("room_message")?;
    for begin in (0..clients.len()).step_by(PART) {
        let end = clients.len().min(begin + PART);
        let joining = begin.max(1)..end;
        for (number, client) in joining.clone().zip(&mut clients[joining.clone()]) {
            client.send(&join(number))?;
        }
        for client in &mut clients[joining] {
            client.expect("join")?;
        }
        // All of this part are in, so that this is the last that anybody in these rooms is told.
        let rooms = begin / size * size..end;
        for speaker in clients[rooms.clone()].iter_mut().step_by(size) {
            speaker.send(message)?;
        }
        for client in &mut clients[rooms] {
            client.expect_message()?;
        }
        progress.tell(|| format!("joined {end} of {}", clients.len()));
    }
    Ok(())
}

/// The request to join that room.
fn join(room: &str) -> Vec<u8> {
    let request = serde_json::json!({"action": "join", "room": room}).to_string();
    frames::frame(TEXT, request.as_bytes())
}

/// The handshake. Its key is the example of RFC 6455, as good as any for a server that is not to be trusted with
/// anything.
fn request(address: &Address) -> String {
    let target = address.uri.path_and_query().map_or("/", |target| target.as_str());
    format!(
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// What matters of a frame of the action dialect.
#[derive(Deserialize)]
struct Said {
    action: String,
    /// Only in what somebody else has done.
    user_id: Option<serde_json::Value>,
    message: Option<String>,
}

impl Client {
    fn open(places: &[SocketAddr], request: &str, distance: usize) -> Result<Self, String> {
        let stream = TcpStream::connect(places).map_err(|error| error.to_string())?;
        let prepared = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        prepared.map_err(|error| error.to_string())?;
        let mut client = Self { stream, walker: Walker::new(distance), unread: Vec::new() };
        client.send(request.as_bytes())?;
        Ok(client)
    }

    /// The connection from here on, and how far it has come.
    pub(super) fn into_parts(mut self) -> (TcpStream, Walker) {
        // Messages are not among this: all have arrived.
        let mut rest = &self.unread[..];
        while self.walker.next(&mut rest).is_some() {}
        (self.stream, self.walker)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(|error| lost(&error))
    }

    /// Waits for more.
    fn receive(&mut self) -> Result<(), String> {
        let mut buffer = [0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err("the server closed a connection".into()),
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) => Err(lost(&error)),
        }
    }

    fn expect_upgrade(&mut self) -> Result<(), String> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut headers);
            match response.parse(&self.unread) {
                Ok(httparse::Status::Complete(end)) if response.code == Some(101) => {
                    self.unread.drain(..end);
                    return Ok(());
                }
                Ok(httparse::Status::Complete(_)) => {
                    let code = response.code.unwrap_or_default();
                    return Err(format!("the server answered {code} instead of 101"));
                }
                Ok(httparse::Status::Partial) => self.receive()?,
                Err(_) => return Err("the server does not speak HTTP".into()),
            }
        }
    }

    /// Waits for what the server says to this client itself, and passes over what it says of others.
    fn expect(&mut self, action: &str) -> Result<(), String> {
        loop {
            let text = self.text()?;
            let said = serde_json::from_slice::<Said>(&text);
            let Ok(said) = said else { return Err("the server does not speak the action dialect".into()) };
            // A welcome names its receiver.
            if said.action == action && (said.user_id.is_none() || action == "connection") {
                return Ok(());
            }
            if said.action == "error" {
                // Quoted, because it may hold what a terminal would obey.
                return Err(format!("the server refused: {:?}", said.message.unwrap_or_default()));
            }
        }
    }

    /// The next text, whole.
    fn text(&mut self) -> Result<Vec<u8>, String> {
        loop {
            let Some((header, length)) =
                frames::header(&self.unread).filter(|(header, length)| self.unread.len() - header >= *length)
            else {
                self.receive()?;
                continue;
            };
            let first = self.unread[0];
            let payload = self.unread.drain(..header + length).skip(header).collect::<Vec<u8>>();
            if first == TEXT {
                return Ok(payload);
            }
            self.obey(frames::control(first, &payload))?;
        }
    }

    /// Waits for a message, and passes over all else.
    fn expect_message(&mut self) -> Result<(), String> {
        loop {
            let unread = std::mem::take(&mut self.unread);
            let mut chunk = &unread[..];
            let mut found = false;
            while !found && let Some(seen) = self.walker.next(&mut chunk) {
                found = matches!(seen, Seen::Message(_));
                self.obey(seen)?;
            }
            self.unread.extend_from_slice(chunk);
            if found {
                return Ok(());
            }
            self.receive()?;
        }
    }

    fn obey(&mut self, seen: Seen) -> Result<(), String> {
        match seen {
            Seen::Message(_) | Seen::Other => Ok(()),
            Seen::Ping(pong) => self.send(&pong),
            Seen::Close(reason) => Err(disconnected(&reason)),
            Seen::Nonsense => Err(nonsense()),
        }
    }
}

/// The sentence for a server that ends a connection in order.
pub(super) fn disconnected(reason: &str) -> String {
    format!("the server disconnected a member: {reason}")
}

/// The sentence for a server that sends what none should.
pub(super) fn nonsense() -> String {
    "the server sends what is not WebSocket".into()
}

/// The sentence for a connection that fails.
pub(super) fn lost(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("the server did not answer within {} s", PATIENCE.as_secs())
        }
        _ => format!("lost a connection: {error}"),
    }
}
