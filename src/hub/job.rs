//! What the hub has the store do, and what comes back. Plain values that may go to another thread.

use crate::id::{MessageId, Reference, RoomId, UserId, Uuid};
use crate::timestamp::{Clock, Timestamp};

use super::command::Page;

/// Names a job that was given to the store: 1, 2, 3, … in the order in which they were given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// Work for the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
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
    /// Answered by [`Done::Room`], refused by [`Fault::NameTaken`].
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
    /// Answered by [`Done::MessageDeleted`], refused by [`Fault::NoSuchMessage`] whether it is not there or not theirs.
    DeleteMessage {
        /// Which.
        message: MessageId,
        /// Who may: its author and the room's owner. Nothing: a program that may delete any.
        by: Option<UserId>,
    },
    /// Notes that a user has read a message. Answered by [`Done::Confirmed`].
    Confirm {
        /// Which.
        message: MessageId,
        /// Who.
        user: Reference,
        /// Where alone the message is looked for. Nothing: in all open rooms, and where the user takes part.
        rooms: Option<Vec<RoomId>>,
        /// When.
        at: Timestamp,
    },
    /// Answered by [`Done::Readers`].
    ListReaders {
        /// Of which message.
        message: MessageId,
        /// Where alone the message is looked for. Nothing: in all open rooms.
        rooms: Option<Vec<RoomId>>,
    },
}

impl Job {
    /// Says when it happens: it was made without a time.
    pub(super) fn set_time(&mut self, now: Timestamp, clock: &mut Clock) {
        match self {
            Self::Append(draft) => draft.at = clock.next(now),
            Self::CreateUser { at, .. }
            | Self::DeleteUser { at, .. }
            | Self::CreateRoom { at, .. }
            | Self::Confirm { at, .. } => *at = clock.next(now),
            Self::FindUser { .. }
            | Self::ListUsers
            | Self::RenameUser { .. }
            | Self::FindRoom { .. }
            | Self::RenameRoom { .. }
            | Self::DeleteRoom { .. }
            | Self::ReadMessages { .. }
            | Self::DeleteMessage { .. }
            | Self::ListReaders { .. } => {}
        }
    }

    /// Whether it may change something.
    pub fn writes(&self) -> bool {
        !matches!(
            self,
            Self::FindUser { .. }
                | Self::ListUsers
                | Self::FindRoom { .. }
                | Self::ReadMessages { .. }
                | Self::ListReaders { .. }
        )
    }
}

/// A message that is to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Where. Into a private room only its participants may write.
    pub room: Reference,
    /// Who says it.
    pub author: Author,
    /// What is said.
    pub text: String,
    /// The author's own mark for it: with one that the author has used before nothing is stored, and the answer is the
    /// first one again.
    pub client_id: Option<String>,
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

/// What a job has come to.
pub type Outcome = Result<Done, Fault>;

/// What a job was answered with. All that it tells is stored for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    /// A user as they are now, or as they were when they were deleted.
    User(UserRecord),
    /// All registered users, in the order of their ids.
    Users(Vec<UserRecord>),
    /// A room as it is now.
    Room(RoomRecord),
    /// A room is gone with all that was said in it.
    RoomDeleted(RoomId),
    /// A message is stored.
    Appended(Appended),
    /// A part of what was said in a room.
    Messages {
        /// The room.
        room: RoomId,
        /// Oldest first.
        messages: Vec<MessageRecord>,
        /// Whether there are more beyond the page, in the direction in which it was read.
        has_more: bool,
    },
    /// A message is gone.
    MessageDeleted {
        /// Which.
        message: MessageId,
        /// Where it was.
        room: RoomId,
    },
    /// A message is known to be read.
    Confirmed {
        /// Which.
        message: MessageId,
        /// Where it is.
        room: RoomId,
        /// By whom.
        user: UserId,
        /// Who said it, if it is a registered user.
        author: Option<UserId>,
        /// Since when: of a message that was confirmed before, the first time.
        at: Timestamp,
        /// How many have read it.
        read_by: u64,
        /// Whether that is news.
        is_new: bool,
    },
    /// Who has read a message.
    Readers {
        /// Which.
        message: MessageId,
        /// In the order of reading.
        readers: Vec<Reader>,
    },
}

/// A message as it was stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Its id.
    pub message: MessageId,
    /// Where.
    pub room: RoomId,
    /// Who said it, if it is a registered user.
    pub author: Option<UserRecord>,
    /// When.
    pub at: Timestamp,
    /// It was stored before: nobody is to be told again.
    pub is_repeat: bool,
}

/// A registered user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserRecord {
    /// The id.
    pub id: UserId,
    /// The other id.
    pub uuid: Uuid,
    /// The name.
    pub name: String,
}

/// A durable room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoomRecord {
    /// The id.
    pub id: RoomId,
    /// The other id.
    pub uuid: Uuid,
    /// The name.
    pub name: String,
    /// Whose it is, if it is anybody's.
    pub owner: Option<UserId>,
    /// For its participants alone.
    pub is_private: bool,
}

/// A message that was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageRecord {
    /// Its id.
    pub id: MessageId,
    /// Who said it, if it was a registered user; they may be deleted.
    pub user: Option<UserId>,
    /// The UUID of whoever said it.
    pub sender: Uuid,
    /// The name to show: the user's of today, `deleted user`, or the guest's.
    pub username: String,
    /// What was said.
    pub text: String,
    /// When.
    pub at: Timestamp,
    /// How many have read it.
    pub read_by: u64,
    /// Whether the one who asks has.
    pub read_self: bool,
}

/// Who has read a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// When.
    pub at: Timestamp,
}

/// Why the store did not do a job. Then it has changed nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It can't for now, or not at all: one sentence for the client, without secrets, paths or SQL.
    Unavailable(String),
    /// The store works, and has no way to do that: one sentence for the client.
    Unsupported(String),
    /// They have as many as anybody may have.
    TooMany,
    /// There is no such user.
    NoSuchUser,
    /// There is no such room for the one who asks.
    NoSuchRoom,
    /// There is no such message for the one who asks.
    NoSuchMessage,
    /// Another one has that name.
    NameTaken,
}
