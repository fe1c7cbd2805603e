//! Packets out, as finished bytes of either transport, which all sessions that use it can share.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SEPARATOR;
use crate::proto::websocket;

/// How packets travel.
///
/// For [`Carriage::Polling`] each packet is written with a separator *before* it. So what waits for a poll is just the
/// concatenation of all packets, in any order of writing, and [`poll_body`] takes the first separator off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Carriage {
    /// Each packet in a frame, unmasked.
    WebSocket,
    /// Packets in the bodies of answers to polls.
    Polling,
}

/// A packet that is always the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bare {
    /// Ends the session.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers the ping of a WebSocket that a session wants to change to.
    ProbePong,
    /// Ends a poll.
    Noop,
}

impl Bare {
    const fn text(self) -> &'static [u8] {
        match self {
            Self::Close => b"1",
            Self::Ping => b"2",
            Self::ProbePong => b"3probe",
            Self::Noop => b"6",
        }
    }
}

impl Carriage {
    /// Appends a message of text, which `write` appends. It must be UTF-8 without a [`SEPARATOR`].
    pub fn text(self, wire: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.packet(wire, |wire| {
            wire.push(b'4');
            write(wire);
        });
    }

    /// Appends a message of bytes.
    pub fn binary(self, wire: &mut Vec<u8>, bytes: &[u8]) {
        match self {
            Self::WebSocket => websocket::binary(wire, |wire| wire.extend_from_slice(bytes)),
            Self::Polling => self.packet(wire, |wire| {
                wire.push(b'b');
                wire.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            }),
        }
    }

    /// Appends a packet that is always the same.
    pub fn bare(self, wire: &mut Vec<u8>, bare: Bare) {
        self.packet(wire, |wire| wire.extend_from_slice(bare.text()));
    }

    /// Appends the packet of text that `write` appends.
    pub(super) fn packet(self, wire: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::WebSocket => websocket::text(wire, write),
            Self::Polling => {
                wire.push(SEPARATOR);
                let start = wire.len();
                write(wire);
                debug_assert!(!wire[start..].contains(&SEPARATOR));
            }
        }
    }
}

/// The body that answers a poll with all the packets that waited for it.
pub fn poll_body(waiting: &[u8]) -> String {
    String::from_utf8_lossy(waiting.get(1..).unwrap_or_default()).into_owned()
}

/// What waited for a poll, as frames in the same order, for a session that has changed to a WebSocket meanwhile.
pub fn reframe(waiting: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(waiting.len() + waiting.len() / 16);
    // The first separator stands before the first packet.
    for packet in waiting.split(|&byte| byte == SEPARATOR).skip(1) {
        match packet.strip_prefix(b"b").and_then(|text| STANDARD.decode(text).ok()) {
            Some(bytes) => Carriage::WebSocket.binary(&mut wire, &bytes),
            None => Carriage::WebSocket.packet(&mut wire, |wire| wire.extend_from_slice(packet)),
        }
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::engineio::{Packet, Payload};

    fn write(carriage: Carriage, write: impl FnOnce(Carriage, &mut Vec<u8>)) -> Vec<u8> {
        let mut wire = Vec::new();
        write(carriage, &mut wire);
        wire
    }

    #[test]
    fn packets_are_written_to_the_letter() {
        type Write = fn(Carriage, &mut Vec<u8>);
        let cases: [(Write, &[u8], &[u8]); 7] = [
            (|to, wire| to.text(wire, |wire| wire.extend_from_slice(b"hello")), b"\x81\x064hello", b"\x1e4hello"),
            (|to, wire| to.text(wire, |_| {}), b"\x81\x014", b"\x1e4"),
            (|to, wire| to.binary(wire, &[1, 2, 3, 4]), b"\x82\x04\x01\x02\x03\x04", b"\x1ebAQIDBA=="),
            (|to, wire| to.bare(wire, Bare::Close), b"\x81\x011", b"\x1e1"),
            (|to, wire| to.bare(wire, Bare::Ping), b"\x81\x012", b"\x1e2"),
            (|to, wire| to.bare(wire, Bare::ProbePong), b"\x81\x063probe", b"\x1e3probe"),
            (|to, wire| to.bare(wire, Bare::Noop), b"\x81\x016", b"\x1e6"),
        ];
        let (mut frames, mut waiting) = (Vec::new(), Vec::new());
        for (packet, frame, polled) in cases {
            assert_eq!(write(Carriage::WebSocket, packet), frame);
            assert_eq!(write(Carriage::Polling, packet), polled);
            packet(Carriage::WebSocket, &mut frames);
            packet(Carriage::Polling, &mut waiting);
        }
        assert_eq!(reframe(&waiting), frames);
        assert_eq!(poll_body(&waiting), "4hello\x1e4\x1ebAQIDBA==\x1e1\x1e2\x1e3probe\x1e6");
        assert_eq!((reframe(b""), poll_body(b"")), (Vec::new(), String::new()));
    }

    /// What waited is the same packets, in the same order, whether it is polled or sent as frames in the end.
    #[test]
    fn what_waited_is_the_same_on_either_way() {
        let seed = 13;
        let mut random = fastrand::Rng::with_seed(seed);
        for round in 0..2_000 {
            let (mut frames, mut waiting, mut sent) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..random.usize(1..6) {
                let bytes: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
                let text: String = bytes.iter().map(|&byte| char::from(byte)).filter(|&c| c != '\x1e').collect();
                let is_text = random.bool();
                for (carriage, wire) in [(Carriage::WebSocket, &mut frames), (Carriage::Polling, &mut waiting)] {
                    if is_text {
                        carriage.text(wire, |wire| wire.extend_from_slice(text.as_bytes()));
                    } else {
                        carriage.binary(wire, &bytes);
                    }
                }
                sent.push((is_text, text, bytes));
            }
            assert_eq!(reframe(&waiting), frames, "seed {seed}, round {round}");
            let body = poll_body(&waiting);
            let polled: Vec<_> = Payload::new(&body).collect();
            assert_eq!(polled.len(), sent.len(), "seed {seed}, round {round}");
            for (packet, (is_text, text, bytes)) in polled.into_iter().zip(&sent) {
                let expected = if *is_text { Packet::Text(text) } else { Packet::Binary(bytes.into()) };
                assert_eq!(packet, Ok(expected), "seed {seed}, round {round}");
            }
        }
    }
}
