//! WebSocket (RFC 6455) for the server's side: frames in, by tungstenite; finished frames out.
//!
//! One [`Reader`] serves all connections. Between two calls a connection keeps only an [`Inlet`]: the bytes that have
//! arrived and are not yet a whole frame, and, in the middle of a fragmented message, tungstenite's context with
//! what came before. An idle connection keeps nothing.
//!
//! The frame header is read twice, here to know where a frame ends and by tungstenite to read it: that is what lets
//! a context live no longer than its message, and lets an oversized frame be refused before a byte of it is kept.

use std::io::{self, Cursor, Read, Write};

use tungstenite::error::CapacityError;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};

pub use tungstenite::Utf8Bytes;

/// The longest header of a frame.
pub const MAX_HEADER_BYTES: usize = 14;
/// The header of a frame of up to 125 bytes from a server.
const SHORT_HEADER_BYTES: usize = 2;

/// How much of a fragment tungstenite reads at once. It clears that much before each read.
const READ_STEP_BYTES: usize = 4 * 1024;

/// A message in fragments smaller than this on average, beyond a first handful, is an attack.
const MIN_FRAGMENT_BYTES: usize = 64;
const FREE_FRAGMENTS: usize = 16;

/// A ping without payload, finished.
pub const PING: [u8; 2] = [0x89, 0];

/// A whole message, borrowed for decoding.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The payload.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// What one frame amounted to.
#[derive(Debug)]
pub enum Incoming {
    /// It was or completed a message.
    Message(tungstenite::Message),
    /// It was a part of a message, or a pong.
    Nothing,
    /// A ping; the finished pong that answers it.
    Ping(Vec<u8>),
    /// The other side closes; the finished close frame that answers it.
    Close(Vec<u8>),
}

impl Incoming {
    /// The message inside, if there is one.
    pub fn message(&self) -> Option<Message<'_>> {
        match self {
            Self::Message(tungstenite::Message::Text(text)) => Some(Message::Text(text)),
            Self::Message(tungstenite::Message::Binary(bytes)) => Some(Message::Binary(bytes)),
            _ => None,
        }
    }
}

/// Why a connection can't go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A breach of RFC 6455.
    Protocol,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A frame or message over the limit.
    TooBig,
    /// A message in senselessly many fragments.
    TooManyFragments,
}

/// What a connection keeps between two calls of [`Reader::next`].
#[derive(Default)]
pub struct Inlet {
    /// Arrived and not yet consumed: the part of a frame, or whole frames beyond the connection's share.
    pub unread: Vec<u8>,
    /// Present only in the middle of a fragmented message.
    message: Option<Box<PartialMessage>>,
}

struct PartialMessage {
    context: WebSocketContext,
    fragments: usize,
}

/// Reads the frames of all connections, one after the other.
pub struct Reader {
    config: WebSocketConfig,
    max_message: usize,
}

