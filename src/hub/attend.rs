//! Attendees: sessions that take part as a user by right of that user's participation, in all of its private rooms or
//! in those that they choose. Their coming and going in private rooms is told to nobody; that is what presence is for.

use std::rc::Rc;

use super::command::{Attend, Recovery};
use super::committed::Purpose;
use super::durable::UNSET;
use super::effect::{Attended, Effect, Event, Refusal, Reply, Stored, User, Who};
use super::job::{self, Change, ChangeRecord, Job, MessageRecord, Missed, RoomRecord};
use super::presence::PresentKey;
use super::typing::Typing;
use super::{Answer, Hub};
use crate::id::{ConnectionId, Mark, RoomIds, RoomKey, SlotKey, Uuid};

/// Whoever has missed more messages and changes begins anew.
const MOST_MISSED: usize = 500;

/// What is to be known of a session that takes part as a user.
#[derive(Debug)]
pub(super) struct Attendee {
    /// It is in all rooms of its user, and in those that come to be.
    follows_all: bool,
    /// How it is known when it comes back, if it may.
    pid: Option<String>,
    pub(super) typings: Vec<Typing>,
}

impl Hub {
    pub(super) fn attendee(&self, slot: SlotKey) -> Option<&Attendee> {
        self.session(slot)?.attendee.as_deref()
    }

    pub(super) fn attendee_mut(&mut self, slot: SlotKey) -> Option<&mut Attendee> {
        self.session_mut(slot)?.attendee.as_deref_mut()
    }

    pub(super) fn is_attendee(&self, slot: SlotKey) -> bool {
        self.attendee(slot).is_some()
    }

    pub(super) fn follows_all(&self, slot: SlotKey) -> bool {
        self.attendee(slot).is_some_and(|attendee| attendee.follows_all)
    }

    /// As which user the session takes part.
    pub(super) fn attending_user(&self, slot: SlotKey) -> Result<Rc<User>, Refusal> {
        let session = self.session(slot).filter(|session| session.attendee.is_some());
        session.and_then(|session| session.user.clone()).ok_or(Refusal::NotIdentified)
    }

    pub(super) fn attend(&mut self, slot: SlotKey, attend: Attend) -> Result<Answer, Refusal> {
        if self.session(slot).is_none_or(|session| session.is_program()) {
            return Err(Refusal::Forbidden("only a client can take part"));
        }
        self.check_may_change_user(slot)?;
        let Attend { user, follows_all, recovery } = attend;
        let pid = recovery.as_ref().map(|Recovery { pid, .. }| pid.clone());
        let since = recovery.as_ref().and_then(|recovery| recovery.since);
        let most = self.limits.max_rooms_joined;
        let job = Job::Attend { user, most, follows_all, recovery, most_missed: MOST_MISSED };
        let purpose = Purpose::Attend { follows_all, pid };
        Ok(match since {
            Some(since) => self.read_return(slot, since, job, purpose),
            None => self.submit(slot, job, purpose),
        })
    }

    /// An attendee is whom its token names.
    pub(super) fn check_may_change_user(&self, slot: SlotKey) -> Result<(), Refusal> {
        if self.is_attendee(slot) {
            Err(Refusal::Forbidden("this session takes part as a user already"))
        } else {
            Ok(())
        }
    }

