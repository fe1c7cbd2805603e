//! The way to other nodes: what they tell comes in between outcomes and sockets, and what the hub has for them goes out at
//! the end of the turn, behind what it has for the store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Waker;

use super::Server;
use crate::broker::{self, Announcement, Arrival, Handle, Stats};
use crate::dialect::stream;
use crate::error::ServerError;
use crate::hub::Hub;
use crate::hub::job::{Outcome, Ticket};
use crate::hub::nodes::Telling;

/// What is taken at once, before it is looked how much was told.
const ARRIVALS_AT_ONCE: usize = 32;

/// What is taken in one turn at most: much of what nodes tell is told to nobody here, and takes time all the same.
const MOST_ARRIVALS: usize = 256;

/// So long the last words of a node are waited for in any case.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// So long a node waits at its start for the others to say who is there, before it calls itself ready.
const GREETING: Duration = Duration::from_secs(2);

/// The loop's end of the broker; without one, nothing.
#[derive(Default)]
pub(super) struct Nodes {
    broker: Option<Handle>,
    /// What was taken, and is not heard yet.
    arrivals: VecDeque<Arrival>,
    /// The broker's thread has sent something.
    has_rung: bool,
    /// There was too much to be told in one turn.
    has_more: bool,
    /// How many others were there at the start, and until when they are waited for.
    awaited: Option<(usize, Instant)>,
    down_since: Option<Instant>,
}

impl Nodes {
    /// Starts the broker's threads.
    pub(super) fn start(opened: broker::Opened, waker: Arc<Waker>, now: Instant) -> Result<Self, ServerError> {
        let awaited = Some((opened.others.len(), now + GREETING));
        // The loop is gone when nobody can be woken.
        let wake = Box::new(move || drop(waker.wake()));
        let broker = Handle::start(opened, broker::Settings::default(), wake)
            .map_err(ServerError::system("start the broker's threads"))?;
        Ok(Self { broker: Some(broker), awaited, ..Self::default() })
    }

    /// The broker's threads have woken the loop.
    pub(super) fn ring(&mut self) {
        self.has_rung = true;
    }

    /// Whether there are others.
    pub(super) fn is_on(&self) -> bool {
        self.broker.is_some()
    }

    /// Whether there is something to be taken at once.
    pub(super) fn has_work(&self) -> bool {
        self.has_more || !self.arrivals.is_empty() || self.broker.as_ref().is_some_and(Handle::has_arrivals)
    }

    /// What is wrong with the broker, if something is.
    pub(super) fn trouble(&self) -> Option<String> {
        self.broker.as_ref()?.trouble()
    }

    /// What the broker has counted.
    pub(super) fn stats(&self) -> Option<Stats> {
        self.broker.as_ref().map(Handle::stats)
    }

    /// Whether the others have not said yet who is there.
    pub(super) fn is_awaiting(&self, known: usize, now: Instant) -> bool {
        self.awaited.is_some_and(|(count, until)| known < count && now < until)
    }

    /// Tells what waits, but waits not much longer than until then.
    pub(super) fn finish(&mut self, until: Instant) {
        if let Some(broker) = self.broker.take() {
            broker.finish(until.max(Instant::now() + LAST_WORDS));
        }
    }
}

impl Server {
    /// Takes what other nodes have told.
    pub(super) fn take_arrivals(&mut self) {
        if !(std::mem::take(&mut self.nodes.has_rung) || self.nodes.has_work()) {
            return;
        }
        self.hub.note_time(self.now - self.started);
        self.hear_arrivals();
        self.hub.answer_askers();
    }

    fn hear_arrivals(&mut self) {
        self.fanout.spent = 0;
        // What is read has its share of the turn as well.
        let enough = self.config.outbox / 4;
        let mut taken = 0;
        loop {
            self.tell_in_order(enough);
            self.see_off_lost(enough);
            if self.nodes.has_more || self.fanout.spent >= enough || taken >= MOST_ARRIVALS {
                return;
            }
            let Some(broker) = &mut self.nodes.broker else { return };
            if self.nodes.arrivals.is_empty() {
                broker.drain(ARRIVALS_AT_ONCE, &mut self.nodes.arrivals);
            }
            if self.nodes.arrivals.is_empty() {
                return;
            }
            while self.fanout.spent < enough
                && let Some(arrival) = self.nodes.arrivals.pop_front()
            {
                self.take_arrival(arrival);
                taken += 1;
            }
        }
    }

    /// Tells who has gone with a node, until it is enough.
    fn see_off_lost(&mut self, enough: usize) {
        while self.hub.has_losses() {
            if self.fanout.spent >= enough {
                self.nodes.has_more = true;
                return;
            }
            self.hub.see_off_lost(&mut self.fanout.effects);
            self.deliver();
        }
    }

    fn take_arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Notice { from, notice } => {
                if Hub::moves_members_on(&notice) {
                    self.fanout.settle(&self.hub, &mut self.slots);
                }
                self.hub.hear(from, notice, &mut self.fanout.effects);
            }
            Arrival::Gone(node) => {
                log::warn!("node {node} was not heard for too long: everybody there has gone");
                self.fanout.settle(&self.hub, &mut self.slots);
                self.hub.lose(node, true, &mut self.fanout.effects);
            }
            Arrival::Block(first) => self.hub.grant(first),
            Arrival::Up => {
                self.hub.connected();
                if let Some(since) = self.nodes.down_since.take() {
                    let away = self.now - since;
                    log::warn!(
                        "other nodes are heard again after {away:.1?}: what was said there in ephemeral rooms \
                         meanwhile is lost; what is stored is told now"
                    );
                }
            }
            Arrival::Down => {
                self.hub.disconnected();
                self.nodes.down_since.get_or_insert(self.now);
                let trouble = self.nodes.trouble().unwrap_or_default();
                log::warn!("other nodes are not heard: {trouble}; everybody here goes on");
            }
        }
        self.deliver();
    }

    /// An outcome has come: alone, its turn is now.
    pub(super) fn take_or_queue(&mut self, ticket: Ticket, outcome: Outcome) {
        if self.hub.has_nodes() {
            self.hub.queue(ticket, outcome);
            self.nodes.has_more = true;
        } else {
            self.take_outcome(ticket, outcome);
        }
    }

    /// Tells what is stored in the order that all nodes keep, as far as it is known and until it is enough.
    fn tell_in_order(&mut self, enough: usize) {
        while self.fanout.spent < enough {
            let Some(telling) = self.hub.next_in_order() else {
                self.nodes.has_more = false;
                return;
            };
            match telling {
                Telling::Outcome(ticket, outcome) => self.take_outcome(ticket, outcome),
                Telling::Deed(deed, by) => {
                    if self.hub.moves_members_by(&deed) {
                        self.fanout.settle(&self.hub, &mut self.slots);
                    }
                    self.hub.happened_elsewhere(*deed, by, &mut self.fanout.effects);
                    self.deliver();
                }
            }
        }
        self.nodes.has_more = true;
    }

    /// Hands the broker all that this turn has for others.
    pub(super) fn dispatch(&mut self) {
        let Some(broker) = &mut self.nodes.broker else { return };
        for errand in self.hub.take_errands() {
            broker.carry_out(errand);
        }
        for (name, event) in self.hub.take_announcements() {
            if let Some((channel, payload)) = stream::notification(&event) {
                broker.announce(Announcement { channel, payload, once: Some(name) });
            }
        }
    }
}
