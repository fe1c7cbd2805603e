//! The server goes and comes back.

use std::time::{Duration, Instant};

use roomcast::broker::{Announcement, Arrival, Settings};
use roomcast::hub::nodes::{Address, Errand, Notice};

use super::node::{Node, room};
use crate::common::redis::Redis;
use crate::common::waiting::{PATIENCE, wait_until};

#[test]
fn after_a_restart_all_is_heard_again() {
    let mut redis = Redis::start();
    let mut nodes = [1, 2].map(|id| Node::start(&redis.url(0), id));
    nodes[1].listen(room(1), true);
    nodes[1].listen(room(2), true);
    redis.kill();
    for node in &mut nodes {
        node.expect(&Arrival::Down);
        let stats = node.handle().stats();
        assert!(!stats.is_up && node.handle().trouble().unwrap().starts_with("Redis "));
    }
    // Meanwhile nothing is kept, and what is wanted is remembered.
    nodes[0].say(&[room(1)], "lost");
    wait_until("it to be dropped", || nodes[0].handle().stats().dropped == 1);
    nodes[1].listen(room(2), false);
    nodes[1].listen(room(3), true);
    nodes[1].handle().carry_out(Errand::Reserve);
    redis.start_again();
    nodes[0].skip_to(PATIENCE, &Arrival::Up);
    let mut arrivals = [nodes[1].next(), nodes[1].next()];
    arrivals.sort_by_key(|arrival| *arrival == Arrival::Up);
    let [Arrival::Block(block), Arrival::Up] = arrivals else { panic!("{arrivals:?}") };
    nodes[0].say(&[room(2)], "to nobody");
    nodes[0].say(&[room(1)], "to the one");
    nodes[0].say(&[room(3)], "to the other");
    assert_eq!(nodes[1].hear(), (1, "to the one".into()));
    assert_eq!(nodes[1].hear(), (1, "to the other".into()));
    assert!(block > nodes[1].first_block);
    assert_eq!(nodes[0].handle().trouble(), None);
    assert_eq!(nodes[1].handle().stats().nodes, 2);
}

/// Longer than anybody waits for an answer, and less than a lease.
#[test]
fn a_server_that_stands_still_is_noticed_and_nobody_is_gone_for_it() {
    let redis = Redis::start();
    let mut nodes = [1, 2].map(|id| Node::start(&redis.url(0), id));
    redis.pause();
    for node in &mut nodes {
        assert!(node.skip_to(Duration::from_secs(15), &Arrival::Down).is_empty());
    }
    // The loop is held up by nothing.
    let began = Instant::now();
    for n in 0..10_000 {
        nodes[0].say(&[Address::All], &n.to_string());
        nodes[0].listen(room(n), true);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    redis.resume();
    for node in &mut nodes {
        // Some of what was told before may still come; nobody is taken for dead.
        let skipped = node.skip_to(Duration::from_secs(15), &Arrival::Up);
        assert!(!skipped.iter().any(|arrival| matches!(arrival, Arrival::Gone(_))), "{skipped:?}");
    }
    nodes[1].say(&[room(9_999)], "all of them");
    assert_eq!(nodes[0].hear(), (2, "all of them".into()));
}

/// Its connections are closed by the server alone.
#[test]
fn a_connection_that_is_cut_is_made_anew() {
    let redis = Redis::start();
    let mut nodes = [1, 2].map(|id| Node::start(&redis.url(0), id));
    for kind in ["pubsub", "normal"] {
        redis.cli(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]);
        for node in &mut nodes {
            node.skip_to(PATIENCE, &Arrival::Down);
            node.skip_to(PATIENCE, &Arrival::Up);
        }
        nodes[0].say(&[Address::All], kind);
        assert_eq!(nodes[1].hear(), (1, kind.into()));
    }
}

/// Whoever drops something takes the connection for lost, so that nobody relies on what was told over it.
#[test]
fn queues_are_bounded() {
    let redis = Redis::start();
    let settings = Settings { queue: 100, announcements: 10, inbox_bytes: 1000, ..Settings::default() };
    let (mut one, mut two) = (Node::start_with(&redis.url(0), 1, None, settings), Node::start(&redis.url(0), 2));
    redis.pause();
    for n in 0..1_000 {
        one.say(&[Address::All], &n.to_string());
        let announcement = Announcement { channel: "new_messages", payload: n.to_string(), once: None };
        one.handle().announce(announcement);
    }
    // What has gone out before the server's silence shows is not many.
    let stats = one.handle().stats();
    assert!(stats.waiting <= 10 && stats.dropped >= 1_000 + 1_000 - 2 * 110, "{stats:?}");
    redis.resume();
    one.expect(&Arrival::Down);
    one.expect(&Arrival::Up);
    one.say(&[Address::All], "the last");
    let mut last = None;
    loop {
        match two.hear() {
            (1, text) if text == "the last" => break,
            (1, text) => {
                let n = text.parse::<u32>().ok();
                assert!(n.is_some() && n > last, "{text} after {last:?}");
                last = n;
            }
            other => panic!("{other:?}"),
        }
    }
    // What nobody drains is not heard any further, and nothing of it is lost.
    for n in 0..100 {
        two.say(&[Address::All], &n.to_string());
    }
    wait_until("it to be told", || two.handle().stats().waiting == 0);
    for n in 0..100 {
        assert_eq!(one.hear(), (2, n.to_string()));
    }
}

#[test]
fn what_waits_at_the_end_is_told() {
    let redis = Redis::start();
    let (mut one, mut two) = (Node::start(&redis.url(0), 1), Node::start(&redis.url(0), 2));
    for n in 0..5_000 {
        one.say(&[Address::All], &n.to_string());
    }
    one.send(&[Address::All], Notice::Farewell);
    one.finish();
    for n in 0..5_000 {
        assert_eq!(two.hear(), (1, n.to_string()));
    }
    let Arrival::Notice { notice: Notice::Farewell, .. } = two.next() else { panic!("no farewell") };
    wait_until("both connections to end", || {
        redis.cli(&["PUBSUB", "NUMSUB", "roomcast:0:all"]) == "roomcast:0:all\n1\n"
    });
}

#[test]
fn a_server_that_is_away_does_not_hold_up_the_end() {
    let mut redis = Redis::start();
    let mut node = Node::start(&redis.url(0), 1);
    redis.kill();
    node.expect(&Arrival::Down);
    let began = Instant::now();
    node.finish();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
