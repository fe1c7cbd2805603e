//! Who is told when a user comes and goes, and what is known while it is here.

use super::*;

fn status(user: i64, is_online: bool) -> Job {
    Job::SetStatus { user: UserId(user), is_online }
}

#[test]
fn the_first_session_is_told_to_those_who_share_a_room_and_no_other_is() {
    let mut hub = hub_of(5);
    follow(&mut hub, 0, 1, &[3, 4]);
    choose(&mut hub, 1, 1, &[3, 4]);
    follow(&mut hub, 2, 2, &[5]);
    jobs(&mut hub);
    let effects = follow(&mut hub, 3, 3, &[3, 4]);
    assert_eq!(all_told(&effects, &hub), [(vec![0, 1], presence(3, true))], "each once, not strangers");
    assert!(matches!(effects[0], Effect::Reply { .. }), "behind the answer");
    assert_eq!(jobs(&mut hub), [status(3, true)]);
    let second = follow(&mut hub, 4, 3, &[3, 4]);
    assert_eq!((all_told(&second, &hub), jobs(&mut hub)), (vec![], vec![]));
}

#[test]
fn a_user_is_gone_a_while_after_its_last_session() {
    let mut hub = hub_of(3);
    follow(&mut hub, 0, 1, &[3]);
    follow(&mut hub, 1, 2, &[3, 4]);
    follow(&mut hub, 2, 2, &[3, 4]);
    jobs(&mut hub);
    advance(&mut hub, 10);
    assert_eq!(close(&mut hub, 1), []);
    assert_eq!(hub.next_lapse(), None, "one is still here");
    advance(&mut hub, 12);
    assert_eq!(close(&mut hub, 2), []);
    assert_eq!(hub.next_lapse(), Some(Duration::from_secs(17)));
    assert_eq!((advance(&mut hub, 16), hub.room_count()), (vec![], 2));
    let effects = advance(&mut hub, 17);
    assert_eq!(all_told(&effects, &hub), [(vec![0], presence(2, false))]);
    assert_eq!((jobs(&mut hub), hub.next_lapse()), (vec![status(2, false)], None));
    assert_eq!(hub.room_count(), 1, "nobody here takes part in the other");
    assert_eq!(advance(&mut hub, 99), []);
}

#[test]
fn what_could_not_be_noted_is_noted_later() {
    let mut hub = followers(1);
    jobs(&mut hub);
    close(&mut hub, 0);
    advance(&mut hub, 5);
    for seconds in [10, 15] {
        let (ticket, noted) = job(&mut hub);
        assert_eq!(noted, status(1, false));
        assert_eq!(commit_to(&mut hub, ticket, Err(Fault::Unavailable("down".into()))), []);
        assert_eq!((hub.next_lapse(), hub.counts_time()), (Some(Duration::from_secs(seconds)), true));
        advance(&mut hub, seconds);
    }
    let (ticket, noted) = job(&mut hub);
    assert_eq!(noted, status(1, false));
    commit_to(&mut hub, ticket, Ok(Done::Noted));
    assert_eq!((hub.next_lapse(), hub.counts_time()), (None, false));
}

#[test]
fn a_reload_is_invisible() {
    let mut hub = followers(2);
    close(&mut hub, 0);
    advance(&mut hub, 4);
    hub.open(slot(0), &mut Vec::new());
    let effects = follow(&mut hub, 0, 1, &[3]);
    assert_eq!((all_told(&effects, &hub), jobs(&mut hub)), (vec![], vec![]));
    assert_eq!((advance(&mut hub, 60), hub.next_lapse()), (vec![], None));
}

#[test]
fn who_is_about_to_go_is_still_here() {
    let mut hub = followers(1);
    close(&mut hub, 0);
    hub.open(slot(1), &mut Vec::new());
    let effects = follow(&mut hub, 1, 2, &[3]);
    let Effect::Reply { reply: Reply::Attended(attended), .. } = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(attended.online, [uuid(1), uuid(2)]);
    assert_eq!(all_told(&effects, &hub), [], "but hears nothing");
}

