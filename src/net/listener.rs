//! The listening socket: accepting in batches, and pausing when there is no room for more.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

/// When descriptors or memory ran out, accepting is tried again after so long even if no connection has ended:
/// something else in the process or on the host may have given some back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How many connections may wait to be accepted; the system has a limit of its own, most often 4,096.
const BACKLOG: i32 = 4_096;

/// Accepts connections. Edge-triggered: whoever stops before would-block must come back by itself.
pub struct Listener {
    socket: TcpListener,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nobody waits; an event will tell.
    Idle,
    /// There may be more in the kernel's queue.
    Ready,
    /// Descriptors ran out: try again at that time, or when a connection has ended.
    Exhausted(Instant),
}

/// What one attempt brought.
pub enum Accepted {
    /// A new connection.
    Connection(TcpStream),
    /// Nobody waits.
    Nobody,
    /// The process or the host is out of descriptors or memory, most likely. Accepting pauses for a second.
    Exhausted(io::Error),
}

impl Listener {
    /// Binds and registers.
    pub fn bind(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = TcpListener::bind(address)?;
        // The library's own backlog is short: of a crowd that reconnects at once, whoever found it full would try again
        // a second later. Listening anew only sets the length.
        rustix::net::listen(&socket, BACKLOG)?;
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Self { socket, state: State::Idle })
    }

    /// Where it listens: with the port that the system chose, if 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// An event came, or there is room again.
    pub fn wake(&mut self) {
        self.state = State::Ready;
    }

    /// Whether an attempt is worth while now.
    pub fn is_ready(&self, now: Instant) -> bool {
        match self.state {
            State::Idle => false,
            State::Ready => true,
            State::Exhausted(until) => until <= now,
        }
    }

    /// When to try again without an event.
    pub fn retry_at(&self) -> Option<Instant> {
        if let State::Exhausted(until) = self.state { Some(until) } else { None }
    }

    /// Whether descriptors ran out at the last attempt.
    pub fn is_exhausted(&self) -> bool {
        matches!(self.state, State::Exhausted(_))
    }

    /// Accepts one connection, if somebody waits.
    pub fn accept(&mut self, now: Instant) -> Accepted {
        loop {
            match self.socket.accept() {
                Ok((stream, _)) => {
                    self.state = State::Ready;
                    return Accepted::Connection(stream);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.state = State::Idle;
                    return Accepted::Nobody;
                }
                // Whoever waited has gone already: the next one, please.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                }
                Err(error) => {
                    self.state = State::Exhausted(now + RETRY_AFTER);
                    return Accepted::Exhausted(error);
                }
            }
        }
    }

    /// Stops listening; dropping closes the socket.
    pub fn deregister(mut self, registry: &Registry) {
        let _ = registry.deregister(&mut self.socket);
    }
}
