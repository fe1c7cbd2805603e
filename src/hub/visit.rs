//! Visitors: they read and write in open, durable rooms without taking part in the chat. They have no connection id and are
//! in nobody's list of members. A listener is one of them who is told what a room is told, and hears nothing else.

use std::rc::Rc;

use super::command::{FileName, Name, Visit};
use super::committed::Purpose;
use super::effect::{Event, Refusal, Reply, Who};
use super::job::{Author, Done, Job, Missed};
use super::say::Said;
use super::session::Asker;
use super::{Answer, Hub};
use crate::id::{Mark, RoomId, RoomKey, SlotKey, Target};

/// How much of what was missed is told at once.
const MISSED_AT_ONCE: usize = 256;

impl Hub {
    pub(super) fn visit(&mut self, slot: SlotKey, room: Option<Name>, visit: Visit) -> Result<Answer, Refusal> {
        let (key, id) = self.find_for_visitors(room)?;
        match visit {
            Visit::Say { sender, text, file, client_id } => {
                let name: Rc<str> = format!("guest-{:.8}", sender.to_string()).into();
                let author = Author::Guest { uuid: sender, name: (*name).into() };
                let from = Some(Who::Outsider { uuid: sender, name });
                let (text, file) = (text.into_shared(), file.map(FileName::into_shared));
                let said = Said { from, text, by_name: None, message_type: None, file, hears_itself: false };
                Ok(self.append(slot, Target::Room(id.into()), author, client_id, said))
            }
            Visit::Read(page) => {
                let job = Job::ReadMessages { room: id.into(), reader: None, page };
                Ok(self.submit(slot, job, Purpose::Tell))
            }
            Visit::Listen { since: Some(since) } => {
                let job = Job::ReadMissed { room: id, since, most: MISSED_AT_ONCE };
                Ok(self.read_return(slot, since, job, Purpose::Listen { room: id, since }))
            }
            Visit::Listen { since: None } => {
                self.listen(slot, key);
                Ok(Answer::Now(Reply::Heard {
                    missed: Vec::new(),
                    mark: self.mark.map(|_| self.mark()),
                    has_more: false,
                }))
            }
        }
    }

    fn find_for_visitors(&self, room: Option<Name>) -> Result<(RoomKey, RoomId), Refusal> {
        let key = match &room {
            Some(name) => self.rooms.find(name.as_str()),
            None => self.rooms.find_open(RoomId::LOBBY.into()),
        };
        let found = key.and_then(|key| Some((key, self.rooms.living(key).id()?)));
        match (found, room) {
            (Some(found), _) => Ok(found),
            (None, Some(_)) => Err(Refusal::NotFound("there is no open, durable room of that name")),
            (None, None) => Err(Refusal::Unavailable("this server keeps nothing: it runs without a store".into())),
        }
    }

    /// The store has read what was missed. If that was all of it, the asker hears what comes: nothing was told in between.
    pub(super) fn heard(
        &mut self,
        asker: Option<SlotKey>,
        room: RoomId,
        since: Mark,
        done: Done,
    ) -> Result<Reply, Refusal> {
        let Done::Missed { mut missed, mark, has_more } = done else {
            return Err(Refusal::Unavailable("the store has answered something else".into()));
        };
        let mark = self.trim(&mut missed, mark);
        // The room may have gone meanwhile.
        let key = self.rooms.find_open(room.into()).ok_or(Refusal::NotFound("the room is gone"))?;
        if let (Some(slot), false) = (asker, has_more) {
            self.listen(slot, key);
        }
        Ok(Reply::Heard { missed: self.marked(missed, since, mark), mark: Some(mark), has_more })
    }

    /// Each with how far one has heard who has heard it. Messages come first: of changes nothing has been heard till then.
    fn marked(&self, missed: Missed, since: Mark, mark: Mark) -> Vec<(Event, Mark)> {
        let marks = missed.messages.iter().map(|(_, message)| Mark { message: message.id, ..since });
        let mut marks: Vec<Mark> = marks.collect();
        let count = marks.len() + missed.changes.len();
        marks.resize(count, Mark { message: mark.message, ..since });
        let events = self.as_told(missed, [&[], &[]]);
        let mut marked: Vec<_> = events.into_iter().zip(marks).collect();
        if let Some((_, last)) = marked.last_mut() {
            *last = mark;
        }
        marked
    }

    fn listen(&mut self, slot: SlotKey, key: RoomKey) {
        let Some(session) = self.session_mut(slot) else { return };
        session.asker = Asker::Listener;
        session.rooms.push(key);
        let at = self.stamp();
        self.rooms.add_listener(key, slot, at);
    }

    pub(super) fn is_listener(&self, slot: SlotKey) -> bool {
        self.session(slot).is_some_and(|session| session.asker == Asker::Listener)
    }

    pub(super) fn stop_listening(&mut self, slot: SlotKey, key: RoomKey) {
        if let Some(session) = self.session_mut(slot) {
            session.rooms.retain(|room| *room != key);
        }
        self.rooms.remove_listener(key, slot);
    }
}
