//! Sessions that take part as a user: how they begin, and in which rooms they are.

use std::rc::Rc;

use super::*;
use job::{Change, ChangeRecord, MessageRecord, Missed};

const PID: &str = "pid";

/// It has a name for coming back.
fn recoverable(follows_all: bool, since: Option<Mark>) -> Attend {
    Attend { recovery: Some(Recovery { pid: PID.into(), since }), ..attending(follows_all) }
}

fn attended(effects: &[Effect]) -> &Attended {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::Reply { reply: Reply::Attended(attended), .. } => Some(attended),
        _ => None,
    });
    found.expect("an answer")
}

fn noted_follow(room: i64, is_in: bool) -> Job {
    Job::Follow { pid: PID.into(), room: RoomId(room), is_in, at: Timestamp::default() }
}

/// Without their times, which are the clock's.
fn follows(hub: &mut Hub) -> Vec<Job> {
    let timeless = |job| match job {
        Job::Follow { pid, room, is_in, .. } => Job::Follow { pid, room, is_in, at: Timestamp::default() },
        job => job,
    };
    jobs(hub).into_iter().map(timeless).filter(|job| !matches!(job, Job::SetStatus { .. })).collect()
}

#[test]
fn who_follows_is_in_all_rooms_of_its_user_and_nobody_is_told() {
    let mut hub = hub_of(2);
    follow(&mut hub, 0, 1, &[3]);
    let attend = Attend { user: "name".into(), ..attending(true) };
    ask(&mut hub, 1, Command::Attend(attend));
    let (ticket, job) = job(&mut hub);
    assert_eq!(job, Job::Attend { user: "name".into(), most: 2, follows_all: true, recovery: None, most_missed: 500 });
    let outcome = Ok(Done::Attended(Box::new(job::Attended { mark: mark(7, 8), ..participant(2, &[3, 4]) })));
    assert!(hub.moves_members(ticket, &outcome));
    let effects = commit_to(&mut hub, ticket, outcome);
    assert_eq!(is_in(&hub, 1), [3, 4]);
    let Attended { user, online, mark: at, missed, has_chosen } = attended(&effects);
    assert_eq!(
        (user.id, &**online, *at, missed, *has_chosen),
        (UserId(2), &[uuid(1), uuid(2)][..], mark(7, 8), &None, false)
    );
    assert_eq!(all_told(&effects, &hub), [(vec![0], presence(2, true))]);
    assert_eq!(hub.mark(), mark(7, 8));
}

#[test]
fn who_chooses_is_in_no_room_at_first() {
    let mut hub = hub_of(1);
    choose(&mut hub, 0, 1, &[3]);
    assert_eq!((is_in(&hub, 0), hub.room_count()), (vec![], 1));
}

#[test]
fn a_session_attends_once_and_a_program_never() {
    let mut hub = followers(1);
    hub.open_for_program(slot(5));
    let other = Command::SwitchUser { user: Reference::Number(9) };
    let refused = |effects: Vec<Effect>| {
        matches!(effects[..], [Effect::Reply { reply: Reply::Refused(Refusal::Forbidden(_)), .. }])
    };
    assert!(refused(ask(&mut hub, 0, Command::Attend(attending(true)))));
    assert!(refused(ask(&mut hub, 5, Command::Attend(attending(true)))));
    assert!(refused(ask(&mut hub, 0, other)));
    assert!(refused(ask(&mut hub, 0, Command::CreateUser { name: name("other") })));
    assert!(!hub.has_jobs());
}

#[test]
fn whom_the_store_does_not_know_does_not_attend() {
    let mut hub = hub_of(1);
    ask(&mut hub, 0, Command::Attend(attending(true)));
    let refusal = Refusal::NotFound("there is no such user");
    assert_eq!(commit(&mut hub, Err(Fault::NoSuchUser)), super::refused(0, refusal));
    assert_eq!(ask(&mut hub, 0, Command::Choose), super::refused(0, Refusal::NotIdentified));
}

