//! A line on standard error once a second, while a benchmark takes its time.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::options::Options;

const PERIOD: Duration = Duration::from_secs(1);

/// A run shorter than this, with nobody at a terminal, needs no such line.
const LONG: Duration = Duration::from_secs(5);

/// What is shown, and when next.
pub(super) struct Progress {
    shown: bool,
    /// There a line takes the place of the one before.
    terminal: bool,
    next: Instant,
}

impl Progress {
    pub(super) fn new(options: &Options) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let long = options.warmup + options.duration > LONG;
        Self { shown: terminal || long && !options.json, terminal, next: Instant::now() + PERIOD }
    }

    /// Shows a line if it is time for one.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PERIOD;
        if self.shown {
            let (before, after) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
            // Whoever closed standard error does not want it.
            let _ = write!(std::io::stderr(), "{before}{}{after}", line());
        }
    }

    /// How long until the next line.
    pub(super) fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }
}

/// Leaves the terminal as if nothing had been there.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown && self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
