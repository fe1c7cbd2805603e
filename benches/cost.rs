//! What a delivery costs the server, against the figures kept in `cost.json`: instructions, which valgrind counts, and
//! system calls, which strace does. Fails where one has grown by more than 5 %.
//!
//! Nothing is timed, so neither the machine's speed nor its load is in the figures; nor is what the kernel does for a
//! call. Another compiler or C library makes other instructions of the same source.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use common::crowd::read_past;
use common::peer::{WEBSOCKET as SOCKET_IO, connect_packet};
use common::trace::Trace;
use common::{
    ACTION, ECHO, PATIENCE, Server, TEXT, frame, people, raw_websocket, read_frame, read_until, roomcast,
    roomcast_under,
};
use serde::{Deserialize, Serialize};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cost.json");
const KEEP: &str = "`cargo bench --locked --bench cost -- --keep`";
/// The share by which a figure may grow.
const TOLERANCE: f64 = 0.05;

/// Turns that are not counted: what is first needed for a message is there afterwards.
const WARM_UP: usize = 2;

/// Where one listens to what is posted; the others are dialects.
const STREAM: &str = "/stream";

/// The id of the room in which Socket.IO clients are, in the chat vocabulary: the first but the lobby.
const TEA: i64 = 2;

/// One conversation. In each turn the first client sends so many messages in one write, everybody reads all that comes
/// of them, and the server goes back to sleep before the next turn: so it has the same to do in every run.
struct Scenario {
    name: &'static str,
    path: &'static str,
    clients: usize,
    messages: usize,
    /// The size of each message's text.
    bytes: usize,
    turns: usize,
}

#[rustfmt::skip]
const SCENARIOS: [Scenario; 7] = [
    Scenario { name: "room of 100, 64 bytes",          path: ACTION, clients: 100, messages: 1,  bytes: 64,     turns: 100 },
    Scenario { name: "room of 100, 16 times 64 bytes", path: ACTION, clients: 100, messages: 16, bytes: 64,     turns: 25 },
    Scenario { name: "room of 100, 16 KiB",            path: ACTION, clients: 100, messages: 1,  bytes: 16_384, turns: 50 },
    Scenario { name: "pair, 64 bytes",                 path: ACTION, clients: 2,   messages: 1,  bytes: 64,     turns: 1_000 },
    Scenario { name: "echo, 64 bytes",                 path: ECHO,   clients: 1,   messages: 1,  bytes: 64,     turns: 1_000 },
    Scenario { name: "stream of 1,000, 64 bytes",      path: STREAM, clients: 1_000, messages: 1, bytes: 64,    turns: 20 },
    Scenario { name: "Socket.IO room of 1,000, 64 bytes", path: SOCKET_IO, clients: 1_000, messages: 1, bytes: 64, turns: 40 },
];

/// What one delivery costs: a frame that reaches a client, the sender's own reply included.
#[derive(Serialize, Deserialize)]
struct Cost {
    scenario: String,
    instructions: f64,
    calls: f64,
}

struct Figure {
    unit: &'static str,
    of: fn(&Cost) -> f64,
    decimals: usize,
}

const FIGURES: [Figure; 2] = [
    Figure { unit: "instructions", of: |cost| cost.instructions, decimals: 1 },
    Figure { unit: "system calls", of: |cost| cost.calls, decimals: 3 },
];

