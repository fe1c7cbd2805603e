//! What is too big, too deep, too much, or not text.

use std::io::Write;

use super::{Stage, expect_closed};
use crate::common::http::{Answer, Http};
use crate::common::peer::{Polling, Socket, connect_packet};
use crate::common::{TEXT, frame};

const MAX_MESSAGE: usize = 64 * 1024;

/// It is refused as too large, and the session is over.
#[track_caller]
fn expect_too_large(answer: Option<Answer>, session: &Polling) {
    assert_eq!(answer.expect("an answer").status, 413);
    expect_closed(session);
}

#[test]
fn a_frame_that_claims_too_much_is_refused_at_its_header() {
    let stage = Stage::set(&[]);
    let mut sockets: Vec<Socket> = (0..64).map(|_| stage.socket("ada")).collect();
    let before = stage.server.resident_bytes();
    for (number, socket) in sockets.iter_mut().enumerate() {
        let claimed: u64 = if number.is_multiple_of(2) { 1 << 62 } else { 16 << 20 };
        let head = [&[TEXT, 0xff][..], &claimed.to_be_bytes(), &[1, 2, 3, 4], b"fourteen bytes"].concat();
        socket.stream().write_all(&head).unwrap();
        assert_eq!(socket.read_close().0, 1009);
    }
    let grown = stage.server.resident_bytes().saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes for what never came");
    stage.check();
}

