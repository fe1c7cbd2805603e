//! What becomes of messages: they are deleted, changed, reacted to and read.

use roomcast::hub::Place;
use roomcast::hub::job::{Done, Fault, Former, Job, MessageRecord, Reach, Reader, RoomRecord, UserRecord};
use roomcast::id::{ChangeId, MessageId, Reference, RoomId, UserId};

use super::{NOBODY, by};
use crate::common::subject::{Subject, at, confirm, guest, subjects};

fn lobby(s: &mut Subject) -> RoomRecord {
    crate::common::subject::room(s.one(Job::FindRoom { room: RoomId::LOBBY.into(), reader: None }))
}

fn newest(s: &mut Subject, room: RoomId, reader: UserId) -> MessageRecord {
    s.read(room, Some(reader), Place::Newest, 1).0.remove(0)
}

#[test]
fn a_message_is_deleted_by_its_author_and_the_rooms_owner() {
    for mut s in subjects() {
        let (ada, bob, eve) = (s.user("ada"), s.user("bob"), s.user("eve"));
        let tea = s.room("tea", ada.id);
        let said: Vec<MessageId> = (0..3).map(|_| s.say(tea.id, by(bob.id), "hm").message).collect();
        let delete = |message, by| Job::DeleteMessage { message, by, at: at(0) };
        assert_eq!(s.refused(delete(said[0], Some(eve.id))), Fault::NoSuchMessage);
        for (number, by) in [Some(bob.id), Some(ada.id), None].into_iter().enumerate() {
            let (message, change) = (said[number], ChangeId(number as i64 + 1));
            let outcome = s.one(delete(message, by));
            let Ok(Done::MessageDeleted { was: Some(was), room, change: noted, .. }) = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!((room, noted, was.sender, was.text.as_str()), (tea.ids(), change, bob.uuid, "hm"));
            assert_eq!(s.refused(delete(message, by)), Fault::NoSuchMessage);
        }
        // In the lobby, which nobody owns, a guest's words are a program's to delete.
        let message = s.say(RoomId::LOBBY, guest(3), "spam").message;
        assert_eq!(s.refused(delete(message, Some(eve.id))), Fault::NoSuchMessage);
        assert!(s.one(delete(message, None)).is_ok());
        assert_eq!(s.say(tea.id, by(bob.id), "next").message, MessageId(5), "no id is used twice");
    }
}

#[test]
fn a_message_is_changed_by_its_author_alone() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let tea = s.room("tea", ada.id);
        let said = s.say(tea.id, by(bob.id), "colour");
        let message = said.message;
        assert_eq!(newest(&mut s, tea.id, bob.id).edited_at, None);
        let edit = |message, by: &UserRecord, text: &str, seconds| {
            let (text, by, at) = (text.into(), Some(by.id), at(seconds));
            Job::EditMessage { message, text, by, at }
        };
        // Not even by the room's owner.
        assert_eq!(s.refused(edit(message, &ada, "color", 70)), Fault::NoSuchMessage);
        assert_eq!(s.refused(edit(MessageId(99), &bob, "color", 70)), Fault::NoSuchMessage);
        for (change, text, before) in [(1, "color", "colour"), (2, "hue", "color")] {
            let (at, change) = (at(70 + change), ChangeId(change));
            let was = Former { sender: bob.uuid, at: said.at, text: before.into(), file: None };
            let edited = Done::Edited { message, room: tea.ids(), at, was: Some(was), change, order: None };
            assert_eq!(s.one(edit(message, &bob, text, 70 + change.0)), Ok(edited));
            let now = newest(&mut s, tea.id, bob.id);
            assert_eq!((now.id, now.text.as_str(), now.edited_at), (message, text, Some(at)));
        }
        // A guest's message is nobody's; what is deleted is not there.
        let guests = s.say(tea.id, guest(1), "x").message;
        assert_eq!(s.refused(edit(guests, &bob, "y", 80)), Fault::NoSuchMessage);
        s.one(Job::DeleteMessage { message, by: None, at: at(0) }).unwrap();
        assert_eq!(s.refused(edit(message, &bob, "y", 80)), Fault::NoSuchMessage);
    }
}

#[test]
fn a_reaction_is_put_once_and_taken_back_once() {
    for mut s in subjects() {
        let (ada, bob, eve) = (s.user("ada"), s.user("bob"), s.user("eve"));
        let club = s.private("club", ada.id, &[bob.id]);
        let message = s.say(club.id, by(ada.id), "cake").message;
        let react = |user: &UserRecord, emoji: &str, is_removed, reach: &Reach, seconds| {
            let (user, emoji, reach, at) = (user.id, emoji.into(), reach.clone(), at(seconds));
            Job::React { message, user, emoji, is_removed, reach, at }
        };
        let reacted = |change: Option<i64>| {
            let change = change.map(ChangeId);
            Ok(Done::Reacted { message, room: club.ids(), change, order: None })
        };
        let here = Reach::Rooms(vec![club.id]);
        assert_eq!(s.one(react(&bob, "🎂", false, &here, 10)), reacted(Some(1)));
        assert_eq!(s.one(react(&bob, "🎂", false, &here, 20)), reacted(None));
        assert_eq!(s.one(react(&ada, "👍", false, &Reach::Visible, 30)), reacted(Some(2)));
        assert_eq!(s.one(react(&ada, "🎂", false, &Reach::RoomsAndOwn(vec![]), 40)), reacted(Some(3)));
        // The oldest first.
        let shown = newest(&mut s, club.id, bob.id).reactions;
        assert_eq!(shown, [("🎂".to_owned(), 2), ("👍".to_owned(), 1)]);
        assert_eq!(s.one(react(&bob, "🎂", true, &here, 50)), reacted(Some(4)));
        assert_eq!(s.one(react(&bob, "🎂", true, &here, 60)), reacted(None));
        let shown = newest(&mut s, club.id, bob.id).reactions;
        assert_eq!(shown, [("👍".to_owned(), 1), ("🎂".to_owned(), 1)]);
        for reach in [Reach::Visible, Reach::RoomsAndOwn(vec![RoomId::LOBBY])] {
            assert_eq!(s.refused(react(&eve, "👎", false, &reach, 70)), Fault::NoSuchMessage);
        }
        assert_eq!(s.refused(react(&bob, "👎", false, &Reach::Rooms(vec![]), 70)), Fault::NoSuchMessage);
        s.one(Job::DeleteUser { user: bob.id.into(), at: at(80) }).unwrap();
        assert_eq!(s.refused(react(&bob, "👎", false, &here, 90)), Fault::NoSuchUser);
    }
}

