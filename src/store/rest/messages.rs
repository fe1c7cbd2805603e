//! Messages and who has read them, on the other server. It tells them by room only; where one is that is named by its id
//! is remembered, or else looked for in a few rooms.

use serde_json::json;

use super::answer;
use super::calls::Endpoint;
use super::client::Answer;
use super::errand::{Errand, lacks, not_understood};
use super::memory::Whereabouts;
use crate::hub::job::{Appended, Author, Done, Draft, Fault, MessageRecord, Missed, Outcome, Reader};
use crate::hub::{Moment, Page, Place};
use crate::id::{Mark, MessageId, Reference, RoomId, Target, UserId};
use crate::store::{DELETED_USER, PAGE_BYTES};
use crate::timestamp::Timestamp;

/// A message is looked for in no more rooms than these.
const ROOMS_SEARCHED: usize = 20;

/// No more messages are asked for at once: servers may refuse a greater limit.
const LARGEST_LIMIT: usize = 1_000;

/// A server may cut pages shorter than was asked for, but none is expected to cut one with fewer messages, and less text.
const SHORTEST_CUT: usize = 50;
const SHORTEST_CUT_BYTES: usize = 32 << 10;

/// The only kind of message that there is.
const PLAIN: &str = "text";

impl Errand<'_> {
    pub(super) fn append(&self, draft: &Draft) -> Outcome {
        let Author::User(author) = draft.author else {
            return Err(lacks("guests: whoever speaks in its rooms must be a registered user"));
        };
        let Target::Room(room) = draft.to else {
            return Err(lacks("messages to a user alone: say it in a room"));
        };
        if draft.message_type.as_deref().is_some_and(|kind| kind != PLAIN) {
            return Err(lacks("kinds of messages: all that it keeps is text"));
        }
        if draft.client_id.is_some() {
            return Err(lacks("way to know a repeated message again: send it without a client id"));
        }
        let author = self.author(author)?;
        let room = self.room_id(room)?;
        let body = json!({ "UserID": author.id.0, "RoomID": room.0, "Message": draft.text });
        let answer = self.send(Endpoint::CreateMessage, &body, absentee)?;
        let answer = answer::one(&answer.body);
        let message = MessageId(answer::message_id(answer).ok_or_else(|| {
            Fault::Unavailable("the upstream store has taken the message and not told its id".into())
        })?);
        self.memory().note_message(message, Whereabouts { room, author: Some(author.id) });
        let at = answer::created_at(answer).unwrap_or(draft.at);
        let (room, author) = (self.room_ids(room), Some(author));
        Ok(Done::Appended(Appended { message, room, author, direct: None, at, is_repeat: false, order: None }))
    }

    pub(super) fn read_messages(&self, room: Reference, page: Page) -> Outcome {
        let room = self.room_id(room)?;
        let (messages, has_more) = self.page(room, page)?;
        Ok(Done::Messages { room: self.room_ids(room), messages, has_more })
    }

    pub(super) fn delete_message(&self, message: MessageId, by: Option<UserId>) -> Outcome {
        let Whereabouts { room, author } = self.locate(message, None)?;
        let is_allowed = by.is_none() || author == by || self.is_owner(room, by)?;
        if !is_allowed {
            return Err(Fault::NoSuchMessage);
        }
        self.send(Endpoint::DeleteMessage, &json!({ "MessageID": message.0 }), |_| Fault::NoSuchMessage)?;
        self.memory().forget_message(message);
        Ok(Done::MessageDeleted {
            message,
            room: self.room_ids(room),
            was: None,
            change: self.next_change(),
            order: None,
        })
    }

    pub(super) fn confirm(
        &self,
        message: MessageId,
        user: Reference,
        rooms: Option<&[RoomId]>,
        counts_own: bool,
        at: Timestamp,
    ) -> Outcome {
        let Whereabouts { room, author } = self.locate(message, rooms)?;
        let user = self.user_id(user)?;
        // The answer to a confirmation does not tell whether it is the first.
        let readers = self.readers(message)?;
        let (mut read_by, first) = (readers.len() as u64, readers.iter().find(|reader| reader.user == user.0));
        let (mut at, mut change) = (first.and_then(|first| first.at).unwrap_or(at), None);
        if first.is_none() && (counts_own || author != Some(user)) {
            let body = json!({ "MessageID": message.0, "UserID": user.0 });
            let answer = self.send(Endpoint::Confirm, &body, absentee)?;
            read_by += 1;
            at = answer::read_at(answer::one(&answer.body)).unwrap_or(at);
            change = Some(self.next_change());
        }
        let (room, user_uuid) = (self.room_ids(room), self.user_uuid(user));
        Ok(Done::Confirmed { message, room, user, user_uuid, author, at, read_by, change, order: None })
    }

    pub(super) fn list_readers(&self, message: MessageId, rooms: Option<&[RoomId]>) -> Outcome {
        if rooms.is_some() {
            self.locate(message, rooms)?;
        }
        let readers = self.readers(message)?;
        if readers.iter().any(|reader| reader.name.is_none()) {
            self.list_users()?;
        }
        let reader = |reader: answer::Reader| {
            let user = UserId(reader.user);
            let name = reader.name.or_else(|| self.memory().name(user).map(str::to_owned));
            Reader { user, name: name.unwrap_or_else(|| DELETED_USER.into()), at: reader.at.unwrap_or_default() }
        };
        let mut readers: Vec<Reader> = readers.into_iter().map(reader).collect();
        readers.sort_by_key(|reader| reader.at);
        Ok(Done::Readers { message, readers })
    }

    fn readers(&self, message: MessageId) -> Result<Vec<answer::Reader>, Fault> {
        let query = [("MessageID", message.0)];
        let answer = self.read(Endpoint::ReadConfirmations, &query, Fault::NoSuchMessage)?;
        answer::list(&answer.body, answer::reader).ok_or_else(not_understood)
    }

    fn is_owner(&self, room: RoomId, user: Option<UserId>) -> Result<bool, Fault> {
        match self.room(room.into()) {
            Ok(record) => Ok(record.owner == user),
            Err(Fault::NoSuchRoom) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Finds out where a message is: in `rooms`, or in all open rooms.
    fn locate(&self, message: MessageId, rooms: Option<&[RoomId]>) -> Result<Whereabouts, Fault> {
        let known = self.memory().message(message);
        if let Some(known) = known {
            let is_there = rooms.is_none_or(|rooms| rooms.contains(&known.room));
            return if is_there { Ok(known) } else { Err(Fault::NoSuchMessage) };
        }
        let rooms = match rooms {
            Some(rooms) => rooms.to_vec(),
            None => self.rooms()?.iter().map(|room| room.id).collect(),
        };
        if rooms.len() > ROOMS_SEARCHED {
            return Err(lacks("way to find a message by its id among so many rooms: read the room's messages first"));
        }
        let place = Place::Before(MessageId(message.0.saturating_add(1)));
        for room in rooms {
            // What is read is remembered.
            match self.page(room, Page { place, limit: 1 }) {
                Ok(_) | Err(Fault::NoSuchRoom) => {}
                Err(fault) => return Err(fault),
            }
            let found = self.memory().message(message);
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Err(Fault::NoSuchMessage)
    }

    /// A part of what was said in the room, and whether there is more. Servers that don't know pages answer with all that
    /// there is, so it is cut here once more.
    fn page(&self, room: RoomId, Page { place, limit }: Page) -> Result<(Vec<MessageRecord>, bool), Fault> {
        let before = match place {
            Place::Newest => None,
            Place::Before(before) => Some(before),
            Place::Earlier(Moment::END) => None,
            // Pages of the API go by ids.
            Place::Earlier(Moment { message: MessageId(message @ 1..), .. }) => Some(MessageId(message)),
            Place::Earlier(Moment { at, .. }) => return self.page_earlier(room, at, limit),
            Place::After(after) => return self.page_after(room, after, limit),
        };
        // One more, to see whether there is one.
        let asked = limit.saturating_add(1).min(LARGEST_LIMIT);
        let mut messages = self.fetch(room, before, Some(asked))?;
        let fitting = fitting(messages.iter().rev(), limit);
        let mut has_more = messages.len() > fitting;
        if has_more {
            messages.drain(..messages.len() - fitting);
        } else if may_be_cut(&messages)
            && let Some(first) = messages.first()
        {
            has_more = !self.fetch(room, Some(first.id), Some(1))?.is_empty();
        }
        Ok((messages, has_more))
    }

    /// The API knows no times, so for this everything is fetched.
    fn page_earlier(&self, room: RoomId, at: Timestamp, limit: usize) -> Result<(Vec<MessageRecord>, bool), Fault> {
        let mut messages = self.fetch(room, None, None)?;
        messages.retain(|message| message.at < at);
        let fitting = fitting(messages.iter().rev(), limit).min(messages.len());
        let has_more = messages.len() > fitting;
        messages.drain(..messages.len() - fitting);
        Ok((messages, has_more))
    }

    /// Of changes the API tells nothing.
    pub(super) fn read_missed(&self, room: RoomId, since: Mark, most: usize) -> Outcome {
        let ids = self.room_ids(room);
        let (messages, has_more) = self.page_after(room, since.message, most)?;
        let message = messages.last().map_or(since.message, |message| message.id);
        let messages = messages.into_iter().map(|message| (ids, message)).collect();
        let missed = Missed { messages, changes: Vec::new() };
        Ok(Done::Missed { missed, mark: Mark { message, ..since }, has_more })
    }

    /// The API pages backwards only, so for this everything is fetched. What is beyond the page is kept for a moment,
    /// since whoever reads this way goes on reading.
    fn page_after(&self, room: RoomId, after: MessageId, limit: usize) -> Result<(Vec<MessageRecord>, bool), Fault> {
        let kept = self.memory().take_unread(room, after);
        let mut messages = match kept {
            Some(messages) => messages,
            None => self.fetch(room, None, None)?,
        };
        messages.retain(|message| message.id > after);
        let unread = messages.split_off(fitting(messages.iter(), limit).min(messages.len()));
        let has_more = !unread.is_empty();
        if let Some(last) = messages.last().filter(|_| has_more) {
            self.memory().keep_unread(room, last.id, unread);
        }
        Ok((messages, has_more))
    }

    /// What was said in the room, the oldest first. `limit` is a wish.
    fn fetch(
        &self,
        room: RoomId,
        before: Option<MessageId>,
        limit: Option<usize>,
    ) -> Result<Vec<MessageRecord>, Fault> {
        let mut query = vec![("RoomID", room.0)];
        query.extend(limit.map(|limit| ("limit", limit as i64)));
        query.extend(before.map(|before| ("before", before.0)));
        let answer = self.read(Endpoint::ReadMessages, &query, Fault::NoSuchRoom)?;
        let mut messages = answer::list(&answer.body, answer::message).ok_or_else(not_understood)?;
        messages.retain(|message| before.is_none_or(|before| message.id < before.0));
        messages.sort_by_key(|message| message.id);
        if messages.iter().any(|message| message.user.is_some() && message.username.is_none()) {
            // All names are remembered then.
            self.list_users()?;
        }
        let mut memory = self.memory();
        for message in &messages {
            let whereabouts = Whereabouts { room, author: message.user.map(UserId) };
            memory.note_message(MessageId(message.id), whereabouts);
        }
        drop(memory);
        Ok(messages.into_iter().map(|message| self.message_record(message)).collect())
    }

    fn message_record(&self, message: answer::Message) -> MessageRecord {
        let user = message.user.map(UserId);
        let username = message.username.or_else(|| Some(self.memory().name(user?)?.to_owned()));
        let username = username.unwrap_or_else(|| DELETED_USER.into());
        MessageRecord {
            id: MessageId(message.id),
            user,
            sender: user.map_or_else(|| self.uuid_of_name(&username), |user| self.user_uuid(user)),
            username,
            text: message.text,
            at: message.at.unwrap_or_default(),
            // The list does not tell who has read what.
            read_by: 0,
            read_self: false,
            message_type: PLAIN.into(),
            file: None,
            edited_at: None,
            reactions: Vec::new(),
            direct_to: None,
            transaction: None,
        }
    }
}

/// How many of the messages a page takes: at least one, so that reading goes on.
fn fitting<'a>(messages: impl Iterator<Item = &'a MessageRecord>, limit: usize) -> usize {
    let mut bytes = 0;
    let fit = messages.take(limit).take_while(|message| {
        bytes += message.text.len();
        bytes <= PAGE_BYTES
    });
    fit.count().max(1)
}

/// Whether there may be more before these, though fewer came than were asked for.
fn may_be_cut(messages: &[MessageRecord]) -> bool {
    let bytes: usize = messages.iter().map(|message| message.text.len()).sum();
    messages.len() >= SHORTEST_CUT || bytes >= SHORTEST_CUT_BYTES
}

/// Which of the things that a request named is not there: the answer says it in words alone.
fn absentee(answer: &Answer) -> Fault {
    let words = answer::complaint(&answer.body).unwrap_or_default().to_lowercase();
    if words.contains("message") {
        Fault::NoSuchMessage
    } else if words.contains("user") {
        Fault::NoSuchUser
    } else {
        Fault::NoSuchRoom
    }
}
