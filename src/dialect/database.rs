//! The database API: users, rooms, messages and read confirmations as JSON over HTTP, for programs that hold the API key.
//!
//! A request's fields are those of its JSON body or, of one that only asks, of its query string. `UserID` names the user
//! that the program acts for. All that was ever said in a room is answered page by page, see [`Answered::Part`].

use std::borrow::Cow;

use http::{Method, StatusCode};
use serde::Serialize;

use super::fields::{Fields, as_references, pick};
use super::frame::{Time, json};
use super::request::{self, BODY};
use super::{Answered, Api, Limits, refusal};
use crate::hub::job::{MessageRecord, Reader};
use crate::hub::{Claim, Command, ListedRoom, Page, Place, Refusal, Reply, Request, Tag, User};
use crate::id::{MessageId, Reference, RoomId, Target, UserId};
use crate::proto::http::Answer;

/// How many messages a page has unless the client says so.
const DEFAULT_PAGE_MESSAGES: usize = 50;
/// How many messages a client may have in a page.
const MAX_PAGE_MESSAGES: usize = 1_000;
/// How many messages are in memory at once while all of a room are told.
const PART_MESSAGES: usize = 256;

/// Tags. What is asked makes something: 201 instead of 200.
const MAKES: &str = "makes";
/// All messages are asked for, and these are the first.
const FIRST_PART: &str = "first part";
/// All messages are asked for, and others have gone before these.
const LATER_PART: &str = "later part";

pub(super) struct Database;

impl Api for Database {
    fn serves(&self, path: &str) -> bool {
        rows(path).next().is_some()
    }

    fn methods(&self, path: &str) -> String {
        let methods = rows(path).map(|(method, ..)| if method == Method::GET { "GET, HEAD" } else { method.as_str() });
        methods.collect::<Vec<_>>().join(", ")
    }

    fn decode(&self, request: &http::Request<()>, body: &[u8], limits: &Limits) -> Result<Request, Answer> {
        let (asked, path) = (request::method(request), request.uri().path());
        let found = rows(path).find(|(method, ..)| method == asked);
        let Some((method, _, read)) = found else { return Err(request::not_allowed(self, path)) };
        let input = if *method == Method::GET { Input::of_query(request) } else { Input::of_body(body) };
        let bad = |sentence: String| self.refuse(StatusCode::BAD_REQUEST, &sentence);
        input.and_then(|input| read(&input, limits)).map_err(bad)
    }

    fn answer(&self, reply: &Reply, tag: Option<&Tag>) -> Answered {
        let word = tag.map_or("", |tag| &tag.word);
        if let Reply::Messages { room, messages, has_more } = reply
            && [FIRST_PART, LATER_PART].contains(&word)
        {
            return part(room.id, messages, *has_more, word == FIRST_PART);
        }
        let (status, told) = match reply {
            Reply::Refused(refused) => (status(refused), Told::Error { error: sentence(refused) }),
            reply => match Told::of(reply) {
                Some(told) if word == MAKES => (StatusCode::CREATED, told),
                Some(told) => (StatusCode::OK, told),
                None => return Answered::Whole(self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "there is no answer")),
            },
        };
        Answered::Whole(Answer::json(status, json(&told)))
    }

    fn refuse(&self, status: StatusCode, sentence: &str) -> Answer {
        Answer::json(status, json(&Told::Error { error: sentence.into() }))
    }
}

/// What may be asked, and how it is read.
static ROWS: [(Method, &str, ReadInput); 13] = [
    (Method::POST, "/user", |input, _| Ok(making(None, Command::CreateUser { name: input.fields.name("Username")? }))),
    (Method::GET, "/user", |input, _| {
        let user = input.fields.optional_reference("UserID")?;
        Ok(user.map_or(Command::ListUsers, |user| Command::FindUser { user }).into())
    }),
    (Method::PATCH, "/user", |input, _| {
        let user = input.fields.reference("UserID")?;
        Ok(acting(user, Command::RenameUser { name: input.fields.name("Name")? }))
    }),
    (Method::DELETE, "/user", |input, _| Ok(acting(input.fields.reference("UserID")?, Command::DeleteUser))),
    (Method::POST, "/rooms", create_room),
    (Method::GET, "/rooms", |_, _| Ok(Command::ListRooms.into())),
    (Method::PATCH, "/rooms", |input, _| {
        let room = input.fields.reference("RoomID")?;
        Ok(Command::RenameRoom { room, name: input.fields.name("Name")? }.into())
    }),
    (Method::DELETE, "/rooms", |input, _| Ok(Command::DeleteRoom { room: input.fields.reference("RoomID")? }.into())),
    (Method::POST, "/messages", |Input { fields, .. }, limits| {
        let (user, room) = (fields.reference("UserID")?, fields.reference("RoomID")?);
        let (text, client_id) = (fields.said("Message", limits.max_text)?, fields.optional_mark("clientId")?);
        let (to, message_type) = (Target::Room(room), None);
        Ok(making(Some(user), Command::Say { to, text, client_id, message_type, hears_itself: true }))
    }),
    (Method::GET, "/messages", |input, _| read_messages(&input.fields)),
    (Method::DELETE, "/messages", |input, _| {
        Ok(Command::DeleteMessage { message: input.fields.message("MessageID")? }.into())
    }),
    (Method::POST, "/readconfirmation", |input, _| {
        let message = input.fields.message("MessageID")?;
        Ok(making(Some(input.fields.reference("UserID")?), Command::Confirm { message }))
    }),
    (Method::GET, "/readconfirmation", |input, _| {
        Ok(Command::ListReaders { message: input.fields.message("MessageID")? }.into())
    }),
];

