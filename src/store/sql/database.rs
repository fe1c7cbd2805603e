//! What the jobs ask of a database, and the values that cross to it and back.

use std::ops::ControlFlow;

use super::Held;
use crate::hub::job::Job;
use crate::id::{ChangeId, MessageId, Position, RoomId, UserId, Uuid};
use crate::timestamp::Timestamp;

/// A connection to a database, and the words in which it differs from others.
///
/// The parameters of a statement are `?1`, `?2`, …. Statements are few and live as long as the program, so each is
/// prepared once.
pub(crate) trait Database {
    /// What is read of an answer.
    type Row<'r>: Row;

    /// Whether texts may have a NUL in them.
    const KEEPS_NUL: bool;

    /// What asks for the highest ids of messages and of changes that were ever given, whether or not what had them is still
    /// there.
    fn mark_query(&self) -> &'static str;

    /// Begins a transaction. If that fails, there may be one all the same, to be rolled back.
    fn begin(&mut self, access: Access) -> Held<()>;

    /// How far the order is that several nodes share, if there is one. In a transaction that [`Access::Tell`]s, all that
    /// have a place are complete.
    fn position(&mut self) -> Held<Option<Position>> {
        Ok(None)
    }

    /// Takes the next place in that order, if there is one, for this transaction, which [`Access::Tell`]s.
    fn take_place(&mut self) -> Held<Option<Position>> {
        Ok(None)
    }

    /// Looks for what other nodes have written after `since` that concerns somebody: about so much of it, but no
    /// transaction in part. A database without such an order has nothing of other nodes.
    fn look_back(&mut self, _whom: &Concerned<'_>, since: Position, _most: usize) -> Held<Gap> {
        Ok(Gap::none(since))
    }

    /// Looks for what others have written since the last look. A database that does not say who wrote what knows of nothing.
    fn look(&mut self) -> Held<Looked> {
        Ok(Looked::default())
    }

    /// Has the statements of this transaction leave out what others have written and no look has told: those that say in a
    /// comment where the condition would stand, `/*AND m told*/` of messages and `/*AND x told*/` of changes.
    fn hide_untold(&mut self) -> Held<()> {
        Ok(())
    }

    /// Ends a transaction: what it wrote is there for good.
    fn commit(&mut self) -> Held<()> {
        self.run("COMMIT")
    }

    /// Runs a statement that has no parameters and no answer.
    fn run(&mut self, sql: &'static str) -> Held<()>;

    /// Asks, and takes the rows in their order until told to stop. What is not taken is not kept in memory.
    fn ask(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        take: impl FnMut(&Self::Row<'_>) -> Held<ControlFlow<()>>,
    ) -> Held<()>;

    /// Changes something; says how many rows.
    fn change(&mut self, sql: &'static str, values: &[Value<'_>]) -> Held<usize>;

    /// Inserts rows in their order, by an `INSERT … VALUES (…)` that is done for each; yields their ids.
    fn insert<const N: usize>(&mut self, sql: &'static str, rows: &[[Value<'_>; N]]) -> Held<Vec<i64>>;

    /// Runs a statement for each row of values, in their order, and takes all rows of the answers. A database that is
    /// quicker when it gets all of them at once makes a table `each` of them. Where it would stand, the statement says
    /// in a comment, `/*, each*/` or `/*FROM each*/`; an `INSERT … VALUES (…)` need not.
    fn each<const N: usize>(
        &mut self,
        sql: &'static str,
        rows: &[[Value<'_>; N]],
        take: impl FnMut(&Self::Row<'_>) -> Held<()>,
    ) -> Held<()>;
}

/// What others have written, see [`Database::look`].
#[derive(Default)]
pub(crate) struct Looked {
    /// As much as is told at once.
    pub(crate) written: Vec<Written>,
    /// Whether there is more.
    pub(crate) has_more: bool,
    /// What became of transactions of our own is known now: no answer had come to their COMMIT.
    pub(crate) has_settled: bool,
}

/// What a transaction is for. One that is to write may have to say so at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    Read,
    Write,
    /// To say or change something that other nodes are told, in the one order of all.
    Tell,
}

impl Access {
    /// What these jobs need.
    pub(crate) fn of(jobs: &[&Job]) -> Self {
        let is_any = |what: fn(&Job) -> bool| jobs.iter().any(|job| what(job));
        match (is_any(Job::takes_a_place), is_any(Job::writes)) {
            (true, _) => Self::Tell,
            (false, true) => Self::Write,
            (false, false) => Self::Read,
        }
    }
}

/// Whom something has to concern that is looked for.
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has nothing of other nodes"))]
pub(crate) struct Concerned<'a> {
    /// Who is in these rooms;
    pub(crate) rooms: &'a [RoomId],
    /// these users, in their private rooms, and as authors of what is read.
    pub(crate) users: &'a [UserId],
}

/// What other nodes have written in a stretch of their order.
pub(crate) struct Gap {
    /// Each with its transaction, in the order of all.
    pub(crate) written: Vec<(i64, Written)>,
    /// The end of the stretch.
    pub(crate) position: Position,
    /// There is more behind it.
    pub(crate) has_more: bool,
}

impl Gap {
    /// Nothing up to there.
    pub(crate) fn none(position: Position) -> Self {
        Self { written: Vec::new(), position, has_more: false }
    }
}

/// Something that others have written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Written {
    Message(MessageId),
    Change(ChangeId),
}

/// A row of an answer. Outside programs write rows too, and one that wrote something odd must not make a room
/// unreadable: what can't be read as it should be becomes the nearest that can be shown.
pub(crate) trait Row {
    fn is_null(&self, column: usize) -> Held<bool>;
    fn integer(&self, column: usize) -> Held<i64>;
    fn boolean(&self, column: usize) -> Held<bool>;
    fn text(&self, column: usize) -> Held<String>;
    fn uuid(&self, column: usize) -> Held<Uuid>;
    fn time(&self, column: usize) -> Held<Timestamp>;

    /// A number that is not negative.
    fn count(&self, column: usize) -> Held<u64> {
        self.integer(column).map(i64::cast_unsigned)
    }

    /// What is in a column, unless it is empty.
    fn optional<T>(&self, column: usize, read: impl FnOnce(&Self, usize) -> Held<T>) -> Held<Option<T>> {
        if self.is_null(column)? { Ok(None) } else { read(self, column).map(Some) }
    }
}

/// A value on its way into the database. What is missing has a kind too.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Integer(Option<i64>),
    Boolean(bool),
    Text(Option<&'a str>),
    Uuid(Uuid),
    Time(Timestamp),
}

/// The values of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::store::sql::Value::from($value)),*] };
}
pub(crate) use values;

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<bool> for Value<'_> {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Uuid> for Value<'_> {
    fn from(uuid: Uuid) -> Self {
        Self::Uuid(uuid)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

macro_rules! from_ids {
    ($($id:ty),*) => {
        $(impl From<$id> for Value<'_> {
            fn from(id: $id) -> Self {
                Self::Integer(Some(id.0))
            }
        }

        impl From<Option<$id>> for Value<'_> {
            fn from(id: Option<$id>) -> Self {
                Self::Integer(id.map(|id| id.0))
            }
        })*
    };
}

from_ids!(UserId, RoomId, MessageId, ChangeId);
