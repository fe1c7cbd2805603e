//! The reading half of a turn: from a readable socket to what the hub has to say about it.

use std::mem;

use super::slot::{Speech, Stage};
use super::{Due, PONGS_PER_SHARE, READ_SHARE_FRAMES, SHARES_PER_TURN, Server};
use crate::dialect::{Decoded, DialectKey, Encoding};
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::net::socket::Received;
use crate::proto::websocket::{Fault, Incoming, Inlet, Message};

use super::engine::must_wait;

impl Server {
    /// Gives each ready slot its share, and then those with more to be read another one: the more is told in a turn, the
    /// less each delivery costs. But nobody is told more in a turn than half of what an outbox may hold, or a crowd that
    /// speaks at once would make slow readers of all who hear it; whoever is ready then waits for the next turn.
    pub(super) fn read(&mut self) {
        self.fanout.spent = 0;
        let enough = self.config.outbox / 2;
        for _ in 0..SHARES_PER_TURN {
            let ready = self.slots.take_ready();
            let mut served = 0;
            while served < ready.len() && self.fanout.spent < enough {
                self.receive(ready[served]);
                served += 1;
            }
            // Whoever got nothing this time is the first of the next.
            for &key in ready[served..].iter().chain(&ready[..served]) {
                self.slots.queue(key);
            }
            self.slots.return_ready(ready);
            if !self.slots.has_ready() || self.fanout.spent >= enough {
                break;
            }
        }
    }

    pub(super) fn receive(&mut self, key: SlotKey) {
        let Some(slot) = self.slots.get(key) else { return };
        // Without the buffer: another one is being read, which has asked for this one. It has its own turn.
        if matches!(slot.stage, Stage::Gone) || self.scratch.is_empty() {
            return;
        }
        if slot.has_failed || (slot.awaits_packets && slot.read_closed) {
            return self.lose(key, Some(CloseReason::Peer));
        }
        if slot.engine().is_some_and(|engine| engine.has_unread()) {
            return self.read_posted(key);
        }
        let mut scratch = mem::take(&mut self.scratch);
        let received = if slot.has_backlog { Ok(Received::Bytes(0)) } else { slot.receive(&mut scratch) };
        match received {
            Ok(Received::Bytes(count)) => self.take_in(key, &scratch[..count]),
            Ok(Received::WouldBlock) => {}
            Ok(Received::End) => self.peer_finished(key),
            Err(_) => self.lose(key, Some(CloseReason::Peer)),
        }
        self.scratch = scratch;
    }

    fn take_in(&mut self, key: SlotKey, input: &[u8]) {
        let rest = self.read_http(key, input);
        let Some(slot) = self.slots.get(key) else { return };
        if let Stage::Open { inlet, .. } = &mut slot.stage {
            let mut inlet = mem::take(inlet);
            self.read_inlet(key, &mut inlet, &rest);
            match self.slots.get(key).map(|slot| &mut slot.stage) {
                Some(Stage::Open { inlet: place, .. }) => *place = inlet,
                Some(&mut Stage::Moving { session }) => self.take_over(key, session, inlet),
                _ => {}
            }
        }
    }

    /// The other side will send nothing more. What we owe it, it may still read.
    fn peer_finished(&mut self, key: SlotKey) {
        let Some(slot) = self.slots.get(key) else { return };
        slot.peer_finished = true;
        self.fanout.catch_up(key, &self.hub, &mut self.slots);
        let Some(slot) = self.slots.get(key) else { return };
        let is_closing = matches!(slot.stage, Stage::Closing { .. });
        if !is_closing {
            self.journal.note(CloseReason::Peer, self.now, || slot.client());
        }
        if slot.outbox.is_empty() {
            self.lose(key, None);
        } else if !is_closing {
            self.close(key);
        }
    }

    /// The connection speaks `dialect` from now on.
    pub(super) fn open(&mut self, key: SlotKey, dialect: DialectKey) {
        let Some(slot) = self.slots.get(key) else { return };
        slot.stage = Stage::Open { speech: Speech::Dialect(dialect), inlet: Inlet::default() };
        slot.encoding = Some(Encoding::of(dialect));
        self.arm(key, Due::Ping);
        if dialect.dialect().takes_part() {
            self.hub.open(key, &mut self.fanout.effects);
            self.deliver();
        }
    }

    /// Reads frames from what was left over and what has just come; what is not read now is kept in the inlet.
    fn read_inlet(&mut self, key: SlotKey, inlet: &mut Inlet, received: &[u8]) {
        let mut kept = mem::take(&mut inlet.unread);
        if kept.is_empty() {
            let rest = self.read_frames(key, inlet, received);
            inlet.unread = received[received.len() - rest..].to_vec();
        } else {
            kept.extend_from_slice(received);
            let rest = self.read_frames(key, inlet, &kept);
            kept.drain(..kept.len() - rest);
            if kept.is_empty() {
                kept = Vec::new();
            }
            inlet.unread = kept;
        }
    }

