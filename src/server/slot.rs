//! One place in the slab: a connection, where it is in its life, and what is owed to it.
//!
//! | stage | what comes | what follows |
//! |---|---|---|
//! | `Http` | a whole request head | answered: `Http` again, or `Closing`; upgraded: `Open`; else its body is awaited |
//! | `Http` | the whole body | the API and the hub, whose reply is the answer; nothing is read before that |
//! | `Http` | the hub's reply to one who asked to listen | `Stream` |
//! | `Stream` | a full outbox, the room's end, shutdown | what is owed goes out: `Closing` |
//! | `Http` | a bad head or body, or too late | an error is owed: `Closing` |
//! | `Open` | a frame | the dialect and the hub; a close frame is answered: `Closing` |
//! | `Open` | a breach, a full outbox, a missed ping, shutdown | a close frame is owed: `Closing` |
//! | `Open` | the client has changed to it from polling | `Moving`, and at once `Gone`: the connection is another slot's |
//! | `Closing` | the outbox is empty | sending is finished; what still comes is read and thrown away |
//! | `Closing` | the other side has finished too, or too late | `Gone` |
//! | any | the socket fails | `Gone` |
//! | `Gone` | the end of the turn | the slot is free; nothing else leads out |

use std::collections::VecDeque;
use std::io;

use mio::{Registry, Token};
use slab::Slab;

use crate::dialect::{DIALECTS, DialectKey, Encoding};
use crate::id::SlotKey;
use crate::net::allowance::Allowance;
use crate::net::outbox::{Outbox, Shared};
use crate::net::socket::{Received, Socket};
use crate::proto::http::HeadReader;
use crate::proto::websocket::Inlet;

use super::engine::{Engine, Probe};
use super::exchange::Exchange;

/// Where a connection is in its life.
pub(super) enum Stage {
    /// It speaks HTTP: a request is awaited, or its answer.
    Http(Http),
    /// It speaks to us, over WebSocket or by polls.
    Open { speech: Speech, inlet: Inlet },
    /// It is told what happens, as an answer that has no end. What it still says is thrown away.
    Stream,
    /// Its client has just changed to it from polling: what follows belongs to the session in that slot, and so will the
    /// connection before anything else is read.
    Moving { session: SlotKey },
    /// What is owed goes out, then the connection ends. `finished`: we have said that nothing more follows.
    Closing { finished: bool },
    /// Nothing can be read or written; the slot is free at the end of the turn.
    Gone,
}

/// What an open connection speaks.
pub(super) enum Speech {
    /// A dialect.
    Dialect(DialectKey),
    /// Engine.IO, and Socket.IO in it. The slot is also that of the first of its sockets.
    Engine(Box<Engine>),
    /// It is to become the connection of an Engine.IO session: it says so, and is moved there.
    Probe(Probe),
    /// It is one more socket of the Engine.IO session in that slot.
    Annex(SlotKey),
}

/// How what is owed gets to the client.
pub(super) enum Link {
    /// Over a connection of its own.
    Socket(Socket),
    /// In the answers to polls, one at a time: the connection of the one that waits, if one does.
    Polls(Option<SlotKey>),
    /// With what is owed to the Engine.IO session of which the slot is an annex.
    Through,
}

/// What an HTTP connection keeps between reads.
#[derive(Default)]
pub(super) struct Http {
    /// The part of a head that has arrived.
    pub(super) head: HeadReader,
    /// The request that is being received or answered. Nothing for nearly all.
    pub(super) exchange: Option<Box<Exchange>>,
    /// What came behind that request: looked at when it is answered.
    pub(super) unread: Vec<u8>,
}

impl Http {
    /// Whether a part of a request is waiting for the rest.
    pub(super) fn has_begun(&self) -> bool {
        self.head.has_begun() || self.exchange.is_some()
    }
}

