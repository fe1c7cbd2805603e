//! Which server a URL names, and how it is connected to.

use std::fs;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use rustls::crypto::ring;

use super::super::OpenError;

/// What the option for a certificate is called, as in redis-py.
const ROOTS: &str = "ssl_ca_certs";

/// A server, and a database on it.
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) database: i64,
    /// What it is called in sentences for the operator; no password.
    pub(super) description: String,
}

impl Target {
    /// Reads a URL. What is wrong is said without repeating it.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let (place, roots) = take_roots(url)?;
        let unreadable = |_| OpenError::lasting(UNREADABLE);
        let info = place.as_str().into_connection_info().map_err(unreadable)?;
        let tcp = TcpSettings::default().set_nodelay(true);
        let info: ConnectionInfo = info.set_tcp_settings(tcp);
        let (database, description) = (info.redis_settings().db(), description(&info)?);
        let client = match roots {
            None => Client::open(info),
            Some(path) => {
                let unusable =
                    |why: String| OpenError::lasting(format!("the certificates in {path} can't be used: {why}"));
                let root_cert = fs::read(&path).map_err(|error| unusable(error.to_string()))?;
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
                Ok(Client::build_with_tls(info, certificates).map_err(|error| unusable(error.to_string()))?)
            }
        };
        // More than one may be compiled in. If somebody has chosen one already, that is as good.
        let _ = ring::default_provider().install_default();
        Ok(Self { client: client.map_err(unreadable)?, database, description })
    }
}

const UNREADABLE: &str = "the broker URL is not like redis://:PASSWORD@HOST:6379/0";

fn description(info: &ConnectionInfo) -> Result<String, OpenError> {
    let database = info.redis_settings().db();
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, insecure: false, .. } => {
            Ok(format!("the Redis database {database} at {host}:{port}"))
        }
        ConnectionAddr::TcpTls { .. } => Err(OpenError::lasting("the broker URL must not ask for #insecure")),
        _ => Err(OpenError::lasting(UNREADABLE)),
    }
}

/// Takes the path of the certificates to trust out of the URL's options. The library knows no such option.
fn take_roots(url: &str) -> Result<(String, Option<String>), OpenError> {
    let Some((place, options)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let is_root = |option: &&str| option.split_once('=').is_some_and(|(name, _)| name == ROOTS);
    let (roots, others): (Vec<&str>, Vec<&str>) = options.split('&').partition(is_root);
    let Some((_, path)) = roots.last().and_then(|option| option.split_once('=')) else {
        return Ok((url.to_owned(), None));
    };
    if !place.to_ascii_lowercase().starts_with("rediss:") {
        return Err(OpenError::lasting(format!("the broker URL's {ROOTS} is for rediss:// alone")));
    }
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let rest = if others.is_empty() { place.to_owned() } else { format!("{place}?{}", others.join("&")) };
    Ok((rest, Some(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read() {
        for (url, description, database) in [
            ("redis://db", "the Redis database 0 at db:6379", 0),
            ("redis://:hunter2@db:6380/3", "the Redis database 3 at db:6380", 3),
            ("rediss://user:hunter%2F2@db/1", "the Redis database 1 at db:6379", 1),
            ("REDIS://[::1]:7", "the Redis database 0 at ::1:7", 0),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.description.as_str(), target.database), (description, database), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_url_is_said_without_its_password() {
        for (url, part) in [
            ("redis://", "not like redis://"),
            ("redis://:hunter2@db/hunter2", "not like redis://"),
            ("redis://:hunter2@db:hunter2", "not like redis://"),
            ("redis://:hunter2/x@db/0", "not like redis://"),
            ("rediss://:hunter2@db/0#insecure", "#insecure"),
            ("redis://:hunter2@db/0?ssl_ca_certs=/no/such/file", "for rediss:// alone"),
            ("rediss://:hunter2@db/0?ssl_ca_certs=/no/such/file", "/no/such/file"),
        ] {
            let error = Target::parse(url).err().unwrap();
            assert!(error.sentence.contains(part) && !error.sentence.contains("hunter2"), "{}", error.sentence);
            assert!(!error.is_passing);
        }
    }
}
