use super::*;

fn slot(index: usize) -> SlotKey {
    SlotKey::new(index)
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn text(text: &str) -> Text {
    Text::new(text, 100).unwrap()
}

/// A hub whose slots 0, 1, … hold the connections 0, 1, …
fn hub_of(sessions: usize) -> Hub {
    let mut hub = Hub::new();
    for index in 0..sessions {
        let id = hub.open(slot(index), &mut Vec::new());
        assert_eq!(id, ConnectionId(index as u64));
    }
    hub
}

fn ask(hub: &mut Hub, from: usize, command: Command) -> Vec<Effect> {
    let mut effects = Vec::new();
    hub.apply(slot(from), command.into(), &mut effects);
    effects
}

fn join(hub: &mut Hub, from: usize, room: &str) -> Vec<Effect> {
    ask(hub, from, Command::Join { room: name(room) })
}

fn reply(to: usize, reply: Reply) -> Effect {
    Effect::Reply { to: slot(to), reply }
}

fn told(effect: &Effect, hub: &Hub) -> (Vec<usize>, Event) {
    let Effect::Tell { audience, event } = effect else { panic!("{effect:?} is not an event") };
    let slots = match audience {
        Audience::Session(slot) => vec![slot.index()],
        Audience::Room { room, except } => {
            hub.members(*room).iter().filter(|&slot| Some(*slot) != *except).map(|slot| slot.index()).collect()
        }
    };
    (slots, event.clone())
}

#[test]
fn joining_another_room_leaves_the_first_in_the_contracts_order() {
    let mut hub = hub_of(3);
    join(&mut hub, 0, "old");
    join(&mut hub, 1, "new");
    join(&mut hub, 2, "old");
    let effects = join(&mut hub, 2, "new");
    let who = ConnectionId(2);
    assert_eq!(told(&effects[0], &hub), (vec![0], Event::Left { room: "old".into(), who }));
    assert_eq!(effects[1], reply(2, Reply::Joined { room: "new".into() }));
    assert_eq!(told(&effects[2], &hub), (vec![1], Event::Joined { room: "new".into(), who }));
    assert_eq!(effects.len(), 3);
}

#[test]
fn joining_the_room_one_is_in_is_answered_and_tells_nobody() {
    let mut hub = hub_of(2);
    join(&mut hub, 0, "tea");
    join(&mut hub, 1, "tea");
    assert_eq!(join(&mut hub, 1, "tea"), [reply(1, Reply::Joined { room: "tea".into() })]);
}

#[test]
fn a_room_is_gone_with_its_last_member() {
    let mut hub = hub_of(1);
    join(&mut hub, 0, "tea");
    assert_eq!(ask(&mut hub, 0, Command::Leave), [reply(0, Reply::Left { room: "tea".into() })]);
    assert_eq!(hub.room_count(), 0);
    let refusal = Refusal::NoSuchRoom { name: "tea".into() };
    assert_eq!(ask(&mut hub, 0, Command::ListMembers { room: name("tea") }), [reply(0, Reply::Refused(refusal))]);
}

#[test]
fn rooms_are_named_oldest_first_even_when_keys_are_reused() {
    let mut hub = hub_of(3);
    for (member, room) in [(0, "a"), (1, "b"), (0, "c"), (2, "d")] {
        join(&mut hub, member, room);
    }
    let rooms = vec!["b".into(), "c".into(), "d".into()];
    assert_eq!(ask(&mut hub, 0, Command::ListRooms), [reply(0, Reply::Rooms { rooms })]);
}

#[test]
fn members_stay_in_the_order_of_joining() {
    let mut hub = hub_of(4);
    for member in [2, 0, 3, 1] {
        join(&mut hub, member, "tea");
    }
    ask(&mut hub, 0, Command::Leave);
    join(&mut hub, 0, "tea");
    let members = [2, 3, 1, 0].map(ConnectionId).to_vec();
    let expected = reply(1, Reply::Members { room: "tea".into(), members });
    assert_eq!(ask(&mut hub, 1, Command::ListMembers { room: name("tea") }), [expected]);
}

#[test]
fn a_message_goes_to_the_others_and_is_answered() {
    let mut hub = hub_of(3);
    for member in 0..3 {
        join(&mut hub, member, "tea");
    }
    let effects = ask(&mut hub, 1, Command::SayToRoom { text: text("hi") });
    let event = Event::RoomMessage { room: "tea".into(), from: ConnectionId(1), text: "hi".into() };
    assert_eq!(told(&effects[0], &hub), (vec![0, 2], event));
    assert_eq!(effects[1..], [reply(1, Reply::SaidToRoom { room: "tea".into(), text: "hi".into() })]);
}

#[test]
fn a_message_to_oneself_is_delivered_and_answered() {
    let mut hub = hub_of(1);
    let effects = ask(&mut hub, 0, Command::SayToUser { to: "0".into(), text: text("note") });
    let event = Event::PrivateMessage { from: ConnectionId(0), text: "note".into() };
    assert_eq!(told(&effects[0], &hub), (vec![0], event));
    assert_eq!(effects[1..], [reply(0, Reply::SaidToUser { to: ConnectionId(0), text: "note".into() })]);
}

#[test]
fn the_next_tenant_of_a_slot_gets_none_of_the_formers_mail() {
    let mut hub = hub_of(2);
    hub.close(slot(1), &mut Vec::new());
    assert_eq!(hub.open(slot(1), &mut Vec::new()), ConnectionId(2));
    let refusal = Refusal::NoSuchUser { id: "1".into() };
    let effects = ask(&mut hub, 0, Command::SayToUser { to: "1".into(), text: text("hi") });
    assert_eq!(effects, [reply(0, Reply::Refused(refusal))]);
}

#[test]
fn a_connection_that_ends_leaves_its_room() {
    let mut hub = hub_of(2);
    join(&mut hub, 0, "tea");
    join(&mut hub, 1, "tea");
    let mut effects = Vec::new();
    hub.close(slot(0), &mut effects);
    assert_eq!(effects.len(), 1);
    let event = Event::Left { room: "tea".into(), who: ConnectionId(0) };
    assert_eq!(told(&effects[0], &hub), (vec![1], event));
}

#[test]
fn nobody_speaks_for_another() {
    let mut hub = hub_of(2);
    join(&mut hub, 0, "tea");
    join(&mut hub, 1, "tea");
    for (claimed, refused) in [("1", true), ("00", true), ("x", true), ("0", false)] {
        let command = Command::SayToRoom { text: text("hi") };
        let mut effects = Vec::new();
        hub.apply(slot(0), Request { claimed_sender: Some(claimed.into()), command }, &mut effects);
        assert_eq!(effects == [reply(0, Reply::Refused(Refusal::NotYourId))], refused, "{claimed}");
    }
}

#[test]
fn what_needs_a_room_is_refused_outside_one() {
    let mut hub = hub_of(1);
    assert_eq!(ask(&mut hub, 0, Command::Leave), [reply(0, Reply::Refused(Refusal::WasInNoRoom))]);
    let effects = ask(&mut hub, 0, Command::SayToRoom { text: text("hi") });
    assert_eq!(effects, [reply(0, Reply::Refused(Refusal::IsInNoRoom))]);
}
