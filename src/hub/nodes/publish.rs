//! What this node tells others, besides who is where: what is said, and what becomes of rooms and users.

use std::rc::Rc;

use super::super::Hub;
use super::super::command::Blob;
use super::super::committed::Changed;
use super::super::effect::{Event, Stored, User, Who};
use super::super::job::{Change, ChangeRecord, Deed, MessageRecord, Order, Outside, RoomRecord, UserRecord};
use super::super::typing::Place;
use super::{Address, Concern, Elsewhere, Notice, Whither};
use crate::id::{ChangeId, ConnectionId, MessageId, Reference, RoomId, RoomKey, UserId};

/// The kind of a message that is just text.
const PLAIN: &str = "text";

/// What is announced, as the store knows it.
#[derive(Clone, Copy)]
pub(in super::super) enum Written {
    Message(MessageId),
    Change(ChangeId),
}

impl Hub {
    /// Tells all nodes.
    pub(in super::super) fn announce(&mut self, notice: impl FnOnce() -> Notice) {
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.send(vec![Address::All], notice());
        }
    }

    /// Tells programs that are no nodes what has become of a message, if it is in an open room.
    pub(in super::super) fn announce_deed(&mut self, room: RoomId, of: Written, event: &Event) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        if self.rooms.find_open(room.into()).is_some() {
            let name = match of {
                Written::Message(id) => format!("message:{id}"),
                Written::Change(id) => format!("change:{id}"),
            };
            cluster.announcements.push((name, event.clone()));
        }
    }

    /// Something was said in an ephemeral room.
    pub(in super::super) fn tell_nodes_of_said(&mut self, room: &Rc<str>, from: &Who, text: &Rc<str>) {
        if let (Some(cluster), Some(from)) = (&mut self.nodes.0, from.connection()) {
            let (room, text) = (room.to_string(), text.to_string());
            cluster.send(vec![Address::Name(room.clone())], Notice::Said { room, from, text });
        }
    }

    /// Says something to a connection of another node. False if there is none, or no way there.
    pub(in super::super) fn whisper(&mut self, to: ConnectionId, from: ConnectionId, text: &str) -> bool {
        let Some(cluster) = self.nodes.0.as_mut().filter(|cluster| cluster.is_up) else { return false };
        let Some(node) = cluster.sessions.get(&to).map(|session| session.node) else { return false };
        cluster.send(vec![Address::Node(node)], Notice::Whisper { to, from, text: text.into() });
        true
    }

    /// Somebody is typing, or not any more.
    pub(in super::super) fn tell_nodes_of_typing(&mut self, user: &User, to: Place, is_typing: bool) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        let (address, to) = match to {
            Place::Room(room) => (Address::Room(room), Whither::Room(room)),
            Place::User(user) => (Address::User(user), Whither::User(user)),
        };
        cluster.send(vec![address], Notice::Typing { user: record_of(user), to, is_typing });
    }

    /// Somebody passes something on.
    pub(in super::super) fn tell_nodes_of_signal(&mut self, user: &User, to: Whither, data: &Blob) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        let address = match to {
            Whither::Room(room) => Address::Room(room),
            Whither::User(user) => Address::User(user),
        };
        let (json, attachments) = (data.json.to_string(), data.attachments.to_vec());
        cluster.send(vec![address], Notice::Signal { user: record_of(user), to, json, attachments });
    }

    /// A message of this node's is stored, and told here.
    pub(in super::super) fn publish_message(
        &mut self,
        from: &Who,
        text: &str,
        stored: &Stored,
        direct: Option<(&RoomRecord, UserId)>,
        order: Option<Order>,
    ) {
        if !self.nodes.is_on() {
            return;
        }
        let known = self.rooms.find_durable(stored.room.id.into()).and_then(|key| self.rooms.living(key).record());
        let Some(room) = known.or_else(|| direct.map(|(room, _)| room.clone())) else {
            return self.leave_to_read(stored.room.id, Vec::new(), order);
        };
        let user = from.user().map(|user| user.id);
        let both: Option<Vec<UserId>> = direct.and_then(|(_, to)| Some(vec![user?, to]));
        let message = MessageRecord {
            id: stored.message,
            user,
            sender: from.uuid(),
            username: from.name().into(),
            text: text.into(),
            at: stored.at,
            read_by: 0,
            read_self: false,
            message_type: stored.message_type.as_deref().unwrap_or(PLAIN).into(),
            file: stored.file.as_deref().map(Into::into),
            edited_at: None,
            reactions: Vec::new(),
            direct_to: stored.direct_to,
            transaction: None,
        };
        let users = both.clone().unwrap_or_default();
        let outside = Outside { room, participants: both, what: Deed::Said(message) };
        self.publish(outside, users, from.connection(), order);
    }

    /// Something has become of a message, by this node.
    pub(in super::super) fn publish_change(
        &mut self,
        event: &Event,
        by: Option<&User>,
        Changed { change, author, order, .. }: Changed,
    ) {
        if !self.nodes.is_on() {
            return;
        }
        let Some((room, record)) = change_of(event, by, author) else { return };
        let known = self.rooms.find_durable(room.into()).and_then(|key| self.rooms.living(key).record());
        let Some(room) = known else {
            return self.leave_to_read(room, author.into_iter().collect(), order);
        };
        let pair = room.direct.as_deref().into_iter().flatten();
        let both = pair.filter_map(|&uuid| Some(self.presence.find(Reference::Uuid(uuid))?.user.id));
        let users = both.chain(author).collect();
        self.publish(Outside { room, participants: None, what: Deed::Changed(record, change) }, users, None, order);
    }

    /// Of what was written into a room that nobody here takes part in, no more is known than where it was. Who knows the room
    /// reads it from the store.
    fn leave_to_read(&mut self, room: RoomId, users: Vec<UserId>, order: Option<Order>) {
        if let Some(order) = order {
            self.note_concern(order, Concern { room, users, count: 1 });
        }
    }

    /// Tells a deed to the nodes that it concerns: who has somebody in the room, or one of these users.
    fn publish(
        &mut self,
        outside: Outside,
        mut users: Vec<UserId>,
        connection: Option<ConnectionId>,
        order: Option<Order>,
    ) {
        users.sort_unstable();
        users.dedup();
        let room = outside.room.id;
        let to = std::iter::once(Address::Room(room)).chain(users.iter().copied().map(Address::User)).collect();
        let position = order.map(|order| order.position);
        let notice = Notice::Deed { position, deed: Box::new(outside), connection };
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.send(to, notice);
        }
        if let Some(order) = order {
            self.note_concern(order, Concern { room, users, count: 1 });
        }
    }

    /// How many attending sessions of that user are on other nodes and not in that room.
    pub(in super::super) fn away_from(&self, user: UserId, room: Option<RoomKey>) -> usize {
        let is_in = |session: &Elsewhere| room.is_some_and(|room| session.rooms.contains(&room));
        self.nodes.sessions_of(user).filter(|(_, session)| session.is_attendee && !is_in(session)).count()
    }
}

