//! SQLite: in a file, which other programs may use at the same time, or in memory.

mod driver;
mod opening;
mod schema;
mod trouble;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};

use super::Store;
use super::sql::{self, Access, Held, Remedy, Trouble, attend};
use crate::config::Durability;
use crate::hub::job::{Job, Outcome};
use crate::timestamp::Timestamp;
pub(super) use opening::open;

/// How long a transaction waits for another process that writes. Nobody waits longer than a few seconds for an answer,
/// and a batch may have to wait twice.
const BUSY: Duration = Duration::from_millis(1_500);

/// How long once that was in vain, until writing works again: else a crowd's jobs would wait for each other's waiting.
const STILL_BUSY: Duration = Duration::from_millis(50);

/// More statements than there are, so that each is prepared once.
const STATEMENTS: usize = 128;

/// What is left of the write-ahead log after it was longer, in bytes.
const JOURNAL_BYTES: i64 = 8 * 1024 * 1024;

struct Sqlite {
    /// Nothing in memory.
    file: Option<File>,
    durability: Durability,
    /// Nothing after a failure, until the next jobs.
    db: Option<Connection>,
    /// Another process was waited for in vain, and nothing has been written since.
    is_locked: bool,
}

/// The file that is open.
struct File {
    path: PathBuf,
    /// Device and number: what is opened is a file, and the path may lead to another one tomorrow.
    identity: Option<(u64, u64)>,
}

impl Store for Sqlite {
    fn carry_out(&mut self, jobs: &[Job]) -> Vec<Outcome> {
        sql::carry_out(jobs, |jobs, manner| {
            let result = self.attempt(|db| sql::transaction(db, jobs, manner));
            if jobs.iter().any(|job| job.writes()) {
                self.note_lock(&result);
            }
            result
        })
    }

    fn begin(&mut self, is_alone: bool) -> Result<(), String> {
        let now = Timestamp::from(SystemTime::now());
        self.attempt(|db| sql::enclosed(db, Access::Write, |db| attend::begin(db, is_alone, now)))
            .map_err(|trouble| trouble.sentence.into())
    }

    /// Writes, since writing is what stops working first: on a full disk, a read-only file system, under a foreign lock.
    fn check(&mut self) -> Result<(), String> {
        let result = self.attempt(|db| Ok(schema::set_version(db, schema::latest())?));
        self.note_lock(&result);
        result.map_err(|trouble| trouble.sentence.into())
    }
}

impl Sqlite {
    /// Takes what came of writing.
    fn note_lock<T>(&mut self, result: &Held<T>) {
        self.is_locked = result.as_ref().is_err_and(|trouble| *trouble == trouble::LOCKED);
    }

    /// Does something with the database, opened anew if need be.
    fn attempt<T>(&mut self, act: impl FnOnce(&mut Connection) -> Held<T>) -> Held<T> {
        let patience = if self.is_locked { STILL_BUSY } else { BUSY };
        let db = self.db()?;
        db.busy_timeout(patience)?;
        let result = act(db);
        let is_stuck = !db.is_autocommit();
        let is_broken = matches!(&result, Err(trouble) if trouble.remedy == Remedy::OpenAnew);
        // What is in memory would be lost with the connection.
        if (is_stuck || is_broken) && self.file.is_some() {
            self.db = None;
        }
        result
    }

    fn db(&mut self) -> Held<&mut Connection> {
        if let Some(file) = &self.file
            && (self.db.is_none() || identity(&file.path) != file.identity)
        {
            // What is written to a file that was deleted is lost, and SQLite would not notice.
            self.db = None;
            self.db = Some(self.open_anew()?);
        }
        self.db.as_mut().ok_or(trouble::GONE)
    }

    fn open_anew(&mut self) -> Held<Connection> {
        let file = self.file.as_mut().ok_or(trouble::GONE)?;
        // Before it is opened: if it is exchanged in between, that shows the next time.
        file.identity = Some(identity(&file.path).ok_or(trouble::GONE)?);
        let db = connect(Some(&file.path))?;
        if schema::version(&db)? != schema::latest() {
            return Err(Trouble::EXCHANGED);
        }
        settle(&db, self.durability)?;
        Ok(db)
    }
}

/// Opens the file, which exists, or makes a database in memory. Nothing is written.
fn connect(path: Option<&Path>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = match path {
        // With the dot, a name such as `file:x` is no URI.
        Some(path) => Connection::open_with_flags(Path::new(".").join(path), flags)?,
        None => Connection::open_in_memory()?,
    };
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

/// Settles how a database that is ours is written.
fn settle(db: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let level = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
    db.pragma_update(None, "synchronous", level)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
