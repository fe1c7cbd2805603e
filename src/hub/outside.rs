//! What other programs have written into the store: it is told to those whom it concerns, as if it had been done here.

use super::Hub;
use super::effect::Effect;
use super::job::{Deed, Missed, Outside};
use super::presence::PresentKey;
use crate::id::RoomKey;

impl Hub {
    /// Whether taking this may change who is in which room.
    pub fn moves_members_by(&self, outside: &Outside) -> bool {
        let Some(key) = self.rooms.find_durable(outside.room.id.into()) else { return true };
        outside.participants.iter().any(|&user| self.is_new_to(user, outside.room.id))
            || self.former_participants(key, outside).next().is_some()
    }

    /// The present users who took part in that room, if it is private, and do so no more.
    fn former_participants(&self, key: RoomKey, outside: &Outside) -> impl Iterator<Item = PresentKey> {
        let takes_part = |&user: &PresentKey| {
            let user = &self.presence.living(user).user;
            outside.participants.contains(&user.id)
        };
        self.rooms.living(key).present.iter().copied().filter(move |user| !takes_part(user))
    }

    /// Another program has done that: those are told whom it concerns.
    pub fn happened(&mut self, outside: Outside, effects: &mut Vec<Effect>) {
        if let Some(key) = self.rooms.find_durable(outside.room.id.into()) {
            for user in self.former_participants(key, &outside).collect::<Vec<_>>() {
                self.take_no_part(user, key, effects);
            }
        }
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
