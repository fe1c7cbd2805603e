//! The stores that the suites run over, and short words for their jobs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::database;
use roomcast::config::Durability;
use roomcast::hub::job::{
    Appended, Author, Done, Draft, Fault, Job, MessageRecord, Outcome, Reach, RoomRecord, UserRecord,
};
use roomcast::hub::{Page, Place};
use roomcast::id::{MessageId, NodeId, Reference, Target, UserId, Uuid};
use roomcast::store::{self, Opened, Options, Store};
use roomcast::timestamp::Timestamp;

/// A folder of this test's own, empty at first.
pub fn scratch_dir() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{}-{count}", env!("CARGO_CRATE_NAME"), std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A store that is tested.
pub struct Subject {
    url: String,
    store: Option<Box<dyn Store>>,
    /// What it keeps is there when it is opened again.
    pub is_lasting: bool,
    seconds: i64,
}

/// One of each kind, with nothing in it.
pub fn subjects() -> Vec<Subject> {
    let mut subjects = lasting_subjects();
    subjects.push(Subject::new("sqlite::memory:", false));
    subjects
}

/// Of those the ones that are there when they are opened again, and that other programs can reach.
pub fn lasting_subjects() -> Vec<Subject> {
    let file = format!("sqlite:{}", scratch_dir().join("chat.db").display());
    vec![
        Subject::new(&file, true),
        #[cfg(feature = "postgres")]
        Subject::new(&super::postgres::Postgres::shared().database(), true),
    ]
}

pub fn open(url: &str) -> Opened {
    open_for(url, None)
}

/// Opens it for one of several nodes.
pub fn open_for(url: &str, node: Option<NodeId>) -> Opened {
    let options = Options { migrate: true, durability: Durability::Full, key: "", node };
    store::open(url, &options).unwrap_or_else(|error| panic!("{url}: {}", error.sentence))
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microseconds(1_700_000_000_000_000 + seconds * 1_000_000 + 123_456)
}

pub fn guest(number: u128) -> Author {
    Author::Guest { uuid: Uuid::from_u128(number), name: format!("guest-{number}") }
}

impl Subject {
    pub fn new(url: &str, is_lasting: bool) -> Self {
        Self { url: url.into(), store: Some(open(url).store), is_lasting, seconds: 0 }
    }

    /// The same store once more, as that one of several nodes opens it; and what the hub would start from.
    pub fn node(url: &str, node: u64) -> (Self, Opened) {
        let mut opened = open_for(url, Some(NodeId(node)));
        let store = std::mem::replace(&mut opened.store, open("sqlite::memory:").store);
        (Self { url: url.into(), store: Some(store), is_lasting: true, seconds: 0 }, opened)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn path(&self) -> &Path {
        Path::new(self.url.strip_prefix("sqlite:").unwrap())
    }

    /// What another program finds with this query, see [`database::rows`].
    #[track_caller]
    pub fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        database::rows(&self.url, sql)
    }

    /// The only value that it finds.
    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        database::value(&self.url, sql)
    }

    /// Whether the database refuses this statement of another program.
    pub fn refuses(&self, sql: &str) -> bool {
        database::is_refused(&self.url, sql)
    }

    /// Whether the words of SQL are PostgreSQL's, where they differ.
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// Closes and opens it; yields what the hub would start from.
    pub fn reopen(&mut self) -> Opened {
        self.store = None;
        let mut opened = open(&self.url);
        let store = std::mem::replace(&mut opened.store, open("sqlite::memory:").store);
        self.store = Some(store);
        opened
    }

    pub fn store(&mut self) -> &mut dyn Store {
        self.store.as_mut().unwrap().as_mut()
    }

    /// The next second.
    pub fn now(&mut self) -> Timestamp {
        self.seconds += 1;
        at(self.seconds)
    }

    pub fn all(&mut self, jobs: &[Job]) -> Vec<Outcome> {
        let outcomes = self.store().carry_out(jobs);
        assert_eq!(outcomes.len(), jobs.len());
        outcomes
    }

    pub fn one(&mut self, job: Job) -> Outcome {
        self.all(&[job]).remove(0)
    }

    pub fn refused(&mut self, job: Job) -> Fault {
        self.one(job).unwrap_err()
    }

    pub fn user(&mut self, name: &str) -> UserRecord {
        let at = self.now();
        user(self.one(Job::CreateUser { name: name.into(), at }))
    }

    pub fn room(&mut self, name: &str, owner: UserId) -> RoomRecord {
        let at = self.now();
        room(self.one(Job::CreateRoom { name: name.into(), owner: owner.into(), participants: None, most: 100, at }))
    }

    pub fn private(&mut self, name: &str, owner: UserId, others: &[UserId]) -> RoomRecord {
        let participants = Some(others.iter().map(|&id| id.into()).collect());
        let at = self.now();
        room(self.one(Job::CreateRoom { name: name.into(), owner: owner.into(), participants, most: 100, at }))
    }

    pub fn draft(&mut self, room: impl Into<Reference>, author: Author, text: &str, client_id: Option<&str>) -> Job {
        self.draft_to(Target::Room(room.into()), author, text, client_id)
    }

    pub fn draft_to(&mut self, to: Target, author: Author, text: &str, client_id: Option<&str>) -> Job {
        let (text, client_id, at) = (text.into(), client_id.map(Into::into), self.now());
        Job::Append(Draft { to, author, text, client_id, message_type: None, file: None, at })
    }

    pub fn say(&mut self, room: impl Into<Reference>, author: Author, text: &str) -> Appended {
        let draft = self.draft(room, author, text, None);
        appended(self.one(draft))
    }

    /// Says something to one user alone.
    pub fn tell(&mut self, to: UserId, by: UserId, text: &str) -> Appended {
        let draft = self.draft_to(Target::User(to.into()), Author::User(by.into()), text, None);
        appended(self.one(draft))
    }

    pub fn read(
        &mut self,
        room: impl Into<Reference>,
        reader: Option<UserId>,
        place: Place,
        limit: usize,
    ) -> (Vec<MessageRecord>, bool) {
        let job = Job::ReadMessages { room: room.into(), reader, page: Page { place, limit } };
        match self.one(job) {
            Ok(Done::Messages { messages, has_more, .. }) => (messages, has_more),
            other => panic!("{other:?}"),
        }
    }

    /// All texts of a room.
    pub fn texts(&mut self, room: impl Into<Reference>) -> Vec<String> {
        self.read(room, None, Place::Newest, usize::MAX).0.into_iter().map(|message| message.text).collect()
    }
}

/// As far as anybody may see it, one's own messages like others'.
pub fn confirm(message: MessageId, user: impl Into<Reference>, at: Timestamp) -> Job {
    Job::Confirm { message, user: user.into(), reach: Reach::Visible, counts_own: true, at }
}

pub fn user(outcome: Outcome) -> UserRecord {
    match outcome {
        Ok(Done::User(user)) => user,
        other => panic!("{other:?}"),
    }
}

pub fn room(outcome: Outcome) -> RoomRecord {
    match outcome {
        Ok(Done::Room(room) | Done::RoomCreated { room, .. }) => room,
        other => panic!("{other:?}"),
    }
}

pub fn appended(outcome: Outcome) -> Appended {
    match outcome {
        Ok(Done::Appended(appended)) => appended,
        other => panic!("{other:?}"),
    }
}
