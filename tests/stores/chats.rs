//! Private rooms: the one of two users, and the list of those in which somebody takes part.

use roomcast::hub::Place;
use roomcast::hub::job::{Author, ChatRecord, Direct, Done, Draft, Fault, Job, UserRecord};
use roomcast::id::{Reference, RoomId, Target, UserId};

use super::{NOBODY, by};
use crate::common::subject::{Subject, appended, at, confirm, guest, subjects};

fn chats(s: &mut Subject, user: UserId, most: usize) -> Vec<ChatRecord> {
    match s.one(Job::ListChats { user, most }) {
        Ok(Done::Chats(chats)) => chats,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_users_have_one_room_for_what_they_say_to_each_other() {
    for mut s in subjects() {
        let (ada, bob, eve) = (s.user("ada"), s.user("bob"), s.user("eve"));
        // At once, from both sides and by both names.
        let to = |user: &UserRecord| Target::User(Reference::Uuid(user.uuid));
        let drafts = [
            s.draft_to(to(&ada), by(bob.id), "hi", None),
            s.draft_to(to(&bob), by(ada.id), "hello", None),
            s.draft_to(Target::User(bob.id.into()), by(ada.id), "how are you", None),
        ];
        let said: Vec<_> = s.all(&drafts).into_iter().map(appended).collect();
        let direct = said[0].direct.as_deref().unwrap();
        let room = direct.room.clone();
        assert_eq!((room.name.as_str(), room.owner, room.is_private), ("ada and bob", None, true));
        assert_eq!((&direct.to, said[0].room), (&ada, room.ids()));
        for other in &said[1..] {
            assert_eq!(other.direct.as_deref(), Some(&Direct { room: room.clone(), to: bob.clone() }));
            assert_eq!(other.room, room.ids());
        }
        let (messages, _) = s.read(room.id, Some(bob.id), Place::Newest, 9);
        let shown: Vec<_> = messages.iter().map(|m| (m.text.as_str(), m.direct_to)).collect();
        assert_eq!(shown, [("hi", Some(ada.uuid)), ("hello", Some(bob.uuid)), ("how are you", Some(bob.uuid))]);
        // By the room's id it is said to the other one as well.
        let said = s.say(room.id, by(bob.id), "fine");
        assert_eq!(said.direct.unwrap().to, ada);
        assert_eq!(s.refused(Job::FindRoom { room: room.id.into(), reader: Some(eve.id) }), Fault::NoSuchRoom);
        // Neither of them can rename it or delete it.
        assert_eq!(s.refused(Job::DeleteRoom { room: room.id.into(), by: Some(ada.id) }), Fault::NoSuchRoom);
        // Another pair has another room, and so has one who talks to themselves.
        assert_ne!(s.tell(eve.id, ada.id, "psst").room, room.ids());
        let own = s.tell(ada.id, ada.id, "note").direct.unwrap();
        assert_eq!((own.room.name.as_str(), &own.to), ("ada", &ada));
        assert_eq!(s.tell(ada.id, ada.id, "note 2").room, own.room.ids());
        assert_eq!(s.read(own.room.id, Some(ada.id), Place::Newest, 1).0[0].direct_to, Some(ada.uuid));
        // In no other private room is anything said to one alone.
        let club = s.private("club", ada.id, &[bob.id]);
        assert_eq!(s.say(club.id, by(ada.id), "all").direct, None);
        assert_eq!(s.read(club.id, Some(ada.id), Place::Newest, 1).0[0].direct_to, None);
    }
}

#[test]
fn nothing_is_said_to_who_is_not_there() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        s.one(Job::DeleteUser { user: bob.id.into(), at: at(9) }).unwrap();
        for (to, author) in [(NOBODY, by(ada.id)), (bob.id.into(), by(ada.id)), (ada.id.into(), guest(1))] {
            let draft = s.draft_to(Target::User(to), author, "hello?", None);
            assert_eq!(s.refused(draft), Fault::NoSuchUser);
        }
        // No room is left of the attempts.
        assert_eq!(chats(&mut s, ada.id, 9), []);
        assert_eq!(s.room("tea", ada.id).id, RoomId(2));
    }
}

#[test]
fn a_repeat_to_a_user_is_answered_as_the_first_was() {
    for mut s in subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        let say = |s: &mut Subject, to: Target| {
            let draft = s.draft_to(to, by(ada.id), "once", Some("mark"));
            appended(s.one(draft))
        };
        let first = say(&mut s, Target::User(bob.id.into()));
        assert!(!first.is_repeat && first.direct.is_some());
        let repeated = roomcast::hub::job::Appended { is_repeat: true, ..first.clone() };
        assert_eq!(say(&mut s, Target::User(bob.id.into())), repeated);
        assert_eq!(say(&mut s, Target::User(ada.id.into())), repeated);
        assert_eq!(say(&mut s, Target::Room(RoomId::LOBBY.into())), repeated);
        s.one(Job::DeleteRoom { room: first.room.id.into(), by: None }).unwrap();
        assert_eq!(say(&mut s, Target::User(bob.id.into())), repeated);
        // The next one finds no room any more, and makes another one.
        assert_ne!(s.tell(bob.id, ada.id, "twice").room, first.room);
    }
}

