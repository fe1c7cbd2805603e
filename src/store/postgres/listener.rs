//! The listener: on a connection of its own it finds what other programs write, and tells it once.
//!
//! What is new is always read from the tables; a notification only says that it is worth while to look, and now and then
//! that is done without one. So nothing is missed while there is no connection, or when a notification is lost. Ids and
//! times say nothing of the order in which transactions end, so what was seen is remembered by transaction: all that
//! began before the *horizon* had ended when we looked last, and of those that began later we know what we have seen.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::super::Tell;
use super::super::sql::{Database, Held, Row, Value, outside};
use super::driver::Connection;
use super::target::Target;
use super::{PATIENCE, schema};
use crate::hub::job::Outside;
use crate::id::{ChangeId, MessageId};

/// How often it looks, notified or not.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long it waits before it connects again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// How many rows are in memory at once.
const PART: usize = 256;

struct Listener {
    target: Arc<Target>,
    db: Connection,
    tell: Tell,
    /// Nothing before the first look, if that was not possible beforehand.
    seen: Option<Seen>,
}

/// What others have written, as far as it was seen.
#[derive(Default)]
pub(super) struct Seen {
    /// Transactions before this one have ended, and what they wrote was seen.
    horizon: i64,
    /// What later ones wrote and was seen.
    later: BTreeSet<Written>,
}

impl Seen {
    /// All that is there by now: it is no news.
    pub(super) fn so_far(db: &mut Connection, target: &Target) -> Held<Self> {
        let horizon = horizon(db)?;
        let later = find_written(db, target, horizon, &[])?.into_iter().collect();
        Ok(Self { horizon, later })
    }
}

/// A row that others have written, by its transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Written {
    transaction: i64,
    what: Id,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Id {
    Message(MessageId),
    Change(ChangeId),
}

/// Starts the thread, which tells what is not in `seen`. It ends when `store` is gone, or nobody wants to know more.
pub(super) fn start(target: &Arc<Target>, store: Weak<()>, seen: Option<Seen>, tell: Tell) -> io::Result<()> {
    let (target, db) = (Arc::clone(target), Connection::to(target));
    let mut listener = Listener { target, db, tell, seen };
    thread::Builder::new().name("listener".into()).spawn(move || {
        let mut pause = FIRST_PAUSE;
        while store.strong_count() > 0 {
            match listener.listen(&store, &mut pause) {
                Ok(()) => return,
                Err(trouble) => log::debug!("no connection to listen on: {}", trouble.sentence),
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LAST_PAUSE);
        }
    })?;
    Ok(())
}

impl Listener {
    /// Listens until the connection is lost, which is an error, or it is not needed any more.
    fn listen(&mut self, store: &Weak<()>, pause: &mut Duration) -> Held<()> {
        self.db.set_deadline(Instant::now() + PATIENCE);
        self.db.connect()?;
        // Before the first look: of what ends behind that we are notified.
        self.db.run("LISTEN roomcast")?;
        while store.strong_count() > 0 {
            if !self.look()? {
                return Ok(());
            }
            *pause = FIRST_PAUSE;
            self.db.set_deadline(Instant::now() + PATIENCE);
            self.db.wait_for_others(&self.target.node, Instant::now() + LOOK_EVERY)?;
        }
        Ok(())
    }

    /// Tells what is new. False if nobody wants to know more.
    fn look(&mut self) -> Held<bool> {
        self.db.set_deadline(Instant::now() + PATIENCE);
        let Some(Seen { horizon: since, later: seen }) = &mut self.seen else {
            self.seen = Some(Seen::so_far(&mut self.db, &self.target)?);
            return Ok(true);
        };
        let doubted = self.target.doubts.all();
        let horizon = horizon(&mut self.db)?;
        let mut new = find_written(&mut self.db, &self.target, *since, &doubted)?;
        new.retain(|written| !seen.contains(written));
        new.sort_by_key(|written| written.what);
        for part in new.chunks(PART) {
            self.db.set_deadline(Instant::now() + PATIENCE);
            for outside in read(&mut self.db, part)? {
                if !(self.tell)(outside) {
                    return Ok(false);
                }
            }
            seen.extend(part);
        }
        seen.retain(|written| written.transaction >= horizon);
        let ended: Vec<_> = doubted.into_iter().filter(|transaction| *transaction < horizon).collect();
        self.target.doubts.forget(&ended);
        *since = horizon;
        Ok(true)
    }
}

/// The first transaction that has not ended, or the next one.
fn horizon(db: &mut Connection) -> Held<i64> {
    schema::number(db, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
}

/// The rows that others have written since that transaction; and our own that were written though we had to say that
/// they were not.
fn find_written(db: &mut Connection, target: &Target, since: i64, doubted: &[i64]) -> Held<Vec<Written>> {
    let mut found = Vec::new();
    let values = [since.into(), target.node.as_str().into()];
    let sql = "SELECT txid, id FROM messages WHERE txid >= ?1 AND node IS DISTINCT FROM ?2";
    find(db, sql, &values, |id| Id::Message(MessageId(id)), &mut found)?;
    let sql = "SELECT txid, id FROM message_changes WHERE txid >= ?1 AND node IS DISTINCT FROM ?2";
    find(db, sql, &values, |id| Id::Change(ChangeId(id)), &mut found)?;
    for &transaction in doubted {
        let (values, messages) = ([transaction.into()], "SELECT txid, id FROM messages WHERE txid = ?1");
        find(db, messages, &values, |id| Id::Message(MessageId(id)), &mut found)?;
        let changes = "SELECT txid, id FROM message_changes WHERE txid = ?1";
        find(db, changes, &values, |id| Id::Change(ChangeId(id)), &mut found)?;
    }
    Ok(found)
}

fn find(
    db: &mut Connection,
    sql: &'static str,
    values: &[Value<'_>],
    what: impl Fn(i64) -> Id,
    found: &mut Vec<Written>,
) -> Held<()> {
    db.ask(sql, values, |row| {
        found.push(Written { transaction: row.integer(0)?, what: what(row.integer(1)?) });
        Ok(ControlFlow::Continue(()))
    })
}

fn read(db: &mut Connection, part: &[Written]) -> Held<Vec<Outside>> {
    let (mut messages, mut changes) = (Vec::new(), Vec::new());
    for written in part {
        match written.what {
            Id::Message(id) => messages.push(id),
            Id::Change(id) => changes.push(id),
        }
    }
    let mut told = outside::said(db, &messages)?;
    told.extend(outside::changed(db, &changes)?);
    Ok(told)
}
