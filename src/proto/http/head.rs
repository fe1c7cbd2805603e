//! Request heads in, under limits, and what they say of the body and of the connection.

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Request, StatusCode, Version};

use super::{RequestFault, bad};

/// What a request head is held to.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The size of the whole head, in bytes.
    pub max_bytes: usize,
    /// The number of header lines.
    pub max_headers: usize,
}

/// Collects one request head. Each byte is looked at once when it arrives; the head is parsed once, when its last line
/// is there.
#[derive(Default)]
pub struct HeadReader {
    buffer: Vec<u8>,
    /// Where the line begins that is not yet complete.
    line_start: usize,
    /// Complete lines so far, the request line among them.
    lines: usize,
}

impl HeadReader {
    /// Whether a part of a head is waiting for the rest.
    pub fn has_begun(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Takes what has arrived. Yields the request, and how many bytes of `input` belonged to its head, once the head is
    /// complete; the reader is then ready for the next one.
    pub fn receive(&mut self, input: &[u8], limits: HeadLimits) -> Result<Option<(Request<()>, usize)>, RequestFault> {
        let mut taken = 0;
        for line in input.split_inclusive(|&byte| byte == b'\n') {
            self.buffer.extend_from_slice(line);
            taken += line.len();
            if self.buffer.len() > limits.max_bytes {
                return Err(too_large("the request head is too large"));
            }
            if line.ends_with(b"\n") && self.end_line(limits)? {
                let request = parse(&self.buffer, self.lines)?;
                *self = Self::default();
                return Ok(Some((request, taken)));
            }
        }
        Ok(None)
    }

    /// A line is complete. Tells whether it is the empty one that ends the head.
    fn end_line(&mut self, limits: HeadLimits) -> Result<bool, RequestFault> {
        let line = &self.buffer[self.line_start..];
        if !line.ends_with(b"\r\n") {
            return Err(bad("a line of the head ends in a bare line feed"));
        }
        if line.len() == 2 && self.lines == 0 {
            // RFC 9112 section 2.2: empty lines before a request line are ignored.
            self.buffer.clear();
            return Ok(false);
        }
        if line.len() == 2 {
            return Ok(true);
        }
        self.lines += 1;
        self.line_start = self.buffer.len();
        if self.lines - 1 > limits.max_headers {
            return Err(too_large("the request has too many headers"));
        }
        Ok(false)
    }
}

const fn too_large(sentence: &'static str) -> RequestFault {
    RequestFault { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, sentence }
}

fn parse(head: &[u8], lines: usize) -> Result<Request<()>, RequestFault> {
    let mut headers = vec![httparse::EMPTY_HEADER; lines];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(status) if status.is_complete() => {}
        Err(httparse::Error::Version) => {
            let sentence = "only HTTP/1.1 and HTTP/1.0 are spoken here";
            return Err(RequestFault { status: StatusCode::HTTP_VERSION_NOT_SUPPORTED, sentence });
        }
        _ => return Err(bad("the request head is malformed")),
    }
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut request = Request::builder()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default())
        .version(version);
    for header in parsed.headers.iter() {
        request = request.header(header.name, header.value);
    }
    let request = request.body(()).map_err(|_| bad("the request line is malformed"))?;
    check_host(&request)?;
    check_framing(&request)?;
    Ok(request)
}

/// RFC 9112 section 3.2: a request of HTTP/1.1 has exactly one `Host`.
fn check_host(request: &Request<()>) -> Result<(), RequestFault> {
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Err(bad("a request has exactly one Host header"));
    }
    Ok(())
}

/// RFC 9112 section 6: where a request's end could be understood in two ways, it is refused.
fn check_framing(request: &Request<()>) -> Result<(), RequestFault> {
    let mut lengths = request.headers().get_all(CONTENT_LENGTH).iter();
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    let (length, coding) = (lengths.next(), codings.next());
    if lengths.next().is_some() || codings.next().is_some() || (length.is_some() && coding.is_some()) {
        return Err(bad("a request has one Content-Length or one Transfer-Encoding, not both"));
    }
    let is_number = |value: &HeaderValue| !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit);
    if length.is_some_and(|value| !is_number(value) || body_length(value).is_none()) {
        return Err(bad("Content-Length is not a number"));
    }
    let is_chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if coding.is_some_and(|value| !is_chunked(value) || request.version() == Version::HTTP_10) {
        return Err(bad("the only Transfer-Encoding taken is chunked, in HTTP/1.1"));
    }
    Ok(())
}

