//! What was said before: pages, the list of chats, what is unread, and how far somebody has read.

use serde_json::Value;

use super::{BOTH, HELLO, Party};
use crate::common::socketio::{Stage, Tab, all_told};

/// A message of ann's in tea as it is listed.
fn listed(id: u32, text: &str, more: &str) -> String {
    let shown = HELLO.replace(r#""id":"1""#, &format!(r#""id":"{id}""#)).replace("Hello!", text);
    format!("{},{more}}}", shown.strip_suffix('}').unwrap())
}

const UNTOUCHED: &str = r#""edited_at":null,"read_by":0,"reactions":[]"#;

#[test]
fn message_list() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.ann.ok("message:list", r#"{"chatId":"<tea>"}"#, r#""messages":[],"next":null"#);
        for number in 1..=3 {
            party.say(number, &number.to_string());
        }
        party.ann.emit("message:edit", r#"{"messageId":2,"content":"two"}"#);
        party.ann.emit("message:react", r#"{"messageId":"2","emoji":"👍"}"#);
        party.bob.told("message:edited", r#"{"id":"2","chat_id":"<tea>","content":"two","edited_at":"T"}"#);
        let reaction = r#"{"messageId":"2","chatId":"<tea>","userId":"<ann>","emoji":"👍","removed":false}"#;
        party.bob.told("message:reaction", reaction);
        party.bob.ask("message:react", r#"{"messageId":"2","emoji":"👍"}"#);
        party.bob.told("message:reaction", &reaction.replace("ann", "bob"));
        party.bob.ask("message:read", r#"{"messageId":"2"}"#);
        let two = r#""edited_at":"T","read_by":1,"reactions":[{"emoji":"👍","count":2}]"#;
        let messages = [listed(1, "1", UNTOUCHED), listed(2, "two", two), listed(3, "3", UNTOUCHED)];
        party.bob.told("message:read", r#"{"messageId":"2","userId":"<bob>","chatId":"<tea>"}"#);
        let all = format!(r#""messages":[{}],"next":null"#, messages.join(","));
        party.bob.ok("message:list", r#"{"chatId":"<tea>"}"#, &all);
        // In pages, from the newest on, each oldest first.
        let newest = format!(r#""messages":[{},{}],"next":"2""#, messages[1], messages[2]);
        party.bob.ok("message:list", r#"{"chatId":2,"limit":2}"#, &newest);
        let oldest = format!(r#""messages":[{}],"next":null"#, messages[0]);
        party.bob.ok("message:list", r#"{"chatId":2,"limit":2,"before":"2"}"#, &oldest);
        party.bob.ok("message:list", r#"{"chatId":2,"before":1}"#, r#""messages":[],"next":null"#);
        // What is deleted is not listed.
        for id in [3, 1] {
            party.ann.emit("message:delete", &format!(r#"{{"messageId":{id}}}"#));
            party.bob.told("message:deleted", &format!(r#"{{"id":"{id}","chat_id":"<tea>"}}"#));
        }
        party.bob.ok("message:list", r#"{"chatId":2}"#, &format!(r#""messages":[{}],"next":null"#, messages[1]));
        let sentence = "limit must be a positive integer";
        party.bob.no("message:list", r#"{"chatId":2,"limit":0}"#, "bad_request", sentence);
        party.bob.no(
            "message:list",
            r#"{"chatId":2,"before":"x"}"#,
            "bad_request",
            "before must be a positive integer",
        );
        party.cid.told_nothing();
    }
}

/// The ids of the page that is asked for, and where the one before it begins.
#[track_caller]
fn page(tab: &mut Tab, more: &str) -> (Vec<u32>, Option<String>) {
    let answer = tab.ask("message:list", &format!(r#"{{"chatId":"<tea>"{more}}}"#));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let messages = answer["messages"].as_array().expect("messages").iter();
    let ids = messages.map(|message| message["id"].as_str().unwrap().parse().unwrap()).collect();
    (ids, answer["next"].as_str().map(str::to_owned))
}

#[test]
fn pages_are_of_50_messages_and_at_most_of_500() {
    let stage = Stage::set(&["--rate", "0"]);
    let mut ann = stage.chat("ann", "/chat");
    for _ in 0..520 {
        ann.emit("message:send", r#"{"chatId":2,"content":"x"}"#);
    }
    (0..520).for_each(|_| drop(ann.link.receive()));
    assert_eq!(page(&mut ann, ""), ((471..=520).collect(), Some("471".into())));
    assert_eq!(page(&mut ann, r#","limit":501"#), ((21..=520).collect(), Some("21".into())));
    assert_eq!(page(&mut ann, r#","limit":100,"before":"21""#), ((1..=20).collect(), None));
    // Page by page, each message once.
    let (mut all, mut next) = page(&mut ann, r#","limit":7"#);
    while let Some(before) = next {
        let (mut ids, before) = page(&mut ann, &format!(r#","limit":7,"before":"{before}""#));
        ids.append(&mut all);
        (all, next) = (ids, before);
    }
    assert_eq!(all, (1..=520).collect::<Vec<_>>());
}

fn chat(name: &str, unread: u32, last: Option<&str>) -> String {
    let last = last.unwrap_or("null");
    format!(r#"{{"id":"<{name}>","name":"{name}","updated_at":"T","unread":{unread},"last_message":{last}}}"#)
}

#[test]
fn chat_list() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        party.stage.post("/rooms", r#"{"UserID":3,"Roomname":"cake","Private":true,"Members":[2]}"#);
        party.stage.learn();
        party.bob.link.receive();
        party.cid.link.receive();
        let lists = |party: &mut Party, chats: &[String]| {
            party.bob.ok("chat:list", "{}", &format!(r#""chats":[{}]"#, chats.join(",")));
        };
        // The one used last comes first, at first the one made last.
        lists(&mut party, &[chat("cake", 0, None), chat("tea", 0, None)]);
        party.say(1, "Hello!");
        lists(&mut party, &[chat("tea", 1, Some(HELLO)), chat("cake", 0, None)]);
        party.bob.emit("message:send", r#"{"chatId":"<cake>","content":"Hello!"}"#);
        let own = HELLO.replace("tea", "cake").replace("ann", "bob").replace(r#""id":"1""#, r#""id":"2""#);
        all_told([&mut party.bob, &mut party.cid], "message:new", &own);
        // What one has said oneself is not unread.
        lists(&mut party, &[chat("cake", 0, Some(&own)), chat("tea", 1, Some(HELLO))]);
        // Of nobody else's chats is anything listed, and no payload is needed.
        party.ann.ok("chat:list", "null", &format!(r#""chats":[{}]"#, chat("tea", 0, Some(HELLO))));
        party.cid.link.send(&crate::common::socketio::head("2", namespace, "77[\"chat:list\"]"));
        let cids = format!(r#"[{{"ok":true,"chats":[{}]}}]"#, chat("cake", 1, Some(&own)));
        party.cid.link.expect(&crate::common::socketio::head("3", namespace, &format!("77{cids}")));
        party.nobody_is_told();
    }
}

/// How many messages bob has not read in tea.
#[track_caller]
fn unread(party: &mut Party) -> u64 {
    let answer: Value = serde_json::from_str(&party.bob.ask("chat:list", "{}")).unwrap();
    answer["chats"][0]["unread"].as_u64().unwrap()
}

#[test]
fn what_is_read_is_read_up_to_there_and_never_back() {
    let mut party = Party::on("/chat");
    (1..=4).for_each(|number| party.say(number, "x"));
    let mut counts = vec![unread(&mut party)];
    let until = "SELECT coalesce(last_read_at, '') FROM chat_participants WHERE chat_id = 2 AND user_id = 2";
    let mut times = vec![party.stage.rows(until)];
    for message in [2, 1, 2, 4, 3] {
        party.bob.ask("message:read", &format!(r#"{{"messageId":{message}}}"#));
        if message != 2 || counts.len() == 1 {
            let read = format!(r#"{{"messageId":"{message}","userId":"<bob>","chatId":"<tea>"}}"#);
            all_told([&mut party.ann, &mut party.bob], "message:read", &read);
        }
        counts.push(unread(&mut party));
        times.push(party.stage.rows(until));
    }
    assert_eq!(counts, [4, 2, 2, 2, 0, 0]);
    assert!(times.is_sorted(), "{times:?}");
    // Bob's own message is neither unread to him nor to be read by him.
    party.bob.ask("message:send", r#"{"chatId":2,"content":"x"}"#);
    party.ann.link.receive();
    party.bob.link.receive();
    party.bob.ok("message:read", r#"{"messageId":5}"#, r#""id":"5","read_at":"T""#);
    assert_eq!(unread(&mut party), 0);
    party.say(6, "x");
    assert_eq!(unread(&mut party), 1);
    party.nobody_is_told();
}