    /// The session takes part now.
    pub(super) fn attended(
        &mut self,
        asker: Option<SlotKey>,
        follows_all: bool,
        pid: Option<String>,
        record: job::Attended,
        effects: &mut Vec<Effect>,
        after: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let slot = asker.ok_or(Refusal::NotIdentified)?;
        let job::Attended { user, rooms, chosen, mark, mut missed } = record;
        let mark = missed.as_mut().map_or(mark, |missed| self.trim(missed, mark));
        let (user, _) = self.known(user);
        // Who follows all has entered none but open rooms besides.
        let follows_all = follows_all && chosen.iter().all(|room| !room.is_private);
        let missed = missed.map(|missed| self.as_told(missed, [&rooms, &chosen]));
        let pid_text = pid.clone();
        self.leave_all(slot, effects);
        if let Some(session) = self.session_mut(slot) {
            session.attendee = Some(Box::new(Attendee { follows_all, pid, typings: Vec::new() }));
        }
        self.be_user(slot, Some(Rc::clone(&user)));
        let (key, is_first) = self.presence.arrive(&user);
        for room in rooms.iter().chain(&chosen) {
            self.take_part(user.id, room, effects);
        }
        self.presence.add_session(key, slot);
        let own = rooms.iter().filter(|_| follows_all);
        for room in own.chain(&chosen) {
            self.enter_if_possible(slot, room, effects);
        }
        self.be_present_here(key);
        let others = self.acquaintances(key);
        if is_first {
            self.tell_presence(user.uuid, true, &others, after);
            self.remember_arrival(key);
            self.note_status(user.id);
        }
        let passages = self.passages_for(key, pid_text.as_deref());
        let missed = missed.map(|missed| missed.into_iter().chain(passages).collect());
        let online = others.into_iter().chain([key]).map(|key| self.presence.living(key).user.uuid).collect();
        let has_chosen = !follows_all && !chosen.is_empty();
        Ok(Reply::Attended(Box::new(Attended { user, online, mark, missed, has_chosen })))
    }

    /// Other nodes hear of it, if the user was not present by a session here before.
    fn be_present_here(&mut self, key: PresentKey) {
        let present = self.presence.living_mut(key);
        if std::mem::replace(&mut present.is_here, true) {
            return;
        }
        let rooms = present.rooms.clone();
        rooms.iter().for_each(|&room| self.rooms.touch(room));
        if self.nodes.is_on() {
            let moves = self.present_move(key);
            self.note_move(|| moves);
        }
    }

    fn enter_if_possible(&mut self, slot: SlotKey, record: &RoomRecord, effects: &mut Vec<Effect>) {
        let room = self.take_up(record);
        if !self.rooms_of(slot).contains(&room) && self.check_room_for_one_more(slot).is_ok() {
            self.enter(slot, room, effects);
        } else {
            self.rooms.drop_if_over(room);
        }
    }

    /// The session is in those rooms alone that it enters from now on.
    pub(super) fn choose(&mut self, slot: SlotKey, effects: &mut Vec<Effect>) -> Result<Reply, Refusal> {
        self.attending_user(slot)?;
        for room in self.rooms_of(slot).to_vec() {
            self.note_choice(slot, room, false);
            self.leave_room(slot, room, effects);
        }
        if let Some(attendee) = self.attendee_mut(slot) {
            attendee.follows_all = false;
        }
        Ok(Reply::Choosing)
    }

    /// Has the store know where the session is to be when it comes back, as far as that does not follow from its user's
    /// participation.
    pub(super) fn note_choice(&mut self, slot: SlotKey, room: RoomKey, is_in: bool) {
        let Some(Attendee { follows_all, pid: Some(pid), .. }) = self.attendee(slot) else { return };
        let room = self.rooms.living(room);
        if let Some(id) = room.id().filter(|_| !follows_all || room.is_open()) {
            let pid = pid.clone();
            self.note(Job::Follow { pid, room: id, is_in, at: UNSET });
        }
    }

    /// The session in `slot` will not come back: what the store has kept for that is forgotten. To be called before
    /// [`Hub::close`].
    pub fn forget(&mut self, slot: SlotKey) {
        if let Some(pid) = self.attendee_mut(slot).and_then(|attendee| attendee.pid.take()) {
            self.note(Job::Forget { pid });
        }
    }

    /// The session takes part no more, though it is still there: it is to be in no room.
    pub(super) fn stop_attending(&mut self, slot: SlotKey) {
        let Some(session) = self.session_mut(slot) else { return };
        if let (Some(attendee), Some(user)) = (session.attendee.take(), &session.user) {
            let user = user.id;
            self.presence.remove_session(user, slot, self.now);
            if let Some(pid) = attendee.pid {
                self.presence.await_return(pid, self.now);
            }
        }
    }

