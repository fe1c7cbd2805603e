//! Which server a URL names, and how it is connected to.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{OpenError, Options, Url};
use super::doubts::Doubts;
use super::seen::Seen;
use super::tls::{self, Trust};
use super::{LOCK, STATEMENT, order};
use crate::config::Durability;
use crate::id::NodeId;

/// For one address. A server that is there accepts at once.
const CONNECT: Duration = Duration::from_secs(2);

/// A server whose host has vanished is given up after that, whether or not something was sent to it.
const VANISHED: Duration = Duration::from_secs(3);

/// A connection that is forgotten in the middle of a transaction must not keep its locks.
const IDLE: Duration = Duration::from_secs(10);

/// A database on a server.
pub(super) struct Target {
    config: Config,
    tls: MakeRustlsConnect,
    durability: Durability,
    /// What rows carry that this process has written, the same on all its connections.
    pub(super) node: String,
    /// It is one of several nodes that are one chat, and those have an order.
    pub(super) has_order: bool,
    /// What it is called in sentences for the operator; no password.
    pub(super) name: String,
    /// What has become of this process's transactions.
    pub(super) doubts: Doubts,
    /// How far others' rows are told.
    seen: Mutex<Seen>,
}

impl Target {
    /// Reads a URL, whatever driver its scheme names. What the library does not know is taken out before it sees it.
    pub(super) fn parse(url: &Url<'_>, options: &Options<'_>) -> Result<Self, OpenError> {
        let Options { durability, node, .. } = *options;
        let (place, options) = split(url.rest)?;
        let (trust, mode, options) = take_tls(options)?;
        let rest = if options.is_empty() { place.to_owned() } else { format!("{place}?{}", options.join("&")) };
        let mut config: Config = format!("postgresql:{rest}").parse().map_err(|error: Error| unreadable(&error))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host("localhost");
        }
        config.ssl_mode(mode).tcp_user_timeout(VANISHED);
        config.keepalives_idle(VANISHED / 3).keepalives_interval(VANISHED / 3).keepalives_retries(2);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("roomcast");
        }
        let (has_order, node) = (node.is_some(), node.map_or_else(some_node, Ok)?.to_string());
        let (name, tls) = (name(&config), MakeRustlsConnect::new(tls::client(&trust)?));
        let (doubts, seen) = (Doubts::default(), Mutex::default());
        Ok(Self { config, tls, durability, node, has_order, name, doubts, seen })
    }

    /// How far others' rows are told.
    pub(super) fn seen(&self) -> Seen {
        self.lock_seen().clone()
    }

    /// So far others' rows are told from now on.
    pub(super) fn note_seen(&self, seen: Seen) {
        self.doubts.forget(&seen.settled);
        *self.lock_seen() = seen;
    }

    fn lock_seen(&self) -> MutexGuard<'_, Seen> {
        // It is replaced as a whole, so it is whole whoever panicked.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, and says how things are done on this connection.
    pub(super) fn connect(&self) -> Result<Client, Error> {
        let mut client = self.config.connect(self.tls.clone())?;
        let durability = match self.durability {
            // Unless the server does even more.
            Durability::Full => {
                "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
            }
            Durability::Normal => "SET synchronous_commit = off",
        };
        let idle = if self.has_order { order::IDLE } else { IDLE };
        client.batch_execute(&format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
             SET client_min_messages = warning; SET roomcast.node = '{}'; {durability}",
            STATEMENT.as_millis(),
            LOCK.as_millis(),
            idle.as_millis(),
            self.node
        ))?;
        Ok(client)
    }
}

/// One that nobody knows.
fn some_node() -> Result<NodeId, OpenError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| OpenError::lasting("the system gives no random numbers"))?;
    Ok(NodeId(u64::from_ne_bytes(random)))
}

