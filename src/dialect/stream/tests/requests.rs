//! Requests, and what is wrong with some of them.

use super::*;
use crate::hub::ClientMark;

const LIMITS: Limits = Limits { max_text: 20 };

fn decoded(method: &str, target: &str, body: &[u8]) -> Result<Request, Answer> {
    let request = http::Request::builder().method(method).uri(target).body(()).unwrap();
    Stream.decode(&request, body, &LIMITS)
}

/// One of its lines, `METHOD /path`, with that body.
fn read(line: &str, body: &str) -> Result<Request, Answer> {
    let (method, target) = line.split_once(' ').unwrap();
    decoded(method, target, body.as_bytes())
}

fn listened(target: &str, last_event_id: &[u8]) -> Request {
    let request = http::Request::builder().uri(target).header("Last-Event-ID", last_event_id).body(()).unwrap();
    Stream.decode(&request, b"", &LIMITS).unwrap()
}

fn text(text: &str) -> Text {
    Text::new(text, 20).unwrap()
}

fn reading(room: Option<&str>, moment: Moment, limit: usize) -> Request {
    visiting(room, Visit::Read(Page { place: Place::Earlier(moment), limit }), PAGE)
}

fn before(time: &str, message: i64) -> Moment {
    Moment { at: Timestamp::parse(time).unwrap(), message: MessageId(message) }
}

#[test]
fn paths_are_exact() {
    for path in ["/message", "/stream", "/message/1", "/message/9223372036854775807"] {
        assert!(Stream.serves(path), "{path}");
    }
    for path in [
        "/",
        "/messages",
        "/message/",
        "/message/0",
        "/message/-1",
        "/message/+1",
        "/message/01",
        "/message/x",
        "/message/1/",
        "/message/9223372036854775808",
        "/stream/",
        "/Stream",
        "//stream",
    ] {
        assert!(!Stream.serves(path), "{path}");
    }
}

#[test]
fn pages_are_asked_for() {
    let cases = [
        ("GET /message", reading(None, Moment::END, 20)),
        ("HEAD /message?", reading(None, Moment::END, 20)),
        ("GET /message?limit=10", reading(None, Moment::END, 10)),
        ("GET /message?limit=007", reading(None, Moment::END, 7)),
        ("GET /message?limit=100", reading(None, Moment::END, 100)),
        ("GET /message?limit=101", reading(None, Moment::END, 100)),
        ("GET /message?limit=99999999999999999999999999", reading(None, Moment::END, 100)),
        ("GET /message?cursor=&limit=1", reading(None, Moment::END, 1)),
        ("GET /message?room=tea", reading(Some("tea"), Moment::END, 20)),
        ("GET /message?room=green+tea%21", reading(Some("green tea!"), Moment::END, 20)),
        ("GET /message?other=1&cursor=2024-01-01T12:00:00Z", reading(None, before("2024-01-01T12:00:00Z", 0), 20)),
        ("GET /message?cursor=2024-01-01T12:00:00.000001Z_7", reading(None, before(AT, 7), 20)),
        // Quoted, and not quoted: then the sign has become a blank.
        ("GET /message?cursor=2024-01-01T14:00:00%2B02:00", reading(None, before("2024-01-01T12:00:00Z", 0), 20)),
        ("GET /message?cursor=2024-01-01T14:00:00+02:00", reading(None, before("2024-01-01T12:00:00Z", 0), 20)),
        ("GET /message?cursor=2024-01-01T14:00:00%2002:00_3", reading(None, before("2024-01-01T12:00:00Z", 3), 20)),
        ("GET /message?cursor=2024-01-01T10:00:00-02:00", reading(None, before("2024-01-01T12:00:00Z", 0), 20)),
    ];
    for (line, expected) in cases {
        assert_eq!(read(line, ""), Ok(expected), "{line}");
    }
}

