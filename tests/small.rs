//! A server that keeps nothing: what it still serves, and how it refuses the rest. The build without default features
//! has no other way; the full one is told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use common::{ACTION, Server, roomcast};

fn without_store() -> Server {
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    // The default of the small build.
    if cfg!(feature = "sqlite") {
        command.args(["--database", "none"]);
    }
    Server::spawn(command)
}

#[test]
fn ephemeral_rooms_are_served() {
    let server = without_store();
    let mut zero = server.connect(ACTION);
    zero.expect(r#"{"action":"connection","user_id":"0"}"#);
    zero.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":[]}"#);
    zero.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
    zero.ask(
        r#"{"action":"room_message","message":"hi","client_id":"1"}"#,
        r#"{"action":"room_message","room":"lobby","message":"hi"}"#,
    );
    zero.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby"]}"#);
    assert!(server.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
    assert!(server.log().contains("nowhere: all rooms are ephemeral"), "{}", server.log());
}

#[test]
fn what_has_to_be_kept_is_refused() {
    let server = without_store();
    let mut client = server.connect("/ws");
    client.ask(
        r#"{"event":"create_user","payload":{"username":"ann"},"id":1}"#,
        r#"{"event":"error","id":1,"payload":{"event":"create_user","code":"unavailable","message":"this server keeps nothing: it runs without a store"}}"#,
    );
    client.ask(
        r#"{"event":"get_rooms","payload":{}}"#,
        r#"{"event":"ack","payload":{"event":"get_rooms","result":{"rooms":[]}}}"#,
    );
    let body = r#"{"Username":"ann"}"#;
    let request =
        format!("POST /user HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = server.exchange(&request);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with(r#"{"error":"this server keeps nothing: it runs without a store"}"#), "{answer}");
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn a_store_that_was_left_out_is_named() {
    for url in ["sqlite:chat.db", "https://keeper.example"] {
        let output = roomcast().args(["serve", "--listen", "127.0.0.1:0", "--database", url]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let scheme = url.split(':').next().unwrap();
        let sentence = format!("roomcast: this build goes without the store for {scheme} URLs\n");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), sentence);
    }
}
