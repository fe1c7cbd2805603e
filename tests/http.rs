//! HTTP in raw bytes: the probe and its connection rules, the upgrade and its refusals, heads in pieces, heads too
//! large or too slow, foreign pages, and requests whose end could be understood in two ways.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::{ACTION, Client, ECHO, Server, TEXT, frame, read_frame, read_to_end, upgrade_request};

const PROBE: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

/// For what needs no waiting: far below the time that a closing connection is given.
const AT_ONCE: Duration = Duration::from_secs(2);

/// One answer, as it came.
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok()).expect("a status line")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// Reads one answer up to its body, and not a byte more.
fn read_head(stream: &mut impl Read) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    Answer { head: String::from_utf8(head).unwrap(), body: String::new() }
}

/// Reads one whole answer.
fn read_answer(stream: &mut impl Read) -> Answer {
    let mut answer = read_head(stream);
    let length = answer.header("content-length").and_then(|length| length.parse().ok()).expect("a content-length");
    stream.take(length).read_to_string(&mut answer.body).unwrap();
    assert_eq!(answer.body.len() as u64, length);
    answer
}

/// Sends `bytes` and reads the first answer to them.
fn ask(server: &Server, bytes: impl AsRef<[u8]>) -> Answer {
    let mut stream = server.raw();
    stream.write_all(bytes.as_ref()).unwrap();
    read_answer(&mut stream)
}

fn count_answers(text: &str) -> usize {
    text.matches("\r\ncontent-length: ").count()
}

/// The upgrade at `path` with `from` replaced by `to` in its head.
fn altered_upgrade(path: &str, from: &str, to: &str) -> String {
    let request = upgrade_request(path);
    assert!(request.contains(from));
    request.replace(from, to)
}

#[test]
fn the_probe_answers_get_and_head_on_one_connection() {
    let server = Server::start(&[]);
    let mut stream = server.raw();
    for _ in 0..3 {
        stream.write_all(PROBE.as_bytes()).unwrap();
        let got = read_answer(&mut stream);
        assert_eq!((got.status(), &*got.body, got.header("content-length")), (200, "ok\n", Some("3")));
        stream.write_all(PROBE.replace("GET", "HEAD").as_bytes()).unwrap();
        assert_eq!(read_head(&mut stream).head, got.head);
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut stream), "", "a body came after the answer to HEAD");
}

#[test]
fn pipelined_requests_are_answered_in_order_until_one_closes() {
    let server = Server::start(&[]);
    let get = |path, header| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n");
    let (health, nowhere) = (get("/health", ""), get("/nowhere", ""));
    let (head, last) = (PROBE.replace("GET", "HEAD"), get("/health", "Connection: close\r\n"));
    let mut stream = server.raw();
    stream.write_all([&*health, &nowhere, &head, &get("/echo", ""), &last, &nowhere].concat().as_bytes()).unwrap();
    assert_eq!([200, 404], [(); 2].map(|()| read_answer(&mut stream).status()));
    assert_eq!(read_head(&mut stream).status(), 200);
    assert_eq!([426, 200], [(); 2].map(|()| read_answer(&mut stream).status()));
    assert_eq!(read_to_end(&mut stream), "", "something came after the answer that closes");
}

#[test]
fn a_connection_lives_on_where_http_says_so() {
    let server = Server::start(&[]);
    let lives = ["", "\r\nContent-Length: 0", "\r\nConnection: closed"];
    let ends = ["\r\nConnection: close", "\r\nConnection: x,\tCLOSE", "\r\nConnection: x\r\nConnection: close"];
    let (old_lives, old_ends) = (["\r\nConnection: Keep-Alive"], [""]);
    let new = "HTTP/1.1\r\nHost: x";
    let cases = [(new, &lives[..], 2), (new, &ends, 1), ("HTTP/1.0", &old_lives, 2), ("HTTP/1.0", &old_ends, 1)];
    for (version, headers, answers) in cases {
        for header in headers {
            let text = server.exchange(format!("GET /health {version}{header}\r\n\r\n{PROBE}"));
            assert_eq!(count_answers(&text), answers, "{version}{header}");
            assert_eq!(text.contains("connection: close\r\n"), answers == 1, "{version}{header}");
        }
    }
}

