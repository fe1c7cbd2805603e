//! Presence: which users take part, and who is told when they come and go.
//!
//! A user is *present* from its first attending session on, until a while after the last has gone: whoever reloads a
//! page was never away. The private rooms in which present users take part are known to the hub, and each room knows
//! its present participants; those are whom a user shares its presence with. Beside other nodes, users whose sessions are
//! there are present as well, and known with their rooms.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;
use smallvec::SmallVec;

use super::Hub;
use super::effect::{Audience, Effect, Event, User};
use super::job::RoomRecord;
use super::lapse::{LapseKey, Lapses};
use super::nodes::Move;
use crate::id::{NodeId, Reference, RoomId, RoomKey, SlotKey, UserId, Uuid};

/// So long after its last session a user is still here.
const GRACE: Duration = Duration::from_secs(5);

/// Whoever comes back so soon is told who has come and gone meanwhile, and of no more than so many.
const REMEMBERED: Duration = Duration::from_secs(120);
const MOST_REMEMBERED: usize = 500;
/// So many who may come back are remembered.
const MOST_AWAITED: usize = 10_000;

/// Somebody has come or gone.
struct Passage {
    at: Duration,
    user: Uuid,
    /// The private rooms in which they take part.
    rooms: Vec<RoomId>,
    is_online: bool,
}

/// A present user's place; used again once it is gone, so it is kept nowhere else than in its rooms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct PresentKey(u32);

pub(super) struct Present {
    pub(super) user: Rc<User>,
    /// Its attending sessions here. None: it has gone and may come back, or is on other nodes.
    pub(super) sessions: SmallVec<[SlotKey; 2]>,
    /// It is present by a session here; other nodes know it from us.
    pub(super) is_here: bool,
    /// The other nodes on which it is present.
    pub(super) nodes: SmallVec<[NodeId; 1]>,
    /// The private rooms in which it takes part: no more than a session may be in.
    pub(super) rooms: Vec<RoomKey>,
    lapse: Option<LapseKey>,
}

impl Present {
    /// It has gone and may come back.
    pub(super) fn is_leaving(&self) -> bool {
        self.lapse.is_some()
    }
}

pub(super) struct Presence {
    users: Slab<Present>,
    by_id: HashMap<UserId, PresentKey>,
    by_uuid: HashMap<Uuid, PresentKey>,
    leaving: Lapses<PresentKey>,
    /// The oldest first.
    passages: VecDeque<Passage>,
    /// Sessions that may come back, by their names for that, and since when they are away.
    awaited: HashMap<String, Duration>,
}

impl Presence {
    pub(super) fn new() -> Self {
        let (by_id, by_uuid) = Default::default();
        Self {
            users: Slab::new(),
            by_id,
            by_uuid,
            leaving: Lapses::of(GRACE),
            passages: VecDeque::new(),
            awaited: HashMap::new(),
        }
    }

    /// A user that is present.
    pub(super) fn living(&self, key: PresentKey) -> &Present {
        &self.users[key.0 as usize]
    }

    pub(super) fn living_mut(&mut self, key: PresentKey) -> &mut Present {
        &mut self.users[key.0 as usize]
    }

    pub(super) fn key_of(&self, user: UserId) -> Option<PresentKey> {
        self.by_id.get(&user).copied()
    }

    pub(super) fn get(&self, user: UserId) -> Option<&Present> {
        self.key_of(user).map(|key| self.living(key))
    }

