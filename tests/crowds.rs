//! The tests that measure or that bring thousands: a binary of their own, so that nothing else runs beside them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;
mod crowd;
mod slow_reader;
mod socketio_crowd;
mod socketio_recovery;
mod stream_crowd;
