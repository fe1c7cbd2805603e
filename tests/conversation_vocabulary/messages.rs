//! What is said, to one user and in a conversation.

use super::{BOTH, CONVERSATION, Party, TEA, TEA_ACK, direct, fields, in_tea};
use crate::common::socketio::all_told;

const OWN: &str = "that is another user's id than this connection's own";

#[test]
fn private_message() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let mut bobs = party.stage.conversation("bob", namespace);
        let request = r#"{"sender_id":"<ann>","recipient_id":"<bob>","content":"Hello!"}"#;
        let message = direct(1, "Hello!", "ann", "bob", 2);
        party.ann.ok_after("private_message", request, ["message_delivered", &message], fields(&message));
        all_told([&mut party.bob, &mut bobs], "private_message", &message);
        party.nobody_is_told();
        // Back, in the same place, by another of the ids; and to somebody who is not there.
        bobs.emit("private_message", r#"{"recipient_id":"1","content":"Hi!"}"#);
        bobs.told("message_delivered", &direct(2, "Hi!", "bob", "ann", 1));
        party.ann.told("private_message", &direct(2, "Hi!", "bob", "ann", 1));
        let rooms = "SELECT count(DISTINCT chat_id), count(*) FROM messages";
        assert_eq!(party.stage.rows(rooms), [["1", "2"]]);
        party.stage.post("/user", r#"{"Username":"dan"}"#);
        party.stage.learn();
        party.ann.emit("private_message", r#"{"recipient_id":"<dan>","content":"Hello!"}"#);
        party.ann.told("message_delivered", &direct(3, "Hello!", "ann", "dan", 0));

        let nobody = r#"{"recipient_id":"5a2f8c1e-7b3d-4e6a-9f10-c4d5e6f7a8b9","content":"x"}"#;
        party.ann.no("private_message", nobody, "not_found", "there is no such user");
        let spoofed = r#"{"sender_id":"<bob>","recipient_id":"<ann>","content":"x"}"#;
        party.ann.no("private_message", spoofed, "forbidden", OWN);
        party.ann.no("private_message", r#"{"content":"x"}"#, "bad_request", "recipient_id is missing");
        party.ann.no("private_message", r#"{"recipient_id":2}"#, "bad_request", "content is missing");
        party.nobody_is_told();
        bobs.told_nothing();
    }
}

#[test]
fn private_message_to_oneself() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let request = r#"{"recipient_id":"<ann>","content":"note"}"#;
        let alone = direct(1, "note", "ann", "ann", 0);
        party.ann.ok_after("private_message", request, ["message_delivered", &alone], fields(&alone));
        // The user's other sockets are recipient's sockets.
        let mut second = party.stage.conversation("ann", namespace);
        let message = direct(2, "note", "ann", "ann", 1);
        party.ann.ok_after("private_message", request, ["message_delivered", &message], fields(&message));
        second.told("private_message", &message);
        party.nobody_is_told();
        second.told_nothing();
    }
}

#[test]
fn conversation_message() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let request = r#"{"sender_id":1,"conversation_id":"<tea>","content":"Hello!","client_id":"mine"}"#;
        let message = in_tea(1, "Hello!", "ann", 1);
        party.ann.ok_after("conversation_message", request, ["message_delivered", &message], fields(&message));
        party.bob.told("conversation_message", &message);
        // A repeat is answered as the first was, and reaches nobody.
        let again = in_tea(1, "Hello!", "ann", 0);
        party.ann.ok_after("conversation_message", request, ["message_delivered", &again], fields(&again));
        party.nobody_is_told();
        let spoofed = r#"{"sender_id":"<bob>","conversation_id":"<tea>","content":"x"}"#;
        party.ann.no("conversation_message", spoofed, "forbidden", OWN);
        let outside = r#"{"conversation_id":"<tea>","content":"x"}"#;
        party.cid.no("conversation_message", outside, "not_a_member", "you are not in that room");
        party.ann.no("conversation_message", TEA, "bad_request", "content is missing");
        party.nobody_is_told();
        let stored = "SELECT content, message_type, chat_id FROM messages";
        assert_eq!(party.stage.rows(stored), [["Hello!", "text", "2"]]);
    }
}

/// Also without an acknowledgement, and with how many sockets it reached: not how many users.
#[test]
fn message_delivered() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let mut others = Vec::new();
        for delivered in 1..=3 {
            let text = format!("to {delivered}");
            let request = format!(r#"{{"conversation_id":"<tea>","content":"{text}"}}"#);
            party.ann.emit("conversation_message", &request);
            party.ann.told("message_delivered", &in_tea(delivered, &text, "ann", delivered));
            let tab = party.stage.conversation("bob", namespace);
            let joined = std::mem::replace(&mut party.bob, tab);
            party.bob.ok("join_conversation", TEA, TEA_ACK);
            // They stay open, to be reached the next time.
            others.push(joined);
        }
        // Who has not joined is not reached.
        let _idle = party.stage.conversation("bob", namespace);
        party.ann.emit("conversation_message", r#"{"conversation_id":2,"content":"x"}"#);
        party.ann.told("message_delivered", &in_tea(4, "x", "ann", 4));
    }
}

#[test]
fn messages_are_shown_in_one_order_to_all() {
    let mut party = Party::on(CONVERSATION);
    let mut third = party.stage.conversation("bob", CONVERSATION);
    third.ok("join_conversation", TEA, TEA_ACK);
    let mut heard = Vec::new();
    for number in 0..20 {
        let request = format!(r#"{{"conversation_id":2,"content":"{number}"}}"#);
        party.ann.emit("conversation_message", &request);
        party.bob.emit("conversation_message", &request);
    }
    for tab in [&mut party.ann, &mut party.bob, &mut third] {
        let packets: Vec<String> = (0..40).map(|_| tab.link.receive()).collect();
        let ids = packets.iter().map(|packet| packet.split(r#""id":""#).nth(1).unwrap().split('"').next().unwrap());
        heard.push(ids.map(|id| id.parse::<u32>().unwrap()).collect::<Vec<_>>());
    }
    let expected: Vec<u32> = (1..=40).collect();
    assert_eq!(heard, [expected.clone(), expected.clone(), expected]);
}
