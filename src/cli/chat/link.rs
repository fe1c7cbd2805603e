//! The network side, on one thread: dials the server, shows what arrives, sends what was typed, and dials again when
//! the server is gone. [`super`] starts it and hands it what is typed through an [`Input`].
//!
//! It sleeps in one poll that the socket, the input and the next deadline can end. Dialling alone may block it, for a
//! few seconds. What is typed waits in a short queue, and no more than [`UNANSWERED_LIMIT`] requests are under way, so a
//! script goes as fast as the server answers and a lost connection leaves little in doubt. Nothing is sent twice.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

use super::command::{Conversation, HELP, Request, Typed};
use super::screen::Screen;
use crate::cli::address::Address;

const SOCKET: Token = Token(0);
const INPUT: Token = Token(1);

/// How many typed lines may wait for the network.
const WAITING_LINES: usize = 64;
/// How many requests may be without an answer before more input is taken.
const UNANSWERED_LIMIT: usize = 64;
/// How many frames are read before it is the input's turn.
const FRAMES_PER_TURN: usize = 64;

/// For each of a host's addresses.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// For the handshake, and then for the server's first frame.
const GREETED_WITHIN: Duration = Duration::from_secs(5);
/// For each further sign of life when all has been asked.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// The input's end of a [`Link`].
pub(super) struct Input {
    typed: SyncSender<Typed>,
    waker: Arc<Waker>,
}

impl Input {
    /// Hands over what was typed, waiting for room in the queue; false if the link has ended.
    pub(super) fn send(&self, typed: Typed) -> bool {
        self.typed.send(typed).is_ok() && self.waker.wake().is_ok()
    }
}

/// One server, however often it has to be dialled.
pub(super) struct Link {
    address: Address,
    typed: Receiver<Typed>,
    /// The last thing typed is told just before the input's end is dropped, and a waker that is closed by then would
    /// take its wake-up along.
    _waker: Arc<Waker>,
    screen: Screen,
    patience: Option<Duration>,
    conversation: Conversation,
    /// Requests that connections took with them.
    missed: usize,
    poll: Poll,
    events: Events,
}

/// One connection to the server.
struct Connection {
    socket: WebSocket<TcpStream>,
    /// When the server last gave a sign of life.
    heard: Instant,
    /// Whether nothing more will be asked, so that it ends with the last answer.
    closing: bool,
}

/// Why it does not go on.
enum Stop {
    /// It was asked to end, and all has been answered.
    Quit,
    /// The connection is gone or never was; another may do better.
    Lost(String),
    /// Nothing can be done.
    Failed(String),
}

impl Link {
    /// A link that has yet to [`Link::run`]. It gives up after `patience` without a connection; without one, never.
    pub(super) fn open(address: Address, screen: Screen, patience: Option<Duration>) -> Result<(Self, Input), String> {
        let poll = Poll::new().map_err(no_poll)?;
        let waker = Arc::new(Waker::new(poll.registry(), INPUT).map_err(no_poll)?);
        let (sender, typed) = mpsc::sync_channel(WAITING_LINES);
        let (conversation, events) = (Conversation::default(), Events::with_capacity(4));
        let kept = Arc::clone(&waker);
        let link = Self { address, typed, _waker: kept, screen, patience, conversation, missed: 0, poll, events };
        Ok((link, Input { typed: sender, waker }))
    }

    /// Talks to the server until somebody quits. A script is told by an error if anything was left without an answer.
    pub(super) fn run(mut self) -> Result<(), String> {
        self.screen.status(&format!("connecting to {}", self.address));
        let mut failures = 0;
        let mut alone_since = Instant::now();
        loop {
            let Err(stop) = self.connect().and_then(|mut connection| self.talk(&mut connection));
            if self.conversation.is_open() {
                (failures, alone_since) = (0, Instant::now());
            }
            let next = match stop {
                Stop::Lost(why) => self.retry(why, failures, alone_since),
                stop => Err(stop),
            };
            match next {
                Ok(()) => failures += 1,
                Err(Stop::Quit) if self.missed == 0 || self.screen.is_terminal() => return Ok(()),
                Err(Stop::Quit) => return Err(format!("requests that were not answered: {}", self.missed)),
                Err(Stop::Lost(why) | Stop::Failed(why)) => return Err(why),
            }
        }
    }