impl Reader {
    /// A reader that takes frames and messages of up to `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_STEP_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        Self { config, max_message }
    }

    /// Reads one frame from the front of `input` and moves `input` past it. `None`: there is no whole frame yet, and
    /// what is there must be offered again with more behind it.
    pub fn next(&self, input: &mut &[u8], inlet: &mut Inlet) -> Result<Option<Incoming>, Fault> {
        let mut cursor = Cursor::new(*input);
        let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|error| fault(&error))? else {
            return Ok(None);
        };
        if length > self.max_message as u64 {
            return Err(Fault::TooBig);
        }
        let end = cursor.position() as usize + length as usize;
        if input.len() < end {
            return Ok(None);
        }
        let (frame, rest) = input.split_at(end);
        *input = rest;
        let is_whole = header.is_final && inlet.message.is_none();
        if is_whole { self.read_whole(frame) } else { self.read_fragment(frame, &header, inlet) }.map(Some)
    }

    /// An unfragmented message, or a control frame outside of one: nothing came before it and nothing is kept of it,
    /// so it gets a context of its own. That is cheaper than one context for all, which would clear its buffer for
    /// each frame: 1,600 of the 5,000 instructions that an echo of 64 bytes took.
    fn read_whole(&self, frame: &[u8]) -> Result<Incoming, Fault> {
        // tungstenite asks for room for the payload once more.
        let mut part = Vec::with_capacity(2 * frame.len());
        part.extend_from_slice(frame);
        let config = self.config.read_buffer_size(0);
        let mut context = WebSocketContext::from_partially_read(part, Role::Server, Some(config));
        read_with(&mut context, &[])
    }

    /// A part of a message, or a control frame between two parts.
    fn read_fragment(&self, frame: &[u8], header: &FrameHeader, inlet: &mut Inlet) -> Result<Incoming, Fault> {
        let message = inlet.message.get_or_insert_with(|| {
            let context = WebSocketContext::new(Role::Server, Some(self.config));
            Box::new(PartialMessage { context, fragments: 0 })
        });
        let is_data = matches!(header.opcode, OpCode::Data(_));
        message.fragments += usize::from(is_data);
        if message.fragments > FREE_FRAGMENTS + self.max_message / MIN_FRAGMENT_BYTES {
            return Err(Fault::TooManyFragments);
        }
        let read = read_with(&mut message.context, frame);
        if is_data && header.is_final {
            inlet.message = None;
        }
        read
    }
}

/// Has tungstenite read exactly one frame, and collects what it answers by itself.
fn read_with(context: &mut WebSocketContext, frame: &[u8]) -> Result<Incoming, Fault> {
    let mut wire = Wire { input: frame, output: Vec::new() };
    let message = match context.read(&mut wire) {
        Ok(message) => message,
        // All of the frame is consumed, and more would be wanted: it was a fragment.
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            return Ok(Incoming::Nothing);
        }
        Err(error) => return Err(fault(&error)),
    };
    match message {
        tungstenite::Message::Ping(_) => {
            context.flush(&mut wire).map_err(|error| fault(&error))?;
            Ok(Incoming::Ping(wire.output))
        }
        tungstenite::Message::Close(_) => match context.flush(&mut wire) {
            Ok(()) | Err(tungstenite::Error::ConnectionClosed) => Ok(Incoming::Close(wire.output)),
            Err(error) => Err(fault(&error)),
        },
        tungstenite::Message::Pong(_) => Ok(Incoming::Nothing),
        message => Ok(Incoming::Message(message)),
    }
}

fn fault(error: &tungstenite::Error) -> Fault {
    match error {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => Fault::TooBig,
        tungstenite::Error::Utf8(_) => Fault::NotUtf8,
        _ => Fault::Protocol,
    }
}

/// The stream that tungstenite sees: the bytes of one frame, then nothing for now; what it writes is collected.
struct Wire<'a> {
    input: &'a [u8],
    output: Vec<u8>,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.input.read(buffer) }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends a finished text frame whose payload `write` appends. The payload must be UTF-8.
pub fn text(wire: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    frame(wire, OpCode::Data(Data::Text), write);
}

/// Appends a finished binary frame whose payload `write` appends.
pub fn binary(wire: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    frame(wire, OpCode::Data(Data::Binary), write);
}

/// The payload of a finished frame of ours.
pub fn payload(frame: &[u8]) -> &[u8] {
    // RFC 6455 section 5.2; a server's frame has no mask.
    let header = match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    frame.get(header..).unwrap_or_default()
}

/// Appends a finished close frame. `reason` is a short sentence: a control frame has room for 123 bytes of it.
pub fn close(wire: &mut Vec<u8>, code: u16, reason: &'static str) {
    let close = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static(reason) };
    debug_assert!(reason.len() <= 123);
    // Formatting into a vector can't fail.
    let _ = Frame::close(Some(close)).format(wire);
}

