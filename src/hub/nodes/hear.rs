//! What other nodes tell: it is told here as if it had happened here, and given to no store and to no node again.

use std::rc::Rc;

use super::super::Hub;
use super::super::command::Blob;
use super::super::effect::{Audience, Effect, Event, User};
use super::super::job::{Outside, UserRecord};
use super::super::presence::tell_these;
use super::super::session::guest_uuid;
use super::{Address, Concern, Move, Notice, Whither};
use crate::id::{ConnectionId, NodeId, RoomId, Uuid};

impl Hub {
    /// There is a way to the others, for the first time or again: they hear who is here, and are asked.
    pub fn connected(&mut self) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        cluster.is_up = true;
        cluster.alive_at = self.now;
        // What has happened till now is in the directory.
        cluster.moves.clear();
        cluster.send(vec![Address::All], Notice::Hello);
        self.tell_directory(&[Address::All]);
        self.survey();
        self.catch_up();
        self.put_off_review();
    }

    /// There is no way to the others.
    pub fn disconnected(&mut self) {
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.is_up = false;
        }
    }

    /// Tells the others that everybody here has gone. Nothing is told after that.
    pub fn take_leave(&mut self) {
        self.announce(|| Notice::Farewell);
    }

    /// Whether taking this may change who is in which room here. Of what is stored, its turn will tell.
    pub fn moves_members_on(notice: &Notice) -> bool {
        let is_of_presence =
            |one: &Move| matches!(one, Move::Present { .. } | Move::TakePart { .. } | Move::TakeNoPart { .. });
        match notice {
            Notice::Moved(moves) | Notice::Directory { moves, .. } => moves.iter().any(is_of_presence),
            Notice::Deed { position, .. } => position.is_none(),
            Notice::RoomCreated(..)
            | Notice::RoomRenamed(_)
            | Notice::RoomDeleted(_)
            | Notice::UserDeleted(_)
            | Notice::Farewell => true,
            _ => false,
        }
    }

    /// A node tells something. What is stored is told in its turn: see [`Hub::next_in_order`].
    pub fn hear(&mut self, from: NodeId, notice: Notice, effects: &mut Vec<Effect>) {
        self.finish_loss(from, effects);
        self.greet(from, &notice);
        match notice {
            Notice::Hello => {
                self.note_asker(from);
                // Of what it did before, nobody may have heard.
                self.survey();
            }
            Notice::Farewell => self.lose(from, false, effects),
            Notice::Alive(position) => self.hear_of(position.number),
            Notice::Directory { is_first, is_last, moves } => {
                self.hear_directory(from, [is_first, is_last], moves, effects);
            }
            Notice::Moved(moves) => moves.into_iter().for_each(|one| self.hear_move(from, one, true, effects)),
            Notice::Deed { position, deed, connection } => match position.filter(|_| self.keeps_order()) {
                Some(position) => self.hear_deed(position, deed, connection),
                None => self.happened_elsewhere(*deed, connection, effects),
            },
            Notice::Committed { position, concerns } => {
                let now = self.now;
                if let Some(cluster) = &mut self.nodes.0 {
                    cluster.order.hear_committed(position, concerns, now);
                }
            }
            Notice::Said { room, from, text } => self.hear_said(&room, from, &text, effects),
            Notice::Whisper { to, from, text } => {
                if let Some(&slot) = self.slots.get(&to) {
                    let event = Event::PrivateMessage { from, text: text.into() };
                    effects.push(Effect::Tell { audience: Audience::Session(slot), event });
                }
            }
            Notice::Typing { user, to, is_typing } => {
                self.hear_typing(from, known_as(user), to, is_typing, effects);
            }
            Notice::Signal { user, to, json, attachments } => {
                let (user, data) = (known_as(user), Blob { json: json.into(), attachments: attachments.into() });
                self.tell_whither(to, effects, |room| Event::Signal { user, room, data });
            }
            Notice::RoomCreated(..)
            | Notice::RoomRenamed(_)
            | Notice::RoomDeleted(_)
            | Notice::UserRenamed(_)
            | Notice::UserDeleted(_) => self.hear_of_change(notice, effects),
        }
        self.check_in_debug();
    }

    /// A node of which nobody has heard, or not for too long, is asked who is there.
    fn greet(&mut self, from: NodeId, notice: &Notice) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        let is_new = !cluster.others.contains_key(&from);
        let other = cluster.others.entry(from).or_default();
        let is_back = std::mem::take(&mut other.is_gone);
        if (is_new || is_back) && !matches!(notice, Notice::Directory { .. } | Notice::Farewell) {
            cluster.send(vec![Address::Node(from)], Notice::Hello);
        }
    }

    pub(super) fn keeps_order(&self) -> bool {
        self.nodes.told().is_some()
    }

    fn hear_of(&mut self, number: u64) {
        let now = self.now;
        if let Some(cluster) = self.nodes.0.as_mut().filter(|cluster| cluster.order.told().is_some()) {
            cluster.order.note_known(number, now);
        }
    }

    fn hear_deed(&mut self, position: crate::id::Position, deed: Box<Outside>, connection: Option<ConnectionId>) {
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.order.hear_deed(position, deed, connection);
        }
    }

    pub(super) fn concerns_us(&self, concern: &Concern) -> bool {
        let key = self.rooms.find_durable(concern.room.into());
        key.is_some_and(|key| self.is_followed(key)) || concern.users.iter().any(|&user| self.is_user_here(user))
    }

    fn hear_said(&mut self, room: &str, from: ConnectionId, text: &str, effects: &mut Vec<Effect>) {
        let found = self.rooms.find(room).zip(self.who_is_away(from));
        if let Some((key, from)) = found {
            let room = Rc::clone(&self.rooms.living(key).name);
            self.tell_members(key, Event::RoomMessage { room, from, text: text.into(), stored: None }, effects);
        }
    }

    pub(super) fn tell_whither(
        &self,
        to: Whither,
        effects: &mut Vec<Effect>,
        event: impl FnOnce(Option<crate::id::RoomIds>) -> Event,
    ) {
        match to {
            Whither::User(user) => tell_these(self.attending(user).to_vec(), event(None), effects),
            Whither::Room(room) => {
                if let Some(key) = self.rooms.find_durable(room.into()) {
                    self.tell_members(key, event(self.rooms.living(key).ids()), effects);
                }
            }
        }
    }

    /// What becomes of rooms and users. It may be known already.
    fn hear_of_change(&mut self, notice: Notice, effects: &mut Vec<Effect>) {
        self.note_change(&notice);
        match notice {
            Notice::RoomCreated(room, participants) if room.is_private || self.name_of(room.id).is_none() => {
                self.room_created(&room, participants, effects);
            }
            Notice::RoomRenamed(room) if self.name_of(room.id).is_some_and(|name| *name != *room.name) => {
                self.room_renamed(&room, effects);
            }
            Notice::RoomDeleted(room) if self.name_of(room).is_some() => drop(self.room_deleted(room, effects)),
            Notice::UserRenamed(user) => drop(self.user_renamed(user, effects)),
            Notice::UserDeleted(user) => drop(self.user_deleted(user, effects)),
            _ => {}
        }
    }

    pub(super) fn name_of(&self, room: RoomId) -> Option<Rc<str>> {
        let key = self.rooms.find_durable(room.into())?;
        Some(Rc::clone(&self.rooms.living(key).name))
    }

    /// Another node has done that, in a room that concerns somebody here.
    pub fn happened_elsewhere(
        &mut self,
        outside: Outside,
        connection: Option<ConnectionId>,
        effects: &mut Vec<Effect>,
    ) {
        let Outside { room, participants, what } = outside;
        for user in participants.into_iter().flatten() {
            self.take_part(user, &room, effects);
        }
        self.tell_deed(&room, what, connection, effects);
        self.check_in_debug();
    }

    /// Whose guest that is, if it is one of a node that is there.
    pub(in super::super) fn is_guest(&self, connection: ConnectionId, uuid: Uuid) -> bool {
        let others = self.nodes.0.iter().flat_map(|cluster| cluster.others.keys().copied());
        others.chain([self.node()]).any(|node| guest_uuid(node.0, connection) == uuid)
    }
}

fn known_as(user: UserRecord) -> Rc<User> {
    Rc::new(User { id: user.id, uuid: user.uuid, name: user.name.into() })
}
