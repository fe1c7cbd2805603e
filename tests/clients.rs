//! Clients that none of us wrote: Python's websockets, Node's ws, and a browser's own WebSocket and EventSource. Their
//! scripts lie in `tests/clients`, the clients themselves where `scripts/test` has installed them.

mod event_source;

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

/// Straight to one server, and through nginx to two nodes; pages of that origin too.
fn each_way(origin: &str, held: impl Fn([String; 2])) {
    let server = Server::start(&["--allow-origins", origin]);
    held([0, 1].map(|_| format!("ws://{}", server.address)));
    #[cfg(all(feature = "postgres", feature = "redis"))]
    {
        let site = crate::common::site::Site::start(&["--allow-origins", origin], &[]);
        let ways = site.ways();
        held(ways.urls.each_ref().map(|url| url.replace("http:", "ws:")));
    }
}

#[test]
fn python_websockets() {
    each_way("", |urls| succeeds(Command::new(tool("venv/bin/python")).arg(script("conversation.py")).args(urls)));
}

#[test]
fn node_ws() {
    let modules = tool("node_modules/ws");
    let modules = modules.parent().unwrap();
    each_way("", |urls| {
        succeeds(Command::new("node").arg(script("conversation.mjs")).args(urls).env("NODE_PATH", modules));
    });
}

#[test]
fn the_browsers_own_websocket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let html = std::fs::read_to_string(script("conversation.html")).unwrap();
    each_way(&origin, |[near, far]| {
        let browser = Browser::open(&format!("{origin}/?way={near}&way={far}"));
        let (listener, html) = (listener.try_clone().unwrap(), html.clone());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(serve_page(&listener, &html)));
        let result = receiver.recv_timeout(Duration::from_secs(60));
        drop(browser);
        assert_eq!(result.expect("a result within a minute"), "ok");
    });
}
