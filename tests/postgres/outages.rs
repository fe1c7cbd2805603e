//! The database goes away under traffic and comes back. Meanwhile what is durable is refused in time and the rest goes on;
//! afterwards everything acknowledged is there, once, and everything that is there was heard, once: also what another
//! program has written as soon as that was possible.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ears::{Ear, json_of, room_message, say, saying, wait_for_looks};
use super::{assert_no_secret, serve};
use crate::common::database::rows;
use crate::common::outage::{Bystanders, IN_TIME, LOBBY, is_ready, person, refusal};
use crate::common::postgres::Postgres;
use crate::common::wire::Wire;
use crate::common::{Server, wait_until};

const SPEAKERS: [&str; 4] = ["ada", "bob", "cat", "dan"];

/// What the speakers tell of how it goes.
#[derive(Default)]
struct Tally {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    slowest: Mutex<Duration>,
    is_over: AtomicBool,
}

/// Says one thing after another, each again until it is acknowledged. Returns all of it.
fn speak(mut wire: Wire, name: &str, tally: &Tally) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    while !tally.is_over.load(Ordering::SeqCst) {
        let text = format!("{name} {}", said.len());
        loop {
            let asked = Instant::now();
            let answer = wire.request("send_message", &json!({"roomId": LOBBY, "text": text, "clientId": text}));
            let mut slowest = tally.slowest.lock().unwrap();
            *slowest = slowest.max(asked.elapsed());
            drop(slowest);
            wire.told.clear();
            if answer["event"] == "ack" {
                break;
            }
            let (code, sentence) = refusal(&answer);
            assert_eq!(code, "unavailable", "{sentence}");
            assert_no_secret(sentence);
            tally.refused.fetch_add(1, Ordering::SeqCst);
            if tally.is_over.load(Ordering::SeqCst) {
                return said;
            }
            // So that what is refused at once is not asked thousands of times.
            thread::sleep(Duration::from_millis(20));
        }
        said.push(text);
        tally.acknowledged.fetch_add(1, Ordering::SeqCst);
    }
    said
}

