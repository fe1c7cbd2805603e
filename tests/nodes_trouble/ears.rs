//! Clients that write down what they are told, one for each way to listen. They tell of the end of a connection, but don't
//! mind it: whoever has lost a node comes to another.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::Message;

use super::world::{API_KEY, Room, Said, World};
use crate::common::event::EVENT;
use crate::common::returner::{Returner, Way, Words};
use crate::common::{ACTION, Client};

/// Before what was refused is said again.
const AGAIN: Duration = Duration::from_millis(20);

pub(super) trait Ear: Send {
    /// Comes to a node, as who it was before. What it is told meanwhile that it had missed; nothing, if it can't.
    fn come(&mut self, address: SocketAddr, patience: Duration) -> Option<Vec<String>>;

    /// What is told next. Nothing at the end, or if nothing comes for too long.
    fn hear(&mut self) -> Option<Vec<String>>;

    /// Where it listens.
    fn room(&self) -> Room;

    /// Whether it is told what it has missed while it was away.
    fn recovers(&self) -> bool;

    /// What it has said, each until it was acknowledged.
    fn take_said(&mut self) -> Vec<Said> {
        Vec::new()
    }
}

/// A WebSocket at that path.
fn open(address: SocketAddr, path: &str, patience: Duration) -> Option<Client> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    Client::over(stream, &format!("ws://{address}{path}")).ok()
}

/// The next text; nothing at the end.
fn next(client: &mut Client) -> Option<Value> {
    loop {
        match client.socket.read().ok()? {
            Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

fn ask(client: &mut Client, request: &Value) -> Option<Value> {
    client.socket.send(Message::text(request.to_string())).ok()?;
    next(client)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A member of the lobby in the words of the action dialect.
#[derive(Default)]
pub(super) struct Action(Option<Client>);

impl Ear for Action {
    fn come(&mut self, address: SocketAddr, patience: Duration) -> Option<Vec<String>> {
        let mut client = open(address, ACTION, patience)?;
        next(&mut client)?;
        let join = json!({ "action": "join", "room": "lobby" });
        let is_in = ask(&mut client, &join)? == join;
        self.0 = is_in.then_some(client);
        is_in.then(Vec::new)
    }

    fn hear(&mut self) -> Option<Vec<String>> {
        let told = next(self.0.as_mut()?)?;
        assert_ne!(told["action"], "error", "{told}");
        Some((told["action"] == "room_message").then(|| text(&told["message"])).into_iter().collect())
    }

    fn room(&self) -> Room {
        Room::Lobby
    }

    fn recovers(&self) -> bool {
        false
    }
}

/// A member of the lobby in the words of the event dialect, a user of that name.
pub(super) struct Event {
    name: String,
    user: Option<i64>,
    client: Option<Client>,
}

impl Event {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), user: None, client: None }
    }
}

impl Ear for Event {
    fn come(&mut self, address: SocketAddr, patience: Duration) -> Option<Vec<String>> {
        let mut client = open(address, &format!("{EVENT}?api_key={API_KEY}"), patience)?;
        let be = match self.user {
            None => json!({ "event": "create_user", "payload": { "username": self.name } }),
            Some(user) => json!({ "event": "switch_user", "payload": { "userId": user } }),
        };
        self.user = Some(ask(&mut client, &be)?["payload"]["result"]["userId"].as_i64()?);
        let join = json!({ "event": "join_room", "payload": { "roomId": 1 } });
        let is_in = ask(&mut client, &join)?["event"] == "ack";
        self.client = is_in.then_some(client);
        is_in.then(Vec::new)
    }

    fn hear(&mut self) -> Option<Vec<String>> {
        let told = next(self.client.as_mut()?)?;
        assert_ne!(told["event"], "error", "{told}");
        Some((told["event"] == "new_message").then(|| text(&told["payload"]["text"])).into_iter().collect())
    }

    fn room(&self) -> Room {
        Room::Lobby
    }

    fn recovers(&self) -> bool {
        false
    }
}

/// Somebody who listens to the lobby's stream, and has missed nothing when it comes back.
#[derive(Default)]
pub(super) struct Stream {
    reader: Option<BufReader<TcpStream>>,
    last: Option<String>,
}

impl Stream {
    /// The fields of the next event; of one that does not come to its end nothing is known.
    fn block(&mut self) -> Option<Vec<(String, String)>> {
        let (reader, mut fields) = (self.reader.as_mut()?, Vec::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some((field, value)) => fields.push((field.to_owned(), value.to_owned())),
                None if line == "\n" => return Some(fields),
                None => {}
            }
        }
    }
}

