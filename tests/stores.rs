//! What every store does, whichever it is: one suite, written against the trait and run over all of them.

mod attending;
mod beginning;
mod changes;
mod chats;
#[cfg(feature = "postgres")]
mod nodes;
mod others;
mod stream;

use crate::common::subject::{self, Subject, appended, at, confirm, guest, lasting_subjects, room, subjects, user};
use roomcast::hub::Place;
use roomcast::hub::job::{Author, Done, Fault, Job, Reach, Reader};
use roomcast::id::{MessageId, Reference, RoomId, UserId, Uuid};

const NOBODY: Reference = Reference::Number(999);

fn by(user: UserId) -> Author {
    Author::User(user.into())
}

#[test]
fn users_are_made_found_renamed_and_listed() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        assert_eq!((ada.id, bob.id), (UserId(1), UserId(2)));
        assert_eq!(ada.uuid.get_version_num(), 4);
        assert_eq!(s.refused(Job::CreateUser { name: "ada".into(), at: at(0) }), Fault::NameTaken);
        for reference in [ada.id.into(), Reference::Uuid(ada.uuid)] {
            assert_eq!(user(s.one(Job::FindUser { user: reference })), ada);
        }
        for reference in [NOBODY, Reference::Uuid(Uuid::from_u128(7)), Reference::Number(0)] {
            assert_eq!(s.refused(Job::FindUser { user: reference }), Fault::NoSuchUser);
            assert_eq!(s.refused(Job::RenameUser { user: reference, name: "eve".into() }), Fault::NoSuchUser);
            assert_eq!(s.refused(Job::DeleteUser { user: reference, at: at(0) }), Fault::NoSuchUser);
        }
        assert_eq!(s.refused(Job::RenameUser { user: ada.id.into(), name: "bob".into() }), Fault::NameTaken);
        assert_eq!(user(s.one(Job::RenameUser { user: ada.id.into(), name: "ada".into() })), ada);
        let renamed = user(s.one(Job::RenameUser { user: Reference::Uuid(ada.uuid), name: "Ada ✨".into() }));
        assert_eq!((renamed.id, renamed.uuid, renamed.name.as_str()), (ada.id, ada.uuid, "Ada ✨"));
        assert_eq!(s.user("ada").id, UserId(3));
        let Ok(Done::Users(users)) = s.one(Job::ListUsers) else { panic!() };
        assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Ada ✨", "bob", "ada"]);
    }
}

#[test]
fn a_deleted_user_leaves_what_they_said_and_nothing_else() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let club = s.private("club", bob.id, &[ada.id]);
        s.say(RoomId::LOBBY, by(ada.id), "I was here");
        let last = s.say(club.id, by(bob.id), "come in").message;
        s.one(confirm(last, ada.id, at(50))).unwrap();
        assert_eq!(user(s.one(Job::DeleteUser { user: ada.id.into(), at: at(60) })), ada);
        assert_eq!(s.refused(Job::FindUser { user: Reference::Uuid(ada.uuid) }), Fault::NoSuchUser);
        assert_eq!(s.refused(Job::DeleteUser { user: ada.id.into(), at: at(60) }), Fault::NoSuchUser);
        let draft = s.draft(RoomId::LOBBY, by(ada.id), "and again", None);
        assert_eq!(s.refused(draft), Fault::NoSuchUser);
        let (messages, _) = s.read(RoomId::LOBBY, None, Place::Newest, 10);
        let message = &messages[0];
        assert_eq!((message.user, message.sender), (Some(ada.id), ada.uuid));
        assert_eq!((message.username.as_str(), message.text.as_str()), ("deleted user", "I was here"));
        let Ok(Done::Readers { readers, .. }) =
            s.one(Job::ListReaders { message: last, reach: Reach::Rooms(vec![club.id]) })
        else {
            panic!()
        };
        assert_eq!(readers, [Reader { user: ada.id, name: "deleted user".into(), at: at(50) }]);
        assert_eq!(s.refused(Job::FindRoom { room: club.id.into(), reader: Some(ada.id) }), Fault::NoSuchRoom);
        // The name is free, the id is not.
        let heir = s.user("ada");
        assert_eq!(heir.id, UserId(3));
        assert_ne!(heir.uuid, ada.uuid);
        assert_eq!(s.read(RoomId::LOBBY, None, Place::Newest, 10).0[0].username, "deleted user");
    }
}

