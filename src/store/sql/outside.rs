//! What other programs and nodes have written, as it is told.

use std::collections::{HashMap, HashSet};

use super::database::{Looked, Written, values};
use super::{Database, Halt, Held, Row, changes, rooms, said};
use crate::hub::job::{Deed, Done, MessageRecord, Outside, RoomRecord};
use crate::id::{ChangeId, MessageId, RoomId, UserId};

pub(super) fn look(db: &mut impl Database) -> Result<Done, Halt> {
    let Looked { written, has_more, has_settled } = db.look()?;
    let mut found = find(db, &written)?;
    let deeds = written.iter().filter_map(|written| found.remove(written)).collect();
    Ok(Done::Outside { deeds, has_more, has_settled })
}

/// What others have written, as far as it is still there and can be told.
pub(super) fn find(db: &mut impl Database, written: &[Written]) -> Held<HashMap<Written, Outside>> {
    let (mut messages, mut changes) = (Vec::new(), Vec::new());
    for written in written {
        match written {
            Written::Message(id) => messages.push(*id),
            Written::Change(id) => changes.push(*id),
        }
    }
    let mut deeds = said(db, &messages)?;
    deeds.extend(changed(db, &changes)?);
    let places = find_places(db, deeds.iter().map(|(_, room, _)| *room).collect())?;
    let told = deeds.into_iter().filter_map(|(written, room, what)| {
        let (room, participants) = places.get(&room)?.clone();
        Some((written, Outside { room, participants: Some(participants), what }))
    });
    Ok(told.collect())
}

/// What somebody did somewhere.
type Found = Vec<(Written, RoomId, Deed)>;

fn said(db: &mut impl Database, ids: &[MessageId]) -> Held<Found> {
    let (mut places, mut rooms) = (Vec::with_capacity(ids.len()), HashMap::new());
    let rows: Vec<_> = ids.iter().map(|id| values![*id]).collect();
    db.each("SELECT m.chat_id, m.id FROM messages m /*, each*/ WHERE m.id = ?1", &rows, |row| {
        let (room, message) = (RoomId(row.integer(0)?), MessageId(row.integer(1)?));
        places.push((room, message));
        rooms.insert(message, room);
        Ok(())
    })?;
    let deed =
        |message: MessageRecord| Some((Written::Message(message.id), *rooms.get(&message.id)?, Deed::Said(message)));
    Ok(said::find_all(db, &places, None)?.into_iter().filter_map(deed).collect())
}

fn changed(db: &mut impl Database, ids: &[ChangeId]) -> Held<Found> {
    let changes = changes::find_all(db, ids)?.into_iter();
    Ok(changes.map(|(id, change)| (Written::Change(id), change.room.id, Deed::Changed(change, id))).collect())
}

/// Rooms, and who takes part in those that are private.
fn find_places(db: &mut impl Database, ids: HashSet<RoomId>) -> Held<HashMap<RoomId, (RoomRecord, Vec<UserId>)>> {
    let mut places: HashMap<_, _> =
        rooms::find_all(db, ids)?.into_iter().map(|room| (room.id, (room, Vec::new()))).collect();
    let private: Vec<_> =
        places.values().filter(|(room, _)| room.is_private).map(|(room, _)| values![room.id]).collect();
    let sql = "SELECT p.chat_id, p.user_id FROM chat_participants p /*, each*/ WHERE p.chat_id = ?1";
    db.each(sql, &private, |row| {
        let user = UserId(row.integer(1)?);
        if let Some((_, participants)) = places.get_mut(&RoomId(row.integer(0)?)) {
            participants.push(user);
        }
        Ok(())
    })?;
    Ok(places)
}
