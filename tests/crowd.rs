//! Thousands at once: what a connection costs in memory, that nothing is left behind, and that the past stays past.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::common::crowd::alone;
use crate::common::{
    ACTION, Server, TEXT, frame, gather, raw_websocket, read_frame, read_until, say, serve, wait_until,
};

const CROWD: usize = 10_000;

/// What a connection may cost of the server's own memory: while it is idle, and when it has said 1 KiB.
const IDLE_BYTES: u64 = 600;
const BYTES_AFTER_A_MESSAGE: u64 = 900;

/// What may be left of that when all have gone.
const LEFT_BYTES: u64 = 2 << 20;

/// A server whose resident memory is what it uses. By itself glibc keeps more the larger the blocks were that it has
/// seen freed, so that what is left of a crowd tells more of the order of its going than of the server.
fn frugal_server() -> Server {
    let mut command = serve(&["--rate", "0"]);
    command.env("MALLOC_TRIM_THRESHOLD_", "131072");
    Server::spawn(command)
}

/// So many action clients that have been welcomed, the first of all on this server.
fn crowd_of(server: &Server) -> Vec<TcpStream> {
    let mut crowd: Vec<TcpStream> = (0..CROWD).map(|_| raw_websocket(server, ACTION)).collect();
    for (id, guest) in crowd.iter_mut().enumerate() {
        read_until(guest, format!(r#"{{"action":"connection","user_id":"{id}"}}"#).as_bytes());
    }
    crowd
}

#[test]
fn a_connection_costs_few_bytes_idle_and_few_more_once_it_has_spoken() {
    let _alone = alone(CROWD);
    let server = frugal_server();
    let base = server.resident_bytes();
    let per_connection = || (server.resident_bytes() - base) / CROWD as u64;
    let mut crowd = crowd_of(&server);
    let idle = per_connection();

    // All at once, and each to itself: that is a delivery and a reply of 1 KiB each.
    let text = "x".repeat(1024);
    let request = |id| format!(r#"{{"action":"private_message","user_id":"{id}","message":"{text}"}}"#);
    for (id, guest) in crowd.iter_mut().enumerate() {
        guest.write_all(&frame(TEXT, request(id).as_bytes())).unwrap();
    }
    for (id, guest) in crowd.iter_mut().enumerate() {
        assert_eq!(read_frame(guest).unwrap().1, request(id).into_bytes(), "the delivery");
        assert_eq!(read_frame(guest).unwrap().1, request(id).into_bytes(), "the reply");
    }
    let spoken = per_connection();
    println!("resident memory per connection: {idle} bytes idle, {spoken} once it has said 1 KiB");
    assert!(idle <= IDLE_BYTES, "{idle} bytes per idle connection");
    assert!(spoken <= BYTES_AFTER_A_MESSAGE, "{spoken} bytes per connection that has said 1 KiB");
}

#[test]
fn ten_thousand_in_one_room() {
    let _alone = alone(CROWD);
    let server = frugal_server();
    let (base_memory, base_descriptors) = (server.resident_bytes(), server.open_descriptors());
    let mut crowd = crowd_of(&server);
    gather(&mut crowd);
    let started = Instant::now();
    say(&mut crowd[0], "to all");
    for guest in &mut crowd {
        read_until(guest, br#""message":"to all"}"#);
    }
    println!("one message to {} others: {:?}", CROWD - 1, started.elapsed());

    // The descriptors are closed a moment before the memory is given back.
    let given_back = || {
        wait_until("the descriptors to be closed", || server.open_descriptors() <= base_descriptors);
        wait_until("the memory to be given back", || server.resident_bytes() <= base_memory + LEFT_BYTES);
        server.resident_bytes()
    };
    drop(crowd);
    let after_first = given_back();
    let crowd: Vec<TcpStream> = (0..CROWD).map(|_| raw_websocket(&server, ACTION)).collect();
    drop(crowd);
    let after_second = given_back();
    println!("resident: {base_memory} before, {after_first} after one crowd, {after_second} after two");
    let (mut client, _) = server.join_in();
    client.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby"]}"#);
}

#[test]
fn a_hundred_thousand_come_and_go_while_others_write_to_them() {
    let _alone = alone(CROWD);
    let server = frugal_server();
    let (mut writer, own_id) = server.join_in();
    let own_id: u64 = own_id.parse().unwrap();
    let base_descriptors = server.open_descriptors();
    let mut past = Vec::new();
    let mut settled_memory = 0;
    for round in 0..1_000 {
        let mut guests: Vec<TcpStream> = (0..100).map(|_| raw_websocket(&server, ACTION)).collect();
        let first = own_id + 1 + round * 100;
        // Somebody who left rounds ago, whose slot a guest of this round has now.
        for &id in past.iter().rev().take(20) {
            writer.ask(
                &format!(r#"{{"action":"private_message","user_id":"{id}","message":"for a ghost"}}"#),
                &format!(r#"{{"action":"error","message":"user {id} is not on the server"}}"#),
            );
        }
        for guest in &mut guests {
            guest.write_all(&crate::common::frame(crate::common::CLOSE, &[])).unwrap();
        }
        for mut guest in guests {
            // All that a guest ever gets: its welcome, and the close frame.
            let (opcode, welcome) = crate::common::read_frame(&mut guest).unwrap();
            assert!(opcode == TEXT && welcome.starts_with(br#"{"action":"connection""#));
            assert_eq!(crate::common::read_frame(&mut guest), Some((crate::common::CLOSE, Vec::new())));
        }
        past.extend((first..first + 100).step_by(9));
        if round == 100 {
            settled_memory = server.resident_bytes();
        }
    }
    assert_eq!(server.join_in().1, (own_id + 100_001).to_string());
    wait_until("the descriptors to be closed", || server.open_descriptors() <= base_descriptors);
    let grown = server.resident_bytes().saturating_sub(settled_memory);
    println!("after 90,000 more connections: {grown} bytes more");
    assert!(grown <= 256 * 1024, "{grown} bytes are left of 90,000 connections");
}

#[test]
fn a_million_rooms_leave_nothing() {
    let _alone = alone(CROWD);
    let server = frugal_server();
    let mut stream = raw_websocket(&server, ACTION);
    let mut reader = stream.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let mut joined = 0;
        let mut buffer = vec![0; 1 << 16];
        while joined < 1_000_000 {
            let count = reader.read(&mut buffer).unwrap();
            assert!(count > 0, "disconnected after {joined} rooms");
            joined += buffer[..count].iter().filter(|&&byte| byte == b'}').count();
        }
    });
    let mut settled = 0;
    for thousand in 0..1_000 {
        let batch: Vec<u8> = (0..1_000)
            .flat_map(|n| frame(TEXT, format!(r#"{{"action":"join","room":"room {thousand} {n}"}}"#).as_bytes()))
            .collect();
        stream.write_all(&batch).unwrap();
        if thousand == 100 {
            settled = server.resident_bytes();
        }
    }
    reading.join().unwrap();
    let grown = server.resident_bytes().saturating_sub(settled);
    assert!(grown <= 1 << 20, "{grown} bytes are left of 900,000 rooms");
    let (mut client, _) = server.join_in();
    client.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","room 999 999"]}"#);
}
