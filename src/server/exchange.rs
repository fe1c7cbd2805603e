//! HTTP: requests in, answers out. What needs the hub for its answer is an [`Exchange`]: while it lasts, nothing more is
//! read from its connection, so that answers leave in the order of the requests.

use std::borrow::Cow;
use std::mem;
use std::time::SystemTime;

use http::{Method, StatusCode};

use super::cors::with_origin;
use super::route::{Route, for_its_page, route};
use super::slot::{Http, Link, Stage};
use super::{Due, Server};
use crate::dialect::{Answered, Api, DialectKey, window};
use crate::error::CloseReason;
use crate::hub::{Reply, Request, Tag};
use crate::id::SlotKey;
use crate::proto::http::{
    Answer, BodyReader, CONTINUE, Parts, RequestFault, awaits_continue, has_body, keeps_alive, write_head,
};
use crate::timestamp::Timestamp;

/// A request that is not answered at once.
pub(super) struct Exchange {
    pub(super) asked: Asked,
    pub(super) request: http::Request<()>,
    pub(super) keep_alive: bool,
    pub(super) state: State,
}

/// Who answers a request.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    /// The hub, in the words of an API.
    Api(&'static dyn Api),
    /// The Engine.IO session in that slot, when it has packets for its client.
    Poll(SlotKey),
    /// The Engine.IO session in that slot, when it has read the packets in the body.
    Post(SlotKey),
}

pub(super) enum State {
    /// The body is awaited.
    Body(BodyReader),
    /// The session's answer is awaited.
    Parked,
    /// The hub's reply is awaited. `is_begun`: a part of the answer has gone out already.
    Asked { is_begun: bool },
    /// This is asked when the part before has gone out.
    Next(Request),
}

