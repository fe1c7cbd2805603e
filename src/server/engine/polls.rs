//! What waits for a poll, and what a post has brought.

use http::{Request, StatusCode};

use super::super::Server;
use super::super::exchange::{Asked, Exchange, State};
use super::super::slot::{Http, Link, Slot, Stage};
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::proto::engineio::{Bare, Carriage, Payload, Refusal, poll_answer, poll_body, post_answer};
use crate::proto::http::{Answer, has_body};

impl Server {
    /// Somebody polls: answered when there is something. Two at once end the session: the client has lost count.
    pub(super) fn take_poll(&mut self, key: SlotKey, session: SlotKey, request: Request<()>, keep_alive: bool) {
        let keep_alive = keep_alive && !has_body(&request);
        let exchange = Exchange { asked: Asked::Poll(session), request, keep_alive, state: State::Parked };
        self.begin_asking(key, exchange);
        let Some(slot) = self.slots.get(session) else { return };
        let Link::Polls(waiting) = &mut slot.link else { return };
        if waiting.is_some() {
            self.end_exchange(key, &Refusal::BadRequest.to_answer());
            return self.lose_session(session, Bare::Close, CloseReason::Protocol);
        }
        *waiting = Some(key);
        self.deadlines.disarm(key);
        if let Some(slot) = self.slots.get(key) {
            slot.awaits_packets = true;
        }
        if self.engine(session).is_some_and(|engine| engine.probe.is_some()) {
            return self.answer_poll(session, Bare::Noop);
        }
        self.slots.touch(session);
    }

    /// Answers the poll that waits, if one does, with a packet that is always the same; what is owed goes on waiting.
    pub(super) fn answer_poll(&mut self, session: SlotKey, packet: Bare) {
        let body = poll_body(&super::bare(Carriage::Polling, packet));
        self.send_poll(session, body);
    }

    /// Hands what is owed to the poll that waits, if one does. While a WebSocket is to take over, it is kept for that.
    pub(in crate::server) fn flush_polls(&mut self, session: SlotKey) {
        let Some(slot) = self.slots.get(session) else { return };
        let Some(engine) = slot.engine() else { return };
        let (is_kept, is_over) = (engine.probe.is_some(), engine.is_over);
        if is_kept || !matches!(slot.link, Link::Polls(Some(_))) {
            return;
        }
        if !slot.outbox.is_empty() {
            let body = poll_body(&slot.outbox.take());
            slot.extra = 0;
            self.send_poll(session, body);
        } else if is_over {
            let mut last = Vec::new();
            [Bare::Noop, Bare::Close].into_iter().for_each(|packet| Carriage::Polling.bare(&mut last, packet));
            self.send_poll(session, poll_body(&last));
            self.lose(session, None);
        }
    }

    fn send_poll(&mut self, session: SlotKey, body: String) {
        let Some(Link::Polls(waiting)) = self.slots.get(session).map(|slot| &mut slot.link) else { return };
        if let Some(key) = waiting.take() {
            self.end_exchange(key, &poll_answer(body));
        }
    }

    /// What a post has brought is read like anything else that a session sends: a share at a time.
    pub(in crate::server) fn take_posted(&mut self, key: SlotKey, session: SlotKey, body: Vec<u8>) {
        self.deadlines.disarm(key);
        if let Some(slot) = self.slots.get(key) {
            slot.awaits_packets = true;
        }
        let Some(slot) = self.slots.get(session) else { return };
        let Some(engine) = slot.engine() else { return };
        match String::from_utf8(body) {
            Ok(body) => {
                engine.unread = Some(body);
                slot.has_backlog = true;
                self.slots.queue(session);
            }
            Err(_) => self.refuse_packet(session, CloseReason::NotUtf8),
        }
    }

    /// Reads packets that a post has brought, up to the session's share and allowance.
    pub(in crate::server) fn read_posted(&mut self, session: SlotKey) {
        let Some(unread) = self.engine(session).and_then(|engine| engine.unread.take()) else { return };
        let mut payload = Payload::new(&unread);
        let mut packets = 0;
        loop {
            if self.has_had_its_share(session, packets) {
                let rest = payload.rest().map(str::to_owned);
                let has_rest = rest.is_some();
                if let Some(engine) = self.engine(session) {
                    engine.unread = rest;
                }
                self.note_backlog(session, has_rest);
                if has_rest {
                    return;
                }
                break;
            }
            match payload.next() {
                None => break,
                Some(Ok(packet)) => {
                    self.count_frame(session);
                    packets += 1;
                    self.take_packet(session, packet);
                }
                Some(Err(_)) => return self.refuse_packet(session, CloseReason::Protocol),
            }
            if self.engine(session).is_none_or(|engine| engine.is_over) {
                break;
            }
        }
        // Frames may have come meanwhile, over the WebSocket that has taken over.
        let stage = self.slots.get(session).map(|slot| &slot.stage);
        let has_frames = matches!(stage, Some(Stage::Open { inlet, .. }) if !inlet.unread.is_empty());
        self.note_backlog(session, has_frames);
        self.answer_post(session, &post_answer());
    }

    /// A packet that is none: the post that brought it is refused, and the session ends at once.
    pub(super) fn refuse_packet(&mut self, session: SlotKey, reason: CloseReason) {
        self.answer_post(session, &Refusal::BadRequest.to_answer());
        self.lose_session(session, Bare::Close, reason);
    }

    /// A post whose body is none, or too large. What the client wanted to say is lost, so the session can't go on.
    pub(in crate::server) fn refuse_post(&mut self, session: SlotKey, answer: &Answer) {
        self.answer_post(session, answer);
        let is_too_big = answer.status == StatusCode::PAYLOAD_TOO_LARGE;
        self.close_session(session, if is_too_big { CloseReason::TooBig } else { CloseReason::BadRequest });
    }

    pub(super) fn answer_post(&mut self, session: SlotKey, answer: &Answer) {
        if let Some(key) = self.engine(session).and_then(|engine| engine.post.take()) {
            self.end_exchange(key, answer);
        }
    }

    /// The connection of an exchange with a session is of no more use.
    pub(in crate::server) fn abandon(&mut self, key: SlotKey) {
        let Some(Stage::Http(Http { exchange, .. })) = self.slots.get(key).map(|slot| &mut slot.stage) else { return };
        let asked = exchange.as_ref().map(|exchange| exchange.asked);
        match asked {
            // Whatever it would have been told is lost, so the session can't go on.
            Some(Asked::Poll(session)) => {
                if let Some(Slot { link: Link::Polls(waiting), .. }) = self.slots.get(session)
                    && *waiting == Some(key)
                {
                    *waiting = None;
                    self.lose(session, Some(CloseReason::Peer));
                }
            }
            Some(Asked::Post(session)) => {
                if let Some(engine) = self.engine(session).filter(|engine| engine.post == Some(key)) {
                    engine.post = None;
                }
            }
            _ => {}
        }
    }
}
