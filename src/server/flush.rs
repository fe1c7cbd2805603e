//! The writing half of a turn: from what is owed to the sockets.
//!
//! Each slot is written to once, with all that it is owed: the system calls are most of what a delivery costs, and a
//! socket that was just written to is warm only for the one that was.

use mio::Token;

use super::Server;
use super::slot::{Link, Stage};
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::net::socket::Socket;

impl Server {
    /// Writes what is owed: to everybody touched in this turn, then to the members of rooms with news.
    pub(super) fn flush(&mut self) {
        self.flush_touched();
        for (room, last) in self.fanout.rooms_with_news(&self.hub) {
            // Nobody joins or leaves meanwhile: whoever is lost departs afterwards.
            for place in 0..self.hub.members(room).len() {
                let member = self.hub.members(room)[place];
                if self.slots.get(member).is_some_and(|slot| slot.heard <= last) {
                    self.flush_slot(member);
                }
            }
        }
        self.fanout.forget_news();
        // Those whom the flush has ended.
        self.flush_touched();
    }

    fn flush_touched(&mut self) {
        while let Some(key) = self.slots.next_touched() {
            self.flush_slot(key);
        }
    }

    fn flush_slot(&mut self, key: SlotKey) {
        let news = self.fanout.fetch(key, &self.hub, &mut self.slots);
        // To one who is gone nothing is owed, so nothing is written.
        let Some(slot) = self.slots.get(key) else { return };
        let token = Token(key.index());
        let Link::Socket(socket) = &mut slot.link else {
            slot.outbox.push(news.unwrap_or_default());
            return self.flush_elsewhere(key);
        };
        if socket.flush(&mut slot.outbox, news, &mut self.gathered, self.poll.registry(), token).is_err() {
            return self.lose(key, Some(CloseReason::Peer));
        }
        // Nearly always nothing is left, and nothing was waiting for that.
        if !slot.is_settled() {
            self.settle_flushed(key);
        }
    }

    /// What is owed to a slot without a connection goes where that is: to a poll, or with what its session is owed.
    fn flush_elsewhere(&mut self, key: SlotKey) {
        if self.slots.get(key).is_some_and(|slot| matches!(slot.link, Link::Through)) {
            return self.flush_annex(key);
        }
        self.flush_polls(key);
        self.settle_flushed(key);
    }

    /// What follows from how much of what was owed is left.
    fn settle_flushed(&mut self, key: SlotKey) {
        let Some(slot) = self.slots.get(key) else { return };
        if slot.awaits_flush && slot.outbox.weight() <= self.config.outbox {
            slot.awaits_flush = false;
            self.slots.queue(key);
        }
        let Some(slot) = self.slots.get(key) else { return };
        match &mut slot.stage {
            // What counts is what is left when the socket has taken all it could: a large batch is no offence.
            Stage::Http(_) | Stage::Open { .. } | Stage::Stream
                if slot.outbox.weight() > self.config.outbox + slot.extra =>
            {
                self.end(key, CloseReason::SlowReader);
            }
            Stage::Http(_) if slot.outbox.is_empty() => {
                slot.extra = 0;
                self.ask_for_next_part(key);
            }
            Stage::Open { .. } | Stage::Stream if slot.extra > 0 && slot.outbox.is_empty() => slot.extra = 0,
            Stage::Closing { .. } if slot.outbox.is_empty() && slot.peer_finished => self.lose(key, None),
            Stage::Closing { finished } if slot.outbox.is_empty() && !*finished => {
                *finished = true;
                slot.socket().into_iter().for_each(Socket::finish);
            }
            _ => {}
        }
    }
}
