//! Rooms: who is in them, and what was said in this wake-up.

use std::collections::HashMap;
use std::ops::Range;

use crate::socket::Sockets;
use crate::wire::{TEXT, frame};

pub struct Rooms {
    announces: bool,
    by_name: HashMap<Vec<u8>, u32>,
    all: Vec<Room>,
    /// Those in which something was said in this wake-up.
    touched: Vec<u32>,
}

struct Room {
    /// Escaped, as it came.
    name: Vec<u8>,
    members: Vec<usize>,
    said: Vec<Said>,
    /// All that was said, as those see it who have said nothing; and as each speaker sees their own.
    wire: Vec<u8>,
    own: Vec<u8>,
}

struct Said {
    by: usize,
    wire: Range<usize>,
    own: Range<usize>,
}

impl Rooms {
    pub fn new(announces: bool) -> Self {
        Self { announces, by_name: HashMap::new(), all: Vec::new(), touched: Vec::new() }
    }

    pub fn join(&mut self, sockets: &mut Sockets, index: usize, name: &[u8]) {
        self.leave(sockets, index);
        let next = self.all.len() as u32;
        let key = *self.by_name.entry(name.to_vec()).or_insert(next);
        if key == next {
            let (members, said, wire, own) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            self.all.push(Room { name: name.to_vec(), members, said, wire, own });
        }
        let room = &mut self.all[key as usize];
        // Who joins hears nothing of what was said before.
        room.flush(sockets);
        let Some(socket) = sockets.get(index) else { return };
        socket.room = Some(key);
        let id = socket.id.to_string();
        let mut wire = Vec::new();
        frame(&mut wire, TEXT, &[br#"{"action":"join","room":""#, name, br#""}"#]);
        sockets.send(index, &wire, &mut None);
        if self.announces {
            wire.clear();
            let parts = [br#"{"action":"join","room":""#, name, br#"","user_id":""#, id.as_bytes(), br#""}"#];
            frame(&mut wire, TEXT, &parts);
            let mut shared = None;
            room.members.iter().for_each(|&member| sockets.send(member, &wire, &mut shared));
        }
        room.members.push(index);
    }

    pub fn leave(&mut self, sockets: &mut Sockets, index: usize) {
        if let Some(key) = sockets.get(index).and_then(|socket| socket.room.take()) {
            self.all[key as usize].members.retain(|member| *member != index);
        }
    }

    pub fn say(&mut self, sockets: &mut Sockets, index: usize, text: &[u8], batched: bool) {
        let Some(socket) = sockets.get(index) else { return };
        let Some(key) = socket.room else { return };
        socket.has_said = true;
        let room = &mut self.all[key as usize];
        if room.said.is_empty() && batched {
            self.touched.push(key);
        }
        room.say(index, socket.id, text);
        if !batched {
            room.flush(sockets);
        }
    }

    pub fn flush(&mut self, sockets: &mut Sockets) {
        for key in self.touched.drain(..) {
            self.all[key as usize].flush(sockets);
        }
    }
}

impl Room {
    fn say(&mut self, by: usize, id: u32, text: &[u8]) {
        const HEAD: &[u8] = br#"{"action":"room_message","room":""#;
        let (wire, own) = (self.wire.len(), self.own.len());
        let (id, name) = (id.to_string(), &self.name);
        frame(
            &mut self.wire,
            TEXT,
            &[HEAD, name, br#"","user_id":""#, id.as_bytes(), br#"","message":""#, text, br#""}"#],
        );
        frame(&mut self.own, TEXT, &[HEAD, name, br#"","message":""#, text, br#""}"#]);
        self.said.push(Said { by, wire: wire..self.wire.len(), own: own..self.own.len() });
    }

    /// One `send` per member; with all of a wake-up, or with the one message that was said.
    fn flush(&mut self, sockets: &mut Sockets) {
        if self.said.is_empty() {
            return;
        }
        let mut shared = None;
        for &member in &self.members {
            let Some(socket) = sockets.get(member) else { continue };
            if !std::mem::take(&mut socket.has_said) {
                sockets.send(member, &self.wire, &mut shared);
            } else if self.said.iter().all(|said| said.by == member) {
                sockets.send(member, &self.own, &mut None);
            } else {
                sockets.send(member, &self.seen_by(member), &mut None);
            }
        }
        self.said.clear();
        self.wire.clear();
        self.own.clear();
    }

    /// For one of several speakers: all that was said, with their own frames in their own form.
    fn seen_by(&self, member: usize) -> Vec<u8> {
        let mut seen = Vec::with_capacity(self.wire.len());
        for said in &self.said {
            let own = said.by == member;
            seen.extend_from_slice(if own { &self.own[said.own.clone()] } else { &self.wire[said.wire.clone()] });
        }
        seen
    }
}
