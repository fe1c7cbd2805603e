//! Who is here: beginning to take part, choosing rooms, coming back.

use roomcast::hub::Recovery;
use roomcast::hub::job::{Attended, Change, Done, Fault, Job, Missed, Reach, RoomRecord, UserRecord};
use roomcast::id::{ChangeId, Mark, MessageId, RoomId, UserId};

use super::by;
use crate::common::subject::{Subject, at, confirm, guest, subjects};

const PID: &str = "hard to guess";

fn attend(s: &mut Subject, user: &str, recovery: Option<Recovery>) -> Attended {
    match s.one(Job::Attend { user: user.into(), most: 2, follows_all: true, recovery, most_missed: 5 }) {
        Ok(Done::Attended(attended)) => *attended,
        other => panic!("{other:?}"),
    }
}

fn mark(message: i64, change: i64) -> Mark {
    Mark { message: MessageId(message), change: ChangeId(change) }
}

/// Comes back and is told what there is to tell.
fn come_back(s: &mut Subject, user: &UserRecord, since: Mark) -> Attended {
    attend(s, &user.name, Some(Recovery { pid: PID.into(), since: Some(since) }))
}

fn missed(s: &mut Subject, user: &UserRecord, since: Mark) -> Option<Missed> {
    come_back(s, user, since).missed
}

fn ids(missed: &Missed) -> Vec<i64> {
    missed.messages.iter().map(|(_, message)| message.id.0).collect()
}

fn follow(s: &mut Subject, room: RoomId, is_in: bool) {
    let at = s.now();
    assert_eq!(s.one(Job::Follow { pid: PID.into(), room, is_in, at }), Ok(Done::Noted));
}

#[test]
fn a_user_is_found_by_id_uuid_or_name() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        // Whoever is called like an id is not found by that name.
        let seven = s.user("1");
        for user in ["1", "ada", &ada.uuid.to_string(), &ada.uuid.to_string().to_uppercase()] {
            assert_eq!(attend(&mut s, user, None).user, ada);
        }
        assert_eq!(attend(&mut s, &seven.id.to_string(), None).user, seven);
        s.one(Job::DeleteUser { user: bob.id.into(), at: at(9) }).unwrap();
        for user in ["2", "bob", &bob.uuid.to_string(), "deleted user", "Ada", "", "99", "' OR 1 --"] {
            let job = Job::Attend { user: user.into(), most: 2, follows_all: true, recovery: None, most_missed: 5 };
            assert!(!job.writes());
            assert_eq!(s.refused(job), Fault::NoSuchUser, "{user}");
        }
    }
}

#[test]
fn who_attends_is_in_the_private_rooms_that_were_used_last() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        assert_eq!(attend(&mut s, "ada", None).mark, mark(0, 0));
        let rooms: Vec<RoomRecord> = (0..3).map(|number| s.private(&number.to_string(), ada.id, &[bob.id])).collect();
        s.private("not hers", bob.id, &[]);
        s.room("open", ada.id);
        s.say(rooms[0].id, by(bob.id), "hm");
        let attended = attend(&mut s, "ada", None);
        assert_eq!(attended.rooms, [rooms[0].clone(), rooms[2].clone()]);
        assert_eq!((attended.chosen, attended.missed), (vec![], None));
        assert_eq!(attend(&mut s, "bob", None).rooms.len(), 2);
    }
}

#[test]
fn the_mark_never_goes_back() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let room = s.room("tea", ada.id);
        let said: Vec<_> = (0..3).map(|_| s.say(room.id, by(ada.id), "hm").message).collect();
        s.one(confirm(said[0], ada.id, at(9))).unwrap();
        s.one(Job::DeleteMessage { message: said[2], by: None, at: at(9) }).unwrap();
        assert_eq!(attend(&mut s, "ada", None).mark, mark(3, 2));
        s.one(Job::DeleteRoom { room: room.id.into(), by: None }).unwrap();
        assert_eq!(attend(&mut s, "ada", None).mark, mark(3, 2));
        if s.is_lasting {
            s.reopen();
            assert_eq!(attend(&mut s, "ada", None).mark, mark(3, 2));
        }
    }
}

