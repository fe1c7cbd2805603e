//! The job of saying something. A run of such jobs is done at once: what they all need to know is asked for once, each
//! is judged in its turn, and all rows are written together.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::database::values;
use super::{Database, Halt, Held, Row, Trouble, Value, chats, people, rooms};
use crate::hub::job::{Appended, Author, Direct, Draft, Fault, RoomRecord, UserRecord};
use crate::id::{MessageId, Reference, RoomId, RoomIds, Target, UserId, Uuid};
use crate::timestamp::Timestamp;

/// What a message is if nobody says otherwise.
const PLAIN: &str = "text";

/// Stores one message.
pub(super) fn append_one(db: &mut impl Database, draft: &Draft) -> Result<Appended, Halt> {
    let said = append(db, &[draft])?.pop().ok_or(Trouble::BROKEN)?;
    Ok(said?)
}

/// Stores messages in their order; each is refused for itself.
pub(super) fn append(db: &mut impl Database, drafts: &[&Draft]) -> Held<Vec<Result<Appended, Fault>>> {
    let mut run = Run::prepare(db, drafts)?;
    let judged = drafts.iter().map(|draft| run.judge(db, draft)).collect::<Held<Vec<_>>>()?;
    let messages = write(db, &run.new)?;
    let said = |index: usize, is_repeat| {
        let New { draft, author, room, direct, .. } = &run.new[index];
        let (author, direct) = (author.clone(), direct.clone());
        Appended { message: messages[index], room: *room, author, direct, at: draft.at, is_repeat, order: None }
    };
    let said = |judged| match judged {
        Judged::New(index) => Ok(said(index, false)),
        Judged::Repeat(index) => Ok(said(index, true)),
        Judged::Before(first) => Ok(*first),
        Judged::Refused(fault) => Err(fault),
    };
    Ok(judged.into_iter().map(said).collect())
}

/// What is known for a run of messages, and which of them are to be written.
struct Run<'a> {
    users: HashMap<Reference, UserRecord>,
    /// Of the guests' UUIDs those that are a registered user's, whom nobody speaks for by taking it.
    taken: HashSet<Uuid>,
    rooms: HashMap<Reference, Result<RoomRecord, Fault>>,
    places: HashMap<(Target, Option<UserId>), Result<Place, Fault>>,
    /// What the senders' own marks have led to.
    marks: HashMap<(Uuid, String), Marked>,
    new: Vec<New<'a>>,
}

/// Where something is said, and to whom alone, if that is so.
type Place = (RoomIds, Option<Box<Direct>>);

/// What a mark has led to.
#[derive(Clone, Copy)]
enum Marked {
    /// A message that was stored before. It may be gone, and the room too.
    Before { message: MessageId, room: RoomIds, at: Timestamp, recipient: Option<UserId> },
    /// One of this run, by its place among the new ones.
    Now(usize),
}

/// A message that is to be written.
struct New<'a> {
    draft: &'a Draft,
    sender: Uuid,
    author: Option<UserRecord>,
    guest: Option<&'a str>,
    room: RoomIds,
    direct: Option<Box<Direct>>,
}

impl New<'_> {
    fn row(&self) -> [Value<'_>; 7] {
        let kind = self.draft.message_type.as_deref().unwrap_or(PLAIN);
        values![
            &self.draft.text,
            self.draft.at,
            self.sender,
            self.room.id,
            self.guest,
            kind,
            self.draft.file.as_deref()
        ]
    }

    fn mark_row(&self, id: MessageId) -> Option<[Value<'_>; 7]> {
        let recipient = self.direct.as_ref().map(|direct| direct.to.id);
        let mark = self.draft.client_id.as_ref()?;
        Some(values![self.sender, mark, id, self.room.id, self.draft.at, self.room.uuid, recipient])
    }
}

/// What becomes of a draft.
enum Judged {
    /// It is written, at that place among the new ones.
    New(usize),
    /// It repeats the one at that place.
    Repeat(usize),
    /// It was written before.
    Before(Box<Appended>),
    Refused(Fault),
}

