//! Thousands of clients of Engine.IO and Socket.IO: that nothing is left of those who go without a word.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::crowd::alone;
use crate::common::http::Http;
use crate::common::peer::{HANDSHAKE, Polling, WEBSOCKET, connect_packet};
use crate::common::{Server, TEXT, frame, upgrade_request, wait_until};
use crate::common::{peer, people};

/// More than there ever are at once.
const CROWD: usize = 10_000;

/// What may be left when all have gone: what the allocator can't give back, for something small lies behind it. It is the
/// same after one crowd and after many.
const LEFT_BYTES: u64 = 8 << 20;
/// By so much may that differ.
const GROWN_BYTES: u64 = 2 << 20;

/// A server whose resident memory is what it uses: glibc does not keep what was freed for later. Ada is a user.
fn frugal_server(flags: &[&str]) -> Server {
    let mut command = people::serve_people(&[&["--rate", "0"], flags].concat());
    command.env("MALLOC_TRIM_THRESHOLD_", "131072");
    let server = Server::spawn(command);
    people::user(&server, "ada");
    server
}

/// What a server uses while nobody is there.
struct Base {
    memory: u64,
    descriptors: usize,
}

impl Base {
    fn of(server: &Server) -> Self {
        server.settle();
        Self { memory: server.resident_bytes(), descriptors: server.open_descriptors() }
    }

    /// Waits until the server uses no more than that again. Returns how much more memory is left.
    fn wait_for(&self, server: &Server) -> u64 {
        wait_until("the descriptors to be closed", || server.open_descriptors() <= self.descriptors);
        wait_until("the sessions to be over", || {
            let metrics = server.get("/metrics", &[]);
            metrics.contains("\nroomcast_connections{dialect=\"engine.io polling\"} 0\n")
        });
        wait_until("the memory to be given back", || server.resident_bytes() <= self.memory + LEFT_BYTES);
        server.resident_bytes().saturating_sub(self.memory)
    }
}

