//! The tests that measure, or that bring thousands, in a binary of their own: nothing runs beside it, and in it one crowd
//! at a time, see `common::crowd::alone`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;
mod crowd;
mod dialect_crowd;
mod limits;
#[cfg(feature = "redis")]
mod node_crowd;
mod slow_reader;
mod socketio_crowd;
mod socketio_recovery;
