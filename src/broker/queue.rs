//! What waits to be told. Envelopes are for those who are there now: without a connection they are dropped, since the hub
//! tells all anew when it is back. For the same reason the connection is given up when too many wait: whenever one is
//! dropped, the hub hears of a connection that was lost. Announcements wait for the next one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Parcel, Settings};

/// The most that goes out with one write, so that it is answered in time.
const BATCH: usize = 1024;
const BATCH_BYTES: usize = 1 << 20;

/// Lines about what is dropped are at least so far apart.
const LINES_APART: Duration = Duration::from_secs(60);

/// Between the loop and the publisher's thread.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Waited for by the publisher's thread; by both while they pause.
    has_work: Condvar,
    /// Whether envelopes are taken, to be known without waiting for anybody.
    is_connected: AtomicBool,
    dropped: AtomicU64,
    settings: Settings,
}

#[derive(Default)]
struct State {
    envelopes: Line,
    announcements: Line,
    /// How many blocks of ids are wanted.
    blocks: usize,
    /// The subscriber is to be woken.
    rings: bool,
    /// Envelopes were dropped, and the connection has to be given up for it.
    has_overflowed: bool,
    is_closed: bool,
    warned_at: Option<Instant>,
}

/// Parcels, and their bytes.
#[derive(Default)]
struct Line {
    parcels: VecDeque<Parcel>,
    bytes: usize,
}

impl Line {
    fn push(&mut self, parcel: Parcel) {
        self.bytes += parcel.payload.len();
        self.parcels.push_back(parcel);
    }

    fn pop(&mut self) -> Option<Parcel> {
        let parcel = self.parcels.pop_front()?;
        self.bytes -= parcel.payload.len();
        Some(parcel)
    }

    fn is_over(&self, count: usize, bytes: usize) -> bool {
        self.parcels.len() > count || self.bytes > bytes
    }

    /// Takes what one write may carry.
    fn take(&mut self) -> Vec<Parcel> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH
            && bytes < BATCH_BYTES
            && let Some(parcel) = self.pop()
        {
            bytes += parcel.payload.len() * parcel.channels.len();
            batch.push(parcel);
        }
        batch
    }
}

/// What the publisher's thread does next.
pub(super) struct Batch {
    /// Envelopes, and behind them announcements.
    pub(super) parcels: Vec<Parcel>,
    /// How many envelopes.
    pub(super) envelopes: usize,
    pub(super) blocks: usize,
    pub(super) rings: bool,
    /// Envelopes were dropped that came before.
    pub(super) has_gap: bool,
    /// Nothing comes any more.
    pub(super) is_last: bool,
}

impl Queue {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            state: Mutex::default(),
            has_work: Condvar::new(),
            is_connected: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            settings,
        }
    }

    /// Whether an envelope would be taken. If not, it is counted as dropped.
    pub(super) fn takes_envelopes(&self) -> bool {
        let takes = self.is_connected.load(Relaxed);
        if !takes {
            self.dropped.fetch_add(1, Relaxed);
        }
        takes
    }

    pub(super) fn put_envelope(&self, parcel: Parcel) {
        let mut state = self.state();
        state.envelopes.push(parcel);
        if state.envelopes.is_over(self.settings.queue, self.settings.queue_bytes) {
            state.has_overflowed = true;
            self.drop_envelopes(&mut state, 0);
        }
        drop(state);
        self.has_work.notify_all();
    }

    /// Takes no more envelopes, and drops those that wait, besides so many others.
    fn drop_envelopes(&self, state: &mut State, others: usize) {
        self.is_connected.store(false, Relaxed);
        let count = std::mem::take(&mut state.envelopes).parcels.len() + others;
        self.dropped.fetch_add(count as u64, Relaxed);
    }

    pub(super) fn put_announcement(&self, parcel: Parcel) {
        let mut state = self.state();
        state.announcements.push(parcel);
        self.shorten(&mut state);
        drop(state);
        self.has_work.notify_all();
    }

    /// Drops the oldest announcements, if there are too many.
    fn shorten(&self, state: &mut State) {
        let mut dropped = 0;
        while state.announcements.is_over(self.settings.announcements, self.settings.queue_bytes)
            && state.announcements.pop().is_some()
        {
            dropped += 1;
        }
        self.dropped.fetch_add(dropped, Relaxed);
        if dropped > 0 && state.warned_at.is_none_or(|at| at.elapsed() >= LINES_APART) {
            log::warn!("the broker is away or slow: the oldest announcements for other programs are dropped");
            state.warned_at = Some(Instant::now());
        }
    }

    /// One more block of ids is wanted.
    pub(super) fn want_block(&self) {
        self.state().blocks += 1;
        self.has_work.notify_all();
    }

    /// The subscriber is to be woken.
    pub(super) fn ring(&self) {
        self.state().rings = true;
        self.has_work.notify_all();
    }

    /// Nothing is taken any more; what waits is still told.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.has_work.notify_all();
    }

    /// Takes what there is, or waits for something until then.
    pub(super) fn take(&self, until: Instant) -> Batch {
        let is_idle = |state: &mut State| {
            let has_parcels = !state.envelopes.parcels.is_empty() || !state.announcements.parcels.is_empty();
            !(has_parcels || state.blocks > 0 || state.rings || state.has_overflowed || state.is_closed)
        };
        let time = until.saturating_duration_since(Instant::now());
        let waited = self.has_work.wait_timeout_while(self.state(), time, is_idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut parcels = state.envelopes.take();
        let envelopes = parcels.len();
        parcels.append(&mut state.announcements.take());
        let has_more = !state.envelopes.parcels.is_empty() || !state.announcements.parcels.is_empty();
        Batch {
            parcels,
            envelopes,
            blocks: std::mem::take(&mut state.blocks),
            rings: std::mem::take(&mut state.rings),
            has_gap: std::mem::take(&mut state.has_overflowed),
            is_last: state.is_closed && !has_more,
        }
    }

    /// From now on envelopes are taken.
    pub(super) fn connect(&self) {
        self.state().has_overflowed = false;
        self.is_connected.store(true, Relaxed);
    }

    /// From now on they are not. What a batch could not do for sure comes back: its envelopes are dropped.
    pub(super) fn disconnect(&self, batch: Batch) {
        let mut state = self.state();
        self.drop_envelopes(&mut state, batch.envelopes);
        state.blocks += batch.blocks;
        let later = std::mem::take(&mut state.announcements).parcels;
        let announcements = batch.parcels.into_iter().skip(batch.envelopes).chain(later);
        announcements.for_each(|parcel| state.announcements.push(parcel));
        self.shorten(&mut state);
    }

    /// Waits so long, or until it is closed, and tells which.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let waited = self.has_work.wait_timeout_while(self.state(), time, |state| !state.is_closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    pub(super) fn waiting(&self) -> usize {
        let state = self.state();
        state.envelopes.parcels.len() + state.announcements.parcels.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
