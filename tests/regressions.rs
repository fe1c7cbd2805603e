//! Faults that were found by trying to break the server, each once mended and kept so.
//!
//! A binary of its own: some of these keep the processors busy, one at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::crowd::alone;
use crate::common::{
    ACTION, ECHO, Server, TEXT, frame, raw_websocket, read_close, read_frame, room_of, say, wait_until,
};

/// While the server is stopped, things pile up for one turn.
fn stopped(server: &Server, meanwhile: impl FnOnce()) {
    server.signal("STOP");
    meanwhile();
    server.signal("CONT");
}

/// A connection that ended and one of its deadlines, met in the same turn, freed the slot twice.
#[test]
fn an_end_and_a_deadline_may_come_together() {
    let server = Server::start(&["--handshake", "200ms", "--ping", "200ms", "--pong", "200ms"]);
    let pause = || std::thread::sleep(Duration::from_millis(250));
    for half_a_head in ["", "GET / HT"] {
        let mut stream = server.raw();
        stream.write_all(half_a_head.as_bytes()).unwrap();
        stopped(&server, || {
            drop(stream);
            pause();
        });
        server.settle();
    }
    let mut stream = raw_websocket(&server, ECHO);
    assert_eq!(read_frame(&mut stream).unwrap().0, crate::common::PING);
    stopped(&server, || {
        drop(stream);
        pause();
    });
    server.settle();
    assert!(server.get("/health", &[]).contains("200 OK"));
}

/// Many clients that each ask for a long list, all in one turn, made the server hold all the lists at once.
#[test]
fn long_replies_are_paced() {
    let _alone = alone(10);
    const CLIENTS: usize = 200;
    const REQUESTS: usize = 60;
    let server = Server::unlimited(&["--outbox", "64KiB"]);
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| raw_websocket(&server, ACTION)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let join = format!(r#"{{"action":"join","room":"{number:04}{}"}}"#, "👋".repeat(60));
        client.write_all(&frame(TEXT, join.as_bytes())).unwrap();
        while !read_frame(client).unwrap().1.starts_with(br#"{"action":"join""#) {}
    }
    let before = server.resident_bytes();
    stopped(&server, || {
        for client in &mut clients {
            client.write_all(&frame(TEXT, br#"{"action":"rooms"}"#).repeat(REQUESTS)).unwrap();
        }
    });
    let mut most = 0;
    for client in &mut clients {
        // Whoever does not read in time is told so; what counts here is what the server holds meanwhile.
        while let Some((opcode, _)) = read_frame(client)
            && opcode == TEXT
        {
            most = most.max(server.resident_bytes());
        }
        if most > 0 {
            break;
        }
    }
    // Each of the lists is 49 KB, and all of them 590 MB.
    let grown = most.saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes for long replies");
}

/// The pause was so long that a small burst did not make up for it. A machine that does something else can only make it
/// longer, so it may be tried again.
#[test]
fn a_small_burst_does_not_lower_the_rate() {
    let server = Server::start(&["--rate", "200", "--burst", "1"]);
    let time_of_200 = || {
        let mut stream = raw_websocket(&server, ECHO);
        let started = Instant::now();
        stream.write_all(&frame(TEXT, b"x").repeat(200)).unwrap();
        (0..200).for_each(|_| drop(read_frame(&mut stream).unwrap()));
        let time = started.elapsed().as_millis();
        println!("200 messages at 200 a second took {time} ms");
        assert!(time >= 900, "{time} ms");
        time
    };
    assert!((0..3).any(|_| time_of_200() < 2_000));
}

/// Once a turn's budget was spent, the same connections came first again, and others waited for seconds.
#[test]
fn a_spent_turn_goes_on_with_those_who_waited() {
    let _alone = alone(1600);
    let server = Server::unlimited(&[]);
    let mut room = room_of(&server, 1_500);
    let readers: Vec<TcpStream> = room.iter().map(|member| member.try_clone().unwrap()).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopAtTheEnd(&stop);
        scope.spawn(|| drain_until(readers, &stop));
        for flooder in room.iter_mut().take(24) {
            let stop = &stop;
            scope.spawn(move || {
                let flood = frame(TEXT, br#"{"action":"room_message","message":"x"}"#).repeat(50);
                while !stop.load(Ordering::Relaxed) && flooder.write_all(&flood).is_ok() {}
            });
        }
        let mut victim = raw_websocket(&server, ECHO);
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let started = Instant::now();
            victim.write_all(&frame(TEXT, b"me too")).unwrap();
            read_frame(&mut victim).unwrap();
            slowest = slowest.max(started.elapsed());
        }
        println!("the slowest of 10 echoes during a flood: {slowest:?}");
        assert!(slowest < Duration::from_secs(2), "an echo took {slowest:?}");
    });
}

/// Lets the other threads end also when this one fails.
struct StopAtTheEnd<'a>(&'a AtomicBool);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn drain_until(readers: Vec<TcpStream>, stop: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    readers.iter().for_each(|reader| reader.set_nonblocking(true).unwrap());
    while !stop.load(Ordering::Relaxed) {
        for mut reader in &readers {
            let _ = std::io::Read::read(&mut reader, &mut buffer);
        }
    }
    readers.iter().for_each(|reader| drop(reader.shutdown(std::net::Shutdown::Both)));
}

