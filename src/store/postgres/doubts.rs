//! Transactions of which we don't know whether they were committed: the answer to COMMIT has not come. Whoever asked was
//! told that nothing is stored, and asks again, perhaps; what was stored all the same has still to be told to others.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// In place of a transaction: none is being committed.
const NONE: i64 = 0;

#[derive(Default)]
pub(super) struct Doubts {
    /// The one that is being committed. There is never more than one.
    committing: AtomicI64,
    unknown: Mutex<BTreeSet<i64>>,
}

impl Doubts {
    /// That transaction is about to be committed.
    pub(super) fn begin(&self, transaction: i64) {
        self.committing.store(transaction, Relaxed);
    }

    /// It is known to be committed; or else it is not known.
    pub(super) fn end(&self, is_known: bool) {
        let transaction = self.committing.swap(NONE, Relaxed);
        if !is_known && transaction != NONE {
            self.unknown().insert(transaction);
        }
    }

    /// Those of which nothing is known.
    pub(super) fn all(&self) -> Vec<i64> {
        self.unknown().iter().copied().collect()
    }

    /// Whatever became of these was seen. One that has come into doubt meanwhile was not looked for.
    pub(super) fn forget(&self, transactions: &[i64]) {
        self.unknown().retain(|transaction| !transactions.contains(transaction));
    }

    fn unknown(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        // A set of numbers is whole whoever panicked.
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_known_is_kept() {
        let doubts = Doubts::default();
        doubts.begin(5);
        doubts.end(true);
        doubts.end(false);
        doubts.begin(7);
        doubts.end(false);
        assert_eq!(doubts.all(), [7]);
        let seen = doubts.all();
        doubts.begin(6);
        doubts.end(false);
        doubts.forget(&seen);
        assert_eq!(doubts.all(), [6]);
    }
}
