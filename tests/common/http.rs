//! A client of HTTP that keeps its connection, and that none of the server's code is in.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::PATIENCE;

/// What the server says to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn expect(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }

    /// There is no such session, or not any more.
    #[track_caller]
    pub fn expect_unknown_session(&self) {
        self.expect(400, r#"{"code":1,"message":"Session ID unknown"}"#);
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A connection for requests, one after the other.
pub struct Http(BufReader<TcpStream>);

impl Http {
    pub fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// So long an answer is waited for.
    pub fn set_patience(&self, patience: Duration) {
        self.0.get_ref().set_read_timeout(Some(patience)).unwrap();
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())
    }

    pub fn send(&mut self, method: &str, target: &str, body: impl AsRef<[u8]>) -> std::io::Result<()> {
        let body = body.as_ref();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        self.write([head.as_bytes(), body].concat())
    }

    /// The next answer. Nothing, if the connection ends without one.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let status = head[9..12].parse().unwrap();
        let mut answer = Answer { status, head: head.to_lowercase(), body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        answer.body = String::from_utf8(body).unwrap();
        Some(answer)
    }

    /// Whether the server has closed it meanwhile, as it does with a connection that is not used for long.
    pub fn is_stale(&self) -> bool {
        let stream = self.0.get_ref();
        stream.set_nonblocking(true).unwrap();
        let is_stale = !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
        is_stale
    }

    /// The connection, for what is no HTTP any more.
    pub fn into_reader(self) -> BufReader<TcpStream> {
        self.0
    }

    /// Nothing but the end comes.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let mut rest = String::new();
        let _ = self.0.read_to_string(&mut rest);
        assert_eq!(rest, "");
    }
}

/// One request on a connection of its own.
#[track_caller]
pub fn request(address: SocketAddr, method: &str, target: &str, body: impl AsRef<[u8]>) -> Answer {
    let mut http = Http::open(address).unwrap();
    http.send(method, target, body).unwrap();
    http.answer().expect("an answer")
}
