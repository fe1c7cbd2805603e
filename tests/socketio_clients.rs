//! Clients that none of us wrote: socket.io-client in Node and in a browser, python-socketio with and without asyncio.
//! Each has a whole conversation in each vocabulary over each transport, on the namespace `/` and on the vocabulary's
//! own. They come through nginx to two nodes, so that some of those who talk are on another one than those who listen. The
//! scripts lie in `tests/socketio_clients`, the clients themselves where `scripts/test` has installed them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::people::SECRET;
use crate::common::site::{Site, Ways};
use crate::common::tools::{Browser, tool};
use crate::common::{roomcast, scratch_dir};

/// One for each transport and namespace.
const CONVERSATIONS: usize = 6;

/// A site with its ways, and where the scripts find what they are told of it.
struct Stage {
    site: Site,
    ways: Ways,
}

impl Stage {
    fn set(origins: &[String]) -> Self {
        let origins = origins.join(",");
        let flags = if origins.is_empty() { vec![] } else { vec!["--allow-origins", &origins] };
        let site = Site::start(&flags, &[]);
        let ways = site.ways();
        Self { site, ways }
    }

    /// The settings of three users, and a private room of the first two, for one conversation. Others go on beside it, with
    /// users of their own. They and their tokens are made by the commands, while the nodes run on the same database.
    fn cast(&self, number: usize) -> PathBuf {
        let printed = |words: &[&str]| {
            let mut command = roomcast();
            command.args(words).env("ROOMCAST_DATABASE", &self.site.cluster.database);
            printed(command.env("ROOMCAST_JWT_SECRET", SECRET))
        };
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|role| {
            let name = format!("{role}-{number}");
            let added = printed(&["user", "add", &name]);
            let (id, uuid) = id_and_uuid(&added);
            let token = printed(&["token", &name]);
            json!({ "name": name, "id": id, "uuid": uuid, "token": token.trim() })
        });
        let name = |user: &Value| user["name"].as_str().unwrap().to_owned();
        let room = printed(&["room", "add", "tea", "--private", "--member", &name(&alice), "--member", &name(&bob)]);
        let (id, uuid) = id_and_uuid(&room);
        let users = json!({ "alice": alice, "bob": bob, "carol": carol });
        let settings = scratch_dir().join("settings.json");
        let text = json!({ "users": users, "chats": { "tea": { "id": id, "uuid": uuid } } }).to_string();
        fs::write(&settings, text).unwrap();
        settings
    }

    fn logs(&self) -> String {
        self.site.cluster.nodes.iter().map(|node| node.log()).collect()
    }
}

/// What a command prints that succeeds.
#[track_caller]
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn id_and_uuid(line: &str) -> (i64, &str) {
    let mut words = line.split_whitespace();
    let id = words.next().and_then(|id| id.parse().ok());
    id.zip(words.next()).unwrap_or_else(|| panic!("no id and UUID: {line:?}"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/socketio_clients").join(name)
}

/// Runs a script to its end, which is good if it says so and has checked something.
fn succeeds(mut command: Command, stage: &Stage, [transport, namespace]: [&str; 2], settings: &Path, more: &[&str]) {
    command.args(&stage.ways.urls).args([transport, namespace]).arg(settings).args(more);
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_done = output.status.success() && stdout.lines().last().is_some_and(|line| line.starts_with("done "));
    assert!(is_done, "{transport} {namespace}\n{stdout}{stderr}\n{}", stage.logs());
}

/// Over every transport, on the namespace `/` and on the vocabulary's own, all at once on one site: a conversation consists of
/// waiting for the most part. Each is told its transport and namespace, its settings and its number.
fn everywhere(vocabulary: &str, stage: &Stage, run: impl Fn([&str; 2], &Path, usize) + Sync) {
    let own = format!("/{vocabulary}");
    let namespaces = ["/", &own];
    // One after the other: a database takes only so many programs at once.
    let casts: Vec<PathBuf> = (0..CONVERSATIONS).map(|number| stage.cast(number)).collect();
    let transports = ["websocket", "polling", "upgrade"].into_iter().cycle();
    thread::scope(|scope| {
        for (number, (settings, transport)) in casts.iter().zip(transports).enumerate() {
            let (run, namespace) = (&run, namespaces[number % 2]);
            scope.spawn(move || run([transport, namespace], settings, number));
        }
    });
}

fn node(vocabulary: &str) {
    let stage = Stage::set(&[]);
    everywhere(vocabulary, &stage, |by, settings, _| {
        let modules = tool("node_modules/socket.io-client");
        let mut command = Command::new("node");
        command.arg(script(&format!("{vocabulary}.mjs"))).env("NODE_PATH", modules.parent().unwrap());
        succeeds(command, &stage, by, settings, &[]);
    });
}

fn python(vocabulary: &str, kind: &str) {
    let stage = Stage::set(&[]);
    everywhere(vocabulary, &stage, |by, settings, _| {
        let mut command = Command::new(tool("venv/bin/python"));
        command.arg(script(&format!("{vocabulary}.py"))).env("PYTHONDONTWRITEBYTECODE", "1");
        succeeds(command, &stage, by, settings, &[kind]);
    });
}

fn sync(vocabulary: &str) {
    python(vocabulary, "sync");
}

fn asyncio(vocabulary: &str) {
    python(vocabulary, "asyncio");
}

/// Pages of other origins: the same host, but not the site's port.
fn browser(vocabulary: &str) {
    let listeners: Vec<TcpListener> = (0..CONVERSATIONS).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let origin = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let stage = Stage::set(&listeners.iter().map(origin).collect::<Vec<_>>());
    everywhere(vocabulary, &stage, |[transport, namespace], settings, number| {
        let listener = listeners[number].try_clone().unwrap();
        let origin = origin(&listener);
        let results = serve_pages(listener, settings.to_owned());
        let [near, far] = &stage.ways.urls;
        let query = format!("near={near}&far={far}&vocabulary={vocabulary}&mode={transport}&namespace={namespace}");
        let files = "client=/client.js&settings=/settings.json";
        let browser = Browser::open(&format!("{origin}/page.html?{query}&{files}"));
        let result = results.recv_timeout(Duration::from_secs(90)).expect("a result within its time");
        drop(browser);
        assert_eq!(result, "PASS", "{transport} {namespace}\n{}", stage.logs());
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
