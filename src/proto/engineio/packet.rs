//! Packets in: from one WebSocket message, or one after the other from the body of a POST.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SEPARATOR;
use crate::proto::websocket::Message;

/// One packet. What follows the type of a packet that has no use for it is read over, as the reference does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// Begins a session; only a server sends it.
    Open,
    /// Ends the session.
    Close,
    /// Asks for a pong; from a client only `probe` makes sense, on a WebSocket that it wants to change to.
    Ping(&'a str),
    /// Answers a ping.
    Pong(&'a str),
    /// A message of text.
    Text(&'a str),
    /// A message of bytes.
    Binary(Cow<'a, [u8]>),
    /// The client has changed to this transport.
    Upgrade,
    /// Says nothing; ends a poll.
    Noop,
}

/// Why something is no packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// There is not even a type. An empty body of a POST is such a packet.
    Empty,
    /// A type that doesn't exist.
    UnknownType,
    /// Bytes that are not in base64.
    NotBase64,
}

impl<'a> Packet<'a> {
    /// The packet that a whole WebSocket message is.
    pub fn read(message: Message<'a>) -> Result<Self, Fault> {
        match message {
            Message::Text(text) => Self::parse(text),
            Message::Binary(bytes) => Ok(Self::Binary(Cow::Borrowed(bytes))),
        }
    }

    /// A packet in the form of text. Bytes in base64 are for long-polling, but a client that takes itself to be unable
    /// to send binary frames uses them on a WebSocket too.
    fn parse(text: &'a str) -> Result<Self, Fault> {
        let mut characters = text.chars();
        let kind = characters.next().ok_or(Fault::Empty)?;
        let data = characters.as_str();
        Ok(match kind {
            '0' => Self::Open,
            '1' => Self::Close,
            '2' => Self::Ping(data),
            '3' => Self::Pong(data),
            '4' => Self::Text(data),
            '5' => Self::Upgrade,
            '6' => Self::Noop,
            'b' => Self::Binary(Cow::Owned(STANDARD.decode(data).map_err(|_| Fault::NotBase64)?)),
            _ => return Err(Fault::UnknownType),
        })
    }
}

/// The packets in the body of a POST, in their order. After a fault nothing more comes.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    /// `None` once the last packet has been read; an empty rest is one more packet, and a faulty one.
    rest: Option<&'a str>,
}

impl<'a> Payload<'a> {
    /// The packets of this body, or of what [`Payload::rest`] had left of it.
    pub fn new(body: &'a str) -> Self {
        Self { rest: Some(body) }
    }

    /// What has not been read, for going on later; `None` if that is nothing.
    pub fn rest(&self) -> Option<&'a str> {
        self.rest
    }
}

impl<'a> Iterator for Payload<'a> {
    type Item = Result<Packet<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest?;
        let (packet, rest) = match text.split_once(char::from(SEPARATOR)) {
            Some((packet, rest)) => (packet, Some(rest)),
            None => (text, None),
        };
        let packet = Packet::parse(packet);
        self.rest = rest.filter(|_| packet.is_ok());
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Packet<'_>, Fault> {
        Packet::read(Message::Text(text))
    }

    fn payload(body: &str) -> Vec<Result<Packet<'_>, Fault>> {
        Payload::new(body).collect()
    }

    #[test]
    fn each_type_is_read() {
        assert_eq!(read("0{}"), Ok(Packet::Open));
        assert_eq!(read("1"), Ok(Packet::Close));
        assert_eq!(read("2probe"), Ok(Packet::Ping("probe")));
        assert_eq!(read("3"), Ok(Packet::Pong("")));
        assert_eq!(read("4päivää"), Ok(Packet::Text("päivää")));
        assert_eq!(read("4"), Ok(Packet::Text("")));
        assert_eq!(read("5"), Ok(Packet::Upgrade));
        assert_eq!(read("6"), Ok(Packet::Noop));
        assert_eq!(read("bAQIDBA=="), Ok(Packet::Binary(Cow::Borrowed(&[1, 2, 3, 4]))));
        let bytes: &[u8] = &[0xff, b'4'];
        assert_eq!(Packet::read(Message::Binary(bytes)), Ok(Packet::Binary(Cow::Borrowed(bytes))));
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(read(""), Err(Fault::Empty));
        for unknown in ["7", "9x", "a", "-1", " 4", "ä", "\u{1e}", "B"] {
            assert_eq!(read(unknown), Err(Fault::UnknownType), "{unknown}");
        }
        for broken in ["bA", "bAQIDBA", "bAQ=DBA==", "b=", "b-_8=", "bäää"] {
            assert_eq!(read(broken), Err(Fault::NotBase64), "{broken}");
        }
    }

    #[test]
    fn a_body_holds_several() {
        let (hello, world) = (Ok(Packet::Text("hello")), Ok(Packet::Text("world")));
        assert_eq!(payload("4hello\x1e2\x1e4world"), [hello.clone(), Ok(Packet::Ping("")), world]);
        let bytes = Ok(Packet::Binary(Cow::Borrowed(&[1u8, 2, 3, 4][..])));
        assert_eq!(payload("4hello\x1ebAQIDBA=="), [hello.clone(), bytes]);
        assert_eq!(payload(""), [Err(Fault::Empty)]);
        assert_eq!(payload("abc"), [Err(Fault::UnknownType)]);
        assert_eq!(payload("4hello\x1e\x1e4world"), [hello.clone(), Err(Fault::Empty)]);
        assert_eq!(payload("4hello\x1e"), [hello, Err(Fault::Empty)]);
        assert_eq!(payload("\x1e4hello"), [Err(Fault::Empty)]);
    }

    #[test]
    fn reading_may_stop_after_any_packet_and_go_on() {
        let seed = 11;
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut sound, mut faulty) = (0, 0);
        for round in 0..20_000 {
            let words = ["4", "2probe", "4ä\"", "bAQI=", "1", "6", "3", "bAQIDBA=="];
            let mut packets: Vec<&str> = (0..random.usize(1..7)).filter_map(|_| random.choice(words)).collect();
            if random.u8(..4) == 0 {
                let place = random.usize(..packets.len());
                packets[place] = random.choice(["", "b?", "x"]).unwrap_or_default();
            }
            let body = packets.join("\x1e");
            let mut reading = Payload::new(&body);
            let mut read = Vec::new();
            while let Some(packet) = reading.next() {
                read.push(packet);
                match reading.rest() {
                    Some(rest) if random.bool() => {
                        assert!(body.ends_with(rest));
                        reading = Payload::new(rest);
                    }
                    _ => {}
                }
            }
            assert_eq!((reading.rest(), &read), (None, &payload(&body)), "seed {seed}, round {round}: {body:?}");
            // Up to the first fault the packets are those that were put in.
            for (packet, text) in read.iter().zip(&packets) {
                assert_eq!(packet, &Packet::parse(text), "seed {seed}, round {round}: {body:?}");
            }
            let is_faulty = read.last().is_some_and(Result::is_err);
            assert!(is_faulty || read.len() == packets.len(), "seed {seed}, round {round}: {body:?}");
            *if is_faulty { &mut faulty } else { &mut sound } += 1;
        }
        assert!(sound > 1_000 && faulty > 1_000, "{sound}, {faulty}");
    }

    #[test]
    fn garbage_is_survived() {
        let mut random = fastrand::Rng::with_seed(12);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
            let text = String::from_utf8_lossy(&bytes);
            assert!(payload(&text).len() <= bytes.len() + 1);
            let _ = (read(&text), Packet::read(Message::Binary(&bytes)));
        }
    }
}
