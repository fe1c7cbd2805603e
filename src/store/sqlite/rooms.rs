//! The jobs about rooms. Whether a room is not there or not theirs, who asks is told the same.

use rusqlite::{Connection, params};

use super::{Halt, people, rows};
use crate::hub::job::{Fault, RoomRecord, UserRecord};
use crate::id::{Reference, RoomId, UserId};
use crate::timestamp::Timestamp;

/// All open rooms, the oldest first.
pub(super) fn list_open(db: &Connection) -> rusqlite::Result<Vec<RoomRecord>> {
    let sql = concat!("SELECT ", rows::room_columns!(), " FROM chats c WHERE NOT is_private ORDER BY id");
    db.prepare(sql)?.query_map([], rows::room)?.collect()
}

/// A room, for whoever it is.
pub(super) fn find(db: &Connection, room: Reference) -> Result<RoomRecord, Halt> {
    let found = match room {
        Reference::Number(id) => {
            let sql = concat!("SELECT ", rows::room_columns!(), " FROM chats c WHERE id = ?1");
            rows::first(db, sql, [id], rows::room)?
        }
        Reference::Uuid(uuid) => {
            let sql = concat!("SELECT ", rows::room_columns!(), " FROM chats c WHERE uuid = ?1");
            rows::first(db, sql, [uuid.to_string()], rows::room)?
        }
    };
    found.ok_or(Fault::NoSuchRoom.into())
}

/// A room that is open, or in which they take part.
pub(super) fn find_for(db: &Connection, room: Reference, reader: Option<UserId>) -> Result<RoomRecord, Halt> {
    let room = find(db, room)?;
    if !room.is_private || takes_part(db, room.id, reader)? { Ok(room) } else { Err(Fault::NoSuchRoom.into()) }
}

/// Whether that user takes part in a private room; nobody takes part in none.
pub(super) fn takes_part(db: &Connection, room: RoomId, user: Option<UserId>) -> rusqlite::Result<bool> {
    let Some(user) = user else { return Ok(false) };
    let sql = "SELECT 1 FROM chat_participants WHERE chat_id = ?1 AND user_id = ?2";
    rows::exists(db, sql, [room.0, user.0])
}

/// The room, and who takes part if it is private.
pub(super) fn create(
    db: &Connection,
    name: &str,
    owner: Reference,
    participants: Option<&[Reference]>,
    most: usize,
    at: Timestamp,
) -> Result<(RoomRecord, Vec<UserRecord>), Halt> {
    let owner = people::find(db, owner)?;
    let owned: i64 = rows::first(db, "SELECT count(*) FROM chats WHERE owner_id = ?1", [owner.id.0], |row| row.get(0))?
        .unwrap_or_default();
    let id = owner.id;
    let Some(others) = participants else {
        check_number(owned, most)?;
        check_free(db, name, None)?;
        return Ok((insert(db, name, false, Some(id), at)?, Vec::new()));
    };
    // All of them before the first row is written.
    let mut users = vec![owner];
    for other in others {
        let other = people::find(db, *other)?;
        if !users.contains(&other) {
            users.push(other);
        }
    }
    check_number(owned, most)?;
    let room = insert(db, name, true, Some(id), at)?;
    take_in(db, room.id, &users, at)?;
    Ok((room, users))
}

fn check_number(owned: i64, most: usize) -> Result<(), Halt> {
    let is_less = usize::try_from(owned).is_ok_and(|owned| owned < most);
    if is_less { Ok(()) } else { Err(Fault::TooMany.into()) }
}

/// Writes the row of a room.
pub(super) fn insert(
    db: &Connection,
    name: &str,
    is_private: bool,
    owner: Option<UserId>,
    at: Timestamp,
) -> rusqlite::Result<RoomRecord> {
    let sql = "INSERT INTO chats (name, is_private, owner_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4) \
               RETURNING id, uuid, name, owner_id, is_private, NULL";
    let owner = owner.map(|user| user.0);
    db.prepare_cached(sql)?.query_row(params![name, is_private, owner, at.to_string()], rows::room)
}

/// Has them take part in a private room.
pub(super) fn take_in(db: &Connection, room: RoomId, users: &[UserRecord], at: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO chat_participants (chat_id, user_id, joined_at) VALUES (?1, ?2, ?3)";
    users.iter().try_for_each(|user| rows::change(db, sql, params![room.0, user.id.0, at.to_string()]).map(drop))
}

pub(super) fn rename(db: &Connection, room: Reference, name: &str, by: Option<UserId>) -> Result<RoomRecord, Halt> {
    let room = find_owned(db, room, by)?;
    if !room.is_private {
        check_free(db, name, Some(room.id))?;
    }
    rows::change(db, "UPDATE chats SET name = ?2 WHERE id = ?1", params![room.id.0, name])?;
    Ok(RoomRecord { name: name.to_owned(), ..room })
}

/// What was said there goes with it.
pub(super) fn delete(db: &Connection, room: Reference, by: Option<UserId>) -> Result<RoomId, Halt> {
    let id = find_owned(db, room, by)?.id;
    rows::change(db, "DELETE FROM chats WHERE id = ?1", [id.0])?;
    Ok(id)
}

/// A room that is theirs to change. The lobby is nobody's.
fn find_owned(db: &Connection, room: Reference, by: Option<UserId>) -> Result<RoomRecord, Halt> {
    let room = find(db, room)?;
    let is_theirs = by.is_none_or(|user| room.owner == Some(user));
    if is_theirs && room.id != RoomId::LOBBY { Ok(room) } else { Err(Fault::NoSuchRoom.into()) }
}

fn check_free(db: &Connection, name: &str, but_for: Option<RoomId>) -> Result<(), Halt> {
    let sql = "SELECT 1 FROM chats WHERE name = ?1 AND NOT is_private AND id IS NOT ?2";
    let is_taken = rows::exists(db, sql, params![name, but_for.map(|id| id.0)])?;
    if is_taken { Err(Fault::NameTaken.into()) } else { Ok(()) }
}