/// What a request says besides its method and path.
struct Input<'a> {
    fields: Fields<'a>,
    /// Where they were read, of a body.
    text: &'a str,
}

impl<'a> Input<'a> {
    fn of_query(request: &'a http::Request<()>) -> Result<Self, String> {
        Ok(Self { fields: request::query(request)?, text: "" })
    }

    fn of_body(body: &'a [u8]) -> Result<Self, String> {
        let text = request::body_text(body)?;
        Ok(Self { fields: Fields::read(text, BODY)?, text })
    }
}

/// An error is the sentence for the sender.
type ReadInput = fn(&Input<'_>, &Limits) -> Result<Request, String>;

fn rows(path: &str) -> impl Iterator<Item = &'static (Method, &'static str, ReadInput)> {
    ROWS.iter().filter(move |(_, served, _)| *served == path)
}

fn acting(user: Reference, command: Command) -> Request {
    Request { claimed_sender: Some(Claim::User(user)), command, tag: None }
}

fn making(user: Option<Reference>, command: Command) -> Request {
    Request { claimed_sender: user.map(Claim::User), command, tag: Some(tagged(MAKES)) }
}

fn tagged(word: &'static str) -> Box<Tag> {
    Box::new(Tag { word: word.into(), id: None })
}

fn create_room(input: &Input<'_>, _: &Limits) -> Result<Request, String> {
    let (user, name) = (input.fields.reference("UserID")?, input.fields.name("Roomname")?);
    let is_private = input.fields.optional_flag("Private")?.unwrap_or(false);
    let [members] = pick(input.text, BODY, ["Members"])?;
    let members = members.map(|members| as_references(members, "Members")).transpose()?;
    if members.is_some() && !is_private {
        // Made open, it would be shown to everybody, which can't be what was meant.
        return Err("Members are for a room that has \"Private\": true".into());
    }
    let participants = is_private.then(|| members.unwrap_or_default());
    Ok(making(Some(user), Command::CreateRoom { name, participants }))
}

fn read_messages(query: &Fields<'_>) -> Result<Request, String> {
    let room = query.reference("RoomID")?;
    let before = query.optional_message("before")?;
    let limit = query.optional_text("limit")?.map(limit).transpose()?;
    if before.is_none() && limit.is_none() {
        return Ok(request_part(room, MessageId(0), FIRST_PART));
    }
    let place = before.map_or(Place::Newest, Place::Before);
    Ok(Command::ReadMessages { room, page: Page { place, limit: limit.unwrap_or(DEFAULT_PAGE_MESSAGES) } }.into())
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE_MESSAGES).contains(limit));
    limit.ok_or_else(|| format!("limit must be 1 to {MAX_PAGE_MESSAGES}"))
}

fn request_part(room: Reference, after: MessageId, word: &'static str) -> Request {
    let page = Page { place: Place::After(after), limit: PART_MESSAGES };
    Request { claimed_sender: None, command: Command::ReadMessages { room, page }, tag: Some(tagged(word)) }
}