fn main() -> ExitCode {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if !has("--bench") {
        println!("cost: nothing is counted in a test run; `cargo bench --bench cost` counts");
        return ExitCode::SUCCESS;
    }
    match count_and_compare(has("--keep")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("cost: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn count_and_compare(keep: bool) -> Result<(), String> {
    for tool in ["valgrind", "strace"] {
        let version = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        if !version.is_ok_and(|status| status.success()) {
            return Err(format!("{tool} does not run, and is what counts; on Debian, apt-get install {tool}"));
        }
    }
    let kept = read_kept();
    let now: Vec<Cost> = SCENARIOS.iter().map(measure).collect();
    print_table(&now, kept.as_deref().unwrap_or_default());
    if keep {
        write_kept(&now);
        return Ok(());
    }
    let kept = kept.map_err(|error| format!("benches/cost.json: {error}; {KEEP} writes it anew"))?;
    compare(&now, &kept)
}

/// Counts what the conversation takes alone: neither what comes before, nor the end.
fn measure(scenario: &Scenario) -> Cost {
    let deliveries = (scenario.turns * scenario.messages * scenario.clients) as f64;
    let per_delivery = |count: fn(&Scenario) -> f64, decimals: usize| -> f64 {
        format!("{:.decimals$}", count(scenario) / deliveries).parse().unwrap()
    };
    let [instructions, calls] = std::thread::scope(|scope| {
        let calls = scope.spawn(|| per_delivery(calls, FIGURES[1].decimals));
        [per_delivery(instructions, FIGURES[0].decimals), calls.join().unwrap()]
    });
    Cost { scenario: scenario.name.into(), instructions, calls }
}

/// However slow the machine is, nobody is pinged; and since the clients don't answer its close frames, the server does
/// not wait for that.
const SERVE: [&str; 13] = [
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--rate",
    "0",
    "--ping",
    "24h",
    "--drain",
    "1ms",
    "--database",
    "sqlite::memory:",
    "--jwt-secret",
    people::SECRET,
];

/// glibc picks its `memcpy` and the like by what the processor has, and valgrind counts each byte that `rep movsb`
/// copies, so that figures differ by up to a third. Without these features every x86-64 processor runs the same code.
/// (In Rust nothing on a message's way asks for them.)
const PLAIN_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,\
                               -Prefer_ERMS,-Prefer_FSRM,-SSSE3,-SSE4_1,-SSE4_2";

/// The instructions of the conversation. The clock costs the same everywhere: valgrind hides the vDSO.
fn instructions(scenario: &Scenario) -> f64 {
    let profile = profile(scenario);
    let option = format!("--callgrind-out-file={}", profile.display());
    let mut command = roomcast_under(&["valgrind", "--tool=callgrind", &option]);
    command.args(SERVE).env("GLIBC_TUNABLES", PLAIN_PROCESSOR);
    let server = Server::spawn(command);
    let mut clients = gather(&server, scenario);
    converse(&server, &mut clients, scenario, WARM_UP);
    callgrind(&server, "--zero");
    converse(&server, &mut clients, scenario, scenario.turns);
    callgrind(&server, "--dump");
    // The first of what may be many.
    let dump = std::fs::read_to_string(profile.with_added_extension("1")).unwrap_or_default();
    let total = dump.lines().find_map(|line| line.strip_prefix("totals: ")?.parse().ok());
    total.unwrap_or_else(|| panic!("valgrind has counted nothing: {}", server.log()))
}

/// Has valgrind set its counters back, or write them down.
fn callgrind(server: &Server, order: &str) {
    let control = Command::new("callgrind_control").args([order, &server.pid().to_string()]).output();
    let control = control.expect("it comes with valgrind");
    assert!(control.status.success(), "{}", String::from_utf8_lossy(&control.stderr));
}

/// Where valgrind leaves what it found, for whoever wants to know where instructions went.
fn profile(scenario: &Scenario) -> PathBuf {
    let name = scenario.name.replace(", ", "-").replace(' ', "-");
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cost-{name}.callgrind"))
}

/// The system calls of the conversation.
fn calls(scenario: &Scenario) -> f64 {
    let mut command = roomcast();
    command.args(SERVE);
    let server = Server::spawn(command);
    let mut clients = gather(&server, scenario);
    converse(&server, &mut clients, scenario, WARM_UP);
    let trace = Trace::attach(&server);
    converse(&server, &mut clients, scenario, scenario.turns);
    let mut calls = trace.finish();
    // On most machines the clock is read without a call.
    calls.remove("clock_gettime");
    calls.values().sum::<usize>() as f64
}

/// Connects the clients, and has them join one room, the echo's excepted; one after the other, so that this, too, is the
/// same in every run.
fn gather(server: &Server, scenario: &Scenario) -> Vec<TcpStream> {
    if scenario.path == SOCKET_IO {
        let users = ["ada", "bob"].map(|name| people::user(server, name));
        assert_eq!(people::private_room(server, "tea", &users), TEA);
    }
    let mut clients = Vec::new();
    for _ in 0..scenario.clients {
        match scenario.path {
            STREAM => clients.push(listen(server)),
            SOCKET_IO => clients.push(attend(server)),
            path => clients.push(raw_websocket(server, path)),
        }
        if scenario.path == ACTION {
            join(&mut clients);
        }
        settle(server);
    }
    clients
}

/// The last of them joins the others.
fn join(clients: &mut [TcpStream]) {
    let newcomer = clients.last_mut().unwrap();
    read_frame(newcomer).expect("a welcome");
    newcomer.write_all(&frame(TEXT, br#"{"action":"join","room":"all"}"#)).unwrap();
    for client in clients {
        read_frame(client).expect("who has joined");
    }
}

/// Somebody who listens to the lobby.
fn listen(server: &Server) -> TcpStream {
    let mut listener = server.raw();
    listener.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    read_until(&mut listener, b"}\n\n");
    listener
}

/// Ada, who is in the room by being there.
fn attend(server: &Server) -> TcpStream {
    let mut client = raw_websocket(server, SOCKET_IO);
    client.write_all(&frame(TEXT, connect_packet("/chat", "ada").as_bytes())).unwrap();
    read_past(&mut client, b"40/chat,");
    client
}

/// Somebody else posts, in each turn one message.
fn post(server: &Server, listeners: &mut [TcpStream], scenario: &Scenario, turns: usize) {
    const SENDER: &str = "123e4567-e89b-12d3-a456-426614174000";
    let body = format!(r#"{{"content":"{}","sender_id":"{SENDER}"}}"#, "x".repeat(scenario.bytes));
    let request = format!("POST /message HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut poster = server.raw();
    for _ in 0..turns {
        poster.write_all(request.as_bytes()).unwrap();
        read_until(&mut poster, format!("\"{SENDER}\"}}").as_bytes());
        for listener in &mut *listeners {
            read_until(listener, b"}}\n\n");
        }
        settle(server);
    }
}

fn converse(server: &Server, clients: &mut [TcpStream], scenario: &Scenario, turns: usize) {
    if scenario.path == STREAM {
        return post(server, clients, scenario, turns);
    }
    let text = "x".repeat(scenario.bytes);
    let message = match scenario.path {
        ECHO => text,
        SOCKET_IO => format!(r#"42/chat,["message:send",{{"chatId":{TEA},"content":"{text}"}}]"#),
        _ => format!(r#"{{"action":"room_message","message":"{text}"}}"#),
    };
    let request = frame(TEXT, message.as_bytes()).repeat(scenario.messages);
    for _ in 0..turns {
        clients[0].write_all(&request).unwrap();
        for client in &mut *clients {
            for _ in 0..scenario.messages {
                let (_, payload) = read_frame(client).expect("a delivery");
                assert!(payload.len() >= message.len(), "not a delivery: {}", String::from_utf8_lossy(&payload));
            }
        }
        settle(server);
    }
}

/// Waits until the server sleeps. If the next message came before, a turn that it makes for nothing would go unseen.
fn settle(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    while !server.is_asleep() {
        assert!(Instant::now() < deadline, "the server does not come to rest");
        std::thread::yield_now();
    }
}

fn read_kept() -> Result<Vec<Cost>, String> {
    let text = std::fs::read_to_string(KEPT).map_err(|error| error.to_string())?;
    let kept: Vec<Cost> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let names = kept.iter().map(|cost| &*cost.scenario);
    if names.eq(SCENARIOS.iter().map(|scenario| scenario.name)) {
        Ok(kept)
    } else {
        Err("has other scenarios than these".into())
    }
}

fn write_kept(now: &[Cost]) {
    let rows: Vec<String> = now.iter().map(|cost| format!("  {}", serde_json::to_string(cost).unwrap())).collect();
    std::fs::write(KEPT, format!("[\n{}\n]\n", rows.join(",\n"))).unwrap();
    println!("cost: kept in benches/cost.json");
}

fn print_table(now: &[Cost], kept: &[Cost]) {
    print!("{:35}", "per delivery");
    for figure in FIGURES {
        print!("{:>14}{:>9}{:>7}", figure.unit, "kept", "ratio");
    }
    println!();
    for (index, cost) in now.iter().enumerate() {
        print!("{:35}", cost.scenario);
        for Figure { of, decimals, .. } in FIGURES {
            print!("{:>14.decimals$}", of(cost));
            match kept.get(index).map(of) {
                Some(kept) => print!("{kept:>9.decimals$}{:>7.3}", of(cost) / kept),
                None => print!("{:>9}{:>7}", "-", "-"),
            }
        }
        println!();
    }
}

/// Says which figures have changed. Fails if one has grown.
fn compare(now: &[Cost], kept: &[Cost]) -> Result<(), String> {
    let mut grown = 0;
    for (scenario, (now, kept)) in SCENARIOS.iter().zip(now.iter().zip(kept)) {
        for Figure { unit, of, decimals } in FIGURES {
            let (now, kept) = (of(now), of(kept));
            let percent = 100.0 * (now - kept).abs() / kept;
            let is = format!("cost: {}: {now:.decimals$} {unit} per delivery, {percent:.1} %", scenario.name);
            if now > kept * (1.0 + TOLERANCE) {
                grown += 1;
                eprintln!("{is} more than the {kept:.decimals$} kept; if that is meant, {KEEP} keeps it");
            } else if now < kept * (1.0 - TOLERANCE) {
                eprintln!(
                    "{is} fewer than the {kept:.decimals$} kept; {KEEP} keeps it, or the gain can be lost unseen"
                );
            }
        }
    }
    if grown == 0 {
        return Ok(());
    }
    let profiles = profile(&SCENARIOS[0]).with_file_name("cost-*.callgrind.1");
    Err(format!(
        "grown by more than {} %: {grown} of the figures. Another compiler or C library alone can do that to \
         instructions: then count the commit before with it, too. Counted with CARGO_PROFILE_BENCH_STRIP=false and \
         CARGO_PROFILE_BENCH_DEBUG=line-tables-only, callgrind_annotate shows where they are in {}",
        100.0 * TOLERANCE,
        profiles.display()
    ))
}
