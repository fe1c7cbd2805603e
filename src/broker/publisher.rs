//! The thread that tells. All that waits goes out as one batch; while that is on its way, the next gathers.
//!
//! That somebody has come somewhere is told when this node listens there, not before: whoever is told of it may say
//! something at once, and in an ephemeral room what nobody hears is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::handle::{Pause, Shared};
use super::queue::Batch;
use super::{Arrival, Parcel, Publisher};

/// The thread's own.
pub(super) struct Teller {
    shared: Arc<Shared>,
    /// Where the subscriber is woken: a channel that nobody else listens to.
    bell: Vec<String>,
    /// The last block of ids that was given to this node.
    block: u64,
    renewal: Duration,
}

impl Teller {
    pub(super) fn new(shared: Arc<Shared>, bell: String, block: u64, renewal: Duration) -> Self {
        Self { shared, bell: vec![bell], block, renewal }
    }

    pub(super) fn run(mut self) {
        let mut pause = Pause::default();
        loop {
            let began = Instant::now();
            let connected = self.shared.broker.publisher();
            let trouble = match connected {
                Ok(mut connection) => match self.tell(connection.as_mut()) {
                    Ok(()) => return,
                    Err(trouble) => trouble,
                },
                Err(trouble) => trouble,
            };
            self.shared.inbox.fail(trouble);
            if self.shared.queue.pause(pause.next(began)) {
                return;
            }
        }
    }

    /// Tells what there is until nothing comes any more, or it can't.
    fn tell(&mut self, connection: &mut dyn Publisher) -> Result<(), String> {
        connection.renew(self.block)?;
        self.shared.queue.connect();
        // The subscriber may have waited for it.
        self.shared.queue.ring();
        let mut renew_at = Instant::now() + self.renewal;
        loop {
            let mut batch = self.shared.queue.take(renew_at);
            let is_due = renew_at <= Instant::now();
            let done = self.carry_out(connection, &mut batch, is_due);
            if let Err(trouble) = done {
                self.shared.queue.disconnect(batch);
                return Err(trouble);
            }
            if batch.is_last {
                return connection.retire();
            }
            if is_due {
                renew_at = Instant::now() + self.renewal;
            }
        }
    }

    fn carry_out(&mut self, connection: &mut dyn Publisher, batch: &mut Batch, is_due: bool) -> Result<(), String> {
        if batch.has_gap {
            return Err("more is to be told than the broker takes".into());
        }
        if is_due {
            connection.renew(self.block)?;
        }
        if is_due || batch.rings || batch.is_last {
            let ring = self.shared.ring();
            connection.publish(&[Parcel { channels: self.bell.clone(), payload: ring.clone(), once: None }])?;
            if batch.rings {
                self.shared.await_answer(&ring);
            }
        }
        if !batch.parcels.is_empty() {
            connection.publish(&batch.parcels)?;
        }
        let count = batch.parcels.len();
        (batch.parcels, batch.envelopes) = (Vec::new(), 0);
        self.shared.counters.published.fetch_add(count as u64, Relaxed);
        while batch.blocks > 0 {
            self.block = connection.reserve(self.block)?;
            batch.blocks -= 1;
            self.shared.inbox.put_at_once(Arrival::Block(self.block));
        }
        Ok(())
    }
}
