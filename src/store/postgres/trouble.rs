//! What PostgreSQL's failures are called.

use std::error::Error as _;

use postgres::Error;
use postgres::error::SqlState;

use super::super::sql::{Remedy, Trouble};

/// Nothing was heard of it in time.
pub(super) const SILENT: Trouble = Trouble::new("the database does not answer", Remedy::OpenAnew);
/// There is no connection, and none can be made.
pub(super) const UNREACHABLE: Trouble = Trouble::new("the database can't be reached", Remedy::OpenAnew);
/// There was a connection.
pub(super) const LOST: Trouble = Trouble::new("the connection to the database was lost", Remedy::OpenAnew);
/// The time is over in the middle of a transaction.
pub(super) const SLOW: Trouble = Trouble::new("the database took too long", Remedy::OpenAnew);
/// Perhaps one job alone wants what the role may not do.
pub(super) const DENIED: Trouble = Trouble::new("the database denies this user what is needed", Remedy::OneByOne);

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let Some(code) = error.code() else {
            // What could not be read or written as a value is of another kind than it should be.
            let is_lost = error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>());
            return if is_lost { LOST } else { Self::TABLES };
        };
        match *code {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
                Self::new("the database could not do it beside what others do", Remedy::Repeat)
            }
            SqlState::LOCK_NOT_AVAILABLE => Self::new("the database is locked by another program", Remedy::Wait),
            SqlState::QUERY_CANCELED => Self::new(SLOW.sentence, Remedy::Wait),
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => LOST,
            SqlState::DISK_FULL => Self::FULL,
            SqlState::OUT_OF_MEMORY => Self::MEMORY,
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::READ_ONLY,
            SqlState::INSUFFICIENT_PRIVILEGE => DENIED,
            SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Self::DAMAGED,
            _ => Self::of_class(code.code().get(..2).unwrap_or_default()),
        }
    }
}

impl Trouble {
    /// What the first two characters of a code tell.
    fn of_class(class: &str) -> Self {
        match class {
            // Data, constraints, views, what functions raise, and sizes: the values are at fault.
            "22" | "23" | "44" | "P0" | "54" => Self::REFUSED,
            // What is missing or of another kind.
            "42" => Self::TABLES,
            // It shuts down, or starts.
            "08" | "57" => LOST,
            "53" => UNREACHABLE,
            "58" => Self::new("the disk failed", Remedy::OpenAnew),
            _ => Self::BROKEN,
        }
    }
}

/// Why there is no connection.
pub(super) fn of_connecting(error: &Error) -> Trouble {
    match error.code().map(SqlState::code) {
        Some(code) if code.starts_with("28") => Trouble::new("the database refuses the password", Remedy::OpenAnew),
        _ => UNREACHABLE,
    }
}
