//! Thousands at once: what a connection costs in memory, that nothing is left behind, and that the past stays past.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::{ACTION, Server, TEXT, frame, raw_websocket, wait_until};

/// One crowd at a time: they share the machine's ports and descriptors.
static ALONE: Mutex<()> = Mutex::new(());

const CROWD: usize = 10_000;

/// A connection costs at most this much of the server's own memory while it is idle.
const BYTES_PER_IDLE_CONNECTION: u64 = 2 * 1024;

fn alone() -> std::sync::MutexGuard<'static, ()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    assert!(limit.maximum.is_none_or(|maximum| maximum > 2 * CROWD as u64 - 500), "too few open files are allowed");
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Many action clients of this thread, read without waiting.
struct Crowd(Vec<TcpStream>);

impl Crowd {
    fn connect(server: &Server, count: usize) -> Self {
        Self((0..count).map(|_| raw_websocket(server, ACTION)).collect())
    }

    /// Reads all that comes to each until `until` holds of the number of bytes it got. Returns what they got.
    fn drain(&mut self, mut until: impl FnMut(usize, &[u8]) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut buffer = vec![0; 1 << 20];
        let mut waiting: Vec<usize> = (0..self.0.len()).collect();
        self.0.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
        while !waiting.is_empty() {
            assert!(Instant::now() < deadline, "{} of the crowd wait in vain", waiting.len());
            waiting.retain(|&member| match self.0[member].read(&mut buffer) {
                Ok(0) => panic!("member {member} was disconnected"),
                Ok(count) => !until(member, &buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => true,
                Err(error) => panic!("member {member}: {error}"),
            });
        }
        self.0.iter().for_each(|stream| stream.set_nonblocking(false).unwrap());
    }

    /// Has all join `room`, a part at a time, so that what all are told of all does not pile up.
    fn join(&mut self, room: &str) {
        let join = frame(TEXT, format!(r#"{{"action":"join","room":"{room}"}}"#).as_bytes());
        let count = self.0.len();
        for start in (0..count).step_by(500) {
            let end = (start + 500).min(count);
            for stream in &mut self.0[start..end] {
                stream.write_all(&join).unwrap();
            }
            // The last to join is told by its own reply alone; all others hear of the last.
            let mut rest: Vec<Vec<u8>> = vec![Vec::new(); end];
            let last = format!(r#""user_id":"{}"}}"#, self.id_of(end - 1));
            let mut part = Self(self.0.drain(..end).collect());
            part.drain(|member, bytes| {
                let tail = &mut rest[member];
                tail.extend_from_slice(bytes);
                let wanted: &[u8] = if member == end - 1 { br#"{"action":"join","room":"# } else { last.as_bytes() };
                let found = contains(tail, wanted);
                tail.drain(..tail.len().saturating_sub(100));
                found
            });
            part.0.append(&mut self.0);
            self.0 = part.0;
        }
    }

    /// Connection ids are given in order, and here nobody else connects.
    fn id_of(&self, member: usize) -> usize {
        member
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn ten_thousand_in_one_room() {
    let _alone = alone();
    let server = Server::unlimited(&[]);
    let (base_memory, base_descriptors) = (server.resident_bytes(), server.open_descriptors());
    let mut crowd = Crowd::connect(&server, CROWD);
    crowd.drain(|_, bytes| bytes.ends_with(b"\"}"));
    let idle = (server.resident_bytes() - base_memory) / CROWD as u64;
    println!("{idle} bytes of resident memory per idle connection");
    assert!(idle <= BYTES_PER_IDLE_CONNECTION, "{idle} bytes per idle connection");

    crowd.join("everybody");
    let started = Instant::now();
    crowd.0[0].write_all(&frame(TEXT, br#"{"action":"room_message","message":"to all"}"#)).unwrap();
    crowd.drain(|_, bytes| bytes.ends_with(br#""message":"to all"}"#));
    println!("one message to {} others: {:?}", CROWD - 1, started.elapsed());

    drop(crowd);
    wait_until("the descriptors to be closed", || server.open_descriptors() <= base_descriptors);
    // Once more, so that what a first crowd leaves as room for a second is not taken for a leak.
    let after_first = server.resident_bytes();
    let crowd = Crowd::connect(&server, CROWD);
    drop(crowd);
    wait_until("the descriptors to be closed", || server.open_descriptors() <= base_descriptors);
    let after_second = server.resident_bytes();
    println!("resident: {base_memory} before, {after_first} after one crowd, {after_second} after two");
    assert!(after_second <= after_first + (1 << 20), "memory grows from crowd to crowd");
    let (mut client, _) = server.join_in();
    client.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":[]}"#);
}

#[test]
fn a_hundred_thousand_come_and_go_while_others_write_to_them() {
    let _alone = alone();
    let server = Server::unlimited(&[]);
    let (mut writer, own_id) = server.join_in();
    let own_id: u64 = own_id.parse().unwrap();
    let base_descriptors = server.open_descriptors();
    let mut past = Vec::new();
    let mut settled_memory = 0;
    for round in 0..1_000 {
        let mut guests: Vec<TcpStream> = (0..100).map(|_| guest(&server)).collect();
        let first = own_id + 1 + round * 100;
        // Somebody who left rounds ago, whose slot a guest of this round has now.
        for &id in past.iter().rev().take(20) {
            writer.ask(
                &format!(r#"{{"action":"private_message","user_id":"{id}","message":"for a ghost"}}"#),
                &format!(r#"{{"action":"error","message":"user {id} is not on the server"}}"#),
            );
        }
        for guest in &mut guests {
            guest.write_all(&common::frame(common::CLOSE, &[])).unwrap();
        }
        for mut guest in guests {
            // All that a guest ever gets: its welcome, and the close frame.
            let (opcode, welcome) = common::read_frame(&mut guest).unwrap();
            assert!(opcode == TEXT && welcome.starts_with(br#"{"action":"connection""#));
            assert_eq!(common::read_frame(&mut guest), Some((common::CLOSE, Vec::new())));
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

fn guest(server: &Server) -> TcpStream {
    raw_websocket(server, ACTION)
}

#[test]
fn a_million_rooms_leave_nothing() {
    let _alone = alone();
    let server = Server::unlimited(&[]);
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
    client.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["room 999 999"]}"#);
}
