//! The client protocols. A dialect turns what arrives into a request of the hub, and what the hub yields into
//! finished wire bytes; nothing else. It knows its own words and the hub's, and no socket.
//!
//! A new dialect is one new file and its line in [`DIALECTS`].

mod action;
mod database;
mod echo;
mod event;
mod fields;
mod frame;
pub mod refusal;
mod request;
pub mod socketio;
pub mod stream;
pub mod window;

use http::StatusCode;

use crate::hub::{Event, Refusal, Reply, Request, Tag};
use crate::id::Mark;
use crate::proto::engineio::Carriage;
use crate::proto::http::Answer;
use crate::proto::websocket::Message;
use socketio::{Emitter, FaceKey, Namespaces};

/// All dialects. A connection's dialect is its place in this table.
pub static DIALECTS: [&dyn Dialect; 3] = [&action::Action, &event::EventDialect, &echo::Echo];

/// A dialect's place in [`DIALECTS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DialectKey(u8);

impl DialectKey {
    /// The dialect served at exactly this path.
    pub fn by_path(path: &str) -> Option<Self> {
        DIALECTS.iter().position(|dialect| dialect.path() == path).map(|place| Self(place as u8))
    }

    /// Those of all dialects.
    fn all() -> impl Iterator<Item = Self> {
        (0..DIALECTS.len()).map(|place| Self(place as u8))
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

/// The key under which encoded bytes are shared among recipients: a dialect has one, Socket.IO one for each face, carriage
/// and whether clients can come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoding(u8);

impl Encoding {
    /// That of event streams.
    const STREAM: Self = Self(u8::MAX);

    /// That of a dialect.
    pub fn of(dialect: DialectKey) -> Self {
        Self(dialect.0)
    }

    /// That of a Socket.IO face whose packets go by that carriage. `recovers`: clients are told how far they have heard, so
    /// that they can come back.
    pub fn of_face(face: FaceKey, carriage: Carriage, recovers: bool) -> Self {
        let variant = usize::from(carriage == Carriage::Polling) + 2 * usize::from(recovers);
        Self((DIALECTS.len() + face.index() * 4 + variant) as u8)
    }
}

/// What makes bytes of what the hub says, in any encoding.
pub struct Encoder {
    /// The namespaces that are served over Socket.IO.
    pub namespaces: Namespaces,
}

impl Encoder {
    /// Appends a reply. `tag` is what the request had; `mark` says how far one has heard who has heard this.
    pub fn reply(&self, encoding: Encoding, reply: &Reply, tag: Option<&Tag>, mark: Mark, wire: &mut Vec<u8>) {
        match DIALECTS.get(usize::from(encoding.0)) {
            Some(dialect) => dialect.reply(reply, tag, wire),
            // Who listens has asked before, and been answered.
            None if encoding == Encoding::STREAM => {}
            None => {
                let (face, mut out) = self.emitter(encoding, mark, wire);
                self.namespaces.reply(face, reply, tag, &mut out);
            }
        }
    }

    /// Appends an event. `mark` says how far one has heard who has heard this.
    pub fn event(&self, encoding: Encoding, event: &Event, mark: Mark, wire: &mut Vec<u8>) {
        match DIALECTS.get(usize::from(encoding.0)) {
            Some(dialect) => dialect.event(event, wire),
            None if encoding == Encoding::STREAM => stream::event(event, mark, wire),
            None => {
                let (face, mut out) = self.emitter(encoding, mark, wire);
                self.namespaces.event(face, event, &mut out);
            }
        }
    }

    fn emitter<'a>(&'a self, encoding: Encoding, mark: Mark, wire: &'a mut Vec<u8>) -> (FaceKey, Emitter<'a>) {
        let place = usize::from(encoding.0) - DIALECTS.len();
        let carriage = if place & 1 == 0 { Carriage::WebSocket } else { Carriage::Polling };
        let face = FaceKey::new(place / 4);
        let mark = Some(mark).filter(|_| place & 2 != 0);
        (face, Emitter::new(wire, carriage, self.namespaces.namespace(face), mark))
    }
}

/// One client protocol over WebSocket.
pub trait Dialect: Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// The path that it is served at.
    fn path(&self) -> &'static str;

    /// Whether its connections take part in the chat: they get a connection id and a session in the hub.
    fn takes_part(&self) -> bool;

    /// Reads one message.
    fn decode(&self, message: Message<'_>, limits: &Limits) -> Decoded;

    /// Whether it is for those alone who hold the API key.
    fn needs_key(&self) -> bool {
        false
    }

    /// Appends the reply to `wire`, as the bytes that go to the socket. `tag` is what [`Dialect::decode`] gave the
    /// request.
    fn reply(&self, reply: &Reply, tag: Option<&Tag>, wire: &mut Vec<u8>);

    /// Appends the event to `wire`, as the bytes that go to the socket of each recipient. Of what this dialect has no
    /// words for it says nothing.
    fn event(&self, event: &Event, wire: &mut Vec<u8>);
}

/// A protocol of single HTTP requests: each is asked of the hub, and the reply is the answer. Its requests are made by
/// programs that hold the API key and act for whom they name, or by visitors.
pub trait Api: Sync {
    /// Whether it is served at that path.
    fn serves(&self, path: &str) -> bool;

    /// The methods that are taken at a path where it is served, as a header lists them.
    fn methods(&self, path: &str) -> String;

    /// Whether this request is for those alone who hold the API key.
    fn needs_key(&self, _request: &http::Request<()>) -> bool {
        true
    }

    /// Whether pages of allowed origins may read its answers.
    fn is_for_pages(&self) -> bool {
        false
    }

    /// Reads one request, to a path where it is served, with its whole body. Errors are the answer.
    fn decode(&self, request: &http::Request<()>, body: &[u8], limits: &Limits) -> Result<Request, Answer>;

    /// The answer that the hub's reply comes to. `tag` is what the request had: that of [`Api::decode`], or the next one
    /// of [`Answered::Part`].
    fn answer(&self, reply: &Reply, tag: Option<&Tag>) -> Answered;

    /// A refusal in this protocol's form, of what was not even decoded: without the key, say, or too large.
    fn refuse(&self, status: StatusCode, sentence: &str) -> Answer;
}

/// How much of an answer a reply has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answered {
    /// All of it. If parts have gone out before, they were all that there will ever be: this is the refusal of the next
    /// one, and the connection is to be cut, so that nobody takes them for the whole.
    Whole(Answer),
    /// A part of the body. Status and headers are those of the whole answer, the same for each part.
    Part {
        /// The part; see [`Answer::begin`] for the first, [`Parts::write`](crate::proto::http::Parts::write) for others.
        part: Answer,
        /// What to ask of the hub for the next part, once this one has gone out. Nothing: it was the last.
        next: Option<Request>,
    },
    /// A part of the body, behind which events follow as they happen, in that encoding, for as long as the client listens.
    Live(Answer, Encoding),
}

/// All of them.
pub static APIS: [&dyn Api; 2] = [&database::Database, &stream::Stream];

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
    Refused(Refusal, Option<Box<Tag>>),
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
