//! The chat itself: who is connected, which rooms there are, who is in them, and who may do what.
//!
//! The hub takes a [`Request`], changes its state and yields [`Effect`]s: the reply to the asker and the events for
//! others, each with its [`Audience`]; and [`Job`]s for the store, whose outcomes it takes later. It does no I/O, speaks
//! no JSON and reads no clock, so that all of it can be tested as plain values. Whoever calls it (the server's loop)
//! turns effects into bytes in the order in which they were yielded, before it asks the next thing.
//!
//! A reply is an effect like any other, not the return value of a call: so an answer that has to wait for the store
//! leaves by the same road as one that is known at once. What is to be kept is told to nobody before the store has it.
//!
//! Slots are named by the caller; the hub only promises not to mix up their tenants: [`Hub::open`] and
//! [`Hub::close`] frame each tenancy.

mod attend;
mod check;
mod command;
mod committed;
mod durable;
mod effect;
pub mod job;
mod lapse;
pub mod nodes;
mod outside;
mod presence;
mod room;
mod roster;
mod say;
mod session;
mod status;
mod talk;
mod typing;
mod visit;

pub use crate::id::RoomKey;
pub use command::{
    Attend, Blob, Claim, ClientMark, Command, Emoji, FileName, Invalid, MessageType, Moment, Name, Page, Place,
    Recovery, Request, Tag, Text, Visit,
};
pub use durable::check_user_name;
pub use effect::{Attended, Audience, Effect, Event, ListedRoom, Refusal, Reply, Stored, User, Who};

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use smallvec::SmallVec;

use crate::id::{ConnectionId, Mark, Reference, SlotKey, UserId};
use crate::timestamp::{Clock, Timestamp};
use committed::Pending;
use job::{Job, RoomRecord, Ticket};
use lapse::Lapses;
use nodes::{Move, Nodes};
use outside::Look;
use presence::Presence;
use room::Rooms;
use session::{Asker, Session};
use status::Statuses;

/// How much there may be of what clients make.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open rooms that this process knows at once.
    pub max_rooms: usize,
    /// Rooms that a session may be in.
    pub max_rooms_joined: usize,
    /// Durable rooms that a user may have made, open and private ones.
    pub max_rooms_owned: usize,
    /// Everybody is told who comes and goes, not just those who share a private room with them.
    pub presence_of_all: bool,
}

/// All users, sessions and rooms of this process.
pub struct Hub {
    /// Indexed by slot, so that the way from a slot to its session is one load.
    sessions: Vec<Option<Session>>,
    /// The guard against reused slots: a connection id leads to a slot only while that connection lives.
    slots: HashMap<ConnectionId, SlotKey>,
    /// The sessions of each registered user who is here.
    users: HashMap<UserId, SmallVec<[SlotKey; 2]>>,
    rooms: Rooms,
    presence: Presence,
    statuses: Statuses,
    nodes: Nodes,
    /// Who is typing: the session, and where.
    typings: Lapses<(SlotKey, typing::Place)>,
    next_id: u64,
    limits: Limits,
    /// Tells this process's guests from all others'.
    nonce: u64,
    clock: Clock,
    /// Since the server's start.
    now: Duration,
    /// Nothing while it is not known.
    mark: Option<Mark>,
    /// What is to be given to the store.
    jobs: Vec<(Ticket, Job)>,
    /// What the store has, and whom to tell.
    pending: HashMap<Ticket, Pending>,
    look: Look,
    last_ticket: u64,
    /// Said in ephemeral rooms, and in durable ones.
    messages: [u64; 2],
}

impl Hub {
    /// A hub with nobody in it. `nonce` is random; all later messages are stored with a time after `last`.
    pub fn new(limits: Limits, nonce: u64, last: Timestamp) -> Self {
        Self {
            sessions: Vec::new(),
            slots: HashMap::new(),
            users: HashMap::new(),
            rooms: Rooms::default(),
            presence: Presence::new(),
            statuses: Statuses::default(),
            nodes: Nodes::default(),
            typings: Lapses::of(typing::TYPING),
            next_id: 0,
            limits,
            nonce,
            clock: Clock::after(last),
            now: Duration::ZERO,
            mark: None,
            jobs: Vec::new(),
            pending: HashMap::new(),
            look: Look::No,
            last_ticket: 0,
            messages: [0; 2],
        }
    }

    /// Takes up the open rooms that the store has, the oldest first, and how far the store is, if that is known.
    pub fn load(&mut self, rooms: &[RoomRecord], mark: Option<Mark>) {
        self.mark = mark;
        for room in rooms {
            self.rooms.take_up(room);
        }
    }

