//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How long anything may take that should happen at once.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something that is bound to happen.
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_within(PATIENCE, what, condition);
}

/// The same for something that may take its time.
#[track_caller]
pub fn wait_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