/// Pongs that had arrived while the loop stood still were not looked at before their deadline was.
#[test]
fn a_stall_is_not_held_against_those_who_answered() {
    let _alone = alone(1600);
    let server = Server::start(&["--ping", "500ms", "--pong", "2s"]);
    let mut clients: Vec<TcpStream> = (0..1_500).map(|_| raw_websocket(&server, ECHO)).collect();
    for client in &mut clients {
        assert_eq!(read_frame(client).unwrap().0, crate::common::PING);
    }
    stopped(&server, || {
        for client in &mut clients {
            client.write_all(&frame(0x8a, b"")).unwrap();
        }
        std::thread::sleep(Duration::from_millis(2_200));
    });
    for client in &mut clients {
        let (opcode, payload) = read_frame(client).unwrap();
        assert_eq!(opcode, crate::common::PING, "{}", String::from_utf8_lossy(&payload));
        client.write_all(&frame(0x8a, b"")).unwrap();
    }
}

/// What a room was told in one turn was held to no limit. More than a socket takes at once made slow readers of all
/// members, however fast they read.
#[test]
fn a_crowd_that_speaks_at_once_finds_nobody_slow() {
    let _alone = alone(200);
    const SPEAKERS: usize = 100;
    const TIMES: usize = 4;
    let server = Server::unlimited(&[]);
    let mut room = room_of(&server, SPEAKERS + 1);
    let mut listener = room.pop().unwrap();
    // As over a network, where the kernels don't hold megabytes for a connection.
    socket2::SockRef::from(&listener).set_recv_buffer_size(64 * 1024).unwrap();
    let text = "x".repeat(16_000);
    stopped(&server, || room.iter_mut().for_each(|speaker| (0..TIMES).for_each(|_| say(speaker, &text))));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopAtTheEnd(&stop);
        scope.spawn(|| drain_until(room, &stop));
        let mut heard = 0;
        while heard < SPEAKERS * TIMES {
            let (first, payload) = read_frame(&mut listener).unwrap();
            assert_eq!(first, TEXT, "after {heard} messages: {}", String::from_utf8_lossy(&payload));
            heard += usize::from(payload.starts_with(br#"{"action":"room_message""#));
        }
    });
    assert!(!server.log().contains("too slowly"), "{}", server.log());
}

/// A connection that was reset while it was not read from, for having sent too much, was kept until all was read.
#[test]
fn a_reset_counts_also_while_throttled() {
    let server = Server::start(&["--max-connections", "1", "--rate", "10", "--burst", "10"]);
    let mut stream = raw_websocket(&server, ECHO);
    stream.write_all(&frame(0x8a, b"").repeat(5_000)).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert!(server.get("/health", &[]).contains("200 OK"));
}

/// A ping is due also to those whose backlog is being worked off, so that a dead one does not live for ever.
#[test]
fn the_throttled_are_pinged_too() {
    let server = Server::start(&["--rate", "1000", "--burst", "10", "--ping", "300ms", "--pong", "300ms"]);
    let mut stream = raw_websocket(&server, ECHO);
    // Two seconds' worth, and then silence: the pings during the flood are answered by the flood itself.
    stream.write_all(&frame(0x8a, b"").repeat(2_000)).unwrap();
    let started = Instant::now();
    assert_eq!(read_frame(&mut stream).unwrap().0, crate::common::PING);
    assert!(started.elapsed() < Duration::from_millis(1_000), "no ping while throttled: {:?}", started.elapsed());
    assert_eq!(read_close(&mut stream), (1008, "a ping was not answered".into()));
    assert!(started.elapsed() > Duration::from_millis(1_900), "closed while it was still being read");
    wait_until("the slot to be free", || server.log().contains("a ping was not answered"));
}

/// The largest number that the setting takes made every request too large.
#[test]
fn any_number_of_headers_may_be_allowed() {
    let server = Server::start(&["--max-headers", &usize::MAX.to_string()]);
    assert!(server.get("/health", &["a: b"]).contains("200 OK"));
}

/// Answers to requests that came one behind the other were all made at once, however few of them the client read.
#[test]
fn answers_that_nobody_reads_are_not_piled_up() {
    let _alone = alone(10);
    const TIMES: usize = 30_000;
    let server = Server::unlimited(&[]);
    let mut stream = server.raw();
    let mut writer = stream.try_clone().unwrap();
    let base = server.resident_bytes();
    let requests = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(TIMES);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            writer.write_all(&requests).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        // Nothing more can be written, nothing more is read, and nobody spins.
        wait_until("the server to wait for its reader", || server.is_asleep());
        let cpu = server.cpu_time();
        std::thread::sleep(Duration::from_millis(300));
        assert!(server.cpu_time() - cpu <= Duration::from_millis(30), "the server spins");
        let grown = server.resident_bytes().saturating_sub(base);
        assert!(grown <= 4 << 20, "{grown} bytes are owed to one connection");
        let answers = crate::common::read_to_end(&mut stream);
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), TIMES);
    });
}

/// Requests over HTTP counted against nothing, so that one connection could keep the loop to itself.
#[test]
fn http_requests_are_counted_too() {
    let server = Server::start(&["--rate", "1000", "--burst", "10"]);
    let started = Instant::now();
    let mut requests = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500);
    requests.extend(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answers = server.exchange(requests);
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 501);
    assert!(started.elapsed() >= Duration::from_millis(450), "{:?}", started.elapsed());
}
