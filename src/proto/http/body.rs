//! Request bodies in, sized or chunked (RFC 9112 sections 6 and 7), under a limit.
//!
//! What two readers could understand in two ways is refused, as it is in a head: a proxy before this server must not see
//! another end of the request than this server does.

use std::mem;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, StatusCode};

use super::head::body_length;
use super::{RequestFault, bad};

/// The longest line that gives a chunk's size, with extensions; and the longest trailer.
const MAX_LINE_BYTES: usize = 1024;
/// What all extensions and trailers of a body may come to. Nobody here looks at either.
const MAX_ASIDE_BYTES: usize = 8 * 1024;
/// A chunk's size in so many digits fits into 64 bits.
const MAX_SIZE_DIGITS: usize = 16;

/// Collects the body of one request. Each byte is looked at once, when it arrives; no more is kept than has come.
#[derive(Debug)]
pub struct BodyReader {
    max_bytes: usize,
    awaited: Awaited,
    body: Vec<u8>,
    /// What has come of a line that is not yet complete.
    line: Vec<u8>,
    /// Extensions and trailers so far, in bytes.
    aside: usize,
}

/// What is to come next.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    /// So many bytes, and that is all.
    Rest(usize),
    /// The line with the size of the next chunk.
    Size,
    /// So many bytes of a chunk.
    Chunk(usize),
    /// What follows a chunk.
    ChunkEnd(&'static [u8]),
    /// A trailer, or the empty line that ends the body.
    Trailer,
}

impl BodyReader {
    /// For the body that follows the head of `request`. One that is announced as longer than `max_bytes` is refused here
    /// and now.
    pub fn new(request: &Request<()>, max_bytes: usize) -> Result<Self, RequestFault> {
        let awaited = if request.headers().contains_key(TRANSFER_ENCODING) {
            Awaited::Size
        } else {
            // The head was not taken if this is no number.
            let length = request.headers().get(CONTENT_LENGTH).and_then(body_length).unwrap_or(0);
            Awaited::Rest(usize::try_from(length).ok().filter(|&length| length <= max_bytes).ok_or(TOO_LARGE)?)
        };
        Ok(Self { max_bytes, awaited, body: Vec::new(), line: Vec::new(), aside: 0 })
    }

    /// Takes what has arrived. Yields the body, and how many bytes of `input` belonged to it, once it is complete; that is
    /// the end of this reader. A request without a body is complete with no input at all.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, RequestFault> {
        let mut rest = input;
        loop {
            if let Awaited::Rest(0) = self.awaited {
                return Ok(Some((mem::take(&mut self.body), input.len() - rest.len())));
            }
            if rest.is_empty() {
                return Ok(None);
            }
            match self.awaited {
                Awaited::Rest(left) => self.awaited = Awaited::Rest(left - self.take(&mut rest, left)),
                Awaited::Chunk(left) => {
                    let left = left - self.take(&mut rest, left);
                    self.awaited = if left == 0 { Awaited::ChunkEnd(b"\r\n") } else { Awaited::Chunk(left) };
                }
                Awaited::ChunkEnd(end) => self.awaited = end_chunk(&mut rest, end)?,
                Awaited::Size => {
                    if let Some(line) = self.line(&mut rest)? {
                        self.awaited = self.begin_chunk(&line)?;
                    }
                }
                Awaited::Trailer => {
                    if let Some(line) = self.line(&mut rest)? {
                        self.awaited = self.pass_trailer(&line)?;
                    }
                }
            }
        }
    }

    /// Moves up to `most` bytes into the body. Tells how many.
    fn take(&mut self, rest: &mut &[u8], most: usize) -> usize {
        let (taken, left) = rest.split_at(most.min(rest.len()));
        self.body.extend_from_slice(taken);
        *rest = left;
        taken.len()
    }

    /// Yields a line without its end, once it is complete.
    fn line(&mut self, rest: &mut &[u8]) -> Result<Option<Vec<u8>>, RequestFault> {
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |place| place + 1);
        let (part, left) = rest.split_at(end);
        if self.line.len() + part.len() > MAX_LINE_BYTES {
            return Err(bad("a line between the chunks of the body is too long"));
        }
        self.line.extend_from_slice(part);
        *rest = left;
        if !part.ends_with(b"\n") {
            return Ok(None);
        }
        let mut line = mem::take(&mut self.line);
        if !line.ends_with(b"\r\n") {
            return Err(bad("a line between the chunks of the body ends in a bare line feed"));
        }
        line.truncate(line.len() - 2);
        if line.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
            return Err(bad("a line between the chunks of the body has control characters"));
        }
        Ok(Some(line))
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<Awaited, RequestFault> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extensions) = line.split_at(digits);
        // Blanks are taken before an extension, where some senders put them, and nowhere else.
        if !extensions.is_empty() && !extensions.trim_ascii_start().starts_with(b";") {
            return Err(BAD_SIZE);
        }
        self.pass(extensions.len())?;
        if digits > MAX_SIZE_DIGITS {
            return Err(BAD_SIZE);
        }
        let size = str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok()).ok_or(BAD_SIZE)?;
        if size == 0 {
            return Ok(Awaited::Trailer);
        }
        let free = self.max_bytes - self.body.len();
        Ok(Awaited::Chunk(usize::try_from(size).ok().filter(|&size| size <= free).ok_or(TOO_LARGE)?))
    }

    /// Checks that a trailer is one and not, say, the next request; then forgets it.
    fn pass_trailer(&mut self, line: &[u8]) -> Result<Awaited, RequestFault> {
        if line.is_empty() {
            return Ok(Awaited::Rest(0));
        }
        self.pass(line.len())?;
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        if name.len() == line.len() || http::HeaderName::from_bytes(name).is_err() {
            return Err(bad("a trailer of the body is malformed"));
        }
        Ok(Awaited::Trailer)
    }

    fn pass(&mut self, bytes: usize) -> Result<(), RequestFault> {
        self.aside += bytes;
        if self.aside > MAX_ASIDE_BYTES {
            return Err(bad("the body has too many chunk extensions or trailers"));
        }
        Ok(())
    }
}

