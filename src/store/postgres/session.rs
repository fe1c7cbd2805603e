//! The thread of a connection. The library waits for an answer as long as it takes, so whoever can't wait asks from
//! another thread, and gives up this one. It ends when its server answers or goes away.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::driver::Connection;

/// The connection itself begins nothing after the deadline, so this is for what it has begun.
const GRACE: Duration = Duration::from_millis(250);

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// The end of whoever asks.
pub(super) struct Session {
    work: Sender<Work>,
}

impl Session {
    /// Starts the thread; it keeps a reference to `threads` while it lives.
    pub(super) fn start(mut db: Connection, threads: &Arc<()>) -> io::Result<Self> {
        let (sender, work) = channel::<Work>();
        let threads = Arc::clone(threads);
        thread::Builder::new().name("postgres".into()).spawn(move || {
            for work in work {
                work(&mut db);
            }
            drop(threads);
        })?;
        Ok(Self { work: sender })
    }

    /// Does something with the connection. Nothing if it takes too long; it may yet happen, as far as it was begun.
    pub(super) fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        act: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, answer) = channel();
        let work = move |db: &mut Connection| {
            db.set_deadline(deadline);
            // Whoever has given up does not listen.
            let _ = sender.send(act(db));
        };
        self.work.send(Box::new(work)).ok()?;
        answer.recv_timeout((deadline + GRACE).saturating_duration_since(Instant::now())).ok()
    }
}
