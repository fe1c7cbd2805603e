//! Who may ask, from which page, for what, and how much at once.

use serde_json::{Value, json};

use crate::common::curl::curl;
use crate::common::http::Answer;
use crate::common::stream::{CONNECTED, Listener, SENDER, ask, post, saying};
use crate::common::{Server, roomcast};

const FOREIGN: &str =
    r#"{"error":"pages of this origin may not connect: ROOMCAST_ALLOW_ORIGINS lists those that may"}"#;
const MISSING: &str = r#"{"error":"the api-key is missing or wrong"}"#;
const NO_MESSAGE: &str = r#"{"error":"there is no such message"}"#;

/// `METHOD /path` as a page asks it. Returns the whole answer.
fn from_page(server: &Server, line: &str, headers: &str, body: &str) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let length = body.len();
    let answer = server.exchange(format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}",
        server.address
    ));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    Answer { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
}

#[test]
fn pages_of_other_origins_are_kept_out() {
    let server = Server::start(&["--allow-origins", "https://chat.example"]);
    let port = server.address.port();
    let foreign = [
        "https://evil.example",
        "null",
        "",
        "https://chat.example.evil.example",
        "https://evilchat.example",
        "https://chat.example@evil.example",
        "https://chat.example:8443",
        "http://chat.example",
        &format!("http://127.0.0.1:{port}.evil.example"),
        &format!("http://127.0.0.1.evil.example:{port}"),
        "file://",
    ];
    for origin in foreign {
        let header = format!("Origin: {origin}\r\n");
        let hello = saying("from afar");
        for (line, body) in [("GET /message", ""), ("POST /message", &*hello), ("GET /stream", "")] {
            let answer = from_page(&server, line, &header, body);
            assert_eq!((answer.status, &*answer.body), (403, FOREIGN), "{origin} {line}");
            assert!(!answer.head.contains("access-control-"), "{answer:?}");
            assert_eq!(answer.header("vary"), Some("Origin"), "caches keep them apart: {answer:?}");
        }
        let wish = format!("{header}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: a\r\n");
        let answer = from_page(&server, "OPTIONS /message", &wish, "");
        assert!(!answer.head.contains("access-control-") && answer.header("vary").is_some(), "{answer:?}");
    }
    // Two origins are no page's.
    let twice = "Origin: https://chat.example\r\nOrigin: https://evil.example\r\n";
    assert_eq!(from_page(&server, "GET /message", twice, "").status, 403);
    assert_eq!(ask(&server, "GET /message", "").body, r#"{"messages":[],"next_cursor":null,"has_more":false}"#);
}

#[test]
fn pages_of_allowed_origins_read_all_answers() {
    let server = Server::start(&["--allow-origins", "https://chat.example", "--api-key", "key"]);
    let own = format!("http://{}", server.address);
    let (hello, huge) = (saying("from the page"), "x".repeat(70_000));
    let expect = |answer: &Answer, origin: &str| {
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{answer:?}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{answer:?}");
    };
    for origin in ["https://chat.example", &own] {
        let header = format!("Origin: {origin}\r\n");
        for (line, body, status) in [
            ("GET /message", "", 200),
            ("POST /message", &*hello, 201),
            // What went wrong is for the page to read, too.
            ("GET /message?limit=0", "", 422),
            ("POST /message", "{", 400),
            ("POST /message", &huge, 413),
            ("DELETE /message/1", "", 401),
            ("PUT /message", "", 405),
            ("GET /message?room=nowhere", "", 404),
            ("GET /stream?room=nowhere", "", 404),
        ] {
            let answer = from_page(&server, line, &header, body);
            assert_eq!(answer.status, status, "{line}: {answer:?}");
            expect(&answer, origin);
        }
        let mut listener = Listener::open(&server, "/stream", &[&format!("Origin: {origin}")]);
        assert!(listener.head.contains(&format!("\r\naccess-control-allow-origin: {origin}\r\n")), "{}", listener.head);
        assert_eq!(listener.next().data, CONNECTED);

        let wish = "Access-Control-Request-Method: PATCH\r\nAccess-Control-Request-Headers: api-key,content-type\r\n";
        // It comes without the key, which the page has not been allowed to send yet.
        for (path, methods) in [("/message", "GET, HEAD, POST"), ("/message/7", "PATCH, DELETE"), ("/stream", "GET")] {
            let answer = from_page(&server, &format!("OPTIONS {path}"), &format!("{header}{wish}"), "");
            assert_eq!((answer.status, &*answer.body), (204, ""), "{answer:?}");
            expect(&answer, origin);
            assert_eq!(answer.header("access-control-allow-methods"), Some(methods), "{answer:?}");
            assert_eq!(answer.header("access-control-allow-headers"), Some("api-key,content-type"), "{answer:?}");
        }
    }
    // Other programs than browsers send none, and need no permission.
    let answer = from_page(&server, "GET /message", "", "");
    assert!(answer.status == 200 && !answer.head.contains("access-control-"), "{answer:?}");
    // The other HTTP dialect is not for pages.
    let answer = from_page(&server, "GET /rooms", &format!("Origin: {own}\r\napi-key: key\r\n"), "");
    assert!(answer.status == 200 && !answer.head.contains("access-control-"), "{answer:?}");
}

#[test]
fn who_welcomes_all_pages_welcomes_no_cookies() {
    let server = Server::start(&["--allow-origins", "*"]);
    for origin in ["https://anywhere.example", "null"] {
        let answer = from_page(&server, "GET /message", &format!("Origin: {origin}\r\n"), "");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")), "{answer:?}");
        assert!(!answer.head.contains("credentials"), "{answer:?}");
    }
}

#[test]
fn changing_what_was_said_takes_the_key() {
    let server = Server::start(&["--api-key", "s3cret"]);
    let id = post(&server, "/message", "mine");
    let url = format!("http://{}/message/{id}", server.address);
    let edit = ["-X", "PATCH", "-d", r#"{"content":"yours"}"#];
    let with = |words: &[&str], key: &[&str], url: &str| curl(&[words, key, &[url]].concat());
    for words in [&edit[..], &["-X", "DELETE"]] {
        for key in [&[][..], &["-H", "api-key: s3cre"], &["-H", "api-key;"]] {
            assert_eq!(with(words, key, &url), (401, MISSING.into()), "{words:?} {key:?}");
        }
        assert_eq!(with(words, &[], &format!("{url}?api_key=x")), (401, MISSING.into()));
        // Nor is it told what there is.
        assert_eq!(with(words, &[], &url.replace("/message/1", "/message/99")), (401, MISSING.into()));
    }
    let key = ["-H", "api-key: s3cret"];
    let (status, body) = with(&edit, &key, &url);
    let edited: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &edited["content"], &edited["sender_id"]), (200, &json!("yours"), &json!(SENDER)));
    let page: Value = serde_json::from_str(&ask(&server, "GET /message", "").body).unwrap();
    assert_eq!(page["messages"], json!([edited]), "with the time at which it was said");
    assert_eq!(with(&["-X", "DELETE"], &[], &format!("{url}?api_key=s3cret")), (204, String::new()));
    for words in [&edit[..], &["-X", "DELETE"]] {
        assert_eq!(with(words, &key, &url), (404, NO_MESSAGE.into()), "it is gone");
    }
    assert!(!server.log().contains("s3cret"), "{}", server.log());
}

