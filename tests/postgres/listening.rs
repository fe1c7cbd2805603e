//! What other programs write is heard here within a second, once, in the words of each dialect, by those whom it concerns.

use serde_json::json;

use super::ears::{
    Ear, SENDER, deleted_message, heard_of, new_message, room_message, say, saying, updated_message, wait_for_looks,
};
use super::serve;
use crate::common::Server;
use crate::common::database::{rows, value};
use crate::common::outage::api;
use crate::common::people::SECRET;
use crate::common::postgres::Postgres;

const ANN: &str = "0c9e1f52-6f0b-4a52-9d3e-000000000001";
const BOB: &str = "0c9e1f52-6f0b-4a52-9d3e-000000000002";
const CID: &str = "0c9e1f52-6f0b-4a52-9d3e-000000000003";
const TEA: &str = "0c9e1f52-6f0b-4a52-9d3e-000000000004";
const DUO: &str = "0c9e1f52-6f0b-4a52-9d3e-000000000005";

/// A server at a new database, in which another program has made three users.
fn server() -> (String, Server) {
    let url = Postgres::shared().database();
    let server = Server::spawn(serve(&url, &["--jwt-secret", SECRET]));
    rows(
        &url,
        &format!("INSERT INTO users (uuid, username) VALUES ('{ANN}', 'ann'), ('{BOB}', 'bob'), ('{CID}', 'cid')"),
    );
    (url, server)
}

/// Another program makes a private room of ann's and bob's, the room 2.
fn make_tea(url: &str) {
    rows(
        url,
        &format!(
            "INSERT INTO chats (uuid, name, is_private, owner_id) VALUES ('{TEA}', 'tea', true, 1);
             INSERT INTO chat_participants (chat_id, user_id) VALUES (2, 1), (2, 2)"
        ),
    );
}

/// Another program has ann say something in that room.
fn ann_says(url: &str, room: i64, content: &str) {
    rows(url, &format!("INSERT INTO messages (content, sender_id, chat_id) VALUES ('{content}', '{ANN}', {room})"));
}

/// How a Socket.IO client is told of a message of ann's in a chat.
fn chat_message(id: i64, chat: &str, content: &str) -> String {
    format!(
        r#"["message:new",{{"id":"{id}","chat_id":"{chat}","content":"{content}","message_type":"text","file":null,"sender":{{"id":"{ANN}","username":"ann"}},"created_at":"T"}}]"#
    )
}

/// The same in the words of the other vocabulary, where nobody waits to hear how many it reached.
fn conversation_message(id: i64, content: &str) -> String {
    format!(
        r#"["conversation_message",{{"id":"{id}","sender_id":"{ANN}","sender_username":"ann","conversation_id":"{TEA}","content":"{content}","created_at":"T","delivered":0}}]"#
    )
}

/// What a client of the event dialect is told of a message of [`SENDER`]'s.
fn event_message(id: i64, room: i64, text: &str) -> String {
    format!(
        r#"{{"event":"new_message","payload":{{"messageId":{id},"roomId":{room},"userId":null,"username":"guest-67e55044","text":"{text}","createdAt":"T"}}}}"#
    )
}

/// A request of the stream dialect.
fn ask(server: &Server, method: &str, path: &str, body: &str) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}", body.len());
    let answer = server.exchange(format!("{head}\r\n\r\n{body}"));
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    answer
}

fn post(server: &Server, content: &str) {
    ask(server, "POST", "/message", &json!({"content": content, "sender_id": SENDER}).to_string());
}

fn edit(server: &Server, message: i64, content: &str) {
    ask(server, "PATCH", &format!("/message/{message}"), &json!({"content": content}).to_string());
}

