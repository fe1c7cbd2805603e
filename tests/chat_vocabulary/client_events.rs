//! What clients send, by the names of the events.

use super::{BOTH, HELLO, Party};
use crate::common::socketio::{Tab, all_told};

const TEA: &str = r#"{"chatId":"<tea>"}"#;
const TEA_ACK: &str = r#""chatId":"<tea>""#;

#[test]
fn chat_join() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        // All of a user's chats are joined from the start: once more changes nothing. A room is named in three ways.
        for chat in [r#""<tea>""#, "2", r#""2""#] {
            party.ann.ok("chat:join", &format!(r#"{{"chatId":{chat},"more":[]}}"#), TEA_ACK);
        }
        party.ann.emit("chat:join", TEA);
        party.say(1, "Hello!");
        party.ann.ok("chat:leave", TEA, TEA_ACK);
        party.bob.emit("message:send", r#"{"chatId":"<tea>","content":"gone?"}"#);
        let gone = HELLO.replace("Hello!", "gone?").replace("ann", "bob").replace(r#""id":"1""#, r#""id":"2""#);
        party.bob.told("message:new", &gone);
        party.ann.ok("chat:join", TEA, TEA_ACK);
        party.say(3, "here again");
        party.nobody_is_told();
    }
}

#[test]
fn chat_leave() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        // It is this socket's subscription: the user's other one stays.
        let mut other = party.stage.chat("ann", namespace);
        party.ann.ok("chat:leave", TEA, TEA_ACK);
        party.ann.no("chat:leave", TEA, "not_a_member", "you are not in that room");
        party.bob.ok(
            "message:send",
            r#"{"chatId":2,"content":"Hello!"}"#,
            r#""id":"1","chat_id":"<tea>","created_at":"T","delivered":1"#,
        );
        all_told([&mut other, &mut party.bob], "message:new", &HELLO.replace("ann", "bob"));
        // Ann still takes part, and may speak.
        let sent = r#""id":"2","chat_id":"<tea>","created_at":"T","delivered":2"#;
        party.ann.ok("message:send", r#"{"chatId":2,"content":"Hello!"}"#, sent);
        let second = HELLO.replace(r#""id":"1""#, r#""id":"2""#);
        all_told([&mut other, &mut party.bob], "message:new", &second);
        party.nobody_is_told();
        other.told_nothing();
    }
}

#[test]
fn message_send() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let request = r#"{"chatId":"<tea>","content":"Hello!","messageType":"image","clientId":"mine"}"#;
        let sent = r#""id":"1","chat_id":"<tea>","created_at":"T","delivered":1"#;
        party.ann.ok("message:send", request, sent);
        let image = HELLO.replace(r#""message_type":"text""#, r#""message_type":"image""#);
        all_told([&mut party.ann, &mut party.bob], "message:new", &image);
        // A repeat is answered as the first was, and reaches nobody. Another's mark is another one.
        let again = party.ann.ask("message:send", request);
        assert_eq!(again, format!(r#"{{"ok":true,{}}}"#, sent.replace(r#""delivered":1"#, r#""delivered":0"#)));
        party.nobody_is_told();
        party.bob.ok("message:send", request, &sent.replace(r#""id":"1""#, r#""id":"2""#));
        let bobs = image.replace("ann", "bob").replace(r#""id":"1""#, r#""id":"2""#);
        all_told([&mut party.ann, &mut party.bob], "message:new", &bobs);
    }
}

#[test]
fn message_read() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.say(1, "Hello!");
        party.bob.ok("message:read", r#"{"messageId":"1","chatId":"<tea>"}"#, r#""id":"1","read_at":"T""#);
        let read = r#"{"messageId":"1","userId":"<bob>","chatId":"<tea>"}"#;
        all_told([&mut party.ann, &mut party.bob], "message:read", read);
        // A second time, one's own: nothing.
        party.bob.ok("message:read", r#"{"messageId":1}"#, r#""id":"1","read_at":"T""#);
        party.ann.ok("message:read", r#"{"messageId":"1","chatId":"<tea>"}"#, r#""id":"1","read_at":"T""#);
        party.nobody_is_told();
        let reads = "SELECT u.username FROM message_reads r JOIN users u ON u.id = r.user_id";
        assert_eq!(party.stage.rows(reads), [["bob"]]);
        let until = "SELECT count(*) FROM chat_participants p JOIN users u ON u.id = p.user_id JOIN messages m \
                     WHERE u.username = 'bob' AND p.last_read_at = m.created_date";
        assert_eq!(party.stage.rows(until), [["1"]]);
    }
}

#[test]
fn typing_start() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.ann.ok("typing:start", TEA, "");
        let typing = r#"{"chatId":"<tea>","userId":"<ann>","username":"ann"}"#;
        party.bob.told("typing:start", typing);
        party.ann.emit("typing:start", r#"{"chatId":"2"}"#);
        party.bob.told("typing:start", typing);
        party.nobody_is_told();
    }
}

#[test]
fn typing_stop() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.ann.emit("typing:start", TEA);
        party.bob.told("typing:start", r#"{"chatId":"<tea>","userId":"<ann>","username":"ann"}"#);
        party.ann.ok("typing:stop", TEA, "");
        party.bob.told("typing:stop", r#"{"chatId":"<tea>","userId":"<ann>"}"#);
        // Who has not been typing has not stopped.
        party.ann.ok("typing:stop", TEA, "");
        party.nobody_is_told();
    }
}

#[test]
fn message_edit() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.say(1, "Hello!");
        let edit = r#"{"messageId":"1","content":"Bye!"}"#;
        party.ann.ok("message:edit", edit, r#""id":"1","edited_at":"T""#);
        let edited = r#"{"id":"1","chat_id":"<tea>","content":"Bye!","edited_at":"T"}"#;
        all_told([&mut party.ann, &mut party.bob], "message:edited", edited);
        // By its author alone.
        let answer = party.bob.ask("message:edit", edit);
        assert!(answer.starts_with(r#"{"ok":false,"#), "{answer}");
        party.nobody_is_told();
    }
}

#[test]
fn message_delete() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.say(1, "Hello!");
        party.bob.emit("message:send", r#"{"chatId":2,"content":"Hello!"}"#);
        let bobs = HELLO.replace("ann", "bob").replace(r#""id":"1""#, r#""id":"2""#);
        all_told([&mut party.ann, &mut party.bob], "message:new", &bobs);
        let answer = party.bob.ask("message:delete", r#"{"messageId":"1"}"#);
        assert!(answer.starts_with(r#"{"ok":false,"#), "{answer}");
        // By its author, and by the owner of the chat.
        for message in ["1", "2"] {
            let id = format!(r#""id":"{message}""#);
            party.ann.ok("message:delete", &format!(r#"{{"messageId":{message}}}"#), &id);
            let gone = format!(r#"{{{id},"chat_id":"<tea>"}}"#);
            all_told([&mut party.ann, &mut party.bob], "message:deleted", &gone);
        }
        party.ann.no("message:delete", r#"{"messageId":"1"}"#, "not_a_member", "you are not in that room");
        party.nobody_is_told();
    }
}

#[test]
fn message_react() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.say(1, "Hello!");
        for removed in [false, true] {
            let request = format!(r#"{{"messageId":"1","emoji":"👍","remove":{removed}}}"#);
            let told =
                format!(r#"{{"messageId":"1","chatId":"<tea>","userId":"<bob>","emoji":"👍","removed":{removed}}}"#);
            party.bob.ok("message:react", &request, r#""id":"1""#);
            all_told([&mut party.ann, &mut party.bob], "message:reaction", &told);
            // Once more changes nothing.
            party.bob.ok("message:react", &request, r#""id":"1""#);
            party.nobody_is_told();
        }
        let sentence = "emoji must be 1 to 32 characters, none of them a control character";
        party.bob.no("message:react", r#"{"messageId":"1","emoji":""}"#, "bad_request", sentence);
    }
}

#[test]
fn call_signal() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let data = r#"{ "sdp" : [1e999,null,"é"] }"#;
        party.ann.ok("call:signal", &format!(r#"{{"chatId":"<tea>","data":{data}}}"#), "");
        let signal = format!(r#"{{"userId":"<ann>","chatId":"<tea>","data":{data}}}"#);
        party.bob.told("call:signal", &signal);
        party.ann.ok("call:signal", r#"{"userId":"<bob>","data":0}"#, "");
        party.bob.told("call:signal", r#"{"userId":"<ann>","data":0}"#);
        let both = r#"{"userId":"<bob>","chatId":"<tea>","data":0}"#;
        party.ann.no("call:signal", both, "bad_request", "only one of chatId, userId may be given");
        party.ann.no("call:signal", r#"{"data":0}"#, "bad_request", "chatId or userId is missing");
        // It is never stored.
        party.nobody_is_told();
        assert_eq!(party.stage.rows("SELECT count(*) FROM messages"), [["0"]]);
    }
}

#[test]
fn call_signal_with_bytes() {
    for (namespace, prefix) in [("/", ""), ("/chat", "/chat,")] {
        let mut party = Party::on(namespace);
        let place = r#"{"_placeholder":true,"num":0}"#;
        party.ann.link.send(&format!(r#"451-{prefix}["call:signal",{{"chatId":"<tea>","data":{place}}}]"#));
        party.ann.link.send_bytes(&[0, 159, 255]);
        let told = format!(r#"451-{prefix}["call:signal",{{"userId":"<ann>","chatId":"<tea>","data":{place}}}]"#);
        party.bob.link.expect(&told);
        party.bob.link.expect_bytes(&[0, 159, 255]);
        party.nobody_is_told();
    }
}

#[test]
fn chat_create() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let mut second = party.stage.chat("cid", namespace);
        // By any of a user's ids, whoever is named twice once.
        let answer = party.bob.ask("chat:create", r#"{"name":"cake","participants":["<cid>",3,"2"]}"#);
        party.stage.learn();
        let id = answer.strip_prefix(r#"{"ok":true,"chatId":""#).and_then(|rest| rest.strip_suffix("\"}")).unwrap();
        assert_eq!(id, party.stage.uuid("cake"));
        let new = r#"{"id":"<cake>","name":"cake","owner_id":"<bob>","participants":[{"id":"<bob>","username":"bob"},{"id":"<cid>","username":"cid"}]}"#;
        all_told([&mut party.bob, &mut party.cid, &mut second], "chat:new", new);
        // They are in it at once.
        party.cid.emit("message:send", r#"{"chatId":3,"content":"Hello!"}"#);
        let hello = HELLO.replace("ann", "cid").replace("tea", "cake");
        all_told([&mut party.bob, &mut party.cid, &mut second], "message:new", &hello);
        party.nobody_is_told();
        let nobody = r#"{"name":"x","participants":[99]}"#;
        party.ann.no("chat:create", nobody, "not_found", "there is no such user");
        let bad = "participants must be a list of positive integers or UUIDs";
        party.ann.no("chat:create", r#"{"name":"x","participants":"all"}"#, "bad_request", bad);
    }
}

/// Typing that nobody renews ends by itself, and so does that of a socket that goes.
#[test]
fn typing_stops_by_itself() {
    let started = r#"{"chatId":"<tea>","userId":"<ann>","username":"ann"}"#;
    let stopped = r#"{"chatId":"<tea>","userId":"<ann>"}"#;
    let mut party = Party::on("/chat");
    let start = std::time::Instant::now();
    party.ann.emit("typing:start", TEA);
    party.bob.told("typing:start", started);
    std::thread::sleep(std::time::Duration::from_secs(2));
    party.ann.emit("typing:start", TEA);
    party.bob.told("typing:start", started);
    party.bob.told("typing:stop", stopped);
    let seconds = start.elapsed().as_secs_f64();
    assert!((7.9..9.5).contains(&seconds), "{seconds} s after the beginning");

    for leaves in [|tab: Tab| drop(tab), |mut tab: Tab| tab.link.send("41/chat,")] {
        let mut tab = party.stage.chat("ann", "/chat");
        tab.emit("typing:start", TEA);
        all_told([&mut party.ann, &mut party.bob], "typing:start", started);
        leaves(tab);
        all_told([&mut party.ann, &mut party.bob], "typing:stop", stopped);
    }
    party.ann.emit("typing:start", TEA);
    party.bob.told("typing:start", started);
    // So does leaving the chat.
    party.ann.ok("chat:leave", TEA, TEA_ACK);
    party.bob.told("typing:stop", stopped);
    party.nobody_is_told();
}