#[test]
fn without_a_key_only_this_machine_changes_messages() {
    let mut command = roomcast();
    command.args(["serve", "--listen", "0.0.0.0:0", "--database", "sqlite::memory:"]);
    let mut server = Server::spawn(command);
    server.address.set_ip([127, 0, 0, 1].into());
    let id = post(&server, "/message", "anybody may");
    let refused = ask(&server, &format!("DELETE /message/{id}"), "");
    let sentence = "this is served on a loopback address alone, or with a key: set ROOMCAST_API_KEY";
    assert_eq!((refused.status, refused.body), (403, json!({ "error": sentence }).to_string()));

    let server = Server::start(&[]);
    let id = post(&server, "/message", "anybody may");
    ask(&server, &format!("DELETE /message/{id}"), "").expect(204, "");
}

#[test]
fn methods_are_those_of_each_path() {
    let server = Server::start(&[]);
    post(&server, "/message", "hello");
    for (line, allowed) in [
        ("PUT /message", "GET, HEAD, POST"),
        ("DELETE /message", "GET, HEAD, POST"),
        ("GET /message/1", "PATCH, DELETE"),
        ("POST /message/1", "PATCH, DELETE"),
        ("POST /stream", "GET"),
        ("HEAD /stream", "GET"),
    ] {
        let answer = from_page(&server, line, "", "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{line}: {answer:?}");
        let body = json!({ "error": format!("only {allowed} are taken here") }).to_string();
        assert_eq!(answer.body, if line.starts_with("HEAD") { "" } else { &*body });
    }
    let got = from_page(&server, "GET /message", "", "");
    let head = from_page(&server, "HEAD /message", "", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some(&*got.body.len().to_string()));
    for path in ["/message/", "/message/0", "/message/x", "/stream/", "/messages/1"] {
        assert_eq!(ask(&server, &format!("GET {path}"), "").status, 404, "{path}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_field() {
    let server = Server::start(&[]);
    let made = ask(&server, "POST /user", r#"{"Username":"Ann"}"#);
    assert_eq!(made.status, 201);
    let db_user = registered(&server);
    let cases = [
        (json!({ "content": "", "sender_id": SENDER }), 422, "content"),
        (json!({ "content": "x".repeat(16 * 1024 + 1), "sender_id": SENDER }), 413, "content"),
        (json!({ "content": "x", "file": "x".repeat(51), "sender_id": SENDER }), 422, "file"),
        (json!({ "content": "x", "sender_id": "me" }), 422, "sender_id"),
        (json!({ "content": "x", "sender_id": db_user }), 422, "sender_id"),
        (json!({ "content": "x", "sender_id": db_user.to_uppercase() }), 422, "sender_id"),
    ];
    for (body, status, field) in cases {
        let answer = ask(&server, "POST /message", body.to_string());
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, said["field"].as_str()), (status, Some(field)), "{answer:?}");
    }
    let longest = json!({ "content": "x".repeat(16 * 1024), "file": "ä".repeat(50), "sender_id": SENDER });
    assert_eq!(ask(&server, "POST /message", longest.to_string()).status, 201);
    for body in ["", "content=x", "[]", "{\"content\":\"x\""] {
        ask(&server, "POST /message", body).expect(400, r#"{"error":"the body must be a JSON object"}"#);
    }
    // Larger than any body: it is not even read.
    let answer = ask(&server, "POST /message", "x".repeat(64 * 1024 + 1));
    assert!(answer.status == 413 && answer.body.starts_with(r#"{"error":""#), "{answer:?}");
}

/// The UUID of the registered user of these tests, as Socket.IO shows it.
fn registered(server: &Server) -> String {
    let mut ann = crate::common::event::EventClient::of(server, 1, &[1]);
    let mut listener = Listener::to_lobby(server);
    ann.send("send_message", r#"{"roomId":1,"text":"it is me"}"#);
    listener.next().json()["data"]["sender_id"].as_str().unwrap().to_owned()
}

#[test]
fn open_durable_rooms_are_served_and_no_others() {
    let server = Server::start(&[]);
    for (path, body) in [
        ("/user", json!({ "Username": "Ann" })),
        ("/rooms", json!({ "UserID": 1, "Roomname": "green tea" })),
        ("/rooms", json!({ "UserID": 1, "Roomname": "club", "Private": true, "Members": [1] })),
    ] {
        assert_eq!(ask(&server, &format!("POST {path}"), body.to_string()).status, 201);
    }
    let secret = json!({ "UserID": 1, "RoomID": 3, "Message": "psst" });
    assert_eq!(ask(&server, "POST /messages", secret.to_string()).status, 201);
    let (mut passing, _) = server.join_in();
    passing.ask(r#"{"action":"join","room":"passing"}"#, r#"{"action":"join","room":"passing"}"#);

    let mut listener = Listener::open(&server, "/stream?room=green%20tea", &[]);
    assert_eq!(listener.next().data, CONNECTED);
    let mut lobby = Listener::to_lobby(&server);
    post(&server, "/message?room=green+tea", "a cup");
    post(&server, "/message", "a crowd");
    listener.expect("new_message", "a cup");
    lobby.expect("new_message", "a crowd");
    let page: Value = serde_json::from_str(&ask(&server, "GET /message?room=green+tea", "").body).unwrap();
    assert_eq!((page["messages"].as_array().unwrap().len(), &page["messages"][0]["content"]), (1, &json!("a cup")));

    for room in ["club", "passing", "nowhere", "Lobby", "1", "3"] {
        let none = r#"{"error":"there is no open, durable room of that name"}"#;
        ask(&server, &format!("GET /message?room={room}"), "").expect(404, none);
        ask(&server, &format!("POST /message?room={room}"), saying("hello?")).expect(404, none);
        ask(&server, &format!("GET /stream?room={room}"), "").expect(404, none);
    }
    passing.expect_nothing();
    let answer = ask(&server, "GET /message?room=", "");
    assert!(answer.status == 422 && answer.body.ends_with(r#","field":"room"}"#), "{answer:?}");
}
