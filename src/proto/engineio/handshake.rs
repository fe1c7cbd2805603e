//! What a session begins with: its id, the server's first packet, and the query of a client's request.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;

use super::Carriage;

const SID_BYTES: usize = 16;
const SID_CHARACTERS: usize = 22;

/// The id of a session. Whoever knows it can speak and hear in the session's place: it goes to its client alone, and
/// not into a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; SID_BYTES]);

impl Sid {
    /// An id of these bytes, which nobody must be able to guess.
    pub const fn new(random: [u8; SID_BYTES]) -> Self {
        Self(random)
    }

    /// Reads the form that [`fmt::Display`] writes, and no other.
    pub fn parse(text: &str) -> Option<Self> {
        // Fewer characters would leave bytes out. Bits beyond the last byte, which would be a second form, are refused.
        if text.len() != SID_CHARACTERS {
            return None;
        }
        let mut bytes = [0; SID_BYTES];
        URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64Display::new(&self.0, &URL_SAFE_NO_PAD).fmt(f)
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(..)")
    }
}

/// What the server tells at the beginning of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// The session's id.
    pub sid: Sid,
    /// Whether the client may change to a WebSocket: not if it has one already.
    pub upgrades: bool,
    /// How long after a pong the next ping comes.
    pub ping_interval_ms: u64,
    /// How long the client has for a pong.
    pub ping_timeout_ms: u64,
    /// The largest body of a POST, and the largest WebSocket message.
    pub max_payload: usize,
}

impl Handshake {
    /// Appends the open packet.
    pub fn write(&self, wire: &mut Vec<u8>, carriage: Carriage) {
        let upgrades = if self.upgrades { r#"["websocket"]"# } else { "[]" };
        let Self { sid, ping_interval_ms, ping_timeout_ms, max_payload, .. } = self;
        let open = format!(
            "0{{\"sid\":\"{sid}\",\"upgrades\":{upgrades},\"pingInterval\":{ping_interval_ms},\
             \"pingTimeout\":{ping_timeout_ms},\"maxPayload\":{max_payload}}}"
        );
        carriage.packet(wire, |wire| wire.extend_from_slice(open.as_bytes()));
    }
}

/// What a request's query says. Of equal keys the first one counts, others are ignored, and what is empty counts as
/// absent.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Query<'a> {
    /// `EIO`: the version of the protocol.
    pub version: Option<Cow<'a, str>>,
    /// `transport`, as it stands there.
    pub transport: Option<Cow<'a, str>>,
    /// `sid`, as it stands there.
    pub sid: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads a query, without the question mark.
    pub fn read(query: &'a str) -> Self {
        let mut read = [const { None }; 3];
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let field = match &*decode(key) {
                "EIO" => &mut read[0],
                "transport" => &mut read[1],
                "sid" => &mut read[2],
                _ => continue,
            };
            field.get_or_insert_with(|| decode(value));
        }
        let [version, transport, sid] = read.map(|value| value.filter(|value| !value.is_empty()));
        Self { version, transport, sid }
    }

    /// Whether the client speaks the version of the protocol that is spoken here.
    pub fn is_version_4(&self) -> bool {
        self.version.as_deref() == Some("4")
    }

    /// The transport that is asked for, if it exists.
    pub fn carriage(&self) -> Option<Carriage> {
        match self.transport.as_deref()? {
            "polling" => Some(Carriage::Polling),
            "websocket" => Some(Carriage::WebSocket),
            _ => None,
        }
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sid = self.sid.as_ref().map(|_| "..");
        f.debug_struct("Query")
            .field("version", &self.version)
            .field("transport", &self.transport)
            .field("sid", &sid)
            .finish()
    }
}

/// What is not UTF-8 can't be any value that is known here, so it may come out as something else.
fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form() {
        let mut random = fastrand::Rng::with_seed(14);
        for _ in 0..2_000 {
            let mut bytes = [0; SID_BYTES];
            random.fill(&mut bytes);
            let sid = Sid::new(bytes);
            let text = sid.to_string();
            assert_eq!((text.len(), Sid::parse(&text)), (SID_CHARACTERS, Some(sid)));
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
            // The last character has four bits that belong to no byte.
            let spoilt: String = text[..21].chars().chain(['B']).collect();
            assert_eq!(Sid::parse(&spoilt), None);
        }
        for other in
            ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA=", "+AAAAAAAAAAAAAAAAAAAAA"]
        {
            assert_eq!(Sid::parse(other), None, "{other}");
        }
        for other in ["__proto__", "constructor", "ääääääääääÿ", "AAAAAAAAAAAAAAAAAAAA=="] {
            assert_eq!(Sid::parse(other), None, "{other}");
        }
        assert!(Sid::parse("AAAAAAAAAAAAAAAAAAAAAA").is_some());
    }

    #[test]
    fn ids_are_not_shown_by_accident() {
        let sid = Sid::new([7; SID_BYTES]);
        let text = sid.to_string();
        let query = format!("sid={text}");
        let handshake = Handshake { sid, upgrades: true, ping_interval_ms: 1, ping_timeout_ms: 1, max_payload: 1 };
        for shown in [format!("{sid:?}"), format!("{:?}", Query::read(&query)), format!("{handshake:?}")] {
            assert!(!shown.contains(&text) && shown.contains(".."), "{shown}");
        }
    }

    #[test]
    fn the_open_packet_has_five_keys() {
        let sid = Sid::new([0xff; SID_BYTES]);
        let mut handshake = Handshake {
            sid,
            upgrades: true,
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            max_payload: 1_000_000,
        };
        let mut wire = Vec::new();
        handshake.write(&mut wire, Carriage::Polling);
        let expected = "\x1e0{\"sid\":\"_____________________w\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
                        \"pingTimeout\":20000,\"maxPayload\":1000000}";
        assert_eq!(String::from_utf8_lossy(&wire), expected);
        handshake.upgrades = false;
        wire.clear();
        handshake.write(&mut wire, Carriage::WebSocket);
        assert_eq!(wire[0], 0x81);
        assert!(wire.ends_with(br#""upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#));
    }

    #[test]
    fn queries_are_read() {
        let query = Query::read("EIO=4&transport=polling&t=N8hyd6w&sid=a-b_c&b64=1");
        assert_eq!((query.is_version_4(), query.carriage()), (true, Some(Carriage::Polling)));
        assert_eq!(query.sid.as_deref(), Some("a-b_c"));
        let query = Query::read("transport=%77ebsocket&transport=polling&EI%4f=4&EIO=3&sid");
        assert_eq!((query.is_version_4(), query.carriage()), (true, Some(Carriage::WebSocket)));
        assert_eq!(query.sid, None);
        for unknown in ["", "transport", "transport=", "Transport=polling", "transport=abc", "transport=%ff&EIO=04"] {
            let query = Query::read(unknown);
            assert_eq!((query.is_version_4(), query.carriage()), (false, None), "{unknown}");
        }
        for name in ["__proto__", "constructor"] {
            assert_eq!(Query::read(&format!("transport={name}")).carriage(), None);
        }
        assert_eq!(Query::read("sid=&sid=x").sid, None);
    }
}