#[test]
fn a_message_may_be_as_long_as_was_said_and_no_longer() {
    let stage = Stage::set(&[]);
    let padded = |length: usize| format!(r#"42/chat,7["typing:start",{{"chatId":"{}"}}]"#, "x".repeat(length - 39));
    assert_eq!(padded(MAX_MESSAGE).len(), MAX_MESSAGE);
    let mut socket = stage.socket("ada");
    // A client counts its message; the digit before is Engine.IO's.
    socket.send(&padded(MAX_MESSAGE));
    assert!(socket.receive().starts_with(r#"43/chat,7[{"ok":false,"#));
    socket.send(&padded(MAX_MESSAGE + 1));
    assert_eq!(socket.read_close().0, 1009);

    let mut session = stage.polling("ada");
    session.push(padded(MAX_MESSAGE));
    assert!(session.receive().starts_with(r#"43/chat,7[{"ok":false,"#));
    expect_too_large(session.begin_push(padded(MAX_MESSAGE + 1)).answer(), &session);
    stage.check();
}

#[test]
fn a_post_that_claims_too_much_is_refused_before_it_comes() {
    let stage = Stage::set(&[]);
    for claimed in [MAX_MESSAGE as u64 + 1, 1 << 40] {
        let session = stage.polling("ada");
        let mut http = Http::open(stage.server.address).unwrap();
        let target = session.target("polling");
        http.write(format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {claimed}\r\n\r\n")).unwrap();
        expect_too_large(http.answer(), &session);
    }
}

#[test]
fn a_chunked_post_is_taken_and_counted_as_it_comes() {
    let stage = Stage::set(&[]);
    let mut session = stage.polling("ada");
    let head = |session: &Polling| {
        format!("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", session.target("polling"))
    };
    let mut http = Http::open(stage.server.address).unwrap();
    http.write(head(&session)).unwrap();
    for byte in r#"42/chat,7["no such"]"#.bytes() {
        http.write(format!("1\r\n{}\r\n", byte as char)).unwrap();
    }
    http.write("0\r\n\r\n").unwrap();
    http.answer().unwrap().expect(200, "ok");
    assert!(session.receive().starts_with(r#"43/chat,7[{"ok":false,"#));

    let mut http = Http::open(stage.server.address).unwrap();
    http.write(head(&session)).unwrap();
    let chunk = format!("1000\r\n{}\r\n", "4".repeat(4096));
    // The server need not read to the end what it refuses.
    for _ in 0..64 {
        let _ = http.write(&chunk);
    }
    expect_too_large(http.answer(), &session);
}

#[test]
fn attachments_are_counted_and_their_bytes_too() {
    let stage = Stage::set(&[]);
    let announce = |count: usize| {
        let places: Vec<String> = (0..count).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
        format!(r#"45{count}-/chat,7["call:signal",{{"chatId":{},"data":[{}]}}]"#, stage.room, places.join(","))
    };
    let mut socket = stage.socket("ada");
    socket.send(&announce(10));
    (0..10).for_each(|_| socket.send_bytes(&[0; 6_000]));
    assert!(socket.receive().starts_with(r#"43/chat,7[{"ok":true"#));
    for count in [11, 1_000_000] {
        let mut socket = stage.socket("ada");
        socket.send(&announce(count.min(20)).replacen(&count.min(20).to_string(), &count.to_string(), 1));
        assert_eq!(socket.read_close().0, 1002, "{count}");
    }
    let mut socket = stage.socket("ada");
    socket.send(&announce(10));
    (0..10).for_each(|_| socket.send_bytes(&[0; 7_000]));
    assert_eq!(socket.read_close().0, 1009, "the sum is too big");

    // By polling they come as base64, in one post or several.
    let mut session = stage.polling("ada");
    session.push(format!("{}\x1ebAQID", announce(2)));
    session.push("bBAUG");
    assert!(session.receive().starts_with(r#"43/chat,7[{"ok":true"#));
    session.push(announce(10));
    let part = format!("b{}", "AAAA".repeat(14_000));
    session.push(&part);
    assert_eq!(session.try_push(&part).err().flatten().map_or(200, |answer| answer.status) / 100, 2);
    expect_closed(&session);
    stage.check();
}

#[test]
fn attachments_that_never_come_hold_nobody_up() {
    let stage = Stage::set(&["--ping", "300ms", "--pong", "200ms"]);
    let announce = r#"452-/chat,7["call:signal",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let mut waiting = stage.socket("ada");
    waiting.send(announce);
    waiting.send_bytes(&[1]);
    // What others say still comes, and so do pings, which may be answered in between.
    let mut bob = stage.socket("bob");
    stage.say(&mut bob, 0..3);
    for number in 0..3 {
        assert_eq!(super::next_said(|| waiting.try_receive()), super::text(number));
    }
    std::thread::sleep(std::time::Duration::from_millis(900));
    stage.say(&mut stage.socket("bob"), 3..4);
    // The pings lie before it and are answered late, so that this ends it: the heartbeat looks at nothing else.
    while waiting.try_receive().is_some() {}
    // Text where an attachment should be.
    for between in [r#"42/chat,["typing:stop",{}]"#, announce] {
        let mut socket = stage.socket("ada");
        socket.send(announce);
        socket.send(between);
        assert_eq!(socket.read_close().0, 1002);
    }
    // And an attachment of nothing.
    let mut socket = stage.socket("ada");
    socket.send_bytes(b"lost");
    assert_eq!(socket.read_close().0, 1002);
    stage.check();
}

/// Sends an event that is no good; only that is refused.
#[track_caller]
fn expect_refused(socket: &mut Socket, session: &mut Polling, argument: &str) {
    let packet = format!(r#"42/chat,7["message:send",{argument}]"#);
    let shown = &argument[..argument.len().min(60)];
    socket.send(&packet);
    session.push(&packet);
    for answer in [socket.receive(), session.receive()] {
        assert!(answer.starts_with(r#"43/chat,7[{"ok":false,"#), "{shown}: {answer}");
    }
}

#[test]
fn strange_json_is_refused_and_the_session_goes_on() {
    let stage = Stage::set(&["--rate", "0"]);
    let (mut socket, mut session) = (stage.socket("ada"), stage.polling("ada"));
    let room = stage.room;
    let deep = |open: &str, close: &str, depth: usize| {
        open.repeat(depth) + close + &open.replace('[', "]").replace(r#"{"a":"#, "}").repeat(depth)
    };
    let many_keys: String = (0..5_000).map(|key| format!(r#""key {key}":0,"#)).collect();
    for argument in [
        deep("[", "", 120),
        deep(r#"{"a":"#, "1", 120),
        format!(r#"{{"chatId":{room},"content":{}}}"#, deep("[", "", 120)),
        r#"{"chatId":1e999,"content":"x"}"#.to_owned(),
        format!(r#"{{"chatId":{},"content":"x"}}"#, "9".repeat(5_000)),
        format!(r#"{{{many_keys}"chatId":{room}}}"#),
        format!(r#"{{"chatId":{room},"content":{}}}"#, "1".repeat(5_000)),
        r#"{"__proto__":{"chatId":1},"content":"x"}"#.to_owned(),
    ] {
        expect_refused(&mut socket, &mut session, &argument);
    }
    // Half an emoji, as JavaScript writes it: refused or mended, but no reason to throw out who types it.
    socket.send(&format!(r#"42/chat,8["message:send",{{"chatId":{room},"content":"half \ud83d"}}]"#));
    assert!(socket.receive().starts_with("4"));
    // Of the same name twice, the last counts.
    socket.send(&format!(r#"42/chat,9["message:send",{{"chatId":0,"content":1,"content":"last","chatId":{room}}}]"#));
    assert_eq!(super::next_said(|| socket.try_receive().filter(|packet| !packet.contains("half "))), "last");
    stage.check();
}

#[test]
fn what_is_no_json_at_all_or_too_deep_ends_the_session() {
    let stage = Stage::set(&[]);
    let half = format!("42/chat,{}", "[".repeat(60_000));
    let deep = format!(r#"42/chat,["a",{}{}]"#, "[".repeat(30_000), "]".repeat(30_000));
    for packet in
        [r#"42/chat,["some","data""#, &half, &deep, "42/chat,7", r#"42/chat,{"a":1}"#, "42/chat,[]", "4", "49", "x"]
    {
        let mut socket = stage.socket("ada");
        socket.send(packet);
        assert_eq!(socket.read_close().0, 1002, "{:?}", &packet[..packet.len().min(40)]);
        let mut session = stage.polling("ada");
        let _ = session.try_push(packet);
        expect_closed(&session);
    }
    stage.check();
}

#[test]
fn what_is_no_utf_8_ends_the_session() {
    let stage = Stage::set(&[]);
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
        let packet = [&br#"42/chat,["message:send",{"content":""#[..], bytes, br#""}]"#].concat();
        let mut socket = stage.socket("ada");
        socket.stream().write_all(&frame(TEXT, &packet)).unwrap();
        assert_eq!(socket.read_close().0, 1007);
        let session = stage.polling("ada");
        assert_eq!(session.begin_push(&packet).answer().expect("an answer").status, 400);
        expect_closed(&session);
    }
    // In a token it is refused like any other that is no good.
    let mut socket = Socket::open(stage.server.address);
    socket.send(&connect_packet("/chat", "no such user"));
    assert!(socket.receive().contains(r#""code":"unknown_user""#));
    stage.check();
}
