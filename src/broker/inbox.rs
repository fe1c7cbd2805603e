//! What waits for the loop. Whether the broker is up is told here too, so that it comes in its order with what is heard.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Arrival;

/// Lines about the broker's health are at least so far apart.
const LINES_APART: Duration = Duration::from_secs(10);

/// The loop never waits here, the subscriber's thread does.
pub(super) struct Inbox {
    state: Mutex<State>,
    has_room: Condvar,
    /// How many bytes may wait.
    limit: usize,
    /// Called when there is something where there was nothing.
    wake: Box<dyn Fn() + Send + Sync>,
}

struct State {
    /// Each with its size in bytes.
    arrivals: VecDeque<(Arrival, usize)>,
    bytes: usize,
    /// What is wrong, unless the broker is up.
    trouble: Option<String>,
    /// When a connection failed last.
    failed_at: Option<Instant>,
    /// By the last line of the log the broker is down.
    is_told: bool,
    told_at: Option<Instant>,
    is_closed: bool,
}

impl Inbox {
    pub(super) fn new(limit: usize, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        let state = State {
            arrivals: VecDeque::new(),
            bytes: 0,
            trouble: Some("there is no connection yet".into()),
            failed_at: None,
            is_told: false,
            told_at: None,
            is_closed: false,
        };
        Self { state: Mutex::new(state), has_room: Condvar::new(), limit, wake }
    }

    /// Waits for room.
    pub(super) fn put(&self, arrival: Arrival, size: usize) {
        let state = self.state();
        let has_no_room = |state: &mut State| state.bytes >= self.limit && !state.is_closed;
        let state = self.has_room.wait_while(state, has_no_room).unwrap_or_else(PoisonError::into_inner);
        self.add(state, arrival, size);
    }

    /// Puts something that is rare, and so waits for no room.
    pub(super) fn put_at_once(&self, arrival: Arrival) {
        self.add(self.state(), arrival, 0);
    }

    fn add(&self, mut state: MutexGuard<'_, State>, arrival: Arrival, size: usize) {
        if state.is_closed {
            return;
        }
        let is_first = state.arrivals.is_empty();
        state.arrivals.push_back((arrival, size));
        state.bytes += size;
        drop(state);
        if is_first {
            (self.wake)();
        }
    }

    /// Appends what waits, `max` at most. True if there is more.
    pub(super) fn drain(&self, max: usize, arrivals: &mut impl Extend<Arrival>) -> bool {
        let mut state = self.state();
        let count = max.min(state.arrivals.len());
        let mut bytes = 0;
        arrivals.extend(state.arrivals.drain(..count).map(|(arrival, size)| {
            bytes += size;
            arrival
        }));
        state.bytes -= bytes;
        let has_more = !state.arrivals.is_empty();
        drop(state);
        if bytes > 0 {
            self.has_room.notify_one();
        }
        has_more
    }

    /// A connection has failed, or could not be made.
    pub(super) fn fail(&self, trouble: String) {
        let mut state = self.state();
        let was_up = state.trouble.is_none();
        state.log_trouble(&trouble);
        state.trouble = Some(trouble);
        state.failed_at = Some(Instant::now());
        if was_up {
            self.add(state, Arrival::Down, 0);
        }
    }

    /// What was sent then has come back. If nothing has failed since, both connections work.
    pub(super) fn succeed(&self, sent: Instant) {
        let mut state = self.state();
        if state.trouble.is_some() && state.failed_at.is_none_or(|at| sent > at) {
            state.trouble = None;
            state.log_recovery();
            self.add(state, Arrival::Up, 0);
        }
    }

    /// What is wrong.
    pub(super) fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// Nobody wants to know anything any more.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.has_room.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Not so often that a broker which wavers floods the log.
    fn log_trouble(&mut self, trouble: &str) {
        let is_soon = self.told_at.is_some_and(|at| at.elapsed() < LINES_APART);
        if !(self.is_closed || self.is_told || is_soon) {
            log::error!("the broker is down: {trouble}");
            (self.is_told, self.told_at) = (true, Some(Instant::now()));
        }
    }

    fn log_recovery(&mut self) {
        if self.is_told {
            log::info!("the broker works again");
            self.is_told = false;
        }
    }
}
