//! What SQLite's failures are called, and what helps against them.

use rusqlite::{Error, ErrorCode, ffi};

/// A failure in words for clients: no path, no SQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pub(super) sentence: &'static str,
    pub(super) remedy: Remedy,
}

/// What helps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Remedy {
    /// Nothing but time.
    Wait,
    /// A new connection, perhaps.
    OpenAnew,
    /// The jobs of the batch, each for itself: one of them is the cause.
    OneByOne,
}

/// There is no file any more.
pub(super) const GONE: Trouble = Trouble { sentence: "the database is gone", remedy: Remedy::OpenAnew };

/// There is another file.
pub(super) const EXCHANGED: Trouble =
    Trouble { sentence: "the database was exchanged for one of another version", remedy: Remedy::OpenAnew };

impl Trouble {
    pub(super) fn of(error: &Error) -> Self {
        use ErrorCode as Code;
        use Remedy::{OneByOne, OpenAnew, Wait};
        let Error::SqliteFailure(failure, _) = error else {
            return Self { sentence: "the database's tables are not as they should be", remedy: Wait };
        };
        let (sentence, remedy) = match failure.code {
            Code::DiskFull => (FULL, Wait),
            // SQLite's shared memory is a file, and growing it fails in its own way.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => (FULL, OpenAnew),
            Code::DatabaseBusy | Code::DatabaseLocked => (LOCKED, Wait),
            Code::ReadOnly => ("the database can't be written to", OpenAnew),
            Code::SystemIoFailure => ("the disk failed", OpenAnew),
            Code::CannotOpen | Code::PermissionDenied => ("the database can't be opened", OpenAnew),
            Code::NotADatabase | Code::DatabaseCorrupt => ("the database is damaged", OpenAnew),
            Code::ConstraintViolation | Code::TooBig => ("the database refused it", OneByOne),
            Code::OutOfMemory => ("there is too little memory", Wait),
            _ => ("the database does not work", OpenAnew),
        };
        Self { sentence, remedy }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

const FULL: &str = "the disk is full";

pub(super) const LOCKED: &str = "the database is locked by another process";
