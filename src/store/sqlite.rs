//! SQLite: in a file, which other programs may use at the same time, or in memory.
//!
//! A batch is one transaction on one connection. When anything but a job's own refusal goes wrong, all of it is taken
//! back: what was to be written is unavailable, and what was only to be read is tried once more.

mod attend;
mod changes;
mod chats;
mod missed;
mod opening;
mod people;
mod rooms;
mod rows;
mod said;
mod trouble;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};

use super::{Store, schema};
use crate::config::Durability;
use crate::hub::job::{Done, Fault, Job, Outcome};
use crate::timestamp::Timestamp;
pub(super) use opening::open;
use trouble::{Remedy, Trouble};

/// How long a transaction waits for another process that writes. Nobody waits longer than a few seconds for an answer,
/// and a batch may have to wait twice.
const BUSY: Duration = Duration::from_millis(1_500);

/// How long once that was in vain, until writing works again: else a crowd's jobs would wait for each other's waiting.
const STILL_BUSY: Duration = Duration::from_millis(50);

/// More statements than there are in this folder, so that each is prepared once.
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
        let all: Vec<&Job> = jobs.iter().collect();
        let result = self.transact(&all);
        if jobs.iter().any(Job::writes) {
            self.note_lock(&result);
        }
        let failure = match result {
            Ok(outcomes) => return outcomes,
            Err(trouble) => unavailable(&trouble),
        };
        // Reading may work though writing doesn't.
        let reads: Vec<&Job> = all.into_iter().filter(|job| !job.writes()).collect();
        let mut read = match self.transact(&reads) {
            Ok(outcomes) => outcomes,
            Err(trouble) => reads.iter().map(|_| Err(unavailable(&trouble))).collect(),
        }
        .into_iter();
        let read = jobs.iter().map(|job| if job.writes() { None } else { read.next() });
        read.map(|outcome| outcome.unwrap_or_else(|| Err(failure.clone()))).collect()
    }

    fn begin(&mut self) -> Result<(), String> {
        let now = Timestamp::from(SystemTime::now());
        self.attempt(|db| enclosed(db, "BEGIN IMMEDIATE", |db| attend::begin(db, now)))
            .map_err(|trouble| trouble.sentence.into())
    }

    /// Writes, since writing is what stops working first: on a full disk, a read-only file system, under a foreign lock.
    fn check(&mut self) -> Result<(), String> {
        let result = self.attempt(|db| schema::set_version(db, schema::latest()));
        self.note_lock(&result);
        result.map_err(|trouble| trouble.sentence.into())
    }
}

fn unavailable(trouble: &Trouble) -> Fault {
    Fault::Unavailable(trouble.sentence.into())
}

impl Sqlite {
    fn transact(&mut self, jobs: &[&Job]) -> Result<Vec<Outcome>, Trouble> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        match self.attempt(|db| transaction(db, jobs, plainly)) {
            // One of them is at fault, by a rule that an outside program has made. Which one shows only when each can be
            // taken back alone, and that costs time.
            Err(Trouble { remedy: Remedy::OneByOne, .. }) => self.attempt(|db| transaction(db, jobs, alone)),
            other => other,
        }
    }

    /// Takes what came of writing.
    fn note_lock<T>(&mut self, result: &Result<T, Trouble>) {
        self.is_locked = result.as_ref().is_err_and(|trouble| trouble.sentence == trouble::LOCKED);
    }

    /// Does something with the database, opened anew if need be.
    fn attempt<T>(&mut self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Trouble> {
        let patience = if self.is_locked { STILL_BUSY } else { BUSY };
        let db = self.db()?;
        db.busy_timeout(patience)?;
        let result = act(db).map_err(|error| Trouble::of(&error));
        let is_stuck = !db.is_autocommit();
        let is_broken = matches!(&result, Err(trouble) if trouble.remedy == Remedy::OpenAnew);
        // What is in memory would be lost with the connection.
        if (is_stuck || is_broken) && self.file.is_some() {
            self.db = None;
        }
        result
    }

    fn db(&mut self) -> Result<&Connection, Trouble> {
        if let Some(file) = &self.file
            && (self.db.is_none() || identity(&file.path) != file.identity)
        {
            // What is written to a file that was deleted is lost, and SQLite would not notice.
            self.db = None;
            self.db = Some(self.open_anew()?);
        }
        self.db.as_ref().ok_or(trouble::GONE)
    }

    fn open_anew(&mut self) -> Result<Connection, Trouble> {
        let file = self.file.as_mut().ok_or(trouble::GONE)?;
        // Before it is opened: if it is exchanged in between, that shows the next time.
        file.identity = Some(identity(&file.path).ok_or(trouble::GONE)?);
        let db = connect(Some(&file.path))?;
        if schema::version(&db)? != schema::latest() {
            return Err(trouble::EXCHANGED);
        }
        settle(&db, self.durability)?;
        Ok(db)
    }
}

