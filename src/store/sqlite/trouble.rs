//! What SQLite's failures are called.

use rusqlite::{Error, ErrorCode, ffi};

use super::super::sql::{Remedy, Trouble};

/// There is no file any more.
pub(super) const GONE: Trouble = Trouble::new("the database is gone", Remedy::OpenAnew);

pub(super) const LOCKED: Trouble = Trouble::new("the database is locked by another process", Remedy::Wait);

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        use ErrorCode as Code;
        use Remedy::OpenAnew;
        let Error::SqliteFailure(failure, _) = error else { return Self::TABLES };
        match failure.code {
            Code::DiskFull => Self::FULL,
            // SQLite's shared memory is a file, and growing it fails in its own way.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Self::new(Self::FULL.sentence, OpenAnew),
            Code::DatabaseBusy | Code::DatabaseLocked => LOCKED,
            Code::ReadOnly => Self::READ_ONLY,
            Code::SystemIoFailure => Self::new("the disk failed", OpenAnew),
            Code::CannotOpen | Code::PermissionDenied => Self::new("the database can't be opened", OpenAnew),
            Code::NotADatabase | Code::DatabaseCorrupt => Self::DAMAGED,
            Code::ConstraintViolation | Code::TooBig => Self::REFUSED,
            Code::OutOfMemory => Self::MEMORY,
            _ => Self::BROKEN,
        }
    }
}
