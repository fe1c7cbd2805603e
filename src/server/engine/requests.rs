//! HTTP requests to Engine.IO: what each is for, and which are refused.

use http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, UPGRADE, USER_AGENT};
use http::{Method, Request, StatusCode};

use super::super::cors::{preflight, with_origin};
use super::super::exchange::{Asked, Exchange, State};
use super::super::route::websocket_response;
use super::super::slot::{Link, Speech, Stage};
use super::super::{Due, Server};
use super::{Engine, Probe, Protocol};
use crate::error::CloseReason;
use crate::id::SlotKey;
use crate::proto::engineio::{Carriage, Handshake, Query, Refusal, Sid, poll_answer, poll_body};
use crate::proto::http::{Answer, BodyReader, CONTINUE, awaits_continue, has_body, has_token, write_head};
use crate::proto::websocket::Inlet;

/// What a request is for.
enum Purpose {
    /// A new session.
    Handshake(Carriage),
    /// What waits for a session.
    Poll(SlotKey),
    /// Packets for a session.
    Post(SlotKey),
    /// A WebSocket for a session.
    Probe(SlotKey),
}

impl Server {
    /// What is spoken at that path over Engine.IO. Clients add to it, and leave out the last slash.
    pub(in crate::server) fn protocol_at(&self, path: &str) -> Option<Protocol> {
        let is_at = |base: &str| path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_at("/socket.io") {
            return Some(Protocol::SocketIo);
        }
        (self.echoes && is_at("/engine.io")).then_some(Protocol::Echo)
    }

    /// Sees to a request whose head has come. `keep_alive`: the connection may go on after the answer.
    pub(in crate::server) fn take_engine_request(
        &mut self,
        key: SlotKey,
        protocol: Protocol,
        request: Request<()>,
        keep_alive: bool,
    ) {
        let wants_upgrade = has_token(&request, UPGRADE, "websocket");
        let keep_alive = keep_alive && !wants_upgrade;
        if *request.method() == Method::OPTIONS {
            let answer = preflight(&self.config.origins, &request, "GET, POST");
            return self.send_answer(key, &answer, false, keep_alive && !has_body(&request));
        }
        match self.judge(&request, wants_upgrade) {
            Ok(Purpose::Handshake(Carriage::WebSocket)) => self.open_by_websocket(key, protocol, &request),
            Ok(Purpose::Handshake(Carriage::Polling)) => self.open_by_poll(key, protocol, &request, keep_alive),
            Ok(Purpose::Probe(session)) => self.open_probe(key, session, &request),
            Ok(Purpose::Poll(session)) => self.take_poll(key, session, request, keep_alive),
            Ok(Purpose::Post(session)) => self.take_post(key, session, request, keep_alive),
            Err(refusal) if wants_upgrade => self.send_answer(key, &refusal.to_upgrade_answer(), false, false),
            Err(refusal) => self.refuse_to(key, &request, refusal, keep_alive && !has_body(&request)),
        }
    }

    fn judge(&mut self, request: &Request<()>, wants_upgrade: bool) -> Result<Purpose, Refusal> {
        let query = Query::read(request.uri().query().unwrap_or_default());
        let carriage = query.carriage().ok_or(Refusal::UnknownTransport)?;
        if request.headers().get(ORIGIN).is_some_and(|origin| origin.to_str().is_err()) {
            return Err(Refusal::BadRequest);
        }
        if wants_upgrade && carriage == Carriage::Polling {
            return Err(Refusal::BadRequest);
        }
        if wants_upgrade && !self.config.origins.allow(request) {
            return Err(Refusal::Forbidden);
        }
        if let Some(sid) = &query.sid {
            let session = Sid::parse(sid).and_then(|sid| self.find_session(sid)).ok_or(Refusal::UnknownSid)?;
            return self.judge_within(session, carriage, request.method(), wants_upgrade);
        }
        if *request.method() != Method::GET {
            return Err(Refusal::BadMethod);
        }
        if carriage == Carriage::WebSocket && !wants_upgrade {
            return Err(Refusal::BadRequest);
        }
        if !query.is_version_4() {
            return Err(Refusal::UnsupportedVersion);
        }
        Ok(Purpose::Handshake(carriage))
    }

