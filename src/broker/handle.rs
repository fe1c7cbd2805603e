//! The loop's end, and what the two threads share.

use std::collections::HashSet;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::publisher::Teller;
use super::queue::Queue;
use super::stats::Counters;
use super::subscriber::Hearer;
use super::{Announcement, Arrival, Broker, Opened, Parcel, Settings, Stats, channel, envelope};
use crate::hub::nodes::{Address, Dispatch, Errand};
use crate::id::NodeId;

/// How many times within a lease a node says that it lives.
const RENEWALS: u32 = 5;

/// Between attempts to connect: at first, and at the most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is to be told is held back no longer than this until the node listens. It takes the subscriber far less, unless it
/// is behind with what others tell.
const HELD_BACK: Duration = Duration::from_millis(200);

/// What the loop and the threads share. Each lock is held for a few instructions.
pub(super) struct Shared {
    pub(super) broker: Box<dyn Broker>,
    pub(super) node: NodeId,
    pub(super) queue: Queue,
    pub(super) inbox: Inbox,
    pub(super) counters: Counters,
    wanted: Mutex<Wanted>,
    is_answered: Condvar,
    /// Rings are dated from here.
    start: Instant,
}

impl Shared {
    pub(super) fn wanted(&self) -> MutexGuard<'_, Wanted> {
        // Each change is whole before anything can panic.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a ring says that is sent now: microseconds, and so no envelope.
    pub(super) fn ring(&self) -> Vec<u8> {
        self.start.elapsed().as_micros().to_string().into_bytes()
    }

    /// When it was sent.
    pub(super) fn read_ring(&self, bytes: &[u8]) -> Option<Instant> {
        let micros = str::from_utf8(bytes).ok()?.parse().ok()?;
        self.start.checked_add(Duration::from_micros(micros))
    }

    /// All is listened to that was wanted before a ring of that time, or none of it, if there is no connection.
    pub(super) fn answer(&self, ring: Option<Instant>) {
        self.wanted().answered = ring;
        self.is_answered.notify_all();
    }

    /// Waits for that.
    pub(super) fn await_answer(&self, ring: &[u8]) {
        let sent = self.read_ring(ring);
        let is_due = |wanted: &mut Wanted| wanted.answered.is_some() && wanted.answered < sent;
        // Whether it was in time or not, what comes next is to be told.
        drop(self.is_answered.wait_timeout_while(self.wanted(), HELD_BACK, is_due));
    }
}

/// The channels that are to be listened to. They outlive the connection.
#[derive(Default)]
pub(super) struct Wanted {
    channels: HashSet<String>,
    /// What is not asked for yet.
    changes: Vec<(String, bool)>,
    /// There is a connection, which was asked for all and wants to know of changes.
    is_asked: bool,
    /// The last ring that was answered; none, as long as there is no connection that hears them.
    answered: Option<Instant>,
}

impl Wanted {
    /// Notes a change; true if the subscriber is to be woken for it.
    fn change(&mut self, channel: String, is_on: bool) -> bool {
        let is_new = if is_on { self.channels.insert(channel.clone()) } else { self.channels.remove(&channel) };
        let wakes = is_new && self.is_asked && self.changes.is_empty();
        if is_new && self.is_asked {
            self.changes.push((channel, is_on));
        }
        wakes
    }

    /// For a new connection.
    pub(super) fn all(&mut self) -> Vec<(String, bool)> {
        self.changes.clear();
        self.is_asked = true;
        self.channels.iter().map(|channel| (channel.clone(), true)).collect()
    }

    /// What has changed since the last call.
    pub(super) fn changes(&mut self) -> Vec<(String, bool)> {
        std::mem::take(&mut self.changes)
    }

    /// The connection is gone.
    pub(super) fn lose(&mut self) {
        self.changes = Vec::new();
        self.is_asked = false;
    }
}

/// How long to wait before the next attempt: longer each time, until one has held for a while.
#[derive(Default)]
pub(super) struct Pause(Option<Duration>);

