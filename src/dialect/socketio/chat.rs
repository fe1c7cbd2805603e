//! The chat vocabulary: `message:send`, `message:new` and their like. Its sockets are in all chats of their user from the
//! start.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::frame::{ShownId, Time};
use super::super::{Decoded, Limits};
use super::words::{self, Read, ShownMessageId};
use super::{Call, Emitter, Vocabulary};
use crate::hub::job::{ChatRecord, MessageRecord};
use crate::hub::{Command, Event, Reply, Stored, Tag, User, Who};
use crate::id::{RoomIds, Target};

/// What a message is of which nobody has said otherwise.
const PLAIN: &str = "text";

/// The chat vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct Chat;

impl Vocabulary for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn follows_all(&self) -> bool {
        true
    }

    fn knows(&self, event: &str) -> bool {
        words::know(&WORDS, event)
    }

    fn decode(&self, call: &Call<'_>, limits: &Limits, _: &mut Emitter<'_>) -> Decoded {
        words::decode(&WORDS, call, limits)
    }

    fn reply(&self, reply: &Reply, tag: Option<&Tag>, out: &mut Emitter<'_>) {
        words::answer(reply, tag, out, Outcome::of);
    }

    fn event(&self, event: &Event, out: &mut Emitter<'_>) {
        if let Event::RoomMessage { from, text, stored: Some(stored), .. } = event {
            out.emit("message:new", &ShownMessage::new(stored, from, text));
        } else if let Event::Signal { user, room, data } = event {
            if let Some(shown) = words::shown_data(data) {
                let signal = Signal { user_id: ShownId(user.uuid), chat_id: room.map(shown_room), data: shown };
                out.emit_with("call:signal", &signal, &data.attachments);
            }
        } else if let Some((name, told)) = Told::of(event) {
            out.emit(name, &told);
        }
    }
}

static WORDS: [(&str, Read); 13] = [
    ("chat:create", |payload, rest| {
        let (name, participants) = (payload.name("name")?, rest.references("participants")?);
        Ok(Command::CreateRoom { name, participants: Some(participants) }.into())
    }),
    ("chat:list", |_, _| Ok(Command::ListChats.into())),
    ("chat:join", |payload, _| Ok(Command::EnterRoom { room: payload.reference("chatId")? }.into())),
    ("chat:leave", |payload, _| Ok(Command::ExitRoom { room: payload.reference("chatId")? }.into())),
    ("message:send", |payload, rest| {
        let (to, text) = (Target::Room(payload.reference("chatId")?), payload.said("content", rest.max_text)?);
        let message_type = payload.optional_message_type("messageType")?;
        let client_id = payload.optional_mark("clientId")?;
        Ok(Command::Say { to, text, client_id, message_type, hears_itself: true }.into())
    }),
    ("message:edit", |payload, rest| {
        let (message, text) = (payload.message("messageId")?, payload.said("content", rest.max_text)?);
        Ok(Command::EditMessage { message, text }.into())
    }),
    ("message:delete", |payload, _| Ok(Command::DeleteMessage { message: payload.message("messageId")? }.into())),
    ("message:react", |payload, _| {
        let (message, emoji) = (payload.message("messageId")?, payload.emoji("emoji")?);
        let is_removed = payload.optional_flag("remove")?.unwrap_or(false);
        Ok(Command::React { message, emoji, is_removed }.into())
    }),
    // Where the message is, the store knows: a `chatId` is not needed.
    ("message:read", |payload, _| Ok(Command::Confirm { message: payload.message("messageId")? }.into())),
    ("message:list", |payload, _| {
        Ok(Command::ReadMessages { room: payload.reference("chatId")?, page: payload.page()? }.into())
    }),
    ("typing:start", |payload, _| {
        Ok(Command::Type { to: Target::Room(payload.reference("chatId")?), is_typing: true }.into())
    }),
    ("typing:stop", |payload, _| {
        Ok(Command::Type { to: Target::Room(payload.reference("chatId")?), is_typing: false }.into())
    }),
    ("call:signal", |payload, rest| {
        let (to, data) = (words::target(payload, "chatId", &["userId"])?, rest.blob("data")?);
        Ok(Command::Signal { to, data }.into())
    }),
];

