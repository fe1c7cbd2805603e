//! What visitors read: pages by time, what they have missed, and what a program has made of a message.

use std::collections::HashSet;

use roomcast::hub::job::{Change, ChangeRecord, Done, Draft, Fault, Former, Job, Missed};
use roomcast::hub::{Moment, Place};
use roomcast::id::{ChangeId, Mark, MessageId, Reference, RoomId, RoomIds, Target, Uuid};
use roomcast::timestamp::Timestamp;

use super::{NOBODY, by};
use crate::common::subject::{Subject, appended, at, confirm, guest, subjects};

/// Says something in the lobby at that second, whatever was said before.
fn say_at(s: &mut Subject, seconds: i64) -> MessageId {
    let (to, text) = (Target::Room(RoomId::LOBBY.into()), seconds.to_string());
    let (author, at) = (guest(1), at(seconds));
    appended(s.one(Job::Append(Draft { to, author, text, client_id: None, message_type: None, file: None, at })))
        .message
}

/// The ids of a page, the newest first; and whether there are more.
fn earlier(s: &mut Subject, moment: Moment, limit: usize) -> (Vec<i64>, bool) {
    let (messages, has_more) = s.read(RoomId::LOBBY, None, Place::Earlier(moment), limit);
    (messages.iter().rev().map(|message| message.id.0).collect(), has_more)
}

fn moment(seconds: i64, message: i64) -> Moment {
    Moment { at: at(seconds), message: MessageId(message) }
}

#[test]
fn pages_lie_where_the_times_say() {
    for mut s in subjects() {
        assert_eq!(earlier(&mut s, Moment::END, 5), (vec![], false));
        // As other programs write them: in no order, and many at once.
        for seconds in [30, 10, 20, 20, 20, 40, 20] {
            say_at(&mut s, seconds);
        }
        let ada = s.user("ada");
        let tea = s.room("tea", ada.id);
        s.say(tea.id, by(ada.id), "elsewhere");
        for (moment, limit, ids, has_more) in [
            (Moment::END, 100, vec![6, 1, 7, 5, 4, 3, 2], false),
            (Moment::END, 7, vec![6, 1, 7, 5, 4, 3, 2], false),
            (Moment::END, 3, vec![6, 1, 7], true),
            (moment(20, 7), 2, vec![5, 4], true),
            (moment(20, 4), 2, vec![3, 2], false),
            (moment(20, 4), 1, vec![3], true),
            (moment(20, 1), 9, vec![2], false),
            // Before that time and nothing of it.
            (moment(20, 0), 9, vec![2], false),
            (moment(25, 0), 1, vec![7], true),
            (moment(10, 2), 9, vec![], false),
            (moment(10, 0), 9, vec![], false),
            (Moment { at: Timestamp::default(), message: MessageId(9) }, 9, vec![], false),
        ] {
            assert_eq!(earlier(&mut s, moment, limit), (ids, has_more), "{moment:?} {limit}");
        }
    }
}

#[test]
fn turning_pages_shows_each_message_once_whatever_comes_meanwhile() {
    let mut random = fastrand::Rng::with_seed(6);
    for mut s in subjects() {
        let old: Vec<i64> = (0..300).map(|_| say_at(&mut s, 50 + random.i64(0..5)).0).collect();
        let mut shown = Vec::new();
        let mut place = Moment::END;
        loop {
            let (messages, has_more) = s.read(RoomId::LOBBY, None, Place::Earlier(place), random.usize(1..=20));
            shown.extend(messages.iter().rev().map(|message| (message.at, message.id)));
            // Newer ones, and others of the same times.
            for _ in 0..3 {
                say_at(&mut s, 50 + random.i64(0..60));
            }
            if !has_more {
                break;
            }
            let last = shown.last().unwrap();
            place = Moment { at: last.0, message: last.1 };
        }
        assert!(shown.is_sorted_by(|a, b| a > b), "in order, and none twice");
        let shown: HashSet<i64> = shown.iter().map(|(_, id)| id.0).collect();
        assert!(old.iter().all(|id| shown.contains(id)), "none is left out");
    }
}

