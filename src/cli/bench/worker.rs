//! One thread of the generator: a poll, its members, the windows of their rooms. `load` makes it and runs it.
//!
//! Sockets are edge-triggered, read in large chunks into the one buffer of the thread, and counted without copying. What
//! the windows allow is sent at the end of a turn, all that one sender may send in one write.

use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::crowd::{self, Client};
use super::frames::{Salvo, Seen, Walker};
use super::load::{Shared, Tally};
use super::options::Options;
use super::window::Window;

/// The token of a thread's waker.
pub(super) const WAKER: Token = Token(usize::MAX);

const EVENTS_PER_TURN: usize = 1024;
const READ_BYTES: usize = 128 * 1024;

/// How long a server may deliver nothing of what it owes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a thread without events looks whether it shall stop.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// Latencies are told to a thousandth, and are never longer than a minute.
const LATENCY_DIGITS: u8 = 3;
const MAX_LATENCY_NS: u64 = 60_000_000_000;

/// One connection.
struct Member {
    stream: TcpStream,
    walker: Walker,
    /// Its room's place among those of the thread.
    room: usize,
    /// How many messages it has.
    received: u64,
    /// What the kernel did not take.
    unsent: Vec<u8>,
}

/// One room's part on this thread.
struct Room {
    /// The first of its members that send, who follow one another.
    first_sender: usize,
    senders: usize,
    /// Whose turn it is to send.
    next: usize,
    sent: u64,
    window: Window,
}

/// One thread's share of the load.
pub(super) struct Worker {
    number: usize,
    poll: Poll,
    members: Vec<Member>,
    rooms: Vec<Room>,
    /// The rooms that may have become free to send in this turn.
    touched: Vec<usize>,
    salvo: Salvo,
    /// How many messages a sender may have outstanding.
    share: usize,
    buffer: Box<[u8]>,
    shared: Arc<Shared>,
}

/// What a run has counted so far.
struct Count {
    deliveries: u64,
    latency: Histogram<u64>,
    /// When something last arrived.
    heard: Instant,
}

impl Worker {
    /// Takes over these clients, whose rooms lie whole among them, or are one.
    pub(super) fn new(
        number: usize,
        poll: Poll,
        clients: impl Iterator<Item = Client>,
        options: &Options,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let members_in_room = options.members_in_room();
        let mut members = Vec::new();
        for (place, client) in clients.enumerate() {
            members.push(Member::register(client, &poll, place, place / members_in_room)?);
        }
        // All that may arrive before the last member has it, of all senders on whatever thread.
        let limit = options.senders_in_room() * options.window;
        let senders = if shared.one_room && number > 0 { 0 } else { options.senders_in_room() };
        let rooms = (0..members.len()).step_by(members_in_room).map(|first| Room {
            first_sender: first,
            senders,
            next: 0,
            sent: 0,
            window: Window::new(members_in_room.min(members.len()), limit),
        });
        Ok(Self {
            number,
            poll,
            rooms: rooms.collect(),
            members,
            touched: Vec::new(),
            salvo: Salvo::new(options.mode.wording(), options.payload, options.window),
            share: options.window,
            buffer: vec![0; READ_BYTES].into(),
            shared,
        })
    }

    /// Sends for that long, and comes back when all has arrived or another thread says stop.
    pub(super) fn run(&mut self, duration: Duration) -> Result<Tally, String> {
        let start = Instant::now();
        let latency = Histogram::new_with_max(MAX_LATENCY_NS, LATENCY_DIGITS).map_err(|error| error.to_string())?;
        let mut count = Count { deliveries: 0, latency, heard: start };
        let before = self.sent();
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        self.touched.extend(0..self.rooms.len());
        while !self.shared.stop.load(Ordering::Acquire) {
            if start.elapsed() < duration {
                self.fill();
            } else if self.is_done() {
                break;
            }
            self.turn(&mut events, &mut count)?;
            self.publish(&count);
        }
        if self.shared.one_room && self.number == 0 {
            self.stop_all();
        }
        let messages = self.sent() - before;
        Ok(Tally { messages, deliveries: count.deliveries, latency: count.latency, span: start.elapsed(), busy: 0.0 })
    }

    /// Ends the run for all threads.
    pub(super) fn stop_all(&self) {
        self.shared.stop();
    }

    fn sent(&self) -> u64 {
        self.rooms.iter().map(|room| room.sent).sum()
    }

    /// Whether all that this thread sent has arrived. One without senders waits until it is told.
    fn is_done(&self) -> bool {
        self.rooms.iter().all(|room| room.senders > 0 && self.complete(room) == room.sent)
    }

    /// How many messages of that room all of its members have.
    fn complete(&self, room: &Room) -> u64 {
        if self.shared.one_room { self.shared.complete() } else { room.window.complete() }
    }

