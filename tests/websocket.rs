//! WebSocket in raw frames: messages of every shape, floods and false claims, breaches of RFC 6455 and their close
//! codes, and all the ways in which a connection ends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{ACTION, BINARY, CLOSE, ECHO, PING, Server, TEXT, frame, raw_websocket, read_close, read_frame};

/// Data frames that aren't the last of their message, and the one that may be.
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;
const PONG: u8 = 0x8a;

const MAX_MESSAGE: usize = 65_536;

/// For what needs no waiting: far below the time that a closing connection is given.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The head of a client's frame that claims a payload of `length`, in the longest form.
fn claim(first_byte: u8, length: u64) -> Vec<u8> {
    [&[first_byte, 0xff], &length.to_be_bytes()[..], &[1, 2, 3, 4]].concat()
}

/// A server's frame: the shortest form of the length, no mask.
fn unmasked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let masked = frame(first_byte, payload);
    let head = masked.len() - payload.len() - 4;
    [&[first_byte, masked[1] & 0x7f], &masked[2..head], payload].concat()
}

fn text(payload: &str) -> Vec<u8> {
    frame(TEXT, payload.as_bytes())
}

/// Exactly these bytes come next.
#[track_caller]
fn expect_bytes(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert!(bytes == expected, "{:x?}… came", &bytes[..bytes.len().min(20)]);
}

/// `bytes`, sent to a new connection, are followed by a close frame with `code` and the end, at once, and nothing else.
#[track_caller]
fn expect_close(server: &Server, bytes: &[u8], code: u16) {
    let shown = &bytes[..bytes.len().min(20)];
    let mut stream = raw_websocket(server, ECHO);
    let started = Instant::now();
    stream.write_all(bytes).unwrap();
    let (first, payload) = read_frame(&mut stream).expect("a frame");
    assert_eq!((first, payload.get(..2)), (CLOSE, Some(&code.to_be_bytes()[..])), "after {shown:x?}");
    assert_eq!(read_frame(&mut stream), None, "after {shown:x?}");
    assert!(started.elapsed() < AT_ONCE, "{:?} after {shown:x?}", started.elapsed());
}

#[test]
fn messages_of_every_size_come_back_to_the_byte() {
    let server = Server::start(&[]);
    let mut stream = raw_websocket(&server, ECHO);
    for size in [0, 1, 125, 126, 127, 65_535, MAX_MESSAGE] {
        let bytes: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
        stream.write_all(&frame(BINARY, &bytes)).unwrap();
        expect_bytes(&mut stream, &unmasked(BINARY, &bytes));
        let letters: Vec<u8> = bytes.iter().map(|byte| b' ' + byte % 90).collect();
        stream.write_all(&frame(TEXT, &letters)).unwrap();
        expect_bytes(&mut stream, &unmasked(TEXT, &letters));
    }
}

#[test]
fn a_first_frame_may_come_in_any_two_pieces() {
    let server = Server::start(&[]);
    for size in [5, 300] {
        let payload = vec![b'x'; size];
        let bytes = frame(TEXT, &payload);
        let mut streams: Vec<_> = (0..bytes.len()).map(|_| raw_websocket(&server, ECHO)).collect();
        for (cut, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&bytes[..cut]).unwrap();
        }
        server.settle();
        for (cut, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&bytes[cut..]).unwrap();
            expect_bytes(stream, &unmasked(TEXT, &payload));
        }
    }
}

#[test]
fn frames_may_come_in_many_pieces() {
    let server = Server::start(&[]);
    let small = [text("one"), frame(PING, b"two"), frame(TEXT_BEGINS, b"thr"), frame(ENDS, b"ee")].concat();
    let small_answers = [unmasked(TEXT, b"one"), unmasked(PONG, b"two"), unmasked(TEXT, b"three")].concat();
    let large = vec![b'x'; MAX_MESSAGE];
    for (bytes, piece, answers) in [(small, 1, small_answers), (frame(TEXT, &large), 1_000, unmasked(TEXT, &large))] {
        let mut stream = raw_websocket(&server, ECHO);
        for piece in bytes.chunks(piece) {
            stream.write_all(piece).unwrap();
            server.settle();
        }
        expect_bytes(&mut stream, &answers);
    }
}

