//! SIGTERM and SIGINT as events of the poll.

use std::io::{self, Read};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// The reading end of a pipe into which each signal writes one byte.
pub(super) struct Signals {
    pipe: UnixStream,
}

impl Signals {
    pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Self> {
        let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        pipe::register(SIGINT, writer.try_clone()?)?;
        pipe::register(SIGTERM, writer)?;
        let mut pipe = UnixStream::from_std(reader);
        registry.register(&mut pipe, token, Interest::READABLE)?;
        Ok(Self { pipe })
    }

    /// How many have come since the last call.
    pub(super) fn drain(&mut self) -> usize {
        let mut bytes = [0; 16];
        let mut count = 0;
        while let Ok(read @ 1..) = self.pipe.read(&mut bytes) {
            count += read;
        }
        count
    }
}
