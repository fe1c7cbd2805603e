//! Clients of Socket.IO that come back when the server has been killed, over and over on one database: each is told every
//! message once, in the order in which they are stored, and what was acknowledged is there. And a crowd that comes back
//! all at once.
//!
//! `SEED=n` repeats the lifetimes of a run. What the threads make of them is never quite the same.

mod storm;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::crowd::alone;
use crate::common::returner::{Message, Returner, Words};
use crate::common::{Server, people, returner, scratch_dir};
use rusqlite::{Connection, OpenFlags};

const ROUNDS: usize = 40;
/// In milliseconds, from when all have come back.
const LIFETIMES: std::ops::RangeInclusive<u64> = 5..=250;
/// So many messages of each sender are on their way.
const WINDOW: usize = 3;
/// What is said last, and its number.
const THE_END: (&str, usize) = ("the end", 1 << 40);

/// A client that sends, or only listens, over all rounds.
struct Member {
    returner: Returner,
    sends: bool,
    /// The number of its next message.
    next: usize,
    /// Sent and not acknowledged, in the order of sending.
    open: Vec<usize>,
    /// Acknowledged, with the id of the message.
    acknowledged: Vec<(usize, i64)>,
    seen: Vec<Message>,
    resent: usize,
}

impl Member {
    fn new(returner: Returner, sends: bool) -> Self {
        let (open, acknowledged, seen) = (Vec::new(), Vec::new(), Vec::new());
        Self { returner, sends, next: 0, open, acknowledged, seen, resent: 0 }
    }

    fn text(&self, number: usize) -> String {
        format!("{} {number}", self.returner.name)
    }

    fn say(&mut self, number: usize) {
        let text = self.text(number);
        self.returner.say(number, &text, &text);
    }

    /// Comes back, sends and watches until the server is gone. Without `more` it sends no more than what is still open,
    /// and then watches until the end, which `is_last` says.
    fn live(&mut self, server: &Server, more: bool, arrived: &AtomicUsize, is_killed: &AtomicBool) {
        let Some(missed) = self.returner.come_back(server.address) else {
            return self.expect_killed(is_killed);
        };
        arrived.fetch_add(1, Ordering::SeqCst);
        self.seen.extend(missed);
        self.resent += self.open.len();
        for number in self.open.clone() {
            self.say(number);
        }
        loop {
            while self.sends && more && self.open.len() < WINDOW {
                self.open.push(self.next);
                self.say(self.next);
                self.next += 1;
            }
            if !more && self.open.is_empty() {
                return;
            }
            if !self.take_next() {
                return self.expect_killed(is_killed);
            }
        }
    }

    /// Whether something came.
    fn take_next(&mut self) -> bool {
        let Some(heard) = self.returner.hear() else { return false };
        assert_eq!(heard.refused, None);
        self.seen.extend(heard.message);
        if let Some((number, id)) = heard.acknowledged.filter(|(number, _)| *number != THE_END.1) {
            assert_eq!(self.open.first(), Some(&number), "answers come in the order of the requests");
            self.open.remove(0);
            self.acknowledged.push((number, id));
        }
        true
    }

    fn watch_until_the_end(&mut self) {
        while self.seen.last().is_none_or(|message| message.text != THE_END.0) {
            assert!(self.take_next(), "{} never heard of the end", self.returner.name);
        }
    }

    fn expect_killed(&self, is_killed: &AtomicBool) {
        // The kill is announced before it is done.
        assert!(is_killed.load(Ordering::SeqCst), "the server ended {}'s connection", self.returner.name);
    }
}

/// One life of the server: it ends by `kill -9`, a while after all have come back, or in the middle of that.
fn live(server: Server, members: &mut [Member], lifetime: Duration, waits: bool) {
    let (arrived, is_killed, count) = (AtomicUsize::new(0), AtomicBool::new(false), members.len());
    thread::scope(|scope| {
        for member in &mut *members {
            let (server, arrived, is_killed) = (&server, &arrived, &is_killed);
            scope.spawn(move || member.live(server, true, arrived, is_killed));
        }
        let began = Instant::now();
        while waits && arrived.load(Ordering::SeqCst) < count && began.elapsed() < crate::common::PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(lifetime);
        is_killed.store(true, Ordering::SeqCst);
        server.signal("KILL");
    });
}

