//! The jobs about messages: saying, reading, deleting them, and who has read them.

use rusqlite::{Connection, params};

use super::super::{DELETED_USER, PAGE_BYTES};
use super::{Halt, people, rooms, rows};
use crate::hub::job::{Appended, Author, Done, Draft, Fault, MessageRecord, Reader, UserRecord};
use crate::hub::{Page, Place};
use crate::id::{MessageId, Reference, RoomId, UserId, Uuid};
use crate::timestamp::Timestamp;

pub(super) fn append(db: &Connection, draft: &Draft) -> Result<Appended, Halt> {
    let (sender, author, guest) = match &draft.author {
        Author::User(user) => {
            let user = people::find(db, *user)?;
            (user.uuid, Some(user), None)
        }
        Author::Guest { uuid, name } => {
            check_unregistered(db, *uuid)?;
            (*uuid, None, Some(name.as_str()))
        }
    };
    let sender = sender.to_string();
    if let Some(client_id) = &draft.client_id
        && let Some(first) = find_marked(db, &sender, client_id, author.clone())?
    {
        return Ok(first);
    }
    let room = rooms::find_for(db, draft.room, author.as_ref().map(|user| user.id))?.id;
    let at = draft.at.to_string();
    let sql =
        "INSERT INTO messages (content, created_date, sender_id, chat_id, sender_name) VALUES (?1, ?2, ?3, ?4, ?5)";
    rows::change(db, sql, params![draft.text, at, sender, room.0, guest])?;
    let message = MessageId(db.last_insert_rowid());
    // Another program's clock may be ahead.
    rows::change(db, "UPDATE chats SET updated_at = ?2 WHERE id = ?1 AND updated_at < ?2", params![room.0, at])?;
    if let Some(client_id) = &draft.client_id {
        let sql = "INSERT INTO message_marks (sender_id, client_id, message_id, chat_id, created_date) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        rows::change(db, sql, params![sender, client_id, message.0, room.0, at])?;
    }
    Ok(Appended { message, room, author, at: draft.at, is_repeat: false })
}

/// Nobody says something in the name of a registered user by taking their UUID.
fn check_unregistered(db: &Connection, uuid: Uuid) -> Result<(), Halt> {
    let is_taken = rows::exists(db, "SELECT 1 FROM users WHERE uuid = ?1", [uuid.to_string()])?;
    if is_taken { Err(Fault::NameTaken.into()) } else { Ok(()) }
}

/// What the sender was answered when they used that mark before.
fn find_marked(
    db: &Connection,
    sender: &str,
    client_id: &str,
    author: Option<UserRecord>,
) -> rusqlite::Result<Option<Appended>> {
    let sql = "SELECT message_id, chat_id, created_date FROM message_marks WHERE sender_id = ?1 AND client_id = ?2";
    rows::first(db, sql, [sender, client_id], |row| {
        let (message, room) = (MessageId(row.get(0)?), RoomId(row.get(1)?));
        Ok(Appended { message, room, author, at: rows::time(row, 2)?, is_repeat: true })
    })
}

/// The columns of [`message`]; `?2` is the reader, `?3` what a deleted user is called. Users of outside programs have the
/// name that they were given, or one made of their UUID.
macro_rules! messages {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, u.id, m.sender_id, \
             CASE WHEN u.deleted_at IS NOT NULL THEN ?3 \
             ELSE coalesce(u.username, m.sender_name, 'guest-' || substr(m.sender_id, 1, 8)) END, \
             m.content, m.created_date, \
             (SELECT count(*) FROM message_reads r WHERE r.message_id = m.id), \
             EXISTS (SELECT 1 FROM message_reads r WHERE r.message_id = m.id AND r.user_id = ?2) \
             FROM messages m LEFT JOIN users u ON u.uuid = m.sender_id WHERE m.chat_id = ?1 AND ",
            $rest
        )
    };
}

fn message(row: &rusqlite::Row<'_>) -> rusqlite::Result<MessageRecord> {
    let user: Option<i64> = row.get(1)?;
    Ok(MessageRecord {
        id: MessageId(row.get(0)?),
        user: user.map(UserId),
        sender: rows::uuid(row, 2)?,
        username: rows::text(row, 3)?,
        text: rows::text(row, 4)?,
        at: rows::time(row, 5)?,
        read_by: rows::count(row, 6)?,
        read_self: row.get(7)?,
    })
}

