//! Clients that send more than they may, or read less than they are told.

use std::io::Write;
use std::time::{Duration, Instant};

use super::Stage;
use crate::common::http::Http;
use crate::common::peer::{Polling, SEPARATOR, Socket};
use crate::common::{TEXT, frame, wait_until};

/// No longer does anybody else wait, however slow the machine.
const SOON: Duration = Duration::from_secs(1);

/// Somebody else is answered soon, all the time until it is over. Returns how long the slowest took.
fn others_are_served(stage: &Stage, until: impl Fn() -> bool) -> Duration {
    let mut bob = stage.socket("bob");
    let mut slowest = Duration::ZERO;
    while !until() {
        let began = Instant::now();
        bob.send(r#"42/chat,1["no such"]"#);
        while !bob.receive().starts_with("43/chat,1[") {}
        slowest = slowest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(slowest < SOON, "somebody else waited {slowest:?}");
    slowest
}

#[test]
fn posts_of_thousands_of_packets_are_taken_at_the_rate() {
    const PACKETS: usize = 3_000;
    let stage = Stage::set(&["--rate", "2000", "--burst", "200"]);
    let mut session = stage.polling("ada");
    let payload = vec![r#"42/chat,["no such"]"#; PACKETS].join(&SEPARATOR.to_string());
    let before = stage.server.resident_bytes();
    let began = Instant::now();
    let mut post = session.begin_push(&payload);
    let answering = std::thread::spawn(move || {
        post.answer().expect("an answer").expect(200, "ok");
        Instant::now()
    });
    let slowest = others_are_served(&stage, || answering.is_finished());
    let taken = answering.join().unwrap() - began;
    let least = Duration::from_millis((PACKETS as u64 - 200) * 1_000 / 2_000);
    assert!(taken >= least - Duration::from_millis(100), "{PACKETS} packets were taken in {taken:?}");
    println!("{PACKETS} packets in {taken:?}; the slowest of the others {slowest:?}");
    // Each was answered.
    let mut refused = 0;
    while refused < PACKETS {
        refused += usize::from(session.receive().starts_with(r#"42/chat,["error","#));
    }
    assert!(stage.server.resident_bytes().saturating_sub(before) < 8 << 20);
}

/// Empty packets and those that nothing answers count like others.
#[test]
fn packets_that_mean_nothing_count_too() {
    let stage = Stage::set(&["--rate", "1000", "--burst", "100", "--max-message", "256KiB"]);
    for packet in ["6", "3", r#"43/chat,1[]"#] {
        let session = stage.polling("ada");
        let payload = vec![packet; 2_000].join(&SEPARATOR.to_string());
        let began = Instant::now();
        session.begin_push(&payload).answer().expect("an answer").expect(200, "ok");
        assert!(began.elapsed() > Duration::from_millis(1_700), "{packet}: {:?}", began.elapsed());
    }
    // Nothing between separators is no packet.
    let session = stage.polling("ada");
    assert_eq!(session.begin_push(SEPARATOR.to_string().repeat(60_000)).answer().unwrap().status, 400);
    super::expect_closed(&session);
}

#[test]
fn floods_by_many_sessions_are_bounded_and_hold_nobody_up() {
    const SESSIONS: usize = 50;
    let stage = Stage::set(&["--outbox", "64KiB"]);
    let before = stage.server.resident_bytes();
    let payload = vec![r#"42/chat,["no such"]"#; 3_000].join(&SEPARATOR.to_string());
    let sessions: Vec<Polling> = (0..SESSIONS).map(|_| stage.polling("ada")).collect();
    let posts: Vec<Http> = sessions.iter().map(|session| session.begin_push(&payload)).collect();
    let mut sockets: Vec<Socket> = (0..SESSIONS).map(|_| stage.socket("ada")).collect();
    let flood = frame(TEXT, br#"42/chat,["no such"]"#).repeat(10_000);
    for socket in &mut sockets {
        socket.stream().set_nonblocking(true).unwrap();
        // As much as the kernel takes.
        let _ = socket.stream().write(&flood);
    }
    let began = Instant::now();
    let slowest = others_are_served(&stage, || began.elapsed() > Duration::from_secs(2));
    let grown = stage.server.resident_bytes().saturating_sub(before);
    println!("{} sessions that flood: {grown} bytes more, the slowest of the others {slowest:?}", 2 * SESSIONS);
    assert!(grown < (2 * SESSIONS * 192 * 1024) as u64, "{grown} bytes");
    drop((posts, sockets));
    stage.check();
}

/// Has Bob say so much that everybody who does not listen is owed too much. Who does listen does so after each.
fn say_much(stage: &Stage, times: usize, mut listen: impl FnMut()) {
    let mut bob = stage.socket("bob");
    let text = "x".repeat(8_000);
    for number in 0..times {
        bob.send(&crate::common::peer::saying(number, stage.room, &text));
        let answer = format!("43/chat,{number}[");
        while !bob.try_receive().unwrap_or_else(|| panic!("{}", stage.server.log())).starts_with(&answer) {}
        listen();
    }
}

#[test]
fn who_does_not_poll_is_not_owed_more_than_others() {
    const READERS: usize = 40;
    let stage = Stage::set(&["--outbox", "64KiB", "--rate", "0"]);
    let sessions: Vec<Polling> = (0..READERS).map(|_| stage.polling("ada")).collect();
    let mut reader = stage.polling("ada");
    let before = stage.server.resident_bytes();
    say_much(&stage, 30, || while crate::common::peer::said(&reader.receive()).is_none() {});
    for session in &sessions {
        super::expect_closed(session);
    }
    stage.server.wait_for_log("slow");
    let grown = stage.server.resident_bytes().saturating_sub(before);
    println!("{READERS} who do not poll: {grown} bytes more");
    assert!(grown < (READERS * 96 * 1024) as u64, "{grown} bytes");
    let metrics = stage.server.get("/metrics", &[]);
    let line = metrics.lines().find(|line| line.contains("slow") && !line.starts_with('#')).expect("a counter");
    assert!(line.ends_with(&format!(" {READERS}")), "{line}");
    stage.check();
}

#[test]
fn who_does_not_read_a_websocket_is_disconnected() {
    const READERS: usize = 20;
    let stage = Stage::set(&["--outbox", "64KiB", "--rate", "0"]);
    let mut sockets: Vec<Socket> = (0..READERS).map(|_| stage.socket("ada")).collect();
    let before = stage.server.resident_bytes();
    // The kernel holds megabytes for each before the server has to.
    say_much(&stage, 1_000, || ());
    stage.server.wait_for_log("slow");
    let grown = stage.server.resident_bytes().saturating_sub(before);
    println!("{READERS} who do not read: {grown} bytes more, 8 MB of them for what was said");
    assert!(grown < (READERS * 96 * 1024 + 1_000 * 8_500) as u64, "{grown} bytes");
    for socket in &mut sockets {
        assert_eq!(socket.read_close().0, 1008);
    }
    stage.check();
}

/// A poller is paced like anybody: what it asks for does not pile up.
#[test]
fn long_answers_that_nobody_fetches_do_not_pile_up() {
    let stage = Stage::set(&["--outbox", "64KiB", "--rate", "0"]);
    say_much(&stage, 60, || ());
    let sessions: Vec<Polling> = (0..20).map(|_| stage.polling("ada")).collect();
    let before = stage.server.resident_bytes();
    let ask = format!(r#"42/chat,1["message:list",{{"chatId":{},"limit":50}}]"#, stage.room);
    let payload = vec![ask; 100].join(&SEPARATOR.to_string());
    let posts: Vec<Http> = sessions.iter().map(|session| session.begin_push(&payload)).collect();
    std::thread::sleep(Duration::from_millis(1_500));
    let grown = stage.server.resident_bytes().saturating_sub(before);
    println!("20 who ask for 100 times 400 KB and fetch nothing: {grown} bytes more");
    assert!(grown < 20 * (2 << 20), "{grown} bytes");
    drop(posts);
    wait_until("the server to be idle", || stage.server.is_asleep());
    stage.check();
}
