//! Who is where: every node knows it of all, and nobody stays who has gone.

use super::world::World;
use super::*;

pub(super) fn open(world: &mut World, node: usize, index: usize) -> ConnectionId {
    world.with(node, |hub, effects| hub.open(slot(index), effects))
}

pub(super) fn join(world: &mut World, node: usize, index: usize, room: &str) {
    world.ask(node, index, Command::Join { room: name(room) });
}

/// The answer to the last request of that slot.
fn answer(world: &mut World, node: usize, index: usize, command: Command) -> Reply {
    world.ask(node, index, command);
    world.settle();
    world.nodes[node].replies.get_mut(&index).and_then(Vec::pop).expect("an answer")
}

fn members(world: &mut World, node: usize, index: usize, room: &str) -> Vec<u64> {
    let reply = answer(world, node, index, Command::ListMembers { room: name(room) });
    let Reply::Members { members, .. } = reply else { panic!("{reply:?}") };
    members.into_iter().map(|id| id.0 % BLOCK + id.0 / BLOCK * 100).collect()
}

pub(super) fn heard(world: &mut World, node: usize, index: usize) -> Vec<Event> {
    world.settle();
    world.nodes[node].heard.remove(&index).unwrap_or_default().into_iter().map(|(event, _)| event).collect()
}

#[test]
fn lists_tell_of_all_nodes() {
    let mut world = World::of(3, 1);
    for node in [2, 0, 1] {
        open(&mut world, node, 0);
        join(&mut world, node, 0, "den");
        world.settle();
        world.pass(Duration::from_secs(1));
    }
    for node in 0..3 {
        assert_eq!(members(&mut world, node, 0, "den"), [200, 0, 100], "node {node}");
        let reply = answer(&mut world, node, 0, Command::ListRooms);
        let Reply::Rooms { rooms } = reply else { panic!("{reply:?}") };
        let rooms: Vec<_> = rooms.iter().map(|room| (&*room.name, room.members)).collect();
        assert_eq!(rooms, [("lobby", 0), ("tea", 0), ("den", 3)]);
    }
    let joined = heard(&mut world, 2, 0);
    assert!(matches!(&joined[..], [Event::Joined { .. }, Event::Joined { .. }]), "{joined:?}");
    world.ask(1, 0, Command::Leave);
    assert!(
        matches!(&heard(&mut world, 0, 0)[..], [.., Event::Left { who: Who::Guest { connection, .. }, .. }] if connection.0 == BLOCK)
    );
    for node in [0, 2] {
        world.ask(node, 0, Command::Leave);
    }
    world.settle();
    let reply = answer(&mut world, 1, 0, Command::ListMembers { room: name("den") });
    assert_eq!(reply, Reply::Refused(Refusal::NoSuchRoom { name: "den".into() }));
}

#[test]
fn what_is_said_in_an_ephemeral_room_and_to_one_connection_crosses() {
    let mut world = World::of(2, 1);
    let (one, other) = (open(&mut world, 0, 0), open(&mut world, 1, 0));
    join(&mut world, 0, 0, "den");
    join(&mut world, 1, 0, "den");
    world.settle();
    world.nodes[0].heard.clear();
    world.ask(1, 0, Command::SayToRoom { text: text("hi"), client_id: None });
    world.ask(1, 0, Command::SayToUser { to: one.to_string(), text: text("psst") });
    let from = Who::Guest { connection: other, uuid: session::guest_uuid(1_001, other) };
    let expected = [
        Event::RoomMessage { room: "den".into(), from, text: "hi".into(), stored: None },
        Event::PrivateMessage { from: other, text: "psst".into() },
    ];
    assert_eq!(heard(&mut world, 0, 0), expected);
    world.with(0, |hub, effects| hub.close(slot(0), effects));
    world.settle();
    let reply = answer(&mut world, 1, 0, Command::SayToUser { to: one.to_string(), text: text("gone?") });
    assert_eq!(reply, Reply::Refused(Refusal::NoSuchUser { id: one.to_string() }));
}

