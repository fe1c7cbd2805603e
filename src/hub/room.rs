//! Rooms and their members.
//!
//! All open rooms are here: the durable ones for as long as they are in the store, an ephemeral one from its first
//! member to its last. A private room is here while somebody is in it or a participant is present.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use slab::Slab;

use super::effect::ListedRoom;
use super::job::RoomRecord;
use super::nodes::{Address, RoomTag};
use super::presence::PresentKey;
use crate::id::{ConnectionId, Reference, RoomId, RoomIds, RoomKey, SlotKey, UserId, Uuid};
use crate::timestamp::Timestamp;

/// What makes a room durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Durable {
    pub(super) id: RoomId,
    uuid: Uuid,
    owner: Option<UserId>,
    is_private: bool,
}

pub(super) struct Room {
    pub(super) name: Rc<str>,
    pub(super) durable: Option<Durable>,
    /// Counts the rooms ever opened: their order of age, which reused keys don't tell.
    opened: u64,
    /// In the order of joining. A plain vector, because every message walks all of it while joining and leaving are
    /// rare; leaving shifts the rest, 4 bytes a member.
    pub(super) members: Vec<SlotKey>,
    /// When each of them joined, beside other nodes; empty, alone.
    joined: Vec<Timestamp>,
    /// How many of them listen only: they are told what all are told, and counted and named among nobody.
    listeners: usize,
    /// The members on other nodes, and when they joined. Not a vector like those here: no message walks it, and of a node
    /// that is lost all leave at once.
    pub(super) away: BTreeMap<ConnectionId, Timestamp>,
    /// Where this node listens for what is said here.
    listens_at: Option<Address>,
    /// The two who talk to one another here, if it is for that.
    pub(super) direct: Option<Box<[Uuid; 2]>>,
    /// Of a private room: the present users who are known to take part, in no order.
    pub(super) present: Vec<PresentKey>,
}

impl Room {
    pub(super) fn id(&self) -> Option<RoomId> {
        self.durable.map(|durable| durable.id)
    }

    /// Both ids, if it is durable.
    pub(super) fn ids(&self) -> Option<RoomIds> {
        self.durable.map(|durable| RoomIds { id: durable.id, uuid: durable.uuid })
    }

    pub(super) fn owner(&self) -> Option<UserId> {
        self.durable.and_then(|durable| durable.owner)
    }

    pub(super) fn is_open(&self) -> bool {
        self.durable.is_none_or(|durable| !durable.is_private)
    }

    /// As the store has it.
    pub(super) fn record(&self) -> Option<RoomRecord> {
        let Durable { id, uuid, owner, is_private } = self.durable?;
        Some(RoomRecord { id, uuid, name: (*self.name).into(), owner, is_private, direct: self.direct.clone() })
    }

    /// What other nodes call it.
    pub(super) fn tag(&self) -> RoomTag {
        self.id().map_or_else(|| RoomTag::Ephemeral((*self.name).into()), RoomTag::Durable)
    }

    /// How many are in it, on all nodes.
    pub(super) fn member_count(&self) -> usize {
        self.members.len() - self.listeners + self.away.len()
    }

    /// The members here and when they joined, if that is noted.
    pub(super) fn joined(&self) -> impl Iterator<Item = (SlotKey, Timestamp)> {
        self.members.iter().copied().zip(self.joined.iter().copied())
    }

    /// Whether nothing keeps it here.
    fn is_over(&self) -> bool {
        let is_kept = self.durable.is_some_and(|durable| !durable.is_private);
        !is_kept && self.members.is_empty() && self.present.is_empty() && self.away.is_empty()
    }
}

#[derive(Default)]
pub(super) struct Rooms {
    rooms: Slab<Room>,
    /// The open ones.
    by_name: HashMap<Rc<str>, RoomKey>,
    by_id: HashMap<RoomId, RoomKey>,
    by_uuid: HashMap<Uuid, RoomKey>,
    opened: u64,
    /// Beside other nodes: the rooms of which it may have changed whether somebody here is in them.
    touched: Option<Vec<RoomKey>>,
    /// Where nothing is listened for any more, since the room is gone.
    let_go: Vec<Address>,
}

impl Rooms {
    pub(super) fn get(&self, key: RoomKey) -> Option<&Room> {
        self.rooms.get(key.index())
    }

    /// A room that somebody is in, or that was found in this very call.
    pub(super) fn living(&self, key: RoomKey) -> &Room {
        &self.rooms[key.index()]
    }

    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// How many of them are open.
    pub(super) fn open_count(&self) -> usize {
        self.by_name.len()
    }

    /// The open room of that name.
    pub(super) fn find(&self, name: &str) -> Option<RoomKey> {
        self.by_name.get(name).copied()
    }

