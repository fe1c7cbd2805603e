//! The settings of `roomcast serve`: one table of them all, and how a value is found and checked.
//!
//! A value is taken from the flag, else from the environment variable, else from `.env`, else it is the default. The
//! variable of `--max-message` is `ROOMCAST_MAX_MESSAGE`, and so on. Every error is one sentence that names where the
//! value came from.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use log::LevelFilter;

use crate::origin::{Origin, Origins};

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
    /// How long a closing connection, and all of them at shutdown, may take.
    pub drain: Duration,
    /// Which pages may connect.
    pub origins: Origins,
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
    set: Set,
}

impl Setting {
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
    Setting { flag, value, default, help, set }
}

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
    setting("drain", "TIME", "5s", "time for a closing connection, and for all at shutdown", |config, text| {
        put(&mut config.drain, duration(text))
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
            (setting.set)(&mut config, &text).map_err(|error| format!("{from}: {text:?} {error}"))?;
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
        for (variables, suffix) in [(&self.environment, ""), (&self.file, " in .env")] {
            if let Some(text) = variables.get(&variable) {
                return (text.clone(), format!("{variable}{suffix}"));
            }
            if let Some((text, name)) = from_foreign_names(setting.flag, variables) {
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

/// The names that the servers replaced by this one have for the same things.
fn from_foreign_names(flag: &str, variables: &BTreeMap<String, String>) -> Option<(String, &'static str)> {
    let value = |name| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
    match flag {
        "listen" if value("HOST").is_some() || value("PORT").is_some() => {
            let (host, port) = (value("HOST").unwrap_or("127.0.0.1"), value("PORT").unwrap_or("8000"));
            let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
            let host = if is_bare_ipv6 { format!("[{host}]") } else { host.into() };
            Some((format!("{host}:{port}"), "HOST and PORT"))
        }
        "log" => {
            let debug = value("DEBUG")?.to_ascii_lowercase();
            matches!(debug.as_str(), "1" | "true" | "yes" | "on").then(|| ("debug".into(), "DEBUG"))
        }
        _ => None,
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
            outbox: 0,
            rate: 0,
            burst: 0,
            ping: Duration::ZERO,
            pong: Duration::ZERO,
            handshake: Duration::ZERO,
            drain: Duration::ZERO,
            origins: Origins::default(),
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

fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().map_err(|_| "is not an address such as 127.0.0.1:8000".to_string())?;
    found.into_iter().next().ok_or_else(|| "has no address".into())
}

fn origins(text: &str) -> Result<Origins, String> {
    let mut origins = Origins::default();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if item == "*" {
            origins.any = true;
        } else {
            let origin = Origin::parse(item).ok_or("is not a list of origins such as https://chat.example")?;
            origins.listed.push(origin);
        }
    }
    Ok(origins)
}

pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "is not a whole number in range".into())
}

pub(crate) fn at_least_one<T: PartialEq + From<u8>>(value: T) -> Result<T, String> {
    if value == T::from(0) { Err("must be at least 1".into()) } else { Ok(value) }
}

pub(crate) fn size(text: &str) -> Result<usize, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    scaled(text, &units)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| "is not a size such as 65536, 64KiB or 1MiB".into())
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("", 1_000)];
    let milliseconds = scaled(text, &units).filter(|&ms| (1..=MAX_DURATION_MS).contains(&ms));
    milliseconds.map(Duration::from_millis).ok_or_else(|| "is not a time such as 25s, 500ms or 2m".into())
}

/// A week: far beyond what makes sense, and far from overflowing a clock.
const MAX_DURATION_MS: u64 = 7 * 24 * 3_600_000;

