//! What other programs have written into the store: it is told to those whom it concerns, as if it had been done here.

use super::Hub;
use super::committed::{Pending, Purpose};
use super::effect::{Effect, Event, Who};
use super::job::{Change, Deed, Done, Job, Missed, Outcome, Outside, RoomRecord};
use super::nodes::Written;
use super::presence::PresentKey;
use crate::id::{ConnectionId, RoomKey};

/// Whether the store looks for what others have done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    No,
    Begun,
    /// There was reason to look once more since it began.
    Again,
}

impl Hub {
    /// Others may have done something: has the store look for it.
    pub fn look(&mut self) {
        if self.look == Look::No {
            self.look = Look::Begun;
            self.give(Job::Look, Pending { asker: None, by: None, purpose: Purpose::Look });
        } else {
            self.look = Look::Again;
        }
    }

    /// The store has looked. What it has found is taken by [`Hub::happened`], one by one and before this.
    pub(super) fn has_looked(&mut self, outcome: &Outcome) {
        let has_more = matches!(outcome, Ok(Done::Outside { has_more: true, .. }));
        if matches!(outcome, Ok(Done::Outside { has_settled: true, .. })) {
            // It has a number that nobody was told, or was done to a room or a user.
            self.catch_up();
            self.survey();
        }
        let look = std::mem::replace(&mut self.look, Look::No);
        if has_more || (look == Look::Again && outcome.is_ok()) {
            self.look();
        }
    }

    /// Whether taking this may change who is in which room.
    pub fn moves_members_by(&self, outside: &Outside) -> bool {
        let Some(key) = self.rooms.find_durable(outside.room.id.into()) else { return true };
        outside.participants.iter().flatten().any(|&user| self.is_new_to(user, outside.room.id))
            || self.former_participants(key, outside).next().is_some()
    }

    /// The present users who took part in that room, if it is private, and do so no more.
    fn former_participants(&self, key: RoomKey, outside: &Outside) -> impl Iterator<Item = PresentKey> {
        let takes_part = |&user: &PresentKey| {
            let user = &self.presence.living(user).user;
            outside.participants.as_ref().is_none_or(|participants| participants.contains(&user.id))
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
        for user in participants.into_iter().flatten() {
            self.take_part(user, &room, effects);
        }
        let written = match &what {
            Deed::Said(message) => Written::Message(message.id),
            Deed::Changed(_, change) => Written::Change(*change),
        };
        if matches!(written, Written::Message(_)) {
            self.messages[1] += 1;
        }
        let first = effects.len();
        self.tell_deed(&room, what, None, effects);
        if let Some(Effect::Tell { event, .. }) = effects.get(first) {
            self.announce_deed(room.id, written, event);
        }
        self.check_in_debug();
    }

    /// Tells what another program or node has done. `connection`: the one that did it, on another node.
    pub(super) fn tell_deed(
        &mut self,
        room: &RoomRecord,
        what: Deed,
        connection: Option<ConnectionId>,
        effects: &mut Vec<Effect>,
    ) {
        let mut known = self.mark.unwrap_or_default();
        let (mut missed, mut to) = (Missed::default(), None);
        match what {
            Deed::Said(message) => {
                known.message = known.message.max(message.id);
                missed.messages.push((room.ids(), message));
            }
            Deed::Changed(record, change) => {
                if let Change::Confirmed { author, .. } = record.what {
                    to = author;
                }
                known.change = known.change.max(change);
                missed.changes.push(record);
            }
        }
        self.mark = Some(known);
        for mut event in self.as_told(missed, [std::slice::from_ref(room), &[]]) {
            if let Event::RoomMessage { from: Who::User { connection: by, .. }, .. } = &mut event {
                *by = connection;
            }
            self.tell_room_and(to, room.id, &event, effects);
        }
    }
}
