//! The walk through the endpoints: what is asked, and what the answer must be. What a step made is deleted in the end,
//! whatever went wrong in between.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::report::{End, Report};
use crate::store::rest::calls::Endpoint;
use crate::store::rest::client::{Answer, Client, Failure, How};
use crate::store::rest::{complaint, list, message, message_id, one, reader, room, room_id, user, user_id};

/// A server has so long for each step.
const PATIENCE: Duration = Duration::from_secs(10);

/// Not only ASCII, quotes and all: it must come back as it was.
const TEXTS: [&str; 2] = ["Hello!", "Grüße, 世界 👋 \"quoted\" \\ <b>&amp;</b>"];

/// A walk through the endpoints.
pub(super) struct Walk<'a> {
    client: &'a Client,
    report: &'a mut Report,
    /// The user's name, and the room's.
    name: String,
    renamed: String,
}

impl<'a> Walk<'a> {
    pub(super) fn new(client: &'a Client, report: &'a mut Report) -> Result<Self, String> {
        let mut bytes = [0; 6];
        getrandom::fill(&mut bytes).map_err(|error| format!("the system has no random numbers: {error}"))?;
        let mark: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { client, report, name: format!("api-test-{mark}"), renamed: format!("api-test-{mark}-renamed") })
    }

    pub(super) fn run(&mut self) {
        let user = self.users();
        if let Some(user) = user {
            self.rooms(user);
            self.delete_user(user);
        }
    }

    /// Makes the user, and tells its id.
    fn users(&mut self) -> Option<i64> {
        let made = self.send(Endpoint::CreateUser, json!({ "Username": self.name }), |answer| {
            user_id(one(&answer.body)).ok_or("the answer has no ID")
        });
        // Made perhaps, though the answer was lost or not understood.
        let id = made.or_else(|| self.find_user())?;
        let name = self.name.clone();
        self.read(Endpoint::ReadUsers, &[], |answer| {
            let users = list(&answer.body, user).ok_or("the answer is not a list of users")?;
            let is_there = users.iter().any(|user| user.id == id && user.name == name);
            is_there.then_some(()).ok_or("the new user is not in the list")
        });
        self.expect_user(id, &name);
        let renamed = self.renamed.clone();
        let answer = self.send(Endpoint::RenameUser, json!({ "UserID": id, "Name": renamed }), |_| Ok(()));
        if answer.is_some() {
            self.expect_user(id, &renamed);
        }
        Some(id)
    }

    fn expect_user(&mut self, id: i64, name: &str) {
        self.read(Endpoint::ReadUsers, &[("UserID", id)], |answer| {
            let users = list(&answer.body, user).ok_or("the answer is not a user")?;
            match &users[..] {
                [user] if user.id == id && user.name == name => Ok(()),
                [_] => Err("the answer is another user, or has another name"),
                _ => Err("the answer is not one user"),
            }
        });
    }

    fn find_user(&self) -> Option<i64> {
        let answer = self.client.read(Endpoint::ReadUsers, &[], deadline()).ok()?;
        Some(list(&answer.body, user)?.iter().find(|user| user.name == self.name)?.id)
    }

    fn delete_user(&mut self, id: i64) {
        if self.send(Endpoint::DeleteUser, json!({ "UserID": id }), |_| Ok(())).is_some() {
            self.gone(&[("UserID", id)]);
        }
    }

    /// The user is not to be found any more: either answer will do.
    fn gone(&mut self, query: &[(&str, i64)]) {
        let answer = self.client.read(Endpoint::ReadUsers, query, deadline());
        self.judge(named(Endpoint::ReadUsers, query), answer, |answer| {
            let is_empty = answer.is_done() && list(&answer.body, user).is_some_and(|users| users.is_empty());
            let is_gone = answer.status == 404 || is_empty;
            is_gone.then_some(()).ok_or("a deleted user must be answered with 404")
        });
    }

    fn rooms(&mut self, user: i64) {
        let made = self.send(Endpoint::CreateRoom, json!({ "UserID": user, "Roomname": self.name }), |answer| {
            room_id(one(&answer.body)).ok_or("the answer has no ID")
        });
        let Some(id) = made.or_else(|| self.find_room()) else { return };
        let name = self.name.clone();
        self.expect_room(id, &name);
        let renamed = self.renamed.clone();
        if self.send(Endpoint::RenameRoom, json!({ "RoomID": id, "Name": renamed }), |_| Ok(())).is_some() {
            self.expect_room(id, &renamed);
        }
        self.messages(user, id);
        self.send(Endpoint::DeleteRoom, json!({ "RoomID": id }), |_| Ok(()));
    }

    fn expect_room(&mut self, id: i64, name: &str) {
        self.read(Endpoint::ReadRooms, &[], |answer| {
            let rooms = list(&answer.body, room).ok_or("the answer is not a list of rooms")?;
            let is_there = rooms.iter().any(|room| room.id == id && room.name == name);
            is_there.then_some(()).ok_or("the room is not in the list, or has another name")
        });
    }

    fn find_room(&self) -> Option<i64> {
        let answer = self.client.read(Endpoint::ReadRooms, &[], deadline()).ok()?;
        Some(list(&answer.body, room)?.iter().find(|room| room.name == self.name)?.id)
    }

    fn messages(&mut self, user: i64, room: i64) {
        let mut ids = Vec::new();
        for text in TEXTS {
            let body = json!({ "UserID": user, "RoomID": room, "Message": text });
            ids.extend(self.send(Endpoint::CreateMessage, body, |answer| {
                message_id(one(&answer.body)).ok_or("the answer has no MessageID")
            }));
        }
        if ids.len() < TEXTS.len() {
            return;
        }
        let expected: Vec<_> = ids.iter().copied().zip(TEXTS).collect();
        self.expect_messages(user, room, &expected);
        self.confirm(ids[0], user);
        for (place, &id) in ids.iter().enumerate() {
            self.send(Endpoint::DeleteMessage, json!({ "MessageID": id }), |_| Ok(()));
            self.expect_messages(user, room, &expected[place + 1..]);
        }
    }

    fn expect_messages(&mut self, user: i64, room: i64, expected: &[(i64, &str)]) {
        self.read(Endpoint::ReadMessages, &[("RoomID", room)], |answer| {
            let messages = list(&answer.body, message).ok_or("the answer is not a list of messages")?;
            let told: Vec<_> = messages.iter().map(|message| (message.id, &*message.text)).collect();
            if told != expected {
                return Err("the answer is not the room's messages as they were sent, oldest first");
            }
            let is_complete = messages.iter().all(|message| message.user == Some(user) && message.at.is_some());
            is_complete.then_some(()).ok_or("a message lacks UserID or CreatedAt")
        });
    }

    fn confirm(&mut self, message: i64, user: i64) {
        let answer = self.client.send(Endpoint::Confirm, &json!({ "MessageID": message, "UserID": user }), deadline());
        if let Ok(answer @ Answer { status: 404 | 405 | 501, .. }) = &answer {
            self.report.note(Endpoint::Confirm.to_string(), Some(answer.status), answer.took, End::Absent);
            return;
        }
        let confirmed = self.judge(Endpoint::Confirm.to_string(), answer, done(|_| Ok(())));
        if confirmed.is_some() {
            self.read(Endpoint::ReadConfirmations, &[("MessageID", message)], |answer| {
                let readers = list(&answer.body, reader).ok_or("the answer is not a list of readers")?;
                let is_there = readers.iter().any(|reader| reader.user == user && reader.at.is_some());
                is_there.then_some(()).ok_or("the user is not in the list, or without ReadAt")
            });
        }
    }

    fn read<T>(
        &mut self,
        endpoint: Endpoint,
        query: &[(&str, i64)],
        check: impl FnOnce(&Answer) -> Result<T, &'static str>,
    ) -> Option<T> {
        let answer = self.client.read(endpoint, query, deadline());
        self.judge(named(endpoint, query), answer, done(check))
    }

    fn send<T>(
        &mut self,
        endpoint: Endpoint,
        body: Value,
        check: impl FnOnce(&Answer) -> Result<T, &'static str>,
    ) -> Option<T> {
        let answer = self.client.send(endpoint, &body, deadline());
        self.judge(endpoint.to_string(), answer, done(check))
    }

    /// Notes what came of a step. Yields what `check` has found in the answer.
    fn judge<T, E: Into<String>>(
        &mut self,
        what: String,
        answer: Result<Answer, Failure>,
        check: impl FnOnce(&Answer) -> Result<T, E>,
    ) -> Option<T> {
        let (status, took, checked) = match &answer {
            Ok(answer) => (Some(answer.status), answer.took, check(answer).map_err(Into::into)),
            Err(failure) => (None, Duration::ZERO, Err(unanswered(failure))),
        };
        let (end, found) = match checked {
            Ok(found) => (End::Well, Some(found)),
            Err(sentence) => (End::Badly(sentence), None),
        };
        self.report.note(what, status, took, end);
        found
    }
}

/// What is asked, without its values: `GET /user?UserID`.
fn named(endpoint: Endpoint, query: &[(&str, i64)]) -> String {
    match query {
        [] => endpoint.to_string(),
        [(name, _), ..] => format!("{endpoint}?{name}"),
    }
}

fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// What was asked must be done, and `check` must find nothing wrong.
fn done<T>(check: impl FnOnce(&Answer) -> Result<T, &'static str>) -> impl FnOnce(&Answer) -> Result<T, String> {
    |answer| match complaint(&answer.body) {
        _ if answer.is_done() => check(answer).map_err(Into::into),
        Some(words) => Err(format!("the server says: {words}")),
        None => Err("the server says no, and not why".into()),
    }
}

fn unanswered(Failure { why, how }: &Failure) -> String {
    match how {
        How::NotSent => format!("the server can't be reached: {why}"),
        How::Late | How::Broken => format!("there is no answer: {why}"),
    }
}