#[test]
fn open_rooms_have_names_of_their_own() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let tea = s.room("tea", ada.id);
        assert_eq!((tea.id, tea.owner, tea.is_private), (RoomId(2), Some(ada.id), false));
        let new = |name: &str, owner: Reference| Job::CreateRoom {
            name: name.into(),
            owner,
            participants: None,
            most: 100,
            at: at(0),
        };
        for taken in ["tea", "lobby"] {
            assert_eq!(s.refused(new(taken, bob.id.into())), Fault::NameTaken);
        }
        assert_eq!(s.refused(new("coffee", NOBODY)), Fault::NoSuchUser);
        let coffee = room(s.one(new("coffee", Reference::Uuid(bob.uuid))));
        for reference in [tea.id.into(), Reference::Uuid(tea.uuid)] {
            assert_eq!(room(s.one(Job::FindRoom { room: reference, reader: None })), tea);
        }
        assert_eq!(s.refused(Job::FindRoom { room: NOBODY, reader: Some(ada.id) }), Fault::NoSuchRoom);
        let rename = |room: RoomId, name: &str, by| Job::RenameRoom { room: room.into(), name: name.into(), by };
        assert_eq!(s.refused(rename(tea.id, "tea 2", Some(bob.id))), Fault::NoSuchRoom);
        assert_eq!(s.refused(rename(RoomId(99), "tea 2", Some(bob.id))), Fault::NoSuchRoom);
        assert_eq!(s.refused(rename(tea.id, "coffee", Some(ada.id))), Fault::NameTaken);
        assert_eq!(room(s.one(rename(tea.id, "tea", Some(ada.id)))), tea);
        assert_eq!(room(s.one(rename(tea.id, "green tea", Some(ada.id)))).name, "green tea");
        assert_eq!(room(s.one(rename(coffee.id, "tea", None))).name, "tea");
    }
}

#[test]
fn the_lobby_is_there_from_the_start_and_stays() {
    for mut s in subjects() {
        let lobby = room(s.one(Job::FindRoom { room: RoomId::LOBBY.into(), reader: None }));
        assert_eq!((lobby.name.as_str(), lobby.owner, lobby.is_private), ("lobby", None, false));
        for room in [RoomId::LOBBY.into(), Reference::Uuid(lobby.uuid)] {
            assert_eq!(s.refused(Job::DeleteRoom { room, by: None }), Fault::NoSuchRoom);
            assert_eq!(s.refused(Job::RenameRoom { room, name: "bar".into(), by: None }), Fault::NoSuchRoom);
        }
    }
}

