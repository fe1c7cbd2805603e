//! How a socket joins a namespace: with a token, and perhaps from before.

use std::time::{Duration, SystemTime};

use super::super::Server;
use super::super::slot::{Link, Slot, Speech};
use super::{Joining, Socket};
use crate::dialect::Encoding;
use crate::dialect::refusal;
use crate::dialect::socketio::{Connect, Emitter, FaceKey, Pid};
use crate::hub::{Attend, Attended, Command, Event, Recovery, Refusal, Reply};
use crate::id::{Mark, SlotKey};
use crate::proto::socketio;
use crate::proto::token::{self, Claims};

/// What an unknown namespace is refused with, to the letter.
const INVALID_NAMESPACE: &str = r#"{"message":"Invalid namespace"}"#;

impl Server {
    /// A client wants to join a namespace; `data` is what it shows, a JSON object or nothing.
    pub(super) fn join_namespace(&mut self, session: SlotKey, namespace: &str, data: &str) {
        let Some(face) = self.fanout.encoder.namespaces.find(namespace) else {
            return self.write(session, |wire| socketio::connect_error(wire, namespace, INVALID_NAMESPACE));
        };
        if !self.fanout.encoder.namespaces.takes_part(face) {
            return self.greet(session, face, data);
        }
        let connect = Connect::read(data);
        let claims = match self.verify(session, connect.token.as_deref()) {
            Ok(claims) => claims,
            Err((code, sentence)) => {
                *self.fanout.refusals.entry(code).or_default() += 1;
                return self.refuse_namespace(session, face, code, sentence);
            }
        };
        let recovers = self.engine(session).is_some_and(|engine| engine.recovers);
        let came_back = connect.pid.as_deref().filter(|_| recovers).and_then(Pid::parse);
        // A page whose user logs out for another one shows the former's.
        let came_back = came_back.filter(|pid| pid.user == claims.user);
        let since = came_back.as_ref().map(|pid| connect.since().unwrap_or(pid.mark));
        let Some(fresh) = Pid::fresh(&claims.user) else {
            return self.refuse_namespace(session, face, "unavailable", "the system has no random numbers");
        };
        let sid = fresh.sid.clone();
        let pid = came_back.unwrap_or(fresh);
        let recovery = recovers.then(|| Recovery { pid: pid.name.clone(), since });
        let follows_all = self.fanout.encoder.namespaces.follows_all(face);
        let expires = expiry(&claims).and_then(|within| self.now.checked_add(within));
        let joining = Some(Box::new(Joining { sid, pid, since, text: connect.pid.map(Into::into) }));
        let Some(slot) = self.seat(session, Socket { face, slot: session, joining, expires }) else { return };
        self.hub.open(slot, &mut self.fanout.effects);
        let attend = Attend { user: claims.user, follows_all, recovery };
        self.hub.apply(slot, Command::Attend(attend).into(), &mut self.fanout.effects);
        self.deliver();
    }

    /// Gives the socket a slot: the session's own, or if that has a socket already, one for itself.
    fn seat(&mut self, session: SlotKey, socket: Socket) -> Option<SlotKey> {
        let is_taken = self.engine(session)?.sockets.iter().any(|other| other.slot == session);
        let slot = match is_taken {
            false => session,
            true => self.insert_slot(Link::Through, Speech::Annex(session))?,
        };
        if let Some(at) = socket.expires {
            self.engines.expiries.insert((at, slot));
        }
        self.engine(session)?.sockets.push(Socket { slot, ..socket });
        Some(slot)
    }

