//! Who is where on other nodes, as they tell it: their connections are members of the rooms here, and their users present.
//! What they do there is told here as if it were done here.
//!
//! A node tells each move when it happens. Whoever comes anew, or has not been heard for a while, tells all of it, and
//! that is held against what is known: nobody stays who has gone unheard.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use smallvec::SmallVec;

use super::super::Hub;
use super::super::effect::{Audience, Effect, Event, User, Who};
use super::super::job::{RoomRecord, UserRecord};
use super::super::presence::PresentKey;
use super::super::session;
use super::publish::record_of;
use super::{Address, Move, Notice, RoomTag};
use crate::id::{ConnectionId, NodeId, RoomId, RoomKey, SlotKey, UserId};
use crate::timestamp::Timestamp;

/// How many moves go together.
const MOVES_AT_ONCE: usize = 512;

/// A connection to another node.
pub(super) struct Elsewhere {
    pub(super) node: NodeId,
    user: Option<Rc<User>>,
    pub(super) is_attendee: bool,
    pub(super) rooms: SmallVec<[RoomKey; 2]>,
    /// It is in these, too, which are not known here yet.
    pub(super) early: Vec<RoomId>,
}

/// What a node that says who is there has named so far.
#[derive(Default)]
pub(super) struct Roll {
    sessions: HashMap<ConnectionId, SmallVec<[RoomKey; 2]>>,
    users: HashSet<UserId>,
}

// What this node tells.
impl Hub {
    pub(in super::super) fn note_move(&mut self, new: impl FnOnce() -> Move) {
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.moves.push(new());
        }
    }

    pub(in super::super) fn note_entered(&mut self, who: &Who, key: RoomKey, at: Option<Timestamp>) {
        let (Some(connection), Some(at)) = (who.connection(), at) else { return };
        let room = self.rooms.living(key).tag();
        self.note_move(|| Move::Enter { connection, room, at });
    }

    pub(in super::super) fn note_left(&mut self, who: &Who, key: RoomKey) {
        if let Some(connection) = who.connection().filter(|_| self.nodes.is_on()) {
            let room = self.rooms.living(key).tag();
            self.note_move(|| Move::Leave { connection, room });
        }
    }

    pub(in super::super) fn note_user(&mut self, slot: SlotKey) {
        let Some(Who::User { user, connection: Some(connection) }) = self.who(slot) else { return };
        let is_attendee = self.is_attendee(slot);
        self.note_move(|| Move::Be { connection, user: record_of(&user), is_attendee });
    }

    /// How other nodes hear of a present user.
    pub(in super::super) fn present_move(&self, key: PresentKey) -> Move {
        let present = self.presence.living(key);
        let rooms = present.rooms.iter().filter_map(|&room| self.rooms.living(room).record()).collect();
        Move::Present { user: record_of(&present.user), rooms }
    }

    /// That node wants to know who is here.
    pub(super) fn note_asker(&mut self, node: NodeId) {
        let asker = Address::Node(node);
        if let Some(cluster) = self.nodes.0.as_mut().filter(|cluster| !cluster.askers.contains(&asker)) {
            cluster.askers.push(asker);
        }
    }

    /// Tells all who have asked who is there, at once: after a cut that may be everybody. To be called when what has arrived
    /// is heard, before anything else happens: what is told of somebody means nothing to those who don't know them.
    pub fn answer_askers(&mut self) {
        let askers = self.nodes.0.as_mut().map(|cluster| std::mem::take(&mut cluster.askers)).unwrap_or_default();
        if !askers.is_empty() {
            self.tell_directory(&askers);
        }
    }

    /// Tells who is here.
    pub(super) fn tell_directory(&mut self, to: &[Address]) {
        let moves = self.directory();
        let Some(cluster) = &mut self.nodes.0 else { return };
        let count = moves.len().div_ceil(MOVES_AT_ONCE).max(1);
        let mut moves = moves.into_iter();
        for index in 0..count {
            let part = moves.by_ref().take(MOVES_AT_ONCE).collect();
            let notice = Notice::Directory { is_first: index == 0, is_last: index + 1 == count, moves: part };
            cluster.send(to.to_vec(), notice);
        }
    }

    fn directory(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for &slot in self.slots.values() {
            let Some((connection, user)) = self.who(slot).and_then(|who| Some((who.connection()?, who))) else {
                continue;
            };
            moves.push(Move::Open(connection));
            let be = |user| Move::Be { connection, user: record_of(user), is_attendee: self.is_attendee(slot) };
            moves.extend(user.user().map(be));
        }
        let here = self.presence.keys().filter(|&key| self.presence.living(key).is_here);
        moves.extend(here.map(|key| self.present_move(key)));
        for (_, room) in self.rooms.iter() {
            let members = room.joined().filter_map(|(slot, at)| Some((self.who(slot)?.connection()?, at)));
            let enter = |(connection, at)| Move::Enter { connection, room: room.tag(), at };
            moves.extend(members.map(enter));
        }
        moves
    }

    /// The members of a room on all nodes, in the order of joining.
    pub(in super::super) fn members_everywhere(&self, key: RoomKey) -> Vec<ConnectionId> {
        let here = |slot| self.who(slot).and_then(|who| who.connection());
        let room = self.rooms.living(key);
        if room.away.is_empty() {
            return room.members.iter().filter_map(|&slot| here(slot)).collect();
        }
        let away = room.away.iter().map(|(&connection, &at)| (at, connection));
        let mut all: Vec<_> = room.joined().filter_map(|(slot, at)| Some((at, here(slot)?))).chain(away).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, connection)| connection).collect()
    }
}

