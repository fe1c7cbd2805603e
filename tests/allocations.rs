//! No allocation per recipient: a message to a thousand members allocates exactly as often as one to ten.
//!
//! The server runs inside this process, under an allocator that counts. This file has one test, since the count is the
//! whole process's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;

use common::{TEXT, frame, read_frame, upgrade_request};
use roomcast::config::Config;
use roomcast::dialect::socketio::Namespaces;
use roomcast::server::{Server, Sockets};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn fan_out_allocates_nothing_per_recipient() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let config =
            Config { listen: ([127, 0, 0, 1], 0).into(), rate: 0, max_connections: 2_000, ..Config::default() };
        let sockets = Sockets { namespaces: Namespaces::new(&[]), verifier: None, echoes: false };
        let mut server = Server::bind(config, sockets, None, None, 0).unwrap();
        sender.send(server.address()).unwrap();
        server.run()
    });
    let address = receiver.recv().unwrap();
    let blocks = |members| {
        let mut room: Vec<TcpStream> = (0..members).map(|_| member(address, &format!("room of {members}"))).collect();
        // The first messages make room in outboxes and buffers, which is kept.
        for _ in 0..3 {
            say(&mut room);
        }
        let before = dhat::HeapStats::get().total_blocks;
        for _ in 0..10 {
            say(&mut room);
        }
        dhat::HeapStats::get().total_blocks - before
    };
    let (few, many) = (blocks(10), blocks(1_000));
    // What the test itself allocates: one buffer for each frame that it reads or sends.
    let (few, many) = (few - 10 * 11, many - 10 * 1_001);
    println!("10 messages: {few} allocations in the server with 10 members, {many} with 1,000");
    assert!(few > 0, "the count does not count");
    // Lists of slots with work to do grow by doubling, now and then.
    assert!(many <= few + 20, "{many} allocations against {few}");
}

fn member(address: std::net::SocketAddr, room: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(upgrade_request(common::ACTION).as_bytes()).unwrap();
    stream.write_all(&frame(TEXT, format!(r#"{{"action":"join","room":"{room}"}}"#).as_bytes())).unwrap();
    common::read_upgrade(&mut stream);
    let is_join = |payload: &[u8]| payload == format!(r#"{{"action":"join","room":"{room}"}}"#).as_bytes();
    while !is_join(&read_frame(&mut stream).unwrap().1) {}
    stream
}

/// The first member says something; all have heard it when this returns.
fn say(room: &mut [TcpStream]) {
    room[0].write_all(&frame(TEXT, br#"{"action":"room_message","message":"x"}"#)).unwrap();
    for member in room {
        while !read_frame(member).unwrap().1.ends_with(br#""message":"x"}"#) {}
    }
}
