//! What becomes of messages and private rooms, for attendees.

use super::*;
use job::{ChatRecord, Reach};

#[test]
fn an_edit_is_told_to_the_room() {
    let mut hub = followers(2);
    let message = MessageId(5);
    ask(&mut hub, 0, Command::EditMessage { message, text: text("new") });
    let (ticket, job) = job(&mut hub);
    assert!(matches!(&job, Job::EditMessage { text, by: Some(UserId(1)), .. } if text == "new"), "{job:?}");
    let (room, at) = (ids(3), Timestamp::from_microseconds(7));
    let effects = commit_to(
        &mut hub,
        ticket,
        Ok(Done::Edited { message, room, at, was: None, change: ChangeId(2), order: None }),
    );
    assert_eq!(effects[0], reply(0, Reply::Edited { message, at, text: "new".into(), was: None }));
    assert_eq!(
        told(&effects[1], &hub),
        (vec![0, 1], Event::Edited { message, room, direct_to: None, text: "new".into(), at, was: None })
    );
    assert_eq!(hub.mark(), mark(0, 2));
}

#[test]
fn a_reaction_is_told_if_it_is_one() {
    let mut hub = followers(2);
    enter(&mut hub, 0);
    let (message, emoji, room) = (MessageId(5), Emoji::new("+").unwrap(), ids(3));
    for (change, is_removed) in [(Some(ChangeId(3)), false), (None, true)] {
        ask(&mut hub, 0, Command::React { message, emoji: emoji.clone(), is_removed });
        let (ticket, job) = job(&mut hub);
        let Job::React { user, reach, .. } = job else { panic!("{job:?}") };
        assert_eq!((user, reach), (UserId(1), Reach::RoomsAndOwn(vec![TEA])));
        let effects = commit_to(&mut hub, ticket, Ok(Done::Reacted { message, room, change, order: None }));
        assert_eq!(effects[0], reply(0, Reply::Reacted { message }));
        let event = Event::Reacted { message, room, direct_to: None, user: uuid(1), emoji: "+".into(), is_removed };
        let expected = change.map(|_| (vec![0, 1], event));
        assert_eq!(all_told(&effects, &hub), Vec::from_iter(expected));
    }
    assert_eq!(hub.mark(), mark(0, 3));
}

#[test]
fn a_confirmation_is_told_to_the_room_and_the_author() {
    let mut hub = followers(2);
    hub.open(slot(2), &mut Vec::new());
    choose(&mut hub, 2, 2, &[3]);
    let (message, room, at) = (MessageId(5), ids(3), Timestamp::from_microseconds(7));
    ask(&mut hub, 0, Command::Confirm { message });
    let (ticket, job) = job(&mut hub);
    assert!(matches!(&job, Job::Confirm { counts_own: false, reach: Reach::RoomsAndOwn(_), .. }), "{job:?}");
    let (user, user_uuid, author, change) = (UserId(1), uuid(1), Some(UserId(2)), Some(ChangeId(4)));
    let done = Done::Confirmed { message, room, user, user_uuid, author, at, read_by: 1, change, order: None };
    let effects = commit_to(&mut hub, ticket, Ok(done));
    let event = Event::Confirmed { message, room, direct_to: None, user, user_uuid, at, read_by: 1 };
    assert_eq!(all_told(&effects, &hub), [(vec![0, 1], event.clone()), (vec![2], event)]);
    assert_eq!(hub.mark(), mark(0, 4));
    let mut users = users_of(1);
    ask(&mut users, 0, Command::Confirm { message });
    let job = super::job(&mut users).1;
    assert!(matches!(job, Job::Confirm { counts_own: true, reach: Reach::Rooms(_), .. }), "others as ever");
}

#[test]
fn private_rooms_are_read_by_right() {
    let mut hub = hub_of(1);
    hub.load(&[room(1, "lobby"), room(2, "tea")], None);
    choose(&mut hub, 0, 1, &[3]);
    let page = Page { place: Place::Newest, limit: 1 };
    let read = |room| Command::ReadMessages { room: Reference::Number(room), page };
    assert_eq!(ask(&mut hub, 0, read(2)), refused(0, Refusal::NotAMember));
    ask(&mut hub, 0, read(3));
    let (ticket, job) = job(&mut hub);
    assert_eq!(job, Job::ReadMessages { room: Reference::Number(3), reader: Some(UserId(1)), page });
    assert_eq!(commit_to(&mut hub, ticket, Err(Fault::NoSuchRoom)), refused(0, Refusal::NotAMember));
    ask(&mut hub, 0, Command::ListReaders { message: MessageId(1) });
    let job = super::job(&mut hub).1;
    assert!(matches!(job, Job::ListReaders { reach: Reach::RoomsAndOwn(rooms), .. } if rooms.is_empty()));
}