// What others tell.
impl Hub {
    /// A node says who is there: all of it, in parts.
    pub(super) fn hear_directory(
        &mut self,
        from: NodeId,
        [is_first, is_last]: [bool; 2],
        moves: Vec<Move>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        let other = cluster.others.entry(from).or_default();
        if is_first {
            other.roll = Some(Roll::default());
            cluster.forget_early(from);
        }
        // Who was there before it was heard of is no news.
        let is_news = self.is_known(from);
        for one in moves {
            self.hear_move(from, one, is_news, effects);
        }
        let Some(cluster) = self.nodes.0.as_mut().filter(|_| is_last) else { return };
        let other = cluster.others.entry(from).or_default();
        other.is_known = true;
        if let Some(roll) = other.roll.take() {
            self.call(from, &roll, effects);
        }
    }

    /// Whether this node has noted as offline whoever was not known to be there.
    fn has_cleared(&self) -> bool {
        self.nodes.0.as_ref().is_some_and(|cluster| cluster.has_cleared)
    }

    fn is_known(&self, node: NodeId) -> bool {
        let other = self.nodes.0.as_ref().and_then(|cluster| cluster.others.get(&node));
        other.is_some_and(|other| other.is_known)
    }

    /// Whoever was not named has gone.
    fn call(&mut self, node: NodeId, roll: &Roll, effects: &mut Vec<Effect>) {
        let Some(cluster) = &self.nodes.0 else { return };
        let known = cluster.sessions.iter().filter(|(_, session)| session.node == node);
        let known: Vec<_> = known.map(|(id, session)| (*id, session.rooms.clone())).collect();
        for (connection, rooms) in known {
            let Some(named) = roll.sessions.get(&connection) else {
                self.close_away(connection, effects);
                continue;
            };
            for room in rooms.into_iter().filter(|room| !named.contains(room)) {
                self.leave_away(connection, room, effects);
            }
        }
        let is_gone = |key: &PresentKey| {
            let present = self.presence.living(*key);
            present.nodes.contains(&node) && !roll.users.contains(&present.user.id)
        };
        for key in self.presence.keys().filter(is_gone).collect::<Vec<_>>() {
            self.be_absent_on(node, key, effects);
        }
    }

