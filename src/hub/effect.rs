//! What the hub yields: replies to askers, events to audiences.

mod event;

pub use event::Event;

use std::borrow::Cow;
use std::rc::Rc;

use super::command::Tag;
use super::job::{ChatRecord, Former, MessageRecord, Reader};
use crate::id::{ConnectionId, Mark, MessageId, RoomId, RoomIds, RoomKey, SlotKey, UserId, Uuid};
use crate::timestamp::Timestamp;

/// One thing that somebody is to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The one answer to a request.
    Reply {
        /// Who asked.
        to: SlotKey,
        /// The answer.
        reply: Reply,
        /// What came with the request.
        tag: Option<Box<Tag>>,
    },
    /// Something that happened.
    Tell {
        /// Who is to know.
        audience: Audience,
        /// What happened.
        event: Event,
    },
    /// The user of an attending session is no more: it is to be told to leave, and not to come back.
    Dismiss {
        /// Whose it is.
        slot: SlotKey,
    },
    /// The session had to wait, and may not have to any more: see [`super::Hub::resume`] and [`super::Hub::must_wait`].
    Resume {
        /// Whose it is.
        slot: SlotKey,
    },
}

/// Who is told of an event. A room's members are those who are in it when the effect is carried out, which is before
/// the next request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Audience {
    /// The members of a room.
    Room {
        /// Which room.
        room: RoomKey,
        /// A member who is left out, because a reply tells it.
        except: Option<SlotKey>,
    },
    /// One session.
    Session(SlotKey),
    /// These sessions.
    These(Vec<SlotKey>),
    /// All sessions.
    Everybody,
}

/// Somebody who does something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// A connection that is no registered user.
    Guest {
        /// The connection.
        connection: ConnectionId,
        /// Stands for the connection where a UUID is wanted.
        uuid: Uuid,
    },
    /// A registered user.
    User {
        /// Who.
        user: Rc<User>,
        /// The connection that did it, if it was one.
        connection: Option<ConnectionId>,
    },
    /// Somebody who is neither, known by a UUID alone.
    Outsider {
        /// The UUID.
        uuid: Uuid,
        /// The name to show.
        name: Rc<str>,
    },
}

impl Who {
    /// The registered user.
    pub fn user(&self) -> Option<&User> {
        if let Self::User { user, .. } = self { Some(user) } else { None }
    }

    /// The connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Guest { connection, .. } => Some(*connection),
            Self::User { connection, .. } => *connection,
            Self::Outsider { .. } => None,
        }
    }

    /// The name to show.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Guest { connection, .. } => Cow::Owned(format!("guest-{connection}")),
            Self::User { user, .. } => Cow::Borrowed(&user.name),
            Self::Outsider { name, .. } => Cow::Borrowed(name),
        }
    }

    /// Their UUID, or what stands for it.
    pub fn uuid(&self) -> Uuid {
        match self {
            Self::Guest { uuid, .. } | Self::Outsider { uuid, .. } => *uuid,
            Self::User { user, .. } => user.uuid,
        }
    }
}

/// A registered user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The other id.
    pub uuid: Uuid,
    /// The name.
    pub name: Rc<str>,
}

/// Where and when a message was stored, and what else there is to know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its id.
    pub message: MessageId,
    /// The room.
    pub room: RoomIds,
    /// When.
    pub at: Timestamp,
    /// What kind of message it is, if not plain text.
    pub message_type: Option<Rc<str>>,
    /// What is attached.
    pub file: Option<Rc<str>>,
    /// To whom alone it was said, if it was said in the private room of two.
    pub direct_to: Option<Uuid>,
    /// How many sessions it was told to, the sender's own apart.
    pub delivered: usize,
}

/// A room in a list of rooms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedRoom {
    /// Its name.
    pub name: Rc<str>,
    /// Its id, if it is durable.
    pub id: Option<RoomId>,
    /// Whose it is, if it is anybody's.
    pub owner: Option<UserId>,
    /// How many sessions are in it.
    pub members: usize,
}

