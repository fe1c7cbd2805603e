//! What comes back from the store: what a job has come to, and the records that it yields.

use serde::{Deserialize, Serialize};

use crate::id::{ChangeId, Mark, MessageId, Position, RoomId, RoomIds, UserId, Uuid};
use crate::timestamp::Timestamp;

/// What a job has come to.
pub type Outcome = Result<Done, Fault>;

/// What a job was answered with. All that it tells is stored for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    /// A user as they are now, or as they were when they were deleted.
    User(UserRecord),
    /// All registered users, in the order of their ids.
    Users(Vec<UserRecord>),
    /// Somebody takes part.
    Attended(Box<Attended>),
    /// It is noted.
    Noted,
    /// Those who are online, in the order of their ids.
    Online(Vec<UserId>),
    /// Private rooms, the most recently used first.
    Chats(Vec<ChatRecord>),
    /// A room that was made.
    RoomCreated {
        /// The room.
        room: RoomRecord,
        /// Of a private one: who takes part, the owner too.
        participants: Vec<UserRecord>,
    },
    /// A room as it is now.
    Room(RoomRecord),
    /// A room is gone with all that was said in it.
    RoomDeleted(RoomId),
    /// A message is stored.
    Appended(Appended),
    /// A part of what was said in a room.
    Messages {
        /// The room.
        room: RoomIds,
        /// Oldest first.
        messages: Vec<MessageRecord>,
        /// Whether there are more beyond the page, in the direction in which it was read.
        has_more: bool,
    },
    /// A part of what was missed in a room.
    Missed {
        /// What it is.
        missed: Missed,
        /// How far one has heard who has heard this.
        mark: Mark,
        /// Whether there is more.
        has_more: bool,
    },
    /// What other programs have done. Others hear of it in its turn: what comes out later was done later, or is known to
    /// whoever asked.
    Outside {
        /// Each, in the order of their ids.
        deeds: Vec<Outside>,
        /// Whether there is more to be looked for at once.
        has_more: bool,
        /// Something of this process's own may be among it: when it was stored, no answer came.
        has_settled: bool,
    },
    /// What other nodes have written.
    CaughtUp {
        /// Each with its transaction, in the order of all.
        deeds: Vec<(i64, Outside)>,
        /// What there was up to this was found; of a part, up to its last transaction, the number of which is not known
        /// and is that of `since`.
        position: Position,
        /// Whether there is more to be looked for at once. A transaction is never told in two parts.
        has_more: bool,
    },
    /// What there is to know again.
    Surveyed {
        /// All open rooms, the oldest first, if they were asked for.
        rooms: Option<Vec<RoomRecord>>,
        /// The users, as far as they are still there, and the private rooms of each, the most recently used first.
        users: Vec<(UserRecord, Vec<RoomRecord>)>,
    },
    /// A message is gone.
    MessageDeleted {
        /// Which.
        message: MessageId,
        /// Where it was.
        room: RoomIds,
        /// What it was, if that is known.
        was: Option<Former>,
        /// The change that this is.
        change: ChangeId,
        /// Its place among what several nodes tell.
        order: Option<Order>,
    },
    /// A message says something else.
    Edited {
        /// Which.
        message: MessageId,
        /// Where it is.
        room: RoomIds,
        /// When.
        at: Timestamp,
        /// What it was before, if that is known.
        was: Option<Former>,
        /// The change that this is.
        change: ChangeId,
        /// Its place among what several nodes tell.
        order: Option<Order>,
    },
    /// A reaction was put to a message or taken back.
    Reacted {
        /// Which.
        message: MessageId,
        /// Where it is.
        room: RoomIds,
        /// The change that this is; none if nothing has changed.
        change: Option<ChangeId>,
        /// Its place among what several nodes tell.
        order: Option<Order>,
    },
    /// A message is known to be read.
    Confirmed {
        /// Which.
        message: MessageId,
        /// Where it is.
        room: RoomIds,
        /// By whom.
        user: UserId,
        /// The reader's other id.
        user_uuid: Uuid,
        /// Who said it, if it is a registered user.
        author: Option<UserId>,
        /// Since when: of a message that was confirmed before, the first time.
        at: Timestamp,
        /// How many have read it.
        read_by: u64,
        /// The change that this is; none if it is no news.
        change: Option<ChangeId>,
        /// Its place among what several nodes tell.
        order: Option<Order>,
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
    pub room: RoomIds,
    /// Who said it, if it is a registered user.
    pub author: Option<UserRecord>,
    /// To whom alone it was said, if it was, and the room that the two have for it.
    pub direct: Option<Box<Direct>>,
    /// When.
    pub at: Timestamp,
    /// It was stored before: nobody is to be told again.
    pub is_repeat: bool,
    /// Its place among what several nodes tell.
    pub order: Option<Order>,
}

