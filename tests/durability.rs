//! `kill -9` at random moments under load, over and over on one database, of either kind. What was acknowledged or shown is there
//! once, with its text, in the order in which it was seen; ids never go back; the server starts again by itself.
//!
//! `SEED=n` repeats the lifetimes of a run. What the threads make of them is never quite the same.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::database;
use crate::common::wire::Wire;
use crate::common::{ACTION, Server, roomcast, scratch_dir, wait_until};
use serde_json::{Value, json};

/// After so many rounds all is compared with the database.
const CHECK_EVERY: usize = 20;
/// In milliseconds, from when the load begins.
const LIFETIMES: std::ops::RangeInclusive<u64> = 5..=150;
/// So many requests of each sender are on their way.
const WINDOW: usize = 24;

const LOBBY: i64 = 1;

#[derive(Clone, Copy, PartialEq)]
enum Words {
    Event { user: i64 },
    Action,
}

/// A client over all rounds: what it has sent and what came back.
struct Member {
    name: &'static str,
    words: Words,
    room: i64,
    sends: bool,
    /// The number of its next message.
    next: usize,
    /// Sent and not acknowledged, in the order of sending.
    open: VecDeque<usize>,
    /// Acknowledged, with the id where the dialect tells it.
    acknowledged: Vec<(usize, Option<i64>)>,
    /// What it saw in each round, in order: the id where the dialect tells it, and the text.
    seen: Vec<Vec<(Option<i64>, String)>>,
    resent: usize,
    /// Sent again, and known from before.
    repeats: usize,
}

impl Member {
    fn new(name: &'static str, words: Words, room: i64, sends: bool) -> Self {
        let (open, acknowledged, seen) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { name, words, room, sends, next: 0, open, acknowledged, seen, resent: 0, repeats: 0 }
    }

    /// Connects, and enters the room.
    fn enter(&self, server: &Server) -> Wire {
        match self.words {
            Words::Event { user } => {
                let mut wire = Wire::open(server, "/ws");
                wire.ask("switch_user", &json!({"userId": user}));
                wire.ask("join_room", &json!({"roomId": self.room}));
                wire
            }
            Words::Action => {
                let mut wire = Wire::open(server, ACTION);
                assert!(wire.send(&json!({"action": "join", "room": "lobby"})));
                while wire.receive().expect("an answer") != json!({"action": "join", "room": "lobby"}) {}
                wire
            }
        }
    }

    /// Sends and watches until the server is gone; without `more`, until all that was sent is acknowledged. An id that is
    /// shown must be above `floor`, as nothing is shown twice.
    fn live(&mut self, wire: &mut Wire, floor: i64, more: bool, is_killed: &AtomicBool) {
        self.seen.push(Vec::new());
        if self.words == Words::Action {
            // Who it was is gone with the connection, and so what it asked can't be asked again as the same.
            self.open.clear();
        }
        self.resent += self.open.len();
        for number in self.open.clone() {
            self.say(wire, number);
        }
        loop {
            while self.sends && more && self.open.len() < WINDOW {
                self.open.push_back(self.next);
                self.say(wire, self.next);
                self.next += 1;
            }
            if !more && self.open.is_empty() {
                return;
            }
            let Some(told) = wire.receive() else {
                assert!(is_killed.load(Ordering::SeqCst), "the server ended {}'s connection", self.name);
                return;
            };
            self.take(&told, floor);
        }
    }

    fn say(&self, wire: &mut Wire, number: usize) {
        let text = text(self.name, number);
        // If it can't be sent, what was read in time is still read.
        wire.send(&match self.words {
            Words::Event { .. } => {
                let mark = format!("{} {number}", self.name);
                json!({"event": "send_message", "id": number, "payload":
                    {"roomId": self.room, "text": text, "clientId": mark}})
            }
            Words::Action => json!({"action": "room_message", "message": text}),
        });
    }

