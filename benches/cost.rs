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

use common::trace::Trace;
use common::{
    ACTION, ECHO, PATIENCE, Server, TEXT, frame, raw_websocket, read_frame, read_until, roomcast, roomcast_under,
};
use serde::{Deserialize, Serialize};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cost.json");
const KEEP: &str = "`cargo bench --locked --bench cost -- --keep`";
/// The share by which a figure may grow.
const TOLERANCE: f64 = 0.05;

/// Where one listens to what is posted; the others are dialects.
const STREAM: &str = "/stream";

/// One conversation. In each turn the first client sends so many messages in one write, everybody reads all that comes
/// of them, and the server goes back to sleep before the next turn: so it has the same to do in every run.
struct Scenario {
    name: &'static str,
    path: &'static str,
    clients: usize,
    messages: usize,
    /// The size of each message's text.
    bytes: usize,
    /// So many that what varies at the start and the end is little beside them.
    turns: usize,
}

#[rustfmt::skip]
const SCENARIOS: [Scenario; 6] = [
    Scenario { name: "room of 100, 64 bytes",          path: ACTION, clients: 100, messages: 1,  bytes: 64,     turns: 100 },
    Scenario { name: "room of 100, 16 times 64 bytes", path: ACTION, clients: 100, messages: 16, bytes: 64,     turns: 25 },
    Scenario { name: "room of 100, 16 KiB",            path: ACTION, clients: 100, messages: 1,  bytes: 16_384, turns: 50 },
    Scenario { name: "pair, 64 bytes",                 path: ACTION, clients: 2,   messages: 1,  bytes: 64,     turns: 1_000 },
    Scenario { name: "echo, 64 bytes",                 path: ECHO,   clients: 1,   messages: 1,  bytes: 64,     turns: 1_000 },
    Scenario { name: "stream of 1,000, 64 bytes",      path: STREAM, clients: 1_000, messages: 1, bytes: 64,    turns: 20 },
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

/// Takes what a number of turns costs from what twice as many do, so that start, joining and end cancel out.
fn measure(scenario: &Scenario) -> Cost {
    let deliveries = (scenario.turns * scenario.messages * scenario.clients) as f64;
    let per_delivery = |count: fn(&Scenario, usize) -> f64| {
        let once = count(scenario, scenario.turns);
        (count(scenario, 2 * scenario.turns) - once) / deliveries
    };
    let rounded = |value: f64, decimals: usize| format!("{value:.decimals$}").parse().unwrap();
    Cost {
        scenario: scenario.name.into(),
        instructions: rounded(per_delivery(instructions), FIGURES[0].decimals),
        calls: rounded(per_delivery(calls), FIGURES[1].decimals),
    }
}

/// However slow the machine is, nobody is pinged; and since the clients don't answer its close frames, the server does
/// not wait for that.
const SERVE: [&str; 11] = [
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
];

/// glibc picks its `memcpy` and the like by what the processor has, and valgrind counts each byte that `rep movsb`
/// copies, so that figures differ by up to a third. Without these features every x86-64 processor runs the same code.
/// (In Rust nothing on a message's way asks for them.)
const PLAIN_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,\
                               -Prefer_ERMS,-Prefer_FSRM,-SSSE3,-SSE4_1,-SSE4_2";

/// The instructions of the whole process. The clock costs the same everywhere: valgrind hides the vDSO.
fn instructions(scenario: &Scenario, turns: usize) -> f64 {
    let profile = profile(scenario);
    let option = format!("--callgrind-out-file={}", profile.display());
    let mut command = roomcast_under(&["valgrind", "--tool=callgrind", &option]);
    command.args(SERVE).env("GLIBC_TUNABLES", PLAIN_PROCESSOR);
    let mut server = Server::spawn(command);
    let mut clients = gather(&server, scenario);
    converse(&server, &mut clients, scenario, turns);
    server.signal("TERM");
    let (status, log) = server.wait();
    let profile = std::fs::read_to_string(profile).unwrap_or_default();
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: ")?.parse().ok());
    total.unwrap_or_else(|| panic!("valgrind has counted nothing, {status}: {log}"))
}

/// Where valgrind leaves what it found, for whoever wants to know where instructions went.
fn profile(scenario: &Scenario) -> PathBuf {
    let name = scenario.name.replace(", ", "-").replace(' ', "-");
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cost-{name}.callgrind"))
}

/// The system calls of the conversation.
fn calls(scenario: &Scenario, turns: usize) -> f64 {
    let mut command = roomcast();
    command.args(SERVE);
    let server = Server::spawn(command);
    let mut clients = gather(&server, scenario);
    let trace = Trace::attach(&server);
    converse(&server, &mut clients, scenario, turns);
    let mut calls = trace.finish();
    // On most machines the clock is read without a call.
    calls.remove("clock_gettime");
    calls.values().sum::<usize>() as f64
}

/// Connects the clients, and has all but the echo's join one room; one after the other, so that this, too, is the same
/// in every run.
fn gather(server: &Server, scenario: &Scenario) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..scenario.clients {
        if scenario.path == STREAM {
            clients.push(listen(server));
            settle(server);
            continue;
        }
        clients.push(raw_websocket(server, scenario.path));
        if scenario.path == ECHO {
            continue;
        }
        let newcomer = clients.last_mut().unwrap();
        read_frame(newcomer).expect("a welcome");
        newcomer.write_all(&frame(TEXT, br#"{"action":"join","room":"all"}"#)).unwrap();
        for client in &mut clients {
            read_frame(client).expect("who has joined");
        }
        settle(server);
    }
    clients
}

/// Somebody who listens to the lobby.
fn listen(server: &Server) -> TcpStream {
    let mut listener = server.raw();
    listener.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    read_until(&mut listener, b"}\n\n");
    listener
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
    let message =
        if scenario.path == ECHO { text } else { format!(r#"{{"action":"room_message","message":"{text}"}}"#) };
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
    print!("{:31}", "per delivery");
    for figure in FIGURES {
        print!("{:>14}{:>9}{:>7}", figure.unit, "kept", "ratio");
    }
    println!();
    for (index, cost) in now.iter().enumerate() {
        print!("{:31}", cost.scenario);
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
    let profiles = profile(&SCENARIOS[0]).with_file_name("cost-*.callgrind");
    Err(format!(
        "grown by more than {} %: {grown} of the figures. Another compiler or C library alone can do that to \
         instructions: then count the commit before with it, too. Counted with CARGO_PROFILE_BENCH_STRIP=false and \
         CARGO_PROFILE_BENCH_DEBUG=line-tables-only, callgrind_annotate shows where they are in {}",
        100.0 * TOLERANCE,
        profiles.display()
    ))
}
