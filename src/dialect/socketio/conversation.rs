//! The conversation vocabulary: `private_message`, `conversation_message` and their like. Its sockets are in the
//! conversations that they join.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::fields::Fields;
use super::super::frame::{ShownId, Time};
use super::super::{Decoded, Limits};
use super::words::{self, Read, Rest, ShownMessageId};
use super::{Call, Emitter, Vocabulary};
use crate::hub::{Attended, Claim, Command, Event, Reply, Request, Stored, Tag, Who};
use crate::id::{RoomIds, Target, Uuid};

/// The conversation vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct Conversation;

impl Vocabulary for Conversation {
    fn name(&self) -> &'static str {
        "conversation"
    }

    fn follows_all(&self) -> bool {
        false
    }

    fn knows(&self, event: &str) -> bool {
        words::know(&WORDS, event)
    }

    fn decode(&self, call: &Call<'_>, limits: &Limits, _: &mut Emitter<'_>) -> Decoded {
        words::decode(&WORDS, call, limits)
    }

    fn welcome(&self, attended: &Attended, out: &mut Emitter<'_>) {
        out.emit("online_users", &OnlineUsers { users: attended.online.iter().copied().map(ShownId).collect() });
    }

    fn reply(&self, reply: &Reply, tag: Option<&Tag>, out: &mut Emitter<'_>) {
        if let Reply::Said { from: Some(from), text, stored } = reply {
            out.emit("message_delivered", &ShownMessage::new(stored, from, text));
        }
        words::answer(reply, tag, out, Outcome::of);
    }

    fn event(&self, event: &Event, out: &mut Emitter<'_>) {
        if let Event::RoomMessage { from, text, stored: Some(stored), .. } = event {
            let name = if stored.direct_to.is_some() { "private_message" } else { "conversation_message" };
            out.emit(name, &ShownMessage::new(stored, from, text));
        } else if let Event::Signal { user, room, data } = event {
            if let Some(shown) = words::shown_data(data) {
                let signal = Signal { user_id: ShownId(user.uuid), conversation_id: room.map(shown_room), data: shown };
                out.emit_with("call_signal", &signal, &data.attachments);
            }
        } else if let Some((name, told)) = Told::of(event) {
            out.emit(name, &told);
        }
    }
}

static WORDS: [(&str, Read); 10] = [
    ("join_conversation", |payload, _| Ok(Command::EnterRoom { room: payload.reference("conversation_id")? }.into())),
    ("leave_conversation", |payload, _| Ok(Command::ExitRoom { room: payload.reference("conversation_id")? }.into())),
    ("private_message", |payload, rest| say(Target::User(payload.reference("recipient_id")?), payload, rest)),
    ("conversation_message", |payload, rest| say(Target::Room(payload.reference("conversation_id")?), payload, rest)),
    ("typing", |payload, _| {
        let to = words::target(payload, "conversation_id", &["recipient_id"])?;
        let command = Command::Type { to, is_typing: payload.flag("is_typing")? };
        Ok(Request { claimed_sender: claim(payload, "user_id")?, ..command.into() })
    }),
    ("message_edit", |payload, rest| {
        let (message, text) = (payload.message("message_id")?, payload.said("content", rest.max_text)?);
        Ok(Command::EditMessage { message, text }.into())
    }),
    ("message_delete", |payload, _| Ok(Command::DeleteMessage { message: payload.message("message_id")? }.into())),
    ("message_react", |payload, _| {
        let (message, emoji) = (payload.message("message_id")?, payload.emoji("emoji")?);
        let is_removed = payload.optional_flag("remove")?.unwrap_or(false);
        Ok(Command::React { message, emoji, is_removed }.into())
    }),
    ("message_read", |payload, _| Ok(Command::Confirm { message: payload.message("message_id")? }.into())),
    // The user is the one who is called: who calls is known.
    ("call_signal", |payload, rest| {
        let to = words::target(payload, "conversation_id", &["user_id", "recipient_id"])?;
        Ok(Command::Signal { to, data: rest.blob("data")? }.into())
    }),
];

/// The sender hears of it by the reply.
fn say(to: Target, payload: &Fields<'_>, rest: &Rest<'_>) -> Result<Request, String> {
    let (text, client_id) = (payload.said("content", rest.max_text)?, payload.optional_mark("client_id")?);
    let command = Command::Say { to, text, client_id, message_type: None, hears_itself: false };
    Ok(Request { claimed_sender: claim(payload, "sender_id")?, ..command.into() })
}

/// Whom the client says that it is.
fn claim(payload: &Fields<'_>, name: &str) -> Result<Option<Claim>, String> {
    Ok(payload.optional_reference(name)?.map(Claim::User))
}

/// What a request has come to. Here and below, the order of the fields is the order on the wire.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Conversation { conversation_id: ShownId },
    Said(ShownMessage<'a>),
    Edited { id: ShownMessageId, edited_at: Time },
    Read { id: ShownMessageId, read_at: Time },
    Message { id: ShownMessageId },
    Done {},
}

