//! Typing and signals: what is passed on without the store.

use std::rc::Rc;

use super::*;

const CHAT: Target = Target::Room(Reference::Number(3));

fn typing(hub: &mut Hub, from: usize, to: Target, is_typing: bool) -> Vec<(Vec<usize>, bool)> {
    let effects = ask(hub, from, Command::Type { to, is_typing });
    assert_eq!(effects.last(), Some(&reply(from, Reply::Passed)));
    heard(&effects, hub)
}

/// Who hears that somebody types, or not any more.
fn heard(effects: &[Effect], hub: &Hub) -> Vec<(Vec<usize>, bool)> {
    let typings = all_told(effects, hub).into_iter().filter_map(|(slots, event)| match event {
        Event::Typing { is_typing, .. } => Some((slots, is_typing)),
        _ => None,
    });
    typings.collect()
}

fn signal(hub: &mut Hub, from: usize, to: Target) -> Vec<Effect> {
    let data = Blob { json: "1".into(), attachments: Rc::new([]) };
    ask(hub, from, Command::Signal { to, data })
}

#[test]
fn typing_is_told_to_the_others_and_ends_once() {
    let mut hub = followers(3);
    assert_eq!(typing(&mut hub, 0, CHAT, true), [(vec![1, 2], true)]);
    assert_eq!(typing(&mut hub, 0, CHAT, true), [(vec![1, 2], true)], "renewed");
    assert_eq!(typing(&mut hub, 0, CHAT, false), [(vec![1, 2], false)]);
    assert_eq!(typing(&mut hub, 0, CHAT, false), []);
    assert_eq!((advance(&mut hub, 60), hub.has_jobs()), (vec![], false));
}

#[test]
fn typing_that_is_not_renewed_ends() {
    let mut hub = followers(2);
    typing(&mut hub, 0, CHAT, true);
    advance(&mut hub, 4);
    typing(&mut hub, 0, CHAT, true);
    assert_eq!(hub.next_lapse(), Some(Duration::from_secs(10)));
    assert_eq!(advance(&mut hub, 9), []);
    let effects = advance(&mut hub, 10);
    assert_eq!(heard(&effects, &hub), [(vec![1], false)]);
    assert_eq!(typing(&mut hub, 0, CHAT, false), [], "it was told");
}

#[test]
fn typing_ends_with_the_session_and_with_its_being_in_the_room() {
    let mut hub = followers(2);
    typing(&mut hub, 0, CHAT, true);
    let effects = ask(&mut hub, 0, Command::ExitRoom { room: RoomId(3).into() });
    assert_eq!(heard(&effects, &hub), [(vec![1], false)]);
    assert_eq!(typing(&mut hub, 0, CHAT, true), [(vec![1], true)], "its user still takes part");
    typing(&mut hub, 0, Target::User(Reference::Number(2)), true);
    let effects = close(&mut hub, 0);
    assert_eq!(heard(&effects, &hub), [(vec![1], false), (vec![1], false)]);
    assert_eq!(advance(&mut hub, 4), []);
}

#[test]
fn typing_to_a_user_is_for_its_sessions() {
    let mut hub = followers(2);
    hub.open(slot(2), &mut Vec::new());
    choose(&mut hub, 2, 2, &[3]);
    let to = Target::User(Reference::Uuid(uuid(2)));
    assert_eq!(typing(&mut hub, 0, to, true), [(vec![1, 2], true)]);
    assert_eq!(typing(&mut hub, 0, Target::User(Reference::Number(99)), true), [], "and nobody is told from nobody");
    let effects = advance(&mut hub, 6);
    assert_eq!(heard(&effects, &hub), [(vec![1, 2], false)]);
}

#[test]
fn typing_takes_a_member_or_a_participant() {
    let mut hub = followers(1);
    hub.open(slot(1), &mut Vec::new());
    follow(&mut hub, 1, 2, &[]);
    for room in [2, 3, 99] {
        let to = Target::Room(Reference::Number(room));
        let effects = ask(&mut hub, 1, Command::Type { to, is_typing: true });
        assert_eq!(effects, refused(1, Refusal::NotAMember));
        assert_eq!(signal(&mut hub, 1, to), refused(1, Refusal::NotAMember));
    }
    enter(&mut hub, 0);
    enter(&mut hub, 1);
    assert_eq!(typing(&mut hub, 1, Target::Room(TEA.into()), true), [(vec![0], true)]);
    let mut users = users_of(1);
    enter(&mut users, 0);
    let effects = ask(&mut users, 0, Command::Type { to: Target::Room(TEA.into()), is_typing: true });
    assert_eq!(effects, refused(0, Refusal::NotIdentified));
}

#[test]
fn in_a_seventeenth_place_the_first_has_ended() {
    let mut hub = followers(19);
    for user in 2..18 {
        typing(&mut hub, 0, Target::User(Reference::Number(user)), true);
    }
    // Renewed, the first is the last to end.
    typing(&mut hub, 0, Target::User(Reference::Number(2)), true);
    let told = typing(&mut hub, 0, Target::User(Reference::Number(18)), true);
    assert_eq!(told, [(vec![2], false), (vec![17], true)]);
    let effects = advance(&mut hub, 6);
    assert_eq!(heard(&effects, &hub).len(), 16);
}

#[test]
fn typing_in_a_deleted_room_ends_with_it() {
    let mut hub = followers(2);
    typing(&mut hub, 0, CHAT, true);
    ask(&mut hub, 0, Command::DeleteRoom { room: RoomId(3).into() });
    commit(&mut hub, Ok(Done::RoomDeleted(RoomId(3))));
    assert_eq!(advance(&mut hub, 6), []);
}

#[test]
fn a_signal_goes_to_the_others_in_the_room() {
    let mut hub = followers(3);
    let effects = signal(&mut hub, 0, CHAT);
    let told = all_told(&effects, &hub);
    assert!(
        matches!(&told[..], [(slots, Event::Signal { room: Some(room), .. })] if *slots == [1, 2] && *room == ids(3))
    );
    assert_eq!(effects[1], reply(0, Reply::Passed));
    assert!(!hub.has_jobs());
}

#[test]
fn a_signal_to_a_user_takes_a_room_in_common() {
    let mut hub = followers(2);
    hub.open(slot(2), &mut Vec::new());
    follow(&mut hub, 2, 3, &[4]);
    let effects = signal(&mut hub, 0, Target::User(Reference::Number(2)));
    let told = all_told(&effects, &hub);
    assert!(
        matches!(&told[..], [(slots, Event::Signal { room: None, user, .. })] if *slots == [1] && user.id == UserId(1))
    );
    for nobody in [3, 99] {
        let effects = signal(&mut hub, 0, Target::User(Reference::Number(nobody)));
        assert_eq!(effects, refused(0, Refusal::NotAMember));
    }
}
