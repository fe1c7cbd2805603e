//! A server that takes tokens, and who may use it: users, private rooms, tokens.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use roomcast::proto::token;
use serde_json::{Value, json};

use super::{Server, roomcast, serve};

pub const SECRET: &str = "the secret of these tests, and long enough";

/// A server whose store keeps nothing.
pub fn serve_people(flags: &[&str]) -> Command {
    serve(&[&["--jwt-secret", SECRET], flags].concat())
}

/// The same on a database that lasts, where it listens told by `listen`.
pub fn serve_on(database: &Path, listen: &str, flags: &[&str]) -> Command {
    let mut command = roomcast();
    command.args(["serve", "--listen", listen, "--jwt-secret", SECRET]).args(flags);
    command.args(["--database", &format!("sqlite:{}", database.display())]);
    command
}

/// A token of that user's, good for an hour.
pub fn token_of(name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    token::sign(SECRET.as_bytes(), name, None, None, now, 3600).unwrap()
}

/// Asks the database API for something that is made. Returns its id.
fn make(server: &Server, path: &str, body: &Value) -> i64 {
    let body = body.to_string();
    let answer = server.exchange(format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    assert!(head.starts_with("HTTP/1.1 201 "), "{answer}");
    serde_json::from_str::<Value>(body).unwrap()["ID"].as_i64().unwrap()
}

/// A new user's id.
pub fn user(server: &Server, name: &str) -> i64 {
    make(server, "/user", &json!({ "Username": name }))
}

/// A new private room's id. The first member is its owner.
pub fn private_room(server: &Server, name: &str, members: &[i64]) -> i64 {
    make(server, "/rooms", &json!({ "UserID": members[0], "Roomname": name, "Private": true, "Members": members }))
}
