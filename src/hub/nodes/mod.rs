//! Other nodes: server processes that are one chat with this one, as far as the hub has to know of them.
//!
//! Each node tells all others who is where on it ([`directory`]), so that every question is answered at once by any of
//! them. What is said goes to the nodes that have somebody there ([`publish`]), and is told there as it comes ([`hear`]);
//! what is stored is told everywhere in one order ([`order`]), whatever is lost on the way.
//!
//! The hub does not know how notices travel. It yields [`Errand`]s, and is told what has arrived. Alone, with no others
//! to think of, all this costs it a glance at an empty place.

mod directory;
mod early;
mod hear;
mod loss;
mod notice;
mod order;
mod publish;
mod returns;
mod survey;
mod typists;

pub use notice::{Address, Concern, Dispatch, Errand, Move, Notice, RoomTag, Whither};
pub use order::Telling;
pub(super) use publish::Written;

use std::collections::HashMap;
use std::time::Duration;

use smallvec::SmallVec;

use super::Hub;
use super::effect::Event;
use crate::id::{ConnectionId, NodeId, Position, RoomKey, UserId};
use crate::timestamp::Timestamp;
use directory::{Elsewhere, Roll};
use early::Early;
use loss::Loss;
use order::Order;
#[cfg(test)]
pub(super) use survey::PART;
use survey::Survey;
use typists::Typists;

/// How many connection ids a node takes at once.
pub const BLOCK: u64 = 65_536;

/// How often a node says that it is alive.
pub const ALIVE_EVERY: Duration = Duration::from_secs(3);

/// Where a node takes ids from that has used up its own and can't reserve more: at random, from so far up that no node
/// comes there by reserving, not before 2038. As many blocks lie behind it: up to 2^53 a client's numbers are exact.
const FAR_BLOCKS: u64 = 1 << 36;

/// What a node starts with.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Its first block of connection ids.
    pub block: u64,
    /// How far the store is; nothing, if it keeps no order of what several nodes write.
    pub position: Option<Position>,
    /// The time of day when the hub's time began.
    pub epoch: Timestamp,
    /// As far as is known there are no others yet: the store notes that nobody is online.
    pub is_alone: bool,
}

/// Nothing, if this process is alone.
#[derive(Default)]
pub(super) struct Nodes(Option<Box<Cluster>>);

/// What is known of the others.
struct Cluster {
    epoch: Timestamp,
    /// At its start or later it has noted as offline whoever was not known to be there.
    has_cleared: bool,
    /// Notices come and go.
    is_up: bool,
    /// These have asked who is there.
    askers: Vec<Address>,
    errands: Vec<Errand>,
    /// What programs that are no nodes are told, each under a name that is the same on all nodes.
    announcements: Vec<(String, Event)>,
    /// Who has moved since the last errand.
    moves: Vec<Move>,
    others: HashMap<NodeId, Other>,
    losses: Vec<Loss>,
    /// The connections to other nodes.
    sessions: HashMap<ConnectionId, Elsewhere>,
    early: Early,
    /// Those of each registered user.
    users: HashMap<UserId, SmallVec<[ConnectionId; 1]>>,
    order: Order,
    survey: Survey,
    typists: Typists,
    /// The end of the ids that may be given out.
    last_id: u64,
    /// The next block, once it is reserved.
    spare: Option<u64>,
    is_reserving: bool,
    alive_at: Duration,
}

/// Another node.
#[derive(Default)]
struct Other {
    /// It has said who is there: what it says from now on is news.
    is_known: bool,
    /// It was not heard for too long: nobody is there any more, as far as is known.
    is_gone: bool,
    /// It says just now who is there.
    roll: Option<Roll>,
}

impl Nodes {
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// From now on, or no longer, what goes there is heard.
    pub(super) fn listen(&mut self, address: impl FnOnce() -> Address, is_on: bool) {
        if let Some(cluster) = &mut self.0 {
            cluster.order.note_follower(is_on);
            cluster.errands.push(Errand::Listen(address(), is_on));
        }
    }

    /// Whether a connection to another node is that user.
    pub(super) fn has_session_of(&self, user: UserId) -> bool {
        self.0.as_ref().is_some_and(|cluster| cluster.users.contains_key(&user))
    }

