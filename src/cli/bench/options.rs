//! What `roomcast bench` is asked to do: the command line, read and checked before anything is connected.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

use lexopt::prelude::*;

use super::frames::{STAMP_BYTES, Wording};
use crate::cli::address::{self, ACTION_PATH, Address};
use crate::config::{at_least_one, duration, number, size};

pub(super) const HELP: &str = "\
usage: roomcast bench [OPTION …] [URL]

Puts load on a chat server and measures it. For figures that are the server's, give it a processor of its own
(taskset), start it with `--rate 0`, and look that the generator is not called saturated.

  URL               ws://HOST[:PORT][/PATH], also without the ws://
                    (default ws://127.0.0.1:8000 and the mode's path)
  --mode MODE       room, pairs, echo or idle (default room):
                      room   all members in one room, some of them send
                      pairs  rooms of two, one of each sends
                      echo   all send to /echo and get it back
                      idle   all connect, and that is all
  --members N       connections (default 1000)
  --senders N       how many of a room's members send (default 1)
  --payload SIZE    length of a text, at least 16 (default 64)
  --room NAME       the room of --mode room, instead of a new one: in a durable room,
                    such as lobby, the server stores what is said
  --window N        messages that a sender may have outstanding: sent, and not yet
                    received by every member of the room (default 1)
  --duration TIME   how long to measure (default 10s)
  --warmup TIME     how long to send before that (default 1s)
  --threads N       the generator's threads (default: one less than processors,
                    at most 4)
  --pid PID         the server's process, on this machine: measure it too
  --json            print one JSON object
  -h, --help        show this

A delivery is one frame received, the sender's own reply included; its latency
is the time since the message was sent. Sending stops when the time is up, and the
measurement ends when all that was sent has arrived. The memory of connections is
told of a server that has just started: one that was busy before has it already.
";

/// The echo's place on a server.
const ECHO_PATH: &str = "/echo";

/// The most that may be on its way to one member: what a server's outbox holds by default, so that however slowly the
/// generator reads, nobody is disconnected for it.
const MAX_OUTSTANDING_BYTES: usize = 1 << 20;

/// What a delivery has beside its text, with room to spare.
const FRAME_OVERHEAD_BYTES: usize = 128;

/// Beyond this, threads cost a server on the same machine more than they help.
const MAX_DEFAULT_THREADS: usize = 4;

/// What the connections do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Room,
    Pairs,
    Echo,
    Idle,
}

impl Mode {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "room" => Ok(Self::Room),
            "pairs" => Ok(Self::Pairs),
            "echo" => Ok(Self::Echo),
            "idle" => Ok(Self::Idle),
            _ => Err("is not room, pairs, echo or idle".into()),
        }
    }

    fn path(self) -> &'static str {
        if self == Self::Echo { ECHO_PATH } else { ACTION_PATH }
    }

    /// Whether the server speaks first.
    pub(super) fn is_welcomed(self) -> bool {
        self != Self::Echo
    }

    /// What stands around a text.
    pub(super) fn wording(self) -> Wording {
        match self {
            Self::Echo => Wording { before: "", after: "" },
            _ => Wording { before: r#"{"action":"room_message","message":""#, after: "\"}" },
        }
    }
}

/// A benchmark that can be run.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) address: Address,
    pub(super) mode: Mode,
    pub(super) members: usize,
    /// How many of all members send.
    pub(super) senders: usize,
    /// Length of a text.
    pub(super) payload: usize,
    /// The room to be in, if it is not a new one.
    pub(super) room: Option<String>,
    pub(super) window: usize,
    pub(super) duration: Duration,
    pub(super) warmup: Duration,
    pub(super) threads: usize,
    pub(super) pid: Option<u32>,
    pub(super) json: bool,
}

impl Options {
    /// Nothing if help was asked for.
    pub(super) fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, String> {
        let mut url = None;
        let mut senders = None;
        let mut options = Self::unset()?;
        while let Some(argument) = arguments.next().map_err(|wrong| wrong.to_string())? {
            match argument {
                Value(text) if url.is_none() => url = Some(text.string().map_err(|wrong| wrong.to_string())?),
                Long("mode") => options.mode = value(&mut arguments, "mode", Mode::read)?,
                Long("members") => options.members = value(&mut arguments, "members", count)?,
                Long("senders") => senders = Some(value(&mut arguments, "senders", count)?),
                Long("payload") => options.payload = value(&mut arguments, "payload", size)?,
                Long("room") => options.room = Some(value(&mut arguments, "room", |text| Ok(text.into()))?),
                Long("window") => options.window = value(&mut arguments, "window", count)?,
                Long("duration") => options.duration = value(&mut arguments, "duration", duration)?,
                Long("warmup") => options.warmup = value(&mut arguments, "warmup", duration)?,
                Long("threads") => options.threads = value(&mut arguments, "threads", count)?,
                Long("pid") => options.pid = Some(value(&mut arguments, "pid", number)?),
                Long("json") => options.json = true,
                Short('h') | Long("help") => return Ok(None),
                other => return Err(format!("{}; roomcast bench --help lists the options", other.unexpected())),
            }
        }
        options.address = Address::parse(url.as_deref().unwrap_or(address::DEFAULT), options.mode.path())?;
        options.set_senders(senders)?;
        options.check()?;
        Ok(Some(options))
    }