    /// Reads whole frames, up to the connection's share and allowance. Returns how many bytes are left.
    fn read_frames(&mut self, key: SlotKey, inlet: &mut Inlet, mut input: &[u8]) -> usize {
        let mut pongs = Pongs::default();
        let mut has_backlog = false;
        for frames in 0.. {
            if !self.slots.is_open(key) {
                break;
            }
            if self.has_had_its_share(key, frames) {
                has_backlog = !input.is_empty();
                break;
            }
            match self.reader.next(&mut input, inlet) {
                Ok(None) => break,
                Ok(Some(incoming)) => {
                    self.count_frame(key);
                    self.take_frame(key, incoming, &mut pongs);
                }
                Err(fault) => self.end(key, reason(fault)),
            }
        }
        if let Some(pong) = pongs.held {
            self.owe(key, pong);
        }
        self.note_backlog(key, has_backlog);
        input.len()
    }

    /// Whether nothing more is taken from the connection in this turn, or for a while, after `taken` frames or requests.
    pub(super) fn has_had_its_share(&mut self, key: SlotKey, taken: usize) -> bool {
        let Some(slot) = self.slots.get(key) else { return true };
        let is_spent = self.rate.is_some_and(|rate| slot.allowance.is_exhausted(rate, self.now));
        // Whoever asks for more than its outbox holds has to wait until that has gone out.
        slot.awaits_flush = slot.outbox.weight() > self.config.outbox;
        taken == READ_SHARE_FRAMES || is_spent || slot.awaits_flush || must_wait(&self.hub, slot, key)
    }

    /// A frame or a request came: it counts against the allowance, whatever it is, and shows that the other side lives.
    pub(super) fn count_frame(&mut self, key: SlotKey) {
        let (now, rate) = (self.now, self.rate);
        let Some(slot) = self.slots.get(key) else { return };
        if let Some(rate) = rate {
            slot.allowance.spend(rate, now);
        }
        // Engine.IO has pongs of its own, and takes nothing else for one.
        if slot.awaits_pong && slot.engine().is_none() {
            slot.awaits_pong = false;
            self.arm(key, Due::Ping);
        }
    }

    /// The share or the allowance was used up.
    #[inline(always)]
    pub(super) fn note_backlog(&mut self, key: SlotKey, has_backlog: bool) {
        let (now, rate) = (self.now, self.rate);
        let Some(slot) = self.slots.get(key).filter(|slot| slot.is_open()) else { return };
        slot.has_backlog = has_backlog;
        slot.awaits_store = must_wait(&self.hub, slot, key);
        if let Some(rate) = rate.filter(|&rate| slot.allowance.is_exhausted(rate, now)) {
            self.pause(key, rate);
        }
    }

    fn take_frame(&mut self, key: SlotKey, incoming: Incoming, pongs: &mut Pongs) {
        match incoming {
            Incoming::Ping(pong) => {
                if let Some(pong) = pongs.allow(pong) {
                    self.owe(key, pong);
                }
            }
            Incoming::Close(answer) => {
                if let Some(slot) = self.slots.get(key) {
                    self.journal.note(CloseReason::Peer, self.now, || slot.client());
                }
                self.owe(key, answer);
                self.close(key);
            }
            incoming => {
                let Some(message) = incoming.message() else { return };
                let Some(Stage::Open { speech, .. }) = self.slots.get(key).map(|slot| &slot.stage) else { return };
                match *speech {
                    Speech::Dialect(dialect) => self.take_message(key, dialect, message),
                    Speech::Engine(_) => self.take_engine_message(key, message),
                    Speech::Probe(_) => self.take_probe(key, message),
                    Speech::Annex(_) => {}
                }
            }
        }
    }

    fn take_message(&mut self, key: SlotKey, dialect: DialectKey, message: Message<'_>) {
        match dialect.dialect().decode(message, &self.limits) {
            Decoded::Answer(wire) => self.owe(key, wire),
            Decoded::Request(request) => {
                self.fanout.catch_up(key, &self.hub, &mut self.slots);
                self.hub.apply(key, request, &mut self.fanout.effects);
            }
            Decoded::Refused(refusal, tag) => self.hub.refuse(key, refusal, tag, &mut self.fanout.effects),
        }
        self.deliver();
    }
}

/// Answers to the pings of one share: the first few each, of the others the last.
#[derive(Default)]
struct Pongs {
    sent: usize,
    held: Option<Vec<u8>>,
}

impl Pongs {
    fn allow(&mut self, pong: Vec<u8>) -> Option<Vec<u8>> {
        if self.sent < PONGS_PER_SHARE {
            self.sent += 1;
            return Some(pong);
        }
        self.held = Some(pong);
        None
    }
}

fn reason(fault: Fault) -> CloseReason {
    match fault {
        Fault::Protocol => CloseReason::Protocol,
        Fault::NotUtf8 => CloseReason::NotUtf8,
        Fault::TooBig => CloseReason::TooBig,
        Fault::TooManyFragments => CloseReason::TooManyFragments,
    }
}
