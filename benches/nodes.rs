//! Two nodes over a real Redis: what it costs a node that there are others to be told, what a delivery costs on a node
//! other than the sender's, and how many messages a second one Redis carries between them.
//!
//! The servers are real, in processes of their own; what they cost is their CPU time, all threads of it, against that of a
//! server which is alone. Both are measured in turn in each round, and ratios taken within a round.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Instant;

use common::crowd::{Crowd, Effort};
use common::nodes::{costs, nodes};
use common::postgres::Postgres;
use common::redis::Redis;
use common::{TEXT, frame};

/// How much more than without other nodes anything may cost.
const MORE: f64 = 1.10;

const WHOLE: Effort = Effort { members: 1_000, rounds: 9, messages: 40 };
const SMALL: Effort = Effort { members: 100, rounds: 1, messages: 5 };

/// So many messages are sent as fast as they arrive: in an ephemeral room, and in a durable one.
const CARRIED: [usize; 2] = [100_000, 20_000];
const FEW_CARRIED: [usize; 2] = [2_000, 500];

fn main() -> ExitCode {
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let (effort, [said, stored]) = if is_whole { (WHOLE, CARRIED) } else { (SMALL, FEW_CARRIED) };
    common::raise_descriptor_limit();
    let redis = Redis::start();
    let [sender, distant] = costs(&redis, &effort);
    let members = effort.members;
    println!(
        "a room of {members}, {} rounds of {} messages, CPU time against a server that is alone:",
        effort.rounds, effort.messages
    );
    println!("  a message, on the sender's node with {members} members: {sender:.3} times");
    println!("  a delivery, on another node with {members} members: {distant:.3} times");
    carry("an ephemeral room", nodes(&redis, 1, "none", "den", 1), &redis, said);
    let postgres = Postgres::start();
    carry("a durable room", nodes(&redis, 2, &postgres.database(), "lobby", 1), &redis, stored);
    // Of a few messages nothing can be told.
    if is_whole && (sender > MORE || distant > MORE) {
        eprintln!("nodes: that is more than {MORE}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// One member on each node: the one says what the other hears, with no more than so many on their way.
fn carry(what: &str, mut nodes: [Crowd; 2], redis: &Redis, count: usize) {
    const WINDOW: usize = 2_048;
    const BATCH: usize = 128;
    nodes.iter_mut().for_each(Crowd::begin);
    let [mut speaker, mut hearer] = [0, 1].map(|place: usize| nodes[place].members.remove(0));
    let mut replies = speaker.try_clone().unwrap();
    let told = std::thread::spawn(move || read_messages(&mut replies, count, |_| ()));

    let text = "x".repeat(64);
    let request = frame(TEXT, format!(r#"{{"action":"room_message","message":"{text}"}}"#).as_bytes()).repeat(BATCH);
    let (redis_before, begin) = (redis.seconds(), Instant::now());
    let mut sent = 0;
    let mut send_up_to = |end: usize| {
        while sent < end.min(count) {
            speaker.write_all(&request).unwrap();
            sent += BATCH;
        }
    };
    send_up_to(WINDOW);
    read_messages(&mut hearer, count, |heard| send_up_to(heard + WINDOW));
    let seconds = begin.elapsed().as_secs_f64();
    told.join().unwrap();
    let each = |seconds: f64| seconds * 1e6 / count as f64;
    let [sender, other] = [0, 1].map(|place: usize| each(nodes[place].spent()));
    println!(
        "{what}: {:.0} messages a second from one node to another; µs of CPU for each: sender's node {sender:.1}, \
         other node {other:.1}, Redis {:.1}",
        count as f64 / seconds,
        each(redis.seconds() - redis_before)
    );
}

/// Reads until so many messages have come, and tells now and then how many.
fn read_messages(stream: &mut TcpStream, count: usize, mut heard: impl FnMut(usize)) {
    let mut buffer = [0; 1 << 16];
    let mut messages = 0;
    while messages < count {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "the connection ended after {messages} messages");
        // Whatever its form, it ends so, and what is said has none.
        messages += buffer[..length].iter().filter(|&&byte| byte == b'}').count();
        heard(messages);
    }
}