impl Pause {
    /// After an attempt that began then.
    pub(super) fn next(&mut self, began: Instant) -> Duration {
        let has_held = began.elapsed() > 2 * LONGEST_PAUSE;
        let pause = match self.0.filter(|_| !has_held) {
            Some(pause) => (pause * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        self.0 = Some(pause);
        pause
    }
}

/// The loop's end of the road to the broker. Nothing here ever waits but [`Handle::finish`].
pub struct Handle {
    shared: Arc<Shared>,
    /// The number of the last envelope.
    last: u64,
    has_more: bool,
    /// Ends with the publisher's thread.
    ended: Receiver<()>,
}

impl Handle {
    /// Starts the threads. They call `wake` when there is something to drain. Listened to from the beginning is what goes to
    /// all, and to this node.
    pub fn start(opened: Opened, settings: Settings, wake: Box<dyn Fn() + Send + Sync>) -> io::Result<Self> {
        let Opened { broker, node, block, others, .. } = opened;
        let shared = Arc::new(Shared {
            broker,
            node,
            queue: Queue::new(settings),
            inbox: Inbox::new(settings.inbox_bytes, wake),
            counters: Counters::default(),
            wanted: Mutex::default(),
            is_answered: Condvar::new(),
            start: Instant::now(),
        });
        let (running, ended) = channel();
        let handle = Self { shared: Arc::clone(&shared), last: 0, has_more: false, ended };
        handle.listen(&Address::All, true);
        let bell = handle.listen(&Address::Node(node), true);
        let renewal = settings.lease / RENEWALS;
        let teller = Teller::new(Arc::clone(&shared), bell, block, renewal);
        // It looks who is silent with each renewal, and so up to that much later.
        let hearer = Hearer::new(Arc::clone(&shared), settings.lease - renewal, &others);
        spawn("broker-out", Guard { shared: Arc::clone(&shared), _running: Some(running) }, || {
            teller.run();
        })?;
        spawn("broker-in", Guard { shared, _running: None }, || hearer.run())?;
        Ok(handle)
    }

    /// Does what the hub wants, or sees to it that it is done. What is to be told while the broker is away is dropped; to
    /// listen, and another block, is seen to when it is back.
    pub fn carry_out(&mut self, errand: Errand) {
        match errand {
            Errand::Send(dispatch) => self.send(&dispatch),
            Errand::Listen(address, is_on) => drop(self.listen(&address, is_on)),
            Errand::Reserve => self.shared.queue.want_block(),
        }
    }

    fn send(&mut self, dispatch: &Dispatch) {
        if dispatch.to.is_empty() || !self.shared.queue.takes_envelopes() {
            return;
        }
        self.last += 1;
        let payload = envelope::pack(self.shared.node, self.last, &dispatch.notice);
        let prefix = self.shared.broker.prefix();
        let channels = dispatch.to.iter().map(|address| channel::name(prefix, address)).collect();
        self.shared.queue.put_envelope(Parcel { channels, payload, once: None });
    }

    fn listen(&self, address: &Address, is_on: bool) -> String {
        let channel = channel::name(self.shared.broker.prefix(), address);
        if self.shared.wanted().change(channel.clone(), is_on) {
            self.shared.queue.ring();
        }
        channel
    }

    /// Tells programs that are no nodes. What is announced while the broker is away is told when it is back.
    pub fn announce(&mut self, announcement: Announcement) {
        let Announcement { channel, payload, once } = announcement;
        let parcel = Parcel { channels: vec![channel.into()], payload: payload.into_bytes(), once };
        self.shared.queue.put_announcement(parcel);
    }

    /// Appends what has come, `max` at most.
    pub fn drain(&mut self, max: usize, arrivals: &mut impl Extend<Arrival>) {
        self.has_more = self.shared.inbox.drain(max, arrivals);
    }

    /// Whether there is more to drain, of which `wake` will not tell again.
    pub fn has_arrivals(&self) -> bool {
        self.has_more
    }

    /// What is wrong with the broker, if something is: one sentence.
    pub fn trouble(&self) -> Option<String> {
        self.shared.inbox.trouble()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        let (inbox, queue) = (&self.shared.inbox, &self.shared.queue);
        self.shared.counters.snapshot(inbox.trouble().is_none(), queue.waiting(), queue.dropped())
    }

    /// Takes nothing more, and waits until what waits is told, but not longer than until then. A handle that is merely
    /// dropped does the same without waiting.
    pub fn finish(self, until: Instant) {
        self.close();
        let _ = self.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
    }

    fn close(&self) {
        self.shared.inbox.close();
        self.shared.queue.close();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

fn spawn(name: &str, guard: Guard, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let run = move || {
        let _guard = guard;
        run();
    };
    thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

/// Lives as long as a thread, and tells of its end, even by a panic.
struct Guard {
    shared: Arc<Shared>,
    _running: Option<Sender<()>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.inbox.fail("the broker's thread has stopped".into());
    }
}