    /// The durable room of that id.
    pub(super) fn find_durable(&self, room: Reference) -> Option<RoomKey> {
        match room {
            Reference::Number(id) => self.by_id.get(&RoomId(id)).copied(),
            Reference::Uuid(uuid) => self.by_uuid.get(&uuid).copied(),
        }
    }

    /// The durable room of that id, if it is open.
    pub(super) fn find_open(&self, room: Reference) -> Option<RoomKey> {
        self.find_durable(room).filter(|&key| self.living(key).is_open())
    }

    /// Makes an open, ephemeral room. The caller puts somebody into it before anything else happens.
    pub(super) fn make_ephemeral(&mut self, name: Rc<str>) -> RoomKey {
        self.insert(name, None)
    }

    /// Takes up a room that is in the store, or what has become of it. An ephemeral room of the same name becomes this
    /// one; if this one is known already, it takes in the members of the ephemeral one, which is yielded.
    pub(super) fn take_up(&mut self, record: &RoomRecord) -> (RoomKey, Option<RoomKey>) {
        let durable = Durable { id: record.id, uuid: record.uuid, owner: record.owner, is_private: record.is_private };
        let namesake = self.find(&record.name).filter(|&key| self.living(key).durable.is_none() && !record.is_private);
        let Some(key) = self.by_id.get(&record.id).copied().or(namesake) else {
            let key = self.insert(record.name.as_str().into(), Some(durable));
            self.rooms[key.index()].direct.clone_from(&record.direct);
            return (key, None);
        };
        self.forget_name(key);
        let absorbed = namesake.filter(|&namesake| namesake != key);
        if let Some(namesake) = absorbed {
            let gone = self.dissolve(namesake);
            let room = &mut self.rooms[key.index()];
            room.members.extend(gone.members);
            room.joined.extend(gone.joined);
            room.away.extend(gone.away);
        }
        let room = &mut self.rooms[key.index()];
        (room.name, room.durable) = (record.name.as_str().into(), Some(durable));
        self.touch(key);
        self.index(key);
        (key, absorbed)
    }

    /// Whether that open room has the name of another durable one.
    pub(super) fn is_name_of_another(&self, record: &RoomRecord) -> bool {
        let namesake = self.find(&record.name).filter(|_| !record.is_private).and_then(|key| self.living(key).id());
        namesake.is_some_and(|id| id != record.id)
    }

    fn insert(&mut self, name: Rc<str>, durable: Option<Durable>) -> RoomKey {
        let opened = self.opened;
        let (members, joined, away, present) = Default::default();
        let (listeners, listens_at, direct) = (0, None, None);
        let room = Room { name, durable, opened, members, joined, listeners, away, listens_at, direct, present };
        let key = RoomKey::new(self.rooms.insert(room));
        self.opened += 1;
        self.index(key);
        key
    }

    fn index(&mut self, key: RoomKey) {
        let room = &self.rooms[key.index()];
        if let Some(durable) = room.durable {
            self.by_id.insert(durable.id, key);
            self.by_uuid.insert(durable.uuid, key);
        }
        if room.is_open() {
            self.by_name.insert(Rc::clone(&room.name), key);
        }
    }

    fn forget_name(&mut self, key: RoomKey) {
        let name = &self.rooms[key.index()].name;
        if self.by_name.get(name) == Some(&key) {
            self.by_name.remove(name);
        }
    }

    /// `at` is noted beside other nodes.
    pub(super) fn add(&mut self, key: RoomKey, member: SlotKey, at: Option<Timestamp>) {
        let room = &mut self.rooms[key.index()];
        room.members.push(member);
        room.joined.extend(at);
        self.touch(key);
    }

    /// Somebody on another node is in the room.
    pub(super) fn add_away(&mut self, key: RoomKey, member: ConnectionId, at: Timestamp) {
        self.rooms[key.index()].away.insert(member, at);
    }

    /// They are in it no more. Tells whether the room is still there.
    pub(super) fn remove_away(&mut self, key: RoomKey, member: ConnectionId) -> bool {
        self.rooms[key.index()].away.remove(&member);
        !self.drop_if_over(key)
    }

    /// That slot hears what the room is told.
    pub(super) fn add_listener(&mut self, key: RoomKey, listener: SlotKey, at: Option<Timestamp>) {
        self.add(key, listener, at);
        self.rooms[key.index()].listeners += 1;
    }

    /// That slot listens no more. A room with listeners is kept without them.
    pub(super) fn remove_listener(&mut self, key: RoomKey, listener: SlotKey) {
        self.rooms[key.index()].listeners -= 1;
        self.remove(key, listener);
    }

    /// Takes `member` out. Tells whether the room is still there.
    pub(super) fn remove(&mut self, key: RoomKey, member: SlotKey) -> bool {
        let room = &mut self.rooms[key.index()];
        if let Some(position) = room.members.iter().position(|&m| m == member) {
            room.members.remove(position);
            if !room.joined.is_empty() {
                room.joined.remove(position);
            }
        }
        self.touch(key);
        !self.drop_if_over(key)
    }

