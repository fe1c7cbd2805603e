//! How much a connection may send: so many messages a second, with a burst on top.

use std::time::{Duration, Instant};

const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The rate that all connections are held to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    interval: Duration,
    burst: Duration,
}

impl Rate {
    /// `per_second` messages, and up to `burst` at once after a pause. A rate of 0 is none at all.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, burst: interval.saturating_mul(burst.max(1)) })
    }

    /// After how long a spent account is worth another look: not so late that it would be full before.
    pub fn pause(&self) -> Duration {
        self.burst.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }
}

/// One connection's account. Kept as the time at which it will be full again, which needs no refilling (the generic
/// cell rate algorithm).
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    full_at: Instant,
}

impl Allowance {
    /// A full account.
    pub fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes one message off the account.
    pub fn spend(&mut self, rate: Rate, now: Instant) {
        self.full_at = self.full_at.max(now) + rate.interval;
    }

    /// Whether there is nothing left for another message.
    pub fn is_exhausted(&self, rate: Rate, now: Instant) -> bool {
        self.full_at + rate.interval > now + rate.burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::now();
        let rate = Rate::new(10, 3).unwrap();
        let mut allowance = Allowance::full(start);
        let spent = |allowance: &mut Allowance, ms| {
            let now = start + Duration::from_millis(ms);
            let mut spent = 0;
            while !allowance.is_exhausted(rate, now) {
                allowance.spend(rate, now);
                spent += 1;
            }
            spent
        };
        assert_eq!(spent(&mut allowance, 0), 3);
        assert_eq!(spent(&mut allowance, 99), 0);
        assert_eq!(spent(&mut allowance, 100), 1);
        assert_eq!(spent(&mut allowance, 350), 2);
        assert_eq!(spent(&mut allowance, 10_000), 3);
        assert_eq!(Rate::new(0, 3), None);
    }
}
