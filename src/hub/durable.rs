//! What the store has to be asked for: who may ask, and what becomes of it is in `committed.rs`.

use std::rc::Rc;

use super::command::{Claim, ClientMark, Command, Text};
use super::committed::{Pending, Purpose};
use super::effect::{Audience, Effect, Event, Refusal, Reply, Who};
use super::job::{Author, Draft, Job, Ticket};
use super::session::Asker;
use super::{Answer, Hub};
use crate::id::{Reference, RoomId, RoomKey, SlotKey, UserId};
use crate::timestamp::Timestamp;

/// In place of a time: jobs get theirs when they are taken, see [`Hub::take_jobs`].
const UNSET: Timestamp = Timestamp::from_microseconds(0);

/// Who acts, as far as rights go.
enum Actor {
    /// The registered user of a session.
    User(UserId),
    /// A program, for the user that it named.
    Program(Option<Reference>),
}

impl Actor {
    /// The user, for the store to find.
    fn user(&self) -> Result<Reference, Refusal> {
        match self {
            Self::User(id) => Ok((*id).into()),
            Self::Program(user) => user.ok_or(Refusal::NotIdentified),
        }
    }

    /// Whose rights the store is to look at; a program has all.
    fn by(&self) -> Option<UserId> {
        if let Self::User(id) = self { Some(*id) } else { None }
    }
}

impl Hub {
    /// Sees whether the session may ask that, and gives it to the store.
    pub(super) fn ask_store(
        &mut self,
        slot: SlotKey,
        claim: Option<Claim>,
        command: Command,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let at = UNSET;
        let job = match command {
            Command::SayToRoom { text, client_id } => return self.say_to_room(slot, text, client_id, effects),
            Command::CreateUser { name } => {
                check_name(name.as_str())?;
                let job = Job::CreateUser { name: name.as_str().into(), at };
                return Ok(self.submit(slot, job, Purpose::BeUser));
            }
            Command::SwitchUser { user } => return Ok(self.submit(slot, Job::FindUser { user }, Purpose::BeUser)),
            Command::FindUser { user } => Job::FindUser { user },
            Command::ListUsers => Job::ListUsers,
            command => {
                let actor = self.actor(slot, claim)?;
                return self.ask_as(slot, &actor, command, effects);
            }
        };
        Ok(self.submit(slot, job, Purpose::Tell))
    }

    /// What takes a user to ask.
    fn ask_as(
        &mut self,
        slot: SlotKey,
        actor: &Actor,
        command: Command,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let (at, by) = (UNSET, actor.by());
        let (job, purpose) = match command {
            Command::RenameUser { name } => {
                check_name(name.as_str())?;
                (Job::RenameUser { user: actor.user()?, name: name.as_str().into() }, Purpose::RenameUser)
            }
            Command::DeleteUser => (Job::DeleteUser { user: actor.user()?, at }, Purpose::DeleteUser),
            Command::CreateRoom { name, participants } => {
                self.check_new_room(name.as_str(), participants.is_some())?;
                let (name, owner) = (name.as_str().into(), actor.user()?);
                let most = self.limits.max_rooms_owned;
                (Job::CreateRoom { name, owner, participants, most, at }, Purpose::CreateRoom)
            }
            Command::RenameRoom { room, name } => {
                self.check_not_lobby(room)?;
                self.check_free(name.as_str(), room, by)?;
                (Job::RenameRoom { room, name: name.as_str().into(), by }, Purpose::RenameRoom)
            }
            Command::DeleteRoom { room } => {
                self.check_not_lobby(room)?;
                (Job::DeleteRoom { room, by }, Purpose::Tell)
            }
            Command::EnterRoom { room } => return self.enter_room(slot, room, by, effects),
            Command::ExitRoom { room } => {
                let (key, id) = self.joined(slot, room)?;
                self.leave_room(slot, key, effects);
                return Ok(Answer::Now(Reply::Exited { id }));
            }
            Command::Say { room, text, client_id } => {
                let room = if by.is_some() { self.joined(slot, room)?.1.into() } else { room };
                let (author, from) = (Author::User(actor.user()?), self.who(slot));
                return Ok(self.append(slot, room, author, from, text, client_id, None));
            }
            Command::ReadMessages { room, page } => {
                let room = if by.is_some() { self.joined(slot, room)?.1.into() } else { room };
                (Job::ReadMessages { room, reader: by, page }, Purpose::Tell)
            }
            Command::DeleteMessage { message } => (Job::DeleteMessage { message, by }, Purpose::DeleteMessage),
            Command::Confirm { message } => {
                let rooms = by.map(|_| self.joined_ids(slot));
                (Job::Confirm { message, user: actor.user()?, rooms, at }, Purpose::Tell)
            }
            Command::ListReaders { message } => {
                (Job::ListReaders { message, rooms: by.map(|_| self.joined_ids(slot)) }, Purpose::Tell)
            }
            // The rest is answered elsewhere.
            _ => return Err(Refusal::Malformed("that can't be asked here".into())),
        };
        Ok(self.submit(slot, job, purpose))
    }

