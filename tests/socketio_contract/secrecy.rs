//! Who takes no part in a private room can do nothing there, and can't tell it from one that does not exist: whatever is
//! asked, the whole answers are the same, and nobody hears of it.

use super::{CHAT, CONVERSATION};
use crate::common::socketio::{Stage, Tab, none_told};

/// Nobody's and nothing's.
const NOWHERE: &str = "5a2f8c1e-7b3d-4e6a-9f10-c4d5e6f7a8b9";

/// What is asked for.
#[derive(Clone, Copy)]
enum Of {
    Room,
    Message,
    /// A user with whom one shares no private room.
    User,
}

impl Of {
    /// What there is but not for the asker, in all ways to write it, and beside each what there is not.
    fn pairs(self) -> &'static [[&'static str; 2]] {
        match self {
            Self::Room => {
                &[["\"<tea>\"", "\"NOWHERE\""], ["2", "99"], ["\"2\"", "\"99\""], ["\"<ann and bob>\"", "98"]]
            }
            Self::Message => &[["1", "99"], ["\"1\"", "\"99\""], ["2", "98"]],
            Self::User => &[["\"<ann>\"", "\"NOWHERE\""], ["1", "99"]],
        }
    }
}

/// An event with `#` where its target belongs; whether it is refused, or granted and goes nowhere.
type Row = (Of, &'static str, &'static str, bool);

