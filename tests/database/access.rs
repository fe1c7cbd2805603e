//! Who may ask at all: the API key, the rule without one, and pages of other origins.

use super::{curl, expect};
use crate::common::event::EventClient;
use crate::common::{Server, roomcast};

const ROWS: [&str; 4] = ["/user", "/rooms", "/messages?RoomID=1", "/readconfirmation?MessageID=1"];
const MISSING: &str = r#"{"error":"the api-key is missing or wrong"}"#;
const NO_KEY: &str = r#"{"error":"this is served on a loopback address alone, or with a key: set ROOMCAST_API_KEY"}"#;
const FOREIGN: &str =
    r#"{"error":"pages of this origin may not connect: ROOMCAST_ALLOW_ORIGINS lists those that may"}"#;

/// The first line of the answer to an upgrade of the event dialect.
fn upgrade(server: &Server, path: &str, header: &str) -> String {
    let request = crate::common::upgrade_request(path).replace("\r\n\r\n", &format!("\r\n{header}\r\n\r\n"));
    let answer = server.exchange(request.replace("\r\n\r\n\r\n", "\r\n\r\n"));
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_key_is_asked_for_in_the_header_or_the_query() {
    let server = Server::start(&["--api-key", "s3cret+key"]);
    for row in ROWS {
        let url = format!("http://{}{row}", server.address);
        let with = |query: &str| format!("{url}{}{query}", if url.contains('?') { "&" } else { "?" });
        let missing = [
            vec![url.clone()],
            vec!["-H".into(), "api-key: s3cret".into(), url.clone()],
            vec!["-H".into(), "api-key;".into(), url.clone()],
            vec!["-H".into(), "API-KEY: S3CRET+KEY".into(), url.clone()],
            vec![with("api_key=s3cret")],
            vec![with("api_key=")],
            vec![with("api-key=s3cret%2Bkey")],
            // The header is what counts, if there is one.
            vec!["-H".into(), "api-key: x".into(), with("api_key=s3cret%2Bkey")],
        ];
        for words in missing {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_eq!(curl(&words), (401, MISSING.into()), "{words:?}");
        }
        for words in
            [vec!["-H".into(), "API-Key: s3cret+key".into(), url.clone()], vec![with("api_key=%73%33cret%2Bkey")]]
        {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (status, body) = curl(&words);
            let expected = if row.starts_with("/readconfirmation") { 404 } else { 200 };
            assert!(status == expected && !body.contains("api-key"), "{words:?}: {status} {body}");
        }
    }
    // Without the key nothing is read, and so nothing is told of what would be wrong with it.
    expect(&server, "PUT /user", "x", 401, MISSING);
    expect(&server, "POST /user", r#"{"Username":"Ann"}"#, 401, MISSING);
    let users = curl(&["-H", "api-key: s3cret+key", &format!("http://{}/user", server.address)]);
    assert_eq!(users, (200, "[]".into()));

    // The event dialect asks for the same key, and the action dialect for none.
    assert_eq!(upgrade(&server, "/ws", ""), "HTTP/1.1 401 Unauthorized");
    assert_eq!(upgrade(&server, "/ws", "api-key: wrong"), "HTTP/1.1 401 Unauthorized");
    assert_eq!(upgrade(&server, "/ws", "api-key: s3cret+key"), "HTTP/1.1 101 Switching Protocols");
    assert_eq!(upgrade(&server, "/ws?api_key=s3cret%2Bkey", ""), "HTTP/1.1 101 Switching Protocols");
    server.join_in();
    // It is in none of what was printed.
    assert!(!server.log().contains("s3cret"), "{}", server.log());
}

#[test]
fn without_a_key_only_this_machine_is_served() {
    let mut command = roomcast();
    command.args(["serve", "--listen", "0.0.0.0:0", "--database", "sqlite::memory:"]);
    let mut server = Server::spawn(command);
    server.address.set_ip([127, 0, 0, 1].into());
    for row in ROWS {
        expect(&server, &format!("GET {row}"), "", 403, NO_KEY);
        // Nobody can guess a key that there is not.
        let url = format!("http://{}{row}", server.address);
        assert_eq!(curl(&["-H", "api-key;", &url]), (403, NO_KEY.into()));
    }
    assert_eq!(upgrade(&server, "/ws", ""), "HTTP/1.1 403 Forbidden");
    assert!(server.exchange(crate::common::upgrade_request("/ws")).contains("set ROOMCAST_API_KEY"));
    server.join_in();

    let server = Server::start(&[]);
    expect(&server, "GET /user", "", 200, "[]");
    EventClient::connect(&server).ok("get_users", "{}", r#"{"users":[]}"#);
}

/// Row 6 of the hostile inputs, for this API.
#[test]
fn pages_of_other_origins_are_kept_out() {
    let server = Server::start(&["--allow-origins", "https://chat.example"]);
    let own = format!("http://{}", server.address);
    let url = format!("{own}/user");
    let post = ["-d", r#"{"Username":"Ann"}"#, &*url];
    for origin in ["https://evil.example", "null", "https://chat.example.evil.example", "http://chat.example"] {
        let origin = format!("Origin: {origin}");
        assert_eq!(curl(&["-H", &origin, &url]), (403, FOREIGN.into()), "{origin}");
        assert_eq!(curl(&[&["-H", &origin], &post[..]].concat()), (403, FOREIGN.into()), "{origin}");
    }
    for origin in ["https://chat.example", "HTTPS://Chat.Example", &own] {
        assert_eq!(curl(&["-H", &format!("Origin: {origin}"), &url]), (200, "[]".into()), "{origin}");
    }
    assert_eq!(curl(&post), (201, r#"{"ID":1,"Username":"Ann"}"#.into()), "no page has asked");
}
