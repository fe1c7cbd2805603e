//! Answers out: whole ones, whose length is known, and those whose body goes out in parts as it is found.

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Version};

use crate::proto::sse;

/// Has a client send the body that it holds back, see [`awaits_continue`](super::awaits_continue).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// An answer, to be finished by [`Answer::write`] or, if more of the body follows, begun by [`Answer::begin`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Headers besides those of length, type and connection.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A status and one line of text.
    pub fn new(status: StatusCode, sentence: &str) -> Self {
        let content_type = "text/plain; charset=utf-8";
        Self { status, headers: Vec::new(), content_type, body: format!("{sentence}\n") }
    }

    /// A status and a finished JSON text.
    pub fn json(status: StatusCode, body: String) -> Self {
        Self { status, headers: Vec::new(), content_type: "application/json", body }
    }

    /// Adds a header.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Appends the finished answer. `is_head` leaves out the body, as for the method HEAD; `keep_alive` says whether
    /// the connection goes on.
    pub fn write(&self, wire: &mut Vec<u8>, is_head: bool, keep_alive: bool) {
        self.write_first_lines(wire);
        // RFC 9110 section 8.6.
        if self.status != StatusCode::NO_CONTENT {
            write_header(wire, "content-length", self.body.len().to_string().as_bytes());
        }
        write_last_lines(wire, keep_alive);
        if !is_head {
            wire.extend_from_slice(self.body.as_bytes());
        }
    }

    /// Appends the head and what there is of the body; the rest follows by [`Parts::write`] and [`Parts::end`]. The
    /// connection goes on after that only if both `keep_alive` and [`Parts::is_delimited`] say so.
    pub fn begin(&self, wire: &mut Vec<u8>, parts: Parts, keep_alive: bool) {
        self.write_first_lines(wire);
        if parts.is_chunked {
            write_header(wire, "transfer-encoding", b"chunked");
        }
        write_last_lines(wire, keep_alive && parts.is_delimited());
        parts.write(wire, &self.body);
    }

    fn write_first_lines(&self, wire: &mut Vec<u8>) {
        write_status(wire, self.status);
        for (name, value) in &self.headers {
            write_header(wire, name, value.as_bytes());
        }
        if self.status != StatusCode::NO_CONTENT {
            write_header(wire, "content-type", self.content_type.as_bytes());
        }
        write_header(wire, "cache-control", b"no-store");
    }
}

/// How a body goes out whose length is not known beforehand: in chunks (RFC 9112 section 7.1), or as it is, up to the end of
/// the connection: to a client of HTTP/1.0, and for an event stream, whose bytes are then the same for all who listen. A client that asked with HEAD gets none of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts {
    is_chunked: bool,
    is_head: bool,
}

impl Parts {
    /// What the one who made this request understands, for such an answer.
    pub fn of(request: &Request<()>, answer: &Answer) -> Self {
        let is_stream = answer.content_type == sse::MEDIA_TYPE;
        Self {
            is_chunked: request.version() == Version::HTTP_11 && !is_stream,
            is_head: *request.method() == Method::HEAD,
        }
    }

    /// Whether the client sees where the body ends. If not, the end of the connection has to tell it.
    pub fn is_delimited(self) -> bool {
        self.is_chunked || self.is_head
    }

    /// Whether there is a body at all: if not, nobody has to find the rest of it.
    pub fn has_body(self) -> bool {
        !self.is_head
    }

    /// Appends a part of the body.
    pub fn write(self, wire: &mut Vec<u8>, part: &str) {
        // An empty chunk would be the end.
        if self.is_head || part.is_empty() {
            return;
        }
        if self.is_chunked {
            wire.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        }
        wire.extend_from_slice(part.as_bytes());
        if self.is_chunked {
            wire.extend_from_slice(b"\r\n");
        }
    }

    /// Appends the end of the body. An answer that has to be broken off is not ended: its connection is cut, so that
    /// nobody takes what has gone out for the whole.
    pub fn end(self, wire: &mut Vec<u8>) {
        if self.is_chunked && !self.is_head {
            wire.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

/// Appends the head of an answer without a body, for a switch of protocols.
pub fn write_head<T>(wire: &mut Vec<u8>, response: &http::Response<T>) {
    write_status(wire, response.status());
    for (name, value) in response.headers() {
        write_header(wire, name, value.as_bytes());
    }
    wire.extend_from_slice(b"\r\n");
}

fn write_status(wire: &mut Vec<u8>, status: StatusCode) {
    wire.extend_from_slice(b"HTTP/1.1 ");
    wire.extend_from_slice(status.as_str().as_bytes());
    wire.push(b' ');
    wire.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    wire.extend_from_slice(b"\r\n");
}

fn write_header(wire: &mut Vec<u8>, name: impl AsRef<str>, value: &[u8]) {
    wire.extend_from_slice(name.as_ref().as_bytes());
    wire.extend_from_slice(b": ");
    wire.extend_from_slice(value);
    wire.extend_from_slice(b"\r\n");
}

fn write_last_lines(wire: &mut Vec<u8>, keep_alive: bool) {
    write_header(wire, "connection", if keep_alive { b"keep-alive" } else { b"close" });
    wire.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut wire = Vec::new();
        write(&mut wire);
        String::from_utf8(wire).unwrap()
    }

    #[test]
    fn answers_are_written_to_the_letter() {
        let text = "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
                    content-length: 8\r\nconnection: close\r\n\r\nnothing\n";
        let answer = Answer::new(StatusCode::NOT_FOUND, "nothing");
        assert_eq!(written(|wire| answer.write(wire, false, false)), text);
        let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
                    content-length: 4\r\nconnection: keep-alive\r\n\r\n";
        let answer = Answer::json(StatusCode::CREATED, "\"ä\"".into());
        assert_eq!(written(|wire| answer.write(wire, true, true)), head);
        assert_eq!(written(|wire| answer.write(wire, false, true)), format!("{head}\"ä\""));
    }

    /// An answer in three parts, of which the second is empty, as it goes out to whoever asked so.
    fn in_parts(method: Method, version: Version) -> String {
        let request = Request::builder().method(method).version(version).body(()).unwrap();
        let first = Answer::json(StatusCode::OK, "[\"0123456789abcd\"".into());
        let parts = Parts::of(&request, &first);
        written(|wire| {
            first.begin(wire, parts, true);
            parts.write(wire, "");
            parts.write(wire, ",1]");
            parts.end(wire);
        })
    }

    #[test]
    fn a_body_goes_out_in_parts() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n";
        let chunked = format!("{head}transfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n");
        let chunks = "11\r\n[\"0123456789abcd\"\r\n3\r\n,1]\r\n0\r\n\r\n";
        assert_eq!(in_parts(Method::GET, Version::HTTP_11), format!("{chunked}{chunks}"));
        assert_eq!(in_parts(Method::HEAD, Version::HTTP_11), chunked);
        let old = format!("{head}connection: close\r\n\r\n[\"0123456789abcd\",1]");
        assert_eq!(in_parts(Method::GET, Version::HTTP_10), old);
        assert_eq!(in_parts(Method::HEAD, Version::HTTP_10), format!("{head}connection: keep-alive\r\n\r\n"));
    }
}
