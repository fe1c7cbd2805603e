//! Packets from the client: heartbeat, messages, the change to a WebSocket.

use super::super::slot::{Link, Slot, Speech, Stage};
use super::super::{Due, Server};
use super::{Protocol, bare};
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::net::outbox::Shared;
use crate::proto::engineio::{Bare, Carriage, Packet, post_answer, reframe};
use crate::proto::websocket::{Inlet, Message};

impl Server {
    /// A WebSocket message of a session.
    pub(in crate::server) fn take_engine_message(&mut self, key: SlotKey, message: Message<'_>) {
        match Packet::read(message) {
            Ok(packet) => self.take_packet(key, packet),
            Err(_) => self.close_session(key, CloseReason::Protocol),
        }
    }

    pub(super) fn take_packet(&mut self, key: SlotKey, packet: Packet<'_>) {
        match packet {
            Packet::Pong(_) => self.take_pong(key),
            Packet::Close => {
                self.answer_post(key, &post_answer());
                self.lose_session(key, Bare::Noop, CloseReason::Peer);
            }
            Packet::Text(text) => self.take_payload(key, Message::Text(text)),
            Packet::Binary(bytes) => self.take_payload(key, Message::Binary(&bytes)),
            Packet::Noop => {}
            // It is the server that asks, opens, and is told of the change on the other connection.
            Packet::Ping(_) | Packet::Open | Packet::Upgrade => self.refuse_packet(key, CloseReason::Protocol),
        }
    }

    fn take_payload(&mut self, key: SlotKey, message: Message<'_>) {
        let Some(engine) = self.engine(key) else { return };
        match (engine.protocol, message) {
            (Protocol::SocketIo, Message::Text(text)) => self.take_text(key, text),
            (Protocol::SocketIo, Message::Binary(bytes)) => self.take_attachment(key, bytes),
            (Protocol::Echo, message) => {
                let (carriage, mut wire) = (engine.carriage, Vec::new());
                match message {
                    Message::Text(text) => carriage.text(&mut wire, |wire| wire.extend_from_slice(text.as_bytes())),
                    Message::Binary(bytes) => carriage.binary(&mut wire, bytes),
                }
                self.owe(key, wire);
            }
        }
    }

    /// The ping that the slot is due, in its own words.
    pub(in crate::server) fn ping_for(&mut self, key: SlotKey) -> Shared {
        match self.slots.get(key).and_then(Slot::engine) {
            Some(engine) => self.finished.ping(engine.carriage),
            None => Shared::clone(&self.ping),
        }
    }

    fn take_pong(&mut self, key: SlotKey) {
        if let Some(slot) = self.slots.get(key)
            && std::mem::take(&mut slot.awaits_pong)
        {
            self.arm(key, Due::Ping);
        }
    }

    /// A message on a WebSocket that is to take over: it is tried first, and then the client says that it has changed.
    pub(in crate::server) fn take_probe(&mut self, key: SlotKey, message: Message<'_>) {
        let Some(Stage::Open { speech: Speech::Probe(probe), .. }) = self.slots.get(key).map(|slot| &mut slot.stage)
        else {
            return;
        };
        let session = probe.session;
        match (Packet::read(message), probe.is_answered) {
            (Ok(Packet::Ping("probe")), false) => {
                probe.is_answered = true;
                self.owe(key, bare(Carriage::WebSocket, Bare::ProbePong));
                // So that the client is not in the middle of a poll when it changes.
                self.answer_poll(session, Bare::Noop);
            }
            (Ok(Packet::Upgrade), true) => {
                if let Some(slot) = self.slots.get(key) {
                    slot.stage = Stage::Moving { session };
                }
            }
            _ => self.end(key, CloseReason::Protocol),
        }
    }

    /// Moves the WebSocket into its session's slot. What waited for a poll goes out over it, in order.
    /// `inlet` is what came behind the packet that said so.
    pub(in crate::server) fn take_over(&mut self, key: SlotKey, session: SlotKey, inlet: Inlet) {
        let Some(slot) = self.slots.get(key) else { return };
        // As it is: a part of it may have gone out.
        let unsent = std::mem::take(&mut slot.outbox);
        let Link::Socket(mut socket) = std::mem::replace(&mut slot.link, Link::Polls(None)) else { return };
        let (read_closed, has_failed) = (slot.read_closed, slot.has_failed);
        self.deadlines.disarm(key);
        self.slots.lose(key);
        self.answer_poll(session, Bare::Noop);
        if socket.move_to(self.poll.registry(), session).is_err() {
            return self.lose(session, Some(CloseReason::Peer));
        }
        self.gather(session);
        let Some(slot) = self.slots.get(session) else { return socket.deregister(self.poll.registry()) };
        let waiting = std::mem::replace(&mut slot.outbox, unsent).take();
        slot.link = Link::Socket(socket);
        (slot.read_closed, slot.has_failed, slot.readable) = (read_closed, has_failed, true);
        if let Stage::Open { inlet: place, .. } = &mut slot.stage {
            *place = inlet;
        }
        // Unread frames may have come with the packet that changed; a post is read before them.
        slot.has_backlog = true;
        slot.outbox.push(reframe(&waiting).into());
        self.speak_over_websocket(session);
        self.slots.touch(session);
        self.slots.queue(session);
    }

    /// What the session's sockets have been told so far is put with what it is owed, while all of that is packets for
    /// polls.
    fn gather(&mut self, session: SlotKey) {
        let Some(engine) = self.engine(session) else { return };
        let slots: Vec<_> = engine.sockets.iter().map(|socket| socket.slot).collect();
        for slot in slots {
            self.fanout.catch_up(slot, &self.hub, &mut self.slots);
            self.flush_annex(slot);
        }
    }

    /// All sockets of the session are told things in frames from now on.
    fn speak_over_websocket(&mut self, session: SlotKey) {
        let Some(engine) = self.engine(session) else { return };
        (engine.probe, engine.carriage) = (None, Carriage::WebSocket);
        let sockets: Vec<_> = engine.sockets.iter().map(|socket| (socket.slot, socket.face)).collect();
        for (slot, face) in sockets {
            if self.slots.encoding(slot).is_some() {
                self.speak(slot, face, Carriage::WebSocket);
            }
        }
    }
}
