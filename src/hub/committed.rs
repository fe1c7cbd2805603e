//! What the store has done or not done: now it may be shown, and answered.

use std::rc::Rc;

use super::Hub;
use super::attend::the_other;
use super::effect::{Audience, Effect, Event, Refusal, Reply, User};
use super::job::{Done, Fault, Outcome, RoomRecord, Ticket, UserRecord};
use super::presence::tell_these;
use super::say::Said;
use super::session::Session;
use crate::id::{Mark, Reference, RoomId, RoomKey, SlotKey, UserId, Uuid};

/// A job that the store has.
pub(super) struct Pending {
    /// Whom to answer, if they are still there.
    pub(super) asker: Option<SlotKey>,
    /// The user that asked, if it was one.
    pub(super) by: Option<Uuid>,
    pub(super) purpose: Purpose,
}

/// What a job is for, where its outcome does not tell.
pub(super) enum Purpose {
    /// The outcome says everything.
    Tell,
    /// The asker takes part as that user from now on.
    Attend {
        follows_all: bool,
        pid: Option<String>,
    },
    /// The asker is that user from now on.
    BeUser,
    RenameUser,
    DeleteUser,
    CreateRoom,
    RenameRoom,
    /// The asker enters the room.
    Enter,
    DeleteMessage,
    /// What others have done was looked for.
    Look,
    Edit {
        text: Rc<str>,
    },
    /// The asker listens in that room from now on, and has heard so much.
    Listen {
        room: RoomId,
        since: Mark,
    },
    React {
        emoji: Rc<str>,
        is_removed: bool,
    },
    Say(Said),
}

impl Hub {
    /// Whether taking this outcome may change who is in which room.
    pub fn moves_members(&self, ticket: Ticket, outcome: &Outcome) -> bool {
        match (outcome, self.pending.get(&ticket).map(|pending| &pending.purpose)) {
            (Ok(Done::User(_)), Some(purpose)) => matches!(purpose, Purpose::BeUser | Purpose::DeleteUser),
            (Ok(Done::Appended(appended)), Some(Purpose::Say(said))) => self.makes_direct_room(appended, said),
            (Ok(done), _) => {
                matches!(
                    done,
                    Done::Attended(_)
                        | Done::Room(_)
                        | Done::RoomCreated { .. }
                        | Done::RoomDeleted(_)
                        | Done::Missed { .. }
                )
            }
            (Err(_), _) => false,
        }
    }

    /// Takes the outcome of a job: answers whoever asked for it, if they are still there, and tells those whom it
    /// concerns.
    pub fn committed(&mut self, ticket: Ticket, outcome: Outcome, effects: &mut Vec<Effect>) {
        let Some(Pending { asker, by, purpose }) = self.pending.remove(&ticket) else { return };
        if matches!(purpose, Purpose::Look) {
            return self.has_looked(&outcome);
        }
        let mut after = Vec::new();
        let reply = match outcome {
            Ok(done) => {
                self.note_mark(&done);
                match done {
                    Done::MessageDeleted { .. }
                    | Done::Edited { .. }
                    | Done::Reacted { .. }
                    | Done::Confirmed { .. } => self.message_changed(by, purpose, done, &mut after),
                    done => self.conclude(asker, purpose, done, effects, &mut after),
                }
            }
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

    /// Notes how far the store is by what it has done.
    fn note_mark(&mut self, done: &Done) {
        let (message, change) = match done {
            Done::Appended(appended) => (Some(appended.message), None),
            Done::Attended(attended) => (Some(attended.mark.message), Some(attended.mark.change)),
            Done::Edited { change, .. } | Done::MessageDeleted { change, .. } => (None, Some(*change)),
            Done::Reacted { change, .. } | Done::Confirmed { change, .. } => (None, *change),
            _ => return,
        };
        let known = self.mark.get_or_insert_default();
        known.message = message.map_or(known.message, |message| message.max(known.message));
        known.change = change.map_or(known.change, |change| change.max(known.change));
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
            (Done::RoomCreated { room, participants }, _) => self.room_created(&room, participants, after),
            (Done::Room(record), _) => self.room_renamed(&record, after),
            (Done::RoomDeleted(id), _) => self.room_deleted(id, after),
            (Done::Attended(record), Purpose::Attend { follows_all, pid }) => {
                self.attended(asker, follows_all, pid, *record, effects, after)?
            }
            (Done::Noted, _) => Reply::Passed,
            (Done::Chats(chats), _) => Reply::Chats(chats),
            (Done::Appended(appended), Purpose::Say(said)) => self.appended(asker, appended, said, after),
            (Done::Messages { room, messages, has_more }, _) => Reply::Messages { room, messages, has_more },
            (Done::Readers { message, readers }, _) => Reply::Readers { message, readers },
            (done, Purpose::Listen { room, since }) => self.heard(asker, room, since, done)?,
            // No job of this session's has come to that.
            _ => return Err(Refusal::Unavailable("the store has answered something else".into())),
        })
    }

