//! The settings of `roomcast serve`: one table of them all, and how a value is found and checked.
//!
//! A value is taken from the flag, else from the environment variable, else from `.env`, else it is the default. The
//! variable of `--max-message` is `ROOMCAST_MAX_MESSAGE`, and so on. Every error is one sentence that names where the
//! value came from.

mod foreign;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use log::LevelFilter;

use crate::origin::Origins;
use crate::proxy::Proxies;
pub use values::{Durability, Presence, Secret, Vocabulary};
use values::{address, durability, key, origins, pause, presence, proxies, vocabulary, yes_or_no};
pub(crate) use values::{at_least_one, duration, number, size};

/// What all variables of this program begin with.
pub const PREFIX: &str = "ROOMCAST_";

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How many connections there may be.
    pub max_connections: usize,
    /// The largest frame and message, in bytes.
    pub max_message: usize,
    /// The longest text that may be said, in bytes.
    pub max_text: usize,
    /// The largest request head, in bytes.
    pub max_head: usize,
    /// The largest number of headers.
    pub max_headers: usize,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// The most that a connection may be owed, in bytes.
    pub outbox: usize,
    /// Messages per second and connection; 0 is no limit.
    pub rate: u32,
    /// How many messages may come at once after a pause.
    pub burst: u32,
    /// How long a connection is left alone before it is pinged.
    pub ping: Duration,
    /// Within what time a ping must be answered.
    pub pong: Duration,
    /// Within what time a request or upgrade must be complete.
    pub handshake: Duration,
    /// How long all is served as before after the signal to end, while balancers learn of it.
    pub linger: Duration,
    /// How long a closing connection, and all of them at shutdown, may take.
    pub drain: Duration,
    /// Which pages may connect.
    pub origins: Origins,
    /// Who is believed when it says for whom it asks.
    pub trust_proxies: Proxies,
    /// Where things are kept: the URL of a store, or empty for none. It may hold a password.
    pub database: Secret,
    /// The store's schema is made and brought up to date at the start; else it is only checked.
    pub migrate: bool,
    /// What is acknowledged outlives a power cut, and not only the process.
    pub durability: Durability,
    /// How long the start waits for the store.
    pub store_wait: Duration,
    /// How long a request waits for the store.
    pub store_patience: Duration,
    /// How many requests may wait for the store.
    pub store_queue: usize,
    /// Where nodes meet: the URL of a broker, or empty for a node that is alone. It may hold a password.
    pub broker: Secret,
    /// How long the start waits for the broker.
    pub broker_wait: Duration,
    /// What programs show to use the database API and the event dialect; empty for none.
    pub api_key: Secret,
    /// What the upstream store wants to be shown; empty for none.
    pub upstream_key: Secret,
    /// What tokens are signed with, and checked; empty for none.
    pub jwt_secret: Secret,
    /// What tokens were signed with before, and may be still; empty for none.
    pub jwt_previous_secret: Secret,
    /// The path of the public key that tokens are checked with; empty for none.
    pub jwt_public_key: String,
    /// The path of the public key for tokens that were signed before; empty for none.
    pub jwt_previous_public_key: String,
    /// Who must have signed a token; empty for anybody who can.
    pub jwt_issuer: String,
    /// For whom a token must be; empty for anybody.
    pub jwt_audience: String,
    /// What Socket.IO clients speak on the main namespace.
    pub socketio_vocabulary: Vocabulary,
    /// Who is told who is here.
    pub presence: Presence,
    /// Socket.IO clients that come back get what they missed.
    pub recovery: bool,
    /// Within what time a Socket.IO client must have joined a namespace.
    pub connect: Duration,
    /// How many rooms there may be.
    pub max_rooms: usize,
    /// How many rooms a session may be in.
    pub max_rooms_joined: usize,
    /// How many durable rooms a user may have made.
    pub max_rooms_owned: usize,
    /// What is logged.
    pub log: LevelFilter,
}

/// One line of the table.
pub struct Setting {
    /// The flag's name, without dashes.
    pub flag: &'static str,
    /// What stands for the value in the help.
    pub value: &'static str,
    /// The default, as it would be written.
    pub default: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Its value is not to be shown, not even in an error.
    pub is_secret: bool,
    set: Set,
}

