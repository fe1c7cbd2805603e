//! A broker that can't be used is refused with one sentence.

use std::net::TcpListener;

use roomcast::broker::{self, BLOCK, Before, OpenError, Opened};
use roomcast::hub::nodes::Address;
use roomcast::id::{NodeId, Uuid};

use super::node::Node;
use crate::common::redis::{PASSWORD, Redis};
use crate::common::wait_until;

#[track_caller]
fn refusal(url: &str, store: Option<Uuid>) -> OpenError {
    let error = broker::open(url, NodeId(77), store, Before::Nobody).err().expect("refused");
    assert!(!error.sentence.contains(PASSWORD) && !error.sentence.contains("hunter"), "{}", error.sentence);
    error
}

#[test]
fn nodes_with_another_store_are_refused() {
    let redis = Redis::start();
    let store = Some(Uuid::from_u128(1));
    let mut one = Node::start_with(&redis.url(0), 1, store, broker::Settings::default());
    for other in [None, Some(Uuid::from_u128(2))] {
        let error = refusal(&redis.url(0), other);
        assert!(error.sentence.contains("in another database than this one") && !error.is_passing);
    }
    // Nothing of them stays.
    let mut two = Node::start_with(&redis.url(0), 2, store, broker::Settings::default());
    assert_eq!(two.others, [NodeId(1)]);
    one.say(&[Address::All], "still here");
    assert_eq!(two.hear(), (1, "still here".into()));
}

#[test]
fn a_password_is_asked_for() {
    let redis = Redis::start_with_password();
    drop(Node::start(&redis.url(0), 1));
    let place = format!("127.0.0.1:{}/0", redis.port());
    for url in [format!("redis://{place}"), format!("redis://:hunter2@{place}"), format!("redis://bob:hunter2@{place}")]
    {
        let error = refusal(&url, None);
        assert!(error.sentence.contains("refuses the user or the password") && !error.is_passing, "{error:?}");
    }
}

#[test]
fn what_is_no_redis_is_told_from_what_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://:hunter2@{}/0", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        use std::io::Write;
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let error = refusal(&url, None);
    assert!(error.sentence.contains("not understood") && !error.is_passing, "{error:?}");
    answering.join().unwrap();
    // Now nobody listens there.
    let error = refusal(&url, None);
    assert!(error.sentence.contains("can't be reached") && error.is_passing, "{error:?}");
    for url in ["redis:hunter2", "valkey://x", "http://hunter2@x", ""] {
        let error = refusal(url, None);
        assert_eq!(error.sentence, "the broker URL must begin with redis:// or rediss://");
        assert!(!error.is_passing);
    }
    let error = refusal("redis://127.0.0.1/hunter", None);
    assert!(error.sentence.contains("is not like") && !error.is_passing);
}

#[test]
fn a_paused_server_may_come_back() {
    let redis = Redis::start();
    redis.pause();
    let error = refusal(&redis.url(0), None);
    redis.resume();
    // On a busy machine the connection itself may take too long.
    let is_said = ["does not answer", "can't be reached"].iter().any(|words| error.sentence.contains(words));
    assert!(is_said && error.is_passing, "{error:?}");
}

#[test]
fn tls_is_spoken_where_the_url_asks_for_it() {
    let redis = Redis::start_with_tls();
    let (mut one, mut two) = (Node::start(&redis.url(0), 1), Node::start(&redis.url(0), 2));
    one.say(&[Address::All], "secretly");
    assert_eq!(two.hear(), (1, "secretly".into()));
    // Long ones are more than one record.
    let long = "x".repeat(100_000);
    two.say(&[Address::All], &long);
    assert_eq!(one.hear(), (2, long));
    // Who it is can't be told without anything to tell it by, or when the certificate names another.
    let unknown = redis.url(0).split('?').next().unwrap().to_owned();
    for url in [unknown.clone(), redis.url(0).replace("localhost", "127.0.0.1")] {
        let error = refusal(&url, None);
        assert!(error.sentence.contains("certificate") && !error.is_passing, "{error:?}");
    }
    // Nor is a password told in the clear.
    let error = refusal(&unknown.replace("rediss://", "redis://"), None);
    assert!(error.sentence.contains("can't be"), "{error:?}");
}

fn open_at(redis: &Redis, node: u64, before: Before) -> Result<Opened, OpenError> {
    broker::open(&redis.url(0), NodeId(node), Some(Uuid::from_u128(1)), before)
}

/// Opens it when a server that has just started is believed.
fn open_in_time(redis: &Redis, node: u64, before: Before) -> Opened {
    let mut opened = None;
    wait_until("the server to be believed", || {
        match open_at(redis, node, before) {
            Ok(it) => opened = Some(it),
            Err(error) => {
                assert!(error.is_passing && error.sentence.contains("has just started"), "{}", error.sentence)
            }
        }
        opened.is_some()
    });
    let info = redis.cli(&["INFO", "server"]);
    let uptime = info.lines().find_map(|line| line.strip_prefix("uptime_in_seconds:")).unwrap();
    assert!(uptime.trim().parse::<u64>().unwrap() >= 5, "{uptime}");
    opened.unwrap()
}

/// It may have forgotten nodes that live. When nobody has come back, it is taken for a new one.
#[test]
fn a_server_that_has_just_started_is_given_time_for_nodes_to_come_back() {
    let redis = Redis::start();
    let opened = open_in_time(&redis, 1, Before::Unknown);
    assert_eq!((opened.block, &opened.others[..]), (0, &[][..]));
    assert_eq!(open_at(&redis, 2, Before::Unknown).unwrap().block, BLOCK);
}

/// A node is cut off for longer than anybody waits for it.
#[test]
fn ids_that_the_server_has_forgotten_are_not_given_again() {
    let mut redis = Redis::start();
    let first = open_at(&redis, 1, Before::Nobody).unwrap();
    assert_eq!(first.block, 0);
    redis.kill();
    redis.start_again();
    let second = open_in_time(&redis, 2, Before::Somebody);
    assert!(second.others.is_empty());
    // Now it is back.
    let mut publisher = first.broker.publisher().unwrap();
    publisher.renew(first.block).unwrap();
    let more = publisher.reserve(first.block).unwrap();
    let third = open_at(&redis, 3, Before::Somebody).unwrap();
    let blocks = [first.block, second.block, more, third.block];
    assert!(blocks.windows(2).all(|pair| pair[0] + BLOCK <= pair[1]), "{blocks:?}");
    assert!(second.block > 1 << 50 && third.block < (1 << 53) - BLOCK, "{blocks:?}");
}

/// Nobody needs to know of it then.
#[test]
fn whoever_comes_back_to_a_server_that_has_forgotten_tells_it_what_was_given() {
    let mut redis = Redis::start();
    let first = open_at(&redis, 1, Before::Nobody).unwrap();
    redis.kill();
    redis.start_again();
    first.broker.publisher().unwrap().renew(first.block).unwrap();
    for (node, before) in [(2, Before::Unknown), (3, Before::Nobody), (4, Before::Somebody)] {
        assert!(open_at(&redis, node, before).unwrap().block > first.block);
    }
}
