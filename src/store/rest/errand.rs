//! One job on its way: which calls it takes, and what the answers mean. What is asked is in `people`, `rooms` and
//! `messages`; here is how.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::calls::Endpoint;
use super::client::{Answer, Failure, How};
use super::memory::Memory;
use super::{Upstream, answer};
use crate::hub::job::{Done, Fault, Job, Outcome, Reach, RoomRecord};
use crate::id::{ChangeId, RoomId, RoomIds, UserId, Uuid};
use crate::store::OpenError;

/// A job's calls, all within its deadline.
pub(super) struct Errand<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) deadline: Instant,
}

impl Errand<'_> {
    /// Does the job.
    pub(super) fn carry_out(&self, job: &Job) -> Outcome {
        match job {
            Job::Attend { user, .. } => self.attend(user),
            // The API has no place for these, and they are missed by nobody: this server itself knows who is here, and whoever
            // comes back is told that what they missed can't be said.
            Job::SetStatus { .. } | Job::Follow { .. } | Job::Forget { .. } => Ok(Done::Noted),
            Job::ListOnline { .. } => Ok(Done::Online(Vec::new())),
            Job::ListChats { .. } | Job::CreateRoom { participants: Some(_), .. } => Err(lacks("private rooms")),
            // Who writes there otherwise, the API does not tell.
            Job::Look => Ok(Done::Outside { deeds: Vec::new(), has_more: false, has_settled: false }),
            Job::CatchUp { since, .. } => Ok(Done::CaughtUp { deeds: Vec::new(), position: *since, has_more: false }),
            Job::Survey { .. } => Err(lacks("private rooms")),
            Job::EditMessage { .. } => Err(lacks("way to change a message")),
            Job::React { .. } => Err(lacks("reactions")),
            Job::CreateUser { name, .. } => self.create_user(name),
            Job::FindUser { user } => self.find_user(*user),
            Job::ListUsers => self.list_users(),
            Job::RenameUser { user, name } => self.rename_user(*user, name),
            Job::DeleteUser { user, .. } => self.delete_user(*user),
            Job::CreateRoom { name, owner, participants: None, .. } => self.create_room(name, *owner),
            Job::FindRoom { room, .. } => self.find_room(*room),
            Job::RenameRoom { room, name, by } => self.rename_room(*room, name, *by),
            Job::DeleteRoom { room, by } => self.delete_room(*room, *by),
            Job::Append(draft) => self.append(draft),
            Job::ReadMessages { room, page, .. } => self.read_messages(*room, *page),
            Job::ReadMissed { room, since, most } => self.read_missed(*room, *since, *most),
            Job::DeleteMessage { message, by, .. } => self.delete_message(*message, *by),
            Job::Confirm { message, user, reach, counts_own, at } => {
                self.confirm(*message, *user, in_rooms(reach), *counts_own, *at)
            }
            Job::ListReaders { message, reach } => self.list_readers(*message, in_rooms(reach)),
        }
    }

    /// The open rooms, for the start.
    pub(super) fn first_look(&self) -> Result<Vec<RoomRecord>, OpenError> {
        let place = self.upstream.client.place();
        let error = |is_passing, why: &str| {
            let sentence = format!("the store at {place} {why}");
            OpenError { sentence, is_passing, lacks_migration: false }
        };
        let answer = self.upstream.client.read(Endpoint::ReadRooms, &[], self.deadline);
        let answer = answer.map_err(|Failure { why, .. }| error(true, &format!("can't be reached: {why}")))?;
        match answer.status {
            200..=299 => {}
            401 | 403 => return Err(error(false, "refuses this server's key: ROOMCAST_UPSTREAM_KEY sets it")),
            300..=399 => return Err(error(false, "is elsewhere: it answers with a redirect")),
            404 | 405 => return Err(error(false, "does not have the database API: there is no GET /rooms")),
            429 | 500.. => return Err(error(true, &format!("fails: GET /rooms was answered with {}", answer.status))),
            status => return Err(error(false, &format!("answers GET /rooms with {status}"))),
        }
        let rooms = answer::list(&answer.body, answer::room);
        let rooms =
            rooms.ok_or_else(|| error(false, "does not have the database API: GET /rooms is no list of rooms"))?;
        Ok(self.room_records(rooms))
    }

    /// Asks for something. `missing` is the fault if it is not there.
    pub(super) fn read(&self, endpoint: Endpoint, query: &[(&str, i64)], missing: Fault) -> Result<Answer, Fault> {
        let answer = self.upstream.client.read(endpoint, query, self.deadline);
        let answer = answer.map_err(|failure| self.unanswered(&failure, false))?;
        if answer.is_done() { Ok(answer) } else { Err(fault(&answer, missing)) }
    }

    /// Has something done. `missing` tells the fault if what it is about is not there.
    pub(super) fn send(
        &self,
        endpoint: Endpoint,
        body: &Value,
        missing: impl FnOnce(&Answer) -> Fault,
    ) -> Result<Answer, Fault> {
        let answer = self.upstream.client.send(endpoint, body, self.deadline);
        let answer = answer.map_err(|failure| self.unanswered(&failure, true))?;
        if answer.is_done() { Ok(answer) } else { Err(fault(&answer, missing(&answer))) }
    }

    fn unanswered(&self, failure: &Failure, is_write: bool) -> Fault {
        self.upstream.is_down.store(true, Relaxed);
        let what = match failure.how {
            How::NotSent => "the upstream store can't be reached",
            How::Late => "the upstream store did not answer in time",
            How::Broken => "the upstream store did not answer properly",
        };
        let doubt = if is_write && failure.how != How::NotSent { "; it may have been done all the same" } else { "" };
        Fault::Unavailable(format!("{what}{doubt}"))
    }

    pub(super) fn user_uuid(&self, user: UserId) -> Uuid {
        self.uuid("user", user.0)
    }

    pub(super) fn room_uuid(&self, room: RoomId) -> Uuid {
        self.uuid("rooms", room.0)
    }

    pub(super) fn room_ids(&self, id: RoomId) -> RoomIds {
        RoomIds { id, uuid: self.room_uuid(id) }
    }

    /// The API counts no changes, so this process does; none leads back to one.
    pub(super) fn next_change(&self) -> ChangeId {
        self.memory().next_change()
    }

    /// The API has no UUIDs. These are the same whenever and wherever they are made.
    fn uuid(&self, kind: &str, id: i64) -> Uuid {
        Uuid::new_v5(&self.upstream.namespace, format!("{kind}/{id}").as_bytes())
    }

    /// The UUID of somebody who is only known by name.
    pub(super) fn uuid_of_name(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.upstream.namespace, format!("name/{name}").as_bytes())
    }

    /// A panic in another lane has left nothing half done in it.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.upstream.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rooms in which a message is looked for; nothing stands for all open ones. There are no private ones.
