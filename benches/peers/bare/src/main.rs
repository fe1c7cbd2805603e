//! The floor that servers are compared to, and no server: epoll, one frame encoded once, one `send` per member. It
//! takes requests exactly as `roomcast bench` writes them, checks nothing, answers no ping, bounds nothing.
//!
//! Usage: peer-bare PORT plain|batched [quiet]. `plain` sends each delivery as its message comes; `batched` joins all
//! that came in during one wake-up and sends it to each member with one call. `quiet` announces no joins.

mod room;
mod socket;
mod wire;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use room::Rooms;
use socket::{Sockets, Stage};
use wire::frame;

struct Bare {
    sockets: Sockets,
    rooms: Rooms,
    batched: bool,
    /// Echo's replies to what one read brought.
    echoes: Vec<u8>,
}

fn main() -> rustix::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, mode, options @ ..] = &arguments[..] else { panic!("usage: peer-bare PORT plain|batched [quiet]") };
    let batched = mode == "batched";
    let rooms = Rooms::new(!options.iter().any(|option| option == "quiet"));

    let listener = listen(port.parse().expect("a port"))?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, token(&listener), epoll::EventFlags::IN)?;
    let mut bare = Bare { sockets: Sockets::new(epoll), rooms, batched, echoes: Vec::new() };

    let mut events = Vec::with_capacity(1024);
    let mut scratch = vec![0; 256 * 1024];
    loop {
        match epoll::wait(&bare.sockets.epoll, spare_capacity(&mut events), None) {
            Err(error) if error != Errno::INTR => return Err(error),
            _ => {}
        }
        for event in events.drain(..) {
            let (index, flags) = (event.data.u64() as usize, event.flags);
            if index == listener.as_raw_fd() as usize {
                bare.accept(&listener)?;
                continue;
            }
            if flags.contains(epoll::EventFlags::OUT) {
                bare.sockets.pay(index);
            }
            // Level-triggered: a short read needs no second one that finds nothing.
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                while bare.read(index, &mut scratch) {}
            }
        }
        if batched {
            bare.rooms.flush(&mut bare.sockets);
        }
    }
}

fn listen(port: u16) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    net::sockopt::set_socket_reuseaddr(&listener, true)?;
    // Accepted sockets inherit it, which saves a call for each.
    net::sockopt::set_tcp_nodelay(&listener, true)?;
    net::bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    net::listen(&listener, 16_384)?;
    Ok(listener)
}

/// A descriptor is the index of its socket, too.
fn token(socket: &OwnedFd) -> epoll::EventData {
    epoll::EventData::new_u64(socket.as_raw_fd() as u64)
}

impl Bare {
    fn accept(&mut self, listener: &OwnedFd) -> rustix::io::Result<()> {
        while let Ok(socket) = net::accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            epoll::add(&self.sockets.epoll, &socket, token(&socket), epoll::EventFlags::IN)?;
            self.sockets.insert(socket);
        }
        Ok(())
    }

    /// Tells whether there may be more to read.
    fn read(&mut self, index: usize, scratch: &mut [u8]) -> bool {
        let Some(socket) = self.sockets.get(index) else { return false };
        let count = match net::recv(&socket.socket, &mut *scratch, net::RecvFlags::empty()) {
            Err(Errno::AGAIN) => return false,
            Ok((count, _)) if count > 0 => count,
            _ => {
                self.end(index);
                return false;
            }
        };
        if socket.input.is_empty() {
            let done = self.take(index, &mut scratch[..count]);
            self.sockets.keep(index, &scratch[done..count]);
        } else {
            let mut input = std::mem::take(&mut socket.input);
            input.extend_from_slice(&scratch[..count]);
            let done = self.take(index, &mut input);
            self.sockets.keep(index, &input[done..]);
        }
        count == scratch.len()
    }

    /// Carries out all complete requests of the input, and tells how much of it that was.
    fn take(&mut self, index: usize, input: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(socket) = self.sockets.get(index) {
            if socket.stage == Stage::Head {
                let Some(head) = wire::head(input) else { break };
                self.sockets.open(index, head);
                return input.len();
            }
            let Some((opcode, payload, next)) = wire::unmask(input, done) else { break };
            self.carry_out(index, opcode, input, payload);
            done = next;
        }
        if !self.echoes.is_empty() {
            self.sockets.send(index, &self.echoes, &mut None);
            self.echoes.clear();
        }
        done
    }

    fn carry_out(&mut self, index: usize, opcode: u8, input: &[u8], payload: Range<usize>) {
        let payload = &input[payload];
        match (opcode, self.sockets.get(index).map(|socket| socket.stage)) {
            (wire::CLOSE, _) => self.end(index),
            (wire::TEXT | wire::BINARY, Some(Stage::Echo)) => {
                frame(&mut self.echoes, opcode, &[payload]);
                if !self.batched {
                    self.sockets.send(index, &self.echoes, &mut None);
                    self.echoes.clear();
                }
            }
            (wire::TEXT, Some(Stage::Chat)) => {
                if let Some(text) = wire::field(payload, b"room_message", b"message") {
                    self.rooms.say(&mut self.sockets, index, text, self.batched);
                } else if let Some(name) = wire::field(payload, b"join", b"room") {
                    self.rooms.join(&mut self.sockets, index, name);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, index: usize) {
        self.rooms.leave(&mut self.sockets, index);
        self.sockets.remove(index);
    }
}
