//! Who is online by the store, where other programs see it.
//!
//! Each node notes everybody whom it sees come or go, on whatever node: so whoever notes anything last has seen what was
//! last. What is noted late, behind what another node has seen since, is held against what is and noted anew; and so is
//! what could not be noted, once the store works again.
//!
//! A node that dies may have noted somebody of whom the others had not heard yet, or nobody may have heard of the node itself.
//! So when one is gone without a word, all who are online by the store are held against those who are there.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Hub;
use super::committed::{Pending, Purpose};
use super::job::{Done, Job, Outcome};
use crate::id::UserId;

/// After a failure.
const PAUSE: Duration = Duration::from_secs(5);

/// Several nodes may go at once, and those who were there come to others.
const SETTLING: Duration = Duration::from_secs(1);

/// How many are looked at together.
const PART: usize = 256;

#[derive(Default)]
pub(super) struct Statuses {
    /// Of these it could not be noted.
    failed: BTreeSet<UserId>,
    /// When one of them is tried again; the others follow where that succeeds.
    retry_at: Option<Duration>,
    /// When it is to be looked who is online by the store and nowhere else.
    review_at: Option<Duration>,
    is_reviewing: bool,
}

impl Statuses {
    pub(super) fn next_due(&self) -> Option<Duration> {
        [self.retry_at, self.review_at.filter(|_| !self.is_reviewing)].into_iter().flatten().min()
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

    /// Somebody may be online by the store alone.
    pub(super) fn doubt_statuses(&mut self) {
        // Only what several nodes write is left by one for another.
        if self.nodes.told().is_some() {
            self.statuses.review_at = Some(self.now + SETTLING);
        }
    }

    /// The others are about to say who is there.
    pub(super) fn put_off_review(&mut self) {
        if let Some(at) = &mut self.statuses.review_at {
            *at = (*at).max(self.now + PAUSE);
        }
    }

    /// Begins to look, when it is time for that and it is known who is where.
    pub(super) fn review_statuses_if_due(&mut self) {
        if self.statuses.is_reviewing || self.statuses.review_at.is_none_or(|at| at > self.now) {
            return;
        }
        if self.nodes.know_everybody() {
            self.statuses.review_at = None;
            self.nodes.note_clearing();
            self.review_statuses(UserId(0));
        } else {
            self.statuses.review_at = Some(self.now + SETTLING);
        }
    }

    fn review_statuses(&mut self, after: UserId) {
        self.statuses.is_reviewing = true;
        let purpose = Purpose::ReviewStatuses;
        self.give(Job::ListOnline { after, most: PART }, Pending { asker: None, by: None, purpose });
    }

    /// The store has told a part of those who are online by it, or can't.
    pub(super) fn has_reviewed(&mut self, outcome: Outcome) {
        self.statuses.is_reviewing = false;
        let Some(users) = self.read_online(outcome) else {
            self.statuses.review_at = Some(self.now + PAUSE);
            return;
        };
        let last = users.last().copied().filter(|_| users.len() >= PART);
        for user in users {
            // Whoever comes just now is noted anew.
            if !self.is_present(user) {
                self.note_status(user);
            }
        }
        if let Some(last) = last.filter(|_| self.statuses.review_at.is_none()) {
            self.review_statuses(last);
        }
    }

    /// Nothing, too, if meanwhile a node was heard of: who is there is not known.
    fn read_online(&self, outcome: Outcome) -> Option<Vec<UserId>> {
        if let Ok(Done::Online(users)) = outcome { Some(users).filter(|_| self.nodes.know_everybody()) } else { None }
    }
}
