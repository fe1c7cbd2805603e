//! A node is killed.

use std::time::{Duration, Instant};

use super::scene::{RATE, Scene, guest, is_listed, online};
use crate::common::cluster::Cluster;
use crate::common::database::value;
use crate::common::peer::{Socket, connect_packet};
use crate::common::people::user;
use crate::common::waiting::wait_within;

/// So long a node that is not heard counts as there, and what the others need to notice.
const LEASE: Duration = Duration::from_secs(15);
const MARGIN: Duration = Duration::from_secs(5);

#[test]
fn whoever_loses_their_node_misses_nothing_and_no_ghost_remains() {
    let mut scene = Scene::begin_with(Cluster::start(3), RATE, &["lost"]);
    // They don't come back.
    let (watcher, (member, id)) = (scene.chat("lost", 2), guest(&scene.cluster.nodes[2]));
    let uuid = value(&scene.cluster.database, "SELECT uuid FROM users WHERE username = 'lost'");
    let status = "SELECT status FROM users WHERE username = 'lost'";
    let is_there = |scene: &Scene, node: usize| {
        let node = &scene.cluster.nodes[node];
        [is_listed(node, &id), online(node, "stayer0").contains(&uuid)]
    };
    wait_within(MARGIN, "the others to know them", || (0..2).all(|node| is_there(&scene, node) == [true, true]));
    scene.wait_for_talk();

    let killed = Instant::now();
    scene.cluster.nodes[2].kill();
    drop((watcher, member));
    scene.wait_for_talk();
    assert_eq!(is_there(&scene, 0), [true, true], "a node may be silent for a while");
    wait_within(LEASE + MARGIN, "the ghosts to go", || (0..2).all(|node| is_there(&scene, node) == [false, false]));
    let ghosts = killed.elapsed();
    wait_within(MARGIN, "the database to know", || value(&scene.cluster.database, status) == "offline");
    scene.wait_for_talk();
    scene.cluster.nodes[2].start_again();
    scene.cluster.wait_until_ready();
    scene.wait_for_talk();

    let (_, verdict) = scene.finish();
    println!("a node killed: {verdict}");
    println!("  ghosts gone after {ghosts:.1?}, heard {:.1?} after", verdict.heard_again(killed));
    assert!(verdict.returns >= 7, "all who were on it came back");
}

/// Redis still lists it when it is back under another name, which hears nobody.
#[test]
fn nobody_stays_online_whose_only_node_was_killed_and_started_again() {
    let mut cluster = Cluster::start(1);
    let database = cluster.database.clone();
    let status = |name: &str| value(&database, &format!("SELECT status FROM users WHERE username = '{name}'"));
    let come = |cluster: &Cluster, name: &str| {
        let mut socket = Socket::open(cluster.nodes[0].address);
        socket.send(&connect_packet("/conversation", name));
        wait_within(MARGIN, "them to be online", || status(name) == "online");
        socket
    };
    let gone = ["ann", "bob"].map(|name| {
        user(&cluster.nodes[0], name);
        come(&cluster, name)
    });
    cluster.nodes[0].kill();
    drop(gone);
    cluster.nodes[0].start_again();
    wait_within(MARGIN, "the node to be ready", || cluster.nodes[0].is_ready());
    assert_eq!(["ann", "bob"].map(status), ["online", "online"], "the dead node may still be there");
    let _bob = come(&cluster, "bob");
    wait_within(LEASE + MARGIN, "the database to know", || status("ann") == "offline");
    assert_eq!(status("bob"), "online");
}