    /// Says why there is no connection and waits before the next attempt, or gives up.
    fn retry(&mut self, mut why: String, failures: u32, alone_since: Instant) -> Result<(), Stop> {
        let missed = self.conversation.unanswered();
        if missed > 0 {
            self.missed += missed;
            why += &format!("; requests without an answer: {missed}");
        }
        let mut wait = backoff(failures, RandomState::new().hash_one(failures));
        if let Some(patience) = self.patience {
            wait = wait.min(patience.saturating_sub(alone_since.elapsed()));
            if wait.is_zero() {
                return Err(Stop::Failed(format!("{why}; gave up after {} s", patience.as_secs())));
            }
        }
        self.screen.status(&format!("{why}; trying again in {:.1} s", wait.as_secs_f32()));
        self.pause(wait)
    }

    fn connect(&mut self) -> Result<Connection, Stop> {
        self.conversation.begin();
        let stream = dial(&self.address).map_err(|error| self.cannot_connect(error))?;
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, SOCKET, interest).map_err(|error| Stop::Failed(no_poll(error)))?;
        let deadline = Instant::now() + GREETED_WITHIN;
        let mut step = tungstenite::client(&self.address.uri, stream);
        loop {
            match step {
                Ok((socket, _)) => return Ok(Connection { socket, heard: Instant::now(), closing: false }),
                Err(HandshakeError::Failure(error)) => return Err(self.cannot_connect(error)),
                Err(HandshakeError::Interrupted(_)) if Instant::now() >= deadline => {
                    return Err(self.cannot_connect("the server does not answer"));
                }
                Err(HandshakeError::Interrupted(half)) => {
                    self.sleep(Some(deadline))?;
                    step = half.handshake();
                }
            }
        }
    }

    fn cannot_connect(&self, why: impl ToString) -> Stop {
        Stop::Lost(format!("cannot connect to {}: {}", self.address, why.to_string()))
    }

    /// One connection's life.
    fn talk(&mut self, connection: &mut Connection) -> Result<Infallible, Stop> {
        loop {
            match self.turn(connection) {
                Err(Stop::Lost(why)) if connection.closing => return Err(self.last_word(&why)),
                turn => turn?,
            }
        }
    }

    /// What it means to lose a connection that was to end anyway. Somebody at a terminal just wants to be gone.
    fn last_word(&self, why: &str) -> Stop {
        if self.conversation.unanswered() == 0 || self.screen.is_terminal() {
            Stop::Quit
        } else {
            Stop::Failed(format!("{why} before all was answered"))
        }
    }

    /// Reads before it sleeps, since the handshake may have brought the first frames along.
    fn turn(&mut self, connection: &mut Connection) -> Result<(), Stop> {
        let more_to_hear = self.hear(connection)?;
        let more_to_say = match self.say(connection) {
            Err(Stop::Lost(why)) => {
                // What the server sent before tells more than the failure to write to it.
                while self.hear(connection)? {}
                return Err(Stop::Lost(why));
            }
            said => said?,
        };
        let deadline = self.deadline(connection);
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(Stop::Lost("the server has gone silent".into()));
        }
        self.sleep(if more_to_hear || more_to_say { Some(Instant::now()) } else { deadline })
    }

    fn deadline(&self, connection: &Connection) -> Option<Instant> {
        if connection.closing {
            Some(connection.heard + ANSWERED_WITHIN)
        } else if !self.conversation.is_open() {
            Some(connection.heard + GREETED_WITHIN)
        } else {
            None
        }
    }

    /// Shows what has arrived; true if there may be more of it.
    fn hear(&mut self, connection: &mut Connection) -> Result<bool, Stop> {
        for _ in 0..FRAMES_PER_TURN {
            match connection.socket.read() {
                Ok(Message::Text(text)) => self.show(connection, &text)?,
                Ok(Message::Close(frame)) => return Err(farewell(connection, frame.as_ref())),
                // A ping's answer is queued by now, and `say` flushes it.
                Ok(_) => {}
                Err(error) if would_block(&error) => return Ok(false),
                Err(error) => return Err(lost(&error)),
            }
            connection.heard = Instant::now();
        }
        Ok(true)
    }

    fn show(&mut self, connection: &mut Connection, text: &str) -> Result<(), Stop> {
        let was_open = self.conversation.is_open();
        let line = self.conversation.hear(text);
        self.screen.show(&line).map_err(Stop::Failed)?;
        match self.conversation.room() {
            Some(room) if !was_open && self.conversation.is_open() => {
                let room = room.to_owned();
                self.ask(Request::Join { room }, Some(connection))
            }
            _ => Ok(()),
        }
    }

    /// Sends what is owed and what was typed; true if more may have been typed.
    fn say(&mut self, connection: &mut Connection) -> Result<bool, Stop> {
        for _ in 0..WAITING_LINES {
            match connection.socket.flush() {
                Ok(()) => {}
                Err(error) if would_block(&error) => return Ok(false),
                Err(error) => return Err(lost(&error)),
            }
            if connection.closing {
                if self.conversation.unanswered() == 0 {
                    queued(close(connection))?;
                }
                return Ok(false);
            }
            // At a terminal a line is taken at any time, if only to be told that it was not sent.
            let in_order = self.screen.is_terminal() || self.conversation.is_open();
            if !in_order || self.conversation.unanswered() >= UNANSWERED_LIMIT {
                return Ok(false);
            }
            match self.typed.try_recv() {
                Ok(typed) => self.obey(typed, Some(connection))?,
                Err(TryRecvError::Disconnected) => self.obey(Typed::Quit, Some(connection))?,
                Err(TryRecvError::Empty) => return Ok(false),
            }
        }
        Ok(true)
    }

    fn obey(&mut self, typed: Typed, connection: Option<&mut Connection>) -> Result<(), Stop> {
        match typed {
            Typed::Ask(request) => return self.ask(request, connection),
            Typed::WhoIsHere => {
                if let Some(room) = self.conversation.next_room() {
                    let room = room.to_owned();
                    return self.ask(Request::Participants { room }, connection);
                }
                self.screen.status("you are in no room; /who ROOM asks about any");
            }
            Typed::Help => HELP.lines().for_each(|line| self.screen.status(line)),
            Typed::Wrong(sentence) => self.screen.status(&sentence),
            Typed::Quit => {
                let connection = connection.ok_or(Stop::Quit)?;
                (connection.closing, connection.heard) = (true, Instant::now());
            }
        }
        Ok(())
    }

    fn ask(&mut self, request: Request, connection: Option<&mut Connection>) -> Result<(), Stop> {
        let Some(connection) = connection.filter(|_| self.conversation.is_open()) else {
            self.screen.status("not connected: this was not sent");
            return Ok(());
        };
        let frame = self.conversation.ask(request);
        queued(connection.socket.write(Message::text(frame)))
    }

    /// Waits without a connection. A script's lines wait too; somebody at a terminal is told.
    fn pause(&mut self, wait: Duration) -> Result<(), Stop> {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            while self.screen.is_terminal()
                && let Ok(typed) = self.typed.try_recv()
            {
                self.obey(typed, None)?;
            }
            self.sleep(Some(until))?;
        }
        Ok(())
    }

    /// Sleeps until something happens, at most until the deadline.
    fn sleep(&mut self, deadline: Option<Instant>) -> Result<(), Stop> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match self.poll.poll(&mut self.events, left) {
            // A signal, such as that of a terminal that changes its size.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            slept => slept.map_err(|error| Stop::Failed(no_poll(error))),
        }
    }
}

