//! The integration tests in one binary: it is linked once, and while one test waits others run. What would take their
//! processor time is in `foreign.rs` and `regressions.rs`, and what measures in `crowds.rs`. `cargo test --test suite
//! stream::` runs the tests of `stream.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod action;
mod bench;
#[cfg(feature = "redis")]
mod broker;
mod chat;
mod chat_vocabulary;
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
mod metrics;
#[cfg(all(feature = "postgres", feature = "redis"))]
mod nodes;
#[cfg(all(feature = "postgres", feature = "redis"))]
mod nodes_trouble;
#[cfg(feature = "postgres")]
mod postgres;
mod readme;
#[cfg(all(feature = "postgres", feature = "redis", feature = "sqlite"))]
mod rolling;
mod serve;
mod simulation;
mod socketio;
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

/// A file that no binary names would pass by never being run.
#[test]
fn every_file_is_run() {
    let manifest = include_str!("../Cargo.toml");
    let roots = concat!(include_str!("suite.rs"), include_str!("crowds.rs"), include_str!("foreign.rs"));
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = std::fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path());
    let rust = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let names: Vec<String> = rust.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert!(names.len() > 4, "{names:?}");
    for name in names {
        let is_binary = manifest.contains(&format!("[[test]]\nname = \"{name}\"\n"));
        assert!(is_binary || roots.contains(&format!("\nmod {name};\n")), "tests/{name}.rs is in no binary");
    }
}
