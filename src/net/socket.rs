//! One TCP connection: reading and writing without waiting, with would-block and the end as ordinary outcomes.

use std::io::{self, Read};
use std::net::{IpAddr, Shutdown, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::outbox::{Outbox, Shared};
use crate::id::SlotKey;

/// What one read brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// So many bytes. Fewer than asked for: there are no more for now.
    Bytes(usize),
    /// Nothing for now.
    WouldBlock,
    /// The other side has finished sending.
    End,
}

/// A non-blocking connection, registered with the poll under its slot's token.
pub struct Socket {
    stream: TcpStream,
    waits_to_write: bool,
    /// For whom the other side asks, if not for itself. Apart, since that is nothing for nearly all.
    client: Option<Box<IpAddr>>,
}

impl Socket {
    /// Takes over an accepted connection. Edge-triggered, and for reading alone: writing is asked for while the
    /// kernel's buffer is full, and not before.
    pub fn register(mut stream: TcpStream, registry: &Registry, token: Token) -> io::Result<Self> {
        // Frames are gathered and written once a turn, so waiting for more to send would only add delay.
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, waits_to_write: false, client: None })
    }

    /// From now on what happens to it is told under another slot's token, beginning with what has happened already.
    pub fn move_to(&mut self, registry: &Registry, slot: SlotKey) -> io::Result<()> {
        let interest = if self.waits_to_write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        registry.reregister(&mut self.stream, Token(slot.index()), interest)
    }

    /// Reads once.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        loop {
            return match self.stream.read(buffer) {
                Ok(0) => Ok(Received::End),
                Ok(count) => Ok(Received::Bytes(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::WouldBlock),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    /// Writes what it can of `outbox` and, behind it, `last`; asks for writability only while there is a rest.
    pub fn flush(
        &mut self,
        outbox: &mut Outbox,
        last: Option<Shared>,
        scratch: &mut Vec<u8>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        let waits = !outbox.flush(last, &mut self.stream, scratch)?;
        if waits != self.waits_to_write {
            let interest = if waits { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            registry.reregister(&mut self.stream, token, interest)?;
            self.waits_to_write = waits;
        }
        Ok(())
    }

    /// Says that nothing more will be sent. Reading goes on.
    pub fn finish(&self) {
        // It fails where the connection is gone, which the next read tells.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Who is on the other side, while that is known.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// From now on the other side asks for `client`; nothing: for itself.
    pub fn speak_for(&mut self, client: Option<IpAddr>) {
        self.client = client.map(Box::new);
    }

    /// Who is served, as it is written in a log, while that is known.
    pub fn client(&self) -> Option<String> {
        match &self.client {
            Some(client) => Some(client.to_string()),
            None => self.peer().map(|peer| peer.to_string()),
        }
    }

    /// Takes the connection out of the poll; dropping closes it.
    pub fn deregister(mut self, registry: &Registry) {
        // Closing does the same; being explicit matters only if a descriptor was duplicated.
        let _ = registry.deregister(&mut self.stream);
    }
}
