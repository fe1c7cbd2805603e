//! What the API can't do, and what is judged on this side of it.

use super::{Other, one, say, stranger, unavailable};
use crate::hub::Recovery;
use crate::hub::job::{Author, Done, Draft, Fault, Job, Reach};
use crate::id::{ChangeId, Mark, MessageId, Reference, RoomId, Target, UserId};
use crate::timestamp::Timestamp;

#[test]
fn owners_and_authors_are_checked_here() {
    let other = Other::start(stranger);
    let mut store = other.connect();
    let rename = |by| Job::RenameRoom { room: Reference::Number(3), name: "new".into(), by };
    assert_eq!(one(&mut store, rename(Some(UserId(1)))), Err(Fault::NoSuchRoom));
    assert!(!other.heard().iter().any(|request| request.starts_with("PATCH")));
    for by in [Some(UserId(2)), None] {
        let Ok(Done::Room(room)) = one(&mut store, rename(by)) else { panic!("not renamed") };
        assert_eq!((room.id, &*room.name, room.owner), (RoomId(3), "new", Some(UserId(2))));
    }
    assert_eq!(other.heard().last().unwrap(), r#"PATCH /rooms {"Name":"new","RoomID":3}"#);
    let unknown = Job::DeleteRoom { room: Reference::Number(4), by: None };
    assert_eq!(one(&mut store, unknown), Err(Fault::NoSuchRoom));

    // Nobody has read the message here yet: it is looked for, and belongs to the first user.
    let delete = |by| Job::DeleteMessage { message: MessageId(4), by, at: Timestamp::default() };
    assert_eq!(one(&mut store, delete(Some(UserId(2)))), Err(Fault::NoSuchMessage));
    let Ok(Done::MessageDeleted { message, room, change, .. }) = one(&mut store, delete(Some(UserId(1)))) else {
        panic!("not deleted")
    };
    assert_eq!((message, room.id, change), (MessageId(4), RoomId(1), ChangeId(1)));
    assert_eq!(other.heard().last().unwrap(), r#"DELETE /messages {"MessageID":4}"#);
    let unknown = Job::DeleteMessage { message: MessageId(99), by: None, at: Timestamp::default() };
    assert_eq!(one(&mut store, unknown), Err(Fault::NoSuchMessage));
}

#[test]
fn a_second_confirmation_is_no_news() {
    let other = Other::start(stranger);
    let mut store = other.connect();
    let confirm = |user, reach, counts_own| {
        let (message, user, at) = (MessageId(4), Reference::Number(user), Timestamp::from_microseconds(9));
        Job::Confirm { message, user, reach, counts_own, at }
    };
    assert_eq!(one(&mut store, confirm(1, Reach::Rooms(vec![]), true)), Err(Fault::NoSuchMessage));
    // Their own message, where that is no news.
    let Ok(Done::Confirmed { change: None, read_by: 1, .. }) = one(&mut store, confirm(1, Reach::Visible, false))
    else {
        panic!("it is news")
    };
    assert!(!other.heard().iter().any(|request| request.starts_with("POST")));
    let Ok(Done::Confirmed { room, author, at, read_by, change, .. }) =
        one(&mut store, confirm(1, Reach::RoomsAndOwn(vec![RoomId(1)]), true))
    else {
        panic!("not confirmed")
    };
    assert_eq!((room.id, author, at.microseconds(), read_by), (RoomId(1), Some(UserId(1)), 9, 2));
    assert_eq!(change, Some(ChangeId(1)));
    assert_eq!(other.heard().last().unwrap(), r#"POST /readconfirmation {"MessageID":4,"UserID":1}"#);
    let Ok(Done::Confirmed { at, read_by, change, .. }) = one(&mut store, confirm(2, Reach::Visible, true)) else {
        panic!("not confirmed")
    };
    assert_eq!((&*at.to_string(), read_by, change), ("2024-01-01T12:00:00.000000Z", 1, None));
    assert!(!other.heard().iter().any(|request| request.starts_with("POST")));
    let list = Job::ListReaders { message: MessageId(4), reach: Reach::Visible };
    let Ok(Done::Readers { readers, .. }) = one(&mut store, list) else { panic!("no readers") };
    assert_eq!(readers.iter().map(|reader| (reader.user.0, &*reader.name)).collect::<Vec<_>>(), [(2, "bob")]);
}

#[test]
fn what_the_api_can_not_do_is_refused_and_not_sent() {
    let other = Other::start(stranger);
    let mut store = other.connect();
    other.heard();
    let with_mark = Draft { client_id: Some("1".into()), ..say(1, 1, "x") };
    let guest = Author::Guest { uuid: crate::id::Uuid::nil(), name: "guest-1".into() };
    let by_guest = Draft { author: guest, ..say(1, 1, "x") };
    let owner = Reference::Number(1);
    let private =
        Job::CreateRoom { name: "x".into(), owner, participants: Some(vec![]), most: 100, at: Timestamp::default() };
    let to_a_user = Draft { to: Target::User(owner), ..say(1, 1, "x") };
    let picture = Draft { message_type: Some("image".into()), ..say(1, 1, "x") };
    let (message, at) = (MessageId(1), Timestamp::default());
    let edit = Job::EditMessage { message, text: "x".into(), by: Some(UserId(1)), at };
    let (user, emoji, reach) = (UserId(1), "x".into(), Reach::Visible);
    let react = Job::React { message, user, emoji, is_removed: false, reach, at };
    let drafts = [with_mark, by_guest, to_a_user, picture].map(Job::Append);
    for job in drafts.into_iter().chain([private, edit, react, Job::ListChats { user, most: 9 }]) {
        let sentence = unavailable(one(&mut store, job));
        assert!(sentence.starts_with("the upstream store has no "), "{sentence}");
    }
    // It matters to nobody that these are kept nowhere.
    let (pid, room) = ("p".to_owned(), RoomId(1));
    let follow = Job::Follow { pid: pid.clone(), room, is_in: true, at };
    for job in [Job::SetStatus { user, is_online: true }, follow, Job::Forget { pid }] {
        assert_eq!(one(&mut store, job), Ok(Done::Noted));
    }
    assert_eq!(other.heard(), Vec::<String>::new());
}

#[test]
fn who_attends_has_no_private_rooms_and_has_missed_what_nobody_knows() {
    let other = Other::start(stranger);
    let mut store = other.connect();
    let Ok(Done::Users(users)) = one(&mut store, Job::ListUsers) else { panic!("no users") };
    let nothing = Mark { message: MessageId(0), change: ChangeId(0) };
    for user in ["2", "bob", &users[1].uuid.to_string()] {
        let recovery = Some(Recovery { pid: "p".into(), since: Some(nothing) });
        let job = Job::Attend { user: user.into(), most: 9, follows_all: true, recovery, most_missed: 9 };
        let Ok(Done::Attended(attended)) = one(&mut store, job) else { panic!("{user} is not found") };
        assert_eq!((&attended.user, attended.mark), (&users[1], nothing));
        assert!(attended.rooms.is_empty() && attended.chosen.is_empty() && attended.missed.is_none());
    }
    for user in ["9", "eve", "", "00000000-0000-0000-0000-000000000000"] {
        let job = Job::Attend { user: user.into(), most: 9, follows_all: true, recovery: None, most_missed: 9 };
        assert_eq!(one(&mut store, job), Err(Fault::NoSuchUser), "{user}");
    }
}
