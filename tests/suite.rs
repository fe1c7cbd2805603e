//! The integration tests in one binary, which is linked once, and in which the waiting of one test is another one's time.
//! `cargo test --test suite stream::` runs those of `stream.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod action;
mod bench;
mod chat;
mod chat_vocabulary;
mod clients;
mod common;
mod conversation_vocabulary;
mod database;
mod deploy;
mod dialects;
mod durability;
mod engineio;
mod engineio_trouble;
mod event;
mod http;
mod init;
mod limits;
mod metrics;
#[cfg(feature = "page")]
mod page;
#[cfg(feature = "postgres")]
mod postgres;
mod readme;
mod regressions;
mod serve;
mod simulation;
mod socketio;
mod socketio_clients;
mod socketio_contract;
mod socketio_regressions;
mod sqlite;
mod start;
mod stores;
mod stream;
mod token;
mod trouble;
#[cfg(feature = "rest")]
mod upstream;
mod websocket;
