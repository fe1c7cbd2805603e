//! All at random. `SEED=n` repeats what befalls the cluster; what the threads make of it is never quite the same.

use std::thread;
use std::time::{Duration, Instant};

use super::scene::Scene;
use crate::common::cluster::Cluster;

/// In the end all wait for the lease of whoever was killed last.
const TROUBLE: Duration = Duration::from_secs(12);
const NODES: usize = 3;

fn pause(random: &mut fastrand::Rng, milliseconds: std::ops::Range<u64>) {
    thread::sleep(Duration::from_millis(random.u64(milliseconds)));
}

/// One misfortune, from its beginning to its end.
fn strike(scene: &mut Scene, random: &mut fastrand::Rng) -> &'static str {
    let node = random.usize(..NODES);
    match random.u8(..4) {
        0 => {
            scene.cluster.redis.kill();
            pause(random, 0..1_500);
            scene.cluster.redis.start_again();
            "K"
        }
        1 => {
            scene.cluster.redis.pause();
            pause(random, 0..4_000);
            scene.cluster.redis.resume();
            "P"
        }
        2 => {
            scene.cluster.nodes[node].kill();
            pause(random, 0..1_500);
            scene.cluster.nodes[node].start_again();
            "k"
        }
        _ => {
            scene.cluster.nodes[node].pause();
            pause(random, 0..4_000);
            scene.cluster.nodes[node].resume();
            "p"
        }
    }
}

#[test]
fn one_misfortune_after_the_other() {
    let seed = std::env::var("SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut scene = Scene::begin(Cluster::start(NODES));
    let (began, mut struck) = (Instant::now(), String::new());
    while began.elapsed() < TROUBLE {
        struck += strike(&mut scene, &mut random);
        pause(&mut random, 0..800);
    }
    println!("misfortunes {struck}");
    let (_, verdict) = scene.finish();
    println!("one after the other: {verdict}");
}