    /// What was missed, as it would have been told; `records` are the rooms where it happened, as far as they may not be
    /// known here.
    pub(super) fn as_told(&self, missed: Missed, records: [&[RoomRecord]; 2]) -> Vec<Event> {
        Names { hub: self, records }.tell(missed)
    }

    /// How far the outcomes that the hub has taken go: of all messages and changes up to there it has told whom they
    /// concern.
    pub fn mark(&self) -> Mark {
        let own = self.mark.unwrap_or_default();
        self.nodes.told().map_or(own, |told| own.max(told.mark))
    }
}

/// What rooms are called, in telling what happened there.
struct Names<'a> {
    hub: &'a Hub,
    records: [&'a [RoomRecord]; 2],
}

impl Names<'_> {
    /// As it would have been told, had the session been there.
    fn tell(&self, missed: Missed) -> Vec<Event> {
        let messages = missed.messages.into_iter().map(|(room, message)| self.message(room, message));
        messages.chain(missed.changes.into_iter().filter_map(|record| self.change(record))).collect()
    }

    fn message(&self, room: RoomIds, message: MessageRecord) -> Event {
        let MessageRecord { id, user, sender: uuid, username, text, at, message_type, file, direct_to, .. } = message;
        // An outsider's name may look like that too, and another process has other connections of these numbers.
        let connection = username.strip_prefix("guest-").and_then(ConnectionId::parse);
        let connection = connection.filter(|&id| user.is_none() && self.hub.is_guest(id, uuid));
        let from = match connection {
            Some(connection) => Who::Guest { connection, uuid },
            None => match user {
                Some(id) => Who::User { user: Rc::new(User { id, uuid, name: username.into() }), connection: None },
                None => Who::Outsider { uuid, name: username.into() },
            },
        };
        let message_type = Some(message_type).filter(|word| word != "text").map(Rc::from);
        let file = file.map(Rc::from);
        let stored = Stored { message: id, room, at, message_type, file, direct_to, delivered: 0 };
        Event::RoomMessage { room: self.name(room), from, text: text.into(), stored: Some(Rc::new(stored)) }
    }

    fn record(&self, room: RoomIds) -> Option<&RoomRecord> {
        self.records.into_iter().flatten().find(|record| record.id == room.id)
    }

    fn name(&self, room: RoomIds) -> Rc<str> {
        let living = self.hub.rooms.find_durable(room.id.into()).map(|key| Rc::clone(&self.hub.rooms.living(key).name));
        living.or_else(|| self.record(room).map(|record| record.name.as_str().into())).unwrap_or_default()
    }

    /// What nobody known has done, where it takes somebody to tell, is not told.
    fn change(&self, record: ChangeRecord) -> Option<Event> {
        let ChangeRecord { message, room, user, at, what, was, .. } = record;
        let was = was.map(Rc::new);
        let pair = self.record(room).and_then(|record| record.direct.as_deref());
        let direct_to = pair.map(|pair| the_other(pair, user.as_ref().map(|user| user.uuid)));
        Some(match what {
            Change::Edited(text) => Event::Edited { message, room, direct_to, text: text.into(), at, was },
            Change::Deleted => Event::MessageDeleted { message, room, direct_to, was },
            Change::Reacted { emoji, is_removed } => {
                Event::Reacted { message, room, direct_to, user: user?.uuid, emoji: emoji.into(), is_removed }
            }
            Change::Confirmed { read_by, .. } => {
                let user = user?;
                Event::Confirmed { message, room, direct_to, user: user.id, user_uuid: user.uuid, at, read_by }
            }
        })
    }
}

/// With whom somebody talks in the private room of these two.
pub(super) fn the_other(pair: &[Uuid; 2], one: Option<Uuid>) -> Uuid {
    if Some(pair[0]) == one { pair[1] } else { pair[0] }
}
