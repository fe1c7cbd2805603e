//! Event streams, as browsers' `EventSource` reads them (WHATWG HTML, section 9.2 "Server-sent events"): lines of a field and
//! its value, an empty line behind each event.

use std::fmt::Display;
use std::io::Write as _;

/// The media type.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// Says nothing, so that whoever is in between does not take a quiet stream for a dead one.
pub const COMMENT: &[u8] = b":\n\n";

/// Appends how long a client is to wait before it comes back.
pub fn retry(wire: &mut Vec<u8>, milliseconds: u32) {
    put(wire, format_args!("retry: {milliseconds}\n"));
}

/// Appends an event. `id` is what a client that comes back says it has heard last; `write` appends its data, in which there
/// must be no line break.
pub fn event(wire: &mut Vec<u8>, id: Option<impl Display>, write: impl FnOnce(&mut Vec<u8>)) {
    if let Some(id) = id {
        put(wire, format_args!("id: {id}\n"));
    }
    wire.extend_from_slice(b"data: ");
    let start = wire.len();
    write(wire);
    debug_assert!(!wire[start..].contains(&b'\n'), "one line of data");
    wire.extend_from_slice(b"\n\n");
}

fn put(wire: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory can't fail.
    let _ = wire.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines_with_an_empty_one_behind() {
        let mut wire = Vec::new();
        retry(&mut wire, 3000);
        event(&mut wire, None::<u8>, |wire| wire.extend_from_slice(b"{}"));
        event(&mut wire, Some("7.1"), |wire| wire.extend_from_slice("\"é\"".as_bytes()));
        wire.extend_from_slice(COMMENT);
        assert_eq!(String::from_utf8(wire).unwrap(), "retry: 3000\ndata: {}\n\nid: 7.1\ndata: \"é\"\n\n:\n\n");
    }
}
