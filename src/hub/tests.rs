//! The hub as plain values: what it is asked, and whom it tells what. Here what all tests share, and ephemeral rooms.

mod attend;
mod changes;
mod nodes;
mod outside;
mod presence;
mod random;
mod say;
mod store;
mod typing;
mod visit;

use super::*;
use crate::id::{ChangeId, MessageId, RoomId, RoomIds, Target, Uuid};
use job::{Appended, Author, Done, Draft, Fault, RoomRecord, UserRecord};

/// Few, so that they are met.
const LIMITS: Limits = Limits { max_rooms: 5, max_rooms_joined: 2, max_rooms_owned: 100, presence_of_all: false };

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
    let mut hub = Hub::new(LIMITS, 7, Timestamp::default());
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
    Effect::Reply { to: slot(to), reply, tag: None }
}

fn guest(id: u64) -> Who {
    let connection = ConnectionId(id);
    Who::Guest { connection, uuid: session::guest_uuid(7, connection) }
}

fn left(room: &str, id: u64) -> Event {
    Event::Left { room: room.into(), id: None, who: guest(id), is_still_there: false }
}

fn told(effect: &Effect, hub: &Hub) -> (Vec<usize>, Event) {
    let Effect::Tell { audience, event } = effect else { panic!("{effect:?} is not an event") };
    let slots = match audience {
        Audience::Session(slot) => vec![slot.index()],
        Audience::These(slots) => slots.iter().map(|slot| slot.index()).collect(),
        Audience::Room { room, except } => {
            hub.members(*room).iter().filter(|&slot| Some(*slot) != *except).map(|slot| slot.index()).collect()
        }
        Audience::Everybody => {
            let mut slots: Vec<usize> = hub.everybody().map(SlotKey::index).collect();
            slots.sort_unstable();
            slots
        }
    };
    (slots, event.clone())
}

// What the store is asked, and what becomes of it: the tests are the store.

const TEA: RoomId = RoomId(2);

fn ids(room: i64) -> RoomIds {
    RoomIds { id: RoomId(room), uuid: Uuid::from_u128(100 + room as u128) }
}

fn user(id: i64, name: &str) -> UserRecord {
    UserRecord { id: UserId(id), uuid: Uuid::from_u128(id as u128), name: name.into() }
}

fn room(id: i64, name: &str) -> RoomRecord {
    let RoomIds { id, uuid } = ids(id);
    RoomRecord { id, uuid, name: name.into(), owner: Some(UserId(1)), is_private: false, direct: None }
}

/// As [`hub_of`], with the lobby and a room `tea`; slot n is user n + 1.
fn users_of(sessions: usize) -> Hub {
    let mut hub = hub_of(sessions);
    hub.load(&[room(1, "lobby"), room(2, "tea")], None);
    for index in 0..sessions {
        ask(&mut hub, index, Command::SwitchUser { user: Reference::Number(index as i64 + 1) });
        let record = user(index as i64 + 1, &format!("user{}", index + 1));
        assert_eq!(commit(&mut hub, Ok(Done::User(record))).len(), 1);
    }
    hub
}

/// The oldest job that is not done.
fn job(hub: &mut Hub) -> (Ticket, Job) {
    hub.take_jobs(Timestamp::default()).pop().expect("a job")
}

fn commit(hub: &mut Hub, outcome: job::Outcome) -> Vec<Effect> {
    let (ticket, _) = job(hub);
    commit_to(hub, ticket, outcome)
}

fn commit_to(hub: &mut Hub, ticket: Ticket, outcome: job::Outcome) -> Vec<Effect> {
    let mut effects = Vec::new();
    hub.committed(ticket, outcome, &mut effects);
    effects
}

fn enter(hub: &mut Hub, from: usize) -> Vec<Effect> {
    ask(hub, from, Command::EnterRoom { room: TEA.into() })
}

/// As the event dialect says something.
fn to_room(room: Reference) -> Command {
    let to = Target::Room(room);
    Command::Say { to, text: text("hi"), client_id: None, message_type: None, hears_itself: true }
}

fn say(hub: &mut Hub, from: usize) -> Vec<Effect> {
    ask(hub, from, to_room(TEA.into()))
}

fn appended(message: i64, is_repeat: bool) -> job::Outcome {
    let at = Timestamp::from_microseconds(message);
    Ok(Done::Appended(Appended {
        message: MessageId(message),
        room: ids(2),
        author: None,
        direct: None,
        at,
        is_repeat,
        order: None,
    }))
}

fn stored(message: i64, delivered: usize) -> Stored {
    let (at, message) = (Timestamp::from_microseconds(message), MessageId(message));
    Stored { message, room: ids(2), at, message_type: None, file: None, direct_to: None, delivered }
}

/// What the slot `from` of [`users_of`] hears that has said something.
fn said(hub: &Hub, from: usize, stored: Stored) -> Effect {
    reply(from, Reply::Said { from: hub.who(slot(from)), text: "hi".into(), stored: stored.into() })
}

fn refused(to: usize, refusal: Refusal) -> [Effect; 1] {
    [reply(to, Reply::Refused(refusal))]
}

/// A private room.
fn chat(id: i64) -> RoomRecord {
    RoomRecord { is_private: true, ..room(id, &format!("chat{id}")) }
}

fn mark(message: i64, change: i64) -> Mark {
    Mark { message: MessageId(message), change: ChangeId(change) }
}

