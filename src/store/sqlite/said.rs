//! The jobs of saying something and of reading what was said. What becomes of messages later is in `changes`.

use rusqlite::{Connection, Row, params};

use super::super::{DELETED_USER, PAGE_BYTES};
use super::{Halt, chats, people, rooms, rows};
use crate::hub::job::{Appended, Author, Direct, Done, Draft, Fault, MessageRecord, RoomRecord, UserRecord};
use crate::hub::{Moment, Page, Place};
use crate::id::{MessageId, Reference, RoomId, RoomIds, Target, UserId, Uuid};

/// What a message is if nobody says otherwise.
const PLAIN: &str = "text";

/// Of more reactions to a message than these, the oldest are shown.
const MOST_REACTIONS: i64 = 64;

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
        && let Some(first) = find_marked(db, &sender, client_id, author.as_ref())?
    {
        return Ok(first);
    }
    let (room, direct) = find_place(db, draft, author.as_ref())?;
    let (at, kind) = (draft.at.to_string(), draft.message_type.as_deref().unwrap_or(PLAIN));
    let sql = "INSERT INTO messages (content, created_date, sender_id, chat_id, sender_name, message_type, file) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    rows::change(db, sql, params![draft.text, at, sender, room.id.0, guest, kind, draft.file])?;
    let message = MessageId(db.last_insert_rowid());
    // Another program's clock may be ahead.
    rows::change(db, "UPDATE chats SET updated_at = ?2 WHERE id = ?1 AND updated_at < ?2", params![room.id.0, at])?;
    if let Some(client_id) = &draft.client_id {
        let sql = "INSERT INTO message_marks \
                   (sender_id, client_id, message_id, chat_id, created_date, chat_uuid, recipient_id) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (uuid, recipient) = (room.uuid.to_string(), direct.as_ref().map(|direct| direct.to.id.0));
        rows::change(db, sql, params![sender, client_id, message.0, room.id.0, at, uuid, recipient])?;
    }
    Ok(Appended { message, room, author, direct, at: draft.at, is_repeat: false })
}

/// Nobody says something in the name of a registered user by taking their UUID.
fn check_unregistered(db: &Connection, uuid: Uuid) -> Result<(), Halt> {
    let is_taken = rows::exists(db, "SELECT 1 FROM users WHERE uuid = ?1", [uuid.to_string()])?;
    if is_taken { Err(Fault::NameTaken.into()) } else { Ok(()) }
}

/// Where it is to be said, and to whom alone, if that is so. The last that may be refused: a room may be made here.
fn find_place(
    db: &Connection,
    draft: &Draft,
    author: Option<&UserRecord>,
) -> Result<(RoomIds, Option<Box<Direct>>), Halt> {
    let (room, to) = match (draft.to, author) {
        (Target::Room(room), author) => {
            let room = rooms::find_for(db, room, author.map(|user| user.id))?;
            let to = match author.filter(|_| room.is_private) {
                Some(author) => chats::find_other(db, room.id, author.id)?,
                None => None,
            };
            (room, to)
        }
        (Target::User(to), Some(author)) => {
            let to = people::find(db, to)?;
            (chats::find_or_make_direct(db, author, &to, draft.at)?, Some(to))
        }
        // A private room has users in it and nobody else.
        (Target::User(_), None) => return Err(Fault::NoSuchUser.into()),
    };
    let ids = room.ids();
    Ok((ids, to.map(|to| Box::new(Direct { room, to }))))
}

/// What the sender was answered when they used that mark before. What is gone since is told as it was.
fn find_marked(
    db: &Connection,
    sender: &str,
    client_id: &str,
    author: Option<&UserRecord>,
) -> Result<Option<Appended>, Halt> {
    let sql = "SELECT message_id, chat_id, chat_uuid, created_date, recipient_id FROM message_marks \
               WHERE sender_id = ?1 AND client_id = ?2";
    let found = rows::first(db, sql, [sender, client_id], |row| {
        let room = RoomIds { id: RoomId(row.get(1)?), uuid: rows::uuid(row, 2)? };
        let at = rows::time(row, 3)?;
        let first = Appended {
            message: MessageId(row.get(0)?),
            room,
            author: author.cloned(),
            direct: None,
            at,
            is_repeat: true,
        };
        Ok((first, row.get::<_, Option<i64>>(4)?))
    })?;
    let Some((mut first, recipient)) = found else { return Ok(None) };
    if let (Some(author), Some(recipient)) = (author, recipient)
        && let Some(to) = people::find_even_deleted(db, UserId(recipient))?
    {
        let room = match rooms::find(db, first.room.id.into()) {
            Err(Halt::Fault(_)) => {
                let RoomIds { id, uuid } = first.room;
                let (name, direct) = (chats::direct_name(author, &to), Some(Box::new([author.uuid, to.uuid])));
                RoomRecord { id, uuid, name, owner: None, is_private: true, direct }
            }
            found => found?,
        };
        first.direct = Some(Box::new(Direct { room, to }));
    }
    Ok(Some(first))
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
             EXISTS (SELECT 1 FROM message_reads r WHERE r.message_id = m.id AND r.user_id = ?2), \
             m.message_type, m.file, m.edited_at, \
             (SELECT o.uuid FROM direct_chats d JOIN users o ON o.id = \
              CASE u.id WHEN d.low_user THEN d.high_user WHEN d.high_user THEN d.low_user END \
              WHERE d.chat_id = m.chat_id) \
             FROM messages m LEFT JOIN users u ON u.uuid = m.sender_id WHERE m.chat_id = ?1 AND ",
            $rest
        )
    };
}