#[test]
fn only_so_many_kinds_of_reactions_are_shown() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let message = s.say(RoomId::LOBBY, by(ada.id), "hm").message;
        let react = |number: i64| {
            let (user, emoji, at) = (ada.id, number.to_string(), at(number));
            Job::React { message, user, emoji, is_removed: false, reach: Reach::Visible, at }
        };
        let jobs: Vec<Job> = (0..100).map(react).collect();
        assert!(s.all(&jobs).iter().all(Result::is_ok));
        let shown = newest(&mut s, RoomId::LOBBY, ada.id).reactions;
        assert_eq!((shown.len(), shown[0].0.as_str(), shown[63].0.as_str()), (64, "0", "63"));
    }
}

#[test]
fn the_first_confirmation_counts() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let room = lobby(&mut s).ids();
        let message = s.say(RoomId::LOBBY, by(ada.id), "read me").message;
        let confirm = |user: Reference, seconds| confirm(message, user, at(seconds));
        let confirmed = |user: &UserRecord, seconds, read_by, change: Option<i64>| {
            let (author, at, change) = (Some(ada.id), at(seconds), change.map(ChangeId));
            Ok(Done::Confirmed {
                message,
                room,
                user: user.id,
                user_uuid: user.uuid,
                author,
                at,
                read_by,
                change,
                order: None,
            })
        };
        assert_eq!(s.one(confirm(Reference::Uuid(bob.uuid), 100)), confirmed(&bob, 100, 1, Some(1)));
        assert_eq!(s.one(confirm(bob.id.into(), 200)), confirmed(&bob, 100, 1, None));
        let shown = newest(&mut s, RoomId::LOBBY, ada.id);
        assert_eq!((shown.read_by, shown.read_self), (1, false));
        // One's own message like any other.
        assert_eq!(s.one(confirm(ada.id.into(), 150)), confirmed(&ada, 150, 2, Some(2)));
        let shown = newest(&mut s, RoomId::LOBBY, ada.id);
        assert_eq!((shown.read_by, shown.read_self), (2, true));
        let readers = vec![
            Reader { user: bob.id, name: "bob".into(), at: at(100) },
            Reader { user: ada.id, name: "ada".into(), at: at(150) },
        ];
        let list = |reach| Job::ListReaders { message, reach };
        assert_eq!(s.one(list(Reach::Visible)), Ok(Done::Readers { message, readers }));
        assert_eq!(s.refused(confirm(NOBODY, 1)), Fault::NoSuchUser);
        assert_eq!(s.refused(super::confirm(MessageId(99), bob.id, at(1))), Fault::NoSuchMessage);
        assert_eq!(s.refused(list(Reach::Rooms(vec![]))), Fault::NoSuchMessage);
        // A guest's message has no author who could be told.
        let message = s.say(RoomId::LOBBY, guest(4), "hm").message;
        let (user, reach) = (bob.id.into(), Reach::Rooms(vec![RoomId::LOBBY]));
        let outcome = s.one(Job::Confirm { message, user, reach, counts_own: false, at: at(1) });
        assert!(matches!(outcome, Ok(Done::Confirmed { author: None, change: Some(_), .. })));
    }
}

#[test]
fn that_one_has_read_what_one_said_may_be_no_news() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let club = s.private("club", ada.id, &[bob.id]);
        let said = s.say(club.id, by(ada.id), "read me");
        let confirm = |user: &UserRecord, seconds| {
            let (message, user, reach) = (said.message, user.id.into(), Reach::RoomsAndOwn(vec![]));
            Job::Confirm { message, user, reach, counts_own: false, at: at(seconds) }
        };
        let Ok(Done::Confirmed { change, read_by, .. }) = s.one(confirm(&ada, 50)) else { panic!() };
        assert_eq!((change, read_by), (None, 0));
        assert!(!newest(&mut s, club.id, ada.id).read_self);
        let Ok(Done::Confirmed { change, read_by, at: read_at, .. }) = s.one(confirm(&bob, 60)) else { panic!() };
        assert_eq!((change, read_by, read_at), (Some(ChangeId(1)), 1, at(60)));
        let Ok(Done::Confirmed { change, read_by, .. }) = s.one(confirm(&ada, 70)) else { panic!() };
        assert_eq!((change, read_by), (None, 1));
    }
}
