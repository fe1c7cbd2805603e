//! Requests that come twice, too late, half, or with names that mean something elsewhere.

use std::thread::sleep;
use std::time::Duration;

use super::{Stage, expect_closed, next_said, text};
use crate::common::http::{Http, request};
use crate::common::peer::{HANDSHAKE, Polling, Socket};

/// In this time a server gets to what it has to do, on a slow machine too.
const A_MOMENT: Duration = Duration::from_millis(100);

const MEANT_ELSEWHERE: [&str; 8] =
    ["__proto__", "constructor", "toString", "hasOwnProperty", "prototype", "valueOf", "null", "undefined"];

#[test]
fn two_polls_end_the_session() {
    let stage = Stage::set(&[]);
    let session = stage.polling("ada");
    let mut first = session.begin_poll();
    sleep(A_MOMENT);
    assert_eq!(session.poll().status, 400);
    first.answer().unwrap().expect(200, "1");
    session.poll().expect_unknown_session();
}

#[test]
fn two_posts_end_the_session() {
    let stage = Stage::set(&[]);
    let session = stage.polling("ada");
    let mut first = Http::open(stage.server.address).unwrap();
    let target = session.target("polling");
    first.write(format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n42/chat,")).unwrap();
    sleep(A_MOMENT);
    assert_eq!(session.begin_push("3").answer().expect("an answer").status, 400);
    expect_closed(&session);
    assert!(first.answer().is_none_or(|answer| answer.status != 500));
    stage.check();
}

#[test]
fn a_poll_that_nobody_waits_for_any_more_ends_the_session() {
    let stage = Stage::set(&[]);
    let base = stage.server.open_descriptors();
    for _ in 0..20 {
        let session = stage.polling("ada");
        let poll = session.begin_poll();
        sleep(Duration::from_millis(5));
        drop(poll);
        sleep(Duration::from_millis(20));
        session.poll().expect_unknown_session();
    }
    crate::common::wait_until("the descriptors to be closed", || stage.server.open_descriptors() <= base);
}

#[test]
fn a_post_that_stops_half_way_is_given_up() {
    let stage = Stage::set(&["--handshake", "300ms"]);
    let mut session = stage.polling("ada");
    let target = session.target("polling");
    let half = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n42/chat,");
    for waits in [true, false] {
        let mut http = Http::open(stage.server.address).unwrap();
        http.write(&half).unwrap();
        if waits {
            assert!(http.answer().is_none_or(|answer| answer.status == 408));
        }
        drop(http);
        sleep(A_MOMENT);
        // Nothing of it was read, and the next one is taken.
        session.push(r#"42/chat,5["no such"]"#);
        assert!(session.receive().starts_with(r#"43/chat,5[{"ok":false,"#));
    }
}

#[test]
fn polls_one_behind_the_other_are_answered_in_turn() {
    let stage = Stage::set(&[]);
    let session = stage.polling("ada");
    let mut bob = stage.socket("bob");
    let mut http = Http::open(stage.server.address).unwrap();
    let poll = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", session.target("polling"));
    http.write(poll.repeat(8)).unwrap();
    let (mut said, mut number) = (Vec::new(), 0);
    // Some are answered by other news than what is said.
    while said.len() < 3 {
        sleep(Duration::from_millis(30));
        stage.say(&mut bob, number..number + 1);
        number += 1;
        let answer = http.answer().expect("an answer");
        assert_eq!(answer.status, 200);
        said.extend(answer.body.split(crate::common::peer::SEPARATOR).filter_map(crate::common::peer::said));
    }
    assert_eq!(said[..3], [0, 1, 2].map(text));
}

#[test]
fn a_connection_serves_many_sessions() {
    let stage = Stage::set(&[]);
    let mut http = Http::open(stage.server.address).unwrap();
    for _ in 0..5 {
        let session = stage.polling("ada");
        http.send("POST", &session.target("polling"), r#"42/chat,5["no such"]"#).unwrap();
        http.answer().unwrap().expect(200, "ok");
        http.send("GET", &session.target("polling"), "").unwrap();
        assert!(http.answer().unwrap().body.contains(r#"43/chat,5[{"ok":false,"#));
        http.send("POST", &session.target("polling"), "1").unwrap();
        http.answer().unwrap().expect(200, "ok");
        http.send("GET", &session.target("polling"), "").unwrap();
        http.answer().unwrap().expect_unknown_session();
    }
}

#[test]
fn after_the_end_there_is_no_session() {
    let stage = Stage::set(&[]);
    let mut session = stage.polling("ada");
    session.push("1");
    session.poll().expect_unknown_session();
    session.begin_push("3").answer().unwrap().expect_unknown_session();
    let refused = Socket::try_open(stage.server.address, &session.target("websocket"), "");
    assert_eq!(refused.err().flatten().expect("an answer").status, 400);
}

/// While a session owes somebody its last word, it takes nothing else.
#[test]
fn a_session_that_is_over_takes_nothing_more() {
    let stage = Stage::set(&[]);
    let mut session = stage.polling("ada");
    session.push("4nonsense");
    assert_eq!(session.begin_push(r#"42/chat,5["no such"]"#).answer().unwrap().status, 400);
    let refused = Socket::try_open(stage.server.address, &session.target("websocket"), "");
    assert!(refused.is_ok_and(|mut socket| socket.try_receive().is_none()));
    expect_closed(&session);
}

#[test]
fn other_methods_and_kinds_of_body_are_refused() {
    let stage = Stage::set(&[]);
    let mut session = stage.polling("ada");
    for method in ["PUT", "DELETE", "PATCH"] {
        request(stage.server.address, method, &session.target("polling"), "")
            .expect(400, r#"{"code":3,"message":"Bad request"}"#);
    }
    request(stage.server.address, "GET", &session.target("websocket"), "")
        .expect(400, r#"{"code":3,"message":"Bad request"}"#);
    session.push("3");
    let mut http = Http::open(stage.server.address).unwrap();
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", session.target("polling"));
    http.write(format!("{head}Content-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\n3")).unwrap();
    assert_eq!(http.answer().unwrap().status, 400);
    http.expect_end();
    expect_closed(&session);
}

#[test]
fn a_body_with_two_lengths_is_refused_and_the_connection_closed() {
    let stage = Stage::set(&[]);
    for lengths in [
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Content-Length: 1\r\nContent-Length: 2",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: +1",
        "Content-Length: 1, 1 , x",
    ] {
        let session = stage.polling("ada");
        let mut http = Http::open(stage.server.address).unwrap();
        let behind = format!("GET {HANDSHAKE} HTTP/1.1\r\nHost: x\r\n\r\n");
        let target = session.target("polling");
        http.write(format!("POST {target} HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\n1\r\n3\r\n0\r\n\r\n{behind}"))
            .unwrap();
        let status = http.answer().expect("an answer").status;
        assert!([400, 413, 501].contains(&status), "{lengths}: {status}");
        http.expect_end();
    }
    stage.check();
}

#[test]
fn names_that_mean_something_elsewhere_mean_nothing_here() {
    let stage = Stage::set(&["--rate", "0"]);
    let address = stage.server.address;
    let (mut socket, mut session) = (stage.socket("ada"), stage.polling("ada"));
    for name in MEANT_ELSEWHERE {
        let unknown_transport = r#"{"code":0,"message":"Transport unknown"}"#;
        request(address, "GET", &format!("/socket.io/?EIO=4&transport={name}"), "").expect(400, unknown_transport);
        for method in ["GET", "POST"] {
            request(address, method, &format!("{HANDSHAKE}&sid={name}"), "").expect_unknown_session();
        }
        let refused = Socket::try_open(address, &format!("/socket.io/?EIO=4&transport=websocket&sid={name}"), "");
        assert_eq!(refused.err().flatten().expect("an answer").status, 400);

        let event = format!(r#"42/chat,5["{name}",{{}}]"#);
        socket.send(&event);
        session.push(&event);
        for answer in [socket.receive(), session.receive()] {
            assert!(answer.contains(r#""code":"unknown_event""#), "{name}: {answer}");
        }
        socket.send(&format!("40/{name}"));
        session.push(format!("40/{name},{{}}"));
        for answer in [socket.receive(), session.receive()] {
            assert_eq!(answer, format!(r#"44/{name},{{"message":"Invalid namespace"}}"#));
        }
    }
    // The client's own events can't come from outside.
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        let mut socket = stage.socket("ada");
        socket.send(&format!(r#"42/chat,["{name}"]"#));
        assert_eq!(socket.read_close().0, 1002, "{name}");
        let mut session: Polling = stage.polling("ada");
        session.push(format!(r#"42/chat,["{name}"]"#));
        expect_closed(&session);
    }
    assert_eq!(
        {
            stage.say(&mut stage.socket("bob"), 7..8);
            next_said(|| socket.try_receive())
        },
        text(7)
    );
}
