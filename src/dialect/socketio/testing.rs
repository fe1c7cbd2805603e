//! What the tests of vocabularies have in common.
//!
//! In JSON texts `<5>` stands for the UUID 5, and `<at>` for the time at which everything happens.

use std::rc::Rc;

use serde_json::value::RawValue;

use super::*;
use crate::hub::{Blob, Refusal, Request, Stored, User, Who};
use crate::id::{ConnectionId, Mark, MessageId, RoomId, RoomIds, UserId, Uuid};
use crate::proto::engineio::Carriage;
use crate::timestamp::Timestamp;

pub(super) const LIMITS: Limits = Limits { max_text: 20 };
const AT: &str = "2024-01-01T12:00:00.000001Z";
const PLACES: u128 = 10;

pub(super) fn at() -> Timestamp {
    Timestamp::parse(AT).unwrap()
}

pub(super) fn spelt(text: &str) -> String {
    let text = text.replace("<at>", AT);
    (1..PLACES).fold(text, |text, n| text.replace(&format!("<{n}>"), &Uuid::from_u128(n).to_string()))
}

pub(super) fn room() -> RoomIds {
    RoomIds { id: RoomId(2), uuid: Uuid::from_u128(2) }
}

pub(super) fn user() -> Rc<User> {
    Rc::new(User { id: UserId(1), uuid: Uuid::from_u128(1), name: "Ann".into() })
}

pub(super) fn ann() -> Who {
    Who::User { user: user(), connection: Some(ConnectionId(3)) }
}

pub(super) fn guest() -> Who {
    Who::Guest { connection: ConnectionId(7), uuid: Uuid::from_u128(7) }
}

/// Message 3, in the room.
pub(super) fn stored() -> Stored {
    Stored {
        message: MessageId(3),
        room: room(),
        at: at(),
        message_type: None,
        file: None,
        direct_to: None,
        delivered: 4,
    }
}

pub(super) fn said(from: Who, stored: Stored) -> Event {
    Event::RoomMessage { room: "tea".into(), from, text: "Hello!".into(), stored: Some(stored.into()) }
}

pub(super) fn blob(json: &str, attachments: &[&[u8]]) -> Blob {
    Blob { json: json.into(), attachments: attachments.iter().map(|bytes| bytes.to_vec()).collect() }
}

/// Reads an event as it stands between the brackets of a packet: its name and its arguments.
pub(super) fn decoded(vocabulary: &dyn Vocabulary, event: &str, attachments: &[Vec<u8>]) -> Decoded {
    let event = spelt(&format!("[{event}]"));
    let items: Vec<&RawValue> = serde_json::from_str(&event).unwrap();
    let name: String = serde_json::from_str(items[0].get()).unwrap();
    let call = Call { name: &name, args: &items[1..], attachments, ack: Some("12") };
    let mut wire = Vec::new();
    let decoded = vocabulary.decode(&call, &LIMITS, &mut Emitter::new(&mut wire, Carriage::WebSocket, "/", None));
    assert!(wire.is_empty());
    decoded
}

/// The request that an event is, its tag apart.
pub(super) fn request(vocabulary: &dyn Vocabulary, event: &str) -> Request {
    match decoded(vocabulary, event, &[]) {
        Decoded::Request(mut request) => {
            let tag = request.tag.take().unwrap();
            assert_eq!(tag.id.as_deref(), Some("12"));
            assert!(event.starts_with(&format!("\"{}\"", tag.word)), "{tag:?}");
            request
        }
        other => panic!("{event}: {other:?}"),
    }
}

/// The sentence of an event that can't be read.
pub(super) fn malformed(vocabulary: &dyn Vocabulary, event: &str, attachments: &[Vec<u8>]) -> String {
    match decoded(vocabulary, event, attachments) {
        Decoded::Refused(Refusal::Malformed(sentence), Some(_)) => sentence,
        other => panic!("{event}: {other:?}"),
    }
}

/// What goes to a client: texts, and bytes as their debug form.
pub(super) fn packets(carriage: Carriage, namespace: &str, write: impl FnOnce(&mut Emitter<'_>)) -> Vec<String> {
    let mut wire = Vec::new();
    write(&mut Emitter::new(&mut wire, carriage, namespace, None));
    match carriage {
        Carriage::WebSocket => frames(&wire),
        Carriage::Polling => {
            let text = String::from_utf8(wire).unwrap();
            text.split('\x1e').skip(1).map(Into::into).collect()
        }
    }
}

/// Finished frames of less than 64 KiB.
fn frames(mut wire: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while let [kind, length, rest @ ..] = wire {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(*length), rest),
        };
        let (payload, rest) = rest.split_at(length);
        frames.push(match kind {
            0x81 => String::from_utf8(payload.to_vec()).unwrap(),
            _ => format!("{payload:?}"),
        });
        wire = rest;
    }
    assert!(wire.is_empty());
    frames
}

pub(super) fn told(vocabulary: &dyn Vocabulary, event: &Event) -> Vec<String> {
    packets(Carriage::WebSocket, "/", |out| vocabulary.event(event, out))
}

/// What the asker is told who wants an acknowledgement under the number 12.
pub(super) fn replied(vocabulary: &dyn Vocabulary, reply: &Reply) -> Vec<String> {
    let tag = Tag { word: "asked".into(), id: Some("12".into()) };
    packets(Carriage::WebSocket, "/", |out| vocabulary.reply(reply, Some(&tag), out))
}

/// What the asker is told who wants none.
pub(super) fn replied_without_ack(vocabulary: &dyn Vocabulary, reply: &Reply) -> Vec<String> {
    let tag = Tag { word: "asked".into(), id: None };
    packets(Carriage::WebSocket, "/", |out| vocabulary.reply(reply, Some(&tag), out))
}

/// Offsets are checked where events are written.
pub(super) fn mark(message: i64, change: i64) -> Mark {
    Mark { message: MessageId(message), change: crate::id::ChangeId(change) }
}
