//! Conversations that a socket joins and leaves, and who is typing there.

use super::{BOTH, Party, TEA, TEA_ACK, in_tea};
use crate::common::socketio::all_told;

#[test]
fn join_conversation() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        // A room is named in three ways, and joined once.
        for room in [r#""<tea>""#, "2", r#""2""#] {
            party.ann.ok("join_conversation", &format!(r#"{{"conversation_id":{room}}}"#), TEA_ACK);
        }
        party.ann.emit("join_conversation", TEA);
        party.say(1, "Hello!");
        party.bob.emit("conversation_message", r#"{"conversation_id":2,"content":"x"}"#);
        party.bob.told("message_delivered", &in_tea(2, "x", "bob", 1));
        party.ann.told("conversation_message", &in_tea(2, "x", "bob", 1));
        // Participants only.
        party.cid.no("join_conversation", TEA, "not_a_member", "you are not in that room");
        party.cid.no("join_conversation", "{}", "bad_request", "conversation_id is missing");
        party.nobody_is_told();
    }
}

#[test]
fn leave_conversation() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.bob.ok("leave_conversation", TEA, TEA_ACK);
        party.bob.no("leave_conversation", TEA, "not_a_member", "you are not in that room");
        party.ann.emit("conversation_message", r#"{"conversation_id":2,"content":"x"}"#);
        party.ann.told("message_delivered", &in_tea(1, "x", "ann", 0));
        party.bob.told_nothing();
        // Bob is a participant still: he may speak, and come back.
        party.bob.emit("conversation_message", r#"{"conversation_id":2,"content":"x"}"#);
        party.bob.told("message_delivered", &in_tea(2, "x", "bob", 1));
        party.ann.told("conversation_message", &in_tea(2, "x", "bob", 1));
        party.bob.ok("join_conversation", TEA, TEA_ACK);
        party.say(3, "again");
        party.nobody_is_told();
    }
}

#[test]
fn typing() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        for is_typing in [true, false] {
            let request = format!(r#"{{"user_id":"<ann>","conversation_id":"<tea>","is_typing":{is_typing}}}"#);
            party.ann.ok("typing", &request, "");
            let told = format!(r#"{{"user_id":"<ann>","is_typing":{is_typing},"conversation_id":"<tea>"}}"#);
            party.bob.told("user_typing", &told);
        }
        // Not in somebody else's name, and nowhere and everywhere neither.
        let own = "that is another user's id than this connection's own";
        let spoofed = r#"{"user_id":"<bob>","conversation_id":"<tea>","is_typing":true}"#;
        party.ann.no("typing", spoofed, "forbidden", own);
        let one = "only one of conversation_id, recipient_id may be given";
        let both = r#"{"recipient_id":"<bob>","conversation_id":"<tea>","is_typing":true}"#;
        party.ann.no("typing", both, "bad_request", one);
        let none = "conversation_id or recipient_id is missing";
        party.ann.no("typing", r#"{"is_typing":true}"#, "bad_request", none);
        party.ann.no("typing", TEA, "bad_request", "is_typing is missing");
        let wrong = r#"{"conversation_id":2,"is_typing":"yes"}"#;
        party.ann.no("typing", wrong, "bad_request", "is_typing must be true or false");
        party.nobody_is_told();
        assert_eq!(party.stage.rows("SELECT count(*) FROM messages"), [["0"]]);
    }
}

#[test]
fn user_typing() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let mut bobs = party.stage.conversation("bob", namespace);
        // To a conversation's sockets that have joined it, and to all of a user's.
        party.ann.emit("typing", r#"{"conversation_id":2,"is_typing":true}"#);
        party.bob.told("user_typing", r#"{"user_id":"<ann>","is_typing":true,"conversation_id":"<tea>"}"#);
        party.ann.emit("typing", r#"{"recipient_id":2,"is_typing":true}"#);
        let told = r#"{"user_id":"<ann>","is_typing":true}"#;
        all_told([&mut party.bob, &mut bobs], "user_typing", told);
        party.nobody_is_told();
        bobs.told_nothing();
        // It ends with the socket, in both places.
        drop(party.ann);
        bobs.told("user_typing", r#"{"user_id":"<ann>","is_typing":false}"#);
        let mut ends = [party.bob.link.receive(), party.bob.link.receive()];
        ends.sort_unstable();
        assert!(
            ends[0].ends_with(r#"["user_typing",{"user_id":"<ann>","is_typing":false,"conversation_id":"<tea>"}]"#)
        );
        assert!(ends[1].ends_with(r#"["user_typing",{"user_id":"<ann>","is_typing":false}]"#), "{ends:?}");
    }
}
