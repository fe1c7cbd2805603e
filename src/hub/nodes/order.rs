//! The one order in which all nodes tell what is stored.
//!
//! The store numbers the transactions that say or change something; its lock sees to it that the numbers have no gap and
//! that what is committed later has the greater one. A node tells them in this order, its own and those of others, and
//! none before all those in front of it. What others tell may be lost on the way: then a number is missing, or a
//! transaction lacks something that concerns somebody here, and what is missing is read from the store.
//!
//! Outcomes of the node's own jobs wait here for their turn as well, if they are no failures; nearly always it has come. A read of what somebody
//! has missed is an outcome, too: it stands between what its reader was not there for and what is told to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::super::Hub;
use super::super::committed::{Pending, Purpose};
use super::super::job::{self, Done, Job, Outcome, Outside, Ticket};
use super::returns::is_of_return;
use super::{Address, Concern, Nodes, Notice};
use crate::id::{ConnectionId, Position, UserId};

/// What is missing may be on its way: so long it is waited for, if there is a way.
const PATIENCE: Duration = Duration::from_millis(10);

/// After the store could not be read, so long it is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// How much is read at once.
const PART: usize = 256;

/// So many transactions of other nodes are kept that can't be told yet.
const MOST_WAITING: usize = 1024;

/// So often what was read is read anew because meanwhile it concerned more people.
const MOST_TRIES: usize = 3;

/// What is to be told next.
#[derive(Debug)]
pub enum Telling {
    /// What has come of a job: for [`Hub::committed`].
    Outcome(Ticket, Outcome),
    /// What another node has done, and by which connection: for [`Hub::happened_elsewhere`].
    Deed(Box<Outside>, Option<ConnectionId>),
}

/// What waits for its turn, and how far it has come.
pub(super) struct Order {
    /// All up to this is told. Nothing: the store keeps no order, and what others tell is told when it comes.
    told: Option<Position>,
    /// Transactions of other nodes, by number.
    others: BTreeMap<u64, Foreign>,
    /// The first of them is told in part: nothing comes in between, for whoever comes has heard all of it or nothing.
    is_midway: bool,
    /// Outcomes of the node's own jobs, in their order.
    held: VecDeque<(Ticket, Outcome)>,
    /// What was read.
    found: Option<Found>,
    /// There is a transaction of this number.
    known: u64,
    /// Something is missing, since then.
    missing_since: Option<Duration>,
    /// Nothing is read before.
    paused_until: Duration,
    /// What was to be read last could not be.
    has_failed: bool,
    /// What is being read, in the order in which it was asked for.
    readings: VecDeque<Reading>,
    /// The node's own transaction that is being told.
    own: Option<Own>,
    /// Reads of what somebody has missed that are under way.
    returns: BTreeSet<Ticket>,
    /// Such reads that can't begin before all is told that was read.
    pub(super) put_off: Vec<(Ticket, Job)>,
    last_ticket: Ticket,
}

/// A transaction of another node.
#[derive(Default)]
struct Foreign {
    deeds: VecDeque<(Box<Outside>, Option<ConnectionId>)>,
    /// It is complete.
    position: Option<Position>,
    concerns: Vec<Concern>,
    /// Something that concerns somebody here has not come.
    is_lost: bool,
    /// It is told after these reads: they may have been done before it.
    after: Ticket,
}

struct Found {
    ticket: Ticket,
    deeds: VecDeque<(i64, Outside)>,
    position: Position,
    has_more: bool,
    /// Somebody has come whom it may concern, and who was not thought of when it was read.
    is_outdated: bool,
    /// When it was asked for, a transaction of this number was known.
    known: u64,
}

struct Reading {
    ticket: Ticket,
    /// Meanwhile what others do concerns more people here.
    is_outdated: bool,
    tries: usize,
    /// What was known when it was asked for.
    known: u64,
}

struct Own {
    position: Position,
    left: usize,
    concerns: Vec<Concern>,
}

impl Order {
    pub(super) fn after(told: Option<Position>) -> Self {
        Self {
            told,
            others: BTreeMap::new(),
            is_midway: false,
            held: VecDeque::new(),
            found: None,
            known: told.unwrap_or_default().number,
            missing_since: None,
            paused_until: Duration::ZERO,
            has_failed: false,
            readings: VecDeque::new(),
            own: None,
            returns: BTreeSet::new(),
            put_off: Vec::new(),
            last_ticket: Ticket(0),
        }
    }