    fn take(&mut self, told: &Value, floor: i64) {
        match self.words {
            Words::Event { .. } if told["event"] == "ack" => {
                let number = self.open.pop_front().expect("no more answers than requests");
                assert_eq!(told["id"], number, "answers come in the order of the requests: {told}");
                let id = told["payload"]["result"]["messageId"].as_i64().unwrap();
                self.repeats += usize::from(id <= floor);
                self.acknowledged.push((number, Some(id)));
            }
            Words::Event { .. } if told["event"] == "new_message" => {
                let message = &told["payload"];
                let id = message["messageId"].as_i64().unwrap();
                assert!(id > floor, "an id has gone back: {told} after {floor}");
                assert_eq!(message["roomId"], self.room);
                self.see(Some(id), &message["text"]);
            }
            Words::Action if told["action"] == "room_message" => {
                if told["user_id"].is_null() {
                    let number = self.open.pop_front().expect("no more answers than requests");
                    assert_eq!(told["message"], text(self.name, number), "answers come in the order of the requests");
                    self.acknowledged.push((number, None));
                }
                self.see(None, &told["message"]);
            }
            _ => {
                let (word, nobody) =
                    if self.words == Words::Action { ("action", "join") } else { ("event", "user_joined") };
                assert_eq!(told[word], nobody, "{told}");
            }
        }
    }

    fn see(&mut self, id: Option<i64>, text: &Value) {
        self.seen.last_mut().unwrap().push((id, text.as_str().unwrap().to_owned()));
    }

    /// The greatest id that it knows of.
    fn highest(&self) -> i64 {
        let seen = self.seen.iter().flatten().filter_map(|(id, _)| *id);
        seen.chain(self.acknowledged.iter().filter_map(|(_, id)| *id)).max().unwrap_or(0)
    }
}

/// Different lengths, so that pages and frames are filled differently; and not ASCII alone.
fn text(name: &str, number: usize) -> String {
    format!("{name} {number} {}", "é\"".repeat(number % 61))
}

/// Whose message it is, and which.
fn author<'a>(members: &'a [Member], text: &str) -> Option<(&'a Member, usize)> {
    let mut words = text.split(' ');
    let member = members.iter().find(|member| Some(member.name) == words.clone().next())?;
    Some((member, words.nth(1)?.parse().ok()?))
}

fn start(database: &str) -> Server {
    // What the killed server has sent off may still be committed, and is then told as another program's, which is no news
    // to whoever was there before.
    if database.starts_with("postgres:") {
        let sessions =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        wait_until("the killed server's sessions to end", || database::value(database, sessions) == "0");
    }
    let mut command = serve(database);
    command.args(["--rate", "0"]);
    Server::spawn(command)
}

fn serve(database: &str) -> Command {
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", database]);
    command
}

/// By room, its messages by id. The server is running, so that it is not the test that replays the journal.
type Rows = HashMap<i64, BTreeMap<i64, String>>;

fn rows(database: &str) -> Rows {
    if database.starts_with("sqlite:") {
        assert_eq!(database::value(database, "PRAGMA integrity_check"), "ok");
    }
    let mut rows = Rows::new();
    for row in database::rows(database, "SELECT chat_id, id, content FROM messages") {
        let [room, id, text] = <[String; 3]>::try_from(row).unwrap();
        rows.entry(room.parse().unwrap()).or_default().insert(id.parse().unwrap(), text);
    }
    rows
}

fn last_id(database: &str) -> i64 {
    database::value(database, "SELECT coalesce(max(id), 0) FROM messages").parse().unwrap()
}

/// Compares what is stored with what the members were told. Returns how many of their tellings that are.
fn check(members: &[Member], rows: &Rows) -> usize {
    let mut ids: HashMap<(i64, &str), i64> = HashMap::new();
    for (&room, messages) in rows {
        for (&id, stored) in messages {
            let (member, number) = author(members, stored).unwrap_or_else(|| panic!("nobody said {stored:?}"));
            assert_eq!((stored, room), (&text(member.name, number), member.room), "message {id} is altered");
            assert!(number < member.next, "{stored:?} was never sent");
            let former = ids.insert((room, stored), id);
            assert_eq!(former, None, "stored twice, once as {id}: {stored:?}");
        }
    }
    members.iter().map(|member| check_member(member, rows, &ids)).sum()
}