/// A connection and its state.
pub(super) struct Slot {
    pub(super) link: Link,
    pub(super) stage: Stage,
    /// In what form it is told what the hub has to say; nothing for one that is told nothing.
    pub(super) encoding: Option<Encoding>,
    pub(super) outbox: Outbox,
    pub(super) allowance: Allowance,
    /// It has been handed all news below this number, see [`super::news`].
    pub(super) heard: u64,
    /// The kernel may hold bytes for us: an edge came, and no read has come back short since.
    pub(super) readable: bool,
    /// The other side has finished sending, or failed: read until that shows, whatever comes back short.
    pub(super) read_closed: bool,
    /// The other side has finished sending, and we have read to that end.
    pub(super) peer_finished: bool,
    /// The connection was reset: whatever it waits for, it is lost.
    pub(super) has_failed: bool,
    /// Whole frames lie unread in the inlet, because the connection had used up its share of a turn.
    pub(super) has_backlog: bool,
    /// The allowance is spent: nothing is read until the deadline.
    pub(super) is_throttled: bool,
    /// It has asked for so much that nothing is read until the store has answered.
    pub(super) awaits_store: bool,
    /// It is owed so much that nothing is read until that has gone out.
    pub(super) awaits_flush: bool,
    /// Its request is answered when its Engine.IO session has something for it: nothing is read until then.
    pub(super) awaits_packets: bool,
    /// The server is going down: nothing more is read from it.
    is_held: bool,
    /// What may be owed to it beyond the limit of all, because it has asked for a long answer.
    pub(super) extra: usize,
    /// A ping is out; anything that arrives will do for an answer.
    pub(super) awaits_pong: bool,
    is_queued: bool,
    is_touched: bool,
}

impl Slot {
    pub(super) fn new(link: Link, stage: Stage, allowance: Allowance) -> Self {
        Self {
            link,
            stage,
            encoding: None,
            outbox: Outbox::default(),
            allowance,
            heard: 0,
            readable: false,
            read_closed: false,
            peer_finished: false,
            has_failed: false,
            has_backlog: false,
            is_throttled: false,
            awaits_store: false,
            awaits_flush: false,
            awaits_packets: false,
            is_held: false,
            extra: 0,
            awaits_pong: false,
            is_queued: false,
            is_touched: false,
        }
    }

    /// Its own connection, if it has one.
    pub(super) fn socket(&self) -> Option<&Socket> {
        if let Link::Socket(socket) = &self.link { Some(socket) } else { None }
    }

    /// Who is served over its connection, for the log.
    pub(super) fn client(&self) -> Option<String> {
        self.socket().and_then(Socket::client)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// Whether it speaks to us, is owed nothing, and nothing has waited for that.
    pub(super) fn is_settled(&self) -> bool {
        let is_told = matches!(self.stage, Stage::Open { .. } | Stage::Stream);
        self.outbox.is_empty() && !self.awaits_flush && self.extra == 0 && is_told
    }

    /// The Engine.IO session that it is.
    pub(super) fn engine(&mut self) -> Option<&mut Engine> {
        match &mut self.stage {
            Stage::Open { speech: Speech::Engine(engine), .. } => Some(engine),
            _ => None,
        }
    }

    /// Whether it can still be talked to: neither closing nor gone.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Http(_) | Stage::Open { .. } | Stage::Stream)
    }

    /// Whether its session is (or is about to be) known to the hub.
    pub(super) fn takes_part(&self) -> bool {
        match &self.stage {
            Stage::Open { speech: Speech::Dialect(dialect), .. } => dialect.dialect().takes_part(),
            Stage::Open { .. } | Stage::Stream => true,
            Stage::Http(http) => http.exchange.is_some(),
            _ => false,
        }
    }

    /// Reads once into `buffer`, and keeps account of whether there may be more.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let Link::Socket(socket) = &mut self.link else { return Ok(Received::WouldBlock) };
        let received = socket.receive(buffer)?;
        self.readable = match received {
            Received::Bytes(count) => count == buffer.len() || self.read_closed,
            Received::WouldBlock | Received::End => false,
        };
        Ok(received)
    }

    fn must_wait(&self) -> bool {
        self.is_throttled || self.awaits_store || self.awaits_flush || self.awaits_packets || self.is_held
    }

    fn wants_turn(&self) -> bool {
        // Of a poll that nobody waits for any more its session must know.
        self.has_failed
            || (self.awaits_packets && self.read_closed)
            || ((self.readable || self.has_backlog) && !self.must_wait())
    }
}

/// For so few it is not worth while to give memory back.
const KEPT_SLOTS: usize = 256;

/// How many connections there are of each kind.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Census {
    /// Of each dialect.
    pub(super) dialects: [usize; DIALECTS.len()],
    /// Engine.IO sessions, with a connection of their own and polling.
    pub(super) engines: [usize; 2],
    /// Event streams.
    pub(super) streams: usize,
    /// Those that speak HTTP, or are ending.
    pub(super) others: usize,
}

