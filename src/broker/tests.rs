//! A broker in memory, and what the threads do with one that answers as it is told to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::*;
use crate::hub::nodes::{Address, Dispatch, Errand};
use crate::id::RoomId;

const PATIENCE: Duration = Duration::from_secs(10);

/// Where several nodes of a test meet.
#[derive(Clone, Default)]
struct Bus(Arc<BusState>);

#[derive(Default)]
struct BusState {
    is_away: AtomicBool,
    /// To listen takes a while.
    is_slow: AtomicBool,
    listeners: Mutex<HashMap<String, Vec<Sender<Heard>>>>,
    blocks: Mutex<u64>,
}

impl Bus {
    fn check(&self) -> Result<(), String> {
        if self.0.is_away.load(SeqCst) { Err("the bus is away".into()) } else { Ok(()) }
    }

    fn open(&self, node: u64) -> Opened {
        let block = Telling(self.clone()).reserve(0).unwrap();
        Opened {
            broker: Box::new(self.clone()),
            node: NodeId(node),
            block,
            others: Vec::new(),
            description: "a bus".into(),
        }
    }
}

impl Broker for Bus {
    fn prefix(&self) -> &str {
        "bus"
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, String> {
        self.check().map(|()| Box::new(Telling(self.clone())) as Box<dyn Publisher>)
    }

    fn subscriber(&self) -> Result<Box<dyn Subscriber>, String> {
        self.check()?;
        let (sender, heard) = channel();
        Ok(Box::new(Hearing { bus: self.clone(), sender, heard }))
    }
}

struct Telling(Bus);

impl Publisher for Telling {
    fn publish(&mut self, parcels: &[Parcel]) -> Result<(), String> {
        self.0.check()?;
        let listeners = self.0.0.listeners.lock().unwrap();
        for Parcel { channels, payload, .. } in parcels {
            for sender in channels.iter().filter_map(|channel| listeners.get(channel)).flatten() {
                let _ = sender.send(Heard::Message(payload.clone()));
            }
        }
        Ok(())
    }

    fn renew(&mut self, _: u64) -> Result<(), String> {
        self.0.check()
    }

    fn reserve(&mut self, _: u64) -> Result<u64, String> {
        self.0.check()?;
        let mut blocks = self.0.0.blocks.lock().unwrap();
        *blocks += 1;
        Ok((*blocks - 1) * BLOCK)
    }

    fn retire(&mut self) -> Result<(), String> {
        self.0.check()
    }
}

struct Hearing {
    bus: Bus,
    sender: Sender<Heard>,
    heard: Receiver<Heard>,
}

impl Subscriber for Hearing {
    fn listen(&mut self, channels: &[String], is_on: bool) -> Result<(), String> {
        self.bus.check()?;
        if self.bus.0.is_slow.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut listeners = self.bus.0.listeners.lock().unwrap();
        assert!(is_on, "none of these tests stops to listen");
        for channel in channels {
            listeners.entry(channel.clone()).or_default().push(self.sender.clone());
            self.sender.send(Heard::Confirmed).unwrap();
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Heard, String> {
        loop {
            self.bus.check()?;
            match self.heard.recv_timeout(Duration::from_millis(10)) {
                Ok(heard) => return Ok(heard),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("the bus is gone".into()),
            }
        }
    }
}

/// A handle, and what wakes its loop.
struct Node {
    handle: Handle,
    woken: Receiver<()>,
}

impl Node {
    fn start(bus: &Bus, node: u64) -> Self {
        let (wake, woken) = channel();
        let wake = Box::new(move || _ = wake.send(()));
        let handle = Handle::start(bus.open(node), Settings::default(), wake).unwrap();
        let mut node = Self { handle, woken };
        assert_eq!(node.next(), Arrival::Up);
        node
    }

    fn next(&mut self) -> Arrival {
        let mut arrivals = Vec::new();
        while arrivals.is_empty() {
            self.handle.drain(1, &mut arrivals);
            if arrivals.is_empty() {
                self.woken.recv_timeout(PATIENCE).unwrap();
            }
        }
        arrivals.remove(0)
    }

    fn send(&mut self, to: &[Address], notice: Notice) {
        self.handle.carry_out(Errand::Send(Dispatch { to: to.to_vec(), notice }));
    }
}

#[test]
fn a_notice_to_several_addresses_is_heard_once() {
    let bus = Bus::default();
    let (mut one, mut two) = (Node::start(&bus, 1), Node::start(&bus, 2));
    let room = Address::Room(RoomId(4));
    two.handle.carry_out(Errand::Listen(room.clone(), true));
    let deadline = Instant::now() + PATIENCE;
    while !bus.0.listeners.lock().unwrap().contains_key("bus:room:4") {
        assert!(Instant::now() < deadline, "nobody listens");
        std::thread::yield_now();
    }
    one.send(&[Address::All, room, Address::Node(NodeId(2))], Notice::Hello);
    one.send(&[Address::All], Notice::Farewell);
    assert_eq!(two.next(), Arrival::Notice { from: NodeId(1), notice: Notice::Hello });
    assert_eq!(two.next(), Arrival::Notice { from: NodeId(1), notice: Notice::Farewell });
}

/// Who is told that somebody has come may answer at once.
#[test]
fn a_node_listens_before_it_tells_that_somebody_is_there() {
    let bus = Bus::default();
    let (mut one, mut two) = (Node::start(&bus, 1), Node::start(&bus, 2));
    bus.0.is_slow.store(true, SeqCst);
    let room = Address::Room(RoomId(4));
    two.handle.carry_out(Errand::Listen(room.clone(), true));
    two.send(&[Address::All], Notice::Hello);
    assert_eq!(one.next(), Arrival::Notice { from: NodeId(2), notice: Notice::Hello });
    one.send(&[room], Notice::Hello);
    one.send(&[Address::All], Notice::Farewell);
    assert_eq!(two.next(), Arrival::Notice { from: NodeId(1), notice: Notice::Hello });
}

#[test]
fn what_is_asked_while_the_broker_is_away_is_seen_to_when_it_is_back() {
    let bus = Bus::default();
    let mut node = Node::start(&bus, 1);
    bus.0.is_away.store(true, SeqCst);
    assert_eq!(node.next(), Arrival::Down);
    assert_eq!(node.handle.trouble().as_deref(), Some("the bus is away"));
    node.handle.carry_out(Errand::Reserve);
    bus.0.is_away.store(false, SeqCst);
    let mut arrivals = [node.next(), node.next()];
    arrivals.sort_by_key(|arrival| *arrival == Arrival::Up);
    assert_eq!(arrivals, [Arrival::Block(BLOCK), Arrival::Up]);
    assert!(node.handle.stats().is_up);
}
