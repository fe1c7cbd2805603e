//! Which web pages may speak to the server: the check against cross-site WebSocket hijacking.
//!
//! A browser sends the page's origin and lets no script change it. Other programs send none, or what they like; so
//! this protects browsers' users from foreign pages, and nothing else.

use std::fmt;
use std::net::IpAddr;

use http::Request;
use http::header::ORIGIN;
use http::uri::{Authority, Scheme, Uri};

use crate::proxy::{is_from_here, site};

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
    /// Whether this request may go on.
    pub fn allow(&self, request: &Request<()>) -> bool {
        let mut origins = request.headers().get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        if self.any {
            return true;
        }
        let only = origins.next().is_none();
        let Some(origin) = origin.to_str().ok().filter(|_| only).and_then(Origin::parse) else { return false };
        // What a browser elsewhere calls its own machine is not ours.
        let is_from_here = || self.loopback && origin.is_loopback() && is_from_here(request);
        self.listed.contains(&origin) || is_from_here() || is_of_site(&origin, request)
    }
}

fn is_of_site(origin: &Origin, request: &Request<()>) -> bool {
    let (scheme, host) = site(request);
    // A proxy that ends TLS may pass on the host and not the scheme: then the origin's own decides the default port.
    let scheme = scheme.unwrap_or_else(|| origin.scheme.clone());
    let site = host.and_then(|host| host_and_port(&host, &scheme)).map(|(host, port)| Origin { scheme, host, port });
    site.as_ref() == Some(origin)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use http::header::HOST;

    use super::*;
    use crate::proxy::Proxies;

    fn allowed(origins: &Origins, host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::builder().header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        origins.allow(&request.body(()).unwrap())
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
        let request = Request::builder().header(ORIGIN, "http://a").header(ORIGIN, "http://b").header(HOST, "a");
        assert!(!Origins::default().allow(&request.body(()).unwrap()));
    }

    #[test]
    fn a_trusted_proxy_says_what_was_asked() {
        let allowed = |trusted: &str, proto: &str, origin: &str| {
            let headers = [(HOST, "inside:8000"), (ORIGIN, origin)];
            let forwarded = [("x-forwarded-proto", proto), ("x-forwarded-host", "chat.example")];
            let request = Request::builder().header("x-forwarded-for", "203.0.113.9");
            let request = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
            let request = forwarded.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let mut request = request.body(()).unwrap();
            Proxies::parse(trusted).unwrap().note(Ipv4Addr::LOCALHOST.into(), &mut request);
            Origins { loopback: true, ..Origins::default() }.allow(&request)
        };
        assert!(allowed("127.0.0.1", "https", "https://chat.example"));
        assert!(allowed("127.0.0.1", "http", "http://chat.example"));
        // The same host by another scheme is another site, and a page of the visitor's machine is none of ours.
        assert!(!allowed("127.0.0.1", "https", "http://chat.example"));
        assert!(!allowed("127.0.0.1", "https", "http://inside:8000"));
        assert!(!allowed("127.0.0.1", "https", "http://localhost:3000"));
        // From others it means nothing.
        assert!(!allowed("10.0.0.1", "https", "https://chat.example"));
        assert!(allowed("10.0.0.1", "https", "http://inside:8000"));
    }
}
