//! What attendees say: in private rooms, to a user, and in open rooms that they have entered.

use super::*;
use job::Direct;

fn to_user(user: i64, hears_itself: bool) -> Command {
    let to = Target::User(Reference::Number(user));
    Command::Say { to, text: text("hi"), client_id: None, message_type: None, hears_itself }
}

/// Message 9, from user 1 to user `to` in the room `room` of the two.
fn direct(room: i64, to: i64, is_repeat: bool) -> job::Outcome {
    let direct = Some(Box::new(Direct { room: chat(room), to: user(to, &format!("user{to}")) }));
    let (message, at, author) = (MessageId(9), Timestamp::default(), Some(user(1, "user1")));
    Ok(Done::Appended(Appended { message, room: ids(room), author, direct, at, is_repeat, order: None }))
}

fn delivered(event: &Event) -> usize {
    let Event::RoomMessage { stored: Some(stored), .. } = event else { panic!("{event:?}") };
    stored.delivered
}

#[test]
fn the_room_of_two_is_made_when_one_says_something() {
    let mut hub = followers(2);
    for (index, user) in [(2, 2), (3, 1)] {
        hub.open(slot(index), &mut Vec::new());
        choose(&mut hub, index, user, &[3]);
    }
    assert_eq!(ask(&mut hub, 0, to_user(2, false)), []);
    let (ticket, job) = job(&mut hub);
    assert!(matches!(job, Job::Append(Draft { to: Target::User(Reference::Number(2)), .. })));
    assert!(hub.moves_members(ticket, &direct(4, 2, false)));
    let effects = commit_to(&mut hub, ticket, direct(4, 2, false));
    assert_eq!([0, 1, 2, 3].map(|index| is_in(&hub, index)), [vec![3, 4], vec![3, 4], vec![], vec![]]);
    let told = all_told(&effects, &hub);
    assert_eq!(told.iter().map(|(slots, _)| slots.clone()).collect::<Vec<_>>(), [[2], [1]], "not the asker");
    assert_eq!([delivered(&told[0].1), delivered(&told[1].1)], [2, 2]);
    let Effect::Reply { reply: Reply::Said { stored, .. }, .. } = &effects[0] else { panic!("{effects:?}") };
    assert_eq!((stored.direct_to, stored.delivered, stored.room), (Some(uuid(2)), 2, ids(4)));
    ask(&mut hub, 0, to_user(2, true));
    let (ticket, _) = super::job(&mut hub);
    assert!(!hub.moves_members(ticket, &direct(4, 2, false)), "the room is there");
    let effects = commit_to(&mut hub, ticket, direct(4, 2, false));
    assert_eq!(all_told(&effects, &hub)[1].0, [0, 1], "who wants to hear itself does");
    ask(&mut hub, 0, to_user(2, true));
    let repeat = commit(&mut hub, direct(4, 2, true));
    assert!(matches!(&repeat[..], [Effect::Reply { reply: Reply::Said { stored, .. }, .. }] if stored.delivered == 0));
}

#[test]
fn what_is_said_to_somebody_who_is_away_is_kept() {
    let mut hub = followers(1);
    ask(&mut hub, 0, to_user(7, false));
    let effects = commit(&mut hub, direct(4, 7, false));
    assert_eq!((is_in(&hub, 0), all_told(&effects, &hub)[0].0.len()), (vec![3, 4], 0));
    ask(&mut hub, 0, to_user(7, false));
    let refusal = Refusal::NotFound("there is no such user");
    assert_eq!(commit(&mut hub, Err(Fault::NoSuchUser)), refused(0, refusal));
}

#[test]
fn one_may_talk_to_oneself() {
    let mut hub = hub_of(2);
    choose(&mut hub, 0, 1, &[]);
    choose(&mut hub, 1, 1, &[]);
    for (hears_itself, heard) in [(false, vec![1]), (true, vec![0, 1])] {
        ask(&mut hub, 0, to_user(1, hears_itself));
        let effects = commit(&mut hub, direct(4, 1, false));
        let told = all_told(&effects, &hub);
        assert_eq!((&told[0].0, delivered(&told[0].1)), (&heard, 1));
    }
}

