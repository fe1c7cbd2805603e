//! Saying something: to the one room that was joined by name, to a durable room, to a user. In a durable room nobody is
//! told before the store has it.

use std::rc::Rc;

use super::command::{ClientMark, Text};
use super::committed::Purpose;
use super::durable::UNSET;
use super::effect::{Audience, Effect, Event, Refusal, Reply, Stored, Who};
use super::job::{Appended, Author, Draft, Job};
use super::nodes::Written;
use super::presence::tell_these;
use super::{Answer, Hub};
use crate::id::{RoomKey, SlotKey, Target, UserId};

/// Something that was said, while the store has it.
pub(super) struct Said {
    pub(super) from: Option<Who>,
    pub(super) text: Rc<str>,
    /// In the room of that name, which was joined by it.
    pub(super) by_name: Option<Rc<str>>,
    pub(super) message_type: Option<Rc<str>>,
    pub(super) file: Option<Rc<str>>,
    /// The asker is told as the others in the room are.
    pub(super) hears_itself: bool,
}

impl Hub {
    /// Says something in the one room that the session has joined by name.
    pub(super) fn say_to_room(
        &mut self,
        slot: SlotKey,
        text: Text,
        client_id: Option<ClientMark>,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let key = *self.rooms_of(slot).first().ok_or(Refusal::IsInNoRoom)?;
        let from = self.who(slot).ok_or(Refusal::IsInNoRoom)?;
        let room = self.rooms.living(key);
        if let Some(id) = room.id() {
            let author = match &from {
                Who::Guest { uuid, .. } => Author::Guest { uuid: *uuid, name: from.name().into() },
                Who::User { user, .. } => Author::User(user.id.into()),
                Who::Outsider { .. } => return Err(Refusal::IsInNoRoom),
            };
            let (from, text, by_name) = (Some(from), text.into_shared(), Some(Rc::clone(&room.name)));
            let said = Said { from, text, by_name, message_type: None, file: None, hears_itself: false };
            return Ok(self.append(slot, Target::Room(id.into()), author, client_id, said));
        }
        let (room, text) = (Rc::clone(&room.name), text.into_shared());
        self.messages[0] += 1;
        self.tell_nodes_of_said(&room, &from, &text);
        let event = Event::RoomMessage { room: Rc::clone(&room), from, text: Rc::clone(&text), stored: None };
        effects.push(Effect::Tell { audience: Audience::Room { room: key, except: Some(slot) }, event });
        Ok(Answer::Now(Reply::SaidToRoom { room, text }))
    }

    /// Where somebody may say something, as far as it is not for the store to see.
    pub(super) fn place(&self, slot: SlotKey, by: Option<UserId>, to: Target) -> Result<Target, Refusal> {
        match to {
            Target::Room(room) => self.reachable(slot, by, room).map(Target::Room),
            Target::User(_) if self.is_attendee(slot) => Ok(to),
            Target::User(_) => Err(Refusal::NotAMember),
        }
    }

    pub(super) fn append(
        &mut self,
        slot: SlotKey,
        to: Target,
        author: Author,
        client_id: Option<ClientMark>,
        said: Said,
    ) -> Answer {
        let client_id = client_id.map(ClientMark::into_string);
        let (text, message_type) = ((*said.text).into(), said.message_type.as_deref().map(Into::into));
        let file = said.file.as_deref().map(Into::into);
        let draft = Draft { to, author, text, client_id, message_type, file, at: UNSET };
        self.submit(slot, Job::Append(draft), Purpose::Say(said))
    }

    /// Whether what was said makes a room known to somebody here who takes part in it.
    pub(super) fn makes_direct_room(&self, appended: &Appended, said: &Said) -> bool {
        let Some(direct) = &appended.direct else { return false };
        let author = said.from.as_ref().and_then(Who::user).map(|user| user.id);
        let users = author.or(appended.author.as_ref().map(|author| author.id)).into_iter().chain([direct.to.id]);
        users.into_iter().any(|user| self.is_new_to(user, direct.room.id))
    }

    /// It is stored: now it may be told.
    pub(super) fn appended(
        &mut self,
        asker: Option<SlotKey>,
        appended: Appended,
        said: Said,
        after: &mut Vec<Effect>,
    ) -> Reply {
        let Appended { message, room, author, direct, at, is_repeat, order } = appended;
        let Said { from, text, by_name, message_type, file, hears_itself } = said;
        self.messages[1] += u64::from(!is_repeat);
        let author = author.map(|author| Who::User { user: self.known(author).0, connection: None });
        if let Some(direct) = direct.as_ref().filter(|_| !is_repeat) {
            let author = from.as_ref().or(author.as_ref()).and_then(Who::user).map(|user| user.id);
            for user in author.into_iter().chain([direct.to.id]) {
                self.take_part(user, &direct.room, after);
            }
        }
        let (place, key) = (room.id, self.rooms.find_durable(room.id.into()));
        // Of a repeat the room of the first may be gone: then it is the one that the asker has in mind.
        let name =
            key.map(|key| Rc::clone(&self.rooms.living(key).name)).or_else(|| by_name.clone()).unwrap_or_default();
        let except = asker.filter(|_| !hears_itself);
        let direct_to = direct.as_ref().map(|direct| direct.to.uuid);
        let to = direct.as_ref().map(|direct| direct.to.id);
        let aside = to.map(|to| self.attending_elsewhere(to, key, except)).unwrap_or_default();
        let away = to.map_or(0, |to| self.away_from(to, key));
        let delivered = if is_repeat { 0 } else { away + self.told_count(asker, key, &aside) };
        let stored = Rc::new(Stored { message, room, at, message_type, file, direct_to, delivered });
        if let (Some(from), false) = (from.clone().or(author), is_repeat) {
            let direct = direct.as_ref().map(|direct| (&direct.room, direct.to.id));
            self.publish_message(&from, &text, &stored, direct, order);
            let (room, text, stored) = (Rc::clone(&name), Rc::clone(&text), Some(Rc::clone(&stored)));
            let event = Event::RoomMessage { room, from, text, stored };
            self.announce_deed(place, Written::Message(message), &event);
            tell_these(aside, event.clone(), after);
            if let Some(room) = key {
                after.push(Effect::Tell { audience: Audience::Room { room, except }, event });
            }
        }
        if by_name.is_some() { Reply::SaidToRoom { room: name, text } } else { Reply::Said { from, text, stored } }
    }

    /// The attending sessions of that user which are not in that room.
    fn attending_elsewhere(&self, user: UserId, room: Option<RoomKey>, except: Option<SlotKey>) -> Vec<SlotKey> {
        let is_in = |slot| room.is_some_and(|room| self.rooms_of(slot).contains(&room));
        self.attending(user).iter().copied().filter(|&slot| Some(slot) != except && !is_in(slot)).collect()
    }

    /// How many sessions are told, the asker apart.
    fn told_count(&self, asker: Option<SlotKey>, room: Option<RoomKey>, aside: &[SlotKey]) -> usize {
        let away = room.map_or(0, |room| self.rooms.living(room).away.len());
        let members = away + room.map_or(0, |room| self.members(room).len());
        let is_in = asker.is_some_and(|asker| room.is_some_and(|room| self.rooms_of(asker).contains(&room)));
        let is_aside = asker.is_some_and(|asker| aside.contains(&asker));
        members + aside.len() - usize::from(is_in) - usize::from(is_aside)
    }
}
