//! The endpoints of the database API, and how long another server takes to answer them: counted for whoever asks, and
//! said in the log. Neither keys nor what people write ever gets here.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;

use crate::store::CallStats;

/// A call that takes longer is worth a warning.
const SLOW: Duration = Duration::from_secs(1);

/// Warnings of one kind are at least so far apart.
const EVERY: Duration = Duration::from_secs(10);

/// One of the things that the database API can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Endpoint {
    /// `POST /user`
    CreateUser,
    /// `GET /user`
    ReadUsers,
    /// `PATCH /user`
    RenameUser,
    /// `DELETE /user`
    DeleteUser,
    /// `POST /rooms`
    CreateRoom,
    /// `GET /rooms`
    ReadRooms,
    /// `PATCH /rooms`
    RenameRoom,
    /// `DELETE /rooms`
    DeleteRoom,
    /// `POST /messages`
    CreateMessage,
    /// `GET /messages`
    ReadMessages,
    /// `DELETE /messages`
    DeleteMessage,
    /// `POST /readconfirmation`
    Confirm,
    /// `GET /readconfirmation`
    ReadConfirmations,
}

impl Endpoint {
    /// Every endpoint, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::CreateUser,
        Self::ReadUsers,
        Self::RenameUser,
        Self::DeleteUser,
        Self::CreateRoom,
        Self::ReadRooms,
        Self::RenameRoom,
        Self::DeleteRoom,
        Self::CreateMessage,
        Self::ReadMessages,
        Self::DeleteMessage,
        Self::Confirm,
        Self::ReadConfirmations,
    ];

    /// The method.
    pub fn method(self) -> Method {
        match self {
            Self::CreateUser | Self::CreateRoom | Self::CreateMessage | Self::Confirm => Method::POST,
            Self::ReadUsers | Self::ReadRooms | Self::ReadMessages | Self::ReadConfirmations => Method::GET,
            Self::RenameUser | Self::RenameRoom => Method::PATCH,
            Self::DeleteUser | Self::DeleteRoom | Self::DeleteMessage => Method::DELETE,
        }
    }

    /// The path.
    pub fn path(self) -> &'static str {
        match self {
            Self::CreateUser | Self::ReadUsers | Self::RenameUser | Self::DeleteUser => "/user",
            Self::CreateRoom | Self::ReadRooms | Self::RenameRoom | Self::DeleteRoom => "/rooms",
            Self::CreateMessage | Self::ReadMessages | Self::DeleteMessage => "/messages",
            Self::Confirm | Self::ReadConfirmations => "/readconfirmation",
        }
    }

    /// Whether it changes nothing, and so may be asked twice.
    pub fn is_safe(self) -> bool {
        self.method() == Method::GET
    }
}

/// `GET /rooms`
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.path())
    }
}

/// Counters of all calls to one server. Any thread may add and read.
#[derive(Default)]
pub struct Calls {
    counters: [Counter; Endpoint::ALL.len()],
    slow: Warning,
    failed: Warning,
}

/// How the calls of one endpoint went so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// How many there were.
    pub count: u64,
    /// How many were not answered, or with an error that is the server's own.
    pub failures: u64,
    /// How long all of them took together.
    pub total: Duration,
    /// How many took no longer than each of [`Calls::BOUNDS`], and no less than the one before; the last: how many took
    /// longer than all of them.
    pub buckets: [u64; Calls::BOUNDS.len() + 1],
}

#[derive(Default)]
struct Counter {
    failures: AtomicU64,
    microseconds: AtomicU64,
    buckets: [AtomicU64; Calls::BOUNDS.len() + 1],
}

impl Calls {
    /// The upper bounds of the histogram's buckets.
    pub const BOUNDS: [Duration; 10] = [
        Duration::from_millis(1),
        Duration::from_millis(3),
        Duration::from_millis(10),
        Duration::from_millis(30),
        Duration::from_millis(100),
        Duration::from_millis(300),
        Duration::from_secs(1),
        Duration::from_secs(2),
        Duration::from_secs(3),
        Duration::from_secs(4),
    ];

