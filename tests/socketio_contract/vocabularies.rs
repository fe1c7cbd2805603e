//! Both vocabularies speak of the same users, rooms and messages.

use super::{CHAT, CONVERSATION, conversation_message, message_new};
use crate::common::socketio::{Stage, all_told};

#[test]
fn each_hears_the_other_in_its_own_words() {
    let stage = Stage::set(&[]);
    let mut ann = stage.conversation("ann", CONVERSATION);
    let mut bob = stage.chat("bob", CHAT);
    ann.told("user_online", r#"{"user_id":"<bob>"}"#);
    ann.ok("join_conversation", r#"{"conversation_id":2}"#, r#""conversation_id":"<tea>""#);

    ann.emit("conversation_message", r#"{"conversation_id":2,"content":"one"}"#);
    ann.told("message_delivered", &conversation_message("tea", 1, "one", "ann", 1));
    bob.told("message:new", &message_new("tea", 1, "one", "ann"));
    bob.ok("message:read", r#"{"messageId":"1","chatId":"<tea>"}"#, r#""id":"1","read_at":"T""#);
    bob.told("message:read", r#"{"messageId":"1","userId":"<bob>","chatId":"<tea>"}"#);
    ann.told("message_read", r#"{"message_id":"1","user_id":"<bob>","conversation_id":"<tea>"}"#);

    bob.emit("typing:start", r#"{"chatId":2}"#);
    ann.told("user_typing", r#"{"user_id":"<bob>","is_typing":true,"conversation_id":"<tea>"}"#);
    ann.emit("typing", r#"{"conversation_id":2,"is_typing":true}"#);
    bob.told("typing:start", r#"{"chatId":"<tea>","userId":"<ann>","username":"ann"}"#);
    ann.emit("typing", r#"{"conversation_id":2,"is_typing":false}"#);
    bob.told("typing:stop", r#"{"chatId":"<tea>","userId":"<ann>"}"#);

    bob.emit("call:signal", r#"{"chatId":2,"data":[1]}"#);
    ann.told("call_signal", r#"{"user_id":"<bob>","conversation_id":"<tea>","data":[1]}"#);
    ann.emit("call_signal", r#"{"user_id":"<bob>","data":[2]}"#);
    bob.told("call:signal", r#"{"userId":"<ann>","data":[2]}"#);
    ann.emit("message_edit", r#"{"message_id":1,"content":"uno"}"#);
    bob.told("message:edited", r#"{"id":"1","chat_id":"<tea>","content":"uno","edited_at":"T"}"#);
    ann.told("message_edited", r#"{"id":"1","conversation_id":"<tea>","content":"uno","edited_at":"T"}"#);
    ann.told_nothing();
    bob.told_nothing();
}

/// To the chat vocabulary a private message is said in a chat of two, which is there from the first one on.
#[test]
fn a_private_message_is_a_chat_of_two() {
    let stage = Stage::set(&[]);
    let mut ann = stage.conversation("ann", CONVERSATION);
    let (mut cid, mut second) = (stage.chat("cid", CHAT), stage.chat("cid", CHAT));
    ann.emit("private_message", r#"{"recipient_id":"<cid>","content":"one"}"#);
    let delivered = ann.link.receive();
    assert!(
        delivered.contains(r#""recipient_id":"<cid>","content":"one","created_at":"T","delivered":2}"#),
        "{delivered}"
    );
    stage.learn();
    let one = message_new("ann and cid", 1, "one", "ann");
    all_told([&mut cid, &mut second], "message:new", &one);
    let chat = r#"{"id":"<ann and cid>","name":"ann and cid","updated_at":"T","unread":1,"last_message":"#;
    cid.ok("chat:list", "{}", &format!(r#""chats":[{chat}{one}}}]"#));
    // The answer goes to ann alone, wherever she is.
    cid.emit("message:send", r#"{"chatId":"<ann and cid>","content":"two"}"#);
    all_told([&mut cid, &mut second], "message:new", &message_new("ann and cid", 2, "two", "cid"));
    let told = r#"{"id":"2","sender_id":"<cid>","sender_username":"cid","recipient_id":"<ann>","content":"two","created_at":"T","delivered":2}"#;
    ann.told("private_message", told);
    // Bob has no part in it.
    let mut bob = stage.chat("bob", CHAT);
    let sentence = "you are not in that room";
    bob.no("message:list", r#"{"chatId":"<ann and cid>"}"#, "not_a_member", sentence);
    bob.no("chat:join", r#"{"chatId":"<ann and cid>"}"#, "not_a_member", sentence);
}

#[test]
fn a_repeat_is_known_in_both() {
    let stage = Stage::set(&[]);
    let mut chatting = stage.chat("ann", CHAT);
    let mut conversing = stage.conversation("ann", CONVERSATION);
    let sent = r#""id":"1","chat_id":"<tea>","created_at":"T","delivered":0"#;
    chatting.ok("message:send", r#"{"chatId":2,"content":"x","clientId":"mine"}"#, sent);
    chatting.told("message:new", &message_new("tea", 1, "x", "ann"));
    conversing.emit("conversation_message", r#"{"conversation_id":2,"content":"x","client_id":"mine"}"#);
    conversing.told("message_delivered", &conversation_message("tea", 1, "x", "ann", 0));
    chatting.told_nothing();
    assert_eq!(stage.rows("SELECT count(*) FROM messages"), [["1"]]);
    let long = "x".repeat(65);
    let request = format!(r#"{{"chatId":2,"content":"x","clientId":"{long}"}}"#);
    chatting.no("message:send", &request, "bad_request", "clientId must be 1 to 64 characters");
}

/// Whoever is deleted is told to leave, and can't come back.
#[test]
fn a_deleted_user_has_to_leave() {
    let stage = Stage::set(&[]);
    let mut bob = stage.chat("bob", CHAT);
    let mut ann = stage.chat("ann", CHAT);
    bob.told("user:status", r#"{"userId":"<ann>","status":"online"}"#);
    let request = "DELETE /user HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{\"UserID\":1}";
    let answer = stage.server.exchange(request);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    bob.told("user:status", r#"{"userId":"<ann>","status":"offline"}"#);
    ann.link.expect("41/chat,");
    bob.emit("message:send", r#"{"chatId":2,"content":"x"}"#);
    bob.told("message:new", &message_new("tea", 1, "x", "bob"));
    ann.link.expect_nothing();
    let mut link = stage.link();
    for user in [stage.uuid("ann").as_str(), "1", "ann"] {
        link.send(&format!("40/chat,{}", stage.auth(user)));
        link.expect(r#"44/chat,{"message":"there is no such user","data":{"code":"unknown_user"}}"#);
    }
}