/// As the store has it.
pub(in super::super) fn record_of(user: &User) -> UserRecord {
    UserRecord { id: user.id, uuid: user.uuid, name: (*user.name).into() }
}

/// What an event of this node tells of a message, as it is told to others.
fn change_of(event: &Event, by: Option<&User>, author: Option<UserId>) -> Option<(RoomId, ChangeRecord)> {
    let mut user = by.map(record_of);
    let (message, room, at, what, was) = match event {
        Event::MessageDeleted { message, room, was, .. } => (message, room, None, Change::Deleted, was.as_ref()),
        Event::Edited { message, room, text, at, was, .. } => {
            (message, room, Some(*at), Change::Edited((**text).into()), was.as_ref())
        }
        Event::Reacted { message, room, emoji, is_removed, .. } => {
            let what = Change::Reacted { emoji: (**emoji).into(), is_removed: *is_removed };
            (message, room, None, what, None)
        }
        Event::Confirmed { message, room, user: id, user_uuid: uuid, at, read_by, .. } => {
            user = Some(UserRecord { id: *id, uuid: *uuid, name: String::new() });
            (message, room, Some(*at), Change::Confirmed { read_by: *read_by, author }, None)
        }
        _ => return None,
    };
    let was = was.map(|was| (**was).clone());
    let record =
        ChangeRecord { message: *message, room: *room, user, at: at.unwrap_or_default(), what, was, transaction: None };
    Some((room.id, record))
}