#[test]
fn fragments_make_one_message_with_control_frames_between() {
    let server = Server::start(&[]);
    let mut stream = raw_websocket(&server, ECHO);
    let (first, second) = (frame(TEXT_BEGINS, "Hé".as_bytes()), frame(GOES_ON, b""));
    let bytes = [first, frame(PING, b"a"), second, frame(PONG, b"unasked"), frame(PING, b"b"), frame(ENDS, b"llo")];
    stream.write_all(&bytes.concat()).unwrap();
    let answers = [unmasked(PONG, b"a"), unmasked(PONG, b"b"), unmasked(TEXT, "Héllo".as_bytes())];
    expect_bytes(&mut stream, &answers.concat());

    // Three kinds that are easily forgotten: binary, empty all over, and of the largest size there is.
    let empty = [frame(BINARY_BEGINS, b""), frame(ENDS, b"")];
    let half = [b'x'; MAX_MESSAGE / 2];
    let largest = [frame(BINARY_BEGINS, &half), frame(ENDS, &half)];
    for (fragments, message) in [(empty, &[][..]), (largest, &[b'x'; MAX_MESSAGE])] {
        stream.write_all(&fragments.concat()).unwrap();
        expect_bytes(&mut stream, &unmasked(BINARY, message));
    }
}

#[test]
fn what_is_too_big_is_refused_at_its_head() {
    let server = Server::start(&[]);
    for length in [MAX_MESSAGE as u64 + 1, 1 << 32, 1 << 63, u64::MAX] {
        for first_byte in [TEXT, BINARY, TEXT_BEGINS] {
            expect_close(&server, &claim(first_byte, length), 1009);
        }
    }
    let half = [b'x'; MAX_MESSAGE / 2];
    expect_close(&server, &[frame(TEXT_BEGINS, &half), frame(GOES_ON, &half), frame(ENDS, b"x")].concat(), 1009);
}

#[test]
fn a_claim_reserves_no_memory() {
    let server = Server::start(&[]);
    let mut streams: Vec<_> = (0..500).map(|_| raw_websocket(&server, ECHO)).collect();
    let before = server.resident_bytes();
    for stream in &mut streams {
        stream.write_all(&claim(TEXT, MAX_MESSAGE as u64)).unwrap();
    }
    server.settle();
    let growth = server.resident_bytes().saturating_sub(before);
    assert!(growth < 1 << 20, "{growth} bytes for {} claims", streams.len());
}

/// Writes `bytes` until all is written, the server ends the connection, or it takes nothing more for a while. Returns
/// how many were written.
fn write_while_taken(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut written = 0;
    while written < bytes.len() {
        let Ok(count) = stream.write(&bytes[written..]) else { break };
        written += count;
    }
    written
}

#[test]
fn a_message_of_endless_fragments_is_refused() {
    let server = Server::unlimited(&[]);
    let before = server.cpu_time();
    let mut stream = raw_websocket(&server, ECHO);
    stream.write_all(&frame(TEXT_BEGINS, b"")).unwrap();
    write_while_taken(&mut stream, &frame(GOES_ON, b"").repeat(1_000_000));
    assert_eq!(read_close(&mut stream).0, 1008);
    let cpu = server.cpu_time() - before;
    assert!(cpu < Duration::from_millis(500), "{cpu:?}");
    server.connect(ECHO).ask("still there?", "still there?");
}

#[test]
fn a_flood_beyond_the_rate_is_left_to_tcp() {
    let server = Server::start(&["--rate", "10", "--burst", "10"]);
    let mut stream = raw_websocket(&server, ECHO);
    // What the kernel holds on our side would hide that nothing is taken on the other.
    socket2::SockRef::from(&stream).set_send_buffer_size(64 * 1024).unwrap();
    let before = server.cpu_time();
    let flood = [frame(TEXT_BEGINS, b""), frame(GOES_ON, b"").repeat(1_000_000)].concat();
    let written = write_while_taken(&mut stream, &flood);
    assert!(written < flood.len() / 2, "{written} bytes were taken");
    let cpu = server.cpu_time() - before;
    assert!(cpu < Duration::from_millis(200), "{cpu:?}");
    server.connect(ECHO).ask("still there?", "still there?");
}

