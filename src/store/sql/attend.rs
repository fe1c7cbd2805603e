//! The jobs about who is here: somebody begins to take part, chooses rooms, comes back and is told what they missed.

use super::database::values;
use super::{Database, Halt, Held, Row, Trouble, changes, chats, people, rows, said};
use crate::hub::Recovery;
use crate::hub::job::{Attended, Missed, RoomRecord};
use crate::id::{ChangeId, Mark, MessageId, Reference, RoomId, RoomIds, UserId};
use crate::timestamp::Timestamp;

/// How long it is known which rooms a lost session had chosen.
const CHOICES_HOLD_DAYS: i64 = 7;

/// Whoever has missed texts of more bytes begins anew: what is told on coming back is owed at once, to as many as come.
const MOST_MISSED_BYTES: usize = 512 * 1024;

/// How far back the journal of changes goes.
const CHANGES_HOLD_DAYS: i64 = 30;

pub(super) fn attend(
    db: &mut impl Database,
    user: &str,
    most: usize,
    follows_all: bool,
    recovery: Option<&Recovery>,
    most_missed: usize,
) -> Result<Attended, Halt> {
    let user = match Reference::parse(user) {
        Some(user) => people::find(db, user)?,
        None => people::find_by_name(db, user)?,
    };
    let mark = mark(db)?;
    let mut all: Vec<RoomRecord> = chats::participations(db, user.id)?;
    let (mut chosen, mut missed) = (Vec::new(), None);
    if let Some(recovery) = recovery {
        chosen = find_chosen(db, &recovery.pid, user.id)?;
        if let Some(since) = recovery.since {
            // What two say to one another is for both, wherever their sessions are.
            let hears_all = follows_all && chosen.iter().all(|(room, _)| !room.is_private);
            let own = all.iter().filter(|room| hears_all || room.direct.is_some());
            let others = chosen.iter().filter(|(room, _)| room.direct.is_none());
            let own = own.map(|room| (room, Timestamp::default()));
            let rooms: Vec<_> = own.chain(others.map(|(room, chosen_at)| (room, *chosen_at))).collect();
            missed = find_missed(db, user.id, &rooms, since, mark, most_missed)?;
        }
    }
    all.truncate(most);
    let chosen = chosen.into_iter().map(|(room, _)| room).collect();
    Ok(Attended { user, rooms: all, chosen, mark, missed })
}

/// How far the store is.
pub(super) fn mark<D: Database>(db: &mut D) -> Held<Mark> {
    let read = |row: &D::Row<'_>| Ok(Mark { message: MessageId(row.integer(0)?), change: ChangeId(row.integer(1)?) });
    let sql = db.mark_query();
    rows::first(db, sql, &[], read)?.ok_or(Trouble::TABLES)
}

/// The rooms that a session has chosen, as far as they are still open to that user, in the order of choosing, and when it
/// chose them.
fn find_chosen(db: &mut impl Database, pid: &str, user: UserId) -> Held<Vec<(RoomRecord, Timestamp)>> {
    let sql = concat!(
        "SELECT ",
        rows::room_columns!(),
        ", s.chosen_at FROM socket_rooms s JOIN chats c ON c.id = s.chat_id WHERE s.pid = ?1 AND (NOT c.is_private OR EXISTS \
         (SELECT 1 FROM chat_participants p WHERE p.chat_id = c.id AND p.user_id = ?2)) ORDER BY s.chosen_at, c.id"
    );
    rows::all(db, sql, &values![pid, user], |row| Ok((rows::room(row)?, row.time(6)?)))
}

/// What happened in those rooms since then, and since each was chosen, unless that is too much, or more than is known.
fn find_missed(
    db: &mut impl Database,
    user: UserId,
    rooms: &[(&RoomRecord, Timestamp)],
    since: Mark,
    mark: Mark,
    most: usize,
) -> Held<Option<Missed>> {
    // It may be a mark of another database.
    let is_ours = since.message <= mark.message && since.change <= mark.change;
    if !is_ours || !changes::reaches_back_to(db, since.change, mark.change)? {
        return Ok(None);
    }
    db.hide_untold()?;
    let (mut messages, mut changed): (Vec<(RoomIds, _)>, Vec<(ChangeId, _)>) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for (room, chosen_at) in rooms {
        let left = most.saturating_sub(messages.len() + changed.len());
        let Some(said) = said::all_after(db, room.id, user, since.message, left)? else { return Ok(None) };
        let left = left.saturating_sub(said.len());
        let (news, has_more) = changes::part_after(db, room.id, since.change, left)?;
        if has_more {
            return Ok(None);
        }
        bytes += said.iter().map(|message| message.text.len()).sum::<usize>();
        bytes += news.iter().map(|(_, change)| change.text().len()).sum::<usize>();
        if bytes > MOST_MISSED_BYTES {
            return Ok(None);
        }
        let said = said.into_iter().filter(|message| message.at > *chosen_at);
        messages.extend(said.map(|message| (room.ids(), message)));
        changed.extend(news.into_iter().filter(|(_, change)| change.at > *chosen_at));
    }
    messages.sort_by_key(|(_, message)| message.id);
    changed.sort_by_key(|(change, _)| *change);
    Ok(Some(Missed { messages, changes: changed.into_iter().map(|(_, change)| change).collect() }))
}

/// A room that is gone meanwhile can't be chosen.
pub(super) fn follow(db: &mut impl Database, pid: &str, room: RoomId, is_in: bool, at: Timestamp) -> Result<(), Halt> {
    if is_in {
        let sql = "INSERT INTO socket_rooms (pid, chat_id, chosen_at) SELECT ?1, id, ?3 FROM chats WHERE id = ?2 \
                   ON CONFLICT (pid, chat_id) DO UPDATE SET chosen_at = excluded.chosen_at";
        db.change(sql, &values![pid, room, at])?;
    } else {
        db.change("DELETE FROM socket_rooms WHERE pid = ?1 AND chat_id = ?2", &values![pid, room])?;
    }
    Ok(())
}

pub(super) fn forget(db: &mut impl Database, pid: &str) -> Result<(), Halt> {
    db.change("DELETE FROM socket_rooms WHERE pid = ?1", &values![pid])?;
    Ok(())
}

/// Nobody is here yet, unless there are others, and what is kept for a while only has had its time.
pub(crate) fn begin(db: &mut impl Database, is_alone: bool, now: Timestamp) -> Held<()> {
    let days_ago = |days: i64| Timestamp::from_microseconds(now.microseconds() - days * 86_400_000_000);
    if is_alone {
        db.change("UPDATE users SET status = 'offline' WHERE status <> 'offline'", &[])?;
    }
    db.change("DELETE FROM socket_rooms WHERE chosen_at < ?1", &values![days_ago(CHOICES_HOLD_DAYS)])?;
    // A beginning is cut off, by the ids, so that what is left has no gaps.
    let sql = "SELECT id FROM message_changes WHERE changed_at >= ?1 ORDER BY id LIMIT 1";
    let first = rows::first(db, sql, &values![days_ago(CHANGES_HOLD_DAYS)], |row| row.integer(0))?;
    db.change("DELETE FROM message_changes WHERE id < ?1", &values![first.unwrap_or(i64::MAX)])?;
    Ok(())
}
