//! From effects to bytes: each event is encoded once for each dialect that has a recipient, and every recipient's
//! outbox gets a reference to the same bytes.

use crate::dialect::{DIALECTS, DialectKey};
use crate::hub::{Audience, Effect, Event, Hub};
use crate::id::SlotKey;
use crate::net::outbox::Shared;

use super::slot::Slots;

/// Carries out the hub's effects. Keeps its buffers between calls.
#[derive(Default)]
pub(super) struct Fanout {
    /// What the hub has yielded and nobody has been told yet.
    pub(super) effects: Vec<Effect>,
    /// Where encoding happens, before the bytes are shared.
    wire: Vec<u8>,
    /// What this turn has added to outboxes so far, in bytes of memory.
    pub(super) spent: usize,
}

/// What handing a reference to an outbox costs.
const REFERENCE_BYTES: usize = size_of::<Shared>();

impl Fanout {
    /// Carries out all effects, in their order. A room's audience is whoever is in it now, so it is called before the
    /// hub is asked anything else; but when many depart at once, after all have.
    pub(super) fn deliver(&mut self, hub: &Hub, slots: &mut Slots) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Reply { to, reply } => {
                    if let Some(dialect) = slots.dialect(to) {
                        let bytes = self.share(|wire| dialect.dialect().reply(&reply, wire));
                        slots.owe(to, bytes);
                    }
                }
                Effect::Tell { audience, event } => self.tell(audience, &event, hub, slots),
            }
        }
        self.effects = effects;
    }

    fn tell(&mut self, audience: Audience, event: &Event, hub: &Hub, slots: &mut Slots) {
        let mut encoded = Encoded::default();
        match audience {
            Audience::Session(slot) => self.hand_to(slot, event, &mut encoded, slots),
            Audience::Room { room, except } => {
                for &member in hub.members(room) {
                    if Some(member) != except {
                        self.hand_to(member, event, &mut encoded, slots);
                    }
                }
            }
        }
    }

    fn hand_to(&mut self, slot: SlotKey, event: &Event, encoded: &mut Encoded, slots: &mut Slots) {
        let Some(dialect) = slots.dialect(slot) else { return };
        let bytes = encoded.get_or_encode(dialect, || self.share(|wire| dialect.dialect().event(event, wire)));
        slots.owe(slot, bytes);
        self.spent += REFERENCE_BYTES;
    }

    fn share(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Shared {
        self.wire.clear();
        write(&mut self.wire);
        self.spent += self.wire.len() + REFERENCE_BYTES;
        Shared::from(&self.wire[..])
    }
}

/// One event's bytes in each dialect that has needed them so far.
#[derive(Default)]
struct Encoded([Option<Shared>; DIALECTS.len()]);

impl Encoded {
    fn get_or_encode(&mut self, dialect: DialectKey, encode: impl FnOnce() -> Shared) -> Shared {
        Shared::clone(self.0[dialect.index()].get_or_insert_with(encode))
    }
}
