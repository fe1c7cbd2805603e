//! The listener: a connection of its own on which PostgreSQL notifies that other programs have written something. It only says
//! that it is worth while to look, and now and then it says so without being notified: what there is to see is read on the
//! store's own connection, in its turn, so nothing depends on a notification. See `seen`.

use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::super::Poke;
use super::super::sql::{Database, Held};
use super::PATIENCE;
use super::driver::Connection;
use super::target::Target;

/// How often it is looked, notified or not.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long it waits before it connects again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// Starts the thread. It ends when `store` is gone, or nobody wants to be poked.
pub(super) fn start(target: &Arc<Target>, store: Weak<()>, poke: Poke) -> io::Result<()> {
    let target = Arc::clone(target);
    thread::Builder::new().name("listener".into()).spawn(move || {
        let mut pause = FIRST_PAUSE;
        while store.strong_count() > 0 {
            match listen(&target, &store, &poke, &mut pause) {
                Ok(()) => return,
                // Said once for each time that it is away.
                Err(trouble) if pause == FIRST_PAUSE => {
                    log::warn!("what other programs write is told later: {}", trouble.sentence);
                }
                Err(_) => {}
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LAST_PAUSE);
        }
    })?;
    Ok(())
}

/// Listens until the connection is lost, which is an error, or it is not needed any more.
fn listen(target: &Arc<Target>, store: &Weak<()>, poke: &Poke, pause: &mut Duration) -> Held<()> {
    let mut db = Connection::to(target);
    db.set_deadline(Instant::now() + PATIENCE);
    db.connect()?;
    // Before the first look: of what ends behind that we are notified.
    db.run("LISTEN roomcast")?;
    while store.strong_count() > 0 && poke() {
        *pause = FIRST_PAUSE;
        db.set_deadline(Instant::now() + PATIENCE);
        db.wait_for_others(Instant::now() + LOOK_EVERY)?;
        db.set_deadline(Instant::now() + PATIENCE);
        // A connection that is lost shows itself by this.
        db.run("SELECT")?;
    }
    Ok(())
}
