//! The ends of connections, and of the server itself.
//!
//! The server ends in three steps. It lingers: all is served as before, but `/ready` says that it goes, for balancers that ask.
//! It drains: nobody new is accepted, and those who are here are told to go, a share of them at a time, lest thousands come
//! back elsewhere in the same instant; whoever is not told yet is served as before. Then it waits for the last to be gone.

use std::time::{Duration, Instant};

use super::engine::is_owed_reply;
use super::exchange::{Asked, State};
use super::slot::{Link, Stage};
use super::{Due, Ended, Server};
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::proto::engineio::Bare;
use crate::proto::{sse, websocket};

/// How often a share is told to go.
const STEP: Duration = Duration::from_millis(20);
/// The least that a share is: so many come back at once and nobody notices.
const LEAST_SHARE: usize = 16;
/// Event streams come back after so many milliseconds, and up to so many more.
const RETRY: (u32, u32) = (500, 2_000);

/// How far the end of the server has come.
pub(super) enum Ending {
    /// It goes on.
    No,
    /// It goes on until then, and says that it won't for long.
    Lingers(Instant),
    /// It lets go of those who are here.
    Drains(Farewell),
}

/// Those who are here at the end.
pub(super) struct Farewell {
    /// When the server ends, whoever is left.
    until: Instant,
    /// When the next share is told to go.
    next: Instant,
    /// How many that is.
    share: usize,
    /// Who is still to be told.
    rest: Vec<SlotKey>,
    /// Of whom nothing more is read; they are told when all of them have their answers.
    held: Vec<SlotKey>,
}

impl Farewell {
    /// Of `drain`, one half is for telling them, the other for their going.
    fn new(keys: Vec<SlotKey>, now: Instant, drain: Duration) -> Self {
        let steps = usize::try_from((drain / 2).as_nanos() / STEP.as_nanos()).unwrap_or(usize::MAX).max(1);
        let share = keys.len().div_ceil(steps).max(LEAST_SHARE);
        Self { until: now + drain, next: now, share, rest: keys, held: Vec::new() }
    }

    fn is_over(&self) -> bool {
        self.rest.is_empty() && self.held.is_empty()
    }

    /// Those whose turn it is: everybody who is left at the end, a share before.
    fn take_share(&mut self, is_late: bool) -> Vec<SlotKey> {
        self.next += STEP;
        let left = if is_late { 0 } else { self.rest.len().saturating_sub(self.share) };
        self.rest.split_off(left)
    }
}

impl Ending {
    /// Until when the server waits for its last.
    pub(super) fn until(&self) -> Option<Instant> {
        if let Self::Drains(farewell) = self { Some(farewell.until) } else { None }
    }

    /// When it comes a step further.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::No => None,
            Self::Lingers(until) => Some(*until),
            Self::Drains(farewell) if farewell.is_over() => Some(farewell.until),
            Self::Drains(farewell) => Some(farewell.until.min(farewell.next)),
        }
    }
}

impl Server {
    /// Ends a connection from our side: says why, where a frame can, and closes once that has gone out.
    pub(super) fn end(&mut self, key: SlotKey, reason: CloseReason) {
        let key = self.session_of(key);
        let Some(slot) = self.slots.get(key).filter(|slot| slot.is_live()) else { return };
        if matches!(slot.link, Link::Polls(_)) {
            return self.lose_session(key, Bare::Close, reason);
        }
        self.journal.note(reason, self.now, || slot.client());
        // What belongs to it adds what it still owes: behind the close frame nothing follows.
        self.part(key);
        let Some(slot) = self.slots.get(key) else { return };
        if reason == CloseReason::SlowReader {
            slot.outbox.forget_unsent();
        }
        if slot.is_open() {
            let mut wire = Vec::new();
            websocket::close(&mut wire, reason.code(), reason.sentence());
            self.owe(key, wire);
        }
        self.close(key);
    }

    /// What is owed still goes out; then the connection ends.
    pub(super) fn close(&mut self, key: SlotKey) {
        self.part(key);
        self.slots.begin_closing(key);
        self.arm(key, Due::Close);
    }

    /// The connection can neither be read nor written any more, so nothing is due for it either.
    pub(super) fn lose(&mut self, key: SlotKey, reason: Option<CloseReason>) {
        self.part(key);
        self.deadlines.disarm(key);
        if let (Some(reason), Some(slot)) = (reason, self.slots.get(key)) {
            self.journal.note(reason, self.now, || slot.client());
        }
        self.slots.lose(key);
    }

    /// The first signal begins the end; the second ends at once.
    pub(super) fn shut_down(&mut self) {
        if self.is_ending() {
            self.ended = Some(Ended::AtOnce);
            return;
        }
        let status = format!("shutting down: {} connections, {} rooms", self.slots.len(), self.hub.room_count());
        log::info!("{status}");
        self.supervisor.stopping(&status);
        self.ending = Ending::Lingers(self.now + self.config.linger);
    }

