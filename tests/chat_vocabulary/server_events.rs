//! What clients are told, by the names of the events: who hears of it, and that nobody else does.

use super::{BOTH, HELLO, Party};
use crate::common::socketio::{Tab, all_told};

/// Another chat, of bob's and cid's, and one more socket of ann's and of cid's.
fn with_others(namespace: &'static str) -> (Party, [Tab; 2]) {
    let mut party = Party::on(namespace);
    party.stage.post("/rooms", r#"{"UserID":3,"Roomname":"cake","Private":true,"Members":[2]}"#);
    party.stage.learn();
    let new = r#"{"id":"<cake>","name":"cake","owner_id":"<cid>","participants":[{"id":"<cid>","username":"cid"},{"id":"<bob>","username":"bob"}]}"#;
    all_told([&mut party.bob, &mut party.cid], "chat:new", new);
    let more = [party.stage.chat("ann", namespace), party.stage.chat("cid", namespace)];
    (party, more)
}

#[test]
fn message_new() {
    for namespace in BOTH {
        let (mut party, [mut ann, mut cid]) = with_others(namespace);
        let sent = r#""id":"1","chat_id":"<tea>","created_at":"T","delivered":2"#;
        party.bob.ok("message:send", r#"{"chatId":"<tea>","content":"Hello!"}"#, sent);
        let hello = HELLO.replace("ann", "bob");
        all_told([&mut ann, &mut party.ann, &mut party.bob], "message:new", &hello);
        party.bob.ok(
            "message:send",
            r#"{"chatId":3,"content":"Hello!"}"#,
            &sent.replace("tea", "cake").replace("1", "2"),
        );
        let hello = hello.replace("tea", "cake").replace(r#""id":"1""#, r#""id":"2""#);
        all_told([&mut cid, &mut party.cid, &mut party.bob], "message:new", &hello);
        party.nobody_is_told();
        ann.told_nothing();
        cid.told_nothing();
    }
}

#[test]
fn user_status() {
    for namespace in BOTH {
        let (mut party, [mut ann, mut cid]) = with_others(namespace);
        // Ann and cid share no chat, bob shares one with each.
        let start = std::time::Instant::now();
        drop(party.bob);
        let offline = r#"{"userId":"<bob>","status":"offline"}"#;
        all_told([&mut ann, &mut cid, &mut party.ann, &mut party.cid], "user:status", offline);
        assert!(start.elapsed() > std::time::Duration::from_millis(4900), "{:?}", start.elapsed());
        party.bob = party.stage.chat("bob", namespace);
        let online = r#"{"userId":"<bob>","status":"online"}"#;
        all_told([&mut ann, &mut cid, &mut party.ann, &mut party.cid], "user:status", online);
        drop([ann, cid]);
        party.nobody_is_told();
    }
}

#[test]
fn typing_start_and_stop() {
    for namespace in BOTH {
        let (mut party, [mut ann, mut cid]) = with_others(namespace);
        for (event, told) in [
            ("typing:start", r#"{"chatId":"<tea>","userId":"<ann>","username":"ann"}"#),
            ("typing:stop", r#"{"chatId":"<tea>","userId":"<ann>"}"#),
        ] {
            // The user's other sockets hear of it as the others do.
            ann.ok(event, r#"{"chatId":"<tea>"}"#, "");
            all_told([&mut party.ann, &mut party.bob], event, told);
            party.nobody_is_told();
            ann.told_nothing();
            cid.told_nothing();
        }
    }
}

#[test]
fn message_read() {
    for namespace in BOTH {
        let (mut party, [mut ann, mut cid]) = with_others(namespace);
        ann.emit("message:send", r#"{"chatId":"<tea>","content":"Hello!"}"#);
        all_told([&mut ann, &mut party.ann, &mut party.bob], "message:new", HELLO);
        party.bob.emit("message:read", r#"{"messageId":"1","chatId":"<tea>"}"#);
        let read = r#"{"messageId":"1","userId":"<bob>","chatId":"<tea>"}"#;
        all_told([&mut ann, &mut party.ann, &mut party.bob], "message:read", read);
        party.nobody_is_told();
        ann.told_nothing();
        cid.told_nothing();
    }
}

/// Each refusal once as an acknowledgement and once as an event.
#[test]
fn error() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let long = "x".repeat(16_385);
        let cases = [
            ("message:send", r#"{"content":"x"}"#, "chatId is missing"),
            ("message:send", r#"{"chatId":0,"content":"x"}"#, "chatId must be a positive integer or a UUID"),
            ("message:send", r#"{"chatId":2}"#, "content is missing"),
            ("message:send", r#"{"chatId":2,"content":7}"#, "content must be a string"),
            ("message:send", r#"{"chatId":2,"content":""}"#, "content must be 1 to 16384 bytes"),
            ("message:send", &format!(r#"{{"chatId":2,"content":"{long}"}}"#), "content must be 1 to 16384 bytes"),
            ("message:send", r#"["chatId"]"#, "payload must be a JSON object"),
            ("chat:join", "null", "chatId is missing"),
            ("message:read", r#"{"chatId":2}"#, "messageId is missing"),
            ("message:read", r#"{"messageId":"x"}"#, "messageId must be a positive integer"),
            ("typing:start", "{}", "chatId is missing"),
            ("chat:create", r#"{"participants":[]}"#, "name is missing"),
            ("chat:create", r#"{"name":"x"}"#, "participants is missing"),
        ];
        for (event, payload, sentence) in cases {
            party.ann.no(event, payload, "bad_request", sentence);
        }
        for unknown in ["message:sent", "__proto__", "toString", "42"] {
            let sentence = format!(r#"there is no "{unknown}" here"#);
            party.ann.no(unknown, "{}", "unknown_event", &sentence);
        }
        party.ann.no("message:send", r#"{"chatId":9,"content":"x"}"#, "not_a_member", "you are not in that room");
        party.nobody_is_told();
    }
}

/// Requests are answered in their order, whether the store is asked or not.
#[test]
fn one_answer_for_each_request_in_their_order() {
    let mut party = Party::on("/chat");
    for number in 10..14 {
        let packets = [
            format!(r#"42/chat,{number}1["message:send",{{"chatId":2,"content":"x"}}]"#),
            format!(r#"42/chat,{number}2["message:send",{{}}]"#),
            format!(r#"42/chat,{number}3["chat:leave",{{"chatId":2}}]"#),
            format!(r#"42/chat,{number}4["chat:join",{{"chatId":2}}]"#),
        ];
        packets.iter().for_each(|packet| party.ann.link.send(packet));
    }
    let acks: Vec<String> = std::iter::repeat_with(|| party.ann.link.receive())
        .filter_map(|packet| Some(packet.strip_prefix("43/chat,")?.split('[').next()?.to_owned()))
        .take(16)
        .collect();
    let expected: Vec<String> = (10..14).flat_map(|number| (1..5).map(move |last| format!("{number}{last}"))).collect();
    assert_eq!(acks, expected);
}
