//! What is kept: users, durable rooms, messages, and who has read them.
//!
//! A [`Store`] does the hub's jobs, and may block. It lives on a thread of its own, behind a [`Handle`] that never does:
//! a bounded queue towards it, a list of outcomes back, and a call that wakes the loop. Which store it is, the URL says:
//! [`open`] has the table.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "rest")]
pub mod rest;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stats;
mod worker;

use std::sync::Arc;
#[cfg(feature = "rest")]
use std::time::Duration;

use crate::config::Durability;
use crate::hub::job::{Job, Outcome, RoomRecord};
use crate::id::{Mark, NodeId, Position, RoomId, Uuid};
use crate::timestamp::Timestamp;
pub use stats::Stats;
pub use worker::{Handle, Settings};

/// What users are called who have been deleted.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "rest"))]
const DELETED_USER: &str = "deleted user";

/// A page of messages ends before the message with which its texts would pass this many bytes, however many it may have.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "rest"))]
const PAGE_BYTES: usize = 128 * 1024;

/// How the store of a scheme is opened.
type Open = fn(&Url<'_>, &Options<'_>) -> Result<Opened, OpenError>;

/// The schemes of URLs, and how their stores are opened: not at all, if the build goes without.
static STORES: &[(&str, Option<Open>)] = &[
    #[cfg(feature = "sqlite")]
    ("sqlite", Some(sqlite::open)),
    #[cfg(not(feature = "sqlite"))]
    ("sqlite", None),
    ("postgres", POSTGRES),
    ("postgresql", POSTGRES),
    #[cfg(feature = "rest")]
    ("https", Some(|url, options| rest::open(url.whole, options.key, CALL_TIME))),
    #[cfg(not(feature = "rest"))]
    ("https", None),
    #[cfg(feature = "rest")]
    ("http", Some(|url, options| rest::open(url.whole, options.key, CALL_TIME))),
    #[cfg(not(feature = "rest"))]
    ("http", None),
];

#[cfg(feature = "postgres")]
const POSTGRES: Option<Open> = Some(postgres::open);
#[cfg(not(feature = "postgres"))]
const POSTGRES: Option<Open> = None;

/// How long another server has for what it is asked at the same time.
#[cfg(feature = "rest")]
const CALL_TIME: Duration = Duration::from_secs(4);

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Its schema is made or brought up to date; else it is only checked.
    pub migrate: bool,
    /// How much a commit promises.
    pub durability: Durability,
    /// Shown to a store that is another server, unless it is empty.
    pub key: &'a str,
    /// This process is one of several nodes that are one chat, and that is its name.
    pub node: Option<NodeId>,
}

/// Opens the store of that URL, once.
pub fn open(url: &str, options: &Options<'_>) -> Result<Opened, OpenError> {
    // What the URL begins with is not repeated either: in a mistyped one it may be anything.
    let parts = Url::split(url).ok_or_else(|| OpenError::lasting(unknown()))?;
    match STORES.iter().find(|(scheme, _)| *scheme == parts.scheme) {
        Some((_, Some(open))) => open(&parts, options),
        Some((scheme, None)) => Err(OpenError::lasting(format!("this build goes without the store for {scheme} URLs"))),
        None => Err(OpenError::lasting(unknown())),
    }
}

fn unknown() -> String {
    let known: Vec<String> = STORES.iter().map(|(scheme, _)| format!("{scheme}:")).collect();
    format!("the database URL must begin with {}", known.join(" or "))
}

/// A URL in its parts, such as `sqlite+aiosqlite:///path`. The driver is for another program; but its URLs differ in what
/// a path means.
#[cfg_attr(
    not(all(feature = "sqlite", feature = "rest")),
    allow(dead_code, reason = "a build without stores looks at the scheme alone")
)]
struct Url<'a> {
    whole: &'a str,
    scheme: String,
    has_driver: bool,
    /// What is behind the first colon.
    rest: &'a str,
}

impl<'a> Url<'a> {
    fn split(url: &'a str) -> Option<Self> {
        let (whole, (scheme, rest)) = (url, url.split_once(':')?);
        let (scheme, driver) = scheme.split_once('+').map_or((scheme, None), |(scheme, driver)| (scheme, Some(driver)));
        Some(Self { whole, scheme: scheme.to_ascii_lowercase(), has_driver: driver.is_some(), rest })
    }
}

