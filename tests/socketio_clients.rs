//! Clients that none of us wrote: socket.io-client in Node and in a browser, python-socketio with and without asyncio.
//! Each has a whole conversation in each vocabulary over each transport, on the namespace `/` and on the vocabulary's
//! own. The scripts lie in `tests/socketio_clients`, the clients themselves where `scripts/test` has installed them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::common::tools::{Browser, tool};
use crate::common::{Server, roomcast, scratch_dir};

const SECRET: &str = "the secret of these tests, and long enough";

/// A server with three users, and a private room of the first two.
struct Stage {
    server: Server,
    /// What the scripts are told of it.
    settings: PathBuf,
}

impl Stage {
    /// Users, room and tokens are made by the commands, while the server runs on the same file.
    fn set(origin: Option<&str>) -> Self {
        let directory = scratch_dir();
        let database = format!("sqlite:{}", directory.join("roomcast.db").display());
        let command = |words: &[&str]| {
            let mut command = roomcast();
            command.args(words).env("ROOMCAST_DATABASE", &database).env("ROOMCAST_JWT_SECRET", SECRET);
            command
        };
        let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--jwt-secret", SECRET]);
        serve.args(origin.iter().flat_map(|origin| ["--allow-origins", origin]));
        let server = Server::spawn(serve);
        let printed = |words: &[&str]| printed(&mut command(words));
        let names = ["alice", "bob", "carol"];
        for name in names {
            printed(&["user", "add", name]);
        }
        let list = printed(&["user", "list"]);
        let users: Map<String, Value> = names
            .iter()
            .map(|name| {
                let (id, uuid) = listed(&list, name);
                ((*name).to_owned(), json!({ "id": id, "uuid": uuid, "token": printed(&["token", name]).trim() }))
            })
            .collect();
        let room = printed(&["room", "add", "tea", "--private", "--member", "alice", "--member", "bob"]);
        let (id, uuid) = id_and_uuid(&room).unwrap_or_else(|| panic!("no id and UUID: {room:?}"));
        let settings = directory.join("settings.json");
        fs::write(&settings, json!({ "users": users, "chats": { "tea": { "id": id, "uuid": uuid } } }).to_string())
            .unwrap();
        Self { server, settings }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }
}

/// What a command prints that succeeds.
#[track_caller]
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn id_and_uuid(line: &str) -> Option<(i64, &str)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?))
}

/// The id and UUID of a user in a list of id, UUID and name.
fn listed<'a>(list: &'a str, name: &str) -> (i64, &'a str) {
    let row = list.lines().find(|line| line.split_whitespace().nth(2) == Some(name));
    row.and_then(id_and_uuid).unwrap_or_else(|| panic!("{name} is not listed: {list}"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/socketio_clients").join(name)
}

/// Runs a script to its end, which is good if it says so and has checked something.
fn succeeds(mut command: Command, [transport, namespace]: [&str; 2], more: &[&str]) {
    let stage = Stage::set(None);
    command.args([&stage.url(), transport, namespace]).arg(&stage.settings).args(more);
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_done = output.status.success() && stdout.lines().last().is_some_and(|line| line.starts_with("done "));
    assert!(is_done, "{transport} {namespace}\n{stdout}{stderr}\n{}", stage.server.log());
}

/// Over every transport, on the namespace `/` and on the vocabulary's own, all at once: a conversation consists of waiting
/// for the most part.
fn everywhere(vocabulary: &str, run: impl Fn(&str, &str) + Sync) {
    let own = format!("/{vocabulary}");
    thread::scope(|scope| {
        for transport in ["websocket", "polling", "upgrade"] {
            for namespace in ["/", &own] {
                let run = &run;
                scope.spawn(move || run(transport, namespace));
            }
        }
    });
}

fn node(vocabulary: &str) {
    everywhere(vocabulary, |transport, namespace| {
        let modules = tool("node_modules/socket.io-client");
        let mut command = Command::new("node");
        command.arg(script(&format!("{vocabulary}.mjs"))).env("NODE_PATH", modules.parent().unwrap());
        succeeds(command, [transport, namespace], &[]);
    });
}

fn python(vocabulary: &str, kind: &str) {
    everywhere(vocabulary, |transport, namespace| {
        let mut command = Command::new(tool("venv/bin/python"));
        command.arg(script(&format!("{vocabulary}.py"))).env("PYTHONDONTWRITEBYTECODE", "1");
        succeeds(command, [transport, namespace], &[kind]);
    });
}

fn sync(vocabulary: &str) {
    python(vocabulary, "sync");
}

fn asyncio(vocabulary: &str) {
    python(vocabulary, "asyncio");
}

/// A page of another origin: the same host, but not the server's port.
fn browser(vocabulary: &str) {
    everywhere(vocabulary, |transport, namespace| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let stage = Stage::set(Some(&origin));
        let results = serve_pages(listener, stage.settings.clone());
        let query = format!("vocabulary={vocabulary}&mode={transport}&namespace={namespace}");
        let files = "client=/client.js&settings=/settings.json";
        let browser = Browser::open(&format!("{origin}/page.html?server={}&{query}&{files}", stage.url()));
        let result = results.recv_timeout(Duration::from_secs(90)).expect("a result within its time");
        drop(browser);
        assert_eq!(result, "PASS", "{transport} {namespace}\n{}", stage.server.log());
    });
}

/// Serves the scripts, the client and the settings. What is posted comes out of the receiver.
fn serve_pages(listener: TcpListener, settings: PathBuf) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let settings = Arc::new(settings);
    thread::spawn(move || {
        // A thread each: a browser also makes connections before it knows what for.
        for stream in listener.incoming() {
            let (sender, settings) = (sender.clone(), Arc::clone(&settings));
            thread::spawn(move || serve_page(&stream.unwrap(), &settings, &sender));
        }
    });
    receiver
}

fn serve_page(mut stream: &TcpStream, settings: &Path, results: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(target) = head.first().and_then(|request| request.split(' ').nth(1)) else { return };
    if target == "/result" {
        let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap()];
        reader.read_exact(&mut body).unwrap();
        // Nobody waits any longer after a failure.
        let _ = results.send(String::from_utf8(body).unwrap());
    }
    let path = target.split('?').next().unwrap();
    let (kind, body) = match path {
        "/page.html" => ("text/html", fs::read(script("page.html")).unwrap()),
        "/harness.mjs" | "/chat.mjs" | "/conversation.mjs" => {
            ("text/javascript", fs::read(script(&path[1..])).unwrap())
        }
        "/client.js" => {
            ("text/javascript", fs::read(tool("node_modules/socket.io-client/dist/socket.io.min.js")).unwrap())
        }
        "/settings.json" => ("application/json", fs::read(settings).unwrap()),
        _ => ("text/plain", Vec::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}; charset=utf-8\r\nConnection: close\r\n");
    // A browser that is being ended does not read any more.
    let _ = stream.write_all(&[format!("{head}Content-Length: {length}\r\n\r\n").as_bytes(), &body].concat());
}

/// A test for each vocabulary of a client.
macro_rules! conversations {
    ($($client:ident)*) => {
        $(mod $client {
            #[test]
            fn chat() {
                super::$client("chat");
            }

            #[test]
            fn conversation() {
                super::$client("conversation");
            }
        })*
    };
}

conversations! { node sync asyncio browser }
