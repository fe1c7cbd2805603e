//! From effects to bytes. What one slot is told is encoded and owed to it at once; what a room is told is noted as
//! news, encoded once for each dialect that has a recipient, and handed over when the members are flushed.

use crate::dialect::{Dialect, DialectKey};
use crate::hub::{Audience, Effect, Event, Hub, RoomKey};
use crate::id::SlotKey;
use crate::net::outbox::Shared;

use super::news::News;
use super::slot::Slots;

/// After a burst no more room than this is kept for encoding.
const KEPT_WIRE_BYTES: usize = 512 * 1024;

/// What handing a reference to an outbox costs.
const REFERENCE_BYTES: usize = size_of::<Shared>();

/// Carries out the hub's effects. Keeps its buffers between calls.
#[derive(Default)]
pub(super) struct Fanout {
    /// What the hub has yielded and nobody has been told yet.
    pub(super) effects: Vec<Effect>,
    /// Where encoding happens, before the bytes are shared.
    wire: Vec<u8>,
    news: News,
    /// What this turn has added to memory so far, in bytes.
    pub(super) spent: usize,
}

impl Fanout {
    /// Carries out all effects, in their order.
    pub(super) fn deliver(&mut self, hub: &Hub, slots: &mut Slots) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Reply { to, reply } => {
                    self.tell_one(to, |dialect, wire| dialect.reply(&reply, wire), hub, slots);
                }
                Effect::Tell { audience: Audience::Session(to), event } => {
                    self.tell_one(to, |dialect, wire| dialect.event(&event, wire), hub, slots);
                }
                Effect::Tell { audience: Audience::Room { room, except }, event } => {
                    self.tell_room(room, except, event, hub, slots);
                }
            }
        }
        self.effects = effects;
    }

    /// Adds finished bytes to what is owed to an open connection, behind all that it has been told before.
    pub(super) fn owe(&mut self, to: SlotKey, bytes: Shared, hub: &Hub, slots: &mut Slots) {
        self.catch_up(to, hub, slots);
        self.spent += bytes.len() + REFERENCE_BYTES;
        slots.owe(to, bytes);
    }

    fn tell_one(&mut self, to: SlotKey, encode: impl FnOnce(&dyn Dialect, &mut Vec<u8>), hub: &Hub, slots: &mut Slots) {
        let Some(dialect) = slots.dialect(to) else { return };
        let bytes = share(&mut self.wire, |wire| encode(dialect.dialect(), wire));
        self.owe(to, bytes, hub, slots);
    }

    fn tell_room(&mut self, room: RoomKey, except: Option<SlotKey>, event: Event, hub: &Hub, slots: &mut Slots) {
        if let Some(except) = except {
            self.catch_up(except, hub, slots);
        }
        self.spent += self.news.tell(room, event);
        if let Some(slot) = except.and_then(|except| slots.get(except)) {
            slot.heard = self.news.next_number();
        }
    }

    /// Puts what `key` has not heard yet into its outbox. To be called before its membership or its stage changes, too:
    /// it is told what came before as a member, and nothing of that afterwards.
    pub(super) fn catch_up(&mut self, key: SlotKey, hub: &Hub, slots: &mut Slots) {
        let next = self.news.next_number();
        let Some(slot) = slots.get(key).filter(|slot| slot.heard < next) else { return };
        let heard = std::mem::replace(&mut slot.heard, next);
        let (Some(dialect), Some(room)) = (slot.dialect(), hub.room_of(key)) else { return };
        let (wire, spent) = (&mut self.wire, &mut self.spent);
        let encode = |event: &Event| share(wire, |wire| dialect.dialect().event(event, wire));
        self.news.unheard(room, heard, dialect, encode, |bytes| {
            *spent += REFERENCE_BYTES;
            slots.owe(key, bytes);
        });
    }

    /// What `key` has not heard yet, if that is all that its room has been told; else it goes into the outbox.
    pub(super) fn fetch(&mut self, key: SlotKey, hub: &Hub, slots: &mut Slots) -> Option<Shared> {
        let slot = slots.get(key)?;
        let whole = self.whole_for(hub.room_of(key)?, slot.heard, slot.dialect()?);
        match whole {
            Some(_) => slot.heard = self.news.next_number(),
            None => self.catch_up(key, hub, slots),
        }
        whole
    }

    fn whole_for(&mut self, room: RoomKey, heard: u64, dialect: DialectKey) -> Option<Shared> {
        let wire = &mut self.wire;
        self.news.whole(room, heard, dialect, |events| {
            share(wire, |wire| events.for_each(|event| dialect.dialect().event(event, wire)))
        })
    }

    /// The rooms that have been told something since the last flush, and the number of the last item of each. Small
    /// rooms come first, lest they wait for thousands of others.
    pub(super) fn rooms_with_news(&self, hub: &Hub) -> Vec<(RoomKey, u64)> {
        let mut rooms: Vec<_> = self.news.rooms().collect();
        rooms.sort_by_key(|&(room, _)| hub.members(room).len());
        rooms
    }

    /// Whether rooms have been told something since the last flush.
    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Gives back the memory of a crowd that has gone.
    pub(super) fn give_back(&mut self) {
        self.effects.shrink_to_fit();
        self.wire = Vec::new();
        self.news.give_back();
    }

    /// All members have been flushed.
    pub(super) fn forget_news(&mut self) {
        self.news.clear();
    }
}

fn share(wire: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Shared {
    wire.clear();
    write(wire);
    let shared = Shared::from(&wire[..]);
    wire.clear();
    wire.shrink_to(KEPT_WIRE_BYTES);
    shared
}

#[cfg(test)]
mod tests;
