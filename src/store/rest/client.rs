//! Calls to another server's database API, one at a time, each bounded in time and size. Knows endpoints and JSON, and
//! nothing of jobs; `roomcast api-test` uses it as the store does.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Request, Uri};
use serde_json::Value;
use ureq::{Agent, AsSendBody};

use super::calls::{Calls, Endpoint};

/// The header that the key travels in.
const KEY: &str = "api-key";

/// The largest answer that is taken: the messages of a well-filled room.
const MAX_ANSWER_BYTES: u64 = 16 << 20;

/// What ureq keeps for a connection, for each direction.
const BUFFER_BYTES: usize = 16 << 10;

/// How many connections are kept for the next call.
const IDLE_CONNECTIONS: usize = 4;

/// How long. Short, because a request on a connection that the other side is just closing is lost, and not all may be
/// sent again.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// The pause before a call is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// With less time left, a call is not begun.
const SHORTEST: Duration = Duration::from_millis(10);

/// Where the other server is. Neither key nor password is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// `https://host:port/path`, without a slash at the end; the same text for the same server.
    base: String,
    is_loopback: bool,
}

impl Place {
    /// Reads the URL. The error is the rest of a sentence about it, and does not repeat it: a password may be in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri = url.trim().parse::<Uri>().map_err(|_| "is not valid")?;
        let scheme = match uri.scheme_str() {
            Some(scheme) if scheme == "http" || scheme == "https" => scheme,
            _ => return Err("must begin with http:// or https://".into()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("must not contain a user or a password".into());
        }
        if uri.query().is_some() || url.contains('#') {
            return Err("must end with its path".into());
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err("names no host".into());
        }
        let usual = if scheme == "http" { 80 } else { 443 };
        let port = match authority.as_str().strip_prefix(authority.host()) {
            None | Some("" | ":") => usual,
            Some(_) => authority.port_u16().ok_or("has a port that is not valid")?,
        };
        let port = if port == usual { String::new() } else { format!(":{port}") };
        let base = format!("{scheme}://{host}{port}{}", uri.path().trim_end_matches('/'));
        let address: Result<IpAddr, _> = host.trim_start_matches('[').trim_end_matches(']').parse();
        Ok(Self { base, is_loopback: host == "localhost" || address.is_ok_and(|address| address.is_loopback()) })
    }

    /// The URL that all paths are appended to.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

/// Makes calls, from any number of threads.
pub struct Client {
    agent: Agent,
    place: Place,
    key: Option<HeaderValue>,
    calls: Arc<Calls>,
}

/// What the other server said.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; null if it was not JSON.
    pub body: Value,
    /// How long the last attempt took.
    pub took: Duration,
}

impl Answer {
    /// Whether what was asked is done.
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Failure {
    /// A few words for the operator.
    pub why: String,
    /// How far it came.
    pub how: How,
}

/// How far a call came that has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// The other server has not heard of it.
    NotSent,
    /// It has perhaps, and did not answer in time.
    Late,
    /// It has perhaps, and then the connection broke, or the answer was none that can be read.
    Broken,
}

impl Client {
    /// Opens no connection yet. An empty key is none.
    pub fn new(place: Place, key: &str) -> Result<Self, String> {
        let key = match HeaderValue::try_from(key) {
            Ok(_) if key.is_empty() => None,
            Ok(mut value) => {
                value.set_sensitive(true);
                Some(value)
            }
            Err(_) => return Err("the key can't be sent in a header".into()),
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // The key would go wherever a redirect points to.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("roomcast/", env!("CARGO_PKG_VERSION")))
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .max_idle_age(IDLE_TIME);
        if place.is_loopback {
            // Elsewhere the proxy of the environment is used, as by any client.
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().new_agent(), place, key, calls: Arc::default() })
    }

    /// Where it calls.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The counters of its calls.
    pub fn calls(&self) -> Arc<Calls> {
        Arc::clone(&self.calls)
    }

    /// Asks for something, with this query.
    pub fn read(&self, endpoint: Endpoint, query: &[(&str, i64)], deadline: Instant) -> Result<Answer, Failure> {
        debug_assert!(endpoint.is_safe());
        self.call(endpoint, query, None, deadline)
    }