impl Ear for Stream {
    fn come(&mut self, address: SocketAddr, patience: Duration) -> Option<Vec<String>> {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(patience)).ok()?;
        let last = self.last.as_ref().map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
        stream.write_all(format!("GET /stream HTTP/1.1\r\nHost: {address}\r\n{last}\r\n").as_bytes()).ok()?;
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let is_in = head.starts_with("HTTP/1.1 200 ");
        self.reader = is_in.then_some(reader);
        is_in.then(Vec::new)
    }

    fn hear(&mut self) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        for (field, value) in self.block()? {
            match field.as_str() {
                "id" => self.last = Some(value),
                "data" => {
                    let told: Value = serde_json::from_str(&value).unwrap();
                    texts.extend((told["type"] == "new_message").then(|| text(&told["data"]["content"])));
                }
                _ => {}
            }
        }
        Some(texts)
    }

    fn room(&self) -> Room {
        Room::Lobby
    }

    fn recovers(&self) -> bool {
        true
    }
}

/// A user of the private room over Socket.IO, with recovery. Who speaks repeats what was not acknowledged, until it is.
pub(super) struct Chat {
    returner: Returner,
    speaks_in: Option<Arc<World>>,
    said: Vec<Said>,
    /// Sent, and not acknowledged. Its number is that of what was acknowledged before.
    open: Option<Instant>,
}

impl Chat {
    pub(super) fn new(name: &str, words: Words, way: Way, room: i64, speaks_in: Option<Arc<World>>) -> Self {
        let namespace = if words == Words::Chat { "/chat" } else { "/conversation" };
        let returner = Returner::new(name, words, way, namespace, room);
        Self { returner, speaks_in, said: Vec::new(), open: None }
    }

    fn say(&mut self) {
        let text = format!("{} {}", self.returner.name, self.said.len());
        self.returner.say(self.said.len(), &text, &text);
    }

    fn speak(&mut self) {
        let Some(world) = &self.speaks_in else { return };
        if self.open.is_none() && world.begin_to_say() {
            thread::sleep(world.pace);
            self.open = Some(Instant::now());
            self.say();
        }
    }
}

impl Ear for Chat {
    fn come(&mut self, address: SocketAddr, patience: Duration) -> Option<Vec<String>> {
        let missed = self.returner.come_back(address)?;
        self.returner.set_patience(patience);
        if self.open.is_some() {
            self.say();
        }
        Some(missed.into_iter().map(|message| message.text).collect())
    }

    fn hear(&mut self) -> Option<Vec<String>> {
        self.speak();
        let heard = self.returner.hear()?;
        if heard.refused == Some(self.said.len()) {
            thread::sleep(AGAIN);
            self.say();
        }
        // What was sent twice is answered twice.
        if let (Some((number, id)), Some(began)) = (heard.acknowledged, self.open)
            && number == self.said.len()
        {
            let text = format!("{} {number}", self.returner.name);
            self.said.push(Said { text, id: Some(id), is_refused: false, began, took: began.elapsed() });
            self.open = None;
            if let Some(world) = &self.speaks_in {
                world.open.fetch_sub(1, SeqCst);
            }
        }
        Some(heard.message.into_iter().map(|message| message.text).collect())
    }

    fn room(&self) -> Room {
        Room::Tea
    }

    fn recovers(&self) -> bool {
        true
    }

    fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }
}