#[test]
fn a_node_that_dies_takes_everybody_along_and_one_that_comes_back_brings_them() {
    let mut world = World::of(3, 1);
    for node in 0..3 {
        open(&mut world, node, 0);
        join(&mut world, node, 0, "den");
        world.settle();
    }
    world.nodes[0].heard.clear();
    world.cut(2);
    world.lose(2);
    assert!(matches!(&heard(&mut world, 0, 0)[..], [Event::Left { .. }]));
    assert_eq!(members(&mut world, 0, 0, "den"), [0, 100]);
    // Meanwhile somebody goes there, and somebody comes.
    world.with(2, |hub, effects| hub.close(slot(0), effects));
    open(&mut world, 2, 1);
    join(&mut world, 2, 1, "den");
    world.connect(2);
    assert!(matches!(&heard(&mut world, 0, 0)[..], [Event::Joined { .. }]));
    let mut all = members(&mut world, 0, 0, "den");
    all.sort_unstable();
    assert_eq!(all, [0, 100, 201]);
}

#[test]
fn many_leave_a_lost_node_in_parts_and_all_of_them_before_it_is_heard_again() {
    const MANY: usize = 1_500;
    let (mut world, lost) = (World::of(1, 1), NodeId(7));
    open(&mut world, 0, 0);
    join(&mut world, 0, 0, "den");
    let enter = |id| {
        let (connection, room) = (ConnectionId(id), RoomTag::Ephemeral("den".into()));
        Move::Enter { connection, room, at: Timestamp::default() }
    };
    let moves = (BLOCK..).take(MANY).map(enter).collect();
    let directory = Notice::Directory { is_first: true, is_last: true, moves };
    world.with(0, |hub, effects| hub.hear(lost, directory, effects));
    assert_eq!(members(&mut world, 0, 0, "den").len(), 1 + MANY);
    world.nodes[0].heard.clear();

    world.with(0, |hub, effects| hub.lose(lost, true, effects));
    let first = heard(&mut world, 0, 0).len();
    assert!((1..MANY).contains(&first) && world.nodes[0].hub.has_losses(), "{first} at once");
    world.with(0, |hub, effects| hub.hear(lost, Notice::Hello, effects));
    assert!(!world.nodes[0].hub.has_losses());
    assert_eq!(first + heard(&mut world, 0, 0).len(), MANY);
    assert_eq!(members(&mut world, 0, 0, "den"), [0]);
}

#[test]
fn a_short_cut_leaves_no_trace_but_what_has_changed() {
    for seed in 0..50 {
        let mut world = World::of(3, seed);
        for node in 0..3 {
            for index in 0..3 {
                open(&mut world, node, index);
                join(&mut world, node, index, "den");
            }
        }
        world.settle();
        world.cut(1);
        for _ in 0..30 {
            let (node, index) = (world.random.usize(..3), world.random.usize(1..3));
            let room = ["den", "pit", "hall"][world.random.usize(..3)];
            match world.random.u8(..3) {
                0 => world.ask(node, index, Command::Leave),
                _ => join(&mut world, node, index, room),
            }
            world.step();
        }
        world.connect(1);
        world.settle();
        for room in ["den", "pit", "hall"] {
            let lists: Vec<_> = (0..3)
                .map(|node| {
                    let mut list = world.with(node, |hub, _| {
                        hub.rooms.find(room).map(|key| hub.members_everywhere(key)).unwrap_or_default()
                    });
                    list.sort_unstable();
                    list
                })
                .collect();
            assert!(lists.iter().all(|list| *list == lists[0]), "seed {seed}, {room}: {lists:?}");
        }
    }
}

pub(super) fn attend(world: &mut World, node: usize, index: usize, user: &str) {
    open(world, node, index);
    let attend = Attend { user: user.into(), follows_all: true, recovery: None };
    world.ask(node, index, Command::Attend(attend));
    world.settle();
}

