//! The echo dialect: each text and each binary message comes back as it was. For probes and conformance suites.

use super::{Decoded, Dialect, Limits};
use crate::hub::{Event, Reply, Tag};
use crate::proto::websocket::{self, Message};

pub(super) struct Echo;

impl Dialect for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn path(&self) -> &'static str {
        "/echo"
    }

    fn takes_part(&self) -> bool {
        false
    }

    fn decode(&self, message: Message<'_>, _: &Limits) -> Decoded {
        let bytes = message.bytes();
        let mut wire = Vec::with_capacity(bytes.len() + websocket::MAX_HEADER_BYTES);
        let echo = |payload: &mut Vec<u8>| payload.extend_from_slice(bytes);
        match message {
            Message::Text(_) => websocket::text(&mut wire, echo),
            Message::Binary(_) => websocket::binary(&mut wire, echo),
        }
        Decoded::Answer(wire)
    }

    // The hub has nothing to say to a connection that takes no part.
    fn reply(&self, _: &Reply, _: Option<&Tag>, _: &mut Vec<u8>) {}

    fn event(&self, _: &Event, _: &mut Vec<u8>) {}
}