    pub(super) fn told(&self) -> Option<Position> {
        self.told
    }

    /// Somebody is followed from now on, or not any more.
    pub(super) fn note_follower(&mut self, is_on: bool) {
        self.readings.iter_mut().filter(|_| is_on).for_each(|reading| reading.is_outdated = true);
    }

    pub(super) fn note_known(&mut self, number: u64, now: Duration) {
        self.known = self.known.max(number);
        self.note_missing(now);
    }

    pub(super) fn next_due(&self, is_up: bool) -> Option<Duration> {
        let since = self.missing_since.filter(|_| !self.is_reading())?;
        Some(if is_up { since + PATIENCE } else { since }.max(self.paused_until))
    }

    /// What is known of a transaction that is still to be told. Nothing, if too many wait: then it is read when its turn
    /// comes.
    fn waiting(&mut self, number: u64) -> Option<&mut Foreign> {
        let has_place = self.others.len() < MOST_WAITING || self.others.contains_key(&number);
        let is_to_be_told = self.told.is_some_and(|told| number > told.number);
        (is_to_be_told && has_place).then(|| self.others.entry(number).or_default())
    }

    #[cfg(test)]
    pub(super) fn waiting_transactions(&self) -> usize {
        self.others.len()
    }

    /// Another node tells something of that transaction.
    pub(super) fn hear_deed(&mut self, position: Position, deed: Box<Outside>, connection: Option<ConnectionId>) {
        if let Some(foreign) = self.waiting(position.number) {
            foreign.deeds.push_back((deed, connection));
        }
    }

    /// A transaction of another node is complete.
    pub(super) fn hear_committed(&mut self, position: Position, concerns: Vec<Concern>, now: Duration) {
        if self.told.is_none_or(|told| position.number <= told.number) {
            return;
        }
        let last = self.last_ticket;
        if let Some(foreign) = self.waiting(position.number) {
            (foreign.position, foreign.concerns, foreign.after) = (Some(position), concerns, last);
        }
        self.note_known(position.number, now);
    }

    /// The next transaction, if it is another node's and complete.
    fn next_complete(&self) -> Option<&Foreign> {
        let next = self.told.unwrap_or_default().number + 1;
        self.others.get(&next).filter(|foreign| foreign.position.is_some())
    }

    /// Whether it is there to be told.
    fn is_next_here(&self) -> bool {
        self.next_complete().is_some_and(|foreign| !foreign.is_lost)
    }

    pub(super) fn is_reading(&self) -> bool {
        !self.readings.is_empty() || self.found.is_some()
    }

    /// The last transaction of which something is told.
    fn last_begun(&self) -> i64 {
        let midway = self.others.first_key_value().filter(|_| self.is_midway);
        let last = midway.and_then(|(_, foreign)| foreign.position).or(self.told);
        last.unwrap_or_default().transaction
    }

    fn note_missing(&mut self, now: Duration) {
        let is_behind = self.told.is_some_and(|told| told.number < self.known);
        let is_missing = (is_behind || self.has_failed) && self.own.is_none() && !self.is_next_here();
        self.missing_since = if is_missing { self.missing_since.or(Some(now)) } else { None };
    }

    fn has_told(&mut self, position: Position) {
        let transaction = self.told.map_or(position.transaction, |told| told.transaction.max(position.transaction));
        self.told = Some(Position { transaction, ..position });
        self.known = self.known.max(position.number);
        self.others = self.others.split_off(&(position.number + 1));
    }

    /// What was known before it was looked for has been found, if it is there.
    fn disbelieve(&mut self, known: u64) {
        if self.known == known {
            self.known = self.told.unwrap_or_default().number;
        }
    }

    /// What was read, mixed with the node's own by their transactions, and behind the outcomes of what was done before it
    /// was read.
    fn next_found(&mut self) -> Option<Telling> {
        let found = self.found.as_mut()?;
        let told = self.told.map(|told| told.transaction);
        let is_midway = found.deeds.front().is_some_and(|(at, _)| Some(*at) == told);
        let end = found.deeds.front().map_or(found.position.transaction.saturating_add(1), |(at, _)| *at);
        if let Some((_, outcome)) = self.held.front().filter(|(ticket, _)| !is_midway && *ticket < found.ticket)
            && outcome.as_ref().ok().and_then(Done::order).is_none_or(|order| order.position.transaction < end)
        {
            found.is_outdated |= is_of_return(outcome);
            return self.held.pop_front().map(|(ticket, outcome)| Telling::Outcome(ticket, outcome));
        }
        if found.is_outdated {
            return None;
        }
        let (transaction, deed) = found.deeds.pop_front()?;
        if let Some(told) = &mut self.told {
            told.transaction = told.transaction.max(transaction);
        }
        Some(Telling::Deed(Box::new(deed), None))
    }