#[test]
fn who_has_gone_before_the_answer_was_never_here() {
    let mut hub = hub_of(1);
    ask(&mut hub, 0, Command::Attend(attending(true)));
    let ticket = job(&mut hub).0;
    close(&mut hub, 0);
    hub.open(slot(0), &mut Vec::new());
    assert_eq!(commit_to(&mut hub, ticket, Ok(Done::Attended(Box::new(participant(1, &[3]))))), []);
    assert_eq!((hub.room_count(), hub.next_lapse()), (0, None));
}

#[test]
fn who_comes_back_is_in_what_it_had_chosen() {
    let mut hub = followers(2);
    hub.open(slot(2), &mut Vec::new());
    enter(&mut hub, 1);
    let record = job::Attended { chosen: vec![room(2, "tea"), chat(3)], ..participant(3, &[4, 3]) };
    let effects = attend_as(&mut hub, 2, recoverable(true, Some(mark(1, 1))), record);
    assert_eq!(is_in(&hub, 2), [2, 3]);
    assert!(attended(&effects).has_chosen);
    let told = all_told(&effects, &hub);
    assert!(matches!(&told[0], (slots, Event::Joined { id: Some(TEA), .. }) if *slots == [1]));
    assert_eq!(told[1..], [(vec![0, 1], presence(3, true))]);
    hub.open(slot(3), &mut Vec::new());
    follow(&mut hub, 3, 3, &[4, 5]);
    assert_eq!(is_in(&hub, 2), [2, 3], "it follows no more");
}

#[test]
fn who_follows_all_and_was_in_an_open_room_too_comes_back_to_both() {
    let mut hub = followers(1);
    hub.open(slot(1), &mut Vec::new());
    let record =
        job::Attended { chosen: vec![room(2, "tea")], missed: Some(Missed::default()), ..participant(2, &[3]) };
    let effects = attend_as(&mut hub, 1, recoverable(true, Some(mark(1, 1))), record);
    assert_eq!(is_in(&hub, 1), [3, 2]);
    let Attended { missed, has_chosen, .. } = attended(&effects);
    assert_eq!((missed, *has_chosen), (&Some(Vec::new()), false));
}

/// Of those with whom it shares a room, each as they are now; and only if it comes back soon.
#[test]
fn who_comes_back_is_told_who_has_come_and_gone_meanwhile() {
    for (back_at, told) in [(110, vec![presence(4, true), presence(2, false)]), (230, vec![])] {
        let mut hub = hub_of(5);
        follow(&mut hub, 0, 1, &[3]);
        follow(&mut hub, 1, 2, &[3]);
        attend_as(&mut hub, 4, recoverable(true, None), participant(5, &[3]));
        advance(&mut hub, 100);
        close(&mut hub, 4);
        follow(&mut hub, 2, 3, &[4]);
        follow(&mut hub, 3, 4, &[3]);
        close(&mut hub, 1);
        advance(&mut hub, back_at);
        hub.open(slot(4), &mut Vec::new());
        let record = job::Attended { missed: Some(Missed::default()), ..participant(5, &[3]) };
        let effects = attend_as(&mut hub, 4, recoverable(true, Some(mark(1, 1))), record);
        assert_eq!(attended(&effects).missed, Some(told));
    }
}

/// That of a connection where the name is one's: of this process's, or of another's.
fn sender_of(username: &str) -> Uuid {
    match username {
        "guest-8" => super::super::session::guest_uuid(7, ConnectionId(8)),
        "guest-9" => super::super::session::guest_uuid(6, ConnectionId(9)),
        _ => uuid(77),
    }
}

pub(super) fn message(id: i64, user: Option<i64>, username: &str) -> MessageRecord {
    MessageRecord {
        id: MessageId(id),
        user: user.map(UserId),
        sender: user.map_or_else(|| sender_of(username), uuid),
        username: username.into(),
        text: format!("text {id}"),
        at: Timestamp::from_microseconds(id),
        read_by: 0,
        read_self: false,
        message_type: if id == 1 { "text" } else { "image" }.into(),
        file: (id == 2).then(|| "a.png".into()),
        edited_at: None,
        reactions: Vec::new(),
        direct_to: (id == 2).then(|| uuid(9)),
        transaction: None,
    }
}

