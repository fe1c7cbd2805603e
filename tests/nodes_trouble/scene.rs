//! A cluster full of people who talk and listen, and what has to be true of them when all trouble is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ears::{Action, Chat, Ear, Event, Stream};
use super::verdict::{Verdict, stored};
use super::world::{Room, Said, THE_END, Watcher, World, say, write};
use crate::common::cluster::{Cluster, Node};
use crate::common::database::rows;
use crate::common::http::Http;
use crate::common::peer::{Socket, connect_packet, content};
use crate::common::people::{private_room, user};
use crate::common::returner::{Way, Words};
use crate::common::{ACTION, waiting::wait_within};

/// Whatever is to happen when all trouble is over, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(30);

/// How many messages a second are said in each room: so few that nobody who comes back has missed more than a server
/// tells, which is 500.
pub(super) const RATE: u32 = 30;

pub(super) struct Scene {
    pub(super) cluster: Cluster,
    world: Arc<World>,
    watchers: Vec<JoinHandle<Watcher>>,
    writers: Vec<JoinHandle<Vec<Said>>>,
    /// The users that come over Socket.IO, and stay.
    users: BTreeSet<String>,
    tea: i64,
}

impl Scene {
    /// On each node there are those who stay, two who go elsewhere when nothing comes for a while, and a writer. They all
    /// hear and are heard.
    pub(super) fn begin(cluster: Cluster) -> Self {
        Self::begin_with(cluster, RATE, &[])
    }

    /// The same with so many messages a second in each room, and others who may come to the private one.
    pub(super) fn begin_with(cluster: Cluster, rate: u32, others: &[&str]) -> Self {
        let world = World::new(cluster.nodes.iter().map(|node| node.address).collect(), rate);
        let places = 0..cluster.nodes.len();
        let names = |place| ["stayer", "roamer", "listener"].map(|kind| format!("{kind}{place}"));
        let users: BTreeSet<String> = places.clone().flat_map(names).collect();
        let all = users.iter().map(String::as_str).chain(others.iter().copied());
        let ids: Vec<i64> = all.map(|name| user(&cluster.nodes[0], name)).collect();
        let tea = private_room(&cluster.nodes[0], "tea", &ids);
        let mut watchers: Vec<Watcher> =
            places.clone().flat_map(|place| cast(place, &names(place), tea, &world)).collect();
        watchers.iter_mut().for_each(|watcher| assert!(watcher.come(&world), "{}", watcher.name));
        world.is_talking.store(true, SeqCst);
        let run = |watcher: Watcher| {
            let world = Arc::clone(&world);
            thread::spawn(move || watcher.run(&world))
        };
        let watchers = watchers.into_iter().map(run).collect();
        let write = |place| {
            let world = Arc::clone(&world);
            thread::spawn(move || write(&world, place))
        };
        let writers = places.map(write).collect();
        let scene = Self { cluster, world, watchers, writers, users, tea };
        scene.wait_for_talk();
        scene
    }

    /// Waits until something more is said in both rooms, which shows that the store works.
    pub(super) fn wait_for_talk(&self) {
        let count = || [1, self.tea].map(|room| stored(&self.cluster.database, room).len());
        let before = count();
        wait_within(SOON, "talk", || count().iter().zip(before).all(|(now, before)| *now > before + 20));
    }

    /// Somebody else of the private room.
    pub(super) fn chat(&self, name: &str, node: usize) -> Watcher {
        let ear = Chat::new(name, Words::Conversation, Way::WebSocket, self.tea, None);
        let mut watcher = Watcher::new(name.to_owned(), Box::new(ear), node, true);
        assert!(watcher.come(&self.world), "{name}");
        watcher
    }

    /// Lets them come to an end, and judges. All nodes are to be there again.
    pub(super) fn finish(self) -> (Cluster, Verdict) {
        let began = Instant::now();
        let nodes = &self.cluster.nodes;
        wait_within(SOON, "all nodes to be ready", || nodes.iter().all(Node::is_ready));
        self.world.is_talking.store(false, SeqCst);
        wait_within(SOON, "the last to be acknowledged", || self.world.open.load(SeqCst) == 0);
        let said: Vec<Said> = self.writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        wait_within(SOON, "the stores to have nothing to do", || {
            nodes.iter().all(|node| metric(node, "store_queue") == 0)
        });
        say_the_end(nodes, self.tea);
        let ends = |watcher: &JoinHandle<_>| watcher.is_finished();
        wait_within(SOON, "all to hear of the end", || self.watchers.iter().all(ends));
        let mut watchers: Vec<Watcher> = self.watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect();
        let said = said.into_iter().chain(watchers.iter_mut().flat_map(|watcher| watcher.ear.take_said())).collect();
        let verdict = Verdict::on(&self.cluster.database, self.tea, &watchers, said);
        check_presence(&self.cluster, &self.users, watchers.iter().filter(|watcher| is_in_lobby(watcher)).count());
        println!("all was over {:.1?} after the trouble", began.elapsed());
        (self.cluster, verdict)
    }
}