    /// The next of another node's, if its turn has come. Nothing, too, if it concerns nobody here.
    fn next_foreign(&mut self) -> Option<Telling> {
        let told = self.told.filter(|_| self.is_next_here())?;
        let foreign = self.others.get_mut(&(told.number + 1))?;
        let position = foreign.position?;
        if position.transaction <= told.transaction {
            // It was told as part of what was read.
            foreign.deeds.clear();
        }
        // What is read now may have been read before it.
        if !self.is_midway && self.returns.first().is_some_and(|first| *first <= foreign.after) {
            return None;
        }
        let deed = foreign.deeds.pop_front();
        self.is_midway = !foreign.deeds.is_empty();
        // It counts as told with its last deed: whoever comes behind that reads it.
        if !self.is_midway {
            self.has_told(position);
        }
        deed.map(|(deed, connection)| Telling::Deed(deed, connection))
    }

    /// What could not be done is answered while something else is waited for: that may take as long as anybody may wait.
    fn next_failure(&mut self) -> Option<Telling> {
        let place = self.held.iter().position(|(_, outcome)| outcome.is_err())?;
        self.held.remove(place).map(|(ticket, outcome)| Telling::Outcome(ticket, outcome))
    }

    fn next_own(&mut self) -> Option<Telling> {
        let (_, outcome) = self.held.front()?;
        let number = outcome.as_ref().ok().and_then(Done::order).map(|order| order.position.number);
        let next = self.told.map(|told| told.number + 1);
        // Without an order of the store's all is told as it comes.
        if let (Some(number), Some(next)) = (number, next)
            && number > next
        {
            self.known = self.known.max(number);
            return None;
        }
        self.held.pop_front().map(|(ticket, outcome)| Telling::Outcome(ticket, outcome))
    }
}

impl Nodes {
    /// A job was given to the store.
    pub(in super::super) fn note_job(&mut self, ticket: Ticket, job: &Job) {
        let Some(cluster) = &mut self.0 else { return };
        cluster.order.last_ticket = ticket;
        if job.reads_missed() {
            cluster.order.returns.insert(ticket);
        }
    }
}

impl Hub {
    /// A job's outcome has come. Beside other nodes it is not to be taken before its turn: see [`Hub::next_in_order`].
    pub fn queue(&mut self, ticket: Ticket, outcome: Outcome) {
        let now = self.now;
        let Some(cluster) = &mut self.nodes.0 else { return };
        let order = &mut cluster.order;
        order.returns.remove(&ticket);
        let Some(place) = order.readings.iter().position(|reading| reading.ticket == ticket) else {
            return order.held.push_back((ticket, outcome));
        };
        let Some(Reading { ticket, is_outdated, tries, known }) = order.readings.remove(place) else { return };
        self.pending.remove(&ticket);
        order.has_failed = outcome.is_err();
        match outcome {
            // What was read before is still being told: it is read anew, from where that ends.
            Ok(Done::CaughtUp { .. }) if order.found.is_some() => self.catch_up_once_more(tries),
            Ok(Done::CaughtUp { .. }) if is_outdated && tries < MOST_TRIES => self.catch_up_once_more(tries + 1),
            Ok(Done::CaughtUp { deeds, position, has_more }) => {
                let told = order.last_begun();
                let deeds = deeds.into_iter().filter(|(at, _)| *at > told).collect();
                order.found = Some(Found { ticket, deeds, position, has_more, is_outdated: false, known });
            }
            _ => {
                order.paused_until = now + PAUSE;
                order.note_missing(now);
            }
        }
    }