fn presence(events: &[Event]) -> Vec<(u128, bool)> {
    let presence = |event: &Event| match event {
        Event::Presence { user, is_online } => Some((user.as_u128(), *is_online)),
        _ => None,
    };
    events.iter().filter_map(presence).collect()
}

#[test]
fn a_user_is_present_as_long_as_on_any_node() {
    let mut world = World::of(3, 1);
    attend(&mut world, 0, 0, "1");
    attend(&mut world, 1, 0, "2");
    assert_eq!(presence(&heard(&mut world, 0, 0)), [(2, true)]);
    // The same user comes elsewhere, too, and is no news.
    attend(&mut world, 2, 0, "2");
    assert_eq!(presence(&heard(&mut world, 0, 0)), []);
    let Some(Reply::Attended(attended)) = world.nodes[2].replies[&0].last() else { panic!() };
    let mut online: Vec<_> = attended.online.iter().map(Uuid::as_u128).collect();
    online.sort_unstable();
    assert_eq!(online, [1, 2]);
    world.with(1, |hub, effects| hub.close(slot(0), effects));
    world.pass(Duration::from_secs(6));
    assert_eq!(presence(&heard(&mut world, 0, 0)), []);
    world.cut(2);
    world.lose(2);
    assert_eq!(presence(&heard(&mut world, 0, 0)), [(2, false)]);
    world.connect(2);
    assert_eq!(presence(&heard(&mut world, 0, 0)), [(2, true)]);
}

/// A process that was stopped for a while does not know that it was given up.
#[test]
fn a_node_that_goes_on_after_it_was_given_up_is_asked_who_is_there() {
    let mut world = World::of(3, 1);
    attend(&mut world, 0, 0, "1");
    attend(&mut world, 1, 0, "2");
    open(&mut world, 1, 1);
    join(&mut world, 1, 1, "den");
    world.settle();
    world.nodes[0].heard.clear();
    world.lose(1);
    // Its next sign of life is heard.
    assert_eq!(presence(&heard(&mut world, 0, 0)), [(2, false), (2, true)]);
    assert_eq!(members(&mut world, 0, 0, "den"), [101]);
}

#[test]
fn whoever_is_sent_to_another_node_was_never_away() {
    let mut world = World::of(2, 1);
    attend(&mut world, 0, 0, "1");
    attend(&mut world, 1, 0, "2");
    world.nodes[0].heard.clear();
    world.nodes[1].hub.take_leave();
    while world.step() {}
    world.cut(1);
    attend(&mut world, 0, 1, "2");
    assert_eq!(presence(&heard(&mut world, 0, 0)), []);
    world.with(0, |hub, effects| hub.close(slot(1), effects));
    world.settle();
    assert_eq!(presence(&heard(&mut world, 0, 0)), [(2, false)]);
}

/// The other node knows of no private room before it hears who takes part in it.
#[test]
fn who_attends_is_a_member_on_every_node() {
    let mut world = World::of(2, 1);
    attend(&mut world, 0, 0, "1");
    attend(&mut world, 1, 0, "2");
    for node in 0..2 {
        let hub = &world.nodes[node].hub;
        let room = hub.rooms.find_durable(RoomId(9).into()).expect("somebody takes part");
        assert_eq!(hub.members_everywhere(room).len(), 2, "node {node}");
    }
}