    /// Something has become of a message. `by`: who has done it.
    fn message_changed(
        &mut self,
        by: Option<Uuid>,
        purpose: Purpose,
        done: Done,
        after: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        Ok(match (done, purpose) {
            (Done::MessageDeleted { message, room, was, .. }, _) => {
                let (direct_to, was) = (self.direct_to(room.id, by), was.map(Rc::new));
                self.tell_room(room.id, Event::MessageDeleted { message, room, direct_to, was }, after);
                Reply::MessageDeleted { message }
            }
            (Done::Edited { message, room, at, was, .. }, Purpose::Edit { text }) => {
                let (direct_to, was) = (self.direct_to(room.id, by), was.map(Rc::new));
                let (now, former) = (Rc::clone(&text), was.clone());
                self.tell_room(room.id, Event::Edited { message, room, direct_to, text, at, was }, after);
                Reply::Edited { message, at, text: now, was: former }
            }
            (Done::Reacted { message, room, change }, Purpose::React { emoji, is_removed }) => {
                if let (Some(_), Some(user)) = (change, by) {
                    let direct_to = self.direct_to(room.id, by);
                    let event = Event::Reacted { message, room, direct_to, user, emoji, is_removed };
                    self.tell_room(room.id, event, after);
                }
                Reply::Reacted { message }
            }
            (Done::Confirmed { message, room, user, user_uuid, author, at, read_by, change }, _) => {
                if change.is_some() {
                    let direct_to = self.direct_to(room.id, Some(user_uuid));
                    let event = Event::Confirmed { message, room, direct_to, user, user_uuid, at, read_by };
                    self.tell_room_and(author, room.id, &event, after);
                }
                Reply::Confirmed { message, user, at }
            }
            _ => return Err(Refusal::Unavailable("the store has answered something else".into())),
        })
    }

    /// With whom that one talks in the room, if it is the private one of two.
    fn direct_to(&self, room: RoomId, by: Option<Uuid>) -> Option<Uuid> {
        let room = self.rooms.living(self.rooms.find_durable(room.into())?);
        room.direct.as_deref().map(|pair| the_other(pair, by))
    }