impl Setting {
    /// Its value is not to be shown.
    const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.flag.to_ascii_uppercase().replace('-', "_"))
    }
}

type Set = fn(&mut Config, &str) -> Result<(), String>;

const fn setting(
    flag: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
    set: Set,
) -> Setting {
    Setting { flag, value, default, help, is_secret: false, set }
}

/// What `DATABASE_URL` is where nothing is said.
const DEFAULT_DATABASE: &str = if cfg!(feature = "sqlite") { "sqlite:roomcast.db" } else { "none" };

/// All settings, in the order of the help.
pub static SETTINGS: &[Setting] = &[
    setting("listen", "ADDRESS", "127.0.0.1:8000", "where to listen; port 0 takes a free one", |config, text| {
        put(&mut config.listen, address(text))
    }),
    setting(
        "allow-origins",
        "LIST",
        "",
        "origins of pages that may connect besides the same host's, or *",
        |config, text| put(&mut config.origins, origins(text)),
    ),
    setting(
        "trust-proxies",
        "LIST",
        "",
        "proxies whose X-Forwarded-For, -Proto and -Host are believed: addresses and networks",
        |config, text| put(&mut config.trust_proxies, proxies(text)),
    ),
    setting(
        "max-connections",
        "N",
        "auto",
        "connections at once; auto: what the open-file limit leaves",
        |config, text| {
            let any = (text == "auto").then_some(usize::MAX);
            put(&mut config.max_connections, any.map_or_else(|| number(text).and_then(at_least_one), Ok))
        },
    ),
    setting("max-message", "SIZE", "64KiB", "largest frame and message", |config, text| {
        put(&mut config.max_message, size(text).and_then(at_least_one))
    }),
    setting("max-text", "SIZE", "16KiB", "longest text that may be said", |config, text| {
        put(&mut config.max_text, size(text).and_then(at_least_one))
    }),
    setting("max-head", "SIZE", "16KiB", "largest request head", |config, text| {
        put(&mut config.max_head, size(text).and_then(at_least_one))
    }),
    setting("max-headers", "N", "100", "most headers in a request", |config, text| {
        put(&mut config.max_headers, number(text).and_then(at_least_one))
    }),
    setting("max-body", "SIZE", "64KiB", "largest request body", |config, text| {
        put(&mut config.max_body, size(text).and_then(at_least_one))
    }),
    setting("outbox", "SIZE", "1MiB", "most that a connection may be owed", |config, text| {
        put(&mut config.outbox, size(text).and_then(at_least_one))
    }),
    setting("rate", "N", "100", "messages per second and connection; 0 is no limit", |config, text| {
        put(&mut config.rate, number(text))
    }),
    setting("burst", "N", "200", "messages at once after a pause", |config, text| {
        put(&mut config.burst, number(text).and_then(at_least_one))
    }),
    setting("ping", "TIME", "25s", "time between pings", |config, text| put(&mut config.ping, duration(text))),
    setting("pong", "TIME", "20s", "time to answer a ping", |config, text| put(&mut config.pong, duration(text))),
    setting("handshake", "TIME", "10s", "time for a request or upgrade to be complete", |config, text| {
        put(&mut config.handshake, duration(text))
    }),
    setting(
        "linger",
        "TIME",
        "0s",
        "time to serve on after the signal to end, with /ready at 503, for balancers to see it",
        |config, text| put(&mut config.linger, pause(text)),
    ),
    setting("drain", "TIME", "5s", "time for a closing connection, and for all at shutdown", |config, text| {
        put(&mut config.drain, duration(text))
    }),
    setting(
        "database",
        "URL",
        DEFAULT_DATABASE,
        "where things are kept: sqlite:PATH, sqlite::memory:, https://…, or none",
        |config, text| put(&mut config.database, Ok(Secret(if text == "none" { "" } else { text }.into()))),
    )
    .secret(),
    setting(
        "migrate",
        "YES",
        "yes",
        "bring the store's schema up to date at the start; --no-migrate is --migrate no",
        |config, text| put(&mut config.migrate, yes_or_no(text)),
    ),
    setting(
        "durability",
        "LEVEL",
        "full",
        "what a commit outlives: full, a power cut; normal, the process",
        |config, text| put(&mut config.durability, durability(text)),
    ),
    setting("store-wait", "TIME", "30s", "time to wait for the store at the start", |config, text| {
        put(&mut config.store_wait, duration(text))
    }),
    setting("store-patience", "TIME", "3s", "time that a request may wait for the store", |config, text| {
        put(&mut config.store_patience, duration(text))
    }),
    setting("store-queue", "N", "4096", "requests that may wait for the store", |config, text| {
        put(&mut config.store_queue, number(text).and_then(at_least_one))
    }),
    setting(
        "broker",
        "URL",
        "",
        "where several nodes meet to be one chat: redis://:PASSWORD@HOST:PORT/DB, or rediss:// for TLS",
        |config, text| put(&mut config.broker, Ok(Secret(if text == "none" { "" } else { text }.into()))),
    )
    .secret(),
    setting("broker-wait", "TIME", "30s", "time to wait for the broker at the start", |config, text| {
        put(&mut config.broker_wait, duration(text))
    }),
    setting("api-key", "KEY", "", "what the event dialect and the database API ask for", |config, text| {
        put(&mut config.api_key, key(text))
    })
    .secret(),
    setting("upstream-key", "KEY", "", "what is shown to a store that is another server", |config, text| {
        put(&mut config.upstream_key, key(text))
    })
    .secret(),
    setting("jwt-secret", "SECRET", "", "what tokens are signed with, at least 32 bytes", |config, text| {
        put(&mut config.jwt_secret, Ok(Secret(text.into())))
    })
    .secret(),
    setting(
        "jwt-previous-secret",
        "SECRET",
        "",
        "what tokens were signed with before, and are still taken with",
        |config, text| put(&mut config.jwt_previous_secret, Ok(Secret(text.into()))),
    )
    .secret(),
    setting(
        "jwt-public-key",
        "PATH",
        "",
        "PEM file with the public key for tokens signed elsewhere: RSA, P-256 or Ed25519",
        |config, text| put(&mut config.jwt_public_key, Ok(text.into())),
    ),
    setting("jwt-previous-public-key", "PATH", "", "the same for the key in use before", |config, text| {
        put(&mut config.jwt_previous_public_key, Ok(text.into()))
    }),
    setting("jwt-issuer", "NAME", "", "the issuer that tokens must name (iss)", |config, text| {
        put(&mut config.jwt_issuer, Ok(text.into()))
    }),
    setting("jwt-audience", "NAME", "", "the audience that tokens must name (aud)", |config, text| {
        put(&mut config.jwt_audience, Ok(text.into()))
    }),
    setting(
        "socketio-vocabulary",
        "WORDS",
        "auto",
        "events of Socket.IO's main namespace: conversation, chat, or auto for what the client speaks",
        |config, text| put(&mut config.socketio_vocabulary, vocabulary(text)),
    ),
    setting(
        "presence",
        "WHOM",
        "shared",
        "who is told that a user is here: shared, who has a private room with them; all, everybody",
        |config, text| put(&mut config.presence, presence(text)),
    ),
    setting("recovery", "YES", "yes", "send Socket.IO clients that come back what they missed", |config, text| {
        put(&mut config.recovery, yes_or_no(text))
    }),
    setting("connect", "TIME", "45s", "time for a Socket.IO client to join a namespace", |config, text| {
        put(&mut config.connect, duration(text))
    }),
    setting("max-rooms", "N", "100000", "rooms at once", |config, text| {
        put(&mut config.max_rooms, number(text).and_then(at_least_one))
    }),
    setting("max-rooms-joined", "N", "100", "rooms that a session may be in", |config, text| {
        put(&mut config.max_rooms_joined, number(text).and_then(at_least_one))
    }),
    setting("max-rooms-owned", "N", "1000", "durable rooms that a user may have made", |config, text| {
        put(&mut config.max_rooms_owned, number(text).and_then(at_least_one))
    }),
    setting("log", "LEVEL", "info", "off, error, warn, info, debug or trace", |config, text| {
        let level = text.parse().map_err(|_| "must be off, error, warn, info, debug or trace".into());
        put(&mut config.log, level)
    }),
];

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