#[test]
fn presence_may_be_for_everybody() {
    let mut hub = Hub::new(Limits { presence_of_all: true, ..LIMITS }, 7, Timestamp::default());
    for index in 0..3 {
        hub.open(slot(index), &mut Vec::new());
    }
    follow(&mut hub, 0, 1, &[3]);
    let effects = follow(&mut hub, 1, 2, &[]);
    let Effect::Reply { reply: Reply::Attended(attended), .. } = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(attended.online, [uuid(1), uuid(2)]);
    assert_eq!(all_told(&effects, &hub), [(vec![0], presence(2, true))], "who does not attend hears nothing");
    close(&mut hub, 1);
    let effects = advance(&mut hub, 5);
    assert_eq!(all_told(&effects, &hub), [(vec![0], presence(2, false))]);
}

#[test]
fn a_deleted_user_is_gone_at_once() {
    let mut hub = followers(3);
    ask(&mut hub, 0, Command::DeleteUser);
    let effects = commit(&mut hub, Ok(Done::User(user(1, "user1"))));
    assert_eq!(effects[0], reply(0, Reply::UserDeleted { user: UserId(1) }));
    let told = all_told(&effects, &hub);
    assert_eq!(told[..1], [(vec![1, 2], presence(1, false))]);
    assert_eq!(say(&mut hub, 0), refused(0, Refusal::NotIdentified));
    assert_eq!((close(&mut hub, 0), hub.next_lapse()), (vec![], None));
}

#[test]
fn a_new_name_is_the_present_users_too() {
    let mut hub = followers(2);
    ask(&mut hub, 0, Command::RenameUser { name: name("new") });
    commit(&mut hub, Ok(Done::User(user(1, "new"))));
    let effects = ask(&mut hub, 0, Command::Type { to: Target::Room(RoomId(3).into()), is_typing: true });
    let told = all_told(&effects, &hub);
    assert!(matches!(&told[0].1, Event::Typing { user, .. } if &*user.name == "new"));
    assert_eq!(&*hub.presence.get(UserId(1)).unwrap().user.name, "new");
}

#[test]
fn with_a_deleted_room_those_who_shared_it_are_strangers() {
    let mut hub = followers(2);
    ask(&mut hub, 0, Command::DeleteRoom { room: RoomId(3).into() });
    commit(&mut hub, Ok(Done::RoomDeleted(RoomId(3))));
    assert_eq!((is_in(&hub, 0), is_in(&hub, 1), hub.room_count()), (vec![], vec![], 2));
    close(&mut hub, 1);
    assert_eq!(advance(&mut hub, 5), []);
}

/// No user is known to take part in more rooms than a session may be in.
#[test]
fn what_is_known_of_a_user_is_bounded() {
    let mut hub = followers(1);
    for chat_id in 4..9 {
        ask(&mut hub, 0, Command::CreateRoom { name: name("chat"), participants: Some(Vec::new()) });
        let done = Done::RoomCreated { room: chat(chat_id), participants: vec![user(1, "user1")] };
        let effects = commit(&mut hub, Ok(done));
        assert_eq!(all_told(&effects, &hub).len(), 1);
    }
    assert_eq!((is_in(&hub, 0), hub.room_count()), (vec![3, 4], 4));
}

#[test]
fn a_crowd_in_one_room_is_told_of_each_once() {
    const CROWD: usize = 1_000;
    let mut hub = hub_of(CROWD);
    for index in 0..CROWD {
        let effects = follow(&mut hub, index, index as i64 + 1, &[3, 4]);
        let [Effect::Reply { reply: Reply::Attended(attended), .. }, rest @ ..] = &effects[..] else { panic!() };
        assert_eq!(attended.online.len(), index + 1);
        let count = rest.iter().map(|effect| told(effect, &hub).0.len()).sum::<usize>();
        assert_eq!((count, rest.len()), (index, usize::from(index > 0)));
    }
    hub.check_invariants();
    (0..CROWD).for_each(|index| drop(close(&mut hub, index)));
    assert_eq!(advance(&mut hub, 5), [], "nobody is left to hear");
    hub.check_invariants();
    hub.give_back(0);
    assert_eq!(hub.room_count(), 0);
}

/// Whatever the server's turns have been so far: time has passed although nothing happened.
#[test]
fn a_while_begins_when_it_does() {
    let mut hub = followers(2);
    advance(&mut hub, 10);
    hub.note_time(Duration::from_secs(17));
    close(&mut hub, 0);
    assert_eq!(hub.next_lapse(), Some(Duration::from_secs(22)));
    hub.note_time(Duration::from_secs(30));
    assert_eq!(hub.next_lapse(), Some(Duration::from_secs(22)), "it is for advance to have it happen");
}
