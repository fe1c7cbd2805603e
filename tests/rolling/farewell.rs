//! How a server lets its clients go.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::people::{private_room, serve_people, user};
use crate::common::{
    ACTION, CLOSE, PATIENCE, Server, TEXT, frame, raise_descriptor_limit, raw_websocket, read_close, read_frame,
    room_of, say, serve, wait_until,
};

/// Thousands must not come back in the same instant. They are told one after the other, nobody of those who left before, and
/// who is not told yet is served.
#[test]
fn many_are_told_to_go_over_half_of_the_drain() {
    const MANY: usize = 2_000;
    raise_descriptor_limit();
    let mut server = Server::unlimited(&["--drain", "4s"]);
    let mut room = room_of(&server, MANY);
    let started = Instant::now();
    server.signal("TERM");
    let mut told: Vec<Duration> = Vec::new();
    while let Some(mut member) = room.pop() {
        if told.len() == MANY / 2 {
            say(&mut room[0], "still here");
            while read_frame(&mut room[0]).unwrap()
                != (TEXT, br#"{"action":"room_message","room":"everybody","message":"still here"}"#.to_vec())
            {
            }
        }
        loop {
            let (first, payload) = read_frame(&mut member).unwrap();
            if first == CLOSE {
                assert_eq!(payload[..2], 1001_u16.to_be_bytes());
                break;
            }
            let text = String::from_utf8(payload).unwrap();
            assert!(text.contains(r#""message":"still here""#), "{text}");
        }
        told.push(started.elapsed());
    }
    let (status, log) = server.wait();
    let ended = started.elapsed();
    println!("the first is told after {:?}, the last after {:?}; it ends after {ended:?}", told[0], told[MANY - 1]);
    assert!(status.success(), "{log}");
    assert!(ended < Duration::from_secs(4), "{ended:?}");
    // Of two seconds, no quarter has many more than its share.
    assert!(told[MANY - 1] > Duration::from_millis(1_800), "{:?}", told[MANY - 1]);
    let most =
        (0..MANY).map(|first| told[first..].partition_point(|at| *at < told[first] + Duration::from_millis(500))).max();
    println!("at most {most:?} in half a second");
    assert!(most.unwrap() < MANY / 2, "{most:?}");
}

/// Those who ask may know before anybody is sent away.
#[test]
fn balancers_see_it_before_clients_do() {
    let mut server = Server::start(&["--linger", "700ms"]);
    let mut early = raw_websocket(&server, ACTION);
    assert!(server.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
    let started = Instant::now();
    server.signal("TERM");
    server.wait_for_log("shutting down");
    let answer = server.get("/ready", &[]);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("the server is going away"), "{answer}");
    assert!(server.get("/health", &[]).starts_with("HTTP/1.1 200 "));
    // Still accepted, and still served.
    let (mut late, _) = server.join_in();
    late.ask(r#"{"action":"join","room":"R"}"#, r#"{"action":"join","room":"R"}"#);
    assert_eq!(late.receive_close(), (1001, "the server is going away".into()));
    assert!(started.elapsed() >= Duration::from_millis(650), "{:?}", started.elapsed());
    assert_eq!(read_close(&mut early).0, 1001);
    assert!(TcpStream::connect(server.address).is_err(), "it still accepts");
    drop((early, late));
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

#[test]
fn a_second_signal_ends_the_lingering_too() {
    let mut server = Server::start(&["--linger", "1h"]);
    server.signal("TERM");
    server.wait_for_log("shutting down");
    let started = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(1));
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
}

/// What was asked is answered before its client is sent away, even if the store takes its time.
#[test]
fn what_was_asked_is_answered_first() {
    let path = crate::common::scratch_dir().join("chat.db");
    let url = format!("sqlite:{}", path.display());
    let mut server = Server::spawn(serve(&["--database", &url]));
    let mut wire = raw_websocket(&server, "/ws");
    let ask = |wire: &mut TcpStream, text: &str| {
        wire.write_all(&frame(TEXT, text.as_bytes())).unwrap();
    };
    ask(&mut wire, r#"{"event":"create_user","payload":{"username":"ann"}}"#);
    read_frame(&mut wire).unwrap();
    let lock = rusqlite::Connection::open(&path).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    ask(&mut wire, r#"{"event":"create_room","payload":{"roomName":"tea"},"id":7}"#);
    server.settle();
    server.signal("TERM");
    wait_until("the port to be closed", || TcpStream::connect(server.address).is_err());
    wire.set_nonblocking(true).unwrap();
    assert!(wire.peek(&mut [0]).is_err(), "told before it was answered");
    wire.set_nonblocking(false).unwrap();
    lock.execute_batch("COMMIT").unwrap();
    let (_, payload) = read_frame(&mut wire).unwrap();
    let reply = String::from_utf8(payload).unwrap();
    assert!(reply.contains(r#""id":7"#) && reply.contains(r#""event":"ack""#), "{reply}");
    assert_eq!(read_close(&mut wire).0, 1001);
    drop(wire);
    assert!(server.wait().0.success());
}

/// Who polls is told by the packet that makes clients come back.
#[test]
fn who_polls_is_told_by_the_poll() {
    let mut server = Server::spawn(serve_people(&[]));
    let ann = user(&server, "ann");
    private_room(&server, "tea", &[ann]);
    let mut polls = Vec::new();
    for _ in 0..40 {
        let answer = server.get("/socket.io/?EIO=4&transport=polling", &[]);
        let sid = answer.split(r#""sid":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
        let mut poll = server.raw();
        write!(poll, "GET /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        polls.push(poll);
    }
    server.settle();
    server.signal("TERM");
    for mut poll in polls {
        let answer = crate::common::read_to_end(&mut poll);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n1"), "{answer}");
    }
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}