/// The part before the options, and the options.
fn split(rest: &str) -> Result<(&str, &str), OpenError> {
    // With a second one the library takes a part of the password for the host, and hosts are named in sentences.
    if rest.matches('@').count() > 1 {
        return Err(OpenError::lasting("the database URL has more than one @: write %40 for those in the password"));
    }
    let host = rest.find('@').map_or(0, |at| at + 1);
    let options = rest[host..].find('?').map(|at| host + at);
    Ok(options.map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..])))
}

/// Takes what is about TLS out of the options.
fn take_tls(options: &str) -> Result<(Trust, SslMode, Vec<&str>), OpenError> {
    let (mut others, mut ours) = (Vec::new(), HashMap::new());
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            // The second is what asyncpg calls it.
            Some(("sslmode" | "ssl", mode)) => drop(ours.insert("sslmode", mode)),
            Some(("sslrootcert", path)) => drop(ours.insert("sslrootcert", path)),
            _ => others.push(option),
        }
    }
    let roots = ours
        .get("sslrootcert")
        .map(|path| percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned().into());
    let (trust, mode) = match ours.get("sslmode").copied() {
        Some("disable") => (Trust::Anybody, SslMode::Disable),
        None | Some("prefer" | "allow") => (Trust::Anybody, SslMode::Prefer),
        Some("require" | "verify-ca") => (Trust::Signed(roots), SslMode::Require),
        Some("verify-full") => (Trust::Named(roots), SslMode::Require),
        Some(_) => {
            let modes = "disable, allow, prefer, require, verify-ca, or verify-full";
            return Err(OpenError::lasting(format!("the database URL's sslmode must be {modes}")));
        }
    };
    Ok((trust, mode, others))
}

/// The library names the option that is wrong, and not its value.
fn unreadable(error: &Error) -> OpenError {
    use std::error::Error as _;
    let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    OpenError::lasting(format!("the database URL is not like postgres://user:password@host/database{cause}"))
}

fn name(config: &Config) -> String {
    let host = match config.get_hosts() {
        [Host::Tcp(host), ..] => host.clone(),
        [Host::Unix(folder), ..] => folder.display().to_string(),
        [] => config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("of the user");
    format!("the PostgreSQL database {database} at {host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, OpenError> {
        let options = Options { migrate: false, durability: Durability::Full, key: "", node: None };
        Target::parse(&Url::split(url).unwrap(), &options)
    }

    #[test]
    fn a_url_is_read_whatever_its_driver() {
        for url in [
            "postgres://u:hunter2@db:5433/chat",
            "postgresql://u:hunter2@db:5433/chat?sslmode=disable",
            "postgresql+asyncpg://u:hunter2@db:5433/chat?ssl=prefer&connect_timeout=9",
            "POSTGRES://u:hunter%402@db:5433/chat",
        ] {
            let target = parse(url).unwrap();
            assert_eq!(target.name, "the PostgreSQL database chat at db:5433", "{url}");
            assert_eq!(target.node.len(), 16);
        }
        assert_eq!(
            parse("postgres:///chat?host=/run/pg").unwrap().name,
            "the PostgreSQL database chat at /run/pg:5432"
        );
        assert_eq!(parse("postgres:///chat").unwrap().name, "the PostgreSQL database chat at localhost:5432");
    }

    #[test]
    fn what_is_wrong_in_a_url_is_said_without_its_password() {
        for (url, part) in [
            ("postgres://u:hunter2@x@db/chat", "more than one @"),
            ("postgres://u:hunter2@db/chat?sslmode=hunter2", "sslmode must be"),
            ("postgres://u:hunter2@db:hunter2/chat", "invalid value for option `port`"),
            ("postgres://u:hunter2@db/chat?hunter=2", "unknown option `hunter`"),
            ("postgres://u:hunter2@db/chat?sslmode=verify-full&sslrootcert=/no/such/file", "/no/such/file"),
        ] {
            let error = parse(url).err().unwrap();
            assert!(error.sentence.contains(part) && !error.sentence.contains("hunter2"), "{}", error.sentence);
            assert!(!error.is_passing);
        }
    }
}