const BACKWARDS_UP_TO: &str = messages!("m.id <= ?4 ORDER BY m.id DESC");
const BACKWARDS_BEFORE: &str = messages!("m.id < ?4 ORDER BY m.id DESC");
const FORWARDS_AFTER: &str = messages!("m.id > ?4 ORDER BY m.id");
const BACKWARDS_EARLIER: &str = messages!("(m.created_date, m.id) < (?5, ?4) ORDER BY m.created_date DESC, m.id DESC");

fn message(db: &Connection, row: &Row<'_>) -> rusqlite::Result<MessageRecord> {
    let (id, user): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
    Ok(MessageRecord {
        id: MessageId(id),
        user: user.map(UserId),
        sender: rows::uuid(row, 2)?,
        username: rows::text(row, 3)?,
        text: rows::text(row, 4)?,
        at: rows::time(row, 5)?,
        read_by: rows::count(row, 6)?,
        read_self: row.get(7)?,
        message_type: rows::text(row, 8)?,
        file: rows::optional(row, 9, rows::text)?,
        edited_at: rows::optional(row, 10, rows::time)?,
        direct_to: rows::optional(row, 11, rows::uuid)?,
        reactions: reactions(db, id)?,
    })
}

fn reactions(db: &Connection, message: i64) -> rusqlite::Result<Vec<(String, u64)>> {
    let sql = "SELECT emoji, count(*) FROM message_reactions WHERE message_id = ?1 \
               GROUP BY emoji ORDER BY min(reacted_at), emoji LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    statement.query_map([message, MOST_REACTIONS], |row| Ok((rows::text(row, 0)?, rows::count(row, 1)?)))?.collect()
}

/// Where a statement begins.
#[derive(Clone, Copy)]
enum From {
    Id(MessageId),
    Moment(Moment),
}

/// The messages of a room from there on, in the order of the statement, as long as they fit behind so many others; and
/// whether there are more.
fn collect(
    db: &Connection,
    sql: &str,
    room: RoomId,
    reader: Option<UserId>,
    from: From,
    mut fits: impl FnMut(usize, &MessageRecord) -> bool,
) -> rusqlite::Result<(Vec<MessageRecord>, bool)> {
    let mut statement = db.prepare_cached(sql)?;
    let reader = reader.map(|user| user.0);
    let mut found = match from {
        From::Id(id) => statement.query(params![room.0, reader, DELETED_USER, id.0])?,
        From::Moment(Moment { at, message }) => {
            statement.query(params![room.0, reader, DELETED_USER, message.0, at.to_string()])?
        }
    };
    let mut messages = Vec::new();
    // The index has the order, so what is not asked for is not looked at either.
    while let Some(row) = found.next()? {
        let message = message(db, row)?;
        if !fits(messages.len(), &message) {
            return Ok((messages, true));
        }
        messages.push(message);
    }
    Ok((messages, false))
}

pub(super) fn read(db: &Connection, room: Reference, reader: Option<UserId>, page: Page) -> Result<Done, Halt> {
    let room = rooms::find_for(db, room, reader)?.ids();
    let (sql, from, is_backwards) = match page.place {
        Place::Newest => (BACKWARDS_UP_TO, From::Id(MessageId(i64::MAX)), true),
        Place::Before(message) => (BACKWARDS_BEFORE, From::Id(message), true),
        Place::After(message) => (FORWARDS_AFTER, From::Id(message), false),
        Place::Earlier(moment) => (BACKWARDS_EARLIER, From::Moment(moment), true),
    };
    let (mut messages, has_more) = collect(db, sql, room.id, reader, from, page_of(page.limit))?;
    if is_backwards {
        messages.reverse();
    }
    Ok(Done::Messages { room, messages, has_more })
}

/// As many as a page may have.
fn page_of(limit: usize) -> impl FnMut(usize, &MessageRecord) -> bool {
    let mut bytes = 0;
    move |count, message| {
        bytes += message.text.len();
        count == 0 || (count < limit && bytes <= PAGE_BYTES)
    }
}

/// What was said in a room after a message, oldest first, as much as a page of so many may have; and whether there is more.
pub(super) fn part_after(
    db: &Connection,
    room: RoomId,
    after: MessageId,
    limit: usize,
) -> rusqlite::Result<(Vec<MessageRecord>, bool)> {
    collect(db, FORWARDS_AFTER, room, None, From::Id(after), page_of(limit))
}

/// What was said in a room last.
pub(super) fn last(db: &Connection, room: RoomId, reader: UserId) -> rusqlite::Result<Option<MessageRecord>> {
    let newest = From::Id(MessageId(i64::MAX));
    let (messages, _) = collect(db, BACKWARDS_UP_TO, room, Some(reader), newest, |count, _| count == 0)?;
    Ok(messages.into_iter().next())
}

/// What was said in a room after a message, oldest first; nothing if that is more than so much.
pub(super) fn all_after(
    db: &Connection,
    room: RoomId,
    reader: UserId,
    after: MessageId,
    most: usize,
) -> rusqlite::Result<Option<Vec<MessageRecord>>> {
    let (messages, has_more) =
        collect(db, FORWARDS_AFTER, room, Some(reader), From::Id(after), |count, _| count < most)?;
    Ok((!has_more).then_some(messages))
}
