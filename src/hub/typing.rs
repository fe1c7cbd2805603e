//! What is passed on and never stored: who is typing, and signals. The store is not asked, so that only those private
//! rooms count in which a session is or its user is known to take part.
//!
//! A typing ends when it is not renewed for a while, and with the session's being in the room; each end is told once.

use std::time::Duration;

use super::Hub;
use super::command::{Blob, Command};
use super::effect::{Audience, Effect, Event, Refusal, Reply};
use super::lapse::LapseKey;
use super::nodes::Whither;
use super::presence::tell_these;
use crate::id::{Reference, RoomId, RoomKey, SlotKey, Target, UserId};

/// A typing that is not renewed for so long has ended.
pub(super) const TYPING: Duration = Duration::from_secs(6);

/// In so many places a session may be typing; in one more, the one renewed longest ago has ended.
const MOST_TYPINGS: usize = 16;

/// To whom somebody is typing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Room(RoomId),
    User(UserId),
}

/// A session is typing.
#[derive(Debug)]
pub(super) struct Typing {
    pub(super) to: Place,
    lapse: LapseKey,
}

impl Hub {
    /// What attendees alone ask, and what is answered at once.
    pub(super) fn pass_on(
        &mut self,
        slot: SlotKey,
        command: Command,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        match command {
            Command::Type { to, is_typing } => self.type_to(slot, to, is_typing, effects),
            Command::Signal { to, data } => self.signal(slot, to, data, effects),
            _ => self.choose(slot, effects),
        }
    }

    fn type_to(
        &mut self,
        slot: SlotKey,
        to: Target,
        is_typing: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        self.attending_user(slot)?;
        let place = match to {
            Target::Room(room) => self.rooms.living(self.heard_in(slot, room)?).id().map(Place::Room),
            // The reply does not tell whether there is such a user.
            Target::User(user) => self.presence.find(user).map(|present| Place::User(present.user.id)),
        };
        match place {
            Some(place) if is_typing => {
                self.keep_typing(slot, place, effects);
                self.tell_typing(slot, place, true, effects);
            }
            Some(place) => self.stop_typing(slot, place, effects),
            None => {}
        }
        Ok(Reply::Passed)
    }

    /// The room of that reference, if the session is in it or its user takes part.
    fn heard_in(&self, slot: SlotKey, room: Reference) -> Result<RoomKey, Refusal> {
        let user = self.attending_user(slot)?.id;
        let found = self.rooms.find_durable(room);
        let is_heard = |key: &RoomKey| self.rooms_of(slot).contains(key) || self.takes_part(user, *key);
        found.filter(is_heard).ok_or(Refusal::NotAMember)
    }

    fn keep_typing(&mut self, slot: SlotKey, to: Place, effects: &mut Vec<Effect>) {
        let Some(attendee) = self.attendee_mut(slot) else { return };
        // The one renewed last is at the end.
        if let Some(position) = attendee.typings.iter().position(|typing| typing.to == to) {
            attendee.typings[position..].rotate_left(1);
            let lapse = attendee.typings.last().map(|typing| typing.lapse);
            lapse.into_iter().for_each(|lapse| self.typings.put_off(lapse, self.now));
            return;
        }
        let oldest = attendee.typings.first().filter(|_| attendee.typings.len() >= MOST_TYPINGS);
        if let Some(oldest) = oldest.map(|typing| typing.to) {
            self.stop_typing(slot, oldest, effects);
        }
        let lapse = self.typings.arm((slot, to), self.now);
        if let Some(attendee) = self.attendee_mut(slot) {
            attendee.typings.push(Typing { to, lapse });
        }
    }

    /// The session is not typing there any more. Tells it, if it was.
    pub(super) fn stop_typing(&mut self, slot: SlotKey, to: Place, effects: &mut Vec<Effect>) {
        let Some(attendee) = self.attendee_mut(slot) else { return };
        let Some(position) = attendee.typings.iter().position(|typing| typing.to == to) else { return };
        let lapse = attendee.typings.remove(position).lapse;
        self.typings.disarm(lapse);
        self.tell_typing(slot, to, false, effects);
    }

    pub(super) fn stop_all_typing(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) {
        while let Some(to) = self.attendee(slot).and_then(|attendee| attendee.typings.first()).map(|typing| typing.to) {
            self.stop_typing(slot, to, effects);
        }
    }

    /// Those who have not been typing for a while have stopped. Tells whether there were any.
    pub(super) fn stop_lapsed_typing(&mut self, effects: &mut Vec<Effect>) -> bool {
        let mut were_any = false;
        while let Some((slot, to)) = self.typings.take_due(self.now) {
            if let Some(attendee) = self.attendee_mut(slot) {
                attendee.typings.retain(|typing| typing.to != to);
            }
            self.tell_typing(slot, to, false, effects);
            were_any = true;
        }
        were_any
    }

    fn tell_typing(&mut self, slot: SlotKey, to: Place, is_typing: bool, effects: &mut Vec<Effect>) {
        let Ok(user) = self.attending_user(slot) else { return };
        self.tell_nodes_of_typing(&user, to, is_typing);
        match to {
            Place::User(to) => self.tell_user(slot, to, Event::Typing { user, room: None, is_typing }, effects),
            Place::Room(room) => {
                // It may have been deleted.
                let Some(key) = self.rooms.find_durable(room.into()) else { return };
                let room = self.rooms.living(key).ids();
                let audience = Audience::Room { room: key, except: Some(slot) };
                effects.push(Effect::Tell { audience, event: Event::Typing { user, room, is_typing } });
            }
        }
    }

    fn signal(&mut self, slot: SlotKey, to: Target, data: Blob, effects: &mut Vec<Effect>) -> Result<Reply, Refusal> {
        let user = self.attending_user(slot)?;
        match to {
            Target::Room(room) => {
                let key = self.heard_in(slot, room)?;
                let room = self.rooms.living(key).ids();
                if let Some(room) = room {
                    self.tell_nodes_of_signal(&user, Whither::Room(room.id), &data);
                }
                let event = Event::Signal { user, room, data };
                effects.push(Effect::Tell { audience: Audience::Room { room: key, except: Some(slot) }, event });
            }
            Target::User(other) => {
                let shares = |rooms: &[RoomKey]| rooms.iter().any(|&room| self.takes_part(user.id, room));
                let other = self.presence.find(other).filter(|other| shares(&other.rooms));
                let to = other.ok_or(Refusal::NotAMember)?.user.id;
                self.tell_nodes_of_signal(&user, Whither::User(to), &data);
                self.tell_user(slot, to, Event::Signal { user, room: None, data }, effects);
            }
        }
        Ok(Reply::Passed)
    }

    /// Tells that user's attending sessions, but for the one that does it.
    fn tell_user(&self, slot: SlotKey, to: UserId, event: Event, effects: &mut Vec<Effect>) {
        let sessions = self.attending(to).iter().copied().filter(|&other| other != slot);
        tell_these(sessions.collect(), event, effects);
    }
}
