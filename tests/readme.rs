//! The README is kept: its conversations are held, its programs run, its settings are the program's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{ACTION, Client, Server, scratch_dir};

const README: &str = include_str!("../README.md");

/// The contents of all fenced blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("\n```{language}\n");
    let blocks: Vec<&str> = README.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "no {language} in the README");
    blocks
}

#[test]
fn every_conversation_goes_as_written() {
    for transcript in blocks("transcript") {
        let server = Server::start(&[]);
        let mut clients: BTreeMap<&str, Client> = BTreeMap::new();
        for line in transcript.lines() {
            let (name, rest) = line.split_at(1);
            let client = clients.entry(name).or_insert_with(|| server.connect(ACTION));
            match rest.split_at(2) {
                ("> ", text) => client.send(text),
                ("< ", text) => client.expect(text),
                _ => panic!("neither sent nor received: {line}"),
            }
        }
        for client in clients.values_mut() {
            client.expect_nothing();
        }
    }
}

#[test]
fn the_python_program_runs() {
    let server = Server::start(&[]);
    let program = blocks("python")[0].replace("127.0.0.1:8000", &server.address.to_string());
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin/python");
    let output = Command::new(python).args(["-c", &program]).output().expect("installed by scripts/test");
    let expected = "{\"action\":\"connection\",\"user_id\":\"0\"}\n{\"action\":\"join\",\"room\":\"tea\"}\n\
                    {\"action\":\"room_message\",\"room\":\"tea\",\"message\":\"Hello!\"}\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_shell_commands_run() {
    let server = Server::start(&[]);
    let pipe = blocks("sh").into_iter().find(|block| block.starts_with("printf")).unwrap();
    let directory = Path::new(env!("CARGO_BIN_EXE_roomcast")).parent().unwrap();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    let command = pipe.replace("127.0.0.1:8000", &server.address.to_string());
    let output =
        Command::new("sh").args(["-c", &command]).env("PATH", path).current_dir(scratch_dir()).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "connected as user 0\nyou joined tea\n[tea] you: Hello!\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for block in blocks("sh") {
        for word in block.split_whitespace().filter(|word| word.starts_with("scripts/")) {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(word).exists(), "{word}");
        }
    }
}

#[test]
fn the_table_of_settings_is_the_programs() {
    let rows: Vec<&str> = README.lines().filter(|line| line.starts_with("| `--")).collect();
    let expected: Vec<String> = roomcast::config::SETTINGS
        .iter()
        .map(|setting| {
            let default = if setting.default.is_empty() { "none".into() } else { format!("`{}`", setting.default) };
            format!("| `--{}` | `{}` | {default} | {} |", setting.flag, setting.variable(), setting.help)
        })
        .collect();
    assert_eq!(rows, expected);
}

/// Each dependency has its row and its reason, and no row is left of one that went.
#[test]
fn the_table_of_dependencies_is_the_manifests() {
    let manifest = include_str!("../Cargo.toml");
    let mut named: Vec<&str> = Vec::new();
    let mut in_dependencies = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && let Some((name, _)) = line.split_once(" = ") {
            named.push(name);
        }
    }
    let section = README.split("\n## Dependencies\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut told: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    named.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, named);
}
