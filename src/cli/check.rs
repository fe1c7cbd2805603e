//! `roomcast check`: reads the settings as `roomcast serve` would, looks at what they lead to, and tells what it found.
//! It changes nothing: no database is made, and none is brought up to date.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use super::serve::raise_descriptor_limit;
use super::{keys, print, settings};
use crate::config::{Config, Durability};
use crate::error::ServerError;
use crate::store::OpenError;

const INTRODUCTION: &str = "\
Reads the settings of the chat server, looks whether it could start with them, and
tells what was found. It changes nothing, and prints no secrets.

usage: roomcast check [OPTION …]

The options are those of `roomcast serve`. ";

/// What the URL of a SQLite database begins with.
const SQLITE: &str = "sqlite";

pub(super) fn run(arguments: lexopt::Parser) -> Result<ExitCode, String> {
    let Some(config) = settings::read(arguments, "check")? else {
        print(&format!("{INTRODUCTION}{}", settings::help()));
        return Ok(ExitCode::SUCCESS);
    };
    let findings = [
        ("listen", listen(config.listen)),
        ("store", store(&config)),
        ("api key", Ok(api_key(&config))),
        ("tokens", tokens(&config)),
        ("limits", Ok(limits(&config))),
    ];
    let mut wrong = Vec::new();
    for (what, found) in findings {
        let found = found.unwrap_or_else(|sentence| {
            wrong.push(sentence.clone());
            format!("WRONG: {sentence}")
        });
        print(&format!("{what:<9}{found}\n"));
    }
    if wrong.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(wrong.join("; ")) }
}

fn listen(address: SocketAddr) -> Result<String, String> {
    // Given up at once: nobody can have connected.
    TcpListener::bind(address).map_err(|error| ServerError::Listen { address, error }.to_string())?;
    let whom = if address.ip().is_loopback() { "this machine alone" } else { "whoever can reach it" };
    Ok(format!("{address} is free, for {whom}"))
}

fn store(config: &Config) -> Result<String, String> {
    if config.database.0.is_empty() {
        return Ok("none: all rooms are ephemeral".into());
    }
    // Not migrated, for another version of this program may be running on it; that it is to be migrated is no fault.
    let opened = match settings::open_store(config, false, None) {
        Ok(opened) => opened,
        Err(OpenError { sentence, lacks_migration: true, .. }) if config.migrate => {
            return Ok(format!("{sentence}; roomcast serve sees to that"));
        }
        Err(error) => return Err(error.sentence),
    };
    let durability = match config.durability {
        _ if !config.database.0.starts_with(SQLITE) => "",
        Durability::Full => "; what is acknowledged outlives a power cut",
        Durability::Normal => "; what is acknowledged outlives the process, and perhaps not a power cut",
    };
    Ok(format!("{}, open rooms: {}{durability}", opened.description, opened.rooms.len()))
}

fn api_key(config: &Config) -> String {
    let open = "/ws and the database API";
    match (config.api_key.0.is_empty(), config.listen.ip().is_loopback()) {
        (false, _) => format!("set: {open} are for whoever shows it"),
        (true, true) => format!("not set: {open} are for everybody on this machine"),
        (true, false) => {
            format!(
                "not set: {open} answer 403, for the listener is not on a loopback address; ROOMCAST_API_KEY sets it"
            )
        }
    }
}

fn tokens(config: &Config) -> Result<String, String> {
    Ok(match keys::verifier(config)? {
        Some(verifier) => verifier.description(),
        None => "no key is set: no Socket.IO client is let in; ROOMCAST_JWT_SECRET or ROOMCAST_JWT_PUBLIC_KEY sets one"
            .into(),
    })
}

fn limits(config: &Config) -> String {
    let connections = config.max_connections.min(raise_descriptor_limit());
    let rate = match config.rate {
        0 => "no limit of messages per second".into(),
        rate => format!("{rate} messages per second each, {} at once", config.burst),
    };
    format!(
        "{connections} connections, {} rooms, messages of {} bytes, {rate}, {} bytes owed to one",
        config.max_rooms, config.max_message, config.outbox
    )
}