    /// A connection in `slot` begins to take part. Gives it the next connection id and welcomes it.
    pub fn open(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) -> ConnectionId {
        let id = self.next_connection_id();
        self.seat(slot, Asker::Client(id));
        self.slots.insert(id, slot);
        self.note_move(|| Move::Open(id));
        effects.push(Effect::Reply { to: slot, reply: Reply::Welcome { id }, tag: None });
        self.check_in_debug();
        id
    }

    /// A program that holds the API key asks something in `slot`. It is no participant: it has no connection id and is
    /// told of nothing but its reply, and it acts for the users that its requests name.
    pub fn open_for_program(&mut self, slot: SlotKey) {
        self.seat(slot, Asker::Program);
    }

    fn seat(&mut self, slot: SlotKey, asker: Asker) {
        if self.sessions.len() <= slot.index() {
            self.sessions.resize_with(slot.index() + 1, || None);
        }
        let former = self.sessions[slot.index()].replace(Session::new(asker));
        debug_assert!(former.is_none(), "a slot has one tenant at a time");
    }

    /// Carries out what the session in `slot` asks, now or after what it has asked before. Each request gets exactly
    /// one [`Effect::Reply`], in the order of the requests; of some it comes only with [`Hub::committed`].
    ///
    /// A slot without a session (its connection has ended in the meantime) is ignored.
    pub fn apply(&mut self, slot: SlotKey, request: Request, effects: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(slot) else { return };
        if session.must_wait_for_others(&request.command) {
            return session.put_off(request);
        }
        self.begin(slot, request, effects);
        self.check_in_debug();
    }

    fn begin(&mut self, slot: SlotKey, request: Request, effects: &mut Vec<Effect>) {
        let Request { claimed_sender, command, tag } = request;
        let is_message = session::is_message(&command);
        let outcome = self.check_claim(slot, claimed_sender.as_ref()).and_then(|()| {
            // What can be asked is answered at once, or by the store.
            match command {
                Command::Join { .. }
                | Command::Leave
                | Command::SayToUser { .. }
                | Command::ListRooms
                | Command::ListMembers { .. } => self.talk(slot, command, effects).map(Answer::Now),
                Command::Choose | Command::Type { .. } | Command::Signal { .. } => {
                    self.pass_on(slot, command, effects).map(Answer::Now)
                }
                command => self.ask_store(slot, claimed_sender, command, effects),
            }
        });
        let Some(session) = self.session_mut(slot) else { return };
        match outcome {
            Ok(Answer::Now(reply)) => session.reply(slot, reply, tag, effects),
            Ok(Answer::Later(ticket)) => session.await_store(ticket, is_message, tag),
            Err(refusal) => session.reply(slot, Reply::Refused(refusal), tag, effects),
        }
    }

    /// Answers a request that could not even be read. It goes through the hub because replies leave in the order
    /// of the requests, whatever became of each.
    pub fn refuse(&mut self, slot: SlotKey, refusal: Refusal, tag: Option<Box<Tag>>, effects: &mut Vec<Effect>) {
        if let Some(session) = self.session_mut(slot) {
            session.reply(slot, Reply::Refused(refusal), tag, effects);
        }
    }

    /// Whether the session in `slot` has asked so much that it should not be heard before [`Effect::Resume`]
    /// says so.
    pub fn must_wait(&self, slot: SlotKey) -> bool {
        self.session(slot).is_some_and(Session::is_busy)
    }

    /// Whether the session in `slot` has asked something that is not answered yet.
    pub fn owes_reply(&self, slot: SlotKey) -> bool {
        self.session(slot).is_some_and(Session::awaits_reply)
    }

    /// The connection in `slot` has ended: it leaves its rooms, and its id leads nowhere from now on. What it has given
    /// to the store is stored, and told to others, all the same.
    pub fn close(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) {
        self.stop_all_typing(slot, effects);
        self.leave_all(slot, effects);
        self.stop_attending(slot);
        self.be_user(slot, None);
        if let Some(session) = self.sessions.get_mut(slot.index()).and_then(Option::take) {
            if let Asker::Client(id) = session.asker {
                self.slots.remove(&id);
                self.note_move(|| Move::Close(id));
            }
            for ticket in session.open_tickets() {
                if let Some(pending) = self.pending.get_mut(&ticket) {
                    pending.asker = None;
                }
            }
        }
        self.check_in_debug();
    }

