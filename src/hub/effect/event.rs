//! What happens, for those who did not do it.

use std::rc::Rc;

use super::super::command::Blob;
use super::super::job::Former;
use super::{Stored, User, Who};
use crate::id::{ConnectionId, MessageId, RoomId, RoomIds, UserId, Uuid};
use crate::timestamp::Timestamp;

/// Something that happened, for those who did not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Somebody entered the room.
    Joined {
        /// The room's name.
        room: Rc<str>,
        /// Its id, if it is durable.
        id: Option<RoomId>,
        /// Who.
        who: Who,
        /// Another session of the same user was there already.
        is_again: bool,
    },
    /// Somebody left the room, or is gone.
    Left {
        /// The room's name.
        room: Rc<str>,
        /// Its id, if it is durable.
        id: Option<RoomId>,
        /// Who.
        who: Who,
        /// Another session of the same user is still there.
        is_still_there: bool,
    },
    /// Somebody in the room has become another user.
    Switched {
        /// The room's id, if it is durable.
        id: Option<RoomId>,
        /// Who they were.
        from: Who,
        /// Who they are.
        to: Who,
        /// Another session of the user that they were is still there.
        is_still_there: bool,
        /// Another session of the user that they are was there already.
        is_again: bool,
    },
    /// Somebody said something to the room.
    RoomMessage {
        /// The room's name.
        room: Rc<str>,
        /// Who.
        from: Who,
        /// What.
        text: Rc<str>,
        /// Where and when it was stored, in a durable room. Apart, lest every effect is as large as the largest.
        stored: Option<Rc<Stored>>,
    },
    /// Somebody said something to this session alone.
    PrivateMessage {
        /// Who.
        from: ConnectionId,
        /// What.
        text: Rc<str>,
    },
    /// A user has another name.
    UserRenamed {
        /// Who.
        user: Rc<User>,
    },
    /// A user is gone.
    UserDeleted {
        /// Who.
        user: UserId,
    },
    /// There is a new open, durable room.
    RoomCreated {
        /// Its id.
        id: RoomId,
        /// Its name.
        name: Rc<str>,
        /// Whose it is.
        owner: Option<UserId>,
    },
    /// A room has another name.
    RoomRenamed {
        /// Its id.
        id: RoomId,
        /// Its new name.
        name: Rc<str>,
    },
    /// A durable room is gone, and nobody is in it any more.
    RoomDeleted {
        /// Its id.
        id: RoomId,
    },
    /// The session is no longer in this room, because the room is gone. Told to its members besides
    /// [`Event::RoomDeleted`].
    Expelled {
        /// The room's name.
        room: Rc<str>,
    },
    /// A message is gone.
    MessageDeleted {
        /// Which.
        message: MessageId,
        /// Where it was.
        room: RoomIds,
        /// To whom it was done, if that is the private room of two.
        direct_to: Option<Uuid>,
        /// What it was, if that is known.
        was: Option<Rc<Former>>,
    },
    /// A message says something else.
    Edited {
        /// Which.
        message: MessageId,
        /// Where it is.
        room: RoomIds,
        /// To whom it was done, if that is the private room of two.
        direct_to: Option<Uuid>,
        /// What it says now.
        text: Rc<str>,
        /// Since when.
        at: Timestamp,
        /// What it was before, if that is known.
        was: Option<Rc<Former>>,
    },
    /// A reaction was put to a message or taken back.
    Reacted {
        /// Which message.
        message: MessageId,
        /// Where it is.
        room: RoomIds,
        /// To whom it was done, if that is the private room of two.
        direct_to: Option<Uuid>,
        /// By whom.
        user: Uuid,
        /// The reaction.
        emoji: Rc<str>,
        /// It was taken back.
        is_removed: bool,
    },
    /// A user's first session has come, or the last is gone for good.
    Presence {
        /// Who.
        user: Uuid,
        /// Whether they are here.
        is_online: bool,
    },
    /// Somebody is typing, or not any more.
    Typing {
        /// Who.
        user: Rc<User>,
        /// In which room; nothing if it is for the recipient alone.
        room: Option<RoomIds>,
        /// Whether.
        is_typing: bool,
    },
    /// Somebody passes something on that is not kept.
    Signal {
        /// Who.
        user: Rc<User>,
        /// To a room; nothing if it is for the recipient alone.
        room: Option<RoomIds>,
        /// What.
        data: Blob,
    },
    /// There is a new private room, and the recipient takes part.
    ChatCreated {
        /// Its ids.
        room: RoomIds,
        /// Its name.
        name: Rc<str>,
        /// Whose it is.
        owner: Option<Uuid>,
        /// Who takes part.
        participants: Rc<[Rc<User>]>,
    },
    /// Somebody has read a message.
    Confirmed {
        /// Which.
        message: MessageId,
        /// Where it is.
        room: RoomIds,
        /// To whom it was done, if that is the private room of two.
        direct_to: Option<Uuid>,
        /// Who.
        user: UserId,
        /// The reader's other id.
        user_uuid: Uuid,
        /// When.
        at: Timestamp,
        /// How many have read it.
        read_by: u64,
    },
}

impl Event {
    /// What it says, which is most of what it is on the wire.
    pub fn text(&self) -> &str {
        match self {
            Self::RoomMessage { text, .. } | Self::PrivateMessage { text, .. } => text,
            Self::Joined { room, .. } | Self::Left { room, .. } | Self::Expelled { room } => room,
            Self::UserRenamed { user } => &user.name,
            Self::RoomCreated { name, .. } | Self::RoomRenamed { name, .. } => name,
            Self::ChatCreated { name, .. } => name,
            Self::Edited { text, .. } => text,
            Self::Signal { data, .. } => &data.json,
            Self::Switched { .. }
            | Self::Reacted { .. }
            | Self::Presence { .. }
            | Self::Typing { .. }
            | Self::UserDeleted { .. }
            | Self::RoomDeleted { .. }
            | Self::MessageDeleted { .. }
            | Self::Confirmed { .. } => "",
        }
    }
}