    /// Sends all that the windows of the touched rooms allow.
    fn fill(&mut self) {
        if self.shared.one_room {
            // It may have been touched on another thread.
            self.touched.clear();
            self.touched.push(0);
        }
        while let Some(number) = self.touched.pop() {
            let room = &self.rooms[number];
            let mut free = room.window.free(room.sent, self.complete(room));
            while free > 0 && self.rooms[number].senders > 0 {
                let room = &mut self.rooms[number];
                let messages = free.min(self.share);
                let sender = room.first_sender + room.next;
                room.next = (room.next + 1) % room.senders;
                room.sent += messages as u64;
                free -= messages;
                let salvo = self.salvo.stamped(messages, self.shared.epoch.elapsed().as_nanos() as u64);
                self.members[sender].send(salvo);
            }
        }
    }

    /// Waits for events and sees to them.
    fn turn(&mut self, events: &mut Events, count: &mut Count) -> Result<(), String> {
        match self.poll.poll(events, Some(LONGEST_SLEEP)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(format!("cannot wait: {error}")),
            _ => {}
        }
        for event in events.iter().filter(|event| event.token() != WAKER) {
            self.see_to(event, count)?;
        }
        if events.is_empty() && count.heard.elapsed() > PATIENCE {
            return Err(format!("the server has delivered nothing for {} s", PATIENCE.as_secs()));
        }
        Ok(())
    }

    fn see_to(&mut self, event: &Event, count: &mut Count) -> Result<(), String> {
        let number = event.token().0;
        if event.is_writable() {
            self.members[number].flush();
        }
        if event.is_readable() {
            self.receive(number, count)?;
        }
        Ok(())
    }

    /// Reads all that there is for one member.
    fn receive(&mut self, number: usize, count: &mut Count) -> Result<(), String> {
        self.touched.push(self.members[number].room);
        loop {
            match self.members[number].stream.read(&mut self.buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(length) => {
                    self.walk(number, length, count)?;
                    // What arrives after a read that came back short is another event.
                    if length < self.buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(crowd::lost(&error)),
            }
        }
    }

    /// Counts what a read brought for one member.
    fn walk(&mut self, number: usize, length: usize, count: &mut Count) -> Result<(), String> {
        let member = &mut self.members[number];
        let window = &mut self.rooms[member.room].window;
        count.heard = Instant::now();
        let now = (count.heard - self.shared.epoch).as_nanos() as u64;
        let mut chunk = &self.buffer[..length];
        while let Some(seen) = member.walker.next(&mut chunk) {
            match seen {
                Seen::Message(sent) => {
                    member.received += 1;
                    if !window.arrived(member.received) {
                        return Err("the server delivered more than was sent".into());
                    }
                    count.deliveries += 1;
                    count.latency.saturating_record(now.saturating_sub(sent));
                }
                Seen::Other => {}
                Seen::Ping(pong) => member.send(&pong),
                Seen::Close(reason) => return Err(crowd::disconnected(&reason)),
                Seen::Nonsense => return Err(crowd::nonsense()),
            }
        }
        Ok(())
    }

    /// Shows the others how far it is.
    fn publish(&self, count: &Count) {
        let seat = &self.shared.seats[self.number];
        seat.deliveries.store(count.deliveries, Ordering::Relaxed);
        if !self.shared.one_room {
            return;
        }
        let complete = self.rooms[0].window.complete();
        if complete > seat.complete.load(Ordering::Relaxed) {
            seat.complete.store(complete, Ordering::Release);
            if self.number > 0 {
                // The first thread sends; should it not wake, it looks by itself before long.
                let _ = self.shared.seats[0].waker.wake();
            }
        }
    }
}

impl Member {
    fn register(client: Client, poll: &Poll, place: usize, room: usize) -> io::Result<Self> {
        let (stream, walker): (net::TcpStream, Walker) = client.into_parts();
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        // Both for good: an edge for writing comes only after the kernel has refused to take more.
        poll.registry().register(&mut stream, Token(place), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, walker, room, received: 0, unsent: Vec::new() })
    }

    /// Sends now what can be sent now.
    fn send(&mut self, bytes: &[u8]) {
        let taken = if self.unsent.is_empty() { write(&mut self.stream, bytes) } else { 0 };
        self.unsent.extend_from_slice(&bytes[taken..]);
    }

    fn flush(&mut self) {
        let taken = write(&mut self.stream, &self.unsent);
        self.unsent.drain(..taken);
    }
}

/// Writes until all is taken or nothing more is. Returns how much was. A connection that fails is left to who reads from
/// it, since there may be a word of the server's on why.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut taken = 0;
    while taken < bytes.len() {
        match stream.write(&bytes[taken..]) {
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    taken
}