const CHAT_EVENTS: &[Row] = &[
    (Of::Room, "chat:join", r#"{"chatId":#}"#, true),
    (Of::Room, "chat:leave", r#"{"chatId":#}"#, true),
    (Of::Room, "message:send", r#"{"chatId":#,"content":"x"}"#, true),
    (Of::Room, "message:send", r#"{"chatId":#,"content":"x","messageType":"image","clientId":"c"}"#, true),
    (Of::Room, "message:list", r#"{"chatId":#}"#, true),
    (Of::Room, "message:list", r#"{"chatId":#,"before":2,"limit":1}"#, true),
    (Of::Room, "typing:start", r#"{"chatId":#}"#, true),
    (Of::Room, "typing:stop", r#"{"chatId":#}"#, true),
    (Of::Room, "call:signal", r#"{"chatId":#,"data":1}"#, true),
    (Of::User, "call:signal", r#"{"userId":#,"data":1}"#, true),
    (Of::Room, "message:read", r#"{"messageId":1,"chatId":#}"#, true),
    (Of::Message, "message:read", r#"{"messageId":#,"chatId":"<tea>"}"#, true),
    (Of::Message, "message:edit", r#"{"messageId":#,"content":"x"}"#, true),
    (Of::Message, "message:delete", r#"{"messageId":#}"#, true),
    (Of::Message, "message:react", r#"{"messageId":#,"emoji":"x"}"#, true),
    (Of::Message, "message:react", r#"{"messageId":#,"emoji":"+","remove":true}"#, true),
    (Of::Message, "message:list", r#"{"chatId":"<lobby>","before":#}"#, true),
];

const CONVERSATION_EVENTS: &[Row] = &[
    (Of::Room, "join_conversation", r#"{"conversation_id":#}"#, true),
    (Of::Room, "leave_conversation", r#"{"conversation_id":#}"#, true),
    (Of::Room, "conversation_message", r#"{"conversation_id":#,"content":"x"}"#, true),
    (Of::Room, "typing", r#"{"conversation_id":#,"is_typing":true}"#, true),
    (Of::Room, "typing", r#"{"conversation_id":#,"is_typing":false}"#, true),
    (Of::Room, "call_signal", r#"{"conversation_id":#,"data":1}"#, true),
    (Of::User, "call_signal", r#"{"user_id":#,"data":1}"#, true),
    (Of::User, "call_signal", r#"{"recipient_id":#,"data":1}"#, true),
    (Of::User, "conversation_message", r#"{"sender_id":#,"conversation_id":"<tea>","content":"x"}"#, true),
    (Of::User, "typing", r#"{"user_id":#,"recipient_id":"<cid>","is_typing":true}"#, true),
    (Of::Message, "message_read", r#"{"message_id":#}"#, true),
    (Of::Message, "message_edit", r#"{"message_id":#,"content":"x"}"#, true),
    (Of::Message, "message_delete", r#"{"message_id":#}"#, true),
    (Of::Message, "message_react", r#"{"message_id":#,"emoji":"x"}"#, true),
    (Of::Message, "message_react", r#"{"message_id":#,"emoji":"+","remove":true}"#, true),
];

/// Asks with and without an acknowledgement. Returns the whole answers, where there is one.
fn answers(tab: &mut Tab, event: &str, payload: &str, is_refused: bool) -> Vec<String> {
    let payload = payload.replace("NOWHERE", NOWHERE);
    let mut answers = vec![tab.ask(event, &payload)];
    tab.emit(event, &payload);
    if is_refused {
        assert!(answers[0].starts_with(r#"{"ok":false,"code":""#), "{event} {payload}: {}", answers[0]);
        answers.push(tab.link.receive());
        assert!(answers[1].contains(r#"["error",{"message":""#), "{event} {payload}: {}", answers[1]);
    }
    answers
}

fn try_all(tab: &mut Tab, rows: &[Row]) {
    for &(of, event, payload, is_refused) in rows {
        for [hidden, missing] in of.pairs() {
            let [hidden, missing] = [hidden, missing].map(|target| payload.replace('#', target));
            let given = [&hidden, &missing].map(|payload| answers(tab, event, payload, is_refused));
            assert_eq!(given[0], given[1], "{event} {hidden} and {missing}");
        }
    }
    tab.told_nothing();
}

/// All that could have been changed.
fn contents(stage: &Stage) -> Vec<Vec<Vec<String>>> {
    let tables = [
        "SELECT id, content, chat_id FROM messages",
        "SELECT message_id, user_id FROM message_reads",
        "SELECT message_id, user_id, emoji FROM message_reactions",
        "SELECT chat_id, user_id, coalesce(last_read_at, '') FROM chat_participants",
        "SELECT kind, message_id FROM message_changes",
        "SELECT id, name, updated_at FROM chats",
    ];
    tables.iter().map(|sql| stage.rows(sql)).collect()
}

/// In tea ann has said message 1, and to bob alone message 2; bob has put a + to both.
fn stage() -> Stage {
    let mut stage = Stage::set(&["--rate", "0"]);
    let (mut ann, mut bob) = (stage.chat("ann", CHAT), stage.chat("bob", CHAT));
    ann.link.receive();
    ann.ask("message:send", r#"{"chatId":"<tea>","content":"secret"}"#);
    let mut whispering = stage.conversation("ann", CONVERSATION);
    whispering.emit("private_message", r#"{"recipient_id":"<bob>","content":"secret"}"#);
    whispering.link.receive();
    bob.link.receive();
    bob.link.receive();
    for message in [1, 2] {
        bob.ask("message:react", &format!(r#"{{"messageId":{message},"emoji":"+"}}"#));
        bob.link.receive();
    }
    stage.learn();
    // Nobody is there any more.
    stage.restart();
    stage
}

fn nothing_is_learnt_or_done(open: fn(&Stage) -> Tab, rows: &[Row]) {
    let mut stage = stage();
    let before = contents(&stage);
    {
        let mut tabs = [stage.chat("bob", CHAT), stage.tab("ann", "/"), stage.conversation("ann", CONVERSATION)];
        tabs[2].ok("join_conversation", r#"{"conversation_id":2}"#, r#""conversation_id":"<tea>""#);
        tabs[1].welcomed();
        tabs[0].told("user:status", r#"{"userId":"<ann>","status":"online"}"#);
        let mut cid = open(&stage);
        cid.told_nothing();
        try_all(&mut cid, rows);
        let [bob, undecided, ann] = &mut tabs;
        none_told([bob, undecided, ann]);
    }
    // The same while nobody is there who takes part: the server knows the room from the store alone.
    stage.restart();
    let mut cid = open(&stage);
    try_all(&mut cid, rows);
    assert_eq!(contents(&stage), before);
}

#[test]
fn a_stranger_on_the_chat_namespace() {
    nothing_is_learnt_or_done(|stage| stage.chat("cid", CHAT), CHAT_EVENTS);
}

#[test]
fn a_stranger_who_chats_on_the_main_namespace() {
    nothing_is_learnt_or_done(|stage| stage.chat("cid", "/"), CHAT_EVENTS);
}

#[test]
fn a_stranger_on_the_conversation_namespace() {
    nothing_is_learnt_or_done(|stage| stage.conversation("cid", CONVERSATION), CONVERSATION_EVENTS);
}

#[test]
fn a_stranger_who_converses_on_the_main_namespace() {
    nothing_is_learnt_or_done(|stage| stage.conversation("cid", "/"), CONVERSATION_EVENTS);
}

/// Typing to somebody is granted whether or not they are there, and lists have nothing of what is not theirs.
#[test]
fn what_is_granted_to_anybody_tells_nothing() {
    let stage = stage();
    let _ann = stage.chat("ann", CHAT);
    let mut cid = stage.conversation("cid", CONVERSATION);
    for target in ["<ann>", "<bob>", NOWHERE] {
        cid.ok("typing", &format!(r#"{{"recipient_id":"{target}","is_typing":true}}"#), "");
    }
    stage.chat("cid", CHAT).ok("chat:list", "{}", r#""chats":[]"#);
}