    fn judge_within(
        &mut self,
        session: SlotKey,
        carriage: Carriage,
        method: &Method,
        wants_upgrade: bool,
    ) -> Result<Purpose, Refusal> {
        if wants_upgrade {
            return Ok(Purpose::Probe(session));
        }
        let polls = self.engine(session).is_some_and(|engine| engine.carriage == Carriage::Polling);
        match *method {
            _ if !polls || carriage != Carriage::Polling => Err(Refusal::BadRequest),
            Method::GET => Ok(Purpose::Poll(session)),
            Method::POST => Ok(Purpose::Post(session)),
            _ => Err(Refusal::BadRequest),
        }
    }

    /// The session of that id. One whose time is over is gone, even if that was not noticed yet.
    fn find_session(&mut self, sid: Sid) -> Option<SlotKey> {
        let key = *self.engines.by_sid.get(&sid)?;
        let is_late = self.deadlines.of(key).is_some_and(|(at, kind)| kind == Due::Pong as usize && at <= self.now);
        if is_late {
            self.miss_pong(key);
        }
        self.engines.by_sid.get(&sid).copied()
    }

    fn fresh_engine(&self, protocol: Protocol, carriage: Carriage, request: &Request<()>) -> Option<Box<Engine>> {
        let mut random = [0; 16];
        if let Err(error) = getrandom::fill(&mut random) {
            log::error!("the system has no random numbers, so nobody can begin a session: {error}");
            return None;
        }
        let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer =
            bearer.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let bearer = bearer.map(|(_, token)| token.trim().into());
        let recovers = self.config.recovery && can_come_back(request);
        Some(Box::new(Engine { bearer, recovers, ..Engine::new(Sid::new(random), protocol, carriage) }))
    }

    fn handshake(&self, engine: &Engine) -> Vec<u8> {
        let mut wire = Vec::new();
        let handshake = Handshake {
            sid: engine.sid,
            upgrades: engine.carriage == Carriage::Polling,
            ping_interval_ms: u64::try_from(self.config.ping.as_millis()).unwrap_or(u64::MAX),
            ping_timeout_ms: u64::try_from(self.config.pong.as_millis()).unwrap_or(u64::MAX),
            max_payload: self.config.max_message,
        };
        handshake.write(&mut wire, engine.carriage);
        wire
    }

    fn open_by_websocket(&mut self, key: SlotKey, protocol: Protocol, request: &Request<()>) {
        let Some(engine) = self.fresh_engine(protocol, Carriage::WebSocket, request) else {
            return self.send_answer(key, &unavailable(), false, false);
        };
        let handshake = self.handshake(&engine);
        if self.switch_to_websocket(key, request, Speech::Engine(engine)) {
            self.owe(key, handshake);
            self.begin_session(key);
        }
    }

    fn open_probe(&mut self, key: SlotKey, session: SlotKey, request: &Request<()>) {
        let probe = Probe { session, is_answered: false };
        if !self.switch_to_websocket(key, request, Speech::Probe(probe)) {
            return;
        }
        match self.engine(session) {
            Some(engine) if engine.carriage == Carriage::Polling && engine.probe.is_none() && !engine.is_over => {
                engine.probe = Some(key);
                self.arm(key, Due::Handshake);
            }
            // A session has one WebSocket. This is no fault of the client's to be told in an answer.
            _ => self.end(key, CloseReason::Protocol),
        }
    }

