use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{SyncSender, sync_channel};

use super::*;
use crate::hub::job::Done;
use crate::id::{Mark, MessageId, Position, RoomId};
use crate::timestamp::Timestamp;

const PATIENCE: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(10);

/// A store that waits for a word before each batch, and remembers what it was asked.
struct Stalling {
    go: Receiver<Result<(), &'static str>>,
    seen: Arc<Mutex<Vec<usize>>>,
    is_up: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
}

impl Store for Stalling {
    fn carry_out(&mut self, jobs: &[Job]) -> Vec<Outcome> {
        self.seen.lock().unwrap().push(jobs.len());
        let word = self.go.recv().expect("the test is over");
        let outcome = word.map(|()| Done::Users(Vec::new())).map_err(|sentence| Fault::Unavailable(sentence.into()));
        vec![outcome; jobs.len()]
    }

    fn check(&mut self) -> Result<(), String> {
        self.looks.fetch_add(1, SeqCst);
        if self.is_up.load(SeqCst) { Ok(()) } else { Err("still down".into()) }
    }
}

struct Bench {
    handle: Handle,
    go: SyncSender<Result<(), &'static str>>,
    woken: Receiver<()>,
    seen: Arc<Mutex<Vec<usize>>>,
    is_up: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    start: Instant,
    last: u64,
}

