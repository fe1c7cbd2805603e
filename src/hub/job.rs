//! What the hub has the store do, and what comes back. Plain values that may go to another thread.

mod done;

pub use done::{
    Appended, Attended, Change, ChangeRecord, ChatRecord, Deed, Direct, Done, Fault, Former, MessageRecord, Missed,
    Order, Outcome, Outside, Reader, RoomRecord, UserRecord,
};

use crate::id::{Mark, MessageId, Position, Reference, RoomId, Target, UserId, Uuid};
use crate::timestamp::{Clock, Timestamp};

use super::command::{Page, Recovery};

/// Names a job that was given to the store: 1, 2, 3, … in the order in which they were given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Ticket(pub u64);

/// Work for the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    /// Somebody begins to take part who has shown a token. Answered by [`Done::Attended`].
    Attend {
        /// An id, a UUID or a name; what may be an id or a UUID is one.
        user: String,
        /// How many rooms may be named: the most recently used ones.
        most: usize,
        /// It is in all of them; else, if it comes back, in those that it has chosen, and it hears what it was told alone.
        follows_all: bool,
        /// The session's own name and how far it has heard, if it comes back; see [`Recovery`].
        recovery: Option<Recovery>,
        /// How many messages and changes may be yielded for one who comes back; of more, none.
        most_missed: usize,
    },
    /// Notes whether a user is here. Answered by [`Done::Noted`].
    SetStatus {
        /// Who.
        user: UserId,
        /// Whether.
        is_online: bool,
    },
    /// A part of those who are online, as far as is noted. Answered by [`Done::Online`].
    ListOnline {
        /// Those behind this one.
        after: UserId,
        /// How many at most.
        most: usize,
    },
    /// Notes that a session has chosen to be in a room, or not any more. Answered by [`Done::Noted`].
    Follow {
        /// The session's name for coming back.
        pid: String,
        /// Which room.
        room: RoomId,
        /// Whether it is in it.
        is_in: bool,
        /// When.
        at: Timestamp,
    },
    /// Forgets a session that will not come back. Answered by [`Done::Noted`].
    Forget {
        /// The session's name for coming back.
        pid: String,
    },
    /// The private rooms in which a user takes part, the most recently used first. Answered by [`Done::Chats`].
    ListChats {
        /// Who.
        user: UserId,
        /// How many at most.
        most: usize,
    },
    /// Changes a message. Answered by [`Done::Edited`], refused by [`Fault::NoSuchMessage`] whether it is not there or not
    /// theirs.
    EditMessage {
        /// Which.
        message: MessageId,
        /// What it says from now on.
        text: String,
        /// Who may: its author. Nothing: a program that may change any.
        by: Option<UserId>,
        /// When.
        at: Timestamp,
    },
    /// Puts a reaction to a message or takes it back. Answered by [`Done::Reacted`].
    React {
        /// Which.
        message: MessageId,
        /// Who.
        user: UserId,
        /// The reaction.
        emoji: String,
        /// It is taken back.
        is_removed: bool,
        /// Where the message is looked for.
        reach: Reach,
        /// When.
        at: Timestamp,
    },
    /// Answered by [`Done::User`], refused by [`Fault::NameTaken`].
    CreateUser {
        /// The name.
        name: String,
        /// Since when.
        at: Timestamp,
    },
    /// Answered by [`Done::User`].
    FindUser {
        /// Who.
        user: Reference,
    },
    /// Answered by [`Done::Users`].
    ListUsers,
    /// Answered by [`Done::User`], refused by [`Fault::NameTaken`].
    RenameUser {
        /// Who.
        user: Reference,
        /// The new name.
        name: String,
    },
    /// Takes name and participations; what the user said stays. Answered by [`Done::User`].
    DeleteUser {
        /// Who.
        user: Reference,
        /// When.
        at: Timestamp,
    },
    /// Answered by [`Done::RoomCreated`], refused by [`Fault::NameTaken`].
    CreateRoom {
        /// The name; of an open room it is free so far.
        name: String,
        /// Whose it is.
        owner: Reference,
        /// Of a private room: who takes part besides the owner.
        participants: Option<Vec<Reference>>,
        /// How many rooms the owner may have, this one among them; beyond it is [`Fault::TooMany`].
        most: usize,
        /// Since when.
        at: Timestamp,
    },
    /// Answered by [`Done::Room`], if the room is open or `reader` takes part in it.
    FindRoom {
        /// Which.
        room: Reference,
        /// Who asks.
        reader: Option<UserId>,
    },
    /// Answered by [`Done::Room`], refused by [`Fault::NameTaken`], or by [`Fault::NoSuchRoom`] whether it is not there or
    /// not theirs.
    RenameRoom {
        /// Which.
        room: Reference,
        /// The new name.
        name: String,
        /// Who may: its owner. Nothing: a program that may rename any.
        by: Option<UserId>,
    },
    /// Answered by [`Done::RoomDeleted`], refused by [`Fault::NoSuchRoom`] whether it is not there or not theirs.
    DeleteRoom {
        /// Which.
        room: Reference,
        /// Who may: its owner. Nothing: a program that may delete any.
        by: Option<UserId>,
    },
    /// Stores a message. Answered by [`Done::Appended`].
    Append(Draft),
    /// Answered by [`Done::Messages`].
    ReadMessages {
        /// Which room. A private one is found for its participants alone.
        room: Reference,
        /// Who asks.
        reader: Option<UserId>,
        /// Which part.
        page: Page,
    },
    /// Looks for what other programs have written since the last look. Answered by [`Done::Outside`].
    Look,
    /// What other nodes have written since then, in the order in which it is told everywhere. Answered by [`Done::CaughtUp`].
    CatchUp {
        /// In these rooms;
        rooms: Vec<RoomId>,
        /// in the private rooms of these users; and of messages of these users, who has read them.
        users: Vec<UserId>,
        /// After that.
        since: Position,
        /// How many messages and changes at most.
        most: usize,
    },
    /// A part of what there is to know again after it was not heard of for a while: open rooms, and of these users what they
    /// are called and in which private rooms they take part. Answered by [`Done::Surveyed`].
    Survey {
        /// Whether open rooms are told, all of them.
        rooms: bool,
        /// Those of whom somebody is here.
        users: Vec<UserId>,
        /// How many rooms may be named for each.
        most: usize,
    },
    /// What happened in an open room since then. Answered by [`Done::Missed`].
    ReadMissed {
        /// Which room.
        room: RoomId,
        /// How far one has heard of it.
        since: Mark,
        /// How many messages or changes at most.
        most: usize,
    },
    /// Answered by [`Done::MessageDeleted`], refused by [`Fault::NoSuchMessage`] whether it is not there or not theirs.
    DeleteMessage {
        /// Which.
        message: MessageId,
        /// Who may: its author and the room's owner. Nothing: a program that may delete any.
        by: Option<UserId>,
        /// When.
        at: Timestamp,
    },
    /// Notes that a user has read a message. Answered by [`Done::Confirmed`].
    Confirm {
        /// Which.
        message: MessageId,
        /// Who.
        user: Reference,
        /// Where the message is looked for.
        reach: Reach,
        /// Whether one's own messages count too. If not, of those nothing is noted, and the answer says that it is no
        /// news.
        counts_own: bool,
        /// When.
        at: Timestamp,
    },
    /// Answered by [`Done::Readers`].
    ListReaders {
        /// Of which message.
        message: MessageId,
        /// Where the message is looked for.
        reach: Reach,
    },
}

