//! Socket.IO in a session: events on a namespace, and leaving it. Joining is in `joining`.

use std::borrow::Cow;

use super::super::Server;
use super::super::slot::{Speech, Stage};
use super::Socket;
use crate::dialect::socketio::{Call, Emitter, FaceKey};
use crate::dialect::{Decoded, Encoding};
use crate::error::CloseReason;
use crate::hub::Command;
use crate::id::SlotKey;
use crate::proto::engineio::Carriage;
use crate::proto::socketio::{self, Arguments, Assembly, Kind, Packet};

impl Server {
    /// A packet of Socket.IO, as text.
    pub(super) fn take_text(&mut self, session: SlotKey, text: &str) {
        let max_message = self.config.max_message;
        let Some(engine) = self.engine(session) else { return };
        let packet = match Packet::parse(text) {
            Ok(packet) if engine.assembly.is_none() => packet,
            _ => return self.close_session(session, CloseReason::Protocol),
        };
        if packet.attachments > 0 {
            // What it may hold is bounded in all, the packet and its attachments together.
            let room = max_message.saturating_sub(text.len());
            engine.assembly = Some(Assembly::new(text, &packet, room));
            return;
        }
        self.take_whole(session, &packet, &[]);
    }

    /// Bytes that belong to the packet before.
    pub(super) fn take_attachment(&mut self, session: SlotKey, bytes: &[u8]) {
        let Some(engine) = self.engine(session) else { return };
        let Some(mut assembly) = engine.assembly.take() else {
            return self.close_session(session, CloseReason::Protocol);
        };
        match assembly.add(Cow::Borrowed(bytes)) {
            Ok(None) => engine.assembly = Some(assembly),
            Ok(Some(whole)) => match whole.packet() {
                Ok(packet) => self.take_whole(session, &packet, &whole.attachments),
                Err(_) => self.close_session(session, CloseReason::Protocol),
            },
            Err(socketio::Fault::TooBig) => self.close_session(session, CloseReason::TooBig),
            Err(_) => self.close_session(session, CloseReason::Protocol),
        }
    }

    fn take_whole(&mut self, session: SlotKey, packet: &Packet<'_>, attachments: &[Vec<u8>]) {
        let place = self.place_of(session, packet.namespace);
        let has_joined = place
            .is_some_and(|place| self.engine(session).is_some_and(|engine| engine.sockets[place].joining.is_none()));
        match (packet.kind, place) {
            (Kind::Connect, None) => self.join_namespace(session, packet.namespace, packet.data),
            (Kind::Disconnect, Some(place)) => self.leave_namespace(session, place),
            (Kind::Event | Kind::BinaryEvent, Some(place)) if has_joined => {
                self.take_event(session, place, packet, attachments);
            }
            // Nothing is asked of clients, so nothing is answered by them; but that is no fault.
            (Kind::Ack | Kind::BinaryAck, Some(_)) if has_joined => {}
            // A client that leaves while it joins may not have heard that it was refused.
            (Kind::Disconnect, None) => {}
            _ => self.close_session(session, CloseReason::Protocol),
        }
    }

    /// Which socket of the session is on that namespace.
    fn place_of(&mut self, session: SlotKey, namespace: &str) -> Option<usize> {
        let namespaces = &self.fanout.encoder.namespaces;
        let engine = self.slots.get(session)?.engine()?;
        engine.sockets.iter().position(|socket| namespaces.namespace(socket.face) == namespace)
    }

    fn take_event(&mut self, session: SlotKey, place: usize, packet: &Packet<'_>, attachments: &[Vec<u8>]) {
        let arguments = Arguments::split(packet.data).ok();
        let Some((name, rest)) = arguments.as_ref().and_then(Arguments::event) else {
            return self.close_session(session, CloseReason::Protocol);
        };
        let Some((slot, face, carriage)) = self.decide(session, place, &name) else { return };
        let call = Call { name: &name, args: rest, attachments, ack: packet.id };
        let (namespaces, mut wire) = (&self.fanout.encoder.namespaces, Vec::new());
        let mut out = Emitter::new(&mut wire, carriage, namespaces.namespace(face), None);
        match namespaces.decode(face, &call, &self.limits, &mut out) {
            Decoded::Answer(_) => return self.owe(session, wire),
            Decoded::Request(request) => {
                self.fanout.catch_up(slot, &self.hub, &mut self.slots);
                self.hub.apply(slot, request, &mut self.fanout.effects);
            }
            Decoded::Refused(refusal, tag) => self.hub.refuse(slot, refusal, tag, &mut self.fanout.effects),
        }
        self.deliver();
    }