#[test]
fn a_rate_slows_and_refuses_nothing() {
    let server = Server::start(&["--rate", "200", "--burst", "50"]);
    let mut stream = raw_websocket(&server, ECHO);
    let started = Instant::now();
    let numbers: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    stream.write_all(&numbers.iter().flat_map(|number| text(number)).collect::<Vec<_>>()).unwrap();
    for number in &numbers[..50] {
        assert_eq!(read_frame(&mut stream), Some((TEXT, number.clone().into_bytes())));
    }
    let burst = started.elapsed();
    for number in &numbers[50..] {
        assert_eq!(read_frame(&mut stream), Some((TEXT, number.clone().into_bytes())));
    }
    let all = started.elapsed();
    assert!(burst * 2 < all, "the burst took {burst:?}, all {all:?}");
    assert!((700..3_000).contains(&all.as_millis()), "all took {all:?}");
}

#[test]
fn pings_are_answered_in_order_with_what_they_carry() {
    let server = Server::start(&[]);
    let mut stream = raw_websocket(&server, ECHO);
    let longest = [b'x'; 125];
    for payload in [&b""[..], b"1", b"2", &[0xff, 0], &longest] {
        stream.write_all(&frame(PING, payload)).unwrap();
    }
    for payload in [&b""[..], b"1", b"2", &[0xff, 0], &longest] {
        expect_bytes(&mut stream, &unmasked(PONG, payload));
    }
}

#[test]
fn a_flood_of_pings_is_answered_in_part_and_delays_nobody() {
    let server = Server::unlimited(&[]);
    let stream = raw_websocket(&server, ECHO);
    let mut other = server.connect(ECHO);
    let pings = 100_000;
    let flood = [frame(PING, b"").repeat(pings), text("end")].concat();
    let (pongs, slowest) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reader = stream.try_clone().unwrap();
            (&stream).write_all(&flood).unwrap();
            std::iter::from_fn(|| read_frame(&mut reader)).take_while(|(first, _)| *first == PONG).count()
        });
        let mut slowest = Duration::ZERO;
        while !reader.is_finished() {
            let asked = Instant::now();
            other.ask("there?", "there?");
            slowest = slowest.max(asked.elapsed());
        }
        (reader.join().unwrap(), slowest)
    });
    assert!((1..pings / 2).contains(&pongs), "{pongs} pongs");
    assert!(slowest < Duration::from_millis(500), "another's round trip took {slowest:?}");
}

