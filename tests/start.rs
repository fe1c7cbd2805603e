//! A start on a store that can't be used: one sentence that says why, and exit code 1. What may pass is waited for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::disk::Disk;
use crate::common::process::Process;
use crate::common::{roomcast, scratch_dir};
use rusqlite::Connection;

fn serve(database: &Path, flags: &[&str]) -> Command {
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", &format!("sqlite:{}", database.display())]);
    command.args(flags).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// It says this of the path, nothing else, and fails at once.
#[track_caller]
fn refuses(database: &Path, flags: &[&str], sentence: &str) {
    let began = Instant::now();
    let ended = Process::spawn(serve(database, flags)).end();
    let stderr = format!("roomcast: {} {sentence}\n", database.display());
    assert_eq!(ended, (Some(1), String::new(), stderr));
    assert!(began.elapsed() < Duration::from_secs(5), "what does not pass is not waited for");
}

#[test]
fn what_can_not_be_a_database_is_refused_in_a_sentence() {
    let folder = scratch_dir();
    refuses(&folder, &[], "is a directory; the database must be a file");
    refuses(&folder.join("missing/chat.db"), &[], "can't be created: there is no such folder");
    let path = folder.join("text");
    fs::write(&path, "once upon a time ".repeat(100)).unwrap();
    refuses(&path, &[], "is not a SQLite database");
    refuses(&path.join("chat.db"), &[], "can't be reached: Not a directory (os error 20)");
    let path = folder.join("newer.db");
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    refuses(&path, &[], "has schema version 99, and this program knows none after 3");
    refuses(&folder.join("none.db"), &["--migrate", "no"], "does not exist");
    assert!(!folder.join("none.db").exists());
}

/// A database with a message in it, as a server leaves it behind.
fn database(path: PathBuf) -> PathBuf {
    let mut command = serve(&path, &[]);
    command.arg("--log").arg("off");
    let server = crate::common::Server::spawn(command);
    let said = r#"{"Username":"ada"}"#;
    let request = "POST /user HTTP/1.1\r\nHost: x\r\nConnection: close";
    let answer = server.exchange(format!("{request}\r\nContent-Length: {}\r\n\r\n{said}", said.len()));
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    server.signal("TERM");
    let mut server = server;
    assert!(server.wait().0.success());
    path
}

#[test]
fn what_is_read_only_is_called_so() {
    // Permissions don't stop root, but the file system does.
    let disk = Disk::new(scratch_dir(), "size=4m");
    let path = database(disk.0.join("chat.db"));
    disk.remount("ro");
    refuses(&path, &[], "can't be written to");
    refuses(&disk.0.join("new.db"), &[], "can't be created: the file system is read-only");
    disk.remount("rw");

    // The file alone, in a folder that may be written.
    let bind = |options: &str| {
        let mount = Command::new("mount").args(["-o", options]).arg(&path).arg(&path).output().unwrap();
        assert!(mount.status.success(), "this test mounts a file and must be root: {mount:?}");
    };
    bind("bind");
    bind("remount,ro,bind");
    fs::write(path.with_extension("other"), "").unwrap();
    refuses(&path, &[], "can't be written to");
    assert!(Command::new("umount").arg(&path).status().unwrap().success());
    let users = |path: &Path| -> i64 {
        Connection::open(path).unwrap().query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(users(&path), 1, "it is untouched");
}

/// Everything that is logged is that it waits. Then comes the sentence, once.
#[track_caller]
fn gives_up(database: &Path, sentence: &str) {
    let began = Instant::now();
    let (code, stdout, stderr) = Process::spawn(serve(database, &["--store-wait", "1s"])).end();
    let sentence = format!("{} {sentence}", database.display());
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let lines: Vec<&str> = stderr.lines().collect();
    let (last, waiting) = lines.split_last().unwrap();
    assert_eq!(*last, format!("roomcast: {sentence}"));
    let waits = |line: &&str| line.ends_with(&format!("waiting for the store: {sentence}"));
    assert!(waiting.iter().all(waits), "{stderr}");
    // It may be in the middle of an attempt when the time is over.
    assert!(began.elapsed() < Duration::from_secs(5), "it waited {:?}", began.elapsed());
    let ended = Process::spawn(serve(database, &["--store-wait", "1s", "--log", "error"])).end();
    assert_eq!(ended, (Some(1), String::new(), format!("{last}\n")), "one sentence, and no more");
}

#[test]
fn a_lock_that_stays_ends_the_start() {
    let path = database(scratch_dir().join("chat.db"));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    gives_up(&path, "is locked by another process");
    other.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn a_disk_that_stays_full_ends_the_start() {
    let disk = Disk::new(scratch_dir(), "size=1m");
    disk.fill();
    gives_up(&disk.0.join("chat.db"), "can't be used: the disk is full");
}

/// Starts a server, and waits until it says that it waits.
#[track_caller]
fn waiting(database: &Path, waits_for: &str) -> Process {
    let mut process = Process::spawn(serve(database, &[]));
    let line = process.first_line_of_log();
    assert!(line.ends_with(&format!("waiting for the store: {} {waits_for}\n", database.display())), "{line}");
    process
}

/// Starts a server that has to wait; `release` takes away what it waits for. Then it serves.
#[track_caller]
fn waits_until(database: &Path, waits_for: &str, release: impl FnOnce()) {
    let mut process = waiting(database, waits_for);
    release();
    process.comes_up();
}

#[test]
fn a_start_waits_for_what_passes() {
    let path = scratch_dir().join("chat.db");
    let other = Connection::open(&path).unwrap();
    // On a file that is new, and on one that is not.
    for _ in 0..2 {
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        waits_until(&path, "is locked by another process", || other.execute_batch("ROLLBACK").unwrap());
    }
    let disk = Disk::new(scratch_dir(), "size=1m");
    let ballast = disk.fill();
    waits_until(&disk.0.join("chat.db"), "can't be used: the disk is full", || fs::remove_file(ballast).unwrap());
}

#[test]
fn a_start_that_waits_ends_at_a_signal() {
    let path = scratch_dir().join("chat.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for signal in ["TERM", "INT"] {
        let process = waiting(&path, "is locked by another process");
        let pid = process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        let began = Instant::now();
        // In order, and not by the signal.
        assert_eq!(process.end(), (Some(0), String::new(), String::new()));
        assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
    }
}

/// One row of another program with an impossible time would have given its time to all later messages.
#[test]
fn a_time_in_the_far_future_is_not_believed() {
    let path = database(scratch_dir().join("chat.db"));
    let sql = "INSERT INTO messages (content, sender_id, created_date) \
               VALUES ('x', '67e55044-10b1-426f-9247-bb680e5fe0c8', '9999-12-31T23:59:59.999999Z')";
    Connection::open(&path).unwrap().execute(sql, []).unwrap();
    let server = crate::common::Server::spawn(serve(&path, &[]));
    let (mut client, _) = server.join_in();
    client.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
    client.ask(
        r#"{"action":"room_message","message":"hi"}"#,
        r#"{"action":"room_message","room":"lobby","message":"hi"}"#,
    );
    let sql = "SELECT created_date FROM messages WHERE content = 'hi'";
    let at: String = Connection::open(&path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(at.as_str() < "2100", "{at}");
    server.wait_for_log("that is in the future");
}

/// The word of the design for it.
#[test]
fn no_migrate_only_checks() {
    let path = scratch_dir().join("new.db");
    let output = serve(&path, &["--no-migrate"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!path.exists(), "a database was made");
    let path = database(scratch_dir().join("chat.db"));
    let server = crate::common::Server::spawn(serve(&path, &["--no-migrate"]));
    assert!(server.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
}
