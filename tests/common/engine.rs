//! The cases that the suites of Engine.IO and Socket.IO have in common, each for the path of either. Those that end
//! with an upgraded session return its connection, for its messages differ.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::Message;

use super::packets::Socket;
use super::polling::{Answer, Session, request};
use super::protocol::{MAX_PAYLOAD, PING_INTERVAL, PING_TIMEOUT};

/// A server reads the clock when it wakes up, so that its timers may begin before what has set them was read.
pub const EARLY: Duration = Duration::from_millis(20);
/// In this time a server gets to what it has to do, on a slow machine too.
pub const A_MOMENT: Duration = Duration::from_millis(50);
/// What takes longer does not happen when it should, on however slow a machine.
pub const LATE: Duration = Duration::from_secs(2);

/// Something that began at `start` has taken `expected`.
#[track_caller]
pub fn expect_duration(start: Instant, expected: Duration) {
    let taken = start.elapsed();
    assert!((expected - EARLY..expected + LATE).contains(&taken), "it took {taken:?}");
}

/// An open packet in which nothing is missing and nothing too much. Returns the session's id.
#[track_caller]
pub fn expect_open(packet: &str, upgrades: &[&str]) -> String {
    let open: Value = packet.strip_prefix('0').and_then(|json| serde_json::from_str(json).ok()).unwrap();
    let sid = open["sid"].as_str().expect("a sid");
    let expected = json!({
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": PING_INTERVAL.as_millis() as u64,
        "pingTimeout": PING_TIMEOUT.as_millis() as u64,
        "maxPayload": MAX_PAYLOAD,
    });
    assert_eq!(open, expected);
    sid.to_owned()
}

pub fn polling_opens_a_session(path: &str) {
    let answer = request("GET", &format!("{path}?EIO=4&transport=polling"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.to_lowercase().contains("\r\ncontent-type: text/plain; charset=utf-8"), "{answer:?}");
    expect_open(&answer.body, &["websocket"]);
}

pub fn polling_fails_with_an_invalid_version(path: &str) {
    for query in ["transport=polling", "EIO=abc&transport=polling"] {
        request("GET", &format!("{path}?{query}")).expect_refusal(5, "Unsupported protocol version");
    }
}

pub fn polling_fails_with_an_invalid_transport(path: &str) {
    for query in ["EIO=4", "EIO=4&transport=abc"] {
        request("GET", &format!("{path}?{query}")).expect_refusal(0, "Transport unknown");
    }
}

pub fn polling_fails_with_an_invalid_method(path: &str) {
    for method in ["POST", "PUT"] {
        let answer = request(method, &format!("{path}?EIO=4&transport=polling"));
        answer.expect_refusal(2, "Bad handshake method");
    }
}

pub fn websocket_opens_a_session(path: &str) {
    expect_open(&Socket::open(path).receive(), &[]);
}

/// The WebSocket is refused with any of these queries.
#[track_caller]
fn expect_no_upgrade(path: &str, queries: [&str; 2]) {
    for query in queries {
        assert_eq!(Socket::try_open(&format!("{path}?{query}")).err(), Some(400), "{query}");
    }
}

pub fn websocket_fails_with_an_invalid_version(path: &str) {
    expect_no_upgrade(path, ["transport=websocket", "EIO=abc&transport=websocket"]);
}

pub fn websocket_fails_with_an_invalid_transport(path: &str) {
    expect_no_upgrade(path, ["EIO=4", "EIO=4&transport=abc"]);
}

pub fn polling_sends_pings(path: &'static str) {
    let mut start = Instant::now();
    let session = Session::open(path);
    for _ in 0..3 {
        session.poll().expect("2");
        expect_duration(start, PING_INTERVAL);
        start = Instant::now();
        session.push("3");
    }
}

pub fn polling_closes_upon_ping_timeout(path: &'static str) {
    let session = Session::open(path);
    sleep(PING_INTERVAL + PING_TIMEOUT + A_MOMENT);
    session.poll().expect_unknown_session();
}

pub fn websocket_sends_pings(path: &str) {
    let mut start = Instant::now();
    let mut socket = Socket::open(path);
    expect_open(&socket.receive(), &[]);
    for _ in 0..3 {
        assert_eq!(socket.next(), Some(Message::text("2")));
        expect_duration(start, PING_INTERVAL);
        start = Instant::now();
        socket.send("3");
    }
}

pub fn websocket_closes_upon_ping_timeout(path: &str) {
    let start = Instant::now();
    let mut socket = Socket::open(path);
    expect_open(&socket.receive(), &[]);
    assert_eq!(socket.next(), Some(Message::text("2")));
    assert_eq!(socket.next(), None);
    expect_duration(start, PING_INTERVAL + PING_TIMEOUT);
}

pub fn polling_closes_forcefully(path: &'static str) {
    let session = Session::open(path);
    // The server finds both at once, the poll first.
    let poll = session.begin_poll();
    let close = session.begin_push("1");
    Answer::read(poll).expect("an answer").expect("6");
    Answer::read(close).expect("an answer").expect("ok");
    session.poll().expect_unknown_session();
}

pub fn websocket_closes_forcefully(path: &str) {
    let mut socket = Socket::open(path);
    expect_open(&socket.receive(), &[]);
    socket.send("1");
    socket.expect_end();
}

/// A session, and a WebSocket that has been told that it may take it over.
pub fn probed(path: &'static str) -> (Session, Socket) {
    let session = Session::open(path);
    let mut socket = Socket::take_over(&session);
    socket.send("2probe");
    socket.expect("3probe");
    (session, socket)
}

pub fn upgrades(path: &'static str) -> Socket {
    let (session, mut socket) = probed(path);
    assert_eq!(session.receive(), "6");
    socket.send("5");
    socket
}

pub fn ignores_polls_after_the_upgrade(path: &'static str) -> Socket {
    let (session, mut socket) = probed(path);
    socket.send("5");
    session.poll().expect_refusal(3, "Bad request");
    socket
}

pub fn ignores_websockets_after_the_upgrade(path: &'static str) -> Socket {
    let (session, mut socket) = probed(path);
    socket.send("5");
    Socket::take_over(&session).expect_end();
    socket
}
