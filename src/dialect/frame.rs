//! What dialects of JSON write with.

use serde::{Serialize, Serializer};

use crate::hub::Who;
use crate::id::Uuid;
use crate::proto::websocket;
use crate::timestamp::Timestamp;

/// Appends a finished text frame with this value as JSON. For values of strings, numbers and lists alone.
pub(super) fn write(wire: &mut Vec<u8>, value: &impl Serialize) {
    websocket::text(wire, |payload| put_json(payload, value));
}

/// Appends this value as JSON. For values of strings, numbers and lists alone.
pub(super) fn put_json(wire: &mut Vec<u8>, value: &impl Serialize) {
    #[expect(clippy::expect_used, reason = "strings, lists and numbers into a vector: nothing in it can fail")]
    serde_json::to_writer(wire, value).expect("plain values");
}

/// This value as JSON. For values of strings, numbers and lists alone.
pub(super) fn json(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "strings, lists and numbers into a string: nothing in it can fail")]
    serde_json::to_string(value).expect("plain values")
}

/// A user or a room as it is shown where UUIDs are.
pub(super) struct ShownId(pub(super) Uuid);

impl ShownId {
    /// Whoever does something: a guest has a UUID too.
    pub(super) fn of(who: &Who) -> Self {
        Self(who.uuid())
    }
}

impl Serialize for ShownId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

/// A time as it is shown.
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
