//! What other programs have written into the store: it is told to those whom it concerns, as if it had been done here.

use super::Hub;
use super::effect::Effect;
use super::job::{Deed, Missed, Outside};

impl Hub {
    /// Whether taking this may change who is in which room.
    pub fn moves_members_by(&self, outside: &Outside) -> bool {
        let is_unknown = self.rooms.find_durable(outside.room.id.into()).is_none();
        is_unknown || outside.participants.iter().any(|&user| self.is_new_to(user, outside.room.id))
    }

    /// Another program has done that: those are told whom it concerns.
    pub fn happened(&mut self, outside: Outside, effects: &mut Vec<Effect>) {
        let Outside { room, participants, what } = outside;
        // It may be a room that the other program has made.
        if !room.is_private {
            self.take_up(&room);
        }
        for user in participants {
            self.take_part(user, &room, effects);
        }
        let mut known = self.mark.unwrap_or_default();
        let mut missed = Missed::default();
        match what {
            Deed::Said(message) => {
                known.message = known.message.max(message.id);
                self.messages[1] += 1;
                missed.messages.push((room.ids(), message));
            }
            Deed::Changed(record, change) => {
                known.change = known.change.max(change);
                missed.changes.push(record);
            }
        }
        self.mark = Some(known);
        for event in self.as_told(missed, [std::slice::from_ref(&room), &[]]) {
            self.tell_room(room.id, event, effects);
        }
        self.check_in_debug();
    }
}
