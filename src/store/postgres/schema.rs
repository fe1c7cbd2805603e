//! The tables of PostgreSQL, those of SQLite in its own words, and how older ones become today's. Outside programs may
//! read and write them, so what must hold for all is said here: ids are never used twice, names are unique, the lobby
//! stays.
//!
//! A plain `INSERT INTO messages (content, sender_id) VALUES (…)` is a message to the lobby. A table `messages` with
//! `id`, `content`, `file`, `created_date` and `sender_id` may be there before all others: it is taken over.
//!
//! Two columns tell a listener whose a row is: `txid`, the transaction that wrote it, and `node`, the server that did,
//! which is nobody for other programs.

use super::super::sql::{Database, Held, Row, Trouble};
use super::driver::Connection;

/// The steps from an empty database to today's tables; a database's version is how many of them it has behind it. A step
/// that was released is never changed.
static MIGRATIONS: &[&str] = &[
    concat!(
        include_str!("schema/rooms.sql"),
        include_str!("schema/messages.sql"),
        include_str!("schema/changes.sql"),
        include_str!("schema/listening.sql")
    ),
    include_str!("schema/nodes.sql"),
];

/// The version of today's tables.
pub(super) fn latest() -> usize {
    MIGRATIONS.len()
}

/// The version of a database's tables: 0 while there are none of ours, nothing if it is of no known kind.
pub(super) fn version(db: &mut Connection) -> Held<Option<usize>> {
    // What another server has committed while this one waited for it shows in the catalogue itself, not to functions that
    // look up names.
    let sql = "SELECT count(*) FROM pg_class WHERE relname = 'roomcast_schema' AND pg_table_is_visible(oid)";
    if number(db, sql)? == 0 {
        return Ok(Some(0));
    }
    let version = number(db, "SELECT coalesce(max(version), -1)::bigint FROM roomcast_schema")?;
    Ok(usize::try_from(version).ok())
}

/// A write that changes nothing.
pub(super) fn touch(db: &mut Connection) -> Held<()> {
    db.change("UPDATE roomcast_schema SET version = version", &[]).map(drop)
}

/// Takes the steps that are missing, all in one transaction. Another server that does the same waits for it.
pub(super) fn migrate(db: &mut Connection) -> Held<()> {
    db.run("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")?;
    // Any number, but always this one.
    db.run("SELECT pg_advisory_xact_lock(7662117467)")?;
    let version = version(db)?.unwrap_or(usize::MAX);
    for step in MIGRATIONS.iter().skip(version) {
        db.run(step)?;
    }
    if version < latest() {
        db.run("CREATE TABLE IF NOT EXISTS roomcast_schema (version INTEGER NOT NULL)")?;
        db.run("DELETE FROM roomcast_schema")?;
        let latest = i64::try_from(latest()).unwrap_or(i64::MAX);
        db.change("INSERT INTO roomcast_schema (version) VALUES (CAST(?1 AS INTEGER))", &[latest.into()])?;
    }
    Ok(())
}

pub(super) fn number(db: &mut Connection, sql: &'static str) -> Held<i64> {
    let mut number = None;
    db.ask(sql, &[], |row| {
        number = Some(row.integer(0)?);
        Ok(std::ops::ControlFlow::Break(()))
    })?;
    number.ok_or(Trouble::TABLES)
}