/// Connects to the first of the host's addresses that answers.
fn dial(address: &Address) -> io::Result<std::net::TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for place in (address.host.as_str(), address.port).to_socket_addrs()? {
        match std::net::TcpStream::connect_timeout(&place, CONNECT_WITHIN) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Says goodbye, however often it is called.
fn close(connection: &mut Connection) -> Result<(), Error> {
    connection.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))
}

/// What the server's close means.
fn farewell(connection: &mut Connection, frame: Option<&CloseFrame>) -> Stop {
    // The answer to the close is a courtesy: the server may be gone already.
    drop(connection.socket.flush());
    Stop::Lost(match frame {
        None => "the server closed the connection".into(),
        Some(frame) => {
            let reason = format!("{} {}", frame.code, frame.reason);
            format!("the server closed the connection ({})", reason.trim_end())
        }
    })
}

/// A frame is queued even when the socket takes nothing at the moment.
fn queued(written: Result<(), Error>) -> Result<(), Stop> {
    match written {
        Err(error) if !would_block(&error) => Err(lost(&error)),
        _ => Ok(()),
    }
}

fn lost(error: &Error) -> Stop {
    Stop::Lost(match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => "the server is gone".into(),
        Error::Io(error) => format!("the connection to the server broke: {error}"),
        error => format!("the connection to the server broke: {error}"),
    })
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::WouldBlock)
}

fn no_poll(error: io::Error) -> String {
    format!("cannot wait for the network: {error}")
}

/// How long to wait after that many failures in a row: twice as long each time, and up to a quarter more, so that those
/// who lost a server together do not come back together.
fn backoff(failures: u32, random: u64) -> Duration {
    let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_WAIT);
    wait + wait.mul_f64(0.25 * (random as f64 / u64::MAX as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let shortest = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000].map(Duration::from_millis);
        for (failures, wait) in (0..).zip(shortest) {
            assert_eq!(backoff(failures, 0), wait);
            assert_eq!(backoff(failures, u64::MAX), wait * 5 / 4);
        }
        assert_eq!(backoff(u32::MAX, 0), LONGEST_WAIT);
    }
}
