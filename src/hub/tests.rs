use super::*;
use crate::id::{MessageId, RoomId, Uuid};
use job::{Appended, Author, Done, Draft, Fault, UserRecord};

/// Few, so that they are met.
const LIMITS: Limits = Limits { max_rooms: 5, max_rooms_joined: 2, max_rooms_owned: 100 };

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

// What the store is asked, and what becomes of it: the tests are the store.

const TEA: RoomId = RoomId(2);

fn user(id: i64, name: &str) -> UserRecord {
    UserRecord { id: UserId(id), uuid: Uuid::from_u128(id as u128), name: name.into() }
}

fn room(id: i64, name: &str) -> RoomRecord {
    let uuid = Uuid::from_u128(100 + id as u128);
    RoomRecord { id: RoomId(id), uuid, name: name.into(), owner: Some(UserId(1)), is_private: false }
}

/// As [`hub_of`], with the lobby and a room `tea`; slot n is user n + 1.
fn users_of(sessions: usize) -> Hub {
    let mut hub = hub_of(sessions);
    hub.load(&[room(1, "lobby"), room(2, "tea")]);
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

fn say(hub: &mut Hub, from: usize) -> Vec<Effect> {
    ask(hub, from, Command::Say { room: TEA.into(), text: text("hi"), client_id: None })
}

fn appended(message: i64, is_repeat: bool) -> job::Outcome {
    let at = Timestamp::from_microseconds(message);
    Ok(Done::Appended(Appended { message: MessageId(message), room: TEA, author: None, at, is_repeat }))
}

fn stored(message: i64) -> Stored {
    Stored { message: MessageId(message), room: TEA, at: Timestamp::from_microseconds(message) }
}

fn refused(to: usize, refusal: Refusal) -> [Effect; 1] {
    [reply(to, Reply::Refused(refusal))]
}

#[test]
fn nobody_sees_or_hears_of_a_message_before_it_is_stored() {
    let mut hub = users_of(2);
    enter(&mut hub, 0);
    enter(&mut hub, 1);
    assert_eq!(say(&mut hub, 0), []);
    let effects = commit(&mut hub, appended(9, false));
    assert_eq!(effects[0], reply(0, Reply::Said(stored(9))));
    let (slots, event) = told(&effects[1], &hub);
    assert_eq!(slots, [0, 1]);
    assert!(matches!(event, Event::RoomMessage { stored: Some(at), .. } if at == stored(9)));
    say(&mut hub, 0);
    assert_eq!(commit(&mut hub, appended(9, true)), [reply(0, Reply::Said(stored(9)))]);
    say(&mut hub, 0);
    let fault = Fault::Unavailable("the disk is full".into());
    let refusal = Refusal::Unavailable("the disk is full".into());
    assert_eq!(commit(&mut hub, Err(fault)), refused(0, refusal));
}

#[test]
fn what_was_stored_is_told_even_if_its_author_has_gone() {
    let mut hub = users_of(2);
    enter(&mut hub, 0);
    enter(&mut hub, 1);
    say(&mut hub, 0);
    hub.close(slot(0), &mut Vec::new());
    hub.open(slot(0), &mut Vec::new());
    let effects = commit(&mut hub, appended(9, false));
    assert_eq!(effects.len(), 1, "the next tenant of the slot is not answered");
    assert_eq!(told(&effects[0], &hub).0, [1]);
}

#[test]
fn replies_leave_in_the_order_of_the_requests() {
    let mut hub = users_of(1);
    enter(&mut hub, 0);
    say(&mut hub, 0);
    say(&mut hub, 0);
    let jobs = hub.take_jobs(Timestamp::default());
    assert_eq!(jobs.len(), 2, "messages are stored side by side");
    assert_eq!(ask(&mut hub, 0, Command::ListRooms), [], "what else is asked waits");
    assert!(hub.must_wait(slot(0)));
    let second = commit_to(&mut hub, jobs[1].0, appended(2, true));
    assert_eq!(second, [Effect::Resume { slot: slot(0) }]);
    let mut effects = Vec::new();
    assert!(!hub.resume(slot(0), &mut effects), "the first is still open");
    let first = commit_to(&mut hub, jobs[0].0, appended(1, true));
    let replies = [1, 2].map(|message| reply(0, Reply::Said(stored(message))));
    assert_eq!(first[..2], replies);
    assert!(hub.resume(slot(0), &mut effects) && !hub.must_wait(slot(0)));
    assert!(matches!(effects[..], [Effect::Reply { reply: Reply::Rooms { .. }, .. }]));
}

#[test]
fn messages_have_strictly_increasing_times_whatever_the_clock_says() {
    let mut hub = Hub::new(LIMITS, 7, Timestamp::from_microseconds(50));
    hub.open(slot(0), &mut Vec::new());
    hub.load(&[room(1, "lobby")]);
    join(&mut hub, 0, "lobby");
    let mut jobs = Vec::new();
    for now in [100, 100, 7, 200] {
        ask(&mut hub, 0, Command::SayToRoom { text: text("hi"), client_id: None });
        jobs.extend(hub.take_jobs(Timestamp::from_microseconds(now)));
    }
    let times = jobs.into_iter().map(|(_, job)| match job {
        Job::Append(Draft { at, author: Author::Guest { name, .. }, .. }) if name == "guest-0" => at.microseconds(),
        other => panic!("{other:?}"),
    });
    assert_eq!(times.collect::<Vec<_>>(), [100, 101, 102, 200]);
}

#[test]
fn what_takes_a_user_or_a_member_is_refused_to_others() {
    let mut hub = users_of(2);
    hub.open(slot(2), &mut Vec::new());
    assert_eq!(say(&mut hub, 2), refused(2, Refusal::NotIdentified));
    assert_eq!(say(&mut hub, 0), refused(0, Refusal::NotAMember));
    let nowhere = Command::Say { room: Reference::Number(99), text: text("hi"), client_id: None };
    assert_eq!(ask(&mut hub, 0, nowhere), refused(0, Refusal::NotAMember), "as where there is a room");
    let page = Page { place: Place::Newest, limit: 1 };
    let read = |room| Command::ReadMessages { room, page };
    assert_eq!(ask(&mut hub, 0, read(TEA.into())), refused(0, Refusal::NotAMember));
    let lobby = Command::DeleteRoom { room: RoomId::LOBBY.into() };
    assert!(matches!(
        ask(&mut hub, 0, lobby)[..],
        [Effect::Reply { reply: Reply::Refused(Refusal::Forbidden(_)), .. }]
    ));
    let claimed =
        Request { claimed_sender: Some(Claim::User(Reference::Number(2))), command: Command::DeleteUser, tag: None };
    let mut effects = Vec::new();
    hub.apply(slot(0), claimed, &mut effects);
    assert_eq!(effects, refused(0, Refusal::NotYourId));
    assert!(!hub.has_jobs(), "and the store is not asked");
}

#[test]
fn a_refusal_does_not_tell_whether_there_is_such_a_thing() {
    let mut hub = users_of(1);
    let ways = [
        (Command::DeleteMessage { message: MessageId(1) }, Fault::NoSuchMessage),
        (Command::RenameRoom { room: TEA.into(), name: name("new") }, Fault::NoSuchRoom),
    ];
    for (command, fault) in ways {
        ask(&mut hub, 0, command);
        let effects = commit(&mut hub, Err(fault));
        assert!(matches!(effects[..], [Effect::Reply { reply: Reply::Refused(Refusal::Forbidden(_)), .. }]));
    }
    ask(&mut hub, 0, Command::Confirm { message: MessageId(1) });
    assert_eq!(commit(&mut hub, Err(Fault::NoSuchMessage)), refused(0, Refusal::NotAMember));
}

#[test]
fn a_room_that_is_made_takes_in_who_waited_under_its_name() {
    let mut hub = users_of(2);
    ask(&mut hub, 0, Command::CreateRoom { name: name("new"), participants: None });
    join(&mut hub, 1, "new");
    let effects = commit(&mut hub, Ok(Done::Room(room(3, "new"))));
    assert_eq!(effects[0], reply(0, Reply::Room { id: RoomId(3), name: "new".into() }));
    assert_eq!(told(&effects[1], &hub).0, [0, 1], "everybody hears of an open room");
    let again = Command::CreateRoom { name: name("new"), participants: None };
    assert!(matches!(
        ask(&mut hub, 0, again)[..],
        [Effect::Reply { reply: Reply::Refused(Refusal::NameTaken(_)), .. }]
    ));
    ask(&mut hub, 1, Command::SayToRoom { text: text("hi"), client_id: None });
    assert!(matches!(job(&mut hub).1, Job::Append(Draft { room: Reference::Number(3), .. })));
}

#[test]
fn a_rename_moves_those_who_were_in_an_ephemeral_room_of_the_new_name() {
    let mut hub = users_of(3);
    enter(&mut hub, 0);
    ask(&mut hub, 0, Command::RenameRoom { room: TEA.into(), name: name("new") });
    let rename = job(&mut hub).0;
    join(&mut hub, 1, "new");
    commit_to(&mut hub, rename, Ok(Done::Room(room(2, "new"))));
    let members = vec![ConnectionId(0), ConnectionId(1)];
    let expected = reply(2, Reply::Members { room: "new".into(), members });
    assert_eq!(ask(&mut hub, 2, Command::ListMembers { room: name("new") }), [expected]);
}

#[test]
fn with_a_deleted_room_its_members_have_left_it() {
    let mut hub = users_of(2);
    enter(&mut hub, 1);
    ask(&mut hub, 0, Command::DeleteRoom { room: TEA.into() });
    let effects = commit(&mut hub, Ok(Done::RoomDeleted(TEA)));
    assert_eq!(effects[0], reply(0, Reply::RoomDeleted { id: TEA }));
    assert_eq!(told(&effects[1], &hub), (vec![1], Event::Expelled { room: "tea".into() }));
    assert_eq!(told(&effects[2], &hub), (vec![0, 1], Event::RoomDeleted { id: TEA }));
    assert_eq!(say(&mut hub, 1), refused(1, Refusal::NotAMember));
}

#[test]
fn a_deleted_user_is_nobody_any_more_and_has_left() {
    let mut hub = users_of(2);
    enter(&mut hub, 0);
    enter(&mut hub, 1);
    ask(&mut hub, 0, Command::DeleteUser);
    let effects = commit(&mut hub, Ok(Done::User(user(1, "user1"))));
    assert_eq!(effects[0], reply(0, Reply::UserDeleted { user: UserId(1) }));
    assert!(matches!(told(&effects[1], &hub), (slots, Event::Left { .. }) if slots == [1]));
    assert_eq!(told(&effects[2], &hub), (vec![0, 1], Event::UserDeleted { user: UserId(1) }));
    assert_eq!(say(&mut hub, 0), refused(0, Refusal::NotIdentified));
}

#[test]
fn whoever_becomes_another_user_stays_in_open_rooms() {
    let mut hub = users_of(2);
    enter(&mut hub, 0);
    enter(&mut hub, 1);
    ask(&mut hub, 0, Command::CreateUser { name: name("other") });
    let effects = commit(&mut hub, Ok(Done::User(user(9, "other"))));
    let (slots, event) = told(&effects[0], &hub);
    assert_eq!(slots, [1]);
    assert!(matches!(event, Event::Switched { to: Who::User { user, .. }, .. } if user.id == UserId(9)));
    assert!(matches!(effects[1], Effect::Reply { reply: Reply::User { .. }, .. }));
}

#[test]
fn a_program_acts_for_whom_it_names_and_hears_nothing_else() {
    let mut hub = users_of(1);
    enter(&mut hub, 0);
    hub.open_for_program(slot(5));
    let command = Command::Say { room: TEA.into(), text: text("hi"), client_id: None };
    let claimed_sender = Some(Claim::User(Reference::Number(4)));
    hub.apply(slot(5), Request { claimed_sender, command, tag: None }, &mut Vec::new());
    let author = Some(user(4, "absent"));
    let at = Timestamp::from_microseconds(3);
    let done = Appended { message: MessageId(3), room: TEA, author, at, is_repeat: false };
    let effects = commit(&mut hub, Ok(Done::Appended(done)));
    assert_eq!(effects[0], reply(5, Reply::Said(stored(3))));
    let (slots, event) = told(&effects[1], &hub);
    assert_eq!(slots, [0]);
    assert!(
        matches!(event, Event::RoomMessage { from: Who::User { user, connection: None }, .. } if user.id == UserId(4))
    );
    hub.close(slot(5), &mut Vec::new());
    assert_eq!(hub.session_count(), 1);
}

#[test]
fn rooms_are_limited_in_number() {
    let mut hub = users_of(1);
    for id in 3..=5 {
        hub.load(&[room(id, &format!("room{id}"))]);
    }
    assert!(matches!(
        join(&mut hub, 0, "one more")[..],
        [Effect::Reply { reply: Reply::Refused(Refusal::TooMany(_)), .. }]
    ));
    for id in 3..=4 {
        let effects = ask(&mut hub, 0, Command::EnterRoom { room: Reference::Number(id) });
        assert_eq!(effects.last(), Some(&reply(0, Reply::Entered { id: RoomId(id) })));
    }
    let third = ask(&mut hub, 0, Command::EnterRoom { room: Reference::Number(5) });
    assert!(matches!(third[..], [Effect::Reply { reply: Reply::Refused(Refusal::TooMany(_)), .. }]));
}
