//! From effects to bytes. What one slot is told is encoded and owed to it at once; what a room is told is noted as
//! news, encoded once for each dialect that has a recipient, and handed over when the members are flushed.

use std::collections::BTreeMap;

use crate::dialect::{Encoder, Encoding, refusal};
use crate::hub::{Audience, Effect, Event, Hub, Reply, RoomKey, Tag};
use crate::id::SlotKey;
use crate::net::outbox::Shared;

use super::news::{Encoded, News};
use super::slot::Slots;

/// After a burst no more room than this is kept for encoding.
const KEPT_WIRE_BYTES: usize = 512 * 1024;

/// A reply of more bytes does not count as owed to a slow reader: it was asked for, and the next one has to wait.
const LONG_REPLY_BYTES: usize = 16 * 1024;

/// What handing a reference to an outbox costs.
const REFERENCE_BYTES: usize = size_of::<Shared>();

/// What is left to the server when all have been told.
#[derive(Default)]
pub(super) struct Rest {
    /// Replies to requests that came over HTTP: each is the end of an exchange, or a part of it.
    pub(super) answers: Vec<(SlotKey, Reply, Option<Box<Tag>>)>,
    /// Sessions that are to be told to leave.
    pub(super) dismissed: Vec<SlotKey>,
    /// Sessions whose next requests may be carried out.
    pub(super) resumed: Vec<SlotKey>,
}

/// Carries out the hub's effects. Keeps its buffers between calls.
pub(super) struct Fanout {
    pub(super) encoder: Encoder,
    /// What the hub has yielded and nobody has been told yet.
    pub(super) effects: Vec<Effect>,
    /// Where encoding happens, before the bytes are shared.
    wire: Vec<u8>,
    news: News,
    /// What this turn has added to memory so far, in bytes.
    pub(super) spent: usize,
    /// How often somebody was handed an event of a room so far.
    pub(super) deliveries: u64,
    /// How many requests have been refused so far, by the code of the refusal.
    pub(super) refusals: BTreeMap<&'static str, u64>,
}

impl Fanout {
    pub(super) fn new(encoder: Encoder) -> Self {
        Self {
            encoder,
            effects: Vec::new(),
            wire: Vec::new(),
            news: News::default(),
            spent: 0,
            deliveries: 0,
            refusals: BTreeMap::new(),
        }
    }

