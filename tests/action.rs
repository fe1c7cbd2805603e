//! The action dialect over real sockets: every request and every exact text of its contract. Whoever is not told
//! anything is checked to be told nothing.

use crate::common::{ACTION, Server};

const HELLO_TO_ROOM: &str = r#"{"action":"room_message","message":"Hello!"}"#;

#[test]
fn connections_are_numbered_from_zero() {
    let server = Server::start(&[]);
    for id in 0..5 {
        let mut client = server.connect(ACTION);
        client.expect(&format!(r#"{{"action":"connection","user_id":"{id}"}}"#));
        client.expect_nothing();
    }
}

#[test]
fn joining_is_answered_and_announced() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    let (mut outsider, _) = server.join_in();
    zero.ask(r#"{"action":"join","room":"R"}"#, r#"{"action":"join","room":"R"}"#);
    one.ask(r#"{"action":"join","room":" R "}"#, r#"{"action":"join","room":"R"}"#);
    zero.expect(r#"{"action":"join","room":"R","user_id":"1"}"#);
    for client in [&mut zero, &mut one, &mut outsider] {
        client.expect_nothing();
    }
}

#[test]
fn joining_again_is_answered_and_announced_to_nobody() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    for client in [&mut zero, &mut one] {
        client.ask(r#"{"action":"join","room":"R"}"#, r#"{"action":"join","room":"R"}"#);
    }
    zero.expect(r#"{"action":"join","room":"R","user_id":"1"}"#);
    one.ask(r#"{"action":"join","room":"R"}"#, r#"{"action":"join","room":"R"}"#);
    one.expect_nothing();
    zero.expect_nothing();
}

#[test]
fn joining_another_room_leaves_the_first() {
    let server = Server::start(&[]);
    let (mut stays, _) = server.join_in();
    let (mut moves, _) = server.join_in();
    let (mut awaits, _) = server.join_in();
    stays.ask(r#"{"action":"join","room":"old"}"#, r#"{"action":"join","room":"old"}"#);
    awaits.ask(r#"{"action":"join","room":"new"}"#, r#"{"action":"join","room":"new"}"#);
    moves.ask(r#"{"action":"join","room":"old"}"#, r#"{"action":"join","room":"old"}"#);
    stays.expect(r#"{"action":"join","room":"old","user_id":"1"}"#);
    moves.ask(r#"{"action":"join","room":"new"}"#, r#"{"action":"join","room":"new"}"#);
    stays.expect(r#"{"action":"leave","room":"old","user_id":"1"}"#);
    awaits.expect(r#"{"action":"join","room":"new","user_id":"1"}"#);
    for client in [&mut stays, &mut moves, &mut awaits] {
        client.expect_nothing();
    }
}

#[test]
fn leaving_is_answered_and_announced() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    zero.ask(r#"{"action":"leave"}"#, r#"{"action":"error","message":"user was not in a room"}"#);
    for client in [&mut zero, &mut one] {
        client.ask(r#"{"action":"join","room":"R"}"#, r#"{"action":"join","room":"R"}"#);
    }
    zero.expect(r#"{"action":"join","room":"R","user_id":"1"}"#);
    zero.ask(r#"{"action":"leave"}"#, r#"{"action":"leave","room":"R"}"#);
    one.expect(r#"{"action":"leave","room":"R","user_id":"0"}"#);
    zero.ask(r#"{"action":"leave"}"#, r#"{"action":"error","message":"user was not in a room"}"#);
    zero.expect_nothing();
    one.expect_nothing();
}

#[test]
fn a_private_message_reaches_one_user() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    let (mut two, _) = server.join_in();
    let hello = r#"{"action":"private_message","user_id":"1","message":"Hello!"}"#;
    zero.ask(hello, hello);
    one.expect(r#"{"action":"private_message","user_id":"0","message":"Hello!"}"#);
    let nobody = r#"{"action":"private_message","user_id":"7","message":"Hello!"}"#;
    zero.ask(nobody, r#"{"action":"error","message":"user 7 is not on the server"}"#);
    let no_number = r#"{"action":"private_message","user_id":"0x1","message":"Hello!"}"#;
    zero.ask(no_number, r#"{"action":"error","message":"user 0x1 is not on the server"}"#);
    for client in [&mut zero, &mut one, &mut two] {
        client.expect_nothing();
    }
}

#[test]
fn a_private_message_to_oneself_is_delivered_and_answered() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let note = r#"{"action":"private_message","user_id":"0","message":"note"}"#;
    zero.send(note);
    zero.expect(note);
    zero.expect(note);
    zero.expect_nothing();
}

#[test]
fn a_room_message_reaches_the_other_members() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    let (mut elsewhere, _) = server.join_in();
    zero.ask(HELLO_TO_ROOM, r#"{"action":"error","message":"user is not in a room"}"#);
    for (client, room) in [(&mut zero, "R"), (&mut one, "R"), (&mut elsewhere, "S")] {
        let frame = format!(r#"{{"action":"join","room":"{room}"}}"#);
        client.ask(&frame, &frame);
    }
    zero.expect(r#"{"action":"join","room":"R","user_id":"1"}"#);
    zero.ask(HELLO_TO_ROOM, r#"{"action":"room_message","room":"R","message":"Hello!"}"#);
    one.expect(r#"{"action":"room_message","room":"R","user_id":"0","message":"Hello!"}"#);
    for client in [&mut zero, &mut one, &mut elsewhere] {
        client.expect_nothing();
    }
}

#[test]
fn rooms_are_listed_oldest_first() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    zero.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby"]}"#);
    zero.ask(r#"{"action":"join","room":"0"}"#, r#"{"action":"join","room":"0"}"#);
    one.ask(r#"{"action":"join","room":"1"}"#, r#"{"action":"join","room":"1"}"#);
    one.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","0","1"]}"#);
    zero.ask(r#"{"action":"leave"}"#, r#"{"action":"leave","room":"0"}"#);
    zero.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","1"]}"#);
    zero.ask(r#"{"action":"join","room":"0"}"#, r#"{"action":"join","room":"0"}"#);
    zero.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","1","0"]}"#);
}

#[test]
fn participants_are_listed_in_the_order_of_joining() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    let ask = r#"{"action":"participants","room":"0"}"#;
    zero.ask(ask, r#"{"action":"error","message":"room 0 does not exist"}"#);
    one.ask(r#"{"action":"join","room":"0"}"#, r#"{"action":"join","room":"0"}"#);
    zero.ask(ask, r#"{"action":"participants","room":"0","participants":["1"]}"#);
    zero.ask(r#"{"action":"join","room":"0"}"#, r#"{"action":"join","room":"0"}"#);
    zero.ask(ask, r#"{"action":"participants","room":"0","participants":["1","0"]}"#);
}

#[test]
fn a_connection_that_ends_leaves_its_room() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let join = r#"{"action":"join","room":"R"}"#;
    zero.ask(join, join);
    let ends: [fn(crate::common::Client); 2] = [crate::common::Client::close, drop];
    for (id, end) in (1..).zip(ends) {
        let (mut client, _) = server.join_in();
        client.ask(join, join);
        zero.expect(&format!(r#"{{"action":"join","room":"R","user_id":"{id}"}}"#));
        end(client);
        zero.expect(&format!(r#"{{"action":"leave","room":"R","user_id":"{id}"}}"#));
    }
    zero.ask(
        r#"{"action":"private_message","user_id":"1","message":"there?"}"#,
        r#"{"action":"error","message":"user 1 is not on the server"}"#,
    );
}

#[test]
fn what_is_wrong_is_said_and_the_connection_stays() {
    let server = Server::start(&[]);
    let (mut client, _) = server.join_in();
    let deep = format!(r#"{{"action":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let keys: Vec<String> = (0..5_000).map(|key| format!(r#""{key}":1"#)).collect();
    let many_keys = format!("{{{}}}", keys.join(","));
    let long_name = format!(r#"{{"action":"join","room":"{}"}}"#, "x".repeat(65));
    let long_text = format!(r#"{{"action":"room_message","message":"{}"}}"#, "x".repeat(16_385));
    let cases = [
        ("", "a message must be a JSON object"),
        ("hello", "a message must be a JSON object"),
        ("[]", "a message must be a JSON object"),
        (r#"{"action":"join","room":"\ud83d"}"#, "a message must be a JSON object"),
        (&deep, "action must be a string"),
        (r#"{"action":1e999999}"#, "a message must be a JSON object"),
        (r#"{"action":18446744073709551616}"#, "action must be a string"),
        (&many_keys, "action is missing"),
        ("{}", "action is missing"),
        (r#"{"action":null}"#, "action is missing"),
        (
            r#"{"action":"__proto__"}"#,
            "action must be join, leave, private_message, room_message, rooms or participants",
        ),
        (r#"{"action":"join"}"#, "room is missing"),
        (r#"{"action":"join","room":["R"]}"#, "room must be a string"),
        (r#"{"action":"join","room":"  "}"#, "room must be 1 to 64 characters"),
        (&long_name, "room must be 1 to 64 characters"),
        (r#"{"action":"join","room":"a\u001bb"}"#, "room must not contain control characters"),
        (r#"{"action":"participants"}"#, "room is missing"),
        (r#"{"action":"room_message"}"#, "message is missing"),
        (r#"{"action":"room_message","message":""}"#, "message must be 1 to 16384 bytes"),
        (&long_text, "message must be 1 to 16384 bytes"),
        (r#"{"action":"private_message","message":"Hi"}"#, "user_id is missing"),
        (r#"{"action":"private_message","user_id":0,"message":"Hi"}"#, "user_id must be a string"),
        (r#"{"action":"private_message","user_id":"0"}"#, "message is missing"),
    ];
    for (request, sentence) in cases {
        client.ask(request, &format!(r#"{{"action":"error","message":"{sentence}"}}"#));
    }
    client.socket.send(tungstenite::Message::Binary(b"{}".as_slice().into())).unwrap();
    client.expect(r#"{"action":"error","message":"a message must be text, not binary"}"#);
    client.ask(r#"{"action":"join","action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby"]}"#);
    client.expect_nothing();
}

#[test]
fn nobody_speaks_for_another() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    for client in [&mut zero, &mut one] {
        client.ask(r#"{"action":"join","room":"R"}"#, r#"{"action":"join","room":"R"}"#);
    }
    zero.expect(r#"{"action":"join","room":"R","user_id":"1"}"#);
    let refusal = r#"{"action":"error","message":"user_id is not this connection's own"}"#;
    for request in ["\"room_message\",\"message\":\"x\"", "\"leave\"", "\"join\",\"room\":\"S\""] {
        // Somebody's id and nobody's get the same answer.
        for id in ["1", "99"] {
            zero.ask(&format!(r#"{{"action":{request},"user_id":"{id}"}}"#), refusal);
        }
    }
    one.expect_nothing();
    zero.ask(
        r#"{"action":"room_message","message":"x","user_id":"0"}"#,
        r#"{"action":"room_message","room":"R","message":"x"}"#,
    );
    one.expect(r#"{"action":"room_message","room":"R","user_id":"0","message":"x"}"#);
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    let server = Server::unlimited(&[]);
    let (mut client, _) = server.join_in();
    for number in 0..1_000 {
        client.send(&format!(r#"{{"action":"join","room":"{number}"}}"#));
    }
    for number in 0..1_000 {
        client.expect(&format!(r#"{{"action":"join","room":"{number}"}}"#));
    }
    client.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","999"]}"#);
}

#[test]
fn members_see_one_order() {
    let server = Server::unlimited(&[]);
    let join = r#"{"action":"join","room":"R"}"#;
    let mut senders: Vec<_> = (0..4).map(|_| server.join_in().0).collect();
    let mut watchers: Vec<_> = (0..3).map(|_| server.join_in().0).collect();
    for client in senders.iter_mut().chain(&mut watchers) {
        client.send(join);
    }
    // Whoever joins later than another is announced to it; all are in once the list says so.
    let (mut asker, _) = server.join_in();
    let everybody = r#"{"action":"participants","room":"R","participants":["0","1","2","3","4","5","6"]}"#;
    crate::common::wait_until("all to be in", || {
        asker.send(r#"{"action":"participants","room":"R"}"#);
        let reply = asker.receive();
        reply.len() == everybody.len()
    });
    let texts = 100;
    for text in 0..texts {
        for sender in &mut senders {
            sender.send(&format!(r#"{{"action":"room_message","message":"{text}"}}"#));
        }
    }
    let mut seen = watchers.iter_mut().map(|watcher| {
        let messages = std::iter::repeat_with(|| watcher.receive()).filter(|text| text.contains("room_message"));
        messages.take(texts * senders.len()).collect::<Vec<_>>()
    });
    let first = seen.next().unwrap();
    assert!(seen.all(|other| other == first));
}