/// A place where things are kept for good.
pub trait Store: Send {
    /// Does the jobs in their order. What they write is written in one transaction: when this returns, it is either
    /// stored for good, all of it that has an `Ok`, or not at all. Yields one outcome for each job, in the same order.
    ///
    /// It takes no longer than a few seconds, whatever the disk or the network does; then the jobs have failed with
    /// [`crate::hub::job::Fault::Unavailable`]. A store that has failed mends itself: it tries anew with the next jobs.
    fn carry_out(&mut self, jobs: &[Job]) -> Vec<Outcome>;

    /// A server begins to serve with it: what is kept for a while only may go if its time is over. If no other server is
    /// there, nobody is here yet. A program that merely uses the store for a moment does not call this. A sentence says why
    /// it could not be done; everything else works all the same.
    fn begin(&mut self, _is_alone: bool) -> Result<(), String> {
        Ok(())
    }

    /// Tells whether it would work, by a short look: nothing, or a sentence that says what is wrong.
    fn check(&mut self) -> Result<(), String>;

    /// From now on, `poke` is called when other programs may have written something: then [`Job::Look`] finds it. Called
    /// once, before the first jobs; a store that can't know of others never pokes.
    fn watch(&mut self, _poke: Poke) {}

    /// Tells of the calls that it makes to another server, if that is what it does.
    fn calls(&self) -> Option<Arc<dyn Calls>> {
        None
    }
}

/// Says that it is worth while to look; false when nobody wants to know any more.
pub type Poke = Box<dyn Fn() -> bool + Send>;

/// Counters of calls, which may be read while the store is at work on its own thread.
pub trait Calls: Send + Sync {
    /// What there is to tell, by endpoint.
    fn stats(&self) -> Vec<CallStats>;
}

/// How the calls of one endpoint went.
#[derive(Clone, PartialEq, Debug)]
pub struct CallStats {
    /// Such as `GET /rooms`.
    pub endpoint: String,
    /// How many were not answered, or with an error that is the other server's own.
    pub failures: u64,
    /// How long all took together, in seconds.
    pub seconds: f64,
    /// The upper bounds of the histogram's buckets in seconds, and how many are in each; the last is for all that took
    /// longer.
    pub buckets: Vec<(f64, u64)>,
}

/// A store that is ready, and what the hub starts from.
pub struct Opened {
    /// The store.
    pub store: Box<dyn Store>,
    /// The open rooms, the oldest first; the lobby is among them.
    pub rooms: Vec<RoomRecord>,
    /// The time of the newest message, so that later ones get later times whatever the system's clock says.
    pub last: Timestamp,
    /// How far it is, if that is known.
    pub mark: Option<Mark>,
    /// How far the order is in which several nodes write. Nothing: this store has no such order, or was opened for a server
    /// that is no node.
    pub position: Option<Position>,
    /// What it is, for the operator: a few words, no password.
    pub description: String,
}

impl Opened {
    /// What tells this store from others: nodes that are one chat have the same. Nothing, if there is no lobby.
    pub fn identity(&self) -> Option<Uuid> {
        self.rooms.iter().find(|room| room.id == RoomId::LOBBY).map(|lobby| lobby.uuid)
    }
}

/// Why a store could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// One sentence, no password.
    pub sentence: String,
    /// It may work if it is tried again a little later: the database is locked, the server not up yet.
    pub is_passing: bool,
    /// It would do with `migrate`: there is nothing yet, or what is there is of an older version.
    pub lacks_migration: bool,
}

impl OpenError {
    /// Trying again is of no use.
    fn lasting(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), is_passing: false, lacks_migration: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_of_a_store_is_not_repeated() {
        for url in ["", "roomcast.db", "hunter2:", "mysql://root:hunter2@host/db", ":hunter2@host", "Sqlite"] {
            let options = Options { migrate: true, durability: Durability::Full, key: "", node: None };
            let error = open(url, &options).err().unwrap();
            assert_eq!(
                error.sentence,
                "the database URL must begin with sqlite: or postgres: or postgresql: or https: or http:",
                "{url}"
            );
            assert!(!error.is_passing);
        }
    }

    #[test]
    fn the_driver_of_a_url_is_told_from_its_scheme() {
        let url = Url::split("SQLite+aiosqlite:///chat.db").unwrap();
        assert_eq!((url.scheme.as_str(), url.has_driver, url.rest), ("sqlite", true, "///chat.db"));
        let url = Url::split("sqlite::memory:").unwrap();
        assert_eq!((url.scheme.as_str(), url.has_driver, url.rest), ("sqlite", false, ":memory:"));
    }
}
