//! A server on PostgreSQL: how it starts with one that can't be used, and what it does while one is away. What every
//! store does is in `stores.rs`, and what outlives a `kill -9` of the server in `durability.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;
#[path = "common/database.rs"]
mod database;
#[path = "postgres/ears.rs"]
mod ears;
#[path = "postgres/listening.rs"]
mod listening;
#[path = "common/outage.rs"]
mod outage;
#[path = "postgres/outages.rs"]
mod outages;
#[path = "common/people.rs"]
mod people;
#[path = "common/process.rs"]
mod process;
#[path = "postgres/returning.rs"]
mod returning;
#[path = "postgres/start.rs"]
mod start;
#[path = "postgres/tls.rs"]
mod tls;
#[path = "postgres/transactions.rs"]
mod transactions;
#[path = "common/wire.rs"]
mod wire;

use std::process::{Command, Stdio};

use common::roomcast;
use database::postgres::PASSWORD;

fn serve(url: &str, flags: &[&str]) -> Command {
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--rate", "0", "--database", url]).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Neither the password as it is nor as it stands in the URL.
#[track_caller]
fn assert_no_secret(text: &str) {
    let encoded = PASSWORD.replace('%', "%25").replace('/', "%2F");
    assert!(!text.contains(PASSWORD) && !text.contains(&encoded) && !text.contains("hunter"), "a password: {text}");
}