/// Those who are on one node at first. The names are of users of the private room: one who stays, one who roams, and one
/// who only listens.
fn cast(place: usize, names: &[String; 3], tea: i64, world: &Arc<World>) -> Vec<Watcher> {
    // On one node the one who stays speaks, on the next the one who roams.
    let speaking = |is_speaker: bool| is_speaker.then(|| Arc::clone(world));
    let chat = |name: &str, words, way, speaks_in| Box::new(Chat::new(name, words, way, tea, speaks_in));
    let ears: [(&str, bool, Box<dyn Ear>); 7] = [
        ("action", true, Box::<Action>::default()),
        ("event", true, Box::new(Event::new(&format!("event{place}")))),
        ("stream", true, Box::<Stream>::default()),
        ("roaming stream", false, Box::<Stream>::default()),
        ("chat", true, chat(&names[0], Words::Chat, Way::WebSocket, speaking(place.is_multiple_of(2)))),
        ("roaming chat", false, chat(&names[1], Words::Chat, Way::Polling, speaking(place % 2 == 1))),
        ("roaming conversation", false, chat(&names[2], Words::Conversation, Way::WebSocket, None)),
    ];
    let watcher = |(kind, stays, ear)| Watcher::new(format!("{kind} of node {place}"), ear, place, stays);
    ears.into_iter().map(watcher).collect()
}

/// Whether it is listed as a member of the lobby: not one who listens to the stream.
fn is_in_lobby(watcher: &Watcher) -> bool {
    watcher.ear.room() == Room::Lobby && !watcher.ear.recovers()
}

fn say_the_end(nodes: &[Node], tea: i64) {
    let mut http = Http::open(nodes[0].address).unwrap();
    assert!(say(&mut http, THE_END).0.is_some());
    let body = json!({ "UserID": 1, "RoomID": tea, "Message": THE_END }).to_string();
    http.send("POST", "/messages", body).unwrap();
    assert_eq!(http.answer().unwrap().status, 201);
}

/// The value of a metric.
#[track_caller]
pub(super) fn metric(node: &Node, name: &str) -> usize {
    let metrics = node.get("/metrics", &[]);
    let value = metrics.lines().find_map(|line| line.strip_prefix("roomcast_")?.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}: {metrics}"))
}

/// Who is in the lobby by what a node says, in its order; nobody, if it does not say.
pub(super) fn participants(node: &Node) -> Vec<String> {
    let (mut client, _) = node.join_in();
    client.send(r#"{"action":"participants","room":"lobby"}"#);
    let answer: Value = serde_json::from_str(&client.receive()).unwrap();
    let ids = answer["participants"].as_array().unwrap_or_else(|| panic!("{answer}"));
    ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Who is online by what a node tells somebody who comes.
pub(super) fn online(node: &Node, asker: &str) -> BTreeSet<String> {
    let mut socket = Socket::open(node.address);
    socket.send(&connect_packet("/conversation", asker));
    loop {
        let packet = socket.receive();
        if let Some((_, told)) = content(&packet).filter(|(_, told)| told[0] == "online_users") {
            let users = told[1]["users"].as_array().unwrap();
            return users.iter().map(|user| user.as_str().unwrap().to_owned()).collect();
        }
    }
}

/// All nodes tell the same of who is where, which is the truth; and so does the database.
fn check_presence(cluster: &Cluster, users: &BTreeSet<String>, in_lobby: usize) {
    let nodes = &cluster.nodes;
    let lists = || nodes.iter().map(participants).collect::<Vec<_>>();
    wait_within(SOON, "all nodes to list the same members", || {
        let lists = lists();
        lists.iter().all(|list| *list == lists[0] && list.len() == in_lobby)
    });
    let all = rows(&cluster.database, "SELECT uuid, username FROM users");
    let uuids: BTreeMap<&str, &str> = all.iter().map(|row| (row[1].as_str(), row[0].as_str())).collect();
    let expected: BTreeSet<String> = users.iter().map(|name| uuids[name.as_str()].to_owned()).collect();
    let asker = users.first().unwrap();
    wait_within(SOON, "all nodes to say who is online", || nodes.iter().all(|node| online(node, asker) == expected));
    let online = "SELECT username FROM users WHERE status = 'online'";
    let online = || rows(&cluster.database, online).into_iter().flatten().collect::<BTreeSet<_>>();
    let began = Instant::now();
    while online() != *users {
        let online = online();
        assert!(began.elapsed() < SOON, "by the database these are online: {online:?}, which are {users:?}");
        thread::sleep(Duration::from_millis(20));
    }
    let knows_all =
        |node: &Node| node.is_ready() && (metric(node, "broker_up"), metric(node, "nodes")) == (1, nodes.len());
    wait_within(SOON, "all nodes to say that all is well", || nodes.iter().all(knows_all));
}

/// Whether a node lists that connection as a member of the lobby.
pub(super) fn is_listed(node: &Node, connection: &str) -> bool {
    participants(node).iter().any(|id| id == connection)
}

/// A guest in the lobby who says nothing, and its id.
pub(super) fn guest(node: &Node) -> (crate::common::Client, String) {
    let mut client = node.connect(ACTION);
    let welcome: Value = serde_json::from_str(&client.receive()).unwrap();
    client.send(r#"{"action":"join","room":"lobby"}"#);
    (client, welcome["user_id"].as_str().unwrap().to_owned())
}
