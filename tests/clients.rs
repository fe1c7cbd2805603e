//! Clients that none of us wrote: Python's websockets, Node's ws, and a browser's own WebSocket. Their scripts lie in
//! `tests/clients`, the clients themselves where `scripts/test` has installed them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use crate::common::Server;
use crate::common::tools::{Browser, serve_page, tool};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.ends_with("ok\n"), "{stdout}{stderr}");
}

#[test]
fn python_websockets() {
    let server = Server::start(&[]);
    let url = format!("ws://{}", server.address);
    succeeds(Command::new(tool("venv/bin/python")).arg(script("conversation.py")).arg(url));
}

#[test]
fn node_ws() {
    let server = Server::start(&[]);
    let url = format!("ws://{}", server.address);
    let modules = tool("node_modules/ws");
    let modules = modules.parent().unwrap();
    succeeds(Command::new("node").arg(script("conversation.mjs")).arg(url).env("NODE_PATH", modules));
}

#[test]
fn the_browsers_own_websocket() {
    let server = Server::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("http://{}/?server={}", listener.local_addr().unwrap(), server.address);
    let browser = Browser::open(&page);
    let html = std::fs::read_to_string(script("conversation.html")).unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(serve_page(&listener, &html)));
    let result = receiver.recv_timeout(Duration::from_secs(60));
    drop(browser);
    assert_eq!(result.expect("a result within a minute"), "ok");
}
