//! The thread that hears. It listens where it is wanted, reads what comes, and knows which nodes live.
//!
//! It waits for one thing alone, its connection. So whoever wants it to do something has the publisher *ring*: a message to
//! this node's own channel. A ring says when it was sent, and what others told before that has been heard before it. That
//! is what tells a node that is silent from one that was merely not read yet, while this process stood still. And a ring
//! that is heard proves that both connections work.
//! When it has asked for all that was wanted by then, and that is confirmed, the ring is answered.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::envelope::Envelope;
use super::handle::{Pause, Shared};
use super::leases::Leases;
use super::{Arrival, Heard, Subscriber};
use crate::hub::nodes::Notice;
use crate::id::NodeId;

/// How many channels are asked for at once.
const CHANNELS: usize = 1024;

/// Lines about what is not understood are at least so far apart.
const LINES_APART: Duration = Duration::from_secs(60);

/// The thread's own.
pub(super) struct Hearer {
    shared: Arc<Shared>,
    leases: Leases,
    warned_at: Option<Instant>,
}

impl Hearer {
    pub(super) fn new(shared: Arc<Shared>, lease: Duration, others: &[NodeId]) -> Self {
        shared.counters.others.store(others.len(), Relaxed);
        Self { shared, leases: Leases::new(lease, others, Instant::now()), warned_at: None }
    }

    pub(super) fn run(mut self) {
        let mut pause = Pause::default();
        loop {
            let began = Instant::now();
            let trouble = match self.shared.broker.subscriber() {
                Ok(mut connection) => match self.hear(connection.as_mut()) {
                    Ok(()) => return,
                    Err(trouble) => trouble,
                },
                Err(trouble) => trouble,
            };
            self.shared.wanted().lose();
            self.shared.answer(None);
            self.shared.inbox.fail(trouble);
            if self.shared.queue.pause(pause.next(began)) {
                return;
            }
        }
    }

    /// Hears what comes until nobody wants to know any more, or it can't.
    fn hear(&mut self, connection: &mut dyn Subscriber) -> Result<(), String> {
        let mut owed = listen(connection, self.shared.wanted().all())?;
        let (mut is_new, mut rung) = (true, None);
        while !self.shared.inbox.is_closed() {
            match connection.next()? {
                Heard::Confirmed => owed = owed.saturating_sub(1),
                Heard::Message(bytes) => match self.shared.read_ring(&bytes) {
                    None => self.take(&bytes),
                    Some(sent) => {
                        rung = Some(sent);
                        owed += listen(connection, self.shared.wanted().changes())?;
                        self.take_gone(sent);
                    }
                },
            }
            if owed > 0 {
                continue;
            }
            if let Some(sent) = rung.take() {
                self.shared.answer(Some(sent));
                self.shared.inbox.succeed(sent);
            }
            if is_new {
                is_new = false;
                self.leases.renew(Instant::now());
                self.shared.answer(Some(Instant::now()));
                // What rang before was perhaps not heard.
                self.shared.queue.ring();
            }
        }
        Ok(())
    }

    /// Who was silent for too long when that was sent is gone.
    fn take_gone(&mut self, sent: Instant) {
        let gone = self.leases.take_gone(sent);
        self.count_others();
        for node in gone {
            self.shared.inbox.put_at_once(Arrival::Gone(node));
        }
    }

    /// Takes an envelope.
    fn take(&mut self, bytes: &[u8]) {
        let Some((from, envelope)) = Envelope::read(bytes) else {
            return self.note_malformed();
        };
        if from == self.shared.node || !self.leases.hear(from, envelope.n, Instant::now()) {
            return;
        }
        match envelope.open() {
            Some(notice) => {
                self.shared.counters.received.fetch_add(1, Relaxed);
                if notice == Notice::Farewell {
                    self.leases.forget(from);
                }
                self.count_others();
                self.shared.inbox.put(Arrival::Notice { from, notice }, bytes.len());
            }
            None => self.note_malformed(),
        }
    }

    fn count_others(&self) {
        self.shared.counters.others.store(self.leases.len(), Relaxed);
    }

    fn note_malformed(&mut self) {
        self.shared.counters.malformed.fetch_add(1, Relaxed);
        if self.warned_at.is_none_or(|at| at.elapsed() >= LINES_APART) {
            log::warn!("the broker brought something that is not understood: perhaps of a node of another version");
            self.warned_at = Some(Instant::now());
        }
    }
}

/// Asks for these changes, in their order, and yields how many will be confirmed.
fn listen(connection: &mut dyn Subscriber, changes: Vec<(String, bool)>) -> Result<usize, String> {
    let count = changes.len();
    for run in changes.chunk_by(|(_, one), (_, next)| one == next) {
        let is_on = run.first().is_some_and(|(_, is_on)| *is_on);
        for part in run.chunks(CHANNELS) {
            let channels: Vec<String> = part.iter().map(|(channel, _)| channel.clone()).collect();
            connection.listen(&channels, is_on)?;
        }
    }
    Ok(count)
}
