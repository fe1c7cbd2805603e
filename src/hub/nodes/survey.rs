//! What has become of rooms and users while that could not be heard. Of this, unlike of messages, no node keeps count: so
//! whenever something may have been lost on the way, all of it is read anew and held against what is known.

use std::collections::HashSet;
use std::time::Duration;

use super::super::Hub;
use super::super::committed::{Pending, Purpose};
use super::super::effect::Effect;
use super::super::job::{Done, Fault, Job, Outcome, RoomRecord, UserRecord};
use super::{Cluster, Notice};
use crate::id::{RoomId, UserId};

/// After the store could not be read, or what was read was perhaps outdated.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Survey {
    is_under_way: bool,
    /// There is reason for one more, then.
    due: Option<Duration>,
}

impl Survey {
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.filter(|_| !self.is_under_way)
    }
}

impl Hub {
    /// Has the store tell all that there is to know of rooms and users.
    pub(in super::super) fn survey(&mut self) {
        let now = self.now;
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.survey.due = Some(now);
        }
        self.survey_if_due();
    }

    /// Something is heard that what is being read may not know yet. Of names that two nodes give at once, which is the later
    /// the store alone knows.
    pub(super) fn note_change(&mut self, change: &Notice) {
        let now = self.now;
        let is_private = matches!(change, Notice::RoomCreated(room, _) if room.is_private);
        let is_name = matches!(change, Notice::RoomRenamed(_) | Notice::UserRenamed(_));
        let is_reason = |cluster: &&mut Box<Cluster>| is_name || (cluster.survey.is_under_way && !is_private);
        if let Some(cluster) = self.nodes.0.as_mut().filter(is_reason) {
            cluster.survey.due = Some(now + PAUSE);
        }
    }

    pub(super) fn survey_if_due(&mut self) {
        let now = self.now;
        let Some(cluster) = &mut self.nodes.0 else { return };
        if cluster.survey.next_due().is_none_or(|due| due > now) {
            return;
        }
        cluster.survey = Survey { is_under_way: true, due: None };
        let users: Vec<UserId> = self.users.keys().copied().collect();
        let job = Job::Survey { users: users.clone(), most: self.limits.max_rooms_joined };
        self.give(job, Pending { asker: None, by: None, purpose: Purpose::Survey { users } });
    }

    /// The store has told it, or can't. `asked`: of which users.
    pub(in super::super) fn has_surveyed(&mut self, asked: &[UserId], outcome: Outcome, effects: &mut Vec<Effect>) {
        let (now, keeps_order) = (self.now, self.keeps_order());
        let Some(cluster) = &mut self.nodes.0 else { return };
        cluster.survey.is_under_way = false;
        match outcome {
            Ok(Done::Surveyed { rooms, users }) if cluster.survey.due.is_none() => {
                self.surveyed(rooms, asked, users, effects);
            }
            Err(Fault::Unavailable(_)) if keeps_order => cluster.survey.due = Some(now + PAUSE),
            _ => {}
        }
        self.survey_if_due();
        self.check_in_debug();
    }

    fn surveyed(
        &mut self,
        rooms: Vec<RoomRecord>,
        asked: &[UserId],
        users: Vec<(UserRecord, Vec<RoomRecord>)>,
        effects: &mut Vec<Effect>,
    ) {
        let there: HashSet<RoomId> = rooms.iter().map(|room| room.id).collect();
        let open = self.rooms.iter().filter(|(_, room)| room.is_open()).filter_map(|(_, room)| room.id());
        let gone: Vec<RoomId> = open.filter(|id| !there.contains(id)).collect();
        gone.into_iter().for_each(|room| drop(self.room_deleted(room, effects)));
        for room in rooms {
            match self.name_of(room.id) {
                None => drop(self.room_created(&room, Vec::new(), effects)),
                Some(name) if *name != *room.name => drop(self.room_renamed(&room, effects)),
                Some(_) => {}
            }
        }
        let there: HashSet<UserId> = users.iter().map(|(user, _)| user.id).collect();
        for user in asked.iter().filter(|id| !there.contains(id)) {
            drop(self.user_deleted(*user, effects));
        }
        for (user, rooms) in users {
            let known = self.sessions_of(user.id).first().and_then(|&slot| self.session(slot)?.user.clone());
            let id = user.id;
            if known.is_some_and(|known| *known.name != *user.name) {
                self.user_renamed(user, effects);
            }
            rooms.iter().for_each(|room| self.take_part(id, room, effects));
        }
    }
}