impl Census {
    fn count(&mut self, slot: &Slot) {
        let place = match (&slot.stage, &slot.link) {
            (Stage::Open { speech: Speech::Dialect(dialect), .. }, _) => &mut self.dialects[dialect.index()],
            (Stage::Open { speech: Speech::Engine(_), .. }, Link::Polls(_)) => &mut self.engines[1],
            (Stage::Open { speech: Speech::Engine(_), .. }, _) => &mut self.engines[0],
            // It is no connection, but a part of one.
            (Stage::Open { speech: Speech::Annex(_), .. }, _) => return,
            (Stage::Stream, _) => &mut self.streams,
            _ => &mut self.others,
        };
        *place += 1;
    }
}

/// All slots, and the lists of those that have work to be done in this turn or the next.
#[derive(Default)]
pub(super) struct Slots {
    slab: Slab<Slot>,
    /// How many of them have no connection of their own.
    unconnected: usize,
    /// When so few are left, memory is given back.
    few: usize,
    /// To be read from: an edge does not fire twice, so whoever was not read to the end is remembered here.
    ready: Vec<SlotKey>,
    /// Whose outbox has something new, or whose socket takes bytes again.
    touched: VecDeque<SlotKey>,
    /// Whose session the hub is to forget.
    departed: Vec<SlotKey>,
    /// To be freed at the end of the turn.
    gone: Vec<SlotKey>,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// How many connections there are, which is how many descriptors.
    pub(super) fn connection_count(&self) -> usize {
        self.slab.len() - self.unconnected
    }

    /// How many Engine.IO sessions and parts of such have no connection of their own.
    pub(super) fn unconnected_count(&self) -> usize {
        self.unconnected
    }

    pub(super) fn insert(&mut self, make: impl FnOnce(Token) -> io::Result<Slot>) -> io::Result<SlotKey> {
        let entry = self.slab.vacant_entry();
        let key = SlotKey::new(entry.key());
        let slot = entry.insert(make(Token(key.index()))?);
        self.unconnected += usize::from(slot.socket().is_none());
        self.few = self.few.max(self.slab.len() / 4);
        Ok(key)
    }

    /// The slot of that key. Events may be late, so there may be none.
    pub(super) fn get(&mut self, key: SlotKey) -> Option<&mut Slot> {
        self.slab.get_mut(key.index())
    }

    /// What that connection has asked over HTTP and is not answered yet.
    pub(super) fn exchange(&self, key: SlotKey) -> Option<&Exchange> {
        match &self.slab.get(key.index())?.stage {
            Stage::Http(http) => http.exchange.as_deref(),
            _ => None,
        }
    }

    pub(super) fn keys(&self) -> Vec<SlotKey> {
        self.slab.iter().map(|(index, _)| SlotKey::new(index)).collect()
    }

    /// In what form `key` is told what the hub has to say.
    pub(super) fn encoding(&self, key: SlotKey) -> Option<Encoding> {
        self.slab.get(key.index())?.encoding
    }

    /// Whether `key` speaks to us, over WebSocket or by polls.
    pub(super) fn is_open(&self, key: SlotKey) -> bool {
        self.slab.get(key.index()).is_some_and(Slot::is_open)
    }

    /// How many there are of each kind, and the bytes owed to all of them.
    pub(super) fn census(&self) -> (Census, usize) {
        let (mut census, mut bytes) = (Census::default(), 0);
        for (_, slot) in &self.slab {
            census.count(slot);
            bytes += slot.outbox.weight();
        }
        (census, bytes)
    }

    /// Adds finished bytes to what is owed to an open connection. To one that is closing nothing is owed any more.
    pub(super) fn owe(&mut self, key: SlotKey, bytes: Shared) {
        let Some(slot) = self.slab.get_mut(key.index()) else { return };
        if slot.is_live() {
            slot.outbox.push(bytes);
            self.touch(key);
        }
    }

    /// Adds an answer, which may be longer than what anybody else may be owed: it was asked for.
    pub(super) fn owe_answer(&mut self, key: SlotKey, bytes: Shared) {
        if let Some(slot) = self.slab.get_mut(key.index())
            && slot.is_live()
        {
            slot.extra += bytes.len();
            self.owe(key, bytes);
        }
    }

    /// The slot's outbox is to be flushed in this turn.
    pub(super) fn touch(&mut self, key: SlotKey) {
        if let Some(slot) = self.slab.get_mut(key.index())
            && !slot.is_touched
        {
            slot.is_touched = true;
            self.touched.push_back(key);
        }
    }

    /// The next of those touched, each once.
    pub(super) fn next_touched(&mut self) -> Option<SlotKey> {
        let key = self.touched.pop_front()?;
        if let Some(slot) = self.slab.get_mut(key.index()) {
            slot.is_touched = false;
        }
        Some(key)
    }