    /// The refusal that a fault comes to. To a session it does not tell whether the thing is not there or not theirs.
    fn refusal(&self, asker: Option<SlotKey>, purpose: &Purpose, fault: Fault) -> Refusal {
        let is_program = asker.and_then(|slot| self.session(slot)).is_some_and(|session| session.is_program());
        let is_attendee = asker.is_some_and(|slot| self.is_attendee(slot));
        match (fault, purpose) {
            (Fault::NoSuchRoom | Fault::NoSuchMessage, _) if is_attendee => Refusal::NotAMember,
            (Fault::Unavailable(sentence) | Fault::Unsupported(sentence), _) => Refusal::Unavailable(sentence),
            (Fault::Malformed(sentence), _) => Refusal::Malformed(sentence),
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
            (Fault::NoSuchRoom, Purpose::Say(_)) => Refusal::NotAMember,
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
        if let Some(key) = self.presence.key_of(user.id) {
            self.presence.living_mut(key).user = Rc::clone(&user);
        }
        let event = Event::UserRenamed { user: Rc::clone(&user) };
        after.push(Effect::Tell { audience: Audience::Everybody, event });
        Reply::User { user, online }
    }

    fn user_deleted(&mut self, user: UserId, after: &mut Vec<Effect>) -> Reply {
        for slot in self.sessions_of(user).to_vec() {
            self.stop_all_typing(slot, after);
            self.leave_all(slot, after);
            if self.is_attendee(slot) {
                after.push(Effect::Dismiss { slot });
            }
            self.stop_attending(slot);
            self.be_user(slot, None);
        }
        if let Some(key) = self.presence.key_of(user) {
            self.be_absent(key, after);
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
        if let Some(slot) = asker {
            self.check_room_for_one_more(slot)?;
            let key = self.take_up(record);
            self.enter(slot, key, effects);
            self.note_choice(slot, key, true);
        }
        Ok(Reply::Entered { room: record.ids() })
    }

    fn room_created(&mut self, record: &RoomRecord, participants: Vec<UserRecord>, after: &mut Vec<Effect>) -> Reply {
        let (id, name): (_, Rc<str>) = (record.id, record.name.as_str().into());
        if record.is_private {
            self.chat_created(record, participants, after);
        } else {
            self.take_up(record);
            let event = Event::RoomCreated { id, name: Rc::clone(&name), owner: record.owner };
            after.push(Effect::Tell { audience: Audience::Everybody, event });
        }
        Reply::Room { room: record.ids(), name }
    }

    /// Those who take part in a new private room hear of it wherever they attend.
    fn chat_created(&mut self, record: &RoomRecord, participants: Vec<UserRecord>, after: &mut Vec<Effect>) {
        let participants: Rc<[Rc<User>]> = participants.into_iter().map(|user| self.known(user).0).collect();
        let mut sessions = Vec::new();
        for user in participants.iter() {
            self.take_part(user.id, record, after);
            sessions.extend_from_slice(self.attending(user.id));
        }
        // Whoever was named twice hears of it once.
        sessions.sort_unstable();
        sessions.dedup();
        let owner = participants.iter().find(|user| Some(user.id) == record.owner).map(|user| user.uuid);
        let (room, name) = (record.ids(), record.name.as_str().into());
        tell_these(sessions, Event::ChatCreated { room, name, owner, participants }, after);
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
        Reply::Room { room: record.ids(), name }
    }

    /// Keeps the sessions' lists in step with the rooms.
    pub(super) fn take_up(&mut self, record: &RoomRecord) -> RoomKey {
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
            let dissolved = self.rooms.dissolve(key);
            for user in dissolved.present {
                self.presence.living_mut(user).rooms.retain(|room| *room != key);
            }
            for member in dissolved.members {
                if let Some(session) = self.session_mut(member) {
                    session.rooms.retain(|room| *room != key);
                }
                if self.is_listener(member) {
                    after.push(Effect::Dismiss { slot: member });
                    continue;
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

    /// Tells the room; and if it is the private one of two, these also where they have not entered it.
    pub(super) fn tell_room(&self, room: RoomId, event: Event, after: &mut Vec<Effect>) {
        self.tell_room_and(None, room, &event, after);
    }

    /// Tells that user too, wherever else they are.
    fn tell_room_and(&self, user: Option<UserId>, room: RoomId, event: &Event, after: &mut Vec<Effect>) {
        let key = self.rooms.find_durable(room.into());
        if let Some(key) = key {
            after.push(Effect::Tell { audience: Audience::Room { room: key, except: None }, event: event.clone() });
        }
        let pair = key.and_then(|key| self.rooms.living(key).direct.as_deref());
        let both = pair.into_iter().flatten().filter_map(|&uuid| self.presence.find(Reference::Uuid(uuid)));
        let mut aside: Vec<SlotKey> = both.flat_map(|present| present.sessions.iter().copied()).collect();
        aside.extend(user.map_or(&[][..], |user| self.sessions_of(user)));
        aside.retain(|&slot| !key.is_some_and(|key| self.rooms_of(slot).contains(&key)));
        aside.sort_unstable();
        aside.dedup();
        tell_these(aside, event.clone(), after);
    }
}