    /// Whether it is that node's to tell: no node moves the connections of another.
    fn is_of(&self, node: NodeId, one: &Move) -> bool {
        let connection = match one {
            Move::Open(connection) | Move::Close(connection) => connection,
            Move::Be { connection, .. } | Move::Enter { connection, .. } | Move::Leave { connection, .. } => connection,
            Move::Present { .. } | Move::Absent(_) | Move::TakePart { .. } | Move::TakeNoPart { .. } => return true,
        };
        let known = self.nodes.0.as_ref().and_then(|cluster| cluster.sessions.get(connection));
        known.is_none_or(|session| session.node == node) && !self.slots.contains_key(connection)
    }

    pub(super) fn hear_move(&mut self, node: NodeId, one: Move, is_news: bool, effects: &mut Vec<Effect>) {
        if !self.is_of(node, &one) {
            return;
        }
        match one {
            Move::Open(connection) => self.open_away(node, connection),
            Move::Close(connection) => self.close_away(connection, effects),
            Move::Be { connection, user, is_attendee } => {
                self.open_away(node, connection);
                self.be_away(connection, user, is_attendee, effects);
            }
            Move::Enter { connection, room, at } => {
                self.open_away(node, connection);
                match self.find_or_make(&room) {
                    Ok(key) => self.enter_away(connection, key, at, is_news, effects),
                    Err(room) => self.nodes.0.iter_mut().for_each(|cluster| cluster.come_early(connection, room, at)),
                }
            }
            Move::Leave { connection, room } => {
                if let Some(key) = self.find_tag(&room) {
                    self.leave_away(connection, key, effects);
                } else if let (Some(cluster), RoomTag::Durable(room)) = (&mut self.nodes.0, room) {
                    cluster.leave_early(connection, room);
                }
            }
            Move::Present { user, rooms } => self.be_present_on(node, user, &rooms, effects),
            Move::Absent(user) => {
                if let Some(key) = self.presence.key_of(user) {
                    self.be_absent_on(node, key, effects);
                }
            }
            Move::TakePart { user, room } => {
                if let Some((user, room)) = self.begin_part(user, &room) {
                    self.enter_by_part(user, room, effects);
                }
            }
            Move::TakeNoPart { user, room } => {
                let found = self.presence.key_of(user).zip(self.rooms.find_durable(room.into()));
                if let Some((user, room)) =
                    found.filter(|(user, room)| self.presence.living(*user).rooms.contains(room))
                {
                    self.end_part(user, room, effects);
                }
            }
        }
    }

