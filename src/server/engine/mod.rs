//! Engine.IO sessions, and the Socket.IO sockets in them.
//!
//! A session is a slot. One that came by WebSocket has that connection; one that polls has none, and what it is owed
//! waits for a poll. When it changes to a WebSocket, that connection is moved into the session's slot, and from then on
//! nothing tells it from one that came that way.
//!
//! The first socket of a session (nearly always the only one) has the session's slot in the hub; each further one, on
//! another namespace, has a slot of its own, an *annex*, through which it is told things.
//!
//! | file | what it sees to |
//! |---|---|
//! | `requests` | HTTP: handshake, polls, posts, and which of them are refused |
//! | `polls` | what waits for a poll, and what a post has brought |
//! | `packets` | packets from the client, heartbeat, the change to a WebSocket |
//! | `joining` | how a socket joins a namespace: with a token, and perhaps from before |
//! | `sockets` | events on a namespace, and leaving it |
//! | `closing` | the ends of sessions |

mod closing;
mod joining;
mod packets;
mod polls;
mod requests;
mod sockets;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::slot::{Link, Slot, Speech, Stage};
use super::{Due, Server};
use crate::dialect::socketio::{FaceKey, Namespaces, Pid};
use crate::error::CloseReason;
use crate::hub::Hub;
use crate::id::{Mark, SlotKey};
use crate::net::allowance::Allowance;
use crate::net::deadline::Deadlines;
use crate::net::outbox::Shared;
use crate::proto::engineio::{Bare, Carriage, Sid};
use crate::proto::socketio::Assembly;
use crate::proto::token::Verifier;
use crate::proto::websocket::Inlet;

/// What is served over Engine.IO.
pub struct Sockets {
    /// The namespaces of Socket.IO, at `/socket.io/`.
    pub namespaces: Namespaces,
    /// Who may join those whose vocabularies take part in the chat. Nothing: nobody.
    pub verifier: Option<Verifier>,
    /// At `/engine.io/` every message is sent back: for probes and conformance.
    pub echoes: bool,
}

/// What the messages of a session are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protocol {
    /// Packets of Socket.IO.
    SocketIo,
    /// Anything; each is sent back.
    Echo,
}

/// An Engine.IO session.
pub(super) struct Engine {
    sid: Sid,
    protocol: Protocol,
    carriage: Carriage,
    /// Its client knows how to come back.
    recovers: bool,
    /// What came in the handshake's `Authorization` header.
    bearer: Option<Box<str>>,
    /// The WebSocket that is to take over.
    probe: Option<SlotKey>,
    /// The connection of a post that is not answered yet.
    post: Option<SlotKey>,
    /// Packets of that post which are not read yet.
    unread: Option<String>,
    /// A message whose attachments are still to come.
    assembly: Option<Assembly>,
    sockets: SmallVec<[Socket; 1]>,
    /// It is over; who polls once more is told so.
    is_over: bool,
}

impl Engine {
    fn new(sid: Sid, protocol: Protocol, carriage: Carriage) -> Self {
        Self {
            sid,
            protocol,
            carriage,
            recovers: false,
            bearer: None,
            probe: None,
            post: None,
            unread: None,
            assembly: None,
            sockets: SmallVec::new(),
            is_over: false,
        }
    }

    /// Whether packets that a post has brought are still to be read.
    pub(super) fn has_unread(&self) -> bool {
        self.unread.is_some()
    }
}

/// A client on a namespace.
struct Socket {
    face: FaceKey,
    /// Where the hub knows it.
    slot: SlotKey,
    /// What it is told when it may join; nothing for one that has.
    joining: Option<Box<Joining>>,
    /// When its token does.
    expires: Option<Instant>,
}

/// What is known of a socket whose user is still to be found.
struct Joining {
    /// Its public id, unless it has come back to have the former one.
    sid: String,
    /// What it is called for coming back.
    pid: Pid,
    /// What it says it was called, as it says it.
    text: Option<Box<str>>,
    /// How far it had heard, if it wants to come back.
    since: Option<Mark>,
}

/// A WebSocket that is to take over a polling session.
pub(super) struct Probe {
    session: SlotKey,
    /// It has been told that it works.
    is_answered: bool,
}

/// A session that is over waits so long for one more poll, to tell it.
const LAST_POLL_WITHIN: Duration = Duration::from_secs(30);

