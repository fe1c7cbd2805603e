//! Times of day as they are stored and shown, and a clock of them that never stands still or goes back.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Microseconds since 1970, in UTC. Shown as RFC 3339 with six digits and `Z`, so that the order of the texts is the
/// order of the times.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The end of the year 9999: what comes after has no RFC 3339 form.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// So many microseconds after 1970; what lies outside the years 1970 to 9999 is the nearest of them.
    pub const fn from_microseconds(microseconds: i64) -> Self {
        if microseconds < 0 {
            return Self(0);
        }
        if microseconds > Self::MAX.0 { Self::MAX } else { Self(microseconds) }
    }

    /// Microseconds since 1970.
    pub fn microseconds(self) -> i64 {
        self.0
    }

    /// Reads any RFC 3339 time. Digits beyond the sixth are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let microseconds = i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000)).ok()?;
        (0..=Self::MAX.0).contains(&microseconds).then_some(Self(microseconds))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::from_microseconds(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1_000_000)).map_err(|_| fmt::Error)?;
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let micros = self.0.rem_euclid(1_000_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Gives out times, each later than the one before, whatever the system's clock does: where that stands still or has
/// been set back, time goes on by a microsecond for each that is asked for.
#[derive(Debug, Default)]
pub struct Clock {
    last: Timestamp,
}

impl Clock {
    /// Starts behind `last`, which may have been given out by an earlier process.
    pub fn after(last: Timestamp) -> Self {
        Self { last }
    }

    /// The next time; `now` is what the system says.
    pub fn next(&mut self, now: Timestamp) -> Timestamp {
        self.last = now.max(Timestamp::from_microseconds(self.last.0 + 1));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let cases = [
            ("2024-01-01T12:00:00.000000Z", "2024-01-01T12:00:00.000000Z"),
            ("2024-01-01T12:00:00Z", "2024-01-01T12:00:00.000000Z"),
            ("2024-02-29T23:30:00.1234567-01:00", "2024-03-01T00:30:00.123456Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ];
        for (text, shown) in cases {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", "2024-01-01", "2024-01-01T12:00:00", "2023-02-29T00:00:00Z", "1969-12-31T23:59:59Z", "now"] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
        // In UTC these lie in years that the library has no dates for.
        for beyond in ["9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+23:59"] {
            assert_eq!(Timestamp::parse(beyond), None, "{beyond}");
        }
        assert_eq!(Timestamp::from_microseconds(i64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn a_clock_that_ties_or_steps_back_goes_on() {
        let at = Timestamp::from_microseconds;
        let mut clock = Clock::after(at(1_000));
        let given: Vec<i64> =
            [0, 2_000, 2_000, 2_000, 500, 3_000].iter().map(|&now| clock.next(at(now)).microseconds()).collect();
        assert_eq!(given, [1_001, 2_000, 2_001, 2_002, 2_003, 3_000]);
    }
}
