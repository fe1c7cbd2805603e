//! The jobs about what becomes of messages after they were said: they are changed, deleted, reacted to and read. Each
//! such change is noted in a journal, from which those hear of it who were away.

use super::database::values;
use super::{DELETED_USER, Database, Halt, Held, Row, Trouble, people, rooms, rows};
use crate::hub::job::{Change, ChangeRecord, Done, Fault, Former, Reach, Reader};
use crate::id::{ChangeId, MessageId, Reference, RoomId, RoomIds, UserId};
use crate::timestamp::Timestamp;

/// Where a message is, and who said it.
struct Found {
    room: RoomIds,
    is_private: bool,
    owner: Option<UserId>,
    /// If it was a registered user.
    author: Option<UserId>,
    was: Former,
}

fn find(db: &mut impl Database, message: MessageId) -> Result<Found, Halt> {
    let sql = "SELECT c.id, c.uuid, c.is_private, c.owner_id, u.id, \
               m.sender_id, m.created_date, m.content, m.file FROM messages m JOIN chats c ON c.id = m.chat_id \
               LEFT JOIN users u ON u.uuid = m.sender_id WHERE m.id = ?1";
    let found = rows::first(db, sql, &values![message], |row| {
        let (owner, author) = (row.optional(3, Row::integer)?, row.optional(4, Row::integer)?);
        let room = RoomIds { id: RoomId(row.integer(0)?), uuid: row.uuid(1)? };
        let (owner, author, was) = (owner.map(UserId), author.map(UserId), former(row, 5)?);
        Ok(Found { room, is_private: row.boolean(2)?, owner, author, was })
    })?;
    found.ok_or(Fault::NoSuchMessage.into())
}

fn find_in(db: &mut impl Database, message: MessageId, reach: &Reach, user: Option<UserId>) -> Result<Found, Halt> {
    let found = find(db, message)?;
    let room = found.room.id;
    let is_visible = match reach {
        Reach::Visible => !found.is_private || rooms::takes_part(db, room, user)?,
        Reach::Rooms(rooms) => rooms.contains(&room),
        Reach::RoomsAndOwn(rooms) => rooms.contains(&room) || (found.is_private && rooms::takes_part(db, room, user)?),
    };
    if is_visible { Ok(found) } else { Err(Fault::NoSuchMessage.into()) }
}

/// The message in the four columns from that one on.
fn former(row: &impl Row, column: usize) -> Held<Former> {
    Ok(Former {
        sender: row.uuid(column)?,
        at: row.time(column + 1)?,
        text: row.text(column + 2)?,
        file: row.optional(column + 3, Row::text)?,
    })
}

/// Writes into the journal.
fn note(
    db: &mut impl Database,
    message: MessageId,
    room: RoomIds,
    user: Option<UserId>,
    kind: &str,
    emoji: Option<&str>,
    at: Timestamp,
) -> Held<ChangeId> {
    let sql = "INSERT INTO message_changes (message_id, chat_id, user_id, kind, emoji, changed_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let change = db.insert(sql, &[values![message, room.id, user, kind, emoji, at]])?.pop();
    change.map(ChangeId).ok_or(Trouble::REFUSED)
}

pub(super) fn edit(
    db: &mut impl Database,
    message: MessageId,
    text: &str,
    by: Option<UserId>,
    at: Timestamp,
) -> Result<Done, Halt> {
    // Who may not write there any more can't change there what they wrote.
    let Found { room, author, was, .. } = match by {
        Some(_) => find_in(db, message, &Reach::Visible, by)?,
        None => find(db, message)?,
    };
    if by.is_some() && author != by {
        return Err(Fault::NoSuchMessage.into());
    }
    let sql = "UPDATE messages SET content = ?2, edited_at = ?3 WHERE id = ?1";
    // Another program may have deleted it meanwhile.
    if db.change(sql, &values![message, text, at])? == 0 {
        return Err(Fault::NoSuchMessage.into());
    }
    let change = note(db, message, room, by, "edited", None, at)?;
    Ok(Done::Edited { message, room, at, was: Some(was), change, order: None })
}