#[test]
fn what_is_written_is_read() {
    let say = |content: &str, file: Option<&str>| {
        let file = file.map(|file| FileName::new(file).unwrap());
        Visit::Say { sender: sender(), text: text(content), file, client_id: None }
    };
    let long = "ä".repeat(50);
    let cases = [
        ("POST /message", json!({"content": "Hello! 👋", "sender_id": SENDER}), None, say("Hello! 👋", None)),
        ("POST /message", json!({"content": " ", "file": null, "sender_id": SENDER}), None, say(" ", None)),
        ("POST /message", json!({"content": "x", "file": "", "sender_id": SENDER}), None, say("x", None)),
        ("POST /message", json!({"content": "x", "file": long, "sender_id": SENDER}), None, say("x", Some(&long))),
        (
            "POST /message?room=tea",
            json!({"content": "x", "id": [7], "sender_id": SENDER.to_uppercase()}),
            Some("tea"),
            say("x", None),
        ),
    ];
    for (line, body, room, visit) in cases {
        assert_eq!(read(line, &body.to_string()), Ok(visiting(room, visit, POST)), "{line} {body}");
    }
    let marked = read("POST /message", &json!({"content": "x", "client_id": "k", "sender_id": SENDER}).to_string());
    let client_id = Some(ClientMark::new("k").unwrap());
    let visit = Visit::Say { sender: sender(), text: text("x"), file: None, client_id };
    assert_eq!(marked, Ok(visiting(None, visit, POST)));
    let message = MessageId(7);
    let edit = Request {
        claimed_sender: None,
        command: Command::EditMessage { message, text: text("new") },
        tag: Some(Box::new(Tag { word: EDIT.into(), id: None })),
    };
    assert_eq!(read("PATCH /message/7", r#"{"content":"new","sender_id":7}"#), Ok(edit));
    assert_eq!(read("DELETE /message/7", "no JSON at all"), Ok(Command::DeleteMessage { message }.into()));
}

#[test]
fn listeners_say_how_far_they_have_heard() {
    let listen = |room, since| visiting(room, Visit::Listen { since }, LISTEN);
    assert_eq!(read("GET /stream", ""), Ok(listen(None, None)));
    assert_eq!(listened("/stream?room=tea", b"12.3"), listen(Some("tea"), Some(mark(12, 3))));
    assert_eq!(listened("/stream", b"0.0"), listen(None, Some(mark(0, 0))));
    // What is not ours is no reason to refuse.
    for other in [&b""[..], b"12", b"12.3.4", b"-1.0", b"01.0", b"abc", b"\xff\xfe", b"99999999999999999999.0"] {
        assert_eq!(listened("/stream", other), listen(None, None), "{other:?}");
    }
}

#[test]
fn a_wrong_field_is_named() {
    let uuid = json!(SENDER);
    let (long, longer) = ("x".repeat(51), "x".repeat(21));
    let posts = [
        (json!({"sender_id": uuid}), 422, "content", "content is missing"),
        (json!({"content": null, "sender_id": uuid}), 422, "content", "content is missing"),
        (json!({"content": 7, "sender_id": uuid}), 422, "content", "content must be a string"),
        (json!({"content": "", "sender_id": uuid}), 422, "content", "content must be 1 to 20 bytes"),
        (json!({"content": longer, "sender_id": uuid}), 413, "content", "content must be 1 to 20 bytes"),
        (
            json!({"content": "x", "file": long, "sender_id": uuid}),
            422,
            "file",
            "file must be 1 to 50 characters, none of them a control character",
        ),
        (
            json!({"content": "x", "file": "a\nb", "sender_id": uuid}),
            422,
            "file",
            "file must be 1 to 50 characters, none of them a control character",
        ),
        (json!({"content": "x", "file": {}, "sender_id": uuid}), 422, "file", "file must be a string"),
        (json!({"content": "x", "client_id": 7, "sender_id": uuid}), 422, "client_id", "client_id must be a string"),
        (json!({"content": "x"}), 422, "sender_id", "sender_id is missing"),
        (json!({"content": "x", "sender_id": 7}), 422, "sender_id", "sender_id must be a string"),
        (json!({"content": "x", "sender_id": ""}), 422, "sender_id", "sender_id must be a UUID"),
        (json!({"content": "x", "sender_id": "123e4567"}), 422, "sender_id", "sender_id must be a UUID"),
    ];
    for (body, status, field, sentence) in posts {
        let refusal = read("POST /message", &body.to_string()).expect_err(&body.to_string());
        assert_eq!(error(&refusal), (status, sentence.into(), Some(field.into())), "{body}");
    }
    let edits = [("{}", 422, "content is missing"), (r#"{"content":""}"#, 422, "content must be 1 to 20 bytes")];
    for (body, status, sentence) in edits {
        let refusal = read("PATCH /message/7", body).unwrap_err();
        assert_eq!(error(&refusal), (status, sentence.into(), Some("content".into())), "{body}");
    }
    let positive = "limit must be a positive integer";
    let time = "cursor must be a next_cursor, or an RFC 3339 time such as 2024-01-01T12:00:00Z";
    let name = "room must be 1 to 64 characters";
    let queries = [
        ("GET /message?limit=0", "limit", positive),
        ("GET /message?limit=00", "limit", positive),
        ("GET /message?limit=", "limit", positive),
        ("GET /message?limit=-1", "limit", positive),
        ("GET /message?limit=%2B1", "limit", positive),
        ("GET /message?limit=1.0", "limit", positive),
        ("GET /message?limit=ten", "limit", positive),
        ("GET /message?cursor=7", "cursor", time),
        ("GET /message?cursor=2024-01-01", "cursor", time),
        ("GET /message?cursor=2024-01-01T12:00:00", "cursor", time),
        ("GET /message?cursor=2024-13-01T12:00:00Z", "cursor", time),
        ("GET /message?cursor=1969-12-31T23:59:59Z", "cursor", time),
        ("GET /message?cursor=2024-01-01T12:00:00Z_", "cursor", time),
        ("GET /message?cursor=2024-01-01T12:00:00Z_0", "cursor", time),
        ("GET /message?cursor=2024-01-01T12:00:00Z_-1", "cursor", time),
        ("GET /message?cursor=2024-01-01T12:00:00Z_1_2", "cursor", time),
        ("GET /message?room=", "room", name),
        ("GET /stream?room=+", "room", name),
        ("POST /message?room=%00", "room", "room must not contain control characters"),
    ];
    for (line, field, sentence) in queries {
        let refusal = read(line, "").expect_err(line);
        assert_eq!(error(&refusal), (422, sentence.into(), Some(field.into())), "{line}");
    }
}

#[test]
fn what_can_not_be_read_has_no_field() {
    let cases: [(&str, &[u8], &str); 8] = [
        ("POST /message", b"", "the body must be a JSON object"),
        ("POST /message", b"{", "the body must be a JSON object"),
        ("POST /message", b"[1]", "the body must be a JSON object"),
        ("POST /message", b"{\"content\":\"\\ud83d\"}", "the body must be a JSON object"),
        ("POST /message", b"{\"content\":\"\xff\"}", "the body must be UTF-8"),
        ("PATCH /message/7", b"null", "the body must be a JSON object"),
        ("GET /message?cursor=%ff", b"", "the query string must be UTF-8"),
        ("GET /stream?room=%c0%af", b"", "the query string must be UTF-8"),
    ];
    for (line, body, sentence) in cases {
        let (method, target) = line.split_once(' ').unwrap();
        let refusal = decoded(method, target, body).expect_err(line);
        assert_eq!(error(&refusal), (400, sentence.into(), None), "{line}");
    }
}

#[test]
fn other_methods_are_told_which_are_taken() {
    let cases = [
        ("PUT", "/message", "GET, HEAD, POST"),
        ("DELETE", "/message", "GET, HEAD, POST"),
        ("get", "/message", "GET, HEAD, POST"),
        ("GET", "/message/7", "PATCH, DELETE"),
        ("POST", "/stream", "GET"),
        ("HEAD", "/stream", "GET"),
    ];
    for (method, path, allowed) in cases {
        let refusal = decoded(method, path, b"{}").unwrap_err();
        assert_eq!(error(&refusal), (405, format!("only {allowed} are taken here"), None));
        assert_eq!(refusal.headers, [(http::header::ALLOW, HeaderValue::try_from(allowed).unwrap())]);
    }
}

#[test]
fn only_changing_what_was_said_takes_the_key() {
    for (method, path, needs_key) in [
        ("GET", "/message", false),
        ("HEAD", "/message", false),
        ("POST", "/message", false),
        ("GET", "/stream", false),
        ("PATCH", "/message/7", true),
        ("DELETE", "/message/7", true),
    ] {
        let request = http::Request::builder().method(method).uri(path).body(()).unwrap();
        assert_eq!(Stream.needs_key(&request), needs_key, "{method} {path}");
    }
    assert!(Stream.is_for_pages());
}

#[test]
fn a_printed_cursor_is_parsed() {
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..10_000 {
        let last = record(random.i64(1..), Timestamp::from_microseconds(random.i64(..=Timestamp::MAX.microseconds())));
        let printed = Cursor::behind(&last).to_string();
        let moment = Moment { at: last.at, message: last.id };
        assert_eq!(Cursor::parse(&printed).map(|cursor| cursor.0), Some(moment), "{printed}");
        assert!(printed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:._".contains(&byte)), "{printed}");
        // As part of an address, unquoted.
        let request = read(&format!("GET /message?cursor={printed}"), "");
        assert_eq!(request, Ok(reading(None, moment, 20)), "{printed}");
    }
}

#[test]
fn garbage_is_no_cursor() {
    let mut random = fastrand::Rng::with_seed(4);
    let alphabet: Vec<char> = "0123456789-:.TZ_+ é\u{0}".chars().collect();
    for _ in 0..10_000 {
        let length = random.usize(..32);
        let garbage: String = (0..length).map(|_| *random.choice(&alphabet).unwrap()).collect();
        // Nothing of it panics; what is taken is taken for a time.
        if let Some(Cursor(moment)) = Cursor::parse(&garbage) {
            assert!(moment.at <= Timestamp::MAX && moment.message.0 >= 0, "{garbage}");
        }
    }
}