    fn unset() -> Result<Self, String> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            address: Address::parse(address::DEFAULT, ACTION_PATH)?,
            mode: Mode::Room,
            members: 1000,
            senders: 1,
            payload: 64,
            room: None,
            window: 1,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            // The server needs one too.
            threads: processors.saturating_sub(1).clamp(1, MAX_DEFAULT_THREADS),
            pid: None,
            json: false,
        })
    }

    fn set_senders(&mut self, given: Option<usize>) -> Result<(), String> {
        if given.is_some() && self.mode != Mode::Room {
            return Err("--senders is for --mode room: in the other modes it follows from --members".into());
        }
        if self.room.is_some() && self.mode != Mode::Room {
            return Err("--room is for --mode room".into());
        }
        self.senders = match self.mode {
            Mode::Room => given.unwrap_or(self.senders),
            Mode::Pairs => self.members / 2,
            Mode::Echo => self.members,
            Mode::Idle => 0,
        };
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.payload < STAMP_BYTES {
            return Err(format!("--payload: must be at least {STAMP_BYTES}, which the time of sending takes"));
        }
        if self.mode == Mode::Pairs && !self.members.is_multiple_of(2) {
            return Err("--members: must be even for --mode pairs".into());
        }
        if self.senders > self.members {
            return Err("--senders: there are not so many members".into());
        }
        let frame = self.payload.saturating_add(FRAME_OVERHEAD_BYTES);
        let outstanding = self.senders_in_room().saturating_mul(self.window).saturating_mul(frame);
        if outstanding > MAX_OUTSTANDING_BYTES {
            return Err(format!(
                "--window: up to {outstanding} bytes would be on their way to one member, and a server may disconnect \
                 whom it owes more than {MAX_OUTSTANDING_BYTES}"
            ));
        }
        Ok(())
    }

    /// How many members a room has; a client of the echo is alone.
    pub(super) fn members_in_room(&self) -> usize {
        match self.mode {
            Mode::Room => self.members,
            Mode::Pairs => 2,
            Mode::Echo | Mode::Idle => 1,
        }
    }

    /// How many of a room's members send: its first ones.
    pub(super) fn senders_in_room(&self) -> usize {
        if self.mode == Mode::Room { self.senders } else { 1 }
    }

    /// From the beginning of a delivery's text to the end of its frame.
    pub(super) fn distance(&self) -> usize {
        self.mode.wording().distance(self.payload)
    }
}

fn count(text: &str) -> Result<usize, String> {
    // Members are counted in 32 bits.
    number::<u32>(text).and_then(at_least_one).map(|count| count as usize)
}

/// The value that follows a flag.
fn value<T>(arguments: &mut lexopt::Parser, flag: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
    let text = arguments.value().and_then(|value| value.string()).map_err(|wrong| wrong.to_string())?;
    read(&text).map_err(|wrong| format!("--{flag}: {text:?} {wrong}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Option<Options>, String> {
        Options::parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let default = options("").unwrap().unwrap();
        assert_eq!((default.mode, default.members, default.senders, default.payload), (Mode::Room, 1000, 1, 64));
        assert_eq!(default.address.uri, "ws://127.0.0.1:8000/chatserver/connect");
        assert_eq!((default.members_in_room(), default.senders_in_room(), default.distance()), (1000, 1, 66));
        assert!(default.threads >= 1 && default.pid.is_none() && !default.json);
        let echo = options("localhost:9 --mode echo --members 7").unwrap().unwrap();
        assert_eq!(echo.address.uri, "ws://localhost:9/echo");
        assert_eq!((echo.senders, echo.members_in_room(), echo.senders_in_room(), echo.distance()), (7, 1, 1, 64));
        let pairs = options("--mode pairs --window 3 a:1/there").unwrap().unwrap();
        assert_eq!(pairs.address.uri, "ws://a:1/there");
        assert_eq!((pairs.senders, pairs.members_in_room(), pairs.senders_in_room()), (500, 2, 1));
        assert!(options("--json --help").unwrap().is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let cases = [
            ("--members 0", "--members: \"0\" must be at least 1"),
            ("--mode crowd", "--mode: \"crowd\" is not room, pairs, echo or idle"),
            ("--payload 15", "--payload: must be at least 16, which the time of sending takes"),
            ("--mode pairs --members 3", "--members: must be even for --mode pairs"),
            ("--members 2 --senders 3", "--senders: there are not so many members"),
            ("--duration soon", "--duration: \"soon\" is not a time such as 25s, 500ms or 2m"),
            (
                "--senders 10 --payload 16KiB --window 16",
                "--window: up to 2641920 bytes would be on their way to one member, and a server may disconnect whom \
                 it owes more than 1048576",
            ),
        ];
        for (line, sentence) in cases {
            assert_eq!(options(line).unwrap_err(), sentence, "{line}");
        }
        for line in [
            "--pid me",
            "--nonsense",
            "a b",
            "wss://a",
            "--mode idle --senders 1",
            "--mode pairs --room a",
            "--threads",
        ] {
            assert!(options(line).is_err(), "{line}");
        }
        assert!(options("--senders 10 --payload 1024 --window 16").is_ok());
        assert!(options("--payload 16384 --window 16").is_ok());
    }
}
