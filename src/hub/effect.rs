//! What the hub yields: replies to askers, events to audiences.

use std::rc::Rc;

use super::room::RoomKey;
use crate::id::{ConnectionId, SlotKey};

/// One thing that somebody is to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The one answer to a request.
    Reply {
        /// Who asked.
        to: SlotKey,
        /// The answer.
        reply: Reply,
    },
    /// Something that happened.
    Tell {
        /// Who is to know.
        audience: Audience,
        /// What happened.
        event: Event,
    },
}

/// Who is told of an event. A room's members are those who are in it when the effect is carried out, which is before
/// the next request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
        rooms: Vec<Rc<str>>,
    },
    /// Who is in a room.
    Members {
        /// The room.
        room: Rc<str>,
        /// In the order of joining.
        members: Vec<ConnectionId>,
    },
    /// No; and nothing was changed or sent.
    Refused(Refusal),
}

/// Something that happened, for those who did not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Somebody entered the room.
    Joined {
        /// The room.
        room: Rc<str>,
        /// Who.
        who: ConnectionId,
    },
    /// Somebody left the room, or is gone.
    Left {
        /// The room.
        room: Rc<str>,
        /// Who.
        who: ConnectionId,
    },
    /// Somebody said something to the room.
    RoomMessage {
        /// The room.
        room: Rc<str>,
        /// Who.
        from: ConnectionId,
        /// What.
        text: Rc<str>,
    },
    /// Somebody said something to this session alone.
    PrivateMessage {
        /// Who.
        from: ConnectionId,
        /// What.
        text: Rc<str>,
    },
}

impl Event {
    /// What it says, which is most of what it is on the wire.
    pub fn text(&self) -> &str {
        match self {
            Self::Joined { room, .. } | Self::Left { room, .. } => room,
            Self::RoomMessage { text, .. } | Self::PrivateMessage { text, .. } => text,
        }
    }
}

/// Why a request was refused. Each dialect says it in its own words, in one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The request could not be read; a sentence that names the field.
    Malformed(String),
    /// The frame named another sender than the connection it came on.
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
}
