//! A node that has nothing but its broker.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use roomcast::broker::{self, Arrival, Before, Handle, Settings};
use roomcast::hub::nodes::{Address, Dispatch, Errand, Notice};
use roomcast::id::{NodeId, RoomId, Uuid};

use crate::common::waiting::PATIENCE;

pub(crate) struct Node {
    pub(crate) first_block: u64,
    pub(crate) others: Vec<NodeId>,
    handle: Option<Handle>,
    woken: Receiver<()>,
    arrivals: Vec<Arrival>,
}

impl Node {
    /// Opens it, and waits until it is up.
    pub(crate) fn start(url: &str, id: u64) -> Self {
        Self::start_with(url, id, None, Settings::default())
    }

    pub(crate) fn start_with(url: &str, id: u64, store: Option<Uuid>, settings: Settings) -> Self {
        let opened =
            broker::open(url, NodeId(id), store, Before::Nobody).unwrap_or_else(|error| panic!("{}", error.sentence));
        let (first_block, others) = (opened.block, opened.others.clone());
        let (wake, woken) = channel();
        let handle = Handle::start(opened, settings, Box::new(move || _ = wake.send(()))).unwrap();
        let mut node = Self { first_block, others, handle: Some(handle), woken, arrivals: Vec::new() };
        node.expect(&Arrival::Up);
        node
    }

    pub(crate) fn handle(&mut self) -> &mut Handle {
        self.handle.as_mut().unwrap()
    }

    pub(crate) fn send(&mut self, to: &[Address], notice: Notice) {
        self.handle().carry_out(Errand::Send(Dispatch { to: to.to_vec(), notice }));
    }

    /// Says a text in an ephemeral room's name, which is as good as any notice.
    pub(crate) fn say(&mut self, to: &[Address], text: &str) {
        self.send(to, said(text));
    }

    /// Listens there from some time soon on, or no longer.
    pub(crate) fn listen(&mut self, address: Address, is_on: bool) {
        self.handle().carry_out(Errand::Listen(address, is_on));
    }

    /// The next arrival, within that time.
    pub(crate) fn next_within(&mut self, time: Duration) -> Option<Arrival> {
        let deadline = Instant::now() + time;
        loop {
            if !self.arrivals.is_empty() {
                return Some(self.arrivals.remove(0));
            }
            let mut arrivals = Vec::new();
            self.handle().drain(64, &mut arrivals);
            if arrivals.is_empty() {
                // Even a false alarm counts as one.
                self.woken.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
            }
            self.arrivals = arrivals;
        }
    }

    #[track_caller]
    pub(crate) fn next(&mut self) -> Arrival {
        self.next_within(PATIENCE).expect("nothing arrived")
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, arrival: &Arrival) {
        assert_eq!(&self.next(), arrival);
    }

    /// The next thing that is said, and by whom.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> (u64, String) {
        match self.next() {
            Arrival::Notice { from, notice: Notice::Said { text, .. } } => (from.0, text),
            other => panic!("not something said: {other:?}"),
        }
    }

    /// Reads over what comes until that.
    #[track_caller]
    pub(crate) fn skip_to(&mut self, time: Duration, wanted: &Arrival) -> Vec<Arrival> {
        let (deadline, mut skipped) = (Instant::now() + time, Vec::new());
        loop {
            match self.next_within(deadline.saturating_duration_since(Instant::now())) {
                Some(arrival) if arrival == *wanted => return skipped,
                Some(arrival) => skipped.push(arrival),
                None => panic!("waited in vain for {wanted:?}; there came {skipped:?}"),
            }
        }
    }

    pub(crate) fn finish(mut self) {
        self.handle.take().unwrap().finish(Instant::now() + PATIENCE);
    }
}

pub(crate) fn said(text: &str) -> Notice {
    Notice::Said { room: "tea".into(), from: roomcast::id::ConnectionId(1), text: text.into() }
}

pub(crate) fn room(id: i64) -> Address {
    Address::Room(RoomId(id))
}
