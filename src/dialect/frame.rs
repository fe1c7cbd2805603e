//! What dialects of JSON over WebSocket write with.

use serde::{Serialize, Serializer};

use crate::proto::websocket;
use crate::timestamp::Timestamp;

/// Appends a finished text frame with this value as JSON. For values of strings, numbers and lists alone.
pub(super) fn write(wire: &mut Vec<u8>, value: &impl Serialize) {
    websocket::text(wire, |payload| {
        #[expect(clippy::expect_used, reason = "strings, lists and numbers into a vector: nothing in it can fail")]
        serde_json::to_writer(payload, value).expect("a frame of plain values");
    });
}

/// A time as it is shown.
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
