//! Which web pages may speak to the server: the check against cross-site WebSocket hijacking.
//!
//! A browser sends the page's origin and lets no script change it. Other programs send none, or what they like; so
//! this protects browsers' users from foreign pages, and nothing else.

use std::fmt;
use std::net::IpAddr;

use http::header::{HOST, HeaderMap, ORIGIN};
use http::uri::{Authority, Scheme, Uri};

/// `scheme://host:port`, host in lower case, the scheme's own port where none is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an `http` or `https` origin. Nothing may follow the port.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme()?.clone();
        let authority = uri.authority()?;
        // A path of "/" is what `Uri` makes of none, so the text itself has to be asked.
        let is_bare = uri.query().is_none() && uri.path() == "/" && !text.ends_with('/') && !text.contains('#');
        if !is_bare || authority.as_str().contains('@') {
            return None;
        }
        let (host, port) = host_and_port(authority, &scheme)?;
        Some(Self { scheme, host, port })
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

fn host_and_port(authority: &Authority, scheme: &Scheme) -> Option<(String, u16)> {
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let known = *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP;
    let port = match authority.port() {
        Some(port) => port.as_str().parse().ok()?,
        // Of a port that is no number nothing is said.
        None if authority.as_str() == authority.host() => default,
        None => return None,
    };
    known.then(|| (authority.host().to_ascii_lowercase(), port))
}

/// The origins that may connect.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Origins {
    /// Besides those of the same host.
    pub listed: Vec<Origin>,
    /// Every origin is welcome.
    pub any: bool,
    /// Pages served from this machine are welcome, whatever their port: for as long as only this machine can
    /// reach the server.
    pub loopback: bool,
}

impl Origins {
    /// Whether a request with these headers may go on.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        if self.any {
            return true;
        }
        let only = origins.next().is_none();
        let Some(origin) = origin.to_str().ok().filter(|_| only).and_then(Origin::parse) else { return false };
        self.listed.contains(&origin) || (self.loopback && origin.is_loopback()) || is_same_host(&origin, headers)
    }
}

fn is_same_host(origin: &Origin, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse::<Authority>().ok());
    // A proxy that ends TLS passes on the host and not the scheme, so the origin's own decides the default port.
    host.and_then(|host| host_and_port(&host, &origin.scheme))
        .is_some_and(|(host, port)| host == origin.host && port == origin.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &Origins, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        origins.allow(&headers)
    }

    #[test]
    fn who_may_and_who_may_not() {
        let listed = vec![Origin::parse("https://good.com").unwrap()];
        let origins = Origins { listed, any: false, loopback: false };
        let cases = [
            (None, true),
            (Some("http://chat.example"), true),
            (Some("https://chat.example"), true),
            (Some("HTTP://CHAT.EXAMPLE"), true),
            (Some("http://chat.example:8000"), false),
            (Some("https://good.com"), true),
            (Some("https://GOOD.com:443"), true),
            (Some("http://good.com"), false),
            (Some("https://good.com.evil.com"), false),
            (Some("https://evilgood.com"), false),
            (Some("https://good.com@evil.com"), false),
            (Some("https://good.com:443.evil.com"), false),
            (Some("https://good.com:"), false),
            (Some("https://good.com#https://evil.com"), false),
            (Some("https://evil.com/https://good.com"), false),
            (Some("http://localhost:3000"), false),
            (Some("null"), false),
            (Some(""), false),
            (Some("file://"), false),
        ];
        for (origin, expected) in cases {
            assert_eq!(allowed(&origins, "chat.example", origin), expected, "{origin:?}");
        }
    }

    #[test]
    fn pages_of_this_machine_on_a_loopback_listener() {
        let origins = Origins { loopback: true, ..Origins::default() };
        for origin in ["http://localhost:3000", "http://127.0.0.1", "http://127.8.9.1:1", "http://[::1]:5173"] {
            assert!(allowed(&origins, "127.0.0.1:8000", Some(origin)), "{origin}");
        }
        for origin in ["http://localhost.evil.com", "http://127.0.0.1:80.evil.com", "http://128.0.0.1", "null"] {
            assert!(!allowed(&origins, "127.0.0.1:8000", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, "http://a".parse().unwrap());
        headers.append(ORIGIN, "http://b".parse().unwrap());
        headers.append(HOST, "a".parse().unwrap());
        assert!(!Origins::default().allow(&headers));
    }
}