#[test]
fn a_file_is_kept_with_its_message() {
    for mut s in subjects() {
        // The column holds so many characters, not bytes.
        let long = "📎".repeat(50);
        for (id, file) in [(1, None), (2, Some("a.pdf")), (3, Some(&*long))] {
            let (to, author, said_at) = (Target::Room(RoomId::LOBBY.into()), guest(1), s.now());
            let (text, file) = ("x".to_owned(), file.map(str::to_owned));
            let draft =
                Draft { to, author, text, client_id: None, message_type: None, file: file.clone(), at: said_at };
            let message = appended(s.one(Job::Append(draft))).message;
            assert_eq!(message, MessageId(id));
            for place in [Place::Newest, Place::Earlier(Moment::END), Place::After(MessageId(id - 1))] {
                let read = s.read(RoomId::LOBBY, None, place, 1).0.remove(0);
                assert_eq!((read.id, &read.file), (message, &file), "{place:?}");
            }
            let Ok(Done::MessageDeleted { was: Some(was), .. }) =
                s.one(Job::DeleteMessage { message, by: None, at: at(99) })
            else {
                panic!()
            };
            assert_eq!(was.file, file);
        }
    }
}

fn mark(message: i64, change: i64) -> Mark {
    Mark { message: MessageId(message), change: ChangeId(change) }
}

fn read_missed(s: &mut Subject, room: RoomId, since: Mark, most: usize) -> (Missed, Mark, bool) {
    match s.one(Job::ReadMissed { room, since, most }) {
        Ok(Done::Missed { missed, mark, has_more }) => (missed, mark, has_more),
        other => panic!("{other:?}"),
    }
}

fn message_ids(missed: &Missed) -> Vec<i64> {
    missed.messages.iter().map(|(_, message)| message.id.0).collect()
}

fn changed(missed: &Missed) -> Vec<(i64, Change)> {
    missed.changes.iter().map(|change| (change.message.0, change.what.clone())).collect()
}

#[test]
fn what_was_missed_comes_in_parts_messages_first() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let tea = s.room("tea", ada.id);
        for number in 0..5 {
            s.say(RoomId::LOBBY, guest(1), &number.to_string());
            s.say(tea.id, by(ada.id), "elsewhere");
        }
        let jobs = [
            Job::EditMessage { message: MessageId(1), text: "new".into(), by: None, at: at(80) },
            Job::EditMessage { message: MessageId(2), text: "elsewhere".into(), by: None, at: at(81) },
            Job::DeleteMessage { message: MessageId(3), by: None, at: at(82) },
            confirm(MessageId(5), bob.id, at(83)),
        ];
        assert!(s.all(&jobs).iter().all(Result::is_ok));

        let (missed, heard, has_more) = read_missed(&mut s, RoomId::LOBBY, mark(1, 0), 2);
        assert_eq!((message_ids(&missed), changed(&missed), heard, has_more), (vec![5, 7], vec![], mark(7, 0), true));
        let (missed, heard, has_more) = read_missed(&mut s, RoomId::LOBBY, heard, 2);
        // As far as was shown, though another room has a later one.
        assert_eq!((message_ids(&missed), heard, has_more), (vec![9], mark(9, 3), true));
        assert_eq!(changed(&missed), [(1, Change::Edited("new".into())), (3, Change::Deleted)]);
        let (missed, heard, has_more) = read_missed(&mut s, RoomId::LOBBY, heard, 2);
        assert_eq!((message_ids(&missed), heard, has_more), (vec![], mark(9, 4), false));
        assert_eq!(changed(&missed), [(5, Change::Confirmed { read_by: 1, author: None })]);
        assert_eq!(read_missed(&mut s, RoomId::LOBBY, heard, 2), (Missed::default(), mark(9, 4), false));
        // One that was handed out by another database: nothing was missed of this one, and it goes on from here.
        let nothing = (Missed::default(), mark(10, 4), false);
        assert_eq!(read_missed(&mut s, RoomId::LOBBY, mark(1_000, 1_000), 2), nothing);
        let (missed, _, has_more) = read_missed(&mut s, tea.id, mark(0, 0), 100);
        assert_eq!((message_ids(&missed), has_more), (vec![2, 4, 6, 8, 10], false));
        assert_eq!(changed(&missed), [(2, Change::Edited("elsewhere".into()))]);
    }
}