impl<'a> Run<'a> {
    fn prepare(db: &mut impl Database, drafts: &[&'a Draft]) -> Held<Self> {
        let (mut named, mut guests) = (Vec::new(), HashSet::new());
        for draft in drafts {
            match &draft.author {
                Author::User(user) => named.push(*user),
                Author::Guest { uuid, .. } => drop(guests.insert(*uuid)),
            }
            if let Target::User(to) = draft.to {
                named.push(to);
            }
        }
        let users = people::find_all(db, named)?;
        let (guests, mut taken): (Vec<_>, _) = (guests.into_iter().map(|uuid| values![uuid]).collect(), HashSet::new());
        db.each("SELECT uuid FROM users /*, each*/ WHERE uuid = ?1", &guests, |row| {
            taken.insert(row.uuid(0)?);
            Ok(())
        })?;
        let (rooms, places) = (HashMap::new(), HashMap::new());
        let mut run = Self { users, taken, rooms, places, marks: HashMap::new(), new: Vec::new() };
        run.marks = run.find_marks(db, drafts)?;
        Ok(run)
    }

    /// Which of the marks their senders have used before.
    fn find_marks(&self, db: &mut impl Database, drafts: &[&Draft]) -> Held<HashMap<(Uuid, String), Marked>> {
        let sql = "SELECT sender_id, client_id, message_id, chat_id, chat_uuid, created_date, recipient_id \
                   FROM message_marks /*, each*/ WHERE sender_id = ?1 AND client_id = ?2";
        let marks: HashSet<_> = drafts
            .iter()
            .filter_map(|draft| Some((self.sender(&draft.author).ok()?, draft.client_id.as_ref()?)))
            .collect();
        let (marks, mut found): (Vec<_>, _) =
            (marks.into_iter().map(|(by, mark)| values![by, mark]).collect(), HashMap::new());
        db.each(sql, &marks, |row| {
            let (message, room) =
                (MessageId(row.integer(2)?), RoomIds { id: RoomId(row.integer(3)?), uuid: row.uuid(4)? });
            let (at, recipient) = (row.time(5)?, row.optional(6, Row::integer)?.map(UserId));
            found.insert((row.uuid(0)?, row.text(1)?), Marked::Before { message, room, at, recipient });
            Ok(())
        })?;
        Ok(found)
    }

    fn sender(&self, author: &Author) -> Result<Uuid, Fault> {
        match author {
            Author::User(user) => self.users.get(user).map(|user| user.uuid).ok_or(Fault::NoSuchUser),
            Author::Guest { uuid, .. } if self.taken.contains(uuid) => Err(Fault::NameTaken),
            Author::Guest { uuid, .. } => Ok(*uuid),
        }
    }

    fn judge(&mut self, db: &mut impl Database, draft: &'a Draft) -> Held<Judged> {
        match self.admit(db, draft) {
            Ok(judged) => Ok(judged),
            Err(Halt::Fault(fault)) => Ok(Judged::Refused(fault)),
            Err(Halt::Broken(trouble)) => Err(trouble),
        }
    }

    fn admit(&mut self, db: &mut impl Database, draft: &'a Draft) -> Result<Judged, Halt> {
        let sender = self.sender(&draft.author)?;
        let (author, guest) = match &draft.author {
            Author::User(user) => (self.users.get(user).cloned(), None),
            Author::Guest { name, .. } => (None, Some(name.as_str())),
        };
        let mark = draft.client_id.as_ref().map(|mark| (sender, mark.clone()));
        match mark.as_ref().and_then(|mark| self.marks.get(mark)).copied() {
            Some(Marked::Now(index)) => return Ok(Judged::Repeat(index)),
            Some(Marked::Before { message, room, at, recipient }) => {
                let direct = match (&author, recipient) {
                    (Some(author), Some(to)) => find_direct(db, author, to, room)?,
                    _ => None,
                };
                let first = Appended { message, room, author, direct, at, is_repeat: true, order: None };
                return Ok(Judged::Before(Box::new(first)));
            }
            None => {}
        }
        let (room, direct) = self.find_place(db, draft, author.as_ref())?;
        self.marks.extend(mark.map(|mark| (mark, Marked::Now(self.new.len()))));
        self.new.push(New { draft, sender, author, guest, room, direct });
        Ok(Judged::New(self.new.len() - 1))
    }

    /// The last that may be refused: a room may be made here.
    fn find_place(
        &mut self,
        db: &mut impl Database,
        draft: &Draft,
        author: Option<&UserRecord>,
    ) -> Result<Place, Halt> {
        if let Target::Room(room) = draft.to {
            let found = match self.rooms.entry(room) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(refused(rooms::find(db, room))?),
            };
            match found {
                Ok(room) if !room.is_private => return Ok((room.ids(), None)),
                Ok(_) => {}
                Err(fault) => return Err(fault.clone().into()),
            }
        }
        match self.places.entry((draft.to, author.map(|user| user.id))) {
            Entry::Occupied(known) => Ok(known.get().clone()?),
            Entry::Vacant(unknown) => {
                let to = if let Target::User(to) = draft.to { self.users.get(&to) } else { None };
                Ok(unknown.insert(refused(find_private(db, draft, author, to))?).clone()?)
            }
        }
    }
}