#[test]
fn text_has_to_be_utf8() {
    let server = Server::start(&[]);
    let overlong: [&[u8]; 4] = [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf"];
    let others: [&[u8]; 6] = [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\x80", b"ok \xce", b"\xff\xfe"];
    for payload in overlong.into_iter().chain(others) {
        expect_close(&server, &frame(TEXT, payload), 1007);
        expect_close(&server, &[frame(TEXT_BEGINS, b"ok"), frame(ENDS, payload)].concat(), 1007);
    }
    // The rest of the message isn't waited for.
    expect_close(&server, &frame(TEXT_BEGINS, b"\xce\xba\xff"), 1007);
    expect_close(&server, &[frame(TEXT_BEGINS, b"\xe2\x82"), frame(GOES_ON, b"x")].concat(), 1007);
    expect_close(&server, &[frame(TEXT_BEGINS, b"\xe2"), frame(ENDS, b"")].concat(), 1007);
    expect_close(&server, &frame(CLOSE, b"\x03\xe8\xff"), 1007);
}

#[test]
fn characters_may_be_split_among_fragments() {
    let server = Server::unlimited(&[]);
    let mut stream = raw_websocket(&server, ECHO);
    // A byte order mark, characters of two to four bytes, and the last one there is.
    let message = "\u{feff}κόσμε €𝄞\u{10ffff}\0".as_bytes();
    for cut in 0..=message.len() {
        stream.write_all(&[frame(TEXT_BEGINS, &message[..cut]), frame(ENDS, &message[cut..])].concat()).unwrap();
        expect_bytes(&mut stream, &unmasked(TEXT, message));
    }
    let bytes: Vec<u8> = message.iter().flat_map(|byte| frame(GOES_ON, &[*byte])).collect();
    stream.write_all(&[frame(TEXT_BEGINS, b""), bytes, frame(ENDS, b"")].concat()).unwrap();
    expect_bytes(&mut stream, &unmasked(TEXT, message));
}

#[test]
fn breaches_of_the_protocol_end_the_connection() {
    let server = Server::start(&[]);
    let reserved_bits = [0xc1, 0xa1, 0x91, 0xc2, 0xc9];
    let reserved_opcodes = [0x83, 0x84, 0x85, 0x86, 0x87, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x03, 0x0b];
    let fragmented_control = [0x08, 0x09, 0x0a];
    let nothing_to_go_on_with = [ENDS, GOES_ON];
    for first_byte in
        reserved_bits.into_iter().chain(reserved_opcodes).chain(fragmented_control).chain(nothing_to_go_on_with)
    {
        // A whole message behind it is not answered any more.
        expect_close(&server, &[frame(first_byte, b""), text("behind")].concat(), 1002);
        expect_close(&server, &frame(first_byte, b"payload"), 1002);
    }
    for first_byte in [PING, PONG, CLOSE] {
        expect_close(&server, &frame(first_byte, &[3; 126]), 1002);
    }
    expect_close(&server, &unmasked(TEXT, b"unmasked"), 1002);
    expect_close(&server, &unmasked(PING, b""), 1002);
    for first_byte in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
        expect_close(&server, &[frame(TEXT_BEGINS, b"a"), frame(first_byte, b"b")].concat(), 1002);
    }
    // One connection's breach is nothing to another's message.
    server.connect(ECHO).ask("still there?", "still there?");
}

#[test]
fn a_close_frame_is_answered_and_the_connection_ends() {
    let server = Server::start(&[]);
    let descriptors = server.open_descriptors();
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999_u16] {
        expect_close(&server, &frame(CLOSE, &code.to_be_bytes()), code);
        expect_close(&server, &frame(CLOSE, &[&code.to_be_bytes()[..], "adiós".as_bytes()].concat()), code);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16] {
        expect_close(&server, &frame(CLOSE, &code.to_be_bytes()), 1002);
    }
    expect_close(&server, &frame(CLOSE, &[3]), 1002);
    // In the middle of a message too, and what comes behind is ignored.
    expect_close(&server, &[frame(TEXT_BEGINS, b"a"), frame(CLOSE, b"\x03\xe8"), text("behind")].concat(), 1000);
    let mut stream = raw_websocket(&server, ECHO);
    stream.write_all(&[text("before"), frame(CLOSE, b""), text("behind"), frame(CLOSE, b"")].concat()).unwrap();
    expect_bytes(&mut stream, &[unmasked(TEXT, b"before"), unmasked(CLOSE, b"")].concat());
    assert_eq!(read_frame(&mut stream), None);
    drop(stream);
    let closed = Instant::now();
    crate::common::wait_until("the descriptors to be freed", || server.open_descriptors() == descriptors);
    assert!(closed.elapsed() < AT_ONCE, "{:?}", closed.elapsed());
}

