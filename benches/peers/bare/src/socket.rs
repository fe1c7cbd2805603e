//! Sockets, and what could not be sent to them yet.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

use rustix::event::epoll;
use rustix::net::{self, SendFlags};

use crate::token;
use crate::wire::{Head, TEXT, frame};

#[derive(Clone, Copy, PartialEq)]
pub enum Stage {
    Head,
    Echo,
    Chat,
}

pub struct Socket {
    pub socket: OwnedFd,
    pub stage: Stage,
    pub id: u32,
    pub room: Option<u32>,
    /// Whether it has said something in this wake-up.
    pub has_said: bool,
    /// The beginning of a head or frame.
    pub input: Vec<u8>,
    /// What the kernel did not take, and how much of the first it did.
    owed: VecDeque<Rc<[u8]>>,
    written: usize,
}

pub struct Sockets {
    pub epoll: OwnedFd,
    all: Vec<Option<Socket>>,
    connected: u32,
}

impl Sockets {
    pub fn new(epoll: OwnedFd) -> Self {
        Self { epoll, all: Vec::new(), connected: 0 }
    }

    pub fn insert(&mut self, socket: OwnedFd) {
        let index = socket.as_raw_fd() as usize;
        if index >= self.all.len() {
            self.all.resize_with(index + 1, || None);
        }
        let (input, owed) = (Vec::new(), VecDeque::new());
        self.all[index] =
            Some(Socket { socket, stage: Stage::Head, id: 0, room: None, has_said: false, input, owed, written: 0 });
    }

    pub fn get(&mut self, index: usize) -> Option<&mut Socket> {
        self.all[index].as_mut()
    }

    /// Closing takes it out of the epoll set, too.
    pub fn remove(&mut self, index: usize) {
        self.all[index] = None;
    }

    /// Keeps the beginning of what is still to come; nothing at all for most.
    pub fn keep(&mut self, index: usize, rest: &[u8]) {
        if let Some(socket) = self.get(index) {
            socket.input = rest.to_vec();
        }
    }

    /// Answers the handshake, together with the first frame of the chat.
    pub fn open(&mut self, index: usize, head: Head) {
        let Some(socket) = &mut self.all[index] else { return };
        let mut wire = head.response.into_bytes();
        if head.is_echo {
            socket.stage = Stage::Echo;
        } else {
            socket.stage = Stage::Chat;
            socket.id = self.connected;
            self.connected += 1;
            frame(&mut wire, TEXT, &[format!(r#"{{"action":"connection","user_id":"{}"}}"#, socket.id).as_bytes()]);
        }
        self.send(index, &wire, &mut None);
    }

    /// One `send`. What it does not take is owed, and held once for all who are owed the same.
    pub fn send(&mut self, index: usize, wire: &[u8], shared: &mut Option<Rc<[u8]>>) {
        let Some(socket) = &mut self.all[index] else { return };
        let written = if socket.owed.is_empty() {
            // An error comes back as an event.
            net::send(&socket.socket, wire, SendFlags::NOSIGNAL).unwrap_or(0)
        } else {
            0
        };
        if written == wire.len() {
            return;
        }
        if socket.owed.is_empty() {
            socket.written = written;
            let both = epoll::EventFlags::IN | epoll::EventFlags::OUT;
            let _ = epoll::modify(&self.epoll, &socket.socket, token(&socket.socket), both);
        }
        socket.owed.push_back(Rc::clone(shared.get_or_insert_with(|| wire.into())));
    }

    /// Sends what is owed, as far as the kernel takes it.
    pub fn pay(&mut self, index: usize) {
        let Some(socket) = &mut self.all[index] else { return };
        while let Some(first) = socket.owed.front() {
            let Ok(count) = net::send(&socket.socket, &first[socket.written..], SendFlags::NOSIGNAL) else { return };
            socket.written += count;
            if socket.written < first.len() {
                return;
            }
            socket.owed.pop_front();
            socket.written = 0;
        }
        socket.owed = VecDeque::new();
        let _ = epoll::modify(&self.epoll, &socket.socket, token(&socket.socket), epoll::EventFlags::IN);
    }
}
