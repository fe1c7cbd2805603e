//! What has become of rooms and users while that could not be heard. Of this, unlike of messages, no node keeps count: so
//! whenever something may have been lost on the way, all of it is read anew and held against what is known.
//!
//! It is read in parts, one after the other, lest what others ask of the store waits for all of it. What is heard of
//! meanwhile may be later than the part that is being read, which then says nothing of it.

use std::collections::HashSet;
use std::time::Duration;

use super::super::Hub;
use super::super::committed::{Pending, Purpose};
use super::super::effect::Effect;
use super::super::job::{Done, Fault, Job, Outcome, RoomRecord, UserRecord};
use super::{Nodes, Notice};
use crate::id::{RoomId, UserId};

/// How many users are asked about at once.
pub(in super::super) const PART: usize = 500;

/// Names that are given in quick succession are looked at together. After the store could not be read, the first pause.
const PAUSE: Duration = Duration::from_secs(1);

/// Each failure doubles the pause, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Survey {
    /// Open rooms are to be read.
    rooms: bool,
    /// These users are, the last ones first;
    users: Vec<UserId>,
    /// and then all who are here.
    everybody: bool,
    /// When there is reason to read on.
    due: Option<Duration>,
    reading: Option<Reading>,
    /// How long it was waited after the last failure, and until when.
    pause: Duration,
    paused_until: Duration,
}

/// The part that the store is asked for.
struct Reading {
    rooms: bool,
    /// But for those of whom something was heard since.
    users: HashSet<UserId>,
    /// Of these rooms something was heard since.
    outdated: HashSet<RoomId>,
}

impl Survey {
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.filter(|_| self.reading.is_none()).map(|due| due.max(self.paused_until))
    }

    /// What was to be read still is, after a pause.
    fn put_off(&mut self, reading: Reading, now: Duration) {
        self.rooms |= reading.rooms;
        self.users.extend(reading.users);
        self.pause = (self.pause * 2).clamp(PAUSE, LONGEST_PAUSE);
        (self.due, self.paused_until) = (Some(now), now + self.pause);
    }
}

impl Nodes {
    fn survey(&mut self) -> Option<&mut Survey> {
        self.0.as_mut().map(|cluster| &mut cluster.survey)
    }
}

impl Hub {
    /// Has the store tell all that there is to know of rooms and users.
    pub(in super::super) fn survey(&mut self) {
        if let Some(survey) = self.nodes.survey() {
            survey.everybody = true;
        }
        self.survey_rooms();
    }

    /// Has the store tell of open rooms.
    pub(in super::super) fn survey_rooms(&mut self) {
        let now = self.now;
        if let Some(survey) = self.nodes.survey() {
            survey.rooms = true;
            survey.due = Some(now);
        }
        self.survey_if_due();
    }

    /// Something is heard that what is being read may not know yet. Of names that two nodes give at once, which is the later
    /// the store alone knows.
    pub(super) fn note_change(&mut self, change: &Notice) {
        let (room, user, is_name) = match change {
            Notice::RoomCreated(room, _) => (Some(room.id), None, false),
            Notice::RoomRenamed(room) if room.is_private => (Some(room.id), self.participant_here(room.id), true),
            Notice::RoomRenamed(room) => (Some(room.id), None, true),
            Notice::RoomDeleted(room) => (Some(*room), None, false),
            Notice::UserRenamed(user) => (None, Some(user.id).filter(|id| self.users.contains_key(id)), true),
            Notice::UserDeleted(user) => (None, Some(*user), false),
            _ => return,
        };
        let is_private = matches!(change, Notice::RoomCreated(room, _) | Notice::RoomRenamed(room) if room.is_private);
        let now = self.now;
        let Some(survey) = self.nodes.survey() else { return };
        let mut are_rooms_read = false;
        if let Some(reading) = &mut survey.reading {
            reading.outdated.extend(room);
            // Who takes part in a room that has another name is not another user.
            user.filter(|_| room.is_none()).map(|user| reading.users.remove(&user));
            are_rooms_read = reading.rooms;
        }
        let rooms = room.is_some() && !is_private && (is_name || are_rooms_read);
        let user = user.filter(|_| is_name);
        if rooms || user.is_some() {
            survey.rooms |= rooms;
            survey.users.extend(user.filter(|user| !survey.users.contains(user)));
            survey.due.get_or_insert(now + PAUSE);
        }
    }

