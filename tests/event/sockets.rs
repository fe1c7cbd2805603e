//! One user with several sockets, and sockets that become another user: others see users come and go, not sockets.

use crate::common::Server;
use crate::common::event::{EventClient, all_told, none_told};

const ANN_CAME: &str = r#"{"roomId":1,"userId":1,"username":"Ann"}"#;

#[test]
fn a_user_comes_with_the_first_socket_and_goes_with_the_last() {
    let server = Server::start(&[]);
    let mut first = EventClient::named(&server, "Ann", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    first.enter(&[1]);
    bob.told("user_joined", ANN_CAME);
    let mut second = EventClient::of(&server, 1, &[1]);
    let third = EventClient::of(&server, 1, &[1]);
    none_told([&mut bob, &mut first, &mut second]);

    // All of them are told what is said, and each answers for itself.
    first.ok("send_message", r#"{"roomId":1,"text":"Hi"}"#, r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#);
    let hi = r#"{"messageId":1,"roomId":1,"userId":1,"username":"Ann","text":"Hi","createdAt":"T"}"#;
    all_told([&mut first, &mut second, &mut bob], "new_message", hi);

    first.ok("leave_room", r#"{"roomId":1}"#, r#"{"roomId":1}"#);
    first.no("send_message", r#"{"roomId":1,"text":"Hi"}"#, "not_a_member", "you are not in that room");
    third.client.close();
    none_told([&mut bob, &mut second]);
    second.client.close();
    bob.told("user_left", ANN_CAME);
    none_told([&mut bob, &mut first]);
}

#[test]
fn a_socket_that_becomes_another_user_takes_the_rooms_along() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    ann.told("user_joined", r#"{"roomId":1,"userId":2,"username":"Bob"}"#);
    ann.ok("create_user", r#"{"username":"Cid"}"#, r#"{"userId":3,"username":"Cid"}"#);
    bob.told("user_left", ANN_CAME);
    bob.told("user_joined", r#"{"roomId":1,"userId":3,"username":"Cid"}"#);
    // To be who one is already is no change.
    ann.ok("switch_user", r#"{"userId":3}"#, r#"{"userId":3,"username":"Cid"}"#);
    none_told([&mut ann, &mut bob]);
    ann.ok("send_message", r#"{"roomId":1,"text":"Hi"}"#, r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#);
    let hi = r#"{"messageId":1,"roomId":1,"userId":3,"username":"Cid","text":"Hi","createdAt":"T"}"#;
    all_told([&mut ann, &mut bob], "new_message", hi);
}

#[test]
fn a_change_of_user_shows_only_who_comes_first_and_goes_last() {
    let server = Server::start(&[]);
    let mut watcher = EventClient::named(&server, "Zoe", &[1]);
    let mut one = EventClient::named(&server, "Ann", &[1]);
    let mut two = EventClient::of(&server, 2, &[1]);
    let ann = r#"{"roomId":1,"userId":2,"username":"Ann"}"#;
    let bob = r#"{"roomId":1,"userId":3,"username":"Bob"}"#;
    watcher.told("user_joined", ann);
    // Ann is still there with the other socket.
    one.ok("create_user", r#"{"username":"Bob"}"#, r#"{"userId":3,"username":"Bob"}"#);
    all_told([&mut watcher, &mut two], "user_joined", bob);
    none_told([&mut watcher, &mut one, &mut two]);
    // Bob is there already, and Ann goes.
    two.ok("switch_user", r#"{"userId":3}"#, r#"{"userId":3,"username":"Bob"}"#);
    all_told([&mut watcher, &mut one], "user_left", ann);
    none_told([&mut watcher, &mut one, &mut two]);
}

#[test]
fn a_deleted_user_leaves_once_with_all_sockets() {
    let server = Server::start(&[]);
    let mut first = EventClient::named(&server, "Ann", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    first.enter(&[1]);
    let mut second = EventClient::of(&server, 1, &[1]);
    bob.told("user_joined", ANN_CAME);
    first.ok("delete_user", "{}", r#"{"userId":1}"#);
    bob.told("user_left", ANN_CAME);
    all_told([&mut first, &mut second, &mut bob], "user_deleted", r#"{"userId":1}"#);
    none_told([&mut first, &mut second, &mut bob]);
    let sentence = "this takes a user: create_user or switch_user comes first";
    second.no("leave_room", r#"{"roomId":1}"#, "not_identified", sentence);
}

#[test]
fn a_socket_is_in_many_rooms_and_hears_each() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    for (id, name) in [(2, "tea"), (3, "milk")] {
        let made = format!(r#"{{"roomId":{id},"roomName":"{name}"}}"#);
        ann.ok("create_room", &format!(r#"{{"roomName":"{name}"}}"#), &made);
        ann.receive();
    }
    ann.enter(&[1, 2, 3]);
    let mut bob = EventClient::named(&server, "Bob", &[3, 1]);
    ann.told("user_joined", r#"{"roomId":3,"userId":2,"username":"Bob"}"#);
    ann.told("user_joined", r#"{"roomId":1,"userId":2,"username":"Bob"}"#);
    for (message, room) in [(1, 3), (2, 1), (3, 2), (4, 3)] {
        let said = format!(r#"{{"messageId":{message},"roomId":{room},"createdAt":"T"}}"#);
        ann.ok("send_message", &format!(r#"{{"roomId":{room},"text":"x"}}"#), &said);
        let shown = format!(
            r#"{{"messageId":{message},"roomId":{room},"userId":1,"username":"Ann","text":"x","createdAt":"T"}}"#
        );
        ann.told("new_message", &shown);
        if room != 2 {
            bob.told("new_message", &shown);
        }
    }
    // A connection that ends leaves them all.
    ann.client.close();
    let mut left = [bob.receive(), bob.receive()];
    left.sort();
    let gone = |room| format!(r#"{{"event":"user_left","payload":{{"roomId":{room},"userId":1,"username":"Ann"}}}}"#);
    assert_eq!(left, [gone(1), gone(3)]);
    bob.told_nothing();
}