pub(super) fn body_length(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// Whether a body follows the head.
pub fn has_body(request: &Request<()>) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|value| body_length(value) != Some(0))
}

/// Whether the client holds its body back until it has read [`CONTINUE`](super::CONTINUE) (RFC 9110 section 10.1.1). It
/// is owed only while nothing of the body has come. HTTP/1.0 doesn't know it, and other expectations are overlooked.
pub fn awaits_continue(request: &Request<()>) -> bool {
    request.version() == Version::HTTP_11 && has_body(request) && has_token(request, EXPECT, "100-continue")
}

/// Whether the client lets the connection live on after the answer (RFC 9112 section 9.3).
pub fn keeps_alive(request: &Request<()>) -> bool {
    if request.version() == Version::HTTP_11 {
        !has_token(request, CONNECTION, "close")
    } else {
        has_token(request, CONNECTION, "keep-alive")
    }
}

/// Whether a header that is a list of tokens has this one.
pub fn has_token(request: &Request<()>, name: HeaderName, token: &str) -> bool {
    let values = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { max_bytes: 200, max_headers: 4 };

    fn read(head: &str) -> Result<Request<()>, RequestFault> {
        let read = HeadReader::default().receive(head.as_bytes(), LIMITS)?;
        Ok(read.unwrap_or_else(|| panic!("{head:?} is not whole")).0)
    }

    #[test]
    fn a_head_may_come_in_any_two_parts() {
        let head = b"\r\nGET /x?y HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\nrest";
        let whole = head.len() - 4;
        for split in 0..whole {
            let mut reader = HeadReader::default();
            assert!(reader.receive(&head[..split], LIMITS).unwrap().is_none(), "{split}");
            let (request, taken) = reader.receive(&head[split..], LIMITS).unwrap().unwrap();
            assert_eq!((request.uri().path(), request.uri().query(), taken), ("/x", Some("y"), whole - split));
            assert!(!reader.has_begun());
        }
    }

    #[test]
    fn limits_are_met_before_the_head_is_whole() {
        let endless = format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(200));
        let many = "GET / HTTP/1.1\r\n1: 1\r\n2: 2\r\n3: 3\r\n4: 4\r\n5: 5\r\n";
        for head in [&endless, many] {
            let fault = HeadReader::default().receive(head.as_bytes(), LIMITS).unwrap_err();
            assert_eq!(fault.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        assert!(read("GET / HTTP/1.1\r\nHost: 1\r\n2: 2\r\n3: 3\r\n4: 4\r\n\r\n").is_ok());
    }

    #[test]
    fn bodies_and_keeping_alive_are_understood() {
        let request = |lines: &str| read(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).unwrap();
        assert!(!has_body(&request("")) && !has_body(&request("Content-Length: 0\r\n")));
        assert!(has_body(&request("Content-Length: 7\r\n")) && has_body(&request("Transfer-Encoding: Chunked\r\n")));
        assert!(keeps_alive(&request("")) && !keeps_alive(&request("Connection: x, Close\r\n")));
        let old = |lines: &str| read(&format!("GET / HTTP/1.0\r\n{lines}\r\n")).unwrap();
        assert!(!keeps_alive(&old("")) && keeps_alive(&old("Connection: keep-alive\r\n")));
    }

    #[test]
    fn a_body_may_be_held_back() {
        let request = |head: &str| read(&format!("POST / HTTP/1.{head}\r\n\r\n")).unwrap();
        assert!(awaits_continue(&request("1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 7")));
        assert!(!awaits_continue(&request("1\r\nHost: a\r\nContent-Length: 7")));
        assert!(!awaits_continue(&request("1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0")));
        assert!(!awaits_continue(&request("0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 7")));
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        let heads = [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Host: b\r\n",
            " folded: 1\r\n",
            "Name : 1\r\n",
        ];
        for lines in heads {
            let fault = read(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).unwrap_err();
            assert_eq!(fault.status, StatusCode::BAD_REQUEST, "{lines}");
        }
        let version = read("GET / HTTP/3.0\r\nHost: a\r\n\r\n").unwrap_err().status;
        assert_eq!(version, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
        let bare = HeadReader::default().receive(b"GET / HTTP/1.1\n", LIMITS).unwrap_err();
        assert_eq!(bare.status, StatusCode::BAD_REQUEST);
    }
}
