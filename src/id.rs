//! The small numbers that name things, used by every layer.
//!
//! Two of them are easily confused and must never be: a [`SlotKey`] is a place inside this process that gets a new
//! tenant when the old one has left; a [`ConnectionId`] is what clients see, and is never used twice.
//!
//! [`UserId`], [`RoomId`] and [`MessageId`] come from the store: 1, 2, 3, …, never used twice. Users and rooms have a
//! UUID besides, and where a client names one it may use either: a [`Reference`].

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
pub use uuid::Uuid;

/// A place in the server's slab: the `mio` token of a connection, and what rooms keep of their members.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SlotKey(u32);

impl SlotKey {
    /// The key of the slab entry `index`. The limit of connections is far below `u32::MAX`, see
    /// [`crate::config::Config::max_connections`].
    pub fn new(index: usize) -> Self {
        debug_assert!(u32::try_from(index).is_ok());
        Self(index as u32)
    }

    /// The slab entry that this key names.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place in the hub's table of rooms; used again once its room is gone, so it never leaves the loop's turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RoomKey(u32);

impl RoomKey {
    /// The key of the table's entry `index`. The limit of rooms is far below `u32::MAX`.
    pub fn new(index: usize) -> Self {
        debug_assert!(u32::try_from(index).is_ok());
        Self(index as u32)
    }

    /// Small numbers, dense: fit for an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a client is called: 0, 1, 2, … in order of connecting, never used twice while the process lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// Reads the form that [`fmt::Display`] writes. Anything else, `01` and `+1` among it, names no connection.
    pub fn parse(text: &str) -> Option<Self> {
        canonical(text).map(Self)
    }
}

/// Reads a number in the one form in which it would be written.
fn canonical<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_canonical = text == "0" || (text.starts_with(|c: char| ('1'..='9').contains(&c)));
    if is_canonical { text.parse().ok() } else { None }
}

/// A registered user, in the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct UserId(pub i64);

/// A durable room, in the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct RoomId(pub i64);

impl RoomId {
    /// The room that always exists, open and durable.
    pub const LOBBY: Self = Self(1);
}

/// A message of a durable room, in the store. Within a room later messages have greater ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct MessageId(pub i64);

macro_rules! displayed_as_number {
    ($($id:ty),*) => {
        $(impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        })*
    };
}

displayed_as_number!(ConnectionId, UserId, RoomId, MessageId, ChangeId);

/// Both ids of a durable room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct RoomIds {
    /// The small one.
    pub id: RoomId,
    /// The other one.
    pub uuid: Uuid,
}

/// A change of a message after it was said (an edit, a deletion, a reaction, a confirmation), in the store. Later changes
/// have greater ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct ChangeId(pub i64);

/// How far somebody has heard of what is stored: all messages and all changes up to these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The last message.
    pub message: MessageId,
    /// The last change.
    pub change: ChangeId,
}

impl Mark {
    /// Of each the later one.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { message: self.message.max(other.message), change: self.change.max(other.change) }
    }

    /// Reads the form that [`fmt::Display`] writes, and no other.
    pub fn parse(text: &str) -> Option<Self> {
        let (message, change) = text.split_once('.')?;
        let read = |text: &str| canonical(text).filter(|number: &i64| *number >= 0);
        Some(Self { message: MessageId(read(message)?), change: ChangeId(read(change)?) })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.message, self.change)
    }
}

/// A server process, one of several that are one chat: a random number, of another process with each start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A place in the one order in which several nodes write into a store that they share: what they say and change there is
/// told everywhere in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Position {
    /// 1, 2, 3, … without a gap: one for each transaction that tells something.
    pub number: u64,
    /// That transaction, as the store knows it; later ones are greater.
    pub transaction: i64,
    /// The last message and the last change that it or one before it has written.
    pub mark: Mark,
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.number, self.transaction).cmp(&(other.number, other.transaction))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How a client names a user or a room. It may name nobody.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reference {
    /// By its id.
    Number(i64),
    /// By its UUID.
    Uuid(Uuid),
}

impl Reference {
    /// Reads a positive number or a UUID.
    pub fn parse(text: &str) -> Option<Self> {
        let number = canonical(text).filter(|&number| number > 0).map(Self::Number);
        number.or_else(|| text.parse().ok().map(Self::Uuid))
    }
}

impl From<UserId> for Reference {
    fn from(id: UserId) -> Self {
        Self::Number(id.0)
    }
}

/// Where something is said: in a durable room, or to one user in the private room that the two have for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A room.
    Room(Reference),
    /// A user.
    User(Reference),
}

impl From<RoomId> for Reference {
    fn from(id: RoomId) -> Self {
        Self::Number(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_names_a_connection() {
        assert_eq!(ConnectionId::parse("0"), Some(ConnectionId(0)));
        assert_eq!(ConnectionId::parse("120"), Some(ConnectionId(120)));
        for other in ["", "01", "00", "+1", "-1", " 1", "1 ", "1.0", "1a", "٣", "18446744073709551616"] {
            assert_eq!(ConnectionId::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn marks_have_one_form() {
        let mark = Mark { message: MessageId(12), change: ChangeId(3) };
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
        for bad in ["", "1", "1.", ".1", "1.-2", "+1.2", "01.2", "1.2.3", "99999999999999999999.0"] {
            assert_eq!(Mark::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn users_and_rooms_are_named_by_number_or_uuid() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        assert_eq!(Reference::parse("7"), Some(Reference::Number(7)));
        assert_eq!(Reference::parse(uuid), Some(Reference::Uuid(uuid.parse().unwrap())));
        for other in ["", "0", "-1", "07", "1.0", "9223372036854775808", "67e55044", "x"] {
            assert_eq!(Reference::parse(other), None, "{other:?}");
        }
    }
}
