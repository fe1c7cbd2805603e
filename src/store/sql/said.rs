//! The jobs of reading what was said.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::database::values;
use super::{DELETED_USER, Database, Halt, Held, PAGE_BYTES, Row, Value, rooms};
use crate::hub::job::{Done, MessageRecord};
use crate::hub::{Moment, Page, Place};
use crate::id::{MessageId, Reference, RoomId, UserId};

/// Of more reactions to a message than these, the oldest are shown.
const MOST_REACTIONS: usize = 64;

/// The columns of [`message`]; `?2` is the reader, `?3` what a deleted user is called. Users of outside programs have the
/// name that they were given, or one made of their UUID.
macro_rules! messages {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, u.id, m.sender_id, \
             CASE WHEN u.deleted_at IS NOT NULL THEN ?3 \
             ELSE coalesce(u.username, m.sender_name, 'guest-' || substr(CAST(m.sender_id AS TEXT), 1, 8)) END, \
             m.content, m.created_date, \
             (SELECT count(*) FROM message_reads r WHERE r.message_id = m.id), \
             EXISTS (SELECT 1 FROM message_reads r WHERE r.message_id = m.id AND r.user_id = ?2), \
             m.message_type, m.file, m.edited_at, \
             (SELECT o.uuid FROM direct_chats d JOIN users o ON o.id = \
              CASE u.id WHEN d.low_user THEN d.high_user WHEN d.high_user THEN d.low_user END \
              WHERE d.chat_id = m.chat_id), NULL /*of m*/ \
             FROM messages m LEFT JOIN users u ON u.uuid = m.sender_id /*, each*/ WHERE m.chat_id = ?1 AND ",
            $rest
        )
    };
}

const BACKWARDS_UP_TO: &str = messages!("m.id <= ?4 ORDER BY m.id DESC LIMIT ?5");
const BACKWARDS_BEFORE: &str = messages!("m.id < ?4 ORDER BY m.id DESC LIMIT ?5");
const FORWARDS_AFTER: &str = messages!("m.id > ?4 ORDER BY m.id LIMIT ?5");
const FORWARDS_TOLD: &str = messages!("m.id > ?4 /*AND m told*/ ORDER BY m.id LIMIT ?5");
/// Those of that very time, and those of earlier ones: each is found where it lies in the index, however many share a
/// time, which no database makes of a comparison of pairs by itself.
const BACKWARDS_EARLIER: &str = concat!(
    "SELECT * FROM (",
    messages!("m.created_date = ?6 AND m.id < ?4 ORDER BY m.id DESC LIMIT ?5"),
    ") AS tied UNION ALL SELECT * FROM (",
    messages!("m.created_date < ?6 ORDER BY m.created_date DESC, m.id DESC LIMIT ?5"),
    ") AS earlier ORDER BY 6 DESC, 1 DESC LIMIT ?5"
);
const ONE: &str = messages!("m.id = ?4");

/// Reads all but the reactions.
fn message(row: &impl Row) -> Held<MessageRecord> {
    Ok(MessageRecord {
        id: MessageId(row.integer(0)?),
        user: row.optional(1, Row::integer)?.map(UserId),
        sender: row.uuid(2)?,
        username: row.text(3)?,
        text: row.text(4)?,
        at: row.time(5)?,
        read_by: row.count(6)?,
        read_self: row.boolean(7)?,
        message_type: row.text(8)?,
        file: row.optional(9, Row::text)?,
        edited_at: row.optional(10, Row::time)?,
        direct_to: row.optional(11, Row::uuid)?,
        reactions: Vec::new(),
        transaction: row.optional(12, Row::integer)?,
    })
}

