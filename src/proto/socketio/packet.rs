//! Packets in: `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`.

use serde_json::value::RawValue;

use super::{Arguments, scan};

/// How many binary attachments a packet may have, as in the reference.
pub const MAX_ATTACHMENTS: usize = 10;
/// How long the id of an event may be: all of 64 bits, and more than clients can count to.
pub const MAX_ID_DIGITS: usize = 20;

/// What a packet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Asks for a namespace, or grants it.
    Connect,
    /// Leaves a namespace, or expels from it.
    Disconnect,
    /// Says something.
    Event,
    /// Answers an event.
    Ack,
    /// Refuses a namespace; only a server sends it.
    ConnectError,
    /// An event with attachments.
    BinaryEvent,
    /// An answer with attachments.
    BinaryAck,
}

impl Kind {
    fn of(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Connect,
            b'1' => Self::Disconnect,
            b'2' => Self::Event,
            b'3' => Self::Ack,
            b'4' => Self::ConnectError,
            b'5' => Self::BinaryEvent,
            b'6' => Self::BinaryAck,
            _ => return None,
        })
    }

    pub(super) fn digit(self) -> u8 {
        b'0' + self as u8
    }

    fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }
}

/// A packet whose shape has been checked. Its attachments follow it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// What it is for.
    pub kind: Kind,
    /// How many binary messages belong to it; even a binary kind may have none.
    pub attachments: usize,
    /// The namespace, without a query; `/` if none is named.
    pub namespace: &'a str,
    /// The id by which an event is answered, as it was written; an answer has one always.
    pub id: Option<&'a str>,
    /// JSON of the kind's shape, or nothing.
    pub data: &'a str,
}

/// Why something is no packet. The connection can't go on after any of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A type that doesn't exist, or none.
    UnknownType,
    /// No number of attachments where there must be one, or one over [`MAX_ATTACHMENTS`].
    Attachments,
    /// A namespace with control characters.
    Namespace,
    /// An id over [`MAX_ID_DIGITS`], one where none belongs, or an answer without.
    Id,
    /// The payload is not JSON, or not of the shape that its kind has.
    Payload,
    /// The payload is nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
    /// A placeholder for an attachment that doesn't exist.
    Placeholder,
    /// The attachments are too large together.
    TooBig,
    /// An attachment that no packet waits for.
    Unawaited,
}

impl<'a> Packet<'a> {
    /// Reads the text of an Engine.IO message.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        let kind = text.bytes().next().and_then(Kind::of).ok_or(Fault::UnknownType)?;
        let rest = &text[1..];
        let (attachments, rest) = if kind.is_binary() { take_attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = take_namespace(rest)?;
        let (id, data) = take_id(rest)?;
        let packet = Self { kind, attachments, namespace, id, data };
        packet.check_id()?;
        packet.check_data()?;
        Ok(packet)
    }

    fn check_id(&self) -> Result<(), Fault> {
        let fits = match self.kind {
            Kind::Event | Kind::BinaryEvent => true,
            Kind::Ack | Kind::BinaryAck => self.id.is_some(),
            Kind::Connect | Kind::Disconnect | Kind::ConnectError => self.id.is_none(),
        };
        if fits { Ok(()) } else { Err(Fault::Id) }
    }

    fn check_data(&self) -> Result<(), Fault> {
        let fits = match self.kind {
            Kind::Connect => self.data.is_empty() || begins_with(self.data, b"{"),
            Kind::Disconnect => self.data.is_empty(),
            Kind::ConnectError => begins_with(self.data, b"{\""),
            Kind::Event | Kind::BinaryEvent => Arguments::split(self.data)?.event().is_some(),
            Kind::Ack | Kind::BinaryAck => begins_with(self.data, b"["),
        };
        if !fits {
            return Err(Fault::Payload);
        }
        scan::check(self.data, self.kind.is_binary().then_some(self.attachments))
    }
}

/// Whether this is JSON, and its first character, which tells its type, one of these.
fn begins_with(json: &str, characters: &[u8]) -> bool {
    let value: Option<&RawValue> = serde_json::from_str(json).ok();
    value.and_then(|value| value.get().bytes().next()).is_some_and(|first| characters.contains(&first))
}

fn take_attachments(text: &str) -> Result<(usize, &str), Fault> {
    let (digits, rest) = split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(Fault::Attachments)?;
    let attachments = digits.parse().ok().filter(|&number| number <= MAX_ATTACHMENTS).ok_or(Fault::Attachments)?;
    Ok((attachments, rest))
}

/// A namespace goes up to a comma, or up to the end if nothing else follows.
fn take_namespace(text: &str) -> Result<(&str, &str), Fault> {
    if !text.starts_with('/') {
        return Ok(("/", text));
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    if namespace.contains(char::is_control) {
        return Err(Fault::Namespace);
    }
    // Some clients put the query of their address here, and know the namespace without it.
    let path = namespace.split_once('?').map_or(namespace, |(path, _)| path);
    Ok((path, rest))
}

fn take_id(text: &str) -> Result<(Option<&str>, &str), Fault> {
    match split_digits(text) {
        ("", rest) => Ok((None, rest)),
        (digits, _) if digits.len() > MAX_ID_DIGITS => Err(Fault::Id),
        (digits, rest) => Ok((Some(digits), rest)),
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

#[cfg(test)]
mod tests;
