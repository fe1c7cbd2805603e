//! News against a model that tells everybody at once: whatever joins, leaves and flushes come between, each slot's
//! bytes are the same in the end.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use mio::{Poll, Token};

use super::*;
use crate::dialect::socketio::Namespaces;
use crate::dialect::{DIALECTS, DialectKey};
use crate::hub::{Command, Limits, Name, Request, Text};
use crate::net::allowance::Allowance;
use crate::net::socket::Socket;
use crate::proto::websocket::Inlet;
use crate::server::slot::{Link, Slot, Speech, Stage};
use crate::timestamp::Timestamp;

const LIMITS: Limits = Limits { max_rooms: 100, max_rooms_joined: 10, max_rooms_owned: 100, presence_of_all: false };
const SLOTS: usize = 6;
const ROOMS: [&str; 3] = ["a", "b", "c"];

struct Rig {
    poll: Poll,
    hub: Hub,
    slots: Slots,
    fanout: Fanout,
    keys: Vec<SlotKey>,
    peers: Vec<TcpStream>,
    /// What each slot is to receive.
    expected: Vec<Vec<u8>>,
}

impl Rig {
    fn new() -> Self {
        let mut rig = Self {
            poll: Poll::new().unwrap(),
            hub: Hub::new(LIMITS, 0, Timestamp::default()),
            slots: Slots::default(),
            fanout: Fanout::new(Encoder { namespaces: Namespaces::new(&[]) }),
            keys: Vec::new(),
            peers: Vec::new(),
            expected: vec![Vec::new(); SLOTS],
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in 0..SLOTS {
            rig.peers.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
            let stream = listener.accept().unwrap().0;
            stream.set_nonblocking(true).unwrap();
            let make = |token| {
                let socket = Socket::register(mio::net::TcpStream::from_std(stream), rig.poll.registry(), token)?;
                let open = Stage::Open { speech: Speech::Dialect(action()), inlet: Inlet::default() };
                let mut slot = Slot::new(Link::Socket(socket), open, Allowance::full(Instant::now()));
                slot.encoding = Some(Encoding::of(action()));
                Ok(slot)
            };
            let key = rig.slots.insert(make).unwrap();
            rig.keys.push(key);
            rig.hub.open(key, &mut rig.fanout.effects);
            rig.deliver();
        }
        rig
    }

    fn ask(&mut self, asker: usize, command: Command) {
        let key = self.keys[asker];
        self.fanout.catch_up(key, &self.hub, &mut self.slots);
        self.hub.apply(key, Request::from(command), &mut self.fanout.effects);
        self.deliver();
    }

    /// The model: whoever is meant is told at once.
    fn deliver(&mut self) {
        let dialect = action().dialect();
        for effect in &self.fanout.effects {
            match effect {
                Effect::Reply { to, reply, tag } => {
                    dialect.reply(reply, tag.as_deref(), &mut self.expected[to.index()])
                }
                Effect::Tell { audience: Audience::Session(to), event } => {
                    dialect.event(event, &mut self.expected[to.index()])
                }
                Effect::Tell { audience: Audience::Room { room, except }, event } => {
                    let members = self.hub.members(*room).iter().filter(|&&member| Some(member) != *except);
                    members.for_each(|&member| dialect.event(event, &mut self.expected[member.index()]));
                }
                Effect::Tell { audience: Audience::These(_) | Audience::Everybody, .. }
                | Effect::Dismiss { .. }
                | Effect::Resume { .. } => {
                    unreachable!("without a store")
                }
            }
        }
        self.fanout.deliver(&self.hub, &mut self.slots);
    }

    fn flush(&mut self) {
        for &key in &self.keys {
            let news = self.fanout.fetch(key, &self.hub, &mut self.slots);
            let slot = self.slots.get(key).unwrap();
            let token = Token(key.index());
            let Link::Socket(socket) = &mut slot.link else { panic!("a slot without a connection") };
            socket.flush(&mut slot.outbox, news, &mut Vec::new(), self.poll.registry(), token).unwrap();
        }
        self.fanout.forget_news();
        for (peer, expected) in self.peers.iter_mut().zip(&mut self.expected) {
            let mut received = vec![0; expected.len()];
            peer.read_exact(&mut received).unwrap();
            assert_eq!(String::from_utf8_lossy(&received), String::from_utf8_lossy(expected));
            expected.clear();
            peer.set_nonblocking(true).unwrap();
            assert!(peer.read(&mut [0]).is_err(), "something came that nobody was told");
            peer.set_nonblocking(false).unwrap();
        }
    }
}

fn action() -> DialectKey {
    let paths = DIALECTS.iter().map(|dialect| dialect.path());
    paths.filter_map(DialectKey::by_path).find(|key| key.dialect().takes_part()).unwrap()
}

fn command(random: &mut fastrand::Rng) -> Command {
    let text = Text::new(&random.u32(..).to_string(), 20).unwrap();
    match random.u8(0..10) {
        0 => Command::Join { room: Name::new(ROOMS[random.usize(0..ROOMS.len())]).unwrap() },
        1 => Command::Leave,
        2 => Command::SayToUser { to: random.usize(0..SLOTS).to_string(), text },
        _ => Command::SayToRoom { text, client_id: None },
    }
}

#[test]
fn everybody_hears_the_same_as_if_told_at_once() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut rig = Rig::new();
    for _ in 0..2_000 {
        for _ in 0..random.usize(0..20) {
            rig.ask(random.usize(0..SLOTS), command(&mut random));
        }
        rig.flush();
    }
}
