//! A Socket.IO client over WebSocket that none of the server's code is in, and where it plays: a server with users, their
//! tokens and a private room. In what is sent and shown, `<ann>` stands for the UUID of the user or room of that name and
//! `T` for a time; the offsets that events end in are taken off, as a real client does.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use roomcast::proto::token;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tungstenite::client::ClientRequestBuilder;
use tungstenite::error::ProtocolError;
use tungstenite::{Error, Message, WebSocket};

use super::event::untimed;
use super::{PATIENCE, Server, roomcast, scratch_dir};

pub const SECRET: &[u8] = b"the secret of these tests, and long enough";

/// How long a user is still here whose last socket has gone.
pub const GRACE: Duration = Duration::from_secs(5);

/// UUIDs, and what stands for each.
type Names = Rc<RefCell<Vec<(String, String)>>>;

/// A server with the users ann, bob and cid, whose ids are 1 to 3, and a private room of ann's and bob's, tea, whose id
/// is 2. It is ann's.
pub struct Stage {
    pub server: Server,
    flags: Vec<String>,
    database: PathBuf,
    names: Names,
}

impl Stage {
    pub fn set(flags: &[&str]) -> Self {
        let database = scratch_dir().join("roomcast.db");
        let secret = ["--jwt-secret", std::str::from_utf8(SECRET).unwrap()];
        let flags: Vec<String> = secret.iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
        let stage = Self { server: spawn(&flags, &database), flags, database, names: Names::default() };
        for name in ["ann", "bob", "cid"] {
            stage.post("/user", &format!(r#"{{"Username":"{name}"}}"#));
        }
        stage.post("/rooms", r#"{"UserID":1,"Roomname":"tea","Private":true,"Members":[2]}"#);
        stage.learn();
        stage
    }

    /// The server is killed, and started again on the same database.
    pub fn restart(&mut self) {
        self.server.signal("KILL");
        self.server.wait();
        self.server = spawn(&self.flags, &self.database);
    }

    /// Asks the database API for something to be made.
    #[track_caller]
    pub fn post(&self, path: &str, body: &str) {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let answer = self.server.exchange(head + body);
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }

    /// Takes down what users and rooms are called that have come to be.
    pub fn learn(&self) {
        let sql = "SELECT uuid, username FROM users UNION ALL SELECT uuid, name FROM chats";
        let names = self.rows(sql);
        *self.names.borrow_mut() = names.into_iter().map(|row| (row[0].clone(), format!("<{}>", row[1]))).collect();
    }

    /// What is in the database, as text.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let database = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut statement = database.prepare(sql).unwrap();
        let columns = statement.column_count();
        let text = |value: rusqlite::types::Value| match value {
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column).map(text)).collect());
        rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    pub fn uuid(&self, name: &str) -> String {
        meant(&format!("<{name}>"), &self.names)
    }

    /// A token for that user: an id, a UUID or a name.
    pub fn token(&self, user: &str) -> String {
        token_of(SECRET, user, 3600)
    }

    /// What that user shows to join a namespace.
    pub fn auth(&self, user: &str) -> String {
        format!(r#"{{"token":"{}"}}"#, self.token(user))
    }

    /// A session in which nobody has joined a namespace.
    pub fn link(&self) -> Link {
        Link::open(self, "", &[])
    }

    /// A socket of that user on a namespace. What it is told first, and what others are told of it, is unread.
    #[track_caller]
    pub fn tab(&self, user: &str, namespace: &'static str) -> Tab {
        let mut tab = Tab::over(self.link(), namespace);
        tab.join(&self.auth(user));
        tab
    }

    /// The same with the first words read, and if it is on `/`, decided for the chat vocabulary.
    #[track_caller]
    pub fn chat(&self, user: &str, namespace: &'static str) -> Tab {
        let mut tab = self.tab(user, namespace);
        if namespace == "/" {
            tab.welcomed();
            tab.ask("chat:list", "{}");
        }
        tab
    }

    /// The same, decided for the conversation vocabulary.
    #[track_caller]
    pub fn conversation(&self, user: &str, namespace: &'static str) -> Tab {
        let mut tab = self.tab(user, namespace);
        tab.welcomed();
        if namespace == "/" {
            tab.ok("typing", &format!(r#"{{"recipient_id":"<{user}>","is_typing":false}}"#), "");
        }
        tab
    }
}

/// A token that is good for so many seconds.
pub fn token_of(secret: &[u8], user: &str, seconds: u64) -> String {
    token::sign(secret, user, None, None, now(), seconds).unwrap()
}

/// In seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn spawn(flags: &[String], database: &std::path::Path) -> Server {
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", &format!("sqlite:{}", database.display())]);
    command.args(flags);
    Server::spawn(command)
}

fn meant(text: &str, names: &Names) -> String {
    names.borrow().iter().fold(text.to_owned(), |text, (uuid, name)| text.replace(name, uuid))
}

fn shown(text: &str, names: &Names) -> String {
    untimed(&names.borrow().iter().fold(text.to_owned(), |text, (uuid, name)| text.replace(uuid, name)))
}

/// One connection, with whatever namespaces are joined on it.
pub struct Link {
    socket: WebSocket<TcpStream>,
    names: Names,
    /// Events end in an offset.
    recovers: bool,
    /// The last offset that has come.
    pub offset: Option<String>,
}

impl Link {
    /// A session over WebSocket, asked for with these further parameters and headers. Its open packet has been read.
    #[track_caller]
    pub fn open(stage: &Stage, query: &str, headers: &[(&str, &str)]) -> Self {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket{query}", stage.server.address);
        let request = ClientRequestBuilder::new(url.parse().unwrap());
        let request = headers.iter().fold(request, |request, (name, value)| request.with_header(*name, *value));
        let (socket, _) = tungstenite::client(request, stage.server.raw()).expect("the upgrade");
        let recovers = query.is_empty();
        let mut link = Self { socket, names: Rc::clone(&stage.names), recovers, offset: None };
        let open = link.receive();
        assert!(open.starts_with(r#"0{"sid":""#), "{open}");
        link
    }

    /// Sends a packet.
    pub fn send(&mut self, packet: &str) {
        self.socket.send(Message::text(meant(packet, &self.names))).unwrap();
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).unwrap();
    }

    /// The next packet that is no ping, as it came. Nothing at the end.
    fn next(&mut self) -> Option<Message> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) if text == "2" => self.socket.send(Message::text("3")).unwrap(),
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => return Some(message),
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                    return None;
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("neither a packet nor the end: {error}"),
            }
        }
    }

