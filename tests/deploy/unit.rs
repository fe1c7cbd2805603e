//! The systemd unit: what systemd's own tools say of it, and whether its filter lets the server through. There is no
//! running systemd on a machine for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{printed, text_of};
use crate::common::nginx::with;
use crate::common::{Server, roomcast_under, scratch_dir};

/// The unit as it would be installed, for the program that is tested.
fn installed() -> PathBuf {
    let path = scratch_dir().join("roomcast.service");
    let program = [("/usr/local/bin/roomcast", env!("CARGO_BIN_EXE_roomcast"))];
    // Its head names the program's folder alone.
    fs::write(&path, with(text_of("roomcast.service"), &program)).unwrap();
    path
}

fn analyze(words: &[&str]) -> Command {
    let mut command = Command::new("systemd-analyze");
    command.args(words).env("SYSTEMD_PAGER", "");
    command
}

#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    let unit = installed();
    let output = analyze(&["verify", "--man=no"]).arg(&unit).output().unwrap();
    // What it does not understand it only mentions.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    printed(analyze(&["security", "--offline=yes", "--threshold=15"]).arg(&unit));
}

/// systemd's sets of calls, each with its members, of which some are sets.
fn sets() -> BTreeMap<String, Vec<String>> {
    let (mut sets, mut name) = (BTreeMap::new(), String::new());
    for line in printed(&mut analyze(&["syscall-filter"])).lines() {
        match line.trim() {
            set if line.starts_with('@') => set.clone_into(&mut name),
            "" => {}
            call if !call.starts_with('#') => sets.entry(name.clone()).or_insert_with(Vec::new).push(call.to_owned()),
            _ => {}
        }
    }
    sets
}

/// The calls in these sets, and in the sets in them.
fn calls_in(words: &str, sets: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let (mut calls, mut open) = (BTreeSet::new(), words.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    while let Some(word) = open.pop() {
        match sets.get(&word) {
            Some(members) => open.extend(members.iter().cloned()),
            None => drop(calls.insert(word)),
        }
    }
    calls
}

/// Each call that it makes from the start to the end.
fn calls_made() -> BTreeSet<String> {
    let directory = scratch_dir();
    let trace = directory.join("calls");
    // Beside it, so that signals are the server's.
    let mut command = roomcast_under(&["strace", "-D", "-f", "-e", "signal=none", "-o", trace.to_str().unwrap()]);
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(&directory);
    let mut server = Server::spawn(command);
    let (mut client, _) = server.join_in();
    client.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
    client.ask(
        r#"{"action":"room_message","message":"kept"}"#,
        r#"{"action":"room_message","room":"lobby","message":"kept"}"#,
    );
    for path in ["/ready", "/metrics", "/messages?RoomID=1"] {
        assert!(server.get(path, &[]).starts_with("HTTP/1.1 200 "), "{path}");
    }
    client.close();
    server.signal("TERM");
    assert!(server.wait().0.success());
    crate::common::wait_until("the end of the trace", || {
        fs::read_to_string(&trace).unwrap().contains("+++ exited with 0 +++")
    });
    let name = |line: &str| {
        let call = line.split_whitespace().nth(1)?.split('(').next()?.to_owned();
        call.starts_with(|c: char| c.is_ascii_lowercase()).then_some(call)
    };
    fs::read_to_string(&trace).unwrap().lines().filter(|line| line.contains('(')).filter_map(name).collect()
}

#[test]
fn the_filter_lets_all_through_that_the_server_asks_of_the_kernel() {
    let (unit, sets) = (text_of("roomcast.service"), sets());
    let mut allowed = BTreeSet::new();
    for filter in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        match filter.strip_prefix('~') {
            Some(denied) => {
                let denied = calls_in(denied, &sets);
                allowed.retain(|call| !denied.contains(call));
            }
            None => allowed.extend(calls_in(filter, &sets)),
        }
    }
    // Allowed by every filter.
    allowed.extend(calls_in("@default", &sets));
    let mut made = calls_made();
    // SQLite gives its files to the owner of the folder, but only where it is root, as it may be here.
    made.remove("fchown");
    assert!(made.contains("accept4") && made.contains("fsync") && made.contains("prlimit64"), "{made:?}");
    let denied: Vec<&String> = made.difference(&allowed).collect();
    assert!(denied.is_empty(), "{denied:?}");
    // And it does stop something.
    for call in ["mount", "ptrace", "init_module", "reboot", "setuid", "chroot"] {
        assert!(!allowed.contains(call), "{call}");
    }
}