#[test]
fn paths_are_exact() {
    let server = Server::start(&[]);
    let probe = ["/health", "/health?", "/health?a=/echo&b", "http://x/health", "http://elsewhere:1/health?a"];
    let sockets = ["/echo", "/echo?a=b", "http://x/echo", ACTION];
    let nothing = ["/health/", "/Health", "//health", "/%68ealth", "/nowhere", "/nowhere?/health", "/echo/", "/ECHO"];
    let elsewhere = ["/chatserver", "/chatserver/", "/chatserver//connect", "/chatserver/connect/"];
    for (status, paths) in [(200, &probe[..]), (426, &sockets), (404, &nothing), (404, &elsewhere)] {
        for path in paths {
            let answer = ask(&server, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(answer.header("upgrade"), (status == 426).then_some("websocket"), "{path}");
        }
    }
}

#[test]
fn the_probe_takes_no_other_method() {
    let server = Server::start(&[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"] {
        let answer = ask(&server, PROBE.replace("GET", method));
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[test]
fn who_has_finished_sending_is_answered_and_let_go_at_once() {
    let server = Server::start(&[]);
    let descriptors = server.open_descriptors();
    let upgrade = upgrade_request(ECHO);
    let bad = PROBE.replace("Host", "Host ");
    for (request, status) in [(PROBE, "200"), (&*upgrade, "101"), (&*bad, "400"), ("", ""), ("GET /hea", "")] {
        let started = Instant::now();
        let text = server.exchange(request);
        assert_eq!(text.get(9..12).unwrap_or_default(), status, "{request}");
        common::wait_until("the descriptor to be freed", || server.open_descriptors() == descriptors);
        assert!(started.elapsed() < AT_ONCE, "{request} took {:?}", started.elapsed());
    }
}

#[test]
fn a_reset_in_the_middle_of_a_head_leaks_nothing() {
    let server = Server::start(&[]);
    let descriptors = server.open_descriptors();
    for cut in 0..PROBE.len() {
        let mut stream = server.raw();
        stream.write_all(&PROBE.as_bytes()[..cut]).unwrap();
        if cut % 2 == 0 {
            server.settle();
        }
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
    server.settle();
    common::wait_until("the descriptors to be freed", || server.open_descriptors() == descriptors);
}

#[test]
fn an_upgrade_is_answered_as_the_standard_shows_it() {
    let server = Server::start(&[]);
    let connection = "Connection: Upgrade";
    let cases = [
        (connection, "Connection: keep-alive, Upgrade"),
        (connection, "connection:upgrade"),
        (connection, "Connection: keep-alive\r\nConnection: Upgrade"),
        ("Upgrade: websocket", "UPGRADE: WebSocket"),
        ("GET /echo", "GET http://x/echo?a=b"),
        // Compression isn't spoken, so that no small message can become a large one.
        (connection, "Connection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate"),
        (connection, "Connection: Upgrade\r\nSec-WebSocket-Protocol: chat"),
    ];
    for (from, to) in cases {
        let mut stream = server.raw();
        stream.write_all(altered_upgrade(ECHO, from, to).as_bytes()).unwrap();
        let answer = read_head(&mut stream);
        assert_eq!(answer.status(), 101, "{to}");
        assert!(answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")), "{to}");
        assert!(answer.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")), "{to}");
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(answer.header("sec-websocket-extensions"), None);
        assert_eq!(answer.header("sec-websocket-protocol"), None);
    }
}

#[test]
fn a_wrong_upgrade_is_refused() {
    let server = Server::start(&[]);
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for bad in ["", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j", "!GhlIHNhbXBsZSBub25jZQ=="] {
        assert_eq!(ask(&server, altered_upgrade(ECHO, key, bad)).status(), 400, "{bad:?}");
    }
    let cases = [
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("Connection: Upgrade\r\n", "", 400),
        ("Connection: Upgrade", "Connection: keep-alive", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("Sec-WebSocket-Version: 13\r\n", "", 400),
        ("Version: 13", "Version: 8", 426),
        ("Version: 13", "Version: 14", 426),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
    ];
    for (from, to, status) in cases {
        let answer = ask(&server, altered_upgrade(ECHO, from, to));
        assert_eq!(answer.status(), status, "{from} {to}");
        assert_eq!(answer.header("sec-websocket-version"), (status == 426).then_some("13"), "{from} {to}");
    }
}

/// Sends `bytes` over a connection for each place to cut them at, in two pieces that the server reads apart, and over
/// one more connection byte by byte.
fn send_in_pieces(server: &Server, bytes: &[u8]) -> Vec<TcpStream> {
    let mut streams = server.many_raw(bytes.len());
    for (cut, stream) in streams.iter_mut().enumerate().skip(1) {
        stream.write_all(&bytes[..cut]).unwrap();
    }
    for byte in bytes {
        server.settle();
        streams[0].write_all(&[*byte]).unwrap();
    }
    for (cut, stream) in streams.iter_mut().enumerate().skip(1) {
        stream.write_all(&bytes[cut..]).unwrap();
    }
    streams
}

#[test]
fn a_handshake_may_come_in_any_pieces() {
    let server = Server::start(&[]);
    let glued = [upgrade_request(ECHO).as_bytes(), &frame(TEXT, b"first")].concat();
    for mut stream in send_in_pieces(&server, &glued) {
        assert_eq!(read_head(&mut stream).status(), 101);
        assert_eq!(read_frame(&mut stream), Some((TEXT, b"first".to_vec())));
    }
    let glued = [upgrade_request(ACTION).as_bytes(), &frame(TEXT, br#"{"action":"rooms"}"#)].concat();
    for mut stream in send_in_pieces(&server, &glued) {
        assert_eq!(read_head(&mut stream).status(), 101);
        let (_, welcome) = read_frame(&mut stream).unwrap();
        assert!(welcome.starts_with(br#"{"action":"connection","user_id":""#));
        assert_eq!(read_frame(&mut stream), Some((TEXT, br#"{"action":"rooms","rooms":[]}"#.to_vec())));
    }
}

#[test]
fn requests_may_come_in_any_pieces() {
    let server = Server::start(&[]);
    // The empty line in front is one that a server should overlook.
    let requests = format!("\r\n{PROBE}{}{PROBE}", PROBE.replace("/health", "/nowhere"));
    for mut stream in send_in_pieces(&server, requests.as_bytes()) {
        assert_eq!([200, 404, 200], [(); 3].map(|()| read_answer(&mut stream).status()));
    }
}

/// A probe whose head has that many bytes, in that many headers.
fn probe_of(bytes: usize, headers: usize) -> String {
    let lines = "a: b\r\n".repeat(headers - 2);
    let rest = bytes - PROBE.len() - lines.len() - "c: \r\n".len();
    let head = PROBE.replace("\r\n\r\n", &format!("\r\n{lines}c: {}\r\n\r\n", "x".repeat(rest)));
    assert_eq!((head.len(), head.matches(": ").count()), (bytes, headers));
    head
}

#[test]
fn a_head_has_limits() {
    let server = Server::start(&[]);
    let cases = [
        (probe_of(16_384, 2), 200),
        (probe_of(16_385, 2), 431),
        (probe_of(1_024, 100), 200),
        (probe_of(1_024, 101), 431),
        (probe_of(100_000, 10_000), 431),
        (format!("GET /{}", "x".repeat(20_000)), 431),
    ];
    for (head, status) in cases {
        let mut stream = server.raw();
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream).status(), status, "{} bytes", head.len());
        if status == 431 {
            // Sending isn't finished, so that it is the server that ends this.
            let _ = stream.write_all(PROBE.as_bytes());
            assert_eq!(read_to_end(&mut stream), "");
        }
    }
}

#[test]
fn an_endless_header_is_refused_early_and_costs_little() {
    let server = Server::start(&[]);
    let before = server.cpu_time();
    let mut stream = server.raw();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nEndless: ").unwrap();
    let piece = [b'x'; 1024];
    for _ in 0..16 {
        stream.write_all(&piece).unwrap();
    }
    assert_eq!(read_answer(&mut stream).status(), 431);
    let rest = (0..20_000).take_while(|_| stream.write_all(&piece).is_ok()).count();
    drop(stream);
    server.settle();
    let cpu = server.cpu_time() - before;
    assert!(cpu < Duration::from_secs(1), "{cpu:?} for {rest} more pieces");
}

/// What it costs the server to read `bytes` one by one.
fn cost_byte_by_byte(server: &Server, bytes: &str) -> Duration {
    let mut stream = server.raw();
    let before = server.cpu_time();
    for byte in bytes.as_bytes().chunks(1) {
        stream.write_all(byte).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let text = read_to_end(&mut stream);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    server.cpu_time() - before
}

#[test]
fn the_cost_of_a_head_is_linear_in_its_bytes() {
    let server = Server::start(&[]);
    // As many bytes, in one head and in many.
    let many = cost_byte_by_byte(&server, &probe_of(256, 2).repeat(64));
    let one = cost_byte_by_byte(&server, &probe_of(16_384, 2));
    assert!(one < many * 3 + Duration::from_millis(100), "{one:?} for one head, {many:?} for many small ones");
}

/// How long it takes until the end of the stream, and what came.
fn time_to_end(mut stream: TcpStream) -> (Duration, String) {
    let started = Instant::now();
    let text = read_to_end(&mut stream);
    (started.elapsed(), text)
}

#[test]
fn a_request_has_to_come_in_time() {
    let server = Server::start(&["--handshake", "1s", "--drain", "300ms"]);
    let silent = server.raw();
    let mut idle = server.raw();
    idle.write_all(PROBE.as_bytes()).unwrap();
    let mut trickler = server.raw();
    let mut sender = trickler.try_clone().unwrap();
    trickler.write_all(b"GET /").unwrap();
    let ends = thread::scope(|scope| {
        // Each byte that arrives is no reason to wait longer.
        scope.spawn(move || {
            while sender.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(50))
            }
        });
        [silent, idle, trickler].map(|stream| scope.spawn(|| time_to_end(stream))).map(|end| end.join().unwrap())
    });
    for ((time, text), status) in ends.iter().zip(["", "200", "408"]) {
        assert_eq!(text.get(9..12).unwrap_or_default(), status, "{text}");
        assert_eq!(count_answers(text), usize::from(!status.is_empty()), "{text}");
        assert!((900..2_500).contains(&time.as_millis()), "{status:?} after {time:?}");
    }
}

/// The median time of a round trip, over `time`.
fn median_round_trip(client: &mut Client, time: Duration) -> Duration {
    let started = Instant::now();
    let mut times = Vec::new();
    while started.elapsed() < time {
        let asked = Instant::now();
        client.ask("there?", "there?");
        times.push(asked.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

#[test]
fn tricklers_disturb_nobody() {
    let server = Server::unlimited(&["--handshake", "1s"]);
    let mut client = server.connect(ECHO);
    let alone = median_round_trip(&mut client, Duration::from_millis(200));
    let mut tricklers = server.many_raw(300);
    let crowded = thread::scope(|scope| {
        let measure = scope.spawn(|| median_round_trip(&mut client, Duration::from_millis(1_500)));
        while !measure.is_finished() {
            tricklers.iter_mut().for_each(|trickler| drop(trickler.write_all(b"x")));
            thread::sleep(Duration::from_millis(100));
        }
        measure.join().unwrap()
    });
    assert!(crowded < alone * 10 + Duration::from_millis(5), "{alone:?} alone, {crowded:?} among tricklers");
    for mut trickler in tricklers {
        let text = read_to_end(&mut trickler);
        assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    }
    assert!(server.log().lines().count() < 5, "{}", server.log());
}

/// The status that a page of these origins gets at every WebSocket path, being on the host `chat.example`.
fn upgrade_status(server: &Server, origins: &[&str]) -> u16 {
    let lines: String = origins.iter().map(|origin| format!("\r\nOrigin: {origin}")).collect();
    let [action, echo] = [ACTION, ECHO].map(|path| {
        let mut stream = server.raw();
        stream.write_all(altered_upgrade(path, "Host: x", &format!("Host: chat.example{lines}")).as_bytes()).unwrap();
        read_head(&mut stream).status()
    });
    assert_eq!(action, echo, "{origins:?}");
    action
}

#[test]
fn foreign_pages_are_refused_before_the_upgrade() {
    let server = Server::start(&["--allow-origins", "https://good.com"]);
    let same_host = ["http://chat.example", "https://chat.example", "HTTP://CHAT.EXAMPLE"];
    let listed = ["https://good.com", "https://GOOD.com:443"];
    let foreign = ["http://evil.com", "null", "", "http://chat.example:8000", "http://good.com", "file://"];
    let tricks = ["http://chat.example.evil.com", "https://good.com.evil.com", "http://evilchat.example"];
    let more_tricks =
        ["http://chat.example@evil.com", "https://evil.com/https://good.com", "https://good.com https://evil.com"];
    assert_eq!(upgrade_status(&server, &[]), 101);
    for (status, origins) in
        [(101, &same_host[..]), (101, &listed), (403, &foreign), (403, &tricks), (403, &more_tricks)]
    {
        for origin in origins {
            assert_eq!(upgrade_status(&server, &[origin]), status, "{origin}");
        }
    }
    for second in ["https://evil.com", "https://good.com"] {
        assert_eq!(upgrade_status(&server, &["https://good.com", second]), 403, "{second}");
    }
}

#[test]
fn pages_of_this_machine_are_welcome_while_only_it_can_connect() {
    let mut command = common::roomcast();
    command.args(["serve", "--listen", "0.0.0.0:0"]);
    let mut open = Server::spawn(command);
    open.address = SocketAddr::from(([127, 0, 0, 1], open.address.port()));
    let closed = Server::start(&[]);
    for origin in ["http://localhost:3000", "http://127.0.0.1:5173", "https://[::1]", "http://LOCALHOST"] {
        assert_eq!(upgrade_status(&closed, &[origin]), 101, "{origin}");
        assert_eq!(upgrade_status(&open, &[origin]), 403, "{origin}");
    }
    assert_eq!(upgrade_status(&closed, &["http://localhost.evil.com"]), 403);
    assert_eq!(upgrade_status(&open, &["http://chat.example"]), 101);
}

/// `request` gets exactly one answer, and the connection ends by the server's doing; the request behind it gets none.
fn expect_only(server: &Server, request: &[u8], status: u16) {
    let shown = String::from_utf8_lossy(request);
    let mut stream = server.raw();
    stream.write_all(&[request, PROBE.as_bytes()].concat()).unwrap();
    let (time, text) = time_to_end(stream);
    assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {text}");
    assert_eq!(count_answers(&text), 1, "{shown:?}: {text}");
    assert!(text.contains("connection: close\r\n"), "{shown:?}: {text}");
    assert!(time < AT_ONCE, "{shown:?}: {time:?}");
}

#[test]
fn headers_that_could_be_understood_in_two_ways_are_refused() {
    let server = Server::start(&[]);
    let lengths = ["+5", "-1", "5,5", "5 5", "0x5", "", "99999999999999999999", "4\r\nContent-Length: 4"];
    let codings = ["gzip", "identity", "gzip, chunked", "chunked, chunked", "xchunked", "\"chunked\"", "chunked;q=1"];
    let more_codings = ["", "\x0bchunked", "chunked\r\nTransfer-Encoding: chunked", "chunked\r\nContent-Length: 4"];
    let lines = ["a: b\r\n folded", "a: b\r\n\tfolded", " a: b", "a b: c", "a", ": a", "a : b", "a\t: b", "Host: x"];
    let values = ["b\nTransfer-Encoding: chunked", "b\rc", "b\0c"];
    let names = ["Content-Length: ", "Transfer-Encoding: ", "Transfer-Encoding: ", "", "a: "];
    for (name, rests) in names.iter().zip([&lengths[..], &codings, &more_codings, &lines, &values]) {
        for rest in rests {
            let request = format!("POST /health HTTP/1.1\r\nHost: x\r\n{name}{rest}\r\n\r\n");
            expect_only(&server, request.as_bytes(), 400);
        }
    }
}

#[test]
fn malformed_requests_are_refused() {
    let server = Server::start(&[]);
    for version in ["HTTP/2.0", "HTTP/9.9", "http/1.1", "alth HTTP/1.1"] {
        expect_only(&server, format!("GET /health {version}\r\nHost: x\r\n\r\n").as_bytes(), 505);
    }
    expect_only(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    let cases: [&[u8]; 13] = [
        b"GET /health HTTP/1.10\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /health\r\nHost: x\r\n\r\n",
        b"GET /hea\xfflth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /hea\0lth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"G@T /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b" GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ];
    for request in cases {
        expect_only(&server, request, 400);
    }
}

#[test]
fn a_body_is_never_taken_for_a_request() {
    let server = Server::start(&[]);
    let length = format!("Content-Length: {}\r\n\r\n", PROBE.len());
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{:x};extension=1\r\n{PROBE}\r\n0\r\n\r\n", PROBE.len());
    let waiting = format!("Expect: 100-continue\r\n{length}");
    for rest in [length, chunked, "Transfer-Encoding: Chunked\r\n\r\n".into(), waiting] {
        expect_only(&server, format!("POST /health HTTP/1.1\r\nHost: x\r\n{rest}").as_bytes(), 405);
        expect_only(&server, format!("GET /health HTTP/1.1\r\nHost: x\r\n{rest}").as_bytes(), 200);
    }
}

#[test]
fn an_upgrade_has_no_body() {
    let server = Server::start(&[]);
    // Else a proxy in front takes for the body of a request what is a frame to the server.
    for header in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let request = altered_upgrade(ECHO, "Host: x", &format!("Host: x\r\n{header}"));
        expect_only(&server, request.as_bytes(), 400);
    }
}
