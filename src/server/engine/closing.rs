//! The ends of sessions.

use super::super::slot::{Link, Slot, Speech, Stage};
use super::super::{Due, Server};
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
        self.engines.lonely.disarm(key);
        self.arm(key, Due::LastPoll);
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

    fn part_session(&mut self, key: SlotKey) {
        self.leave_sockets(key);
        self.answer_post(key, &Refusal::BadRequest.to_answer());
        self.answer_poll(key, Bare::Close);
        self.engines.lonely.disarm(key);
        let Some(engine) = self.engine(key) else { return };
        let (sid, probe) = (engine.sid, engine.probe.take());
        self.engines.by_sid.remove(&sid);
        if let Some(probe) = probe {
            self.end(probe, CloseReason::GoingAway);
        }
    }

    /// All sockets of the session are gone from the hub. They may come back.
    fn leave_sockets(&mut self, key: SlotKey) {
        let Some(engine) = self.slots.get(key).and_then(Slot::engine) else { return };
        for socket in std::mem::take(&mut engine.sockets) {
            self.release(key, &socket);
        }
    }
}