    /// Carries out all effects, in their order.
    pub(super) fn deliver(&mut self, hub: &Hub, slots: &mut Slots) -> Rest {
        let mut rest = Rest::default();
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            if let Effect::Reply { reply: Reply::Refused(refused), .. } = &effect {
                *self.refusals.entry(refusal::code(refused)).or_default() += 1;
            }
            match effect {
                Effect::Reply { to, reply, tag } if slots.encoding(to).is_none() => rest.answers.push((to, reply, tag)),
                Effect::Reply { to, reply, tag } => {
                    let Some(encoding) = slots.encoding(to) else { continue };
                    let encoder = &self.encoder;
                    let bytes = share(&mut self.wire, |wire| {
                        encoder.reply(encoding, &reply, tag.as_deref(), hub.mark(), wire);
                    });
                    self.reply(to, bytes, hub, slots);
                }
                Effect::Tell { audience: Audience::Session(to), event } => {
                    self.tell_each(std::iter::once(to), &event, hub, slots);
                }
                Effect::Tell { audience: Audience::These(recipients), event } => {
                    self.tell_each(recipients.into_iter(), &event, hub, slots);
                }
                Effect::Tell { audience: Audience::Room { room, except }, event } => {
                    self.tell_room(room, except, event, hub, slots);
                }
                Effect::Tell { audience: Audience::Everybody, event } => {
                    self.tell_each(hub.everybody(), &event, hub, slots);
                }
                Effect::Dismiss { slot } => rest.dismissed.push(slot),
                Effect::Resume { slot } => rest.resumed.push(slot),
            }
        }
        self.effects = effects;
        rest
    }

    /// Adds finished bytes to what is owed to an open connection, behind all that it has been told before.
    pub(super) fn owe(&mut self, to: SlotKey, bytes: Shared, hub: &Hub, slots: &mut Slots) {
        self.catch_up(to, hub, slots);
        self.spent += bytes.len() + REFERENCE_BYTES;
        slots.owe(to, bytes);
    }

    fn reply(&mut self, to: SlotKey, bytes: Shared, hub: &Hub, slots: &mut Slots) {
        if bytes.len() <= LONG_REPLY_BYTES {
            return self.owe(to, bytes, hub, slots);
        }
        self.catch_up(to, hub, slots);
        self.spent += bytes.len();
        slots.owe_answer(to, bytes);
    }

    fn tell_room(&mut self, room: RoomKey, except: Option<SlotKey>, event: Event, hub: &Hub, slots: &mut Slots) {
        if let Some(except) = except {
            self.catch_up(except, hub, slots);
        }
        self.spent += self.news.tell(room, event, hub.mark());
        if let Some(slot) = except.and_then(|except| slots.get(except)) {
            slot.heard = self.news.next_number();
        }
    }

    fn tell_each(&mut self, to: impl Iterator<Item = SlotKey>, event: &Event, hub: &Hub, slots: &mut Slots) {
        let mut encoded = Encoded::default();
        for to in to {
            let Some(encoding) = slots.encoding(to) else { continue };
            let (encoder, wire) = (&self.encoder, &mut self.wire);
            let encode = || share(wire, |wire| encoder.event(encoding, event, hub.mark(), wire));
            let bytes = encoded.get(encoding, encode);
            if !bytes.is_empty() {
                let bytes = Shared::clone(bytes);
                self.owe(to, bytes, hub, slots);
            }
        }
    }

    /// Puts what `key` has not heard yet into its outbox. To be called before its membership or its stage changes, too:
    /// it is told what came before as a member, and nothing of that afterwards.
    pub(super) fn catch_up(&mut self, key: SlotKey, hub: &Hub, slots: &mut Slots) {
        let next = self.news.next_number();
        let Some(slot) = slots.get(key).filter(|slot| slot.heard < next) else { return };
        let heard = std::mem::replace(&mut slot.heard, next);
        let Some(encoding) = slot.encoding else { return };
        let (encoder, wire) = (&self.encoder, &mut self.wire);
        let (spent, deliveries) = (&mut self.spent, &mut self.deliveries);
        let encode = |event: &Event, mark| share(wire, |wire| encoder.event(encoding, event, mark, wire));
        self.news.unheard(hub.rooms_of(key), heard, encoding, encode, |bytes| {
            *spent += REFERENCE_BYTES;
            *deliveries += 1;
            slots.owe(key, bytes);
        });
    }

    /// Has all members of rooms with news catch up, before something changes who is in which room. Then no news is left.
    pub(super) fn settle(&mut self, hub: &Hub, slots: &mut Slots) {
        for (room, _) in self.rooms_with_news(hub) {
            for &member in hub.members(room) {
                self.catch_up(member, hub, slots);
            }
        }
        self.forget_news();
    }

    /// What `key` has not heard yet, if that is all that one room has been told; else it goes into the outbox.
    pub(super) fn fetch(&mut self, key: SlotKey, hub: &Hub, slots: &mut Slots) -> Option<Shared> {
        let slot = slots.get(key)?;
        let room = self.news.only_room(hub.rooms_of(key));
        if let Some((whole, count)) = room.and_then(|room| self.whole_for(room, slot.heard, slot.encoding?)) {
            self.deliveries += u64::from(count);
            slot.heard = self.news.next_number();
            return Some(whole);
        }
        self.catch_up(key, hub, slots);
        None
    }

    fn whole_for(&mut self, room: RoomKey, heard: u64, encoding: Encoding) -> Option<(Shared, u32)> {
        let (encoder, wire) = (&self.encoder, &mut self.wire);
        self.news.whole(room, heard, encoding, |events| {
            share(wire, |wire| events.for_each(|(event, mark)| encoder.event(encoding, event, mark, wire)))
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
