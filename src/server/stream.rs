//! Event streams: answers without an end, by which their clients are told what happens in a room.

use super::slot::Stage;
use super::{Due, Server};
use crate::dialect::Encoding;
use crate::id::SlotKey;
use crate::proto::sse;

impl Server {
    /// What happens follows on that connection from now on, behind what it is owed.
    pub(super) fn go_live(&mut self, key: SlotKey, encoding: Encoding) {
        let Some(slot) = self.slots.get(key) else { return };
        slot.stage = Stage::Stream;
        slot.encoding = Some(encoding);
        self.arm(key, Due::Comment);
        self.slots.resume(key);
    }

    pub(super) fn comment(&mut self, key: SlotKey) {
        self.owe(key, sse::COMMENT);
        self.arm(key, Due::Comment);
    }

    /// The room is gone: there is nothing more to tell.
    pub(super) fn end_stream(&mut self, key: SlotKey) {
        if self.slots.get(key).is_some_and(|slot| matches!(slot.stage, Stage::Stream)) {
            self.close(key);
        }
    }
}
