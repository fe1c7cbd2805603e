//! Event streams as HTTP has them, and what becomes of those who don't read, or write what nobody asked for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::common::stream::{CONNECTED, Listener, post, saying};
use crate::common::{PATIENCE, Server, roomcast, scratch_dir, wait_until};

const HEAD: &str = "HTTP/1.1 200 OK\r\nx-accel-buffering: no\r\nvary: Origin\r\ncontent-type: text/event-stream\r\n\
                    cache-control: no-store\r\nconnection: close\r\n\r\n";

/// The value of a metric, by its name and labels as they are printed.
fn metric(server: &Server, name: &str) -> u64 {
    let metrics = server.get("/metrics", &[]);
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in {metrics}")).parse().unwrap()
}

fn listeners(server: &Server) -> u64 {
    metric(server, "roomcast_connections{dialect=\"stream\"}")
}

#[test]
fn a_stream_begins_to_the_letter() {
    let server = Server::start(&[]);
    for version in ["1.1", "1.0"] {
        let request = format!("GET /stream HTTP/{version}\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
        let mut listener = Listener::over(server.raw(), &request);
        assert_eq!(listener.head, HEAD);
        let first = listener.block().unwrap();
        let (id, rest) = first.split_once("data: ").unwrap();
        assert!(id == "retry: 3000\nid: 0.0\n" || version == "1.0", "{first:?}");
        assert_eq!(rest, format!("{CONNECTED}\n\n"));
        let message = post(&server, "/message", "hello");
        let block = listener.block().unwrap();
        let (id, data) = block.split_once('\n').unwrap();
        assert_eq!(id, format!("id: {message}.0"));
        assert!(
            data.starts_with("data: {\"type\":\"new_message\",\"data\":{\"operation\":\"INSERT\",\"id\":"),
            "{data}"
        );
        assert!(data.ends_with("}}\n\n") && data.lines().count() == 2, "{data}");
    }
}

#[test]
fn a_quiet_stream_is_heard_of() {
    let server = Server::start(&["--ping", "200ms"]);
    let mut listener = Listener::to_lobby(&server);
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(listener.block().unwrap(), ":\n\n");
    }
    assert!(began.elapsed().as_millis() >= 500, "{:?}", began.elapsed());
    // Nobody who only listens can answer a ping, and nobody is sent away for that.
    post(&server, "/message", "still here");
    listener.expect("new_message", "still here");
}

#[test]
fn what_a_listener_says_is_thrown_away() {
    let server = Server::start(&[]);
    let post = saying("through the back door");
    let noise = [
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        format!("POST /message HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{post}", post.len()).into_bytes(),
        vec![0xff; 1 << 20],
    ];
    // In one packet with the request, and later.
    let request = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    let behind = [request.as_bytes(), &noise[0], &noise[1]].concat();
    let mut first = Listener::over(server.raw(), std::str::from_utf8(&behind).unwrap());
    let mut second = Listener::over(server.raw(), request);
    for listener in [&mut first, &mut second] {
        assert_eq!(listener.next().data, CONNECTED);
        assert_eq!(listener.head, HEAD);
    }
    for noise in &noise {
        second.stream().write_all(noise).unwrap();
    }
    server.settle();
    crate::common::stream::post(&server, "/message", "hello");
    for listener in [&mut first, &mut second] {
        listener.expect("new_message", "hello");
    }
}

#[test]
fn requests_before_a_stream_are_answered_before_it() {
    let server = Server::start(&[]);
    let post = saying("hello");
    let post = format!("POST /message HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{post}", post.len());
    let mut stream = server.raw();
    stream.write_all((post + "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    let mut came = String::new();
    while !came.ends_with("\n\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        came.push(byte[0].into());
    }
    let (first, second) = came.split_once(HEAD).expect("a stream");
    assert!(first.starts_with("HTTP/1.1 201 Created\r\n") && first.ends_with('}'), "{first}");
    assert_eq!(second, format!("retry: 3000\nid: 1.0\ndata: {CONNECTED}\n\n"));
}

#[test]
fn listeners_are_counted_while_they_are_there() {
    let server = Server::start(&[]);
    assert_eq!(listeners(&server), 0);
    let mut here: Vec<Listener> = (0..5).map(|_| Listener::to_lobby(&server)).collect();
    assert_eq!(listeners(&server), 5);
    let before = metric(&server, "roomcast_deliveries_total");
    post(&server, "/message", "to all");
    for listener in &mut here {
        listener.expect("new_message", "to all");
    }
    assert_eq!(metric(&server, "roomcast_deliveries_total"), before + 5);
    let descriptors = server.open_descriptors();
    drop(here);
    wait_until("them to be gone", || listeners(&server) == 0);
    assert_eq!(server.open_descriptors(), descriptors - 5);
}

/// All that can still be read of a connection that was cut.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn one_that_never_reads_is_sent_away_and_costs_the_others_nothing() {
    const OUTBOX: u64 = 256 * 1024;
    /// What the kernel's buffers may hold and what must be over soon.
    const MOST: usize = 4_000;
    const WARM_UP: usize = 200;
    // In a file, lest what is stored be taken for what is owed.
    let database = format!("sqlite:{}", scratch_dir().join("chat.db").display());
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--rate", "0", "--outbox", "256KiB", "--database", &database]);
    let server = Server::spawn(command);
    let mut reader = Listener::to_lobby(&server);
    let text = "x".repeat(16 * 1024);
    let body = saying(&text);
    let mut http = crate::common::http::Http::open(server.address).unwrap();
    let mut exchange = || {
        http.send("POST", "/message", &body).unwrap();
        assert_eq!(http.answer().unwrap().status, 201);
        reader.expect("new_message", &text);
    };
    (0..WARM_UP).for_each(|_| exchange());
    let memory = server.resident_bytes();
    let mut silent = server.raw();
    silent.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    wait_until("it to listen", || listeners(&server) == 2);
    let mut posted = 0;
    while listeners(&server) == 2 {
        assert!(posted < MOST, "whoever does not read is never disconnected");
        (0..20).for_each(|_| exchange());
        posted += 20;
    }
    let grown = server.resident_bytes().saturating_sub(memory);
    println!("{posted} messages of 16 KiB until it was disconnected; memory grew by {grown} bytes");
    assert!(grown <= OUTBOX + (1 << 20), "{grown} bytes");
    assert_eq!(metric(&server, "roomcast_closed_total{reason=\"slow_reader\"}"), 1);
    server.wait_for_log("reading too slowly: the outbox is full");
    // What it finds when it does read at last: whole events, and the end.
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let found = rest(&mut silent);
    assert!(found.ends_with("}}\n\n") && found.matches("\nid: ").count() < posted, "{}", &found[found.len() - 99..]);
    http.send("POST", "/message", saying("go on")).unwrap();
    assert_eq!(http.answer().unwrap().status, 201);
    reader.expect("new_message", "go on");
}
