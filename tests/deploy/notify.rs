//! What the supervisor is told, read from a real datagram socket.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::common::{PATIENCE, Server, scratch_dir, serve, wait_until};

/// The supervisor's end.
struct Listener(UnixDatagram);

impl Listener {
    fn bind(address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next message.
    #[track_caller]
    fn hear(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).expect("a message");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }
}

fn serve_under(place: &str, flags: &[&str]) -> Command {
    let mut command = serve(flags);
    command.env("NOTIFY_SOCKET", place);
    command
}

/// From the start, which waits for a locked database, to the end.
fn is_told_all(listener: &Listener, place: &str) {
    let path = scratch_dir().join("chat.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let command = serve_under(place, &["--database", &format!("sqlite:{}", path.display())]);
    let starting = thread::spawn(move || Server::spawn(command));
    let waits = listener.hear();
    assert!(waits.starts_with("STATUS=waiting for the store: ") && waits.ends_with("is locked by another process\n"));
    assert_eq!(waits.lines().count(), 1, "{waits}");
    other.execute_batch("ROLLBACK").unwrap();
    let mut message = listener.hear();
    while message == waits {
        message = listener.hear();
    }
    let address = message.strip_prefix("READY=1\nSTATUS=serving on http://").and_then(|rest| rest.strip_suffix('\n'));
    let address: std::net::SocketAddr = address.unwrap_or_else(|| panic!("not ready: {message}")).parse().unwrap();
    // At once, whatever the start line says and when.
    assert!(std::net::TcpStream::connect(address).is_ok(), "nobody listens on {address}");
    let mut server = starting.join().unwrap();
    assert_eq!(server.address, address);
    assert!(server.get("/health", &[]).starts_with("HTTP/1.1 200 "));
    let (client, _) = server.join_in();
    server.signal("TERM");
    assert_eq!(listener.hear(), "STOPPING=1\nSTATUS=shutting down: 1 connections, 1 rooms\n");
    // Nobody is waited for.
    drop(client);
    assert!(server.wait().0.success());
}

#[test]
fn a_path_is_told_when_it_serves_and_when_it_stops() {
    let path = scratch_dir().join("notify");
    is_told_all(&Listener::bind(&SocketAddr::from_pathname(&path).unwrap()), path.to_str().unwrap());
}

#[test]
fn so_is_an_abstract_name() {
    let name = format!("roomcast-{}", std::process::id());
    is_told_all(&Listener::bind(&SocketAddr::from_abstract_name(&name).unwrap()), &format!("@{name}"));
}

#[test]
fn the_watchdog_hears_of_a_loop_that_turns_and_of_no_other() {
    let path = scratch_dir().join("notify");
    let listener = Listener::bind(&SocketAddr::from_pathname(&path).unwrap());
    let mut command = serve_under(path.to_str().unwrap(), &[]);
    command.env("WATCHDOG_USEC", "200000");
    let start = Instant::now();
    let server = Server::spawn(command);
    assert!(listener.hear().starts_with("READY=1\n"));
    for _ in 0..3 {
        assert_eq!(listener.hear(), "WATCHDOG=1\n");
    }
    assert!(start.elapsed() >= Duration::from_millis(300), "they come too often: {:?}", start.elapsed());
    // One that hangs is as good as one that is stopped.
    server.signal("STOP");
    let stat = format!("/proc/{}/stat", server.pid());
    wait_until("the stop", || fs::read_to_string(&stat).unwrap().contains(") T "));
    listener.0.set_nonblocking(true).unwrap();
    while listener.0.recv(&mut [0; 64]).is_ok() {}
    listener.0.set_nonblocking(false).unwrap();
    listener.0.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(listener.0.recv(&mut [0; 64]).is_err(), "it was stopped");
    server.signal("CONT");
    listener.0.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(listener.hear(), "WATCHDOG=1\n");
}

/// Whoever has gone, or takes nothing, costs the chat nothing.
#[test]
fn a_supervisor_that_does_not_listen_does_no_harm() {
    let server = Server::spawn(serve_under("/nowhere/notify", &[]));
    server.wait_for_log("NOTIFY_SOCKET can't be reached, so the supervisor is told nothing: ");
    assert!(server.get("/health", &[]).starts_with("HTTP/1.1 200 "));

    let path = scratch_dir().join("notify");
    let listener = Listener::bind(&SocketAddr::from_pathname(&path).unwrap());
    let mut command = serve_under(path.to_str().unwrap(), &[]);
    command.env("WATCHDOG_USEC", "2000");
    let mut server = Server::spawn(command);
    server.wait_for_log("the supervisor could not be told: ");
    assert!(server.get("/health", &[]).starts_with("HTTP/1.1 200 "));
    server.signal("TERM");
    assert!(server.wait().0.success());
    drop(listener);
}