/// What a request has come to. Here and below, the order of the fields is the order on the wire.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Chat(ChatId),
    Chats { chats: Vec<ShownChat<'a>> },
    Said { id: ShownMessageId, chat_id: ShownId, created_at: Time, delivered: usize },
    Edited { id: ShownMessageId, edited_at: Time },
    Read { id: ShownMessageId, read_at: Time },
    Message { id: ShownMessageId },
    Messages { messages: Vec<ListedMessage<'a>>, next: Option<ShownMessageId> },
    Done {},
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChatId {
    chat_id: ShownId,
}

impl<'a> Outcome<'a> {
    /// Nothing but that it is done, for answers to what can't be asked in these words.
    fn of(reply: &'a Reply) -> Self {
        match reply {
            Reply::Room { room, .. } | Reply::Entered { room } | Reply::Exited { room } => {
                Self::Chat(ChatId { chat_id: shown_room(*room) })
            }
            Reply::Chats(chats) => Self::Chats { chats: chats.iter().map(ShownChat::of).collect() },
            Reply::Said { stored, .. } => Self::Said {
                id: ShownMessageId(stored.message),
                chat_id: shown_room(stored.room),
                created_at: Time(stored.at),
                delivered: stored.delivered,
            },
            Reply::Edited { message, at, .. } => Self::Edited { id: ShownMessageId(*message), edited_at: Time(*at) },
            Reply::Confirmed { message, at, .. } => Self::Read { id: ShownMessageId(*message), read_at: Time(*at) },
            Reply::MessageDeleted { message } | Reply::Reacted { message } => {
                Self::Message { id: ShownMessageId(*message) }
            }
            Reply::Messages { room, messages, has_more } => Self::Messages {
                messages: messages.iter().map(|message| ListedMessage::of(*room, message)).collect(),
                next: messages.first().filter(|_| *has_more).map(|message| ShownMessageId(message.id)),
            },
            _ => Self::Done {},
        }
    }
}

/// What the server says unasked, messages and signals apart.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Edited {
        id: ShownMessageId,
        chat_id: ShownId,
        content: &'a str,
        edited_at: Time,
    },
    Deleted {
        id: ShownMessageId,
        chat_id: ShownId,
    },
    #[serde(rename_all = "camelCase")]
    Reacted {
        message_id: ShownMessageId,
        chat_id: ShownId,
        user_id: ShownId,
        emoji: &'a str,
        removed: bool,
    },
    #[serde(rename_all = "camelCase")]
    Read {
        message_id: ShownMessageId,
        user_id: ShownId,
        chat_id: ShownId,
    },
    #[serde(rename_all = "camelCase")]
    Typing {
        chat_id: ShownId,
        user_id: ShownId,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<&'a str>,
    },
    #[serde(rename_all = "camelCase")]
    Status {
        user_id: ShownId,
        status: &'static str,
    },
    Chat {
        id: ShownId,
        name: &'a str,
        owner_id: Option<ShownId>,
        participants: Vec<Person<'a>>,
    },
}