#[test]
fn a_private_room_is_there_for_its_participants_alone() {
    for mut s in subjects() {
        let (ada, bob, eve) = (s.user("ada"), s.user("bob"), s.user("eve"));
        let private = |participants: &[Reference]| Job::CreateRoom {
            name: "lobby".into(),
            owner: ada.id.into(),
            participants: Some(participants.to_vec()),
            most: 100,
            at: at(1),
        };
        assert_eq!(s.refused(private(&[bob.id.into(), NOBODY])), Fault::NoSuchUser);
        // Named twice, the owner among them, and with a name that an open room has.
        let created = s.one(private(&[Reference::Uuid(bob.uuid), bob.id.into(), ada.id.into()]));
        let Ok(Done::RoomCreated { participants, .. }) = &created else { panic!() };
        assert_eq!(*participants, [ada.clone(), bob.clone()]);
        let club = room(created);
        assert_eq!((club.id, club.is_private, club.owner), (RoomId(2), true, Some(ada.id)));
        let first = s.say(club.id, by(bob.id), "psst");
        let find = |reader| Job::FindRoom { room: Reference::Uuid(club.uuid), reader };
        for reader in [ada.id, bob.id] {
            assert_eq!(room(s.one(find(Some(reader)))), club);
            assert_eq!(s.read(club.id, Some(reader), Place::Newest, 9).0.len(), 1);
        }
        let page = roomcast::hub::Page { place: Place::Newest, limit: 9 };
        for reader in [None, Some(eve.id), Some(UserId(99))] {
            assert_eq!(s.refused(find(reader)), Fault::NoSuchRoom);
            assert_eq!(s.refused(Job::ReadMessages { room: club.id.into(), reader, page }), Fault::NoSuchRoom);
        }
        for author in [by(eve.id), guest(5)] {
            let draft = s.draft(club.id, author, "let me in", None);
            assert_eq!(s.refused(draft), Fault::NoSuchRoom);
        }
        let confirm = |user: UserId, reach| {
            let (message, user) = (first.message, user.into());
            Job::Confirm { message, user, reach, counts_own: true, at: at(9) }
        };
        let (lobby, own) = (vec![RoomId::LOBBY], Reach::RoomsAndOwn(vec![]));
        assert_eq!(s.refused(confirm(eve.id, Reach::Visible)), Fault::NoSuchMessage);
        assert_eq!(s.refused(confirm(eve.id, own.clone())), Fault::NoSuchMessage);
        assert_eq!(s.refused(confirm(bob.id, Reach::Rooms(lobby.clone()))), Fault::NoSuchMessage);
        assert!(s.one(confirm(bob.id, Reach::Visible)).is_ok());
        assert!(s.one(confirm(ada.id, own)).is_ok());
        let readers = |reach| Job::ListReaders { message: first.message, reach };
        for reach in [Reach::Visible, Reach::Rooms(lobby.clone()), Reach::RoomsAndOwn(lobby)] {
            assert_eq!(s.refused(readers(reach)), Fault::NoSuchMessage);
        }
        assert!(s.one(readers(Reach::Rooms(vec![club.id]))).is_ok());
        // Their names may be any.
        assert!(s.one(Job::RenameRoom { room: club.id.into(), name: "lobby".into(), by: Some(ada.id) }).is_ok());
    }
}

#[test]
fn a_room_is_deleted_with_all_that_was_said_in_it() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let tea = s.room("tea", ada.id);
        let message = s.say(tea.id, by(bob.id), "gone soon").message;
        s.one(confirm(message, ada.id, at(9))).unwrap();
        let delete = |by| Job::DeleteRoom { room: tea.id.into(), by };
        assert_eq!(s.refused(delete(Some(bob.id))), Fault::NoSuchRoom);
        assert_eq!(s.one(delete(Some(ada.id))), Ok(Done::RoomDeleted(tea.id)));
        assert_eq!(s.refused(delete(None)), Fault::NoSuchRoom);
        assert_eq!(s.refused(Job::ListReaders { message, reach: Reach::Visible }), Fault::NoSuchMessage);
        let draft = s.draft(tea.id, by(ada.id), "hello?", None);
        assert_eq!(s.refused(draft), Fault::NoSuchRoom);
        // The name is free, the ids are not.
        let again = s.room("tea", bob.id);
        assert_eq!(again.id, RoomId(3));
        assert!(s.say(again.id, by(bob.id), "fresh").message > message);
    }
}