    /// The socket has sent an event of that name, which may show what it speaks.
    fn decide(&mut self, session: SlotKey, place: usize, event: &str) -> Option<(SlotKey, FaceKey, Carriage)> {
        let namespaces = &self.fanout.encoder.namespaces;
        let engine = self.slots.get(session)?.engine()?;
        let (socket, carriage) = (&mut engine.sockets[place], engine.carriage);
        let (slot, former) = (socket.slot, socket.face);
        let face = namespaces.decide(former, event);
        if face == former {
            return Some((slot, face, carriage));
        }
        socket.face = face;
        let chooses = namespaces.follows_all(former) && !namespaces.follows_all(face);
        self.speak(slot, face, carriage);
        if chooses {
            self.hub.apply(slot, Command::Choose.into(), &mut self.fanout.effects);
            self.deliver();
        }
        Some((slot, face, carriage))
    }

    /// What happens from now on, the socket is told in those words and on that way.
    pub(super) fn speak(&mut self, slot: SlotKey, face: FaceKey, carriage: Carriage) {
        self.fanout.catch_up(slot, &self.hub, &mut self.slots);
        let session = self.session_of(slot);
        let recovers = self.engine(session).is_some_and(|engine| engine.recovers);
        let encoding = Encoding::of_face(face, carriage, recovers);
        if self.fanout.encoder.namespaces.takes_part(face)
            && let Some(slot) = self.slots.get(slot)
        {
            slot.encoding = Some(encoding);
        }
    }

    /// The client leaves a namespace, and does not mean to come back.
    fn leave_namespace(&mut self, session: SlotKey, place: usize) {
        let Some(engine) = self.engine(session) else { return };
        let socket = engine.sockets.remove(place);
        self.hub.forget(socket.slot);
        self.release(session, &socket);
    }

    /// The socket is gone from the hub, and its slot is free, unless the session itself has it.
    pub(super) fn release(&mut self, session: SlotKey, socket: &Socket) {
        self.detach(session, socket);
        if socket.slot == session {
            self.hub.close(session, &mut self.fanout.effects);
            self.deliver();
        }
    }

    /// The socket is told nothing more than what it is owed already. If it has a slot of its own, that is free.
    pub(super) fn detach(&mut self, session: SlotKey, socket: &Socket) {
        if let Some(at) = socket.expires {
            self.engines.expiries.remove(&(at, socket.slot));
        }
        self.fanout.catch_up(socket.slot, &self.hub, &mut self.slots);
        if let Some(slot) = self.slots.get(socket.slot) {
            slot.encoding = None;
        }
        if socket.slot != session {
            self.flush_annex(socket.slot);
            self.lose(socket.slot, None);
        }
    }

    /// The socket's token has expired, or its user is no more: it is told to leave, which its client takes for final.
    pub(in crate::server) fn dismiss(&mut self, slot: SlotKey) {
        let session = self.session_of(slot);
        let Some(engine) = self.engine(session) else { return self.end_stream(slot) };
        let Some(place) = engine.sockets.iter().position(|socket| socket.slot == slot) else { return };
        let (face, carriage) = (engine.sockets[place].face, engine.carriage);
        let socket = engine.sockets.remove(place);
        self.release(session, &socket);
        let mut wire = Vec::new();
        let namespace = self.fanout.encoder.namespaces.namespace(face);
        carriage.text(&mut wire, |wire| socketio::disconnect(wire, namespace));
        self.owe(session, wire);
    }

    /// What an annex is owed goes out with what its session is.
    pub(in crate::server) fn flush_annex(&mut self, key: SlotKey) {
        let Some(slot) = self.slots.get(key) else { return };
        let Stage::Open { speech: Speech::Annex(session), .. } = slot.stage else { return };
        let (owed, extra) = (slot.outbox.drain(), std::mem::take(&mut slot.extra));
        if let Some(slot) = self.slots.get(session) {
            slot.extra += extra;
        }
        for bytes in owed {
            self.slots.owe(session, bytes);
        }
    }
}
