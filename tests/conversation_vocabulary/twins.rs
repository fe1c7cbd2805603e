//! What the chat vocabulary has besides, in this one's words: editing, deleting, reacting, reading, calling.

use super::{BOTH, Party, direct};
use crate::common::socketio::all_told;

#[test]
fn message_edit() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.say(1, "Hello!");
        party.ann.ok("message_edit", r#"{"message_id":"1","content":"Bye!"}"#, r#""id":"1","edited_at":"T""#);
        let edited = r#"{"id":"1","conversation_id":"<tea>","content":"Bye!","edited_at":"T"}"#;
        party.both_told("message_edited", edited);
        let answer = party.bob.ask("message_edit", r#"{"message_id":"1","content":"mine"}"#);
        assert!(answer.starts_with(r#"{"ok":false,"#), "{answer}");
        party.ann.no("message_edit", r#"{"message_id":"1"}"#, "bad_request", "content is missing");
        party.nobody_is_told();
    }
}

#[test]
fn message_delete() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.say(1, "Hello!");
        let answer = party.bob.ask("message_delete", r#"{"message_id":1}"#);
        assert!(answer.starts_with(r#"{"ok":false,"#), "{answer}");
        party.ann.ok("message_delete", r#"{"message_id":1}"#, r#""id":"1""#);
        party.both_told("message_deleted", r#"{"id":"1","conversation_id":"<tea>"}"#);
        party.ann.no("message_delete", r#"{"message_id":1}"#, "not_a_member", "you are not in that room");
    }
}

#[test]
fn message_react() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.say(1, "Hello!");
        for removed in [false, true] {
            let request = format!(r#"{{"message_id":"1","emoji":"❤️","remove":{removed}}}"#);
            party.bob.ok("message_react", &request, r#""id":"1""#);
            let told = r#"{"message_id":"1","conversation_id":"<tea>","user_id":"<bob>","emoji":"❤️","removed":"#;
            party.both_told("message_reaction", &format!("{told}{removed}}}"));
            party.bob.ok("message_react", &request, r#""id":"1""#);
            party.nobody_is_told();
        }
    }
}

#[test]
fn message_read() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.say(1, "Hello!");
        for (tab, is_told) in [(1, true), (1, false), (0, false)] {
            let tab = if tab == 0 { &mut party.ann } else { &mut party.bob };
            tab.ok("message_read", r#"{"message_id":"1"}"#, r#""id":"1","read_at":"T""#);
            if is_told {
                party.both_told("message_read", r#"{"message_id":"1","user_id":"<bob>","conversation_id":"<tea>"}"#);
            }
            party.nobody_is_told();
        }
    }
}

#[test]
fn call_signal() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.ann.ok("call_signal", r#"{"conversation_id":2,"data":{"sdp":[1,null]}}"#, "");
        let told = r#"{"user_id":"<ann>","conversation_id":"<tea>","data":{"sdp":[1,null]}}"#;
        party.bob.told("call_signal", told);
        for callee in ["user_id", "recipient_id"] {
            party.ann.ok("call_signal", &format!(r#"{{"{callee}":"<bob>","data":"x"}}"#), "");
            party.bob.told("call_signal", r#"{"user_id":"<ann>","data":"x"}"#);
        }
        party.ann.no("call_signal", r#"{"conversation_id":2}"#, "bad_request", "data is missing");
        party.nobody_is_told();
        assert_eq!(party.stage.rows("SELECT count(*) FROM messages"), [["0"]]);
    }
}

/// What becomes of a private message both of the two hear, at each of their sockets, whether or not it has joined
/// anything. With whom it was shared is said from the side of who does it.
#[test]
fn private_messages_change_for_both() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let mut bobs = party.stage.conversation("bob", namespace);
        party.ann.emit("private_message", r#"{"recipient_id":"<bob>","content":"Hello!"}"#);
        let message = direct(1, "Hello!", "ann", "bob", 2);
        party.ann.told("message_delivered", &message);
        all_told([&mut party.bob, &mut bobs], "private_message", &message);
        let mut told = |party: &mut Party, event: &str, payload: &str| {
            bobs.told(event, payload);
            party.both_told(event, payload);
        };
        party.ann.ok("message_edit", r#"{"message_id":1,"content":"Bye!"}"#, r#""id":"1","edited_at":"T""#);
        let edited = r#"{"id":"1","recipient_id":"<bob>","content":"Bye!","edited_at":"T"}"#;
        told(&mut party, "message_edited", edited);
        party.bob.ok("message_read", r#"{"message_id":1}"#, r#""id":"1","read_at":"T""#);
        told(&mut party, "message_read", r#"{"message_id":"1","user_id":"<bob>","recipient_id":"<ann>"}"#);
        party.bob.ok("message_react", r#"{"message_id":1,"emoji":"!"}"#, r#""id":"1""#);
        let reaction = r#"{"message_id":"1","recipient_id":"<ann>","user_id":"<bob>","emoji":"!","removed":false}"#;
        told(&mut party, "message_reaction", reaction);
        party.ann.ok("message_delete", r#"{"message_id":1}"#, r#""id":"1""#);
        told(&mut party, "message_deleted", r#"{"id":"1","recipient_id":"<bob>"}"#);
    }
}
