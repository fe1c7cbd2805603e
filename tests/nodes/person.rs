//! People of all dialects: each hears what it is told as JSON without times, and answers apart from it.

use std::collections::VecDeque;
use std::io::ErrorKind;

use serde_json::{Value, json};
use tungstenite::{Error, Message};

use crate::common::database::rows;
use crate::common::event::{EVENT, untimed};
use crate::common::http::request;
use crate::common::people::token_of;
use crate::common::stream::Listener;
use crate::common::{Client, Server};

/// How somebody speaks, or hears, or both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    Action,
    Event,
    Chat,
    Conversation,
    Stream,
    /// The database API.
    Api,
    /// Another program at the database.
    Sql,
}

/// What is asked for.
pub(super) enum Ask {
    Frame(Value),
    /// The method and target, and what is sent along.
    Http(String, Value),
    Sql(String),
}

/// Who somebody is to others.
#[derive(Clone, Default, Debug)]
pub(super) struct Who {
    pub(super) name: String,
    /// Nothing for whom is not registered.
    pub(super) user: Option<i64>,
    pub(super) uuid: String,
    /// Nothing for whom is not connected.
    pub(super) connection: Option<String>,
}

/// Somebody on a node.
pub(super) struct Person {
    pub(super) dialect: Dialect,
    pub(super) who: Who,
    wire: Wire,
    heard: VecDeque<Value>,
    asked: usize,
}

enum Wire {
    Socket(Client),
    Stream(Listener),
    /// Hears nothing.
    None,
}

