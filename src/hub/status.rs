//! Who is online by the store, where other programs see it.
//!
//! Each node notes everybody whom it sees come or go, on whatever node: so whoever notes anything last has seen what was
//! last. What is noted late, behind what another node has seen since, is held against what is and noted anew; and so is
//! what could not be noted, once the store works again.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Hub;
use super::committed::{Pending, Purpose};
use super::job::Job;
use crate::id::UserId;

/// After a failure.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Statuses {
    /// Of these it could not be noted.
    failed: BTreeSet<UserId>,
    /// When one of them is tried again; the others follow where that succeeds.
    retry_at: Option<Duration>,
}

impl Statuses {
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.retry_at
    }
}

impl Hub {
    fn is_present(&self, user: UserId) -> bool {
        self.presence.key_of(user).is_some()
    }

    /// Has the store note whether a user is online.
    pub(super) fn note_status(&mut self, user: UserId) {
        let is_online = self.is_present(user);
        let purpose = Purpose::NoteStatus { user, is_online };
        self.give(Job::SetStatus { user, is_online }, Pending { asker: None, by: None, purpose });
    }

    /// It is noted, or could not be.
    pub(super) fn status_noted(&mut self, user: UserId, is_online: bool, has_failed: bool) {
        if has_failed {
            self.statuses.failed.insert(user);
            self.statuses.retry_at.get_or_insert(self.now + PAUSE);
        } else if self.nodes.is_on() && self.is_present(user) != is_online {
            self.note_status(user);
        } else {
            self.note_failed_status();
        }
    }

    /// Tries again what failed, when it is time for that.
    pub(super) fn retry_statuses(&mut self) {
        if self.statuses.retry_at.take_if(|at| *at <= self.now).is_some() {
            self.note_failed_status();
        }
    }

    fn note_failed_status(&mut self) {
        if let Some(user) = self.statuses.failed.pop_first() {
            self.note_status(user);
        }
    }
}