/// The setting of that flag.
pub fn by_flag(flag: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.flag == flag)
}

/// Where values come from, the strongest first.
#[derive(Default)]
pub struct Sources {
    /// From the command line, by flag.
    pub flags: BTreeMap<String, String>,
    /// The process's environment.
    pub environment: BTreeMap<String, String>,
    /// The file `.env`.
    pub file: BTreeMap<String, String>,
}

impl Sources {
    /// Finds and checks every value.
    pub fn config(&self) -> Result<Config, String> {
        self.reject_unknown_variables()?;
        let mut config = Config::unset();
        for setting in SETTINGS {
            let (text, from) = self.value_of(setting);
            (setting.set)(&mut config, &text).map_err(|error| match setting.is_secret {
                true => format!("{from}: the value {error}"),
                false => format!("{from}: {text:?} {error}"),
            })?;
        }
        config.origins.loopback = config.listen.ip().is_loopback();
        Ok(config)
    }

    /// The value, and what to call its source in an error.
    fn value_of(&self, setting: &Setting) -> (String, String) {
        let variable = setting.variable();
        if let Some(text) = self.flags.get(setting.flag) {
            return (text.clone(), format!("--{}", setting.flag));
        }
        let none = BTreeMap::new();
        for (variables, weaker, suffix) in [(&self.environment, &self.file, ""), (&self.file, &none, " in .env")] {
            if let Some(text) = variables.get(&variable) {
                return (text.clone(), format!("{variable}{suffix}"));
            }
            if let Some((text, name)) = foreign::value(setting.flag, variables, weaker) {
                return (text, format!("{name}{suffix}"));
            }
        }
        (setting.default.into(), format!("the default of --{}", setting.flag))
    }

