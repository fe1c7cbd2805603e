//! The ends of sessions.

use smallvec::SmallVec;

use super::super::Server;
use super::super::slot::{Link, Speech, Stage};
use super::{LAST_POLL_WITHIN, Socket, Wait};
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::proto::engineio::{Bare, Refusal, post_answer};

impl Server {
    /// Ends a session from our side. One that polls is told at its next poll, if none waits now.
    pub(super) fn close_session(&mut self, key: SlotKey, reason: CloseReason) {
        let Some(slot) = self.slots.get(key) else { return };
        match slot.link {
            Link::Polls(Some(_)) => self.lose_session(key, Bare::Close, reason),
            Link::Polls(None) => self.leave_word(key, reason),
            _ => self.end(key, reason),
        }
    }

    /// Ends a session at once. A poll that waits is answered with this.
    pub(in crate::server) fn lose_session(&mut self, key: SlotKey, last: Bare, reason: CloseReason) {
        let Some(slot) = self.slots.get(key) else { return };
        if matches!(slot.link, Link::Socket(_)) {
            return match reason {
                CloseReason::Peer => self.close(key),
                reason => self.end(key, reason),
            };
        }
        self.answer_poll(key, last);
        self.lose(key, Some(reason));
    }

    /// Nobody polls: the session is over, and a poll is told so behind what is still owed, if it comes in time.
    fn leave_word(&mut self, key: SlotKey, reason: CloseReason) {
        self.journal.note(reason, self.now, || None);
        self.leave_sockets(key);
        self.answer_post(key, &post_answer());
        let Some(slot) = self.slots.get(key) else { return };
        slot.has_backlog = false;
        if let Some(engine) = slot.engine() {
            engine.is_over = true;
            engine.unread = None;
            engine.assembly = None;
        }
        self.end_probe(key);
        self.deadlines.disarm(key);
        self.engines.waits.arm(key, Wait::LastPoll as usize, self.now + LAST_POLL_WITHIN);
    }

    /// What else ends with a slot: with a session all that belongs to it, with a connection what it was for.
    pub(in crate::server) fn part(&mut self, key: SlotKey) {
        match self.slots.get(key).map(|slot| &slot.stage) {
            Some(Stage::Http(http)) if http.exchange.is_some() => self.abandon(key),
            Some(Stage::Open { speech: Speech::Probe(probe), .. }) => {
                let session = probe.session;
                if let Some(engine) = self.engine(session).filter(|engine| engine.probe == Some(key)) {
                    engine.probe = None;
                    // What was kept for it can go out by polls again.
                    self.slots.touch(session);
                }
            }
            Some(Stage::Open { speech: Speech::Engine(_), .. }) => self.part_session(key),
            _ => {}
        }
    }

    /// The hub forgets the session's own socket with its slot, like everybody who departs: rooms lose no member while
    /// they are being told something.
    fn part_session(&mut self, key: SlotKey) {
        for socket in self.take_sockets(key) {
            self.detach(key, &socket);
        }
        self.answer_post(key, &Refusal::BadRequest.to_answer());
        self.answer_poll(key, Bare::Close);
        self.engines.waits.disarm(key);
        let Some(engine) = self.engine(key) else { return };
        let sid = engine.sid;
        self.engines.by_sid.remove(&sid);
        self.end_probe(key);
    }

    /// The WebSocket that was to take over has nothing left to take.
    fn end_probe(&mut self, key: SlotKey) {
        if let Some(probe) = self.engine(key).and_then(|engine| engine.probe.take()) {
            self.end(probe, CloseReason::GoingAway);
        }
    }

    /// All sockets of the session are gone from the hub. They may come back.
    fn leave_sockets(&mut self, key: SlotKey) {
        for socket in self.take_sockets(key) {
            self.release(key, &socket);
        }
    }

    fn take_sockets(&mut self, key: SlotKey) -> SmallVec<[Socket; 1]> {
        self.engine(key).map(|engine| std::mem::take(&mut engine.sockets)).unwrap_or_default()
    }
}