impl Bench {
    fn new(queue: usize) -> Self {
        let (go, words) = sync_channel(1_000);
        let (bell, woken) = channel();
        let (seen, is_up, looks) = (Arc::default(), Arc::default(), Arc::default());
        let store =
            Stalling { go: words, seen: Arc::clone(&seen), is_up: Arc::clone(&is_up), looks: Arc::clone(&looks) };
        let settings = Settings { queue, patience: PATIENCE, is_alone: true };
        let handle = Handle::start(Box::new(store), settings, Box::new(move || bell.send(()).unwrap_or(()))).unwrap();
        Self { handle, go, woken, seen, is_up, looks, start: Instant::now(), last: 0 }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    /// Submits a job that writes; yields its ticket, if it was taken.
    fn submit(&mut self, seconds: u64) -> Option<u64> {
        self.last += 1;
        let job = Job::DeleteMessage { message: MessageId(1), by: None, at: Timestamp::default() };
        self.handle.submit(Ticket(self.last), job, self.at(seconds)).then_some(self.last)
    }

    /// Waits until the thread stands in front of batch number `count`.
    fn await_batch(&self, count: usize) {
        let until = Instant::now() + SOON;
        while self.seen.lock().unwrap().len() < count {
            assert!(Instant::now() < until, "batch {count} never began");
            thread::yield_now();
        }
    }

    fn finish_batch(&self) {
        self.go.send(Ok(())).unwrap();
        self.woken.recv_timeout(SOON).unwrap();
    }

    /// The tickets that come out, and whether each was done.
    fn drain(&mut self, max: usize, seconds: u64) -> Vec<(u64, bool)> {
        let mut outcomes = Vec::new();
        self.handle.drain(max, self.at(seconds), &mut outcomes);
        outcomes.into_iter().map(|(ticket, outcome)| (ticket.0, outcome.is_ok())).collect()
    }
}

#[test]
fn what_waits_becomes_one_batch() {
    let mut bench = Bench::new(100);
    bench.submit(0);
    bench.await_batch(1);
    for _ in 0..5 {
        bench.submit(0);
    }
    assert_eq!(bench.drain(100, 0), []);
    assert_eq!(bench.handle.stats().waiting, 5);
    bench.finish_batch();
    assert_eq!(bench.drain(100, 0), [(1, true)]);
    bench.await_batch(2);
    bench.finish_batch();
    assert_eq!(bench.drain(3, 0), [(2, true), (3, true), (4, true)]);
    assert!(bench.handle.has_outcomes());
    assert_eq!(bench.drain(3, 0), [(5, true), (6, true)]);
    assert!(!bench.handle.has_outcomes());
    assert_eq!(*bench.seen.lock().unwrap(), [1, 5]);
    assert!(bench.woken.try_recv().is_err(), "woken once for each batch");
    let stats = bench.handle.stats();
    assert_eq!((stats.waiting, stats.jobs, stats.is_up), (0, 6, true));
    assert_eq!(stats.commit_buckets.iter().map(|(_, count)| count).sum::<u64>(), 2);
}

#[test]
fn what_reads_widely_is_in_no_batch_that_writes() {
    let survey = || Job::Survey { rooms: true, users: Vec::new(), most: 1 };
    let catch_up = || Job::CatchUp { rooms: Vec::new(), users: Vec::new(), since: Position::default(), most: 1 };
    let read = || Job::ListUsers;
    let write = || Job::DeleteMessage { message: MessageId(1), by: None, at: Timestamp::default() };
    let mut bench = Bench::new(100);
    bench.submit(0);
    bench.await_batch(1);
    for job in [write(), read(), write(), survey(), read(), catch_up(), write(), read(), survey()] {
        bench.last += 1;
        assert!(bench.handle.submit(Ticket(bench.last), job, bench.start));
    }
    let mut waiting = Vec::new();
    for count in 1..=5 {
        bench.await_batch(count);
        waiting.push(bench.handle.stats().waiting);
        bench.finish_batch();
    }
    assert_eq!(*bench.seen.lock().unwrap(), [1, 3, 3, 2, 1]);
    assert_eq!(waiting, [9, 6, 3, 1, 0]);
    let expected: Vec<_> = (1..=10).map(|ticket| (ticket, true)).collect();
    assert_eq!(bench.drain(100, 0), expected);
}

#[test]
fn few_are_told_what_they_missed_in_a_batch_that_writes() {
    let read = || Job::ReadMissed { room: RoomId(1), since: Mark::default(), most: 1 };
    let write = || Job::DeleteMessage { message: MessageId(1), by: None, at: Timestamp::default() };
    let mut bench = Bench::new(1_000);
    bench.submit(0);
    bench.await_batch(1);
    let reads = || iter::repeat_with(read);
    let jobs = iter::once(write()).chain(reads().take(MOST_RETURNS + 2)).chain([write()]).chain(reads().take(100));
    for job in jobs {
        bench.last += 1;
        assert!(bench.handle.submit(Ticket(bench.last), job, bench.start));
    }
    for count in 1..=4 {
        bench.await_batch(count);
        bench.finish_batch();
    }
    assert_eq!(*bench.seen.lock().unwrap(), [1, 1 + MOST_RETURNS, 2 + 1 + MOST_RETURNS - 2, 100 + 2 - MOST_RETURNS]);
}

#[test]
fn a_batch_has_an_end() {
    let mut bench = Bench::new(10_000);
    bench.submit(0);
    bench.await_batch(1);
    for _ in 0..BATCH + 10 {
        bench.submit(0);
    }
    for count in 1..=3 {
        bench.await_batch(count);
        bench.finish_batch();
    }
    assert_eq!(*bench.seen.lock().unwrap(), [1, BATCH, 10]);
}

#[test]
fn what_has_waited_too_long_is_never_done_and_what_is_begun_is_waited_for() {
    let mut bench = Bench::new(100);
    bench.submit(0);
    bench.await_batch(1);
    bench.submit(1);
    bench.submit(2);
    bench.submit(3);
    assert_eq!(bench.handle.next_deadline(), Some(bench.at(5)));
    assert_eq!(bench.drain(100, 4), []);
    // The first is begun, so its deadline is none any more.
    assert_eq!(bench.drain(100, 5), []);
    assert_eq!(bench.handle.next_deadline(), Some(bench.at(6)));
    assert_eq!(bench.drain(100, 7), [(2, false), (3, false)]);
    assert_eq!(bench.handle.next_deadline(), Some(bench.at(8)));
    assert_eq!(bench.handle.stats().dropped, 2);
    bench.finish_batch();
    bench.await_batch(2);
    bench.finish_batch();
    assert_eq!(bench.drain(100, 100), [(1, true), (4, true)]);
    assert_eq!(*bench.seen.lock().unwrap(), [1, 1], "two were called off before they were begun");
    assert_eq!(bench.handle.next_deadline(), None);
}

#[test]
fn a_full_queue_refuses_at_once() {
    let mut bench = Bench::new(3);
    bench.submit(0);
    bench.await_batch(1);
    assert_eq!([bench.submit(0), bench.submit(0), bench.submit(0)], [Some(2), Some(3), None]);
    // What was called off still lies in the queue of a thread that hangs.
    assert_eq!(bench.drain(100, 50), [(2, false), (3, false)]);
    assert_eq!([bench.submit(50), bench.submit(50)], [Some(5), None]);
    bench.finish_batch();
    bench.await_batch(2);
    bench.finish_batch();
    assert_eq!(bench.drain(100, 50), [(1, true), (5, true)]);
    assert_eq!(bench.submit(50), Some(7));
    bench.go.send(Ok(())).unwrap();
}

#[test]
fn the_queue_is_finished_at_the_end() {
    let mut bench = Bench::new(100);
    for _ in 0..10 {
        bench.submit(0);
    }
    for _ in 0..10 {
        bench.go.send(Ok(())).unwrap();
    }
    let outcomes = bench.handle.finish(Instant::now() + SOON);
    let tickets: Vec<u64> = outcomes.iter().map(|(ticket, _)| ticket.0).collect();
    assert_eq!(tickets, Vec::from_iter(1..=10));
}

#[test]
fn the_end_is_not_waited_for_longer_than_agreed() {
    let mut bench = Bench::new(100);
    bench.submit(0);
    bench.await_batch(1);
    let before = Instant::now();
    assert_eq!(bench.handle.finish(before + Duration::from_millis(50)), []);
    assert!(before.elapsed() < SOON);
    bench.go.send(Ok(())).unwrap();
}

#[test]
fn a_store_that_is_down_is_looked_at_until_it_works() {
    let mut bench = Bench::new(100);
    bench.submit(0);
    bench.go.send(Err("the disk is full")).unwrap();
    bench.woken.recv_timeout(SOON).unwrap();
    assert_eq!(bench.drain(100, 0), [(1, false)]);
    assert_eq!(bench.handle.trouble().as_deref(), Some("the disk is full"));
    let until = Instant::now() + SOON;
    while bench.looks.load(SeqCst) < 2 {
        assert!(Instant::now() < until, "nobody looks");
        thread::sleep(Duration::from_millis(5));
    }
    bench.is_up.store(true, SeqCst);
    while bench.handle.trouble().is_some() {
        assert!(Instant::now() < until, "nobody looks");
        thread::sleep(Duration::from_millis(5));
    }
    let looks = bench.looks.load(SeqCst);
    thread::sleep(FIRST_LOOK * 2);
    assert_eq!(bench.looks.load(SeqCst), looks, "one that works is left alone");
}

#[test]
fn something_written_shows_that_it_works_again() {
    let mut bench = Bench::new(100);
    bench.submit(0);
    bench.go.send(Err("the disk is full")).unwrap();
    bench.woken.recv_timeout(SOON).unwrap();
    assert!(!bench.handle.stats().is_up);
    bench.last += 1;
    assert!(bench.handle.submit(Ticket(bench.last), Job::ListUsers, bench.start));
    bench.finish_batch();
    assert!(bench.handle.trouble().is_some(), "that reading works proves nothing");
    bench.submit(0);
    bench.finish_batch();
    assert_eq!(bench.handle.trouble(), None);
}

#[test]
fn when_the_thread_dies_everything_is_answered() {
    let mut bench = Bench::new(100);
    bench.submit(0);
    bench.await_batch(1);
    bench.submit(0);
    let (go, _) = sync_channel(1);
    // The store finds that the test is over.
    drop(std::mem::replace(&mut bench.go, go));
    bench.woken.recv_timeout(SOON).unwrap();
    assert_eq!(bench.drain(100, 0), [(1, false), (2, false)]);
    assert_eq!(bench.handle.trouble().as_deref(), Some(GONE));
    assert_eq!(bench.submit(0), None);
    assert_eq!(bench.drain(100, 100), []);
}

/// Many jobs with a short patience against a store of changing speed: each comes out once, and is done or not, as said.
#[test]
fn every_job_comes_out_once_and_as_it_was_done() {
    struct Recorder(Arc<Mutex<Vec<i64>>>, fastrand::Rng);
    impl Store for Recorder {
        fn carry_out(&mut self, jobs: &[Job]) -> Vec<Outcome> {
            thread::sleep(Duration::from_micros(self.1.u64(0..3_000)));
            let mut done = self.0.lock().unwrap();
            for job in jobs {
                let Job::DeleteMessage { message, .. } = job else { unreachable!() };
                done.push(message.0);
            }
            jobs.iter().map(|_| Ok(Done::Users(Vec::new()))).collect()
        }

        fn check(&mut self) -> Result<(), String> {
            Ok(())
        }
    }
    let done = Arc::<Mutex<Vec<i64>>>::default();
    let store = Box::new(Recorder(Arc::clone(&done), fastrand::Rng::with_seed(3)));
    let settings = Settings { queue: 50, patience: Duration::from_millis(2), is_alone: true };
    let mut handle = Handle::start(store, settings, Box::new(|| {})).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let (mut taken, mut outcomes) = (Vec::new(), Vec::new());
    for number in 1..=20_000 {
        let job = Job::DeleteMessage { message: MessageId(number), by: None, at: Timestamp::default() };
        if handle.submit(Ticket(number as u64), job, Instant::now()) {
            taken.push(number);
        }
        if random.u8(0..10) == 0 {
            handle.drain(random.usize(0..20), Instant::now(), &mut outcomes);
            thread::sleep(Duration::from_micros(random.u64(0..300)));
        }
    }
    outcomes.extend(handle.finish(Instant::now() + SOON));
    let mut out: Vec<i64> = outcomes.iter().map(|(ticket, _)| ticket.0 as i64).collect();
    out.sort_unstable();
    assert_eq!(out, taken, "each that was taken comes out once");
    let mut told: Vec<i64> =
        outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(ticket, _)| ticket.0 as i64).collect();
    told.sort_unstable();
    assert_eq!(told, *done.lock().unwrap(), "what was called off was not done");
    assert!(told.len() < taken.len() && taken.len() < 20_000, "nothing was late, or nothing refused");
}