#[test]
fn what_is_said_is_read_as_it_was_said() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let said = s.say(RoomId::LOBBY, Author::User(Reference::Uuid(ada.uuid)), "hi 'there' 👩‍🚀\n");
        assert_eq!((said.message, said.room.id, said.is_repeat), (MessageId(1), RoomId::LOBBY, false));
        assert_eq!(said.author.as_ref(), Some(&ada));
        let other = s.say(RoomId::LOBBY, guest(77), "me too");
        assert_eq!((other.message, other.author), (MessageId(2), None));
        let (messages, has_more) = s.read(RoomId::LOBBY, Some(ada.id), Place::Newest, 10);
        assert!(!has_more);
        assert_eq!((messages[0].user, messages[0].sender, messages[0].at), (Some(ada.id), ada.uuid, said.at));
        assert_eq!((messages[0].username.as_str(), messages[0].text.as_str()), ("ada", "hi 'there' 👩‍🚀\n"));
        assert_eq!((messages[1].user, messages[1].sender), (None, Uuid::from_u128(77)));
        assert_eq!((messages[1].username.as_str(), messages[1].at), ("guest-77", other.at));
        // A name is that of today.
        s.one(Job::RenameUser { user: ada.id.into(), name: "Ada".into() }).unwrap();
        assert_eq!(s.read(RoomId::LOBBY, None, Place::Newest, 10).0[0].username, "Ada");
        for (room, author, fault) in [
            (Reference::Number(99), by(ada.id), Fault::NoSuchRoom),
            (RoomId::LOBBY.into(), Author::User(NOBODY), Fault::NoSuchUser),
            // Nobody takes the UUID of a registered user, not even of one who is gone.
            (RoomId::LOBBY.into(), Author::Guest { uuid: ada.uuid, name: "x".into() }, Fault::NameTaken),
        ] {
            let draft = s.draft(room, author, "no", None);
            assert_eq!(s.refused(draft), fault);
        }
        assert_eq!(s.texts(RoomId::LOBBY).len(), 2);
    }
}

#[test]
fn a_nul_is_kept_or_refused_and_disturbs_nobody() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let nul = "a\u{0}b";
        let jobs = [
            s.draft(RoomId::LOBBY, guest(1), "before", None),
            s.draft(RoomId::LOBBY, guest(1), nul, None),
            s.draft(RoomId::LOBBY, guest(1), "marked", Some(nul)),
            Job::CreateUser { name: nul.into(), at: at(1) },
            Job::RenameUser { user: ada.id.into(), name: nul.into() },
            s.draft(RoomId::LOBBY, guest(1), "after", None),
        ];
        let outcomes = s.all(&jobs);
        assert!(outcomes[0].is_ok() && outcomes[5].is_ok());
        if s.is_postgres() {
            let refused = Fault::Malformed("this server's database keeps no text with a NUL in it".into());
            assert!(outcomes[1..5].iter().all(|outcome| *outcome == Err(refused.clone())), "{outcomes:?}");
            assert_eq!(s.texts(RoomId::LOBBY), ["before", "after"]);
        } else {
            assert!(outcomes[1..4].iter().all(Result::is_ok), "{outcomes:?}");
            assert_eq!(outcomes[4], Err(Fault::NameTaken));
            assert_eq!(s.texts(RoomId::LOBBY), ["before", nul, "marked", "after"]);
        }
    }
}

#[test]
fn pages_lie_where_they_are_asked_for() {
    for mut s in subjects() {
        let ada = s.user("ada");
        let tea = s.room("tea", ada.id);
        let ids: Vec<MessageId> = (0..10)
            .map(|number| {
                s.say(RoomId::LOBBY, guest(1), "elsewhere");
                s.say(tea.id, by(ada.id), &number.to_string()).message
            })
            .collect();
        for (place, limit, numbers, has_more) in [
            (Place::Newest, 3, 7..10, true),
            (Place::Newest, 10, 0..10, false),
            (Place::Newest, usize::MAX, 0..10, false),
            (Place::Newest, 0, 9..10, true),
            (Place::Before(ids[7]), 3, 4..7, true),
            (Place::Before(ids[3]), 3, 0..3, false),
            (Place::Before(ids[0]), 3, 0..0, false),
            (Place::Before(MessageId(i64::MAX)), 2, 8..10, true),
            (Place::After(MessageId(0)), 3, 0..3, true),
            (Place::After(ids[6]), 3, 7..10, false),
            (Place::After(ids[9]), 3, 0..0, false),
            (Place::After(MessageId(i64::MAX)), 3, 0..0, false),
        ] {
            let (messages, more) = s.read(tea.id, None, place, limit);
            let texts: Vec<String> = messages.into_iter().map(|message| message.text).collect();
            let expected: Vec<String> = numbers.map(|number: i32| number.to_string()).collect();
            assert_eq!((texts, more), (expected, has_more), "{place:?} {limit}");
        }
        let page = roomcast::hub::Page { place: Place::Newest, limit: 1 };
        assert_eq!(s.refused(Job::ReadMessages { room: NOBODY, reader: None, page }), Fault::NoSuchRoom);
    }
}

