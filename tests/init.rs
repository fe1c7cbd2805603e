//! `roomcast init` and `roomcast check`, as an operator meets them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Server, roomcast, scratch_dir};

/// Runs the command to its end. Returns its exit code, and what it printed to each stream.
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn init(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    run(roomcast().arg("init").args(arguments).current_dir(directory))
}

fn check(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    // The default port may be taken on the machine that runs the tests.
    run(roomcast().arg("check").args(arguments).current_dir(directory).env("PORT", "0"))
}

/// The value of the variable, if it is in force.
fn value(file: &Path, variable: &str) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().find_map(|line| Some(line.strip_prefix(variable)?.strip_prefix('=')?.to_owned()))
}

fn directory_with(env: &str) -> PathBuf {
    let directory = scratch_dir();
    fs::write(directory.join(".env"), env).unwrap();
    directory
}

#[test]
fn writes_settings_that_serve_takes() {
    let directory = scratch_dir();
    let file = directory.join(".env");
    let (code, printed, stderr) = init(&directory, &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = value(&file, "ROOMCAST_API_KEY").unwrap();
    assert!(secret.len() >= 43 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(
        printed.contains(".env") && printed.contains("ROOMCAST_API_KEY") && !printed.contains(&secret),
        "{printed}"
    );
    let text = fs::read_to_string(&file).unwrap();
    for setting in roomcast::config::SETTINGS {
        let line = format!("{}=", setting.variable());
        assert!(text.lines().any(|it| it.trim_start_matches('#').starts_with(&line)), "{}", setting.flag);
        let start: String = setting.help.chars().take(20).collect();
        assert!(text.contains(&start), "{}", setting.flag);
    }

    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "trace"]).current_dir(&directory);
    let mut server = Server::spawn(command);
    server.get("/health", &[]);
    server.signal("TERM");
    let (status, log) = server.wait();
    assert!(status.success() && !log.contains(&secret), "{log}");
}

#[test]
fn replaces_nothing_unless_it_is_told_to() {
    let directory = scratch_dir();
    let file = directory.join(".env");
    assert_eq!(init(&directory, &[]).0, Some(0));
    let first = fs::read_to_string(&file).unwrap();
    let sentence = "roomcast: .env is there already; --force replaces it\n".to_owned();
    assert_eq!(init(&directory, &[]), (Some(1), String::new(), sentence));
    assert_eq!(fs::read_to_string(&file).unwrap(), first);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, printed, _) = init(&directory, &["--force"]);
    assert_eq!(code, Some(0));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (old, new) = (
        first.lines().find(|line| line.starts_with("ROOMCAST_API_KEY=")).unwrap(),
        value(&file, "ROOMCAST_API_KEY").unwrap(),
    );
    assert!(!old.contains(&new) && !printed.contains(&new));
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);

    // A link that leads nowhere is a file that is there.
    let elsewhere = scratch_dir();
    symlink("nowhere", elsewhere.join(".env")).unwrap();
    assert_eq!(init(&elsewhere, &[]).0, Some(1));
    assert!(!elsewhere.join("nowhere").exists());
}

#[test]
fn takes_a_path() {
    let directory = scratch_dir();
    assert_eq!(init(&directory, &["production.env"]).0, Some(0));
    assert!(value(&directory.join("production.env"), "ROOMCAST_API_KEY").is_some());
    fs::create_dir(directory.join("deep")).unwrap();
    assert_eq!(init(&directory, &["deep"]).0, Some(0));
    assert!(directory.join("deep/.env").is_file());
    let (code, _, stderr) = init(&directory, &["missing/.env"]);
    assert!(code == Some(1) && stderr.starts_with("roomcast: can't write missing/.env: "), "{stderr}");
    let (code, _, stderr) = init(&directory, &["--pony"]);
    assert_eq!(
        (code, stderr.as_str()),
        (Some(1), "roomcast: invalid option '--pony'; roomcast init --help lists the options\n")
    );
    for arguments in [&["init", "--help"][..], &["check", "--help"]] {
        let (code, help, _) = run(roomcast().args(arguments));
        assert!(code == Some(0) && help.contains("usage: roomcast "), "{help}");
    }
}

#[test]
fn check_tells_what_it_found_and_changes_nothing() {
    let directory = directory_with("ROOMCAST_API_KEY=hush\nROOMCAST_UPSTREAM_KEY=hush\n");
    let (code, found, stderr) = check(&directory, &["--database", "none"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{found}");
    for part in
        ["127.0.0.1:0 is free", "all rooms are ephemeral", "set: /ws and the database API", "100 messages per second"]
    {
        assert!(found.contains(part), "{part:?} is not in {found}");
    }
    assert!(!found.contains("hush"), "{found}");
    let (code, found, _) = check(&directory, &["--listen", "0.0.0.0:0", "--api-key", "", "--database", "none"]);
    assert!(code == Some(0) && found.contains("answer 403"), "{found}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, found, stderr) = check(&directory, &["--listen", &address, "--database", "none"]);
    let sentence = format!("can't listen on {address}: the port is in use");
    assert_eq!((code, stderr), (Some(1), format!("roomcast: {sentence}\n")));
    assert!(found.contains(&sentence) && found.contains("limits"), "{found}");

    let directory = directory_with("ROOMCAST_PONY=hush\n");
    let (code, _, stderr) = check(&directory, &[]);
    let sentence = "ROOMCAST_PONY in .env: there is no such setting; roomcast serve --help lists them";
    assert_eq!((code, stderr), (Some(1), format!("roomcast: {sentence}\n")));
}

#[cfg(feature = "sqlite")]
#[test]
fn check_looks_at_the_database() {
    let directory = scratch_dir();
    let (code, found, _) = check(&directory, &[]);
    assert!(code == Some(0) && found.contains("roomcast.db does not exist; roomcast serve sees to that"), "{found}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);

    let (code, _, stderr) = check(&directory, &["--migrate", "no"]);
    assert_eq!((code, stderr.as_str()), (Some(1), "roomcast: roomcast.db does not exist\n"));

    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(&directory);
    let mut server = Server::spawn(command);
    server.signal("TERM");
    assert!(server.wait().0.success());
    let (code, found, stderr) = check(&directory, &[]);
    // The lobby.
    assert!(code == Some(0) && found.contains("open rooms: 1"), "{found}{stderr}");

    fs::create_dir(directory.join("folder.db")).unwrap();
    let (code, found, stderr) = check(&directory, &["--database", "sqlite:folder.db"]);
    assert!(code == Some(1) && stderr.lines().count() == 1 && found.contains("WRONG: "), "{found}{stderr}");
}

#[cfg(feature = "rest")]
#[test]
fn check_reaches_the_other_server() {
    let directory = scratch_dir();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let started = std::time::Instant::now();
    let (code, _, stderr) = check(&directory, &["--database", &url, "--upstream-key", "hush"]);
    let sentence = format!("roomcast: the store at {url} can't be reached: the connection was refused\n");
    assert_eq!((code, stderr), (Some(1), sentence));
    assert!(started.elapsed() < crate::common::PATIENCE, "it does not wait for the store");
}