impl Done {
    /// The place of something that others are to be told among what several nodes tell; nothing, where there is no such
    /// order, and for what is no news.
    pub fn order(&self) -> Option<Order> {
        match self {
            Self::Appended(Appended { order, .. })
            | Self::Edited { order, .. }
            | Self::MessageDeleted { order, .. }
            | Self::Reacted { order, .. }
            | Self::Confirmed { order, .. } => *order,
            _ => None,
        }
    }
}

/// Where several nodes write into one store: of which transaction something is part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// The transaction's place among all.
    pub position: Position,
    /// How many things of it are to be told: this one and others.
    pub count: usize,
}

/// Something was said to one user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Direct {
    /// The private room of the two.
    pub room: RoomRecord,
    /// The other one; the same one, if somebody talks to themselves.
    pub to: UserRecord,
}

/// What somebody needs to know who begins to take part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attended {
    /// Who it is.
    pub user: UserRecord,
    /// The private rooms in which they take part, the most recently used first.
    pub rooms: Vec<RoomRecord>,
    /// Rooms that the session had chosen when it was lost. Not empty: it is in those alone.
    pub chosen: Vec<RoomRecord>,
    /// How far the store is.
    pub mark: Mark,
    /// What a session that comes back has missed in all these rooms; nothing if that can't be said, or was not asked.
    pub missed: Option<Missed>,
}

/// What happened in somebody's rooms while they were away.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Missed {
    /// What was said, oldest first.
    pub messages: Vec<(RoomIds, MessageRecord)>,
    /// What has become of messages, these and older ones, oldest first.
    pub changes: Vec<ChangeRecord>,
}

/// A change of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// Of which message.
    pub message: MessageId,
    /// Where it is.
    pub room: RoomIds,
    /// Who has changed it; nobody known for a program.
    pub user: Option<UserRecord>,
    /// When.
    pub at: Timestamp,
    /// What has changed.
    pub what: Change,
    /// The message, unless it is gone.
    pub was: Option<Former>,
    /// The transaction in which another node has written it; nothing for what this one wrote, or a program that is no
    /// node.
    pub transaction: Option<i64>,
}

impl ChangeRecord {
    /// What the message says now, if that is what has changed.
    pub fn text(&self) -> &str {
        if let Change::Edited(text) = &self.what { text } else { "" }
    }
}

/// A message before something became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Former {
    /// The UUID of whoever said it.
    pub sender: Uuid,
    /// When.
    pub at: Timestamp,
    /// What it said.
    pub text: String,
    /// What is attached.
    pub file: Option<String>,
}

/// What another program or node has done in the store, of which this server tells whom it concerns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outside {
    /// The room where it was done.
    pub room: RoomRecord,
    /// Of a private room: who takes part. Nothing: as far as it is known here already, that is so.
    pub participants: Option<Vec<UserId>>,
    /// What it was.
    pub what: Deed,
}

/// What another program has done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Deed {
    /// It has said something.
    Said(MessageRecord),
    /// It has changed or deleted a message.
    Changed(ChangeRecord, ChangeId),
}

/// What has changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// What it says: today's text.
    Edited(String),
    /// It is gone.
    Deleted,
    /// A reaction was put to it or taken back.
    Reacted {
        /// The reaction.
        emoji: String,
        /// It was taken back.
        is_removed: bool,
    },
    /// Somebody has read it.
    Confirmed {
        /// How many have by now.
        read_by: u64,
        /// Who said it, if it is a registered user and that is known.
        author: Option<UserId>,
    },
}

/// A private room in the list of those in which somebody takes part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChatRecord {
    /// The room.
    pub room: RoomRecord,
    /// When something was said there last.
    pub updated_at: Timestamp,
    /// How many messages of others came after the last that was read.
    pub unread: u64,
    /// What was said last.
    pub last: Option<MessageRecord>,
}

/// A registered user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UserRecord {
    /// The id.
    pub id: UserId,
    /// The other id.
    pub uuid: Uuid,
    /// The name.
    pub name: String,
}

/// A durable room.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// It is the private room of these two, in which they talk to one another; or of one who talks to themselves.
    pub direct: Option<Box<[Uuid; 2]>>,
}

impl RoomRecord {
    /// Both ids.
    pub fn ids(&self) -> RoomIds {
        RoomIds { id: self.id, uuid: self.uuid }
    }
}

/// A message that was said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// What kind of message it is; `text` where nobody said otherwise.
    pub message_type: String,
    /// What is attached.
    pub file: Option<String>,
    /// When it was changed last.
    pub edited_at: Option<Timestamp>,
    /// Reactions and by how many they were put, the oldest first.
    pub reactions: Vec<(String, u64)>,
    /// To whom alone it was said, if it was said in the private room of two.
    pub direct_to: Option<Uuid>,
    /// The transaction in which another node has written it; nothing for what this one wrote, or a program that is no
    /// node.
    pub transaction: Option<i64>,
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
    /// It can't be kept, whatever the store does: one sentence for the client.
    Malformed(String),
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
