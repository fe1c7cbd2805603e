//! The store's thread, and the loop's end of the road to it.
//!
//! The loop never waits: [`Handle::submit`] takes a job or refuses it at once, [`Handle::drain`] yields what has come of
//! jobs so far. The thread takes all that waits as one batch, which the store writes in one transaction; while that is
//! written, the next batch gathers. So the slower the disk, the more a transaction carries. What reads widely is no part of
//! a batch that writes.
//!
//! A job that has waited too long is answered by the loop's end, and then must never be done: whoever was told
//! "unavailable" may send it again. What has been begun can't be called off, and is waited for. Which of the two it is,
//! [`Marks`] settles: jobs are numbered and done in order, and all may wait equally long, so one number tells the thread
//! how far they were called off, and one tells the loop how far they were begun.

use std::collections::VecDeque;
use std::io;
use std::iter;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Store;
use super::stats::{Counters, Stats};
use crate::hub::job::{Fault, Job, Outcome, Ticket};

/// The most jobs that are done in one transaction, so that those which come meanwhile don't wait for too many.
const BATCH: usize = 1024;

/// While the store is down and nobody asks anything of it, it is looked at so often: at first, and at the least.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LAST_LOOK: Duration = Duration::from_secs(2);

const TOO_LATE: &str = "the store took too long";
const GONE: &str = "the store has stopped";

/// How much the loop asks of the store.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many jobs may wait.
    pub queue: usize,
    /// How long a job may wait to be begun.
    pub patience: Duration,
    /// No other server is there that is one chat with this one.
    pub is_alone: bool,
}

/// How far things have come, by ticket. Held for a few instructions, once for each batch and each turn in which something
/// is late.
#[derive(Default)]
struct Marks {
    /// The thread has begun all up to this one that were not called off.
    begun: u64,
    /// The loop has called off all up to this one that were not begun.
    called_off: u64,
}

fn lock(marks: &Mutex<Marks>) -> MutexGuard<'_, Marks> {
    // Two numbers are whole whoever panicked.
    marks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loop's end.
pub struct Handle {
    /// To the thread; nothing once the queue is closed.
    jobs: Option<Sender<(Ticket, Job)>>,
    outcomes: Receiver<(Ticket, Outcome)>,
    /// What has no outcome yet, and until when it may wait to be begun; in order.
    open: VecDeque<(Ticket, Instant)>,
    /// All up to this one are known to be begun.
    begun: Ticket,
    /// The last call of [`Handle::drain`] ended early.
    has_more: bool,
    marks: Arc<Mutex<Marks>>,
    counters: Arc<Counters>,
    settings: Settings,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    /// Starts the thread. It calls `wake` when there is something to drain, once for each batch.
    pub fn start(store: Box<dyn Store>, settings: Settings, wake: Box<dyn Fn() + Send>) -> io::Result<Self> {
        let (job_sender, jobs) = channel();
        let (sender, outcomes) = channel();
        let (marks, counters) = (Arc::<Mutex<Marks>>::default(), Arc::<Counters>::default());
        let worker = Worker {
            store,
            jobs,
            marks: Arc::clone(&marks),
            counters: Arc::clone(&counters),
            next: None,
            look_at: None,
            look_after: FIRST_LOOK,
            bell: Bell { outcomes: Some(sender), wake },
        };
        let thread = thread::Builder::new().name("store".into()).spawn(move || worker.run(settings.is_alone))?;
        Ok(Self {
            jobs: Some(job_sender),
            outcomes,
            open: VecDeque::new(),
            begun: Ticket(0),
            has_more: false,
            marks,
            counters,
            settings,
            thread: Some(thread),
        })
    }

    /// Gives the store a job, whose ticket is greater than those before. False if the queue is full, or closed: then the
    /// job will not be done.
    pub fn submit(&mut self, ticket: Ticket, job: Job, now: Instant) -> bool {
        // What was called off is no longer open, but it waits in the queue for the thread to throw it away.
        let is_full = self.open.len().max(self.counters.waiting.load(Relaxed)) >= self.settings.queue;
        let Some(jobs) = self.jobs.as_ref().filter(|_| !is_full) else {
            self.counters.dropped.fetch_add(1, Relaxed);
            return false;
        };
        debug_assert!(self.open.back().is_none_or(|(last, _)| *last < ticket), "tickets are given in order");
        self.counters.waiting.fetch_add(1, Relaxed);
        if jobs.send((ticket, job)).is_err() {
            self.counters.waiting.fetch_sub(1, Relaxed);
            return false;
        }
        self.open.push_back((ticket, now + self.settings.patience));
        true
    }