#[test]
fn a_page_of_long_texts_ends_early() {
    for mut s in subjects() {
        let long = "x".repeat(50 * 1024);
        let ids: Vec<MessageId> = (0..5).map(|_| s.say(RoomId::LOBBY, guest(1), &long).message).collect();
        s.say(RoomId::LOBBY, guest(1), &"y".repeat(300 * 1024));
        let mut read = |place| {
            let (messages, has_more) = s.read(RoomId::LOBBY, None, place, 100);
            (messages.iter().map(|message| message.id.0).collect::<Vec<_>>(), has_more)
        };
        assert_eq!(read(Place::Newest), (vec![6], true), "at least one, however long");
        assert_eq!(read(Place::Before(MessageId(6))), (vec![4, 5], true));
        assert_eq!(read(Place::After(MessageId(0))), (vec![1, 2], true));
        assert_eq!(read(Place::Before(ids[2])), (vec![1, 2], false));
    }
}

#[test]
fn a_repeat_is_answered_as_the_first_was_and_stores_nothing() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let tea = s.room("tea", ada.id);
        let mut say = |s: &mut Subject, room: RoomId, author, mark: &str| {
            let draft = s.draft(room, author, "once", Some(mark));
            appended(s.one(draft))
        };
        let first = say(&mut s, tea.id, by(ada.id), "a b");
        assert!(!first.is_repeat);
        let check = |s: &mut Subject, say: &mut dyn FnMut(&mut Subject, RoomId, Author, &str) -> _| {
            for room in [tea.id, RoomId::LOBBY, RoomId(99)] {
                let repeat: roomcast::hub::job::Appended = say(s, room, by(ada.id), "a b");
                assert_eq!((repeat.message, repeat.room, repeat.at), (first.message, first.room, first.at));
                assert!(repeat.is_repeat);
            }
        };
        check(&mut s, &mut say);
        // Others' marks, and the same sender's other ones, are other marks.
        let others = [(by(bob.id), "a b"), (by(ada.id), "a"), (guest(1), "a b"), (guest(2), "a b")];
        for (author, mark) in others {
            assert!(!say(&mut s, tea.id, author, mark).is_repeat);
        }
        assert_eq!(s.texts(tea.id).len(), 5);
        s.one(Job::DeleteMessage { message: first.message, by: None, at: at(0) }).unwrap();
        check(&mut s, &mut say);
        if s.is_lasting {
            s.reopen();
            check(&mut s, &mut say);
        }
        s.one(Job::DeleteRoom { room: tea.id.into(), by: None }).unwrap();
        check(&mut s, &mut say);
        // Twice in one batch.
        let twice =
            [s.draft(RoomId::LOBBY, guest(9), "1", Some("m")), s.draft(RoomId::LOBBY, guest(9), "1", Some("m"))];
        let outcomes = s.all(&twice).into_iter().map(appended).collect::<Vec<_>>();
        assert_eq!(outcomes[0].message, outcomes[1].message);
        assert_eq!((outcomes[0].is_repeat, outcomes[1].is_repeat), (false, true));
        assert_eq!(s.texts(RoomId::LOBBY), ["1"]);
    }
}

