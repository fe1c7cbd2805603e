//! What is answered at once: coming and going, ephemeral rooms, private messages, lists.

use std::rc::Rc;

use super::command::{Command, Name, Text};
use super::effect::{Audience, Effect, Event, Refusal, Reply, User, Who};
use super::nodes::Address;
use super::session::Asker;
use super::typing::Place;
use super::{Hub, job};
use crate::id::{ConnectionId, RoomKey, SlotKey, UserId};

impl Hub {
    pub(super) fn talk(
        &mut self,
        slot: SlotKey,
        command: Command,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        match command {
            Command::Join { room } => self.join(slot, &room, effects),
            Command::Leave => {
                let key = self.rooms_of(slot).first().copied().ok_or(Refusal::WasInNoRoom)?;
                let room = Rc::clone(&self.rooms.living(key).name);
                self.leave_room(slot, key, effects);
                Ok(Reply::Left { room })
            }
            Command::SayToUser { to, text } => self.say_to_user(slot, to, text, effects),
            Command::ListMembers { room } => self.list_members(&room),
            _ => Ok(Reply::Rooms { rooms: self.rooms.list() }),
        }
    }

    /// Joins the open room of that name, and leaves the one that the session is in.
    fn join(&mut self, slot: SlotKey, name: &Name, effects: &mut Vec<Effect>) -> Result<Reply, Refusal> {
        let found = self.rooms.find(name.as_str());
        let current = self.rooms_of(slot).first().copied();
        if let Some(key) = found.filter(|&key| current == Some(key)) {
            return Ok(Reply::Joined { room: Rc::clone(&self.rooms.living(key).name) });
        }
        // Alone in an ephemeral room, one gives one up for the other.
        let gives_up_one = current.is_some_and(|key| self.rooms.living(key).member_count() == 1);
        if found.is_none() && !gives_up_one && self.rooms.open_count() >= self.limits.max_rooms {
            return Err(Refusal::TooMany(format!("this server has no more than {} rooms", self.limits.max_rooms)));
        }
        if let Some(current) = current {
            self.leave_room(slot, current, effects);
        }
        let key = found.unwrap_or_else(|| self.rooms.make_ephemeral(name.shared()));
        self.enter(slot, key, effects);
        Ok(Reply::Joined { room: Rc::clone(&self.rooms.living(key).name) })
    }

    /// Puts the session into a room that it is not in, and tells those who are.
    pub(super) fn enter(&mut self, slot: SlotKey, key: RoomKey, effects: &mut Vec<Effect>) {
        let Some(who) = self.who(slot) else { return };
        let is_again = self.is_there_otherwise(slot, key);
        let at = self.stamp();
        self.rooms.add(key, slot, at);
        if let Some(session) = self.session_mut(slot) {
            session.rooms.push(key);
        }
        self.note_entered(&who, key, at);
        if !self.is_noticed(self.is_attendee(slot), key) {
            return;
        }
        let room = self.rooms.living(key);
        let event = Event::Joined { room: Rc::clone(&room.name), id: room.id(), who, is_again };
        effects.push(Effect::Tell { audience: Audience::Room { room: key, except: Some(slot) }, event });
    }

    /// Takes the session out of a room that it is in, and tells those who stay.
    pub(super) fn leave_room(&mut self, slot: SlotKey, key: RoomKey, effects: &mut Vec<Effect>) {
        let Some(who) = self.who(slot) else { return self.stop_listening(slot, key) };
        let is_told = self.is_noticed(self.is_attendee(slot), key);
        if let Some(id) = self.rooms.living(key).id() {
            self.stop_typing(slot, Place::Room(id), effects);
        }
        let is_still_there = self.is_there_otherwise(slot, key);
        if let Some(session) = self.session_mut(slot) {
            session.rooms.retain(|room| *room != key);
        }
        self.note_left(&who, key);
        let (name, id) = (Rc::clone(&self.rooms.living(key).name), self.rooms.living(key).id());
        if self.rooms.remove(key, slot) && is_told {
            let event = Event::Left { room: name, id, who, is_still_there };
            effects.push(Effect::Tell { audience: Audience::Room { room: key, except: None }, event });
        }
    }

