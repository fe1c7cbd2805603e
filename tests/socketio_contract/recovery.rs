//! Coming back after a lost connection, by hand: with the pid and how far one had heard, one is told what was missed, and
//! then that one is back.

use super::{CHAT, CONVERSATION, conversation_message, message_new};
use crate::common::socketio::{Link, Stage, Tab, head};

/// An event as a packet.
fn packet(namespace: &str, event: &str, payload: &str) -> String {
    format!(r#"{}["{event}",{payload}]"#, head("2", namespace, ""))
}

/// Ann, who is lost at once, and bob, who says something meanwhile.
fn lost(stage: &Stage, mut ann: Tab, texts: &[&str]) -> Tab {
    // So that there is something to go on from.
    let mut bob = stage.chat("bob", CHAT);
    ann.link.receive();
    ann.lose(stage);
    for text in texts {
        bob.emit("message:send", &format!(r#"{{"chatId":2,"content":"{text}"}}"#));
        bob.link.receive();
    }
    ann
}

#[test]
fn what_was_missed_comes_before_the_admission() {
    for namespace in ["/", CHAT] {
        let stage = Stage::set(&[]);
        let ann = stage.chat("ann", namespace);
        let mut ann = lost(&stage, ann, &["one", "two"]);
        let before = (ann.sid.clone(), ann.pid.clone());
        let missed = ann.come_back(&stage, "ann");
        let expected = [(1, "one"), (2, "two")].map(|(id, text)| message_new("tea", id, text, "bob"));
        let mut expected = expected.map(|message| packet(namespace, "message:new", &message)).to_vec();
        if namespace == "/" {
            // What it had decided for is not known any more.
            let missed: Vec<_> = missed.iter().filter(|packet| packet.contains("message:new")).cloned().collect();
            assert_eq!(missed, expected);
            expected = missed;
            ann.welcomed();
        } else {
            assert_eq!(missed, expected);
        }
        assert_eq!((&ann.sid, &ann.pid), (&before.0, &before.1), "it has recovered");
        // Nothing is told twice, and from now on all is told.
        ann.told_nothing();
        let mut bob = stage.chat("bob", CHAT);
        bob.ask("message:send", r#"{"chatId":2,"content":"three"}"#);
        assert!(ann.link.receive().contains("three"));
        let again = ann.come_back(&stage, "ann");
        assert_eq!((again, expected.len()), (vec![], 2));
        assert_eq!((ann.sid, ann.pid), before);
    }
}

#[test]
fn conversations_that_were_joined_are_joined_again() {
    for namespace in ["/", CONVERSATION] {
        let stage = Stage::set(&[]);
        stage.post("/rooms", r#"{"UserID":1,"Roomname":"cake","Private":true,"Members":[2]}"#);
        stage.learn();
        let mut ann = stage.conversation("ann", namespace);
        let mut bob = stage.conversation("bob", CONVERSATION);
        ann.told("user_online", r#"{"user_id":"<bob>"}"#);
        for room in [1, 2] {
            ann.ask("join_conversation", &format!(r#"{{"conversation_id":{room}}}"#));
            bob.ask("join_conversation", &format!(r#"{{"conversation_id":{room}}}"#));
        }
        let before = (ann.sid.clone(), ann.pid.clone());
        ann.lose(&stage);
        let mut say = |text: &str, room: u32| {
            bob.emit("conversation_message", &format!(r#"{{"conversation_id":{room},"content":"{text}"}}"#));
            bob.link.receive();
        };
        for (text, room) in [("one", 2), ("not joined", 3), ("two", 1)] {
            say(text, room);
        }
        bob.emit("private_message", r#"{"recipient_id":"<ann>","content":"three"}"#);
        bob.link.receive();
        let missed = ann.come_back(&stage, "ann");
        let direct = r#"{"id":"4","sender_id":"<bob>","sender_username":"bob","recipient_id":"<ann>","content":"three","created_at":"T","delivered":0}"#;
        let expected = [
            packet(namespace, "conversation_message", &conversation_message("tea", 1, "one", "bob", 0)),
            packet(namespace, "conversation_message", &conversation_message("lobby", 3, "two", "bob", 0)),
            packet(namespace, "private_message", direct),
        ];
        assert_eq!((missed, &ann.sid, &ann.pid), (expected.to_vec(), &before.0, &before.1));
        ann.welcomed();
        // And it hears what is said there, and there alone.
        for (id, text, room, name) in [(5, "x", 2, "tea"), (7, "z", 1, "lobby")] {
            let request = format!(r#"{{"conversation_id":{room},"content":"{text}"}}"#);
            bob.emit("conversation_message", &request);
            ann.told("conversation_message", &conversation_message(name, id, text, "bob", 1));
            bob.emit("conversation_message", r#"{"conversation_id":3,"content":"y"}"#);
        }
        ann.told_nothing();
    }
}

#[test]
fn what_became_of_messages_is_told_too() {
    let stage = Stage::set(&[]);
    let mut ann = stage.chat("ann", CHAT);
    let mut bob = stage.chat("bob", CHAT);
    ann.link.receive();
    for text in ["one", "two"] {
        bob.ask("message:send", &format!(r#"{{"chatId":2,"content":"{text}"}}"#));
        ann.link.receive();
        bob.link.receive();
    }
    ann.emit("message:send", r#"{"chatId":2,"content":"three"}"#);
    ann.link.receive();
    bob.link.receive();
    ann.lose(&stage);
    bob.emit("message:send", r#"{"chatId":2,"content":"four"}"#);
    let changes = [
        ("message:edit", r#"{"messageId":1,"content":"uno"}"#),
        ("message:react", r#"{"messageId":3,"emoji":"+"}"#),
        ("message:react", r#"{"messageId":3,"emoji":"+","remove":true}"#),
        ("message:read", r#"{"messageId":3}"#),
        ("message:delete", r#"{"messageId":2}"#),
        ("message:edit", r#"{"messageId":4,"content":"quattro"}"#),
    ];
    for (event, payload) in changes {
        bob.emit(event, payload);
        bob.link.receive();
    }
    bob.link.receive();
    let missed = ann.come_back(&stage, "ann");
    let reaction = r#"{"messageId":"3","chatId":"<tea>","userId":"<bob>","emoji":"+","removed":"#;
    let expected = [
        ("message:new", message_new("tea", 4, "quattro", "bob")),
        ("message:edited", r#"{"id":"1","chat_id":"<tea>","content":"uno","edited_at":"T"}"#.into()),
        ("message:reaction", format!("{reaction}false}}")),
        ("message:reaction", format!("{reaction}true}}")),
        ("message:read", r#"{"messageId":"3","userId":"<bob>","chatId":"<tea>"}"#.into()),
        ("message:deleted", r#"{"id":"2","chat_id":"<tea>"}"#.into()),
        ("message:edited", r#"{"id":"4","chat_id":"<tea>","content":"quattro","edited_at":"T"}"#.into()),
    ];
    assert_eq!(missed, expected.map(|(event, payload)| packet(CHAT, event, &payload)));
    assert_eq!(ann.come_back(&stage, "ann"), Vec::<String>::new());
}

/// A connection may be lost again in the middle of what was missed: what has come does not come again.
#[test]
fn offsets_do_not_go_back() {
    let stage = Stage::set(&[]);
    let ann = stage.chat("ann", CHAT);
    let mut ann = lost(&stage, ann, &["one", "two", "three"]);
    let mut bob = stage.chat("bob", CHAT);
    for message in [1, 2, 3] {
        bob.emit("message:react", &format!(r#"{{"messageId":{message},"emoji":"+"}}"#));
        bob.link.receive();
    }
    let auth = ann.return_ticket(&stage, "ann");
    let mut link = stage.link();
    link.send(&format!("40/chat,{auth}"));
    let mut offsets: Vec<[u64; 2]> = Vec::new();
    for _ in 0..6 {
        link.receive();
        let (message, change) = link.offset.as_ref().unwrap().split_once('.').unwrap();
        offsets.push([message, change].map(|number| number.parse().unwrap()));
    }
    let is_forward = |pair: &[[u64; 2]]| pair[0][0] <= pair[1][0] && pair[0][1] <= pair[1][1];
    assert!(offsets.windows(2).all(is_forward), "{offsets:?}");
    // From each of them on, the rest comes and no more of what was said.
    for (index, [message, change]) in offsets.iter().enumerate() {
        ann.link.offset = Some(format!("{message}.{change}"));
        let rest = ann.come_back(&stage, "ann");
        let said = rest.iter().filter(|packet| packet.contains("message:new")).count();
        assert_eq!(said, 2usize.saturating_sub(index), "{rest:?}");
    }
}

/// A quiet client has heard nothing but its admission.
#[test]
fn without_an_offset_it_goes_on_from_its_admission() {
    let stage = Stage::set(&[]);
    let mut bob = stage.chat("bob", CHAT);
    bob.ask("message:send", r#"{"chatId":2,"content":"before"}"#);
    let mut ann = stage.chat("ann", CHAT);
    assert_eq!(ann.link.offset, None);
    ann.lose(&stage);
    stage.post("/messages", r#"{"UserID":2,"RoomID":2,"Message":"after"}"#);
    let missed = ann.come_back(&stage, "ann");
    assert_eq!(missed, [packet(CHAT, "message:new", &message_new("tea", 2, "after", "bob"))]);
}

#[test]
fn a_restart_of_the_server_is_survived() {
    for namespace in [CHAT, CONVERSATION] {
        let mut stage = Stage::set(&[]);
        let mut ann = if namespace == CHAT { stage.chat("ann", CHAT) } else { stage.conversation("ann", CONVERSATION) };
        if namespace == CONVERSATION {
            ann.ask("join_conversation", r#"{"conversation_id":2}"#);
        }
        let before = (ann.sid.clone(), ann.pid.clone());
        stage.post("/messages", r#"{"UserID":2,"RoomID":2,"Message":"one"}"#);
        ann.link.receive();
        stage.post("/messages", r#"{"UserID":2,"RoomID":2,"Message":"two"}"#);
        // It is on its way when the server is killed.
        stage.restart();
        stage.post("/messages", r#"{"UserID":2,"RoomID":2,"Message":"three"}"#);
        let missed = ann.come_back(&stage, "ann");
        let texts: Vec<&str> = missed
            .iter()
            .map(|packet| packet.split(r#""content":""#).nth(1).unwrap().split('"').next().unwrap())
            .collect();
        assert_eq!((texts, ann.sid, ann.pid), (vec!["two", "three"], before.0, before.1));
    }
}

/// Its handlers would be given the offset as an argument that they have not asked for.
#[test]
fn pythons_client_is_told_no_offsets() {
    for flags in [&[][..], &["--recovery", "no"]] {
        let stage = Stage::set(flags);
        let queries: &[&str] =
            if flags.is_empty() { &["&t=1.5", "&t=1700000000.123456", "&recovery=no"] } else { &["&t=x"] };
        for query in queries {
            // That the admission has no pid and the events no offset is seen to by the client.
            let mut ann = Tab::over(Link::open(&stage, query, &[]), CHAT);
            ann.join(&stage.auth("ann"));
            ann.emit("message:send", r#"{"chatId":2,"content":"x"}"#);
            let told = ann.link.receive();
            assert!(told.ends_with(r#""created_at":"T"}]"#), "{told}");
            ann.emit("message:send", "{}");
            let told = ann.link.receive();
            assert!(told.ends_with(r#""event":"message:send"}]"#), "{told}");
            // A pid is no use to it.
            let mut again = Tab::over(Link::open(&stage, query, &[]), CHAT);
            let pid = "x".repeat(44) + "0.0";
            let missed = again.join(&format!(r#"{{"token":"{}","pid":"{pid}"}}"#, stage.token("ann")));
            assert_eq!(missed, Vec::<String>::new());
        }
    }
}
