//! The page, used by people in a real browser: Chromium, driven by playwright-core. What they do is told by the stories in
//! `tests/page`; they have the server stopped and started from here.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::tools::tool;
use crate::common::{Server, roomcast, scratch_dir};

/// A server that comes back at the same place with the same users, rooms and messages.
struct Stage {
    database: String,
    flags: &'static [&'static str],
    address: SocketAddr,
    server: Option<Server>,
}

impl Stage {
    fn set(flags: &'static [&'static str]) -> Self {
        let database = format!("sqlite:{}", scratch_dir().join("roomcast.db").display());
        let mut stage = Self { database, flags, address: ([127, 0, 0, 1], 0).into(), server: None };
        stage.order("start");
        stage
    }

    fn order(&mut self, order: &str) {
        match (order, &mut self.server) {
            ("start", none @ None) => {
                let mut command = roomcast();
                command.args(["serve", "--rate", "0", "--listen", &self.address.to_string()]).args(self.flags);
                if !self.flags.contains(&"--database") {
                    command.args(["--database", &self.database]);
                }
                let server = Server::spawn(command);
                self.address = server.address;
                *none = Some(server);
            }
            ("freeze", Some(server)) => server.signal("STOP"),
            ("thaw", Some(server)) => server.signal("CONT"),
            ("stop", Some(server)) => {
                server.signal("TERM");
                assert!(server.wait().0.success());
                self.server = None;
            }
            // Dropping it does.
            ("kill", Some(_)) => self.server = None,
            (order, server) => panic!("{order} while it {}", if server.is_some() { "runs" } else { "does not run" }),
        }
    }
}

/// Runs a story to its end, with a server that it may stop and start.
#[track_caller]
fn told(story: &str, flags: &'static [&'static str]) {
    let mut stage = Stage::set(flags);
    let is_done = play(story, &[format!("http://{}", stage.address)], |order| stage.order(order));
    is_done.unwrap_or_else(|output| panic!("{output}\n{}", stage.server.as_ref().map(Server::log).unwrap_or_default()));
}

/// Runs a story to its end, with two nodes behind nginx: who comes next comes to the other one.
#[cfg(all(feature = "postgres", feature = "redis"))]
#[track_caller]
fn told_by_nodes(story: &str) {
    let site = crate::common::site::Site::start(&[], &[]);
    let ways = site.ways();
    let is_done = play(story, &ways.urls, |order| panic!("{order} is for one server"));
    let logs = || site.cluster.nodes.iter().map(|node| node.log()).collect::<String>();
    is_done.unwrap_or_else(|output| panic!("{output}\n{}", logs()));
}

/// Runs a story to its end, which is good if it says so and has checked something. Otherwise what it has said.
fn play(story: &str, urls: &[String], mut order: impl FnMut(&str)) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page").join(format!("{story}.mjs"));
    let modules = tool("node_modules/playwright-core");
    let mut node = Command::new("node");
    node.arg(script).args(urls).env("NODE_PATH", modules.parent().unwrap());
    // The browser's profiles go where cargo cleans up.
    node.env("TMPDIR", scratch_dir()).env("PICTURES", pictures());
    let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("installed by scripts/test");
    let mut orders = node.stdin.take().unwrap();
    let mut output = String::new();
    for line in BufReader::new(node.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(given) = line.strip_prefix("server ") {
            order(given);
            writeln!(orders, "ok").unwrap();
        }
        output.push_str(&line);
        output.push('\n');
    }
    let is_done = node.wait().unwrap().success() && output.lines().last().is_some_and(|line| line.starts_with("done "));
    if is_done { Ok(()) } else { Err(format!("{story}\n{output}")) }
}

/// Where the pictures go that `pictures.mjs` takes.
fn pictures() -> PathBuf {
    let path = std::env::var_os("ROOMCAST_PICTURES").map(PathBuf::from);
    path.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("../pictures"))
}

#[test]
fn people_talk_and_one_reloads() {
    told("talk", &[]);
}

#[cfg(all(feature = "postgres", feature = "redis"))]
#[test]
fn people_talk_on_different_nodes() {
    told_by_nodes("talk");
}

#[test]
fn the_server_restarts_and_nothing_is_lost_or_doubled() {
    told("restart", &[]);
}

#[cfg(all(feature = "postgres", feature = "redis"))]
#[test]
fn hostile_names_and_texts_are_text() {
    told_by_nodes("hostile");
}

#[test]
fn without_the_key_one_is_a_guest() {
    told("guests", &["--api-key", "k+y&%41"]);
}

#[test]
fn without_a_store_everyone_is_a_guest() {
    told("nowhere", &["--database", "none"]);
}

#[cfg(all(feature = "postgres", feature = "redis"))]
#[test]
fn a_keyboard_is_enough() {
    told_by_nodes("keyboard");
}

#[test]
fn the_wire_and_the_status_are_shown() {
    told("wire", &[]);
}

#[test]
fn pictures_are_taken() {
    told("pictures", &[]);
}

#[test]
fn nothing_but_the_page_may_run_in_it() {
    let server = Server::start(&[]);
    for path in ["/", "/status", "/page/app.js", "/page/style.css", "/page/icon.svg"] {
        let answer = server.get(path, &[]);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 ") && !body.is_empty(), "{path}: {head}");
        let policy = head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|given| given == part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert!(
            head.contains("x-content-type-options: nosniff") && head.contains("referrer-policy: no-referrer"),
            "{head}"
        );
        let refused = server.exchange(format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert!(refused.starts_with("HTTP/1.1 405 "), "{refused}");
    }
    for path in ["/page/", "/page/index.html", "/page/../page/app.js", "/page/app.js/", "/status/"] {
        assert!(server.get(path, &[]).starts_with("HTTP/1.1 404 "), "{path}");
    }
    let closed = Server::start(&["--api-key", "k"]);
    let statuses = ["/", "/status", "/status?api_key=k"].map(|path| closed.get(path, &[])[9..12].to_owned());
    assert_eq!(statuses, ["200", "401", "200"]);
}
