//! HTTP in raw bytes: the probe and its connection rules, the upgrade and its refusals, heads in pieces, heads too
//! large or too slow, foreign pages, and requests whose end could be understood in two ways.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{ACTION, Client, ECHO, Server, TEXT, frame, read_frame, read_to_end, upgrade_request};

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
    let at = |path| PROBE.replace("/health", path);
    let (head, last) = (PROBE.replace("GET", "HEAD"), PROBE.replace("Host: x", "Host: x\r\nConnection: close"));
    let mut stream = server.raw();
    stream.write_all([PROBE, &at("/nowhere"), &head, &at("/echo"), &last, PROBE].concat().as_bytes()).unwrap();
    assert_eq!([200, 404], [(); 2].map(|()| read_answer(&mut stream).status()));
    assert_eq!(read_head(&mut stream).status(), 200);
    assert_eq!([426, 200], [(); 2].map(|()| read_answer(&mut stream).status()));
    assert_eq!(read_to_end(&mut stream), "", "something came after the answer that closes");
}

#[test]
fn a_connection_lives_on_where_http_says_so() {
    let server = Server::start(&[]);
    let lives = ["1", "1\r\nContent-Length: 0", "1\r\nConnection: closed", "0\r\nConnection: Keep-Alive"];
    let ends = ["1\r\nConnection: close", "1\r\nConnection: x,\tCLOSE", "1\r\nConnection: x\r\nConnection: close", "0"];
    for (rests, answers) in [(lives, 2), (ends, 1)] {
        for rest in rests {
            let text = server.exchange(format!("GET /health HTTP/1.{rest}\r\nHost: x\r\n\r\n{PROBE}"));
            assert_eq!(count_answers(&text), answers, "HTTP/1.{rest}");
            assert_eq!(text.contains("connection: close\r\n"), answers == 1, "HTTP/1.{rest}");
        }
    }
    assert_eq!(count_answers(&server.exchange(format!("GET /health HTTP/1.0\r\n\r\n{PROBE}"))), 1, "without a host");
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
        crate::common::wait_until("the descriptor to be freed", || server.open_descriptors() == descriptors);
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
        (cut % 2 == 0).then(|| server.settle());
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
    server.settle();
    crate::common::wait_until("the descriptors to be freed", || server.open_descriptors() == descriptors);
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
        // Compression isn't spoken, so that no small message can become a large one.
        (connection, "Connection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate"),
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
    }
}

#[test]
fn a_wrong_upgrade_is_refused() {
    let server = Server::start(&[]);
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let cases = [
        (key, "", 400),
        (key, "dGhlIHNhbXBsZSBub25jZQ", 400),
        (key, "dGhlIHNhbXBsZSBub25j", 400),
        (key, "!GhlIHNhbXBsZSBub25jZQ==", 400),
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
    let glued = |path, text: &str| [upgrade_request(path).as_bytes(), &frame(TEXT, text.as_bytes())].concat();
    for mut stream in send_in_pieces(&server, &glued(ECHO, "first")) {
        assert_eq!(read_head(&mut stream).status(), 101);
        assert_eq!(read_frame(&mut stream), Some((TEXT, b"first".to_vec())));
    }
    for mut stream in send_in_pieces(&server, &glued(ACTION, r#"{"action":"rooms"}"#)) {
        assert_eq!(read_head(&mut stream).status(), 101);
        let (_, welcome) = read_frame(&mut stream).unwrap();
        assert!(welcome.starts_with(br#"{"action":"connection","user_id":""#));
        assert_eq!(read_frame(&mut stream), Some((TEXT, br#"{"action":"rooms","rooms":["lobby"]}"#.to_vec())));
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
    for head in [probe_of(16_384, 2), probe_of(1_024, 100)] {
        assert_eq!(ask(&server, &head).status(), 200, "{} bytes", head.len());
    }
    for head in [probe_of(16_385, 2), probe_of(1_024, 101), probe_of(100_000, 10_000), "x".repeat(20_000)] {
        expect_only(&server, head.as_bytes(), 431);
    }
}

#[test]
fn an_endless_header_is_refused_early_and_costs_little() {
    let server = Server::start(&[]);
    let before = server.cpu_time();
    let mut stream = server.raw();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nEndless: ").unwrap();
    let piece = [b'x'; 1024];
    stream.write_all(&piece.repeat(16)).unwrap();
    assert_eq!(read_answer(&mut stream).status(), 431);
    let rest = (0..20_000).take_while(|_| stream.write_all(&piece).is_ok()).count();
    drop(stream);
    server.settle();
    let cpu = server.cpu_time() - before;
    assert!(cpu < Duration::from_secs(1), "{cpu:?} for {rest} more pieces");
}

/// What it costs the server to read `bytes` in small pieces, each by itself.
fn cost_of_pieces(server: &Server, bytes: &str) -> Duration {
    let (mut stream, mut pace) = (server.raw(), server.connect(ECHO));
    let before = server.cpu_time();
    for piece in bytes.as_bytes().chunks(64) {
        stream.write_all(piece).unwrap();
        pace.ask("read?", "read?");
    }
    let cost = server.cpu_time() - before;
    assert_eq!(read_answer(&mut stream).status(), 200);
    cost
}

#[test]
fn the_cost_of_a_head_is_linear_in_its_bytes() {
    // With limits so high that more than linear work would show, and short lines: long ones are quick to read.
    let server = Server::unlimited(&["--max-head", "256KiB", "--max-headers", "100000"]);
    let many = cost_of_pieces(&server, &probe_of(4_096, 450).repeat(64));
    let one = cost_of_pieces(&server, &probe_of(64 * 4_096, 64 * 450));
    assert!(one < many * 4 + Duration::from_millis(300), "{one:?} for one head, {many:?} for many small ones");
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
            let goes_on = (0..60).take_while(|_| sender.write_all(b"x").is_ok());
            goes_on.for_each(|_| thread::sleep(Duration::from_millis(50)));
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
        assert_eq!(read_to_end(&mut trickler).get(9..12), Some("408"));
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
    let odd = ["http://chat.example@evil.com", "https://evil.com/https://good.com", "https://good.com https://e.com"];
    assert_eq!(upgrade_status(&server, &[]), 101);
    for (status, origins) in [(101, &same_host[..]), (101, &listed), (403, &foreign), (403, &tricks), (403, &odd)] {
        for origin in origins {
            assert_eq!(upgrade_status(&server, &[origin]), status, "{origin}");
        }
    }
    assert_eq!(upgrade_status(&server, &["https://good.com", "https://evil.com"]), 403);
    assert_eq!(upgrade_status(&server, &["https://good.com", "https://good.com"]), 403);
}

#[test]
fn pages_of_this_machine_are_welcome_while_only_it_can_connect() {
    let mut open = Server::start(&["--listen", "0.0.0.0:0"]);
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
    for line in ["GET /a HTTP/1.10", "GET /a", "G@T /a HTTP/1.1", " GET /a HTTP/1.1", "GET /a\0b HTTP/1.1", "\x16\x03"]
    {
        expect_only(&server, format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), 400);
    }
    expect_only(&server, b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400);
    for rest in ["\nHost: x\r\n\r\n", "\r\nHost: x\n\r\n", "\r\nHost: x\r\n\n", "\r\nHost: x\r\r\n\r\n", "\r\n\r\n"] {
        expect_only(&server, format!("GET /health HTTP/1.1{rest}").as_bytes(), 400);
    }
    expect_only(&server, b"GET /health HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
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
