//! What is refused, and how: 400, 403, 405 and 503. The 404s and 409s stand with their rows, 401 with the key, 413 with
//! the bodies.

use super::{curl, expect, refuse};
use crate::common::Server;

#[test]
fn what_is_wrong_is_named() {
    let server = Server::start(&[]);
    let object = "the body must be a JSON object";
    let reference = "UserID must be a positive integer or a UUID";
    for (line, body, sentence) in [
        ("POST /user", "", object),
        ("POST /user", "Username=Ann", object),
        ("POST /user", "[1]", object),
        ("POST /user", r#"{"Username":"\ud83d"}"#, object),
        ("POST /user", "{}", "Username is missing"),
        ("POST /user", r#"{"username":"Ann"}"#, "Username is missing"),
        ("POST /user", r#"{"Username":"a\nb"}"#, "Username must not contain control characters"),
        ("GET /user?UserID=0", "", reference),
        ("GET /user?UserID=%31%", "", reference),
        ("GET /user?UserID=%FF", "", "the query string must be UTF-8"),
        ("PATCH /user", r#"{"UserID":1}"#, "Name is missing"),
        ("DELETE /user", r#"{"UserID":"x"}"#, reference),
        ("POST /rooms", r#"{"Roomname":"tea"}"#, "UserID is missing"),
        ("POST /rooms", r#"{"UserID":1,"Roomname":""}"#, "Roomname must be 1 to 64 characters"),
        ("PATCH /rooms", r#"{"Name":"tea"}"#, "RoomID is missing"),
        ("DELETE /rooms", r#"{"RoomID":1.5}"#, "RoomID must be a positive integer or a UUID"),
        ("POST /messages", r#"{"UserID":1,"RoomID":1}"#, "Message is missing"),
        ("POST /messages", r#"{"UserID":1,"RoomID":1,"Message":""}"#, "Message must be 1 to 16384 bytes"),
        ("POST /messages", r#"{"RoomID":1,"Message":"x"}"#, "UserID is missing"),
        ("GET /messages", "", "RoomID is missing"),
        ("GET /messages?RoomID=1&limit=0", "", "limit must be 1 to 1000"),
        ("GET /messages?RoomID=1&before=x", "", "before must be a positive integer"),
        ("DELETE /messages", "{}", "MessageID is missing"),
        ("POST /readconfirmation", r#"{"UserID":1}"#, "MessageID is missing"),
        ("POST /readconfirmation", r#"{"MessageID":1}"#, "UserID is missing"),
        ("GET /readconfirmation", "", "MessageID is missing"),
    ] {
        refuse(&server, line, body, 400, sentence);
    }
    expect(&server, "GET /user", "", 200, "[]");
}

/// Row 19 of the hostile inputs.
#[test]
fn the_last_of_equal_keys_wins() {
    let server = Server::start(&[]);
    let twice = r#"{"Username":"Ann","Username":"Bob"}"#;
    expect(&server, "POST /user", twice, 201, r#"{"ID":1,"Username":"Bob"}"#);
    expect(&server, "GET /user?UserID=7&UserID=1", "", 200, r#"{"ID":1,"Username":"Bob"}"#);
}

#[test]
fn other_methods_are_told_which_are_taken() {
    let server = Server::start(&[]);
    for (method, path, allowed) in [
        ("PUT", "/user", "POST, GET, HEAD, PATCH, DELETE"),
        ("OPTIONS", "/rooms", "POST, GET, HEAD, PATCH, DELETE"),
        ("PATCH", "/messages", "POST, GET, HEAD, DELETE"),
        ("DELETE", "/readconfirmation", "POST, GET, HEAD"),
        ("get", "/readconfirmation", "POST, GET, HEAD"),
    ] {
        let url = format!("http://{}{path}", server.address);
        let (status, answer) = curl(&["-i", "-X", method, &url]);
        let body = format!(r#"{{"error":"only {allowed} are taken here"}}"#);
        assert!(status == 405 && answer.contains(&format!("\r\nallow: {allowed}\r\n")), "{method} {path}: {answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{method} {path}: {answer}");
    }
    // Paths are exact.
    for path in ["/users", "/user/", "/user/1", "/User", "/room"] {
        assert_eq!(super::ask(&server, &format!("GET {path}"), "").0, 404, "{path}");
    }
}

#[test]
fn answers_say_that_they_are_json_and_not_to_be_kept() {
    let server = Server::start(&[]);
    for (path, status) in [("/user", 200), ("/user?UserID=x", 400), ("/user?UserID=7", 404)] {
        let (found, answer) = curl(&["-i", &format!("http://{}{path}", server.address)]);
        assert!(found == status && answer.contains("\r\ncontent-type: application/json\r\n"), "{answer}");
        assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{answer}");
    }
}

#[test]
fn without_a_store_all_of_it_is_unavailable() {
    let server = Server::start(&["--database", "none"]);
    for (line, body) in [
        ("POST /user", r#"{"Username":"Ann"}"#),
        ("GET /user", ""),
        ("GET /user?UserID=1", ""),
        ("PATCH /user", r#"{"UserID":1,"Name":"Ann"}"#),
        ("DELETE /user", r#"{"UserID":1}"#),
        ("POST /rooms", r#"{"UserID":1,"Roomname":"tea"}"#),
        ("PATCH /rooms", r#"{"RoomID":2,"Name":"tea"}"#),
        ("DELETE /rooms", r#"{"RoomID":2}"#),
        ("POST /messages", r#"{"UserID":1,"RoomID":1,"Message":"x"}"#),
        ("GET /messages?RoomID=1", ""),
        ("DELETE /messages", r#"{"MessageID":1}"#),
        ("POST /readconfirmation", r#"{"MessageID":1,"UserID":1}"#),
        ("GET /readconfirmation?MessageID=1", ""),
    ] {
        refuse(&server, line, body, 503, "this server keeps nothing: it runs without a store");
    }
    expect(&server, "GET /rooms", "", 200, "[]");
    // What can't be read is not the store's fault.
    refuse(&server, "POST /user", "{}", 400, "Username is missing");
}

/// Row 11 of the hostile inputs.
#[test]
fn there_is_a_limit_to_rooms() {
    let server = Server::start(&["--max-rooms", "2"]);
    super::ask(&server, "POST /user", r#"{"Username":"Ann"}"#);
    expect(&server, "POST /rooms", r#"{"UserID":1,"Roomname":"tea"}"#, 201, r#"{"ID":2,"Name":"tea"}"#);
    let sentence = "this server has no more than 2 rooms";
    refuse(&server, "POST /rooms", r#"{"UserID":1,"Roomname":"milk"}"#, 429, sentence);
}
