//! The loop that ties the layers together, in one thread.
//!
//! `Server::turn` is the whole flow: wait for events, take what the store has done, accept, read and carry out what
//! was asked, see to what is due, let the departed leave their rooms, hand new work to the store, flush what is owed, free
//! the slots of those who are gone. What is read in a turn is bounded by the named numbers below, and what is told by the
//! size of an outbox; whatever is cut off is remembered and goes on in the next turn. Each member is written to once,
//! however much it was told.

mod cors;
mod due;
mod ending;
mod engine;
mod exchange;
mod fanout;
mod flush;
mod inbox;
mod journal;
mod metrics;
mod news;
mod nodes;
#[cfg(feature = "page")]
mod page;
mod receive;
mod route;
mod signal;
mod slot;
mod stream;
mod supervisor;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mio::{Events, Poll, Token, Waker};

use crate::broker;
use crate::config::{self, Config};
use crate::dialect::{Encoder, Limits};
use crate::error::ServerError;
use crate::hub::job::{Done, Outcome, Outside, Ticket};
use crate::hub::nodes::Start;
use crate::hub::{self, Effect, Hub};
use crate::id::SlotKey;
use crate::net::allowance::{Allowance, Rate};
use crate::net::deadline::Deadlines;
use crate::net::listener::{Accepted, Listener};
use crate::net::outbox::Shared;
use crate::net::socket::Socket;
use crate::proto::http::HeadLimits;
use crate::proto::token::Verifier;
use crate::proto::websocket::{self, Reader};
use crate::store::Opened;
use crate::timestamp::Timestamp;
use due::Due;
use ending::Ending;
pub use engine::Sockets;
use engine::{Engines, Finished};
use fanout::Fanout;
use inbox::Inbox;
use journal::{Journal, Shortage};
use nodes::Nodes;
use signal::Signals;
use slot::{Http, Link, Slot, Slots, Stage};
pub use supervisor::Supervisor;

const LISTENER: Token = Token(usize::MAX - 1);
const SIGNALS: Token = Token(usize::MAX - 2);
const INBOX: Token = Token(usize::MAX - 3);

const EVENTS_PER_TURN: usize = 1024;
const ACCEPTS_PER_TURN: usize = 64;
/// What one session may use before it is another's turn: one read of the scratch buffer, and so many frames.
const READ_SHARE_BYTES: usize = 64 * 1024;
const READ_SHARE_FRAMES: usize = 64;
/// How many shares a session may have in one turn, all others having had theirs.
const SHARES_PER_TURN: usize = 4;
/// Times in the store that lie farther ahead are somebody's mistake.
const FARTHEST_AHEAD: Duration = Duration::from_secs(24 * 3_600);
/// At the end of all, what is stored is tidied up.
const STORE_CLOSES_WITHIN: Duration = Duration::from_millis(200);
/// Pings answered one by one in a share; of further ones only the last (RFC 6455 section 5.5.3 allows that).
const PONGS_PER_SHARE: usize = 16;

/// How the loop ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Everybody was told and nothing was left, or the time for it was over.
    InOrder,
    /// A second signal came.
    AtOnce,
}

/// The chat server.
pub struct Server {
    poll: Poll,
    events: Events,
    signals: Signals,
    /// Gone once the server shuts down.
    listener: Option<Listener>,
    /// Somebody waits to be accepted, and there is no room.
    is_full: bool,
    slots: Slots,
    hub: Hub,
    inbox: Inbox,
    nodes: Nodes,
    fanout: Fanout,
    reader: Reader,
    deadlines: Deadlines<{ Due::ALL.len() }>,
    /// Who has spent its allowance, until when. Apart, so that a pause puts off no ping.
    pauses: Deadlines<1>,
    /// Serves every read of every connection.
    scratch: Vec<u8>,
    /// Serves every write of many small frames.
    gathered: Vec<u8>,
    ping: Shared,
    finished: Finished,
    /// Who may join namespaces. Nothing: nobody.
    verifier: Option<Verifier>,
    /// Whether what is said at `/engine.io/` is sent back.
    echoes: bool,
    engines: Engines,
    journal: Journal,
    supervisor: Supervisor,
    config: Config,
    head_limits: HeadLimits,
    limits: Limits,
    rate: Option<Rate>,
    /// When it was made. The hub counts the time from then.
    started: Instant,
    /// The time at the beginning of the turn.
    now: Instant,
    ending: Ending,
    ended: Option<Ended>,
}