/// An answer to the one who asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The first thing a session hears: its connection id.
    Welcome {
        /// The id.
        id: ConnectionId,
    },
    /// The session is in this room now.
    Joined {
        /// The room.
        room: Rc<str>,
    },
    /// The session has left this room.
    Left {
        /// The room.
        room: Rc<str>,
    },
    /// The room has been told.
    SaidToRoom {
        /// The room.
        room: Rc<str>,
        /// What was said.
        text: Rc<str>,
    },
    /// The user has been told.
    SaidToUser {
        /// Who.
        to: ConnectionId,
        /// What was said.
        text: Rc<str>,
    },
    /// The open rooms.
    Rooms {
        /// Oldest first.
        rooms: Vec<ListedRoom>,
    },
    /// Who is in a room.
    Members {
        /// The room.
        room: Rc<str>,
        /// In the order of joining.
        members: Vec<ConnectionId>,
    },
    /// The session takes part as a user.
    Attended(Box<Attended>),
    /// The session is in those rooms alone that it enters from now on.
    Choosing,
    /// The private rooms in which the user takes part, the most recently used first.
    Chats(Vec<ChatRecord>),
    /// A user: made, become, found or renamed.
    User {
        /// Who.
        user: Rc<User>,
        /// Whether a session here is this user.
        online: bool,
    },
    /// All registered users.
    Users {
        /// Each, and whether a session here is this user.
        users: Vec<(Rc<User>, bool)>,
    },
    /// The user is deleted.
    UserDeleted {
        /// Who it was.
        user: UserId,
    },
    /// A durable room: made or renamed.
    Room {
        /// Its ids.
        room: RoomIds,
        /// Its name.
        name: Rc<str>,
    },
    /// The durable room is deleted.
    RoomDeleted {
        /// Which it was.
        id: RoomId,
    },
    /// The session is in this durable room now.
    Entered {
        /// Which.
        room: RoomIds,
    },
    /// The session is no longer in this durable room.
    Exited {
        /// Which.
        room: RoomIds,
    },
    /// The message is stored, and the room has been told.
    Said {
        /// Who said it: nothing for programs.
        from: Option<Who>,
        /// What.
        text: Rc<str>,
        /// Where and when.
        stored: Rc<Stored>,
    },
    /// What was said in a room.
    Messages {
        /// The room.
        room: RoomIds,
        /// Oldest first.
        messages: Vec<MessageRecord>,
        /// Whether there are more beyond the page, in the direction in which it was read.
        has_more: bool,
    },
    /// The message is deleted.
    MessageDeleted {
        /// Which it was.
        message: MessageId,
    },
    /// The message says something else.
    Edited {
        /// Which.
        message: MessageId,
        /// Since when.
        at: Timestamp,
        /// What it says now.
        text: Rc<str>,
        /// What it was before, if that is known.
        was: Option<Rc<Former>>,
    },
    /// The reaction is noted.
    Reacted {
        /// To which message.
        message: MessageId,
    },
    /// It was passed on to whoever is there.
    Passed,
    /// The message is known to be read.
    Confirmed {
        /// Which.
        message: MessageId,
        /// By whom.
        user: UserId,
        /// Since when.
        at: Timestamp,
    },
    /// Who has read a message.
    Readers {
        /// Which.
        message: MessageId,
        /// In the order of reading.
        readers: Vec<Reader>,
    },
    /// What was missed, or a part of it.
    Heard {
        /// Oldest first, each with how far one has heard who has heard it.
        missed: Vec<(Event, Mark)>,
        /// How far one has heard who has heard all that, if it is known.
        mark: Option<Mark>,
        /// There is more, from there on, to be asked for. Else the asker hears from now on what happens.
        has_more: bool,
    },
    /// No; and nothing was changed or sent.
    Refused(Refusal),
}

/// What a session hears first that takes part as a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attended {
    /// Who it is.
    pub user: Rc<User>,
    /// Who is here of those who may be told of one another, the user too.
    pub online: Vec<Uuid>,
    /// How far the store is.
    pub mark: Mark,
    /// It came back, and this is all that it has missed, oldest first. Nothing: it did not come back, or what it has
    /// missed can't be said completely.
    pub missed: Option<Vec<Event>>,
    /// It is in rooms that it has chosen, and in no others.
    pub has_chosen: bool,
}

/// Why a request was refused. Each dialect says it in its own words, in one place.
///
/// A refusal is the same whether the thing asked for is not there or is not for the one who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The request could not be read; a sentence that names the field.
    Malformed(String),
    /// There is no request of that name.
    UnknownRequest(String),
    /// The request named another sender than the connection it came on.
    NotYourId,
    /// There is no room to leave.
    WasInNoRoom,
    /// There is no room to speak to.
    IsInNoRoom,
    /// Nobody connected has this id.
    NoSuchUser {
        /// As the client wrote it.
        id: String,
    },
    /// No room has this name.
    NoSuchRoom {
        /// As the client wrote it, trimmed.
        name: String,
    },
    /// The session has to be a registered user for this.
    NotIdentified,
    /// That is for somebody else to do; or there is no such thing. A sentence.
    Forbidden(&'static str),
    /// The session is not in that room; or there is no such room or message.
    NotAMember,
    /// There is no such thing for the one who asks. A sentence.
    NotFound(&'static str),
    /// Another user or open room has that name. A sentence.
    NameTaken(&'static str),
    /// So many are not allowed. A sentence.
    TooMany(String),
    /// The store can't do it, and nothing was stored. A sentence.
    Unavailable(String),
}
