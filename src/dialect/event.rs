//! The event dialect: JSON objects with an `event`, a `payload` and, if the client wants, an `id` that comes back with the
//! reply. Registered users in any number of durable rooms.
//!
//! Of rooms without an id, and of what is said in private, it has no words and says nothing.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::fields::{Fields, as_text, pick};
use super::frame::{self, Time};
use super::{Decoded, Dialect, Limits, refusal};
use crate::hub::job::{MessageRecord, Reader};
use crate::hub::{Claim, Command, Event, ListedRoom, Refusal, Reply, Request, Stored, Tag, User, Who};
use crate::id::{RoomId, RoomIds, Target, UserId};
use crate::proto::websocket::Message;

/// The longest `id`, as it is written. Each is kept until its request is answered.
const MAX_ID_BYTES: usize = 1024;

pub(super) struct EventDialect;

impl Dialect for EventDialect {
    fn name(&self) -> &'static str {
        "event"
    }

    fn path(&self) -> &'static str {
        "/ws"
    }

    fn takes_part(&self) -> bool {
        true
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn decode(&self, message: Message<'_>, limits: &Limits) -> Decoded {
        let mut tag = Box::new(Tag { word: NO_WORD, id: None });
        match read(message, limits, &mut tag) {
            Ok((claimed_sender, command)) => Decoded::Request(Request { claimed_sender, command, tag: Some(tag) }),
            Err(refusal) => Decoded::Refused(refusal, Some(tag)),
        }
    }

    fn reply(&self, reply: &Reply, tag: Option<&Tag>, wire: &mut Vec<u8>) {
        let word = tag.map(|tag| &*tag.word).filter(|word| *word != NO_WORD);
        // It was read from JSON text, so it is some.
        let id = tag.and_then(|tag| serde_json::from_str(tag.id.as_deref()?).ok());
        if let Reply::Refused(refused) = reply {
            let payload = Error { event: word, code: refusal::code(refused), message: refusal::sentence(refused) };
            frame::write(wire, &Answer { event: "error", id, payload });
        } else if let Some(result) = Outcome::of(reply, word == Some(GET_USER)) {
            frame::write(wire, &Answer { event: "ack", id, payload: Ack { event: word, result } });
        }
    }

    fn event(&self, event: &Event, wire: &mut Vec<u8>) {
        if let Event::Switched { id: Some(room), from, to, is_still_there, is_again } = event {
            if !is_still_there {
                frame::write(wire, &Broadcast::UserLeft(Presence::of(*room, from)));
            }
            if !is_again {
                frame::write(wire, &Broadcast::UserJoined(Presence::of(*room, to)));
            }
        } else if let Some(broadcast) = Broadcast::of(event) {
            frame::write(wire, &broadcast);
        }
    }
}

/// In a tag: the frame did not say what it asks for.
const NO_WORD: Cow<'static, str> = Cow::Borrowed("");
const SWITCH_USER: &str = "switch_user";
const GET_USER: &str = "get_user";

/// What a client may send, and how its payload is read.
static EVENTS: [(&str, ReadPayload); 17] = [
    ("create_user", |payload, _| Ok(Command::CreateUser { name: payload.name("username")? })),
    (SWITCH_USER, |payload, _| Ok(Command::SwitchUser { user: payload.reference("userId")? })),
    ("get_users", |_, _| Ok(Command::ListUsers)),
    (GET_USER, |payload, _| Ok(Command::FindUser { user: payload.reference("userId")? })),
    ("change_user", |payload, _| Ok(Command::RenameUser { name: payload.name("username")? })),
    ("delete_user", |_, _| Ok(Command::DeleteUser)),
    ("get_rooms", |_, _| Ok(Command::ListRooms)),
    ("create_room", |payload, _| Ok(Command::CreateRoom { name: payload.name("roomName")?, participants: None })),
    ("change_room", |payload, _| {
        Ok(Command::RenameRoom { room: payload.reference("roomId")?, name: payload.name("roomName")? })
    }),
    ("delete_room", |payload, _| Ok(Command::DeleteRoom { room: payload.reference("roomId")? })),
    ("join_room", |payload, _| Ok(Command::EnterRoom { room: payload.reference("roomId")? })),
    ("leave_room", |payload, _| Ok(Command::ExitRoom { room: payload.reference("roomId")? })),
    ("send_message", |payload, limits| {
        let (room, text) = (payload.reference("roomId")?, payload.said("text", limits.max_text)?);
        let client_id = payload.optional_mark("clientId")?;
        Ok(Command::Say { to: Target::Room(room), text, client_id, message_type: None, hears_itself: true })
    }),
    ("get_messages", |payload, _| {
        Ok(Command::ReadMessages { room: payload.reference("roomId")?, page: payload.page()? })
    }),
    ("delete_message", |payload, _| Ok(Command::DeleteMessage { message: payload.message("messageId")? })),
    ("post_readconfirmation", |payload, _| Ok(Command::Confirm { message: payload.message("messageId")? })),
    ("get_readconfirmation", |payload, _| Ok(Command::ListReaders { message: payload.message("messageId")? })),
];

