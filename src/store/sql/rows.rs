//! Short words for asking, and the records that several jobs read.

use std::ops::ControlFlow;

use super::{Database, Held, Row, Value};
use crate::hub::job::{RoomRecord, UserRecord};
use crate::id::{RoomId, UserId};
use crate::timestamp::Timestamp;

/// The first row, if there is one.
pub(super) fn first<D: Database, T>(
    db: &mut D,
    sql: &'static str,
    values: &[Value<'_>],
    read: impl Fn(&D::Row<'_>) -> Held<T>,
) -> Held<Option<T>> {
    let mut found = None;
    db.ask(sql, values, |row| {
        found = Some(read(row)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// All rows.
pub(super) fn all<D: Database, T>(
    db: &mut D,
    sql: &'static str,
    values: &[Value<'_>],
    read: impl Fn(&D::Row<'_>) -> Held<T>,
) -> Held<Vec<T>> {
    let mut found = Vec::new();
    db.ask(sql, values, |row| {
        found.push(read(row)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Whether there is a row.
pub(super) fn exists<D: Database>(db: &mut D, sql: &'static str, values: &[Value<'_>]) -> Held<bool> {
    first(db, sql, values, |_| Ok(())).map(|found| found.is_some())
}

/// Reads `id, uuid, username`.
pub(super) fn user(row: &impl Row) -> Held<UserRecord> {
    Ok(UserRecord { id: UserId(row.integer(0)?), uuid: row.uuid(1)?, name: row.text(2)? })
}

/// The columns of [`room`], of the row of `chats` that is called `c`.
macro_rules! room_columns {
    () => {
        "c.id, c.uuid, c.name, c.owner_id, c.is_private, \
         (SELECT CAST(l.uuid AS TEXT) || ' ' || CAST(h.uuid AS TEXT) FROM direct_chats d \
         JOIN users l ON l.id = d.low_user JOIN users h ON h.id = d.high_user WHERE d.chat_id = c.id)"
    };
}
pub(super) use room_columns;

/// Reads [`room_columns`].
pub(super) fn room(row: &impl Row) -> Held<RoomRecord> {
    Ok(RoomRecord {
        id: RoomId(row.integer(0)?),
        uuid: row.uuid(1)?,
        name: row.text(2)?,
        owner: row.optional(3, Row::integer)?.map(UserId),
        is_private: row.boolean(4)?,
        direct: row.optional(5, Row::text)?.and_then(|pair| {
            let (low, high) = pair.split_once(' ')?;
            Some(Box::new([low.parse().ok()?, high.parse().ok()?]))
        }),
    })
}

/// The time of the newest message: the last by the index of times, or the one with the greatest id, whichever is later.
pub(crate) fn last_time(db: &mut impl Database) -> Held<Timestamp> {
    let by_time = "SELECT created_date FROM messages ORDER BY created_date DESC LIMIT 1";
    let by_id = "SELECT created_date FROM messages ORDER BY id DESC LIMIT 1";
    let by_time = first(db, by_time, &[], |row| row.time(0))?.unwrap_or_default();
    Ok(first(db, by_id, &[], |row| row.time(0))?.unwrap_or_default().max(by_time))
}