#[test]
fn rows_in_the_lobby_are_heard_in_the_words_of_each_dialect() {
    let (url, server) = server();
    let ears = [Ear::stream(&server, "/stream", None), Ear::action(&server, "lobby"), Ear::event(&server, "eve", 1)];
    let [stream, action, event] = &ears;
    let hear_new = |act: &dyn Fn(), id: i64, content: &str| {
        let (streamed, said) = (new_message(id, content), room_message("lobby", content));
        heard_of(act, &[(stream, &streamed), (action, &said), (event, &event_message(id, 1, content))]);
    };
    hear_new(
        &|| {
            say(&url, "one 👩‍🚀");
        },
        1,
        "one 👩‍🚀",
    );
    heard_of(
        || rows(&url, "UPDATE messages SET content = 'uno' WHERE id = 1"),
        &[(stream, &updated_message(1, "uno"))],
    );
    // What changes nothing that is shown is no news.
    rows(&url, "UPDATE messages SET content = content, sender_name = 'x' WHERE id = 1");
    let gone = r#"{"event":"message_deleted","payload":{"messageId":1,"roomId":1}}"#;
    heard_of(|| rows(&url, "DELETE FROM messages WHERE id = 1"), &[(stream, &deleted_message(1)), (event, gone)]);

    // The server's own are told once.
    hear_new(&|| post(&server, "two"), 2, "two");
    heard_of(|| edit(&server, 2, "dos"), &[(stream, &updated_message(2, "dos"))]);
    let gone = updated_message(2, "dos").replace("updated_message", "deleted_message").replace("UPDATE", "DELETE");
    heard_of(
        || ask(&server, "DELETE", "/message/2", ""),
        &[(stream, &gone), (event, r#"{"event":"message_deleted","payload":{"messageId":2,"roomId":1}}"#)],
    );
    wait_for_looks(&url, 1);
    hear_new(
        &|| {
            say(&url, "the end");
        },
        3,
        "the end",
    );
    ears.iter().for_each(Ear::expect_nothing);
}

#[test]
fn a_private_chat_of_other_programs_is_heard_by_its_participants_alone() {
    let (url, server) = server();
    let strangers = [
        Ear::stream(&server, "/stream", None),
        Ear::action(&server, "tea"),
        Ear::socket(&server, "cid", "/chat"),
        Ear::socket(&server, "cid", "/conversation"),
    ];
    let (ann, bob) = (Ear::socket(&server, "ann", "/chat"), Ear::socket(&server, "bob", "/chat"));
    // It comes to be while they are here, and one of them does not follow it by itself.
    make_tea(&url);
    let joined = Ear::conversation(&server, "bob", TEA);
    let one = chat_message(1, TEA, "one");
    heard_of(|| ann_says(&url, 2, "one"), &[(&ann, &one), (&bob, &one), (&joined, &conversation_message(1, "one"))]);
    let edited = |word: &str, place: &str| {
        format!(r#"["{word}",{{"id":"1","{place}":"{TEA}","content":"uno","edited_at":"T"}}]"#)
    };
    let (in_chat, in_conversation) = (edited("message:edited", "chat_id"), edited("message_edited", "conversation_id"));
    heard_of(
        || rows(&url, "UPDATE messages SET content = 'uno' WHERE id = 1"),
        &[(&ann, &in_chat), (&bob, &in_chat), (&joined, &in_conversation)],
    );
    let deleted = |word: &str, place: &str| format!(r#"["{word}",{{"id":"1","{place}":"{TEA}"}}]"#);
    let (in_chat, in_conversation) =
        (deleted("message:deleted", "chat_id"), deleted("message_deleted", "conversation_id"));
    heard_of(
        || rows(&url, "DELETE FROM messages WHERE id = 1"),
        &[(&ann, &in_chat), (&bob, &in_chat), (&joined, &in_conversation)],
    );
    // The server's own.
    let two = chat_message(2, TEA, "two");
    let said = json!({"UserID": 1, "RoomID": 2, "Message": "two"}).to_string();
    heard_of(
        || assert_eq!(api(&server, "POST", "/messages", &said).0, 201),
        &[(&ann, &two), (&bob, &two), (&joined, &conversation_message(2, "two").replace(":0}", ":3}"))],
    );
    wait_for_looks(&url, 1);
    let three = chat_message(3, TEA, "three");
    heard_of(
        || ann_says(&url, 2, "three"),
        &[(&ann, &three), (&bob, &three), (&joined, &conversation_message(3, "three"))],
    );
    strangers.iter().chain([&ann, &bob, &joined]).for_each(Ear::expect_nothing);
}

#[test]
fn who_was_taken_out_of_a_chat_hears_no_more_of_it() {
    let (url, server) = server();
    make_tea(&url);
    let (ann, bob) = (Ear::socket(&server, "ann", "/chat"), Ear::socket(&server, "bob", "/chat"));
    let joined = Ear::conversation(&server, "bob", TEA);
    rows(&url, "DELETE FROM chat_participants WHERE user_id = 2");
    for (id, content) in [(1, "between us"), (2, "and so is this")] {
        heard_of(|| ann_says(&url, 2, content), &[(&ann, &chat_message(id, TEA, content))]);
    }
    // What follows is heard after it.
    rows(&url, "INSERT INTO chat_participants (chat_id, user_id) VALUES (2, 2)");
    let again = chat_message(3, TEA, "back");
    heard_of(|| ann_says(&url, 2, "back"), &[(&ann, &again), (&bob, &again)]);
    [&ann, &bob, &joined].into_iter().for_each(Ear::expect_nothing);
}

#[test]
fn what_two_talk_about_through_another_program_reaches_the_two() {
    let (url, server) = server();
    let namespaces = ["/chat", "/conversation"];
    let [ann, cid, bob] = ["ann", "cid", "bob"].map(|user| namespaces.map(|name| Ear::socket(&server, user, name)));
    rows(
        &url,
        &format!(
            "INSERT INTO chats (uuid, name, is_private) VALUES ('{DUO}', 'ann and cid', true);
             INSERT INTO chat_participants (chat_id, user_id) VALUES (2, 1), (2, 3);
             INSERT INTO direct_chats (low_user, high_user, chat_id) VALUES (1, 3, 2)"
        ),
    );
    let private = format!(
        r#"["private_message",{{"id":"1","sender_id":"{ANN}","sender_username":"ann","recipient_id":"{CID}","content":"psst","created_at":"T","delivered":0}}]"#
    );
    let chat = chat_message(1, DUO, "psst");
    let told = [(&ann[0], &*chat), (&cid[0], &*chat), (&ann[1], &*private), (&cid[1], &*private)];
    heard_of(|| ann_says(&url, 2, "psst"), &told);
    wait_for_looks(&url, 1);
    [ann, cid, bob].iter().flatten().for_each(Ear::expect_nothing);
}

#[test]
fn an_open_room_of_another_program_is_known_by_a_message_in_it() {
    let (url, server) = server();
    // Somebody is there already, in a room that is in no store.
    let early = Ear::action(&server, "den");
    rows(&url, "INSERT INTO chats (name) VALUES ('den')");
    let in_den = |content: &str| saying(content).replace("(content", "(chat_id, content").replace("('", "(2, '");
    heard_of(|| rows(&url, &in_den("one")), &[(&early, &room_message("den", "one"))]);
    let ears = [Ear::stream(&server, "/stream?room=den", None), Ear::event(&server, "eve", 2)];
    let [stream, event] = &ears;
    heard_of(
        || rows(&url, &in_den("two")),
        &[
            (&early, &room_message("den", "two")),
            (stream, &new_message(2, "two")),
            (event, &event_message(2, 2, "two")),
        ],
    );
    // The other program takes it away with all that was said in it. That does no harm, and nobody is told.
    let lobby = Ear::stream(&server, "/stream", None);
    rows(&url, "DELETE FROM chats WHERE name = 'den'");
    let said = json!({"UserID": 4, "RoomID": 2, "Message": "still there?"}).to_string();
    let (status, refusal) = api(&server, "POST", "/messages", &said);
    assert_eq!(status, 404, "{refusal}");
    heard_of(|| say(&url, "in the lobby"), &[(&lobby, &new_message(3, "in the lobby"))]);
    wait_for_looks(&url, 1);
    assert!(server.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
    [&early, stream, event, &lobby].into_iter().for_each(Ear::expect_nothing);
}

#[test]
fn two_servers_at_one_database_hear_each_other_once() {
    let (url, one) = server();
    make_tea(&url);
    let two = Server::spawn(serve(&url, &["--jwt-secret", SECRET]));
    let streams = [&one, &two].map(|server| Ear::stream(server, "/stream", None));
    let actions = [&one, &two].map(|server| Ear::action(server, "lobby"));
    let (ann, bob) = (Ear::socket(&one, "ann", "/chat"), Ear::socket(&two, "bob", "/chat"));
    let mut id = 0;
    for (server, other) in [(0, 1), (1, 0)] {
        let (near, far) = (&streams[server], &streams[other]);
        let server = [&one, &two][server];
        id += 1;
        let (streamed, said) = (new_message(id, "hello"), room_message("lobby", "hello"));
        let told = [(near, &*streamed), (far, &*streamed), (&actions[0], &*said), (&actions[1], &*said)];
        heard_of(|| post(server, "hello"), &told);
        let streamed = updated_message(id, "hi");
        heard_of(|| edit(server, id, "hi"), &[(near, &streamed), (far, &streamed)]);
        let gone = streamed.replace("updated_message", "deleted_message").replace("UPDATE", "DELETE");
        heard_of(
            || ask(server, "DELETE", &format!("/message/{id}"), ""),
            &[(near, &gone), (far, &deleted_message(id))],
        );
        id += 1;
        let (said, shown) = (json!({"UserID": 1, "RoomID": 2, "Message": "tea?"}), chat_message(id, TEA, "tea?"));
        let say = || assert_eq!(api(server, "POST", "/messages", &said.to_string()).0, 201);
        heard_of(say, &[(&ann, &shown), (&bob, &shown)]);
    }
    // Somebody without a name: here the number of a connection, there of another one, so it isn't shown.
    let (mut guest, number) = one.join_in();
    guest.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
    guest.send(r#"{"action":"room_message","message":"me"}"#);
    actions[0].expect(&room_message("lobby", "me").replace(SENDER, &number));
    let uuid = value(&url, "SELECT sender_id FROM messages WHERE content = 'me'");
    actions[1].expect(&room_message("lobby", "me").replace(SENDER, &uuid));
    let me = new_message(id + 1, "me").replace(SENDER, &uuid);
    streams.iter().for_each(|stream| stream.expect(&me));

    wait_for_looks(&url, 2);
    let end = new_message(id + 2, "the end");
    heard_of(|| say(&url, "the end"), &[(&streams[0], &end), (&streams[1], &end)]);
    actions.iter().for_each(|action| action.expect(&room_message("lobby", "the end")));
    streams.iter().chain(&actions).chain([&ann, &bob]).for_each(Ear::expect_nothing);
}

#[test]
fn who_comes_back_to_a_stream_hears_what_other_programs_did_meanwhile() {
    let (url, server) = server();
    let stream = Ear::stream(&server, "/stream", None);
    say(&url, "one");
    say(&url, "two");
    stream.expect(&new_message(1, "one"));
    let last = stream.next().id.expect("an id");
    drop(stream);
    say(&url, "three");
    rows(&url, "UPDATE messages SET content = 'uno' WHERE id = 1; DELETE FROM messages WHERE id = 2");
    wait_for_looks(&url, 1);
    let stream = Ear::stream(&server, "/stream", Some(&last));
    let heard: Vec<_> = (0..3).map(|_| stream.next()).collect();
    let last = heard.last().unwrap().id.clone().expect("an id");
    assert_eq!(
        heard.iter().map(|heard| heard.text.as_str()).collect::<Vec<_>>(),
        [new_message(3, "three"), updated_message(1, "uno"), deleted_message(2)]
    );
    wait_for_looks(&url, 1);
    stream.expect_nothing();
    let again = Ear::stream(&server, "/stream", Some(&last));
    let four = new_message(4, "four");
    heard_of(|| say(&url, "four"), &[(&stream, &four), (&again, &four)]);
    [stream, again].iter().for_each(Ear::expect_nothing);
}
