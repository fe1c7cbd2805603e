//! Users and rooms that come to be, are named anew, or go: what the store has done, or what another program or node tells,
//! is told to those whom it concerns.

use std::rc::Rc;

use super::Hub;
use super::effect::{Audience, Effect, Event, Reply, User};
use super::job::{RoomRecord, UserRecord};
use super::presence::tell_these;
use crate::id::{RoomId, RoomKey, SlotKey, UserId};

impl Hub {
    /// The asker is that user now; in open rooms the others are told of the change.
    pub(super) fn become_user(
        &mut self,
        asker: Option<SlotKey>,
        record: UserRecord,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let (user, _) = self.known(record);
        let reply = Reply::User { user: Rc::clone(&user), online: true };
        let Some(slot) = asker else { return reply };
        let Some(from) = self.who(slot) else { return reply };
        if from.user().is_some_and(|former| former.id == user.id) {
            return reply;
        }
        for key in self.rooms_of(slot).to_vec() {
            if !self.rooms.living(key).is_open() {
                self.leave_room(slot, key, effects);
            }
        }
        let rooms = self.rooms_of(slot).iter().map(|&key| (key, self.is_there_otherwise(slot, key)));
        let rooms: Vec<_> = rooms.collect();
        self.be_user(slot, Some(user));
        let Some(to) = self.who(slot) else { return reply };
        for (key, is_still_there) in rooms {
            let (id, is_again) = (self.rooms.living(key).id(), self.is_there_otherwise(slot, key));
            let event = Event::Switched { id, from: from.clone(), to: to.clone(), is_still_there, is_again };
            effects.push(Effect::Tell { audience: Audience::Room { room: key, except: Some(slot) }, event });
        }
        reply
    }

    pub(super) fn user_renamed(&mut self, record: UserRecord, after: &mut Vec<Effect>) -> Reply {
        let (user, online) = self.known(record);
        for slot in self.sessions_of(user.id).to_vec() {
            if let Some(session) = self.session_mut(slot) {
                session.user = Some(Rc::clone(&user));
            }
        }
        if let Some(key) = self.presence.key_of(user.id) {
            self.presence.living_mut(key).user = Rc::clone(&user);
        }
        self.rename_away(user.id, Some(&user));
        let event = Event::UserRenamed { user: Rc::clone(&user) };
        after.push(Effect::Tell { audience: Audience::Everybody, event });
        Reply::User { user, online }
    }

    pub(super) fn user_deleted(&mut self, user: UserId, after: &mut Vec<Effect>) -> Reply {
        for slot in self.sessions_of(user).to_vec() {
            self.stop_all_typing(slot, after);
            self.leave_all(slot, after);
            if self.is_attendee(slot) {
                after.push(Effect::Dismiss { slot });
            }
            self.stop_attending(slot);
            self.be_user(slot, None);
        }
        self.rename_away(user, None);
        if let Some(key) = self.presence.key_of(user) {
            self.be_absent(key, after);
        }
        after.push(Effect::Tell { audience: Audience::Everybody, event: Event::UserDeleted { user } });
        Reply::UserDeleted { user }
    }

    pub(super) fn room_created(
        &mut self,
        record: &RoomRecord,
        participants: Vec<UserRecord>,
        after: &mut Vec<Effect>,
    ) -> Reply {
        let (id, name): (_, Rc<str>) = (record.id, record.name.as_str().into());
        if record.is_private {
            self.chat_created(record, participants, after);
        } else {
            self.take_up(record);
            let event = Event::RoomCreated { id, name: Rc::clone(&name), owner: record.owner };
            after.push(Effect::Tell { audience: Audience::Everybody, event });
        }
        Reply::Room { room: record.ids(), name }
    }

    /// Those who take part in a new private room hear of it wherever they attend.
    fn chat_created(&mut self, record: &RoomRecord, participants: Vec<UserRecord>, after: &mut Vec<Effect>) {
        let participants: Rc<[Rc<User>]> = participants.into_iter().map(|user| self.known(user).0).collect();
        let mut sessions = Vec::new();
        for user in participants.iter() {
            self.take_part(user.id, record, after);
            sessions.extend_from_slice(self.attending(user.id));
        }
        // Whoever was named twice hears of it once.
        sessions.sort_unstable();
        sessions.dedup();
        let owner = participants.iter().find(|user| Some(user.id) == record.owner).map(|user| user.uuid);
        let (room, name) = (record.ids(), record.name.as_str().into());
        tell_these(sessions, Event::ChatCreated { room, name, owner, participants }, after);
    }

    pub(super) fn room_renamed(&mut self, record: &RoomRecord, after: &mut Vec<Effect>) -> Reply {
        let (id, name): (_, Rc<str>) = (record.id, record.name.as_str().into());
        let event = Event::RoomRenamed { id, name: Rc::clone(&name) };
        if !record.is_private {
            self.take_up(record);
            after.push(Effect::Tell { audience: Audience::Everybody, event });
        } else if self.rooms.find_durable(id.into()).is_some() {
            self.take_up(record);
            self.tell_room(id, event, after);
        }
        Reply::Room { room: record.ids(), name }
    }

    /// Keeps the sessions' lists in step with the rooms.
    pub(super) fn take_up(&mut self, record: &RoomRecord) -> RoomKey {
        let is_name_taken = self.rooms.is_name_of_another(record);
        let (key, absorbed) = self.rooms.take_up(record);
        if let Some(absorbed) = absorbed {
            for session in self.sessions.iter_mut().flatten() {
                session.rooms.iter_mut().filter(|room| **room == absorbed).for_each(|room| *room = key);
            }
            self.move_away(absorbed, key);
        }
        self.take_in_early(record.id, key);
        if is_name_taken {
            // The other one has another name by now, or is gone, and that is not heard yet.
            self.survey_rooms();
        }
        key
    }

    pub(super) fn room_deleted(&mut self, id: RoomId, after: &mut Vec<Effect>) -> Reply {
        let key = self.rooms.find_durable(id.into());
        let is_open = self.rooms.find_open(id.into()).is_some();
        if let Some(key) = key {
            let room = Rc::clone(&self.rooms.living(key).name);
            let dissolved = self.rooms.dissolve(key);
            self.forget_away(key, &dissolved.away);
            for user in dissolved.present {
                self.presence.living_mut(user).rooms.retain(|room| *room != key);
            }
            for member in dissolved.members {
                if let Some(session) = self.session_mut(member) {
                    session.rooms.retain(|room| *room != key);
                }
                if self.is_listener(member) {
                    after.push(Effect::Dismiss { slot: member });
                    continue;
                }
                let mut tell = |event| after.push(Effect::Tell { audience: Audience::Session(member), event });
                tell(Event::Expelled { room: Rc::clone(&room) });
                if !is_open {
                    tell(Event::RoomDeleted { id });
                }
            }
        }
        if is_open {
            after.push(Effect::Tell { audience: Audience::Everybody, event: Event::RoomDeleted { id } });
        }
        Reply::RoomDeleted { id }
    }
}
