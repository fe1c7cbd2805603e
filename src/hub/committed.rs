//! What the store has done or not done: now it may be shown, and answered.

use std::rc::Rc;

use super::Hub;
use super::effect::{Audience, Effect, Event, Refusal, Reply, Stored, Who};
use super::job::{Appended, Done, Fault, Outcome, RoomRecord, Ticket, UserRecord};
use super::session::Session;
use crate::id::{RoomId, RoomKey, SlotKey, UserId};

/// A job that the store has.
pub(super) struct Pending {
    /// Whom to answer, if they are still there.
    pub(super) asker: Option<SlotKey>,
    pub(super) purpose: Purpose,
}

/// What a job is for, where its outcome does not tell.
pub(super) enum Purpose {
    /// The outcome says everything.
    Tell,
    /// The asker is that user from now on.
    BeUser,
    RenameUser,
    DeleteUser,
    CreateRoom,
    RenameRoom,
    /// The asker enters the room.
    Enter,
    DeleteMessage,
    /// Something was said. `by_name`: in the room of that name, which was joined by it; its members are told and not the
    /// asker.
    Say {
        from: Option<Who>,
        text: Rc<str>,
        by_name: Option<Rc<str>>,
    },
}

impl Hub {
    /// Whether taking this outcome may change who is in which room.
    pub fn moves_members(&self, ticket: Ticket, outcome: &Outcome) -> bool {
        match (outcome, self.pending.get(&ticket).map(|pending| &pending.purpose)) {
            (Ok(Done::User(_)), Some(purpose)) => matches!(purpose, Purpose::BeUser | Purpose::DeleteUser),
            (outcome, _) => matches!(outcome, Ok(Done::Room(_) | Done::RoomDeleted(_))),
        }
    }

    /// Takes the outcome of a job: answers whoever asked for it, if they are still there, and tells those whom it
    /// concerns.
    pub fn committed(&mut self, ticket: Ticket, outcome: Outcome, effects: &mut Vec<Effect>) {
        let Some(Pending { asker, purpose }) = self.pending.remove(&ticket) else { return };
        let mut after = Vec::new();
        let reply = match outcome {
            Ok(done) => self.conclude(asker, purpose, done, effects, &mut after),
            Err(fault) => Err(self.refusal(asker, &purpose, fault)),
        };
        if let Some(slot) = asker
            && let Some(session) = self.session_mut(slot)
        {
            let was_busy = session.is_busy();
            session.reply_to(slot, ticket, reply.unwrap_or_else(Reply::Refused), effects);
            effects.append(&mut after);
            if was_busy {
                effects.push(Effect::Resume { slot });
            }
        }
        effects.append(&mut after);
        self.check_in_debug();
    }

    /// Carries out the next request of a session that had to wait, if it need not wait any more. Tells whether there was
    /// one.
    pub fn resume(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) -> bool {
        let Some(request) = self.session_mut(slot).and_then(Session::next_waiting) else { return false };
        self.begin(slot, request, effects);
        self.check_in_debug();
        true
    }

    /// Carries out what follows from a job that is done. What others are told goes to `after`, behind the reply, unless
    /// it is about a change that the asker has made to itself.
    fn conclude(
        &mut self,
        asker: Option<SlotKey>,
        purpose: Purpose,
        done: Done,
        effects: &mut Vec<Effect>,
        after: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        Ok(match (done, purpose) {
            (Done::User(record), Purpose::BeUser) => self.become_user(asker, record, effects),
            (Done::User(record), Purpose::RenameUser) => self.user_renamed(record, after),
            (Done::User(record), Purpose::DeleteUser) => self.user_deleted(record.id, after),
            (Done::User(record), _) => {
                let (user, online) = self.known(record);
                Reply::User { user, online }
            }
            (Done::Users(records), _) => {
                Reply::Users { users: records.into_iter().map(|record| self.known(record)).collect() }
            }
            (Done::Room(record), Purpose::Enter) => self.enter_found(asker, &record, effects)?,
            (Done::Room(record), Purpose::CreateRoom) => self.room_created(&record, after),
            (Done::Room(record), _) => self.room_renamed(&record, after),
            (Done::RoomDeleted(id), _) => self.room_deleted(id, after),
            (Done::Appended(appended), Purpose::Say { from, text, by_name }) => {
                self.appended(asker, appended, from, text, by_name, after)
            }
            (Done::Appended(Appended { message, room, at, .. }), _) => Reply::Said(Stored { message, room, at }),
            (Done::Messages { room, messages, has_more }, _) => Reply::Messages { room, messages, has_more },
            (Done::MessageDeleted { message, room }, _) => {
                self.tell_room(room, Event::MessageDeleted { message, room }, after);
                Reply::MessageDeleted { message }
            }
            (Done::Confirmed { message, room, user, author, at, read_by, is_new }, _) => {
                if is_new {
                    let event = Event::Confirmed { message, room, user, at, read_by };
                    self.tell_room_and(author, room, &event, after);
                }
                Reply::Confirmed { message, user, at }
            }
            (Done::Readers { message, readers }, _) => Reply::Readers { message, readers },
        })
    }

