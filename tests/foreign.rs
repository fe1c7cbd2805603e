//! The tests with programs that none of us wrote, browsers and clients in other languages: dozens at once, so a binary of
//! their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod clients;
mod common;
#[cfg(feature = "page")]
mod page;
mod socketio_clients;
