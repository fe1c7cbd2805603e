//! Opening a database at the start, and saying clearly why it can't be opened. The operator has named the path, so these
//! sentences name it too.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Error, ErrorCode, ffi};

use super::super::sql::{Remedy, Start, Trouble};
use super::super::{OpenError, Opened, Options, Url};
use super::{File, Sqlite, connect, identity, schema, settle};
use crate::config::Durability;
use crate::id::RoomId;

const IN_MEMORY: &str = ":memory:";

const FOREIGN: &str = "holds other tables than those of this program";

/// Opens what a URL of the scheme `sqlite` names.
pub(in super::super) fn open(url: &Url<'_>, options: &Options<'_>) -> Result<Opened, OpenError> {
    let Options { migrate, durability, .. } = *options;
    let Some(path) = path(url)? else {
        let (db, start) = prepare(None, true, durability).map_err(|failure| failure.about("the memory"))?;
        let store = Box::new(Sqlite { file: None, durability, db: Some(db), is_locked: false });
        return Ok(start.with(store, "memory, and gone with the process".into()));
    };
    let name = path.display().to_string();
    check_place(&path, migrate).map_err(|failure| failure.about(&name))?;
    let identity = identity(&path);
    let (db, start) = prepare(Some(&path), migrate, durability).map_err(|failure| failure.about(&name))?;
    let file = Some(File { path, identity });
    let store = Box::new(Sqlite { file, durability, db: Some(db), is_locked: false });
    Ok(start.with(store, format!("the SQLite database {name}")))
}

/// The path that a URL names; none for a database in memory. `sqlite:PATH` and `sqlite://PATH` take it as it stands. With
/// a driver it is a URL of SQLAlchemy, where three slashes begin a relative path and four an absolute one.
fn path(url: &Url<'_>) -> Result<Option<PathBuf>, OpenError> {
    let rest = url.rest.strip_prefix("//").unwrap_or(url.rest);
    let rest = if url.has_driver { rest.strip_prefix('/').unwrap_or(rest) } else { rest };
    if rest.trim_start_matches('/') == IN_MEMORY || (url.has_driver && rest.is_empty()) {
        return Ok(None);
    }
    if rest.is_empty() || rest.ends_with('/') {
        return Err(OpenError::lasting("the database URL names no file: write sqlite:PATH"));
    }
    if rest.contains(['?', '\0']) {
        return Err(OpenError::lasting("the database URL must end with the path: nothing else can be set there"));
    }
    Ok(Some(rest.into()))
}

/// Why a database can't be used: the rest of a sentence that begins with its path.
struct Failure {
    rest: String,
    is_passing: bool,
    lacks_migration: bool,
}

impl Failure {
    fn about(self, name: &str) -> OpenError {
        let sentence = format!("{name} {}", self.rest);
        OpenError { sentence, is_passing: self.is_passing, lacks_migration: self.lacks_migration }
    }
}

fn lasting(rest: impl Into<String>) -> Failure {
    Failure { rest: rest.into(), is_passing: false, lacks_migration: false }
}

fn passing(rest: impl Into<String>) -> Failure {
    Failure { rest: rest.into(), is_passing: true, lacks_migration: false }
}

fn unmigrated(rest: impl Into<String>) -> Failure {
    Failure { rest: rest.into(), is_passing: false, lacks_migration: true }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // There are other tables where ours should be, or none.
        let Error::SqliteFailure(failure, _) = &error else { return lasting(FOREIGN) };
        match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => passing("is locked by another process"),
            ErrorCode::DiskFull => passing("can't be used: the disk is full"),
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => passing("can't be used: the disk is full"),
            ErrorCode::ReadOnly => lasting("can't be written to"),
            ErrorCode::NotADatabase => lasting("is not a SQLite database"),
            ErrorCode::DatabaseCorrupt => lasting("is damaged"),
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                lasting("can't be opened, or not the files that SQLite needs beside it")
            }
            ErrorCode::SystemIoFailure => {
                lasting("can't be used: the disk failed, or the file system can't do what SQLite asks")
            }
            ErrorCode::Unknown | ErrorCode::ConstraintViolation => lasting(FOREIGN),
            _ => lasting("can't be used"),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::TABLES | Trouble::BROKEN => lasting(FOREIGN),
            Trouble { sentence, remedy } => Self {
                rest: format!("can't be used: {sentence}"),
                is_passing: remedy == Remedy::Wait,
                lacks_migration: false,
            },
        }
    }
}

/// Sees to it that there is a file; it is made if it is missing and may be made. SQLite would not say what is wrong.
fn check_place(path: &Path, migrate: bool) -> Result<(), Failure> {
    let failed = |what: &str, error: io::Error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => passing(format!("{what}: the disk is full")),
        ErrorKind::PermissionDenied => lasting(format!("{what}: permission denied")),
        ErrorKind::ReadOnlyFilesystem => lasting(format!("{what}: the file system is read-only")),
        _ => lasting(format!("{what}: {error}")),
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(lasting("is a directory; the database must be a file")),
        Ok(metadata) if !metadata.is_file() => Err(lasting("is not a file")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("can't be reached", error)),
        Err(_) if !migrate && is_in_a_folder(path) => Err(unmigrated("does not exist")),
        Err(_) if !migrate => Err(lasting("does not exist, nor does its folder")),
        Err(_) => match OpenOptions::new().write(true).create(true).truncate(false).open(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(lasting("can't be created: there is no such folder"))
            }
            Err(error) => Err(failed("can't be created", error)),
        },
    }
}

fn is_in_a_folder(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.as_os_str().is_empty() || folder.is_dir())
}

/// Connects, sees to the schema, and reads what the hub starts from. How the file is written is settled last: it may
/// turn out to be somebody else's.
fn prepare(path: Option<&Path>, migrate: bool, durability: Durability) -> Result<(Connection, Start), Failure> {
    let mut db = connect(path)?;
    if db.is_readonly("main")? {
        return Err(lasting("can't be written to"));
    }
    see_to_schema(&mut db, migrate)?;
    let start = Start::read(&mut db)?;
    if start.rooms.first().is_none_or(|room| room.id != RoomId::LOBBY) {
        return Err(lasting("has no lobby: the row 1 of chats is missing or private"));
    }
    settle(&db, durability)?;
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    // A file system without memory shared between processes, say one from the network, has none.
    if path.is_some() && mode != "wal" {
        return Err(lasting("lies where SQLite can't keep a write-ahead log"));
    }
    Ok((db, start))
}

fn see_to_schema(db: &mut Connection, migrate: bool) -> Result<(), Failure> {
    let (version, latest) = (schema::version(db)?, schema::latest());
    if version > latest {
        return Err(lasting(format!("has schema version {version}, and this program knows none after {latest}")));
    }
    if version < latest && !migrate {
        return Err(unmigrated(format!("has schema version {version} instead of {latest}, and may not be migrated")));
    }
    Ok(schema::migrate(db)?)
}