/// Four speak while the database goes away, is away at least so long, and comes back; so many times.
fn outage(times: usize, lasting: Duration, leave: fn(&mut Postgres), come_back: fn(&mut Postgres)) {
    let mut postgres = Postgres::start();
    let url = postgres.database();
    let server = Server::spawn(serve(&url, &[]));
    let mut bystanders = Bystanders::new(&server);
    let (stream, action) = (Ear::stream(&server, "/stream", None), Ear::action(&server, "lobby"));
    let mut ears = Ears { stream, action, told: Vec::new() };
    let speakers = SPEAKERS.map(|name| person(&server, name));
    let tally = Tally::default();
    let said: Vec<String> = thread::scope(|scope| {
        let tally = &tally;
        let speaking: Vec<_> = speakers
            .into_iter()
            .zip(SPEAKERS)
            .map(|(wire, name)| scope.spawn(move || speak(wire, name, tally)))
            .collect();
        // However this ends, the speakers end too.
        let over = Over(tally);
        for round in 0..times {
            let changed = say(&url, &format!("outside {round} to change"));
            let deleted = say(&url, &format!("outside {round} to delete"));
            // Else there may be nothing left to be heard of it.
            ears.hear_until(&format!("outside {round} to delete"));
            let more = tally.acknowledged.load(Ordering::SeqCst) + 100;
            wait_until("the traffic to run", || tally.acknowledged.load(Ordering::SeqCst) > more);
            leave(&mut postgres);
            be_away(&server, &mut bystanders, tally, lasting);
            come_back(&mut postgres);
            say(&url, &format!("outside {round} at once"));
            rows(&url, &format!("UPDATE messages SET content = 'outside {round} changed' WHERE id = {changed}"));
            rows(&url, &format!("DELETE FROM messages WHERE id = {deleted}"));
            wait_until("the server to find out", || is_ready(&server));
        }
        let more = tally.acknowledged.load(Ordering::SeqCst) + 100;
        wait_until("the traffic to run again", || tally.acknowledged.load(Ordering::SeqCst) > more);
        drop(over);
        speaking.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    check(&url, &said);
    ears.check(&url, times);
    assert_no_secret(&server.log());
    let slowest = *tally.slowest.lock().unwrap();
    println!("{} acknowledged, {:?} refused, the slowest answer took {slowest:?}", said.len(), tally.refused);
    assert!(slowest < IN_TIME, "the slowest answer took {slowest:?}");
}

struct Over<'a>(&'a Tally);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

/// Looks again and again while the database is away, from when the server has found out.
fn be_away(server: &Server, bystanders: &mut Bystanders, tally: &Tally, lasting: Duration) {
    let (began, before) = (Instant::now(), tally.refused.load(Ordering::SeqCst));
    wait_until("a refusal", || tally.refused.load(Ordering::SeqCst) > before);
    wait_until("the server to find out", || !is_ready(server));
    let mut heard = HashSet::new();
    loop {
        for sentence in bystanders.ask_around(server) {
            assert_no_secret(&sentence);
            assert!(!sentence.is_empty() && !sentence.contains('\n'), "{sentence:?}");
            heard.insert(sentence);
        }
        if began.elapsed() >= lasting {
            println!("meanwhile it was said: {heard:?}");
            return;
        }
    }
}

/// Everything that was acknowledged is there once, each speaker's in its order, and nothing else.
fn check(url: &str, said: &[String]) {
    let stored = rows(url, "SELECT content FROM messages ORDER BY id");
    let stored: Vec<&str> = stored.iter().map(|row| row[0].as_str()).collect();
    for name in SPEAKERS {
        let own = |text: &&str| text.starts_with(name);
        let (stored, said) = (stored.iter().copied().filter(own), said.iter().map(String::as_str).filter(own));
        assert!(stored.eq(said), "of {name} something is missing, doubled or in another order");
    }
    let all: HashSet<&str> = said.iter().map(String::as_str).collect();
    let is_ours = |text: &&&str| !text.starts_with("outside ");
    let foreign: Vec<_> = stored.iter().filter(is_ours).filter(|text| !all.contains(**text)).collect();
    assert!(foreign.is_empty(), "what was refused is there: {foreign:?}");
}

/// Who has heard the lobby all the time: a stream, and a client of the action dialect.
struct Ears {
    stream: Ear,
    action: Ear,
    /// What the stream has said so far.
    told: Vec<Value>,
}

impl Ears {
    /// Until the stream has said that this is new.
    fn hear_until(&mut self, content: &str) {
        loop {
            let told = json_of(&self.stream.next());
            let is_it = told["type"] == "new_message" && told["data"]["content"] == content;
            self.told.push(told);
            if is_it {
                return;
            }
        }
    }

    fn check(mut self, url: &str, times: usize) {
        wait_for_looks(url, 1);
        rows(url, &saying("the end"));
        self.hear_until("the end");
        let Self { action, mut told, .. } = self;
        told.pop();
        let (mut new, mut changes, mut said) = (BTreeMap::new(), Vec::new(), Vec::new());
        for told in told {
            let (id, content) = (told["data"]["id"].as_i64().unwrap(), told["data"]["content"].as_str());
            match told["type"].as_str().unwrap() {
                "new_message" => assert_eq!(new.insert(id, content.unwrap().to_owned()), None, "told twice"),
                kind => changes.push((kind.to_owned(), id, content.map(str::to_owned))),
            }
        }
        let mut text = action.next().text;
        while text != room_message("lobby", "the end") {
            let told: Value = serde_json::from_str(&text).unwrap();
            said.extend(told["message"].as_str().map(str::to_owned));
            text = action.next().text;
        }
        // Whoever heard the stream knows what is there.
        let mut expected = Vec::new();
        for round in 0..times {
            for (last, kind) in [("to change", "updated_message"), ("to delete", "deleted_message")] {
                let text = format!("outside {round} {last}");
                let (&id, _) = new.iter().find(|(_, content)| **content == text).unwrap();
                let now = (last == "to change").then(|| format!("outside {round} changed"));
                expected.push((kind.to_owned(), id, now));
            }
        }
        changes.sort_by_key(|change| expected.iter().position(|expected| expected == change));
        assert_eq!(changes, expected);
        let mut heard: Vec<_> = new.values().cloned().collect();
        for (kind, id, now) in &expected {
            match now {
                Some(now) => drop(new.insert(*id, now.clone())),
                None => assert!(new.remove(id).is_some(), "{kind}"),
            }
        }
        let stored = rows(url, "SELECT id, content FROM messages WHERE content <> 'the end' ORDER BY id");
        let shown = new.into_iter().map(|(id, content)| vec![id.to_string(), content]);
        assert_eq!(shown.collect::<Vec<_>>(), stored);
        // And so does whoever was in the room, of all that was said.
        heard.sort();
        said.sort();
        assert_eq!(said, heard);
    }
}

#[test]
fn a_database_that_is_stopped_for_ten_seconds_is_missed_and_found_again() {
    outage(1, Duration::from_secs(10), Postgres::stop, Postgres::start_again);
}

#[test]
fn a_database_that_does_not_answer_for_ten_seconds_is_missed_and_found_again() {
    outage(1, Duration::from_secs(10), |postgres| postgres.pause(), |postgres| postgres.resume());
}

#[test]
fn a_database_that_is_killed_over_and_over_loses_nothing() {
    outage(3, Duration::ZERO, Postgres::kill, Postgres::start_again);
}
