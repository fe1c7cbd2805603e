//! Frames both ways, at a price that lets one thread count millions a second: a [`Walker`] goes over what a server
//! sends and picks out the time in each message, a [`Salvo`] is a row of finished messages of which only the time
//! changes. `crowd` and `load` use both.
//!
//! Nothing here knows JSON. A message is known by its *stamp*: 16 letters at a fixed distance from the frame's end, which
//! no other frame has there. Messages in fragments, which no server of small messages sends, are not counted.

/// The length of a stamp: the 16 halves of the bytes of a `u64`, the high ones first, as letters from `a` to `p`.
pub(super) const STAMP_BYTES: usize = 16;

/// The longest header of a frame that is not masked.
const MAX_HEADER_BYTES: usize = 10;

pub(super) const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CONTROL_BIT: u8 = 0x08;
const MASK_BIT: u8 = 0x80;

/// What a frame was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// A message, sent at that time.
    Message(u64),
    /// Text or binary without a stamp.
    Other,
    /// The pong that answers a ping, finished.
    Ping(Vec<u8>),
    /// The server closes; why, in its words.
    Close(String),
    /// No server sends such a header.
    Nonsense,
}

/// One connection's place in what its server sends. Some 70 bytes, and none on the heap but within a control frame.
pub(super) struct Walker {
    /// From the beginning of a stamp to the end of its frame.
    distance: u64,
    /// Its first two bytes, and the rest only while that is arriving.
    header: [u8; MAX_HEADER_BYTES],
    /// How much of a header has arrived that did not come as a whole.
    header_bytes: u8,
    /// Whether the header is behind and the end is not.
    within: bool,
    /// How much of the payload is still to come.
    left: u64,
    /// Whether this frame is long enough for a stamp.
    may_be_message: bool,
    stamp: [u8; STAMP_BYTES],
    /// The payload of a control frame so far.
    control: Vec<u8>,
}

impl Walker {
    /// A walker at the beginning of a frame. `distance` is at least [`STAMP_BYTES`].
    pub(super) fn new(distance: usize) -> Self {
        Self {
            distance: distance as u64,
            header: [0; MAX_HEADER_BYTES],
            header_bytes: 0,
            within: false,
            left: 0,
            may_be_message: false,
            stamp: [0; STAMP_BYTES],
            control: Vec::new(),
        }
    }

    /// Goes to the end of the next frame and moves `chunk` past it. `None`: all of the chunk is used up.
    pub(super) fn next(&mut self, chunk: &mut &[u8]) -> Option<Seen> {
        if !self.within {
            self.take_header(chunk)?;
            self.within = true;
            self.may_be_message = self.header[0] == TEXT && self.left >= self.distance;
            if self.header[1] & MASK_BIT != 0 {
                return Some(Seen::Nonsense);
            }
        }
        let count = self.left.min(chunk.len() as u64) as usize;
        let (piece, rest) = chunk.split_at(count);
        *chunk = rest;
        self.take(piece);
        if self.left > 0 {
            return None;
        }
        self.within = false;
        Some(self.seen())
    }

    /// `None` if the chunk ends before the header does.
    fn take_header(&mut self, chunk: &mut &[u8]) -> Option<()> {
        if self.header_bytes == 0
            && let Some((bytes, length)) = header(chunk)
        {
            // Nearly always it is here as a whole, and two bytes of it are all that matters from now on. Byte by byte
            // a frame cost 14 ns more, of 32.
            self.header[..2].copy_from_slice(&chunk[..2]);
            self.left = length as u64;
            *chunk = &chunk[bytes..];
            return Some(());
        }
        loop {
            let (&next, rest) = chunk.split_first()?;
            *chunk = rest;
            self.header[usize::from(self.header_bytes)] = next;
            self.header_bytes += 1;
            if let Some((_, length)) = header(&self.header[..usize::from(self.header_bytes)]) {
                self.left = length as u64;
                self.header_bytes = 0;
                return Some(());
            }
        }
    }

    /// Passes over a part of the payload and keeps what lies where a stamp would be.
    fn take(&mut self, piece: &[u8]) {
        if self.may_be_message {
            // All in places counted from the piece's beginning; what lies before it has been kept already.
            let begin = self.left.saturating_sub(self.distance) as usize;
            let end = self.left.saturating_sub(self.distance - STAMP_BYTES as u64) as usize;
            let end = end.min(piece.len());
            if begin < end {
                let kept = self.distance.saturating_sub(self.left) as usize;
                self.stamp[kept..kept + end - begin].copy_from_slice(&piece[begin..end]);
            }
        } else if self.header[0] & CONTROL_BIT != 0 {
            self.control.extend_from_slice(piece);
        }
        self.left -= piece.len() as u64;
    }

