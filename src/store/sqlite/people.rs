//! The jobs about users.

use rusqlite::{Connection, params};

use super::super::DELETED_USER;
use super::{Halt, rows};
use crate::hub::job::{Fault, UserRecord};
use crate::id::{Reference, UserId};
use crate::timestamp::Timestamp;

/// A user who is not deleted.
pub(super) fn find(db: &Connection, user: Reference) -> Result<UserRecord, Halt> {
    let found = match user {
        Reference::Number(id) => {
            let sql = "SELECT id, uuid, username FROM users WHERE id = ?1 AND deleted_at IS NULL";
            rows::first(db, sql, [id], rows::user)?
        }
        Reference::Uuid(uuid) => {
            let sql = "SELECT id, uuid, username FROM users WHERE uuid = ?1 AND deleted_at IS NULL";
            rows::first(db, sql, [uuid.to_string()], rows::user)?
        }
    };
    found.ok_or(Fault::NoSuchUser.into())
}

pub(super) fn find_by_name(db: &Connection, name: &str) -> Result<UserRecord, Halt> {
    let sql = "SELECT id, uuid, username FROM users WHERE username = ?1 AND deleted_at IS NULL";
    rows::first(db, sql, [name], rows::user)?.ok_or(Fault::NoSuchUser.into())
}

/// A user, or the tombstone of one.
pub(super) fn find_even_deleted(db: &Connection, user: UserId) -> rusqlite::Result<Option<UserRecord>> {
    rows::first(db, "SELECT id, uuid, username FROM users WHERE id = ?1", [user.0], rows::user)
}

/// Who is not there any more has no status.
pub(super) fn set_status(db: &Connection, user: UserId, is_online: bool) -> Result<(), Halt> {
    let status = if is_online { "online" } else { "offline" };
    let sql = "UPDATE users SET status = ?2 WHERE id = ?1 AND deleted_at IS NULL AND status <> ?2";
    rows::change(db, sql, params![user.0, status])?;
    Ok(())
}

pub(super) fn create(db: &Connection, name: &str, at: Timestamp) -> Result<UserRecord, Halt> {
    check_free(db, name, None)?;
    let sql = "INSERT INTO users (username, created_at) VALUES (?1, ?2) RETURNING id, uuid, username";
    Ok(db.prepare_cached(sql)?.query_row(params![name, at.to_string()], rows::user)?)
}

pub(super) fn list(db: &Connection) -> Result<Vec<UserRecord>, Halt> {
    let mut statement =
        db.prepare_cached("SELECT id, uuid, username FROM users WHERE deleted_at IS NULL ORDER BY id")?;
    let users = statement.query_map([], rows::user)?;
    Ok(users.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn rename(db: &Connection, user: Reference, name: &str) -> Result<UserRecord, Halt> {
    let user = find(db, user)?;
    check_free(db, name, Some(user.id))?;
    rows::change(db, "UPDATE users SET username = ?2 WHERE id = ?1", params![user.id.0, name])?;
    Ok(UserRecord { name: name.to_owned(), ..user })
}

/// The row stays, for the id and for what they said. The name goes, from the row too.
pub(super) fn delete(db: &Connection, user: Reference, at: Timestamp) -> Result<UserRecord, Halt> {
    let user = find(db, user)?;
    let sql = "UPDATE users SET username = ?2, status = 'offline', deleted_at = ?3 WHERE id = ?1";
    rows::change(db, sql, params![user.id.0, DELETED_USER, at.to_string()])?;
    rows::change(db, "DELETE FROM chat_participants WHERE user_id = ?1", [user.id.0])?;
    Ok(user)
}

fn check_free(db: &Connection, name: &str, but_for: Option<UserId>) -> Result<(), Halt> {
    let sql = "SELECT 1 FROM users WHERE username = ?1 AND deleted_at IS NULL AND id IS NOT ?2";
    let is_taken = rows::exists(db, sql, params![name, but_for.map(|id| id.0)])?;
    if is_taken { Err(Fault::NameTaken.into()) } else { Ok(()) }
}
