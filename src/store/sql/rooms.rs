//! The jobs about rooms. Whether a room is not there or not theirs, who asks is told the same.

use super::database::values;
use super::{Database, Halt, Held, Row, Trouble, people, rows};
use crate::hub::job::{Fault, RoomRecord, UserRecord};
use crate::id::{Reference, RoomId, UserId};
use crate::timestamp::Timestamp;

/// All open rooms, the oldest first.
pub(crate) fn list_open(db: &mut impl Database) -> Held<Vec<RoomRecord>> {
    let sql = concat!("SELECT ", rows::room_columns!(), " FROM chats c WHERE NOT is_private ORDER BY id");
    rows::all(db, sql, &[], |row| rows::room(row))
}

/// A room, for whoever it is.
pub(super) fn find(db: &mut impl Database, room: Reference) -> Result<RoomRecord, Halt> {
    let found = match room {
        Reference::Number(id) => {
            let sql = concat!("SELECT ", rows::room_columns!(), " FROM chats c WHERE id = ?1");
            rows::first(db, sql, &values![id], |row| rows::room(row))?
        }
        Reference::Uuid(uuid) => {
            let sql = concat!("SELECT ", rows::room_columns!(), " FROM chats c WHERE uuid = ?1");
            rows::first(db, sql, &values![uuid], |row| rows::room(row))?
        }
    };
    found.ok_or(Fault::NoSuchRoom.into())
}

/// Those rooms, as far as they are there, in no order.
pub(super) fn find_all(db: &mut impl Database, rooms: impl IntoIterator<Item = RoomId>) -> Held<Vec<RoomRecord>> {
    let sql = concat!("SELECT ", rows::room_columns!(), " FROM chats c /*, each*/ WHERE c.id = ?1");
    let ids: Vec<_> = rooms.into_iter().map(|room| values![room]).collect();
    let mut found = Vec::with_capacity(ids.len());
    db.each(sql, &ids, |row| {
        found.push(rows::room(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// A room that is open, or in which they take part.
pub(super) fn find_for(db: &mut impl Database, room: Reference, reader: Option<UserId>) -> Result<RoomRecord, Halt> {
    let room = find(db, room)?;
    if !room.is_private || takes_part(db, room.id, reader)? { Ok(room) } else { Err(Fault::NoSuchRoom.into()) }
}

/// Whether that user takes part in a private room; nobody takes part in none.
pub(super) fn takes_part(db: &mut impl Database, room: RoomId, user: Option<UserId>) -> Held<bool> {
    let Some(user) = user else { return Ok(false) };
    let sql = "SELECT 1 FROM chat_participants WHERE chat_id = ?1 AND user_id = ?2";
    rows::exists(db, sql, &values![room, user])
}

/// The room, and who takes part if it is private.
pub(super) fn create(
    db: &mut impl Database,
    name: &str,
    owner: Reference,
    participants: Option<&[Reference]>,
    most: usize,
    at: Timestamp,
) -> Result<(RoomRecord, Vec<UserRecord>), Halt> {
    let owner = people::find(db, owner)?;
    let sql = "SELECT count(*) FROM chats WHERE owner_id = ?1";
    let owned = rows::first(db, sql, &values![owner.id], |row| row.count(0))?.unwrap_or_default();
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

fn check_number(owned: u64, most: usize) -> Result<(), Halt> {
    let is_less = usize::try_from(owned).is_ok_and(|owned| owned < most);
    if is_less { Ok(()) } else { Err(Fault::TooMany.into()) }
}

/// Writes the row of a room.
pub(super) fn insert(
    db: &mut impl Database,
    name: &str,
    is_private: bool,
    owner: Option<UserId>,
    at: Timestamp,
) -> Held<RoomRecord> {
    let sql = "INSERT INTO chats (name, is_private, owner_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4) \
               RETURNING id, uuid, name, owner_id, is_private, NULL";
    let made = rows::first(db, sql, &values![name, is_private, owner, at], |row| rows::room(row))?;
    made.ok_or(Trouble::REFUSED)
}

/// Has them take part in a private room.
pub(super) fn take_in(db: &mut impl Database, room: RoomId, users: &[UserRecord], at: Timestamp) -> Held<()> {
    let sql = "INSERT INTO chat_participants (chat_id, user_id, joined_at) VALUES (?1, ?2, ?3) \
               ON CONFLICT DO NOTHING";
    let rows: Vec<_> = users.iter().map(|user| values![room, user.id, at]).collect();
    db.each(sql, &rows, |_| Ok(()))
}

pub(super) fn rename(
    db: &mut impl Database,
    room: Reference,
    name: &str,
    by: Option<UserId>,
) -> Result<RoomRecord, Halt> {
    let room = find_owned(db, room, by)?;
    if !room.is_private {
        check_free(db, name, Some(room.id))?;
    }
    db.change("UPDATE chats SET name = ?2 WHERE id = ?1", &values![room.id, name])?;
    Ok(RoomRecord { name: name.to_owned(), ..room })
}

/// What was said there goes with it.
pub(super) fn delete(db: &mut impl Database, room: Reference, by: Option<UserId>) -> Result<RoomId, Halt> {
    let id = find_owned(db, room, by)?.id;
    db.change("DELETE FROM chats WHERE id = ?1", &values![id])?;
    Ok(id)
}

/// A room that is theirs to change. The lobby is nobody's.
fn find_owned(db: &mut impl Database, room: Reference, by: Option<UserId>) -> Result<RoomRecord, Halt> {
    let room = find(db, room)?;
    let is_theirs = by.is_none_or(|user| room.owner == Some(user));
    if is_theirs && room.id != RoomId::LOBBY { Ok(room) } else { Err(Fault::NoSuchRoom.into()) }
}

fn check_free(db: &mut impl Database, name: &str, but_for: Option<RoomId>) -> Result<(), Halt> {
    let sql = "SELECT 1 FROM chats WHERE name = ?1 AND NOT is_private AND id IS DISTINCT FROM ?2";
    let is_taken = rows::exists(db, sql, &values![name, but_for])?;
    if is_taken { Err(Fault::NameTaken.into()) } else { Ok(()) }
}