#[test]
fn what_was_missed_is_told_as_it_would_have_been() {
    let mut hub = hub_of(1);
    let (by, at, room) = (Some(user(4, "four")), Timestamp::from_microseconds(5), ids(3));
    let changed =
        |user, what| ChangeRecord { message: MessageId(1), room, user, at, what, was: None, transaction: None };
    let changes = vec![
        changed(by.clone(), Change::Edited("new".into())),
        changed(by.clone(), Change::Reacted { emoji: "+".into(), is_removed: true }),
        changed(None, Change::Reacted { emoji: "-".into(), is_removed: false }),
        changed(by, Change::Confirmed { read_by: 2, author: None }),
        changed(None, Change::Deleted),
    ];
    let messages = vec![
        (room, message(1, Some(1), "user1")),
        (room, message(2, Some(4), "four")),
        (room, message(3, None, "guest-8")),
        (room, message(4, None, "guest-77")),
        (room, message(5, None, "guest-9")),
    ];
    let record = job::Attended { missed: Some(Missed { messages, changes }), ..participant(1, &[3]) };
    let effects = attend_as(&mut hub, 0, recoverable(true, Some(mark(0, 0))), record);
    let missed = attended(&effects).missed.as_ref().unwrap();
    let stored = |id, file: Option<&str>, direct_to| {
        let message_type = (id > 1).then(|| "image".into());
        let (message, at) = (MessageId(id), Timestamp::from_microseconds(id));
        let file = file.map(Into::into);
        Some(Rc::new(Stored { message, room, at, message_type, file, direct_to, delivered: 0 }))
    };
    let said =
        |from, id, stored| Event::RoomMessage { room: "chat3".into(), from, text: format!("text {id}").into(), stored };
    let somebody = |id: i64, uuid, name: &str| {
        let user = Rc::new(User { id: UserId(id), uuid, name: name.into() });
        Who::User { user, connection: None }
    };
    assert_eq!(missed[0], said(somebody(1, uuid(1), "user1"), 1, stored(1, None, None)), "its own, too");
    assert_eq!(missed[1], said(somebody(4, uuid(4), "four"), 2, stored(2, Some("a.png"), Some(uuid(9)))));
    let guest = Who::Guest { connection: ConnectionId(8), uuid: sender_of("guest-8") };
    assert_eq!(missed[2], said(guest, 3, stored(3, None, None)));
    for (id, name) in [(4, "guest-77"), (5, "guest-9")] {
        let outsider = Who::Outsider { uuid: sender_of(name), name: name.into() };
        assert_eq!(missed[id as usize - 1], said(outsider, id, stored(id, None, None)));
    }
    let message = MessageId(1);
    let (four, user) = (uuid(4), UserId(4));
    assert_eq!(
        missed[5..],
        [
            Event::Edited { message, room, direct_to: None, text: "new".into(), at, was: None },
            Event::Reacted { message, room, direct_to: None, user: four, emoji: "+".into(), is_removed: true },
            Event::Confirmed { message, room, direct_to: None, user, user_uuid: four, at, read_by: 2 },
            Event::MessageDeleted { message, room, direct_to: None, was: None },
        ]
    );
}

#[test]
fn a_session_that_chooses_has_left_its_rooms_and_follows_no_more() {
    let mut hub = followers(2);
    enter(&mut hub, 0);
    enter(&mut hub, 1);
    let effects = ask(&mut hub, 0, Command::Choose);
    let told = all_told(&effects, &hub);
    assert!(matches!(&told[..], [(slots, Event::Left { id: Some(TEA), .. })] if *slots == [1]));
    assert_eq!(effects.last(), Some(&reply(0, Reply::Choosing)));
    hub.open(slot(2), &mut Vec::new());
    follow(&mut hub, 2, 1, &[3, 4]);
    assert_eq!((is_in(&hub, 0), is_in(&hub, 2)), (vec![], vec![3, 4]));
    let mut guests = hub_of(1);
    assert_eq!(ask(&mut guests, 0, Command::Choose), super::refused(0, Refusal::NotIdentified));
}

