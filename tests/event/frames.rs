//! Frames: the `id` that comes back, what can't be read, and many requests at once.

use std::collections::HashSet;

use crate::common::Server;
use crate::common::event::EventClient;

#[test]
fn the_id_comes_back_as_it_was_written() {
    let server = Server::start(&[]);
    let mut client = EventClient::connect(&server).client;
    let list = r#"{"users":[]}"#;
    let ids = [r#""a\"b""#, r#""""#, "7", "-0", "1.50", "9007199254740993", "123456789012345678901234567890", "1e999"];
    for id in ids {
        client.ask(
            &format!(r#"{{"id":{id},"event":"get_users"}}"#),
            &format!(r#"{{"event":"ack","id":{id},"payload":{{"event":"get_users","result":{list}}}}}"#),
        );
        let refused = r#"{"event":"leave_room","code":"bad_request","message":"roomId is missing"}"#;
        client.ask(
            &format!(r#"{{"id":{id},"event":"leave_room","payload":{{}}}}"#),
            &format!(r#"{{"event":"error","id":{id},"payload":{refused}}}"#),
        );
    }
    for absent in ["", r#","id":null"#] {
        client.ask(
            &format!(r#"{{"event":"get_users"{absent}}}"#),
            &format!(r#"{{"event":"ack","payload":{{"event":"get_users","result":{list}}}}}"#),
        );
    }
    for id in ["true", "[1]", r#"{"x":1}"#] {
        let refused = r#"{"event":"get_users","code":"bad_request","message":"id must be a string or a number"}"#;
        client.ask(
            &format!(r#"{{"event":"get_users","id":{id}}}"#),
            &format!(r#"{{"event":"error","payload":{refused}}}"#),
        );
    }
}

#[test]
fn what_cant_be_read_is_a_bad_request_that_names_the_field() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let long = "x".repeat(65);
    let long_name = format!(r#"{{"username":"{long}"}}"#);
    let long_mark = format!(r#"{{"roomId":1,"text":"x","clientId":"{long}"}}"#);
    let long_text = format!(r#"{{"roomId":1,"text":"{}"}}"#, "x".repeat(16_385));
    let room_id = "roomId must be a positive integer or a UUID";
    let message_id = "messageId must be a positive integer";
    let cases = [
        ("create_user", "{}", "username is missing"),
        ("create_user", r#"{"username":1}"#, "username must be a string"),
        ("create_user", r#"{"username":" "}"#, "username must be 1 to 64 characters"),
        ("create_user", &long_name, "username must be 1 to 64 characters"),
        ("change_user", r#"{"username":"a\u0000b"}"#, "username must not contain control characters"),
        ("create_room", "{}", "roomName is missing"),
        ("create_room", "[]", "payload must be a JSON object"),
        ("create_room", "\"x\"", "payload must be a JSON object"),
        ("switch_user", "{}", "userId is missing"),
        ("switch_user", r#"{"userId":0}"#, "userId must be a positive integer or a UUID"),
        ("get_user", r#"{"userId":true}"#, "userId must be a positive integer or a UUID"),
        ("delete_user", r#"{"userId":1.5}"#, "userId must be a positive integer or a UUID"),
        ("change_room", r#"{"roomName":"x"}"#, "roomId is missing"),
        ("change_room", r#"{"roomId":1}"#, "roomName is missing"),
        ("delete_room", r#"{"roomId":"lobby"}"#, room_id),
        ("join_room", r#"{"roomId":-1}"#, room_id),
        ("leave_room", r#"{"roomId":9223372036854775808}"#, room_id),
        ("send_message", r#"{"text":"x"}"#, "roomId is missing"),
        ("send_message", r#"{"roomId":1}"#, "text is missing"),
        ("send_message", r#"{"roomId":1,"text":""}"#, "text must be 1 to 16384 bytes"),
        ("send_message", &long_text, "text must be 1 to 16384 bytes"),
        ("send_message", r#"{"roomId":1,"text":"x","clientId":7}"#, "clientId must be a string"),
        ("send_message", &long_mark, "clientId must be 1 to 64 characters"),
        ("get_messages", "{}", "roomId is missing"),
        ("get_messages", r#"{"roomId":1,"limit":0}"#, "limit must be a positive integer"),
        ("get_messages", r#"{"roomId":1,"before":"x"}"#, "before must be a positive integer"),
        ("delete_message", "{}", "messageId is missing"),
        ("post_readconfirmation", r#"{"messageId":"one"}"#, message_id),
        ("get_readconfirmation", r#"{"messageId":[1]}"#, message_id),
    ];
    for (event, payload, sentence) in cases {
        ann.no(event, payload, "bad_request", sentence);
    }
    ann.told_nothing();
    ann.ok("get_messages", r#"{"roomId":1}"#, r#"{"messages":[],"nextBefore":null}"#);
    let mut client = ann.client;
    let deep = format!(r#"{{"event":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for (frame, sentence) in [
        ("", "a message must be a JSON object"),
        ("[]", "a message must be a JSON object"),
        (r#"{"event":"get_users""#, "a message must be a JSON object"),
        ("{}", "event is missing"),
        (r#"{"event":7}"#, "event must be a string"),
        (&deep, "event must be a string"),
    ] {
        client.ask(
            frame,
            &format!(r#"{{"event":"error","payload":{{"event":null,"code":"bad_request","message":"{sentence}"}}}}"#),
        );
    }
    client.socket.send(tungstenite::Message::Binary(b"{}".as_slice().into())).unwrap();
    client.expect(
        r#"{"event":"error","payload":{"event":null,"code":"bad_request","message":"a message must be text, not binary"}}"#,
    );
    client.expect_nothing();
}

#[test]
fn an_unknown_event_is_refused_by_its_name() {
    let server = Server::start(&[]);
    let mut client = EventClient::connect(&server);
    for event in ["__proto__", "constructor", "Get_users", "get_users ", "new_message", ""] {
        let sentence = format!(r#"there is no \"{event}\" here"#);
        let payload = format!(r#"{{"event":"{event}","code":"unknown_event","message":"{sentence}"}}"#);
        // A frame that names nothing has no name to be answered with.
        let payload = if event.is_empty() { payload.replacen("\"\"", "null", 1) } else { payload };
        let reply = client.reply(event, "{}");
        assert_eq!(reply, format!(r#"{{"event":"error","payload":{payload}}}"#));
    }
}

/// Row 18 of the hostile inputs.
#[test]
fn half_an_emoji_costs_the_event_and_not_the_connection() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    for half in [r"\ud83d", r"\udE00", r"\ud83dx", r"\ude00\ud83d"] {
        ann.client
            .send(&format!(r#"{{"event":"send_message","payload":{{"roomId":1,"text":"so {half}"}},"id":"\u0061"}}"#));
        let reply = ann.receive();
        let refused =
            r#"{"event":"error","id":"\u0061","payload":{"event":"send_message","code":"bad_request","message":"#;
        assert!(reply.starts_with(refused), "{reply}");
    }
    ann.told_nothing();
    // Both halves in order are one character.
    let said = r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#;
    ann.ok("send_message", r#"{"roomId":1,"text":"\ud83d\ude00"}"#, said);
    ann.told("new_message", r#"{"messageId":1,"roomId":1,"userId":1,"username":"Ann","text":"😀","createdAt":"T"}"#);
}

/// Row 19 of the hostile inputs.
#[test]
fn the_last_of_equal_keys_wins() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    ann.client.ask(
        r#"{"event":"get_rooms","id":1,"event":"get_user","payload":{"userId":7},"id":2,"payload":{"userId":9,"userId":1},"Event":"x"}"#,
        r#"{"event":"ack","id":2,"payload":{"event":"get_user","result":{"userId":1,"username":"Ann","online":true}}}"#,
    );
    // Of two senders too: the spoofed one is no way around the check.
    let sentence = "that is another user's id than this connection's own";
    let spoofed = r#"{"userId":1,"roomId":1,"text":"x","userId":2}"#;
    ann.no("send_message", spoofed, "forbidden", sentence);
    let said = r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#;
    ann.ok("send_message", r#"{"userId":2,"roomId":99,"text":"x","userId":1,"roomId":1,"text":"y"}"#, said);
    ann.told("new_message", r#"{"messageId":1,"roomId":1,"userId":1,"username":"Ann","text":"y","createdAt":"T"}"#);
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    let server = Server::unlimited(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let rounds = 100;
    // What the store answers, what is answered at once, and what can't be read: none overtakes another.
    let requests = [
        r#"{"event":"send_message","payload":{"roomId":1,"text":"x"},"id":ID}"#,
        r#"{"event":"get_rooms","id":ID}"#,
        r#"{"event":"post_readconfirmation","payload":{"messageId":1},"id":ID}"#,
        r#"{"event":"nonsense","id":ID}"#,
        r#"{"event":"leave_room","payload":{"roomId":1},"id":ID}"#,
        r#"{"event":"send_message","payload":{"roomId":1,"text":"from outside"},"id":ID}"#,
        r#"{"event":"join_room","payload":{"roomId":1},"id":ID}"#,
    ];
    let count = rounds * requests.len();
    for id in 0..count {
        ann.client.send(&requests[id % requests.len()].replace("ID", &id.to_string()));
    }
    let (mut answered, mut shown) = (0, HashSet::new());
    while answered < count {
        let frame = ann.client.receive();
        if frame.starts_with(r#"{"event":"new_message","#) {
            assert!(!frame.contains("from outside") && shown.insert(frame.clone()), "{frame}");
        } else if !frame.starts_with(r#"{"event":"readconfirmation_updated","#) {
            let (is_refused, kind) = ([3, 5].contains(&(answered % requests.len())), &frame[10..13]);
            assert_eq!(kind, if is_refused { "err" } else { "ack" }, "{frame}");
            assert!(frame.contains(&format!(r#","id":{answered},"#)), "{frame} is not the answer to {answered}");
            answered += 1;
        }
    }
    ann.told_nothing();
    assert_eq!(shown.len(), rounds);
}

#[test]
fn a_whole_conversation_may_be_sent_at_once() {
    let server = Server::start(&[]);
    let mut watcher = EventClient::named(&server, "Zoe", &[1]);
    let mut ann = EventClient::connect(&server);
    // Each of them needs what the one before has made, and none waits for an answer.
    ann.send("create_user", r#"{"username":"Ann"}"#);
    ann.send("join_room", r#"{"roomId":1}"#);
    ann.send("send_message", r#"{"roomId":1,"text":"Hi"}"#);
    ann.send("post_readconfirmation", r#"{"messageId":1}"#);
    ann.send("delete_user", "{}");
    ann.send("send_message", r#"{"roomId":1,"text":"from the grave"}"#);
    let mut events = Vec::new();
    for _ in 0..9 {
        let frame: serde_json::Value = serde_json::from_str(&ann.client.receive()).unwrap();
        let answered = frame["payload"]["event"].as_str().unwrap_or_default();
        events.push(format!("{} {answered}", frame["event"].as_str().unwrap()));
    }
    assert_eq!(
        events,
        [
            "ack create_user",
            "ack join_room",
            "ack send_message",
            "new_message ",
            "ack post_readconfirmation",
            "readconfirmation_updated ",
            "ack delete_user",
            "user_deleted ",
            "error send_message",
        ]
    );
    let told: Vec<String> = (0..5).map(|_| watcher.receive()[10..22].to_owned()).collect();
    assert_eq!(told, ["user_joined\"", "new_message\"", "readconfirma", "user_left\",\"", "user_deleted"]);
    watcher.told_nothing();
}

#[test]
fn what_was_sent_before_a_connection_ends_is_carried_out() {
    let server = Server::start(&[]);
    let mut watcher = EventClient::named(&server, "Zoe", &[1]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    watcher.told("user_joined", r#"{"roomId":1,"userId":2,"username":"Ann"}"#);
    ann.send("send_message", r#"{"roomId":1,"text":"bye"}"#);
    ann.client.close();
    let mut told = [watcher.receive(), watcher.receive()];
    // The store may take longer than the farewell.
    told.sort();
    let bye = r#"{"messageId":1,"roomId":1,"userId":2,"username":"Ann","text":"bye","createdAt":"T"}"#;
    let left = r#"{"roomId":1,"userId":2,"username":"Ann"}"#;
    assert_eq!(
        told,
        [
            format!(r#"{{"event":"new_message","payload":{bye}}}"#),
            format!(r#"{{"event":"user_left","payload":{left}}}"#)
        ]
    );
    watcher.told_nothing();
}
