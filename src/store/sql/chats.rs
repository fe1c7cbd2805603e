//! Private rooms: the one of two users, and the list of those in which somebody takes part.

use std::collections::HashMap;

use super::database::values;
use super::{Database, Halt, Held, Row, rooms, rows, said};
use crate::hub::job::{ChatRecord, Fault, RoomRecord, UserRecord};
use crate::id::{MessageId, RoomId, UserId};
use crate::timestamp::Timestamp;

/// The private room of two users, for the one who wants to say something. It is nobody's own, so that neither can rename
/// or delete it.
pub(super) fn find_or_make_direct(
    db: &mut impl Database,
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
    if let Some(room) = rows::first(db, sql, &values![low.id, high.id], |row| rows::room(row))? {
        // Another program may have shut somebody out.
        let may = rooms::takes_part(db, room.id, Some(author.id))?;
        return if may { Ok(room) } else { Err(Fault::NoSuchRoom.into()) };
    }
    let room = rooms::insert(db, &direct_name(low, high), true, None, at)?;
    rooms::take_in(db, room.id, &[low.clone(), high.clone()], at)?;
    let sql = "INSERT INTO direct_chats (low_user, high_user, chat_id) VALUES (?1, ?2, ?3)";
    db.change(sql, &values![low.id, high.id, room.id])?;
    Ok(RoomRecord { direct: Some(Box::new([low.uuid, high.uuid])), ..room })
}

/// What the private room of two is called.
pub(super) fn direct_name(one: &UserRecord, other: &UserRecord) -> String {
    if one.id == other.id { one.name.clone() } else { format!("{} and {}", one.name, other.name) }
}

/// To whom alone that user speaks in that room, if it is the private one of two.
pub(super) fn find_other(db: &mut impl Database, room: RoomId, user: UserId) -> Held<Option<UserRecord>> {
    let sql = "SELECT o.id, o.uuid, o.username FROM direct_chats d JOIN users o ON o.id = \
               CASE ?2 WHEN d.low_user THEN d.high_user WHEN d.high_user THEN d.low_user END WHERE d.chat_id = ?1";
    rows::first(db, sql, &values![room, user], |row| rows::user(row))
}

/// The private rooms in which a user takes part, the most recently used first, and what else is asked of them.
macro_rules! participations {
    ($columns:expr, $rest:literal) => {
        concat!(
            "SELECT ",
            rows::room_columns!(),
            $columns,
            " FROM chat_participants p JOIN chats c ON c.id = p.chat_id /*, each*/ \
             WHERE p.user_id = ?1 AND c.is_private ORDER BY c.updated_at DESC, c.id DESC",
            $rest
        )
    };
}

/// Where a user takes part.
pub(super) fn participations(db: &mut impl Database, user: UserId) -> Held<Vec<RoomRecord>> {
    rows::all(db, participations!("", ""), &values![user], |row| rows::room(row))
}

/// The same for several users, at most so many for each.
pub(super) fn participations_of(
    db: &mut impl Database,
    users: &[UserId],
    most: usize,
) -> Held<HashMap<UserId, Vec<RoomRecord>>> {
    let ids: Vec<_> = users.iter().map(|user| values![*user]).collect();
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    db.each(participations!(", p.user_id", ""), &ids, |row| {
        let rooms = found.entry(UserId(row.integer(6)?)).or_default();
        if rooms.len() < most {
            rooms.push(rows::room(row)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The same as of one user with what is new there: how many messages of others came after the last that was read, in the index of times
/// alone, and what was said last.
pub(super) fn list<D: Database>(db: &mut D, user: UserId, most: usize) -> Result<Vec<ChatRecord>, Halt> {
    let sql = participations!(
        ", c.updated_at, \
         (SELECT count(*) FROM messages m JOIN users u ON u.id = ?1 AND u.uuid <> m.sender_id \
          WHERE m.chat_id = c.id AND m.created_date > coalesce(p.last_read_at, ?3)), \
         (SELECT max(m.id) FROM messages m WHERE m.chat_id = c.id)",
        " LIMIT ?2"
    );
    let read = |row: &D::Row<'_>| {
        let chat = ChatRecord { room: rows::room(row)?, updated_at: row.time(6)?, unread: row.count(7)?, last: None };
        Ok((chat, row.optional(8, Row::integer)?.map(MessageId)))
    };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let found = rows::all(db, sql, &values![user, most, Timestamp::default()], read)?;
    let last: Vec<_> = found.iter().filter_map(|(chat, last)| Some((chat.room.id, (*last)?))).collect();
    let mut last: HashMap<_, _> =
        said::find_all(db, &last, Some(user))?.into_iter().map(|said| (said.id, said)).collect();
    let chat =
        |(chat, id): (ChatRecord, Option<MessageId>)| ChatRecord { last: id.and_then(|id| last.remove(&id)), ..chat };
    Ok(found.into_iter().map(chat).collect())
}
