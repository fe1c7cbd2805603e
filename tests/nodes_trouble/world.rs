//! The traffic: who listens where, who writes, and when all of it is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ears::Ear;
use crate::common::http::Http;
use crate::common::stream::SENDER;

pub(super) const API_KEY: &str = "key-of-these-tests";

/// What is said last in each room.
pub(super) const THE_END: &str = "the end";

/// Whoever stays waits so long for whatever comes next.
const STAYS: Duration = Duration::from_secs(60);

/// Whoever roams goes to another node after such a silence.
const ROAMS: Duration = Duration::from_secs(2);

/// Before it is looked again whether somebody is there.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    Lobby,
    /// It is private.
    Tea,
}

/// What somebody has said.
pub(super) struct Said {
    pub(super) text: String,
    /// Once it is acknowledged.
    pub(super) id: Option<i64>,
    /// It was answered that it can't be stored.
    pub(super) is_refused: bool,
    pub(super) began: Instant,
    pub(super) took: Duration,
}

/// What all threads share.
pub(super) struct World {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) is_talking: AtomicBool,
    /// So many have said something that is not acknowledged, and will be.
    pub(super) open: AtomicUsize,
    /// Between what one says and the next.
    pub(super) pace: Duration,
}

impl World {
    /// About so many messages a second in each room, for each of which there are as many speakers as nodes.
    pub(super) fn new(addresses: Vec<SocketAddr>, rate: u32) -> Arc<Self> {
        let pace = Duration::from_secs(1) * u32::try_from(addresses.len()).unwrap() / rate;
        Arc::new(Self { addresses, is_talking: AtomicBool::new(false), open: AtomicUsize::new(0), pace })
    }

    /// Whether something may still be said, which is counted as open then.
    pub(super) fn begin_to_say(&self) -> bool {
        self.open.fetch_add(1, SeqCst);
        let is_talking = self.is_talking.load(SeqCst);
        if !is_talking {
            self.open.fetch_sub(1, SeqCst);
        }
        is_talking
    }
}

/// One who listens, and comes to another node whenever the connection ends.
pub(super) struct Watcher {
    pub(super) name: String,
    pub(super) ear: Box<dyn Ear>,
    /// The place of its node.
    pub(super) node: usize,
    /// Only the end of the connection makes it go.
    pub(super) stays: bool,
    /// What was heard, and when, by connection.
    pub(super) lives: Vec<Vec<(String, Instant)>>,
}

impl Watcher {
    pub(super) fn new(name: String, ear: Box<dyn Ear>, node: usize, stays: bool) -> Self {
        Self { name, ear, node, stays, lives: Vec::new() }
    }

    pub(super) fn come(&mut self, world: &World) -> bool {
        let patience = if self.stays { STAYS } else { ROAMS };
        let Some(missed) = self.ear.come(world.addresses[self.node], patience) else { return false };
        self.lives.push(Vec::new());
        self.note(missed);
        true
    }

    fn note(&mut self, texts: Vec<String>) {
        let now = Instant::now();
        self.lives.last_mut().unwrap().extend(texts.into_iter().map(|text| (text, now)));
    }

    fn has_heard_the_end(&self) -> bool {
        self.lives.last().and_then(|life| life.last()).is_some_and(|(text, _)| text == THE_END)
    }

    /// Listens until the end.
    pub(super) fn run(mut self, world: &World) -> Self {
        while !self.has_heard_the_end() {
            match self.ear.hear() {
                Some(texts) => self.note(texts),
                None => self.go_elsewhere(world),
            }
        }
        self
    }

    fn go_elsewhere(&mut self, world: &World) {
        let began = Instant::now();
        loop {
            self.node = (self.node + 1) % world.addresses.len();
            if self.come(world) {
                return;
            }
            assert!(began.elapsed() < STAYS, "{} finds no node", self.name);
            thread::sleep(AGAIN);
        }
    }

    pub(super) fn heard(&self) -> impl Iterator<Item = &(String, Instant)> {
        self.lives.iter().flatten()
    }
}

/// Writes into the lobby by way of one node, each once whether it is acknowledged or not, until all is over.
pub(super) fn write(world: &World, node: usize) -> Vec<Said> {
    let (mut said, mut connection) = (Vec::new(), None);
    while world.begin_to_say() {
        thread::sleep(world.pace);
        let text = format!("writer {node} {}", said.len());
        match connection.take().or_else(|| Http::open(world.addresses[node]).ok()) {
            Some(mut http) => {
                let began = Instant::now();
                let (id, is_refused) = say(&mut http, &text);
                if id.is_some() || is_refused {
                    connection = Some(http);
                }
                said.push(Said { text, id, is_refused, began, took: began.elapsed() });
            }
            // Nobody is there.
            None => thread::sleep(AGAIN),
        }
        world.open.fetch_sub(1, SeqCst);
    }
    said
}

/// Says something in the lobby. The message's id, if it is acknowledged, and whether it is refused.
pub(super) fn say(http: &mut Http, text: &str) -> (Option<i64>, bool) {
    let body = json!({ "content": text, "sender_id": SENDER, "client_id": text }).to_string();
    let answer = http.send("POST", "/message", body).ok().and_then(|()| http.answer());
    match answer {
        Some(answer) if answer.status == 201 => {
            (serde_json::from_str::<Value>(&answer.body).unwrap()["id"].as_i64(), false)
        }
        Some(answer) => {
            assert_eq!(answer.status, 503, "{answer:?}");
            (None, true)
        }
        None => (None, false),
    }
}
