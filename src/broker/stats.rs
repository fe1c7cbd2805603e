//! What the broker's threads count, for whoever asks how the broker is doing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The numbers at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Whether this node hears the others and they hear it, as far as is known.
    pub is_up: bool,
    /// What waits to be told.
    pub waiting: usize,
    /// What was told: envelopes and announcements.
    pub published: u64,
    /// What was not told, or not for sure, since there was no connection or too much waited.
    pub dropped: u64,
    /// Envelopes of others that were heard, each counted once.
    pub received: u64,
    /// What was heard and not understood.
    pub malformed: u64,
    /// Nodes that live, this one among them.
    pub nodes: usize,
}

/// What the numbers are counted in.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) published: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) malformed: AtomicU64,
    /// The other nodes.
    pub(super) others: AtomicUsize,
}

impl Counters {
    pub(super) fn snapshot(&self, is_up: bool, waiting: usize, dropped: u64) -> Stats {
        Stats {
            is_up,
            waiting,
            published: self.published.load(Relaxed),
            dropped,
            received: self.received.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            nodes: self.others.load(Relaxed) + 1,
        }
    }
}
