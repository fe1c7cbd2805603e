//! The tests with programs that none of us wrote, browsers and clients in other languages: dozens at once, so a binary of
//! their own. No test here adds or cuts a network, for then a browser breaks off all that it loads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod clients;
mod common;
#[cfg(feature = "page")]
mod page;
#[cfg(all(feature = "postgres", feature = "redis"))]
mod socketio_clients;
