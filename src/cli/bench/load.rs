//! The load itself: threads, each with one poll over its share of the members, that send as much as the windows allow
//! and count what arrives. `mod` makes a [`Load`] of connected members and has it [`Load::run`] twice, to warm up and
//! to be measured; in between, and after, nothing is on its way.
//!
//! Rooms of two and echoes lie whole on one thread, which needs nobody else. A single room may be spread over several:
//! then its senders are all on the first, which learns from the others how far their members are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Poll, Waker};

use super::crowd::Client;
use super::options::{Mode, Options};
use super::process;
use super::progress::Progress;
use super::worker::{WAKER, Worker};

/// What a run amounted to.
pub(super) struct Tally {
    /// Sent, and received by all of their rooms' members.
    pub(super) messages: u64,
    /// Frames received.
    pub(super) deliveries: u64,
    /// From sending to each delivery, in nanoseconds.
    pub(super) latency: Histogram<u64>,
    /// From the first message to the last delivery.
    pub(super) span: Duration,
    /// How much of its time the busiest of the generator's threads was on a processor.
    pub(super) busy: f64,
}

/// What the threads share.
pub(super) struct Shared {
    /// Stamps count from here.
    pub(super) epoch: Instant,
    /// Whether all are members of one room.
    pub(super) one_room: bool,
    /// End, because the room is done or something has failed.
    pub(super) stop: AtomicBool,
    /// One for each thread.
    pub(super) seats: Vec<Seat>,
}

/// What others see of a thread.
pub(super) struct Seat {
    /// How many messages of the one room all members of this thread have.
    pub(super) complete: AtomicU64,
    /// How many frames it has counted.
    pub(super) deliveries: AtomicU64,
    pub(super) waker: Waker,
}

impl Shared {
    /// How many messages of the one room all of its members have.
    pub(super) fn complete(&self) -> u64 {
        self.seats.iter().map(|seat| seat.complete.load(Ordering::Acquire)).min().unwrap_or(0)
    }

    /// Ends the run for all.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        for seat in &self.seats {
            // One that can't be woken looks by itself before long.
            let _ = seat.waker.wake();
        }
    }

    fn deliveries(&self) -> u64 {
        self.seats.iter().map(|seat| seat.deliveries.load(Ordering::Relaxed)).sum()
    }
}

/// Connected members, spread over threads that don't run yet.
pub(super) struct Load {
    workers: Vec<Worker>,
    shared: Arc<Shared>,
}

impl Load {
    /// Spreads the clients in their order: rooms are runs of equal length.
    pub(super) fn new(clients: Vec<Client>, options: &Options) -> Result<Self, String> {
        let shares = shares(options);
        let polls: Vec<Poll> = shares.iter().map(|_| Poll::new()).collect::<Result<_, _>>().map_err(no_poll)?;
        let seats = polls.iter().map(|poll| {
            let waker = Waker::new(poll.registry(), WAKER)?;
            Ok(Seat { complete: AtomicU64::new(0), deliveries: AtomicU64::new(0), waker })
        });
        let seats = seats.collect::<Result<_, _>>().map_err(no_poll)?;
        let one_room = options.mode == Mode::Room;
        let shared = Arc::new(Shared { epoch: Instant::now(), one_room, stop: AtomicBool::new(false), seats });
        let mut clients = clients.into_iter();
        let workers = polls.into_iter().zip(shares).enumerate().map(|(number, (poll, share))| {
            Worker::new(number, poll, clients.by_ref().take(share), options, Arc::clone(&shared))
        });
        Ok(Self { workers: workers.collect::<Result<_, _>>().map_err(no_poll)?, shared })
    }

    /// Sends for that long, and comes back when all has arrived. `what` it is for is shown with the progress.
    pub(super) fn run(&mut self, what: &str, duration: Duration, progress: &mut Progress) -> Result<Tally, String> {
        self.shared.stop.store(false, Ordering::Release);
        for seat in &self.shared.seats {
            seat.deliveries.store(0, Ordering::Relaxed);
        }
        let (start, shared) = (Instant::now(), &self.shared);
        let mut rate = Rate { time: start, deliveries: 0 };
        let mut tallies = Vec::new();
        thread::scope(|scope| {
            let (done, ended) = mpsc::channel();
            for worker in &mut self.workers {
                let done = done.clone();
                scope.spawn(move || {
                    // It is received: nobody leaves the loop below before all senders are gone.
                    let _ = done.send(timed(worker, duration));
                });
            }
            drop(done);
            loop {
                match ended.recv_timeout(progress.wait()) {
                    Ok(tally) => tallies.push(tally),
                    Err(RecvTimeoutError::Timeout) => {
                        progress.tell(|| rate.line(what, start, duration, shared.deliveries()))
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        });
        merge(tallies)
    }
}

/// Runs a thread's part and measures the thread.
fn timed(worker: &mut Worker, duration: Duration) -> Result<Tally, String> {
    let (start, used) = (Instant::now(), process::own_thread());
    let tally = worker.run(duration);
    if tally.is_err() {
        worker.stop_all();
    }
    let mut tally = tally?;
    tally.span = start.elapsed();
    tally.busy = (process::own_thread() - used).as_secs_f64() / tally.span.as_secs_f64();
    Ok(tally)
}

fn merge(tallies: Vec<Result<Tally, String>>) -> Result<Tally, String> {
    tallies
        .into_iter()
        .reduce(|sum, next| {
            let (mut sum, next) = (sum?, next?);
            sum.messages += next.messages;
            sum.deliveries += next.deliveries;
            sum.latency.add(next.latency).map_err(|error| error.to_string())?;
            sum.span = sum.span.max(next.span);
            sum.busy = sum.busy.max(next.busy);
            Ok(sum)
        })
        .unwrap_or_else(|| Err("there are no members".into()))
}

/// How many clients each thread has. A room's senders are on the first thread, whatever that makes of its share.
fn shares(options: &Options) -> Vec<usize> {
    let (unit, first) = if options.mode == Mode::Room { (1, options.senders) } else { (options.members_in_room(), 0) };
    let mut left = options.members;
    let mut shares = Vec::new();
    while left > 0 {
        let threads = options.threads.saturating_sub(shares.len()).max(1);
        let even = (left / unit).div_ceil(threads) * unit;
        let share = if shares.is_empty() { even.max(first) } else { even };
        shares.push(share);
        left -= share;
    }
    shares
}

/// For the line of progress.
struct Rate {
    time: Instant,
    deliveries: u64,
}

impl Rate {
    /// How it goes, since the last time.
    fn line(&mut self, what: &str, start: Instant, duration: Duration, deliveries: u64) -> String {
        let now = Instant::now();
        let rate = (deliveries - self.deliveries) as f64 / (now - self.time).as_secs_f64();
        *self = Self { time: now, deliveries };
        let (past, all) = ((now - start).min(duration).as_secs_f64(), duration.as_secs_f64());
        format!("{what}: {past:.0} s of {all:.0} s, {rate:.0} deliveries a second")
    }
}

fn no_poll(error: std::io::Error) -> String {
    format!("cannot wait for sockets: {error}")
}
