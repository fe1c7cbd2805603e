//! Hubs with a bus between them, and the clock beside it.

use std::collections::HashSet;
use std::time::Instant;

use roomcast::hub::nodes::{Address, BLOCK, Dispatch, Errand, Notice, Start};
use roomcast::hub::{Command, Effect, Hub, Limits, Name, Text};
use roomcast::id::{NodeId, SlotKey};
use roomcast::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::fanout::Fanout;

const LIMITS: Limits =
    Limits { max_rooms: usize::MAX, max_rooms_joined: 1, max_rooms_owned: 0, presence_of_all: false };

/// So many come, go and say something for each figure.
const SAMPLES: usize = 500;

/// How many nodes there are, with how many sessions each, and how many of all sessions are in a room.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Scale {
    pub(super) nodes: usize,
    pub(super) each: usize,
    pub(super) room: usize,
}

/// What it costs: seconds and bytes, and of pairs the first where something happens, the second on another node.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) scale: Scale,
    pub(super) own_bytes: f64,
    pub(super) mirrored_bytes: f64,
    pub(super) come: [f64; 2],
    pub(super) go: [f64; 2],
    pub(super) say: [f64; 2],
    /// How many other nodes hear what is said.
    pub(super) reached: f64,
    /// To the members on one node.
    pub(super) deliver: f64,
    pub(super) directory_bytes: f64,
    pub(super) directory_seconds: f64,
    pub(super) loss_seconds: f64,
    /// One part of it, besides which nothing else is done.
    pub(super) loss_step: f64,
}

impl Figures {
    /// What one node keeps of all sessions.
    pub(super) fn node_bytes(&self) -> f64 {
        let each = self.scale.each as f64;
        each * self.own_bytes + each * (self.scale.nodes - 1) as f64 * self.mirrored_bytes
    }
}

struct Node {
    hub: Hub,
    listens: HashSet<Address>,
    effects: Vec<Effect>,
    fanout: Fanout,
}

struct Cluster {
    scale: Scale,
    nodes: Vec<Node>,
    blocks: u64,
    random: fastrand::Rng,
}

/// Seconds of each of several times. What counts is the one in the middle: whatever else the machine does can only add to
/// the others.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn middle(&mut self) -> f64 {
        let place = self.0.len() / 2;
        if self.0.is_empty() { 0.0 } else { *self.0.select_nth_unstable_by(place, f64::total_cmp).1 }
    }
}

/// One thing that sessions do, here and on other nodes.
#[derive(Default)]
struct Costs {
    here: Times,
    elsewhere: Times,
}

impl Costs {
    fn middle(&mut self) -> [f64; 2] {
        [self.here.middle(), self.elsewhere.middle()]
    }
}

pub(super) fn measure(scale: Scale) -> Figures {
    let at_first = resident_bytes();
    let mut cluster = Cluster::of(scale);
    cluster.fill();
    let filled = resident_bytes();
    let [directory_bytes, directory_seconds] = cluster.introduce();
    let mirrored = resident_bytes();
    let ([mut come, mut go, mut say], mut deliver) = cluster.live();
    let reached = say.elsewhere.0.len() as f64 / say.here.0.len() as f64;
    let (loss_seconds, loss_step) = cluster.lose();
    let sessions = (scale.nodes * scale.each) as f64;
    Figures {
        scale,
        own_bytes: (filled - at_first) / sessions,
        mirrored_bytes: (mirrored - filled) / sessions / (scale.nodes - 1) as f64,
        come: come.middle(),
        go: go.middle(),
        say: say.middle(),
        reached,
        deliver: deliver.middle(),
        directory_bytes,
        directory_seconds,
        loss_seconds,
        loss_step,
    }
}

impl Cluster {
    fn of(scale: Scale) -> Self {
        let mut cluster = Self { scale, nodes: Vec::new(), blocks: 0, random: fastrand::Rng::with_seed(1) };
        for node in 0..scale.nodes {
            let mut hub = Hub::new(LIMITS, node as u64, Timestamp::default());
            let (block, epoch) = (cluster.reserve(), Timestamp::default());
            hub.join_nodes(Start { block, position: None, epoch, is_alone: false });
            cluster.nodes.push(Node { hub, listens: HashSet::new(), effects: Vec::new(), fanout: Fanout::of(0) });
        }
        cluster
    }

    fn reserve(&mut self) -> u64 {
        self.blocks += 1;
        (self.blocks - 1) * BLOCK
    }

    /// All nodes have their sessions, in rooms at random, and don't know of one another.
    fn fill(&mut self) {
        for node in 0..self.scale.nodes {
            for slot in 0..self.scale.each {
                let room = self.some_room();
                self.come(node, slot, room);
                assert!(self.take_errands(node).is_empty(), "nobody is there to be told");
            }
            self.nodes[node].effects = Vec::new();
        }
    }

    fn some_room(&mut self) -> Name {
        let rooms = (self.scale.nodes * self.scale.each / self.scale.room).max(1);
        Name::new(&format!("room {}", self.random.usize(..rooms))).unwrap()
    }

    fn come(&mut self, node: usize, slot: usize, room: Name) {
        let Node { hub, effects, .. } = &mut self.nodes[node];
        effects.clear();
        hub.open(SlotKey::new(slot), effects);
        hub.apply(SlotKey::new(slot), Command::Join { room }.into(), effects);
    }

