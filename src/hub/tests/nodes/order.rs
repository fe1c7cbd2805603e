//! What is stored is told everywhere once and in one order, whatever the bus does.

use super::world::{World, messages};
use super::*;

fn listener(since: Option<Mark>) -> Command {
    Command::Visit(None, Visit::Listen { since })
}

fn say(world: &mut World, node: usize, from: usize) {
    world.ask(node, from, Command::SayToRoom { text: text("hi"), client_id: None });
}

/// On each node slot 0 is in the lobby, slot 1 in `tea`, and slot 2 listens to the lobby.
fn peopled(count: usize, seed: u64) -> World {
    let mut world = World::of(count, seed);
    for node in 0..count {
        for (index, room) in [(0, "lobby"), (1, "tea")] {
            world.with(node, |hub, effects| hub.open(slot(index), effects));
            world.ask(node, index, Command::Join { room: name(room) });
        }
        world.nodes[node].hub.open_for_program(slot(2));
        world.ask(node, 2, listener(None));
    }
    world.settle();
    world
}

/// Each who was there all the time has heard all of their room, once and in its order.
fn check(world: &World, seed: u64) {
    for (index, node) in world.nodes.iter().enumerate() {
        for (slot, room) in [(0, RoomId(1)), (1, RoomId(2)), (2, RoomId(1))] {
            // One's own are answered, not told.
            let heard = messages(node.heard.get(&slot).map_or(&[], Vec::as_slice));
            let own = |id: &MessageId| slot < 2 && world.is_by(*id, index, slot);
            let said: Vec<_> = world.said(room).into_iter().filter(|id| !own(id)).collect();
            assert_eq!(heard, said, "seed {seed}, node {index}, slot {slot}");
        }
    }
}

#[test]
fn all_hear_all_once_and_in_one_order() {
    for seed in 0..150 {
        let mut world = peopled(3, seed);
        for _ in 0..60 {
            let (node, from) = (world.random.usize(..3), world.random.usize(..2));
            say(&mut world, node, from);
            for _ in 0..world.random.usize(..6) {
                world.step();
            }
        }
        world.settle();
        check(&world, seed);
    }
}

#[test]
fn what_the_bus_loses_is_read_from_the_store() {
    for seed in 0..150 {
        let mut world = peopled(3, seed);
        world.losing = 4;
        for _ in 0..60 {
            let (node, from) = (world.random.usize(..3), world.random.usize(..2));
            say(&mut world, node, from);
            for _ in 0..world.random.usize(..6) {
                world.step();
            }
            if world.random.u8(..4) == 0 {
                world.pass(Duration::from_millis(20));
            }
        }
        world.losing = 0;
        world.settle();
        check(&world, seed);
    }
}

#[test]
fn a_node_that_is_cut_off_goes_on_and_catches_up() {
    for seed in 0..150 {
        let mut world = peopled(3, seed);
        for _ in 0..80 {
            let (node, from) = (world.random.usize(..3), world.random.usize(..2));
            match world.random.u8(..12) {
                0 => world.cut(node),
                1 => world.connect(node),
                2 => world.pass(Duration::from_millis(20)),
                _ => say(&mut world, node, from),
            }
            for _ in 0..world.random.usize(..6) {
                world.step();
            }
        }
        (0..3).for_each(|node| world.connect(node));
        world.settle();
        check(&world, seed);
    }
}

