//! The ends of connections, and of the server itself.

use super::slot::{Link, Stage};
use super::{Due, Ended, Server};
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::proto::engineio::Bare;
use crate::proto::websocket;

impl Server {
    /// Ends a connection from our side: says why, where a frame can, and closes once that has gone out.
    pub(super) fn end(&mut self, key: SlotKey, reason: CloseReason) {
        let key = self.session_of(key);
        let Some(slot) = self.slots.get(key).filter(|slot| slot.is_live()) else { return };
        if matches!(slot.link, Link::Polls(_)) {
            return self.lose_session(key, Bare::Close, reason);
        }
        self.journal.note(reason, self.now, || slot.peer());
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
            self.journal.note(reason, self.now, || slot.peer());
        }
        self.slots.lose(key);
    }

    /// The first signal stops accepting, and reading what was not asked before; the second ends at once.
    pub(super) fn shut_down(&mut self) {
        let Some(listener) = self.listener.take() else {
            self.ended = Some(Ended::AtOnce);
            return;
        };
        listener.deregister(self.poll.registry());
        let status = format!("shutting down: {} connections, {} rooms", self.slots.len(), self.hub.room_count());
        log::info!("{status}");
        self.supervisor.stopping(&status);
        self.drain_until = Some(self.now + self.config.drain);
        for key in self.slots.keys() {
            self.slots.hold(key);
        }
    }

    /// Shutting down: when the store has answered all that was asked, everybody is told; when they have gone, or it
    /// takes too long, that is the end.
    pub(super) fn go_down(&mut self) {
        let Some(until) = self.drain_until else { return };
        let is_late = until <= self.now;
        if !self.has_said_goodbye && (self.hub.pending_count() == 0 || is_late) {
            self.has_said_goodbye = true;
            self.say_goodbye();
        }
        if is_late || (self.has_said_goodbye && self.slots.len() == 0) {
            self.ended.get_or_insert(Ended::InOrder);
        }
    }

    fn say_goodbye(&mut self) {
        // Sessions first, so that those who poll are told.
        let mut keys = self.slots.keys();
        keys.sort_by_key(|key| self.slots.get(*key).is_none_or(|slot| slot.engine().is_none()));
        for key in keys {
            match self.slots.get(key).map(|slot| &slot.stage) {
                Some(Stage::Open { .. } | Stage::Stream) => self.end(key, CloseReason::GoingAway),
                Some(Stage::Http(_)) => self.close(key),
                _ => {}
            }
        }
        // Everybody goes, so nobody is told who leaves.
        self.slots.take_departed();
    }
}
