//! One participant: who it is, where it is, and the requests of it that are not answered yet.

use std::collections::VecDeque;
use std::rc::Rc;

use smallvec::SmallVec;

use super::attend::Attendee;
use super::command::{Command, Request, Tag};
use super::effect::{Effect, Reply, User, Who};
use super::job::Ticket;
use crate::id::{ConnectionId, RoomKey, SlotKey, Uuid};

/// So many requests of one session may be with the store. Whoever asks for more is not read from, so that TCP slows it
/// down.
const MAX_OPEN: usize = 64;

/// Whom a session belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asker {
    /// A client, under the id that it is shown.
    Client(ConnectionId),
    /// A program that acts for any user, or a visitor, for one request.
    Program,
    /// A visitor who hears what a room is told, and asks nothing any more.
    Listener,
}

/// One participant.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) asker: Asker,
    /// The registered user that it is, if it is one.
    pub(super) user: Option<Rc<User>>,
    /// In place, since every delivery looks here and nearly all are in one room, or a few.
    pub(super) rooms: SmallVec<[RoomKey; 4]>,
    /// It takes part as its user. Apart, since others are the most in number.
    pub(super) attendee: Option<Box<Attendee>>,
    /// Nothing for nearly all: only requests that the store has to answer take time.
    queue: Option<Box<Queue>>,
}

/// Replies leave in the order of the requests.
#[derive(Default, Debug)]
struct Queue {
    /// What was asked and is not answered, and answers that must wait for those.
    open: VecDeque<Open>,
    /// What has not begun yet.
    waiting: VecDeque<Request>,
}

#[derive(Debug)]
enum Open {
    /// The store has it. Messages may be stored side by side; all else is done one after the other.
    Asked { ticket: Ticket, is_message: bool, tag: Option<Box<Tag>> },
    /// The answer.
    Answered { reply: Reply, tag: Option<Box<Tag>> },
}

impl Session {
    pub(super) fn new(asker: Asker) -> Self {
        Self { asker, user: None, rooms: SmallVec::new(), attendee: None, queue: None }
    }

    pub(super) fn is_program(&self) -> bool {
        self.asker == Asker::Program
    }

    /// Who does what this session does. `nonce` tells this process's guests from all others'.
    pub(super) fn who(&self, nonce: u64) -> Option<Who> {
        let Asker::Client(connection) = self.asker else { return None };
        Some(match &self.user {
            Some(user) => Who::User { user: Rc::clone(user), connection: Some(connection) },
            None => Who::Guest { connection, uuid: guest_uuid(nonce, connection) },
        })
    }

    /// Whether the request has to wait for those before it.
    pub(super) fn must_wait_for_others(&self, command: &Command) -> bool {
        let Some(queue) = &self.queue else { return false };
        let is_alike = |open: &Open| matches!(open, Open::Asked { is_message: true, .. } | Open::Answered { .. });
        !(is_message(command) && queue.waiting.is_empty() && queue.open.iter().all(is_alike))
            || queue.open.len() >= MAX_OPEN
    }

    /// Whether something that it has asked is not answered yet.
    pub(super) fn awaits_reply(&self) -> bool {
        self.queue.is_some()
    }

    /// Whether nothing more should be asked for now.
    pub(super) fn is_busy(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| !queue.waiting.is_empty() || queue.open.len() >= MAX_OPEN)
    }

    /// Puts the request off until those before it are answered.
    pub(super) fn put_off(&mut self, request: Request) {
        self.queue.get_or_insert_default().waiting.push_back(request);
    }

    /// The next request that can begin now.
    pub(super) fn next_waiting(&mut self) -> Option<Request> {
        let queue = self.queue.as_mut().filter(|queue| queue.open.is_empty())?;
        let request = queue.waiting.pop_front();
        if queue.waiting.is_empty() {
            self.queue = None;
        }
        request
    }

    /// The store has the request now.
    pub(super) fn await_store(&mut self, ticket: Ticket, is_message: bool, tag: Option<Box<Tag>>) {
        self.queue.get_or_insert_default().open.push_back(Open::Asked { ticket, is_message, tag });
    }

    /// What was asked by one job is asked by another.
    pub(super) fn await_instead(&mut self, former: Ticket, new: Ticket) {
        for open in self.queue.iter_mut().flat_map(|queue| &mut queue.open) {
            if let Open::Asked { ticket, .. } = open
                && *ticket == former
            {
                *ticket = new;
            }
        }
    }

    /// Replies to the request that is carried out now, or after those before it.
    pub(super) fn reply(&mut self, slot: SlotKey, reply: Reply, tag: Option<Box<Tag>>, effects: &mut Vec<Effect>) {
        match &mut self.queue {
            Some(queue) if !queue.open.is_empty() => queue.open.push_back(Open::Answered { reply, tag }),
            _ => effects.push(Effect::Reply { to: slot, reply, tag }),
        }
    }

    /// Replies to a request that the store had, and to those behind it that were answered before.
    pub(super) fn reply_to(&mut self, slot: SlotKey, ticket: Ticket, reply: Reply, effects: &mut Vec<Effect>) {
        let Some(queue) = &mut self.queue else { return };
        let found =
            queue.open.iter_mut().find(|open| matches!(open, Open::Asked { ticket: own, .. } if *own == ticket));
        let Some(open) = found else { return };
        if let Open::Asked { tag, .. } = open {
            *open = Open::Answered { reply, tag: tag.take() };
        }
        while let Some(Open::Answered { .. }) = queue.open.front() {
            if let Some(Open::Answered { reply, tag }) = queue.open.pop_front() {
                effects.push(Effect::Reply { to: slot, reply, tag });
            }
        }
        if queue.open.is_empty() && queue.waiting.is_empty() {
            self.queue = None;
        }
    }

    /// The jobs whose answers will find nobody any more.
    pub(super) fn open_tickets(&self) -> impl Iterator<Item = Ticket> {
        let open = self.queue.iter().flat_map(|queue| &queue.open);
        open.filter_map(|open| if let Open::Asked { ticket, .. } = open { Some(*ticket) } else { None })
    }
}

/// Whether it says something in a room.
pub(super) fn is_message(command: &Command) -> bool {
    matches!(command, Command::SayToRoom { .. } | Command::Say { .. })
}

/// Stands for a connection where a UUID is wanted: version 8, of the process's nonce and the connection's id.
pub(super) fn guest_uuid(nonce: u64, connection: ConnectionId) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&nonce.to_be_bytes());
    bytes[8..].copy_from_slice(&connection.0.to_be_bytes());
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
