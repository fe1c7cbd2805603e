//! What a store over an SQL database does, whichever database it is. The jobs are written once, in SQL that both
//! understand, against a [`Database`]; its drivers are `sqlite` and `postgres`.
//!
//! A batch is one transaction on one connection. When anything but a job's own refusal goes wrong, all of it is taken
//! back: what was to be written is unavailable, and what was only to be read is tried once more.

mod append;
pub(super) mod attend;
mod changes;
mod chats;
mod database;
mod missed;
mod nodes;
mod outside;
mod people;
mod rooms;
mod rows;
mod said;
mod texts;
mod trouble;

use super::{DELETED_USER, Opened, PAGE_BYTES, Store};
use crate::hub::job::{Appended, Done, Draft, Fault, Job, Order, Outcome, RoomRecord};
use crate::id::{Mark, Position};
use crate::timestamp::Timestamp;
pub(super) use database::{Access, Concerned, Database, Row, Value};
#[cfg(feature = "postgres")]
pub(super) use database::{Gap, Looked, Written};
pub(super) use trouble::{Held, Remedy, Trouble};

/// How the jobs of a batch are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    /// As fast as can be.
    Together,
    /// Each so that it can be taken back alone.
    Alone,
}

/// Does jobs, by one transaction or two. `transact` calls [`transaction`], with the database as it finds it.
pub(super) fn carry_out(jobs: &[Job], mut transact: impl FnMut(&[&Job], Manner) -> Held<Vec<Outcome>>) -> Vec<Outcome> {
    let mut attempt = |jobs: &[&Job]| match transact(jobs, Manner::Together) {
        // One of them is at fault, by a rule that an outside program has made. Which one shows only when each can be
        // taken back alone, and that costs time.
        Err(Trouble { remedy: Remedy::OneByOne, .. }) => transact(jobs, Manner::Alone),
        Err(Trouble { remedy: Remedy::Repeat, .. }) => transact(jobs, Manner::Together),
        other => other,
    };
    let all: Vec<&Job> = jobs.iter().collect();
    let failure = match attempt(&all) {
        Ok(outcomes) => return outcomes,
        Err(trouble) => unavailable(trouble),
    };
    // Reading may work though writing doesn't.
    let reads: Vec<&Job> = all.into_iter().filter(|job| !job.writes()).collect();
    let mut read = match reads[..] {
        [] => Vec::new(),
        _ => attempt(&reads).unwrap_or_else(|trouble| reads.iter().map(|_| Err(unavailable(trouble))).collect()),
    }
    .into_iter();
    let read = jobs.iter().map(|job| if job.writes() { None } else { read.next() });
    read.map(|outcome| outcome.unwrap_or_else(|| Err(failure.clone()))).collect()
}

fn unavailable(trouble: Trouble) -> Fault {
    Fault::Unavailable(trouble.sentence.into())
}

/// Does the jobs in one transaction. A job's own refusal is its outcome; whatever else goes wrong takes all of it back.
pub(super) fn transaction<D: Database>(db: &mut D, jobs: &[&Job], manner: Manner) -> Held<Vec<Outcome>> {
    enclosed(db, Access::of(jobs), |db| {
        let mut outcomes = match manner {
            Manner::Together => together(db, jobs),
            Manner::Alone => jobs.iter().map(|job| alone(db, job)).collect(),
        }?;
        put_in_order(db, &mut outcomes)?;
        Ok(outcomes)
    })
}

/// Gives all that is to be told the place of its transaction, where several nodes tell in one order.
fn put_in_order(db: &mut impl Database, outcomes: &mut [Outcome]) -> Held<()> {
    let news: Vec<_> = outcomes.iter_mut().flatten().filter_map(place_of_news).collect();
    if !news.is_empty() {
        let order = db.take_place()?.map(|position| Order { position, count: news.len() });
        news.into_iter().for_each(|place| *place = order);
    }
    Ok(())
}

fn place_of_news(done: &mut Done) -> Option<&mut Option<Order>> {
    match done {
        Done::Appended(Appended { is_repeat: false, order, .. })
        | Done::Edited { order, .. }
        | Done::MessageDeleted { order, .. }
        | Done::Reacted { change: Some(_), order, .. }
        | Done::Confirmed { change: Some(_), order, .. } => Some(order),
        _ => None,
    }
}

/// Does something in one transaction: all of it or, if anything goes wrong, nothing.
pub(super) fn enclosed<D: Database, T>(db: &mut D, access: Access, act: impl FnOnce(&mut D) -> Held<T>) -> Held<T> {
    let ended = db.begin(access).and_then(|()| act(db)).and_then(|result| db.commit().map(|()| result));
    if ended.is_err() {
        // The database may have done it already. If it can't be done, the connection is given up.
        let _ = db.run("ROLLBACK");
    }
    ended
}

/// Messages that are to be stored one after the other are stored at once.
fn together<D: Database>(db: &mut D, jobs: &[&Job]) -> Held<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(jobs.len());
    while let Some(job) = jobs.get(outcomes.len()) {
        let drafts: Vec<&Draft> = jobs[outcomes.len()..].iter().map_while(|job| draft::<D>(job)).collect();
        if drafts.is_empty() {
            outcomes.push(plainly(db, job)?);
        } else {
            outcomes.extend(append::append(db, &drafts)?.into_iter().map(|said| said.map(Done::Appended)));
        }
    }
    Ok(outcomes)
}