    /// Switches the connection to WebSocket, or says why not. Tells whether it did.
    fn switch_to_websocket(&mut self, key: SlotKey, request: &Request<()>, speech: Speech) -> bool {
        let response = match websocket_response(request) {
            Ok(response) => response,
            Err(answer) => {
                self.send_answer(key, &answer, false, false);
                return false;
            }
        };
        let mut wire = Vec::new();
        write_head(&mut wire, &response);
        self.owe(key, wire);
        if let Some(slot) = self.slots.get(key) {
            slot.stage = Stage::Open { speech, inlet: Inlet::default() };
        }
        true
    }

    fn open_by_poll(&mut self, key: SlotKey, protocol: Protocol, request: &Request<()>, keep_alive: bool) {
        let keep_alive = keep_alive && !has_body(request);
        let engine = self.fresh_engine(protocol, Carriage::Polling, request).filter(|_| {
            // They are as many as connections at the most, but don't take their places: a client that polls needs a
            // connection or two for that.
            self.slots.unconnected_count() < self.config.max_connections && !self.is_draining()
        });
        let Some(engine) = engine else { return self.send_answer(key, &unavailable(), false, false) };
        let body = poll_body(&self.handshake(&engine));
        let answer = with_origin(&poll_answer(body), &self.config.origins, request);
        match self.insert_slot(Link::Polls(None), Speech::Engine(engine)) {
            Some(session) => self.begin_session(session),
            None => return self.send_answer(key, &unavailable(), false, false),
        }
        self.send_answer(key, &answer, false, keep_alive);
    }

    /// A body is awaited. While it lasts, no other post may come.
    fn take_post(&mut self, key: SlotKey, session: SlotKey, request: Request<()>, keep_alive: bool) {
        let is_bytes = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
        let max_bytes = self.config.max_message;
        let Some(engine) = self.engine(session) else { return };
        if is_bytes || engine.post.is_some() || engine.is_over {
            self.refuse_to(key, &request, Refusal::BadRequest, false);
            return self.close_session(session, CloseReason::Protocol);
        }
        let reader = match BodyReader::new(&request, max_bytes) {
            Ok(reader) => reader,
            Err(fault) => {
                let answer = with_origin(&Answer::new(fault.status, fault.sentence), &self.config.origins, &request);
                self.answer_and_end(key, &answer, CloseReason::BadRequest);
                return self.close_session(session, CloseReason::TooBig);
            }
        };
        if let Some(engine) = self.engine(session) {
            engine.post = Some(key);
        }
        let (has_body, is_held_back) = (has_body(&request), awaits_continue(&request));
        self.begin_asking(
            key,
            Exchange { asked: Asked::Post(session), request, keep_alive, state: State::Body(reader) },
        );
        if !has_body {
            self.take_posted(key, session, Vec::new());
        } else if is_held_back {
            self.owe(key, CONTINUE);
        }
    }

    fn refuse_to(&mut self, key: SlotKey, request: &Request<()>, refusal: Refusal, keep_alive: bool) {
        let answer = with_origin(&refusal.to_answer(), &self.config.origins, request);
        self.send_answer(key, &answer, *request.method() == Method::HEAD, keep_alive);
    }
}

/// Whether the client knows how to come back. One that doesn't hands the string that says how far it has heard to the
/// handlers of each event, as an argument they have not asked for: in Python that is an error, and Dart hands them a list.
/// Python's clients are known by their clock, which they show in seconds with a fraction, and a client may say it itself.
fn can_come_back(request: &Request<()>) -> bool {
    let mut pairs = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let is_dart = request.headers().get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Dart/"));
    let is_told = |(key, value): (&str, &str)| match key {
        "t" => value.contains('.') && value.parse::<f64>().is_ok(),
        "recovery" => value == "no",
        _ => false,
    };
    !is_dart && !pairs.any(is_told)
}

fn unavailable() -> Answer {
    Answer::new(StatusCode::SERVICE_UNAVAILABLE, "no more sessions can begin for now")
}