    /// What there is to tell of an endpoint. Calls that end meanwhile may be in it by half.
    pub fn figures(&self, endpoint: Endpoint) -> Figures {
        let counter = &self.counters[endpoint as usize];
        let buckets: [u64; Self::BOUNDS.len() + 1] = std::array::from_fn(|place| counter.buckets[place].load(Relaxed));
        Figures {
            count: buckets.iter().sum(),
            failures: counter.failures.load(Relaxed),
            total: Duration::from_micros(counter.microseconds.load(Relaxed)),
            buckets,
        }
    }

    fn call_stats(&self, endpoint: Endpoint) -> CallStats {
        let figures = self.figures(endpoint);
        let bounds = Self::BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::MAX]);
        CallStats {
            endpoint: endpoint.to_string(),
            failures: figures.failures,
            seconds: figures.total.as_secs_f64(),
            buckets: bounds.zip(figures.buckets).collect(),
        }
    }

    /// A call has ended: with a status, or with why there is none.
    pub(super) fn note(&self, endpoint: Endpoint, end: Result<u16, &str>, took: Duration) {
        let counter = &self.counters[endpoint as usize];
        let bucket = Self::BOUNDS.partition_point(|&bound| bound < took);
        counter.buckets[bucket].fetch_add(1, Relaxed);
        counter.microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        let ms = took.as_millis();
        let how = match end {
            Ok(status) => format!("{endpoint} {status} in {ms} ms"),
            Err(why) => format!("{endpoint} failed in {ms} ms: {why}"),
        };
        log::debug!("the upstream store: {how}");
        if end.map_or(true, is_failure) {
            counter.failures.fetch_add(1, Relaxed);
            self.failed.say(|more| log::warn!("the upstream store fails: {how}{more}"));
        } else if took > SLOW {
            self.slow.say(|more| log::warn!("the upstream store is slow: {how}{more}"));
        }
    }
}

impl crate::store::Calls for Calls {
    fn stats(&self) -> Vec<CallStats> {
        Endpoint::ALL.into_iter().map(|endpoint| self.call_stats(endpoint)).collect()
    }
}

/// Whether the status tells of trouble, and not of what was asked.
fn is_failure(status: u16) -> bool {
    status < 200 || (300..400).contains(&status) || status >= 500 || [401, 403, 429].contains(&status)
}

/// A line that is not written too often.
#[derive(Default)]
struct Warning {
    untold: AtomicU64,
    told_at: Mutex<Option<Instant>>,
}

impl Warning {
    fn say(&self, line: impl FnOnce(&str)) {
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.is_some_and(|told_at| told_at.elapsed() < EVERY) {
            self.untold.fetch_add(1, Relaxed);
            return;
        }
        *told_at = Some(Instant::now());
        match self.untold.swap(0, Relaxed) {
            0 => line(""),
            untold => line(&format!("; and {untold} more since the last line")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_endpoint_and_duration() {
        let calls = Calls::default();
        let ms = Duration::from_millis;
        calls.note(Endpoint::ReadRooms, Ok(200), ms(1));
        calls.note(Endpoint::ReadRooms, Ok(404), ms(2));
        calls.note(Endpoint::ReadRooms, Ok(503), ms(200));
        calls.note(Endpoint::ReadRooms, Err("no answer in time"), ms(4_001));
        let figures = calls.figures(Endpoint::ReadRooms);
        assert_eq!((figures.count, figures.failures, figures.total), (4, 2, ms(4_204)));
        assert_eq!(figures.buckets, [1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
        assert_eq!(calls.figures(Endpoint::CreateRoom), Figures::default());
    }

    #[test]
    fn endpoints_are_in_the_order_of_their_numbers() {
        for (place, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint as usize, place);
        }
        assert_eq!(Endpoint::Confirm.to_string(), "POST /readconfirmation");
        assert!(Endpoint::ReadUsers.is_safe() && !Endpoint::DeleteMessage.is_safe());
    }
}