#[test]
fn who_is_in_a_room_before_it_is_known_is_in_it_once_it_is() {
    const ROOM: RoomId = RoomId(9);
    let other = NodeId(7);
    let enter = |id| {
        let (connection, room) = (ConnectionId(id), RoomTag::Durable(ROOM));
        Move::Enter { connection, room, at: Timestamp::default() }
    };
    let hear = |world: &mut World, notice| world.with(0, |hub, effects| hub.hear(other, notice, effects));
    let members = |world: &World| {
        let hub = &world.nodes[0].hub;
        let room = hub.rooms.find_durable(ROOM.into()).expect("somebody takes part");
        hub.members_everywhere(room).into_iter().map(|connection| connection.0).collect::<Vec<_>>()
    };
    let mut world = World::of(1, 1);
    let directory = |moves| Notice::Directory { is_first: true, is_last: true, moves };
    hear(&mut world, directory((300..305).map(enter).collect()));
    hear(&mut world, directory((300..304).map(enter).collect()));
    let leave = Move::Leave { connection: ConnectionId(300), room: RoomTag::Durable(ROOM) };
    hear(&mut world, Notice::Moved(vec![leave, Move::Close(ConnectionId(301))]));
    attend(&mut world, 0, 0, "1");
    assert_eq!(members(&world), [302, 303, 0]);
    assert!(heard(&mut world, 0, 0).iter().all(|event| !matches!(event, Event::Joined { .. })));
    hear(&mut world, directory(vec![enter(303)]));
    assert_eq!(members(&world), [303, 0]);
}

/// One node alone had lost its way to the others: they know of no reason to ask before it is back.
#[test]
fn what_became_of_rooms_on_a_node_that_was_cut_off_is_known_everywhere() {
    let mut world = World::of(2, 1);
    open(&mut world, 1, 0);
    world.cut(0);
    world.rooms = vec![room(1, "lobby"), room(2, "coffee"), room(3, "den")];
    world.settle();
    world.connect(0);
    let heard = heard(&mut world, 1, 0);
    assert!(matches!(&heard[..], [Event::RoomRenamed { .. }, Event::RoomCreated { .. }]), "{heard:?}");
    world.cut(0);
    world.rooms.pop();
    world.connect(0);
    for node in 0..2 {
        world.settle();
        let rooms = &world.nodes[node].hub.rooms;
        assert!(rooms.find("coffee").is_some() && rooms.find("tea").is_none() && rooms.find("den").is_none());
    }
    // One that dies may not have told what it did last.
    world.rooms.push(room(4, "pub"));
    world.cut(0);
    world.lose(0);
    world.settle();
    assert!(world.nodes[1].hub.rooms.find("pub").is_some());
}

/// Of two nodes' changes, the later may be heard first.
#[test]
fn a_name_that_was_free_again_is_the_later_rooms() {
    let mut world = World::of(1, 1);
    world.rooms = vec![room(1, "lobby"), room(2, "coffee"), room(3, "tea")];
    world.with(0, |hub, effects| hub.hear(NodeId(7), Notice::RoomCreated(room(3, "tea"), Vec::new()), effects));
    world.settle();
    let rooms = &world.nodes[0].hub.rooms;
    for (name, id) in [("coffee", 2), ("tea", 3)] {
        assert_eq!(rooms.find(name), rooms.find_durable(RoomId(id).into()), "{name}");
    }
}

#[test]
fn no_node_moves_the_connections_of_another() {
    let mut world = World::of(2, 1);
    let connections = [0, 1].map(|node| open(&mut world, node, 0));
    (0..2).for_each(|node| join(&mut world, node, 0, "den"));
    world.settle();
    let all = members(&mut world, 0, 0, "den");
    assert_eq!(all.len(), 2);
    let moves = connections.map(Move::Close).to_vec();
    world.with(0, |hub, effects| hub.hear(NodeId(7), Notice::Moved(moves), effects));
    assert_eq!(members(&mut world, 0, 0, "den"), all);
}

/// Which of two names that are given at once is the later, the store alone knows.
#[test]
fn names_that_are_given_at_once_are_the_same_everywhere_in_the_end() {
    let mut world = World::of(1, 1);
    world.rooms = vec![room(1, "lobby"), room(2, "coffee")];
    for name in ["coffee", "milk"] {
        world.with(0, |hub, effects| hub.hear(NodeId(7), Notice::RoomRenamed(room(2, name)), effects));
    }
    world.pass(Duration::from_secs(2));
    world.settle();
    assert!(world.nodes[0].hub.rooms.find("coffee").is_some());
}