const BAD_SIZE: RequestFault = bad("the size of a chunk is malformed");
const TOO_LARGE: RequestFault =
    RequestFault { status: StatusCode::PAYLOAD_TOO_LARGE, sentence: "the request body is too large" };

fn end_chunk(rest: &mut &[u8], end: &'static [u8]) -> Result<Awaited, RequestFault> {
    let common = end.iter().zip(rest.iter()).take_while(|(wanted, byte)| wanted == byte).count();
    if common < end.len().min(rest.len()) {
        return Err(bad("a chunk of the body is not as long as it says"));
    }
    *rest = &rest[common..];
    Ok(if common == end.len() { Awaited::Size } else { Awaited::ChunkEnd(&end[common..]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 20;

    fn reader(header: &str, value: &str) -> Result<BodyReader, RequestFault> {
        BodyReader::new(&Request::builder().header(header, value).body(()).unwrap(), LIMIT)
    }

    /// What a stream that begins with a body comes to: the body and what is behind it, or the status of the refusal, or
    /// nothing yet. It arrives in the parts given.
    fn read(mut reader: BodyReader, parts: &[&[u8]]) -> Result<Option<(String, String)>, u16> {
        let mut received = 0;
        for part in parts {
            let read = reader.receive(part).map_err(|fault| fault.status.as_u16())?;
            if let Some((body, taken)) = read {
                let rest = parts.concat().split_off(received + taken);
                let text = |bytes| String::from_utf8(bytes).unwrap();
                return Ok(Some((text(body), text(rest))));
            }
            received += part.len();
        }
        Ok(None)
    }

    fn chunked(parts: &[&[u8]]) -> Result<Option<(String, String)>, u16> {
        read(reader("transfer-encoding", "chunked").unwrap(), parts)
    }

    fn whole(body: &str, rest: &str) -> Result<Option<(String, String)>, u16> {
        Ok(Some((body.into(), rest.into())))
    }

    #[test]
    fn sized_bodies_end_where_they_say() {
        let sized = |length: &str, parts: &[&[u8]]| read(reader("content-length", length).unwrap(), parts);
        assert_eq!(sized("0", &[b"rest"]), whole("", "rest"));
        assert_eq!(sized("20", &[b"0123456789abcdef0123rest"]), whole("0123456789abcdef0123", "rest"));
        assert_eq!(sized("3", &[b"a", b"", b"b", b"cd"]), whole("abc", "d"));
        assert_eq!(sized("3", &[b"ab"]), Ok(None));
        for length in ["21", "18446744073709551615"] {
            assert_eq!(reader("content-length", length).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        }
        assert_eq!(read(reader("accept", "*/*").unwrap(), &[b""]), whole("", ""));
    }

    #[test]
    fn chunked_bodies_are_put_together() {
        let cases = [
            ("0\r\n\r\nrest", "", "rest"),
            ("5\r\nhello\r\n0\r\n\r\nGET", "hello", "GET"),
            ("5\r\nhello\r\n00000A\r\n\r\nworld!!!\r\n0\r\n\r\n", "hello\r\nworld!!!", ""),
            ("2;a=\"b;c\"\r\nhi\r\n1 ; b\r\n!\r\n000;x\r\nTrailer: 1\r\nOther:\t2\r\n\r\n", "hi!", ""),
            ("14\r\n0123456789abcdef0123\r\n0\r\n\r\n", "0123456789abcdef0123", ""),
        ];
        for (stream, body, rest) in cases {
            assert_eq!(chunked(&[stream.as_bytes()]), whole(body, rest), "{stream:?}");
        }
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        let streams = [
            "\r\n",
            ";x\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1\n",
            "1\r\r\n",
            "1;\rx\r\n",
            "1;\0\r\n",
            "10000000000000001\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\r\r\n",
            "0\r\n\n",
            "0\r\nGET / HTTP/1.1\r\n\r\n",
            "0\r\n folded: 1\r\n\r\n",
            "0\r\nName : 1\r\n\r\n",
            "0\r\n: 1\r\n\r\n",
        ];
        for stream in streams {
            assert_eq!(chunked(&[stream.as_bytes()]), Err(400), "{stream:?}");
        }
    }

    #[test]
    fn everything_is_bounded() {
        for stream in ["15\r\n", "ffffffffffffffff\r\n", "a\r\n0123456789\r\nb\r\n"] {
            assert_eq!(chunked(&[stream.as_bytes()]), Err(413), "{stream:?}");
        }
        let endless = "0".repeat(MAX_LINE_BYTES + 1);
        let extensions = format!("1;{}\r\na\r\n", "x".repeat(1_000)).repeat(9);
        let trailers = format!("0\r\n{}", format!("a: {}\r\n", "x".repeat(1_000)).repeat(9));
        for stream in [endless, extensions, trailers] {
            assert_eq!(chunked(&[stream.as_bytes()]), Err(400), "{stream:.20}");
        }
    }

    /// Any stream of the right letters comes to the same in one part, in two, and byte by byte.
    #[test]
    fn a_stream_may_come_in_any_parts() {
        let words = ["1\r\n", "3;x\r\n", "a", "abc", "\r\n", "0\r\n", "\r\n\r\n", "T: 1\r\n", "\r", "\n", "g"];
        let mut random = fastrand::Rng::with_seed(9);
        let (mut whole, mut partial, mut refused) = (0, 0, 0);
        for _ in 0..20_000 {
            let mut stream = String::new();
            for _ in 0..random.usize(..12) {
                // Mostly what is well-formed, so that the reader gets far.
                let well_formed = ["3\r\nabc\r\n", "1;y=z\r\nx\r\n", "0\r\nT: 1\r\n\r\n"];
                stream.push_str(if random.bool() { random.choice(well_formed) } else { random.choice(words) }.unwrap());
            }
            let stream = stream.as_bytes();
            let expected = chunked(&[stream]);
            let split = random.usize(..=stream.len());
            assert_eq!(chunked(&[&stream[..split], &stream[split..]]), expected, "{stream:?} at {split}");
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(chunked(&bytes), expected, "{stream:?}");
            match expected {
                Ok(Some(_)) => whole += 1,
                Ok(None) => partial += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(whole > 1_000 && partial > 1_000 && refused > 1_000, "{whole}, {partial}, {refused}");
    }

    #[test]
    fn garbage_is_survived() {
        let mut random = fastrand::Rng::with_seed(10);
        for _ in 0..20_000 {
            let stream: Vec<u8> = (0..random.usize(..64)).map(|_| random.u8(..)).collect();
            let mut reader = reader("transfer-encoding", "chunked").unwrap();
            for part in stream.chunks(7) {
                if !matches!(reader.receive(part), Ok(None)) {
                    break;
                }
            }
        }
    }
}
