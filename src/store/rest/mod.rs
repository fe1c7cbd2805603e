//! Another server as the store: the database API over HTTP. `SHELLO_API_URL`, or a URL with `http://` or `https://`,
//! chooses it.
//!
//! [`open`] has a first look and yields a [`Rest`], on which the store's thread calls. `plan` finds which jobs of a batch
//! may be done at the same time, an `Errand` (in `errand`, `people`, `rooms` and `messages`) does one job in one or a few
//! calls of the [`client`], `answer` reads what comes back, [`calls`] counts, and `memory` spares asking twice.
//!
//! What the API can't do is refused with a sentence that says so, and nothing is made up: it knows no transactions, so
//! each job stands for itself; no repeated messages by a client's own mark; no guests; no private rooms, for it doesn't
//! tell who takes part in one. A write that is not answered may have been done all the same: the refusal says that too.

mod answer;
pub mod calls;
pub mod client;
mod errand;
mod memory;
mod messages;
mod people;
mod plan;
mod rooms;
#[cfg(test)]
mod tests;

pub use answer::{
    Message, Reader, Room, User, complaint, list, message, message_id, one, reader, room, room_id, user, user_id,
};

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use self::client::{Client, Place};
use self::errand::Errand;
use self::memory::Memory;
use super::{Calls, OpenError, Opened, Store};
use crate::hub::job::{Fault, Job, Outcome, RoomRecord};
use crate::id::{RoomId, Uuid};
use crate::timestamp::Timestamp;

/// The longest that a batch of jobs may take: whoever waits for one is answered within five seconds.
const LONGEST: Duration = Duration::from_secs(4);

/// While the other server fails, this is how long the next jobs wait to see whether it is back.
const PROBE: Duration = Duration::from_millis(800);

/// How many calls are made at the same time.
const LANES: usize = 4;

/// Has a look at the server of that URL. `api_key` may be empty; `timeout` bounds all calls of a batch together, and is
/// never more than four seconds.
pub fn open(url: &str, api_key: &str, timeout: Duration) -> Result<Opened, OpenError> {
    let (rest, rooms) = Rest::connect(url, api_key, timeout)?;
    let description = format!("the server at {}", rest.upstream.client.place());
    if !rooms.iter().any(|room| room.id == RoomId::LOBBY) {
        log::warn!("{description} has no room {}: there is no lobby", RoomId::LOBBY);
    }
    // The times of messages are the other server's; its newest would have to be looked for in all rooms.
    Ok(Opened { store: Box::new(rest), rooms, last: Timestamp::default(), mark: None, position: None, description })
}

/// A store that is another server.
pub struct Rest {
    upstream: Upstream,
    timeout: Duration,
}

/// What all lanes share.
struct Upstream {
    client: Client,
    /// Of its users' and rooms' UUIDs.
    namespace: Uuid,
    memory: Mutex<Memory>,
    /// It could not be reached, or was too slow.
    is_down: AtomicBool,
}

impl Rest {
    /// As [`open`], with the store itself and the open rooms.
    pub fn connect(url: &str, api_key: &str, timeout: Duration) -> Result<(Self, Vec<RoomRecord>), OpenError> {
        let place =
            Place::parse(url).map_err(|wrong| OpenError::lasting(format!("the upstream store's URL {wrong}")))?;
        let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, place.base().as_bytes());
        let client =
            Client::new(place, api_key).map_err(|wrong| OpenError::lasting(format!("the upstream store: {wrong}")))?;
        let upstream = Upstream { client, namespace, memory: Mutex::default(), is_down: AtomicBool::new(false) };
        let rest = Self { upstream, timeout: timeout.min(LONGEST) };
        let rooms = rest.upstream.errand(Instant::now() + rest.timeout).first_look()?;
        Ok((rest, rooms))
    }
}

impl Store for Rest {
    fn carry_out(&mut self, jobs: &[Job]) -> Vec<Outcome> {
        self.upstream.errand(Instant::now()).memory().forget_unread();
        if self.upstream.is_down.swap(false, Relaxed)
            && let Err(fault) = self.upstream.errand(Instant::now() + PROBE.min(self.timeout)).rooms()
        {
            self.upstream.is_down.store(true, Relaxed);
            return vec![Err(fault); jobs.len()];
        }
        self.upstream.carry_out(jobs, Instant::now() + self.timeout)
    }

    fn check(&mut self) -> Result<(), String> {
        self.upstream.errand(Instant::now()).memory().forget_unread();
        match self.upstream.errand(Instant::now() + self.timeout).rooms() {
            Ok(_) => Ok(()),
            Err(Fault::Unavailable(sentence)) => Err(sentence),
            Err(_) => Err("the upstream store has no list of rooms".into()),
        }
    }

    fn calls(&self) -> Option<Arc<dyn Calls>> {
        Some(self.upstream.client.calls())
    }
}

impl Upstream {
    fn errand(&self, deadline: Instant) -> Errand<'_> {
        Errand { upstream: self, deadline }
    }

    /// Does the jobs in a few lanes; what belongs together stays in one, in its order.
    fn carry_out(&self, jobs: &[Job], deadline: Instant) -> Vec<Outcome> {
        let chains = plan::chains(jobs);
        let next = AtomicUsize::new(0);
        let lane = || {
            let mut done = Vec::new();
            while let Some(chain) = chains.get(next.fetch_add(1, Relaxed)) {
                done.extend(chain.iter().map(|&place| (place, self.errand(deadline).carry_out(&jobs[place]))));
            }
            done
        };
        let lost = || Err(Fault::Unavailable("the upstream store was not asked".into()));
        let mut outcomes: Vec<Outcome> = jobs.iter().map(|_| lost()).collect();
        thread::scope(|scope| {
            // Where the system has no thread left, the lanes that there are do the work.
            let others: Vec<_> = (1..LANES.min(chains.len()))
                .map_while(|_| thread::Builder::new().name("upstream".into()).spawn_scoped(scope, lane).ok())
                .collect();
            let own = lane();
            let done = others.into_iter().filter_map(|other| other.join().ok()).flatten().chain(own);
            done.for_each(|(place, outcome)| outcomes[place] = outcome);
        });
        outcomes
    }
}
