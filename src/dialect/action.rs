//! The action dialect: JSON objects with an `action`, one room at a time. The README has it by example.

use std::borrow::Cow;
use std::rc::Rc;

use serde::{Serialize, Serializer};

use super::fields::Fields;
use super::{Decoded, Dialect, Limits};
use crate::hub::{Command, Event, Invalid, Name, Refusal, Reply, Request, Text};
use crate::id::ConnectionId;
use crate::proto::websocket::{self, Message};

pub(super) struct Action;

impl Dialect for Action {
    fn path(&self) -> &'static str {
        "/chatserver/connect"
    }

    fn takes_part(&self) -> bool {
        true
    }

    fn decode(&self, message: Message<'_>, limits: &Limits) -> Decoded {
        match read(message, limits) {
            Ok(request) => Decoded::Request(request),
            Err(sentence) => Decoded::Refused(Refusal::Malformed(sentence)),
        }
    }

    fn reply(&self, reply: &Reply, wire: &mut Vec<u8>) {
        write(wire, &Said::from_reply(reply));
    }

    fn event(&self, event: &Event, wire: &mut Vec<u8>) {
        write(wire, &Said::from_event(event));
    }
}

fn write(wire: &mut Vec<u8>, said: &Said<'_>) {
    websocket::text(wire, |payload| {
        #[expect(clippy::expect_used, reason = "strings, lists and numbers into a vector: nothing in it can fail")]
        serde_json::to_writer(payload, said).expect("a frame of plain values");
    });
}

/// What the server says. The order of the fields is the order on the wire.
#[derive(Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Said<'a> {
    Connection {
        user_id: Id,
    },
    Join {
        room: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<Id>,
    },
    Leave {
        room: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<Id>,
    },
    PrivateMessage {
        user_id: Id,
        message: &'a str,
    },
    RoomMessage {
        room: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<Id>,
        message: &'a str,
    },
    Rooms {
        #[serde(serialize_with = "rooms_as_strings")]
        rooms: &'a [Rc<str>],
    },
    Participants {
        room: &'a str,
        participants: Vec<Id>,
    },
    Error {
        message: Cow<'a, str>,
    },
}

impl<'a> Said<'a> {
    fn from_reply(reply: &'a Reply) -> Self {
        match reply {
            Reply::Welcome { id } => Self::Connection { user_id: Id(*id) },
            Reply::Joined { room } => Self::Join { room, user_id: None },
            Reply::Left { room } => Self::Leave { room, user_id: None },
            Reply::SaidToRoom { room, text } => Self::RoomMessage { room, user_id: None, message: text },
            Reply::SaidToUser { to, text } => Self::PrivateMessage { user_id: Id(*to), message: text },
            Reply::Rooms { rooms } => Self::Rooms { rooms },
            Reply::Members { room, members } => {
                Self::Participants { room, participants: members.iter().copied().map(Id).collect() }
            }
            Reply::Refused(refusal) => Self::Error { message: sentence(refusal) },
        }
    }

    fn from_event(event: &'a Event) -> Self {
        match event {
            Event::Joined { room, who } => Self::Join { room, user_id: Some(Id(*who)) },
            Event::Left { room, who } => Self::Leave { room, user_id: Some(Id(*who)) },
            Event::RoomMessage { room, from, text } => {
                Self::RoomMessage { room, user_id: Some(Id(*from)), message: text }
            }
            Event::PrivateMessage { from, text } => Self::PrivateMessage { user_id: Id(*from), message: text },
        }
    }
}

/// The dialect's texts for refusals. The first four are part of the contract, to the letter.
fn sentence(refusal: &Refusal) -> Cow<'_, str> {
    match refusal {
        Refusal::WasInNoRoom => "user was not in a room".into(),
        Refusal::IsInNoRoom => "user is not in a room".into(),
        Refusal::NoSuchUser { id } => format!("user {id} is not on the server").into(),
        Refusal::NoSuchRoom { name } => format!("room {name} does not exist").into(),
        Refusal::NotYourId => "user_id is not this connection's own".into(),
        Refusal::Malformed(sentence) => sentence.into(),
    }
}

/// This dialect writes ids as strings.
struct Id(ConnectionId);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn rooms_as_strings<S: Serializer>(rooms: &&[Rc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rooms.iter().map(|room| &**room))
}

/// Reads one frame; an error is the sentence for its sender.
fn read(message: Message<'_>, limits: &Limits) -> Result<Request, String> {
    let Message::Text(text) = message else { return Err("a message must be text, not binary".into()) };
    let fields = Fields::read(text)?;
    let text = || Text::new(fields.text("message")?, limits.max_text).map_err(named("message"));
    let room = || Name::new(fields.text("room")?).map_err(named("room"));
    let command = match fields.text("action")? {
        "private_message" => {
            let to = fields.text("user_id")?.to_owned();
            return Ok(Command::SayToUser { to, text: text()? }.into());
        }
        "room_message" => Command::SayToRoom { text: text()? },
        "join" => Command::Join { room: room()? },
        "leave" => Command::Leave,
        "rooms" => Command::ListRooms,
        "participants" => Command::ListMembers { room: room()? },
        _ => return Err("action must be join, leave, private_message, room_message, rooms or participants".into()),
    };
    // Everywhere but in a private message, whose recipient it is, `user_id` names the sender.
    let claimed_sender = fields.optional_text("user_id")?.map(str::to_owned);
    Ok(Request { claimed_sender, command })
}

