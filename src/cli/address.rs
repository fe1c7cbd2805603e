//! Where the server is: the URL somebody gives, read and checked. Pure; it looks no name up. What it refuses it does
//! not repeat, because a URL may hold a password.

use std::fmt;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// The server of somebody who names none.
pub(super) const DEFAULT: &str = "ws://127.0.0.1:8000";

/// The action dialect's place on a server.
pub(super) const ACTION_PATH: &str = "/chatserver/connect";

/// A server that can be dialled, and what to ask it for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    /// What the handshake asks for.
    pub(super) uri: Uri,
    /// A name or an address, without brackets.
    pub(super) host: String,
    /// 80 if the URL names none, as for every `ws://`.
    pub(super) port: u16,
}

impl Address {
    /// Reads `ws://HOST[:PORT][/PATH]`, also without the `ws://`; `path` is for a URL that has none.
    pub(super) fn parse(url: &str, path: &'static str) -> Result<Self, String> {
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("wss") => {
                return Err("wss:// is not supported: the URL must begin with ws://".into());
            }
            Some(_) => return Err("the URL must begin with ws://".into()),
            None => url,
        };
        let parts = format!("ws://{rest}").parse::<Uri>().map_err(|wrong| format!("not a URL: {wrong}"))?.into_parts();
        let authority = parts.authority.ok_or("the URL names no host")?;
        if authority.as_str().contains('@') {
            return Err("the URL must not contain a user or a password".into());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("the URL names no host".into());
        }
        let port = port(&authority)?;
        let target = parts.path_and_query.filter(|target| target.path() != "/");
        let uri = Uri::builder()
            .scheme(Scheme::try_from("ws").map_err(|wrong| wrong.to_string())?)
            .authority(authority)
            .path_and_query(target.unwrap_or_else(|| PathAndQuery::from_static(path)))
            .build()
            .map_err(|wrong| format!("not a URL: {wrong}"))?;
        Ok(Self { uri, host, port })
    }
}

fn port(authority: &Authority) -> Result<u16, String> {
    match authority.as_str().strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':')) {
        None => Ok(80),
        Some(port) => port.parse().map_err(|_| "the port of the URL must be a number from 1 to 65535".into()),
    }
}

/// Host and port, and nothing that might be secret.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_filled_in() {
        let cases = [
            (DEFAULT, "ws://127.0.0.1:8000/chatserver/connect", "127.0.0.1", 8000),
            ("localhost:9000", "ws://localhost:9000/chatserver/connect", "localhost", 9000),
            ("localhost", "ws://localhost/chatserver/connect", "localhost", 80),
            ("WS://a:1/", "ws://a:1/chatserver/connect", "a", 1),
            ("ws://a:1/other?x=1", "ws://a:1/other?x=1", "a", 1),
            ("[::1]:8000", "ws://[::1]:8000/chatserver/connect", "::1", 8000),
        ];
        for (url, uri, host, port) in cases {
            let expected = Address { uri: uri.parse().unwrap(), host: host.into(), port };
            assert_eq!(Address::parse(url, ACTION_PATH), Ok(expected), "{url}");
        }
        assert_eq!(Address::parse("[::1]:8000", ACTION_PATH).unwrap().to_string(), "[::1]:8000");
        assert_eq!(Address::parse("a/", "/echo").unwrap().uri, "ws://a/echo");
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_without_repeating_it() {
        let cases = [
            "",
            "ws://",
            "ws://:80",
            ":80",
            "a:",
            "a:99999",
            "a:x",
            "a b",
            "ws:///x",
            "wss://secret:secret@a",
            "http://secret",
            "ws://secret:secret@a",
            "secret@a:1",
            "ws://secret secret/",
            "://secret",
        ];
        for url in cases {
            let sentence = Address::parse(url, ACTION_PATH).expect_err(url);
            assert!(!sentence.contains("secret"), "{url}: {sentence}");
        }
        assert!(Address::parse("wss://a", ACTION_PATH).unwrap_err().starts_with("wss:// is not supported"));
    }
}
