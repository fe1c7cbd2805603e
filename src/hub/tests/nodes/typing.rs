//! Typing over nodes: an end that nobody can tell any more is told nevertheless, and each end once.

use super::world::World;
use super::*;

const NOTHING: [bool; 0] = [];
const CHAT: Target = Target::Room(Reference::Number(9));

/// Two people in one private room, each on a node of its own.
fn apart() -> World {
    let mut world = World::of(2, 1);
    for (node, user) in ["1", "2"].into_iter().enumerate() {
        world.with(node, |hub, effects| hub.open(slot(0), effects));
        let attend = Attend { user: user.into(), follows_all: true, recovery: None };
        world.ask(node, 0, Command::Attend(attend));
        world.settle();
    }
    world
}

fn type_on(world: &mut World, is_typing: bool) {
    world.ask(1, 0, Command::Type { to: CHAT, is_typing });
    while world.step() {}
}

/// What is heard on the other node meanwhile.
fn heard_after(world: &mut World, seconds: u64) -> Vec<bool> {
    for _ in 0..seconds {
        world.pass(Duration::from_secs(1));
        while world.step() {}
    }
    let heard = world.nodes[0].heard.remove(&0).unwrap_or_default();
    let typing = |(event, _)| match event {
        Event::Typing { is_typing, .. } => Some(is_typing),
        _ => None,
    };
    heard.into_iter().filter_map(typing).collect()
}

#[test]
fn an_end_is_told_once() {
    let mut world = apart();
    type_on(&mut world, true);
    type_on(&mut world, false);
    assert_eq!(heard_after(&mut world, 20), [true, false]);
    type_on(&mut world, true);
    assert_eq!(heard_after(&mut world, 5), [true]);
    type_on(&mut world, true);
    assert_eq!(heard_after(&mut world, 5), [true], "it was renewed");
    assert_eq!(heard_after(&mut world, 20), [false]);
    type_on(&mut world, false);
    assert_eq!(heard_after(&mut world, 1), NOTHING);
}

#[test]
fn whoever_is_cut_off_types_no_longer() {
    let mut world = apart();
    type_on(&mut world, true);
    world.cut(1);
    assert_eq!(heard_after(&mut world, 6), [true]);
    assert_eq!(heard_after(&mut world, 1), [false]);
    world.connect(1);
    assert_eq!(heard_after(&mut world, 20), NOTHING);
}

/// Nobody here has heard that it began.
#[test]
fn what_began_unheard_ends_unheard() {
    let mut world = apart();
    world.cut(1);
    type_on(&mut world, true);
    world.connect(1);
    type_on(&mut world, false);
    assert_eq!(heard_after(&mut world, 20), NOTHING);
}
