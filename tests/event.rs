//! The event dialect over real sockets: here every row of its table, to the letter, with all who are told and some who
//! are not; in `tests/event/` what is refused, repeats, and one user's several sockets.

mod frames;
mod history;
mod refusals;
mod repeats;
mod sockets;

use crate::common::Server;
use crate::common::event::{EventClient, all_told, none_told};

#[test]
fn create_user_switch_user_get_users_and_get_user() {
    let server = Server::start(&[]);
    let [mut ann, mut bob, mut nobody] = [(); 3].map(|()| EventClient::connect(&server));
    ann.ok("create_user", r#"{"username":" Ann "}"#, r#"{"userId":1,"username":"Ann"}"#);
    bob.ok("create_user", r#"{"username":"Bob"}"#, r#"{"userId":2,"username":"Bob"}"#);
    let ann_is_here = r#"{"userId":1,"username":"Ann","online":true}"#;
    let users = format!(r#"{{"users":[{ann_is_here},{{"userId":2,"username":"Bob","online":true}}]}}"#);
    nobody.ok("get_users", "null", &users);
    bob.ok("switch_user", r#"{"userId":1}"#, r#"{"userId":1,"username":"Ann"}"#);
    nobody.ok("get_users", "{}", &users.replace(r#""Bob","online":true"#, r#""Bob","online":false"#));
    nobody.ok("get_user", r#"{"userId":1}"#, ann_is_here);
    nobody.ok("get_user", r#"{"userId":"2"}"#, r#"{"userId":2,"username":"Bob","online":false}"#);
    // Both sockets are Ann, who is here until the last of them has gone.
    drop(bob);
    nobody.ok("get_user", r#"{"userId":1}"#, ann_is_here);
    ann.ok("switch_user", r#"{"userId":2}"#, r#"{"userId":2,"username":"Bob"}"#);
    crate::common::wait_until("the closed socket to be noticed", || {
        nobody.reply("get_user", r#"{"userId":1}"#).contains(r#""online":false"#)
    });
    none_told([&mut ann, &mut nobody]);
}

#[test]
fn change_user_is_told_to_all() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[]);
    let mut nobody = EventClient::connect(&server);
    let (mut guest, _) = server.join_in();
    let anna = r#"{"userId":1,"username":"Anna"}"#;
    ann.ok("change_user", r#"{"username":" Anna"}"#, anna);
    all_told([&mut ann, &mut bob, &mut nobody], "user_updated", anna);
    let ann_again = r#"{"userId":1,"username":"Ann"}"#;
    ann.ok("change_user", ann_again, ann_again);
    all_told([&mut ann, &mut bob, &mut nobody], "user_updated", ann_again);
    none_told([&mut ann, &mut bob, &mut nobody]);
    guest.expect_nothing();
    // From now on it is the name that goes with what they say and do.
    ann.ok("change_user", r#"{"username":"Annie"}"#, r#"{"userId":1,"username":"Annie"}"#);
    all_told([&mut ann, &mut bob, &mut nobody], "user_updated", r#"{"userId":1,"username":"Annie"}"#);
    bob.enter(&[1]);
    ann.enter(&[1]);
    bob.told("user_joined", r#"{"roomId":1,"userId":1,"username":"Annie"}"#);
}

#[test]
fn delete_user_is_told_to_all_and_leaves_the_messages() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let mut bob = EventClient::named(&server, "Bob", &[]);
    let mut nobody = EventClient::connect(&server);
    bob.enter(&[1]);
    ann.told("user_joined", r#"{"roomId":1,"userId":2,"username":"Bob"}"#);
    ann.ok("send_message", r#"{"roomId":1,"text":"Hi"}"#, r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#);
    let hi = r#"{"messageId":1,"roomId":1,"userId":1,"username":"Ann","text":"Hi","createdAt":"T"}"#;
    all_told([&mut ann, &mut bob], "new_message", hi);

    ann.ok("delete_user", r#"{"userId":1}"#, r#"{"userId":1}"#);
    // They have left their rooms, and that is told there before it is told to all.
    bob.told("user_left", r#"{"roomId":1,"userId":1,"username":"Ann"}"#);
    all_told([&mut ann, &mut bob, &mut nobody], "user_deleted", r#"{"userId":1}"#);
    none_told([&mut ann, &mut bob, &mut nobody]);
    bob.ok(
        "get_messages",
        r#"{"roomId":1}"#,
        r#"{"messages":[{"messageId":1,"roomId":1,"userId":1,"username":"deleted user","text":"Hi","createdAt":"T","readBy":0,"readSelf":false}],"nextBefore":null}"#,
    );
    // The socket is nobody now, the name is free, and the id is not used again.
    let sentence = "this takes a user: create_user or switch_user comes first";
    ann.no("send_message", r#"{"roomId":1,"text":"Hi"}"#, "not_identified", sentence);
    ann.no("switch_user", r#"{"userId":1}"#, "not_found", "there is no such user");
    ann.ok("create_user", r#"{"username":"Ann"}"#, r#"{"userId":3,"username":"Ann"}"#);
    let users = r#"{"userId":2,"username":"Bob","online":true},{"userId":3,"username":"Ann","online":true}"#;
    ann.ok("get_users", "{}", &format!(r#"{{"users":[{users}]}}"#));
}

#[test]
fn create_room_change_room_and_get_rooms() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[]);
    let mut nobody = EventClient::connect(&server);
    let lobby = r#"{"roomId":1,"roomName":"lobby","ownerId":null,"memberCount":0}"#;
    nobody.ok("get_rooms", "{}", &format!(r#"{{"rooms":[{lobby}]}}"#));

    ann.ok("create_room", r#"{"userId":1,"roomName":" tea "}"#, r#"{"roomId":2,"roomName":"tea"}"#);
    let created = r#"{"roomId":2,"roomName":"tea","userId":1}"#;
    all_told([&mut ann, &mut bob, &mut nobody], "room_created", created);
    bob.ok("create_room", r#"{"roomName":"milk"}"#, r#"{"roomId":3,"roomName":"milk"}"#);
    let created = r#"{"roomId":3,"roomName":"milk","userId":2}"#;
    all_told([&mut ann, &mut bob, &mut nobody], "room_created", created);

    let renamed = r#"{"roomId":2,"roomName":"green tea"}"#;
    ann.ok("change_room", renamed, renamed);
    all_told([&mut ann, &mut bob, &mut nobody], "room_updated", renamed);
    ann.enter(&[2]);
    let tea = r#"{"roomId":2,"roomName":"green tea","ownerId":1,"memberCount":1}"#;
    let milk = r#"{"roomId":3,"roomName":"milk","ownerId":2,"memberCount":0}"#;
    nobody.ok("get_rooms", "{}", &format!(r#"{{"rooms":[{lobby},{tea},{milk}]}}"#));
    // The former name is free.
    bob.ok("create_room", r#"{"roomName":"tea"}"#, r#"{"roomId":4,"roomName":"tea"}"#);
    all_told([&mut ann, &mut bob, &mut nobody], "room_created", r#"{"roomId":4,"roomName":"tea","userId":2}"#);
    none_told([&mut ann, &mut bob, &mut nobody]);
}

#[test]
fn delete_room_is_told_to_all_and_takes_members_and_messages_along() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[]);
    let mut nobody = EventClient::connect(&server);
    ann.ok("create_room", r#"{"roomName":"tea"}"#, r#"{"roomId":2,"roomName":"tea"}"#);
    all_told([&mut ann, &mut bob, &mut nobody], "room_created", r#"{"roomId":2,"roomName":"tea","userId":1}"#);
    bob.enter(&[2]);
    bob.ok("send_message", r#"{"roomId":2,"text":"Hi"}"#, r#"{"messageId":1,"roomId":2,"createdAt":"T"}"#);
    bob.told("new_message", r#"{"messageId":1,"roomId":2,"userId":2,"username":"Bob","text":"Hi","createdAt":"T"}"#);

    // The owner need not be in it.
    ann.ok("delete_room", r#"{"roomId":2}"#, r#"{"roomId":2}"#);
    all_told([&mut ann, &mut bob, &mut nobody], "room_deleted", r#"{"roomId":2}"#);
    none_told([&mut ann, &mut bob, &mut nobody]);
    bob.no("send_message", r#"{"roomId":2,"text":"Hi"}"#, "not_a_member", "you are not in that room");
    bob.no("join_room", r#"{"roomId":2}"#, "not_found", "there is no such room");
    let sentence = "only a message's author or its room's owner may do that";
    bob.no("delete_message", r#"{"messageId":1}"#, "forbidden", sentence);
    // Neither id is used again, though both things are gone.
    bob.ok("create_room", r#"{"roomName":"tea"}"#, r#"{"roomId":3,"roomName":"tea"}"#);
    bob.told("room_created", r#"{"roomId":3,"roomName":"tea","userId":2}"#);
    bob.enter(&[3]);
    bob.ok("get_messages", r#"{"roomId":3}"#, r#"{"messages":[],"nextBefore":null}"#);
    bob.ok("send_message", r#"{"roomId":3,"text":"Hi"}"#, r#"{"messageId":2,"roomId":3,"createdAt":"T"}"#);
}

#[test]
fn join_room_and_leave_room_are_told_to_the_other_members() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[]);
    let mut outsider = EventClient::named(&server, "Cid", &[]);
    let lobby = r#"{"roomId":1}"#;
    ann.ok("join_room", lobby, lobby);
    bob.ok("join_room", r#"{"roomId":"1","userId":2}"#, lobby);
    ann.told("user_joined", r#"{"roomId":1,"userId":2,"username":"Bob"}"#);
    // Who is in already is answered, and nobody is told.
    bob.ok("join_room", lobby, lobby);
    none_told([&mut ann, &mut bob, &mut outsider]);
    bob.ok("leave_room", r#"{"roomId":1,"userId":"2"}"#, lobby);
    ann.told("user_left", r#"{"roomId":1,"userId":2,"username":"Bob"}"#);
    bob.no("leave_room", lobby, "not_a_member", "you are not in that room");
    none_told([&mut ann, &mut bob, &mut outsider]);
}

#[test]
fn send_message_reaches_the_room_and_its_sender() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let mut outsider = EventClient::named(&server, "Cid", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    ann.told("user_joined", r#"{"roomId":1,"userId":3,"username":"Bob"}"#);
    let said = r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#;
    ann.ok("send_message", r#"{"roomId":1,"userId":1,"text":"Hi \"you\" \u2615\n","clientId":"a"}"#, said);
    let hi = r#"{"messageId":1,"roomId":1,"userId":1,"username":"Ann","text":"Hi \"you\" ☕\n","createdAt":"T"}"#;
    all_told([&mut ann, &mut bob], "new_message", hi);
    none_told([&mut ann, &mut bob, &mut outsider]);
}

#[test]
fn get_messages_tells_who_has_read_them() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    ann.ok("get_messages", r#"{"roomId":1}"#, r#"{"messages":[],"nextBefore":null}"#);
    ann.ok("send_message", r#"{"roomId":1,"text":"one"}"#, r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#);
    ann.receive();
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    let read = r#"{"messageId":1,"userId":2,"readAt":"T"}"#;
    bob.ok("post_readconfirmation", r#"{"messageId":1}"#, read);
    let one = r#"{"messageId":1,"roomId":1,"userId":1,"username":"Ann","text":"one","createdAt":"T","readBy":1,"#;
    bob.told("readconfirmation_updated", r#"{"messageId":1,"roomId":1,"userId":2,"readAt":"T","readBy":1}"#);
    let page = format!(r#"{{"messages":[{one}"readSelf":true}}],"nextBefore":null}}"#);
    bob.ok("get_messages", r#"{"roomId":1}"#, &page);
    ann.told("user_joined", r#"{"roomId":1,"userId":2,"username":"Bob"}"#);
    ann.told("readconfirmation_updated", r#"{"messageId":1,"roomId":1,"userId":2,"readAt":"T","readBy":1}"#);
    ann.ok("get_messages", r#"{"roomId":1}"#, &page.replace("true", "false"));
}

#[test]
fn delete_message_is_told_to_the_room() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let mut outsider = EventClient::named(&server, "Cid", &[]);
    for text in ["one", "two"] {
        ann.send("send_message", &format!(r#"{{"roomId":1,"text":"{text}"}}"#));
        ann.receive();
        ann.receive();
    }
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    ann.told("user_joined", r#"{"roomId":1,"userId":3,"username":"Bob"}"#);
    ann.ok("delete_message", r#"{"messageId":1}"#, r#"{"messageId":1}"#);
    all_told([&mut ann, &mut bob], "message_deleted", r#"{"messageId":1,"roomId":1}"#);
    none_told([&mut ann, &mut bob, &mut outsider]);
    let left = r#"{"messageId":2,"roomId":1,"userId":1,"username":"Ann","text":"two","createdAt":"T","readBy":0,"#;
    let page = format!(r#"{{"messages":[{left}"readSelf":false}}],"nextBefore":null}}"#);
    bob.ok("get_messages", r#"{"roomId":1}"#, &page);
}

#[test]
fn a_rooms_owner_deletes_the_messages_of_others() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    ann.ok("create_room", r#"{"roomName":"tea"}"#, r#"{"roomId":2,"roomName":"tea"}"#);
    ann.receive();
    let mut bob = EventClient::named(&server, "Bob", &[2]);
    for _ in 0..2 {
        bob.send("send_message", r#"{"roomId":2,"text":"Hi"}"#);
        bob.receive();
        bob.receive();
    }
    ann.ok("delete_message", r#"{"messageId":1}"#, r#"{"messageId":1}"#);
    bob.told("message_deleted", r#"{"messageId":1,"roomId":2}"#);
    // The room is told, and the owner is not in it.
    ann.told_nothing();
    // An author who has left still has the say over what they said.
    bob.ok("leave_room", r#"{"roomId":2}"#, r#"{"roomId":2}"#);
    bob.ok("delete_message", r#"{"messageId":2}"#, r#"{"messageId":2}"#);
    none_told([&mut ann, &mut bob]);
}

#[test]
fn read_confirmations_are_told_once_to_the_room_and_the_author() {
    let server = Server::start(&[]);
    let mut author = EventClient::named(&server, "Ann", &[1]);
    author.ok("send_message", r#"{"roomId":1,"text":"one"}"#, r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#);
    author.receive();
    author.ok("leave_room", r#"{"roomId":1}"#, r#"{"roomId":1}"#);
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    let mut cid = EventClient::named(&server, "Cid", &[1]);
    bob.told("user_joined", r#"{"roomId":1,"userId":3,"username":"Cid"}"#);
    let mut outsider = EventClient::named(&server, "Dot", &[]);

    bob.send("post_readconfirmation", r#"{"messageId":1,"userId":2}"#);
    let first = bob.client.receive();
    assert_eq!(
        crate::common::event::untimed(&first),
        r#"{"event":"ack","payload":{"event":"post_readconfirmation","result":{"messageId":1,"userId":2,"readAt":"T"}}}"#
    );
    let updated = r#"{"messageId":1,"roomId":1,"userId":2,"readAt":"T","readBy":1}"#;
    // The author has left the room, and hears it all the same.
    all_told([&mut bob, &mut cid, &mut author], "readconfirmation_updated", updated);
    // A second time is answered with the first time, and told to nobody.
    bob.send("post_readconfirmation", r#"{"messageId":1,"userId":2}"#);
    assert_eq!(bob.client.receive(), first);
    none_told([&mut author, &mut bob, &mut cid, &mut outsider]);

    cid.ok("post_readconfirmation", r#"{"messageId":"1"}"#, r#"{"messageId":1,"userId":3,"readAt":"T"}"#);
    let updated = r#"{"messageId":1,"roomId":1,"userId":3,"readAt":"T","readBy":2}"#;
    all_told([&mut bob, &mut cid, &mut author], "readconfirmation_updated", updated);
    bob.ok(
        "get_readconfirmation",
        r#"{"messageId":1}"#,
        r#"{"messageId":1,"readers":[{"userId":2,"username":"Bob","readAt":"T"},{"userId":3,"username":"Cid","readAt":"T"}]}"#,
    );
    none_told([&mut author, &mut bob, &mut cid, &mut outsider]);
}

#[test]
fn an_author_in_the_room_hears_of_a_confirmation_once() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    ann.send("send_message", r#"{"roomId":1,"text":"one"}"#);
    ann.receive();
    ann.receive();
    // A second socket of the author's that is elsewhere hears it too, as the author.
    let mut elsewhere = EventClient::of(&server, 1, &[]);
    ann.ok("post_readconfirmation", r#"{"messageId":1}"#, r#"{"messageId":1,"userId":1,"readAt":"T"}"#);
    let updated = r#"{"messageId":1,"roomId":1,"userId":1,"readAt":"T","readBy":1}"#;
    all_told([&mut ann, &mut elsewhere], "readconfirmation_updated", updated);
    none_told([&mut ann, &mut elsewhere]);
}
