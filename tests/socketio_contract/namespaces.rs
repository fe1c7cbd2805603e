//! Several sockets on one connection, and what a socket on `/` is told before and after it has shown what it speaks.

use super::{CHAT, CONVERSATION, conversation_message, message_new};
use crate::common::socketio::{Link, Stage, Tab};

/// The next packets, in the order of the alphabet.
fn sorted<const N: usize>(link: &mut Link) -> [String; N] {
    let mut packets = [(); N].map(|()| link.receive());
    packets.sort_unstable();
    packets
}

/// Ann on `/chat` and bob on `/conversation`, where he has joined tea; joined in either order.
fn two_on_one(stage: &Stage, chat_first: bool) -> Link {
    let mut link = stage.link();
    let mut joins = [format!("40/chat,{}", stage.auth("ann")), format!("40/conversation,{}", stage.auth("bob"))];
    if !chat_first {
        joins.reverse();
    }
    // The first is admitted, and welcomed if it converses; then the other, of which the first hears.
    link.send(&joins[0]);
    (0..if chat_first { 1 } else { 2 }).for_each(|_| drop(link.receive()));
    link.send(&joins[1]);
    let told = if chat_first {
        r#"42/chat,["user:status",{"userId":"<bob>","status":"online"}]"#
    } else {
        r#"42/conversation,["user_online",{"user_id":"<ann>"}]"#
    };
    let packets: Vec<String> = (0..if chat_first { 3 } else { 2 }).map(|_| link.receive()).collect();
    assert!(packets.iter().any(|packet| packet == told), "{packets:?}");
    link.send(r#"42/conversation,1["join_conversation",{"conversation_id":2}]"#);
    link.expect(r#"43/conversation,1[{"ok":true,"conversation_id":"<tea>"}]"#);
    link
}

#[test]
fn two_users_on_one_connection() {
    for chat_first in [true, false] {
        let stage = Stage::set(&[]);
        let mut link = two_on_one(&stage, chat_first);
        // Each has its own numbers for acknowledgements, and hears of the other.
        link.send(r#"42/chat,1["message:send",{"chatId":2,"content":"x"}]"#);
        let told = message_new("tea", 1, "x", "ann");
        let heard = conversation_message("tea", 1, "x", "ann", 1);
        let ack = r#"43/chat,1[{"ok":true,"id":"1","chat_id":"<tea>","created_at":"T","delivered":1}]"#;
        let expected = [
            format!(r#"42/chat,["message:new",{told}]"#),
            format!(r#"42/conversation,["conversation_message",{heard}]"#),
            ack.to_owned(),
        ];
        assert_eq!(sorted(&mut link), expected);
        link.expect_nothing();
    }
}

#[test]
fn leaving_one_namespace_keeps_the_other() {
    for chat_first in [true, false] {
        for leaves_chat in [true, false] {
            let stage = Stage::set(&[]);
            let mut link = two_on_one(&stage, chat_first);
            let (left, stays) = if leaves_chat { ("/chat", "/conversation") } else { ("/conversation", "/chat") };
            link.send(&format!("41{left}"));
            let asked = if leaves_chat {
                r#"["typing",{"recipient_id":1,"is_typing":false}]"#
            } else {
                r#"["typing:stop",{"chatId":2}]"#
            };
            link.send(&format!("42{stays},1{asked}"));
            link.expect(&format!(r#"43{stays},1[{{"ok":true}}]"#));
            // It still hears what happens.
            let mut other = stage.chat("bob", CHAT);
            let mut first = Tab::over(stage.link(), CHAT);
            first.join(&stage.auth("ann"));
            other.ask("message:send", r#"{"chatId":2,"content":"x"}"#);
            let packet = link.receive();
            assert!(packet.starts_with(&format!("42{stays},[")) && packet.contains(r#""content":"x""#), "{packet}");
            // The namespace that was left is free again, for whomever.
            link.send(&format!("40{left},{}", stage.auth("cid")));
            assert!(link.receive().starts_with(&format!("40{left},{{\"sid\":")));
            if !leaves_chat {
                link.expect(r#"42/conversation,["online_users",{"users":["<cid>"]}]"#);
            }
            link.expect_nothing();
        }
    }
}

#[test]
fn there_are_no_other_namespaces() {
    let stage = Stage::set(&[]);
    let mut link = stage.link();
    for namespace in ["/nowhere", "/Chat", "/chat/", "/__proto__", "/admin"] {
        link.send(&format!("40{namespace},{}", stage.auth("ann")));
        link.expect(&format!(r#"44{namespace},{{"message":"Invalid namespace"}}"#));
    }
    let mut tab = Tab::over(link, CHAT);
    tab.join(&stage.auth("ann"));
    tab.told_nothing();
}

#[test]
fn an_event_on_a_namespace_that_was_not_joined_ends_the_connection() {
    let stage = Stage::set(&[]);
    let mut tab = stage.chat("ann", CHAT);
    tab.link.send(r#"42/conversation,["typing",{}]"#);
    tab.link.expect_end();
}

/// Ann, undecided on `/`, is greeted; bob is there.
fn undecided(stage: &Stage) -> (Tab, Tab) {
    let mut bob = stage.chat("bob", CHAT);
    let mut ann = stage.tab("ann", "/");
    ann.told("online_users", r#"{"users":["<bob>","<ann>"]}"#);
    bob.told("user:status", r#"{"userId":"<ann>","status":"online"}"#);
    (ann, bob)
}

#[test]
fn an_undecided_socket_is_told_everything_twice() {
    let stage = Stage::set(&[]);
    let (mut ann, mut bob) = undecided(&stage);
    bob.emit("message:send", r#"{"chatId":2,"content":"x"}"#);
    ann.told("conversation_message", &conversation_message("tea", 1, "x", "bob", 1));
    ann.told("message:new", &message_new("tea", 1, "x", "bob"));
    bob.emit("typing:start", r#"{"chatId":2}"#);
    ann.told("user_typing", r#"{"user_id":"<bob>","is_typing":true,"conversation_id":"<tea>"}"#);
    ann.told("typing:start", r#"{"chatId":"<tea>","userId":"<bob>","username":"bob"}"#);
    // What nobody knows decides nothing, and is refused once.
    ann.no("no such event", "{}", "unknown_event", r#"there is no "no such event" here"#);
    bob.emit("typing:stop", r#"{"chatId":2}"#);
    ann.told("user_typing", r#"{"user_id":"<bob>","is_typing":false,"conversation_id":"<tea>"}"#);
    ann.told("typing:stop", r#"{"chatId":"<tea>","userId":"<bob>"}"#);
    drop(bob);
    ann.told("user_offline", r#"{"user_id":"<bob>"}"#);
    ann.told("user:status", r#"{"userId":"<bob>","status":"offline"}"#);
    ann.told_nothing();
}

#[test]
fn the_first_event_decides_for_the_chat_vocabulary() {
    let stage = Stage::set(&[]);
    let (mut ann, mut bob) = undecided(&stage);
    // Even one that is refused.
    ann.no("message:send", "{}", "bad_request", "chatId is missing");
    bob.emit("message:send", r#"{"chatId":2,"content":"x"}"#);
    ann.told("message:new", &message_new("tea", 1, "x", "bob"));
    ann.no("join_conversation", r#"{"conversation_id":2}"#, "unknown_event", r#"there is no "join_conversation" here"#);
    ann.told_nothing();
}

#[test]
fn the_first_event_decides_for_the_conversation_vocabulary() {
    let stage = Stage::set(&[]);
    let (mut ann, mut bob) = undecided(&stage);
    ann.no("private_message", "{}", "bad_request", "recipient_id is missing");
    // Now it is in those conversations alone that it joins.
    bob.emit("message:send", r#"{"chatId":2,"content":"x"}"#);
    bob.link.receive();
    ann.told_nothing();
    ann.ok("join_conversation", r#"{"conversation_id":2}"#, r#""conversation_id":"<tea>""#);
    bob.emit("message:send", r#"{"chatId":2,"content":"y"}"#);
    ann.told("conversation_message", &conversation_message("tea", 2, "y", "bob", 1));
    ann.no("chat:list", "{}", "unknown_event", r#"there is no "chat:list" here"#);
    ann.told_nothing();
}

#[test]
fn a_setting_decides_from_the_start() {
    for vocabulary in ["chat", "conversation"] {
        let stage = Stage::set(&["--socketio-vocabulary", vocabulary]);
        let mut bob = stage.chat("bob", CHAT);
        let mut ann = stage.tab("ann", "/");
        bob.link.receive();
        if vocabulary == "conversation" {
            ann.welcomed();
        }
        bob.emit("message:send", r#"{"chatId":2,"content":"x"}"#);
        bob.link.receive();
        if vocabulary == "chat" {
            ann.told("message:new", &message_new("tea", 1, "x", "bob"));
        }
        ann.told_nothing();
        // The other words have a namespace of their own.
        let mut other = stage.conversation("ann", CONVERSATION);
        other.told_nothing();
    }
}
