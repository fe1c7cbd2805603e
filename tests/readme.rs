//! The README is kept: its conversations are held, its programs run, its settings are the program's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{ACTION, Client, Server, roomcast, scratch_dir};

const README: &str = include_str!("../README.md");

/// The contents of all fenced blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("\n```{language}\n");
    let blocks: Vec<&str> = README.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "no {language} in the README");
    blocks
}

/// All times of day the same, since they are another each time.
fn timeless(text: &str) -> String {
    let mut bytes = text.to_owned().into_bytes();
    let is_time = |bytes: &[u8]| {
        let shape = b"0000-00-00T00:00:00.000000Z";
        bytes.iter().zip(shape).all(|(byte, form)| byte == form || (*form == b'0' && byte.is_ascii_digit()))
    };
    for place in 0..bytes.len().saturating_sub(26) {
        if is_time(&bytes[place..place + 27]) {
            bytes[place..place + 27].copy_from_slice(b"0000-00-00T00:00:00.000000Z");
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_conversation_goes_as_written() {
    let transcripts = [("transcript", ACTION), ("transcript /ws", "/ws")];
    for (path, transcript) in
        transcripts.iter().flat_map(|(fence, path)| blocks(fence).into_iter().map(move |t| (path, t)))
    {
        let server = Server::start(&[]);
        let mut clients: BTreeMap<&str, Client> = BTreeMap::new();
        // All are there from the beginning, in their order.
        let names: std::collections::BTreeSet<&str> = transcript.lines().map(|line| &line[..1]).collect();
        for name in names {
            clients.insert(name, server.connect(path));
        }
        for line in transcript.lines() {
            let (name, rest) = line.split_at(1);
            let client = clients.get_mut(name).unwrap();
            match rest.split_at(2) {
                ("> ", text) => client.send(text),
                ("< ", text) => assert_eq!(timeless(&client.receive()), timeless(text), "{line}"),
                _ => panic!("neither sent nor received: {line}"),
            }
        }
        for client in clients.values_mut() {
            client.expect_nothing();
        }
    }
}

/// What a program of the README prints.
fn printed_by_python(program: &str, server: &Server) -> String {
    let program = program.replace("127.0.0.1:8000", &server.address.to_string());
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin/python");
    let output = Command::new(python).args(["-c", &program]).output().expect("installed by scripts/test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    timeless(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_python_programs_run() {
    let server = Server::start(&[]);
    let programs = blocks("python");
    let expected = "{\"action\":\"connection\",\"user_id\":\"0\"}\n{\"action\":\"join\",\"room\":\"tea\"}\n\
                    {\"action\":\"room_message\",\"room\":\"tea\",\"message\":\"Hello!\"}\n";
    assert_eq!(printed_by_python(programs[0], &server), expected);
    let expected = "create_user {'userId': 1, 'username': 'bob'}
create_room {'roomId': 2, 'roomName': 'coffee'}
  told: room_created
join_room {'roomId': 2}
send_message {'messageId': 1, 'roomId': 2, 'createdAt': '0000-00-00T00:00:00.000000Z'}
  told: new_message
get_messages {'messages': [{'messageId': 1, 'roomId': 2, 'userId': 1, 'username': 'bob', 'text': 'Hello!', \
'createdAt': '0000-00-00T00:00:00.000000Z', 'readBy': 0, 'readSelf': False}], 'nextBefore': None}
post_readconfirmation {'messageId': 1, 'userId': 1, 'readAt': '0000-00-00T00:00:00.000000Z'}
  told: readconfirmation_updated
get_readconfirmation {'messageId': 1, 'readers': [{'userId': 1, 'username': 'bob', 'readAt': '0000-00-00T00:00:00.000000Z'}]}
delete_message {'messageId': 1}
  told: message_deleted
delete_room {'roomId': 2}
  told: room_deleted
delete_user {'userId': 1}
";
    assert_eq!(printed_by_python(programs[1], &server), expected);
}

#[test]
fn the_curl_commands_answer_as_written() {
    let server = Server::start(&[]);
    let script = blocks("sh").into_iter().find(|block| block.starts_with("curl")).unwrap();
    for pair in script.lines().collect::<Vec<_>>().chunks(2) {
        let [command, answer] = pair else { panic!("{pair:?} is not a command and its answer") };
        let command = command.replace("127.0.0.1:8000", &server.address.to_string());
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(timeless(&printed), timeless(answer.strip_prefix("# ").unwrap()), "{command}");
    }
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

/// What a script prints that runs in this directory, with the program and the installed tools within reach.
#[track_caller]
fn printed_by_shell(script: &str, directory: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_roomcast")).parent().unwrap();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin");
    let path = format!("{}:{}:{}", program.display(), tools.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).env_clear().env("PATH", path).current_dir(directory);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The text with each UUID as `first` or `second` or so, in the order in which they come in it.
fn with_named_uuids(text: &str) -> String {
    let is_uuid = |word: &&str| {
        let parts: Vec<usize> = word.split('-').map(str::len).collect();
        parts == [8, 4, 4, 4, 12]
    };
    let mut text = text.to_owned();
    for name in ["first", "second", "third"] {
        let mut words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
        let Some(uuid) = words.find(is_uuid).map(str::to_owned) else { break };
        text = text.replace(&uuid, name);
    }
    text
}

/// By hand as it says, but for the port.
#[test]
fn the_socketio_programs_run() {
    let script = blocks("sh").into_iter().find(|block| block.contains("python chat.py")).unwrap();
    let serve = script.lines().find(|line| line.starts_with("roomcast serve ")).unwrap();
    let (before, after) = script.split_once(serve).unwrap();
    let directory = scratch_dir();
    printed_by_shell(before, &directory);
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(&directory);
    let server = Server::spawn(command);
    let write = |name: &str, program: &str| {
        fs::write(directory.join(name), program.replace("127.0.0.1:8000", &server.address.to_string())).unwrap();
    };
    write("chat.py", blocks("python").into_iter().find(|program| program.contains("import os, socketio")).unwrap());
    write("chat.mjs", blocks("javascript")[0]);
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/node_modules");
    std::os::unix::fs::symlink(modules, directory.join("node_modules")).unwrap();
    let printed = with_named_uuids(&timeless(&printed_by_shell(after, &directory)));
    let (python, node) = printed.split_at(printed.find("ann: ").unwrap_or(printed.len()));
    let expected = "['user:status', {'userId': 'first', 'status': 'online'}]
{'ok': True, 'id': '1', 'chat_id': 'second', 'created_at': '0000-00-00T00:00:00.000000Z', 'delivered': 1}
Hello!
Hello!
['message:read', {'messageId': '1', 'userId': 'first', 'chatId': 'second'}]
";
    assert_eq!(python, expected);
    // On three ways, so in no order.
    let mut lines: Vec<&str> = node.lines().filter(|line| line.starts_with(char::is_alphabetic)).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["ann: Hello!", "bob: Hello!", "read: 2"], "{node}");
    assert!(node.contains("ok: true,"), "{node}");
}

#[test]
fn the_commands_by_hand_run() {
    let script = blocks("sh").into_iter().find(|block| block.contains("roomcast user list")).unwrap();
    let printed = printed_by_shell(script, &scratch_dir());
    let lines: Vec<&str> = printed.lines().skip(1).collect();
    let starts = ["1 ", "2 ", "id ", "1 ", "2 ", "2 ", "3 ", "eyJ", "eyJ"];
    assert_eq!(lines.len(), starts.len(), "{printed}");
    assert!(lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{printed}");
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
