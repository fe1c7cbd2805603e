//! The chat itself: who is connected, which rooms there are, who is in them, and who may do what.
//!
//! The hub takes a [`Request`], changes its state and yields [`Effect`]s: the reply to the asker and the events for
//! others, each with its [`Audience`]. It does no I/O, speaks no JSON and reads no clock, so that all of it can be
//! tested as plain values. Whoever calls it (the server's loop) turns effects into bytes in the order in which
//! they were yielded, before it asks the next thing.
//!
//! A reply is an effect like any other, not the return value of a call: so an answer that has to wait (for a
//! transaction to commit, say) leaves by the same road as one that is known at once.
//!
//! Slots are named by the caller; the hub only promises not to mix up their tenants: [`Hub::open`] and
//! [`Hub::close`] frame each tenancy.

mod command;
mod effect;
mod room;

pub use command::{Command, Invalid, Name, Request, Text};
pub use effect::{Audience, Effect, Event, Refusal, Reply};
pub use room::RoomKey;

use std::collections::HashMap;
use std::rc::Rc;

use crate::id::{ConnectionId, SlotKey};
use room::Rooms;

/// See [`Hub::check_invariants`].
const CHECKED_UP_TO_SESSIONS: usize = 64;

/// One participant: a connection that takes part in the chat.
#[derive(Debug)]
struct Session {
    id: ConnectionId,
    room: Option<RoomKey>,
}

/// All users, sessions and rooms of this process.
#[derive(Default)]
pub struct Hub {
    /// Indexed by slot, so that the way from a slot to its session is one load.
    sessions: Vec<Option<Session>>,
    /// The guard against reused slots: a connection id leads to a slot only while that connection lives.
    slots: HashMap<ConnectionId, SlotKey>,
    rooms: Rooms,
    next_id: u64,
}

impl Hub {
    /// A hub with nobody in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection in `slot` begins to take part. Gives it the next connection id and welcomes it.
    pub fn open(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) -> ConnectionId {
        let id = ConnectionId(self.next_id);
        self.next_id += 1;
        if self.sessions.len() <= slot.index() {
            self.sessions.resize_with(slot.index() + 1, || None);
        }
        let former = self.sessions[slot.index()].replace(Session { id, room: None });
        debug_assert!(former.is_none(), "a slot has one tenant at a time");
        self.slots.insert(id, slot);
        effects.push(Effect::Reply { to: slot, reply: Reply::Welcome { id } });
        self.check_in_debug();
        id
    }

    /// Carries out what the session in `slot` asks. Yields exactly one [`Effect::Reply`] to it.
    ///
    /// A slot without a session (its connection has ended in the meantime) is ignored.
    pub fn apply(&mut self, slot: SlotKey, request: Request, effects: &mut Vec<Effect>) {
        let Some(asker) = self.session(slot) else { return };
        let id = asker.id;
        let spoofed = request.claimed_sender.is_some_and(|claimed| ConnectionId::parse(&claimed) != Some(id));
        let outcome = if spoofed { Err(Refusal::NotYourId) } else { self.carry_out(slot, request.command, effects) };
        if let Err(refusal) = outcome {
            self.refuse(slot, refusal, effects);
        }
        self.check_in_debug();
    }

    /// Answers a request that could not even be read. It goes through the hub because replies leave in the order
    /// of the requests, whatever became of each.
    pub fn refuse(&mut self, slot: SlotKey, refusal: Refusal, effects: &mut Vec<Effect>) {
        effects.push(Effect::Reply { to: slot, reply: Reply::Refused(refusal) });
    }

    /// The connection in `slot` has ended: it leaves its room, and its id leads nowhere from now on.
    pub fn close(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) {
        self.leave_room(slot, effects);
        if let Some(session) = self.sessions.get_mut(slot.index()).and_then(Option::take) {
            self.slots.remove(&session.id);
        }
        self.check_in_debug();
    }

    /// The slots of the members of `room`, in the order of joining. Empty for a room that is no more.
    pub fn members(&self, room: RoomKey) -> &[SlotKey] {
        self.rooms.get(room).map_or(&[], |room| &room.members)
    }

    /// The room that the session in `slot` is in.
    pub fn room_of(&self, slot: SlotKey) -> Option<RoomKey> {
        self.session(slot)?.room
    }

    /// Gives back the memory of a crowd that has gone: no slot from index `end` on is in use.
    pub fn give_back(&mut self, end: usize) {
        self.sessions.truncate(end);
        self.sessions.shrink_to_fit();
        self.slots.shrink_to_fit();
        self.rooms.give_back();
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.slots.len()
    }

    /// How many rooms there are.
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    fn session(&self, slot: SlotKey) -> Option<&Session> {
        self.sessions.get(slot.index())?.as_ref()
    }

