//! What the store's thread counts, for whoever asks how the store is doing. The loop and the thread both write here, and
//! neither waits for the other.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Up to how many seconds a transaction takes that is counted in each bucket; the last one takes what is longer.
const BUCKET_SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// Lines about the store's health are at least so far apart.
const LINES_APART: Duration = Duration::from_secs(10);

/// The numbers at one time.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Whether the store works, as far as is known.
    pub is_up: bool,
    /// Jobs that the thread has not begun.
    pub waiting: usize,
    /// Jobs that have been carried out, refused ones among them.
    pub jobs: u64,
    /// Jobs that have waited too long, and those that found the queue full.
    pub dropped: u64,
    /// Transactions that were to write, by the time that they took: each bucket's upper end in seconds, and how many are
    /// in it and in no lower one.
    pub commit_buckets: Vec<(f64, u64)>,
    /// The time that they took together.
    pub commit_seconds: f64,
}

/// What the numbers are counted in.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) waiting: AtomicUsize,
    pub(super) jobs: AtomicU64,
    pub(super) dropped: AtomicU64,
    commits: [AtomicU64; BUCKET_SECONDS.len() + 1],
    commit_micros: AtomicU64,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    /// What is wrong with the store, if something is.
    trouble: Option<String>,
    /// What was wrong with it by the last line of the log.
    told: Option<String>,
    told_at: Option<Instant>,
}

impl Counters {
    pub(super) fn note_commit(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKET_SECONDS.partition_point(|&end| end < seconds);
        self.commits[bucket].fetch_add(1, Relaxed);
        self.commit_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.health().trouble.clone()
    }

    /// Notes how the store is. What is new is logged, but not so often that a store which wavers floods the log.
    pub(super) fn note_health(&self, health: Result<(), &str>) {
        let mut state = self.health();
        if state.trouble.as_deref() != health.err() {
            state.trouble = health.err().map(str::to_owned);
        }
        if state.trouble == state.told || state.told_at.is_some_and(|at| at.elapsed() < LINES_APART) {
            return;
        }
        match health {
            Ok(()) => log::info!("the store works again"),
            Err(sentence) => log::error!("the store is down: {sentence}"),
        }
        state.told = state.trouble.clone();
        state.told_at = Some(Instant::now());
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn snapshot(&self) -> Stats {
        let ends = BUCKET_SECONDS.into_iter().chain([f64::INFINITY]);
        Stats {
            is_up: self.trouble().is_none(),
            waiting: self.waiting.load(Relaxed),
            jobs: self.jobs.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            commit_buckets: ends.zip(self.commits.iter().map(|count| count.load(Relaxed))).collect(),
            commit_seconds: self.commit_micros.load(Relaxed) as f64 / 1e6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_counted_by_the_time_that_they_took() {
        let counters = Counters::default();
        for millis in [0, 1, 3, 10_000] {
            counters.note_commit(Duration::from_millis(millis));
        }
        let stats = counters.snapshot();
        let counted: Vec<(f64, u64)> = stats.commit_buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(0.000_5, 1), (0.001, 1), (0.005, 1), (f64::INFINITY, 1)]);
        assert!((stats.commit_seconds - 10.004).abs() < 1e-9);
    }

    #[test]
    fn the_last_trouble_is_told_until_it_is_over() {
        let counters = Counters::default();
        assert_eq!((counters.trouble(), counters.snapshot().is_up), (None, true));
        counters.note_health(Err("the disk is full"));
        counters.note_health(Err("the disk failed"));
        assert_eq!(counters.trouble().as_deref(), Some("the disk failed"));
        assert!(!counters.snapshot().is_up);
        counters.note_health(Ok(()));
        assert_eq!(counters.trouble(), None);
    }
}