/// Where a message is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// In all open rooms, and where the user takes part, if there is one.
    Visible,
    /// In those rooms.
    Rooms(Vec<RoomId>),
    /// In those rooms, and in the private ones where the user takes part.
    RoomsAndOwn(Vec<RoomId>),
}

impl Job {
    /// Says when it happens: it was made without a time.
    pub(super) fn set_time(&mut self, now: Timestamp, clock: &mut Clock) {
        match self {
            Self::Append(draft) => draft.at = clock.next(now),
            Self::CreateUser { at, .. }
            | Self::DeleteUser { at, .. }
            | Self::CreateRoom { at, .. }
            | Self::EditMessage { at, .. }
            | Self::React { at, .. }
            | Self::DeleteMessage { at, .. }
            | Self::Follow { at, .. }
            | Self::Confirm { at, .. } => *at = clock.next(now),
            Self::Attend { .. }
            | Self::SetStatus { .. }
            | Self::ListOnline { .. }
            | Self::Forget { .. }
            | Self::ListChats { .. }
            | Self::FindUser { .. }
            | Self::ListUsers
            | Self::RenameUser { .. }
            | Self::FindRoom { .. }
            | Self::RenameRoom { .. }
            | Self::DeleteRoom { .. }
            | Self::ReadMessages { .. }
            | Self::Look
            | Self::CatchUp { .. }
            | Self::Survey { .. }
            | Self::ReadMissed { .. }
            | Self::ListReaders { .. } => {}
        }
    }

    /// Whether it may say or change something that other nodes have to tell, in the one order of all.
    pub fn takes_a_place(&self) -> bool {
        matches!(
            self,
            Self::Append(_)
                | Self::EditMessage { .. }
                | Self::DeleteMessage { .. }
                | Self::React { .. }
                | Self::Confirm { .. }
        )
    }

    /// Whether it may read so much that nothing that is written should wait for it.
    pub fn reads_widely(&self) -> bool {
        matches!(self, Self::CatchUp { .. } | Self::Survey { .. })
    }

    /// Whether it reads what somebody has missed who comes back.
    pub fn reads_missed(&self) -> bool {
        matches!(self, Self::Attend { recovery: Some(Recovery { since: Some(_), .. }), .. } | Self::ReadMissed { .. })
    }

    /// Whether it may change something.
    pub fn writes(&self) -> bool {
        !matches!(
            self,
            Self::Attend { .. }
                | Self::ListOnline { .. }
                | Self::ListChats { .. }
                | Self::FindUser { .. }
                | Self::ListUsers
                | Self::FindRoom { .. }
                | Self::ReadMessages { .. }
                | Self::Look
                | Self::CatchUp { .. }
                | Self::Survey { .. }
                | Self::ReadMissed { .. }
                | Self::ListReaders { .. }
        )
    }
}

/// A message that is to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Where. Into a private room only its participants may write. The private room of two users is made when the first
    /// of them says something; [`Fault::NoSuchUser`] if there is no such user.
    pub to: Target,
    /// Who says it.
    pub author: Author,
    /// What is said.
    pub text: String,
    /// The author's own mark for it: with one that the author has used before nothing is stored, and the answer is the
    /// first one again.
    pub client_id: Option<String>,
    /// What kind of message it is.
    pub message_type: Option<String>,
    /// What is attached: a name of up to 50 characters.
    pub file: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Who says something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Author {
    /// A registered user.
    User(Reference),
    /// Somebody who is not registered.
    Guest {
        /// Stands for the connection.
        uuid: Uuid,
        /// Shown with the message.
        name: String,
    },
}
