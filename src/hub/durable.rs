//! What the store has to be asked for: who may ask, and what becomes of it is in `committed.rs`.

use std::rc::Rc;

use super::command::{Claim, Command};
use super::committed::{Pending, Purpose};
use super::effect::{Effect, Refusal, Reply, User};
use super::job::{Author, Job, Reach, Ticket};
use super::say::Said;
use super::session::Asker;
use super::{Answer, Hub};
use crate::id::{Reference, RoomId, RoomIds, RoomKey, SlotKey, UserId};
use crate::timestamp::Timestamp;

/// In place of a time: jobs get theirs when they are taken, see [`Hub::take_jobs`].
pub(super) const UNSET: Timestamp = Timestamp::from_microseconds(0);

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
            Command::Attend(attend) => return self.attend(slot, attend),
            Command::Visit(room, visit) => return self.visit(slot, room, visit),
            Command::CreateUser { name } => {
                self.check_may_change_user(slot)?;
                check_user_name(name.as_str()).map_err(Refusal::NameTaken)?;
                let job = Job::CreateUser { name: name.as_str().into(), at };
                return Ok(self.submit(slot, job, Purpose::BeUser));
            }
            Command::SwitchUser { user } => {
                self.check_may_change_user(slot)?;
                return Ok(self.submit(slot, Job::FindUser { user }, Purpose::BeUser));
            }
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
                check_user_name(name.as_str()).map_err(Refusal::NameTaken)?;
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
                let (key, room) = self.joined(slot, room)?;
                self.note_choice(slot, key, false);
                self.leave_room(slot, key, effects);
                return Ok(Answer::Now(Reply::Exited { room }));
            }
            command => return self.ask_of_messages(slot, actor, command),
        };
        Ok(self.submit(slot, job, purpose))
    }

    /// What takes a user to ask, of what is said.
    fn ask_of_messages(&mut self, slot: SlotKey, actor: &Actor, command: Command) -> Result<Answer, Refusal> {
        let (at, by) = (UNSET, actor.by());
        let (job, purpose) = match command {
            Command::Say { to, text, client_id, message_type, hears_itself } => {
                let (to, author, from) = (self.place(slot, by, to)?, Author::User(actor.user()?), self.who(slot));
                let message_type = message_type.map(|word| word.as_str().into());
                let text = text.into_shared();
                let said = Said { from, text, by_name: None, message_type, file: None, hears_itself };
                return Ok(self.append(slot, to, author, client_id, said));
            }
            Command::ReadMessages { room, page } => {
                let room = self.reachable(slot, by, room)?;
                (Job::ReadMessages { room, reader: by, page }, Purpose::Tell)
            }
            Command::ListChats => {
                let (user, most) = (self.own(slot)?.id, self.limits.max_rooms_joined);
                (Job::ListChats { user, most }, Purpose::Tell)
            }
            Command::EditMessage { message, text } => {
                let job = Job::EditMessage { message, text: text.as_str().into(), by, at };
                (job, Purpose::Edit { text: text.into_shared() })
            }
            Command::React { message, emoji, is_removed } => {
                let (reach, user, emoji) = (self.reach(slot, by), self.own(slot)?, emoji.as_str());
                let purpose = Purpose::React { emoji: emoji.into(), is_removed };
                (Job::React { message, user: user.id, emoji: emoji.into(), is_removed, reach, at }, purpose)
            }
            Command::DeleteMessage { message } => (Job::DeleteMessage { message, by, at }, Purpose::DeleteMessage),
            Command::Confirm { message } => {
                let (reach, counts_own) = (self.reach(slot, by), !self.is_attendee(slot));
                (Job::Confirm { message, user: actor.user()?, reach, counts_own, at }, Purpose::Tell)
            }
            Command::ListReaders { message } => {
                (Job::ListReaders { message, reach: self.reach(slot, by) }, Purpose::Tell)
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
            (Asker::Client(_), None) | (Asker::Listener, _) => Err(Refusal::NotIdentified),
            (Asker::Program, _) => Ok(Actor::Program(match claim {
                Some(Claim::User(user)) => Some(user),
                _ => None,
            })),
        }
    }

    /// The registered user of a session. A program asks such a thing for nobody.
    fn own(&self, slot: SlotKey) -> Result<Rc<User>, Refusal> {
        let user = self.session(slot).and_then(|session| session.user.clone());
        user.ok_or(Refusal::Forbidden("only a client can ask that"))
    }

    pub(super) fn submit(&mut self, slot: SlotKey, job: Job, purpose: Purpose) -> Answer {
        let by = self.session(slot).and_then(|session| session.user.clone());
        Answer::Later(self.give(job, Pending { asker: Some(slot), by, purpose }))
    }

    /// Gives the store something for which nobody waits.
    pub(super) fn note(&mut self, job: Job) {
        self.give(job, Pending { asker: None, by: None, purpose: Purpose::Tell });
    }

    pub(super) fn give(&mut self, job: Job, pending: Pending) -> Ticket {
        let ticket = self.next_ticket();
        self.nodes.note_job(ticket, &job);
        self.jobs.push((ticket, job));
        self.pending.insert(ticket, pending);
        ticket
    }

    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    /// The room of that reference, if the session is in it. The refusal does not tell whether there is such a room.
    pub(super) fn joined(&self, slot: SlotKey, room: Reference) -> Result<(RoomKey, RoomIds), Refusal> {
        let key = self.rooms.find_durable(room).filter(|key| self.rooms_of(slot).contains(key));
        key.and_then(|key| Some((key, self.rooms.living(key).ids()?))).ok_or(Refusal::NotAMember)
    }

    /// The room of that reference for the store to look at, if the session is in it. An attendee need not be in a private
    /// one, where its user's participation counts: that is for the store to see; and a program is nowhere.
    pub(super) fn reachable(&self, slot: SlotKey, by: Option<UserId>, room: Reference) -> Result<Reference, Refusal> {
        let is_up_to_store = self.is_attendee(slot) && self.rooms.find_open(room).is_none();
        if by.is_none() || is_up_to_store { Ok(room) } else { Ok(self.joined(slot, room)?.1.id.into()) }
    }

    /// Where that session finds messages; a program, everywhere but in private.
    fn reach(&self, slot: SlotKey, by: Option<UserId>) -> Reach {
        if by.is_none() {
            return Reach::Visible;
        }
        let rooms = self.rooms_of(slot).iter().map(|&key| self.rooms.living(key));
        if self.is_attendee(slot) {
            return Reach::RoomsAndOwn(rooms.filter(|room| room.is_open()).filter_map(|room| room.id()).collect());
        }
        Reach::Rooms(rooms.filter_map(|room| room.id()).collect())
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
        if self.rooms.open_count() + made >= self.limits.max_rooms {
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
        if let Ok((_, room)) = self.joined(slot, room) {
            return Ok(Answer::Now(Reply::Entered { room }));
        }
        self.check_room_for_one_more(slot)?;
        let is_free = |&key: &RoomKey| {
            let takes_part = || reader.is_some_and(|user| self.is_attendee(slot) && self.takes_part(user, key));
            self.rooms.living(key).is_open() || takes_part()
        };
        let found = self.rooms.find_durable(room).filter(is_free);
        if let Some((key, room)) = found.and_then(|key| Some((key, self.rooms.living(key).ids()?))) {
            self.enter(slot, key, effects);
            self.note_choice(slot, key, true);
            return Ok(Answer::Now(Reply::Entered { room }));
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
}

/// Nobody may be called what others are called who have no name. Refused with a sentence.
pub fn check_user_name(name: &str) -> Result<(), &'static str> {
    let is_guest = name.strip_prefix("guest-").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_kept = is_guest || name == "deleted user";
    if is_kept { Err("that name is kept for those who have none") } else { Ok(()) }
}
