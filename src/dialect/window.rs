//! One message as every dialect would say it to those in the room: for learners.

use std::rc::Rc;

use serde::Serialize;

use super::frame::json;
use super::{DialectKey, Encoder, Encoding, request};
use crate::hub::{Event, Stored, User, Who};
use crate::id::{ConnectionId, Mark, MessageId, RoomId, RoomIds, UserId, Uuid};
use crate::proto::engineio::Carriage;
use crate::proto::websocket;
use crate::timestamp::Timestamp;

/// In place of what is not given.
const SAMPLE: [(&str, &str); 3] = [("room", "lobby"), ("name", "Ann"), ("text", "Hello!")];

/// What one dialect says.
#[derive(Serialize)]
struct Said<'a> {
    dialect: &'a str,
    path: &'a str,
    text: String,
}

/// The message in all words, as a JSON list of `dialect`, `path` and `text`: the payload of the frame, or the lines of the
/// event stream. `room`, `name` and `text` are taken from the query. Ids are those of a first message in an empty store.
pub fn show(encoder: &Encoder, request: &http::Request<()>, now: Timestamp) -> String {
    let query = request::query(request).unwrap_or_default();
    let [room, name, text] = SAMPLE.map(|(field, sample)| query.optional_text(field).ok().flatten().unwrap_or(sample));
    let user = User { id: UserId(1), uuid: Uuid::from_u128(1), name: name.into() };
    let stored = Stored {
        message: MessageId(1),
        room: RoomIds { id: RoomId::LOBBY, uuid: Uuid::from_u128(2) },
        at: now,
        message_type: None,
        file: None,
        direct_to: None,
        delivered: 1,
    };
    let event = Event::RoomMessage {
        room: room.into(),
        from: Who::User { user: Rc::new(user), connection: Some(ConnectionId(0)) },
        text: text.into(),
        stored: Some(Rc::new(stored)),
    };
    let mark = Mark { message: MessageId(1), ..Mark::default() };
    let said = encodings(encoder).into_iter().map(|(dialect, path, encoding)| {
        let mut wire = Vec::new();
        encoder.event(encoding, &event, mark, &mut wire);
        let bytes = if encoding == Encoding::STREAM { &wire } else { websocket::payload(&wire) };
        Said { dialect, path, text: String::from_utf8_lossy(bytes).into_owned() }
    });
    json(&said.collect::<Vec<_>>())
}

/// One encoding of each dialect that takes part in the chat, with its name and path.
fn encodings(encoder: &Encoder) -> Vec<(&'static str, &'static str, Encoding)> {
    let keys = DialectKey::all().filter(|key| key.dialect().takes_part());
    let mut encodings: Vec<_> =
        keys.map(|key| (key.dialect().name(), key.dialect().path(), Encoding::of(key))).collect();
    encodings.push(("stream", "/stream", Encoding::STREAM));
    for face in encoder.namespaces.single_faces() {
        let name = encoder.namespaces.words(face);
        if encodings.iter().all(|(known, ..)| *known != name) {
            encodings.push((name, "/socket.io/", Encoding::of_face(face, Carriage::WebSocket, false)));
        }
    }
    encodings
}

#[cfg(test)]
mod tests {
    use super::super::socketio::{Chat, Conversation, Namespaces};
    use super::*;

    #[test]
    fn every_dialect_says_it() {
        let encoder = Encoder { namespaces: Namespaces::new(&[("/", &[&Conversation, &Chat])]) };
        let request = http::Request::get("/wire?room=tea&name=%3Cb%3E&text=Hi%20%F0%9F%91%8B").body(()).unwrap();
        let shown: serde_json::Value =
            serde_json::from_str(&show(&encoder, &request, Timestamp::from_microseconds(0))).unwrap();
        let said = shown.as_array().unwrap();
        let names: Vec<_> = said.iter().map(|said| said["dialect"].as_str().unwrap()).collect();
        assert_eq!(names, ["action", "event", "stream", "conversation", "chat"]);
        for said in said {
            assert!(said["text"].as_str().unwrap().contains("Hi 👋"), "{said}");
        }
        assert_eq!(said[0]["text"], r#"{"action":"room_message","room":"tea","user_id":"0","message":"Hi 👋"}"#);
    }
}