#[test]
fn ids_that_nobody_has_reserved_fit_into_a_clients_numbers() {
    let mut world = World::of(1, 1);
    let ids = (0..BLOCK + 2).map(|_| {
        let id = open(&mut world, 0, 0);
        world.with(0, |hub, effects| hub.close(slot(0), effects));
        world.nodes[0].hub.take_errands();
        id.0
    });
    let last = ids.max();
    assert!(last.is_some_and(|last| (BLOCK..1 << 53).contains(&last)), "{last:?}");
}

/// A program takes a user out of a room and puts them back, and only one of the user's two nodes sees both.
#[test]
fn who_takes_part_is_not_told_again_by_those_who_hear_it() {
    let mut world = World::of(2, 1);
    (0..2).for_each(|node| attend(&mut world, node, 0, "1"));
    let ours = RoomRecord { is_private: true, owner: None, ..room(9, "ours") };
    for (id, participants) in [(1, vec![UserId(2)]), (2, vec![UserId(1), UserId(2)])] {
        let said = job::Deed::Said(attend::message(id, None, "guest-77"));
        let outside = job::Outside { room: ours.clone(), participants: Some(participants), what: said };
        world.with(0, |hub, effects| hub.happened(outside, effects));
        if id == 1 {
            // The other hears of it before it is put right.
            let errands = world.nodes[0].hub.take_errands();
            let from = world.nodes[0].hub.node();
            for errand in errands {
                if let Errand::Send(dispatch) = errand {
                    world.with(1, |hub, effects| hub.hear(from, dispatch.notice, effects));
                }
            }
        }
    }
    let steps = (0..1_000).take_while(|_| world.step()).count();
    assert!(steps < 1_000, "they never come to rest");
    world.settle();
    for node in 0..2 {
        let hub = &world.nodes[node].hub;
        let room = hub.rooms.find_durable(RoomId(9).into()).expect("somebody takes part");
        assert_eq!(hub.members_everywhere(room).len(), 2, "node {node}");
    }
}

#[test]
fn what_is_said_is_heard_where_somebody_is_before_they_are_told_of() {
    let mut world = World::of(1, 1);
    open(&mut world, 0, 0);
    world.settle();
    let hub = &mut world.nodes[0].hub;
    for command in [Command::Join { room: name("den") }, Command::SayToRoom { text: text("hello?"), client_id: None }] {
        hub.apply(slot(0), command.into(), &mut Vec::new());
    }
    let errands = hub.take_errands();
    let place = |is_it: fn(&Errand) -> bool| errands.iter().position(is_it);
    let listens = place(|errand| matches!(errand, Errand::Listen(Address::Name(_), true)));
    let tells = place(|errand| matches!(errand, Errand::Send(dispatch) if matches!(dispatch.notice, Notice::Moved(_))));
    assert!(listens.is_some() && listens < tells, "{errands:?}");
}

#[test]
fn all_who_ask_at_once_who_is_there_are_told_at_once() {
    let mut world = World::of(1, 1);
    open(&mut world, 0, 0);
    world.settle();
    let hub = &mut world.nodes[0].hub;
    for node in [50, 51, 52, 51] {
        hub.hear(NodeId(node), Notice::Hello, &mut Vec::new());
    }
    hub.answer_askers();
    let directories = hub.take_errands().into_iter().filter_map(|errand| match errand {
        Errand::Send(dispatch) if matches!(dispatch.notice, Notice::Directory { .. }) => Some(dispatch.to),
        _ => None,
    });
    assert_eq!(directories.collect::<Vec<_>>(), [[50, 51, 52].map(|node| Address::Node(NodeId(node)))]);
}
