//! Pages of other origins: which may connect, and which may read what they are answered.

use super::Stage;
use crate::common::http::{Answer, Http};
use crate::common::peer::{HANDSHAKE, Socket, WEBSOCKET};

const FRIEND: &str = "https://good.example";

/// An `Origin`, whether it may connect, and whether its pages may read answers.
const ORIGINS: [(Option<&str>, bool); 9] = [
    (None, true),
    (Some(FRIEND), true),
    (Some("https://GOOD.example"), true),
    (Some("https://good.example.evil.example"), false),
    (Some("https://evilgood.example"), false),
    (Some("http://good.example"), false),
    (Some("https://good.example:444"), false),
    (Some("null"), false),
    (Some("https://evil.example"), false),
];

fn header(origin: Option<&str>) -> String {
    origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default()
}

fn ask(stage: &Stage, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut http = Http::open(stage.server.address).unwrap();
    let length = body.len();
    http.write(format!(
        "{method} {target} HTTP/1.1\r\nHost: chat.example\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))
    .unwrap();
    http.answer().expect("an answer")
}

/// A page may read it if it is a friend's; in any case caches are told that it depends on who asks.
#[track_caller]
fn expect_readable(answer: &Answer, origin: Option<&str>, is_friend: bool) {
    assert_eq!(answer.header("vary"), Some("origin"), "{answer:?}");
    let allowed = answer.header("access-control-allow-origin");
    match origin {
        Some(origin) if is_friend => {
            assert_eq!(allowed, Some(&*origin.to_lowercase()), "{answer:?}");
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{answer:?}");
        }
        _ => assert!(!answer.head.contains("access-control"), "{origin:?}: {answer:?}"),
    }
}

#[test]
fn who_may_connect_by_websocket() {
    let stage = Stage::set(&["--allow-origins", FRIEND]);
    for (origin, may) in ORIGINS {
        let session = stage.polling("ada");
        for target in [WEBSOCKET, &session.target("websocket")] {
            let result = Socket::try_open(stage.server.address, target, &header(origin));
            let status = result.map_or_else(|answer| answer.expect("an answer").status, |_| 101);
            assert_eq!(status == 101, may, "{origin:?} {target}: {status}");
            assert!(may || status == 400 || status == 403, "{status}");
        }
    }
}

#[test]
fn who_may_read_answers() {
    let stage = Stage::set(&["--allow-origins", FRIEND]);
    for (origin, is_friend) in ORIGINS {
        let headers = header(origin);
        let session = stage.polling("ada");
        let target = session.target("polling");
        let check = |method: &str, target: &str, body: &str, status: u16| {
            let answer = ask(&stage, method, target, &headers, body);
            assert_eq!(answer.status, status, "{origin:?} {method} {target}");
            expect_readable(&answer, origin, is_friend);
        };
        check("GET", HANDSHAKE, "", 200);
        check("POST", &target, r#"42/chat,1["no such"]"#, 200);
        check("GET", &target, "", 200);
        // What goes wrong must be readable too, or a client can't tell it from a lost connection.
        check("GET", "/socket.io/?EIO=4&transport=abc", "", 400);
        check("GET", "/socket.io/?EIO=3&transport=polling", "", 400);
        check("GET", "/socket.io/?EIO=4&transport=polling&sid=x", "", 400);
        check("PUT", &target, "", 400);
        check("POST", &target, &"4".repeat(70_000), 413);
        let session = stage.polling("ada");
        check("POST", &session.target("polling"), "abc", 400);
        let session = stage.polling("ada");
        let mut first = session.begin_poll();
        std::thread::sleep(std::time::Duration::from_millis(50));
        check("GET", &session.target("polling"), "", 400);
        first.answer().unwrap();
    }
}

#[test]
fn who_may_ask_beforehand() {
    let stage = Stage::set(&["--allow-origins", FRIEND]);
    for (origin, is_friend) in ORIGINS {
        let headers = header(origin)
            + "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization, x-own\r\n";
        for target in
            [HANDSHAKE, "/socket.io/", "/socket.io/?EIO=4&transport=polling&sid=none", "/socket.io/?transport=abc"]
        {
            let answer = ask(&stage, "OPTIONS", target, &headers, "");
            answer.expect(204, "");
            expect_readable(&answer, origin, is_friend);
            if is_friend && origin.is_some() {
                let methods = answer.header("access-control-allow-methods").unwrap();
                assert!(methods.contains("get") && methods.contains("post"), "{methods}");
                assert_eq!(answer.header("access-control-allow-headers"), Some("authorization, x-own"));
            }
        }
    }
}

#[test]
fn nobody_is_named_when_nobody_is_allowed_and_all_never_with_credentials() {
    let closed = Stage::set(&[]);
    let answer = ask(&closed, "GET", HANDSHAKE, &header(Some("https://evil.example")), "");
    assert_eq!(answer.status, 200);
    assert!(!answer.head.contains("access-control"), "{answer:?}");
    assert!(Socket::try_open(closed.server.address, WEBSOCKET, &header(Some("https://evil.example"))).is_err());

    let open = Stage::set(&["--allow-origins", "*"]);
    for (method, target) in [("GET", HANDSHAKE), ("OPTIONS", HANDSHAKE), ("GET", "/socket.io/?EIO=4&transport=abc")] {
        let answer = ask(&open, method, target, &header(Some("https://evil.example")), "");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer:?}");
    }
    assert!(Socket::try_open(open.server.address, WEBSOCKET, &header(Some("https://evil.example"))).is_ok());
}

/// What stands in the header must not get into an answer's head or the log as a line of its own.
#[test]
fn an_origin_that_is_none_is_refused() {
    let stage = Stage::set(&["--allow-origins", FRIEND, "--log", "debug"]);
    for origin in
        ["https://good.example\u{e9}", "https://good.example\tx", "https://good.example, https://evil.example", ""]
    {
        let answer = ask(&stage, "GET", HANDSHAKE, &format!("Origin: {origin}\r\n"), "");
        assert!(answer.header("access-control-allow-origin").is_none(), "{origin:?} {answer:?}");
        assert!(
            Socket::try_open(stage.server.address, WEBSOCKET, &format!("Origin: {origin}\r\n")).is_err(),
            "{origin:?}"
        );
    }
}