    /// Whether the signal to end has come.
    pub(super) fn is_ending(&self) -> bool {
        !matches!(self.ending, Ending::No)
    }

    /// Whether nobody new is accepted any more.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.ending, Ending::Drains(_))
    }

    /// Takes the end as far as it goes by now.
    pub(super) fn go_down(&mut self) {
        if let Ending::Lingers(until) = self.ending
            && until <= self.now
        {
            if let Some(listener) = self.listener.take() {
                listener.deregister(self.poll.registry());
            }
            self.ending = Ending::Drains(Farewell::new(self.slots.keys(), self.now, self.config.drain));
        }
        let Ending::Drains(farewell) = &self.ending else { return };
        let (is_late, is_due) = (farewell.until <= self.now, farewell.next <= self.now);
        if is_late || is_due {
            self.let_go(is_late);
        }
        let has_told_all = matches!(&self.ending, Ending::Drains(farewell) if farewell.is_over());
        if is_late || (has_told_all && self.slots.len() == 0) {
            self.ended.get_or_insert(Ended::InOrder);
        }
    }

    /// Tells a share of those who are here, and those who were held up before. `is_late`: all.
    fn let_go(&mut self, is_late: bool) {
        let Ending::Drains(farewell) = &mut self.ending else { return };
        let (mut held, called) = (std::mem::take(&mut farewell.held), farewell.take_share(is_late));
        for &key in &called {
            self.slots.hold(key);
        }
        held.extend(called);
        // Together, so that those of few clients who go first are shown what the others have said.
        if is_late || !held.iter().any(|&key| self.must_be_answered(key)) {
            for key in held.drain(..) {
                self.see_off(key);
            }
        }
        if let Ending::Drains(farewell) = &mut self.ending {
            farewell.held = held;
        }
    }

    /// Whether somebody has asked something that the hub or the store is about to answer.
    fn must_be_answered(&mut self, key: SlotKey) -> bool {
        let session = self.session_of(key);
        match self.slots.exchange(key) {
            Some(exchange) => matches!(exchange.state, State::Asked { .. } | State::Next(_)),
            None => self.slots.get(session).is_some_and(|slot| is_owed_reply(&self.hub, slot, session)),
        }
    }

    fn see_off(&mut self, key: SlotKey) {
        if let Some(Asked::Poll(session)) = self.slots.exchange(key).map(|exchange| exchange.asked) {
            // First, so that whoever polls is told.
            self.end(session, CloseReason::GoingAway);
        }
        match self.slots.get(key).map(|slot| &slot.stage) {
            Some(Stage::Open { .. }) => self.end(key, CloseReason::GoingAway),
            Some(Stage::Stream) => {
                let mut wire = Vec::new();
                sse::retry(&mut wire, spread(key));
                wire.push(b'\n');
                self.owe(key, wire);
                self.end(key, CloseReason::GoingAway);
            }
            Some(Stage::Http(_)) => self.close(key),
            _ => {}
        }
    }
}

/// Some time or other: neighbours are far from each other.
fn spread(key: SlotKey) -> u32 {
    let (least, range) = RETRY;
    // The golden ratio, of 2³²: its multiples fill a circle evenly.
    let part = (key.index() as u32).wrapping_mul(0x9E37_79B9);
    least + ((u64::from(part) * u64::from(range)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are told in each step, without anybody who holds it up.
    fn shares(count: usize, drain: Duration) -> Vec<usize> {
        let start = Instant::now();
        let mut farewell = Farewell::new((0..count).map(SlotKey::new).collect(), start, drain);
        let mut shares = Vec::new();
        while !farewell.is_over() {
            assert_eq!(farewell.next, start + STEP * u32::try_from(shares.len()).unwrap());
            shares.push(farewell.take_share(false).len());
        }
        assert_eq!(shares.iter().sum::<usize>(), count);
        shares
    }

    #[test]
    fn everybody_is_told_once_in_half_the_time() {
        let five = Duration::from_secs(5);
        assert_eq!(shares(0, five), [0_usize; 0]);
        assert_eq!(shares(16, five), [16]);
        assert_eq!(shares(100, five), [16, 16, 16, 16, 16, 16, 4]);
        assert_eq!(shares(2_000, five).len(), 125);
        assert_eq!(shares(100_000, five), [800; 125]);
        assert_eq!(shares(100_000, Duration::from_millis(1)), [100_000]);
        assert!(shares(100_000, Duration::from_secs(600)).len() > 6_000);
        let now = Instant::now();
        assert_eq!(Ending::Drains(Farewell::new(Vec::new(), now, five)).due(), Some(now + five));
        let mut late = Farewell::new((0..50).map(SlotKey::new).collect(), now, five);
        assert_eq!((late.take_share(false).len(), late.take_share(true).len()), (16, 34));
    }
}
