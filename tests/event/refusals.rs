//! Who may not: every code but `bad_request` and `unknown_event`, and that a refusal does not tell what there is.

use crate::common::Server;
use crate::common::event::{EventClient, all_told, none_told};

const NOT_A_MEMBER: &str = "you are not in that room";
const NOT_THE_OWNER: &str = "only a room's owner may do that";
const NOT_THE_AUTHOR: &str = "only a message's author or its room's owner may do that";
const ANOTHER: &str = "that is another user's id than this connection's own";

/// Everything but `create_user`, `switch_user`, `get_users`, `get_user` and `get_rooms`, with a payload that would do.
const NEED_A_USER: [(&str, &str); 12] = [
    ("change_user", r#"{"username":"x"}"#),
    ("delete_user", "{}"),
    ("create_room", r#"{"roomName":"x"}"#),
    ("change_room", r#"{"roomId":2,"roomName":"x"}"#),
    ("delete_room", r#"{"roomId":2}"#),
    ("join_room", r#"{"roomId":1}"#),
    ("leave_room", r#"{"roomId":1}"#),
    ("send_message", r#"{"roomId":1,"text":"x"}"#),
    ("get_messages", r#"{"roomId":1}"#),
    ("delete_message", r#"{"messageId":1}"#),
    ("post_readconfirmation", r#"{"messageId":1}"#),
    ("get_readconfirmation", r#"{"messageId":1}"#),
];

/// Makes a private room of these users by the database API.
fn make_private_room(server: &Server, name: &str, owner: i64, members: &str) {
    let body = format!(r#"{{"UserID":{owner},"Roomname":"{name}","Private":true,"Members":{members}}}"#);
    let request = format!("POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = server.exchange(request);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

#[test]
fn not_identified() {
    let server = Server::start(&[]);
    let mut nobody = EventClient::connect(&server);
    for (event, payload) in NEED_A_USER {
        let sentence = "this takes a user: create_user or switch_user comes first";
        nobody.no(event, payload, "not_identified", sentence);
        // Whom they claim to be makes no difference, whether there is such a user or not.
        nobody.no(event, &payload.replacen('{', r#"{"userId":1,"#, 1).replace(",}", "}"), "not_identified", sentence);
    }
    nobody.ok("get_users", "{}", r#"{"users":[]}"#);
    nobody.told_nothing();
}

/// Row 9 of the hostile inputs.
#[test]
fn nobody_speaks_for_another() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    ann.told("user_joined", r#"{"roomId":1,"userId":2,"username":"Bob"}"#);
    ann.send("send_message", r#"{"roomId":1,"text":"Hi"}"#);
    ann.receive();
    ann.receive();
    bob.receive();
    for (event, payload) in NEED_A_USER {
        // Somebody's id and nobody's get the same answer.
        for id in ["2", "\"2\"", "99", "\"00000000-0000-4000-8000-000000000000\""] {
            let spoofed = payload.replacen('{', &format!(r#"{{"userId":{id},"#), 1).replace(",}", "}");
            ann.no(event, &spoofed, "forbidden", ANOTHER);
        }
    }
    none_told([&mut ann, &mut bob]);
    let users = r#"{"userId":1,"username":"Ann","online":true},{"userId":2,"username":"Bob","online":true}"#;
    ann.ok("get_users", "{}", &format!(r#"{{"users":[{users}]}}"#));
    let lobby = r#"{"roomId":1,"roomName":"lobby","ownerId":null,"memberCount":2}"#;
    ann.ok("get_rooms", "{}", &format!(r#"{{"rooms":[{lobby}]}}"#));
    let hi = r#"{"messageId":1,"roomId":1,"userId":1,"username":"Ann","text":"Hi","createdAt":"T","readBy":0,"#;
    let page = format!(r#"{{"messages":[{hi}"readSelf":false}}],"nextBefore":null}}"#);
    ann.ok("get_messages", r#"{"roomId":1}"#, &page);
}

#[test]
fn not_found_and_already_exists() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[]);
    for event in ["switch_user", "get_user"] {
        ann.no(event, r#"{"userId":99}"#, "not_found", "there is no such user");
        let nobodys = r#"{"userId":"00000000-0000-4000-8000-000000000000"}"#;
        ann.no(event, nobodys, "not_found", "there is no such user");
    }
    ann.no("join_room", r#"{"roomId":99}"#, "not_found", "there is no such room");

    let taken = "there is a user of that name";
    ann.no("create_user", r#"{"username":"Bob"}"#, "already_exists", taken);
    ann.no("change_user", r#"{"username":" Bob "}"#, "already_exists", taken);
    let taken = "there is an open room of that name";
    ann.no("create_room", r#"{"roomName":"lobby"}"#, "already_exists", taken);
    ann.ok("create_room", r#"{"roomName":"tea"}"#, r#"{"roomId":2,"roomName":"tea"}"#);
    all_told([&mut ann, &mut bob], "room_created", r#"{"roomId":2,"roomName":"tea","userId":1}"#);
    ann.no("change_room", r#"{"roomId":2,"roomName":"lobby"}"#, "already_exists", taken);
    // Its own name is no obstacle.
    ann.ok("change_room", r#"{"roomId":2,"roomName":"tea"}"#, r#"{"roomId":2,"roomName":"tea"}"#);
    all_told([&mut ann, &mut bob], "room_updated", r#"{"roomId":2,"roomName":"tea"}"#);
    // Letters in another case are other letters.
    ann.ok("change_user", r#"{"username":"bob"}"#, r#"{"userId":1,"username":"bob"}"#);
}

#[test]
fn only_owners_change_rooms_and_nobody_the_lobby() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    ann.ok("create_room", r#"{"roomName":"tea"}"#, r#"{"roomId":2,"roomName":"tea"}"#);
    ann.receive();
    let mut bob = EventClient::named(&server, "Bob", &[2]);
    // A room that is another's, and one that there is not; a free name, and one that is taken.
    for room in [2, 99] {
        for name in ["mine", "tea", "lobby"] {
            let payload = format!(r#"{{"roomId":{room},"roomName":"{name}"}}"#);
            bob.no("change_room", &payload, "forbidden", NOT_THE_OWNER);
        }
        bob.no("delete_room", &format!(r#"{{"roomId":{room}}}"#), "forbidden", NOT_THE_OWNER);
    }
    for client in [&mut ann, &mut bob] {
        let sentence = "the lobby can be neither renamed nor deleted";
        client.no("change_room", r#"{"roomId":1,"roomName":"hall"}"#, "forbidden", sentence);
        client.no("delete_room", r#"{"roomId":"1"}"#, "forbidden", sentence);
        client.told_nothing();
    }
}

#[test]
fn only_members_send_read_and_confirm() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    ann.send("send_message", r#"{"roomId":1,"text":"Hi"}"#);
    ann.receive();
    ann.receive();
    let mut bob = EventClient::named(&server, "Bob", &[]);
    let not_a_member = |bob: &mut EventClient, event: &str, ids: [&str; 2], payload: &str| {
        // There is one of them, and there is not the other.
        for id in ids {
            bob.no(event, &payload.replace("ID", id), "not_a_member", NOT_A_MEMBER);
        }
    };
    let ids = ["1", "99"];
    not_a_member(&mut bob, "send_message", ids, r#"{"roomId":ID,"text":"Hi"}"#);
    not_a_member(&mut bob, "get_messages", ids, r#"{"roomId":ID}"#);
    not_a_member(&mut bob, "leave_room", ids, r#"{"roomId":ID}"#);
    not_a_member(&mut bob, "post_readconfirmation", ids, r#"{"messageId":ID}"#);
    not_a_member(&mut bob, "get_readconfirmation", ids, r#"{"messageId":ID}"#);
    for id in ids {
        bob.no("delete_message", &format!(r#"{{"messageId":{id}}}"#), "forbidden", NOT_THE_AUTHOR);
    }
    none_told([&mut ann, &mut bob]);
    ann.ok("get_readconfirmation", r#"{"messageId":1}"#, r#"{"messageId":1,"readers":[]}"#);
}

/// Row 8 of the hostile inputs: what is private and what is not there at all are the same to whoever takes no part.
#[test]
fn private_rooms_cant_be_told_from_none() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    let mut bob = EventClient::named(&server, "Bob", &[]);
    let mut cid = EventClient::named(&server, "Cid", &[]);
    make_private_room(&server, "secret", 1, "[2]");
    none_told([&mut ann, &mut bob, &mut cid]);
    ann.enter(&[2]);
    bob.enter(&[2]);
    ann.told("user_joined", r#"{"roomId":2,"userId":2,"username":"Bob"}"#);
    ann.ok("send_message", r#"{"roomId":2,"text":"psst"}"#, r#"{"messageId":1,"roomId":2,"createdAt":"T"}"#);
    let psst = r#"{"messageId":1,"roomId":2,"userId":1,"username":"Ann","text":"psst","createdAt":"T"}"#;
    all_told([&mut ann, &mut bob], "new_message", psst);

    for (event, payload) in [
        ("join_room", r#"{"roomId":ID}"#),
        ("leave_room", r#"{"roomId":ID}"#),
        ("send_message", r#"{"roomId":ID,"text":"x"}"#),
        ("get_messages", r#"{"roomId":ID}"#),
        ("change_room", r#"{"roomId":ID,"roomName":"secret"}"#),
        ("change_room", r#"{"roomId":ID,"roomName":"lobby"}"#),
        ("delete_room", r#"{"roomId":ID}"#),
    ] {
        let [private, none] = ["2", "99"].map(|room| cid.reply(event, &payload.replace("ID", room)));
        assert_eq!(private, none);
    }
    for event in ["delete_message", "post_readconfirmation", "get_readconfirmation"] {
        let [private, none] = ["1", "99"].map(|id| cid.reply(event, &format!(r#"{{"messageId":{id}}}"#)));
        assert_eq!(private, none);
    }
    let lobby = r#"{"roomId":1,"roomName":"lobby","ownerId":null,"memberCount":0}"#;
    for client in [&mut ann, &mut cid] {
        client.ok("get_rooms", "{}", &format!(r#"{{"rooms":[{lobby}]}}"#));
    }
    // What it is called keeps nobody from calling an open room so.
    cid.ok("create_room", r#"{"roomName":"secret"}"#, r#"{"roomId":3,"roomName":"secret"}"#);
    all_told([&mut ann, &mut bob, &mut cid], "room_created", r#"{"roomId":3,"roomName":"secret","userId":3}"#);

    // What becomes of it is told to its members alone.
    ann.ok("change_room", r#"{"roomId":2,"roomName":"lobby"}"#, r#"{"roomId":2,"roomName":"lobby"}"#);
    all_told([&mut ann, &mut bob], "room_updated", r#"{"roomId":2,"roomName":"lobby"}"#);
    bob.ok("post_readconfirmation", r#"{"messageId":1}"#, r#"{"messageId":1,"userId":2,"readAt":"T"}"#);
    let read = r#"{"messageId":1,"roomId":2,"userId":2,"readAt":"T","readBy":1}"#;
    all_told([&mut bob, &mut ann], "readconfirmation_updated", read);
    ann.ok("delete_room", r#"{"roomId":2}"#, r#"{"roomId":2}"#);
    all_told([&mut ann, &mut bob], "room_deleted", r#"{"roomId":2}"#);
    none_told([&mut ann, &mut bob, &mut cid]);
}

/// Row 11 of the hostile inputs.
#[test]
fn there_are_limits_to_rooms_and_memberships() {
    let server = Server::start(&["--max-rooms", "3", "--max-rooms-joined", "2"]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    for (id, name) in [(2, "tea"), (3, "milk")] {
        let made = format!(r#"{{"roomId":{id},"roomName":"{name}"}}"#);
        ann.ok("create_room", &format!(r#"{{"roomName":"{name}"}}"#), &made);
        ann.receive();
    }
    let no_more = "this server has no more than 3 rooms";
    ann.no("create_room", r#"{"roomName":"sugar"}"#, "rate_limited", no_more);
    let (mut guest, _) = server.join_in();
    let sugar = r#"{"action":"join","room":"sugar"}"#;
    guest.ask(sugar, &format!(r#"{{"action":"error","message":"{no_more}"}}"#));

    ann.enter(&[1, 2]);
    let full = "nobody may be in more than 2 rooms at once";
    ann.no("join_room", r#"{"roomId":3}"#, "rate_limited", full);
    // The limit tells no more about what there is than anything else.
    ann.no("join_room", r#"{"roomId":99}"#, "rate_limited", full);
    ann.enter(&[1]);
    // What was full has room again.
    ann.ok("leave_room", r#"{"roomId":1}"#, r#"{"roomId":1}"#);
    ann.enter(&[3]);
    ann.ok("delete_room", r#"{"roomId":2}"#, r#"{"roomId":2}"#);
    ann.told("room_deleted", r#"{"roomId":2}"#);
    ann.enter(&[1]);
    guest.ask(sugar, sugar);
    ann.no("create_room", r#"{"roomName":"tea"}"#, "rate_limited", no_more);
    ann.told_nothing();
}

#[test]
fn without_a_store_what_it_would_answer_is_unavailable() {
    let server = Server::start(&["--database", "none"]);
    let mut nobody = EventClient::connect(&server);
    for (event, payload) in [
        ("create_user", r#"{"username":"Ann"}"#),
        ("switch_user", r#"{"userId":1}"#),
        ("get_users", "{}"),
        ("get_user", r#"{"userId":1}"#),
    ] {
        nobody.no(event, payload, "unavailable", "this server keeps nothing: it runs without a store");
    }
    nobody.ok("get_rooms", "{}", r#"{"rooms":[]}"#);
    // Whoever needs none of it is served.
    let (mut guest, _) = server.join_in();
    guest.ask(r#"{"action":"join","room":"R"}"#, r#"{"action":"join","room":"R"}"#);
    let hello = r#"{"action":"room_message","message":"Hello!"}"#;
    guest.ask(hello, r#"{"action":"room_message","room":"R","message":"Hello!"}"#);
}

#[test]
fn rooms_in_the_making_and_of_one_owner_are_limited_too() {
    let server = Server::start(&["--max-rooms", "4", "--max-rooms-owned", "2"]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    for (id, name) in [(2, "tea"), (3, "milk")] {
        let made = format!(r#"{{"roomId":{id},"roomName":"{name}"}}"#);
        ann.ok("create_room", &format!(r#"{{"roomName":"{name}"}}"#), &made);
        ann.receive();
    }
    ann.no("create_room", r#"{"roomName":"sugar"}"#, "rate_limited", "nobody may have more than 2 rooms");
    // One place is left, and all of these ask before any is made.
    let ask = &|name: usize| {
        let body = format!(r#"{{"UserID":2,"Roomname":"room {name}"}}"#);
        let head = "POST /rooms HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ";
        server.exchange(format!("{head}{}\r\n\r\n{body}", body.len()))
    };
    let _bob = EventClient::named(&server, "Bob", &[]);
    let answers: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20).map(|name| scope.spawn(move || ask(name))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let made = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 201 ")).count();
    let refused = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 429 ")).count();
    assert_eq!((made, refused), (1, 19), "{answers:#?}");
}

#[test]
fn nobody_is_called_what_those_are_called_who_have_no_name() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "guest-house", &[]);
    for kept in ["guest-0", "guest-67e55044", "deleted user"] {
        let payload = format!(r#"{{"username":"{kept}"}}"#);
        for event in ["create_user", "change_user"] {
            ann.no(event, &payload, "already_exists", "that name is kept for those who have none");
        }
    }
}
