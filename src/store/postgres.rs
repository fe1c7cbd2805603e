//! PostgreSQL: a server that may be elsewhere, and that other programs and other nodes use at the same time.
//!
//! The server may stop answering at any moment without a word, so the connection lives on a thread of its own, a
//! [`Session`], of which no answer is waited for longer than a batch may take. PostgreSQL's texts hold no NUL: a job
//! with one is refused.

mod doubts;
mod driver;
mod listener;
mod opening;
mod order;
mod schema;
mod seen;
mod session;
mod target;
mod tls;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::sql::{self, Access, Held, Trouble, attend};
use super::{Poke, Store};
use crate::hub::job::{Job, Outcome};
use crate::timestamp::Timestamp;
use driver::Connection;
pub(super) use opening::open;
use seen::Seen;
use session::Session;
use target::Target;

/// How long a batch may take, with all that is tried.
const PATIENCE: Duration = Duration::from_secs(3);

/// The server ends a statement that takes longer, or that has to wait so long for a lock of another program.
const STATEMENT: Duration = Duration::from_millis(2_500);
const LOCK: Duration = Duration::from_millis(1_500);

/// After a failed connection jobs are refused at once for so long, so that not each of them waits for the next failure.
const PAUSE: Duration = Duration::from_millis(500);

/// A server that hangs keeps a thread that waits for it until it goes on or goes away. There are never more of them.
const MOST_HANGING: usize = 8;

struct Postgres {
    target: Arc<Target>,
    /// Nothing after it did not answer.
    session: Option<Session>,
    /// As many as there are threads, and one.
    threads: Arc<()>,
    /// Until when nothing is tried, and why.
    pause: Option<(Instant, Trouble)>,
}

impl Store for Postgres {
    fn carry_out(&mut self, jobs: &[Job]) -> Vec<Outcome> {
        let deadline = Instant::now() + PATIENCE;
        sql::carry_out(jobs, |jobs, manner| {
            // They go to the other thread, which may be given up while it has them.
            let jobs: Vec<Job> = jobs.iter().map(|job| (*job).clone()).collect();
            self.attempt(deadline, move |db| {
                let jobs: Vec<&Job> = jobs.iter().collect();
                sql::transaction(db, &jobs, manner)
            })
        })
    }

    fn begin(&mut self, is_alone: bool) -> Result<(), String> {
        let now = Timestamp::from(SystemTime::now());
        let begin = move |db: &mut Connection| attend::begin(db, is_alone, now);
        self.attempt(Instant::now() + PATIENCE, move |db| sql::enclosed(db, Access::Write, begin))
            .map_err(|trouble| trouble.sentence.into())
    }

    /// Writes, since that stops working first: on a full disk, on a server that has become a replica.
    fn check(&mut self) -> Result<(), String> {
        self.pause = None;
        self.attempt(Instant::now() + PATIENCE, |db| sql::enclosed(db, Access::Write, schema::touch))
            .map_err(|trouble| trouble.sentence.into())
    }

    fn watch(&mut self, poke: Poke) {
        // Whoever is here from now on is told of all that comes, even if there is no connection to listen on yet.
        if let Ok(seen) = self.attempt(Instant::now() + PATIENCE, Seen::so_far) {
            self.target.note_seen(seen);
        }
        if let Err(error) = listener::start(&self.target, Arc::downgrade(&self.threads), poke) {
            log::error!("nobody is told of what other programs write: no thread can be started: {error}");
        }
    }
}

impl Postgres {
    /// Does something with the database, until then.
    fn attempt<T: Send + 'static>(
        &mut self,
        deadline: Instant,
        act: impl FnOnce(&mut Connection) -> Held<T> + Send + 'static,
    ) -> Held<T> {
        if let Some((until, trouble)) = self.pause
            && Instant::now() < until
        {
            return Err(trouble);
        }
        let result = match self.session() {
            Ok(session) => session.run(deadline, |db| (act(db), db.take_looked())),
            Err(trouble) => Some((Err(trouble), None)),
        };
        let (result, seen) = result.unwrap_or_else(|| {
            self.session = None;
            (Err(trouble::SILENT), None)
        });
        if let (Ok(_), Some(seen)) = (&result, seen) {
            self.target.note_seen(seen);
        }
        self.target.doubts.end(result.is_ok());
        let is_away = |trouble: &Trouble| matches!(*trouble, trouble::SILENT | trouble::UNREACHABLE);
        self.pause =
            result.as_ref().err().filter(|trouble| is_away(trouble)).map(|&trouble| (Instant::now() + PAUSE, trouble));
        result
    }

    fn session(&mut self) -> Held<&Session> {
        if self.session.is_none() && Arc::strong_count(&self.threads) <= MOST_HANGING {
            self.session = Session::start(Connection::to(&self.target), &self.threads).ok();
        }
        self.session.as_ref().ok_or(trouble::SILENT)
    }
}