    pub(super) fn find(&self, user: Reference) -> Option<&Present> {
        let key = match user {
            Reference::Number(id) => self.by_id.get(&UserId(id)),
            Reference::Uuid(uuid) => self.by_uuid.get(&uuid),
        };
        key.map(|&key| self.living(key))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub(super) fn next_lapse(&self) -> Option<Duration> {
        self.leaving.next()
    }

    /// The user is here. Tells whether it was not before.
    pub(super) fn arrive(&mut self, user: &Rc<User>) -> (PresentKey, bool) {
        if let Some(key) = self.key_of(user.id) {
            self.living_mut(key).user = Rc::clone(user);
            return (key, false);
        }
        let (user, sessions, nodes, rooms) = (Rc::clone(user), SmallVec::new(), SmallVec::new(), Vec::new());
        let (id, uuid) = (user.id, user.uuid);
        let present = Present { user, sessions, is_here: false, nodes, rooms, lapse: None };
        let key = PresentKey(self.users.insert(present) as u32);
        self.by_id.insert(id, key);
        self.by_uuid.insert(uuid, key);
        (key, true)
    }

    pub(super) fn add_session(&mut self, key: PresentKey, slot: SlotKey) {
        let present = &mut self.users[key.0 as usize];
        present.sessions.push(slot);
        if let Some(lapse) = present.lapse.take() {
            self.leaving.disarm(lapse);
        }
    }

    /// The session has gone; with the last one begins the time after which its user has.
    pub(super) fn remove_session(&mut self, user: UserId, slot: SlotKey, now: Duration) {
        let Some(key) = self.key_of(user) else { return };
        let present = &mut self.users[key.0 as usize];
        present.sessions.retain(|other| *other != slot);
        if present.sessions.is_empty() && present.lapse.is_none() {
            present.lapse = Some(self.leaving.arm(key, now));
        }
    }

    /// The user is present nowhere any more, and may come back for a while.
    pub(super) fn begin_leaving(&mut self, key: PresentKey, now: Duration) {
        let present = &mut self.users[key.0 as usize];
        if present.lapse.is_none() {
            present.lapse = Some(self.leaving.arm(key, now));
        }
    }

    fn take_lapsed(&mut self, now: Duration) -> Option<PresentKey> {
        let key = self.leaving.take_due(now)?;
        self.living_mut(key).lapse = None;
        Some(key)
    }

    fn remove(&mut self, key: PresentKey) -> Present {
        let present = self.users.remove(key.0 as usize);
        self.by_id.remove(&present.user.id);
        self.by_uuid.remove(&present.user.uuid);
        if let Some(lapse) = present.lapse {
            self.leaving.disarm(lapse);
        }
        present
    }

    pub(super) fn give_back(&mut self) {
        self.users.shrink_to_fit();
        self.by_id.shrink_to_fit();
        self.by_uuid.shrink_to_fit();
        self.leaving.give_back();
        self.awaited.shrink_to_fit();
    }

    fn remember(&mut self, passage: Passage) {
        let now = passage.at;
        while self.passages.len() >= MOST_REMEMBERED || self.passages.front().is_some_and(|p| p.at + REMEMBERED < now) {
            self.passages.pop_front();
        }
        self.passages.push_back(passage);
    }

    /// A session has gone that may come back.
    pub(super) fn await_return(&mut self, pid: String, now: Duration) {
        if self.awaited.len() >= MOST_AWAITED {
            self.awaited.retain(|_, since| *since + REMEMBERED >= now);
        }
        if self.awaited.len() < MOST_AWAITED {
            self.awaited.insert(pid, now);
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = PresentKey> {
        self.users.iter().map(|(key, _)| PresentKey(key as u32))
    }

    /// All present users. Panics unless they are found by their ids, and those without a session are about to go.
    pub(super) fn checked(&self) -> impl Iterator<Item = (PresentKey, &Present)> {
        assert_eq!((self.by_id.len(), self.by_uuid.len()), (self.users.len(), self.users.len()), "an id of nobody");
        let leaving = self.users.iter().filter(|(_, present)| present.lapse.is_some()).count();
        assert_eq!(self.leaving.len(), leaving, "somebody goes who is not here");
        self.keys().map(|key| {
            let present = self.living(key);
            assert_eq!(self.by_id.get(&present.user.id), Some(&key), "{:?} is not found", present.user);
            assert_eq!(self.by_uuid.get(&present.user.uuid), Some(&key), "{:?} is not found", present.user);
            let is_kept = !present.sessions.is_empty() || !present.nodes.is_empty();
            assert!(is_kept || present.lapse.is_some(), "{:?} stays for ever", present.user);
            assert!(present.sessions.is_empty() || (present.is_here && present.lapse.is_none()), "{:?}", present.user);
            (key, present)
        })
    }
}

impl Hub {
    /// The slots of that user's attending sessions.
    pub(super) fn attending(&self, user: UserId) -> &[SlotKey] {
        self.presence.get(user).map_or(&[], |present| &present.sessions)
    }

    /// Whether that user is present and known to take part in that private room.
    pub(super) fn takes_part(&self, user: UserId, room: RoomKey) -> bool {
        self.presence.get(user).is_some_and(|present| present.rooms.contains(&room))
    }

    /// Whether [`Hub::take_part`] may change something.
    pub(super) fn is_new_to(&self, user: UserId, room: RoomId) -> bool {
        let known = self.rooms.find_durable(room.into());
        let is_new = |rooms: &[RoomKey]| known.is_none_or(|room| !rooms.contains(&room));
        self.presence.get(user).is_some_and(|present| is_new(&present.rooms))
    }

    /// That user takes part in a private room. If it is present, that is known from now on, and those of its sessions
    /// that follow all are in the room.
    pub(super) fn take_part(&mut self, user: UserId, record: &RoomRecord, effects: &mut Vec<Effect>) {
        let Some((key, room)) = self.begin_part(user, record) else { return };
        if self.presence.living(key).is_here {
            self.note_move(|| Move::TakePart { user, room: record.clone() });
        }
        self.enter_by_part(key, room, effects);
    }

    /// That user takes part there from now on, if it is present and that is news. Its sessions are not in the room yet.
    pub(super) fn begin_part(&mut self, user: UserId, record: &RoomRecord) -> Option<(PresentKey, RoomKey)> {
        let key = self.presence.key_of(user)?;
        let is_bounded = self.presence.living(key).rooms.len() < self.limits.max_rooms_joined;
        if !record.is_private || !is_bounded || !self.is_new_to(user, record.id) {
            return None;
        }
        let room = self.take_up(record);
        self.rooms.add_present(room, key);
        self.presence.living_mut(key).rooms.push(room);
        Some((key, room))
    }

    /// Those of the user's sessions that follow all are in the room in which it takes part.
    pub(super) fn enter_by_part(&mut self, user: PresentKey, room: RoomKey, effects: &mut Vec<Effect>) {
        let limit = self.limits.max_rooms_joined;
        for slot in self.presence.living(user).sessions.clone() {
            let rooms = self.rooms_of(slot);
            if self.follows_all(slot) && !rooms.contains(&room) && rooms.len() < limit {
                self.enter(slot, room, effects);
            }
        }
    }

    /// That user takes part in a private room no more: none of its sessions is in it.
    pub(super) fn take_no_part(&mut self, user: PresentKey, room: RoomKey, effects: &mut Vec<Effect>) {
        let present = self.presence.living(user);
        let (id, is_here, room_id) = (present.user.id, present.is_here, self.rooms.living(room).id());
        self.end_part(user, room, effects);
        if let Some(room) = room_id.filter(|_| is_here) {
            self.note_move(|| Move::TakeNoPart { user: id, room });
        }
    }

    /// The same, and other nodes know it.
    pub(super) fn end_part(&mut self, user: PresentKey, room: RoomKey, effects: &mut Vec<Effect>) {
        for slot in self.presence.living(user).sessions.clone() {
            if self.rooms_of(slot).contains(&room) {
                self.leave_room(slot, room, effects);
            }
        }
        self.presence.living_mut(user).rooms.retain(|other| *other != room);
        self.rooms.remove_present(room, user);
    }

    /// The other present users with whom that one shares its presence, each once.
    pub(super) fn acquaintances(&self, key: PresentKey) -> Vec<PresentKey> {
        let mut others: Vec<_> = if self.limits.presence_of_all {
            self.presence.keys().collect()
        } else {
            let rooms = self.presence.living(key).rooms.iter();
            rooms.flat_map(|&room| self.rooms.living(room).present.iter().copied()).collect()
        };
        // Sorted, they are as many as there are members of the shared rooms, times a logarithm.
        others.sort_unstable();
        others.dedup();
        others.retain(|&other| other != key);
        others
    }

    pub(super) fn tell_presence(&self, user: Uuid, is_online: bool, to: &[PresentKey], effects: &mut Vec<Effect>) {
        let sessions = to.iter().flat_map(|&key| self.presence.living(key).sessions.iter().copied());
        tell_these(sessions.collect(), Event::Presence { user, is_online }, effects);
    }

    /// Those whose time is over are gone. Tells whether there were any.
    pub(super) fn see_off(&mut self, effects: &mut Vec<Effect>) -> bool {
        let mut were_any = false;
        while let Some(key) = self.presence.take_lapsed(self.now) {
            self.be_gone_from_here(key);
            if self.presence.living(key).nodes.is_empty() {
                self.be_absent(key, effects);
            }
            were_any = true;
        }
        were_any
    }

    /// The user is not present by a session here any more. It may be on other nodes.
    fn be_gone_from_here(&mut self, key: PresentKey) {
        let present = self.presence.living_mut(key);
        let (user, rooms) = (present.user.id, present.rooms.clone());
        if std::mem::take(&mut present.is_here) {
            rooms.into_iter().for_each(|room| self.rooms.touch(room));
            self.note_move(|| Move::Absent(user));
        }
    }

    /// The user is gone, whatever sessions it has: those are for the caller to see to.
    pub(super) fn be_absent(&mut self, key: PresentKey, effects: &mut Vec<Effect>) {
        self.be_gone_from_here(key);
        let others = self.acquaintances(key);
        let Present { user, rooms, .. } = self.presence.remove(key);
        let room_ids = self.ids_of(&rooms);
        for room in rooms {
            self.rooms.remove_present(room, key);
        }
        self.tell_presence(user.uuid, false, &others, effects);
        self.remember_passage(user.uuid, room_ids, false);
        self.note_status(user.id);
    }
}

impl Hub {
    fn ids_of(&self, rooms: &[RoomKey]) -> Vec<RoomId> {
        rooms.iter().filter_map(|&room| self.rooms.living(room).id()).collect()
    }

    /// The user has just come.
    pub(super) fn remember_arrival(&mut self, key: PresentKey) {
        let present = self.presence.living(key);
        let (user, rooms) = (present.user.uuid, self.ids_of(&present.rooms));
        self.remember_passage(user, rooms, true);
    }

    fn remember_passage(&mut self, user: Uuid, rooms: Vec<RoomId>, is_online: bool) {
        self.presence.remember(Passage { at: self.now, user, rooms, is_online });
    }

    /// Who has come and gone among those of whom that user is told, since its session of that name went, in the order in
    /// which they did so last.
    pub(super) fn passages_for(&mut self, key: PresentKey, pid: Option<&str>) -> Vec<Event> {
        let since = pid.and_then(|pid| self.presence.awaited.remove(pid));
        let Some(since) = since.filter(|since| *since + REMEMBERED >= self.now) else { return Vec::new() };
        let own = self.ids_of(&self.presence.living(key).rooms);
        let is_shared =
            |passage: &Passage| self.limits.presence_of_all || passage.rooms.iter().any(|room| own.contains(room));
        let mut told: Vec<Uuid> = vec![self.presence.living(key).user.uuid];
        let mut events = Vec::new();
        for passage in self.presence.passages.iter().rev().take_while(|passage| passage.at >= since) {
            if is_shared(passage) && !told.contains(&passage.user) {
                told.push(passage.user);
                events.push(Event::Presence { user: passage.user, is_online: passage.is_online });
            }
        }
        events.reverse();
        events
    }
}

/// Tells those sessions, if there are any.
pub(super) fn tell_these(sessions: Vec<SlotKey>, event: Event, effects: &mut Vec<Effect>) {
    if !sessions.is_empty() {
        effects.push(Effect::Tell { audience: Audience::These(sessions), event });
    }
}