#[test]
fn what_was_missed_is_told_in_order() {
    for mut s in subjects() {
        let (ada, bob, eve) = (s.user("ada"), s.user("bob"), s.user("eve"));
        let rooms: Vec<RoomRecord> = (0..3).map(|number| s.private(&number.to_string(), ada.id, &[bob.id])).collect();
        let foreign = s.private("foreign", bob.id, &[eve.id]);
        let old: Vec<_> = rooms.iter().map(|room| s.say(room.id, by(bob.id), "old").message).collect();
        s.one(confirm(old[0], ada.id, at(30))).unwrap();
        let since = attend(&mut s, "ada", None).mark;
        assert_eq!(missed(&mut s, &ada, since), Some(Missed::default()));
        // The last room lies beyond those that are named, and is not forgotten here.
        s.say(rooms[1].id, by(bob.id), "new");
        s.say(foreign.id, by(bob.id), "not for her");
        s.say(RoomId::LOBBY, guest(1), "not in her rooms");
        s.say(rooms[0].id, by(ada.id), "her own");
        let react = |message, is_removed, seconds| {
            let (user, emoji, reach) = (bob.id, "👍".into(), Reach::Visible);
            Job::React { message, user, emoji, is_removed, reach, at: at(seconds) }
        };
        s.one(react(old[2], false, 60)).unwrap();
        s.one(confirm(old[0], bob.id, at(61))).unwrap();
        s.one(Job::EditMessage { message: old[1], text: "newer".into(), by: Some(bob.id), at: at(62) }).unwrap();
        let told = missed(&mut s, &ada, since).unwrap();
        assert_eq!(ids(&told), [4, 7]);
        assert_eq!(told.messages.iter().map(|(room, _)| *room).collect::<Vec<_>>(), [rooms[1].ids(), rooms[0].ids()]);
        let changes: Vec<_> =
            told.changes.iter().map(|c| (c.message, c.room, c.user.clone(), c.at, c.what.clone())).collect();
        let reacted = Change::Reacted { emoji: "👍".into(), is_removed: false };
        let read = Change::Confirmed { read_by: 2, author: Some(bob.id) };
        let bob = Some(bob.clone());
        assert_eq!(
            changes,
            [
                (old[2], rooms[2].ids(), bob.clone(), at(60), reacted),
                (old[0], rooms[0].ids(), bob.clone(), at(61), read),
                (old[1], rooms[1].ids(), bob, at(62), Change::Edited("newer".into())),
            ]
        );
        // With one thing more it is too much.
        s.one(Job::DeleteMessage { message: old[1], by: None, at: at(63) }).unwrap();
        let told = missed(&mut s, &ada, since).unwrap();
        let last = told.changes.last().unwrap();
        assert_eq!((told.changes.len(), last.message, &last.user, &last.what), (3, old[1], &None, &Change::Deleted));
        s.one(react(old[2], true, 64)).unwrap();
        assert_eq!(missed(&mut s, &ada, since), None);
        assert_eq!(ids(&missed(&mut s, &ada, mark(4, 4)).unwrap()), [7]);
        if s.is_lasting {
            s.reopen();
            assert_eq!(ids(&missed(&mut s, &ada, mark(4, 4)).unwrap()), [7]);
        }
    }
}

#[test]
fn what_can_not_be_complete_is_not_told() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let (kept, gone) = (s.private("kept", ada.id, &[]), s.private("gone", ada.id, &[]));
        let said = [&gone, &kept].map(|room| s.say(room.id, by(ada.id), "hm").message);
        for message in said {
            s.one(confirm(message, ada.id, at(9))).unwrap();
        }
        // The first time, there is nothing that could have been missed.
        let first = Recovery { pid: PID.into(), since: None };
        assert_eq!(attend(&mut s, "ada", Some(first)).missed, None);
        assert!(missed(&mut s, &ada, mark(0, 0)).is_some());
        for beyond in [mark(3, 2), mark(2, 3), mark(i64::MAX, i64::MAX)] {
            assert_eq!(missed(&mut s, &ada, beyond), None, "another database's");
        }
        // With the room its part of the journal goes, and here that is its beginning.
        s.one(Job::DeleteRoom { room: gone.id.into(), by: None }).unwrap();
        assert_eq!(missed(&mut s, &ada, mark(0, 0)), None);
        assert_eq!(missed(&mut s, &ada, mark(0, 1)).unwrap().changes.len(), 1);
        assert_eq!(missed(&mut s, &ada, mark(0, 2)).unwrap().changes.len(), 0);
        s.one(Job::DeleteRoom { room: kept.id.into(), by: None }).unwrap();
        assert_eq!(missed(&mut s, &ada, mark(0, 1)), None);
        assert_eq!(missed(&mut s, &ada, mark(0, 2)), Some(Missed::default()));
    }
}

