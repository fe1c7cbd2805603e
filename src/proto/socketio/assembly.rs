//! A packet whose attachments are still to come.

use std::borrow::Cow;

use super::{Fault, Packet};

/// Collects the attachments of one packet. No other message may come before the last of them.
pub struct Assembly {
    text: Box<str>,
    awaited: usize,
    attachments: Vec<Vec<u8>>,
    /// How many bytes may still come.
    room: usize,
}

/// A packet with all its attachments.
#[derive(PartialEq, Eq, Debug)]
pub struct Whole {
    text: Box<str>,
    /// What the placeholders stand for, by their numbers.
    pub attachments: Vec<Vec<u8>>,
}

impl Assembly {
    /// Begins with the packet, as text and as read from it; it must have attachments. They may be `max_bytes` together.
    pub fn new(text: &str, packet: &Packet<'_>, max_bytes: usize) -> Self {
        Self { text: text.into(), awaited: packet.attachments, attachments: Vec::new(), room: max_bytes }
    }

    /// Takes the next attachment, and yields the whole once it was the last.
    pub fn add(&mut self, bytes: Cow<'_, [u8]>) -> Result<Option<Whole>, Fault> {
        self.awaited = self.awaited.checked_sub(1).ok_or(Fault::Unawaited)?;
        self.room = self.room.checked_sub(bytes.len()).ok_or(Fault::TooBig)?;
        self.attachments.push(bytes.into_owned());
        if self.awaited > 0 {
            return Ok(None);
        }
        let (text, attachments) = (std::mem::take(&mut self.text), std::mem::take(&mut self.attachments));
        Ok(Some(Whole { text, attachments }))
    }
}

impl Whole {
    /// The packet. It was read before, so this finds no fault.
    pub fn packet(&self) -> Result<Packet<'_>, Fault> {
        Packet::parse(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

    fn assembly(max_bytes: usize) -> Assembly {
        Assembly::new(TEXT, &Packet::parse(TEXT).unwrap(), max_bytes)
    }

    #[test]
    fn the_last_attachment_makes_it_whole() {
        let mut assembly = assembly(4);
        assert_eq!(assembly.add(Cow::Borrowed(&[1, 2])), Ok(None));
        let whole = assembly.add(Cow::Borrowed(&[3, 4])).unwrap().unwrap();
        assert_eq!(whole.attachments, [[1, 2], [3, 4]]);
        assert_eq!(whole.packet(), Packet::parse(TEXT));
        assert_eq!(assembly.add(Cow::Borrowed(&[])), Err(Fault::Unawaited));
    }

    #[test]
    fn the_sum_is_limited() {
        let mut assembly = assembly(4);
        assert_eq!(assembly.add(Cow::Borrowed(&[1, 2])), Ok(None));
        assert_eq!(assembly.add(Cow::Borrowed(&[3, 4, 5])), Err(Fault::TooBig));
        assert_eq!(self::assembly(1).add(Cow::Owned(vec![1, 2])), Err(Fault::TooBig));
        assert_eq!(self::assembly(0).add(Cow::Borrowed(&[])), Ok(None));
    }
}
