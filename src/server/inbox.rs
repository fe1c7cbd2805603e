//! What the store has sent: the way of jobs to its thread, of outcomes back into the loop, and of the word that it is worth
//! while to look for what others have done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use mio::Waker;

use crate::config::Config;
use crate::error::ServerError;
use crate::hub::job::{Fault, Job, Outcome, Ticket};
use crate::store::{CallStats, Calls, Handle, Settings, Stats, Store};

/// Outcomes taken in one turn; what is left is due in the next.
pub(super) const OUTCOMES_PER_TURN: usize = 256;

/// The loop's end of the store.
pub(super) struct Inbox {
    store: Option<Handle>,
    /// Others may have done something.
    is_poked: Arc<AtomicBool>,
    /// The counters of a store that calls another server.
    calls: Option<Arc<dyn Calls>>,
    /// The store's thread has sent something.
    has_rung: bool,
    /// Outcomes that are known without asking.
    refused: Vec<(Ticket, Outcome)>,
}

impl Inbox {
    /// Starts the store's thread. What it sends wakes the loop. `is_alone`: no other node uses the store.
    pub(super) fn start(
        store: Option<Box<dyn Store>>,
        is_alone: bool,
        config: &Config,
        waker: &Arc<Waker>,
    ) -> Result<Self, ServerError> {
        let refused = Vec::new();
        let is_poked = Arc::<AtomicBool>::default();
        let Some(mut store) = store else {
            return Ok(Self { store: None, is_poked, calls: None, has_rung: false, refused });
        };
        let calls = store.calls();
        let (poked, poke_waker, waker) = (Arc::downgrade(&is_poked), Arc::clone(waker), Arc::clone(waker));
        store.watch(Box::new(move || {
            let is_wanted = poked.upgrade().is_some_and(|poked| {
                poked.store(true, Relaxed);
                true
            });
            is_wanted && poke_waker.wake().is_ok()
        }));
        // The loop is gone when nobody can be woken.
        let wake = Box::new(move || drop(waker.wake()));
        let settings = Settings { queue: config.store_queue, patience: config.store_patience, is_alone };
        let handle = Handle::start(store, settings, wake).map_err(ServerError::system("start the store's thread"))?;
        Ok(Self { store: Some(handle), is_poked, calls, has_rung: false, refused })
    }

    /// Gives the store a job. If it takes no more, that is the outcome.
    pub(super) fn submit(&mut self, ticket: Ticket, job: Job, now: Instant) {
        let is_taken = self.store.as_mut().map(|store| store.submit(ticket, job, now));
        let sentence = match is_taken {
            Some(true) => return,
            Some(false) => "too many requests are waiting for the store",
            None => "this server keeps nothing: it runs without a store",
        };
        self.refused.push((ticket, Err(Fault::Unavailable(sentence.into()))));
    }

    /// The store's thread has woken the loop.
    pub(super) fn ring(&mut self) {
        self.has_rung = true;
    }

    /// Whether it is worth while to look for what others have done.
    pub(super) fn is_poked(&self) -> bool {
        // Whoever pokes also rings.
        self.has_rung && self.is_poked.swap(false, Relaxed)
    }

    /// What has come of jobs: at most a turn's worth.
    pub(super) fn drain(&mut self, now: Instant) -> Vec<(Ticket, Outcome)> {
        let mut outcomes = std::mem::take(&mut self.refused);
        if let Some(store) = &mut self.store
            && (self.has_rung || store.has_outcomes() || store.next_deadline().is_some_and(|due| due <= now))
        {
            self.has_rung = false;
            store.drain(OUTCOMES_PER_TURN, now, &mut outcomes);
        }
        outcomes
    }

    /// When a job has waited too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.store.as_ref()?.next_deadline()
    }

    /// Whether there is something to drain at once.
    pub(super) fn has_work(&self) -> bool {
        !self.refused.is_empty() || self.store.as_ref().is_some_and(Handle::has_outcomes)
    }

    /// Lets the store finish, and waits for that until then.
    pub(super) fn finish(&mut self, until: Instant) {
        if let Some(store) = self.store.take() {
            store.finish(until);
        }
    }

    /// What the store has counted.
    pub(super) fn stats(&self) -> Option<Stats> {
        self.store.as_ref().map(Handle::stats)
    }

    /// What the store has counted of its calls to another server.
    pub(super) fn calls(&self) -> Vec<CallStats> {
        self.calls.as_ref().map_or_else(Vec::new, |calls| calls.stats())
    }

    /// What is wrong with the store, if something is.
    pub(super) fn trouble(&self) -> Option<String> {
        self.store.as_ref()?.trouble()
    }
}
