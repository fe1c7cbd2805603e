//! A client of the event dialect, and times that no test can know beforehand.

use super::{Client, Server};

pub const EVENT: &str = "/ws";

/// How a time is written: `d` stands for any digit.
const TIME: &[u8] = b"dddd-dd-ddTdd:dd:dd.ddddddZ";

/// The text with `T` in place of each time. What is not written as the contract has it stays, and equals nothing.
pub fn untimed(text: &str) -> String {
    let is_time = |window: &[u8]| {
        window.iter().zip(TIME).all(|(byte, form)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form })
    };
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(place) = rest.as_bytes().windows(TIME.len()).position(is_time) {
        shown.push_str(&rest[..place]);
        shown.push('T');
        rest = &rest[place + TIME.len()..];
    }
    shown + rest
}

/// Speaks the event dialect and compares whole frames.
pub struct EventClient {
    pub client: Client,
}

impl EventClient {
    /// Nobody yet.
    pub fn connect(server: &Server) -> Self {
        Self { client: server.connect(EVENT) }
    }

    /// A new user of that name, in these rooms. Whoever else is in them is told of it.
    pub fn named(server: &Server, name: &str, rooms: &[i64]) -> Self {
        let mut new = Self::connect(server);
        let reply = new.reply("create_user", &format!(r#"{{"username":"{name}"}}"#));
        assert!(reply.starts_with(r#"{"event":"ack","#), "{reply}");
        new.enter(rooms);
        new
    }

    /// One more connection of a user, in these rooms.
    pub fn of(server: &Server, user: i64, rooms: &[i64]) -> Self {
        let mut new = Self::connect(server);
        let reply = new.reply("switch_user", &format!(r#"{{"userId":{user}}}"#));
        assert!(reply.starts_with(r#"{"event":"ack","#), "{reply}");
        new.enter(rooms);
        new
    }

    pub fn enter(&mut self, rooms: &[i64]) {
        for room in rooms {
            let room = format!(r#"{{"roomId":{room}}}"#);
            self.ok("join_room", &room, &room);
        }
    }

    pub fn send(&mut self, event: &str, payload: &str) {
        self.client.send(&format!(r#"{{"event":"{event}","payload":{payload}}}"#));
    }

    /// The next frame, without its times.
    pub fn receive(&mut self) -> String {
        untimed(&self.client.receive())
    }

    /// Asks, and returns the frame that comes next.
    pub fn reply(&mut self, event: &str, payload: &str) -> String {
        self.send(event, payload);
        self.receive()
    }

    /// Asks, and is granted it with this result.
    #[track_caller]
    pub fn ok(&mut self, event: &str, payload: &str, result: &str) {
        let ack = format!(r#"{{"event":"ack","payload":{{"event":"{event}","result":{result}}}}}"#);
        assert_eq!(self.reply(event, payload), ack);
    }

    /// Asks, and is refused it with this code and sentence.
    #[track_caller]
    pub fn no(&mut self, event: &str, payload: &str, code: &str, sentence: &str) {
        let error =
            format!(r#"{{"event":"error","payload":{{"event":"{event}","code":"{code}","message":"{sentence}"}}}}"#);
        assert_eq!(self.reply(event, payload), error, "{event} {payload}");
    }

    /// Is told this next.
    #[track_caller]
    pub fn told(&mut self, event: &str, payload: &str) {
        assert_eq!(self.receive(), format!(r#"{{"event":"{event}","payload":{payload}}}"#));
    }

    /// Is told nothing. What others have been answered before has reached whom it was to reach.
    #[track_caller]
    pub fn told_nothing(&mut self) {
        self.client.expect_nothing();
    }
}

/// All of them are told this next.
#[track_caller]
pub fn all_told<const N: usize>(clients: [&mut EventClient; N], event: &str, payload: &str) {
    for client in clients {
        client.told(event, payload);
    }
}

/// None of them is told anything.
#[track_caller]
pub fn none_told<const N: usize>(clients: [&mut EventClient; N]) {
    for client in clients {
        client.told_nothing();
    }
}