fn stored(database: &Path, room: i64) -> BTreeMap<i64, String> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = db.prepare("SELECT id, content FROM messages WHERE chat_id = ?1").unwrap();
    statement.query_map([room], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Compares what a member was told with what is stored.
fn check(member: &Member, rows: &BTreeMap<i64, String>) {
    let name = &member.returner.name;
    for (number, id) in &member.acknowledged {
        assert_eq!(rows.get(id), Some(&member.text(*number)), "acknowledged to {name} as {id}, and not there");
    }
    let numbers: Vec<usize> = member.acknowledged.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..member.next).collect::<Vec<_>>(), "in the end everything of {name} was acknowledged, once");

    let own = format!("{name} ");
    // One who speaks hears of it by the acknowledgement alone, where the words are so.
    let is_heard = |text: &str| member.returner.words == Words::Chat || !text.starts_with(&own);
    let expected: Vec<(i64, &str)> =
        rows.iter().filter(|(_, text)| is_heard(text)).map(|(id, text)| (*id, text.as_str())).collect();
    let seen: Vec<(i64, &str)> = member
        .seen
        .iter()
        .filter(|message| is_heard(&message.text))
        .map(|message| (message.id, message.text.as_str()))
        .collect();
    let difference = seen.iter().zip(&expected).position(|(seen, expected)| seen != expected);
    let around = |list: &[(i64, &str)]| {
        let at = difference.unwrap_or(seen.len().min(expected.len()));
        format!("{:?}", &list[at.saturating_sub(2)..(at + 3).min(list.len())])
    };
    assert!(
        seen == expected,
        "{name} was told {} and not {}: {} in place of {}",
        seen.len(),
        expected.len(),
        around(&seen),
        around(&expected)
    );
}

#[test]
fn who_comes_back_is_told_everything_once_and_in_order() {
    let names = ["ann", "ben", "cat", "dan", "eve", "fay", "gus"];
    let _alone = alone(names.len());
    let seed = std::env::var("SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let database = scratch_dir().join("chat.db");
    let start = || Server::spawn(people::serve_on(&database, "127.0.0.1:0", &["--rate", "0"]));
    let began = Instant::now();

    let server = start();
    let users = names.map(|name| people::user(&server, name));
    let room = people::private_room(&server, "tea", &users);
    let mut members: Vec<Member> = returner::all_kinds(&names, room)
        .into_iter()
        .enumerate()
        .map(|(place, returner)| Member::new(returner, place < 4))
        .collect();
    // They are all there before anything is said.
    for member in &mut members {
        member.returner.come_back(server.address).expect("the first time");
    }
    server.signal("KILL");
    for _ in 0..ROUNDS {
        let lifetime = Duration::from_millis(random.u64(LIFETIMES));
        live(start(), &mut members, lifetime, random.u8(..5) > 0);
    }

    let server = start();
    thread::scope(|scope| {
        for member in &mut members {
            let server = &server;
            scope.spawn(move || member.live(server, false, &AtomicUsize::new(0), &AtomicBool::new(false)));
        }
    });
    members[0].returner.say(THE_END.1, THE_END.0, THE_END.0);
    members.iter_mut().for_each(Member::watch_until_the_end);

    let rows = stored(&database, room);
    members.iter().for_each(|member| check(member, &rows));
    let count = |count: fn(&Member) -> usize| members.iter().map(count).sum::<usize>();
    let (recovered, seen) = (count(|member| member.returner.recovered), count(|member| member.seen.len()));
    println!(
        "{ROUNDS} rounds, {:?}: {} messages stored, {} acknowledged, {} sent again; {seen} tellings checked, of which {} \
         after coming back, {recovered} times",
        began.elapsed(),
        rows.len(),
        count(|member| member.acknowledged.len()),
        count(|member| member.resent),
        count(|member| member.returner.missed),
    );
    // Else all this would prove nothing.
    assert!(count(|member| member.returner.missed) > ROUNDS && count(|member| member.resent) > ROUNDS);
    assert!(recovered > ROUNDS * members.len() / 2);
}
