//! The client protocols. A dialect turns what arrives into a request of the hub, and what the hub yields into
//! finished wire bytes; nothing else. It knows its own words and the hub's, and no socket.
//!
//! A new dialect is one new file and its line in [`DIALECTS`].

mod action;
mod echo;
mod fields;

use crate::hub::{Event, Refusal, Reply, Request};
use crate::proto::websocket::Message;

/// All dialects. A connection's dialect is its place in this table.
pub static DIALECTS: [&dyn Dialect; 2] = [&action::Action, &echo::Echo];

/// A dialect's place in [`DIALECTS`]: the key under which encoded bytes are shared among recipients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DialectKey(u8);

impl DialectKey {
    /// The dialect served at exactly this path.
    pub fn by_path(path: &str) -> Option<Self> {
        DIALECTS.iter().position(|dialect| dialect.path() == path).map(|place| Self(place as u8))
    }

    /// The place in the table.
    pub fn index(self) -> usize {
        self.0.into()
    }

    /// The dialect itself.
    pub fn dialect(self) -> &'static dyn Dialect {
        DIALECTS[self.index()]
    }
}

/// One client protocol over WebSocket.
pub trait Dialect: Sync {
    /// The path that it is served at.
    fn path(&self) -> &'static str;

    /// Whether its connections take part in the chat: they get a connection id and a session in the hub.
    fn takes_part(&self) -> bool;

    /// Reads one message.
    fn decode(&self, message: Message<'_>, limits: &Limits) -> Decoded;

    /// Appends the reply to `wire`, as the bytes that go to the socket.
    fn reply(&self, reply: &Reply, wire: &mut Vec<u8>);

    /// Appends the event to `wire`, as the bytes that go to the socket of each recipient.
    fn event(&self, event: &Event, wire: &mut Vec<u8>);
}

/// What decoding is held to.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest text that may be said, in bytes.
    pub max_text: usize,
}

/// What a message turned out to be.
#[derive(Debug)]
pub enum Decoded {
    /// Something for the hub.
    Request(Request),
    /// Unreadable; the hub sees to it that the answer leaves in its turn.
    Refused(Refusal),
    /// Nothing for the hub: these wire bytes are the answer.
    Answer(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_text: 16_384 };

    /// Every dialect gets garbage of all kinds; it must answer each message with one refusal or answer, never panic.
    #[test]
    fn garbage_is_refused_by_every_dialect() {
        let deep = "[".repeat(100_000);
        let texts = ["", "{", "null", "[]", "0", "\"x\"", "{}", "{\"a\":1}", "1e999999", "\"\\ud83d\"", &deep];
        for dialect in DIALECTS {
            for text in texts {
                let decoded = dialect.decode(Message::Text(text), &LIMITS);
                assert!(!matches!(decoded, Decoded::Request(_)), "{text:.20} on {}", dialect.path());
            }
            let decoded = dialect.decode(Message::Binary(b"\xff\x00"), &LIMITS);
            assert!(!matches!(decoded, Decoded::Request(_)), "binary on {}", dialect.path());
        }
    }

    #[test]
    fn paths_are_exact() {
        assert!(DialectKey::by_path("/echo").is_some());
        for other in ["", "/", "/echo/", "/ECHO", "//echo", "/echo?x"] {
            assert_eq!(DialectKey::by_path(other), None, "{other}");
        }
    }
}
