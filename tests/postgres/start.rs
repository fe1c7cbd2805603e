//! A start on a database that can't be used: one sentence that says why, without the password, and exit code 1. What may
//! pass is waited for.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{assert_no_secret, serve};
use crate::common::Server;
use crate::common::database::{rows, value};
use crate::common::postgres::Postgres;
use crate::common::process::Process;
use crate::common::wire::Wire;

/// It says one sentence, nothing else, and fails at once. Returns the sentence.
#[track_caller]
pub(super) fn refusal(url: &str, flags: &[&str]) -> String {
    let began = Instant::now();
    let (code, stdout, stderr) = Process::spawn(serve(url, flags)).end();
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(began.elapsed() < Duration::from_secs(5), "what does not pass is not waited for");
    assert_no_secret(&stderr);
    let sentence = stderr.strip_prefix("roomcast: ").and_then(|rest| rest.strip_suffix('\n'));
    let sentence = sentence.unwrap_or_else(|| panic!("not one sentence: {stderr}"));
    assert!(!sentence.contains('\n'), "not one sentence: {stderr}");
    sentence.to_owned()
}

fn tables(url: &str) -> usize {
    value(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").parse().unwrap()
}

#[test]
fn who_is_not_let_in_is_told_so() {
    let postgres = Postgres::shared();
    let url = postgres.database();
    let (scheme, rest) = url.split_once("//roomcast:").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    let wrong = refusal(&format!("{scheme}//roomcast:hunter3@{place}"), &[]);
    assert!(wrong.contains("password"), "{wrong}");
    let none = refusal(&format!("{scheme}//roomcast@{place}"), &[]);
    assert!(none.contains("password"), "{none}");
    let nobody = refusal(&url.replace("roomcast:", "nobody:"), &[]);
    assert!(nobody.contains("password"), "{nobody}");
    assert_eq!(tables(&url), 0);
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let sentence = refusal(&Postgres::shared().url("nowhere"), &[]);
    assert!(sentence.contains("nowhere"), "{sentence}");
}

#[test]
fn what_the_user_may_not_do_is_told_from_what_is_missing() {
    let url = Postgres::shared().database();
    drop(Server::spawn(serve(&url, &[])));
    rows(&url, "REVOKE SELECT ON messages FROM roomcast");
    let sentence = refusal(&url, &["--no-migrate"]);
    assert!(sentence.ends_with("denies this user what is needed"), "{sentence}");
}

#[test]
fn no_migrate_only_checks() {
    let url = Postgres::shared().database();
    let sentence = refusal(&url, &["--no-migrate"]);
    assert!(sentence.ends_with("and may not be migrated"), "{sentence}");
    assert_eq!(tables(&url), 0);
    drop(Server::spawn(serve(&url, &[])));
    let server = Server::spawn(serve(&url, &["--no-migrate"]));
    assert!(server.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_schema_of_another_version_is_left_alone() {
    let url = Postgres::shared().database();
    drop(Server::spawn(serve(&url, &[])));
    rows(&url, "UPDATE roomcast_schema SET version = 99");
    for flags in [&[][..], &["--no-migrate"]] {
        let sentence = refusal(&url, flags);
        assert!(sentence.contains("has schema version 99, and this program knows none after"), "{sentence}");
    }
    assert_eq!(value(&url, "SELECT version FROM roomcast_schema"), "99");
}

#[test]
fn another_programs_tables_are_left_alone() {
    let url = Postgres::shared().database();
    rows(&url, "CREATE TABLE users (name text); INSERT INTO users VALUES ('x')");
    refusal(&url, &[]);
    assert_eq!((tables(&url), value(&url, "SELECT name FROM users")), (1, "x".into()));
}

#[test]
fn several_servers_that_start_at_once_make_one_schema() {
    let url = Postgres::shared().database();
    let servers: Vec<Server> = thread::scope(|scope| {
        let starts = [(); 4].map(|()| scope.spawn(|| Server::spawn(serve(&url, &[]))));
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(value(&url, "SELECT count(*) FROM chats"), "1", "one lobby");
    assert!(servers.iter().all(|server| server.get("/ready", &[]).starts_with("HTTP/1.1 200 ")));
}

#[test]
fn urls_are_those_of_other_programs_too() {
    let url = Postgres::shared().database();
    let rest = url.strip_prefix("postgres:").unwrap();
    for scheme in ["postgres", "postgresql", "postgresql+asyncpg", "PostgreSQL"] {
        let server = Server::spawn(serve(&format!("{scheme}:{rest}"), &[]));
        let start = server.log();
        assert!(start.contains("PostgreSQL"), "{start}");
        assert_no_secret(&start);
    }
}

/// Until it is there, and else until the time for that is over.
#[test]
fn a_start_waits_for_a_server_that_is_not_up() {
    let mut postgres = Postgres::start();
    let url = postgres.database();
    postgres.stop();
    let began = Instant::now();
    let (code, stdout, stderr) = Process::spawn(serve(&url, &["--store-wait", "1s"])).end();
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(began.elapsed() < Duration::from_secs(6), "it waited {:?}", began.elapsed());
    assert_no_secret(&stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    let (last, waiting) = lines.split_last().unwrap();
    let sentence = last.strip_prefix("roomcast: ").unwrap();
    assert!(sentence.contains(&postgres.place()), "it names the place: {sentence}");
    let waits = |line: &&str| line.ends_with(&format!("waiting for the store: {sentence}"));
    assert!(!waiting.is_empty() && waiting.iter().all(waits), "{stderr}");

    let mut process = Process::spawn(serve(&url, &[]));
    let line = process.first_line_of_log();
    assert!(line.ends_with(&format!("waiting for the store: {sentence}\n")), "{line}");
    postgres.start_again();
    process.comes_up();

    // One that does not answer is not up either.
    postgres.pause();
    let began = Instant::now();
    let (code, _, stderr) = Process::spawn(serve(&url, &["--store-wait", "1s"])).end();
    postgres.resume();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(began.elapsed() < Duration::from_secs(8), "it waited {:?}", began.elapsed());
    assert_no_secret(&stderr);
}

/// The table of the service whose clients speak the stream dialect. What it kept was said in the lobby.
#[test]
fn the_messages_of_a_former_service_are_taken_over() {
    let url = Postgres::shared().database();
    rows(
        &url,
        "CREATE TABLE messages (
             id SERIAL PRIMARY KEY,
             content TEXT NOT NULL,
             file VARCHAR(50),
             created_date TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP,
             sender_id UUID NOT NULL
         );
         CREATE INDEX ix_messages_created_date ON messages (created_date);
         CREATE INDEX ix_messages_sender_id ON messages (sender_id)",
    );
    let sender = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let say = |content: &str, at: &str| {
        let columns = "content, file, created_date, sender_id";
        rows(&url, &format!("INSERT INTO messages ({columns}) VALUES ('{content}', 'a.png', {at}, '{sender}')"));
    };
    say("first 👩‍🚀", "'2024-02-29T12:34:56.123456Z'");
    say("second", "CURRENT_TIMESTAMP");
    say("third", "NULL");
    say("on the moon", "'1969-07-20T20:17:40Z'");
    let sentence = refusal(&url, &["--no-migrate"]);
    assert!(sentence.ends_with("and may not be migrated"), "{sentence}");
    assert_eq!(tables(&url), 1, "only checked");

    let server = Server::spawn(serve(&url, &[]));
    let mut wire = Wire::open(&server, "/ws");
    wire.ask("create_user", &json!({"username": "ada"}));
    wire.ask("join_room", &json!({"roomId": 1}));
    let said = wire.ask("send_message", &json!({"roomId": 1, "text": "fourth"}));
    assert_eq!(said["messageId"], 5);
    // The former service may go on beside it.
    rows(&url, &format!("INSERT INTO messages (content, sender_id) VALUES ('fifth', '{sender}')"));
    let page = wire.ask("get_messages", &json!({"roomId": 1, "limit": 9}));
    let texts: Vec<&str> =
        page["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["first 👩‍🚀", "second", "third", "on the moon", "fourth", "fifth"]);
    assert_eq!(value(&url, "SELECT count(*) FROM messages WHERE file = 'a.png' AND chat_id = 1"), "4");
    assert_eq!(value(&url, "SELECT count(*) FROM messages WHERE created_date IS NULL"), "0");
    // As early as can be shown.
    assert_eq!(value(&url, "SELECT min(extract(epoch FROM created_date)) = 0 FROM messages"), "t");
}
