//! What nodes tell one another.

use std::time::{Duration, Instant};

use roomcast::broker::{Arrival, BLOCK, Settings};
use roomcast::hub::nodes::{Address, Errand, Notice};
use roomcast::id::{NodeId, UserId};

use super::node::{Node, room};
use crate::common::redis::Redis;
use crate::common::waiting::wait_until;

/// Waits until somebody listens there, or nobody.
fn wait_for_listeners(redis: &Redis, channel: &str, count: usize) {
    let expected = format!("{channel}\n{count}\n");
    wait_until("the listeners", || redis.cli(&["PUBSUB", "NUMSUB", channel]) == expected);
}

#[test]
fn what_is_told_is_heard_where_it_is_listened_to() {
    let redis = Redis::start();
    let (mut one, mut two, mut three) =
        (Node::start(&redis.url(0), 1), Node::start(&redis.url(0), 2), Node::start(&redis.url(0), 3));
    assert_eq!((one.first_block, two.first_block, three.first_block), (0, BLOCK, 2 * BLOCK));
    assert_eq!((one.others.len(), two.others.clone(), three.others.len()), (0, vec![NodeId(1)], 2));
    one.say(&[Address::All], "to all");
    assert_eq!((two.hear(), three.hear()), ((1, "to all".into()), (1, "to all".into())));
    one.say(&[Address::Node(NodeId(3))], "to three");
    two.listen(room(7), true);
    two.listen(Address::Name("a room: with spaces".into()), true);
    two.listen(Address::User(UserId(5)), true);
    wait_for_listeners(&redis, "roomcast:0:user:5", 1);
    one.say(&[room(7)], "to the room");
    one.say(&[Address::Name("a room: with spaces".into())], "to the name");
    // Over several channels, on both of which one listens, and once.
    one.say(&[room(7), Address::User(UserId(5)), Address::All], "to many");
    assert_eq!(three.hear(), (1, "to three".into()));
    assert_eq!(three.hear(), (1, "to many".into()));
    assert_eq!(two.hear(), (1, "to the room".into()));
    assert_eq!(two.hear(), (1, "to the name".into()));
    assert_eq!(two.hear(), (1, "to many".into()));
    two.listen(room(7), false);
    wait_for_listeners(&redis, "roomcast:0:room:7", 0);
    one.say(&[room(7)], "to nobody");
    one.say(&[Address::All], "the last");
    assert_eq!(two.hear(), (1, "the last".into()));
    // Nobody hears itself.
    two.say(&[Address::All], "from two");
    assert_eq!(one.hear(), (2, "from two".into()));
    // The third has said nothing since this one came.
    let stats = two.handle().stats();
    assert_eq!((stats.is_up, stats.nodes, stats.malformed, stats.received), (true, 2, 0, 5));
}

#[test]
fn databases_of_one_server_are_apart() {
    let redis = Redis::start();
    let (mut one, mut other) = (Node::start(&redis.url(0), 1), Node::start(&redis.url(1), 2));
    assert_eq!((other.first_block, other.others.len()), (0, 0));
    let mut two = Node::start(&redis.url(0), 3);
    other.say(&[Address::All], "elsewhere");
    one.say(&[Address::All], "here");
    assert_eq!(two.hear(), (1, "here".into()));
}

