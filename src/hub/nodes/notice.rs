//! What nodes tell one another. Plain values: the broker makes bytes of them, and may be of another node's version.

use serde::{Deserialize, Serialize};

use crate::hub::job::{Outside, RoomRecord, UserRecord};
use crate::id::{ConnectionId, NodeId, Position, RoomId, UserId};
use crate::timestamp::Timestamp;

/// Where a notice goes: to the nodes that listen there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Address {
    /// All nodes.
    All,
    /// That one.
    Node(NodeId),
    /// Those that have somebody in that durable room.
    Room(RoomId),
    /// Those that have somebody in the ephemeral room of that name.
    Name(String),
    /// Those that have a session of that user.
    User(UserId),
}

/// A notice on its way out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispatch {
    /// Where it goes. A node that listens at several of these takes it once.
    pub to: Vec<Address>,
    /// What it says.
    pub notice: Notice,
}

/// What the hub wants of the broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Errand {
    /// Something is to be told.
    Send(Dispatch),
    /// From now on, or no longer, what goes there is heard.
    Listen(Address, bool),
    /// Another block of connection ids.
    Reserve,
}

/// What one node tells others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Notice {
    /// The node is there, anew or again, and wants to know who is where.
    Hello,
    /// The node goes: nobody is there any more.
    Farewell,
    /// The node is there still, and has told all that is stored up to this.
    Alive(Position),
    /// Who is where: all of it, to be held against what was known of this node. A beginning, if there is more to come.
    Directory {
        /// Nothing has come before.
        is_first: bool,
        /// All has been said.
        is_last: bool,
        /// As if it happened now.
        moves: Vec<Move>,
    },
    /// Who has come, gone and moved, in that order.
    Moved(Vec<Move>),
    /// Something was stored.
    Deed {
        /// Its place; nothing where the store has no such order.
        position: Option<Position>,
        /// What.
        deed: Box<Outside>,
        /// The connection that did it, if it was one.
        connection: Option<ConnectionId>,
    },
    /// A transaction is complete: all that it tells was told before, each thing to whom it concerns.
    Committed {
        /// Its place.
        position: Position,
        /// Whom it concerns.
        concerns: Vec<Concern>,
    },
    /// Somebody said something in an ephemeral room.
    Said {
        /// Its name.
        room: String,
        /// Who.
        from: ConnectionId,
        /// What.
        text: String,
    },
    /// Somebody said something to one connection.
    Whisper {
        /// To whom.
        to: ConnectionId,
        /// Who.
        from: ConnectionId,
        /// What.
        text: String,
    },
    /// Somebody is typing, or not any more.
    Typing {
        /// Who.
        user: UserRecord,
        /// Where.
        to: Whither,
        /// Whether.
        is_typing: bool,
    },
    /// Somebody passes something on that is not kept.
    Signal {
        /// Who.
        user: UserRecord,
        /// To whom.
        to: Whither,
        /// A JSON text, with placeholders where the attachments belong.
        json: String,
        /// Bytes that JSON can't hold.
        attachments: Vec<Vec<u8>>,
    },
    /// A room was made. Of a private one: who takes part, the owner too.
    RoomCreated(RoomRecord, Vec<UserRecord>),
    /// A room has another name.
    RoomRenamed(RoomRecord),
    /// A room is gone.
    RoomDeleted(RoomId),
    /// A user has another name.
    UserRenamed(UserRecord),
    /// A user is gone.
    UserDeleted(UserId),
}

/// Whom a transaction concerns: who has somebody in that room, or one of these users.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Concern {
    /// Where it was.
    pub room: RoomId,
    /// Whom it concerns wherever they are.
    pub users: Vec<UserId>,
    /// How many things are told them.
    pub count: usize,
}

/// For whom something is that is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Whither {
    /// For the others in that room.
    Room(RoomId),
    /// For that user.
    User(UserId),
}

/// A room as nodes speak of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum RoomTag {
    /// A durable one.
    Durable(RoomId),
    /// An ephemeral one.
    Ephemeral(String),
}

/// Somebody has come, gone or moved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Move {
    /// A connection is there.
    Open(ConnectionId),
    /// It is gone, and has left its rooms.
    Close(ConnectionId),
    /// It is that user now. The others in its rooms are told so.
    Be {
        /// The connection.
        connection: ConnectionId,
        /// The user.
        user: UserRecord,
        /// In private rooms it is the user's presence that the others are told of.
        is_attendee: bool,
    },
    /// It is in that room. The others there are told so.
    Enter {
        /// The connection.
        connection: ConnectionId,
        /// The room.
        room: RoomTag,
        /// Since when.
        at: Timestamp,
    },
    /// It is in that room no more. The others there are told so.
    Leave {
        /// The connection.
        connection: ConnectionId,
        /// The room.
        room: RoomTag,
    },
    /// A user takes part, in these private rooms.
    Present {
        /// Who.
        user: UserRecord,
        /// Where.
        rooms: Vec<RoomRecord>,
    },
    /// A user takes part no more.
    Absent(UserId),
    /// A present user takes part in a private room, too.
    TakePart {
        /// Who.
        user: UserId,
        /// Where.
        room: RoomRecord,
    },
    /// A present user takes part in a private room no more.
    TakeNoPart {
        /// Who.
        user: UserId,
        /// Where.
        room: RoomId,
    },
}
