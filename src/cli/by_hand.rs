//! The store as a command uses it: opened once, asked one thing after the other, also while a server runs on it.

use std::time::SystemTime;

use super::settings;
use crate::config::Config;
use crate::hub::job::{Done, Fault, Job, RoomRecord, UserRecord};
use crate::hub::{Name, check_user_name};
use crate::id::Reference;
use crate::store::Store;
use crate::timestamp::{Clock, Timestamp};

/// What a command's help says of the settings.
pub(super) const SETTINGS_HELP: &str = "\
The settings, first of all --database, are those of `roomcast serve`, as flags,
variables or lines of .env.
";

/// What it says of a server that runs already.
pub(super) const RUNNING_HELP: &str = "\
A server may be running on the database meanwhile. It takes up open rooms made
this way when it starts, and users and private rooms when a participant connects.
";

/// The store.
pub(super) struct ByHand {
    store: Box<dyn Store>,
    clock: Clock,
}

impl ByHand {
    /// Opens what is set. Only with `is_to_write` a database is made, or brought up to date.
    pub(super) fn open(config: &Config, is_to_write: bool) -> Result<Self, String> {
        check_kind(&config.database.0)?;
        let opened = settings::open_store(config, is_to_write && config.migrate, None);
        let opened = opened.map_err(|error| match error.lacks_migration && config.migrate {
            true => format!("{}; roomcast serve sees to that", error.sentence),
            false => error.sentence,
        })?;
        Ok(Self { store: opened.store, clock: Clock::after(opened.last) })
    }

    /// All users, in the order of their ids.
    pub(super) fn users(&mut self) -> Result<Vec<UserRecord>, String> {
        match self.ask(Job::ListUsers) {
            Ok(Done::Users(users)) => Ok(users),
            other => Err(sentence(other)),
        }
    }

    /// The user of that id, UUID or name, if there is one. What may be an id is one, before it is a name.
    pub(super) fn find_user(&mut self, wanted: &str) -> Result<Option<UserRecord>, String> {
        if let Some(user) = Reference::parse(wanted) {
            match self.ask(Job::FindUser { user }) {
                Ok(Done::User(user)) => return Ok(Some(user)),
                Err(Fault::NoSuchUser) => {}
                other => return Err(sentence(other)),
            }
        }
        Ok(self.users()?.into_iter().find(|user| user.name == wanted.trim()))
    }

    /// The same, where there must be one.
    pub(super) fn user(&mut self, wanted: &str) -> Result<UserRecord, String> {
        self.find_user(wanted)?.ok_or_else(|| format!("there is no user {wanted:?}"))
    }

    /// Registers a user.
    pub(super) fn add_user(&mut self, name: &str) -> Result<UserRecord, String> {
        let name = Name::new(name).map_err(|wrong| format!("the user's name {wrong}"))?;
        check_user_name(name.as_str())?;
        let (name, at) = (name.as_str().to_owned(), self.now());
        match self.ask(Job::CreateUser { name, at }) {
            Ok(Done::User(user)) => Ok(user),
            Err(Fault::NameTaken) => Err("there is a user of that name already".into()),
            other => Err(sentence(other)),
        }
    }

    /// Makes a room, one of at most `most` of its owner's; a private one if it has `participants`.
    pub(super) fn add_room(
        &mut self,
        name: &str,
        owner: &UserRecord,
        participants: Option<Vec<Reference>>,
        most: usize,
    ) -> Result<RoomRecord, String> {
        let name = Name::new(name).map_err(|wrong| format!("the room's name {wrong}"))?;
        let (name, owner, at) = (name.as_str().to_owned(), owner.id.into(), self.now());
        match self.ask(Job::CreateRoom { name, owner, participants, most, at }) {
            Ok(Done::RoomCreated { room, .. }) => Ok(room),
            Err(Fault::NameTaken) => Err("there is an open room of that name already".into()),
            Err(Fault::TooMany) => {
                Err(format!("its owner has {most} rooms already; --max-rooms-owned says how many they may be"))
            }
            other => Err(sentence(other)),
        }
    }

    fn ask(&mut self, job: Job) -> Result<Done, Fault> {
        let silence = Fault::Unavailable("the store did not answer".into());
        self.store.carry_out(&[job]).pop().unwrap_or(Err(silence))
    }

    fn now(&mut self) -> Timestamp {
        self.clock.next(SystemTime::now().into())
    }
}

/// Only in a database of our own, and one that stays, can something be set up.
fn check_kind(url: &str) -> Result<(), String> {
    let sentence = match url.split(':').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "" => "no database is set, and so there are no users and nothing to keep; --database sets one",
        "http" | "https" => "the store is another server: its users and rooms are made there",
        _ if url.ends_with(":memory:") => {
            "a database in memory is the server's alone, and gone with it; --database names a file"
        }
        _ => return Ok(()),
    };
    Err(sentence.into())
}

/// What the store says of a job that it was not to be refused for.
fn sentence(outcome: Result<Done, Fault>) -> String {
    match outcome {
        Err(Fault::Unavailable(sentence) | Fault::Unsupported(sentence) | Fault::Malformed(sentence)) => sentence,
        _ => "the store gave no fitting answer".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_database_that_stays_will_do() {
        for url in ["", "https://x", "HTTP://x", "sqlite::memory:", "sqlite+aiosqlite:///:memory:"] {
            assert!(check_kind(url).is_err(), "{url}");
        }
        for url in ["sqlite:chat.db", "sqlite:http.db", "postgres://x"] {
            assert_eq!(check_kind(url), Ok(()), "{url}");
        }
    }
}