/// A listener that goes from node to node, and each time says how far it has heard.
#[test]
fn whoever_comes_back_on_another_node_has_no_gap_and_nothing_twice() {
    for seed in 0..400 {
        let mut world = peopled(3, seed);
        world.losing = 8;
        // On one node nobody else is in the lobby: what is said there is not for that node, unless the listener comes.
        if seed % 2 == 1 {
            [0, 2].into_iter().for_each(|index| world.with(2, |hub, effects| hub.close(slot(index), effects)));
        }
        let (mut at, mut heard, mut mark) = (0, Vec::new(), Mark::default());
        world.nodes[at].hub.open_for_program(slot(3));
        world.ask(at, 3, listener(Some(mark)));
        for _ in 0..60 {
            let (node, from) = (world.random.usize(..3), world.random.usize(..2));
            match world.random.u8(..15) {
                0 => world.cut(node),
                1 | 2 => world.connect(node),
                _ => say(&mut world, node, from),
            }
            for _ in 0..world.random.usize(..8) {
                world.step();
            }
            if world.random.u8(..3) == 0 {
                world.pass(Duration::from_millis(20));
            }
            take(&mut world, at, &mut heard, &mut mark);
            if world.random.u8(..5) == 0 {
                world.with(at, |hub, effects| hub.close(slot(3), effects));
                at = world.random.usize(..3);
                world.nodes[at].hub.open_for_program(slot(3));
                world.ask(at, 3, listener(Some(mark)));
            }
        }
        world.losing = 0;
        (0..3).for_each(|node| world.connect(node));
        for _ in 0..20 {
            world.settle();
            take(&mut world, at, &mut heard, &mut mark);
        }
        assert_eq!(heard, world.said(RoomId(1)), "seed {seed}");
    }
}

/// What the listener has heard since it was asked last: what it had missed comes first. It asks on if there is more.
fn take(world: &mut World, at: usize, heard: &mut Vec<MessageId>, mark: &mut Mark) {
    for reply in world.nodes[at].replies.remove(&3).unwrap_or_default() {
        let Reply::Heard { missed, mark: up_to, has_more } = reply else { panic!("{reply:?}") };
        heard.extend(messages(&missed));
        *mark = missed.last().map_or(*mark, |(_, mark)| *mark);
        *mark = up_to.unwrap_or(*mark);
        if has_more {
            world.ask(at, 3, listener(Some(*mark)));
        }
    }
    for (event, since) in world.nodes[at].heard.remove(&3).unwrap_or_default() {
        heard.extend(messages(&[(event, since)]));
        *mark = since;
    }
}

/// Nobody attends who takes part in it, so no node but that of its member knows the room.
#[test]
fn what_is_said_where_nobody_here_takes_part_is_heard_by_those_who_do() {
    const OURS: RoomId = RoomId(9);
    let mut world = World::of(2, 1);
    world.with(1, |hub, effects| hub.open(slot(0), effects));
    for command in [Command::SwitchUser { user: Reference::Number(2) }, Command::EnterRoom { room: OURS.into() }] {
        world.ask(1, 0, command);
        world.settle();
    }
    world.nodes[0].hub.open_for_program(slot(0));
    let request = Request {
        claimed_sender: Some(command::Claim::User(Reference::Number(1))),
        command: to_room(OURS.into()),
        tag: None,
    };
    world.with(0, |hub, effects| hub.apply(slot(0), request, effects));
    world.settle();
    assert_eq!(messages(&world.nodes[1].heard[&0]), world.said(OURS));
    assert_eq!(world.said(OURS).len(), 1);
}

#[test]
fn what_nobody_has_stored_is_looked_for_once() {
    let mut world = peopled(1, 1);
    let far = Position { number: 99, ..Position::default() };
    world.with(0, |hub, effects| hub.hear(NodeId(7), Notice::Alive(far), effects));
    world.settle();
    assert_eq!(world.nodes[0].hub.nodes.next_due().map(|due| due > world.nodes[0].hub.now), Some(true));
    say(&mut world, 0, 0);
    world.settle();
    check(&world, 1);
}

#[test]
fn what_could_not_be_stored_is_answered_while_something_is_read() {
    let mut world = peopled(1, 1);
    let hub = &mut world.nodes[0].hub;
    hub.apply(slot(0), Command::SayToRoom { text: text("hi"), client_id: None }.into(), &mut Vec::new());
    hub.disconnected();
    hub.connected();
    let jobs = hub.take_jobs(Timestamp::default());
    let (ticket, _) = jobs.into_iter().find(|(_, job)| matches!(job, Job::Append(_))).expect("what was said");
    hub.queue(ticket, Err(Fault::Unavailable("it is down".into())));
    assert!(matches!(hub.next_in_order(), Some(nodes::Telling::Outcome(of, Err(_))) if of == ticket));
    assert!(hub.next_in_order().is_none());
}