fn add_reactions(db: &mut impl Database, messages: &mut [MessageRecord]) -> Held<()> {
    let sql = "SELECT r.message_id, r.emoji, count(*) FROM message_reactions r /*, each*/ WHERE r.message_id = ?1 \
               GROUP BY r.message_id, r.emoji ORDER BY min(r.reacted_at), r.emoji";
    let ids: Vec<_> = messages.iter().map(|message| values![message.id]).collect();
    let mut found: HashMap<MessageId, Vec<(String, u64)>> = HashMap::new();
    db.each(sql, &ids, |row| {
        let reactions = found.entry(MessageId(row.integer(0)?)).or_default();
        if reactions.len() < MOST_REACTIONS {
            reactions.push((row.text(1)?, row.count(2)?));
        }
        Ok(())
    })?;
    for message in messages {
        message.reactions = found.remove(&message.id).unwrap_or_default();
    }
    Ok(())
}

/// Where a statement begins.
#[derive(Clone, Copy)]
enum From {
    Id(MessageId),
    Moment(Moment),
}

/// The messages of a room from there on, in the order of the statement, `most` of them as long as their texts fit; and
/// whether there are more.
fn collect(
    db: &mut impl Database,
    sql: &'static str,
    room: RoomId,
    reader: Option<UserId>,
    from: From,
    most: usize,
    most_bytes: usize,
) -> Held<(Vec<MessageRecord>, bool)> {
    let (mut messages, mut bytes, mut has_more) = (Vec::new(), 0, false);
    let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
    let (id, time) = match from {
        From::Id(id) => (id, None),
        From::Moment(Moment { at, message }) => (message, Some(at)),
    };
    let mut values = values![room, reader, DELETED_USER, id, limit].to_vec();
    values.extend(time.map(Value::from));
    db.ask(sql, &values, |row| {
        let message = message(row)?;
        bytes += message.text.len();
        has_more = messages.len() >= most || (bytes > most_bytes && !messages.is_empty());
        if has_more {
            return Ok(ControlFlow::Break(()));
        }
        messages.push(message);
        Ok(ControlFlow::Continue(()))
    })?;
    add_reactions(db, &mut messages)?;
    Ok((messages, has_more))
}

pub(super) fn read(db: &mut impl Database, room: Reference, reader: Option<UserId>, page: Page) -> Result<Done, Halt> {
    let room = rooms::find_for(db, room, reader)?.ids();
    let (sql, from, is_backwards) = match page.place {
        Place::Newest => (BACKWARDS_UP_TO, From::Id(MessageId(i64::MAX)), true),
        Place::Before(message) => (BACKWARDS_BEFORE, From::Id(message), true),
        Place::After(message) => (FORWARDS_AFTER, From::Id(message), false),
        Place::Earlier(moment) => (BACKWARDS_EARLIER, From::Moment(moment), true),
    };
    let (mut messages, has_more) = collect(db, sql, room.id, reader, from, page.limit.max(1), PAGE_BYTES)?;
    if is_backwards {
        messages.reverse();
    }
    Ok(Done::Messages { room, messages, has_more })
}

/// Those messages, each of that room, as far as they are there, in no order.
pub(super) fn find_all(
    db: &mut impl Database,
    messages: &[(RoomId, MessageId)],
    reader: Option<UserId>,
) -> Held<Vec<MessageRecord>> {
    let rows: Vec<_> = messages.iter().map(|(room, id)| values![*room, reader, DELETED_USER, *id]).collect();
    let mut found = Vec::with_capacity(rows.len());
    db.each(ONE, &rows, |row| {
        found.push(message(row)?);
        Ok(())
    })?;
    add_reactions(db, &mut found)?;
    Ok(found)
}

/// What was said in a room after a message, oldest first, as much as a page of so many may have; and whether there is more.
pub(super) fn part_after(
    db: &mut impl Database,
    room: RoomId,
    after: MessageId,
    most: usize,
) -> Held<(Vec<MessageRecord>, bool)> {
    collect(db, FORWARDS_TOLD, room, None, From::Id(after), most, PAGE_BYTES)
}

/// What was said in a room after a message, oldest first; nothing if that is more than so much.
pub(super) fn all_after(
    db: &mut impl Database,
    room: RoomId,
    reader: UserId,
    after: MessageId,
    most: usize,
) -> Held<Option<Vec<MessageRecord>>> {
    let (messages, has_more) = collect(db, FORWARDS_TOLD, room, Some(reader), From::Id(after), most, usize::MAX)?;
    Ok((!has_more).then_some(messages))
}