/// Keeps a refusal apart from what is wrong with the database.
fn refused<T>(found: Result<T, Halt>) -> Held<Result<T, Fault>> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(Halt::Fault(fault)) => Ok(Err(fault)),
        Err(Halt::Broken(trouble)) => Err(trouble),
    }
}

/// A private room in which the author may speak.
fn find_private(
    db: &mut impl Database,
    draft: &Draft,
    author: Option<&UserRecord>,
    to: Option<&UserRecord>,
) -> Result<Place, Halt> {
    let (room, to) = match (draft.to, author) {
        (Target::Room(room), Some(author)) => {
            let room = rooms::find_for(db, room, Some(author.id))?;
            let to = chats::find_other(db, room.id, author.id)?;
            (room, to)
        }
        (Target::User(_), Some(author)) => {
            let to = to.cloned().ok_or(Fault::NoSuchUser)?;
            (chats::find_or_make_direct(db, author, &to, draft.at)?, Some(to))
        }
        // A private room has users in it and nobody else.
        (Target::Room(_), None) => return Err(Fault::NoSuchRoom.into()),
        (Target::User(_), None) => return Err(Fault::NoSuchUser.into()),
    };
    let ids = room.ids();
    Ok((ids, to.map(|to| Box::new(Direct { room, to }))))
}

/// To whom something was said before, and in which room, as far as that is still known.
fn find_direct(
    db: &mut impl Database,
    author: &UserRecord,
    to: UserId,
    room: RoomIds,
) -> Result<Option<Box<Direct>>, Halt> {
    let Some(to) = people::find_even_deleted(db, to)? else { return Ok(None) };
    let room = match rooms::find(db, room.id.into()) {
        Err(Halt::Fault(_)) => {
            let (name, direct) = (chats::direct_name(author, &to), Some(Box::new([author.uuid, to.uuid])));
            RoomRecord { id: room.id, uuid: room.uuid, name, owner: None, is_private: true, direct }
        }
        found => found?,
    };
    Ok(Some(Box::new(Direct { room, to })))
}

/// Yields the ids.
fn write(db: &mut impl Database, new: &[New<'_>]) -> Held<Vec<MessageId>> {
    let sql = "INSERT INTO messages (content, created_date, sender_id, chat_id, sender_name, message_type, file) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let rows: Vec<_> = new.iter().map(New::row).collect();
    let ids: Vec<_> = db.insert(sql, &rows)?.into_iter().map(MessageId).collect();
    if ids.len() != rows.len() {
        return Err(Trouble::REFUSED);
    }
    // Always in the same order, so that no two servers wait for each other.
    let mut last = BTreeMap::new();
    for New { draft, room, .. } in new {
        last.entry(room.id).and_modify(|at: &mut Timestamp| *at = draft.at.max(*at)).or_insert(draft.at);
    }
    // Another program's clock may be ahead.
    let sql = "UPDATE chats SET updated_at = ?2 /*FROM each*/ WHERE id = ?1 AND updated_at < ?2";
    let rows: Vec<_> = last.into_iter().map(|(room, at)| values![room, at]).collect();
    db.each(sql, &rows, |_| Ok(()))?;
    write_marks(db, new, &ids)?;
    Ok(ids)
}

fn write_marks(db: &mut impl Database, new: &[New<'_>], ids: &[MessageId]) -> Held<()> {
    let sql = "INSERT INTO message_marks \
               (sender_id, client_id, message_id, chat_id, created_date, chat_uuid, recipient_id) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let rows: Vec<_> = new.iter().zip(ids).filter_map(|(new, id)| new.mark_row(*id)).collect();
    db.each(sql, &rows, |_| Ok(()))
}
