//! The load generator, run as its users run it: its figures must fit one another, and what goes wrong must be told in one
//! sentence. What the figures are is the machine's affair.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Server, roomcast};

fn bench(arguments: &[&str]) -> Command {
    let mut command = roomcast();
    command.arg("bench").args(arguments);
    command
}

/// A short run against a server of its own; what it prints as JSON.
fn measured(arguments: &[&str]) -> Value {
    let server = Server::unlimited(&[]);
    let (url, pid) = (server.address.to_string(), server.pid().to_string());
    let mut command = bench(&["--json", "--duration", "300ms", "--warmup", "50ms", "--pid", &pid, &url]);
    let output = command.args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "", "with --json, nobody at a terminal");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(figures: &Value, path: &str) -> f64 {
    figures.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {path} in {figures}"))
}

/// What holds whatever the load was; `recipients` has each message.
fn assert_plausible(figures: &Value, recipients: f64) {
    let (messages, deliveries) = (number(figures, "/messages"), number(figures, "/deliveries"));
    assert!(messages > 0.0, "{figures}");
    assert_eq!(deliveries, messages * recipients, "{figures}");
    let seconds = number(figures, "/seconds");
    assert!((0.3..10.0).contains(&seconds), "{figures}");
    let rate = number(figures, "/deliveries_per_second");
    assert!((rate * seconds / deliveries - 1.0).abs() < 0.01, "{figures}");
    let latencies = ["p50", "p99", "p99_9", "max"].map(|name| number(figures, &format!("/latency_us/{name}")));
    assert!(latencies[0] > 0.0 && latencies.is_sorted(), "{figures}");
    assert!((0.0..1.1).contains(&number(figures, "/generator/cpu_fraction")), "{figures}");
    assert!(figures["generator"]["saturated"].is_boolean(), "{figures}");
    assert!(number(figures, "/server/cpu_s_per_million") > 0.0, "{figures}");
    for name in ["user_s_per_million", "system_s_per_million"] {
        assert!(number(figures, &format!("/server/{name}")) >= 0.0, "{figures}");
    }
    assert_server_is_known(figures);
}

fn assert_server_is_known(figures: &Value) {
    for when in ["before", "idle", "end"] {
        assert!(number(figures, &format!("/server/resident_bytes/{when}")) > 0.0, "{figures}");
    }
    assert!(number(figures, "/server/bytes_per_idle_connection").abs() < 100_000.0, "{figures}");
    assert!(number(figures, "/server/cpu_us_per_connection") > 0.0, "{figures}");
}

#[test]
fn a_room() {
    let figures = measured(&["--members", "50"]);
    assert_plausible(&figures, 50.0);
    let given = ["mode", "members", "senders", "payload", "window"].map(|name| figures[name].clone());
    assert_eq!(given, [Value::from("room"), 50.into(), 1.into(), 64.into(), 1.into()]);
}

#[test]
fn a_room_with_many_senders_on_several_threads() {
    let flags = ["--members", "90", "--senders", "50", "--window", "3", "--payload", "300", "--threads", "3"];
    let figures = measured(&flags);
    assert_plausible(&figures, 90.0);
    assert_eq!((&figures["senders"], &figures["payload"]), (&50.into(), &300.into()));
}

#[test]
fn a_room_of_more_than_join_at_once() {
    assert_plausible(&measured(&["--members", "1200", "--senders", "10", "--window", "4"]), 1200.0);
}

#[test]
fn messages_as_long_as_they_may_be() {
    assert_plausible(&measured(&["--members", "5", "--payload", "16KiB", "--window", "16"]), 5.0);
    assert_plausible(&measured(&["--members", "1", "--payload", "16"]), 1.0);
}

#[test]
fn pairs() {
    for threads in ["1", "3"] {
        let figures = measured(&["--mode", "pairs", "--members", "60", "--window", "2", "--threads", threads]);
        assert_plausible(&figures, 2.0);
        assert_eq!((&figures["mode"], &figures["senders"]), (&"pairs".into(), &30.into()));
    }
}

#[test]
fn echo() {
    for threads in ["1", "2"] {
        let figures = measured(&["--mode", "echo", "--members", "40", "--window", "2", "--threads", threads]);
        assert_plausible(&figures, 1.0);
        assert_eq!((&figures["mode"], &figures["senders"]), (&"echo".into(), &40.into()));
    }
}

#[test]
fn idle() {
    let figures = measured(&["--mode", "idle", "--members", "300"]);
    assert_server_is_known(&figures);
    assert_eq!(
        (&figures["mode"], &figures["messages"], &figures["deliveries"]),
        (&"idle".into(), &0.into(), &0.into())
    );
    assert!(figures["latency_us"].is_null() && figures["server"]["cpu_s_per_million"].is_null());
}

#[test]
fn people_get_a_table() {
    let server = Server::unlimited(&[]);
    let flags = ["--members", "10", "--duration", "100ms", "--warmup", "10ms", &server.address.to_string()];
    let output = bench(&flags).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("room: 10 members, 1 sending, 64 bytes of text, window 1, 0.1 s\n"), "{table}");
    assert!(table.contains("  latency p99.9") && !table.contains("server"), "{table}");
}

#[test]
fn long_runs_say_that_they_go_on() {
    let server = Server::unlimited(&[]);
    let flags = ["--members", "2", "--duration", "5s", "--warmup", "100ms", &server.address.to_string()];
    let output = bench(&flags).output().unwrap();
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(lines.lines().count() >= 3 && lines.lines().all(|line| line.ends_with(" deliveries a second")), "{lines}");
}

/// It fails, and says this.
fn assert_fails(output: &Output, sentence: &str) {
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("roomcast: {sentence}\n"));
    assert!(output.stdout.is_empty());
}

#[test]
fn what_goes_wrong_is_one_sentence() {
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let cases: [(&[&str], &str); 5] = [
        (&["--payload", "20000", &address], "the server refused: \"message must be 1 to 16384 bytes\""),
        (&[&format!("{address}/nowhere")], "the server answered 404 instead of 101"),
        (
            &["--mode", "echo", "--payload", "100000", &address],
            "the server disconnected a member: code 1009 \
         \"a message over the limit\"",
        ),
        (&["--pid", "4294967295", &address], "--pid: there is no process 4294967295 whose /proc can be read"),
        (&["--members", "4000000000", &address], "--members: the limit of open files leaves room for"),
    ];
    for (flags, sentence) in cases {
        let output = bench(&["--duration", "1s"]).args(flags).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.starts_with(&format!("roomcast: {sentence}")), "{said}");
        assert_eq!(said.lines().count(), 1);
    }
}

#[test]
fn a_server_that_is_not_there_or_goes_away_is_told() {
    let mut server = Server::unlimited(&[]);
    let address = server.address.to_string();
    let running = bench(&["--members", "20", "--json", &address])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(500));
    server.signal("TERM");
    let output = running.wait_with_output().unwrap();
    assert_fails(&output, "the server disconnected a member: code 1001 \"the server is going away\"");
    server.wait();
    let output = bench(&[&address]).output().unwrap();
    assert_fails(&output, &format!("cannot connect to {address}: Connection refused (os error 111)"));
}

#[test]
fn a_server_that_speaks_something_else_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"220 mail\r\n\r\n");
        }
    });
    let output = bench(&["--members", "1", &address]).output().unwrap();
    assert_fails(&output, "the server does not speak HTTP");
}