/// A transaction of another node: one message in each of these rooms.
fn batch(number: u64, rooms: &[RoomId]) -> Vec<Notice> {
    let mark = Mark { message: MessageId(rooms.len() as i64), ..Mark::default() };
    let position = Position { number, transaction: 100 * number as i64, mark };
    let deed = |(id, room): (i64, &RoomId)| {
        let said = job::MessageRecord { transaction: None, ..attend::message(id, Some(1), "user1") };
        let deed = job::Outside { room: self::room(room.0, "some"), participants: None, what: job::Deed::Said(said) };
        Notice::Deed { position: Some(position), deed: Box::new(deed), connection: None }
    };
    let concerns = rooms.iter().map(|&room| Concern { room, users: Vec::new(), count: 1 }).collect();
    (1..).zip(rooms).map(deed).chain([Notice::Committed { position, concerns }]).collect()
}

/// Whether something is to be read now.
fn reads(hub: &mut Hub) -> bool {
    while hub.next_in_order().is_some() {}
    hub.advance(hub.now + Duration::from_secs(1), &mut Vec::new());
    hub.take_jobs(Timestamp::default()).iter().any(|(_, job)| matches!(job, Job::CatchUp { .. }))
}

/// For a moment the broker knows of the former room, and not of the new one.
#[test]
fn what_was_said_where_somebody_goes_is_not_made_up_for_by_what_was_said_where_they_were() {
    let mut world = World::of(1, 1);
    world.with(0, |hub, effects| hub.open(slot(0), effects));
    world.ask(0, 0, Command::Join { room: name("tea") });
    world.settle();
    world.ask(0, 0, Command::Join { room: name("lobby") });
    let mut notices = batch(1, &[RoomId(1), RoomId(2)]);
    let lost = notices.remove(0);
    assert!(matches!(lost, Notice::Deed { deed, .. } if deed.room.id == RoomId(1)));
    let hub = &mut world.nodes[0].hub;
    notices.into_iter().for_each(|notice| hub.hear(NodeId(7), notice, &mut Vec::new()));
    assert!(reads(hub));
}

#[test]
fn what_could_not_be_stored_is_answered_behind_what_waits_for_others() {
    let mut world = peopled(1, 1);
    let hub = &mut world.nodes[0].hub;
    let append = |hub: &mut Hub, from: usize| {
        hub.apply(slot(from), Command::SayToRoom { text: text("hi"), client_id: None }.into(), &mut Vec::new());
        let jobs = hub.take_jobs(Timestamp::default());
        jobs.into_iter().find(|(_, job)| matches!(job, Job::Append(_))).expect("what was said").0
    };
    let (first, second) = (append(hub, 0), append(hub, 1));
    // The number before it is another node's, and was not heard.
    let position = Position { number: 2, transaction: 200, ..Position::default() };
    let done = job::Appended {
        message: MessageId(2),
        room: room(1, "lobby").ids(),
        author: None,
        direct: None,
        at: Timestamp::default(),
        is_repeat: false,
        order: Some(job::Order { position, count: 1 }),
    };
    hub.queue(first, Ok(Done::Appended(done)));
    hub.queue(second, Err(Fault::Unavailable("it is down".into())));
    assert!(matches!(hub.next_in_order(), Some(Telling::Outcome(of, Err(_))) if of == second));
    assert!(hub.next_in_order().is_none());
}

/// Only this node can't reach the store: the others go on.
#[test]
fn what_can_not_be_told_for_long_is_read_and_not_kept() {
    let mut world = peopled(1, 1);
    let hub = &mut world.nodes[0].hub;
    // The first is missing.
    for number in 2..3_000 {
        batch(number, &[RoomId(1)]).into_iter().for_each(|notice| hub.hear(NodeId(7), notice, &mut Vec::new()));
    }
    assert!(hub.nodes.waiting_transactions() < 2_000);
    assert!(reads(hub));
}