fn status(refused: &Refusal) -> StatusCode {
    match refused {
        Refusal::Malformed(_) | Refusal::UnknownRequest(_) | Refusal::NotIdentified => StatusCode::BAD_REQUEST,
        Refusal::NotYourId
        | Refusal::Forbidden(_)
        | Refusal::NotAMember
        | Refusal::WasInNoRoom
        | Refusal::IsInNoRoom => StatusCode::FORBIDDEN,
        Refusal::NotFound(_) | Refusal::NoSuchUser { .. } | Refusal::NoSuchRoom { .. } => StatusCode::NOT_FOUND,
        Refusal::NameTaken(_) => StatusCode::CONFLICT,
        Refusal::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn sentence(refused: &Refusal) -> Cow<'_, str> {
    match refused {
        Refusal::NotIdentified => "UserID is missing".into(),
        Refusal::NotAMember => "that user is not in that room".into(),
        other => refusal::sentence(other),
    }
}

/// One list over several pages: the first opens it, the last closes it.
fn part(room: RoomId, messages: &[MessageRecord], has_more: bool, is_first: bool) -> Answered {
    let mut body = json(&Told::messages(room, messages));
    // Without a message to go on from there is no more, whatever the page says.
    let last = messages.last().filter(|_| has_more);
    if is_first && last.is_none() {
        return Answered::Whole(Answer::json(StatusCode::OK, body));
    }
    if !is_first {
        body.replace_range(..1, if messages.is_empty() { "" } else { "," });
    }
    if last.is_some() {
        body.pop();
    }
    let next = last.map(|last| request_part(room.into(), last.id, LATER_PART));
    Answered::Part { part: Answer::json(StatusCode::OK, body), next }
}

/// What an answer tells. Here and below, the order of the fields is the order on the wire.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
enum Told<'a> {
    User(ShownUser<'a>),
    Users(Vec<ShownUser<'a>>),
    Room {
        #[serde(rename = "ID")]
        id: i64,
        name: &'a str,
    },
    Rooms(Vec<ShownRoom<'a>>),
    Gone {
        #[serde(rename = "message")]
        message: &'static str,
    },
    Said {
        #[serde(rename = "message")]
        message: &'static str,
        #[serde(rename = "MessageID")]
        id: i64,
    },
    Messages(Vec<ShownMessage<'a>>),
    Confirmed {
        #[serde(rename = "MessageID")]
        message: i64,
        #[serde(rename = "UserID")]
        user: i64,
        read_at: Time,
    },
    Readers(Vec<ShownReader<'a>>),
    Error {
        #[serde(rename = "error")]
        error: Cow<'a, str>,
    },
}

impl<'a> Told<'a> {
    /// Nothing for answers to what can't be asked here.
    fn of(reply: &'a Reply) -> Option<Self> {
        Some(match reply {
            Reply::User { user, .. } => Self::User(ShownUser::of(user)),
            Reply::Users { users } => Self::Users(users.iter().map(|(user, _)| ShownUser::of(user)).collect()),
            Reply::UserDeleted { .. } => Self::Gone { message: "User deleted" },
            Reply::Room { room, name } => Self::Room { id: room.id.0, name },
            Reply::Rooms { rooms } => Self::Rooms(rooms.iter().filter_map(ShownRoom::of).collect()),
            Reply::RoomDeleted { .. } => Self::Gone { message: "Room deleted" },
            Reply::Said { stored, .. } => Self::Said { message: "Message created", id: stored.message.0 },
            Reply::Messages { room, messages, .. } => Self::messages(room.id, messages),
            Reply::MessageDeleted { .. } => Self::Gone { message: "Message deleted" },
            Reply::Confirmed { message, user, at } => {
                Self::Confirmed { message: message.0, user: user.0, read_at: Time(*at) }
            }
            Reply::Readers { readers, .. } => Self::Readers(readers.iter().map(ShownReader::of).collect()),
            _ => return None,
        })
    }

    fn messages(room: RoomId, messages: &'a [MessageRecord]) -> Self {
        Self::Messages(messages.iter().map(|message| ShownMessage::of(room, message)).collect())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownUser<'a> {
    #[serde(rename = "ID")]
    id: i64,
    username: &'a str,
}

impl<'a> ShownUser<'a> {
    fn of(user: &'a User) -> Self {
        Self { id: user.id.0, username: &user.name }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownRoom<'a> {
    #[serde(rename = "ID")]
    id: i64,
    name: &'a str,
    #[serde(rename = "UserID")]
    owner: Option<i64>,
    member_count: usize,
}

impl<'a> ShownRoom<'a> {
    /// Nothing for a room that can't be named here.
    fn of(room: &'a ListedRoom) -> Option<Self> {
        let owner = room.owner.map(|UserId(id)| id);
        Some(Self { id: room.id?.0, name: &room.name, owner, member_count: room.members })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownMessage<'a> {
    #[serde(rename = "MessageID")]
    id: i64,
    #[serde(rename = "RoomID")]
    room: i64,
    /// Whoever is no registered user has a name, but no id.
    #[serde(rename = "UserID")]
    user: Option<i64>,
    username: &'a str,
    message: &'a str,
    created_at: Time,
}

impl<'a> ShownMessage<'a> {
    fn of(room: RoomId, message: &'a MessageRecord) -> Self {
        Self {
            id: message.id.0,
            room: room.0,
            user: message.user.map(|UserId(id)| id),
            username: &message.username,
            message: &message.text,
            created_at: Time(message.at),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownReader<'a> {
    #[serde(rename = "UserID")]
    user: i64,
    username: &'a str,
    read_at: Time,
}

impl<'a> ShownReader<'a> {
    fn of(reader: &'a Reader) -> Self {
        Self { user: reader.user.0, username: &reader.name, read_at: Time(reader.at) }
    }
}

#[cfg(test)]
mod tests;