    fn seen(&mut self) -> Seen {
        if self.may_be_message {
            return read_stamp(&self.stamp).map_or(Seen::Other, Seen::Message);
        }
        control(self.header[0], &std::mem::take(&mut self.control))
    }
}

/// What a frame without a stamp is.
pub(super) fn control(first: u8, payload: &[u8]) -> Seen {
    match first {
        PING => Seen::Ping(frame(PONG, payload)),
        CLOSE => Seen::Close(reason(payload)),
        _ => Seen::Other,
    }
}

/// The code and the words of a close frame.
fn reason(payload: &[u8]) -> String {
    match payload {
        [high, low, words @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let words = String::from_utf8_lossy(words);
            // Quoted, because it may hold what a terminal would obey.
            if words.is_empty() { format!("code {code}") } else { format!("code {code} {words:?}") }
        }
        _ => "no reason".into(),
    }
}

/// How long a header that begins so has to be.
fn header_bytes(begun: &[u8]) -> usize {
    match begun.get(1).map(|length| length & !MASK_BIT) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    }
}

/// The length of the header and of the payload of the frame that begins here, if the whole header is here.
pub(super) fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    let header = bytes.get(..header_bytes(bytes))?;
    let length = match *header {
        [_, length] => u64::from(length & !MASK_BIT),
        [_, _, high, low] => u64::from(u16::from_be_bytes([high, low])),
        [_, _, ref length @ ..] => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        _ => return None,
    };
    Some((header.len(), usize::try_from(length).ok()?))
}