    /// Has something done. It is never sent twice.
    pub fn send(&self, endpoint: Endpoint, body: &Value, deadline: Instant) -> Result<Answer, Failure> {
        self.call(endpoint, &[], Some(body.to_string()), deadline)
    }

    /// Calls, and once more after a failure if that can do no harm.
    fn call(
        &self,
        endpoint: Endpoint,
        query: &[(&str, i64)],
        body: Option<String>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let first = self.call_once(endpoint, query, body.as_deref(), deadline);
        let is_again = match &first {
            Ok(answer) => endpoint.is_safe() && (502..=504).contains(&answer.status),
            Err(failure) if failure.how == How::NotSent => true,
            Err(failure) => endpoint.is_safe() && failure.how == How::Broken,
        };
        if !is_again || Instant::now() + PAUSE + SHORTEST >= deadline {
            return first;
        }
        thread::sleep(PAUSE);
        self.call_once(endpoint, query, body.as_deref(), deadline)
    }

    fn call_once(
        &self,
        endpoint: Endpoint,
        query: &[(&str, i64)],
        body: Option<&str>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        let left = deadline.saturating_duration_since(started);
        if left < SHORTEST {
            return Err(Failure { why: "no time was left".into(), how: How::NotSent });
        }
        let exchanged = self.exchange(endpoint, query, body, left).map_err(Failure::from);
        let took = started.elapsed();
        let end = exchanged.as_ref().map(|(status, _)| *status).map_err(|failure| failure.why.as_str());
        self.calls.note(endpoint, end, took);
        let (status, bytes) = exchanged?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), took })
    }

    fn exchange(
        &self,
        endpoint: Endpoint,
        query: &[(&str, i64)],
        body: Option<&str>,
        left: Duration,
    ) -> Result<(u16, Vec<u8>), ureq::Error> {
        let mut uri = format!("{}{}", self.place.base, endpoint.path());
        for (place, (name, value)) in query.iter().enumerate() {
            uri.push_str(&format!("{}{name}={value}", if place == 0 { '?' } else { '&' }));
        }
        let mut request = Request::builder().method(endpoint.method()).uri(uri).header(ACCEPT, "application/json");
        if let Some(key) = &self.key {
            request = request.header(KEY, key);
        }
        let response = match body {
            Some(body) => self.run(request.header(CONTENT_TYPE, "application/json").body(body)?, left),
            None => self.run(request.body(())?, left),
        }?;
        let status = response.status().as_u16();
        let bytes = response.into_body().into_with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        Ok((status, bytes))
    }

    fn run(
        &self,
        request: Request<impl AsSendBody>,
        left: Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
    }
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        use ureq::Error;
        let is_unreached = |kind| {
            matches!(
                kind,
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
            )
        };
        let how = match &error {
            Error::Io(error) if is_unreached(error.kind()) => How::NotSent,
            Error::HostNotFound | Error::ConnectionFailed | Error::ConnectProxyFailed(_) | Error::Tls(_) => {
                How::NotSent
            }
            Error::Timeout(_) => How::Late,
            _ => How::Broken,
        };
        let why = match error {
            Error::Timeout(_) => "no answer in time".into(),
            Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => "the connection was refused".into(),
            Error::Io(error) => error.to_string(),
            Error::HostNotFound => "there is no host of that name".into(),
            Error::BodyExceedsLimit(_) => "the answer is too large".into(),
            error => error.to_string(),
        };
        Self { why, how }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_form_and_no_secrets() {
        let base = |url| Place::parse(url).map(|place| place.base);
        assert_eq!(base("http://Host:80/").unwrap(), "http://host");
        assert_eq!(base("https://host:443/api/v1/").unwrap(), "https://host/api/v1");
        assert_eq!(base("HTTP://[::1]:8000").unwrap(), "http://[::1]:8000");
        assert!(Place::parse("http://[::1]:8000").unwrap().is_loopback);
        assert!(Place::parse("http://127.0.0.2").unwrap().is_loopback);
        assert!(!Place::parse("https://localhost.example").unwrap().is_loopback);
        for bad in ["", "host", "ftp://host", "http://", "http://me:hush@host", "http://host?key=hush", "http://h:x"] {
            let sentence = base(bad).unwrap_err();
            assert!(!sentence.contains("hush"), "{bad}: {sentence}");
        }
    }
}