#[test]
fn of_each_sender_everything_comes_in_order() {
    let redis = Redis::start();
    let mut nodes = [1, 2, 3].map(|id| Node::start(&redis.url(0), id));
    for n in 0..2_000 {
        nodes[n % 2].say(&[Address::All], &n.to_string());
    }
    let mut heard = [Vec::new(), Vec::new()];
    for _ in 0..2_000 {
        let (from, text) = nodes[2].hear();
        heard[from as usize - 1].push(text.parse::<usize>().unwrap());
    }
    for (parity, numbers) in heard.into_iter().enumerate() {
        assert_eq!(numbers, (0..1_000).map(|n| 2 * n + parity).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_not_understood_is_counted() {
    let redis = Redis::start();
    let mut one = Node::start(&redis.url(0), 1);
    let long = format!(r#"{{"v":1,"node":"{}","n":1,"what":"Hello"}}"#, "0".repeat(17));
    let other_version = r#"{"v":2,"node":"0000000000000009","n":1,"what":"Hello"}"#;
    let unknown = r#"{"v":1,"node":"0000000000000009","n":2,"what":"Goodbye"}"#;
    for text in ["garbage", "", "[]", "{}", &long, other_version, unknown] {
        redis.cli(&["PUBLISH", "roomcast:0:all", text]);
    }
    redis.cli(&["PUBLISH", "roomcast:0:all", r#"{"v":1,"node":"0000000000000009","n":3,"what":"Hello"}"#]);
    one.expect(&Arrival::Notice { from: NodeId(9), notice: Notice::Hello });
    assert_eq!(one.handle().stats().malformed, 7);
}

#[test]
fn who_says_nothing_is_gone_and_who_says_farewell_is_not() {
    let redis = Redis::start();
    let settings = Settings { lease: Duration::from_secs(1), ..Settings::default() };
    let mut two = Node::start(&redis.url(0), 2);
    let mut three = Node::start(&redis.url(0), 3);
    let mut one = Node::start_with(&redis.url(0), 1, None, settings);
    assert_eq!(one.others.len(), 2);
    three.say(&[Address::All], "here");
    three.send(&[Address::All], Notice::Farewell);
    two.say(&[Address::All], "here");
    let last = Instant::now();
    let arrivals = one.skip_to(Duration::from_secs(5), &Arrival::Gone(NodeId(2)));
    // It may be looked at a fifth of that later: so it is silent for four fifths.
    assert!(last.elapsed() >= Duration::from_millis(800), "{:?}", last.elapsed());
    assert_eq!(arrivals.len(), 3, "{arrivals:?}");
    // Who is heard again is back.
    assert_eq!(one.handle().stats().nodes, 1);
    two.say(&[Address::All], "again");
    assert_eq!(one.hear(), (2, "again".into()));
    assert_eq!(one.handle().stats().nodes, 2);
    // Who goes in order is no longer among those who live.
    three.finish();
    let four = Node::start(&redis.url(0), 4);
    let mut others = four.others.clone();
    others.sort_unstable();
    assert_eq!(others, [NodeId(1), NodeId(2)]);
}

/// Blocks of ids, none of which may come twice.
struct Blocks(Vec<u64>);

impl Blocks {
    #[track_caller]
    fn add(&mut self, block: u64) {
        assert!(block.is_multiple_of(BLOCK) && !self.0.contains(&block), "{block} after {:?}", self.0);
        self.0.push(block);
    }

    #[track_caller]
    fn reserve(&mut self, node: &mut Node) {
        node.handle().carry_out(Errand::Reserve);
        let Arrival::Block(block) = node.next() else { panic!("not a block") };
        self.add(block);
    }
}

#[test]
fn blocks_of_ids_are_given_once() {
    let redis = Redis::start();
    let [mut one, mut two] = [1, 2].map(|id| Node::start(&redis.url(0), id));
    let mut blocks = Blocks(vec![one.first_block, two.first_block]);
    for _ in 0..3 {
        blocks.reserve(&mut one);
    }
    assert_eq!(blocks.0, [0, 1, 2, 3, 4].map(|n| n * BLOCK));
    // Also after the server has forgotten which were given: to those who know of it, in whatever order, and to new ones.
    redis.cli(&["FLUSHALL"]);
    blocks.reserve(&mut two);
    blocks.reserve(&mut one);
    let seconds = || redis.cli(&["TIME"]).lines().next().unwrap().parse::<u64>().unwrap();
    wait_until("as many blocks as could have been given", || seconds() * 32 * BLOCK > *blocks.0.last().unwrap());
    redis.cli(&["FLUSHALL"]);
    let mut three = Node::start(&redis.url(0), 3);
    blocks.add(three.first_block);
    for node in [&mut two, &mut three, &mut one] {
        blocks.reserve(node);
    }
}

/// Seconds of the processor that the threads of this process with that name have used.
fn seconds_of(name: &str) -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|entry| {
        let thread = entry.unwrap().path();
        // It may be ending just now.
        let read = |file: &str| std::fs::read_to_string(thread.join(file)).ok();
        let is_it = read("comm")?.trim_end() == name;
        let nanoseconds = read("schedstat")?.split(' ').next()?.parse::<u64>().ok()?;
        is_it.then_some(nanoseconds as f64 / 1e9)
    });
    threads.sum()
}

/// Figures are printed, since they are another machine's everywhere; that all of it arrives is what has to hold.
#[test]
fn many_envelopes_go_through() {
    const COUNT: usize = 50_000;
    let redis = Redis::start();
    let settings = Settings { queue: COUNT, queue_bytes: 1 << 30, ..Settings::default() };
    let mut one = Node::start_with(&redis.url(0), 1, None, settings);
    let mut two = Node::start(&redis.url(0), 2);
    two.listen(room(1), true);
    wait_for_listeners(&redis, "roomcast:0:room:1", 1);
    let text = "x".repeat(64);
    let before = (seconds_of("broker-out"), seconds_of("broker-in"), redis.seconds());
    let began = Instant::now();
    let send = move || {
        for _ in 0..COUNT {
            one.say(&[room(1)], &text);
        }
        (one, seconds_of("sender"))
    };
    let sender = std::thread::Builder::new().name("sender".into()).spawn(send).unwrap();
    for _ in 0..COUNT {
        two.hear();
    }
    let took = began.elapsed();
    let after = (seconds_of("broker-out"), seconds_of("broker-in"), redis.seconds());
    let (mut one, packing) = sender.join().unwrap();
    assert_eq!(one.handle().stats().dropped, 0);
    let each = |seconds: f64| seconds * 1e6 / COUNT as f64;
    println!(
        "{:.0} envelopes a second; for each: {:.1} us on the sender's loop, {:.1} us on its thread, {:.1} us in \
         Redis, {:.1} us on the receiver's thread",
        COUNT as f64 / took.as_secs_f64(),
        each(packing),
        each(after.0 - before.0),
        each(after.2 - before.2),
        each(after.1 - before.1),
    );
}
