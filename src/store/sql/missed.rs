//! The job of telling a room to somebody who has heard it up to a point, part by part: first what was said, then what
//! became of it.

use super::{Database, Halt, attend, changes, rooms, said};
use crate::hub::job::{Done, Missed};
use crate::id::{ChangeId, Mark, MessageId, RoomId};

pub(super) fn read(db: &mut impl Database, room: RoomId, since: Mark, most: usize) -> Result<Done, Halt> {
    let room = rooms::find_for(db, room.into(), None)?.ids();
    let last = attend::mark(db)?;
    db.hide_untold()?;
    let (messages, has_more) = said::part_after(db, room.id, since.message, most)?;
    // A mark that is none of ours is taken back to what there is.
    let shown = messages.last().map_or(MessageId(0), |message| message.id);
    let message = if has_more { shown } else { shown.max(since.message.min(last.message)) };
    let mut missed =
        Missed { messages: messages.into_iter().map(|message| (room, message)).collect(), changes: vec![] };
    if has_more {
        return Ok(Done::Missed { missed, mark: Mark { message, change: since.change }, has_more });
    }
    let (changed, has_more) = changes::part_after(db, room.id, since.change, most)?;
    let shown = changed.last().map_or(ChangeId(0), |(change, _)| *change);
    let change = if has_more { shown } else { shown.max(since.change.min(last.change)) };
    missed.changes = changed.into_iter().map(|(_, change)| change).collect();
    Ok(Done::Missed { missed, mark: Mark { message, change }, has_more })
}
