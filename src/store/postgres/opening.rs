//! Opening a database at the start, and saying clearly why it can't be opened. The operator has named the server, so
//! these sentences name it too; the password they never show.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres::Error;
use postgres::error::SqlState;

use super::super::sql::{self, Access, Remedy, Start, Trouble};
use super::super::{OpenError, Opened, Options, Url};
use super::driver::Connection;
use super::session::Session;
use super::{Postgres, Target, schema, trouble};
use crate::id::RoomId;

/// How long a server may take to answer at all, and then to be migrated, which with many messages takes its time.
const ANSWER: Duration = Duration::from_secs(5);
const MIGRATION: Duration = Duration::from_secs(60 * 60);

const FOREIGN: &str = "holds other tables than those of this program";

/// Opens what a URL of the schemes `postgres` and `postgresql` names.
pub(in super::super) fn open(url: &Url<'_>, options: &Options<'_>) -> Result<Opened, OpenError> {
    let (target, migrate) = (Arc::new(Target::parse(url, options)?), options.migrate);
    let about = |failure: Failure| failure.about(&target.name);
    let threads = Arc::default();
    let session = Session::start(Connection::to(&target), &threads)
        .map_err(|error| OpenError::lasting(format!("no thread can be started: {error}")))?;
    let silent = || passing("does not answer");
    let server = Arc::clone(&target);
    let connected = session.run(Instant::now() + ANSWER, move |db| connect(db, &server));
    connected.unwrap_or_else(|| Err(silent())).map_err(about)?;
    let prepared = session.run(Instant::now() + MIGRATION, move |db| prepare(db, migrate));
    let start = prepared.unwrap_or_else(|| Err(silent())).map_err(about)?;
    let description = target.name.clone();
    let store = Box::new(Postgres { target, session: Some(session), threads, pause: None });
    Ok(start.with(store, description))
}

/// Why a database can't be used: the rest of a sentence that begins with its name.
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

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Some(code) = error.code() else {
            // What stands behind it is the system's sentence, or that of TLS.
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            let is_passing = error.source().is_some_and(|source| {
                source
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|error| error.kind() != std::io::ErrorKind::InvalidData)
            });
            let rest = format!("can't be reached: {cause}");
            return Self { rest, is_passing, lacks_migration: false };
        };
        match *code {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                lasting("refuses the user, the password, or this host")
            }
            SqlState::INVALID_CATALOG_NAME => lasting("does not exist"),
            SqlState::CANNOT_CONNECT_NOW => passing("is just starting or stopping"),
            SqlState::TOO_MANY_CONNECTIONS => passing("has too many connections"),
            _ => Trouble::from(error).into(),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::TABLES | Trouble::REFUSED => lasting(FOREIGN),
            Trouble::READ_ONLY => lasting("can't be written to"),
            trouble::DENIED => lasting("denies this user what is needed"),
            trouble::LOST | trouble::SLOW => passing(format!("can't be used: {}", trouble.sentence)),
            Trouble { sentence, remedy } => {
                let is_passing = matches!(remedy, Remedy::Wait | Remedy::Repeat);
                Self { rest: format!("can't be used: {sentence}"), is_passing, lacks_migration: false }
            }
        }
    }
}

fn connect(db: &mut Connection, target: &Target) -> Result<(), Failure> {
    db.take(target.connect()?);
    Ok(())
}

/// Sees to the schema, and reads what the hub starts from.
fn prepare(db: &mut Connection, migrate: bool) -> Result<Start, Failure> {
    let wrong = "SELECT count(*) FROM pg_database WHERE datname = current_database() \
                 AND pg_encoding_to_char(encoding) <> 'UTF8'";
    if schema::number(db, wrong)? > 0 {
        return Err(lasting("has another encoding than UTF8"));
    }
    if schema::number(db, "SELECT CAST(current_setting('server_version_num') AS BIGINT)")? < OLDEST {
        return Err(lasting("is on a server older than PostgreSQL 13"));
    }
    see_to_schema(db, migrate)?;
    // As of one moment in the order that nodes share.
    let start = sql::enclosed(db, Access::Tell, Start::read)?;
    if start.rooms.first().is_none_or(|room| room.id != RoomId::LOBBY) {
        return Err(lasting("has no lobby: the row 1 of chats is missing or private"));
    }
    Ok(start)
}

/// The first with UUIDs and numbers of transactions as the schema needs them.
const OLDEST: i64 = 130_000;

fn see_to_schema(db: &mut Connection, migrate: bool) -> Result<(), Failure> {
    let latest = schema::latest();
    let Some(version) = schema::version(db)? else { return Err(lasting(FOREIGN)) };
    if version > latest {
        return Err(lasting(format!("has schema version {version}, and this program knows none after {latest}")));
    }
    if version == latest {
        return Ok(());
    }
    if !migrate {
        let rest = format!("has schema version {version} instead of {latest}, and may not be migrated");
        return Err(Failure { rest, is_passing: false, lacks_migration: true });
    }
    Ok(sql::enclosed(db, Access::Write, schema::migrate)?)
}