    /// The connections to other nodes that are that user.
    fn sessions_of(&self, user: UserId) -> impl Iterator<Item = (ConnectionId, &Elsewhere)> {
        let cluster = self.0.as_deref();
        let ids = cluster.and_then(|cluster| cluster.users.get(&user)).into_iter().flatten();
        ids.filter_map(move |id| Some((*id, cluster?.sessions.get(id)?)))
    }

    /// Whether a connection to another node is that user and in that room, but for this one.
    pub(super) fn is_in(&self, user: UserId, room: RoomKey, except: Option<ConnectionId>) -> bool {
        self.sessions_of(user).any(|(id, session)| Some(id) != except && session.rooms.contains(&room))
    }

    /// How far what nodes write is told; nothing, where there is no order of it.
    pub(super) fn told(&self) -> Option<Position> {
        self.0.as_ref()?.order.told()
    }

    /// How many transactions of other nodes are kept until they can be told.
    #[cfg(test)]
    pub(super) fn waiting_transactions(&self) -> usize {
        self.0.as_ref().map_or(0, |cluster| cluster.order.waiting_transactions())
    }

    /// Whether it is known who is on the other nodes, as far as they are heard.
    pub(super) fn know_everybody(&self) -> bool {
        let is_heard_out = |other: &Other| other.is_gone || (other.is_known && other.roll.is_none());
        self.0.as_ref().is_some_and(|cluster| cluster.is_up && cluster.others.values().all(is_heard_out))
    }

    /// From now on whoever is not known to be there may be noted as offline: so whoever is heard to be there is noted, too.
    pub(super) fn note_clearing(&mut self) {
        if let Some(cluster) = &mut self.0 {
            cluster.has_cleared = true;
        }
    }

    /// When there is something to do, if nothing else happens.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let cluster = self.0.as_ref()?;
        let alive = cluster.is_up.then_some(cluster.alive_at + ALIVE_EVERY);
        let others = [cluster.order.next_due(cluster.is_up), cluster.survey.next_due(), cluster.typists.next_due()];
        others.into_iter().chain([alive]).flatten().min()
    }
}

impl Cluster {
    /// What that node names while it says who is there, if it does so now.
    fn roll(&mut self, node: NodeId) -> Option<&mut Roll> {
        self.others.get_mut(&node)?.roll.as_mut()
    }

    /// Sends a notice, behind all moves that came before it. Without a way to the others it is lost, and they will ask.
    fn send(&mut self, to: Vec<Address>, notice: Notice) {
        self.flush_moves();
        if self.is_up {
            self.errands.push(Errand::Send(Dispatch { to, notice }));
        }
    }

    fn flush_moves(&mut self) {
        let moves = std::mem::take(&mut self.moves);
        if self.is_up && !moves.is_empty() {
            let notice = Notice::Moved(moves);
            self.errands.push(Errand::Send(Dispatch { to: vec![Address::All], notice }));
        }
    }
}

impl Hub {
    /// This process is one of several from now on. To be called before anything else happens.
    pub fn join_nodes(&mut self, start: Start) {
        debug_assert!(self.slots.is_empty(), "somebody is here already");
        self.next_id = start.block;
        self.rooms.watch();
        let (askers, errands, announcements, moves, others, losses, sessions, early, users) = Default::default();
        self.nodes.0 = Some(Box::new(Cluster {
            epoch: start.epoch,
            has_cleared: start.is_alone,
            is_up: false,
            askers,
            errands,
            announcements,
            moves,
            others,
            losses,
            sessions,
            early,
            users,
            order: Order::after(start.position),
            survey: Survey::default(),
            typists: Typists::new(),
            last_id: start.block + BLOCK,
            spare: None,
            is_reserving: false,
            alive_at: Duration::ZERO,
        }));
    }

    /// This node's name.
    pub fn node(&self) -> NodeId {
        NodeId(self.nonce)
    }

    /// Whether this process is one of several.
    pub fn has_nodes(&self) -> bool {
        self.nodes.is_on()
    }