    /// Puts the slot on the ready list if there is something to read in it.
    pub(super) fn queue(&mut self, key: SlotKey) {
        if let Some(slot) = self.slab.get_mut(key.index())
            && !matches!(slot.stage, Stage::Gone)
            && slot.wants_turn()
            && !slot.is_queued
        {
            slot.is_queued = true;
            self.ready.push(key);
        }
    }

    /// Nothing more is read from the slot, for as long as it is live.
    pub(super) fn hold(&mut self, key: SlotKey) {
        if let Some(slot) = self.slab.get_mut(key.index()).filter(|slot| slot.is_live()) {
            slot.is_held = true;
        }
    }

    /// The store has answered: the slot may be read from again.
    pub(super) fn resume(&mut self, key: SlotKey) {
        if let Some(slot) = self.slab.get_mut(key.index()) {
            slot.awaits_store = false;
            self.queue(key);
        }
    }

    /// Takes the whole ready list; who is on it may be queued again.
    pub(super) fn take_ready(&mut self) -> Vec<SlotKey> {
        let ready = std::mem::take(&mut self.ready);
        for key in &ready {
            if let Some(slot) = self.slab.get_mut(key.index()) {
                slot.is_queued = false;
            }
        }
        ready
    }

    /// Gives back the emptied list that [`Slots::take_ready`] handed out, so that its memory serves again.
    pub(super) fn return_ready(&mut self, mut list: Vec<SlotKey>) {
        list.clear();
        if self.ready.is_empty() {
            self.ready = list;
        }
    }

    /// Whether somebody is to be read from.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether another turn is due at once.
    pub(super) fn has_work(&self) -> bool {
        !(self.ready.is_empty() && self.departed.is_empty() && self.touched.is_empty() && self.gone.is_empty())
    }

    /// Ends the dialect's part of a live connection: what is owed goes out, then the socket closes.
    pub(super) fn begin_closing(&mut self, key: SlotKey) {
        self.depart(key);
        let Some(slot) = self.slab.get_mut(key.index()).filter(|slot| slot.is_live()) else { return };
        slot.stage = Stage::Closing { finished: false };
        slot.encoding = None;
        slot.has_backlog = false;
        slot.is_throttled = false;
        slot.awaits_store = false;
        slot.awaits_flush = false;
        slot.awaits_packets = false;
        slot.is_held = false;
        // What is still to come is thrown away as it arrives, including what has arrived already.
        slot.readable = true;
        self.touch(key);
        self.queue(key);
    }

    /// The socket is of no more use.
    pub(super) fn lose(&mut self, key: SlotKey) {
        self.depart(key);
        if let Some(slot) = self.slab.get_mut(key.index())
            && !matches!(slot.stage, Stage::Gone)
        {
            slot.stage = Stage::Gone;
            slot.encoding = None;
            // Freed now and not with the slot: the bytes may be many.
            slot.outbox = Outbox::default();
            self.gone.push(key);
        }
    }

    fn depart(&mut self, key: SlotKey) {
        if self.slab.get(key.index()).is_some_and(Slot::takes_part) {
            self.departed.push(key);
        }
    }

    pub(super) fn take_departed(&mut self) -> Vec<SlotKey> {
        std::mem::take(&mut self.departed)
    }

    /// Gives back the memory of a crowd when three quarters of it have gone, so that whoever comes and goes beside it
    /// costs nothing. Returns the index from which on no slot is in use, for other tables to do the same.
    pub(super) fn give_back(&mut self) -> Option<usize> {
        if self.slab.len() > self.few || self.slab.capacity() < KEPT_SLOTS {
            return None;
        }
        self.few = self.slab.len() / 4;
        self.slab.shrink_to_fit();
        for list in [&mut self.ready, &mut self.departed, &mut self.gone] {
            list.shrink_to_fit();
        }
        self.touched.shrink_to_fit();
        Some(self.slab.iter().next_back().map_or(0, |(last, _)| last + 1))
    }

    /// Frees the slots of those who are gone. Yields each key while its new tenant is still impossible.
    pub(super) fn reap(&mut self, registry: &Registry, mut freed: impl FnMut(SlotKey)) -> usize {
        debug_assert!(self.departed.is_empty(), "the hub still knows a slot that is about to be free");
        let count = self.gone.len();
        for key in self.gone.drain(..) {
            match self.slab.remove(key.index()).link {
                Link::Socket(socket) => socket.deregister(registry),
                // A slot whose connection was moved is as good for the count as the one that got it.
                Link::Polls(_) | Link::Through => self.unconnected -= 1,
            }
            freed(key);
        }
        count
    }
}