impl Server {
    /// Binds the port and takes over SIGTERM and SIGINT. Nothing is accepted before [`Server::run`]. Without a store, all
    /// rooms are ephemeral; without a broker, there are no other nodes. `sockets` is what is served over Engine.IO. `nonce`
    /// is random, see [`Hub::new`].
    pub fn bind(
        config: Config,
        sockets: Sockets,
        opened: Option<Opened>,
        broker: Option<broker::Opened>,
        nonce: u64,
    ) -> Result<Self, ServerError> {
        // The same moment by both clocks: who came when is told between nodes by the time of day.
        let (now, epoch) = (Instant::now(), SystemTime::now().into());
        let Sockets { namespaces, verifier, echoes } = sockets;
        let poll = Poll::new().map_err(ServerError::system("make a poll"))?;
        let address = config.listen;
        let listener = Listener::bind(address, poll.registry(), LISTENER)
            .map_err(|error| ServerError::Listen { address, error })?;
        let signals = Signals::register(poll.registry(), SIGNALS).map_err(ServerError::system("catch signals"))?;
        let (store, rooms, last, mark, position) = match opened {
            Some(Opened { store, rooms, last, mark, position, .. }) => {
                (Some(store), rooms, believable(last), mark, position)
            }
            None => (None, Vec::new(), Timestamp::default(), None, None),
        };
        let waker = Arc::new(Waker::new(poll.registry(), INBOX).map_err(ServerError::system("make a waker"))?);
        let is_alone = broker.as_ref().is_none_or(|broker| broker.others.is_empty());
        let inbox = Inbox::start(store, is_alone, &config, &waker)?;
        let limits = hub::Limits {
            max_rooms: config.max_rooms,
            max_rooms_joined: config.max_rooms_joined,
            max_rooms_owned: config.max_rooms_owned,
            presence_of_all: config.presence == config::Presence::All,
        };
        let mut hub = Hub::new(limits, nonce, last);
        hub.load(&rooms, mark);
        let nodes = match broker {
            Some(broker) => {
                hub.join_nodes(Start { block: broker.block, position, epoch, is_alone });
                Nodes::start(broker, waker, now)?
            }
            None => Nodes::default(),
        };
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            signals,
            listener: Some(listener),
            is_full: false,
            slots: Slots::default(),
            hub,
            inbox,
            nodes,
            fanout: Fanout::new(Encoder { namespaces }),
            reader: Reader::new(config.max_message),
            deadlines: Deadlines::default(),
            pauses: Deadlines::default(),
            scratch: vec![0; READ_SHARE_BYTES],
            gathered: Vec::new(),
            ping: Shared::from(websocket::PING),
            finished: Finished::default(),
            verifier,
            echoes,
            engines: Engines::default(),
            journal: Journal::default(),
            supervisor: Supervisor::default(),
            head_limits: HeadLimits { max_bytes: config.max_head, max_headers: config.max_headers },
            limits: Limits { max_text: config.max_text },
            rate: Rate::new(config.rate, config.burst),
            started: now,
            now,
            ending: Ending::No,
            ended: None,
            config,
        })
    }

    /// Where it listens: with the port that the system chose, if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.listener.as_ref().and_then(|listener| listener.address().ok()).unwrap_or(self.config.listen)
    }

    /// From now on `supervisor` is told how it goes.
    pub fn report_to(&mut self, supervisor: Supervisor) {
        self.supervisor = supervisor;
    }

    /// Serves until a signal ends it.
    pub fn run(&mut self) -> Result<Ended, ServerError> {
        self.supervisor.ready(&format!("serving on http://{}", self.address()), Instant::now());
        loop {
            self.turn().map_err(ServerError::system("wait for events"))?;
            if let Some(ended) = self.ended {
                let within = self.now + STORE_CLOSES_WITHIN;
                let until = self.ending.until().map_or(within, |until| until.max(within));
                self.inbox.finish(until);
                self.hub.take_leave();
                self.dispatch();
                self.nodes.finish(until);
                log::info!("stopped: {}", self.journal.summary());
                return Ok(ended);
            }
        }
    }

    /// One pass of the loop.
    fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        self.take_outcomes();
        if self.nodes.is_on() {
            self.take_arrivals();
        }
        self.accept();
        self.read();
        self.tick();
        self.depart();
        self.submit();
        if self.nodes.is_on() {
            self.dispatch();
        }
        self.flush();
        self.reap();
        Ok(())
    }

    /// Waits until something happens or is due, and notes for each slot what it was.
    fn wait(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        if let Err(error) = self.poll.poll(&mut self.events, timeout)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        self.now = Instant::now();
        let mut signals = 0;
        for event in &self.events {
            match event.token() {
                LISTENER => self.listener.iter_mut().for_each(Listener::wake),
                SIGNALS => signals = self.signals.drain(),
                INBOX => {
                    self.inbox.ring();
                    self.nodes.ring();
                }
                Token(index) => {
                    let key = SlotKey::new(index);
                    let Some(slot) = self.slots.get(key) else { continue };
                    slot.has_failed |= event.is_error();
                    slot.read_closed |= event.is_read_closed();
                    slot.readable |= event.is_readable() || slot.read_closed;
                    if event.is_writable() {
                        self.slots.touch(key);
                    }
                    self.slots.queue(key);
                }
            }
        }
        for _ in 0..signals {
            self.shut_down();
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.slots.connection_count() < self.config.max_connections
    }

    /// Tells what the store has done: now it is there for good.
    fn take_outcomes(&mut self) {
        if self.inbox.is_poked() {
            self.hub.look();
        }
        let outcomes = self.inbox.drain(self.now);
        if !outcomes.is_empty() || self.hub.counts_time() {
            self.hub.note_time(self.now - self.started);
        }
        for (ticket, outcome) in outcomes {
            self.take_or_queue(ticket, outcome);
        }
    }

    fn take_outcome(&mut self, ticket: Ticket, mut outcome: Outcome) {
        if let Ok(Done::Outside { deeds, .. }) = &mut outcome {
            let deeds = std::mem::take(deeds);
            self.take_outside(deeds);
        }
        if self.hub.moves_members(ticket, &outcome) {
            self.fanout.settle(&self.hub, &mut self.slots);
        }
        self.hub.committed(ticket, outcome, &mut self.fanout.effects);
        self.deliver();
    }

    /// Tells what other programs have done.
    fn take_outside(&mut self, deeds: Vec<Outside>) {
        for outside in deeds {
            if self.hub.moves_members_by(&outside) {
                self.fanout.settle(&self.hub, &mut self.slots);
            }
            self.hub.happened(outside, &mut self.fanout.effects);
            self.deliver();
        }
    }

    /// Hands the store all that this turn wants of it.
    fn submit(&mut self) {
        if !self.hub.has_jobs() {
            return;
        }
        for (ticket, job) in self.hub.take_jobs(Timestamp::from(SystemTime::now())) {
            self.inbox.submit(ticket, job, self.now);
        }
    }

    /// Carries out what the hub has yielded, and what follows from that.
    fn deliver(&mut self) {
        if self.fanout.effects.is_empty() {
            return;
        }
        let rest = self.fanout.deliver(&self.hub, &mut self.slots);
        for (key, reply, tag) in rest.answers {
            if self.slots.is_open(key) {
                self.answer_joining(key, reply);
            } else {
                self.answer_exchange(key, &reply, tag.as_deref());
            }
        }
        for key in rest.dismissed {
            self.dismiss(key);
        }
        for key in rest.resumed {
            self.resume(key);
        }
    }

    /// Carries out the requests that had to wait for an answer, up to the next that has to.
    fn resume(&mut self, key: SlotKey) {
        loop {
            self.fanout.catch_up(key, &self.hub, &mut self.slots);
            if !self.hub.resume(key, &mut self.fanout.effects) {
                break;
            }
            self.deliver();
        }
        let session = self.session_of(key);
        let is_free = self.slots.get(session).is_some_and(|slot| !engine::must_wait(&self.hub, slot, session));
        if is_free {
            self.slots.resume(session);
        }
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            let has_room = self.has_room();
            let Some(listener) = self.listener.as_mut().filter(|listener| listener.is_ready(self.now)) else { return };
            if !has_room {
                self.is_full = true;
                self.journal.stop_accepting(Shortage::Connections, self.now, || {
                    let count = self.slots.connection_count();
                    format!("full: {count} connections; the next is accepted when one of them ends")
                });
                return;
            }
            match listener.accept(self.now) {
                Accepted::Connection(stream) => self.admit(stream),
                Accepted::Nobody => return,
                Accepted::Exhausted(error) => {
                    self.journal.stop_accepting(Shortage::Descriptors, self.now, || {
                        format!("can't accept for now, trying again every second: {error}")
                    });
                    return;
                }
            }
        }
    }

    fn admit(&mut self, stream: mio::net::TcpStream) {
        let (registry, now) = (self.poll.registry(), self.now);
        let made = self.slots.insert(|token| {
            let socket = Socket::register(stream, registry, token)?;
            Ok(Slot::new(Link::Socket(socket), Stage::Http(Http::default()), Allowance::full(now)))
        });
        match made {
            Ok(key) => self.arm(key, Due::Handshake),
            Err(error) => self.journal.stop_accepting(Shortage::Descriptors, now, || {
                format!("can't keep a connection that was accepted: {error}")
            }),
        }
    }

    /// Takes the departed out of the hub, all before anybody is told, so that whoever goes with them is not told of
    /// each: a thousand that leave at once cost a thousand events to those who stay, and none to one another.
    fn depart(&mut self) {
        for key in self.slots.take_departed() {
            self.hub.close(key, &mut self.fanout.effects);
        }
        if self.is_draining() {
            // Everybody goes, so nobody is told who leaves: that would cost the square of all who are here.
            self.fanout.effects.retain(|effect| !matches!(effect, Effect::Tell { .. }));
        }
        self.deliver();
    }

    /// Adds finished bytes to what is owed to a connection.
    fn owe(&mut self, key: SlotKey, bytes: impl Into<Shared>) {
        self.fanout.owe(key, bytes.into(), &self.hub, &mut self.slots);
    }

    /// Frees the slots of those who are gone. Only here, so that no event of this turn meets a new tenant.
    fn reap(&mut self) {
        // Those who were lost while flushing; whoever is told of it is flushed in the next turn, which is due at once.
        self.depart();
        let freed = self.slots.reap(self.poll.registry(), |key| {
            self.deadlines.disarm(key);
            self.pauses.disarm(key);
            self.engines.waits.disarm(key);
        });
        self.give_back();
        if freed > 0
            && let Some(listener) = &mut self.listener
            && (self.is_full || listener.is_exhausted())
        {
            self.is_full = false;
            listener.wake();
        }
        if self.is_ending() {
            self.go_down();
        }
    }

    /// A crowd that has gone leaves nothing: what grew with it shrinks. The buffers for writing are given up whole, since
    /// the allocator gives back to the system what lies above all that is in use.
    fn give_back(&mut self) {
        let Some(end) = self.slots.give_back() else { return };
        self.hub.give_back(end);
        self.deadlines.give_back(end);
        self.pauses.give_back(end);
        self.engines.give_back(end);
        self.fanout.give_back();
        self.gathered = Vec::new();
    }
}

/// The time of the newest message, unless it lies so far ahead that it can't be a clock that was set back.
fn believable(last: Timestamp) -> Timestamp {
    let ahead = Timestamp::from(SystemTime::now() + FARTHEST_AHEAD);
    if last <= ahead {
        return last;
    }
    log::warn!("a message in the store is of {last}: that is in the future, and later ones get the time of today");
    Timestamp::default()
}
