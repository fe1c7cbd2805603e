//! The action dialect: JSON objects with an `action`, one room at a time. The README has it by example.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::fields::Fields;
use super::{Decoded, Dialect, Limits, frame};
use crate::hub::{Claim, Command, Event, ListedRoom, Refusal, Reply, Request, Tag, Who};
use crate::id::{ConnectionId, Uuid};
use crate::proto::websocket::Message;

pub(super) struct Action;

impl Dialect for Action {
    fn name(&self) -> &'static str {
        "action"
    }

    fn path(&self) -> &'static str {
        "/chatserver/connect"
    }

    fn takes_part(&self) -> bool {
        true
    }

    fn decode(&self, message: Message<'_>, limits: &Limits) -> Decoded {
        match read(message, limits) {
            Ok(request) => Decoded::Request(request),
            Err(sentence) => Decoded::Refused(Refusal::Malformed(sentence), None),
        }
    }

    fn reply(&self, reply: &Reply, _: Option<&Tag>, wire: &mut Vec<u8>) {
        if let Some(said) = Said::from_reply(reply) {
            frame::write(wire, &said);
        }
    }

    fn event(&self, event: &Event, wire: &mut Vec<u8>) {
        if let Some(said) = Said::from_event(event) {
            frame::write(wire, &said);
        }
    }
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
        #[serde(serialize_with = "names")]
        rooms: &'a [ListedRoom],
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
    /// Nothing for answers to what can't be asked in this dialect.
    fn from_reply(reply: &'a Reply) -> Option<Self> {
        Some(match reply {
            Reply::Welcome { id } => Self::Connection { user_id: (*id).into() },
            Reply::Joined { room } => Self::Join { room, user_id: None },
            Reply::Left { room } => Self::Leave { room, user_id: None },
            Reply::SaidToRoom { room, text } => Self::RoomMessage { room, user_id: None, message: text },
            Reply::SaidToUser { to, text } => Self::PrivateMessage { user_id: (*to).into(), message: text },
            Reply::Rooms { rooms } => Self::Rooms { rooms },
            Reply::Members { room, members } => {
                Self::Participants { room, participants: members.iter().map(|&id| id.into()).collect() }
            }
            Reply::Refused(refusal) => Self::Error { message: sentence(refusal) },
            _ => return None,
        })
    }

    /// Nothing for what happens to users and messages: they have no names here.
    fn from_event(event: &'a Event) -> Option<Self> {
        Some(match event {
            Event::Joined { room, who, .. } => Self::Join { room, user_id: Some(who.into()) },
            Event::Left { room, who, .. } => Self::Leave { room, user_id: Some(who.into()) },
            Event::Expelled { room } => Self::Leave { room, user_id: None },
            Event::RoomMessage { room, from, text, .. } => {
                Self::RoomMessage { room, user_id: Some(from.into()), message: text }
            }
            Event::PrivateMessage { from, text } => Self::PrivateMessage { user_id: (*from).into(), message: text },
            _ => return None,
        })
    }
}

/// The dialect's texts for refusals. Those about rooms and users who are not there are part of the contract, to the
/// letter.
fn sentence(refusal: &Refusal) -> Cow<'_, str> {
    match refusal {
        Refusal::NotYourId => "user_id is not this connection's own".into(),
        other => super::refusal::sentence(other),
    }
}

/// This dialect writes ids as strings: of connections, or of a registered user who spoke without one.
enum Id {
    Connection(ConnectionId),
    User(Uuid),
}

impl From<ConnectionId> for Id {
    fn from(id: ConnectionId) -> Self {
        Self::Connection(id)
    }
}

impl From<&Who> for Id {
    fn from(who: &Who) -> Self {
        match who {
            Who::Guest { connection, .. } | Who::User { connection: Some(connection), .. } => (*connection).into(),
            who => Self::User(who.uuid()),
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Connection(id) => serializer.collect_str(id),
            Self::User(uuid) => serializer.collect_str(uuid),
        }
    }
}

fn names<S: Serializer>(rooms: &&[ListedRoom], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rooms.iter().map(|room| &*room.name))
}

/// Reads one frame; an error is the sentence for its sender.
fn read(message: Message<'_>, limits: &Limits) -> Result<Request, String> {
    let Message::Text(text) = message else { return Err("a message must be text, not binary".into()) };
    let fields = Fields::read(text, "a message")?;
    let text = || fields.said("message", limits.max_text);
    let room = || fields.name("room");
    let command = match fields.text("action")? {
        "private_message" => {
            let to = fields.text("user_id")?.to_owned();
            return Ok(Command::SayToUser { to, text: text()? }.into());
        }
        "room_message" => Command::SayToRoom { text: text()?, client_id: fields.optional_mark("client_id")? },
        "join" => Command::Join { room: room()? },
        "leave" => Command::Leave,
        "rooms" => Command::ListRooms,
        "participants" => Command::ListMembers { room: room()? },
        _ => return Err("action must be join, leave, private_message, room_message, rooms or participants".into()),
    };
    // Everywhere but in a private message, whose recipient it is, `user_id` names the sender.
    let claimed_sender = fields.optional_text("user_id")?.map(|id| Claim::Connection(id.into()));
    Ok(Request { claimed_sender, command, tag: None })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::hub::{Name, Text, User};
    use crate::id::UserId;

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
            (
                r#"{"action":"room_message","message":"Hello!"}"#,
                Command::SayToRoom { text: text("Hello!"), client_id: None },
            ),
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
        assert_eq!(request.claimed_sender, Some(Claim::Connection("4".into())));
        assert_eq!(request.command, Command::Leave);
    }

    #[test]
    fn frames_are_written_to_the_letter() {
        let frame = |said: Option<Said<'_>>| serde_json::to_string(&said).unwrap();
        let id = ConnectionId(7);
        let who = Who::Guest { connection: id, uuid: Uuid::nil() };
        let user = Rc::new(User { id: UserId(1), uuid: Uuid::from_u128(5), name: "Ann".into() });
        let absent = Who::User { user, connection: None };
        let room: Rc<str> = "R".into();
        let text: Rc<str> = "Hi \"you\"".into();
        let listed = |name: &str| ListedRoom { name: name.into(), id: None, owner: None, members: 1 };
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
            (Reply::Rooms { rooms: vec![listed("0"), listed("1")] }, r#"{"action":"rooms","rooms":["0","1"]}"#),
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
            (
                Event::Joined { room: room.clone(), id: None, who: who.clone(), is_again: false },
                r#"{"action":"join","room":"R","user_id":"7"}"#,
            ),
            (
                Event::Left { room: room.clone(), id: None, who: who.clone(), is_still_there: true },
                r#"{"action":"leave","room":"R","user_id":"7"}"#,
            ),
            (Event::Expelled { room: room.clone() }, r#"{"action":"leave","room":"R"}"#),
            (
                Event::RoomMessage { room: room.clone(), from: who, text: "x".into(), stored: None },
                r#"{"action":"room_message","room":"R","user_id":"7","message":"x"}"#,
            ),
            (
                Event::RoomMessage { room, from: absent, text: "x".into(), stored: None },
                r#"{"action":"room_message","room":"R","user_id":"00000000-0000-0000-0000-000000000005","message":"x"}"#,
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
