//! A server on PostgreSQL: how it starts with one that can't be used, and what it does while one is away. What every
//! store does is in `stores.rs`, and what outlives a `kill -9` of the server in `durability.rs`.

mod ears;
mod listening;
mod outages;
mod returning;
mod start;
mod tls;
mod transactions;

use std::process::{Command, Stdio};

use crate::common::postgres::PASSWORD;
use crate::common::roomcast;

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