fn check_member(member: &Member, rows: &Rows, ids: &HashMap<(i64, &str), i64>) -> usize {
    let Member { name, room, .. } = *member;
    let stored = |text: &str| *ids.get(&(room, text)).unwrap_or_else(|| panic!("{name} was told of it: {text:?}"));
    let mut last = 0;
    for &(number, told) in &member.acknowledged {
        let id = stored(&text(name, number));
        assert_eq!(told.unwrap_or(id), id, "the acknowledgement of {name} {number} names another message");
        assert!(last < id, "the store has {name} {number} before one that was said earlier");
        last = id;
    }
    let mut last = 0;
    for (round, seen) in member.seen.iter().enumerate() {
        let seen: Vec<i64> = seen
            .iter()
            .map(|(told, text)| {
                let id = stored(text);
                assert_eq!(told.unwrap_or(id), id, "{name} was shown {text:?} as another message");
                id
            })
            .collect();
        let (Some(&first), Some(&end)) = (seen.first(), seen.last()) else { continue };
        assert!(last < first, "round {round}: {name} was shown something older than in the round before");
        // It was there before the load began, so nothing in between may be missing.
        let expected: Vec<i64> = rows[&room].range(first..=end).map(|(&id, _)| id).collect();
        let first_difference = seen.iter().zip(&expected).find(|(seen, stored)| seen != stored);
        assert_eq!(first_difference, None, "round {round}: {name} saw another order than the database has, or not all");
        assert_eq!(seen.len(), expected.len(), "round {round}: {name} saw something twice, or not all");
        last = end;
    }
    member.acknowledged.len() + member.seen.iter().map(Vec::len).sum::<usize>()
}

/// Says something, deletes it and ends the server. Its id must not come again. Returns it.
fn say_and_delete(mut server: Server, owner: &Member) -> i64 {
    let mut wire = owner.enter(&server);
    let said = wire.ask("send_message", &json!({"roomId": owner.room, "text": "gone soon"}));
    wire.ask("delete_message", &json!({"messageId": said["messageId"]}));
    server.signal("KILL");
    server.wait();
    said["messageId"].as_i64().unwrap()
}