/// What the store says of user `id` that takes part in those private rooms.
fn participant(id: i64, rooms: &[i64]) -> job::Attended {
    let (user, rooms) = (user(id, &format!("user{id}")), rooms.iter().map(|&room| chat(room)).collect());
    job::Attended { user, rooms, chosen: Vec::new(), mark: mark(0, 0), missed: None }
}

/// The session in slot `from` attends, and that is what the store says.
fn attend_as(hub: &mut Hub, from: usize, attend: Attend, record: job::Attended) -> Vec<Effect> {
    assert_eq!(ask(hub, from, Command::Attend(attend)), []);
    commit(hub, Ok(Done::Attended(Box::new(record))))
}

fn attending(follows_all: bool) -> Attend {
    Attend { user: "somebody".into(), follows_all, recovery: None }
}

/// The session in slot `from` follows all rooms of that user.
fn follow(hub: &mut Hub, from: usize, user: i64, rooms: &[i64]) -> Vec<Effect> {
    attend_as(hub, from, attending(true), participant(user, rooms))
}

/// The session in slot `from` attends as that user and is in no room.
fn choose(hub: &mut Hub, from: usize, user: i64, rooms: &[i64]) -> Vec<Effect> {
    attend_as(hub, from, attending(false), participant(user, rooms))
}

/// As [`hub_of`], with the lobby and a room `tea`; slot n follows the rooms of user n + 1, which takes part in chat 3.
fn followers(sessions: usize) -> Hub {
    let mut hub = hub_of(sessions);
    hub.load(&[room(1, "lobby"), room(2, "tea")], None);
    for index in 0..sessions {
        follow(&mut hub, index, index as i64 + 1, &[3]);
    }
    hub.take_jobs(Timestamp::default());
    hub
}

fn uuid(user: i64) -> Uuid {
    Uuid::from_u128(user as u128)
}

fn presence(user: i64, is_online: bool) -> Event {
    Event::Presence { user: uuid(user), is_online }
}

/// What happens up to that second.
fn advance(hub: &mut Hub, seconds: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    hub.advance(Duration::from_secs(seconds), &mut effects);
    effects
}

fn close(hub: &mut Hub, from: usize) -> Vec<Effect> {
    let mut effects = Vec::new();
    hub.close(slot(from), &mut effects);
    effects
}

/// Whom each event goes to, without replies.
fn all_told(effects: &[Effect], hub: &Hub) -> Vec<(Vec<usize>, Event)> {
    let events = effects.iter().filter(|effect| matches!(effect, Effect::Tell { .. }));
    events.map(|effect| told(effect, hub)).collect()
}

/// The ids of the durable rooms that the session in slot `of` is in.
fn is_in(hub: &Hub, of: usize) -> Vec<i64> {
    hub.rooms_of(slot(of)).iter().filter_map(|&key| hub.rooms.living(key).id()).map(|id| id.0).collect()
}

/// What the store has been given since the last look.
fn jobs(hub: &mut Hub) -> Vec<Job> {
    hub.take_jobs(Timestamp::default()).into_iter().map(|(_, job)| job).collect()
}

#[test]
fn joining_another_room_leaves_the_first_in_the_contracts_order() {
    let mut hub = hub_of(3);
    join(&mut hub, 0, "old");
    join(&mut hub, 1, "new");
    join(&mut hub, 2, "old");
    let effects = join(&mut hub, 2, "new");
    assert_eq!(told(&effects[0], &hub), (vec![0], left("old", 2)));
    let joined = Event::Joined { room: "new".into(), id: None, who: guest(2), is_again: false };
    assert_eq!(told(&effects[1], &hub), (vec![1], joined));
    assert_eq!(effects[2], reply(2, Reply::Joined { room: "new".into() }));
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
    let listed = |name: &str| ListedRoom { name: name.into(), id: None, owner: None, members: 1 };
    let rooms = ["b", "c", "d"].map(listed).to_vec();
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
    let effects = ask(&mut hub, 1, Command::SayToRoom { text: text("hi"), client_id: None });
    let event = Event::RoomMessage { room: "tea".into(), from: guest(1), text: "hi".into(), stored: None };
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
    assert_eq!(told(&effects[0], &hub), (vec![1], left("tea", 0)));
}

#[test]
fn nobody_speaks_for_another() {
    let mut hub = hub_of(2);
    join(&mut hub, 0, "tea");
    join(&mut hub, 1, "tea");
    for (claimed, refused) in [("1", true), ("00", true), ("x", true), ("0", false)] {
        let command = Command::SayToRoom { text: text("hi"), client_id: None };
        let mut effects = Vec::new();
        hub.apply(
            slot(0),
            Request { claimed_sender: Some(Claim::Connection(claimed.into())), command, tag: None },
            &mut effects,
        );
        assert_eq!(effects == [reply(0, Reply::Refused(Refusal::NotYourId))], refused, "{claimed}");
    }
}

#[test]
fn what_needs_a_room_is_refused_outside_one() {
    let mut hub = hub_of(1);
    assert_eq!(ask(&mut hub, 0, Command::Leave), [reply(0, Reply::Refused(Refusal::WasInNoRoom))]);
    let effects = ask(&mut hub, 0, Command::SayToRoom { text: text("hi"), client_id: None });
    assert_eq!(effects, [reply(0, Reply::Refused(Refusal::IsInNoRoom))]);
}
