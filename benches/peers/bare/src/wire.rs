//! Bytes in, values out, and back: no more of HTTP, RFC 6455 and JSON than the load generator needs.

use std::ops::Range;

use tungstenite::handshake::derive_accept_key;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;

/// What a finished request head asked for.
pub struct Head {
    pub is_echo: bool,
    pub response: String,
}

pub fn head(input: &[u8]) -> Option<Head> {
    let text = str::from_utf8(input).ok().filter(|text| text.ends_with("\r\n\r\n"))?;
    let mut headers = text.lines().filter_map(|line| line.split_once(": "));
    let (_, key) = headers.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))?;
    let accept = derive_accept_key(key.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Some(Head { is_echo: text.starts_with("GET /echo "), response })
}

/// The frame at `start`, if it is there as a whole: its opcode, where its payload is (unmasked now), where it ends.
pub fn unmask(input: &mut [u8], start: usize) -> Option<(u8, Range<usize>, usize)> {
    let rest = &input[start..];
    let opcode = rest.first()? & 15;
    let (header, length) = match rest.get(1)? & 127 {
        126 => (4, u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?).into()),
        127 => (10, u64::from_be_bytes(rest.get(2..10)?.try_into().ok()?) as usize),
        length => (2, length.into()),
    };
    let mask: [u8; 4] = rest.get(header..header + 4)?.try_into().ok()?;
    let payload = start + header + 4..start + header + 4 + length;
    for piece in input.get_mut(payload.clone())?.chunks_mut(4) {
        for (byte, mask) in piece.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
    Some((opcode, payload.clone(), payload.end))
}

/// The value, still escaped, of the text field `name` in `{"action":"<action>","<name>":"<value>"}`.
pub fn field<'a>(payload: &'a [u8], action: &[u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = payload.strip_prefix(br#"{"action":""#)?.strip_prefix(action)?.strip_prefix(br#"",""#)?;
    rest.strip_prefix(name)?.strip_prefix(br#"":""#)?.strip_suffix(br#""}"#)
}

/// Appends a frame whose payload is these parts.
pub fn frame(wire: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    wire.push(128 | opcode);
    match length {
        0..126 => wire.push(length as u8),
        126..65_536 => {
            wire.push(126);
            wire.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            wire.push(127);
            wire.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    parts.iter().for_each(|part| wire.extend_from_slice(part));
}
