//! `roomcast serve` as an operator meets it: settings, refusals to start, signals, and what stands in the log.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Server, roomcast, scratch_dir};

/// Runs the command to its end. Returns whether it succeeded, and what it printed to each stream.
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The start fails with exactly this sentence.
#[track_caller]
fn fails(command: &mut Command, sentence: &str) {
    let (code, stdout, stderr) = run(command);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(1), "", &*format!("roomcast: {sentence}\n")));
}

#[test]
fn serves_with_nothing_configured() {
    // The default port may be taken on the machine that runs the tests; everything else is left alone.
    let mut command = roomcast();
    command.args(["serve"]).env("PORT", "0");
    let server = Server::spawn(command);
    assert!(server.address.ip().is_loopback());
    assert!(server.get("/health", &[]).ends_with("\r\n\r\nok\n"));
    let start_line = server.log();
    let parts = ["roomcast 0.", "/chatserver/connect", "/ws", "/echo", "roomcast.db", "connections"];
    assert!(parts.iter().all(|part| start_line.contains(part)), "{start_line}");
}

#[test]
fn says_in_one_sentence_why_it_does_not_start() {
    let serve = || {
        let mut command = roomcast();
        command.arg("serve");
        command
    };
    fails(
        serve().env("ROOMCAST_PING", "5 apples"),
        "ROOMCAST_PING: \"5 apples\" is not a time such as 25s, 500ms or 2m",
    );
    fails(serve().args(["--outbox", "lots"]), "--outbox: \"lots\" is not a size such as 65536, 64KiB or 1MiB");
    fails(
        serve().env("ROOMCAST_PORT", "1"),
        "ROOMCAST_PORT: there is no such setting; roomcast serve --help lists them",
    );
    fails(serve().arg("--rate"), "missing argument for option '--rate'");
    fails(serve().arg("--pony"), "invalid option '--pony'; roomcast serve --help lists the options");
    fails(&mut roomcast(), "a command is missing; roomcast --help tells what there is");
    fails(roomcast().arg("server"), "unexpected argument \"server\"; roomcast --help tells what there is");
    let not_utf8: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
    fails(serve().env("ROOMCAST_RATE", not_utf8), "ROOMCAST_RATE: the value is not UTF-8");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(serve().args(["--listen", &address]), &format!("can't listen on {address}: the port is in use"));
    let (code, _, stderr) = run(serve().args(["--listen", "192.0.2.1:80"]));
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
}

#[test]
fn settings_come_from_the_file_too() {
    let directory = scratch_dir();
    std::fs::write(directory.join(".env"), "# a comment\nROOMCAST_MAX_CONNECTIONS=7\nROOMCAST_LISTEN=127.0.0.1:0\n")
        .unwrap();
    let mut command = roomcast();
    command.arg("serve").current_dir(&directory);
    assert!(Server::spawn(command).log().contains("up to 7 connections"));
    let mut command = roomcast();
    command.arg("serve").current_dir(&directory).env("ROOMCAST_MAX_CONNECTIONS", "8");
    assert!(Server::spawn(command).log().contains("up to 8 connections"));

    std::fs::write(directory.join(".env"), "ROOMCAST_SECRET_PONY=hush\n").unwrap();
    let sentence = "ROOMCAST_SECRET_PONY in .env: there is no such setting; roomcast serve --help lists them";
    fails(roomcast().arg("serve").current_dir(&directory), sentence);
    std::fs::write(directory.join(".env"), "hush hush\n").unwrap();
    fails(roomcast().arg("serve").current_dir(&directory), ".env: a line is not of the form NAME=value");
}

#[test]
fn help_lists_every_setting_with_its_variable() {
    let (code, help, stderr) = run(roomcast().args(["serve", "--help"]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for setting in roomcast::config::SETTINGS {
        assert!(
            help.contains(&format!("--{} ", setting.flag)) && help.contains(&setting.variable()),
            "{}",
            setting.flag
        );
    }
    let (code, help, _) = run(roomcast().arg("--help"));
    assert!(code == Some(0) && help.contains("serve") && help.contains("chat"), "{help}");
    let (code, version, _) = run(roomcast().arg("--version"));
    assert_eq!((code, version), (Some(0), format!("roomcast {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_signal_tells_everybody_and_ends_in_order() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&[]);
        let mut clients: Vec<_> = (0..20).map(|_| server.join_in().0).collect();
        for client in &mut clients {
            client.send(r#"{"action":"join","room":"R"}"#);
            client.receive();
        }
        let started = Instant::now();
        server.signal(signal);
        for client in &mut clients {
            assert_eq!(client.receive_close(), (1001, "the server is going away".into()));
        }
        drop(clients);
        let (status, log) = server.wait();
        assert!(status.success(), "{log}");
        assert!(started.elapsed() < Duration::from_secs(4), "nobody was left to wait for");
        assert!(!log.contains("panicked"), "{log}");
    }
}

#[test]
fn whoever_does_not_go_is_left_behind_in_time() {
    let mut server = Server::start(&["--drain", "1s"]);
    let client = server.join_in().0;
    let started = Instant::now();
    server.signal("TERM");
    let (status, _) = server.wait();
    assert!(status.success());
    assert!((900..3_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    drop(client);
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = Server::start(&["--drain", "1h"]);
    let client = server.join_in().0;
    server.signal("TERM");
    server.wait_for_log("shutting down");
    server.signal("TERM");
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(1));
    drop(client);
}

/// What clients send, in targets, headers and messages, stands nowhere in the output: neither secrets nor control characters.
#[test]
fn nothing_of_clients_words_gets_into_the_log() {
    let mut server = Server::start(&["--log", "trace"]);
    server.get("/health?token=s3cret-query", &["Authorization: Bearer s3cret-header"]);
    server.exchange("GET /\u{1b}[31ms3cret-path HTTP/1.1\r\nHost: x\r\n\r\n");
    server.exchange("GET /health HTTP/1.1\r\nHost: x\r\nX: s3cret-\u{7}bell\r\n\r\n");
    let (mut client, _) = server.join_in();
    client.send("s3cret-text \u{1b}[31m\r\nWARN forged");
    client.receive();
    client.send(r#"{"action":"join","room":"s3cret-room"}"#);
    client.receive();
    drop(client);
    let mut stream = crate::common::raw_websocket(&server, crate::common::ACTION);
    std::io::Write::write_all(&mut stream, b"\xff\xffs3cret-frame").unwrap();
    assert_eq!(crate::common::read_close(&mut stream).0, 1002);
    drop(stream);
    server.signal("TERM");
    let (_, log) = server.wait();
    assert!(log.contains("shutting down"), "{log}");
    for leak in ["s3cret", "\u{1b}[31m", "forged"] {
        assert!(!log.contains(leak), "{leak:?} is in the log:\n{log}");
    }
}

/// The far end of the log may go away, and the disk under it may be full: both are no reason to end.
#[test]
fn a_log_that_can_not_be_written_ends_nothing() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(full()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address: std::net::SocketAddr =
        line.split("http://").nth(1).unwrap().split(": ").next().unwrap().parse().unwrap();
    for _ in 0..2 {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"BAD\n").unwrap();
        assert!(crate::common::read_to_end(&mut stream).starts_with("HTTP/1.1 400 "));
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"], &["chat", "--help"]] {
        assert_eq!(roomcast().args(arguments).stdout(full()).status().unwrap().code(), Some(0), "{arguments:?}");
    }
    assert_eq!(roomcast().arg("nonsense").stderr(full()).status().unwrap().code(), Some(1));
}