    /// The next packet as it came. It is text.
    #[track_caller]
    pub fn receive_as_is(&mut self) -> String {
        match self.next() {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The next packet, without UUIDs, times and its offset.
    #[track_caller]
    pub fn receive(&mut self) -> String {
        let packet = self.receive_as_is();
        let is_event = packet.starts_with("42") || packet.starts_with("45");
        if !self.recovers || !is_event {
            return shown(&packet, &self.names);
        }
        let cut = packet.rsplit_once(r#",""#).and_then(|(event, offset)| Some((event, offset.strip_suffix("\"]")?)));
        let Some((event, offset)) = cut.filter(|(_, offset)| is_offset(offset)) else { panic!("no offset: {packet}") };
        self.offset = Some(offset.to_owned());
        shown(&format!("{event}]"), &self.names)
    }

    /// The next packet is binary, and these are its bytes.
    #[track_caller]
    pub fn expect_bytes(&mut self, bytes: &[u8]) {
        assert_eq!(self.next(), Some(Message::binary(bytes.to_vec())));
    }

    #[track_caller]
    pub fn expect(&mut self, packet: &str) {
        assert_eq!(self.receive(), packet);
    }

    /// Nothing has come and nothing is on its way: the next frame is the answer to a ping sent now.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.socket.send(Message::Ping("nothing?".into())).unwrap();
        loop {
            match self.socket.read().expect("a pong") {
                Message::Pong(payload) if payload.as_ref() == b"nothing?" => return,
                Message::Text(text) if text == "2" => self.socket.send(Message::text("3")).unwrap(),
                Message::Ping(_) => {}
                Message::Text(text) => panic!("something came: {}", shown(&text, &self.names)),
                other => panic!("something came: {other:?}"),
            }
        }
    }

    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.next(), None);
    }

    /// Nothing comes for so long.
    #[track_caller]
    pub fn expect_silence(&mut self, time: Duration) {
        self.socket.get_ref().set_read_timeout(Some(time)).unwrap();
        match self.socket.read() {
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("something came: {other:?}"),
        }
        self.socket.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

fn is_offset(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(message, change)| is_number(message) && is_number(change))
}

/// The head of a Socket.IO packet: its type, the namespace, and what stands before the payload.
pub fn head(kind: &str, namespace: &str, id: &str) -> String {
    let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
    format!("4{kind}{namespace}{id}")
}

/// A socket on a namespace that is alone on its connection. Compares whole packets.
pub struct Tab {
    pub link: Link,
    namespace: &'static str,
    acks: u64,
    /// What it was told when it had joined.
    pub sid: String,
    pub pid: Option<String>,
}

impl Tab {
    /// A connection on which the namespace is still to be joined.
    pub fn over(link: Link, namespace: &'static str) -> Self {
        Self { link, namespace, acks: 0, sid: String::new(), pid: None }
    }

