//! Why a connection was not kept, and why the server did not start: one enum each.

use std::fmt;

/// Why the server ends a connection, or found it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The other side closed, in order or by going away.
    Peer,
    /// A connection without a request.
    Idle,
    /// The request did not come in time.
    HandshakeTimeout,
    /// The server is shutting down.
    GoingAway,
    /// A breach of RFC 6455.
    Protocol,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A frame or message over the limit.
    TooBig,
    /// A message in senselessly many fragments.
    TooManyFragments,
    /// More is owed than the outbox may hold.
    SlowReader,
    /// A ping was not answered.
    MissedPing,
    /// A request that is malformed or over a limit.
    BadRequest,
}

impl CloseReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Peer,
        Self::Idle,
        Self::HandshakeTimeout,
        Self::GoingAway,
        Self::Protocol,
        Self::NotUtf8,
        Self::TooBig,
        Self::TooManyFragments,
        Self::SlowReader,
        Self::MissedPing,
        Self::BadRequest,
    ];

    /// The code for the close frame (RFC 6455 section 7.4). Reasons that never see a close frame have the general one.
    pub fn code(self) -> u16 {
        match self {
            Self::Peer | Self::Idle => 1000,
            Self::GoingAway => 1001,
            Self::Protocol | Self::BadRequest => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
            Self::TooManyFragments | Self::SlowReader | Self::MissedPing | Self::HandshakeTimeout => 1008,
        }
    }

    /// Whether an operator wants to read of it.
    pub fn is_noteworthy(self) -> bool {
        !matches!(self, Self::Peer | Self::Idle | Self::GoingAway)
    }

    /// One word, for counters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Idle => "idle",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::GoingAway => "going_away",
            Self::Protocol => "protocol",
            Self::NotUtf8 => "not_utf8",
            Self::TooBig => "too_big",
            Self::TooManyFragments => "too_many_fragments",
            Self::SlowReader => "slow_reader",
            Self::MissedPing => "missed_ping",
            Self::BadRequest => "bad_request",
        }
    }

    /// The sentence for the close frame and the log.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Peer => "the other side closed",
            Self::Idle => "no request came",
            Self::HandshakeTimeout => "the handshake took too long",
            Self::GoingAway => "the server is going away",
            Self::Protocol => "a breach of the protocol",
            Self::NotUtf8 => "text that is not UTF-8",
            Self::TooBig => "a message over the limit",
            Self::TooManyFragments => "too many fragments in one message",
            Self::SlowReader => "reading too slowly: the outbox is full",
            Self::MissedPing => "a ping was not answered",
            Self::BadRequest => "a malformed or oversized request",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// Why the server did not start or could not go on. Each is one sentence for the command line.
#[derive(Debug)]
pub enum ServerError {
    /// The address can't be listened on.
    Listen {
        /// Which address.
        address: std::net::SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The system refused something that the loop can't be without.
    System {
        /// What was wanted.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

impl ServerError {
    /// For `map_err`: the system refused `what`.
    pub fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } if error.kind() == std::io::ErrorKind::AddrInUse => {
                write!(f, "can't listen on {address}: the port is in use")
            }
            Self::Listen { address, error } => write!(f, "can't listen on {address}: {error}"),
            Self::System { what, error } => write!(f, "can't {what}: {error}"),
        }
    }
}

impl std::error::Error for ServerError {}