#[test]
fn those_who_share_a_direct_room_hear_of_each_other() {
    let mut hub = hub_of(2);
    follow(&mut hub, 0, 1, &[]);
    follow(&mut hub, 1, 2, &[]);
    ask(&mut hub, 0, to_user(2, false));
    commit(&mut hub, direct(4, 2, false));
    close(&mut hub, 0);
    let effects = advance(&mut hub, 5);
    assert_eq!(all_told(&effects, &hub), [(vec![1], presence(1, false))]);
}

#[test]
fn what_is_said_in_the_room_of_two_is_direct_as_well() {
    let mut hub = followers(2);
    let to = Target::Room(RoomId(3).into());
    let message_type = Some(MessageType::new("image").unwrap());
    let command = Command::Say { to, text: text("hi"), client_id: None, message_type, hears_itself: true };
    ask(&mut hub, 0, command);
    let (ticket, job) = job(&mut hub);
    assert!(matches!(job, Job::Append(Draft { message_type: Some(word), .. }) if word == "image"));
    let effects = commit_to(&mut hub, ticket, direct(3, 2, false));
    let told = all_told(&effects, &hub);
    assert_eq!(told[0].0, [0, 1]);
    let Event::RoomMessage { stored: Some(stored), .. } = &told[0].1 else { panic!("{told:?}") };
    assert_eq!((stored.direct_to, stored.message_type.as_deref(), stored.delivered), (Some(uuid(2)), Some("image"), 1));
}

#[test]
fn attendees_speak_in_private_rooms_by_right_and_in_open_ones_as_members() {
    let mut hub = hub_of(1);
    hub.load(&[room(1, "lobby"), room(2, "tea")], None);
    choose(&mut hub, 0, 1, &[3]);
    assert_eq!(ask(&mut hub, 0, to_room(TEA.into())), refused(0, Refusal::NotAMember));
    // What is not known here is the store's to judge.
    for room in [3, 4] {
        assert_eq!(ask(&mut hub, 0, to_room(Reference::Number(room))), []);
        assert_eq!(commit(&mut hub, Err(Fault::NoSuchRoom)), refused(0, Refusal::NotAMember));
    }
    enter(&mut hub, 0);
    ask(&mut hub, 0, to_room(TEA.into()));
    let effects = commit(&mut hub, appended(9, false));
    assert_eq!(effects[0], said(&hub, 0, stored(9, 0)));
}

#[test]
fn others_than_attendees_speak_to_no_user() {
    let mut hub = users_of(1);
    assert_eq!(ask(&mut hub, 0, to_user(2, true)), refused(0, Refusal::NotAMember));
    assert!(!hub.has_jobs());
}

#[test]
fn the_mark_goes_with_what_was_told() {
    let mut hub = followers(1);
    assert_eq!(hub.mark(), mark(0, 0));
    say_in_chat(&mut hub);
    commit(&mut hub, direct(3, 2, false));
    assert_eq!(hub.mark(), mark(9, 0));
    ask(&mut hub, 0, Command::DeleteMessage { message: MessageId(4) });
    commit(
        &mut hub,
        Ok(Done::MessageDeleted { message: MessageId(4), room: ids(3), was: None, change: ChangeId(6), order: None }),
    );
    assert_eq!(hub.mark(), mark(9, 6));
    hub.open(slot(1), &mut Vec::new());
    let record = job::Attended { mark: mark(3, 8), ..participant(2, &[3]) };
    attend_as(&mut hub, 1, attending(true), record);
    assert_eq!(hub.mark(), mark(9, 8), "it never goes back");
}

fn say_in_chat(hub: &mut Hub) {
    ask(hub, 0, to_room(Reference::Number(3)));
}