    /// Somebody here who takes part in that room.
    fn participant_here(&self, room: RoomId) -> Option<UserId> {
        let room = self.rooms.living(self.rooms.find_durable(room.into())?);
        let mut present = room.present.iter().map(|&user| self.presence.living(user));
        present.find(|present| present.is_here).map(|present| present.user.id)
    }

    pub(super) fn survey_if_due(&mut self) {
        let now = self.now;
        let Some(survey) = self.nodes.survey() else { return };
        if survey.next_due().is_none_or(|due| due > now) {
            return;
        }
        if survey.users.is_empty() && std::mem::take(&mut survey.everybody) {
            survey.users.extend(self.users.keys());
        }
        let rest = survey.users.len().saturating_sub(PART);
        let part = survey.users.split_off(rest).into_iter();
        // Who has gone is no concern of ours any more.
        let users: HashSet<UserId> = part.filter(|id| self.users.contains_key(id)).collect();
        survey.due = (rest > 0 || survey.everybody).then_some(now);
        let rooms = std::mem::take(&mut survey.rooms);
        let job = Job::Survey { rooms, users: users.iter().copied().collect(), most: self.limits.max_rooms_joined };
        survey.reading = Some(Reading { rooms, users, outdated: HashSet::new() });
        self.give(job, Pending { asker: None, by: None, purpose: Purpose::Survey });
    }

    /// The store has told a part, or can't.
    pub(in super::super) fn has_surveyed(&mut self, outcome: Outcome, effects: &mut Vec<Effect>) {
        let (now, keeps_order) = (self.now, self.keeps_order());
        let Some(survey) = self.nodes.survey() else { return };
        let Some(reading) = survey.reading.take() else { return };
        match outcome {
            Ok(Done::Surveyed { rooms, users }) => {
                survey.pause = Duration::ZERO;
                self.surveyed(reading, rooms, users, effects);
            }
            Err(Fault::Unavailable(_)) if keeps_order => survey.put_off(reading, now),
            // Such a store never can.
            _ => *survey = Survey::default(),
        }
        self.survey_if_due();
        self.check_in_debug();
    }

    fn surveyed(
        &mut self,
        reading: Reading,
        rooms: Option<Vec<RoomRecord>>,
        users: Vec<(UserRecord, Vec<RoomRecord>)>,
        effects: &mut Vec<Effect>,
    ) {
        let Reading { users: mut asked, outdated, .. } = reading;
        if let Some(rooms) = rooms {
            self.surveyed_rooms(&rooms, &outdated, effects);
        }
        for (user, rooms) in users {
            if asked.remove(&user.id) {
                let rooms = rooms.iter().filter(|room| !outdated.contains(&room.id));
                self.surveyed_user(user, rooms, effects);
            }
        }
        // Of these there was nothing to tell.
        for user in asked {
            if self.users.contains_key(&user) {
                self.user_deleted(user, effects);
            }
        }
    }

    fn surveyed_rooms(&mut self, rooms: &[RoomRecord], outdated: &HashSet<RoomId>, effects: &mut Vec<Effect>) {
        let there: HashSet<RoomId> = rooms.iter().map(|room| room.id).collect();
        let open = self.rooms.iter().filter(|(_, room)| room.is_open()).filter_map(|(_, room)| room.id());
        let gone: Vec<RoomId> = open.filter(|id| !there.contains(id) && !outdated.contains(id)).collect();
        gone.into_iter().for_each(|room| drop(self.room_deleted(room, effects)));
        for room in rooms.iter().filter(|room| !outdated.contains(&room.id)) {
            if self.name_of(room.id).is_none() {
                drop(self.room_created(room, Vec::new(), effects));
            }
            self.take_name(room, effects);
        }
    }

    fn surveyed_user<'a>(
        &mut self,
        user: UserRecord,
        rooms: impl Iterator<Item = &'a RoomRecord>,
        effects: &mut Vec<Effect>,
    ) {
        let known = self.sessions_of(user.id).first().and_then(|&slot| self.session(slot)?.user.clone());
        let id = user.id;
        if known.is_some_and(|known| *known.name != *user.name) {
            self.user_renamed(user, effects);
        }
        for room in rooms {
            self.take_name(room, effects);
            self.take_part(id, room, effects);
        }
    }

    /// A room that is known may have got another name.
    fn take_name(&mut self, room: &RoomRecord, effects: &mut Vec<Effect>) {
        if self.name_of(room.id).is_some_and(|name| *name != *room.name) {
            drop(self.room_renamed(room, effects));
        }
    }
}
