//! What other programs have done: who is told, and who is in which room from then on.

use std::rc::Rc;

use super::attend::message;
use super::*;
use job::{Change, ChangeRecord, Deed, Outside};

fn said(room: RoomRecord, participants: &[i64], id: i64) -> Outside {
    let participants = Some(participants.iter().copied().map(UserId).collect());
    Outside { room, participants, what: Deed::Said(message(id, None, "guest-77")) }
}

fn deleted(room: RoomRecord, participants: &[i64], id: i64) -> Outside {
    let record = ChangeRecord {
        message: MessageId(1),
        room: room.ids(),
        user: None,
        at: Timestamp::from_microseconds(id),
        what: Change::Deleted,
        was: None,
        transaction: None,
    };
    Outside { what: Deed::Changed(record, ChangeId(id)), ..said(room, participants, id) }
}

/// It happens. Whether it may have changed who is in which room is known beforehand.
fn happen(hub: &mut Hub, outside: Outside) -> Vec<(Vec<usize>, Event)> {
    let members = |hub: &Hub| (0..5).map(|index| is_in(hub, index)).collect::<Vec<_>>();
    let (before, may_move) = (members(hub), hub.moves_members_by(&outside));
    let mut effects = Vec::new();
    hub.happened(outside, &mut effects);
    assert!(may_move || members(hub) == before, "somebody was moved unforeseen");
    all_told(&effects, hub)
}

/// Who was told of a message, and of which in which room.
fn heard(told: &[(Vec<usize>, Event)]) -> Vec<(Vec<usize>, i64, &str)> {
    let of = |(slots, event): &(Vec<usize>, Event)| {
        let Event::RoomMessage { room, stored: Some(stored), .. } = event else { panic!("{event:?} is no message") };
        (slots.clone(), stored.message.0, Rc::clone(room))
    };
    let names = ["lobby", "tea", "den", "chat3", "chat4"];
    let named = |room: &str| names.into_iter().find(|name| *name == room).unwrap();
    told.iter().map(of).map(|(slots, id, room)| (slots, id, named(&room))).collect()
}

#[test]
fn a_room_is_told_and_the_mark_moves_forward_only() {
    let mut hub = users_of(3);
    enter(&mut hub, 1);
    for (id, mark_after) in [(8, mark(8, 0)), (5, mark(8, 0)), (9, mark(9, 0))] {
        let outside = said(room(2, "tea"), &[], id);
        assert!(!hub.moves_members_by(&outside));
        assert_eq!(heard(&happen(&mut hub, outside)), [(vec![1], id, "tea")]);
        assert_eq!(hub.mark(), mark_after);
    }
    let told = happen(&mut hub, deleted(room(2, "tea"), &[], 4));
    let event = Event::MessageDeleted { message: MessageId(1), room: ids(2), direct_to: None, was: None };
    assert_eq!(told, [(vec![1], event)]);
    happen(&mut hub, deleted(room(2, "tea"), &[], 3));
    assert_eq!(hub.mark(), mark(9, 4));
}

#[test]
fn an_open_room_is_known_from_then_on_and_has_those_of_its_name() {
    let mut hub = hub_of(2);
    hub.load(&[room(1, "lobby")], None);
    join(&mut hub, 0, "den");
    assert!(hub.moves_members_by(&said(room(3, "den"), &[], 1)));
    assert_eq!(heard(&happen(&mut hub, said(room(3, "den"), &[], 1))), [(vec![0], 1, "den")]);
    assert_eq!(is_in(&hub, 0), [3]);
    assert_eq!(heard(&happen(&mut hub, said(room(4, "tea"), &[], 2))), [(vec![], 2, "tea")]);
    assert_eq!(hub.room_count(), 3);
    // It has another name by now.
    happen(&mut hub, said(room(4, "cake"), &[], 3));
    join(&mut hub, 1, "cake");
    assert_eq!(is_in(&hub, 1), [4]);
}

#[test]
fn a_private_room_is_told_to_those_who_take_part_by_then() {
    let mut hub = followers(3);
    let told = happen(&mut hub, said(chat(4), &[2, 3, 9], 1));
    assert_eq!(heard(&told), [(vec![1, 2], 1, "chat4")], "and nobody that somebody came");
    assert_eq!((is_in(&hub, 0), is_in(&hub, 1)), (vec![3], vec![3, 4]));
    assert!(!hub.moves_members_by(&said(chat(4), &[2, 3, 9], 2)));
    // One has come, and one has gone.
    let told = happen(&mut hub, said(chat(4), &[1, 2], 2));
    assert_eq!(heard(&told), [(vec![1, 0], 2, "chat4")]);
    assert_eq!((is_in(&hub, 0), is_in(&hub, 2)), (vec![3, 4], vec![3]));
    assert_eq!(happen(&mut hub, deleted(chat(4), &[], 3)), []);
    assert_eq!((is_in(&hub, 0), is_in(&hub, 1)), (vec![3], vec![3]));
}

#[test]
fn a_private_room_of_nobody_here_is_not_kept() {
    let mut hub = followers(1);
    let rooms = hub.room_count();
    for participants in [&[][..], &[8, 9]] {
        assert_eq!(happen(&mut hub, said(chat(4), participants, 1)), []);
        assert_eq!(hub.room_count(), rooms);
    }
}

#[test]
fn what_two_talk_about_reaches_them_wherever_they_are() {
    let mut hub = hub_of(3);
    hub.load(&[room(1, "lobby")], None);
    choose(&mut hub, 0, 1, &[]);
    follow(&mut hub, 1, 2, &[]);
    choose(&mut hub, 2, 3, &[]);
    let pair = RoomRecord { direct: Some(Box::new([uuid(1), uuid(2)])), ..chat(4) };
    let told = happen(&mut hub, said(pair, &[1, 2], 1));
    assert_eq!(heard(&told), [(vec![1], 1, "chat4"), (vec![0], 1, "chat4")]);
}