    /// Appends what has come of jobs: of those that are done `max` at most, and all that have waited too long. Each job
    /// that was taken comes out once, the done ones in the order in which they were done.
    pub fn drain(&mut self, max: usize, now: Instant, outcomes: &mut Vec<(Ticket, Outcome)>) {
        let end = outcomes.len() + max;
        while outcomes.len() < end {
            match self.outcomes.try_recv() {
                Ok((ticket, outcome)) => {
                    self.close_up_to(ticket);
                    outcomes.push((ticket, outcome));
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.counters.note_health(Err(GONE));
                    outcomes.extend(self.open.drain(..).map(|(ticket, _)| (ticket, unavailable(GONE))));
                    break;
                }
            }
        }
        self.has_more = outcomes.len() >= end;
        self.call_off(now, outcomes);
    }

    /// Outcomes come in order, so nothing before this one is open any more.
    fn close_up_to(&mut self, ticket: Ticket) {
        while self.open.front().is_some_and(|(open, _)| *open <= ticket) {
            self.open.pop_front();
        }
        self.begun = self.begun.max(ticket);
    }

    /// Answers the jobs that have waited too long, unless they are begun.
    fn call_off(&mut self, now: Instant, outcomes: &mut Vec<(Ticket, Outcome)>) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let mut marks = lock(&self.marks);
        self.begun = Ticket(marks.begun);
        let first = self.open.partition_point(|(ticket, _)| *ticket <= self.begun);
        let end = self.open.partition_point(|(_, deadline)| *deadline <= now);
        if first < end {
            marks.called_off = self.open[end - 1].0.0;
            drop(marks);
            self.counters.dropped.fetch_add((end - first) as u64, Relaxed);
            outcomes.extend(self.open.drain(first..end).map(|(ticket, _)| (ticket, unavailable(TOO_LATE))));
        }
    }

    /// Whether there is more to drain, of which [`Handle::start`]'s `wake` will not tell again.
    pub fn has_outcomes(&self) -> bool {
        self.has_more
    }

    /// When the next job has waited too long, and the outcomes are to be drained at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.open.is_empty() {
            return None;
        }
        let first = self.open.partition_point(|(ticket, _)| *ticket <= self.begun);
        self.open.get(first).map(|(_, deadline)| *deadline)
    }

    /// What is wrong with the store, if something is: the sentence of its last failure.
    pub fn trouble(&self) -> Option<String> {
        self.counters.trouble()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.counters.snapshot()
    }

    /// Takes no more jobs, lets the thread finish its queue, and waits for it until then. Yields the outcomes that have
    /// not been drained. A handle that is merely dropped does the same without waiting.
    pub fn finish(mut self, until: Instant) -> Vec<(Ticket, Outcome)> {
        self.jobs = None;
        let mut outcomes = Vec::new();
        loop {
            match self.outcomes.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(outcome) => outcomes.push(outcome),
                Err(RecvTimeoutError::Timeout) => return outcomes,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // The thread has closed the store and is about to end; if it panicked, the log has it.
        let _ = self.thread.take().map(JoinHandle::join);
        outcomes
    }
}

fn unavailable(sentence: &str) -> Outcome {
    Err(Fault::Unavailable(sentence.into()))
}

/// The thread's end. The fields are dropped in their order: the bell rings when the store is closed.
struct Worker {
    store: Box<dyn Store>,
    jobs: Receiver<(Ticket, Job)>,
    marks: Arc<Mutex<Marks>>,
    counters: Arc<Counters>,
    /// What was taken, and waits for the next batch to begin with it.
    next: Option<(Ticket, Job)>,
    /// When to look at the store next, while it is down.
    look_at: Option<Instant>,
    /// How long after the last look.
    look_after: Duration,
    bell: Bell,
}