#[test]
fn a_batch_is_done_in_its_order_and_a_refusal_disturbs_nobody() {
    for mut s in subjects() {
        let new = |name: &str| Job::CreateUser { name: name.into(), at: at(0) };
        let page = roomcast::hub::Page { place: Place::Newest, limit: 9 };
        let jobs = [
            new("ada"),
            new("ada"),
            s.draft(RoomId::LOBBY, by(UserId(1)), "first", None),
            s.draft(RoomId(99), by(UserId(1)), "nowhere", None),
            Job::CreateRoom {
                name: "club".into(),
                owner: UserId(1).into(),
                participants: Some(vec![NOBODY]),
                most: 100,
                at: at(0),
            },
            s.draft(RoomId::LOBBY, by(UserId(1)), "second", None),
            Job::ReadMessages { room: RoomId::LOBBY.into(), reader: None, page },
            Job::RenameUser { user: UserId(1).into(), name: "bob".into() },
            new("ada"),
            Job::ListUsers,
        ];
        let outcomes = s.all(&jobs);
        let faults: Vec<Option<&Fault>> = outcomes.iter().map(|outcome| outcome.as_ref().err()).collect();
        let (name, place, user) = (Some(&Fault::NameTaken), Some(&Fault::NoSuchRoom), Some(&Fault::NoSuchUser));
        assert_eq!(faults, [None, name, None, place, user, None, None, None, None, None]);
        let Ok(Done::Messages { messages, .. }) = &outcomes[6] else { panic!() };
        assert_eq!(messages.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["first", "second"]);
        let Ok(Done::Users(users)) = &outcomes[9] else { panic!() };
        assert_eq!(
            users.iter().map(|user| (user.id.0, user.name.as_str())).collect::<Vec<_>>(),
            [(1, "bob"), (2, "ada")]
        );
        // Nothing is left of the refused room.
        assert_eq!(s.room("next", UserId(1)).id, RoomId(2));
        assert_eq!(s.all(&[]), []);
    }
}

#[test]
fn what_was_stored_is_there_when_it_is_opened_again() {
    for mut s in lasting_subjects() {
        let ada = s.user("ada");
        let (tea, _club) = (s.room("tea", ada.id), s.private("club", ada.id, &[]));
        let message = s.say(tea.id, by(ada.id), "keep me").message;
        let last = s.say(RoomId::LOBBY, guest(1), "bye");
        s.one(Job::DeleteMessage { message: last.message, by: None, at: at(0) }).unwrap();
        let newest = s.say(RoomId::LOBBY, guest(1), "bye").at;
        let opened = s.reopen();
        assert_eq!(opened.rooms.iter().map(|room| room.name.as_str()).collect::<Vec<_>>(), ["lobby", "tea"]);
        assert_eq!((&opened.rooms[1], opened.last), (&tea, newest));
        let (messages, _) = s.read(tea.id, None, Place::Newest, 9);
        assert_eq!((messages[0].id, messages[0].text.as_str()), (message, "keep me"));
        assert!(s.store().check().is_ok());
        // No id is used twice, not even those of what was deleted last.
        let newest = s.say(RoomId::LOBBY, guest(1), "x").message;
        s.one(Job::DeleteMessage { message: newest, by: None, at: at(0) }).unwrap();
        s.one(Job::DeleteUser { user: ada.id.into(), at: at(99) }).unwrap();
        s.reopen();
        assert!(s.say(RoomId::LOBBY, guest(1), "y").message > newest);
        assert_eq!(s.user("ada").id, UserId(2));
    }
}

#[test]
fn an_empty_store_has_the_lobby_and_no_time() {
    let opened = lasting_subjects().into_iter().map(|mut s| s.reopen());
    for opened in opened.chain([subject::open("sqlite::memory:")]) {
        assert_eq!(opened.last.microseconds(), 0);
        assert_eq!(opened.rooms.iter().map(|room| room.id).collect::<Vec<_>>(), [RoomId::LOBBY]);
    }
}