    /// How many other nodes have said who is there.
    pub fn known_nodes(&self) -> usize {
        self.nodes.0.as_ref().map_or(0, |cluster| cluster.others.values().filter(|other| other.is_known).count())
    }

    /// What the broker is to do, in this order.
    pub fn take_errands(&mut self) -> Vec<Errand> {
        if !self.nodes.is_on() {
            return Vec::new();
        }
        self.listen_where_somebody_is();
        let Some(cluster) = &mut self.nodes.0 else { return Vec::new() };
        cluster.flush_moves();
        let errands = std::mem::take(&mut cluster.errands);
        // Whoever hears that somebody is there may say something at once.
        let (mut first, others): (Vec<_>, Vec<_>) =
            errands.into_iter().partition(|errand| matches!(errand, Errand::Listen(..)));
        first.extend(others);
        first
    }

    /// What programs that are no nodes are to be told of open rooms, each under a name: what several nodes tell under one
    /// name is the same.
    pub fn take_announcements(&mut self) -> Vec<(String, Event)> {
        self.nodes.0.as_mut().map(|cluster| std::mem::take(&mut cluster.announcements)).unwrap_or_default()
    }

    fn listen_where_somebody_is(&mut self) {
        let (touched, let_go) = self.rooms.take_touched();
        for address in let_go {
            self.nodes.listen(|| address, false);
        }
        for key in touched {
            let wanted = self.is_followed(key).then(|| address_of(self.rooms.living(key).tag()));
            if self.rooms.listens(key) != wanted.as_ref() {
                let former = self.rooms.listen_at(key, wanted.clone());
                former.into_iter().for_each(|address| self.nodes.listen(|| address, false));
                wanted.into_iter().for_each(|address| self.nodes.listen(|| address, true));
            }
        }
    }

    /// Whether what is said in that room concerns somebody here.
    fn is_followed(&self, key: RoomKey) -> bool {
        let room = self.rooms.living(key);
        !room.members.is_empty() || room.present.iter().any(|&user| self.presence.living(user).is_here)
    }

    /// The id of the next connection.
    pub(super) fn next_connection_id(&mut self) -> ConnectionId {
        let id = self.next_id;
        self.next_id += 1;
        if let Some(cluster) = &mut self.nodes.0 {
            let left = cluster.last_id - self.next_id;
            if left <= BLOCK / 2 && cluster.spare.is_none() && !cluster.is_reserving {
                cluster.is_reserving = true;
                cluster.errands.push(Errand::Reserve);
            }
            if left == 0 {
                let far = || (FAR_BLOCKS + (self.nonce ^ id) % FAR_BLOCKS) * BLOCK;
                self.next_id = cluster.spare.take().unwrap_or_else(far);
                cluster.last_id = self.next_id + BLOCK;
            }
        }
        ConnectionId(id)
    }

    /// A block of connection ids is reserved.
    pub fn grant(&mut self, block: u64) {
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.is_reserving = false;
            cluster.spare = Some(block);
        }
    }

    /// The time of day, beside other nodes.
    pub(super) fn stamp(&self) -> Option<Timestamp> {
        let cluster = self.nodes.0.as_ref()?;
        let since = i64::try_from(self.now.as_micros()).unwrap_or(i64::MAX);
        Some(Timestamp::from_microseconds(cluster.epoch.microseconds().saturating_add(since)))
    }

    /// Says that it is alive, and reads what it seems to have missed, when it is time for that.
    pub(super) fn keep_in_touch(&mut self) {
        let now = self.now;
        let Some(cluster) = &mut self.nodes.0 else { return };
        if cluster.is_up && now >= cluster.alive_at + ALIVE_EVERY {
            cluster.alive_at = now;
            let told = cluster.order.told().unwrap_or_default();
            cluster.send(vec![Address::All], Notice::Alive(told));
        }
        if cluster.order.next_due(cluster.is_up).is_some_and(|due| due <= now) {
            self.catch_up();
        }
        self.survey_if_due();
    }
}

fn address_of(room: RoomTag) -> Address {
    match room {
        RoomTag::Durable(id) => Address::Room(id),
        RoomTag::Ephemeral(name) => Address::Name(name),
    }
}