    fn carry_out(&mut self, slot: SlotKey, command: Command, effects: &mut Vec<Effect>) -> Result<(), Refusal> {
        match command {
            Command::Join { room } => self.join(slot, &room, effects),
            Command::Leave => {
                let room = self.leave_room(slot, effects).ok_or(Refusal::WasInNoRoom)?;
                effects.push(Effect::Reply { to: slot, reply: Reply::Left { room } });
            }
            Command::SayToRoom { text } => self.say_to_room(slot, text, effects)?,
            Command::SayToUser { to, text } => self.say_to_user(slot, to, text, effects)?,
            Command::ListRooms => {
                effects.push(Effect::Reply { to: slot, reply: Reply::Rooms { rooms: self.rooms.names() } });
            }
            Command::ListMembers { room } => {
                let reply = self.list_members(&room)?;
                effects.push(Effect::Reply { to: slot, reply });
            }
        }
        Ok(())
    }

    fn join(&mut self, slot: SlotKey, name: &Name, effects: &mut Vec<Effect>) {
        let Some(asker) = self.session(slot) else { return };
        let (id, current) = (asker.id, asker.room);
        let key = self.rooms.open(name);
        let room = self.rooms.name(key);
        if current == Some(key) {
            effects.push(Effect::Reply { to: slot, reply: Reply::Joined { room } });
            return;
        }
        self.leave_room(slot, effects);
        effects.push(Effect::Reply { to: slot, reply: Reply::Joined { room: Rc::clone(&room) } });
        self.rooms.add(key, slot);
        if let Some(session) = &mut self.sessions[slot.index()] {
            session.room = Some(key);
        }
        let audience = Audience::Room { room: key, except: Some(slot) };
        effects.push(Effect::Tell { audience, event: Event::Joined { room, who: id } });
    }

    /// Takes `slot` out of its room and tells those who stay. Returns the room's name, or nothing if it was in none.
    fn leave_room(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) -> Option<Rc<str>> {
        let session = self.sessions.get_mut(slot.index())?.as_mut()?;
        let key = session.room.take()?;
        let who = session.id;
        let room = self.rooms.name(key);
        if self.rooms.remove(key, slot) {
            let audience = Audience::Room { room: key, except: None };
            effects.push(Effect::Tell { audience, event: Event::Left { room: Rc::clone(&room), who } });
        }
        Some(room)
    }

    fn say_to_room(&mut self, slot: SlotKey, text: Text, effects: &mut Vec<Effect>) -> Result<(), Refusal> {
        let Some(Session { id, room: Some(key) }) = self.session(slot) else { return Err(Refusal::IsInNoRoom) };
        let (from, key) = (*id, *key);
        let room = self.rooms.name(key);
        let text = text.into_shared();
        let event = Event::RoomMessage { room: Rc::clone(&room), from, text: Rc::clone(&text) };
        effects.push(Effect::Tell { audience: Audience::Room { room: key, except: Some(slot) }, event });
        effects.push(Effect::Reply { to: slot, reply: Reply::SaidToRoom { room, text } });
        Ok(())
    }

    fn say_to_user(&mut self, slot: SlotKey, to: String, text: Text, effects: &mut Vec<Effect>) -> Result<(), Refusal> {
        let recipient = ConnectionId::parse(&to).and_then(|to| Some((to, *self.slots.get(&to)?)));
        let (Some((to, recipient)), Some(asker)) = (recipient, self.session(slot)) else {
            return Err(Refusal::NoSuchUser { id: to });
        };
        let text = text.into_shared();
        let event = Event::PrivateMessage { from: asker.id, text: Rc::clone(&text) };
        effects.push(Effect::Tell { audience: Audience::Session(recipient), event });
        effects.push(Effect::Reply { to: slot, reply: Reply::SaidToUser { to, text } });
        Ok(())
    }

    fn list_members(&self, name: &Name) -> Result<Reply, Refusal> {
        let key = self.rooms.find(name).ok_or_else(|| Refusal::NoSuchRoom { name: name.as_str().into() })?;
        let members = self.members(key).iter().filter_map(|&slot| Some(self.session(slot)?.id)).collect();
        Ok(Reply::Members { room: self.rooms.name(key), members })
    }

    /// After every change in a debug build, while the hub is small: the checks cost time in proportion to it.
    fn check_in_debug(&self) {
        if cfg!(debug_assertions) && self.slots.len() <= CHECKED_UP_TO_SESSIONS {
            self.check_invariants();
        }
    }

    /// Panics unless sessions, ids and rooms agree with one another. For tests.
    pub fn check_invariants(&self) {
        let mut living = 0;
        for (index, session) in self.sessions.iter().enumerate() {
            let Some(session) = session else { continue };
            living += 1;
            let slot = SlotKey::new(index);
            assert!(session.id.0 < self.next_id, "{session:?} was never opened");
            assert_eq!(self.slots.get(&session.id), Some(&slot), "{session:?} is not found by its id");
            if let Some(room) = session.room {
                let times = self.members(room).iter().filter(|&&member| member == slot).count();
                assert_eq!(times, 1, "{session:?} is not a member, once, of its room");
            }
        }
        assert_eq!(self.slots.len(), living, "an id leads to a slot without a session");
        let members = self.rooms.check_invariants();
        let in_rooms = self.sessions.iter().flatten().filter(|session| session.room.is_some()).count();
        assert_eq!(members, in_rooms, "a room keeps somebody who is not in it");
    }
}

#[cfg(test)]
mod tests;