impl Worker {
    fn run(mut self, is_alone: bool) {
        // Here and not where the store is opened: others than servers do that too.
        if let Err(sentence) = self.store.begin(is_alone) {
            log::warn!("the store keeps what was to go at the start: {sentence}");
        }
        loop {
            let first = match (self.next.take(), self.look_at) {
                (Some(next), _) => Ok(next),
                (None, None) => self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (None, Some(at)) => self.jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match first {
                Ok(first) => self.carry_out_with(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.look_at.is_some_and(|at| at <= Instant::now()) {
                self.look();
            }
        }
    }

    /// Carries out that job and what waits behind it, as one batch.
    fn carry_out_with(&mut self, first: (Ticket, Job)) {
        let (tickets, jobs) = self.begin(first);
        if jobs.is_empty() {
            return;
        }
        let started = Instant::now();
        let outcomes = self.store.carry_out(&jobs);
        if jobs.iter().any(Job::writes) {
            self.counters.note_commit(started.elapsed());
        }
        self.counters.jobs.fetch_add(jobs.len() as u64, Relaxed);
        self.judge(&jobs, &outcomes);
        debug_assert_eq!(outcomes.len(), jobs.len(), "one outcome for each job");
        let outcomes = outcomes.into_iter().chain(iter::repeat_with(|| unavailable(GONE)));
        for (ticket, outcome) in tickets.into_iter().zip(outcomes) {
            self.bell.send(ticket, outcome);
        }
        (self.bell.wake)();
    }

    /// Takes what waits and may share a transaction, throws away what has been called off, and marks the rest as begun.
    fn begin(&mut self, first: (Ticket, Job)) -> (Vec<Ticket>, Vec<Job>) {
        let mut company = Company::default();
        company.admits(&first.1);
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = self.jobs.try_recv()
        {
            if !company.admits(&next.1) {
                self.next = Some(next);
                break;
            }
            batch.push(next);
        }
        self.counters.waiting.fetch_sub(batch.len(), Relaxed);
        let mut marks = lock(&self.marks);
        let called_off = marks.called_off;
        marks.begun = batch.last().map_or(marks.begun, |(ticket, _)| ticket.0);
        drop(marks);
        batch.into_iter().filter(|(ticket, _)| ticket.0 > called_off).unzip()
    }

    /// What a batch tells of the store: something written, that it works; else a failure, that it is down. That reading
    /// works proves nothing: of a full disk it does.
    fn judge(&mut self, jobs: &[Job], outcomes: &[Outcome]) {
        let has_written = jobs.iter().zip(outcomes).any(|(job, outcome)| job.writes() && outcome.is_ok());
        let failure = outcomes.iter().find_map(|outcome| match outcome {
            Err(Fault::Unavailable(sentence)) => Some(sentence),
            _ => None,
        });
        match failure {
            _ if has_written => self.note_recovery(),
            Some(sentence) => {
                self.counters.note_health(Err(sentence));
                self.look_at.get_or_insert_with(|| Instant::now() + self.look_after);
            }
            None => {}
        }
    }

    /// A look at a store that is down: does it work again, though nobody asks anything of it?
    fn look(&mut self) {
        match self.store.check() {
            Ok(()) => self.note_recovery(),
            Err(sentence) => {
                self.counters.note_health(Err(&sentence));
                self.look_after = (self.look_after * 2).min(LAST_LOOK);
                self.look_at = Some(Instant::now() + self.look_after);
            }
        }
    }

    fn note_recovery(&mut self) {
        self.look_at = None;
        self.look_after = FIRST_LOOK;
        self.counters.note_health(Ok(()));
    }
}

/// Beside what writes so many may be told what they have missed: some milliseconds each.
const MOST_RETURNS: usize = 32;

/// Of which kinds the jobs of a batch are. What reads widely, or for many, shares no transaction with what writes: that
/// holds locks for which others wait, and would be taken back if the reading fails.
#[derive(Default)]
struct Company {
    writes: bool,
    reads_widely: bool,
    returns: usize,
}

impl Company {
    fn admits(&mut self, job: &Job) -> bool {
        self.writes |= job.writes();
        self.reads_widely |= job.reads_widely();
        self.returns += usize::from(job.reads_missed());
        !(self.writes && (self.reads_widely || self.returns > MOST_RETURNS))
    }
}

/// Sends outcomes and wakes the loop; for the last time when the thread ends, even by a panic.
struct Bell {
    outcomes: Option<Sender<(Ticket, Outcome)>>,
    wake: Box<dyn Fn() + Send>,
}

impl Bell {
    fn send(&self, ticket: Ticket, outcome: Outcome) {
        if let Some(outcomes) = &self.outcomes {
            // When the loop is gone, nobody wants to know.
            let _ = outcomes.send((ticket, outcome));
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // First, so that the loop finds out why it was woken.
        self.outcomes = None;
        (self.wake)();
    }
}

#[cfg(test)]
mod tests;