#[test]
fn parts_in_a_row_leave_nothing_out() {
    for mut s in subjects() {
        for number in 0..25 {
            s.say(RoomId::LOBBY, guest(1), &number.to_string());
        }
        for id in 1..=10 {
            s.one(Job::DeleteMessage { message: MessageId(id), by: None, at: at(90) }).unwrap();
        }
        for most in [1, 3, 7, 100] {
            let (mut messages, mut deleted, mut heard, mut parts) = (vec![], vec![], mark(5, 2), 0);
            loop {
                let (missed, mark, has_more) = read_missed(&mut s, RoomId::LOBBY, heard, most);
                messages.extend(message_ids(&missed));
                deleted.extend(changed(&missed).iter().map(|(id, _)| *id));
                (heard, parts) = (mark, parts + 1);
                if !has_more {
                    break;
                }
                assert!(parts < 100, "it never ends");
            }
            let expected = ((11..=25).collect::<Vec<_>>(), (3..=10).collect::<Vec<_>>(), mark(25, 10));
            assert_eq!((messages, deleted, heard), expected, "{most}");
        }
    }
}

#[test]
fn a_part_of_long_texts_ends_early() {
    for mut s in subjects() {
        let long = "x".repeat(50 * 1024);
        for _ in 0..5 {
            s.say(RoomId::LOBBY, guest(1), &long);
        }
        let (missed, heard, has_more) = read_missed(&mut s, RoomId::LOBBY, mark(0, 0), 100);
        assert_eq!((message_ids(&missed), heard, has_more), (vec![1, 2], mark(2, 0), true));
    }
}

#[test]
fn nothing_of_private_rooms_is_missed() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let club = s.private("club", ada.id, &[]);
        s.say(club.id, by(ada.id), "psst");
        for room in [club.id, RoomId(99)] {
            let fault = s.refused(Job::ReadMissed { room, since: mark(0, 0), most: 9 });
            assert_eq!(fault, Fault::NoSuchRoom);
        }
        assert_eq!(message_ids(&read_missed(&mut s, RoomId::LOBBY, mark(0, 0), 9).0), [0; 0]);
    }
}

#[test]
fn a_program_changes_any_message_and_hears_what_it_was() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let lobby = super::room(s.one(Job::FindRoom { room: RoomId::LOBBY.into(), reader: None })).ids();
        let club = s.private("club", ada.id, &[]);
        let said = [
            (s.say(RoomId::LOBBY, guest(7), "colour"), Uuid::from_u128(7), lobby),
            (s.say(RoomId::LOBBY, by(ada.id), "colour"), ada.uuid, lobby),
            (s.say(club.id, by(ada.id), "colour"), ada.uuid, club.ids()),
        ];
        for (number, (said, sender, room)) in said.into_iter().enumerate() {
            let (message, change) = (said.message, ChangeId(2 * number as i64 + 1));
            let was = |text: &str| Some(Former { sender, at: said.at, text: text.into(), file: None });
            let edit = Job::EditMessage { message, text: "color".into(), by: None, at: at(70) };
            assert_eq!(
                s.one(edit),
                Ok(Done::Edited { message, room, at: at(70), was: was("colour"), change, order: None })
            );
            expect_missed(&mut s, room, &was("color").unwrap(), message, change);
            let (delete, change) = (Job::DeleteMessage { message, by: None, at: at(71) }, ChangeId(change.0 + 1));
            assert_eq!(
                s.one(delete.clone()),
                Ok(Done::MessageDeleted { message, room, was: was("color"), change, order: None })
            );
            assert_eq!(s.refused(delete), Fault::NoSuchMessage);
        }
        let Reference::Number(nobody) = NOBODY else { panic!() };
        let edit = Job::EditMessage { message: MessageId(nobody), text: "x".into(), by: None, at: at(70) };
        assert_eq!(s.refused(edit), Fault::NoSuchMessage);
    }
}

/// In an open room, whoever was away learns the message as it is now.
fn expect_missed(s: &mut Subject, room: RoomIds, now: &Former, message: MessageId, change: ChangeId) {
    if room.id != RoomId::LOBBY {
        return;
    }
    let since = Mark { message, change: ChangeId(change.0 - 1) };
    let (missed, heard, has_more) = read_missed(s, room.id, since, 9);
    let (user, at, was) = (None, at(70), Some(now.clone()));
    let expected =
        ChangeRecord { message, room, user, at, what: Change::Edited(now.text.clone()), was, transaction: None };
    assert_eq!((missed.changes, heard.change, has_more), (vec![expected], change, false));
}