impl Person {
    /// Who is not registered is known by what it says: `who` is empty for an action client, and found out later.
    pub(super) fn come(server: &Server, dialect: Dialect, who: Who) -> Self {
        let (mut who, mut heard) = (who, VecDeque::new());
        let wire = match dialect {
            Dialect::Action => {
                let (client, id) = server.join_in();
                (who.name, who.connection) = (format!("guest-{id}"), Some(id));
                Wire::Socket(client)
            }
            Dialect::Event => {
                let mut client = server.connect(EVENT);
                client.send(&json!({"event": "switch_user", "payload": {"userId": who.user}}).to_string());
                let answer = client.receive();
                assert!(answer.starts_with(r#"{"event":"ack","#), "{answer}");
                Wire::Socket(client)
            }
            Dialect::Chat | Dialect::Conversation => {
                Wire::Socket(socket(server, &who.name, dialect.namespace(), &mut heard))
            }
            Dialect::Stream => Wire::Stream(Listener::to_lobby(server)),
            Dialect::Api | Dialect::Sql => Wire::None,
        };
        Self { dialect, who, wire, heard, asked: 0 }
    }

    /// Listens to an open room by its name.
    pub(super) fn listening(server: &Server, room: &str) -> Self {
        let mut listener = Listener::open(server, &format!("/stream?room={room}"), &[]);
        assert_eq!(listener.next().brief().0, "connected");
        let wire = Wire::Stream(listener);
        Self { dialect: Dialect::Stream, who: Who::default(), wire, heard: VecDeque::new(), asked: 0 }
    }

    /// Asks, and waits until that is granted. Returns the answer.
    #[track_caller]
    pub(super) fn ask(&mut self, server: &Server, database: &str, ask: Ask) -> Value {
        match ask {
            Ask::Frame(frame) => self.ask_frame(&frame),
            Ask::Http(line, body) => http(server, &line, &body),
            Ask::Sql(sql) => json!(rows(database, &sql)),
        }
    }

    /// Sends a request, and does not wait for the answer.
    pub(super) fn send_frame(&mut self, frame: &Value) {
        let (dialect, asked) = (self.dialect, self.asked);
        self.asked += 1;
        let Wire::Socket(client) = &mut self.wire else { panic!("{dialect:?} has no frames") };
        client.send(&match dialect {
            Dialect::Action | Dialect::Event => frame.to_string(),
            _ => format!("42{},{asked}{frame}", dialect.namespace()),
        });
    }

    #[track_caller]
    pub(super) fn ask_frame(&mut self, frame: &Value) -> Value {
        self.send_frame(frame);
        loop {
            match self.read() {
                Told::Answer(answer) => {
                    let is_refusal = answer["event"] == "error" || answer["action"] == "error";
                    assert!(!is_refusal && answer["ok"] != false, "{frame}: {answer}");
                    return answer;
                }
                Told::Event(event) => {
                    assert!(!event.is_null(), "{frame} is not answered");
                    self.heard.push_back(event);
                }
            }
        }
    }

    /// What it hears next; `null`, if nothing comes.
    #[track_caller]
    pub(super) fn hear(&mut self) -> Value {
        if let Some(event) = self.heard.pop_front() {
            return event;
        }
        match self.read() {
            Told::Event(event) => event,
            Told::Answer(answer) => panic!("{:?} {} is answered once more: {answer}", self.dialect, self.who.name),
        }
    }

    /// The same, with answers to what was asked before skipped.
    #[track_caller]
    pub(super) fn hear_event(&mut self) -> Value {
        loop {
            if let Some(event) = self.heard.pop_front() {
                return event;
            }
            if let Told::Event(event) = self.read() {
                return event;
            }
        }
    }

    /// Hears all up to something with these words in it. Returns what came before.
    #[track_caller]
    pub(super) fn hear_until(&mut self, words: &str) -> Vec<Value> {
        let mut before = Vec::new();
        loop {
            let event = self.hear();
            assert!(!event.is_null(), "{:?} {} has not heard {words:?}, but {before:?}", self.dialect, self.who.name);
            if event.to_string().contains(words) {
                return before;
            }
            before.push(event);
        }
    }

    #[track_caller]
    fn read(&mut self) -> Told {
        match &mut self.wire {
            Wire::Stream(listener) => Told::Event(parse(&listener.next().data)),
            Wire::Socket(client) => loop {
                let Some(text) = next_text(client) else { return Told::Event(Value::Null) };
                if text == "2" {
                    client.send("3");
                } else {
                    return told(self.dialect, &text);
                }
            },
            Wire::None => panic!("{:?} hears nothing", self.dialect),
        }
    }
}

impl Dialect {
    /// Whoever hears.
    pub(super) const EARS: [Self; 5] = [Self::Action, Self::Event, Self::Chat, Self::Conversation, Self::Stream];

    pub(super) fn namespace(self) -> &'static str {
        if self == Self::Chat { "/chat" } else { "/conversation" }
    }
}

/// Of a registered user, whom the database API makes.
pub(super) fn user(server: &Server, database: &str, name: &str) -> Who {
    let id = http(server, "POST /user", &json!({"Username": name}))["ID"].as_i64();
    let id = id.expect("an id");
    let uuid = rows(database, &format!("SELECT uuid FROM users WHERE id = {id}")).remove(0).remove(0);
    Who { name: name.into(), user: Some(id), uuid, connection: None }
}

/// One request, which is granted.
#[track_caller]
pub(super) fn http(server: &Server, line: &str, body: &Value) -> Value {
    let (method, target) = line.split_once(' ').unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = request(server.address, method, target, body);
    assert!((200..300).contains(&answer.status), "{line}: {answer:?}");
    if answer.body.is_empty() { Value::Null } else { parse(&answer.body) }
}

/// The next text, if one comes in time.
fn next_text(client: &mut Client) -> Option<String> {
    loop {
        match client.socket.read() {
            Ok(Message::Text(text)) => return Some(text.to_string()),
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("neither a text nor silence: {error}"),
        }
    }
}

enum Told {
    Answer(Value),
    Event(Value),
}

fn parse(text: &str) -> Value {
    serde_json::from_str(&untimed(text)).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn told(dialect: Dialect, text: &str) -> Told {
    match dialect {
        Dialect::Action => {
            let frame = parse(text);
            if frame["user_id"].is_string() { Told::Event(frame) } else { Told::Answer(frame) }
        }
        Dialect::Event => {
            let frame = parse(text);
            if frame["event"] == "ack" || frame["event"] == "error" { Told::Answer(frame) } else { Told::Event(frame) }
        }
        _ => packet(dialect.namespace(), text),
    }
}

/// An event is its name and what comes with it; the offset at its end is cut off.
fn packet(namespace: &str, text: &str) -> Told {
    let after = |kind: &str| text.strip_prefix(kind)?.strip_prefix(namespace)?.strip_prefix(',');
    if let Some(event) = after("42") {
        let mut event = parse(event);
        event.as_array_mut().unwrap().truncate(2);
        return Told::Event(event);
    }
    let answer = after("43").unwrap_or_else(|| panic!("neither an event nor an answer: {text}"));
    Told::Answer(parse(answer.trim_start_matches(|digit: char| digit.is_ascii_digit()))[0].take())
}

/// A Socket.IO client of that user's. What it hears before it is admitted goes to the others.
fn socket(server: &Server, user: &str, namespace: &str, heard: &mut VecDeque<Value>) -> Client {
    let mut client = server.connect("/socket.io/?EIO=4&transport=websocket");
    client.receive();
    client.send(&format!("40{namespace},{}", json!({"token": token_of(user)})));
    loop {
        let text = client.receive();
        if text.starts_with(&format!("40{namespace},")) {
            return client;
        }
        if let Told::Event(event) = packet(namespace, &text) {
            heard.push_back(event);
        }
    }
}