#[test]
fn a_hundred_thousand_abandoned_handshakes_leave_nothing() {
    const HANDSHAKES: usize = 100_000;
    const BATCH: usize = 1_000;
    let _alone = alone(CROWD);
    let server = frugal_server(&["--ping", "200ms", "--pong", "200ms"]);
    let base = Base::of(&server);
    let began = Instant::now();
    let batch = format!("GET {HANDSHAKE} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(BATCH);
    let (mut begun, mut refused, mut peak) = (0, 0, 0);
    let mut http = Http::open(server.address).unwrap();
    let mut settled = None;
    while begun < HANDSHAKES {
        if begun >= HANDSHAKES / 2 && settled.is_none() {
            drop(http);
            settled = Some(base.wait_for(&server));
            http = Http::open(server.address).unwrap();
        }
        if http.is_stale() {
            http = Http::open(server.address).unwrap();
        }
        http.write(&batch).unwrap();
        for _ in 0..BATCH {
            let Some(answer) = http.answer() else { break };
            match answer.status {
                200 => begun += 1,
                // As many as there may be at once; they are gone soon.
                503 => refused += 1,
                status => panic!("{status}"),
            }
        }
        peak = peak.max(server.resident_bytes());
    }
    drop(http);
    let most = peak - base.memory;
    base.wait_for(&server);
    let settled = settled.unwrap();
    // It is given back over some turns.
    let left = || server.resident_bytes().saturating_sub(base.memory);
    wait_until("no more to be left than after the first half", || left() <= settled + GROWN_BYTES);
    let left = left();
    println!(
        "{begun} handshakes, {refused} refused, {:?}: {most} bytes at most, {left} left, {settled} after the first half",
        began.elapsed()
    );
    Polling::open(server.address);
}

#[test]
fn ten_thousand_half_open_upgrades_leave_nothing() {
    const AT_ONCE: usize = 5_000;
    let _alone = alone(CROWD);
    let server = frugal_server(&["--ping", "1s", "--pong", "3s", "--handshake", "60s"]);
    let base = Base::of(&server);
    let began = Instant::now();
    for _ in 0..2 {
        let mut http = Http::open(server.address).unwrap();
        let mut probes: Vec<TcpStream> = (0..AT_ONCE)
            .map(|number| {
                http.send("GET", HANDSHAKE, "").unwrap();
                let open = http.answer().unwrap().body;
                let sid = open.split('"').nth(3).unwrap();
                let mut probe = server.raw();
                probe.write_all(upgrade_request(&format!("{WEBSOCKET}&sid={sid}")).as_bytes()).unwrap();
                crate::common::read_upgrade(&mut probe);
                if number.is_multiple_of(2) {
                    probe.write_all(&frame(TEXT, b"2probe")).unwrap();
                }
                probe
            })
            .collect();
        let per_upgrade = (server.resident_bytes() - base.memory) / AT_ONCE as u64;
        println!("{AT_ONCE} half-open upgrades: {per_upgrade} bytes each, session and connection");
        // Nobody answers the ping: each session ends, and its WebSocket with it.
        for probe in &mut probes {
            assert_eq!(crate::common::read_close(probe).0, 1001);
        }
    }
    let left = base.wait_for(&server);
    println!("all of them in {:?}: {left} bytes left", began.elapsed());
    Polling::open(server.address);
}

/// A client that polls, on two connections, which a browser keeps open too.
struct Poller {
    get: Http,
    post: Http,
    target: String,
}

impl Poller {
    fn open(server: &Server, connect: &str) -> Self {
        let session = Polling::open(server.address);
        session.begin_push(connect).answer().unwrap().expect(200, "ok");
        assert!(session.poll().body.contains("40/chat,"));
        let [mut get, post] = [(); 2].map(|()| Http::open(server.address).unwrap());
        let target = session.target("polling");
        get.send("GET", &target, "").unwrap();
        Self { get, post, target }
    }

    /// The next heartbeat, and another poll.
    fn beat(&mut self) {
        let answer = self.get.answer().expect("an answer");
        assert_eq!(answer.status, 200);
        if answer.body.split(peer::SEPARATOR).any(|packet| packet == "2") {
            self.post.send("POST", &self.target, "3").unwrap();
            self.post.answer().unwrap().expect(200, "ok");
        }
        self.get.send("GET", &self.target, "").unwrap();
    }
}

#[test]
fn an_hour_of_heartbeats_by_polls_leaves_nothing() {
    const POLLERS: usize = 1_000;
    /// One every 25 seconds.
    const BEATS_IN_AN_HOUR: usize = 144;
    let _alone = alone(CROWD);
    let server = frugal_server(&["--ping", "150ms", "--pong", "5s"]);
    let base = Base::of(&server);
    let began = Instant::now();
    let connect = connect_packet("/chat", "ada");
    let mut pollers: Vec<Poller> = (0..POLLERS).map(|_| Poller::open(&server, &connect)).collect();
    let (mut settled, mut idle) = (0, Duration::ZERO);
    let cpu = server.cpu_time();
    for beat in 0..BEATS_IN_AN_HOUR {
        pollers.iter_mut().for_each(Poller::beat);
        if beat == 10 {
            settled = server.resident_bytes();
            idle = began.elapsed();
        }
    }
    let grown = server.resident_bytes().saturating_sub(settled);
    let beats = (POLLERS * BEATS_IN_AN_HOUR) as u32;
    let per_beat = (server.cpu_time() - cpu) / beats;
    let per_poller = (settled - base.memory) / POLLERS as u64;
    assert!(grown < 1 << 20, "{grown} bytes more after an hour");
    drop(pollers);
    let left = base.wait_for(&server);
    println!(
        "{POLLERS} who poll: {per_poller} bytes each, {per_beat:?} of CPU for a heartbeat, {grown} bytes more after \
         {BEATS_IN_AN_HOUR} of them, {left} left; {idle:?} until all were there, {:?} in all",
        began.elapsed()
    );
}
