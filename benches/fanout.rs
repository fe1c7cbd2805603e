//! Fan-out over real loopback sockets: one message to a room of 10 to 10,000 members, until the last has it. The server is
//! the real binary in a process of its own; the members are read by this process, whose reading is part of the time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{Server, TEXT, frame, read_frame, room_of};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mio::{Events, Interest, Poll, Token};

/// A room whose members are read through one poll.
struct Room {
    poll: Poll,
    events: Events,
    members: Vec<mio::net::TcpStream>,
    /// The size of the frame that each member but the sender gets, and of the sender's reply.
    sizes: [usize; 2],
    request: Vec<u8>,
}

impl Room {
    fn of(server: &Server, members: usize, text: &str) -> Self {
        let mut streams = room_of(server, members);
        let request = frame(TEXT, format!(r#"{{"action":"room_message","message":"{text}"}}"#).as_bytes());
        streams[0].write_all(&request).unwrap();
        let mut size = |member: usize| loop {
            let (_, payload) = read_frame(&mut streams[member]).unwrap();
            if payload.starts_with(br#"{"action":"room_message""#) {
                break payload.len() + if payload.len() < 126 { 2 } else { 4 };
            }
        };
        let sizes = [size(1), size(0)];
        for member in 2..members {
            size(member);
        }
        let poll = Poll::new().unwrap();
        let register = |(index, stream): (usize, TcpStream)| {
            stream.set_nonblocking(true).unwrap();
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE).unwrap();
            stream
        };
        let members = streams.into_iter().enumerate().map(register).collect();
        Self { poll, events: Events::with_capacity(4_096), members, sizes, request }
    }

    /// The first member says it, and all have it when this returns.
    fn say(&mut self) {
        self.members[0].write_all(&self.request).unwrap();
        let mut missing = self.sizes[0] * (self.members.len() - 1) + self.sizes[1];
        let mut buffer = [0; 4_096];
        while missing > 0 {
            self.poll.poll(&mut self.events, Some(Duration::from_secs(10))).unwrap();
            for event in &self.events {
                while let Ok(count) = self.members[event.token().0].read(&mut buffer) {
                    missing -= count;
                    if count < buffer.len() {
                        break;
                    }
                }
            }
        }
    }
}

fn fan_out(criterion: &mut Criterion) {
    common::raise_descriptor_limit();
    let mut group = criterion.benchmark_group("fan-out");
    group.sample_size(20);
    for members in [10, 100, 1_000, 10_000] {
        let server = Server::unlimited(&[]);
        let mut room = Room::of(&server, members, &"x".repeat(64));
        group.throughput(Throughput::Elements(members as u64));
        group.bench_function(format!("{members} members"), |bencher| bencher.iter(|| room.say()));
    }
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