    fn reject_unknown_variables(&self) -> Result<(), String> {
        for (variables, suffix) in [(&self.environment, ""), (&self.file, " in .env")] {
            let own = variables.keys().filter(|name| name.starts_with(PREFIX));
            for name in own {
                if !SETTINGS.iter().any(|setting| setting.variable() == **name) {
                    return Err(format!("{name}{suffix}: there is no such setting; roomcast serve --help lists them"));
                }
            }
        }
        Ok(())
    }
}

impl Config {
    /// Holds the place of values that the table sets before anybody looks at them.
    fn unset() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            max_connections: 0,
            max_message: 0,
            max_text: 0,
            max_head: 0,
            max_headers: 0,
            max_body: 0,
            outbox: 0,
            rate: 0,
            burst: 0,
            ping: Duration::ZERO,
            pong: Duration::ZERO,
            handshake: Duration::ZERO,
            linger: Duration::ZERO,
            drain: Duration::ZERO,
            origins: Origins::default(),
            trust_proxies: Proxies::default(),
            database: Secret::default(),
            migrate: true,
            durability: Durability::Full,
            store_wait: Duration::ZERO,
            store_patience: Duration::ZERO,
            store_queue: 0,
            broker: Secret::default(),
            broker_wait: Duration::ZERO,
            api_key: Secret::default(),
            upstream_key: Secret::default(),
            jwt_secret: Secret::default(),
            jwt_previous_secret: Secret::default(),
            jwt_public_key: String::new(),
            jwt_previous_public_key: String::new(),
            jwt_issuer: String::new(),
            jwt_audience: String::new(),
            socketio_vocabulary: Vocabulary::Auto,
            presence: Presence::Shared,
            recovery: true,
            connect: Duration::ZERO,
            max_rooms: 0,
            max_rooms_joined: 0,
            max_rooms_owned: 0,
            log: LevelFilter::Info,
        }
    }
}

impl Default for Config {
    /// The default of every setting, whatever the environment says.
    fn default() -> Self {
        let mut config = Self::unset();
        for setting in SETTINGS {
            let set = (setting.set)(&mut config, setting.default);
            debug_assert!(set.is_ok(), "the default of --{} is not valid", setting.flag);
        }
        config.origins.loopback = config.listen.ip().is_loopback();
        config
    }
}

#[cfg(test)]
mod tests;
