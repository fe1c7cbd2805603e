//! How streams end: with their room, and with the server.

use std::io::Write;

use serde_json::json;

use crate::common::stream::{CONNECTED, Listener, ask, post, post_many};
use crate::common::{Server, wait_until};

#[test]
fn a_stream_ends_with_its_room() {
    let server = Server::start(&[]);
    assert_eq!(ask(&server, "POST /user", r#"{"Username":"Ann"}"#).status, 201);
    let tea = json!({ "UserID": 1, "Roomname": "tea" }).to_string();
    assert_eq!(ask(&server, "POST /rooms", &tea).status, 201);
    let mut lobby = Listener::to_lobby(&server);
    let mut listeners: Vec<Listener> = (0..3).map(|_| Listener::open(&server, "/stream?room=tea", &[])).collect();
    for listener in &mut listeners {
        assert_eq!(listener.next().data, CONNECTED);
    }
    post(&server, "/message?room=tea", "the last cup");
    assert_eq!(ask(&server, "DELETE /rooms", r#"{"RoomID":2}"#).status, 200);
    for mut listener in listeners {
        listener.expect("new_message", "the last cup");
        listener.expect_end();
    }
    post(&server, "/message", "the lobby stays");
    lobby.expect("new_message", "the lobby stays");
    // A new room of that name is another one, which those who come back are told of.
    assert_eq!(ask(&server, "GET /stream?room=tea", "").status, 404);
    assert_eq!(ask(&server, "POST /rooms", &tea).status, 201);
    let mut back = Listener::open(&server, "/stream?room=tea", &["Last-Event-ID: 1.0"]);
    assert_eq!(back.next().data, CONNECTED);
    post(&server, "/message?room=tea", "fresh");
    back.expect("new_message", "fresh");
}

#[test]
fn with_the_server_all_streams_end_in_order() {
    let mut server = Server::start(&[]);
    let mut listeners: Vec<Listener> = (0..20).map(|_| Listener::to_lobby(&server)).collect();
    post_many(&server, 0..3);
    server.signal("TERM");
    let mut returns = Vec::new();
    for listener in &mut listeners {
        for number in 0..3 {
            listener.expect("new_message", &number.to_string());
        }
        returns.push(listener.expect_farewell());
    }
    // They don't come back all at once.
    returns.sort_unstable();
    assert!(returns[0] >= 500 && returns[19] < 2_500 && returns[19] - returns[0] > 1_500, "{returns:?}");
    assert!(returns.windows(2).all(|pair| pair[1] - pair[0] > 20), "{returns:?}");
    drop(listeners);
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

/// The part of an answer that its client does not take holds nobody up.
#[test]
fn a_stream_that_has_not_caught_up_ends_with_the_server_too() {
    let mut server = Server::unlimited(&["--drain", "500ms"]);
    post_many(&server, 0..1_000);
    let mut slow = server.raw();
    slow.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 0.0\r\n\r\n").unwrap();
    wait_until("it to be answered", || slow.peek(&mut [0]).unwrap() > 0);
    server.signal("TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}