impl<'a> Outcome<'a> {
    /// Nothing but that it is done, for answers to what can't be asked in these words.
    fn of(reply: &'a Reply) -> Self {
        match reply {
            Reply::Entered { room } | Reply::Exited { room } => {
                Self::Conversation { conversation_id: shown_room(*room) }
            }
            Reply::Said { from: Some(from), text, stored } => Self::Said(ShownMessage::new(stored, from, text)),
            Reply::Edited { message, at, .. } => Self::Edited { id: ShownMessageId(*message), edited_at: Time(*at) },
            Reply::Confirmed { message, at, .. } => Self::Read { id: ShownMessageId(*message), read_at: Time(*at) },
            Reply::MessageDeleted { message } | Reply::Reacted { message } => {
                Self::Message { id: ShownMessageId(*message) }
            }
            _ => Self::Done {},
        }
    }
}

/// Where something happened.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    ConversationId(ShownId),
    /// Between two users: with whom the one who did it talks.
    RecipientId(ShownId),
}

impl Place {
    fn of(room: RoomIds, direct_to: Option<Uuid>) -> Self {
        direct_to.map_or_else(|| Self::ConversationId(shown_room(room)), |user| Self::RecipientId(ShownId(user)))
    }
}

/// What the server says unasked, messages and signals apart.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Edited {
        id: ShownMessageId,
        #[serde(flatten)]
        place: Place,
        content: &'a str,
        edited_at: Time,
    },
    Deleted {
        id: ShownMessageId,
        #[serde(flatten)]
        place: Place,
    },
    Reacted {
        message_id: ShownMessageId,
        #[serde(flatten)]
        place: Place,
        user_id: ShownId,
        emoji: &'a str,
        removed: bool,
    },
    Read {
        message_id: ShownMessageId,
        user_id: ShownId,
        #[serde(flatten)]
        place: Place,
    },
    Typing {
        user_id: ShownId,
        is_typing: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation_id: Option<ShownId>,
    },
    Presence {
        user_id: ShownId,
    },
}

impl<'a> Told<'a> {
    /// The event's name and what comes with it.
    fn of(event: &'a Event) -> Option<(&'static str, Self)> {
        Some(match event {
            Event::Edited { message, room, direct_to, text, at, .. } => {
                let (id, place) = (ShownMessageId(*message), Place::of(*room, *direct_to));
                ("message_edited", Self::Edited { id, place, content: text, edited_at: Time(*at) })
            }
            Event::MessageDeleted { message, room, direct_to, .. } => {
                let (id, place) = (ShownMessageId(*message), Place::of(*room, *direct_to));
                ("message_deleted", Self::Deleted { id, place })
            }
            Event::Reacted { message, room, direct_to, user, emoji, is_removed } => {
                let (message_id, place) = (ShownMessageId(*message), Place::of(*room, *direct_to));
                let (user_id, removed) = (ShownId(*user), *is_removed);
                ("message_reaction", Self::Reacted { message_id, place, user_id, emoji, removed })
            }
            Event::Confirmed { message, room, direct_to, user_uuid, .. } => {
                let (message_id, place) = (ShownMessageId(*message), Place::of(*room, *direct_to));
                ("message_read", Self::Read { message_id, user_id: ShownId(*user_uuid), place })
            }
            Event::Typing { user, room, is_typing } => {
                let conversation_id = room.map(shown_room);
                let user_id = ShownId(user.uuid);
                ("user_typing", Self::Typing { user_id, is_typing: *is_typing, conversation_id })
            }
            Event::Presence { user, is_online } => {
                let name = if *is_online { "user_online" } else { "user_offline" };
                (name, Self::Presence { user_id: ShownId(*user) })
            }
            _ => return None,
        })
    }
}

fn shown_room(room: RoomIds) -> ShownId {
    ShownId(room.uuid)
}

/// A call is arranged.
#[derive(Serialize)]
struct Signal<'a> {
    user_id: ShownId,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<ShownId>,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct OnlineUsers {
    users: Vec<ShownId>,
}

/// With the recipient, if it was said to one user alone, else with the conversation.
#[derive(Serialize)]
struct ShownMessage<'a> {
    id: ShownMessageId,
    sender_id: ShownId,
    sender_username: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_id: Option<ShownId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<ShownId>,
    content: &'a str,
    created_at: Time,
    delivered: usize,
}

impl<'a> ShownMessage<'a> {
    fn new(stored: &Stored, from: &'a Who, text: &'a str) -> Self {
        Self {
            id: ShownMessageId(stored.message),
            sender_id: ShownId::of(from),
            sender_username: from.name(),
            recipient_id: stored.direct_to.map(ShownId),
            conversation_id: stored.direct_to.is_none().then(|| shown_room(stored.room)),
            content: text,
            created_at: Time(stored.at),
            delivered: stored.delivered,
        }
    }
}

#[cfg(test)]
mod tests;
