//! A client of Socket.IO that comes back as the official one does: with its pid and the last offset it has heard.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::peer::{Carrier, Polling, Socket, content};
use super::people::token_of;

#[derive(Clone, Copy, PartialEq)]
pub enum Words {
    Chat,
    Conversation,
}

#[derive(Clone, Copy)]
pub enum Way {
    WebSocket,
    Polling,
    /// Polling first, and then a WebSocket takes over.
    Upgrade,
}

/// What was said in the room.
pub struct Message {
    pub id: i64,
    pub text: String,
}

/// What one packet has brought.
#[derive(Default)]
pub struct Heard {
    pub message: Option<Message>,
    /// The number that it was sent with, and the message's id.
    pub acknowledged: Option<(usize, i64)>,
    /// The number of what could not be stored now.
    pub refused: Option<usize>,
}

pub struct Returner {
    pub name: String,
    pub words: Words,
    way: Way,
    /// `/` being "".
    namespace: &'static str,
    room: i64,
    carrier: Option<Carrier>,
    pub pid: Option<String>,
    pub offset: Option<String>,
    /// How often it was taken for who it was, and told so many messages that it had missed.
    pub recovered: usize,
    pub missed: usize,
}

/// One for each name: both vocabularies, each way, the main namespace too.
pub fn all_kinds(names: &[&str; 7], room: i64) -> Vec<Returner> {
    let kinds = [
        (Words::Chat, Way::WebSocket, "/chat"),
        (Words::Chat, Way::Polling, "/chat"),
        (Words::Conversation, Way::WebSocket, "/conversation"),
        (Words::Conversation, Way::Polling, "/conversation"),
        (Words::Chat, Way::Upgrade, "/chat"),
        (Words::Conversation, Way::Upgrade, "/conversation"),
        (Words::Conversation, Way::WebSocket, ""),
    ];
    let make = |(name, (words, way, namespace)): (&&str, _)| Returner::new(name, words, way, namespace, room);
    names.iter().zip(kinds).map(make).collect()
}

impl Returner {
    pub fn new(name: &str, words: Words, way: Way, namespace: &'static str, room: i64) -> Self {
        let (carrier, pid, offset) = (None, None, None);
        Self { name: name.to_owned(), words, way, namespace, room, carrier, pid, offset, recovered: 0, missed: 0 }
    }

    /// What stands before the JSON of a packet of that type.
    fn prefix(&self, kind: &str) -> String {
        let comma = if self.namespace.is_empty() { "" } else { "," };
        format!("4{kind}{}{comma}", self.namespace)
    }

    pub fn connect_packet(&self) -> String {
        let mut shown = json!({ "token": token_of(&self.name) });
        if let Some(pid) = &self.pid {
            shown["pid"] = json!(pid);
            shown["offset"] = json!(self.offset);
        }
        format!("{}{shown}", self.prefix("0"))
    }

    fn carrier(&self, address: SocketAddr) -> Option<Carrier> {
        let connect = self.connect_packet();
        match self.way {
            Way::WebSocket => {
                let mut socket = Socket::try_open(address, super::peer::WEBSOCKET, "").ok()?;
                socket.try_receive()?;
                socket.try_send(&connect).then_some(Carrier::Socket(socket))
            }
            Way::Polling => {
                let mut session = Polling::try_open(address)?;
                session.try_push(&connect).ok()?;
                Some(Carrier::Polling(session))
            }
            Way::Upgrade => {
                let mut session = Polling::try_open(address)?;
                let mut socket = Socket::try_open(address, &session.target("websocket"), "").ok()?;
                socket.try_send("2probe");
                session.try_push(&connect).ok()?;
                if socket.try_receive()? != "3probe" {
                    panic!("no answer to the probe");
                }
                socket.try_send("5").then_some(Carrier::Socket(socket))
            }
        }
    }