#[test]
fn chats_are_listed() {
    let mut hub = followers(1);
    ask(&mut hub, 0, Command::ListChats);
    let (ticket, job) = job(&mut hub);
    assert_eq!(job, Job::ListChats { user: UserId(1), most: 2 });
    let chats = vec![ChatRecord { room: chat(3), updated_at: Timestamp::default(), unread: 2, last: None }];
    let effects = commit_to(&mut hub, ticket, Ok(Done::Chats(chats.clone())));
    assert_eq!(effects, [reply(0, Reply::Chats(chats))]);
    hub.open_for_program(slot(5));
    let effects = ask(&mut hub, 5, Command::ListChats);
    assert!(matches!(effects[..], [Effect::Reply { reply: Reply::Refused(Refusal::Forbidden(_)), .. }]));
}

#[test]
fn a_refusal_to_attendees_does_not_tell_whether_there_is_such_a_thing() {
    let mut hub = followers(1);
    let message = MessageId(1);
    let ways = [
        (Command::DeleteMessage { message }, Fault::NoSuchMessage),
        (Command::EditMessage { message, text: text("new") }, Fault::NoSuchMessage),
        (Command::React { message, emoji: Emoji::new("+").unwrap(), is_removed: false }, Fault::NoSuchMessage),
        (Command::Confirm { message }, Fault::NoSuchMessage),
        (Command::ListReaders { message }, Fault::NoSuchMessage),
        (Command::RenameRoom { room: Reference::Number(9), name: name("new") }, Fault::NoSuchRoom),
        (Command::DeleteRoom { room: Reference::Number(9) }, Fault::NoSuchRoom),
    ];
    for (command, fault) in ways {
        ask(&mut hub, 0, command.clone());
        assert_eq!(commit(&mut hub, Err(fault)), refused(0, Refusal::NotAMember), "{command:?}");
    }
}

#[test]
fn a_new_chat_is_told_to_its_participants_wherever_they_attend() {
    let mut hub = hub_of(5);
    for (index, user) in [(0, 1), (1, 2), (3, 3)] {
        follow(&mut hub, index, user, &[]);
    }
    choose(&mut hub, 2, 2, &[]);
    let participants = Some(vec![Reference::Number(2), Reference::Number(8)]);
    ask(&mut hub, 0, Command::CreateRoom { name: name("chat4"), participants });
    let ticket = job(&mut hub).0;
    let participants = vec![user(1, "user1"), user(2, "user2"), user(8, "user8")];
    let outcome = Ok(Done::RoomCreated { room: chat(4), participants });
    assert!(hub.moves_members(ticket, &outcome));
    let effects = commit_to(&mut hub, ticket, outcome);
    assert_eq!(effects[0], reply(0, Reply::Room { room: ids(4), name: "chat4".into() }));
    let told = all_told(&effects, &hub);
    let [(slots, Event::ChatCreated { room, owner, participants, .. })] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&slots[..], *room, *owner, participants.len()), (&[0, 1, 2][..], ids(4), Some(uuid(1)), 3));
    assert_eq!([0, 1, 2, 3].map(|index| is_in(&hub, index)), [vec![4], vec![4], vec![], vec![]]);
    close(&mut hub, 0);
    let effects = advance(&mut hub, 5);
    assert_eq!(all_told(&effects, &hub), [(vec![1, 2], presence(1, false))]);
}

#[test]
fn a_chat_of_those_who_are_away_is_not_known_here() {
    let mut hub = users_of(1);
    ask(&mut hub, 0, Command::CreateRoom { name: name("chat4"), participants: Some(Vec::new()) });
    let effects = commit(&mut hub, Ok(Done::RoomCreated { room: chat(4), participants: vec![user(1, "user1")] }));
    assert_eq!((effects.len(), hub.room_count()), (1, 2));
}
