//! A browser's own `EventSource`, which comes back by itself.

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::common::stream::{post, post_many};
use crate::common::tools::{Browser, serve_page};
use crate::common::{Server, roomcast, scratch_dir};

/// It collects what it is told, from a server of another origin, and posts all of it when "the end" comes.
const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>event source</title>
<script>
const source = new EventSource('http://' + new URLSearchParams(location.search).get('server') + '/stream');
const told = [];
source.onmessage = ({ data }) => {
  const { type, data: message } = JSON.parse(data);
  told.push(type === 'connected' ? type : message.content);
  if (told.at(-1) === 'the end') {
    source.close();
    fetch('/result', { method: 'POST', body: JSON.stringify(told) });
  }
};
</script>
"#;

/// A browser takes its time on a busy machine.
fn wait_for_browser(what: &str, server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !server.get("/metrics", &[]).contains("roomcast_connections{dialect=\"stream\"} 1\n") {
        assert!(Instant::now() < deadline, "waited in vain for the browser {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_event_source_misses_nothing_over_a_restart() {
    let database = format!("sqlite:{}", scratch_dir().join("chat.db").display());
    let start = |listen: &str| {
        let mut command = roomcast();
        command.args(["serve", "--listen", listen, "--database", &database]);
        Server::spawn(command)
    };
    let mut server = start("127.0.0.1:0");
    let address = server.address.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let browser = Browser::open(&format!("http://{}/?server={address}", listener.local_addr().unwrap()));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(serve_page(&listener, PAGE)));
    wait_for_browser("to listen", &server);
    post_many(&server, 0..3);
    server.signal("TERM");
    assert!(server.wait().0.success());
    let server = start(&address);
    // It has not come back yet: that takes it three seconds.
    post_many(&server, 3..6);
    wait_for_browser("to come back", &server);
    post_many(&server, 6..9);
    post(&server, "/message", "the end");
    let told = receiver.recv_timeout(Duration::from_secs(30));
    drop(browser);
    let told: Vec<String> = serde_json::from_str(&told.expect("a result")).unwrap();
    let expected = "connected 0 1 2 connected 3 4 5 6 7 8";
    assert_eq!(told.join(" "), format!("{expected} the end"));
}
