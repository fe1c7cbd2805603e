//! What is said here reaches those who speak other dialects, and the other way round.

use serde_json::{Value, json};

use crate::common::event::EventClient;
use crate::common::stream::{Listener, SENDER, ask, post};
use crate::common::{Client, Server};

fn in_lobby(server: &Server) -> (Client, String) {
    let (mut client, id) = server.join_in();
    client.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
    (client, id)
}

#[test]
fn what_is_posted_reaches_all_in_the_lobby() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let (mut client, id) = in_lobby(&server);
    ann.told("user_joined", &format!(r#"{{"roomId":1,"userId":null,"username":"guest-{id}"}}"#));
    let mut listener = Listener::to_lobby(&server);
    let message = post(&server, "/message", "from outside");
    client.expect(&format!(
        r#"{{"action":"room_message","room":"lobby","user_id":"{SENDER}","message":"from outside"}}"#
    ));
    let shown = r#""username":"guest-123e4567","text":"from outside","createdAt":"T""#;
    ann.told("new_message", &format!(r#"{{"messageId":{message},"roomId":1,"userId":null,{shown}}}"#));
    listener.expect("new_message", "from outside");
    let mut late = EventClient::of(&server, 1, &[1]);
    let read = format!(r#"{{"messageId":{message},"roomId":1,"userId":null,{shown},"readBy":0,"readSelf":false}}"#);
    client.expect(r#"{"action":"join","room":"lobby","user_id":"2"}"#);
    late.ok("get_messages", r#"{"roomId":1}"#, &format!(r#"{{"messages":[{read}],"nextBefore":null}}"#));

    // What becomes of it, too, as far as a dialect has words for it.
    let edited = ask(&server, &format!("PATCH /message/{message}"), r#"{"content":"changed"}"#);
    assert_eq!(edited.status, 200);
    listener.expect("updated_message", "changed");
    assert_eq!(ask(&server, &format!("DELETE /message/{message}"), "").status, 204);
    listener.expect("deleted_message", "changed");
    ann.told("message_deleted", &format!(r#"{{"messageId":{message},"roomId":1}}"#));
    client.expect_nothing();
}

#[test]
fn what_others_say_reaches_the_stream() {
    let server = Server::start(&[]);
    let mut listener = Listener::to_lobby(&server);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let (mut client, id) = in_lobby(&server);
    ann.told("user_joined", &format!(r#"{{"roomId":1,"userId":null,"username":"guest-{id}"}}"#));
    client.ask(
        r#"{"action":"room_message","message":"from a guest"}"#,
        r#"{"action":"room_message","room":"lobby","message":"from a guest"}"#,
    );
    let told = listener.next();
    let guest = told.json()["data"]["sender_id"].as_str().unwrap().to_owned();
    assert_eq!((told.brief().1.as_str(), told.id.as_deref()), ("from a guest", Some("1.0")));
    assert!(guest.len() == 36 && guest.as_bytes()[14] == b'8', "a UUID made for the connection: {guest}");

    ann.receive();
    ann.send("send_message", r#"{"roomId":1,"text":"from a user"}"#);
    let said = listener.next().json();
    assert_eq!(said["data"]["content"], "from a user");
    ann.receive();
    ann.receive();
    ann.send("delete_message", r#"{"messageId":2}"#);
    let mut was = said["data"].clone();
    was["operation"] = "DELETE".into();
    assert_eq!(listener.next().json(), json!({ "type": "deleted_message", "data": was }));
    // The connection keeps its UUID, another one has another.
    let (mut other, _) = in_lobby(&server);
    for client in [&mut client, &mut other] {
        client.send(r#"{"action":"room_message","message":"again"}"#);
    }
    let senders = [listener.next(), listener.next()].map(|told| told.json()["data"]["sender_id"].clone());
    assert!(senders.contains(&json!(guest)) && senders[0] != senders[1], "{senders:?}");
    // Who listens is counted nowhere.
    let answer = ask(&server, "GET /rooms", "").body;
    let rooms: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(rooms[0]["MemberCount"], 3, "{answer}");
}
