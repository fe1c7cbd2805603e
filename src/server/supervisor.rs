//! What the supervisor is told that has started us, if it wants to know: systemd does for `Type=notify`. That we serve,
//! that we stop, a sentence for `systemctl status`, and, if it watches over us, that the loop still turns.
//!
//! Each is a datagram with lines `NAME=value` to the socket that `NOTIFY_SOCKET` names, by its path or, behind an `@`, by
//! an abstract name. This is over the standard library, since the crate `sd-notify` knows no abstract names and may wait
//! for the supervisor, and a loop waits for nobody. Nothing here depends on whether anybody listens.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::{Duration, Instant};

/// Whoever started this process and wants to know how it is. By default that is nobody.
#[derive(Default)]
pub struct Supervisor {
    socket: Option<UnixDatagram>,
    /// Between two signs of life, if it waits for them.
    pause: Option<Duration>,
    /// When the next of them is due, once we serve.
    due: Option<Instant>,
}

impl Supervisor {
    /// The one that the environment names. If it can't be reached, that is logged, and nobody is told anything.
    pub fn from_environment() -> Self {
        let Some(place) = env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty()) else {
            return Self::default();
        };
        match connect(&place) {
            Ok(socket) => Self { socket: Some(socket), pause: pause(|name| env::var(name).ok()), due: None },
            Err(error) => {
                log::warn!("NOTIFY_SOCKET can't be reached, so the supervisor is told nothing: {error}");
                Self::default()
            }
        }
    }

    /// How it stands, in a sentence.
    pub fn tell(&self, status: &str) {
        self.send(&status_line(status));
    }

    /// From now on we serve. The one message that is waited for until it is taken: without it we are given up.
    pub(super) fn ready(&mut self, status: &str, now: Instant) {
        self.send(&format!("READY=1\n{}", status_line(status)));
        if let Some(socket) = &self.socket
            && let Err(error) = socket.set_nonblocking(true)
        {
            log::warn!("the supervisor is told nothing more, for that might have to wait: {error}");
            self.socket = None;
        }
        self.due = self.pause.map(|pause| now + pause);
    }

    /// From now on we end.
    pub(super) fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\n{}", status_line(status)));
    }

    /// When it has to hear of us.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Gives a sign of life, if one is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.send("WATCHDOG=1\n");
            self.due = self.pause.map(|pause| now + pause);
        }
    }

    fn send(&self, lines: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(lines.as_bytes())
        {
            log::warn!("the supervisor could not be told: {error}");
        }
    }
}

fn connect(place: &OsStr) -> io::Result<UnixDatagram> {
    let address = match place.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// A second line would be another message.
fn status_line(status: &str) -> String {
    format!("STATUS={}\n", status.lines().next().unwrap_or_default())
}

/// Half the time after which it takes us for dead, as systemd advises. The variables may be meant for our parent.
fn pause(variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    if variable("WATCHDOG_PID").is_some_and(|id| id != process::id().to_string()) {
        return None;
    }
    let microseconds: u64 = variable("WATCHDOG_USEC")?.parse().ok()?;
    (microseconds > 0).then(|| Duration::from_micros(microseconds) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_stays_one_line() {
        assert_eq!(status_line("all is well\nREADY=1"), "STATUS=all is well\n");
        assert_eq!(status_line(""), "STATUS=\n");
    }

    #[test]
    fn signs_of_life_come_twice_as_often_as_asked_for() {
        let pause_with = |time: &str, id: Option<String>| {
            pause(|name| if name == "WATCHDOG_USEC" { Some(time.into()) } else { id.clone() })
        };
        assert_eq!(pause_with("30000000", None), Some(Duration::from_secs(15)));
        assert_eq!(pause_with("3000", Some(process::id().to_string())), Some(Duration::from_micros(1_500)));
        assert_eq!(pause_with("3000", Some("1".into())), None);
        assert_eq!((pause_with("0", None), pause_with("soon", None)), (None, None));
        assert_eq!(pause(|_| None), None);
    }
}