fn draft<D: Database>(job: &Job) -> Option<&Draft> {
    if let Job::Append(draft) = job { Some(draft).filter(|_| texts::are_fit::<D>(job)) } else { None }
}

fn plainly<D: Database>(db: &mut D, job: &Job) -> Held<Outcome> {
    if !texts::are_fit::<D>(job) {
        return Ok(Err(Fault::Malformed(texts::NUL.into())));
    }
    match do_one(db, job) {
        Ok(done) => Ok(Ok(done)),
        Err(Halt::Fault(fault)) => Ok(Err(fault)),
        Err(Halt::Broken(trouble)) => Err(trouble),
    }
}

/// So that a job which the database refuses spoils none but itself.
fn alone<D: Database>(db: &mut D, job: &Job) -> Held<Outcome> {
    db.run("SAVEPOINT job")?;
    let outcome = match plainly(db, job) {
        Err(Trouble { remedy: Remedy::OneByOne, sentence }) => {
            db.run("ROLLBACK TO job")?;
            Err(Fault::Unsupported(sentence.into()))
        }
        outcome => outcome?,
    };
    db.run("RELEASE job")?;
    Ok(outcome)
}

/// What a server starts from.
pub(super) struct Start {
    /// The open rooms, the oldest first.
    pub(super) rooms: Vec<RoomRecord>,
    /// The time of the newest message.
    pub(super) last: Timestamp,
    /// The highest ids that were ever given.
    pub(super) mark: Mark,
    /// How far the order of several nodes is.
    pub(super) position: Option<Position>,
}

impl Start {
    pub(super) fn read(db: &mut impl Database) -> Held<Self> {
        let position = db.position()?;
        Ok(Self { rooms: rooms::list_open(db)?, last: rows::last_time(db)?, mark: attend::mark(db)?, position })
    }

    /// With the store that it is of, and what that is, for the operator.
    pub(super) fn with(self, store: Box<dyn Store>, description: String) -> Opened {
        let Self { rooms, last, mark, position } = self;
        Opened { store, rooms, last, mark: Some(mark), position, description }
    }
}

/// Why a job is not done: what it finds forbids it, and nothing was written yet; or the database does not work.
pub(super) enum Halt {
    Fault(Fault),
    Broken(Trouble),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Broken(trouble)
    }
}

/// A job is judged before it writes, so that a refused one has changed nothing.
fn do_one<D: Database>(db: &mut D, job: &Job) -> Result<Done, Halt> {
    match job {
        Job::Attend { user, most, follows_all, recovery, most_missed } => {
            let attended = attend::attend(db, user, *most, *follows_all, recovery.as_ref(), *most_missed)?;
            Ok(Done::Attended(Box::new(attended)))
        }
        Job::SetStatus { user, is_online } => people::set_status(db, *user, *is_online).map(noted),
        Job::ListOnline { after, most } => people::list_online(db, *after, *most).map(Done::Online),
        Job::Follow { pid, room, is_in, at } => attend::follow(db, pid, *room, *is_in, *at).map(noted),
        Job::Forget { pid } => attend::forget(db, pid).map(noted),
        Job::ListChats { user, most } => chats::list(db, *user, *most).map(Done::Chats),
        Job::CreateUser { name, at } => people::create(db, name, *at).map(Done::User),
        Job::FindUser { user } => people::find(db, *user).map(Done::User),
        Job::ListUsers => people::list(db).map(Done::Users),
        Job::RenameUser { user, name } => people::rename(db, *user, name).map(Done::User),
        Job::DeleteUser { user, at } => people::delete(db, *user, *at).map(Done::User),
        Job::CreateRoom { name, owner, participants, most, at } => {
            let created = rooms::create(db, name, *owner, participants.as_deref(), *most, *at);
            created.map(|(room, participants)| Done::RoomCreated { room, participants })
        }
        Job::FindRoom { room, reader } => rooms::find_for(db, *room, *reader).map(Done::Room),
        Job::RenameRoom { room, name, by } => rooms::rename(db, *room, name, *by).map(Done::Room),
        Job::DeleteRoom { room, by } => rooms::delete(db, *room, *by).map(Done::RoomDeleted),
        Job::Append(draft) => append::append_one(db, draft).map(Done::Appended),
        Job::ReadMessages { room, reader, page } => said::read(db, *room, *reader, *page),
        Job::Look => outside::look(db),
        Job::CatchUp { rooms, users, since, most } => nodes::catch_up(db, &Concerned { rooms, users }, *since, *most),
        Job::Survey { rooms, users, most } => nodes::survey(db, *rooms, users, *most),
        Job::ReadMissed { room, since, most } => missed::read(db, *room, *since, *most),
        Job::EditMessage { message, text, by, at } => changes::edit(db, *message, text, *by, *at),
        Job::DeleteMessage { message, by, at } => changes::delete(db, *message, *by, *at),
        Job::React { message, user, emoji, is_removed, reach, at } => {
            changes::react(db, *message, *user, emoji, *is_removed, reach, *at)
        }
        Job::Confirm { message, user, reach, counts_own, at } => {
            changes::confirm(db, *message, *user, reach, *counts_own, *at)
        }
        Job::ListReaders { message, reach } => changes::readers(db, *message, reach),
    }
}

fn noted(_: ()) -> Done {
    Done::Noted
}
