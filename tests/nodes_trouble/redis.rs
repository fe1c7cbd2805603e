//! Redis is gone, or stands still.

use std::thread;
use std::time::{Duration, Instant};

use super::scene::{Scene, metric};
use crate::common::cluster::{Cluster, Node};
use crate::common::wait_until;

/// How often it is killed.
const KILLS: usize = 3;

/// So long it is away each time, and so long it stands still: longer than an answer is waited for.
const AWAY: Duration = Duration::from_millis(1_500);
const STILL: Duration = Duration::from_secs(4);

/// Whatever it is that the machine does besides.
const AT_ONCE: Duration = Duration::from_secs(2);

fn says_that_it_is_down(node: &Node) -> bool {
    let ready = node.get("/ready", &[]);
    ready.starts_with("HTTP/1.1 503 ") && ready.contains("the broker is down: ") && metric(node, "broker_up") == 0
}

#[test]
fn nothing_is_lost_with_redis_and_nobody_waits_for_it() {
    let mut scene = Scene::begin(Cluster::start(2));
    let mut troubles = Vec::new();
    for _ in 0..KILLS {
        let began = Instant::now();
        scene.cluster.redis.kill();
        wait_until("the nodes to say so", || scene.cluster.nodes.iter().all(says_that_it_is_down));
        thread::sleep(AWAY.saturating_sub(began.elapsed()));
        troubles.push((began, Instant::now()));
        scene.cluster.redis.start_again();
        scene.cluster.wait_until_ready();
        scene.wait_for_talk();
    }
    let began = Instant::now();
    scene.cluster.redis.pause();
    wait_until("the nodes to say so", || scene.cluster.nodes.iter().all(says_that_it_is_down));
    thread::sleep(STILL.saturating_sub(began.elapsed()));
    troubles.push((began, Instant::now()));
    scene.cluster.redis.resume();
    scene.cluster.wait_until_ready();
    scene.wait_for_talk();

    let (_, verdict) = scene.finish();
    println!("Redis killed and paused: {verdict}");
    for (began, ended) in troubles {
        let acknowledged = verdict.acknowledged(began, ended);
        println!("  away for {:.1?}: {acknowledged}; heard {:.1?} after", ended - began, verdict.heard_again(ended));
        assert!(acknowledged.count > 10 && acknowledged.longest < AT_ONCE, "{acknowledged}");
    }
}
