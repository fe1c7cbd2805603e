//! What is told the members on a node: encoded once, and given to each one's outbox, whose socket takes everything at once.

use std::io::{self, IoSlice, Write};
use std::rc::Rc;

use roomcast::dialect::DialectKey;
use roomcast::hub::{Audience, Effect, Hub};
use roomcast::net::outbox::{Outbox, Shared};

/// A network that costs nothing.
#[derive(Default)]
struct Network {
    bytes: usize,
}

impl Write for Network {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = slices.iter().map(|slice| slice.len()).sum();
        self.bytes += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The outboxes of a node, by slot.
pub(super) struct Fanout {
    outboxes: Vec<Outbox>,
    wire: Vec<u8>,
    scratch: Vec<u8>,
    network: Network,
}

impl Fanout {
    pub(super) fn of(slots: usize) -> Self {
        let outboxes = std::iter::repeat_with(Outbox::default).take(slots).collect();
        Self { outboxes, wire: Vec::new(), scratch: Vec::new(), network: Network::default() }
    }

    /// Tells the members of rooms what they are to be told. Yields how many tellings that were.
    pub(super) fn deliver(&mut self, hub: &Hub, effects: &[Effect]) -> usize {
        let dialect = DialectKey::by_path("/chatserver/connect").unwrap().dialect();
        let (before, mut tellings, mut bytes) = (self.network.bytes, 0, 0);
        for effect in effects {
            let Effect::Tell { audience: Audience::Room { room, except }, event } = effect else { continue };
            self.wire.clear();
            dialect.event(event, &mut self.wire);
            let shared: Shared = Rc::from(&self.wire[..]);
            for slot in hub.members(*room).iter().filter(|slot| Some(**slot) != *except) {
                let outbox = &mut self.outboxes[slot.index()];
                let is_done = outbox.flush(Some(Shared::clone(&shared)), &mut self.network, &mut self.scratch).unwrap();
                assert!(is_done, "the network takes everything");
                (tellings, bytes) = (tellings + 1, bytes + shared.len());
            }
        }
        assert_eq!(self.network.bytes - before, bytes);
        tellings
    }
}