/// What a session is waited for, besides its pong.
#[derive(Clone, Copy)]
enum Wait {
    /// To join a namespace.
    Join,
    /// To poll once more, for it is over.
    LastPoll,
}

/// All sessions, and what is due for them besides their heartbeat.
#[derive(Default)]
pub(super) struct Engines {
    by_sid: HashMap<Sid, SlotKey>,
    /// What sessions are waited for, see [`Wait`].
    pub(super) waits: Deadlines<2>,
    /// When tokens expire, and whose.
    expiries: BTreeSet<(Instant, SlotKey)>,
}

impl Engines {
    /// Whether there are no sessions, so that nothing is due.
    pub(super) fn is_empty(&self) -> bool {
        self.by_sid.is_empty()
    }

    /// When the next thing is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let expiry = self.expiries.first().map(|(at, _)| *at);
        [self.waits.next(), expiry].into_iter().flatten().min()
    }

    /// Gives back the memory of a crowd that has gone: no slot from index `end` on is in use.
    pub(super) fn give_back(&mut self, end: usize) {
        self.by_sid.shrink_to_fit();
        self.waits.give_back(end);
    }
}

/// Packets that are always the same, finished for both carriages.
pub(super) struct Finished {
    pings: [Shared; 2],
}

impl Default for Finished {
    fn default() -> Self {
        Self { pings: [Carriage::WebSocket, Carriage::Polling].map(|carriage| bare(carriage, Bare::Ping)) }
    }
}

impl Finished {
    fn ping(&self, carriage: Carriage) -> Shared {
        Shared::clone(&self.pings[usize::from(carriage == Carriage::Polling)])
    }
}

/// Whether the client in `slot` has asked for so much that it should not be heard for now.
pub(super) fn must_wait(hub: &Hub, slot: &mut Slot, key: SlotKey) -> bool {
    match slot.engine() {
        Some(engine) => engine.sockets.iter().any(|socket| hub.must_wait(socket.slot)),
        None => hub.must_wait(key),
    }
}

/// Whether the client in `slot` has asked something that is not answered yet.
pub(super) fn is_owed_reply(hub: &Hub, slot: &mut Slot, key: SlotKey) -> bool {
    match slot.engine() {
        Some(engine) => engine.sockets.iter().any(|socket| hub.owes_reply(socket.slot)),
        None => hub.owes_reply(key),
    }
}

fn bare(carriage: Carriage, bare: Bare) -> Shared {
    let mut wire = Vec::new();
    carriage.bare(&mut wire, bare);
    wire.into()
}

impl Server {
    /// The session in that slot, if it is one.
    fn engine(&mut self, key: SlotKey) -> Option<&mut Engine> {
        self.slots.get(key)?.engine()
    }

    /// A slot without a connection of its own.
    fn insert_slot(&mut self, link: Link, speech: Speech) -> Option<SlotKey> {
        let stage = Stage::Open { speech, inlet: Inlet::default() };
        let slot = Slot::new(link, stage, Allowance::full(self.now));
        self.slots.insert(|_| Ok(slot)).ok()
    }

    /// The slot of the session to which that slot's socket belongs: the same one, or that of which it is an annex.
    pub(super) fn session_of(&mut self, key: SlotKey) -> SlotKey {
        match self.slots.get(key).map(|slot| &slot.stage) {
            Some(Stage::Open { speech: Speech::Annex(session), .. }) => *session,
            _ => key,
        }
    }

    /// Sees to what is due for sessions.
    pub(super) fn tick_engines(&mut self) {
        while let Some((key, kind)) = self.engines.waits.pop_due(self.now) {
            if kind == Wait::Join as usize {
                self.close_session(key, CloseReason::HandshakeTimeout);
            } else {
                self.lose(key, None);
            }
        }
        while let Some(&(at, key)) = self.engines.expiries.first()
            && at <= self.now
        {
            self.engines.expiries.pop_first();
            self.dismiss(key);
        }
    }

    /// A session begins: it is to be pinged, and to join a namespace.
    fn begin_session(&mut self, key: SlotKey) {
        let Some(engine) = self.engine(key) else { return };
        let (sid, protocol) = (engine.sid, engine.protocol);
        self.engines.by_sid.insert(sid, key);
        self.arm(key, Due::Ping);
        if protocol == Protocol::SocketIo {
            self.engines.waits.arm(key, Wait::Join as usize, self.now + self.config.connect);
        }
    }
}