#[test]
fn a_private_room_is_entered_and_left_in_silence_and_without_the_store() {
    let mut hub = followers(2);
    hub.open(slot(2), &mut Vec::new());
    choose(&mut hub, 2, 3, &[3]);
    hub.take_jobs(Timestamp::default());
    let (enter, exit) = (Command::EnterRoom { room: RoomId(3).into() }, Command::ExitRoom { room: RoomId(3).into() });
    assert_eq!(ask(&mut hub, 2, enter), [reply(2, Reply::Entered { room: ids(3) })]);
    assert_eq!(ask(&mut hub, 2, exit.clone()), [reply(2, Reply::Exited { room: ids(3) })]);
    assert_eq!(ask(&mut hub, 2, exit), super::refused(2, Refusal::NotAMember));
    assert!(!hub.has_jobs());
}

#[test]
fn a_private_room_of_others_is_as_one_that_is_not_there() {
    let mut hub = followers(1);
    hub.open(slot(1), &mut Vec::new());
    follow(&mut hub, 1, 2, &[]);
    for id in [3, 99] {
        ask(&mut hub, 1, Command::EnterRoom { room: Reference::Number(id) });
        let (ticket, job) = job(&mut hub);
        assert_eq!(job, Job::FindRoom { room: Reference::Number(id), reader: Some(UserId(2)) });
        assert_eq!(commit_to(&mut hub, ticket, Err(Fault::NoSuchRoom)), super::refused(1, Refusal::NotAMember));
    }
}

#[test]
fn what_a_session_chooses_is_noted_for_when_it_comes_back() {
    let mut hub = hub_of(3);
    hub.load(&[room(1, "lobby"), room(2, "tea")], None);
    attend_as(&mut hub, 0, recoverable(false, None), participant(1, &[3]));
    attend_as(&mut hub, 1, recoverable(true, None), participant(2, &[3]));
    choose(&mut hub, 2, 3, &[3]);
    follows(&mut hub);
    let (enter, exit) = (
        |room: i64| Command::EnterRoom { room: Reference::Number(room) },
        |room: i64| Command::ExitRoom { room: Reference::Number(room) },
    );
    ask(&mut hub, 0, enter(3));
    ask(&mut hub, 0, exit(3));
    assert_eq!(follows(&mut hub), [noted_follow(3, true), noted_follow(3, false)]);
    ask(&mut hub, 0, enter(4));
    commit(&mut hub, Ok(Done::Room(chat(4))));
    assert_eq!(follows(&mut hub), [noted_follow(4, true)]);
    ask(&mut hub, 1, exit(3));
    ask(&mut hub, 1, enter(3));
    assert_eq!(follows(&mut hub), [], "that follows from its participation");
    ask(&mut hub, 1, enter(2));
    ask(&mut hub, 1, Command::Choose);
    assert_eq!(follows(&mut hub), [noted_follow(2, true), noted_follow(2, false)]);
    ask(&mut hub, 2, enter(3));
    hub.forget(slot(2));
    assert_eq!(follows(&mut hub), [], "it does not come back");
    close(&mut hub, 0);
    assert_eq!(follows(&mut hub), [], "it may come back");
    hub.forget(slot(1));
    hub.forget(slot(1));
    assert_eq!(follows(&mut hub), [Job::Forget { pid: PID.into() }]);
}

#[test]
fn nobody_hears_of_what_was_only_noted() {
    let mut hub = followers(1);
    let lobby = Command::EnterRoom { room: RoomId::LOBBY.into() };
    hub.open(slot(1), &mut Vec::new());
    attend_as(&mut hub, 1, recoverable(false, None), participant(1, &[3]));
    ask(&mut hub, 1, lobby);
    let (ticket, job) = job(&mut hub);
    assert!(matches!(job, Job::Follow { .. }));
    assert_eq!(commit_to(&mut hub, ticket, Ok(Done::Noted)), []);
    let pending = hub.pending_count();
    ask(&mut hub, 1, Command::ExitRoom { room: RoomId::LOBBY.into() });
    let ticket = super::job(&mut hub).0;
    assert_eq!(commit_to(&mut hub, ticket, Err(Fault::Unavailable("down".into()))), []);
    assert_eq!(hub.pending_count(), pending);
}
