//! Messages cross to the other dialects where the room is open to them, and private rooms never do.

use serde_json::{Value, json};

use super::{CHAT, CONVERSATION, conversation_message, message_new};
use crate::common::Client;
use crate::common::event::{EventClient, untimed};
use crate::common::socketio::{Stage, Tab};

/// One of each dialect in the lobby: ann chats and bob converses, dan and a guest come by the others. All that was told
/// of their coming is read.
struct Lobby {
    stage: Stage,
    ann: Tab,
    bob: Tab,
    dan: EventClient,
    guest: Client,
    /// The guest's connection id.
    guest_id: String,
}

impl Lobby {
    fn gather() -> Self {
        let stage = Stage::set(&[]);
        let (mut guest, guest_id) = stage.server.join_in();
        guest.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
        let mut bob = stage.conversation("bob", CONVERSATION);
        let mut ann = stage.chat("ann", CHAT);
        bob.told("user_online", r#"{"user_id":"<ann>"}"#);
        // By its UUID and by its number.
        bob.ok("join_conversation", r#"{"conversation_id":"<lobby>"}"#, r#""conversation_id":"<lobby>""#);
        ann.ok("chat:join", r#"{"chatId":1}"#, r#""chatId":"<lobby>""#);
        let mut dan = EventClient::named(&stage.server, "dan", &[1]);
        // In an open room it shows who comes.
        for _ in 0..3 {
            assert!(guest.receive().starts_with(r#"{"action":"join","room":"lobby","user_id":""#));
        }
        dan.told_nothing();
        stage.learn();
        Self { stage, ann, bob, dan, guest, guest_id }
    }

    /// All but those who said it hear a message in their own words.
    #[track_caller]
    fn heard(&mut self, id: u32, text: &str, sender: &str, skip: &[&str]) {
        let is_told = |name: &str| !skip.contains(&name);
        if is_told("ann") {
            self.ann.told("message:new", &message_new("lobby", id, text, sender));
        }
        if is_told("bob") {
            let packet = self.bob.link.receive();
            let told = conversation_message("lobby", id, text, sender, 0);
            let told = told.strip_suffix("0}").unwrap();
            assert!(packet.contains(&format!(r#"["conversation_message",{told}"#)), "{packet}");
        }
        if is_told("dan") {
            let told = untimed(&self.dan.client.receive());
            let start = format!(r#"{{"event":"new_message","payload":{{"messageId":{id},"roomId":1,"userId":"#);
            let end = format!(r#","username":"{sender}","text":"{text}","createdAt":"T"}}}}"#);
            assert!(told.starts_with(&start) && told.ends_with(&end), "{told}");
        }
        if is_told("guest") {
            let told: Value = serde_json::from_str(&self.guest.receive()).unwrap();
            assert_eq!((&told["action"], &told["room"]), (&json!("room_message"), &json!("lobby")));
            assert_eq!(told["message"], text);
        }
    }

    #[track_caller]
    fn nobody_hears_more(&mut self) {
        self.ann.told_nothing();
        self.bob.told_nothing();
        self.dan.told_nothing();
        self.guest.expect_nothing();
    }
}

#[test]
fn what_is_said_in_the_lobby_is_heard_in_all_dialects() {
    let mut lobby = Lobby::gather();
    lobby.ann.ask("message:send", r#"{"chatId":"<lobby>","content":"from ann"}"#);
    lobby.heard(1, "from ann", "ann", &[]);
    lobby.bob.emit("conversation_message", r#"{"conversation_id":"1","content":"from bob"}"#);
    lobby.bob.told("message_delivered", &conversation_message("lobby", 2, "from bob", "bob", 3));
    lobby.heard(2, "from bob", "bob", &["bob"]);
    let ack = r#"{"messageId":3,"roomId":1,"createdAt":"T"}"#;
    lobby.dan.ok("send_message", r#"{"roomId":1,"text":"from dan"}"#, ack);
    lobby.heard(3, "from dan", "dan", &[]);
    lobby.stage.post("/messages", r#"{"UserID":3,"RoomID":1,"Message":"from cid"}"#);
    lobby.heard(4, "from cid", "cid", &[]);
    // A guest has a UUID of its connection, and a name made of it.
    let said = r#"{"action":"room_message","room":"lobby","message":"from a guest"}"#;
    lobby.guest.ask(r#"{"action":"room_message","message":"from a guest"}"#, said);
    let guest = format!("guest-{}", lobby.guest_id);
    let told: Value = serde_json::from_str(
        lobby
            .ann
            .link
            .receive()
            .split_once(',')
            .unwrap()
            .1
            .strip_prefix(r#"["message:new","#)
            .unwrap()
            .strip_suffix(']')
            .unwrap(),
    )
    .unwrap();
    assert_eq!(told["sender"]["username"], guest);
    let uuid = told["sender"]["id"].as_str().unwrap().to_owned();
    let packet = lobby.bob.link.receive();
    assert!(
        packet.contains(&format!(r#""sender_id":"{uuid}","sender_username":"{guest}","conversation_id":"<lobby>""#))
    );
    lobby.heard(5, "from a guest", &guest, &["ann", "bob", "guest"]);
    lobby.nobody_hears_more();
    // In the list they stand in the order in which they were heard.
    let list = lobby.ann.ask("message:list", r#"{"chatId":1}"#);
    let list: Value = serde_json::from_str(&list).unwrap();
    let texts: Vec<_> = list["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
    assert_eq!(texts, ["from ann", "from bob", "from dan", "from cid", "from a guest"]);
    assert_eq!(list["messages"][4]["sender"], json!({ "id": uuid, "username": guest }));
}

#[test]
fn what_becomes_of_a_message_crosses_as_far_as_there_are_words() {
    let mut lobby = Lobby::gather();
    lobby.dan.ok("send_message", r#"{"roomId":1,"text":"x"}"#, r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#);
    lobby.heard(1, "x", "dan", &[]);
    lobby.ann.ok("message:read", r#"{"messageId":1}"#, r#""id":"1","read_at":"T""#);
    lobby.ann.told("message:read", r#"{"messageId":"1","userId":"<ann>","chatId":"<lobby>"}"#);
    lobby.bob.told("message_read", r#"{"message_id":"1","user_id":"<ann>","conversation_id":"<lobby>"}"#);
    let read = r#"{"messageId":1,"roomId":1,"userId":1,"readAt":"T","readBy":1}"#;
    lobby.dan.told("readconfirmation_updated", read);
    lobby.bob.ok("message_react", r#"{"message_id":1,"emoji":"+"}"#, r#""id":"1""#);
    let reaction = r#"{"messageId":"1","chatId":"<lobby>","userId":"<bob>","emoji":"+","removed":false}"#;
    lobby.ann.told("message:reaction", reaction);
    lobby.bob.link.receive();
    lobby.dan.ok("delete_message", r#"{"messageId":1}"#, r#"{"messageId":1}"#);
    lobby.dan.told("message_deleted", r#"{"messageId":1,"roomId":1}"#);
    lobby.ann.told("message:deleted", r#"{"id":"1","chat_id":"<lobby>"}"#);
    lobby.bob.told("message_deleted", r#"{"id":"1","conversation_id":"<lobby>"}"#);
    lobby.nobody_hears_more();
}

#[test]
fn an_open_room_is_heard_by_those_who_have_joined_it() {
    let mut lobby = Lobby::gather();
    lobby.ann.ok("chat:leave", r#"{"chatId":1}"#, r#""chatId":"<lobby>""#);
    lobby.guest.receive();
    lobby.dan.told("user_left", r#"{"roomId":1,"userId":1,"username":"ann"}"#);
    lobby.stage.post("/messages", r#"{"UserID":3,"RoomID":1,"Message":"x"}"#);
    lobby.heard(1, "x", "cid", &["ann"]);
    // Nor can one who has not joined speak or read there.
    for (event, more) in [("message:send", r#","content":"x""#), ("message:list", ""), ("typing:start", "")] {
        let payload = format!(r#"{{"chatId":1{more}}}"#);
        lobby.ann.no(event, &payload, "not_a_member", "you are not in that room");
    }
    lobby.nobody_hears_more();
}

#[test]
fn private_rooms_never_cross() {
    let mut lobby = Lobby::gather();
    // A room of that name is another one.
    lobby.guest.ask(r#"{"action":"join","room":"tea"}"#, r#"{"action":"join","room":"tea"}"#);
    lobby.dan.client.receive();
    let mut tab = lobby.stage.conversation("bob", CONVERSATION);
    tab.ok("join_conversation", r#"{"conversation_id":2}"#, r#""conversation_id":"<tea>""#);
    lobby.ann.ask("message:send", r#"{"chatId":"<tea>","content":"x"}"#);
    lobby.ann.told("message:new", &message_new("tea", 1, "x", "ann"));
    tab.told("conversation_message", &conversation_message("tea", 1, "x", "ann", 1));
    for (event, payload) in [
        ("message:edit", r#"{"messageId":1,"content":"y"}"#),
        ("message:react", r#"{"messageId":1,"emoji":"+"}"#),
        ("message:delete", r#"{"messageId":1}"#),
    ] {
        lobby.ann.ask(event, payload);
        lobby.ann.link.receive();
        tab.link.receive();
    }
    lobby.ann.ask("typing:start", r#"{"chatId":"<tea>"}"#);
    tab.link.receive();
    lobby.ann.ask("chat:create", r#"{"name":"cake","participants":[2]}"#);
    lobby.ann.link.receive();
    lobby.dan.no("join_room", r#"{"roomId":2}"#, "not_found", "there is no such room");
    let rooms = lobby.dan.reply("get_rooms", "{}");
    assert!(rooms.contains(r#""roomName":"lobby""#) && !rooms.contains("tea") && !rooms.contains("cake"), "{rooms}");
    lobby.guest.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","tea"]}"#);
    let guest = r#"{"action":"participants","room":"tea","participants":["0"]}"#;
    lobby.guest.ask(r#"{"action":"participants","room":"tea"}"#, guest);
    lobby.nobody_hears_more();
}