#[test]
fn whoever_disappears_is_gone_at_once() {
    let server = Server::start(&[]);
    let (mut witness, _) = server.join_in();
    let join = r#"{"action":"join","room":"R"}"#;
    witness.ask(join, join);
    let descriptors = server.open_descriptors();
    let reset = |stream: TcpStream| socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    let in_a_frame = |mut stream: TcpStream| stream.write_all(&claim(TEXT, 1_000)).unwrap();
    let half_closed = |stream: TcpStream| {
        stream.shutdown(Shutdown::Write).unwrap();
        while read_frame(&mut &stream).is_some() {}
    };
    let ways: [&dyn Fn(TcpStream); 4] = [&drop, &reset, &in_a_frame, &half_closed];
    for (id, disappear) in (1..).zip(ways) {
        let mut stream = raw_websocket(&server, ACTION);
        stream.write_all(&text(join)).unwrap();
        witness.expect(&format!(r#"{{"action":"join","room":"R","user_id":"{id}"}}"#));
        let started = Instant::now();
        disappear(stream);
        witness.expect(&format!(r#"{{"action":"leave","room":"R","user_id":"{id}"}}"#));
        crate::common::wait_until("the descriptor to be freed", || server.open_descriptors() == descriptors);
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    }
}

#[test]
fn who_has_finished_sending_still_gets_all_replies() {
    // At once, from the backlog of a turn's share, and with the rate in the way.
    for flags in [["--rate", "0", "--burst", "1"], ["--rate", "100", "--burst", "150"]] {
        let server = Server::start(&flags);
        let mut stream = raw_websocket(&server, ECHO);
        let payload = "x".repeat(1_000);
        let started = Instant::now();
        stream.write_all(&text(&payload).repeat(200)).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        expect_bytes(&mut stream, &unmasked(TEXT, payload.as_bytes()).repeat(200));
        assert!(read_frame(&mut stream).is_none_or(|(first, _)| first == CLOSE));
        assert!(started.elapsed() < AT_ONCE, "{:?} with {flags:?}", started.elapsed());
    }
}

#[test]
fn who_does_not_answer_a_ping_is_closed() {
    let server = Server::start(&["--ping", "300ms", "--pong", "300ms"]);
    let (mut answers, mut talks, mut silent) =
        (raw_websocket(&server, ECHO), raw_websocket(&server, ECHO), raw_websocket(&server, ECHO));
    let started = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..5 {
                assert_eq!(read_frame(&mut answers), Some((PING, Vec::new())));
                answers.write_all(&frame(PONG, b"")).unwrap();
            }
            assert!(started.elapsed() > Duration::from_millis(1_400), "pings come too often");
        });
        scope.spawn(|| {
            // Whatever is sent shows as well as a pong that the other side lives.
            while started.elapsed() < Duration::from_millis(1_500) {
                let (first, _) = read_frame(&mut talks).expect("a ping or an echo");
                assert!([PING, TEXT].contains(&first), "{first:x}");
                if first == PING {
                    talks.write_all(&text("here")).unwrap();
                }
            }
        });
        assert_eq!(read_frame(&mut silent), Some((PING, Vec::new())));
        let (first, payload) = read_frame(&mut silent).expect("a close frame");
        assert_eq!((first, payload.get(..2)), (CLOSE, Some(&1008_u16.to_be_bytes()[..])));
        assert_eq!(read_frame(&mut silent), None);
        assert!((550..1_300).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    });
    // Who answered is still served.
    answers.write_all(&text("here")).unwrap();
    assert_eq!(read_frame(&mut answers), Some((TEXT, b"here".to_vec())));
}

#[test]
fn at_a_signal_everybody_is_told_and_the_process_ends() {
    let mut server = Server::start(&[]);
    let mut clients: Vec<_> = [ACTION, ECHO, ACTION].map(|path| server.connect(path)).into();
    let mut in_a_head = server.raw();
    in_a_head.write_all(b"GET /hea").unwrap();
    server.settle();
    let started = Instant::now();
    server.signal("TERM");
    for client in &mut clients {
        assert_eq!(client.receive_close().0, 1001);
    }
    assert_eq!(crate::common::read_to_end(&mut in_a_head), "");
    // Both sides have closed; who asked is gone, so that nothing is left to wait for.
    drop((clients, in_a_head));
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

#[test]
fn who_does_not_close_holds_up_the_end_for_the_drain_alone() {
    let mut server = Server::start(&["--drain", "500ms"]);
    let mut stays = raw_websocket(&server, ECHO);
    let started = Instant::now();
    server.signal("INT");
    assert_eq!(read_close(&mut stays).0, 1001);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!((450..2_500).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = Server::start(&["--drain", "30s"]);
    let mut stays = raw_websocket(&server, ECHO);
    server.signal("TERM");
    assert_eq!(read_close(&mut stays).0, 1001);
    assert!(TcpStream::connect(server.address).is_err(), "it still accepts");
    let started = Instant::now();
    server.signal("TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}