    /// The refusal that a fault comes to. To a session it does not tell whether the thing is not there or not theirs.
    fn refusal(&self, asker: Option<SlotKey>, purpose: &Purpose, fault: Fault) -> Refusal {
        let is_program = asker.and_then(|slot| self.session(slot)).is_some_and(|session| session.is_program());
        match (fault, purpose) {
            (Fault::Unavailable(sentence) | Fault::Unsupported(sentence), _) => Refusal::Unavailable(sentence),
            (Fault::TooMany, _) => {
                Refusal::TooMany(format!("nobody may have more than {} rooms", self.limits.max_rooms_owned))
            }
            (Fault::NoSuchUser, _) => Refusal::NotFound("there is no such user"),
            (Fault::NameTaken, Purpose::CreateRoom | Purpose::RenameRoom) => {
                Refusal::NameTaken("there is an open room of that name")
            }
            (Fault::NameTaken, _) => Refusal::NameTaken("there is a user of that name"),
            (Fault::NoSuchRoom, Purpose::Enter) => Refusal::NotFound("there is no such room"),
            (Fault::NoSuchRoom, _) if is_program => Refusal::NotFound("there is no such room"),
            (Fault::NoSuchRoom, Purpose::Say { .. }) => Refusal::NotAMember,
            (Fault::NoSuchRoom, _) => Refusal::Forbidden("only a room's owner may do that"),
            (Fault::NoSuchMessage, _) if is_program => Refusal::NotFound("there is no such message"),
            (Fault::NoSuchMessage, Purpose::DeleteMessage) => {
                Refusal::Forbidden("only a message's author or its room's owner may do that")
            }
            (Fault::NoSuchMessage, _) => Refusal::NotAMember,
        }
    }

    /// The asker is that user now; in open rooms the others are told of the change.
    fn become_user(&mut self, asker: Option<SlotKey>, record: UserRecord, effects: &mut Vec<Effect>) -> Reply {
        let (user, _) = self.known(record);
        let reply = Reply::User { user: Rc::clone(&user), online: true };
        let Some(slot) = asker else { return reply };
        let Some(from) = self.who(slot) else { return reply };
        if from.user().is_some_and(|former| former.id == user.id) {
            return reply;
        }
        for key in self.rooms_of(slot).to_vec() {
            if !self.rooms.living(key).is_open() {
                self.leave_room(slot, key, effects);
            }
        }
        let rooms = self.rooms_of(slot).iter().map(|&key| (key, self.is_there_otherwise(slot, key)));
        let rooms: Vec<_> = rooms.collect();
        self.be_user(slot, Some(user));
        let Some(to) = self.who(slot) else { return reply };
        for (key, is_still_there) in rooms {
            let (id, is_again) = (self.rooms.living(key).id(), self.is_there_otherwise(slot, key));
            let event = Event::Switched { id, from: from.clone(), to: to.clone(), is_still_there, is_again };
            effects.push(Effect::Tell { audience: Audience::Room { room: key, except: Some(slot) }, event });
        }
        reply
    }

    fn user_renamed(&mut self, record: UserRecord, after: &mut Vec<Effect>) -> Reply {
        let (user, online) = self.known(record);
        for slot in self.sessions_of(user.id).to_vec() {
            if let Some(session) = self.session_mut(slot) {
                session.user = Some(Rc::clone(&user));
            }
        }
        let event = Event::UserRenamed { user: Rc::clone(&user) };
        after.push(Effect::Tell { audience: Audience::Everybody, event });
        Reply::User { user, online }
    }

    fn user_deleted(&mut self, user: UserId, after: &mut Vec<Effect>) -> Reply {
        for slot in self.sessions_of(user).to_vec() {
            self.leave_all(slot, after);
            self.be_user(slot, None);
        }
        after.push(Effect::Tell { audience: Audience::Everybody, event: Event::UserDeleted { user } });
        Reply::UserDeleted { user }
    }

    fn enter_found(
        &mut self,
        asker: Option<SlotKey>,
        record: &RoomRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let id = record.id;
        if let Some(slot) = asker {
            self.check_room_for_one_more(slot)?;
            let key = self.take_up(record);
            self.enter(slot, key, effects);
        }
        Ok(Reply::Entered { id })
    }

