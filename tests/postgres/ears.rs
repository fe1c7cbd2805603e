//! Clients that only listen, each in the words of its dialect, and other programs at the database: what they write, and
//! what is heard of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::database::{rows, value};
use crate::common::event::untimed;
use crate::common::people::token_of;
use crate::common::postgres::psql_session;
use crate::common::{ACTION, PATIENCE, Server, TEXT, frame, raw_websocket, read_frame};

/// Somebody who is not registered.
pub(super) const SENDER: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// Within this time what other programs write is heard.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// Somebody who hears everything, from when they have come on.
pub(super) struct Ear {
    heard: Receiver<Heard>,
    _curl: Option<Curl>,
}

/// Something that was heard. Times in it are `T`.
pub(super) struct Heard {
    pub(super) text: String,
    /// How far one has heard who has heard it.
    pub(super) id: Option<String>,
    at: Instant,
}

struct Curl(Child);

impl Drop for Curl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ear {
    /// `curl -N` at a stream, by which it says how far it has heard, if it comes back.
    pub(super) fn stream(server: &Server, target: &str, last: Option<&str>) -> Self {
        let mut command = Command::new("curl");
        command.args(["-sN", &format!("http://{}{target}", server.address)]);
        command.args(last.map(|last| ["-H".into(), format!("Last-Event-ID: {last}")]).iter().flatten());
        let mut curl = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut id = None;
        let ear = Self::over(Some(Curl(curl)), move || {
            loop {
                let line = lines.next()?;
                if let Some(new) = line.strip_prefix("id: ") {
                    id = Some(new.to_owned());
                } else if let Some(data) = line.strip_prefix("data: ") {
                    return Some((untimed(data), id.take()));
                }
            }
        });
        ear.expect(r#"{"type":"connected","message":"Connected to message stream"}"#);
        ear
    }

    /// An action client in that room. What it is told of who comes is left out.
    pub(super) fn action(server: &Server, room: &str) -> Self {
        let mut stream = raw_websocket(server, ACTION);
        text(&mut stream);
        send(&mut stream, &json!({"action": "join", "room": room}).to_string());
        assert!(text(&mut stream).contains(r#""action":"join""#));
        Self::at(stream, |text| (!text.starts_with(r#"{"action":"join","#)).then(|| text.to_owned()))
    }

    /// A new user of the event dialect, in that room.
    pub(super) fn event(server: &Server, name: &str, room: i64) -> Self {
        let mut stream = raw_websocket(server, "/ws");
        for (event, payload) in [("create_user", json!({"username": name})), ("join_room", json!({"roomId": room}))] {
            send(&mut stream, &json!({"event": event, "payload": payload}).to_string());
            let answer = text(&mut stream);
            assert!(answer.starts_with(r#"{"event":"ack","#), "{answer}");
        }
        Self::at(stream, |text| Some(untimed(text)))
    }

    /// A Socket.IO client of that user's. What it is told of who is online is left out.
    pub(super) fn socket(server: &Server, user: &str, namespace: &'static str) -> Self {
        Self::at(socket(server, user, namespace), event_of(namespace))
    }

    /// The same in a conversation that it has joined.
    pub(super) fn conversation(server: &Server, user: &str, room: &str) -> Self {
        let mut stream = socket(server, user, "/conversation");
        let payload = json!(["join_conversation", {"conversation_id": room}]);
        send(&mut stream, &format!("42/conversation,0{payload}"));
        let answer = text_with(&mut stream, "43/conversation,0");
        assert!(answer.contains(r#""ok":true"#), "{answer}");
        Self::at(stream, event_of("/conversation"))
    }

    fn at(mut stream: TcpStream, mut shown: impl FnMut(&str) -> Option<String> + Send + 'static) -> Self {
        // It may be quiet for long.
        stream.set_read_timeout(None).unwrap();
        Self::over(None, move || {
            loop {
                let (first, payload) = read_frame(&mut stream)?;
                if first != TEXT {
                    continue;
                }
                if let Some(shown) = shown(std::str::from_utf8(&payload).unwrap()) {
                    return Some((shown, None));
                }
            }
        })
    }

    fn over(curl: Option<Curl>, mut next: impl FnMut() -> Option<(String, Option<String>)> + Send + 'static) -> Self {
        let (sender, heard) = channel();
        thread::spawn(move || {
            while let Some((text, id)) = next() {
                if sender.send(Heard { text, id, at: Instant::now() }).is_err() {
                    return;
                }
            }
        });
        Self { heard, _curl: curl }
    }

    /// What is heard next.
    #[track_caller]
    pub(super) fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("something to be heard")
    }

    #[track_caller]
    pub(super) fn expect(&self, text: &str) {
        assert_eq!(self.next().text, text);
    }

    /// Nothing more was heard.
    #[track_caller]
    pub(super) fn expect_nothing(&self) {
        match self.heard.try_recv() {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => panic!("the connection has ended"),
            Ok(heard) => panic!("something was heard: {}", heard.text),
        }
    }
}

/// Something is done at the database, and each of them hears that, within a second.
#[track_caller]
pub(super) fn heard_of<T>(act: impl FnOnce() -> T, told: &[(&Ear, &str)]) {
    act();
    let done = Instant::now();
    for (ear, text) in told {
        let heard = ear.next();
        assert_eq!(heard.text, *text);
        assert!(heard.at < done + SOON, "it was heard {:?} later: {text}", heard.at - done);
    }
}

fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(&frame(TEXT, text.as_bytes())).unwrap();
}

fn text(stream: &mut TcpStream) -> String {
    String::from_utf8(read_frame(stream).expect("a frame").1).unwrap()
}

/// The next one that begins so.
fn text_with(stream: &mut TcpStream, beginning: &str) -> String {
    std::iter::repeat_with(|| text(stream)).find(|text| text.starts_with(beginning)).unwrap()
}

/// Admitted to a namespace.
fn socket(server: &Server, user: &str, namespace: &str) -> TcpStream {
    let mut stream = raw_websocket(server, "/socket.io/?EIO=4&transport=websocket");
    text(&mut stream);
    send(&mut stream, &format!("40{namespace},{}", json!({"token": token_of(user)})));
    let answer = text_with(&mut stream, "4");
    assert!(answer.starts_with(&format!("40{namespace},")), "{answer}");
    stream
}

/// An event without the offset at its end.
fn event_of(namespace: &'static str) -> impl Fn(&str) -> Option<String> + Send {
    move |packet| {
        let event = packet.strip_prefix(&format!("42{namespace},"))?;
        let is_presence = ["online_users", "user_online", "user_offline", "user:status"]
            .iter()
            .any(|name| event.starts_with(&format!(r#"["{name}","#)));
        let (event, _) = event.rsplit_once(r#",""#)?;
        (!is_presence).then(|| untimed(&format!("{event}]")))
    }
}

/// What streams are told of a message of [`SENDER`]'s.
pub(super) fn new_message(id: i64, content: &str) -> String {
    change("new_message", "INSERT", id, content)
}

pub(super) fn updated_message(id: i64, content: &str) -> String {
    change("updated_message", "UPDATE", id, content)
}

fn change(kind: &str, operation: &str, id: i64, content: &str) -> String {
    format!(
        r#"{{"type":"{kind}","data":{{"operation":"{operation}","id":{id},"content":"{content}","file":null,"created_date":"T","sender_id":"{SENDER}"}}}}"#
    )
}

/// Of what is gone nothing more is known.
pub(super) fn deleted_message(id: i64) -> String {
    format!(
        r#"{{"type":"deleted_message","data":{{"operation":"DELETE","id":{id},"content":null,"file":null,"created_date":null,"sender_id":null}}}}"#
    )
}

/// What an action client in that room hears of what [`SENDER`] says.
pub(super) fn room_message(room: &str, message: &str) -> String {
    format!(r#"{{"action":"room_message","room":"{room}","user_id":"{SENDER}","message":"{message}"}}"#)
}

/// The statement that says something in the lobby.
pub(super) fn saying(content: &str) -> String {
    format!("INSERT INTO messages (content, sender_id) VALUES ('{content}', '{SENDER}')")
}

/// Says something in the lobby. Returns the message's id.
#[track_caller]
pub(super) fn say(url: &str, content: &str) -> i64 {
    value(url, &format!("{} RETURNING id", saying(content))).parse().unwrap()
}

/// A listener: it has its server look after each of these statements.
const LISTENING: &str = "datname = current_database() AND application_name = 'roomcast' AND state = 'idle' \
                         AND query IN ('LISTEN roomcast', 'SELECT')";

/// A connection of a store that has ended a transaction, as that of a look.
const LOOKING: &str = "datname = current_database() AND application_name = 'roomcast' AND state = 'idle' \
                       AND query = 'COMMIT'";

/// Waits until all listeners at that database have looked once more by themselves: whatever they tell twice, they have
/// told by now.
pub(super) fn wait_for_looks(url: &str, listeners: usize) {
    rows(
        url,
        &format!(
            "DO $$ DECLARE began timestamptz := clock_timestamp(); BEGIN
                 FOR round IN 1 .. 200 LOOP
                     PERFORM pg_sleep(0.1), pg_stat_clear_snapshot();
                     IF (SELECT count(*) FROM pg_stat_activity WHERE {LISTENING} AND query_start > began) = {listeners}
                         AND (SELECT count(*) FROM pg_stat_activity WHERE {LOOKING} AND query_start >
                             (SELECT min(query_start) FROM pg_stat_activity WHERE {LISTENING})) = {listeners}
                     THEN RETURN; END IF;
                 END LOOP;
                 RAISE 'the listener does not look';
             END $$"
        ),
    );
}

/// Ends the listeners' connections.
pub(super) fn disconnect_listeners(url: &str) {
    let ended = rows(url, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {LISTENING}"));
    assert!(!ended.is_empty(), "nobody listens");
}

/// Another program that stays connected, for transactions that stay open.
pub(super) struct Psql {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<Box<dyn Read>>,
}

impl Psql {
    pub(super) fn open(url: &str) -> Self {
        let mut child = psql_session(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, stdout: BufReader::new(Box::new(stdout)) }
    }

    /// Waits until it is done. Returns what is printed.
    #[track_caller]
    pub(super) fn run(&mut self, sql: &str) -> Vec<String> {
        writeln!(self.stdin, "{sql};\n\\echo done").unwrap();
        let mut printed = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "psql has ended at {sql}");
            match line.trim_end() {
                "done" => return printed,
                line => printed.push(line.to_owned()),
            }
        }
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fields of what a stream is told.
pub(super) fn json_of(heard: &Heard) -> Value {
    serde_json::from_str(&heard.text).unwrap()
}