/// However few they are.
#[test]
fn long_texts_are_not_told_by_the_hundred() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let room = s.private("tea", ada.id, &[]);
        let half = "x".repeat(256 * 1024);
        for _ in 0..2 {
            s.say(room.id, by(ada.id), &half);
        }
        assert_eq!(missed(&mut s, &ada, mark(0, 0)).unwrap().messages.len(), 2);
        s.say(room.id, by(ada.id), "x");
        assert_eq!(missed(&mut s, &ada, mark(0, 0)), None);
        assert_eq!(missed(&mut s, &ada, mark(1, 0)).unwrap().messages.len(), 2);
    }
}

#[test]
fn chosen_rooms_are_remembered_as_long_as_they_are_open_to_the_user() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let (tea, club, own) = (s.room("tea", bob.id), s.private("c", ada.id, &[bob.id]), s.private("o", ada.id, &[]));
        for room in [&own, &club, &tea, &tea] {
            follow(&mut s, room.id, true);
        }
        follow(&mut s, RoomId(99), true);
        follow(&mut s, RoomId::LOBBY, false);
        s.say(RoomId::LOBBY, guest(1), "elsewhere");
        for room in [&tea, &club, &own] {
            s.say(room.id, by(ada.id), &room.name);
        }
        let back = come_back(&mut s, &ada, mark(0, 0));
        assert_eq!(back.chosen, [own.clone(), club.clone(), tea.clone()]);
        assert_eq!(ids(&back.missed.unwrap()), [2, 3, 4]);
        follow(&mut s, own.id, false);
        let back = come_back(&mut s, &ada, mark(2, 0));
        assert_eq!((back.chosen.len(), ids(&back.missed.unwrap())), (2, vec![3]));
        // Of another user's rooms nothing is told, whatever was chosen.
        follow(&mut s, own.id, true);
        assert_eq!(come_back(&mut s, &bob, mark(0, 0)).chosen, [club, tea.clone()]);
        let eve = s.user("eve");
        assert_eq!(come_back(&mut s, &eve, mark(0, 0)).chosen, std::slice::from_ref(&tea));
        // What goes is no longer chosen.
        s.one(Job::DeleteRoom { room: tea.id.into(), by: None }).unwrap();
        assert_eq!(come_back(&mut s, &eve, mark(0, 0)).chosen, []);
        if s.is_lasting {
            s.reopen();
        }
        assert_eq!(come_back(&mut s, &ada, mark(0, 0)).chosen.len(), 2);
        assert_eq!(s.one(Job::Forget { pid: PID.into() }), Ok(Done::Noted));
        let back = come_back(&mut s, &ada, mark(2, 0));
        assert_eq!((back.chosen, ids(&back.missed.unwrap())), (vec![], vec![3, 4]), "all private ones");
    }
}

#[test]
fn of_a_chosen_room_nothing_from_before_is_told() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let tea = s.room("tea", ada.id);
        let said = s.say(tea.id, by(ada.id), "before").message;
        let confirmed = s.now();
        s.one(confirm(said, ada.id, confirmed)).unwrap();
        follow(&mut s, tea.id, true);
        let told = missed(&mut s, &ada, mark(0, 0)).unwrap();
        assert_eq!((ids(&told), told.changes.len()), (vec![], 0));
        s.say(tea.id, by(ada.id), "after");
        let deleted = s.now();
        s.one(Job::DeleteMessage { message: said, by: None, at: deleted }).unwrap();
        let told = missed(&mut s, &ada, mark(0, 0)).unwrap();
        assert_eq!((ids(&told), told.changes.len()), (vec![2], 1));
    }
}

#[test]
fn a_status_is_noted_whoever_is_there() {
    for mut s in subjects() {
        let ada = s.user("ada");
        for (user, is_online) in [(ada.id, true), (ada.id, true), (ada.id, false), (UserId(99), true)] {
            assert_eq!(s.one(Job::SetStatus { user, is_online }), Ok(Done::Noted));
        }
        assert_eq!(s.store().begin(true), Ok(()));
    }
}

#[test]
fn who_is_online_is_told_in_parts() {
    for mut s in subjects() {
        let users = ["ada", "bob", "cid", "dan", "eve"].map(|name| s.user(name).id);
        let [ada, bob, cid, dan, eve] = users;
        for user in users {
            s.one(Job::SetStatus { user, is_online: user != cid }).unwrap();
        }
        s.one(Job::DeleteUser { user: dan.into(), at: at(9) }).unwrap();
        let mut online = |after, most| s.one(Job::ListOnline { after, most });
        assert_eq!(online(UserId(0), 2), Ok(Done::Online(vec![ada, bob])));
        assert_eq!(online(bob, 2), Ok(Done::Online(vec![eve])));
        assert_eq!(online(eve, 2), Ok(Done::Online(Vec::new())));
    }
}