    fn room_created(&mut self, record: &RoomRecord, after: &mut Vec<Effect>) -> Reply {
        let (id, name): (_, Rc<str>) = (record.id, record.name.as_str().into());
        if !record.is_private {
            self.take_up(record);
            let event = Event::RoomCreated { id, name: Rc::clone(&name), owner: record.owner };
            after.push(Effect::Tell { audience: Audience::Everybody, event });
        }
        Reply::Room { id, name }
    }

    fn room_renamed(&mut self, record: &RoomRecord, after: &mut Vec<Effect>) -> Reply {
        let (id, name): (_, Rc<str>) = (record.id, record.name.as_str().into());
        let event = Event::RoomRenamed { id, name: Rc::clone(&name) };
        if !record.is_private {
            self.take_up(record);
            after.push(Effect::Tell { audience: Audience::Everybody, event });
        } else if self.rooms.find_durable(id.into()).is_some() {
            self.take_up(record);
            self.tell_room(id, event, after);
        }
        Reply::Room { id, name }
    }

    /// Keeps the sessions' lists in step with the rooms.
    fn take_up(&mut self, record: &RoomRecord) -> RoomKey {
        let (key, absorbed) = self.rooms.take_up(record);
        if let Some(absorbed) = absorbed {
            for session in self.sessions.iter_mut().flatten() {
                session.rooms.iter_mut().filter(|room| **room == absorbed).for_each(|room| *room = key);
            }
        }
        key
    }

    fn room_deleted(&mut self, id: RoomId, after: &mut Vec<Effect>) -> Reply {
        let key = self.rooms.find_durable(id.into());
        let is_open = self.rooms.find_open(id.into()).is_some();
        if let Some(key) = key {
            let room = Rc::clone(&self.rooms.living(key).name);
            for member in self.rooms.dissolve(key) {
                if let Some(session) = self.session_mut(member) {
                    session.rooms.retain(|room| *room != key);
                }
                let mut tell = |event| after.push(Effect::Tell { audience: Audience::Session(member), event });
                tell(Event::Expelled { room: Rc::clone(&room) });
                if !is_open {
                    tell(Event::RoomDeleted { id });
                }
            }
        }
        if is_open {
            after.push(Effect::Tell { audience: Audience::Everybody, event: Event::RoomDeleted { id } });
        }
        Reply::RoomDeleted { id }
    }

    fn appended(
        &mut self,
        asker: Option<SlotKey>,
        appended: Appended,
        from: Option<Who>,
        text: Rc<str>,
        by_name: Option<Rc<str>>,
        after: &mut Vec<Effect>,
    ) -> Reply {
        let Appended { message, room, author, at, is_repeat } = appended;
        let stored = Stored { message, room, at };
        self.messages[1] += u64::from(!is_repeat);
        let key = self.rooms.find_durable(room.into());
        // Of a repeat the room of the first may be gone: then it is the one that the asker has in mind.
        let name =
            key.map(|key| Rc::clone(&self.rooms.living(key).name)).or_else(|| by_name.clone()).unwrap_or_default();
        if let Some(key) = key.filter(|_| !is_repeat) {
            let registered = |author| Who::User { user: self.known(author).0, connection: None };
            if let Some(from) = from.or(author.map(registered)) {
                let except = asker.filter(|_| by_name.is_some());
                let event =
                    Event::RoomMessage { room: Rc::clone(&name), from, text: Rc::clone(&text), stored: Some(stored) };
                after.push(Effect::Tell { audience: Audience::Room { room: key, except }, event });
            }
        }
        if by_name.is_some() { Reply::SaidToRoom { room: name, text } } else { Reply::Said(stored) }
    }

    fn tell_room(&self, room: RoomId, event: Event, after: &mut Vec<Effect>) {
        if let Some(key) = self.rooms.find_durable(room.into()) {
            after.push(Effect::Tell { audience: Audience::Room { room: key, except: None }, event });
        }
    }

    /// Tells the room, and that user wherever else they are.
    fn tell_room_and(&self, user: Option<UserId>, room: RoomId, event: &Event, after: &mut Vec<Effect>) {
        self.tell_room(room, event.clone(), after);
        let key = self.rooms.find_durable(room.into());
        let sessions = user.map_or(&[][..], |user| self.sessions_of(user));
        for &slot in sessions {
            if !key.is_some_and(|key| self.rooms_of(slot).contains(&key)) {
                after.push(Effect::Tell { audience: Audience::Session(slot), event: event.clone() });
            }
        }
    }
}