    /// A participant of a private room is present.
    pub(super) fn add_present(&mut self, key: RoomKey, user: PresentKey) {
        self.rooms[key.index()].present.push(user);
        self.touch(key);
    }

    /// That participant is not present any more.
    pub(super) fn remove_present(&mut self, key: RoomKey, user: PresentKey) {
        let room = &mut self.rooms[key.index()];
        if let Some(position) = room.present.iter().position(|&p| p == user) {
            room.present.swap_remove(position);
        }
        self.touch(key);
        self.drop_if_over(key);
    }

    /// Forgets the room if nothing keeps it here. Tells whether it did.
    pub(super) fn drop_if_over(&mut self, key: RoomKey) -> bool {
        let is_over = self.living(key).is_over();
        if is_over {
            self.dissolve(key);
        }
        is_over
    }

    /// Forgets the room, and returns what it was.
    pub(super) fn dissolve(&mut self, key: RoomKey) -> Room {
        self.forget_name(key);
        let mut room = self.rooms.remove(key.index());
        self.let_go.extend(room.listens_at.take());
        if let Some(durable) = room.durable {
            self.by_id.remove(&durable.id);
            self.by_uuid.remove(&durable.uuid);
        }
        room
    }

    /// From now on it is noted which rooms may be of concern to other nodes.
    pub(super) fn watch(&mut self) {
        self.touched = Some(Vec::new());
    }

    /// Whether somebody here is in the room may have changed.
    pub(super) fn touch(&mut self, key: RoomKey) {
        if let Some(touched) = &mut self.touched {
            touched.push(key);
        }
    }

    /// The rooms that were touched since the last call, and where nothing is listened for any more.
    pub(super) fn take_touched(&mut self) -> (Vec<RoomKey>, Vec<Address>) {
        let mut touched = self.touched.as_mut().map(std::mem::take).unwrap_or_default();
        touched.sort_unstable_by_key(|key| key.index());
        touched.dedup();
        touched.retain(|key| self.rooms.contains(key.index()));
        (touched, std::mem::take(&mut self.let_go))
    }

    /// From now on it is listened for there what is said in the room. Yields where it was.
    pub(super) fn listen_at(&mut self, key: RoomKey, address: Option<Address>) -> Option<Address> {
        std::mem::replace(&mut self.rooms[key.index()].listens_at, address)
    }

    /// Whether something is listened for.
    pub(super) fn listens(&self, key: RoomKey) -> Option<&Address> {
        self.living(key).listens_at.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RoomKey, &Room)> {
        self.rooms.iter().map(|(key, room)| (RoomKey::new(key), room))
    }

    pub(super) fn give_back(&mut self) {
        self.rooms.shrink_to_fit();
        self.by_name.shrink_to_fit();
        self.by_id.shrink_to_fit();
        self.by_uuid.shrink_to_fit();
    }

    /// All open rooms, the oldest first.
    pub(super) fn list(&self) -> Vec<ListedRoom> {
        let mut rooms: Vec<&Room> = self.rooms.iter().map(|(_, room)| room).filter(|room| room.is_open()).collect();
        rooms.sort_unstable_by_key(|room| room.opened);
        let listed = rooms.into_iter().map(|room| ListedRoom {
            name: Rc::clone(&room.name),
            id: room.id(),
            owner: room.owner(),
            members: room.member_count(),
        });
        listed.collect()
    }

    /// Panics unless names, ids and rooms agree and each is kept here by something. Returns the number of members of all
    /// rooms, and of present participants.
    pub(super) fn check_invariants(&self) -> (usize, usize) {
        let (mut members, mut present, mut open, mut durable) = (0, 0, 0, 0);
        for (key, room) in &self.rooms {
            let key = RoomKey::new(key);
            assert!(!room.is_over(), "room {:?} is empty", room.name);
            assert!(!room.is_open() || room.present.is_empty(), "{:?} is open to others too", room.name);
            if room.is_open() {
                // It may be that another one has the name by now.
                let found = self.by_name.get(&room.name).filter(|&&other| self.living(other).name == room.name);
                assert!(found.is_some(), "{:?} is not found by its name", room.name);
                open += usize::from(found == Some(&key));
            }
            if let Some(Durable { id, uuid, .. }) = room.durable {
                assert_eq!((self.by_id.get(&id), self.by_uuid.get(&uuid)), (Some(&key), Some(&key)));
                durable += 1;
            }
            let is_noted = self.touched.is_some();
            assert_eq!(room.joined.len(), if is_noted { room.members.len() } else { 0 }, "who joined when is mixed up");
            members += room.members.len() + room.away.len();
            present += room.present.len();
        }
        assert_eq!(self.by_name.len(), open, "a name without a room");
        assert_eq!((self.by_id.len(), self.by_uuid.len()), (durable, durable), "an id without a room");
        (members, present)
    }
}
