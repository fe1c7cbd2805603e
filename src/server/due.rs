//! What is due: how long the loop may sleep, and what it does when time is up.

use std::time::{Duration, Instant};

use super::Server;
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::net::allowance::Rate;
use crate::net::listener::Listener;

/// How often an event stream is heard of, unless others are pinged more often.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// What a slot may be waiting for. All deadlines of one kind are equally long.
#[derive(Clone, Copy)]
pub(super) enum Due {
    /// The request head, and the upgrade; and that the other side takes a part of a long answer.
    Handshake,
    /// The time for a ping.
    Ping,
    /// The answer to a ping.
    Pong,
    /// The other side's end of the close.
    Close,
    /// The time for a comment in an event stream.
    Comment,
}

impl Due {
    pub(super) const ALL: [Self; 5] = [Self::Handshake, Self::Ping, Self::Pong, Self::Close, Self::Comment];
}

impl Server {
    /// How long nothing will happen by itself; nothing: for ever.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let accepts = self.listener.as_ref().is_some_and(|listener| listener.is_ready(self.now)) && self.has_room();
        let has_work = self.slots.has_work() || self.fanout.has_news() || self.hub.has_jobs() || self.inbox.has_work();
        let has_work = has_work || self.nodes.has_work();
        if accepts || has_work {
            return Some(Duration::ZERO);
        }
        let retry_at = self.listener.as_ref().and_then(Listener::retry_at).filter(|_| self.has_room());
        let of_others = [self.inbox.next_deadline(), retry_at, self.ending.due(), self.supervisor.due()];
        let of_slots = [self.deadlines.next(), self.pauses.next(), self.next_of_sessions()];
        // In every turn: an iterator's minimum takes three times as long.
        let mut next: Option<Instant> = None;
        for due in of_slots.iter().chain(&of_others).flatten() {
            next = Some(next.map_or(*due, |next| next.min(*due)));
        }
        Some(next?.saturating_duration_since(Instant::now()))
    }

    /// When something is due for Engine.IO sessions, or for those whom they have brought into the hub.
    fn next_of_sessions(&self) -> Option<Instant> {
        if self.engines.is_empty() && !self.hub.counts_time() {
            return None;
        }
        let lapse = self.hub.next_lapse().map(|at| self.started + at);
        [self.engines.next_deadline(), lapse].into_iter().flatten().min()
    }

    /// Sees to all that is due.
    pub(super) fn tick(&mut self) {
        while let Some((key, kind)) = self.deadlines.pop_due(self.now) {
            match Due::ALL[kind] {
                Due::Handshake => self.give_up_on_handshake(key),
                Due::Ping => {
                    let ping = self.ping_for(key);
                    self.owe(key, ping);
                    if let Some(slot) = self.slots.get(key) {
                        slot.awaits_pong = true;
                    }
                    self.arm(key, Due::Pong);
                }
                Due::Pong => self.miss_pong(key),
                Due::Close => self.lose(key, None),
                Due::Comment => self.comment(key),
            }
        }
        self.supervisor.tick(self.now);
        while let Some((key, _)) = self.pauses.pop_due(self.now) {
            self.end_pause(key);
        }
        if !self.engines.is_empty() {
            self.tick_engines();
        }
        if self.hub.counts_time() {
            self.hub.advance(self.now - self.started, &mut self.fanout.effects);
            self.deliver();
        }
    }

    /// The answer to a ping is overdue. If the loop itself was late, it may have arrived: one look before the end.
    pub(super) fn miss_pong(&mut self, key: SlotKey) {
        self.receive(key);
        self.slots.queue(key);
        if self.slots.get(key).is_some_and(|slot| slot.awaits_pong) {
            self.end(key, CloseReason::MissedPing);
        }
    }

    /// Leaves the socket alone for a while, so that TCP itself slows the sender down.
    pub(super) fn pause(&mut self, key: SlotKey, rate: Rate) {
        if let Some(slot) = self.slots.get(key) {
            slot.is_throttled = true;
            self.pauses.arm(key, 0, self.now + rate.pause());
        }
    }

    fn end_pause(&mut self, key: SlotKey) {
        let (Some(slot), Some(rate)) = (self.slots.get(key), self.rate) else { return };
        if !slot.is_throttled {
            return;
        }
        if slot.allowance.is_exhausted(rate, self.now) {
            self.pause(key, rate);
        } else {
            slot.is_throttled = false;
            self.slots.queue(key);
        }
    }

    /// That is due for the slot next, in place of what was.
    pub(super) fn arm(&mut self, key: SlotKey, due: Due) {
        let after = match due {
            Due::Handshake => self.config.handshake,
            Due::Ping => self.config.ping,
            Due::Pong => self.config.pong,
            Due::Close => self.config.drain,
            Due::Comment => COMMENT_EVERY.min(self.config.ping),
        };
        self.deadlines.arm(key, due as usize, self.now + after);
    }
}
