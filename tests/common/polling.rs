//! A client of Engine.IO's long-polling that none of the server's code is in. Each request has a connection of its own.

use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use super::protocol::server;
use super::{PATIENCE, read_to_end};

/// What stands between the packets of a payload.
pub const SEPARATOR: &str = "\x1e";

/// A bare connection to the server.
pub fn connection() -> TcpStream {
    let stream = TcpStream::connect(server()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What the server says to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Nothing, if the connection ends without one.
    pub fn read(mut stream: TcpStream) -> Option<Self> {
        let answer = read_to_end(&mut stream);
        if answer.is_empty() {
            return None;
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("half an answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {head:?}"));
        Some(Self { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// It is 200 and has this body, to the letter.
    #[track_caller]
    pub fn expect(&self, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (200, body));
    }

    /// It is 400 and says why.
    #[track_caller]
    pub fn expect_refusal(&self, code: u8, message: &str) {
        assert_eq!(self.status, 400, "{self:?}");
        let reason = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        assert!(self.body.contains(&reason), "{reason} is not in {self:?}");
    }

    /// There is no such session, or not any more.
    #[track_caller]
    pub fn expect_unknown_session(&self) {
        self.expect_refusal(1, "Session ID unknown");
    }
}

/// Sends a request, and leaves its answer to be read.
pub fn send(method: &str, target: &str, body: &str) -> TcpStream {
    let mut stream = connection();
    let length = body.len();
    let host = server();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: text/plain;charset=UTF-8\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// A request without a body, and its answer.
pub fn request(method: &str, target: &str) -> Answer {
    Answer::read(send(method, target, "")).expect("an answer")
}

/// A session over long-polling.
pub struct Session {
    path: &'static str,
    pub sid: String,
}

impl Session {
    pub fn open(path: &'static str) -> Self {
        let answer = request("GET", &format!("{path}?EIO=4&transport=polling"));
        let open: Value = answer.body.strip_prefix('0').and_then(|json| serde_json::from_str(json).ok()).unwrap();
        Self { path, sid: open["sid"].as_str().unwrap().to_owned() }
    }

    /// Where its requests go, or the WebSocket that takes it over.
    pub fn target(&self, transport: &str) -> String {
        format!("{}?EIO=4&transport={transport}&sid={}", self.path, self.sid)
    }

    /// Asks for packets, and leaves the answer to be read.
    pub fn begin_poll(&self) -> TcpStream {
        send("GET", &self.target("polling"), "")
    }

    /// The answer to a poll.
    pub fn poll(&self) -> Answer {
        Answer::read(self.begin_poll()).expect("an answer")
    }

    /// The next packets. A ping among them is answered and left out: the heartbeat has its own cases, and in the others
    /// it comes if the machine is slow.
    #[track_caller]
    pub fn receive(&self) -> String {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "nothing but pings");
            let answer = self.poll();
            assert_eq!(answer.status, 200, "{answer:?}");
            let (pings, packets): (Vec<&str>, Vec<&str>) = answer.body.split(SEPARATOR).partition(|text| *text == "2");
            if !pings.is_empty() {
                self.push("3");
            }
            if !packets.is_empty() {
                return packets.join(SEPARATOR);
            }
        }
    }

    /// Sends a payload and leaves the answer to be read.
    pub fn begin_push(&self, payload: &str) -> TcpStream {
        send("POST", &self.target("polling"), payload)
    }

    /// Sends a payload, which the server takes.
    #[track_caller]
    pub fn push(&self, payload: &str) {
        Answer::read(self.begin_push(payload)).expect("an answer").expect("ok");
    }
}