    fn actor(&self, slot: SlotKey, claim: Option<Claim>) -> Result<Actor, Refusal> {
        let session = self.session(slot).ok_or(Refusal::NotIdentified)?;
        match (session.asker, &session.user) {
            (Asker::Client(_), Some(user)) => Ok(Actor::User(user.id)),
            (Asker::Client(_), None) => Err(Refusal::NotIdentified),
            (Asker::Program, _) => Ok(Actor::Program(match claim {
                Some(Claim::User(user)) => Some(user),
                _ => None,
            })),
        }
    }

    fn submit(&mut self, slot: SlotKey, job: Job, purpose: Purpose) -> Answer {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.jobs.push((ticket, job));
        self.pending.insert(ticket, Pending { asker: Some(slot), purpose });
        Answer::Later(ticket)
    }

    /// The room of that reference, if the session is in it. The refusal does not tell whether there is such a room.
    fn joined(&self, slot: SlotKey, room: Reference) -> Result<(RoomKey, RoomId), Refusal> {
        let key = self.rooms.find_durable(room).filter(|key| self.rooms_of(slot).contains(key));
        key.and_then(|key| Some((key, self.rooms.living(key).id()?))).ok_or(Refusal::NotAMember)
    }

    fn joined_ids(&self, slot: SlotKey) -> Vec<RoomId> {
        self.rooms_of(slot).iter().filter_map(|&key| self.rooms.living(key).id()).collect()
    }

    fn check_not_lobby(&self, room: Reference) -> Result<(), Refusal> {
        let found = self.rooms.find_durable(room).and_then(|key| self.rooms.living(key).id());
        if found == Some(RoomId::LOBBY) || room == RoomId::LOBBY.into() {
            return Err(Refusal::Forbidden("the lobby can be neither renamed nor deleted"));
        }
        Ok(())
    }

    /// An open room's name is nobody else's, not even an ephemeral room's.
    fn check_new_room(&self, name: &str, is_private: bool) -> Result<(), Refusal> {
        // Those that are being made count already.
        let made = self.pending.values().filter(|pending| matches!(pending.purpose, Purpose::CreateRoom)).count();
        if self.rooms.len() + made >= self.limits.max_rooms {
            return Err(Refusal::TooMany(format!("this server has no more than {} rooms", self.limits.max_rooms)));
        }
        let is_taken = !is_private && self.rooms.find(name).is_some();
        if is_taken { Err(Refusal::NameTaken("there is an open room of that name")) } else { Ok(()) }
    }

    fn check_free(&self, name: &str, room: Reference, by: Option<UserId>) -> Result<(), Refusal> {
        // A private room's name may be any. What is not known here is the store's to judge, and so is what is not
        // theirs: that is refused whatever the name, as if there were no such room.
        let may = |key| by.is_none() || self.rooms.living(key).owner() == by;
        let Some(key) = self.rooms.find_open(room).filter(|&key| may(key)) else { return Ok(()) };
        let is_taken = self.rooms.find(name).is_some_and(|other| other != key);
        if is_taken { Err(Refusal::NameTaken("there is an open room of that name")) } else { Ok(()) }
    }

    fn enter_room(
        &mut self,
        slot: SlotKey,
        room: Reference,
        reader: Option<UserId>,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        if let Ok((_, id)) = self.joined(slot, room) {
            return Ok(Answer::Now(Reply::Entered { id }));
        }
        self.check_room_for_one_more(slot)?;
        let found = self.rooms.find_open(room).and_then(|key| Some((key, self.rooms.living(key).id()?)));
        if let Some((key, id)) = found {
            self.enter(slot, key, effects);
            return Ok(Answer::Now(Reply::Entered { id }));
        }
        Ok(self.submit(slot, Job::FindRoom { room, reader }, Purpose::Enter))
    }

    pub(super) fn check_room_for_one_more(&self, slot: SlotKey) -> Result<(), Refusal> {
        let limit = self.limits.max_rooms_joined;
        if self.rooms_of(slot).len() < limit {
            return Ok(());
        }
        Err(Refusal::TooMany(format!("nobody may be in more than {limit} rooms at once")))
    }

    /// Says something in the one room that the session has joined by name.
    fn say_to_room(
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
            };
            let name = Rc::clone(&room.name);
            return Ok(self.append(slot, id.into(), author, Some(from), text, client_id, Some(name)));
        }
        let (room, text) = (Rc::clone(&room.name), text.into_shared());
        self.messages[0] += 1;
        let event = Event::RoomMessage { room: Rc::clone(&room), from, text: Rc::clone(&text), stored: None };
        effects.push(Effect::Tell { audience: Audience::Room { room: key, except: Some(slot) }, event });
        Ok(Answer::Now(Reply::SaidToRoom { room, text }))
    }

    #[expect(clippy::too_many_arguments, reason = "a message has so many parts, and three of them only pass through")]
    fn append(
        &mut self,
        slot: SlotKey,
        room: Reference,
        author: Author,
        from: Option<Who>,
        text: Text,
        client_id: Option<ClientMark>,
        by_name: Option<Rc<str>>,
    ) -> Answer {
        let client_id = client_id.map(ClientMark::into_string);
        let draft = Draft { room, author, text: text.as_str().into(), client_id, at: UNSET };
        self.submit(slot, Job::Append(draft), Purpose::Say { from, text: text.into_shared(), by_name })
    }
}

/// Nobody may be called what others are called who have no name.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_guest = name.strip_prefix("guest-").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_guest || name == "deleted user" {
        return Err(Refusal::NameTaken("that name is kept for those who have none"));
    }
    Ok(())
}