    /// Whether others are told when such a session enters the room or leaves it: where attendees are in private, presence
    /// says it.
    pub(super) fn is_noticed(&self, is_attendee: bool, room: RoomKey) -> bool {
        !is_attendee || self.rooms.living(room).is_open()
    }

    pub(super) fn leave_all(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) {
        while let Some(&key) = self.rooms_of(slot).first() {
            self.leave_room(slot, key, effects);
        }
    }

    pub(super) fn who(&self, slot: SlotKey) -> Option<Who> {
        self.session(slot)?.who(self.nonce)
    }

    /// Whether another session of the same user is in the room.
    pub(super) fn is_there_otherwise(&self, slot: SlotKey, key: RoomKey) -> bool {
        let Some(user) = self.session(slot).and_then(|session| session.user.as_ref()) else { return false };
        self.is_in_by_another(user.id, key, Some(slot), None)
    }

    /// Whether a session of that user is in the room, here or on another node, but for these.
    pub(super) fn is_in_by_another(
        &self,
        user: UserId,
        key: RoomKey,
        except: Option<SlotKey>,
        except_away: Option<ConnectionId>,
    ) -> bool {
        let mut others = self.sessions_of(user).iter().filter(|&&other| Some(other) != except);
        others.any(|&other| self.rooms_of(other).contains(&key)) || self.nodes.is_in(user, key, except_away)
    }

    /// Makes the session that user, or nobody in particular. Where it is does not change.
    pub(super) fn be_user(&mut self, slot: SlotKey, user: Option<Rc<User>>) {
        let Some(session) = self.session_mut(slot) else { return };
        debug_assert!(matches!(session.asker, Asker::Client(_)) || user.is_none(), "only a client is somebody");
        let id = user.as_ref().map(|user| user.id);
        if let Some(former) = std::mem::replace(&mut session.user, user)
            && let Some(slots) = self.users.get_mut(&former.id)
        {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.users.remove(&former.id);
                self.nodes.listen(|| Address::User(former.id), false);
            }
        }
        if let Some(id) = id {
            let slots = self.users.entry(id).or_default();
            slots.push(slot);
            if slots.len() == 1 {
                self.nodes.listen(|| Address::User(id), true);
            }
            self.note_user(slot);
        }
    }

    /// The slots of that user's sessions.
    pub(super) fn sessions_of(&self, user: UserId) -> &[SlotKey] {
        self.users.get(&user).map_or(&[], |slots| slots)
    }

    /// Somebody known to the store, and whether they are here.
    pub(super) fn known(&self, record: job::UserRecord) -> (Rc<User>, bool) {
        let online = !self.sessions_of(record.id).is_empty() || self.nodes.has_session_of(record.id);
        (Rc::new(User { id: record.id, uuid: record.uuid, name: record.name.into() }), online)
    }

    fn say_to_user(
        &mut self,
        slot: SlotKey,
        to: String,
        text: Text,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let from = self.who(slot).and_then(|who| who.connection());
        let (Some(recipient), Some(from)) = (ConnectionId::parse(&to), from) else {
            return Err(Refusal::NoSuchUser { id: to });
        };
        let text = text.into_shared();
        if let Some(&slot) = self.slots.get(&recipient) {
            let event = Event::PrivateMessage { from, text: Rc::clone(&text) };
            effects.push(Effect::Tell { audience: Audience::Session(slot), event });
        } else if !self.whisper(recipient, from, &text) {
            return Err(Refusal::NoSuchUser { id: to });
        }
        Ok(Reply::SaidToUser { to: recipient, text })
    }

    fn list_members(&self, name: &Name) -> Result<Reply, Refusal> {
        let key = self.rooms.find(name.as_str());
        let key = key.ok_or_else(|| Refusal::NoSuchRoom { name: name.as_str().into() })?;
        let members = self.members_everywhere(key);
        Ok(Reply::Members { room: Rc::clone(&self.rooms.living(key).name), members })
    }
}
