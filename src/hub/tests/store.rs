//! What the store is asked, and what becomes of it: the tests are the store.

use super::*;

#[test]
fn nobody_sees_or_hears_of_a_message_before_it_is_stored() {
    let mut hub = users_of(2);
    enter(&mut hub, 0);
    enter(&mut hub, 1);
    assert_eq!(say(&mut hub, 0), []);
    let effects = commit(&mut hub, appended(9, false));
    assert_eq!(effects[0], said(&hub, 0, stored(9, 1)));
    let (slots, event) = told(&effects[1], &hub);
    assert_eq!(slots, [0, 1]);
    assert!(matches!(event, Event::RoomMessage { stored: Some(at), .. } if *at == stored(9, 1)));
    say(&mut hub, 0);
    let repeat = commit(&mut hub, appended(9, true));
    assert_eq!(repeat, [said(&hub, 0, stored(9, 0))]);
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
    let replies = [1, 2].map(|message| said(&hub, 0, stored(message, 0)));
    assert_eq!(first[..2], replies);
    assert!(hub.resume(slot(0), &mut effects) && !hub.must_wait(slot(0)));
    assert!(matches!(effects[..], [Effect::Reply { reply: Reply::Rooms { .. }, .. }]));
}

#[test]
fn messages_have_strictly_increasing_times_whatever_the_clock_says() {
    let mut hub = Hub::new(LIMITS, 7, Timestamp::from_microseconds(50));
    hub.open(slot(0), &mut Vec::new());
    hub.load(&[room(1, "lobby")], None);
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
    assert_eq!(
        ask(&mut hub, 0, to_room(Reference::Number(99))),
        refused(0, Refusal::NotAMember),
        "as where there is a room"
    );
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
    let effects = commit(&mut hub, Ok(Done::RoomCreated { room: room(3, "new"), participants: Vec::new() }));
    assert_eq!(effects[0], reply(0, Reply::Room { room: ids(3), name: "new".into() }));
    assert_eq!(told(&effects[1], &hub).0, [0, 1], "everybody hears of an open room");
    let again = Command::CreateRoom { name: name("new"), participants: None };
    assert!(matches!(
        ask(&mut hub, 0, again)[..],
        [Effect::Reply { reply: Reply::Refused(Refusal::NameTaken(_)), .. }]
    ));
    ask(&mut hub, 1, Command::SayToRoom { text: text("hi"), client_id: None });
    assert!(matches!(job(&mut hub).1, Job::Append(Draft { to: Target::Room(Reference::Number(3)), .. })));
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
    let claimed_sender = Some(Claim::User(Reference::Number(4)));
    hub.apply(slot(5), Request { claimed_sender, command: to_room(TEA.into()), tag: None }, &mut Vec::new());
    let author = Some(user(4, "absent"));
    let at = Timestamp::from_microseconds(3);
    let done =
        Appended { message: MessageId(3), room: ids(2), author, direct: None, at, is_repeat: false, order: None };
    let effects = commit(&mut hub, Ok(Done::Appended(done)));
    assert_eq!(effects[0], said(&hub, 5, stored(3, 1)));
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
        hub.load(&[room(id, &format!("room{id}"))], None);
    }
    assert!(matches!(
        join(&mut hub, 0, "one more")[..],
        [Effect::Reply { reply: Reply::Refused(Refusal::TooMany(_)), .. }]
    ));
    for id in 3..=4 {
        let effects = ask(&mut hub, 0, Command::EnterRoom { room: Reference::Number(id) });
        assert_eq!(effects.last(), Some(&reply(0, Reply::Entered { room: ids(id) })));
    }
    let third = ask(&mut hub, 0, Command::EnterRoom { room: Reference::Number(5) });
    assert!(matches!(third[..], [Effect::Reply { reply: Reply::Refused(Refusal::TooMany(_)), .. }]));
}
