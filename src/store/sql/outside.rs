//! What other programs have written, as it is told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::database::{Written, values};
use super::{Database, Halt, Held, Row, changes, rooms, rows, said};
use crate::hub::job::{Deed, Done, Outside, RoomRecord};
use crate::id::{ChangeId, MessageId, RoomId, UserId};

pub(super) fn look(db: &mut impl Database) -> Result<Done, Halt> {
    let (written, has_more) = db.look()?;
    let (mut messages, mut changes) = (Vec::new(), Vec::new());
    for written in written {
        match written {
            Written::Message(id) => messages.push(id),
            Written::Change(id) => changes.push(id),
        }
    }
    let mut deeds = said(db, &messages)?;
    deeds.extend(changed(db, &changes)?);
    Ok(Done::Outside { deeds, has_more })
}

/// Messages that others have written, as far as they are still there, in the order of their ids.
fn said(db: &mut impl Database, ids: &[MessageId]) -> Held<Vec<Outside>> {
    let mut places = Vec::with_capacity(ids.len());
    let rows: Vec<_> = ids.iter().map(|id| values![*id]).collect();
    db.each("SELECT m.chat_id, m.id FROM messages m /*, each*/ WHERE m.id = ?1", &rows, |row| {
        places.push((RoomId(row.integer(0)?), MessageId(row.integer(1)?)));
        Ok(())
    })?;
    places.sort_by_key(|(_, message)| *message);
    let found = said::find_all(db, &places, None)?.into_iter().map(|message| (message.id, message));
    let mut found: HashMap<_, _> = found.collect();
    let deeds = places.into_iter().filter_map(|(room, id)| Some((room, Deed::Said(found.remove(&id)?))));
    tell(db, deeds)
}

/// Changes that others have noted, as far as they can be told, in the order of their ids.
fn changed(db: &mut impl Database, ids: &[ChangeId]) -> Held<Vec<Outside>> {
    let mut changes = changes::find_all(db, ids)?;
    changes.sort_by_key(|(id, _)| *id);
    let deeds = changes.into_iter().map(|(id, change)| (change.room.id, Deed::Changed(change, id)));
    tell(db, deeds)
}

/// A room, and who takes part if it is private.
type Place = Option<(RoomRecord, Vec<UserId>)>;

fn tell(db: &mut impl Database, deeds: impl Iterator<Item = (RoomId, Deed)>) -> Held<Vec<Outside>> {
    let (mut told, mut known) = (Vec::new(), HashMap::new());
    for (room, what) in deeds {
        if let Entry::Vacant(unknown) = known.entry(room) {
            unknown.insert(find_place(db, room)?);
        }
        if let Some(Some((room, participants))) = known.get(&room) {
            told.push(Outside { room: room.clone(), participants: participants.clone(), what });
        }
    }
    Ok(told)
}

/// Nothing if the room is gone.
fn find_place(db: &mut impl Database, room: RoomId) -> Held<Place> {
    let room = match rooms::find(db, room.into()) {
        Ok(room) => room,
        Err(Halt::Fault(_)) => return Ok(None),
        Err(Halt::Broken(trouble)) => return Err(trouble),
    };
    if !room.is_private {
        return Ok(Some((room, Vec::new())));
    }
    let sql = "SELECT user_id FROM chat_participants WHERE chat_id = ?1";
    let participants = rows::all(db, sql, &values![room.id], |row| row.integer(0).map(UserId))?;
    Ok(Some((room, participants)))
}