fn in_rooms(reach: &Reach) -> Option<&[RoomId]> {
    match reach {
        Reach::Visible => None,
        Reach::Rooms(rooms) | Reach::RoomsAndOwn(rooms) => Some(rooms),
    }
}

/// The API has nothing of that kind.
pub(super) fn lacks(what: &str) -> Fault {
    Fault::Unsupported(format!("the upstream store has no {what}"))
}

/// The answer is not what the API promises.
pub(super) fn not_understood() -> Fault {
    Fault::Unavailable("the upstream store's answer can't be understood".into())
}

/// What a refusal means. The other server's own words stay with the operator: nobody knows what is in them.
fn fault(answer: &Answer, missing: Fault) -> Fault {
    let sentence = match answer.status {
        404 => return missing,
        409 => return Fault::NameTaken,
        401 | 403 => "the upstream store refuses this server's key".into(),
        405 | 501 => return Fault::Unsupported("the upstream store can't do that".into()),
        429 => "the upstream store is asked too much".into(),
        300..=399 => "the upstream store is elsewhere: it answers with a redirect".into(),
        400..=499 => {
            let sentence = format!("the upstream store does not take that: it answered with {}", answer.status);
            return Fault::Unsupported(sentence);
        }
        status => format!("the upstream store fails: it answered with {status}"),
    };
    Fault::Unavailable(sentence)
}