/// A client's finished frame. Its mask is zero, which is as good as any for bytes that no browser has a hand in, and
/// lets them be changed in place.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(MASK_BIT | length as u8),
        length @ 126..=0xffff => {
            frame.push(MASK_BIT | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASK_BIT | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// What stands around the text of a message, on its way to the server and, at its end, on its way back.
#[derive(Clone, Copy)]
pub(super) struct Wording {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

impl Wording {
    /// From the beginning of a text of that length to the end of its frame.
    pub(super) fn distance(self, text_bytes: usize) -> usize {
        text_bytes + self.after.len()
    }
}

/// Equal messages one behind the other, as many as one sender may have outstanding, so that one write sends them.
pub(super) struct Salvo {
    bytes: Vec<u8>,
    frame_bytes: usize,
    /// Where a frame has its stamp.
    stamp_at: usize,
}

impl Salvo {
    /// A text has at least [`STAMP_BYTES`].
    pub(super) fn new(wording: Wording, text_bytes: usize, messages: usize) -> Self {
        let payload = [wording.before, &"x".repeat(text_bytes), wording.after].concat();
        let frame = frame(TEXT, payload.as_bytes());
        let stamp_at = frame.len() - wording.distance(text_bytes);
        let mut salvo = Self { bytes: frame.repeat(messages), frame_bytes: frame.len(), stamp_at };
        salvo.stamped(messages, 0);
        salvo
    }

    /// The first `messages` of them, sent at that time.
    pub(super) fn stamped(&mut self, messages: usize, stamp: u64) -> &[u8] {
        let stamp = write_stamp(stamp);
        let salvo = &mut self.bytes[..messages * self.frame_bytes];
        for frame in salvo.chunks_exact_mut(self.frame_bytes) {
            frame[self.stamp_at..self.stamp_at + STAMP_BYTES].copy_from_slice(&stamp);
        }
        salvo
    }
}

fn write_stamp(stamp: u64) -> [u8; STAMP_BYTES] {
    std::array::from_fn(|place| b'a' + (stamp >> (60 - 4 * place) & 0xf) as u8)
}

/// `None` if it is not a stamp. All letters at once, since this is done for every delivery.
fn read_stamp(letters: &[u8; STAMP_BYTES]) -> Option<u64> {
    // A letter below `a` borrows from the one before it, but the last such letter shows, and one is enough.
    let halves = u128::from_be_bytes(*letters).wrapping_sub(u128::from_be_bytes([b'a'; STAMP_BYTES]));
    if halves & u128::from_be_bytes([0xf0; STAMP_BYTES]) != 0 {
        return None;
    }
    // Each step has twice as many bits side by side.
    let pairs = (halves | halves >> 4) & 0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff_0000_ffff_0000_ffff;
    let eights = (fours | fours >> 16) & 0x0000_0000_ffff_ffff_0000_0000_ffff_ffff;
    Some((eights | eights >> 32) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as a server sends it.
    fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
        let masked = frame(first, payload);
        let header = masked.len() - payload.len() - 4;
        let mut sent = masked[..header].to_vec();
        sent[1] &= !MASK_BIT;
        sent.extend_from_slice(payload);
        sent
    }

    fn message(text_bytes: usize, stamp: u64) -> Vec<u8> {
        let letters = String::from_utf8(write_stamp(stamp).to_vec()).unwrap();
        let filler = "x".repeat(text_bytes - STAMP_BYTES);
        let text = format!(r#"{{"action":"room_message","room":"R","user_id":"7","message":"{letters}{filler}"}}"#);
        sent(TEXT, text.as_bytes())
    }

    /// What is seen if the bytes come in these pieces.
    fn seen<'a>(distance: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
        let mut walker = Walker::new(distance);
        let mut seen = Vec::new();
        for mut piece in pieces {
            while let Some(next) = walker.next(&mut piece) {
                seen.push(next);
            }
            assert!(piece.is_empty());
        }
        seen
    }

    #[test]
    fn every_split_shows_the_same() {
        for text_bytes in [16, 17, 64, 300, 66_000] {
            let mut bytes = message(text_bytes, 1);
            bytes.extend(sent(TEXT, br#"{"action":"join","room":"R","user_id":"1"}"#));
            bytes.extend(sent(PING, b"there?"));
            bytes.extend(sent(PING, b""));
            bytes.extend(sent(0x82, &[b'a'; 200]));
            bytes.extend(message(text_bytes, u64::MAX));
            bytes.extend(sent(TEXT, &[b' '; 200]));
            bytes.extend(sent(CLOSE, b"\x03\xf0slow"));
            let expected = [
                Seen::Message(1),
                Seen::Other,
                Seen::Ping(frame(PONG, b"there?")),
                Seen::Ping(frame(PONG, b"")),
                Seen::Other,
                Seen::Message(u64::MAX),
                Seen::Other,
                Seen::Close("code 1008 \"slow\"".into()),
            ];
            let distance = text_bytes + 2;
            // Of the largest, the surroundings of every edge are enough.
            let splits = (0..bytes.len()).filter(|at| bytes.len() < 10_000 || at % 66_000 < 900);
            for at in splits {
                assert_eq!(seen(distance, [&bytes[..at], &bytes[at..]]), expected, "{text_bytes} at {at}");
            }
            for size in [1, 2, 3, 7, 16, 100] {
                assert_eq!(seen(distance, bytes.chunks(size)), expected, "{text_bytes} by {size}");
            }
        }
    }

    #[test]
    fn a_masked_frame_is_nonsense() {
        assert_eq!(seen(16, [&frame(TEXT, b"x")[..2]])[0], Seen::Nonsense);
    }

    #[test]
    fn headers_of_all_three_lengths_are_read_and_written() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let bytes = sent(TEXT, &vec![0; length]);
            let (header_bytes, payload_bytes) = header(&bytes).unwrap();
            assert_eq!((header_bytes + payload_bytes, payload_bytes), (bytes.len(), length));
            assert_eq!(header(&bytes[..header_bytes - 1]), None);
        }
    }

    #[test]
    fn stamps_come_back_and_nothing_else_passes_for_one() {
        for stamp in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(read_stamp(&write_stamp(stamp)), Some(stamp));
        }
        for place in 0..STAMP_BYTES {
            for wrong in [0, b'`', b'q', 0xff] {
                let mut letters = *b"aaaaaaaaaaaaaaaa";
                letters[place] = wrong;
                assert_eq!(read_stamp(&letters), None);
            }
        }
    }

    #[test]
    fn a_salvo_is_so_many_messages_with_the_time_in_each() {
        let wording = Wording { before: "{\"", after: "\"}" };
        for text_bytes in [16, 200, 70_000] {
            let mut salvo = Salvo::new(wording, text_bytes, 3);
            assert_eq!(salvo.stamped(1, 5).len() * 3, salvo.stamped(3, 5).len());
            // What is masked with zeros differs from what a server sends in the header alone.
            let frame_bytes = salvo.frame_bytes;
            let frames = salvo.stamped(3, 5).chunks_exact(frame_bytes).map(|frame| {
                let (header_bytes, _) = header(frame).unwrap();
                sent(TEXT, &frame[header_bytes + 4..])
            });
            let echoed = frames.collect::<Vec<_>>().concat();
            assert_eq!(seen(wording.distance(text_bytes), [&echoed[..]]), vec![Seen::Message(5); 3]);
        }
    }
}