fn frame(wire: &mut Vec<u8>, opcode: OpCode, write: impl FnOnce(&mut Vec<u8>)) {
    let start = wire.len();
    wire.extend_from_slice(&[0; SHORT_HEADER_BYTES]);
    write(wire);
    let payload = start + SHORT_HEADER_BYTES..wire.len();
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let mut bytes = [0; MAX_HEADER_BYTES];
    let mut free = &mut bytes[..];
    // A server's header has at most 10 bytes, so the 14 can't overflow.
    let _ = header.format(payload.len() as u64, &mut free);
    let taken = MAX_HEADER_BYTES - free.len();
    // The header's length depends on the payload's, which is known only now: a long payload moves up to make room.
    wire.resize(payload.end + taken - SHORT_HEADER_BYTES, 0);
    wire.copy_within(payload, start + taken);
    wire[start..start + taken].copy_from_slice(&bytes[..taken]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 65_536;

    /// A client's frame with a mask of zeros, which leaves the payload as it is.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame(&mut bytes, OpCode::from(first & 0x0f), |wire| wire.extend_from_slice(payload));
        bytes[0] = first;
        bytes[1] |= 0x80;
        let header = bytes.len() - payload.len();
        bytes.splice(header..header, [0; 4]);
        bytes
    }

    /// All that a stream amounts to, in words; it arrives in the parts given.
    fn read(parts: &[&[u8]]) -> Vec<String> {
        let (reader, mut inlet) = (Reader::new(LIMIT), Inlet::default());
        let mut said = Vec::new();
        let mut unread = Vec::new();
        for part in parts {
            unread.extend_from_slice(part);
            let mut input = &unread[..];
            loop {
                match reader.next(&mut input, &mut inlet) {
                    Ok(None) => break,
                    Ok(Some(Incoming::Nothing)) => {}
                    Ok(Some(Incoming::Ping(pong))) => said.push(format!("pong {:?}", &pong[2..])),
                    Ok(Some(Incoming::Close(answer))) => said.push(format!("close {:?}", &answer[2..])),
                    Ok(Some(message)) => said.push(format!("{:?}", message.message().unwrap())),
                    Err(fault) => {
                        said.push(format!("{fault:?}"));
                        return said;
                    }
                }
            }
            let rest = input.len();
            unread.drain(..unread.len() - rest);
        }
        assert!(unread.is_empty());
        said
    }

    #[test]
    fn a_stream_may_come_in_any_two_parts() {
        let stream = [
            masked(0x81, "päivää".as_bytes()),
            masked(0x01, b"frag"),
            masked(0x89, b"?"),
            masked(0x80, b"ment"),
            masked(0x82, &[7; 300]),
            masked(0x88, &[3, 232]),
        ]
        .concat();
        let whole = read(&[&stream]);
        assert_eq!(whole[..3], ["Text(\"päivää\")", "pong [63]", "Text(\"fragment\")"]);
        assert_eq!(whole[4], "close [3, 232]");
        for split in 0..stream.len() {
            assert_eq!(read(&[&stream[..split], &stream[split..]]), whole, "{split}");
        }
    }

    #[test]
    fn faults_are_told_apart() {
        let cases: [(&[u8], &str); 7] = [
            (&[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "TooBig"),
            (&masked(0x81, b"\xff"), "NotUtf8"),
            (&[0x81, 0x01, b'x'], "Protocol"),
            (&masked(0x80, b""), "Protocol"),
            (&masked(0xc1, b""), "Protocol"),
            (&masked(0x83, b""), "Protocol"),
            (&masked(0x09, b""), "Protocol"),
        ];
        for (stream, fault) in cases {
            assert_eq!(read(&[stream]), [fault], "{stream:?}");
        }
        let fragments = [masked(0x01, b""), masked(0x00, b"").repeat(2_000)].concat();
        assert_eq!(read(&[&fragments]), ["TooManyFragments"]);
        let long = [masked(0x02, &[0; 40_000]), masked(0x80, &[0; 40_000])].concat();
        assert_eq!(read(&[&long]), ["TooBig"]);
    }

    #[test]
    fn frames_are_finished_whatever_their_size() {
        for (size, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let mut wire = b"before".to_vec();
            binary(&mut wire, |payload| payload.resize(payload.len() + size, b'x'));
            assert_eq!(wire.len(), 6 + header + size);
            assert!(wire.starts_with(b"before\x82") && wire[6 + header..].iter().all(|&byte| byte == b'x'));
        }
    }
}