/// Does the jobs in one transaction. A job's own refusal is its outcome; whatever else goes wrong takes all of it back.
fn transaction(db: &Connection, jobs: &[&Job], each: Each) -> rusqlite::Result<Vec<Outcome>> {
    // One that is to write must be the only writer from the start: it can't become that in the middle.
    let writes = jobs.iter().any(|job| job.writes());
    let begin = if writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
    enclosed(db, begin, |db| jobs.iter().map(|job| each(db, job)).collect())
}

/// Does something in one transaction: all of it or, if anything goes wrong, nothing.
fn enclosed<T>(
    db: &Connection,
    begin: &str,
    act: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    run(db, begin)?;
    let ended = act(db).and_then(|result| run(db, "COMMIT").map(|()| result));
    if ended.is_err() && !db.is_autocommit() {
        // If even that fails, the connection is given up.
        let _ = run(db, "ROLLBACK");
    }
    ended
}

type Each = fn(&Connection, &Job) -> rusqlite::Result<Outcome>;

fn plainly(db: &Connection, job: &Job) -> rusqlite::Result<Outcome> {
    match carry_out(db, job) {
        Ok(done) => Ok(Ok(done)),
        Err(Halt::Fault(fault)) => Ok(Err(fault)),
        Err(Halt::Broken(error)) => Err(error),
    }
}

/// So that a job which the database refuses spoils none but itself.
fn alone(db: &Connection, job: &Job) -> rusqlite::Result<Outcome> {
    run(db, "SAVEPOINT job")?;
    let outcome = match plainly(db, job) {
        Err(error) if Trouble::of(&error).remedy == Remedy::OneByOne => {
            run(db, "ROLLBACK TO job")?;
            Err(Fault::Unsupported(Trouble::of(&error).sentence.into()))
        }
        outcome => outcome?,
    };
    run(db, "RELEASE job")?;
    Ok(outcome)
}

/// Why a job is not done: what it finds forbids it, and nothing was written yet; or the database does not work.
enum Halt {
    Fault(Fault),
    Broken(rusqlite::Error),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<rusqlite::Error> for Halt {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

/// A job is judged before it writes, so that a refused one has changed nothing.
fn carry_out(db: &Connection, job: &Job) -> Result<Done, Halt> {
    match job {
        Job::Attend { user, most, follows_all, recovery, most_missed } => {
            let attended = attend::attend(db, user, *most, *follows_all, recovery.as_ref(), *most_missed)?;
            Ok(Done::Attended(Box::new(attended)))
        }
        Job::SetStatus { user, is_online } => people::set_status(db, *user, *is_online).map(noted),
        Job::Follow { pid, room, is_in, at } => attend::follow(db, pid, *room, *is_in, *at).map(noted),
        Job::Forget { pid } => attend::forget(db, pid).map(noted),
        Job::ListChats { user, most } => chats::list(db, *user, *most).map(Done::Chats),
        Job::CreateUser { name, at } => people::create(db, name, *at).map(Done::User),
        Job::FindUser { user } => people::find(db, *user).map(Done::User),
        Job::ListUsers => people::list(db).map(Done::Users),
        Job::RenameUser { user, name } => people::rename(db, *user, name).map(Done::User),
        Job::DeleteUser { user, at } => people::delete(db, *user, *at).map(Done::User),
        Job::CreateRoom { name, owner, participants, most, at } => {
            let created = rooms::create(db, name, *owner, participants.as_deref(), *most, *at);
            created.map(|(room, participants)| Done::RoomCreated { room, participants })
        }
        Job::FindRoom { room, reader } => rooms::find_for(db, *room, *reader).map(Done::Room),
        Job::RenameRoom { room, name, by } => rooms::rename(db, *room, name, *by).map(Done::Room),
        Job::DeleteRoom { room, by } => rooms::delete(db, *room, *by).map(Done::RoomDeleted),
        Job::Append(draft) => said::append(db, draft).map(Done::Appended),
        Job::ReadMessages { room, reader, page } => said::read(db, *room, *reader, *page),
        Job::ReadMissed { room, since, most } => missed::read(db, *room, *since, *most),
        Job::EditMessage { message, text, by, at } => changes::edit(db, *message, text, *by, *at),
        Job::DeleteMessage { message, by, at } => changes::delete(db, *message, *by, *at),
        Job::React { message, user, emoji, is_removed, reach, at } => {
            changes::react(db, *message, *user, emoji, *is_removed, reach, *at)
        }
        Job::Confirm { message, user, reach, counts_own, at } => {
            changes::confirm(db, *message, *user, reach, *counts_own, *at)
        }
        Job::ListReaders { message, reach } => changes::readers(db, *message, reach),
    }
}

fn noted(_: ()) -> Done {
    Done::Noted
}

fn run(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(|_| ())
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
