//! The jobs about users.

use std::collections::{HashMap, HashSet};

use super::database::values;
use super::{DELETED_USER, Database, Halt, Held, Row, Trouble, rows};
use crate::hub::job::{Fault, UserRecord};
use crate::id::{Reference, UserId};
use crate::timestamp::Timestamp;

const BY_ID: &str = "SELECT id, uuid, username FROM users /*, each*/ WHERE id = ?1 AND deleted_at IS NULL";
const BY_UUID: &str = "SELECT id, uuid, username FROM users /*, each*/ WHERE uuid = ?1 AND deleted_at IS NULL";

/// A user who is not deleted.
pub(super) fn find(db: &mut impl Database, user: Reference) -> Result<UserRecord, Halt> {
    let found = match user {
        Reference::Number(id) => rows::first(db, BY_ID, &values![id], |row| rows::user(row))?,
        Reference::Uuid(uuid) => rows::first(db, BY_UUID, &values![uuid], |row| rows::user(row))?,
    };
    found.ok_or(Fault::NoSuchUser.into())
}

/// Of these users those who are not deleted.
pub(super) fn find_all(
    db: &mut impl Database,
    users: impl IntoIterator<Item = Reference>,
) -> Held<HashMap<Reference, UserRecord>> {
    let (mut ids, mut uuids, mut found) = (Vec::new(), Vec::new(), HashMap::new());
    for user in users.into_iter().collect::<HashSet<_>>() {
        match user {
            Reference::Number(id) => ids.push(values![id]),
            Reference::Uuid(uuid) => uuids.push(values![uuid]),
        }
    }
    db.each(BY_ID, &ids, |row| {
        let user = rows::user(row)?;
        found.insert(user.id.into(), user);
        Ok(())
    })?;
    db.each(BY_UUID, &uuids, |row| {
        let user = rows::user(row)?;
        found.insert(Reference::Uuid(user.uuid), user);
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn find_by_name(db: &mut impl Database, name: &str) -> Result<UserRecord, Halt> {
    let sql = "SELECT id, uuid, username FROM users WHERE username = ?1 AND deleted_at IS NULL";
    rows::first(db, sql, &values![name], |row| rows::user(row))?.ok_or(Fault::NoSuchUser.into())
}

/// A user, or the tombstone of one.
pub(super) fn find_even_deleted(db: &mut impl Database, user: UserId) -> Held<Option<UserRecord>> {
    rows::first(db, "SELECT id, uuid, username FROM users WHERE id = ?1", &values![user], |row| rows::user(row))
}

/// Who is not there any more has no status.
pub(super) fn set_status(db: &mut impl Database, user: UserId, is_online: bool) -> Result<(), Halt> {
    let status = if is_online { "online" } else { "offline" };
    let sql = "UPDATE users SET status = ?2 WHERE id = ?1 AND deleted_at IS NULL AND status <> ?2";
    db.change(sql, &values![user, status])?;
    Ok(())
}

/// A part of those who are online, in the order of their ids.
pub(super) fn list_online(db: &mut impl Database, after: UserId, most: usize) -> Result<Vec<UserId>, Halt> {
    let sql = "SELECT id FROM users WHERE id > ?1 AND status <> 'offline' AND deleted_at IS NULL ORDER BY id LIMIT ?2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    Ok(rows::all(db, sql, &values![after, most], |row| row.integer(0).map(UserId))?)
}

pub(super) fn create(db: &mut impl Database, name: &str, at: Timestamp) -> Result<UserRecord, Halt> {
    check_free(db, name, None)?;
    let sql = "INSERT INTO users (username, created_at) VALUES (?1, ?2) RETURNING id, uuid, username";
    let created = rows::first(db, sql, &values![name, at], |row| rows::user(row))?;
    created.ok_or(Trouble::REFUSED.into())
}

pub(super) fn list(db: &mut impl Database) -> Result<Vec<UserRecord>, Halt> {
    let sql = "SELECT id, uuid, username FROM users WHERE deleted_at IS NULL ORDER BY id";
    Ok(rows::all(db, sql, &[], |row| rows::user(row))?)
}

pub(super) fn rename(db: &mut impl Database, user: Reference, name: &str) -> Result<UserRecord, Halt> {
    let user = find(db, user)?;
    check_free(db, name, Some(user.id))?;
    db.change("UPDATE users SET username = ?2 WHERE id = ?1", &values![user.id, name])?;
    Ok(UserRecord { name: name.to_owned(), ..user })
}

/// The row stays, for the id and for what they said. The name goes, from the row too.
pub(super) fn delete(db: &mut impl Database, user: Reference, at: Timestamp) -> Result<UserRecord, Halt> {
    let user = find(db, user)?;
    let sql = "UPDATE users SET username = ?2, status = 'offline', deleted_at = ?3 WHERE id = ?1";
    db.change(sql, &values![user.id, DELETED_USER, at])?;
    db.change("DELETE FROM chat_participants WHERE user_id = ?1", &values![user.id])?;
    Ok(user)
}

fn check_free(db: &mut impl Database, name: &str, but_for: Option<UserId>) -> Result<(), Halt> {
    let sql = "SELECT 1 FROM users WHERE username = ?1 AND deleted_at IS NULL AND id IS DISTINCT FROM ?2";
    let is_taken = rows::exists(db, sql, &values![name, but_for])?;
    if is_taken { Err(Fault::NameTaken.into()) } else { Ok(()) }
}
