//! What the store has done or not done: now it may be shown, and answered.

use std::rc::Rc;

use super::Hub;
use super::attend::the_other;
use super::effect::{Audience, Effect, Event, Refusal, Reply, User};
use super::job::{Done, Fault, Order, Outcome, RoomRecord, Ticket};
use super::nodes::{Notice, Written};
use super::presence::tell_these;
use super::say::Said;
use super::session::Session;
use crate::id::{ChangeId, Mark, Reference, RoomId, SlotKey, UserId, Uuid};

/// A job that the store has.
pub(super) struct Pending {
    /// Whom to answer, if they are still there.
    pub(super) asker: Option<SlotKey>,
    /// The user that asked, if it was one.
    pub(super) by: Option<Rc<User>>,
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
    /// Whether that user is online is noted.
    NoteStatus {
        user: UserId,
        is_online: bool,
    },
    /// Who is online by the store was looked for.
    ReviewStatuses,
    /// What others have done was looked for.
    Look,
    /// What has become of rooms and users.
    Survey,
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

/// What has become of a message.
pub(super) struct Changed {
    pub(super) room: RoomId,
    pub(super) change: ChangeId,
    /// Who said it, if they are told wherever they are.
    pub(super) author: Option<UserId>,
    pub(super) order: Option<Order>,
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
                        | Done::Surveyed { .. }
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
        if let Purpose::NoteStatus { user, is_online } = purpose {
            return self.status_noted(user, is_online, outcome.is_err());
        }
        if matches!(purpose, Purpose::Survey) {
            return self.has_surveyed(outcome, effects);
        }
        if matches!(purpose, Purpose::ReviewStatuses) {
            return self.has_reviewed(outcome);
        }
        let mut after = Vec::new();
        let order = outcome.as_ref().ok().and_then(Done::order);
        let reply = match outcome {
            Ok(done) => {
                self.note_mark(&done);
                match done {
                    Done::MessageDeleted { .. }
                    | Done::Edited { .. }
                    | Done::Reacted { .. }
                    | Done::Confirmed { .. } => self.message_changed(by.as_deref(), purpose, done, &mut after),
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
        self.told_own(order);
        self.check_in_debug();
    }

    /// Notes how far the store is by what it has done.
    fn note_mark(&mut self, done: &Done) {
        let (message, change) = match done {
            // The first of a repeat may be another node's, and not told here yet.
            Done::Appended(appended) if !appended.is_repeat => (Some(appended.message), None),
            // Beside other nodes it may be farther than what is told here.
            Done::Attended(attended) if !self.nodes.is_on() => {
                (Some(attended.mark.message), Some(attended.mark.change))
            }
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
            (Done::User(record), Purpose::RenameUser) => {
                self.announce(|| Notice::UserRenamed(record.clone()));
                self.user_renamed(record, after)
            }
            (Done::User(record), Purpose::DeleteUser) => {
                self.announce(|| Notice::UserDeleted(record.id));
                self.user_deleted(record.id, after)
            }
            (Done::User(record), _) => {
                let (user, online) = self.known(record);
                Reply::User { user, online }
            }
            (Done::Users(records), _) => {
                Reply::Users { users: records.into_iter().map(|record| self.known(record)).collect() }
            }
            (Done::Room(record), Purpose::Enter) => self.enter_found(asker, &record, effects)?,
            (Done::RoomCreated { room, participants }, _) => {
                self.announce(|| Notice::RoomCreated(room.clone(), participants.clone()));
                self.room_created(&room, participants, after)
            }
            (Done::Room(record), _) => {
                self.announce(|| Notice::RoomRenamed(record.clone()));
                self.room_renamed(&record, after)
            }
            (Done::RoomDeleted(id), _) => {
                self.announce(|| Notice::RoomDeleted(id));
                self.room_deleted(id, after)
            }
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
        by: Option<&User>,
        purpose: Purpose,
        done: Done,
        after: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let uuid = by.map(|by| by.uuid);
        Ok(match (done, purpose) {
            (Done::MessageDeleted { message, room, was, change, order }, _) => {
                let (direct_to, was) = (self.direct_to(room.id, uuid), was.map(Rc::new));
                let event = Event::MessageDeleted { message, room, direct_to, was };
                self.tell_change(&event, by, Changed { room: room.id, change, author: None, order }, after);
                Reply::MessageDeleted { message }
            }
            (Done::Edited { message, room, at, was, change, order }, Purpose::Edit { text }) => {
                let (direct_to, was) = (self.direct_to(room.id, uuid), was.map(Rc::new));
                let event = Event::Edited { message, room, direct_to, text: Rc::clone(&text), at, was: was.clone() };
                self.tell_change(&event, by, Changed { room: room.id, change, author: None, order }, after);
                Reply::Edited { message, at, text, was }
            }
            (Done::Reacted { message, room, change, order }, Purpose::React { emoji, is_removed }) => {
                if let (Some(change), Some(user)) = (change, uuid) {
                    let direct_to = self.direct_to(room.id, uuid);
                    let event = Event::Reacted { message, room, direct_to, user, emoji, is_removed };
                    self.tell_change(&event, by, Changed { room: room.id, change, author: None, order }, after);
                }
                Reply::Reacted { message }
            }
            (Done::Confirmed { message, room, user, user_uuid, author, at, read_by, change, order }, _) => {
                if let Some(change) = change {
                    let direct_to = self.direct_to(room.id, Some(user_uuid));
                    let event = Event::Confirmed { message, room, direct_to, user, user_uuid, at, read_by };
                    self.tell_change(&event, by, Changed { room: room.id, change, author, order }, after);
                }
                Reply::Confirmed { message, user, at }
            }
            _ => return Err(Refusal::Unavailable("the store has answered something else".into())),
        })
    }

    /// Tells what has become of a message, here and on other nodes.
    fn tell_change(&mut self, event: &Event, by: Option<&User>, changed: Changed, after: &mut Vec<Effect>) {
        self.tell_room_and(changed.author, changed.room, event, after);
        self.announce_deed(changed.room, Written::Change(changed.change), event);
        self.publish_change(event, by, changed);
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

    /// Tells the room; and if it is the private one of two, these also where they have not entered it.
    pub(super) fn tell_room(&self, room: RoomId, event: Event, after: &mut Vec<Effect>) {
        self.tell_room_and(None, room, &event, after);
    }

    /// Tells that user too, wherever else they are.
    pub(super) fn tell_room_and(&self, user: Option<UserId>, room: RoomId, event: &Event, after: &mut Vec<Effect>) {
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