    fn open_away(&mut self, node: NodeId, connection: ConnectionId) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        let new = || Elsewhere { node, user: None, is_attendee: false, rooms: SmallVec::new(), early: Vec::new() };
        cluster.sessions.entry(connection).or_insert_with(new);
        if let Some(roll) = cluster.roll(node) {
            roll.sessions.entry(connection).or_default();
        }
    }

    pub(super) fn close_away(&mut self, connection: ConnectionId, effects: &mut Vec<Effect>) {
        let session = self.nodes.0.as_ref().and_then(|cluster| cluster.sessions.get(&connection));
        for room in session.map(|session| session.rooms.clone()).unwrap_or_default() {
            self.leave_away(connection, room, effects);
        }
        let Some(cluster) = &mut self.nodes.0 else { return };
        cluster.leave_all_early(connection);
        if let Some(Elsewhere { user: Some(user), .. }) = cluster.sessions.remove(&connection) {
            forget_user(&mut cluster.users, user.id, connection);
        }
    }

    fn be_away(&mut self, connection: ConnectionId, user: UserRecord, is_attendee: bool, effects: &mut Vec<Effect>) {
        let (id, from) = (user.id, self.who_is_away(connection));
        let Some(cluster) = &mut self.nodes.0 else { return };
        let Some(session) = cluster.sessions.get_mut(&connection) else { return };
        let user = Rc::new(User { id, uuid: user.uuid, name: user.name.into() });
        session.is_attendee = is_attendee;
        let (former, rooms) = (session.user.replace(user), session.rooms.clone());
        if former.as_ref().is_some_and(|former| former.id == id) {
            return;
        }
        let still: Vec<bool> = {
            former.iter().for_each(|former| forget_user(&mut cluster.users, former.id, connection));
            cluster.users.entry(id).or_default().push(connection);
            let is_there =
                |room| former.as_ref().is_some_and(|former| self.is_in_by_another(former.id, room, None, None));
            rooms.iter().map(|&room| is_there(room)).collect()
        };
        let (Some(from), Some(to)) = (from, self.who_is_away(connection)) else { return };
        for (key, is_still_there) in rooms.into_iter().zip(still) {
            let is_again = self.is_in_by_another(id, key, None, Some(connection));
            let (from, to, id) = (from.clone(), to.clone(), self.rooms.living(key).id());
            self.tell_members(key, Event::Switched { id, from, to, is_still_there, is_again }, effects);
        }
    }

    /// Who a connection to another node is.
    pub(super) fn who_is_away(&self, connection: ConnectionId) -> Option<Who> {
        let Elsewhere { node, user, .. } = self.nodes.0.as_ref()?.sessions.get(&connection)?;
        Some(match user {
            Some(user) => Who::User { user: Rc::clone(user), connection: Some(connection) },
            None => Who::Guest { connection, uuid: session::guest_uuid(node.0, connection) },
        })
    }

    fn find_tag(&self, room: &RoomTag) -> Option<RoomKey> {
        match room {
            RoomTag::Durable(id) => self.rooms.find_durable((*id).into()),
            RoomTag::Ephemeral(name) => self.rooms.find(name),
        }
    }

    /// The room; of a durable one that is not known here, its id.
    fn find_or_make(&mut self, room: &RoomTag) -> Result<RoomKey, RoomId> {
        match (self.find_tag(room), room) {
            (Some(key), _) => Ok(key),
            (None, RoomTag::Durable(id)) => Err(*id),
            (None, RoomTag::Ephemeral(name)) => Ok(self.rooms.make_ephemeral(name.as_str().into())),
        }
    }

    pub(super) fn enter_away(
        &mut self,
        connection: ConnectionId,
        key: RoomKey,
        at: Timestamp,
        is_news: bool,
        effects: &mut Vec<Effect>,
    ) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        let Some(session) = cluster.sessions.get_mut(&connection) else { return };
        let (node, is_attendee, is_new) = (session.node, session.is_attendee, !session.rooms.contains(&key));
        if is_new {
            session.rooms.push(key);
        }
        if let Some(roll) = cluster.roll(node) {
            roll.sessions.entry(connection).or_default().push(key);
        }
        if !is_new {
            return;
        }
        self.rooms.add_away(key, connection, at);
        if !(is_news && self.is_noticed(is_attendee, key)) {
            return;
        }
        let Some(who) = self.who_is_away(connection) else { return };
        let is_again = who.user().is_some_and(|user| self.is_in_by_another(user.id, key, None, Some(connection)));
        let room = self.rooms.living(key);
        let event = Event::Joined { room: Rc::clone(&room.name), id: room.id(), who, is_again };
        self.tell_members(key, event, effects);
    }

    fn leave_away(&mut self, connection: ConnectionId, key: RoomKey, effects: &mut Vec<Effect>) {
        let who = self.who_is_away(connection);
        let Some(session) = self.nodes.0.as_mut().and_then(|cluster| cluster.sessions.get_mut(&connection)) else {
            return;
        };
        if !session.rooms.contains(&key) {
            return;
        }
        session.rooms.retain(|room| *room != key);
        let is_attendee = session.is_attendee;
        let (room, is_told) = (self.rooms.living(key), self.is_noticed(is_attendee, key));
        let (name, id) = (Rc::clone(&room.name), room.id());
        if let (true, true, Some(who)) = (self.rooms.remove_away(key, connection), is_told, who) {
            let user = who.user().map(|user| user.id);
            let is_still_there = user.is_some_and(|user| self.is_in_by_another(user, key, None, None));
            self.tell_members(key, Event::Left { room: name, id, who, is_still_there }, effects);
        }
    }

    /// Tells the members here, if there are any.
    pub(super) fn tell_members(&self, room: RoomKey, event: Event, effects: &mut Vec<Effect>) {
        if !self.members(room).is_empty() {
            effects.push(Effect::Tell { audience: Audience::Room { room, except: None }, event });
        }
    }

    fn be_present_on(&mut self, node: NodeId, user: UserRecord, rooms: &[RoomRecord], effects: &mut Vec<Effect>) {
        let user = Rc::new(User { id: user.id, uuid: user.uuid, name: user.name.into() });
        let (key, is_new) = self.presence.arrive(&user);
        let present = self.presence.living_mut(key);
        if !present.nodes.contains(&node) {
            present.nodes.push(node);
        }
        if let Some(roll) = self.nodes.0.as_mut().and_then(|cluster| cluster.roll(node)) {
            roll.users.insert(user.id);
        }
        for room in rooms {
            self.take_part(user.id, room, effects);
        }
        if is_new {
            let others = self.acquaintances(key);
            self.tell_presence(user.uuid, true, &others, effects);
            self.remember_arrival(key);
            // By this node, those who were there before it was heard of are not noted as gone.
            if self.has_cleared() || self.is_known(node) {
                self.note_status(user.id);
            }
        }
    }

    fn be_absent_on(&mut self, node: NodeId, key: PresentKey, effects: &mut Vec<Effect>) {
        let present = self.presence.living_mut(key);
        present.nodes.retain(|other| *other != node);
        if present.nodes.is_empty() && !present.is_here && !present.is_leaving() {
            self.be_absent(key, effects);
        }
    }

    /// A room is no more: nobody is in it, on no node.
    pub(in super::super) fn forget_away(&mut self, key: RoomKey, away: &BTreeMap<ConnectionId, Timestamp>) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        for connection in away.keys() {
            if let Some(session) = cluster.sessions.get_mut(connection) {
                session.rooms.retain(|room| *room != key);
            }
        }
    }

    /// The members of one room are in another from now on.
    pub(in super::super) fn move_away(&mut self, from: RoomKey, to: RoomKey) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        for session in cluster.sessions.values_mut() {
            session.rooms.iter_mut().filter(|room| **room == from).for_each(|room| *room = to);
        }
    }

    /// Gives back the memory of a crowd that has gone.
    pub(in super::super) fn give_back_away(&mut self) {
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.sessions.shrink_to_fit();
            cluster.users.shrink_to_fit();
            cluster.typists.give_back();
        }
    }

    /// Panics unless the connections to other nodes and the rooms' members there agree. Returns how many there are in rooms.
    pub(in super::super) fn check_away(&self) -> usize {
        let sessions = self.nodes.0.iter().flat_map(|cluster| &cluster.sessions);
        let mut count = 0;
        for (connection, session) in sessions {
            for &room in &session.rooms {
                let members = &self.rooms.living(room).away;
                assert!(members.contains_key(connection), "{connection} is not a member of its room");
            }
            for &room in &session.early {
                assert!(self.rooms.find_durable(room.into()).is_none(), "{connection} waits for a room that is known");
            }
            count += session.rooms.len();
        }
        count
    }

    /// The user is called that now, wherever they are; or is no more.
    pub(in super::super) fn rename_away(&mut self, id: UserId, user: Option<&Rc<User>>) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        for connection in cluster.users.get(&id).into_iter().flatten() {
            if let Some(session) = cluster.sessions.get_mut(connection) {
                session.user = user.map(Rc::clone);
            }
        }
        if user.is_none() {
            cluster.users.remove(&id);
        }
    }
}

fn forget_user(users: &mut HashMap<UserId, SmallVec<[ConnectionId; 1]>>, user: UserId, connection: ConnectionId) {
    if let Some(connections) = users.get_mut(&user) {
        connections.retain(|other| *other != connection);
        if connections.is_empty() {
            users.remove(&user);
        }
    }
}