/// An error is the sentence for the sender.
type ReadPayload = fn(&Fields<'_>, &Limits) -> Result<Command, String>;

/// Reads one frame. What can be told of the request goes into `tag`, so that even a refusal finds whom it is for.
fn read(message: Message<'_>, limits: &Limits, tag: &mut Tag) -> Result<(Option<Claim>, Command), Refusal> {
    let malformed = Refusal::Malformed;
    let Message::Text(text) = message else { return Err(malformed("a message must be text, not binary".into())) };
    let [event, payload, id] = pick(text, "a message", ["event", "payload", "id"]).map_err(malformed)?;
    let id = id.map(read_id).transpose().map(|id| tag.id = id);
    let event = event.ok_or("event is missing").and_then(|event| as_text(event).ok_or("event must be a string"));
    let event = event.map_err(|sentence| malformed(sentence.into()))?;
    let Some((word, command)) = EVENTS.iter().find(|(word, _)| *word == event) else {
        let word = refusal::cut(&event);
        tag.word = word.clone().into();
        return Err(Refusal::UnknownRequest(word));
    };
    tag.word = Cow::Borrowed(word);
    id.map_err(malformed)?;
    let payload = payload.map(|payload| Fields::of_value(payload, "payload")).transpose().map_err(malformed)?;
    let payload = payload.unwrap_or_default();
    // For these two it is what is asked for, and everywhere else the sender.
    let names_sender = ![SWITCH_USER, GET_USER].contains(word);
    let user = if names_sender { payload.optional_reference("userId").map_err(malformed)? } else { None };
    Ok((user.map(Claim::User), command(&payload, limits).map_err(malformed)?))
}

/// Kept as it is written: it has to come back unchanged, and not every number would survive being read.
fn read_id(id: &RawValue) -> Result<Box<str>, String> {
    let id = id.get();
    if !id.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit()) {
        return Err("id must be a string or a number".into());
    }
    if id.len() > MAX_ID_BYTES {
        return Err(format!("id must be at most {MAX_ID_BYTES} bytes"));
    }
    Ok(id.into())
}

/// A reply.
#[derive(Serialize)]
struct Answer<'a, P> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    payload: P,
}

#[derive(Serialize)]
struct Ack<'a> {
    event: Option<&'a str>,
    result: Outcome<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    event: Option<&'a str>,
    code: &'static str,
    message: Cow<'a, str>,
}

