//! Users, on the other server.

use serde_json::json;

use super::answer;
use super::calls::Endpoint;
use super::errand::{Errand, not_understood};
use crate::hub::job::{Attended, Done, Fault, Outcome, UserRecord};
use crate::id::{ChangeId, Mark, MessageId, Reference, UserId};

impl Errand<'_> {
    pub(super) fn create_user(&self, name: &str) -> Outcome {
        let body = json!({ "Username": name });
        let answer = self.send(Endpoint::CreateUser, &body, |_| Fault::NoSuchUser)?;
        let id = answer::user_id(answer::one(&answer.body)).ok_or_else(not_understood)?;
        Ok(Done::User(self.user_record(answer::User { id, name: name.into() })))
    }

    pub(super) fn find_user(&self, user: Reference) -> Outcome {
        self.user(user).map(Done::User)
    }

    /// Nobody takes part in a private room, for there are none; and what somebody missed can't be said.
    pub(super) fn attend(&self, user: &str) -> Outcome {
        let user = match Reference::parse(user) {
            Some(user) => self.user(user)?,
            None => self.users()?.into_iter().find(|record| record.name == user).ok_or(Fault::NoSuchUser)?,
        };
        let mark = Mark { message: MessageId(0), change: ChangeId(0) };
        Ok(Done::Attended(Box::new(Attended { user, rooms: Vec::new(), chosen: Vec::new(), mark, missed: None })))
    }

    pub(super) fn list_users(&self) -> Outcome {
        self.users().map(Done::Users)
    }

    pub(super) fn rename_user(&self, user: Reference, name: &str) -> Outcome {
        let id = self.user_id(user)?;
        let body = json!({ "UserID": id.0, "Name": name });
        self.send(Endpoint::RenameUser, &body, |_| Fault::NoSuchUser)?;
        Ok(Done::User(self.user_record(answer::User { id: id.0, name: name.into() })))
    }

    pub(super) fn delete_user(&self, user: Reference) -> Outcome {
        // As it was, for the answer doesn't tell.
        let record = self.user(user)?;
        self.send(Endpoint::DeleteUser, &json!({ "UserID": record.id.0 }), |_| Fault::NoSuchUser)?;
        self.memory().forget_name(record.id);
        Ok(Done::User(record))
    }

    /// The user whom a message is from; their name may be half a minute old.
    pub(super) fn author(&self, user: Reference) -> Result<UserRecord, Fault> {
        if let Reference::Number(id) = user {
            let id = UserId(id);
            let name = self.memory().name(id).map(str::to_owned);
            if let Some(name) = name {
                return Ok(UserRecord { id, uuid: self.user_uuid(id), name });
            }
        }
        self.user(user)
    }

    pub(super) fn user_id(&self, user: Reference) -> Result<UserId, Fault> {
        match user {
            Reference::Number(id) => Ok(UserId(id)),
            Reference::Uuid(_) => self.user(user).map(|record| record.id),
        }
    }

    fn user(&self, user: Reference) -> Result<UserRecord, Fault> {
        match user {
            Reference::Number(id) => {
                let answer = self.read(Endpoint::ReadUsers, &[("UserID", id)], Fault::NoSuchUser)?;
                // Who does not know the query answers with all of them, and an empty list is nobody.
                let users = answer::list(&answer.body, answer::user).ok_or_else(not_understood)?;
                let found = users.into_iter().find(|user| user.id == id);
                found.map(|user| self.user_record(user)).ok_or(Fault::NoSuchUser)
            }
            Reference::Uuid(uuid) => {
                self.users()?.into_iter().find(|record| record.uuid == uuid).ok_or(Fault::NoSuchUser)
            }
        }
    }

    fn users(&self) -> Result<Vec<UserRecord>, Fault> {
        let answer = self.read(Endpoint::ReadUsers, &[], not_understood())?;
        let mut users = answer::list(&answer.body, answer::user).ok_or_else(not_understood)?;
        users.sort_by_key(|user| user.id);
        Ok(users.into_iter().map(|user| self.user_record(user)).collect())
    }

    fn user_record(&self, user: answer::User) -> UserRecord {
        let id = UserId(user.id);
        self.memory().note_name(id, &user.name);
        UserRecord { id, uuid: self.user_uuid(id), name: user.name }
    }
}
