//! Who is online by the store: in the end those who are there, whatever becomes of nodes.

use super::directory::{attend, open};
use super::world::World;
use super::*;

/// Nodes are cut off, are taken for gone, and take each other for alone; the store fails.
#[test]
fn in_the_end_the_store_knows_who_is_online() {
    for seed in 0..200 {
        let mut world = World::of(3, seed);
        world.failing = 4;
        let mut is_there = [[false; 3]; 3];
        for _ in 0..60 {
            let (node, index) = (world.random.usize(..3), world.random.usize(..3));
            match world.random.u8(..10) {
                0 => world.cut(node),
                1 => world.lose(node),
                2 | 3 => world.connect(node),
                4 => world.pass(Duration::from_secs(3)),
                _ if is_there[node][index] => world.with(node, |hub, effects| hub.close(slot(index), effects)),
                _ => {
                    open(&mut world, node, index);
                    let attend = Attend { user: (index + 1).to_string(), follows_all: true, recovery: None };
                    world.ask(node, index, Command::Attend(attend));
                }
            }
            let hub = &world.nodes[node].hub;
            is_there[node][index] = hub.who(slot(index)).is_some();
            for _ in 0..world.random.usize(..8) {
                world.step();
            }
        }
        world.failing = 0;
        (0..3).for_each(|node| world.connect(node));
        world.settle();
        let present = |index: &usize| is_there.iter().any(|node| node[*index]);
        let present: Vec<_> = (0..3).filter(present).map(|index| UserId(index as i64 + 1)).collect();
        assert_eq!(Vec::from_iter(world.online), present, "seed {seed}");
    }
}

/// So it is when the broker has just forgotten all.
#[test]
fn who_began_alone_by_mistake_notes_those_who_are_there_after_all() {
    let mut world = World::of(1, 1);
    attend(&mut world, 0, 0, "1");
    world.online.clear();
    world.start_alone();
    world.settle();
    assert_eq!(Vec::from_iter(world.online), [UserId(1)]);
}

/// A host has gone and come back before its nodes were missed.
#[test]
fn whoever_was_on_a_node_that_nobody_has_heard_is_online_no_longer() {
    for seed in 0..20 {
        let mut world = World::of(2, seed);
        world.failing = 4;
        attend(&mut world, 0, 0, "1");
        attend(&mut world, 1, 0, "2");
        // More than are looked at together.
        world.online.extend((3..1_000).map(UserId));
        world.lose_unheard();
        // One of them comes meanwhile.
        open(&mut world, 1, 1);
        let attend = Attend { user: "500".into(), follows_all: true, recovery: None };
        world.ask(1, 1, Command::Attend(attend));
        for _ in 0..3 {
            world.settle();
        }
        world.failing = 0;
        world.settle();
        assert_eq!(Vec::from_iter(world.online), [1, 2, 500].map(UserId), "seed {seed}");
    }
}

#[test]
fn nobody_is_taken_for_gone_whose_node_is_about_to_say_who_is_there() {
    let mut world = World::of(1, 1);
    attend(&mut world, 0, 0, "1");
    world.online.insert(UserId(7));
    let newcomer = world.start();
    // It hears of a node that is there, and that one's word is still on its way.
    let other = world.nodes[0].hub.node();
    world.with(newcomer, |hub, effects| hub.hear(other, Notice::Alive(Position::default()), effects));
    world.with(newcomer, |hub, effects| hub.lose(NodeId(999), true, effects));
    let asks = |world: &mut World| {
        world.pass(Duration::from_secs(2));
        let jobs = world.nodes[newcomer].hub.take_jobs(Timestamp::default());
        jobs.iter().any(|(_, job)| matches!(job, Job::ListOnline { .. }))
    };
    assert!(!asks(&mut world) && !asks(&mut world));
    let moves = vec![Move::Present { user: user(1, "user1"), rooms: Vec::new() }];
    let directory = Notice::Directory { is_first: true, is_last: true, moves };
    world.with(newcomer, |hub, effects| hub.hear(other, directory, effects));
    assert!(asks(&mut world));
}

/// Its word comes late, and behind what the store was told.
#[test]
fn whoever_is_heard_of_later_is_online_again() {
    let mut world = World::of(1, 1);
    attend(&mut world, 0, 0, "1");
    world.cut(0);
    world.start();
    world.with(1, |hub, effects| hub.lose(NodeId(999), true, effects));
    world.settle();
    assert!(world.online.is_empty(), "nobody knows of them");
    world.connect(0);
    world.settle();
    assert_eq!(Vec::from_iter(world.online), [UserId(1)]);
}

/// What it wrote last, and what became of rooms there, may have been told to nobody.
#[test]
fn what_a_node_did_that_nobody_has_heard_is_read() {
    let mut world = World::of(1, 1);
    world.with(0, |hub, effects| hub.lose(NodeId(999), true, effects));
    let jobs = world.nodes[0].hub.take_jobs(Timestamp::default());
    assert!(matches!(&jobs[..], [(_, Job::CatchUp { .. }), (_, Job::Survey { .. })]), "{jobs:?}");
}