impl Server {
    /// Reads requests and answers them, until one upgrades or closes, has to wait for its answer, or is not whole yet.
    /// Returns what comes after the HTTP.
    pub(super) fn read_http<'a>(&mut self, key: SlotKey, input: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(slot) = self.slots.get(key) else { return input.into() };
        let Stage::Http(http) = &mut slot.stage else { return input.into() };
        let mut kept = mem::take(&mut http.unread);
        // It is looked at now. If a part of a request is all that there is, the rest has to come from the socket.
        slot.has_backlog = false;
        if kept.is_empty() {
            let rest = self.read_requests(key, input);
            return input[input.len() - rest..].into();
        }
        kept.extend_from_slice(input);
        let rest = self.read_requests(key, &kept);
        kept.drain(..kept.len() - rest);
        kept.into()
    }

    /// Returns how much is left, which is not HTTP.
    fn read_requests(&mut self, key: SlotKey, mut input: &[u8]) -> usize {
        let mut requests = 0;
        while !input.is_empty() {
            let Some(Stage::Http(http)) = self.slots.get(key).map(|slot| &mut slot.stage) else { break };
            let is_in_body = match http.exchange.as_deref().map(|exchange| &exchange.state) {
                None => false,
                Some(State::Body(_)) => true,
                Some(State::Asked { .. } | State::Next(_) | State::Parked) => {
                    http.unread = input.to_vec();
                    return 0;
                }
            };
            let taken = if is_in_body {
                self.read_body(key, input)
            } else if self.has_had_its_share(key, requests) {
                self.keep_for_later(key, input);
                return 0;
            } else {
                requests += 1;
                self.read_head(key, input)
            };
            input = &input[taken..];
        }
        input.len()
    }

    /// The connection has had its share of the turn, has spent its allowance, or is owed too much.
    fn keep_for_later(&mut self, key: SlotKey, input: &[u8]) {
        let Some(slot) = self.slots.get(key) else { return };
        let Stage::Http(http) = &mut slot.stage else { return };
        http.unread = input.to_vec();
        slot.has_backlog = true;
        if let Some(rate) = self.rate.filter(|&rate| slot.allowance.is_exhausted(rate, self.now)) {
            self.pause(key, rate);
        }
    }

    /// Reads a head, or a part of one, and sees to the request. Returns how many bytes it took.
    fn read_head(&mut self, key: SlotKey, input: &[u8]) -> usize {
        let Some(Stage::Http(http)) = self.slots.get(key).map(|slot| &mut slot.stage) else { return 0 };
        match http.head.receive(input, self.head_limits) {
            Ok(None) => input.len(),
            Ok(Some((request, taken))) => {
                self.count_frame(key);
                self.take_request(key, request);
                taken
            }
            Err(fault) => {
                self.refuse_request(key, &fault);
                0
            }
        }
    }

    /// Reads a body, or a part of one, and sees to the request when it is whole. Returns how many bytes it took.
    fn read_body(&mut self, key: SlotKey, input: &[u8]) -> usize {
        let Some(Exchange { state: State::Body(reader), .. }) = self.exchange(key) else { return 0 };
        match reader.receive(input) {
            Ok(None) => input.len(),
            Ok(Some((body, taken))) => {
                self.ask(key, body);
                taken
            }
            Err(fault) => {
                self.refuse_request(key, &fault);
                0
            }
        }
    }

    fn take_request(&mut self, key: SlotKey, mut request: http::Request<()>) {
        self.note_client(key, &mut request);
        let keep_alive = keeps_alive(&request) && !self.is_ending();
        let is_head = request.method() == Method::HEAD;
        // Of a request that is answered by its head alone, the end of the body is not looked for.
        let ends_here = !keep_alive || has_body(&request);
        if let Some(protocol) = self.protocol_at(request.uri().path()) {
            return self.take_engine_request(key, protocol, request, keep_alive);
        }
        let answer = match route(&request, &self.config) {
            Route::Upgrade(dialect, response) => return self.upgrade(key, dialect, &response),
            Route::Exchange(api) => return self.begin_exchange(key, api, request, keep_alive),
            Route::Answer(answer) => answer,
            Route::Ready => self.readiness(),
            Route::Metrics => self.metrics(),
            Route::Wire => {
                let now = Timestamp::from(SystemTime::now());
                Answer::json(StatusCode::OK, window::show(&self.fanout.encoder, &request, now))
            }
        };
        self.send_answer(key, &answer, is_head, !ends_here);
    }

    /// A proxy asks for many clients over one connection, perhaps with each request for another.
    fn note_client(&mut self, key: SlotKey, request: &mut http::Request<()>) {
        let proxies = &self.config.trust_proxies;
        if proxies.is_empty() {
            return;
        }
        if let Some(Link::Socket(socket)) = self.slots.get(key).map(|slot| &mut slot.link)
            && let Some(peer) = socket.peer()
        {
            let client = proxies.note(peer.ip(), request);
            socket.speak_for((client != peer.ip()).then_some(client));
        }
    }

    fn upgrade(&mut self, key: SlotKey, dialect: DialectKey, response: &http::Response<()>) {
        let mut wire = Vec::new();
        write_head(&mut wire, response);
        self.owe(key, wire);
        self.open(key, dialect);
    }

    fn begin_exchange(&mut self, key: SlotKey, api: &'static dyn Api, request: http::Request<()>, keep_alive: bool) {
        let reader = match BodyReader::new(&request, self.config.max_body) {
            Ok(reader) => reader,
            Err(fault) => {
                let answer = for_its_page(api, api.refuse(fault.status, fault.sentence), &self.config, &request);
                return self.answer_and_end(key, &answer, CloseReason::BadRequest);
            }
        };
        let (has_body, is_held_back) = (has_body(&request), awaits_continue(&request));
        let asked = Asked::Api(api);
        self.begin_asking(key, Exchange { asked, request, keep_alive, state: State::Body(reader) });
        self.hub.open_for_program(key);
        if !has_body {
            self.ask(key, Vec::new());
        } else if is_held_back {
            self.owe(key, CONTINUE);
        }
    }

    pub(super) fn begin_asking(&mut self, key: SlotKey, exchange: Exchange) {
        if let Some(Stage::Http(http)) = self.slots.get(key).map(|slot| &mut slot.stage) {
            http.exchange = Some(Box::new(exchange));
        }
    }

    /// The request is whole: it goes to whoever answers it, now or later.
    fn ask(&mut self, key: SlotKey, body: Vec<u8>) {
        let limits = self.limits.clone();
        let Some(exchange) = self.exchange(key) else { return };
        let api = match exchange.asked {
            Asked::Api(api) => api,
            Asked::Poll(session) | Asked::Post(session) => {
                exchange.state = State::Parked;
                return self.take_posted(key, session, body);
            }
        };
        exchange.state = State::Asked { is_begun: false };
        match api.decode(&exchange.request, &body, &limits) {
            Ok(request) => self.ask_hub(key, request),
            Err(answer) => self.end_exchange(key, &answer),
        }
    }

    fn ask_hub(&mut self, key: SlotKey, request: Request) {
        // What the hub answers is answered soon, and what the store does has a deadline of its own.
        self.deadlines.disarm(key);
        if let Some(slot) = self.slots.get(key) {
            slot.awaits_store = true;
        }
        // Who listens from now on is told nothing of what happened before.
        self.fanout.catch_up(key, &self.hub, &mut self.slots);
        self.hub.apply(key, request, &mut self.fanout.effects);
        self.deliver();
    }

    /// The hub has replied to the request.
    pub(super) fn answer_exchange(&mut self, key: SlotKey, reply: &Reply, tag: Option<&Tag>) {
        let Some(Exchange { asked: Asked::Api(api), .. }) = self.exchange(key) else { return };
        match api.answer(reply, tag) {
            Answered::Whole(answer) => self.end_exchange(key, &answer),
            Answered::Part { part, next } => self.send_part(key, &part, next),
            Answered::Live(part, encoding) => {
                if let Some((_, _, wire)) = self.write_part(key, &part) {
                    self.owe_answer(key, wire);
                    self.go_live(key, encoding);
                }
            }
        }
    }

    /// The part's bytes, with the head before them if it is the first; in what form the body goes out, and whether the
    /// connection goes on behind it.
    fn write_part(&mut self, key: SlotKey, part: &Answer) -> Option<(Parts, bool, Vec<u8>)> {
        let exchange = self.slots.exchange(key)?;
        let parts = Parts::of(&exchange.request, part);
        let keep_alive = exchange.keep_alive && parts.is_delimited();
        let mut wire = Vec::new();
        match (&exchange.state, exchange.asked) {
            (State::Asked { is_begun: true }, _) => parts.write(&mut wire, &part.body),
            (_, Asked::Api(api)) => {
                let part = for_its_page(api, part.clone(), &self.config, &exchange.request);
                part.begin(&mut wire, parts, keep_alive);
            }
            _ => part.begin(&mut wire, parts, keep_alive),
        }
        Some((parts, keep_alive, wire))
    }

    fn send_part(&mut self, key: SlotKey, part: &Answer, next: Option<Request>) {
        let Some((parts, keep_alive, mut wire)) = self.write_part(key, part) else { return };
        let Some(exchange) = self.exchange(key) else { return };
        match next.filter(|_| parts.has_body()) {
            Some(next) => {
                exchange.state = State::Next(next);
                self.owe_answer(key, wire);
                self.arm(key, Due::Handshake);
            }
            None => {
                parts.end(&mut wire);
                self.owe_answer(key, wire);
                self.after_answer(key, keep_alive);
            }
        }
    }

    /// A part of an answer has gone out: the next one is asked for.
    pub(super) fn ask_for_next_part(&mut self, key: SlotKey) {
        let Some(exchange) = self.exchange(key) else { return };
        if !matches!(exchange.state, State::Next(_)) {
            return;
        }
        if let State::Next(request) = mem::replace(&mut exchange.state, State::Asked { is_begun: true }) {
            self.ask_hub(key, request);
        }
    }

    fn exchange(&mut self, key: SlotKey) -> Option<&mut Exchange> {
        match &mut self.slots.get(key)?.stage {
            Stage::Http(Http { exchange, .. }) => exchange.as_deref_mut(),
            _ => None,
        }
    }

    pub(super) fn end_exchange(&mut self, key: SlotKey, answer: &Answer) {
        let Some(exchange) = self.exchange(key) else { return };
        if !matches!(exchange.asked, Asked::Api(_)) {
            return self.end_engine_exchange(key, answer);
        }
        if matches!(exchange.state, State::Asked { is_begun: true }) {
            // It went wrong in the middle: that the answer is not whole shows by the connection's end.
            return self.close(key);
        }
        let (keep_alive, is_head) = (exchange.keep_alive, exchange.request.method() == Method::HEAD);
        let answer = self.for_asker(key, answer.clone());
        self.send_answer(key, &answer, is_head, keep_alive);
    }

    /// The answer, as the page that asked for it may read it.
    fn for_asker(&self, key: SlotKey, answer: Answer) -> Answer {
        match self.slots.exchange(key) {
            Some(Exchange { asked: Asked::Api(api), request, .. }) => for_its_page(*api, answer, &self.config, request),
            _ => answer,
        }
    }

    fn end_engine_exchange(&mut self, key: SlotKey, answer: &Answer) {
        let Some(Stage::Http(http)) = self.slots.get(key).map(|slot| &mut slot.stage) else { return };
        // Taken first: it is answered, so whatever becomes of its connection is nothing to the session.
        let Some(exchange) = http.exchange.take() else { return };
        let (has_backlog, answer) =
            (!http.unread.is_empty(), with_origin(answer, &self.config.origins, &exchange.request));
        if let Some(slot) = self.slots.get(key) {
            slot.awaits_packets = false;
            slot.has_backlog = has_backlog;
        }
        // If the body has not come whole, what is left of it must not be taken for the next request.
        let keep_alive = exchange.keep_alive && !matches!(exchange.state, State::Body(_));
        self.send_answer(key, &answer, false, keep_alive);
        self.slots.queue(key);
    }

    pub(super) fn send_answer(&mut self, key: SlotKey, answer: &Answer, is_head: bool, keep_alive: bool) {
        let mut wire = Vec::new();
        answer.write(&mut wire, is_head, keep_alive);
        self.owe_answer(key, wire);
        self.after_answer(key, keep_alive);
    }

    fn owe_answer(&mut self, key: SlotKey, wire: Vec<u8>) {
        self.slots.owe_answer(key, wire.into());
    }

    /// The request is answered: the next one is read, or the connection ends.
    fn after_answer(&mut self, key: SlotKey, keep_alive: bool) {
        if !keep_alive {
            return self.close(key);
        }
        self.arm(key, Due::Handshake);
        let Some(slot) = self.slots.get(key) else { return };
        let Stage::Http(http) = &mut slot.stage else { return };
        if http.exchange.take().is_some() {
            slot.has_backlog = !http.unread.is_empty();
            self.hub.close(key, &mut self.fanout.effects);
            self.slots.resume(key);
        }
    }

    fn refuse_request(&mut self, key: SlotKey, fault: &RequestFault) {
        let answer = self.refusal(key, fault.status, fault.sentence);
        if let Some(Exchange { asked: Asked::Post(session), .. }) = self.exchange(key) {
            let session = *session;
            return self.refuse_post(session, &answer);
        }
        self.answer_and_end(key, &answer, CloseReason::BadRequest);
    }

    pub(super) fn give_up_on_handshake(&mut self, key: SlotKey) {
        if self.slots.exchange(key).is_some_and(|exchange| matches!(exchange.state, State::Next(_))) {
            return self.end(key, CloseReason::SlowReader);
        }
        let Some(slot) = self.slots.get(key) else { return };
        match &slot.stage {
            Stage::Http(http) if http.has_begun() => {
                let answer = self.refusal(key, StatusCode::REQUEST_TIMEOUT, "the request did not come in time");
                self.answer_and_end(key, &answer, CloseReason::HandshakeTimeout);
            }
            _ => self.end(key, CloseReason::Idle),
        }
    }

    /// In the words of the API, if it is one that was asked.
    fn refusal(&mut self, key: SlotKey, status: StatusCode, sentence: &str) -> Answer {
        match self.exchange(key) {
            Some(Exchange { asked: Asked::Api(api), .. }) => {
                let answer = api.refuse(status, sentence);
                self.for_asker(key, answer)
            }
            _ => Answer::new(status, sentence),
        }
    }

    pub(super) fn answer_and_end(&mut self, key: SlotKey, answer: &Answer, reason: CloseReason) {
        let mut wire = Vec::new();
        answer.write(&mut wire, false, false);
        self.owe(key, wire);
        self.end(key, reason);
    }
}
