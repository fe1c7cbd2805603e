//! Clients of the stream dialect: one that says something, and one that listens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::Server;
use super::http::{Answer, Http, request};

/// Somebody who is not registered.
pub const SENDER: &str = "123e4567-e89b-12d3-a456-426614174000";

pub const CONNECTED: &str = r#"{"type":"connected","message":"Connected to message stream"}"#;

/// One request on a connection of its own.
#[track_caller]
pub fn ask(server: &Server, line: &str, body: impl AsRef<[u8]>) -> Answer {
    let (method, target) = line.split_once(' ').unwrap();
    request(server.address, method, target, body)
}

/// What says that text.
pub fn saying(text: &str) -> String {
    json!({ "content": text, "sender_id": SENDER }).to_string()
}

/// Says something. Returns the message's id.
#[track_caller]
pub fn post(server: &Server, target: &str, text: &str) -> i64 {
    let answer = ask(server, &format!("POST {target}"), saying(text));
    assert_eq!(answer.status, 201, "{answer:?}");
    serde_json::from_str::<Value>(&answer.body).unwrap()["id"].as_i64().unwrap()
}

/// Says so many things in the lobby, on one connection: the number of each.
pub fn post_many(server: &Server, numbers: std::ops::Range<usize>) {
    let mut http = Http::open(server.address).unwrap();
    let numbers: Vec<usize> = numbers.collect();
    // So few at a time that their answers wait for nobody.
    for some in numbers.chunks(100) {
        for number in some {
            http.send("POST", "/message", saying(&number.to_string())).unwrap();
        }
        for _ in some {
            assert_eq!(http.answer().unwrap().status, 201);
        }
    }
}

/// One event as it came.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub id: Option<String>,
    pub data: String,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }

    /// What kind it is, and the text of the message.
    pub fn brief(&self) -> (String, String) {
        let json = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&json["type"]), text(&json["data"]["content"]))
    }
}

/// Somebody who listens.
pub struct Listener {
    pub head: String,
    reader: BufReader<TcpStream>,
}

impl Listener {
    /// Asks for a stream, with these further header lines. What comes first is read with the rest.
    pub fn open(server: &Server, target: &str, headers: &[&str]) -> Self {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        Self::over(server.raw(), &format!("GET {target} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", server.address))
    }

    /// The same with a request of one's own.
    pub fn over(mut stream: TcpStream, request: &str) -> Self {
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "no whole head: {head:?}");
        }
        Self { head, reader }
    }

    /// To the lobby, from now on.
    pub fn to_lobby(server: &Server) -> Self {
        let mut new = Self::open(server, "/stream", &[]);
        assert_eq!(new.next().data, CONNECTED);
        new
    }

    /// Comes back, having heard so far.
    pub fn returned(server: &Server, last_event_id: &str) -> Self {
        let mut new = Self::open(server, "/stream", &[&format!("Last-Event-ID: {last_event_id}")]);
        assert_eq!(new.next().data, CONNECTED);
        new
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        self.reader.get_mut()
    }

    /// The lines up to the next empty one. Nothing at the end.
    pub fn block(&mut self) -> Option<String> {
        let mut block = String::new();
        while !block.ends_with("\n\n") {
            if self.reader.read_line(&mut block).unwrap() == 0 {
                assert_eq!(block, "", "it ends in the middle");
                return None;
            }
            if block == "\n" {
                block.clear();
            }
        }
        Some(block)
    }

    /// The next event, comments skipped; nothing at the end.
    pub fn try_next(&mut self) -> Option<Told> {
        loop {
            let block = self.block()?;
            let field = |name: &str| {
                let mut values = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                let value = values.next().map(str::to_owned);
                assert_eq!(values.next(), None, "{block}");
                value
            };
            if let Some(data) = field("data") {
                return Some(Told { id: field("id"), data });
            }
            // A comment, or when to come back.
            assert!(block.starts_with(':') || block.starts_with("retry: "), "{block:?}");
        }
    }

    #[track_caller]
    pub fn next(&mut self) -> Told {
        self.try_next().expect("an event before the end")
    }

    /// Is told next that something of that kind happened to a message of that text.
    #[track_caller]
    pub fn expect(&mut self, kind: &str, text: &str) {
        assert_eq!(self.next().brief(), (kind.to_owned(), text.to_owned()));
    }

    /// Nothing more comes, but the end.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let mut rest = String::new();
        let _ = self.reader.read_to_string(&mut rest);
        assert_eq!(rest, "");
    }

    /// Nothing more comes, but after how many milliseconds to come back, and the end.
    #[track_caller]
    pub fn expect_farewell(&mut self) -> u32 {
        let mut rest = String::new();
        let _ = self.reader.read_to_string(&mut rest);
        let retry = rest.strip_prefix("retry: ").and_then(|rest| rest.strip_suffix("\n\n"));
        retry.and_then(|retry| retry.parse().ok()).unwrap_or_else(|| panic!("{rest:?}"))
    }
}
