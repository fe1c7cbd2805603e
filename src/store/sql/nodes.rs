//! The jobs of a node that has not heard of others for a while: what it has to tell of what they wrote, and what it has to
//! know again.

use super::database::{Concerned, Gap, Written};
use super::{Database, Halt, chats, outside, people, rooms};
use crate::hub::job::Done;
use crate::id::{Position, Reference, UserId};

pub(super) fn catch_up(
    db: &mut impl Database,
    whom: &Concerned<'_>,
    since: Position,
    most: usize,
) -> Result<Done, Halt> {
    let Gap { written, position, has_more } = db.look_back(whom, since, most)?;
    let ids: Vec<Written> = written.iter().map(|(_, written)| *written).collect();
    let mut found = outside::find(db, &ids)?;
    let deeds = written.into_iter().filter_map(|(by, written)| Some((by, found.remove(&written)?))).collect();
    Ok(Done::CaughtUp { deeds, position, has_more })
}

pub(super) fn survey(db: &mut impl Database, rooms: bool, users: &[UserId], most: usize) -> Result<Done, Halt> {
    let rooms = if rooms { Some(rooms::list_open(db)?) } else { None };
    let mut known = people::find_all(db, users.iter().map(|user| Reference::from(*user)))?;
    let mut taking_part = chats::participations_of(db, users, most)?;
    let users = users.iter().filter_map(|id| {
        let user = known.remove(&Reference::from(*id))?;
        Some((user, taking_part.remove(id).unwrap_or_default()))
    });
    Ok(Done::Surveyed { rooms, users: users.collect() })
}