fn named(field: &'static str) -> impl Fn(Invalid) -> String {
    move |invalid| format!("{field} {invalid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_text: 20 };

    fn decoded(text: &str) -> Result<Request, String> {
        read(Message::Text(text), &LIMITS)
    }

    #[test]
    fn every_action_is_read() {
        let name = |name| Name::new(name).unwrap();
        let text = |text| Text::new(text, 20).unwrap();
        let cases = [
            (r#"{"action":"join","room":"R"}"#, Command::Join { room: name("R") }),
            (r#"{"action":"leave"}"#, Command::Leave),
            (
                r#"{"action":"private_message","user_id":"1","message":"Hello!"}"#,
                Command::SayToUser { to: "1".into(), text: text("Hello!") },
            ),
            (r#"{"action":"room_message","message":"Hello!"}"#, Command::SayToRoom { text: text("Hello!") }),
            (r#"{"action":"rooms"}"#, Command::ListRooms),
            (r#"{"action":"participants","room":"0"}"#, Command::ListMembers { room: name("0") }),
        ];
        for (frame, command) in cases {
            assert_eq!(decoded(frame), Ok(command.into()), "{frame}");
        }
    }

    #[test]
    fn the_last_of_equal_keys_wins_and_unknown_ones_are_ignored() {
        assert_eq!(decoded(r#"{"action":"join","action":"leave"}"#), Ok(Command::Leave.into()));
        assert_eq!(decoded(r#"{"Action":"join","x":[{}],"action":"leave"}"#), Ok(Command::Leave.into()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("[]", "a message must be a JSON object"),
            ("{", "a message must be a JSON object"),
            ("{}", "action is missing"),
            (r#"{"action":1}"#, "action must be a string"),
            (
                r#"{"action":"Join"}"#,
                "action must be join, leave, private_message, room_message, rooms or participants",
            ),
            (r#"{"action":"join"}"#, "room is missing"),
            (r#"{"action":"join","room":7}"#, "room must be a string"),
            (r#"{"action":"join","room":" "}"#, "room must be 1 to 64 characters"),
            (r#"{"action":"join","room":"a\u0007"}"#, "room must not contain control characters"),
            (r#"{"action":"room_message"}"#, "message is missing"),
            (r#"{"action":"room_message","message":""}"#, "message must be 1 to 20 bytes"),
            (r#"{"action":"private_message","message":"x"}"#, "user_id is missing"),
            (r#"{"action":"private_message","user_id":1,"message":"x"}"#, "user_id must be a string"),
            (r#"{"action":"leave","user_id":{}}"#, "user_id must be a string"),
        ];
        for (frame, sentence) in cases {
            assert_eq!(decoded(frame), Err(sentence.into()), "{frame}");
        }
        assert_eq!(read(Message::Binary(b"{}"), &LIMITS), Err("a message must be text, not binary".into()));
    }

    #[test]
    fn a_named_sender_is_handed_to_the_hub() {
        let request = decoded(r#"{"action":"leave","user_id":"4"}"#).unwrap();
        assert_eq!(request, Request { claimed_sender: Some("4".into()), command: Command::Leave });
    }

    #[test]
    fn frames_are_written_to_the_letter() {
        let frame = |said: Said<'_>| serde_json::to_string(&said).unwrap();
        let id = ConnectionId(7);
        let room: Rc<str> = "R".into();
        let text: Rc<str> = "Hi \"you\"".into();
        let replies = [
            (Reply::Welcome { id }, r#"{"action":"connection","user_id":"7"}"#),
            (Reply::Joined { room: room.clone() }, r#"{"action":"join","room":"R"}"#),
            (Reply::Left { room: room.clone() }, r#"{"action":"leave","room":"R"}"#),
            (
                Reply::SaidToRoom { room: room.clone(), text: text.clone() },
                r#"{"action":"room_message","room":"R","message":"Hi \"you\""}"#,
            ),
            (
                Reply::SaidToUser { to: id, text: text.clone() },
                r#"{"action":"private_message","user_id":"7","message":"Hi \"you\""}"#,
            ),
            (Reply::Rooms { rooms: vec!["0".into(), "1".into()] }, r#"{"action":"rooms","rooms":["0","1"]}"#),
            (
                Reply::Members { room: room.clone(), members: vec![ConnectionId(0), id] },
                r#"{"action":"participants","room":"R","participants":["0","7"]}"#,
            ),
            (
                Reply::Refused(Refusal::NoSuchUser { id: "1".into() }),
                r#"{"action":"error","message":"user 1 is not on the server"}"#,
            ),
        ];
        for (reply, expected) in replies {
            assert_eq!(frame(Said::from_reply(&reply)), expected);
        }
        let events = [
            (Event::Joined { room: room.clone(), who: id }, r#"{"action":"join","room":"R","user_id":"7"}"#),
            (Event::Left { room: room.clone(), who: id }, r#"{"action":"leave","room":"R","user_id":"7"}"#),
            (
                Event::RoomMessage { room, from: id, text: "x".into() },
                r#"{"action":"room_message","room":"R","user_id":"7","message":"x"}"#,
            ),
            (
                Event::PrivateMessage { from: id, text },
                r#"{"action":"private_message","user_id":"7","message":"Hi \"you\""}"#,
            ),
        ];
        for (event, expected) in events {
            assert_eq!(frame(Said::from_event(&event)), expected);
        }
    }
}