/// All messages of a room, as the database API tells them.
fn tell_all(server: &Server, room: i64) -> BTreeMap<i64, String> {
    // To HTTP/1.0 the answer ends with the connection, so that there is nothing to unwrap.
    let answer = server.exchange(format!("GET /messages?RoomID={room} HTTP/1.0\r\nHost: x\r\n\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{head}");
    let messages: Vec<Value> = serde_json::from_str(body).unwrap();
    let told: Vec<(i64, String)> = messages
        .iter()
        .map(|message| (message["MessageID"].as_i64().unwrap(), message["Message"].as_str().unwrap().to_owned()))
        .collect();
    assert!(told.is_sorted_by(|(one, _), (other, _)| one < other), "oldest first, and each once");
    told.into_iter().collect()
}

/// The members: three in a room of the event dialect, and five in the lobby, where both dialects meet.
fn gather(database: &str) -> Vec<Member> {
    let server = start(database);
    let mut wire = Wire::open(&server, "/ws");
    let [bob, cat, dan, eve, ann] = ["bob", "cat", "dan", "eve", "ann"].map(|name| {
        let user = wire.ask("create_user", &json!({"username": name}))["userId"].as_i64().unwrap();
        Words::Event { user }
    });
    // Of ann, who the connection is now: she may delete what others say in her room.
    let room = wire.ask("create_room", &json!({"roomName": "tea"}))["roomId"].as_i64().unwrap();
    vec![
        Member::new("ann", ann, room, false),
        Member::new("bob", bob, room, true),
        Member::new("cat", cat, room, true),
        Member::new("dan", dan, LOBBY, true),
        Member::new("eve", eve, LOBBY, false),
        Member::new("guest0", Words::Action, LOBBY, true),
        Member::new("guest1", Words::Action, LOBBY, true),
        Member::new("guest2", Words::Action, LOBBY, false),
    ]
}

/// All of them live with the server for so long; with no end, until all is acknowledged.
fn live(server: Server, members: &mut [Member], floor: i64, lifetime: Option<Duration>) -> Option<Server> {
    let mut wires: Vec<Wire> = members.iter().map(|member| member.enter(&server)).collect();
    let is_killed = AtomicBool::new(false);
    thread::scope(|scope| {
        for (member, wire) in members.iter_mut().zip(&mut wires) {
            let is_killed = &is_killed;
            scope.spawn(move || member.live(wire, floor, lifetime.is_some(), is_killed));
        }
        let Some(lifetime) = lifetime else { return Some(server) };
        thread::sleep(lifetime);
        is_killed.store(true, Ordering::SeqCst);
        // Dropped, it is killed.
        drop(server);
        None
    })
}

/// A server that is killed while it starts, perhaps while it replays the journal.
fn be_stillborn(database: &str, after: Duration) {
    let mut child = serve(database).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_was_acknowledged_or_shown_outlives_kill_9() {
    outlives_kill_9(&format!("sqlite:{}", scratch_dir().join("chat.db").display()), 200);
}

/// Fewer rounds: here it is not we who bring anything to the disk.
#[cfg(feature = "postgres")]
#[test]
fn what_was_acknowledged_or_shown_outlives_kill_9_on_postgres() {
    let postgres = crate::common::postgres::Postgres::start();
    outlives_kill_9(&postgres.database(), 40);
}

fn outlives_kill_9(database: &str, rounds: usize) {
    let seed = std::env::var("SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let began = Instant::now();
    let mut members = gather(database);
    let (mut floor, mut slowest_start, mut stillborn) = (0, Duration::ZERO, 0);
    for round in 0..rounds {
        if random.u8(..8) == 0 {
            be_stillborn(database, Duration::from_micros(random.u64(..20_000)));
            stillborn += 1;
        }
        let starting = Instant::now();
        let server = start(database);
        slowest_start = slowest_start.max(starting.elapsed());
        floor = floor.max(last_id(database));
        let lifetime = Duration::from_millis(random.u64(LIFETIMES));
        live(server, &mut members, floor, Some(lifetime));
        floor = members.iter().map(Member::highest).max().unwrap().max(floor);
        if (round + 1) % CHECK_EVERY == 0 {
            let server = start(database);
            check(&members, &rows(database));
            floor = floor.max(say_and_delete(server, &members[0]));
        }
    }
    let mut server = live(start(database), &mut members, floor, None).unwrap();
    let rows = rows(database);
    let tellings = check(&members, &rows);
    for member in members.iter().filter(|member| member.words != Words::Action) {
        let stored = rows[&member.room].values().filter_map(|text| author(&members, text));
        let numbers: HashSet<usize> =
            stored.filter(|(author, _)| author.name == member.name).map(|(_, number)| number).collect();
        assert_eq!(numbers.len(), member.next, "in the end everything of {} is there", member.name);
    }
    for (room, messages) in &rows {
        assert_eq!(tell_all(&server, *room), *messages);
    }
    server.signal("TERM");
    assert!(server.wait().0.success());

    let count = |count: fn(&Member) -> usize| members.iter().map(count).sum::<usize>();
    let (sent, acknowledged) = (count(|member| member.next), count(|member| member.acknowledged.len()));
    let (resent, repeats) = (count(|member| member.resent), count(|member| member.repeats));
    let stored: usize = rows.values().map(BTreeMap::len).sum();
    println!(
        "{rounds} rounds and {stillborn} more during the start, {:?}: {sent} messages sent, {stored} stored, \
         {acknowledged} acknowledged, {resent} sent again, of which {repeats} were stored before; {tellings} tellings \
         checked; slowest start {slowest_start:?}",
        began.elapsed()
    );
    // Else all this would prove nothing: kills have to come between storing and answering, and before storing.
    assert!(repeats > 0 && repeats < resent, "{repeats} of {resent} that were sent again were stored before");
    assert!(members.iter().filter(|member| member.sends).all(|member| member.acknowledged.len() > rounds));
}
