//! Bounds: slow readers together (`slow_reader.rs` has one among others), too many connections, too few descriptors,
//! and what the kernel is asked for on the way of one message.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::common::crowd::alone;
use crate::common::trace::Trace;
use crate::common::{ACTION, Server, TEXT, frame, raw_websocket, read_close, read_frame, room_of, say};

#[test]
fn slow_readers_are_bounded_by_their_outboxes() {
    let _alone = alone(200);
    let server = Server::unlimited(&["--outbox", "64KiB"]);
    let mut room = room_of(&server, 200);
    let before = server.resident_bytes();
    let (sender, slow) = room.split_at_mut(1);
    let all_are_gone = || server.get("/metrics", &[]).contains("\nroomcast_closed_total{reason=\"slow_reader\"} 199\n");
    for number in 0..700 {
        say(&mut sender[0], &"x".repeat(16_000));
        while !read_frame(&mut sender[0]).unwrap().1.starts_with(br#"{"action":"room_message""#) {}
        let grown = server.resident_bytes().saturating_sub(before);
        // The bytes are shared, so that all outboxes together hold little more than one.
        assert!(grown < 8 << 20, "{grown} bytes for 199 slow readers");
        // They don't wait for ever to be read from at last.
        if number % 50 == 49 && all_are_gone() {
            break;
        }
    }
    for reader in slow {
        assert_eq!(read_close(reader).0, 1008);
    }
    // One line for the first, and not one for each.
    let lines = server.log().matches("reading too slowly").count();
    assert!((1..=10).contains(&lines), "{lines} lines about slow readers");
}

#[test]
fn whoever_does_not_read_its_own_answers_is_slow_too() {
    let server = Server::unlimited(&["--outbox", "64KiB"]);
    let mut stream = raw_websocket(&server, crate::common::ECHO);
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let request = frame(TEXT, &[b'x'; 60_000]);
    while !server.log().contains("reading too slowly") {
        if stream.write_all(&request).is_err() {
            break;
        }
    }
    server.wait_for_log("reading too slowly");
}

#[test]
fn the_limit_of_connections_holds_and_waiting_ones_are_served_later() {
    let server = Server::start(&["--max-connections", "3"]);
    let mut first: Vec<_> = (0..3).map(|_| server.join_in().0).collect();
    let waiting = std::thread::spawn({
        let address = server.address;
        move || {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(crate::common::PATIENCE)).unwrap();
            let mut client = crate::common::Client::over(stream, &format!("ws://{address}{ACTION}")).unwrap();
            client.receive()
        }
    });
    server.wait_for_log("full: 3 connections");
    let cpu = server.cpu_time();
    std::thread::sleep(Duration::from_millis(300));
    assert!(server.cpu_time() - cpu <= Duration::from_millis(20), "a full server does not spin");
    assert!(!waiting.is_finished(), "a fourth connection was served");
    first.pop().unwrap().close();
    assert_eq!(waiting.join().unwrap(), r#"{"action":"connection","user_id":"3"}"#);
}

#[test]
fn few_descriptors_are_used_up_and_come_back() {
    let mut command = Command::new("prlimit");
    command.args(["--nofile=64:64", env!("CARGO_BIN_EXE_roomcast"), "serve", "--listen", "127.0.0.1:0"]);
    command.args(["--max-connections", "auto"]).current_dir(crate::common::scratch_dir());
    let server = Server::spawn(command);
    let crowd: Vec<TcpStream> = (0..200).map(|_| server.raw()).collect();
    server.wait_for_log("full: 32 connections");
    drop(crowd);
    let (mut client, _) = server.join_in();
    client.expect_nothing();
    let cpu = server.cpu_time();
    std::thread::sleep(Duration::from_millis(300));
    assert!(server.cpu_time() - cpu <= Duration::from_millis(20), "the server does not spin");
}

/// The limit of descriptors may also be met from outside: then accepting fails, is said once, and is tried again.
#[test]
fn out_of_descriptors_is_not_the_end() {
    let server = Server::start(&[]);
    let pid = server.pid().to_string();
    let limit = |limit: &str| {
        let nofile = format!("--nofile={limit}:");
        assert!(Command::new("prlimit").args(["--pid", &pid, &nofile]).status().unwrap().success());
    };
    let (mut before, _) = server.join_in();
    limit(&server.open_descriptors().to_string());
    let mut waiting: Vec<TcpStream> = (0..20).map(|_| server.raw()).collect();
    server.wait_for_log("can't accept for now");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(server.log().matches("can't accept for now").count(), 1, "{}", server.log());
    before.expect_nothing();
    limit("1000");
    for stream in &mut waiting {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        assert!(crate::common::read_to_end(stream).starts_with("HTTP/1.1 200 OK"));
    }
}

/// What a trace shows of one message to a hundred members: it is read once, and written once to each.
#[test]
fn one_message_costs_one_write_per_member() {
    let server = Server::unlimited(&[]);
    let mut room = room_of(&server, 100);
    let trace = Trace::attach(&server);
    say(&mut room[0], "once");
    for member in &mut room {
        assert!(read_frame(member).unwrap().1.ends_with(br#""message":"once"}"#));
    }
    let mut calls = trace.finish();
    println!("system calls for one message to 100 members: {calls:?}");
    let mut count = |names: &[&str]| names.iter().filter_map(|&name| calls.remove(name)).sum::<usize>();
    assert_eq!(
        count(&["sendto", "sendmsg", "write", "writev"]),
        100,
        "one write for each, the sender's reply included"
    );
    assert_eq!(count(&["recvfrom", "read"]), 1, "one read");
    assert!(count(&["epoll_wait", "restart_syscall"]) <= 3);
    assert!(calls.is_empty(), "and nothing else: {calls:?}");
}
