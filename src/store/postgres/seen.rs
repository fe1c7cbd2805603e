//! How far what other programs write has been told.
//!
//! Ids and times say nothing of the order in which transactions end, so what was seen is remembered as a snapshot of
//! PostgreSQL's: it says of each transaction whether it had ended. A look finds the rows of those that have ended since the
//! last one. It is made on the store's connection, among the jobs, so what is found is told in its turn: whoever comes
//! back later and reads what was missed is shown it, and whoever came before is told.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::super::sql::{Database, Held, Looked, Row, Trouble, Value, Written};
use super::driver::Connection;
use crate::id::{ChangeId, MessageId};

/// How many rows are told at once: of texts as long as ours may be, half of what may be owed to somebody.
const PART: usize = 32;

/// The rows of a table that others have written, and whose transactions have ended between two snapshots.
macro_rules! since {
    ($table:literal) => {
        concat!(
            "SELECT id FROM ",
            $table,
            " WHERE txid >= pg_snapshot_xmin(CAST(?1 AS pg_snapshot))::text::bigint \
             AND NOT pg_visible_in_snapshot(txid::text::xid8, CAST(?1 AS pg_snapshot)) \
             AND pg_visible_in_snapshot(txid::text::xid8, CAST(?2 AS pg_snapshot)) AND (node IS NULL OR node <> ?3)"
        )
    };
}
/// What others have written, as far as it was looked for.
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// What had ended by then was found. As PostgreSQL writes it; empty before the first look.
    snapshot: String,
    /// Found, and still to be told.
    waiting: VecDeque<Written>,
    /// Transactions of our own that were in doubt, and were looked for.
    pub(super) settled: Vec<i64>,
}

impl Seen {
    /// All that is there by now: it is no news.
    pub(super) fn so_far(db: &mut Connection) -> Held<Self> {
        Ok(Self { snapshot: snapshot(db)?, ..Self::default() })
    }

    /// Looks for more when all is told: for what programs have written that are no nodes, and nodes other than `but`, if
    /// there is one.
    pub(super) fn look(&mut self, db: &mut Connection, but: Option<&str>, doubted: &[i64]) -> Held<Looked> {
        self.settled.clear();
        if self.waiting.is_empty() {
            self.find(db, but, doubted)?;
        }
        let written = self.waiting.drain(..self.waiting.len().min(PART)).collect();
        Ok(Looked { written, has_more: !self.waiting.is_empty(), has_settled: !self.settled.is_empty() })
    }

    fn find(&mut self, db: &mut Connection, but: Option<&str>, doubted: &[i64]) -> Held<()> {
        let now = snapshot(db)?;
        let last = std::mem::replace(&mut self.snapshot, now);
        if last.is_empty() {
            return Ok(());
        }
        let values = [last.as_str().into(), self.snapshot.as_str().into(), but.into()];
        let (mut messages, mut changes) =
            (ids(db, since!("messages"), &values)?, ids(db, since!("message_changes"), &values)?);
        for &transaction in doubted {
            if has_ended(db, transaction, &self.snapshot)? {
                messages.extend(ids(db, "SELECT id FROM messages WHERE txid = ?1", &[transaction.into()])?);
                changes.extend(ids(db, "SELECT id FROM message_changes WHERE txid = ?1", &[transaction.into()])?);
                self.settled.push(transaction);
            }
        }
        messages.sort_unstable();
        changes.sort_unstable();
        self.waiting.extend(messages.into_iter().map(|id| Written::Message(MessageId(id))));
        self.waiting.extend(changes.into_iter().map(|id| Written::Change(ChangeId(id))));
        Ok(())
    }

    /// Has the statements of this transaction that are about what is told leave out the rest.
    pub(super) fn hide_rest(&self, db: &mut Connection) -> Held<()> {
        let (mut messages, mut changes) = (Vec::new(), Vec::new());
        for written in &self.waiting {
            match written {
                Written::Message(id) => messages.push(id.to_string()),
                Written::Change(id) => changes.push(id.to_string()),
            }
        }
        let (messages, changes) = (messages.join(","), changes.join(","));
        // Where nobody looks, everything is told.
        let snapshot = if self.snapshot.is_empty() { snapshot(db)? } else { self.snapshot.clone() };
        let sql = "SELECT set_config('roomcast.seen', ?1, true), set_config('roomcast.waiting_messages', ?2, true), \
                   set_config('roomcast.waiting_changes', ?3, true)";
        db.ask(sql, &[(&snapshot).into(), (&messages).into(), (&changes).into()], |_| Ok(ControlFlow::Continue(())))
    }
}

/// What statements say of others' rows in comments, in words: where `/*AND m told*/` stands, that a message was found and
/// does not wait, or is none that is looked for; where `NULL /*of m*/` stands, the transaction in which another node has
/// written it. Changes are called `x`. With an order, what nodes write is not looked for.
pub(super) fn with_others(sql: &str, has_order: bool) -> String {
    let mut text = sql.to_owned();
    for (table, waiting) in [("m", "roomcast.waiting_messages"), ("x", "roomcast.waiting_changes")] {
        let whose = if has_order { "IS NOT NULL" } else { "= current_setting('roomcast.node')" };
        let told = format!(
            " AND ({table}.node {whose} \
             OR pg_visible_in_snapshot({table}.txid::text::xid8, current_setting('roomcast.seen')::pg_snapshot) \
             AND {table}.id <> ALL (string_to_array(current_setting('{waiting}'), ',')::bigint[]))"
        );
        let foreign = format!("CASE WHEN {table}.node <> current_setting('roomcast.node') THEN {table}.txid END");
        let foreign = if has_order { &foreign } else { "NULL" };
        text = text.replace(&format!("/*AND {table} told*/"), &told);
        text = text.replace(&format!("NULL /*of {table}*/"), foreign);
    }
    text
}

fn snapshot(db: &mut Connection) -> Held<String> {
    let mut snapshot = None;
    db.ask("SELECT pg_current_snapshot()::text", &[], |row| {
        snapshot = Some(row.text(0)?);
        Ok(ControlFlow::Break(()))
    })?;
    snapshot.ok_or(Trouble::TABLES)
}

fn has_ended(db: &mut Connection, transaction: i64, snapshot: &str) -> Held<bool> {
    let mut has_ended = false;
    let sql = "SELECT pg_visible_in_snapshot(CAST(?1 AS text)::xid8, CAST(?2 AS pg_snapshot))";
    db.ask(sql, &[transaction.into(), snapshot.into()], |row| {
        has_ended = row.boolean(0)?;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(has_ended)
}

fn ids(db: &mut Connection, sql: &'static str, values: &[Value<'_>]) -> Held<Vec<i64>> {
    let mut ids = Vec::new();
    db.ask(sql, values, |row| {
        ids.push(row.integer(0)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ids)
}
