//! The names that other servers have for settings. They are weaker than this program's own.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::values::yes_or_no;

/// The names that the servers replaced by this one have for the same things. Of HOST and PORT, and of those for Redis, what
/// is not among the variables may be among the weaker ones.
pub(super) fn value(
    flag: &str,
    variables: &BTreeMap<String, String>,
    weaker: &BTreeMap<String, String>,
) -> Option<(String, &'static str)> {
    let find =
        |name, variables: &BTreeMap<String, String>| variables.get(name).filter(|value| !value.is_empty()).cloned();
    let value = |name| find(name, variables);
    let part = |name, default: &str| value(name).or_else(|| find(name, weaker)).unwrap_or(default.into());
    match flag {
        "listen" if value("HOST").is_some() || value("PORT").is_some() => {
            let (host, port) = (part("HOST", "127.0.0.1"), part("PORT", "8000"));
            Some((format!("{}:{port}", bracketed(host)), "HOST and PORT"))
        }
        "listen" => value("SHELLO_WS_PORT").map(|port| (format!("127.0.0.1:{port}"), "SHELLO_WS_PORT")),
        "database" => {
            let names = ["DATABASE_URL", "SHELLO_API_URL"];
            names.into_iter().find_map(|name| Some((value(name)?, name)))
        }
        "upstream-key" => value("SHELLO_API_KEY").map(|key| (key, "SHELLO_API_KEY")),
        "broker" if value("REDIS_URL").is_some() => Some((value("REDIS_URL")?, "REDIS_URL")),
        // The host alone says that there is one.
        "broker" if REDIS.into_iter().any(|name| value(name).is_some()) => {
            let host = Some(part("REDIS_HOST", "")).filter(|host| !host.is_empty())?;
            let password = part("REDIS_PASSWORD", "");
            let password = if password.is_empty() { password } else { format!(":{}@", encoded(&password)) };
            let (port, database) = (part("REDIS_PORT", "6379"), part("REDIS_DB", "0"));
            Some((format!("redis://{password}{}:{port}/{database}", bracketed(host)), "REDIS_HOST"))
        }
        "log" => {
            // Other programs take it for other things: what is neither yes nor no is not meant for us.
            let level = if yes_or_no(&value("DEBUG")?).ok()? { "debug" } else { "info" };
            Some((level.into(), "DEBUG"))
        }
        _ => None,
    }
}

/// The parts of a URL, each of which may be missing.
const REDIS: [&str; 4] = ["REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD"];

fn encoded(password: &str) -> String {
    utf8_percent_encode(password, NON_ALPHANUMERIC).to_string()
}

/// A host as it stands before a port.
fn bracketed(host: String) -> String {
    let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
    if is_bare_ipv6 { format!("[{host}]") } else { host }
}