    /// Joins by showing this, a JSON object, and is admitted. Returns what it was told before that.
    #[track_caller]
    pub fn join(&mut self, auth: &str) -> Vec<String> {
        self.link.send(&(head("0", self.namespace, "") + auth));
        let admission = head("0", self.namespace, "");
        let mut before = Vec::new();
        loop {
            let packet = self.link.receive();
            let Some(json) = packet.strip_prefix(&admission) else {
                before.push(packet);
                continue;
            };
            let told: Value = serde_json::from_str(json).unwrap();
            self.sid = told["sid"].as_str().expect("a sid").to_owned();
            self.pid = told["pid"].as_str().map(str::to_owned);
            let keys = if self.link.recovers { 2 } else { 1 };
            assert_eq!(told.as_object().unwrap().len(), keys, "{told}");
            return before;
        }
    }

    /// The next packet says who is online.
    #[track_caller]
    pub fn welcomed(&mut self) {
        let packet = self.link.receive();
        assert!(packet.starts_with(&(head("2", self.namespace, "") + r#"["online_users","#)), "{packet}");
    }

    /// Sends an event, and wants no acknowledgement.
    pub fn emit(&mut self, event: &str, payload: &str) {
        self.link.send(&format!(r#"{}["{event}",{payload}]"#, head("2", self.namespace, "")));
    }

    /// Sends an event that wants to be acknowledged. Returns how the acknowledgement begins.
    fn begin(&mut self, event: &str, payload: &str) -> String {
        let id = self.acks.to_string();
        self.acks += 1;
        self.link.send(&format!(r#"{}["{event}",{payload}]"#, head("2", self.namespace, &id)));
        head("3", self.namespace, &id)
    }

    /// Asks, and returns what stands in the acknowledgement, which comes next.
    #[track_caller]
    pub fn ask(&mut self, event: &str, payload: &str) -> String {
        let ack = self.begin(event, payload);
        let packet = self.link.receive();
        let answer = packet.strip_prefix(&ack).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
        answer.unwrap_or_else(|| panic!("{event} {payload} is not acknowledged next: {packet}")).to_owned()
    }

    /// Asks, and is granted it with these fields, the next thing.
    #[track_caller]
    pub fn ok(&mut self, event: &str, payload: &str, fields: &str) {
        assert_eq!(self.ask(event, payload), granted(fields), "{event} {payload}");
    }

    /// Asks, is told something first, and is granted it with these fields.
    #[track_caller]
    pub fn ok_after(&mut self, event: &str, payload: &str, told: [&str; 2], fields: &str) {
        let ack = self.begin(event, payload);
        self.told(told[0], told[1]);
        self.link.expect(&format!("{ack}[{}]", granted(fields)));
    }

    /// Asks, and is refused it with this code and sentence, the next thing; and also, when it wants no acknowledgement, by
    /// an event.
    #[track_caller]
    pub fn no(&mut self, event: &str, payload: &str, code: &str, sentence: &str) {
        let sentence = Value::from(sentence);
        let refused = format!(r#"{{"ok":false,"code":"{code}","error":{sentence}}}"#);
        assert_eq!(self.ask(event, payload), refused, "{event} {payload}");
        self.emit(event, payload);
        self.told("error", &format!(r#"{{"message":{sentence},"code":"{code}","event":"{event}"}}"#));
    }

    /// Is told this next.
    #[track_caller]
    pub fn told(&mut self, event: &str, payload: &str) {
        self.link.expect(&format!(r#"{}["{event}",{payload}]"#, head("2", self.namespace, "")));
    }

    /// Is told nothing. What others have been answered before has reached whom it was to reach.
    #[track_caller]
    pub fn told_nothing(&mut self) {
        self.link.expect_nothing();
    }

    /// The connection is gone, and another one is there, on which nothing is joined. How far it had heard is kept.
    pub fn lose(&mut self, stage: &Stage) {
        self.link = Link { offset: self.link.offset.take(), ..stage.link() };
        stage.server.settle();
    }

    /// Comes back over a new connection, with the pid and how far it had heard. Returns what it had missed.
    #[track_caller]
    pub fn come_back(&mut self, stage: &Stage, user: &str) -> Vec<String> {
        let auth = self.return_ticket(stage, user);
        self.lose(stage);
        self.join(&auth)
    }

    /// What it shows to come back.
    pub fn return_ticket(&self, stage: &Stage, user: &str) -> String {
        let offset = self.link.offset.as_ref().map(|offset| format!(r#","offset":"{offset}""#)).unwrap_or_default();
        format!(r#"{{"token":"{}","pid":"{}"{offset}}}"#, stage.token(user), self.pid.as_ref().expect("a pid"))
    }
}

fn granted(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { "," };
    format!(r#"{{"ok":true{comma}{fields}}}"#)
}

/// All of them are told this next.
#[track_caller]
pub fn all_told<const N: usize>(tabs: [&mut Tab; N], event: &str, payload: &str) {
    for tab in tabs {
        tab.told(event, payload);
    }
}

/// None of them is told anything.
#[track_caller]
pub fn none_told<const N: usize>(tabs: [&mut Tab; N]) {
    for tab in tabs {
        tab.told_nothing();
    }
}