pub(super) fn delete(
    db: &mut impl Database,
    message: MessageId,
    by: Option<UserId>,
    at: Timestamp,
) -> Result<Done, Halt> {
    let Found { room, author, owner, was, .. } = find(db, message)?;
    if by.is_some_and(|_| author != by && owner != by) {
        return Err(Fault::NoSuchMessage.into());
    }
    // Another program may have been quicker.
    if db.change("DELETE FROM messages WHERE id = ?1", &values![message])? == 0 {
        return Err(Fault::NoSuchMessage.into());
    }
    let change = note(db, message, room, by, "deleted", None, at)?;
    Ok(Done::MessageDeleted { message, room, was: Some(was), change, order: None })
}

pub(super) fn react(
    db: &mut impl Database,
    message: MessageId,
    user: UserId,
    emoji: &str,
    is_removed: bool,
    reach: &Reach,
    at: Timestamp,
) -> Result<Done, Halt> {
    let user = people::find(db, user.into())?.id;
    let room = find_in(db, message, reach, Some(user))?.room;
    let count = if is_removed {
        let sql = "DELETE FROM message_reactions WHERE message_id = ?1 AND user_id = ?2 AND emoji = ?3";
        db.change(sql, &values![message, user, emoji])?
    } else {
        let sql = "INSERT INTO message_reactions (message_id, user_id, emoji, reacted_at) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO NOTHING";
        db.change(sql, &values![message, user, emoji, at])?
    };
    let kind = if is_removed { "unreacted" } else { "reacted" };
    let change = match count {
        0 => None,
        _ => Some(note(db, message, room, Some(user), kind, Some(emoji), at)?),
    };
    Ok(Done::Reacted { message, room, change, order: None })
}

pub(super) fn confirm<D: Database>(
    db: &mut D,
    message: MessageId,
    user: Reference,
    reach: &Reach,
    counts_own: bool,
    at: Timestamp,
) -> Result<Done, Halt> {
    let user = people::find(db, user)?;
    let Found { room, author, .. } = find_in(db, message, reach, Some(user.id))?;
    let is_new = (counts_own || author != Some(user.id)) && {
        let sql = "INSERT INTO message_reads (message_id, user_id, read_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        db.change(sql, &values![message, user.id, at])? > 0
    };
    let mut change = None;
    if is_new {
        move_forward(db, message, room.id, user.id)?;
        change = Some(note(db, message, room, Some(user.id), "confirmed", None, at)?);
    }
    let sql = "SELECT count(*), min(CASE WHEN user_id = ?2 THEN read_at END) FROM message_reads WHERE message_id = ?1";
    let read = |row: &D::Row<'_>| Ok((row.count(0)?, row.optional(1, Row::time)?));
    let (read_by, first) = rows::first(db, sql, &values![message, user.id], read)?.ok_or(Trouble::TABLES)?;
    let (user, user_uuid, at) = (user.id, user.uuid, first.unwrap_or(at));
    Ok(Done::Confirmed { message, room, user, user_uuid, author, at, read_by, change, order: None })
}

/// A participant has read up to a message: to the time at which it was said, so that none that came later is passed over.
fn move_forward(db: &mut impl Database, message: MessageId, room: RoomId, user: UserId) -> Held<()> {
    let sql = "SELECT created_date FROM messages WHERE id = ?1";
    let Some(said_at) = rows::first(db, sql, &values![message], |row| row.time(0))? else { return Ok(()) };
    let sql = "UPDATE chat_participants SET last_read_at = ?3 \
               WHERE chat_id = ?1 AND user_id = ?2 AND (last_read_at IS NULL OR last_read_at < ?3)";
    db.change(sql, &values![room, user, said_at]).map(drop)
}

