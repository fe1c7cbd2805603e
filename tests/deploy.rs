//! The files under `scripts/deploy`, each as near to its real use as a machine for tests allows, and what the program does
//! for them: it tells systemd how it is, and says for a container's health check whether it serves.

mod containers;
mod nginx;
mod notify;
mod unit;

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file under `scripts/deploy`.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy").join(name)
}

/// What a file under `scripts/deploy` says.
fn text_of(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// What a command prints to standard output. It succeeds.
#[track_caller]
fn printed(command: &mut Command) -> String {
    let output = command.output().expect("installed by scripts/test");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{stdout}{stderr}");
    stdout.into_owned()
}
