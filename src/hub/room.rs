//! Rooms and their members. An ephemeral room begins with its first member and is gone with its last.

use std::collections::HashMap;
use std::rc::Rc;

use slab::Slab;

use super::command::Name;
use crate::id::SlotKey;

/// Names a room inside this process; used again once its room is gone, so it never leaves the loop's turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RoomKey(u32);

impl RoomKey {
    /// Small numbers, dense: fit for an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

pub(super) struct Room {
    name: Rc<str>,
    /// Counts the rooms ever opened: their order of age, which reused keys don't tell.
    opened: u64,
    /// In the order of joining. A plain vector, because every message walks all of it while joining and leaving are
    /// rare; leaving shifts the rest, 4 bytes a member.
    pub(super) members: Vec<SlotKey>,
}

#[derive(Default)]
pub(super) struct Rooms {
    rooms: Slab<Room>,
    by_name: HashMap<Rc<str>, RoomKey>,
    opened: u64,
}

impl Rooms {
    pub(super) fn get(&self, key: RoomKey) -> Option<&Room> {
        self.rooms.get(key.index())
    }

    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn find(&self, name: &Name) -> Option<RoomKey> {
        self.by_name.get(name.as_str()).copied()
    }

    /// The room's name. `key` must come from [`Rooms::open`] or a living membership.
    pub(super) fn name(&self, key: RoomKey) -> Rc<str> {
        Rc::clone(&self.rooms[key.index()].name)
    }

    /// The room of that name, made if there is none. The caller puts somebody into it before anything else happens.
    pub(super) fn open(&mut self, name: &Name) -> RoomKey {
        if let Some(key) = self.find(name) {
            return key;
        }
        let name = name.shared();
        let room = Room { name: Rc::clone(&name), opened: self.opened, members: Vec::new() };
        let key = RoomKey(self.rooms.insert(room) as u32);
        self.opened += 1;
        self.by_name.insert(name, key);
        key
    }

    pub(super) fn add(&mut self, key: RoomKey, member: SlotKey) {
        self.rooms[key.index()].members.push(member);
    }

    /// Takes `member` out; a room that is empty then is gone. Tells whether somebody is left.
    pub(super) fn remove(&mut self, key: RoomKey, member: SlotKey) -> bool {
        let members = &mut self.rooms[key.index()].members;
        if let Some(position) = members.iter().position(|&m| m == member) {
            members.remove(position);
        }
        if !members.is_empty() {
            return true;
        }
        let room = self.rooms.remove(key.index());
        self.by_name.remove(&room.name);
        false
    }

    pub(super) fn give_back(&mut self) {
        self.rooms.shrink_to_fit();
        self.by_name.shrink_to_fit();
    }

    /// All names, oldest room first.
    pub(super) fn names(&self) -> Vec<Rc<str>> {
        let mut rooms: Vec<&Room> = self.rooms.iter().map(|(_, room)| room).collect();
        rooms.sort_unstable_by_key(|room| room.opened);
        rooms.into_iter().map(|room| Rc::clone(&room.name)).collect()
    }

    /// Panics unless names and rooms agree and no room is empty. Returns the number of members of all rooms.
    pub(super) fn check_invariants(&self) -> usize {
        assert_eq!(self.by_name.len(), self.rooms.len(), "a name without a room, or a room without a name");
        let mut members = 0;
        for (key, room) in &self.rooms {
            assert_eq!(self.by_name.get(&room.name), Some(&RoomKey(key as u32)));
            assert!(!room.members.is_empty(), "room {:?} is empty", room.name);
            members += room.members.len();
        }
        members
    }
}