    /// Who shows the token, or why it is not taken.
    fn verify(&mut self, session: SlotKey, token: Option<&str>) -> Result<Claims, (&'static str, &'static str)> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let bearer = self.slots.get(session).and_then(|slot| slot.engine()).and_then(|engine| engine.bearer.as_deref());
        let Some(verifier) = &self.verifier else {
            return Err(("unauthorized", "this server takes no tokens: set ROOMCAST_JWT_SECRET"));
        };
        let token = token.or(bearer).ok_or(("unauthorized", "a token is needed"))?;
        verifier.verify(token, now).map_err(|refused| match refused {
            token::Refused::Unauthorized => ("unauthorized", "the token is not valid"),
            token::Refused::Expired => ("token_expired", "the token has expired"),
        })
    }

    /// A socket that takes no part in the chat is there at once.
    fn greet(&mut self, session: SlotKey, face: FaceKey, auth: &str) {
        let Some(Pid { sid, .. }) = Pid::fresh("") else { return };
        let Some(slot) = self.seat(session, Socket { face, slot: session, joining: None, expires: None }) else {
            return;
        };
        let Some(carriage) = self.engine(session).map(|engine| engine.carriage) else { return };
        let (namespaces, mut wire) = (&self.fanout.encoder.namespaces, Vec::new());
        let namespace = namespaces.namespace(face);
        carriage.text(&mut wire, |wire| socketio::connect(wire, namespace, &format!(r#"{{"sid":"{sid}"}}"#)));
        let auth = if auth.is_empty() { "{}" } else { auth };
        namespaces.greet(face, auth, &mut Emitter::new(&mut wire, carriage, namespace, None));
        self.engines.waits.disarm(session);
        debug_assert!(self.slots.is_open(slot));
        self.owe(session, wire);
    }

    /// The hub has replied to a socket that is not told anything yet: it may join, or not.
    pub(in crate::server) fn answer_joining(&mut self, slot: SlotKey, reply: Reply) {
        let session = self.session_of(slot);
        let Some(engine) = self.engine(session) else { return };
        let Some(place) = engine.sockets.iter().position(|socket| socket.slot == slot && socket.joining.is_some())
        else {
            return;
        };
        match reply {
            Reply::Attended(attended) => self.has_joined(session, place, &attended),
            Reply::Refused(refused) => {
                let socket = engine.sockets.remove(place);
                let face = socket.face;
                self.release(session, &socket);
                let code = match refused {
                    Refusal::NotFound(_) => "unknown_user",
                    ref refused => refusal::code(refused),
                };
                self.refuse_namespace(session, face, code, &refusal::sentence(&refused));
            }
            _ => {}
        }
    }

    fn has_joined(&mut self, session: SlotKey, place: usize, attended: &Attended) {
        let Some(engine) = self.slots.get(session).and_then(Slot::engine) else { return };
        let (socket, carriage, recovers) = (&mut engine.sockets[place], engine.carriage, engine.recovers);
        let Some(joining) = socket.joining.take() else { return };
        let slot = socket.slot;
        let encoder = &self.fanout.encoder;
        if attended.has_chosen {
            socket.face = encoder.namespaces.decide_for_choosing(socket.face);
        }
        let face = socket.face;
        let mut wire = Vec::new();
        let namespace = encoder.namespaces.namespace(face);
        let has_recovered = attended.missed.is_some();
        if let (Some(missed), Some(since)) = (&attended.missed, joining.since) {
            let mut so_far = since;
            for (index, event) in missed.iter().enumerate() {
                so_far = behind(so_far, event);
                let is_last = index + 1 == missed.len();
                let mark = if is_last { attended.mark } else { so_far };
                encoder.event(Encoding::of_face(face, carriage, recovers), event, mark, &mut wire);
            }
        }
        let data = joining.granted(attended.mark, has_recovered, recovers);
        carriage.text(&mut wire, |wire| socketio::connect(wire, namespace, &data));
        let mark = Some(attended.mark).filter(|_| recovers);
        encoder.namespaces.welcome(face, attended, &mut Emitter::new(&mut wire, carriage, namespace, mark));
        self.engines.waits.disarm(session);
        self.speak(slot, face, carriage);
        // What was missed may be much: it was asked for.
        self.slots.owe_answer(session, wire.into());
    }

    fn refuse_namespace(&mut self, session: SlotKey, face: FaceKey, code: &str, sentence: &str) {
        #[derive(serde::Serialize)]
        struct Error<'a> {
            message: &'a str,
            data: Data<'a>,
        }
        #[derive(serde::Serialize)]
        struct Data<'a> {
            code: &'a str,
        }
        let error = Error { message: sentence, data: Data { code } };
        // Two texts into a string: nothing in it can fail.
        let error = serde_json::to_string(&error).unwrap_or_default();
        let namespace = self.fanout.encoder.namespaces.namespace(face).to_owned();
        self.write(session, |wire| socketio::connect_error(wire, &namespace, &error));
    }

    /// Adds a packet to what is owed to the session.
    fn write(&mut self, session: SlotKey, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(carriage) = self.engine(session).map(|engine| engine.carriage) else { return };
        let mut wire = Vec::new();
        carriage.text(&mut wire, write);
        self.owe(session, wire);
    }
}

impl Joining {
    /// What the client is told that may join. It takes itself to have come back if it is given the same pid again.
    fn granted(&self, mark: Mark, has_recovered: bool, recovers: bool) -> String {
        match (&self.text, recovers) {
            (_, false) => format!(r#"{{"sid":"{}"}}"#, self.sid),
            (Some(text), true) if has_recovered => format!(r#"{{"sid":"{}","pid":"{text}"}}"#, self.pid.sid),
            (_, true) => {
                let pid = Pid { sid: self.sid.clone(), mark, ..self.pid.clone() };
                format!(r#"{{"sid":"{}","pid":"{pid}"}}"#, self.sid)
            }
        }
    }
}

/// How far somebody has heard who had heard up to `since` and is told this. Changes, which come behind all messages, are
/// counted with the last of them.
fn behind(since: Mark, event: &Event) -> Mark {
    match event {
        Event::RoomMessage { stored: Some(stored), .. } => Mark { message: stored.message, ..since },
        _ => since,
    }
}

/// How long the token is still good. Nothing: longer than anybody will wait.
fn expiry(claims: &Claims) -> Option<Duration> {
    let until =
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(claims.expires.saturating_add(token::LEEWAY)))?;
    Some(until.duration_since(SystemTime::now()).unwrap_or_default())
}