    /// What is to be told next, beside other nodes. To be taken before it is asked for again.
    pub fn next_in_order(&mut self) -> Option<Telling> {
        let now = self.now;
        loop {
            let order = &mut self.nodes.0.as_mut()?.order;
            if order.is_midway {
                return order.next_foreign();
            }
            if order.found.is_some() {
                if let Some(telling) = order.next_found() {
                    return Some(telling);
                }
                let Found { position, has_more, is_outdated, known, .. } = order.found.take()?;
                if is_outdated {
                    self.catch_up();
                } else if has_more {
                    let transaction = |told: Position| told.transaction.max(position.transaction);
                    order.told = order.told.map(|told| Position { transaction: transaction(told), ..told });
                    self.catch_up_if_idle();
                } else {
                    order.missing_since = None;
                    if order.told.is_some_and(|told| told.number <= position.number) {
                        order.has_told(position);
                    }
                    order.disbelieve(known);
                }
                continue;
            }
            if !order.readings.is_empty() {
                return order.next_failure();
            }
            let put_off = std::mem::take(&mut order.put_off);
            put_off.into_iter().for_each(|(ticket, job)| self.begin_return(ticket, job));
            self.weigh_next();
            let order = &mut self.nodes.0.as_mut()?.order;
            let told = order.told;
            if let Some(telling) = order.next_own().or_else(|| order.next_foreign()) {
                return Some(telling);
            }
            // Behind what concerned nobody here is something else, perhaps.
            if order.told == told {
                order.note_missing(now);
                return order.next_failure();
            }
        }
    }

    /// Whom the next transaction concerns is known only now: since it was heard of, somebody may have come back who has
    /// not read it.
    fn weigh_next(&mut self) {
        let order = self.nodes.0.as_ref().map(|cluster| &cluster.order);
        let Some((order, next)) = order.and_then(|order| Some((order, order.next_complete()?))) else { return };
        let number = order.told.unwrap_or_default().number + 1;
        // What has come may concern a room in which nobody is any more.
        let come = |room| next.deeds.iter().filter(|(deed, _)| deed.room.id == room).count();
        let is_lost =
            next.concerns.iter().any(|concern| come(concern.room) < concern.count && self.concerns_us(concern));
        if let Some(next) = self.nodes.0.as_mut().and_then(|cluster| cluster.order.others.get_mut(&number)) {
            next.is_lost = is_lost;
        }
    }

    /// Has the store read what other nodes have written since what was told last.
    pub(in super::super) fn catch_up(&mut self) {
        self.catch_up_once_more(0);
    }

    fn catch_up_once_more(&mut self, tries: usize) {
        let Some(since) = self.nodes.0.as_ref().and_then(|cluster| cluster.order.told) else { return };
        let rooms = self.rooms.iter().filter(|(_, room)| !room.members.is_empty()).filter_map(|(_, room)| room.id());
        let job =
            Job::CatchUp { rooms: rooms.collect(), users: self.users.keys().copied().collect(), since, most: PART };
        let ticket = self.give(job, Pending { asker: None, by: None, purpose: Purpose::Tell });
        if let Some(cluster) = &mut self.nodes.0 {
            let known = cluster.order.known;
            cluster.order.readings.push_back(Reading { ticket, is_outdated: false, tries, known });
        }
    }

    /// Something of the node's own is told here. With the last of its transaction the others are told that it is complete.
    pub(in super::super) fn told_own(&mut self, done: Option<job::Order>) {
        let (Some(cluster), Some(of)) = (&mut self.nodes.0, done) else { return };
        let begin = || Own { position: of.position, left: of.count, concerns: Vec::new() };
        let own = cluster.order.own.get_or_insert_with(begin);
        own.left = own.left.saturating_sub(1);
        if own.left > 0 {
            return;
        }
        let Some(Own { position, concerns, .. }) = cluster.order.own.take() else { return };
        if cluster.order.told.is_some_and(|told| told.number < position.number) {
            cluster.order.has_told(position);
        }
        cluster.send(vec![Address::All], Notice::Committed { position, concerns });
    }

    /// Something of the node's own, of which others are told now, concerns these.
    pub(super) fn note_concern(&mut self, of: job::Order, concern: Concern) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        let begin = || Own { position: of.position, left: of.count, concerns: Vec::new() };
        let own = cluster.order.own.get_or_insert_with(begin);
        match own.concerns.iter_mut().find(|known| known.room == concern.room) {
            Some(known) => {
                known.count += concern.count;
                known.users.extend(concern.users);
                known.users.sort_unstable();
                known.users.dedup();
            }
            None => own.concerns.push(concern),
        }
    }

    /// Reads what may have been missed, unless that is under way.
    pub(super) fn catch_up_if_idle(&mut self) {
        if self.nodes.0.as_ref().is_some_and(|cluster| !cluster.order.is_reading()) {
            self.catch_up();
        }
    }

    /// Whether somebody here is that user.
    pub(super) fn is_user_here(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }
}
