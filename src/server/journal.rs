//! What the operator reads: one line for each kind of trouble, and not one for each troublemaker.

use std::time::{Duration, Instant};

use crate::error::CloseReason;

/// Lines about the same kind of trouble are at least so far apart.
const EVERY: Duration = Duration::from_secs(10);

/// What stops the server from accepting.
#[derive(Clone, Copy)]
pub(super) enum Shortage {
    /// As many connections as are allowed.
    Connections,
    /// No descriptors, or no memory.
    Descriptors,
}

/// Counts why connections ended, and logs the noteworthy reasons sparingly.
#[derive(Default)]
pub(super) struct Journal {
    reasons: [Entry; CloseReason::ALL.len()],
    shortages: [Option<Instant>; 2],
}

#[derive(Clone, Copy, Default)]
struct Entry {
    count: u64,
    told: u64,
    told_at: Option<Instant>,
}

impl Journal {
    /// A connection ended. `client` is asked for only when a line is written.
    pub(super) fn note(&mut self, reason: CloseReason, now: Instant, client: impl FnOnce() -> Option<String>) {
        let entry = &mut self.reasons[reason as usize];
        entry.count += 1;
        if !reason.is_noteworthy() || entry.told_at.is_some_and(|told_at| now < told_at + EVERY) {
            return;
        }
        let untold = entry.count - entry.told - 1;
        let more = if untold > 0 { format!(", and {untold} more since the last line") } else { String::new() };
        let client = client().unwrap_or_else(|| "a peer that is gone, or polls".into());
        log::warn!("closed {client}: {reason}{more}");
        entry.told = entry.count;
        entry.told_at = Some(now);
    }

    /// Accepting stops.
    pub(super) fn stop_accepting(&mut self, shortage: Shortage, now: Instant, sentence: impl FnOnce() -> String) {
        let told_at = &mut self.shortages[shortage as usize];
        if told_at.is_none_or(|told_at| now >= told_at + EVERY) {
            log::warn!("{}", sentence());
            *told_at = Some(now);
        }
    }

    /// How many connections have ended for each reason.
    pub(super) fn counts(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        CloseReason::ALL.into_iter().map(|reason| (reason, self.reasons[reason as usize].count))
    }

    /// All that there is to say at the end.
    pub(super) fn summary(&self) -> String {
        let all = self.reasons.iter().map(|entry| entry.count).sum::<u64>();
        let noteworthy = self.counts().filter(|(reason, count)| reason.is_noteworthy() && *count > 0);
        let counts: Vec<String> = noteworthy.map(|(reason, count)| format!("{count} × {reason}")).collect();
        if counts.is_empty() {
            format!("{all} connections ended")
        } else {
            format!("{all} connections ended: {}", counts.join(", "))
        }
    }
}
