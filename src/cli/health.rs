//! `roomcast health`: asks the server that runs with the same settings whether its loop turns. For the health checks of
//! containers, in whose images there is no other program.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{print, settings};

const INTRODUCTION: &str = "\
Asks the chat server that runs with these settings whether it serves. The exit
code is 0 if it does.

usage: roomcast health [OPTION …]

The options are those of `roomcast serve`, of which it heeds --listen alone. ";

/// For each of connecting, sending and the answer.
const WITHIN: Duration = Duration::from_secs(3);

/// What the answer begins with if all is well.
const WELL: &[u8] = b"HTTP/1.1 200 ";

pub(super) fn run(arguments: lexopt::Parser) -> Result<(), String> {
    let Some(config) = settings::read(arguments, "health")? else {
        print(&format!("{INTRODUCTION}{}", settings::help()));
        return Ok(());
    };
    let address = reachable(config.listen);
    match is_well(address) {
        Ok(true) => {
            print(&format!("{address} serves\n"));
            Ok(())
        }
        Ok(false) => Err(format!("what listens on {address} does not say that it is well")),
        Err(error) => Err(match error.kind() {
            ErrorKind::ConnectionRefused => format!("nobody listens on {address}"),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("{address} does not answer in time"),
            _ => format!("{address} can't be asked: {error}"),
        }),
    }
}

/// A server that listens on all addresses is reached on this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

fn is_well(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; WELL.len()];
    match stream.read_exact(&mut start) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| start == WELL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_reached_on_ones_own() {
        let cases = [("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:9000", "[::1]:9000"), ("192.0.2.7:80", "192.0.2.7:80")];
        for (listen, expected) in cases {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
