//! A node stands still for longer than the others believe in it.

use std::time::{Duration, Instant};

use super::scene::{Scene, guest, is_listed};
use crate::common::cluster::Cluster;
use crate::common::waiting::wait_within;

const STILL: Duration = Duration::from_secs(20);

#[test]
fn a_node_that_stood_still_tells_what_it_missed_once() {
    let scene = Scene::begin(Cluster::start(2));
    let (member, id) = guest(&scene.cluster.nodes[1]);
    let is_listed = || is_listed(&scene.cluster.nodes[0], &id);
    wait_within(STILL, "the other to know them", is_listed);
    let began = Instant::now();
    scene.cluster.nodes[1].pause();
    wait_within(STILL, "the other to give it up", || !is_listed());
    let gone = began.elapsed();
    scene.wait_for_talk();
    std::thread::sleep(STILL.saturating_sub(began.elapsed()));
    let resumed = Instant::now();
    scene.cluster.nodes[1].resume();
    wait_within(STILL, "its members to be back", is_listed);
    let back = resumed.elapsed();
    scene.cluster.wait_until_ready();
    scene.wait_for_talk();
    drop(member);

    let (_, verdict) = scene.finish();
    println!("a node paused: {verdict}");
    println!(
        "  its members gone after {gone:.1?}, back {back:.1?} after, heard {:.1?} after",
        verdict.heard_again(resumed)
    );
}