impl<'a> Told<'a> {
    /// The event's name and what comes with it.
    fn of(event: &'a Event) -> Option<(&'static str, Self)> {
        Some(match event {
            Event::Edited { message, room, text, at, .. } => {
                let (id, chat_id) = (ShownMessageId(*message), shown_room(*room));
                ("message:edited", Self::Edited { id, chat_id, content: text, edited_at: Time(*at) })
            }
            Event::MessageDeleted { message, room, .. } => {
                ("message:deleted", Self::Deleted { id: ShownMessageId(*message), chat_id: shown_room(*room) })
            }
            Event::Reacted { message, room, user, emoji, is_removed, .. } => {
                let (message_id, chat_id, user_id) = (ShownMessageId(*message), shown_room(*room), ShownId(*user));
                ("message:reaction", Self::Reacted { message_id, chat_id, user_id, emoji, removed: *is_removed })
            }
            Event::Confirmed { message, room, user_uuid, .. } => {
                let (message_id, chat_id) = (ShownMessageId(*message), shown_room(*room));
                ("message:read", Self::Read { message_id, user_id: ShownId(*user_uuid), chat_id })
            }
            // Who is typing to somebody alone is typing in no chat.
            Event::Typing { user, room: Some(room), is_typing } => {
                let name = if *is_typing { "typing:start" } else { "typing:stop" };
                let username = is_typing.then_some(&*user.name);
                (name, Self::Typing { chat_id: shown_room(*room), user_id: ShownId(user.uuid), username })
            }
            Event::Presence { user, is_online } => {
                let status = if *is_online { "online" } else { "offline" };
                ("user:status", Self::Status { user_id: ShownId(*user), status })
            }
            Event::ChatCreated { room, name, owner, participants } => {
                let participants = participants.iter().map(|user| Person::of_user(user)).collect();
                ("chat:new", Self::Chat { id: shown_room(*room), name, owner_id: owner.map(ShownId), participants })
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
#[serde(rename_all = "camelCase")]
struct Signal<'a> {
    user_id: ShownId,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_id: Option<ShownId>,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct Person<'a> {
    id: ShownId,
    username: Cow<'a, str>,
}

impl<'a> Person<'a> {
    fn of_user(user: &'a User) -> Self {
        Self { id: ShownId(user.uuid), username: Cow::Borrowed(&user.name) }
    }
}

#[derive(Serialize)]
struct ShownMessage<'a> {
    id: ShownMessageId,
    chat_id: ShownId,
    content: &'a str,
    message_type: &'a str,
    file: Option<&'a str>,
    sender: Person<'a>,
    created_at: Time,
}

impl<'a> ShownMessage<'a> {
    fn new(stored: &'a Stored, from: &'a Who, text: &'a str) -> Self {
        Self {
            id: ShownMessageId(stored.message),
            chat_id: shown_room(stored.room),
            content: text,
            message_type: stored.message_type.as_deref().unwrap_or(PLAIN),
            file: stored.file.as_deref(),
            sender: Person { id: ShownId::of(from), username: from.name() },
            created_at: Time(stored.at),
        }
    }

    fn of(room: RoomIds, message: &'a MessageRecord) -> Self {
        Self {
            id: ShownMessageId(message.id),
            chat_id: shown_room(room),
            content: &message.text,
            message_type: &message.message_type,
            file: message.file.as_deref(),
            sender: Person { id: ShownId(message.sender), username: Cow::Borrowed(&message.username) },
            created_at: Time(message.at),
        }
    }
}

/// A message as those see it who look back.
#[derive(Serialize)]
struct ListedMessage<'a> {
    #[serde(flatten)]
    message: ShownMessage<'a>,
    edited_at: Option<Time>,
    read_by: u64,
    reactions: Vec<Reaction<'a>>,
}

#[derive(Serialize)]
struct Reaction<'a> {
    emoji: &'a str,
    count: u64,
}

impl<'a> ListedMessage<'a> {
    fn of(room: RoomIds, message: &'a MessageRecord) -> Self {
        let reactions = message.reactions.iter().map(|(emoji, count)| Reaction { emoji, count: *count }).collect();
        let edited_at = message.edited_at.map(Time);
        Self { message: ShownMessage::of(room, message), edited_at, read_by: message.read_by, reactions }
    }
}

#[derive(Serialize)]
struct ShownChat<'a> {
    id: ShownId,
    name: &'a str,
    updated_at: Time,
    unread: u64,
    last_message: Option<ShownMessage<'a>>,
}

impl<'a> ShownChat<'a> {
    fn of(chat: &'a ChatRecord) -> Self {
        Self {
            id: ShownId(chat.room.uuid),
            name: &chat.room.name,
            updated_at: Time(chat.updated_at),
            unread: chat.unread,
            last_message: chat.last.as_ref().map(|message| ShownMessage::of(chat.room.ids(), message)),
        }
    }
}

#[cfg(test)]
mod tests;
