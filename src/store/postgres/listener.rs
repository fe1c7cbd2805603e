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
    /// Transactions before this one have ended, and what they wrote was seen. Nothing before the first look.
    horizon: Option<i64>,
    /// What later ones wrote and was seen.
    seen: BTreeSet<Written>,
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

/// Starts the thread. It ends when `store` is gone, or nobody wants to know more.
pub(super) fn start(target: &Arc<Target>, store: Weak<()>, tell: Tell) -> io::Result<()> {
    let (target, db) = (Arc::clone(target), Connection::to(target));
    let mut listener = Listener { target, db, tell, horizon: None, seen: BTreeSet::new() };
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
        let horizon = schema::number(&mut self.db, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")?;
        let mut new = self.find_written(self.horizon.unwrap_or(horizon))?;
        new.retain(|written| !self.seen.contains(written));
        new.sort_by_key(|written| written.what);
        // What was there before the first look is no news.
        let is_first = self.horizon.is_none();
        for part in new.chunks(PART).filter(|_| !is_first) {
            self.db.set_deadline(Instant::now() + PATIENCE);
            for outside in self.read(part)? {
                if !(self.tell)(outside) {
                    return Ok(false);
                }
            }
            self.seen.extend(part);
        }
        self.seen.extend(new);
        self.seen.retain(|written| written.transaction >= horizon);
        self.target.doubts.forget_before(horizon);
        self.horizon = Some(horizon);
        Ok(true)
    }

    /// The rows that others have written since that transaction; and our own that were written though we had to say that
    /// they were not.
    fn find_written(&mut self, since: i64) -> Held<Vec<Written>> {
        let mut found = Vec::new();
        let target = Arc::clone(&self.target);
        let values = [since.into(), target.node.as_str().into()];
        let sql = "SELECT txid, id FROM messages WHERE txid >= ?1 AND node IS DISTINCT FROM ?2";
        self.find(sql, &values, |id| Id::Message(MessageId(id)), &mut found)?;
        let sql = "SELECT txid, id FROM message_changes WHERE txid >= ?1 AND node IS DISTINCT FROM ?2";
        self.find(sql, &values, |id| Id::Change(ChangeId(id)), &mut found)?;
        for transaction in target.doubts.all() {
            let (values, messages) = ([transaction.into()], "SELECT txid, id FROM messages WHERE txid = ?1");
            self.find(messages, &values, |id| Id::Message(MessageId(id)), &mut found)?;
            let changes = "SELECT txid, id FROM message_changes WHERE txid = ?1";
            self.find(changes, &values, |id| Id::Change(ChangeId(id)), &mut found)?;
        }
        Ok(found)
    }

    fn find(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        what: impl Fn(i64) -> Id,
        found: &mut Vec<Written>,
    ) -> Held<()> {
        self.db.ask(sql, values, |row| {
            found.push(Written { transaction: row.integer(0)?, what: what(row.integer(1)?) });
            Ok(ControlFlow::Continue(()))
        })
    }

    fn read(&mut self, part: &[Written]) -> Held<Vec<Outside>> {
        let (mut messages, mut changes) = (Vec::new(), Vec::new());
        for written in part {
            match written.what {
                Id::Message(id) => messages.push(id),
                Id::Change(id) => changes.push(id),
            }
        }
        let mut told = outside::said(&mut self.db, &messages)?;
        told.extend(outside::changed(&mut self.db, &changes)?);
        Ok(told)
    }
}