#[test]
fn what_kind_of_message_it_is_is_kept() {
    for mut s in subjects() {
        let ada = s.user("ada");
        s.say(RoomId::LOBBY, by(ada.id), "plain");
        let (to, author, at) = (Target::Room(RoomId::LOBBY.into()), Author::User(ada.id.into()), at(50));
        let message_type = Some("image".into());
        s.one(Job::Append(Draft { to, author, text: "x".into(), client_id: None, message_type, file: None, at }))
            .unwrap();
        let (messages, _) = s.read(RoomId::LOBBY, None, Place::Newest, 9);
        let kinds: Vec<_> = messages.iter().map(|message| message.message_type.as_str()).collect();
        assert_eq!(kinds, ["text", "image"]);
        assert!(messages.iter().all(|message| message.file.is_none() && message.direct_to.is_none()));
    }
}

#[test]
fn chats_are_listed_with_what_is_new_in_them() {
    for mut s in subjects() {
        let (ada, bob, eve) = (s.user("ada"), s.user("bob"), s.user("eve"));
        let (club, quiet) = (s.private("club", ada.id, &[bob.id, eve.id]), s.private("quiet", bob.id, &[ada.id]));
        s.private("not ours", bob.id, &[eve.id]);
        s.room("tea", ada.id);
        let said: Vec<_> =
            [bob.id, ada.id, eve.id, bob.id].iter().map(|&user| s.say(club.id, by(user), "hm")).collect();
        let told = s.tell(ada.id, bob.id, "psst");
        let direct = told.direct.clone().unwrap().room;
        let list = chats(&mut s, ada.id, 9);
        let shown: Vec<_> = list.iter().map(|chat| (&chat.room, chat.unread)).collect();
        assert_eq!(shown, [(&direct, 1), (&club, 3), (&quiet, 0)]);
        assert_eq!((list[0].updated_at, list[1].updated_at), (told.at, said[3].at));
        let last = list[0].last.as_ref().unwrap();
        assert_eq!((last.id, last.text.as_str(), last.direct_to), (told.message, "psst", Some(ada.uuid)));
        assert_eq!((list[1].last.as_ref().unwrap().id, list[2].last.as_ref()), (said[3].message, None));
        // What one has read, and all before it, is not new; reading back changes nothing.
        for (index, unread) in [(2, 1), (0, 1), (3, 0)] {
            s.one(confirm(said[index].message, ada.id, at(500))).unwrap();
            assert_eq!(chats(&mut s, ada.id, 9)[1].unread, unread);
        }
        // What came before the confirmation but after the message is new all the same.
        s.say(club.id, by(eve.id), "new");
        let list = chats(&mut s, ada.id, 1);
        assert_eq!(list.iter().map(|chat| (&chat.room, chat.unread)).collect::<Vec<_>>(), [(&club, 1)]);
        let names: Vec<_> = chats(&mut s, eve.id, 9).into_iter().map(|chat| (chat.room.name, chat.unread)).collect();
        assert_eq!(names, [("club".to_owned(), 3), ("not ours".to_owned(), 0)]);
        assert_eq!(chats(&mut s, UserId(99), 9), []);
    }
}

#[test]
fn a_survey_names_open_rooms_and_what_is_known_of_users() {
    for mut s in subjects() {
        let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| s.user(name));
        let tea = s.room("tea", ada.id);
        let club = s.private("club", ada.id, &[bob.id]);
        let direct = s.tell(eve.id, ada.id, "psst").direct.unwrap().room;
        s.say(club.id, Author::User(bob.id.into()), "hm");
        s.one(Job::DeleteUser { user: eve.id.into(), at: at(50) }).unwrap();
        let job = |rooms, users: &[UserId], most| Job::Survey { rooms, users: users.to_vec(), most };
        let mut survey = |users: &[UserId], most| match s.one(job(true, users, most)) {
            Ok(Done::Surveyed { rooms: Some(rooms), users }) => {
                assert_eq!(rooms.iter().map(|room| room.name.as_str()).collect::<Vec<_>>(), ["lobby", "tea"]);
                assert_eq!(rooms[1], tea);
                users
            }
            other => panic!("{other:?}"),
        };
        let rooms = vec![club.clone(), direct];
        let of_bob = (bob.clone(), vec![club.clone()]);
        assert_eq!(survey(&[bob.id, eve.id, ada.id, UserId(99)], 9), [of_bob.clone(), (ada.clone(), rooms)]);
        assert_eq!(survey(&[ada.id, bob.id], 1), [(ada.clone(), vec![club.clone()]), of_bob.clone()]);
        assert_eq!(survey(&[], 9), []);
        assert_eq!(s.one(job(false, &[bob.id], 9)), Ok(Done::Surveyed { rooms: None, users: vec![of_bob] }));
    }
}