/// A whole number with a unit; the first unit that fits is taken.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim();
    let (_, scale) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    digits.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn the_defaults_are_those_of_the_design() {
        let config = Sources::default().config().unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
        assert_eq!((config.max_message, config.max_head, config.max_headers), (65_536, 16_384, 100));
        assert_eq!((config.outbox, config.max_text), (1_048_576, 16_384));
        assert_eq!((config.rate, config.burst), (100, 200));
        assert_eq!((config.ping.as_secs(), config.pong.as_secs()), (25, 20));
        assert_eq!((config.handshake.as_secs(), config.drain.as_secs()), (10, 5));
        assert!(config.origins.loopback);
    }

    #[test]
    fn flags_beat_the_environment_and_that_beats_the_file() {
        let mut sources = Sources { file: map(&[("ROOMCAST_RATE", "1"), ("PORT", "1111")]), ..Sources::default() };
        assert_eq!(sources.config().unwrap().rate, 1);
        assert_eq!(sources.config().unwrap().listen.port(), 1111);
        sources.environment = map(&[("ROOMCAST_RATE", "2"), ("ROOMCAST_LISTEN", "0.0.0.0:2222"), ("PORT", "3333")]);
        assert_eq!(sources.config().unwrap().rate, 2);
        assert_eq!(sources.config().unwrap().listen.to_string(), "0.0.0.0:2222");
        assert!(!sources.config().unwrap().origins.loopback);
        sources.flags = map(&[("rate", "3")]);
        assert_eq!(sources.config().unwrap().rate, 3);
    }

    #[test]
    fn foreign_names_work_too() {
        let variables = [("HOST", "0.0.0.0"), ("PORT", "9000"), ("DEBUG", "True")];
        let sources = Sources { environment: map(&variables), ..Sources::default() };
        let config = sources.config().unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:9000");
        assert_eq!(config.log, LevelFilter::Debug);
    }

    #[test]
    fn errors_name_the_source_and_the_value() {
        let error = |sources: Sources| sources.config().unwrap_err();
        let cases = [
            ("ROOMCAST_PING", "soon", "ROOMCAST_PING: \"soon\" is not a time such as 25s, 500ms or 2m"),
            ("ROOMCAST_PING", "0s", "ROOMCAST_PING: \"0s\" is not a time such as 25s, 500ms or 2m"),
            ("ROOMCAST_OUTBOX", "-1", "ROOMCAST_OUTBOX: \"-1\" is not a size such as 65536, 64KiB or 1MiB"),
            ("ROOMCAST_OUTBOX", "0", "ROOMCAST_OUTBOX: \"0\" must be at least 1"),
            ("ROOMCAST_RATE", "5000000000", "ROOMCAST_RATE: \"5000000000\" is not a whole number in range"),
            ("ROOMCAST_LISTEN", "here", "ROOMCAST_LISTEN: \"here\" is not an address such as 127.0.0.1:8000"),
            (
                "ROOMCAST_ALLOW_ORIGINS",
                "good.com",
                "ROOMCAST_ALLOW_ORIGINS: \"good.com\" is not a list of origins such as https://chat.example",
            ),
            ("ROOMCAST_LOG", "loud", "ROOMCAST_LOG: \"loud\" must be off, error, warn, info, debug or trace"),
            ("ROOMCAST_PONY", "1", "ROOMCAST_PONY: there is no such setting; roomcast serve --help lists them"),
        ];
        for (variable, value, sentence) in cases {
            assert_eq!(error(Sources { environment: map(&[(variable, value)]), ..Sources::default() }), sentence);
        }
        let flags = Sources { flags: map(&[("burst", "0")]), ..Sources::default() };
        assert_eq!(error(flags), "--burst: \"0\" must be at least 1");
        let file = Sources { file: map(&[("ROOMCAST_RATE", "x")]), ..Sources::default() };
        assert_eq!(error(file), "ROOMCAST_RATE in .env: \"x\" is not a whole number in range");
    }

    #[test]
    fn sizes_and_times() {
        assert_eq!((size("64KiB"), size("1 mib"), size("7")), (Ok(65_536), Ok(1_048_576), Ok(7)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), duration("120"));
        for bad in ["", "s", "1.5s", "1x", "99999999999999999999", "8000000h", "é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
