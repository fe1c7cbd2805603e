//! Private rooms: the one of two users, and the list of those in which somebody takes part.

use rusqlite::{Connection, params};

use super::{Halt, rooms, rows, said};
use crate::hub::job::{ChatRecord, Fault, RoomRecord, UserRecord};
use crate::id::{RoomId, UserId};
use crate::timestamp::Timestamp;

/// The private room of two users, for the one who wants to say something. It is nobody's own, so that neither can rename
/// or delete it.
pub(super) fn find_or_make_direct(
    db: &Connection,
    author: &UserRecord,
    to: &UserRecord,
    at: Timestamp,
) -> Result<RoomRecord, Halt> {
    let (low, high) = if author.id <= to.id { (author, to) } else { (to, author) };
    let sql = concat!(
        "SELECT ",
        rows::room_columns!(),
        " FROM direct_chats d JOIN chats c ON c.id = d.chat_id WHERE d.low_user = ?1 AND d.high_user = ?2"
    );
    if let Some(room) = rows::first(db, sql, [low.id.0, high.id.0], rows::room)? {
        // Another program may have shut somebody out.
        let may = rooms::takes_part(db, room.id, Some(author.id))?;
        return if may { Ok(room) } else { Err(Fault::NoSuchRoom.into()) };
    }
    let room = rooms::insert(db, &direct_name(low, high), true, None, at)?;
    rooms::take_in(db, room.id, &[low.clone(), high.clone()], at)?;
    let sql = "INSERT INTO direct_chats (low_user, high_user, chat_id) VALUES (?1, ?2, ?3)";
    rows::change(db, sql, [low.id.0, high.id.0, room.id.0])?;
    Ok(RoomRecord { direct: Some(Box::new([low.uuid, high.uuid])), ..room })
}

/// What the private room of two is called.
pub(super) fn direct_name(one: &UserRecord, other: &UserRecord) -> String {
    if one.id == other.id { one.name.clone() } else { format!("{} and {}", one.name, other.name) }
}

/// To whom alone that user speaks in that room, if it is the private one of two.
pub(super) fn find_other(db: &Connection, room: RoomId, user: UserId) -> rusqlite::Result<Option<UserRecord>> {
    let sql = "SELECT o.id, o.uuid, o.username FROM direct_chats d JOIN users o ON o.id = \
               CASE ?2 WHEN d.low_user THEN d.high_user WHEN d.high_user THEN d.low_user END WHERE d.chat_id = ?1";
    rows::first(db, sql, [room.0, user.0], rows::user)
}

/// A private room, when it was last used, and until when a participant has read there.
pub(super) struct Participation {
    pub(super) room: RoomRecord,
    updated_at: Timestamp,
    /// As it is written; empty if they have read nothing.
    read_until: String,
}

/// Where a user takes part, the most recently used rooms first.
pub(super) fn participations(db: &Connection, user: UserId, most: usize) -> rusqlite::Result<Vec<Participation>> {
    let sql = concat!(
        "SELECT ",
        rows::room_columns!(),
        ", c.updated_at, p.last_read_at FROM chat_participants p JOIN chats c ON c.id = p.chat_id \
         WHERE p.user_id = ?1 AND c.is_private ORDER BY c.updated_at DESC, c.id DESC LIMIT ?2"
    );
    let mut statement = db.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let found = statement.query_map([user.0, most], |row| {
        Ok(Participation { room: rows::room(row)?, updated_at: rows::time(row, 6)?, read_until: rows::text(row, 7)? })
    })?;
    found.collect()
}

pub(super) fn list(db: &Connection, user: UserId, most: usize) -> Result<Vec<ChatRecord>, Halt> {
    let chat = |Participation { room, updated_at, read_until }| {
        let unread = count_unread(db, room.id, user, &read_until)?;
        let last = said::last(db, room.id, user)?;
        Ok(ChatRecord { room, updated_at, unread, last })
    };
    participations(db, user, most)?.into_iter().map(chat).collect()
}

/// How many messages of others came after that time.
fn count_unread(db: &Connection, room: RoomId, user: UserId, after: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM messages WHERE chat_id = ?1 AND created_date > ?2 \
               AND sender_id <> (SELECT uuid FROM users WHERE id = ?3) COLLATE NOCASE";
    db.prepare_cached(sql)?.query_row(params![room.0, after, user.0], |row| rows::count(row, 0))
}
