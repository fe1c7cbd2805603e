//! Faults of Socket.IO that were found by trying to break the server, each once mended and kept so.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Client, Server, TEXT, frame, raw_websocket, read_to_end, roomcast, scratch_dir};

const SECRET: &str = "the secret of these tests, and long enough";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// A server, and where its users are.
struct Stage {
    server: Server,
    database: String,
}

impl Stage {
    fn set(flags: &[&str]) -> Self {
        let database = format!("sqlite:{}", scratch_dir().join("roomcast.db").display());
        let mut serve = roomcast();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--jwt-secret", SECRET, "--database", &database]);
        serve.args(["--durability", "normal", "--rate", "0"]).args(flags);
        Self { server: Server::spawn(serve), database }
    }

    fn token(&self, user: &str) -> String {
        let mut command = roomcast();
        command.args(["token", user, "--create", "--jwt-secret", SECRET, "--database", &self.database]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What joins the namespace of chats as that user.
    fn join(&self, user: &str) -> String {
        format!("40/chat,{}", json!({ "token": self.token(user) }))
    }

    fn connect(&self, user: &str) -> Client {
        let mut client = self.server.connect(WEBSOCKET);
        client.send(&self.join(user));
        receive(&mut client, "40/chat,");
        client
    }

    /// A private room of the client's user and these.
    fn chat(&self, client: &mut Client, others: &[&str]) -> String {
        others.iter().for_each(|other| drop(self.token(other)));
        let create = json!(["chat:create", { "name": "room", "participants": self.uuids(others) }]);
        client.send(&format!("42/chat,1{create}"));
        let answer: Value = serde_json::from_str(&receive(client, "43/chat,1")).unwrap();
        answer[0]["chatId"].as_str().unwrap().to_owned()
    }

    fn uuids(&self, names: &[&str]) -> Vec<String> {
        let mut command = roomcast();
        let output = command.args(["user", "list", "--database", &self.database]).output().unwrap();
        let list = String::from_utf8(output.stdout).unwrap();
        let uuid = |name: &&str| {
            let line = list.lines().find(|line| line.ends_with(*name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        names.iter().map(uuid).collect()
    }

    /// A session that polls, as the end of the paths of its requests.
    fn poll_session(&self) -> String {
        let answer = self.request("GET", POLLING, "");
        let open: Value = serde_json::from_str(answer.split_once("\r\n\r\n0").unwrap().1).unwrap();
        format!("&sid={}", open["sid"].as_str().unwrap())
    }

    fn request(&self, method: &str, target: &str, body: &str) -> String {
        let length = body.len();
        self.exchange(&format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Sends this and returns all that comes back. Sending is not finished: whoever does that waits for no poll.
    fn exchange(&self, request: &str) -> String {
        let mut stream = self.server.raw();
        stream.write_all(request.as_bytes()).unwrap();
        read_to_end(&mut stream)
    }

    fn post(&self, session: &str, body: &str) {
        let answer = self.request("POST", &format!("{POLLING}{session}"), body);
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    }

    /// A WebSocket that may take over the session.
    fn probe(&self, session: &str) -> Client {
        let mut probe = self.server.connect(&format!("{WEBSOCKET}{session}"));
        probe.ask("2probe", "3probe");
        probe
    }
}

/// The rest of the next packet that begins so.
fn receive(client: &mut Client, prefix: &str) -> String {
    loop {
        if let Some(rest) = client.receive().strip_prefix(prefix) {
            return rest.to_owned();
        }
    }
}

/// A member that was lost while its room was flushed left the list of members under the loop.
#[test]
fn a_slow_reader_is_lost_and_nobody_else() {
    let stage = Stage::set(&["--outbox", "64KiB"]);
    let mut speaker = stage.connect("alice");
    let chat = stage.chat(&mut speaker, &["bob", "carol"]);
    let join = frame(TEXT, stage.join("bob").as_bytes());
    // They come first in the room, and whoever comes last moves up when one of them is lost.
    let silent: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = raw_websocket(&stage.server, WEBSOCKET);
            stream.write_all(&join).unwrap();
            stream
        })
        .collect();
    let mut readers = [stage.connect("carol"), stage.connect("carol")];
    let text = "x".repeat(16_000);
    let start = Instant::now();
    let mut said = 0;
    while !stage.server.log().contains("reading too slowly") || said % 10 != 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "nobody is ever disconnected");
        said += 1;
        speaker.send(&format!("42/chat,{}", json!(["message:send", { "chatId": chat, "content": text }])));
        for client in readers.iter_mut().chain([&mut speaker]) {
            let told: Value = serde_json::from_str(&receive_told(client)).unwrap();
            assert_eq!(told[1]["id"], said.to_string());
        }
    }
    drop(silent);
}

fn receive_told(client: &mut Client) -> String {
    loop {
        let packet = client.receive();
        if packet == "2" {
            client.send("3");
        }
        if let Some(rest) = packet.strip_prefix("42/chat,").filter(|rest| rest.starts_with(r#"["message:new""#)) {
            return rest.to_owned();
        }
    }
}

/// What a room was told in the turn in which a session changed to its WebSocket went out in the form of polls.
#[test]
fn what_is_told_while_a_session_changes_is_told_in_frames() {
    let stage = Stage::set(&[]);
    let mut speaker = stage.connect("alice");
    let chat = stage.chat(&mut speaker, &["bob"]);
    let session = stage.poll_session();
    stage.post(&session, &stage.join("bob"));
    let answer = stage.request("GET", &format!("{POLLING}{session}"), "");
    assert!(answer.contains("40/chat,"), "{answer}");
    let mut probe = stage.probe(&session);
    let server = &stage.server;
    server.signal("STOP");
    speaker.send(&format!("42/chat,{}", json!(["typing:start", { "chatId": chat }])));
    std::thread::sleep(Duration::from_millis(50));
    probe.send("5");
    server.signal("CONT");
    assert!(receive(&mut probe, "42/chat,").starts_with(r#"["typing:start""#));
}

/// What was left of a body whose post was answered early was taken for a request.
#[test]
fn the_rest_of_a_body_is_no_request() {
    let stage = Stage::set(&[]);
    let session = stage.poll_session();
    let mut begun = stage.server.raw();
    let head = format!("POST {POLLING}{session} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n4");
    begun.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    // A second post at the same time ends the session.
    assert!(stage.request("POST", &format!("{POLLING}{session}"), "3").starts_with("HTTP/1.1 400 "));
    begun.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let answer = read_to_end(&mut begun);
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

/// A post that was too large, which showed only as it came, left its session as if nothing had been sent.
#[test]
fn a_chunked_post_over_the_limit_ends_its_session() {
    let stage = Stage::set(&["--max-message", "1KiB", "--allow-origins", "https://example.org"]);
    let session = stage.poll_session();
    let chunk = "4".repeat(2048);
    let answer = stage.exchange(&format!(
        "POST {POLLING}{session} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.org\r\n\
         Transfer-Encoding: chunked\r\n\r\n800\r\n{chunk}\r\n0\r\n\r\n"
    ));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("\r\naccess-control-allow-origin: https://example.org\r\n"),
        "a page may read it: {answer}"
    );
    let last = stage.request("GET", &format!("{POLLING}{session}"), "");
    assert!(last.ends_with("\r\n\r\n6\x1e1"), "{last}");
    assert!(stage.request("GET", &format!("{POLLING}{session}"), "").contains("Session ID unknown"));
}

/// A session that was over, and waited for a poll to tell it, could still be taken over.
#[test]
fn a_session_that_is_over_is_not_taken_over() {
    let stage = Stage::set(&[]);
    let session = stage.poll_session();
    let mut probe = stage.probe(&session);
    stage.post(&session, r#"42["no namespace was joined"]"#);
    assert_eq!(probe.receive_close().0, 1001);
    let last = stage.request("GET", &format!("{POLLING}{session}"), "");
    assert!(last.ends_with("\r\n\r\n6\x1e1"), "{last}");
}

/// Sessions that nobody polled were lost at once, and the server waited until its time was over.
#[test]
fn polling_sessions_don_t_keep_the_server() {
    let mut stage = Stage::set(&["--drain", "60s"]);
    stage.poll_session();
    let start = Instant::now();
    stage.server.signal("TERM");
    let (status, log) = stage.server.wait();
    assert!(status.success() && start.elapsed() < Duration::from_secs(20), "{:?} {log}", start.elapsed());
}

/// Sessions that poll took the places of connections, until none was left to poll on.
#[test]
fn sessions_without_a_connection_take_no_place_of_one() {
    let stage = Stage::set(&["--max-connections", "4"]);
    let sessions: Vec<String> = (0..4).map(|_| stage.poll_session()).collect();
    let answer = stage.request("GET", POLLING, "");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    for session in sessions {
        stage.post(&session, "1");
    }
    let session = stage.poll_session();
    let mut probe = stage.probe(&session);
    probe.send("5");
    probe.send(&stage.join("alice"));
    receive(&mut probe, "40/chat,");
    drop(probe);
    (0..4).for_each(|_| drop(stage.poll_session()));
}