pub(super) fn read(db: &Connection, room: Reference, reader: Option<UserId>, page: Page) -> Result<Done, Halt> {
    let room = rooms::find_for(db, room, reader)?.id;
    let (sql, from, is_backwards) = match page.place {
        Place::Newest => (messages!("m.id <= ?4 ORDER BY m.id DESC"), i64::MAX, true),
        Place::Before(message) => (messages!("m.id < ?4 ORDER BY m.id DESC"), message.0, true),
        Place::After(message) => (messages!("m.id > ?4 ORDER BY m.id"), message.0, false),
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(params![room.0, reader.map(|user| user.0), DELETED_USER, from])?;
    let (mut messages, mut bytes, mut has_more) = (Vec::new(), 0, false);
    // The index has the order, so what is not asked for is not looked at either.
    while let Some(row) = found.next()? {
        let message = message(row)?;
        bytes += message.text.len();
        if !messages.is_empty() && (messages.len() >= page.limit || bytes > PAGE_BYTES) {
            has_more = true;
            break;
        }
        messages.push(message);
    }
    if is_backwards {
        messages.reverse();
    }
    Ok(Done::Messages { room, messages, has_more })
}

/// Where a message is, and who said it.
struct Found {
    room: RoomId,
    is_private: bool,
    owner: Option<UserId>,
    /// If it was a registered user.
    author: Option<UserId>,
}

fn find(db: &Connection, message: MessageId) -> Result<Found, Halt> {
    let sql = "SELECT c.id, c.is_private, c.owner_id, u.id FROM messages m JOIN chats c ON c.id = m.chat_id \
               LEFT JOIN users u ON u.uuid = m.sender_id WHERE m.id = ?1";
    let found = rows::first(db, sql, [message.0], |row| {
        let (owner, author): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
        let room = RoomId(row.get(0)?);
        Ok(Found { room, is_private: row.get(1)?, owner: owner.map(UserId), author: author.map(UserId) })
    })?;
    found.ok_or(Fault::NoSuchMessage.into())
}

/// A message in one of those rooms; where none are named, in any open room, or where that user takes part.
fn find_in(db: &Connection, message: MessageId, rooms: Option<&[RoomId]>, user: Option<UserId>) -> Result<Found, Halt> {
    let found = find(db, message)?;
    let is_visible = match rooms {
        Some(rooms) => rooms.contains(&found.room),
        None => !found.is_private || rooms::takes_part(db, found.room, user)?,
    };
    if is_visible { Ok(found) } else { Err(Fault::NoSuchMessage.into()) }
}

pub(super) fn delete(db: &Connection, message: MessageId, by: Option<UserId>) -> Result<Done, Halt> {
    let found = find(db, message)?;
    if by.is_some_and(|_| found.author != by && found.owner != by) {
        return Err(Fault::NoSuchMessage.into());
    }
    rows::change(db, "DELETE FROM messages WHERE id = ?1", [message.0])?;
    Ok(Done::MessageDeleted { message, room: found.room })
}

pub(super) fn confirm(
    db: &Connection,
    message: MessageId,
    user: Reference,
    rooms: Option<&[RoomId]>,
    at: Timestamp,
) -> Result<Done, Halt> {
    let user = people::find(db, user)?.id;
    let found = find_in(db, message, rooms, Some(user))?;
    let sql = "INSERT INTO message_reads (message_id, user_id, read_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let is_new = rows::change(db, sql, params![message.0, user.0, at.to_string()])? > 0;
    if is_new {
        let sql = "UPDATE chat_participants SET last_read_at = ?3 \
                   WHERE chat_id = ?1 AND user_id = ?2 AND (last_read_at IS NULL OR last_read_at < ?3)";
        rows::change(db, sql, params![found.room.0, user.0, at.to_string()])?;
    }
    let sql = "SELECT read_at, (SELECT count(*) FROM message_reads WHERE message_id = ?1) FROM message_reads \
               WHERE message_id = ?1 AND user_id = ?2";
    let (at, read_by) = db
        .prepare_cached(sql)?
        .query_row([message.0, user.0], |row| Ok((rows::time(row, 0)?, rows::count(row, 1)?)))?;
    Ok(Done::Confirmed { message, room: found.room, user, author: found.author, at, read_by, is_new })
}

pub(super) fn readers(db: &Connection, message: MessageId, rooms: Option<&[RoomId]>) -> Result<Done, Halt> {
    find_in(db, message, rooms, None)?;
    let sql = "SELECT u.id, CASE WHEN u.deleted_at IS NOT NULL THEN ?2 ELSE u.username END, r.read_at \
               FROM message_reads r JOIN users u ON u.id = r.user_id WHERE r.message_id = ?1 ORDER BY r.read_at, u.id";
    let mut statement = db.prepare_cached(sql)?;
    let readers = statement.query_map(params![message.0, DELETED_USER], |row| {
        Ok(Reader { user: UserId(row.get(0)?), name: rows::text(row, 1)?, at: rows::time(row, 2)? })
    })?;
    Ok(Done::Readers { message, readers: readers.collect::<rusqlite::Result<_>>()? })
}