/// What a request has come to. Here and below, the order of the fields is the order on the wire.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Outcome<'a> {
    User(ShownUser<'a>),
    Users { users: Vec<ShownUser<'a>> },
    UserDeleted { user_id: i64 },
    Rooms { rooms: Vec<ShownRoom<'a>> },
    Room { room_id: i64, room_name: &'a str },
    RoomOnly { room_id: i64 },
    Said { message_id: i64, room_id: i64, created_at: Time },
    Messages { messages: Vec<ShownMessage<'a>>, next_before: Option<i64> },
    MessageDeleted { message_id: i64 },
    Confirmed { message_id: i64, user_id: i64, read_at: Time },
    Readers { message_id: i64, readers: Vec<ShownReader<'a>> },
}

impl<'a> Outcome<'a> {
    /// Nothing for answers to what can't be asked in this dialect, and for the welcome: here the client speaks first.
    fn of(reply: &'a Reply, tells_presence: bool) -> Option<Self> {
        Some(match reply {
            Reply::User { user, online } => Self::User(ShownUser::of(user, tells_presence.then_some(*online))),
            Reply::Users { users } => {
                Self::Users { users: users.iter().map(|(user, online)| ShownUser::of(user, Some(*online))).collect() }
            }
            Reply::UserDeleted { user } => Self::UserDeleted { user_id: user.0 },
            Reply::Rooms { rooms } => Self::Rooms { rooms: rooms.iter().filter_map(ShownRoom::of).collect() },
            Reply::Room { room, name } => Self::Room { room_id: room.id.0, room_name: name },
            Reply::RoomDeleted { id }
            | Reply::Entered { room: RoomIds { id, .. } }
            | Reply::Exited { room: RoomIds { id, .. } } => Self::RoomOnly { room_id: id.0 },
            Reply::Said { stored, .. } => {
                let Stored { message, room, at, .. } = &**stored;
                Self::Said { message_id: message.0, room_id: room.id.0, created_at: Time(*at) }
            }
            Reply::Messages { room, messages, has_more } => Self::Messages {
                messages: messages.iter().map(|message| ShownMessage::of(room.id, message)).collect(),
                next_before: messages.first().filter(|_| *has_more).map(|message| message.id.0),
            },
            Reply::MessageDeleted { message } => Self::MessageDeleted { message_id: message.0 },
            Reply::Confirmed { message, user, at } => {
                Self::Confirmed { message_id: message.0, user_id: user.0, read_at: Time(*at) }
            }
            Reply::Readers { message, readers } => {
                Self::Readers { message_id: message.0, readers: readers.iter().map(ShownReader::of).collect() }
            }
            _ => return None,
        })
    }
}

/// What the server says unasked.
#[derive(Serialize)]
#[serde(tag = "event", content = "payload", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Broadcast<'a> {
    UserUpdated(ShownUser<'a>),
    UserDeleted { user_id: i64 },
    RoomCreated { room_id: i64, room_name: &'a str, user_id: Option<i64> },
    RoomUpdated { room_id: i64, room_name: &'a str },
    RoomDeleted { room_id: i64 },
    UserJoined(Presence<'a>),
    UserLeft(Presence<'a>),
    NewMessage(ShownMessage<'a>),
    MessageDeleted { message_id: i64, room_id: i64 },
    ReadconfirmationUpdated { message_id: i64, room_id: i64, user_id: i64, read_at: Time, read_by: u64 },
}

impl<'a> Broadcast<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        Some(match event {
            // A user is there or not, with however many sockets.
            Event::Joined { id: Some(room), who, is_again: false, .. } => Self::UserJoined(Presence::of(*room, who)),
            Event::Left { id: Some(room), who, is_still_there: false, .. } => Self::UserLeft(Presence::of(*room, who)),
            Event::RoomMessage { from, text, stored: Some(stored), .. } => {
                Self::NewMessage(ShownMessage::new(stored, from, text))
            }
            Event::UserRenamed { user } => Self::UserUpdated(ShownUser::of(user, None)),
            Event::UserDeleted { user } => Self::UserDeleted { user_id: user.0 },
            Event::RoomCreated { id, name, owner } => {
                Self::RoomCreated { room_id: id.0, room_name: name, user_id: owner.map(number) }
            }
            Event::RoomRenamed { id, name } => Self::RoomUpdated { room_id: id.0, room_name: name },
            Event::RoomDeleted { id } => Self::RoomDeleted { room_id: id.0 },
            Event::MessageDeleted { message, room, .. } => {
                Self::MessageDeleted { message_id: message.0, room_id: room.id.0 }
            }
            Event::Confirmed { message, room, user, at, read_by, .. } => Self::ReadconfirmationUpdated {
                message_id: message.0,
                room_id: room.id.0,
                user_id: user.0,
                read_at: Time(*at),
                read_by: *read_by,
            },
            _ => return None,
        })
    }
}

fn number(user: UserId) -> i64 {
    user.0
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownUser<'a> {
    user_id: i64,
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<bool>,
}

impl<'a> ShownUser<'a> {
    fn of(user: &'a User, online: Option<bool>) -> Self {
        Self { user_id: user.id.0, username: &user.name, online }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRoom<'a> {
    room_id: i64,
    room_name: &'a str,
    owner_id: Option<i64>,
    member_count: usize,
}

impl<'a> ShownRoom<'a> {
    /// Nothing for a room that can't be named here.
    fn of(room: &'a ListedRoom) -> Option<Self> {
        let room_id = room.id?.0;
        Some(Self { room_id, room_name: &room.name, owner_id: room.owner.map(number), member_count: room.members })
    }
}

/// Somebody who comes or goes. Who is no registered user has a name, but no id.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Presence<'a> {
    room_id: i64,
    user_id: Option<i64>,
    username: Cow<'a, str>,
}

impl<'a> Presence<'a> {
    fn of(room: RoomId, who: &'a Who) -> Self {
        Self { room_id: room.0, user_id: who.user().map(|user| user.id.0), username: who.name() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownMessage<'a> {
    message_id: i64,
    room_id: i64,
    user_id: Option<i64>,
    username: Cow<'a, str>,
    text: &'a str,
    created_at: Time,
    /// These two are for those who look back.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_self: Option<bool>,
}

impl<'a> ShownMessage<'a> {
    fn new(stored: &Stored, from: &'a Who, text: &'a str) -> Self {
        Self {
            message_id: stored.message.0,
            room_id: stored.room.id.0,
            user_id: from.user().map(|user| user.id.0),
            username: from.name(),
            text,
            created_at: Time(stored.at),
            read_by: None,
            read_self: None,
        }
    }

    fn of(room: RoomId, message: &'a MessageRecord) -> Self {
        Self {
            message_id: message.id.0,
            room_id: room.0,
            user_id: message.user.map(number),
            username: message.username.as_str().into(),
            text: &message.text,
            created_at: Time(message.at),
            read_by: Some(message.read_by),
            read_self: Some(message.read_self),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownReader<'a> {
    user_id: i64,
    username: &'a str,
    read_at: Time,
}

impl<'a> ShownReader<'a> {
    fn of(reader: &'a Reader) -> Self {
        Self { user_id: reader.user.0, username: &reader.name, read_at: Time(reader.at) }
    }
}

#[cfg(test)]
mod tests;
