//! Changes to a WebSocket that go wrong, or at a bad moment: the session goes on, and nothing is lost or out of order.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Stage, next_said, text};
use crate::common::peer::{Polling, Socket, saying};
use crate::common::{TEXT, frame, wait_until};

const A_MOMENT: Duration = Duration::from_millis(100);

fn take_over(session: &Polling) -> Socket {
    Socket::at(session.address, &session.target("websocket"))
}

/// A WebSocket that has been told that it may take over.
fn probe(session: &Polling) -> Socket {
    let mut socket = take_over(session);
    socket.send("2probe");
    socket.expect("3probe");
    socket
}

/// Somebody who polls is told these, in order, and nothing twice.
#[track_caller]
fn expect_said(session: &mut Polling, numbers: std::ops::Range<usize>) {
    for number in numbers {
        assert_eq!(next_said(|| session.try_receive()), text(number));
    }
}

#[test]
fn what_is_said_meanwhile_comes_in_order() {
    let stage = Stage::set(&["--rate", "0"]);
    let mut bob = stage.socket("bob");
    for round in 0..10 {
        let session = stage.polling("ada");
        let base = round * 1_000;
        stage.say(&mut bob, base..base + 20);
        let mut socket = take_over(&session);
        stage.say(&mut bob, base + 20..base + 40);
        socket.send("2probe");
        stage.say(&mut bob, base + 40..base + 60);
        socket.expect("3probe");
        stage.say(&mut bob, base + 60..base + 80);
        session.poll().expect(200, "6");
        // What the session sends meanwhile is still taken.
        session.begin_push(r#"42/chat,1["no such"]"#).answer().unwrap().expect(200, "ok");
        socket.send("5");
        stage.say(&mut bob, base + 80..base + 100);
        for number in base..base + 100 {
            assert_eq!(next_said(|| socket.try_receive()), text(number));
        }
        session.poll().expect(400, r#"{"code":3,"message":"Bad request"}"#);
        session.begin_push("3").answer().unwrap().expect(400, r#"{"code":3,"message":"Bad request"}"#);
    }
}

/// What is sent right behind the change, in one write with it, is the session's and comes after what was posted.
#[test]
fn the_change_and_what_follows_may_come_in_one_piece() {
    let stage = Stage::set(&["--rate", "0"]);
    let say = |number: usize| saying(number, stage.room, &text(number));
    // What was posted is told in the same turn as the change, or before, or after.
    for _ in 0..20 {
        let session = stage.polling("ada");
        let mut socket = take_over(&session);
        session.begin_push(say(0)).answer().unwrap().expect(200, "ok");
        let packets = ["2probe".to_owned(), "5".to_owned(), say(1), say(2)];
        let frames: Vec<u8> = packets.iter().flat_map(|packet| frame(TEXT, packet.as_bytes())).collect();
        socket.stream().write_all(&frames).unwrap();
        socket.expect("3probe");
        for number in 0..3 {
            assert_eq!(next_said(|| socket.try_receive()), text(number));
        }
    }
}

#[test]
fn one_that_is_given_up_loses_nothing() {
    let stage = Stage::set(&["--handshake", "400ms", "--rate", "0"]);
    let mut bob = stage.socket("bob");
    let mut session = stage.polling("ada");
    for (round, is_dropped) in [(0, true), (1, false)] {
        let base = round * 100;
        stage.say(&mut bob, base..base + 10);
        let mut socket = probe(&session);
        stage.say(&mut bob, base + 10..base + 20);
        let began = Instant::now();
        if is_dropped {
            drop(socket);
        } else {
            assert_eq!(socket.try_receive(), None, "it is closed when it takes too long");
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        }
        expect_said(&mut session, base..base + 20);
        stage.say(&mut bob, base + 20..base + 30);
        expect_said(&mut session, base + 20..base + 30);
    }
    // And another try may succeed.
    let mut socket = probe(&session);
    socket.send("5");
    stage.say(&mut bob, 500..501);
    assert_eq!(next_said(|| socket.try_receive()), text(500));
}

/// A poll that waits when the WebSocket is given up is answered by what is said next.
#[test]
fn polls_wait_again_when_it_is_given_up() {
    let stage = Stage::set(&[]);
    let mut bob = stage.socket("bob");
    let mut session = stage.polling("ada");
    let socket = probe(&session);
    session.poll().expect(200, "6");
    drop(socket);
    sleep(A_MOMENT);
    let mut waiting = session.begin_poll();
    sleep(A_MOMENT);
    stage.say(&mut bob, 0..1);
    assert!(waiting.answer().unwrap().body.contains(&text(0)));
    stage.say(&mut bob, 1..2);
    expect_said(&mut session, 1..2);
}

#[test]
fn one_that_never_says_anything_is_closed_and_the_session_goes_on() {
    let stage = Stage::set(&["--handshake", "300ms"]);
    let mut session = stage.polling("ada");
    let mut socket = take_over(&session);
    assert_eq!(socket.try_receive(), None);
    stage.say(&mut stage.socket("bob"), 0..1);
    expect_said(&mut session, 0..1);
}

#[test]
fn what_comes_in_place_of_a_probe_closes_it_and_the_session_goes_on() {
    let stage = Stage::set(&[]);
    let mut bob = stage.socket("bob");
    let mut session = stage.polling("ada");
    for (number, packets) in [
        &["5"][..],
        &["2"],
        &["2prob"],
        &["3probe"],
        &["1"],
        &["40"],
        &["2probe", "2probe"],
        &["2probe", "4x"],
        &["abc"],
        &[""],
    ]
    .into_iter()
    .enumerate()
    {
        let mut socket = take_over(&session);
        packets.iter().for_each(|packet| socket.send(packet));
        while let Some(packet) = socket.try_receive() {
            assert_eq!(packet, "3probe", "{packets:?}");
        }
        stage.say(&mut bob, number..number + 1);
        expect_said(&mut session, number..number + 1);
    }
}

#[test]
fn of_two_the_first_takes_over() {
    let stage = Stage::set(&[]);
    let mut session = stage.polling("ada");
    let mut first = probe(&session);
    let mut second = take_over(&session);
    second.try_send("2probe");
    assert_eq!(second.try_receive(), None);
    first.send("5");
    stage.say(&mut stage.socket("bob"), 0..1);
    assert_eq!(next_said(|| first.try_receive()), text(0));
    let mut third = take_over(&session);
    assert_eq!(third.try_receive(), None);
    assert!(session.try_push("3").is_err());
}

#[test]
fn the_session_and_its_probe_end_together() {
    let stage = Stage::set(&["--ping", "300ms", "--pong", "200ms"]);
    let base = stage.server.open_descriptors();
    for ending in [Some("1"), Some("4nonsense"), None] {
        let mut session = stage.polling("ada");
        let mut socket = probe(&session);
        match ending {
            Some(packet) => drop(session.try_push(packet)),
            // It misses its pong.
            None => sleep(Duration::from_millis(600)),
        }
        let began = Instant::now();
        while socket.try_receive().is_some() {}
        assert!(began.elapsed() < Duration::from_secs(2), "{ending:?}: {:?}", began.elapsed());
    }
    wait_until("the descriptors to be closed", || stage.server.open_descriptors() <= base);
}
