//! Long lists of messages: all of a room, which goes out in parts, and pages.

use std::io::{Read, Write};

use serde_json::Value;

use crate::common::{Server, read_to_end, scratch_dir};

/// More than one part has, and more than sockets buffer.
const COUNT: i64 = 5_000;
/// So long is each, besides its number.
const FILLING: usize = 500;

/// A server with so many messages in its lobby, each with its number and a filling, some deleted and some elsewhere.
fn full_server() -> Server {
    let file = scratch_dir().join("chat.db");
    let server = Server::unlimited(&["--database", &format!("sqlite:{}", file.display()), "--durability", "normal"]);
    super::ask(&server, "POST /user", r#"{"Username":"Ann"}"#);
    super::ask(&server, "POST /rooms", r#"{"UserID":1,"Roomname":"tea"}"#);
    let mut socket = crate::common::event::EventClient::of(&server, 1, &[1, 2]);
    let filling = "x".repeat(FILLING);
    // Answers are read as they come, so that none pile up.
    for part in 0..COUNT / 50 {
        for number in part * 50 + 1..=part * 50 + 50 {
            let room = if number % 100 == 0 { 2 } else { 1 };
            socket.send("send_message", &format!(r#"{{"roomId":{room},"text":"{number} {filling}"}}"#));
        }
        for _ in 0..2 * 50 {
            socket.client.receive();
        }
    }
    for gone in [1, 256, 257, COUNT - 1] {
        let answer = super::ask(&server, "DELETE /messages", &format!(r#"{{"MessageID":{gone}}}"#));
        assert_eq!(answer.0, 200, "{answer:?}");
    }
    server
}

fn expected_ids() -> Vec<i64> {
    (1..=COUNT).filter(|id| id % 100 != 0 && ![1, 256, 257, COUNT - 1].contains(id)).collect()
}

/// The ids of the messages, each checked to be the one of its number.
fn ids(body: &str) -> Vec<i64> {
    let list: Vec<Value> = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body:.200}"));
    let id = |message: &Value| {
        let id = message["MessageID"].as_i64().unwrap();
        let text = message["Message"].as_str().unwrap();
        assert!(text.len() > FILLING && text.starts_with(&format!("{id} ")), "{message}");
        id
    };
    list.iter().map(id).collect()
}

#[test]
fn all_of_a_long_room_is_read_in_order_and_by_pages() {
    let server = full_server();
    let (status, body) = super::ask(&server, "GET /messages?RoomID=1", "");
    assert_eq!((status, ids(&body)), (200, expected_ids()));
    // A client of HTTP/1.0 knows no chunks; one that pipelines gets the next answer right behind the last chunk.
    let url = format!("http://{}/messages?RoomID=1", server.address);
    let (status, old) = super::curl(&["--http1.0", &url]);
    assert!(status == 200 && old == body, "{status}");
    let request = "GET /messages?RoomID=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut stream = server.raw();
    stream.write_all(request.as_bytes()).unwrap();
    let both = read_to_end(&mut stream);
    let (list, health) = both.split_once("\r\n0\r\n\r\n").expect("the end of the chunks");
    assert!(list.contains("transfer-encoding: chunked\r\n") && list.contains("connection: keep-alive\r\n"));
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n") && health.ends_with("\r\n\r\nok\n"), "{health}");

    // Without `before` a page is the newest; each next one ends before the first of this one.
    let mut pages: Vec<Vec<i64>> = Vec::new();
    let mut query = String::from("GET /messages?RoomID=1&limit=700");
    loop {
        let (status, body) = super::ask(&server, &query, "");
        assert_eq!(status, 200);
        let page = ids(&body);
        let Some(first) = page.first() else { break };
        assert!(page.len() <= 700, "{}", page.len());
        query = format!("GET /messages?RoomID=1&limit=700&before={first}");
        pages.push(page);
    }
    pages.reverse();
    assert_eq!(pages.concat(), expected_ids());
    assert!(pages.len() >= 7);
    let newest = expected_ids().split_off(expected_ids().len() - 50);
    let next = format!("GET /messages?RoomID=1&before={}", COUNT + 1);
    assert_eq!(ids(&super::ask(&server, &next, "").1), newest, "fifty, if only the place is said");
    assert_eq!(ids(&super::ask(&server, "GET /messages?RoomID=1&limit=1", "").1), newest[49..]);
}

/// Who asks for all of it and reads nothing costs no more than a part, and keeps nobody else waiting.
#[test]
fn a_slow_reader_of_a_long_list_is_waited_for() {
    let server = full_server();
    let base = server.resident_bytes();
    let mut readers = server.many_raw(50);
    for reader in &mut readers {
        reader.write_all(b"GET /messages?RoomID=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    }
    // It is answered as it was, while they have read but the first byte of theirs.
    for reader in &mut readers {
        reader.read_exact(&mut [0]).unwrap();
    }
    super::expect(&server, "GET /user?UserID=1", "", 200, r#"{"ID":1,"Username":"Ann"}"#);
    // All of it at once would be 50 times 3 MB.
    let grown = server.resident_bytes().saturating_sub(base);
    assert!(grown < 50 << 20, "{grown} bytes for {} readers", readers.len());
    // And what is deleted meanwhile is left out without harm to the rest.
    super::ask(&server, "DELETE /messages", &format!(r#"{{"MessageID":{}}}"#, COUNT - 2));
    let answer = read_to_end(&mut readers[0]);
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "not whole: {:?}", &answer[answer.len().saturating_sub(50)..]);
    assert!(!answer.contains(&format!(r#""MessageID":{},"#, COUNT - 2)));
    assert!(answer.contains(&format!(r#""MessageID":{},"#, COUNT - 3)));
}