    /// Connects, as who it was before. Returns what it has missed; nothing, if the server is gone meanwhile or admits nobody
    /// now. What comes before the admission counts only with it, as in the official client.
    pub fn come_back(&mut self, address: SocketAddr) -> Option<Vec<Message>> {
        self.carrier = None;
        let mut carrier = self.carrier(address)?;
        let mut before = Vec::new();
        let (admitted, refused) = (self.prefix("0"), self.prefix("4"));
        let admission = loop {
            let packet = carrier.try_receive()?;
            match packet.strip_prefix(&admitted) {
                Some(json) => break serde_json::from_str::<Value>(json).unwrap(),
                None if packet.starts_with(&refused) => return None,
                None => before.push(packet),
            }
        };
        self.carrier = Some(carrier);
        let pid = admission["pid"].as_str().expect("a pid").to_owned();
        match self.pid.replace(pid) {
            Some(former) => {
                assert_eq!(self.pid, Some(former), "{} was not taken for who it was", self.name);
                self.recovered += 1;
            }
            None => self.enter()?,
        }
        let missed: Vec<Message> = before.iter().filter_map(|packet| self.take(packet).message).collect();
        self.missed += missed.len();
        Some(missed)
    }

    /// On the conversation vocabulary one enters a room. That it did is known to whoever it comes back to.
    fn enter(&mut self) -> Option<()> {
        if self.words == Words::Conversation {
            let event = json!(["join_conversation", { "conversation_id": self.room }]);
            self.send(&format!("{}0{event}", self.prefix("2")));
            let answer = format!("{}0[", self.prefix("3"));
            loop {
                let packet = self.carrier.as_mut()?.try_receive()?;
                self.take(&packet);
                if packet.starts_with(&answer) {
                    assert!(packet.contains(r#""ok":true"#), "{packet}");
                    break;
                }
            }
        }
        Some(())
    }

    fn send(&mut self, packet: &str) -> bool {
        self.carrier.as_mut().is_some_and(|carrier| carrier.try_send(packet))
    }

    /// Says something to the room. If it can't be sent, what was sent in time is still heard.
    pub fn say(&mut self, number: usize, text: &str, mark: &str) {
        let event = match self.words {
            Words::Chat => json!(["message:send", { "chatId": self.room, "content": text, "clientId": mark }]),
            Words::Conversation => {
                json!(["conversation_message", { "conversation_id": self.room, "content": text, "client_id": mark }])
            }
        };
        self.send(&format!("{}{number}{event}", self.prefix("2")));
    }

    /// From now on a silence of so long is the end.
    pub fn set_patience(&mut self, patience: Duration) {
        if let Some(carrier) = &mut self.carrier {
            carrier.set_patience(patience);
        }
    }

    /// Takes the next packet. Nothing at the end.
    pub fn hear(&mut self) -> Option<Heard> {
        let packet = self.carrier.as_mut()?.try_receive()?;
        Some(self.take(&packet))
    }

    fn take(&mut self, packet: &str) -> Heard {
        let Some((namespace, mut content)) = content(packet) else { return Heard::default() };
        assert_eq!(namespace, self.namespace);
        if packet.starts_with("43") {
            let digits = packet[self.prefix("3").len()..].split('[').next().unwrap();
            let number = digits.parse().unwrap();
            if content[0]["code"] == "unavailable" {
                return Heard { refused: Some(number), ..Heard::default() };
            }
            assert_eq!(content[0]["ok"], true, "{packet}");
            let id = content[0]["id"].as_str().map_or(0, |id| id.parse().unwrap());
            return Heard { acknowledged: Some((number, id)), ..Heard::default() };
        }
        let arguments = content.as_array_mut().unwrap();
        if let Some(Value::String(offset)) = arguments.get(2) {
            self.offset = Some(offset.clone());
        }
        assert_eq!(arguments.len(), 3, "each event says how far one has heard: {packet}");
        let word = if self.words == Words::Chat { "message:new" } else { "conversation_message" };
        if arguments[0] != word {
            return Heard::default();
        }
        let (id, text) = (arguments[1]["id"].as_str().unwrap(), arguments[1]["content"].as_str().unwrap());
        Heard { message: Some(Message { id: id.parse().unwrap(), text: text.to_owned() }), ..Heard::default() }
    }
}