pub(super) fn readers(db: &mut impl Database, message: MessageId, reach: &Reach) -> Result<Done, Halt> {
    find_in(db, message, reach, None)?;
    let sql = "SELECT u.id, CASE WHEN u.deleted_at IS NOT NULL THEN ?2 ELSE u.username END, r.read_at \
               FROM message_reads r JOIN users u ON u.id = r.user_id WHERE r.message_id = ?1 ORDER BY r.read_at, u.id";
    let readers = rows::all(db, sql, &values![message, DELETED_USER], |row| {
        Ok(Reader { user: UserId(row.integer(0)?), name: row.text(1)?, at: row.time(2)? })
    })?;
    Ok(Done::Readers { message, readers })
}

/// Whether the journal has everything after that change, up to the last one.
pub(super) fn reaches_back_to(db: &mut impl Database, since: ChangeId, last: ChangeId) -> Held<bool> {
    let sql = "SELECT min(id) FROM message_changes";
    let first = rows::first(db, sql, &[], |row| row.optional(0, Row::integer))?.flatten();
    // Only its beginning is ever cut off, apart from what went with a room.
    Ok(since == last || first.is_some_and(|first| first <= since.0.saturating_add(1)))
}

/// The columns of [`change`]. Of messages that are gone it is only told that they are.
macro_rules! changes {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.uuid, u.username, x.id, x.message_id, x.changed_at, x.kind, x.emoji, \
             CASE x.kind WHEN 'confirmed' \
             THEN (SELECT count(*) FROM message_reads r WHERE r.message_id = x.message_id) ELSE 0 END, \
             m.id, m.sender_id, m.created_date, m.content, m.file, c.id, c.uuid, a.id, NULL /*of x*/ \
             FROM message_changes x JOIN chats c ON c.id = x.chat_id LEFT JOIN users u ON u.id = x.user_id \
             LEFT JOIN messages m ON m.id = x.message_id LEFT JOIN users a ON a.uuid = m.sender_id /*, each*/ \
             WHERE (x.kind = 'deleted' OR m.id IS NOT NULL) AND ",
            $rest
        )
    };
}

fn change(row: &impl Row) -> Held<(ChangeId, ChangeRecord)> {
    let what = match row.text(6)?.as_str() {
        "edited" => Change::Edited(row.text(12)?),
        "deleted" => Change::Deleted,
        "confirmed" => {
            Change::Confirmed { read_by: row.count(8)?, author: row.optional(16, Row::integer)?.map(UserId) }
        }
        kind => Change::Reacted { emoji: row.text(7)?, is_removed: kind == "unreacted" },
    };
    let (user, at) = (row.optional(0, |row, _| rows::user(row))?, row.time(5)?);
    let was = row.optional(9, |row, column| former(row, column + 1))?;
    let message = MessageId(row.integer(4)?);
    let room = RoomIds { id: RoomId(row.integer(14)?), uuid: row.uuid(15)? };
    let transaction = row.optional(17, Row::integer)?;
    Ok((ChangeId(row.integer(3)?), ChangeRecord { message, room, user, at, what, was, transaction }))
}

/// What has become of a room's messages after that change, oldest first, at most so much, and whether there is more.
pub(super) fn part_after(
    db: &mut impl Database,
    room: RoomId,
    after: ChangeId,
    most: usize,
) -> Held<(Vec<(ChangeId, ChangeRecord)>, bool)> {
    let sql = changes!("x.chat_id = ?1 AND x.id > ?2 /*AND x told*/ ORDER BY x.id LIMIT ?3");
    let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
    let mut changes = rows::all(db, sql, &values![room, after, limit], |row| change(row))?;
    let has_more = changes.len() > most;
    changes.truncate(most);
    Ok((changes, has_more))
}

/// Those changes, as far as they can be told, in no order.
pub(super) fn find_all(db: &mut impl Database, changes: &[ChangeId]) -> Held<Vec<(ChangeId, ChangeRecord)>> {
    let ids: Vec<_> = changes.iter().map(|id| values![*id]).collect();
    let mut found = Vec::with_capacity(ids.len());
    db.each(changes!("x.id = ?1"), &ids, |row| {
        found.push(change(row)?);
        Ok(())
    })?;
    Ok(found)
}