    /// What a hub wants to be told others.
    fn take_errands(&mut self, node: usize) -> Vec<Dispatch> {
        let mut dispatches = Vec::new();
        for errand in self.nodes[node].hub.take_errands() {
            let listens = &mut self.nodes[node].listens;
            match errand {
                Errand::Send(dispatch) => dispatches.push(dispatch),
                Errand::Listen(address, true) => drop(listens.insert(address)),
                Errand::Listen(address, false) => drop(listens.remove(&address)),
                Errand::Reserve => {
                    let block = self.reserve();
                    self.nodes[node].hub.grant(block);
                }
            }
        }
        dispatches
    }

    /// All nodes tell who is there. Yields the bytes of one node's list, and the seconds that another one takes it up in.
    fn introduce(&mut self) -> [f64; 2] {
        let (mut bytes, mut parts) = (0, Times::default());
        for from in 0..self.scale.nodes {
            self.nodes[from].hub.connected();
            for dispatch in self.take_errands(from) {
                if dispatch.notice == Notice::Hello {
                    continue;
                }
                let packed = serde_json::to_vec(&dispatch.notice).unwrap();
                bytes += packed.len();
                for to in (0..self.scale.nodes).filter(|to| *to != from) {
                    parts.0.push(self.hear(from, to, &packed));
                }
            }
        }
        let lists = self.scale.nodes as f64;
        let count = parts.0.len() as f64 / lists / (lists - 1.0);
        [bytes as f64 / lists, parts.middle() * count]
    }

    /// Seconds in which a node reads and takes that.
    fn hear(&mut self, from: usize, to: usize, packed: &[u8]) -> f64 {
        let Node { hub, effects, .. } = &mut self.nodes[to];
        effects.clear();
        let begin = Instant::now();
        let notice: Notice = serde_json::from_slice(packed).unwrap();
        hub.hear(NodeId(from as u64), notice, effects);
        begin.elapsed().as_secs_f64()
    }

    /// Somebody comes, says something, and somebody else goes; on each node in turn. What that costs, and to tell the
    /// members on the node where something is said.
    fn live(&mut self) -> ([Costs; 3], Times) {
        let ([mut come, mut go, mut say], mut deliver) = <([Costs; 3], Times)>::default();
        let slots = self.scale.each + SAMPLES;
        self.nodes.iter_mut().for_each(|node| node.fanout = Fanout::of(slots));
        for sample in 0..SAMPLES {
            let (node, slot) = (sample % self.scale.nodes, self.scale.each + sample);
            let room = self.some_room();
            self.act(node, &mut come, |cluster| cluster.come(node, slot, room));
            self.act(node, &mut say, |cluster| {
                let text = Text::new(&"x".repeat(64), 64).unwrap();
                let Node { hub, effects, .. } = &mut cluster.nodes[node];
                effects.clear();
                hub.apply(SlotKey::new(slot), Command::SayToRoom { text, client_id: None }.into(), effects);
            });
            deliver.0.extend(self.deliver(node));
            // Each sample another one.
            let leaver = SlotKey::new(sample * (self.scale.each / SAMPLES));
            self.act(node, &mut go, |cluster| {
                let Node { hub, effects, .. } = &mut cluster.nodes[node];
                effects.clear();
                hub.close(leaver, effects);
            });
        }
        ([come, go, say], deliver)
    }

    /// Seconds to tell the members there, if there are others, what has been said.
    fn deliver(&mut self, node: usize) -> Option<f64> {
        let Node { hub, effects, fanout, .. } = &mut self.nodes[node];
        let begin = Instant::now();
        let tellings = fanout.deliver(hub, effects);
        (tellings > 0).then(|| begin.elapsed().as_secs_f64())
    }

    /// Something happens on a node, and is told those who listen for it.
    fn act(&mut self, node: usize, costs: &mut Costs, act: impl FnOnce(&mut Self)) {
        let begin = Instant::now();
        act(self);
        let dispatches = self.take_errands(node);
        let pack = |dispatch: Dispatch| (dispatch.to, serde_json::to_vec(&dispatch.notice).unwrap());
        let packed: Vec<_> = dispatches.into_iter().map(pack).collect();
        costs.here.0.push(begin.elapsed().as_secs_f64());
        for (to, packed) in packed {
            for other in (0..self.scale.nodes).filter(|other| *other != node) {
                let listens = &self.nodes[other].listens;
                if to.iter().any(|to| *to == Address::All || listens.contains(to)) {
                    costs.elsewhere.0.push(self.hear(node, other, &packed));
                }
            }
        }
    }

    /// The last node is lost. Yields the seconds that another one spends on it, and on one of its steps.
    fn lose(&mut self) -> (f64, f64) {
        let lost = NodeId(self.scale.nodes as u64 - 1);
        let Node { hub, effects, .. } = &mut self.nodes[0];
        let mut steps = Times::default();
        let mut step = |lose: &mut dyn FnMut(&mut Hub, &mut Vec<Effect>)| {
            effects.clear();
            let begin = Instant::now();
            lose(hub, effects);
            steps.0.push(begin.elapsed().as_secs_f64());
            hub.has_losses()
        };
        let mut has_more = step(&mut |hub, effects| hub.lose(lost, true, effects));
        while has_more {
            has_more = step(&mut |hub, effects| hub.see_off_lost(effects));
        }
        (steps.middle() * steps.0.len() as f64, steps.middle())
    }
}

/// Of this process's own pages.
fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}