    /// Whether time makes a difference: somebody takes part whose presence or typing may lapse, or something is to be tried
    /// again.
    pub fn counts_time(&self) -> bool {
        !self.presence.is_empty() || self.nodes.is_on() || self.statuses.next_due().is_some()
    }

    /// It is so long since the server's start. To be said before anything is asked, lest what is to last from now on is
    /// reckoned from the time at which something happened last.
    pub fn note_time(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// It is so long since the server's start: what is due by now happens.
    pub fn advance(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.note_time(now);
        self.keep_in_touch();
        self.retry_statuses();
        self.review_statuses_if_due();
        self.stop_silent_typists(effects);
        let have_stopped = self.stop_lapsed_typing(effects);
        if self.see_off(effects) || have_stopped {
            self.check_in_debug();
        }
    }

    /// When [`Hub::advance`] has something to do next, if nothing else happens.
    pub fn next_lapse(&self) -> Option<Duration> {
        let lapses = [self.typings.next(), self.presence.next_lapse()];
        lapses.into_iter().chain([self.statuses.next_due(), self.nodes.next_due()]).flatten().min()
    }

    /// What the hub wants stored or looked up since the last call, at this time of day: messages get later times than all
    /// before them, whatever the system's clock says. Each job's outcome is to be passed to
    /// [`Hub::committed`].
    pub fn take_jobs(&mut self, now: Timestamp) -> Vec<(Ticket, Job)> {
        let mut jobs = mem::take(&mut self.jobs);
        for (_, job) in &mut jobs {
            job.set_time(now, &mut self.clock);
        }
        jobs
    }

    /// Whether there is something to be taken.
    pub fn has_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// How many jobs have been yielded and have not come back.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// The slots of the members of `room`, in the order of joining. Empty for a room that is no more.
    pub fn members(&self, room: RoomKey) -> &[SlotKey] {
        self.rooms.get(room).map_or(&[], |room| &room.members)
    }

    /// The rooms that the session in `slot` is in.
    pub fn rooms_of(&self, slot: SlotKey) -> &[RoomKey] {
        self.session(slot).map_or(&[], |session| &session.rooms)
    }

    /// The slots of all clients.
    pub fn everybody(&self) -> impl Iterator<Item = SlotKey> {
        self.slots.values().copied()
    }

    /// Gives back the memory of a crowd that has gone: no slot from index `end` on is in use.
    pub fn give_back(&mut self, end: usize) {
        self.sessions.truncate(end);
        self.sessions.shrink_to_fit();
        self.slots.shrink_to_fit();
        self.users.shrink_to_fit();
        self.pending.shrink_to_fit();
        self.rooms.give_back();
        self.presence.give_back();
        self.give_back_away();
        self.typings.give_back();
    }

    /// How many clients there are.
    pub fn session_count(&self) -> usize {
        self.slots.len()
    }

    /// How many rooms are known: the open ones, and the private ones that somebody is in or whose participants are present.
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// How many messages were said in ephemeral rooms, and in durable ones.
    pub fn message_count(&self) -> [u64; 2] {
        self.messages
    }

    fn session(&self, slot: SlotKey) -> Option<&Session> {
        self.sessions.get(slot.index())?.as_ref()
    }

    fn session_mut(&mut self, slot: SlotKey) -> Option<&mut Session> {
        self.sessions.get_mut(slot.index())?.as_mut()
    }

    /// Nobody may claim to be somebody else, but for a program, which acts for whom it names.
    fn check_claim(&self, slot: SlotKey, claim: Option<&Claim>) -> Result<(), Refusal> {
        let (Some(claim), Some(session)) = (claim, self.session(slot)) else { return Ok(()) };
        let is_own = match (claim, session.asker) {
            (Claim::User(_), Asker::Program) => true,
            (Claim::Connection(id), Asker::Client(own)) => ConnectionId::parse(id) == Some(own),
            (Claim::User(user), Asker::Client(_)) => {
                let own = session.user.as_ref().ok_or(Refusal::NotIdentified)?;
                *user == Reference::from(own.id) || *user == Reference::Uuid(own.uuid)
            }
            (Claim::Connection(_), Asker::Program) | (_, Asker::Listener) => false,
        };
        if is_own { Ok(()) } else { Err(Refusal::NotYourId) }
    }
}

/// When a request is answered.
enum Answer {
    Now(Reply),
    /// When the store has done that job.
    Later(Ticket),
}

#[cfg(test)]
mod tests;
