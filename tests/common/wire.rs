//! A client of the dialects in JSON values, which can tell the end of a connection from an answer.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{CLOSE, Server, TEXT, frame, raw_websocket, read_frame};

/// One connection.
pub struct Wire {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
    /// What was told between a request and its answer.
    pub told: Vec<Value>,
    /// The code of the server's close frame, once that has come.
    pub closed: Option<u16>,
}

impl Wire {
    pub fn open(server: &Server, path: &str) -> Self {
        let stream = raw_websocket(server, path);
        Self { reader: BufReader::new(stream.try_clone().unwrap()), stream, told: Vec::new(), closed: None }
    }

    /// Whether it went out: not to a server that is gone.
    pub fn send(&mut self, request: &Value) -> bool {
        self.stream.write_all(&frame(TEXT, request.to_string().as_bytes())).is_ok()
    }

    /// Nothing at the end.
    pub fn receive(&mut self) -> Option<Value> {
        let (first, payload) = read_frame(&mut self.reader)?;
        if first == CLOSE {
            self.closed = Some(u16::from_be_bytes([payload[0], payload[1]]));
            return None;
        }
        assert_eq!(first, TEXT, "{}", String::from_utf8_lossy(&payload));
        Some(serde_json::from_slice(&payload).unwrap())
    }

    /// Asks something of the event dialect, and waits for the answer.
    #[track_caller]
    pub fn request(&mut self, event: &str, payload: &Value) -> Value {
        assert!(self.send(&json!({"event": event, "payload": payload, "id": "asked"})));
        loop {
            let answer = self.receive().expect("an answer");
            if answer["id"] == "asked" {
                return answer;
            }
            self.told.push(answer);
        }
    }

    /// Asks something that is done. Returns the result.
    #[track_caller]
    pub fn ask(&mut self, event: &str, payload: &Value) -> Value {
        let answer = self.request(event, payload);
        assert_eq!(answer["event"], "ack", "{answer}");
        answer["payload"]["result"].clone()
    }
}
