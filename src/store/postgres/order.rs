//! The one order in which several nodes tell what they say and change.
//!
//! A transaction that has something to tell takes a lock before anything else, and a place before it ends. So such
//! transactions come one after the other: their numbers have no gap, and their ids, and those of what they write, ascend with
//! the numbers. A row in the table would not do for the lock: whoever locks a row is given the transaction's id first.
//!
//! A node that is stopped in between loses its transaction after [`IDLE`], so that it holds up nobody.

use std::ops::ControlFlow;
use std::time::Duration;

use super::super::sql::{Concerned, Database, Gap, Held, Row, Trouble, Value, Written};
use super::driver::Connection;
use super::schema;
use crate::id::{ChangeId, Mark, MessageId, Position};

/// The highest ids that were ever given are noted: as long as nobody else has the lock, no other node is about to write one
/// of them.
macro_rules! given {
    () => {
        "message_id = coalesce(pg_sequence_last_value(pg_get_serial_sequence('messages', 'id')), 0), \
         change_id = coalesce(pg_sequence_last_value(pg_get_serial_sequence('message_changes', 'id')), 0)"
    };
}

/// Takes what lies ahead of this server back before all.
macro_rules! set_back {
    ($table:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET txid = 0 WHERE txid >= (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint); "
        )
    };
}

/// How long a transaction may have nothing to do. Others wait a little longer for the lock.
pub(super) const IDLE: Duration = Duration::from_secs(1);

/// Each statement has to see what those who had the lock have left. The lock's number is any, but always this one.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(7662117468)";

/// Asks for the highest ids that were ever given by a node or are there. The sequences' own are ahead of that: they have been
/// given to a node that is still writing, and whoever has heard so far has not heard those.
pub(super) const MARK: &str = "SELECT greatest(message_id, (SELECT max(id) FROM messages)), \
                               greatest(change_id, (SELECT max(id) FROM message_changes)) FROM roomcast_order";

/// Takes the next place.
pub(super) fn take_place(db: &mut Connection) -> Held<Position> {
    let sql = concat!(
        "UPDATE roomcast_order SET number = number + 1, txid = pg_current_xact_id()::text::bigint, ",
        given!(),
        " RETURNING number, txid, message_id, change_id"
    );
    read(db, sql)
}

/// How far it is, for a node that begins: all that has ended by now is no news, whoever wrote it. In a transaction that has
/// the lock.
pub(super) fn now(db: &mut Connection) -> Held<Position> {
    let is_ahead = "SELECT count(*) FROM roomcast_order WHERE pg_snapshot_xmax(pg_current_snapshot())::text::bigint <= \
                    greatest(txid, (SELECT txid FROM messages ORDER BY id DESC LIMIT 1), \
                    (SELECT txid FROM message_changes ORDER BY id DESC LIMIT 1))";
    if schema::number(db, is_ahead)? > 0 {
        db.run(SET_BACK)?;
    }
    let sql = concat!(
        "UPDATE roomcast_order SET ",
        given!(),
        " RETURNING number, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1, message_id, change_id"
    );
    read(db, sql)
}

/// What was restored from a server that had come further would be news once this one comes so far. With many rows that takes
/// its time, once.
const SET_BACK: &str = concat!(
    "SET LOCAL statement_timeout = 0; ",
    set_back!("messages"),
    set_back!("message_changes"),
    set_back!("roomcast_order")
);

/// What other nodes have written after `since`. The limit is on the transactions: the last comes whole.
const MISSED: &str = "WITH concerned AS MATERIALIZED (\
         SELECT unnest(string_to_array(?1, ',')::bigint[]) AS id UNION \
         SELECT p.chat_id FROM chat_participants p JOIN chats c ON c.id = p.chat_id \
         WHERE c.is_private AND p.user_id = ANY (string_to_array(?2, ',')::bigint[]) \
     ) SELECT * FROM (\
         SELECT m.txid, false, m.id FROM messages m WHERE m.txid > ?3 AND m.txid <= ?4 \
             AND m.node <> current_setting('roomcast.node') AND m.chat_id IN (SELECT id FROM concerned) \
         UNION ALL \
         SELECT x.txid, true, x.id FROM message_changes x WHERE x.txid > ?3 AND x.txid <= ?4 \
             AND x.node <> current_setting('roomcast.node') AND (x.chat_id IN (SELECT id FROM concerned) \
             OR x.kind = 'confirmed' AND EXISTS (SELECT 1 FROM messages m JOIN users a ON a.uuid = m.sender_id \
                 WHERE m.id = x.message_id AND a.id = ANY (string_to_array(?2, ',')::bigint[]))) \
         ORDER BY 1 FETCH FIRST ?5 ROWS WITH TIES\
     ) AS part ORDER BY 1, 2, 3";

/// Yields a part; that may be nothing, though there is more.
pub(super) fn look_back(db: &mut Connection, whom: &Concerned<'_>, since: Position, most: usize) -> Held<Gap> {
    // First of all: whatever ends while it is looked has a later place.
    let last = read(db, "SELECT number, txid, message_id, change_id FROM roomcast_order")?;
    if since.transaction >= last.transaction {
        return Ok(Gap::none(last.max(since)));
    }
    let upto = stretch(db, since.transaction, last.transaction)?;
    let (rooms, users) = (list(whom.rooms), list(whom.users));
    let limit = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let values: [Value<'_>; 5] =
        [(&rooms).into(), (&users).into(), since.transaction.into(), upto.into(), limit.into()];
    let mut written = Vec::new();
    db.ask(MISSED, &values, |row| {
        let id = row.integer(2)?;
        let what = if row.boolean(1)? { Written::Change(ChangeId(id)) } else { Written::Message(MessageId(id)) };
        written.push((row.integer(0)?, what));
        Ok(ControlFlow::Continue(()))
    })?;
    let end = written.last().map_or(upto, |(transaction, _)| if written.len() < most { upto } else { *transaction });
    let has_more = end < last.transaction;
    let position = if has_more { Position { transaction: end, ..since } } else { last.max(since) };
    Ok(Gap { written, position, has_more })
}

/// Up to which transaction it is looked at once: however much was written, and however little of it concerns anybody, that
/// takes no longer than a job may.
fn stretch(db: &mut Connection, since: i64, last: i64) -> Held<i64> {
    let sql = "SELECT least(?2, (SELECT txid FROM messages WHERE txid > ?1 ORDER BY txid OFFSET 10000 LIMIT 1), \
               (SELECT txid FROM message_changes WHERE txid > ?1 ORDER BY txid OFFSET 10000 LIMIT 1))";
    let mut end = last;
    db.ask(sql, &[since.into(), last.into()], |row| {
        end = row.integer(0)?;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(end)
}

/// Ids, as an array's text has them.
fn list(ids: &[impl ToString]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn read(db: &mut Connection, sql: &'static str) -> Held<Position> {
    let mut found = None;
    db.ask(sql, &[], |row| {
        let mark = Mark { message: MessageId(row.integer(2)?), change: ChangeId(row.integer(3)?) };
        found = Some(Position { number: row.count(0)?, transaction: row.integer(1)?, mark });
        Ok(ControlFlow::Break(()))
    })?;
    found.ok_or(Trouble::TABLES)
}
