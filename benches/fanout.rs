//! The paths of a message over real loopback sockets: to a room of 10 to 10,000, in batches, large, to a pair, and the
//! echo; each until the last recipient has it. The server is the real binary in a process of its own; its clients are
//! read by this process, whose reading is part of the time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{ECHO, Server, TEXT, frame, raw_websocket, read_frame, room_of};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use mio::{Events, Interest, Poll, Token};

/// Clients that are read through one poll.
struct Clients {
    poll: Poll,
    events: Events,
    streams: Vec<mio::net::TcpStream>,
}

impl Clients {
    fn new(streams: Vec<TcpStream>) -> Self {
        let poll = Poll::new().unwrap();
        let register = |(index, stream): (usize, TcpStream)| {
            stream.set_nonblocking(true).unwrap();
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE).unwrap();
            stream
        };
        let streams = streams.into_iter().enumerate().map(register).collect();
        Self { poll, events: Events::with_capacity(4_096), streams }
    }

    /// The first client sends `request`; returns when all have received `answers` bytes together.
    fn exchange(&mut self, request: &[u8], answers: usize) {
        self.streams[0].write_all(request).unwrap();
        let mut missing = answers;
        let mut buffer = vec![0; 256 * 1024];
        while missing > 0 {
            self.poll.poll(&mut self.events, Some(Duration::from_secs(10))).unwrap();
            for event in &self.events {
                while let Ok(count) = self.streams[event.token().0].read(&mut buffer) {
                    missing -= count;
                    if count < buffer.len() {
                        break;
                    }
                }
            }
        }
    }
}

/// Benches `count` messages of `size` bytes, sent in one write, to a room of so many members.
fn room(group: &mut BenchmarkGroup<'_, WallTime>, name: String, members: usize, count: usize, size: usize) {
    let server = Server::unlimited(&["--max-message", "16MiB", "--outbox", "64MiB"]);
    let mut streams = room_of(&server, members);
    let request = frame(TEXT, format!(r#"{{"action":"room_message","message":"{}"}}"#, "x".repeat(size)).as_bytes());
    streams[0].write_all(&request).unwrap();
    let mut length = |member: usize| loop {
        let (_, payload) = read_frame(&mut streams[member]).unwrap();
        if payload.starts_with(br#"{"action":"room_message""#) {
            break payload.len() + if payload.len() < 126 { 2 } else { 4 };
        }
    };
    let answers: usize = (0..members).map(&mut length).sum();
    let mut clients = Clients::new(streams);
    let requests = request.repeat(count);
    group.throughput(Throughput::Elements((members * count) as u64));
    group.bench_function(name, |bencher| bencher.iter(|| clients.exchange(&requests, answers * count)));
}

fn fan_out(criterion: &mut Criterion) {
    common::raise_descriptor_limit();
    let mut group = criterion.benchmark_group("fan-out");
    group.sample_size(20);
    for members in [2, 10, 100, 1_000, 10_000] {
        room(&mut group, format!("{members} members"), members, 1, 64);
    }
    room(&mut group, "1000 members, 64 messages at once".into(), 1_000, 64, 64);
    room(&mut group, "1000 members, 16 KiB".into(), 1_000, 1, 16_384);
    room(&mut group, "1000 members, 4 messages of 16 KiB at once".into(), 1_000, 4, 16_384);
}

fn echo(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("echo");
    for size in [64, 1_024, 16_384] {
        let server = Server::unlimited(&[]);
        let mut clients = Clients::new(vec![raw_websocket(&server, ECHO)]);
        let request = frame(TEXT, &vec![b'x'; size]);
        group.throughput(Throughput::Bytes(size as u64));
        // A client's frame has a mask of four bytes, the server's has none.
        group.bench_function(format!("{size} bytes"), |bencher| {
            bencher.iter(|| clients.exchange(&request, request.len() - 4));
        });
    }
}

criterion_group!(benches, fan_out, echo);
criterion_main!(benches);
