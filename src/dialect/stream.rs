//! The stream dialect: what was said page by page, saying something, and an event stream of what happens, all over plain
//! HTTP and for anybody. It is about the lobby, or another open, durable room by `?room=NAME`. Whoever holds the API key
//! may change and delete messages too.

use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;

use super::fields::Fields;
use super::frame::{self, ShownId, Time, put_json};
use super::request::{self, BODY};
use super::{Answered, Api, Encoding, Limits, refusal};
use crate::hub::job::{Former, MessageRecord};
use crate::hub::{
    Command, Event, FileName, Moment, Name, Page, Place, Refusal, Reply, Request, Stored, Tag, Text, Visit, Who,
};
use crate::id::{Mark, MessageId};
use crate::proto::http::Answer;
use crate::proto::sse;
use crate::timestamp::Timestamp;

/// How many messages a page has unless the client says so.
const DEFAULT_PAGE_MESSAGES: usize = 20;
/// How many messages a page has at most.
const MAX_PAGE_MESSAGES: usize = 100;
/// How long a client is to wait before it comes back.
const RETRY_MILLISECONDS: u32 = 3_000;

/// Tags: what was asked.
const PAGE: &str = "page";
const POST: &str = "post";
const EDIT: &str = "edit";
/// Of a stream, the beginning, and what comes behind it.
const LISTEN: &str = "listen";
const LISTEN_ON: &str = "listen on";

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(super) struct Stream;

/// What is at a path.
enum Resource {
    Messages,
    Message(MessageId),
    Stream,
}

impl Resource {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/message" => Some(Self::Messages),
            "/stream" => Some(Self::Stream),
            path => {
                let text = path.strip_prefix("/message/")?;
                // Every path is exact, so `+1` and `01` are none.
                let id: i64 = text.parse().ok().filter(|id: &i64| *id > 0 && id.to_string() == text)?;
                Some(Self::Message(MessageId(id)))
            }
        }
    }
}

impl Api for Stream {
    fn serves(&self, path: &str) -> bool {
        Resource::at(path).is_some()
    }

    fn methods(&self, path: &str) -> String {
        let methods = match Resource::at(path) {
            Some(Resource::Messages) => "GET, HEAD, POST",
            Some(Resource::Message(_)) => "PATCH, DELETE",
            Some(Resource::Stream) | None => "GET",
        };
        methods.into()
    }

    fn needs_key(&self, request: &http::Request<()>) -> bool {
        matches!(*request.method(), Method::PATCH | Method::DELETE)
    }

    fn is_for_pages(&self) -> bool {
        true
    }

    fn decode(&self, request: &http::Request<()>, body: &[u8], limits: &Limits) -> Result<Request, Answer> {
        let path = request.uri().path();
        let read = match (Resource::at(path), request.method()) {
            (Some(Resource::Messages), &Method::GET | &Method::HEAD) => read_page(request),
            (Some(Resource::Messages), &Method::POST) => read_post(request, body, limits),
            (Some(Resource::Message(message)), &Method::PATCH) => read_edit(message, body, limits),
            (Some(Resource::Message(message)), &Method::DELETE) => Ok(Command::DeleteMessage { message }.into()),
            (Some(Resource::Stream), &Method::GET) => read_listen(request),
            _ => return Err(request::not_allowed(self, path)),
        };
        read.map_err(|wrong| wrong.answer())
    }

    fn answer(&self, reply: &Reply, tag: Option<&Tag>) -> Answered {
        let word = tag.map_or("", |tag| &tag.word);
        Answered::Whole(match reply {
            Reply::Heard { missed, mark, has_more } => return heard(missed, *mark, *has_more, tag),
            Reply::Messages { messages, has_more, .. } => {
                let next_cursor = messages.first().filter(|_| *has_more).map(|last| Cursor::behind(last).to_string());
                let shown = messages.iter().rev().map(Shown::of).collect();
                answer(StatusCode::OK, &ShownPage { messages: shown, next_cursor, has_more: *has_more })
            }
            Reply::Said { from: Some(from), text, stored } => {
                answer(StatusCode::CREATED, &Shown::of_stored(from, text, stored))
            }
            Reply::Edited { message, text, was, .. } => {
                answer(StatusCode::OK, &Shown::of_former(*message, Some(text), was.as_deref()))
            }
            Reply::MessageDeleted { .. } => Answer { body: String::new(), ..Answer::new(StatusCode::NO_CONTENT, "") },
            Reply::Refused(refused) => refusal_of(refused, word),
            _ => self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "there is no answer"),
        })
    }

    fn refuse(&self, status: StatusCode, sentence: &str) -> Answer {
        answer(status, &ShownError { error: sentence, field: None })
    }
}

/// What programs that are no clients are told of an event over a broker, if it is about what is said: on which channel, and
/// a JSON text: what a stream tells, and which room it is about.
pub fn notification(event: &Event) -> Option<(&'static str, String)> {
    let room = match event {
        Event::RoomMessage { stored: Some(stored), .. } => stored.room,
        Event::Edited { room, .. } | Event::MessageDeleted { room, .. } => *room,
        _ => return None,
    };
    let Told { kind, data } = told(event)?;
    let channel = match kind {
        "new_message" => "new_messages",
        "updated_message" => "updated_messages",
        _ => "deleted_messages",
    };
    Some((channel, frame::json(&Notification { change: data, chat_id: room.id.0 })))
}

/// Appends an event, if it is about what is said.
pub(super) fn event(event: &Event, mark: Mark, wire: &mut Vec<u8>) {
    if let Some(told) = told(event) {
        sse::event(wire, Some(mark), |wire| put_json(wire, &told));
    }
}

fn told(event: &Event) -> Option<Told<'_>> {
    let (kind, operation, shown) = match event {
        Event::RoomMessage { from, text, stored: Some(stored), .. } => {
            ("new_message", "INSERT", Shown::of_stored(from, text, stored))
        }
        Event::Edited { message, text, was, .. } => {
            ("updated_message", "UPDATE", Shown::of_former(*message, Some(text), was.as_deref()))
        }
        Event::MessageDeleted { message, was, .. } => {
            let text = was.as_ref().map(|was| was.text.as_str());
            ("deleted_message", "DELETE", Shown::of_former(*message, text, was.as_deref()))
        }
        _ => return None,
    };
    Some(Told { kind, data: ShownChange { operation, message: shown } })
}

/// Whether [`event`] has words for it.
fn is_shown(event: &Event) -> bool {
    let is_said = matches!(event, Event::RoomMessage { stored: Some(_), .. });
    is_said || matches!(event, Event::Edited { .. } | Event::MessageDeleted { .. })
}

/// The beginning of a stream, or what follows on it: what was missed, as far as it is known by now.
fn heard(missed: &[(Event, Mark)], mark: Option<Mark>, has_more: bool, tag: Option<&Tag>) -> Answered {
    let is_first = tag.is_none_or(|tag| tag.word == LISTEN);
    let room = tag.and_then(|tag| tag.id.clone());
    let last = missed.iter().rposition(|(missed, _)| is_shown(missed));
    let mut wire = Vec::new();
    if is_first {
        sse::retry(&mut wire, RETRY_MILLISECONDS);
        let connected = Connected { kind: "connected", message: "Connected to message stream" };
        // Who hears nothing more before the connection is lost, too, knows where to go on. What is missed tells it itself.
        let id = mark.filter(|_| last.is_none());
        sse::event(&mut wire, id, |wire| put_json(wire, &connected));
    }
    for (place, (missed, own)) in missed.iter().enumerate() {
        // Behind the last that is shown there may be what is not: that is heard with it.
        let mark = mark.filter(|_| Some(place) == last).unwrap_or(*own);
        event(missed, mark, &mut wire);
    }
    #[expect(clippy::expect_used, reason = "JSON, and lines of it, are text")]
    let body = String::from_utf8(wire).expect("lines of text");
    let part = Answer { content_type: sse::MEDIA_TYPE, ..Answer::json(StatusCode::OK, body) };
    let part = part.with(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    match mark.filter(|_| has_more) {
        None => Answered::Live(part, Encoding::STREAM),
        Some(mark) => {
            let name = room.as_deref().and_then(|room| Name::new(room).ok());
            let command = Command::Visit(name, Visit::Listen { since: Some(mark) });
            let tag = Some(Box::new(Tag { word: LISTEN_ON.into(), id: room }));
            Answered::Part { part, next: Some(Request { claimed_sender: None, command, tag }) }
        }
    }
}

/// Where a page ends and the next begins: a time, and the id of the message of that time which was shown last.
struct Cursor(Moment);

impl Cursor {
    fn behind(last: &MessageRecord) -> Self {
        Self(Moment { at: last.at, message: last.id })
    }

    /// Reads what [`std::fmt::Display`] writes, or a plain RFC 3339 time.
    fn parse(text: &str) -> Option<Self> {
        let (time, message) = text.split_once('_').map_or((text, None), |(time, id)| (time, Some(id)));
        let message = message.map_or(Some(0), |id| id.parse().ok().filter(|id| *id > 0))?;
        // A plus sign that nobody has quoted arrives as a blank.
        let at = Timestamp::parse(&time.replace(' ', "+"))?;
        Some(Self(Moment { at, message: MessageId(message) }))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.0.at, self.0.message)
    }
}

/// What is wrong with a request.
struct Wrong {
    status: StatusCode,
    field: Option<&'static str>,
    sentence: String,
}

impl Wrong {
    fn field(field: &'static str) -> impl Fn(String) -> Self {
        move |sentence| Self { status: StatusCode::UNPROCESSABLE_ENTITY, field: Some(field), sentence }
    }

    fn answer(&self) -> Answer {
        answer(self.status, &ShownError { error: &self.sentence, field: self.field })
    }
}

/// What could not be read at all.
impl From<String> for Wrong {
    fn from(sentence: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, field: None, sentence }
    }
}

fn visit(room: Option<Name>, visit: Visit, word: &'static str) -> Request {
    let id = room.as_ref().map(|room| room.as_str().into());
    let tag = Some(Box::new(Tag { word: word.into(), id }));
    Request { claimed_sender: None, command: Command::Visit(room, visit), tag }
}

fn read_room(query: &Fields<'_>) -> Result<Option<Name>, Wrong> {
    let room = query.optional_text("room").map_err(Wrong::field("room"))?;
    let named = |room| Name::new(room).map_err(|invalid| Wrong::field("room")(format!("room {invalid}")));
    room.map(named).transpose()
}

fn read_page(request: &http::Request<()>) -> Result<Request, Wrong> {
    let query = request::query(request)?;
    let limit = query.optional_text("limit")?.map_or(Some(DEFAULT_PAGE_MESSAGES), limit);
    let limit = limit.ok_or_else(|| Wrong::field("limit")("limit must be a positive integer".into()))?;
    let cursor = query.optional_text("cursor")?.filter(|cursor| !cursor.is_empty());
    let moment = match cursor.map(Cursor::parse) {
        None => Moment::END,
        Some(Some(Cursor(moment))) => moment,
        Some(None) => {
            let sentence = "cursor must be a next_cursor, or an RFC 3339 time such as 2024-01-01T12:00:00Z";
            return Err(Wrong::field("cursor")(sentence.into()));
        }
    };
    let page = Page { place: Place::Earlier(moment), limit };
    Ok(visit(read_room(&query)?, Visit::Read(page), PAGE))
}

/// A positive integer, or as much as there may be if it is greater than that.
fn limit(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().unwrap_or(usize::MAX);
    (is_number && number > 0).then_some(number.min(MAX_PAGE_MESSAGES))
}

fn read_post(request: &http::Request<()>, body: &[u8], limits: &Limits) -> Result<Request, Wrong> {
    let room = read_room(&request::query(request)?)?;
    let fields = Fields::read(request::body_text(body)?, BODY)?;
    let text = read_content(&fields, limits)?;
    let file = fields.optional_text("file").map_err(Wrong::field("file"))?.filter(|file| !file.is_empty());
    let file = file.map(|file| FileName::new(file).map_err(|invalid| Wrong::field("file")(format!("file {invalid}"))));
    let sender = fields.text("sender_id").map_err(Wrong::field("sender_id"))?;
    let sender = sender.parse().map_err(|_| Wrong::field("sender_id")("sender_id must be a UUID".into()))?;
    let client_id = fields.optional_mark("client_id").map_err(Wrong::field("client_id"))?;
    Ok(visit(room, Visit::Say { sender, text, file: file.transpose()?, client_id }, POST))
}

fn read_content(fields: &Fields<'_>, limits: &Limits) -> Result<Text, Wrong> {
    let wrong = Wrong::field("content");
    let content = fields.text("content").map_err(&wrong)?;
    let status = if content.is_empty() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::PAYLOAD_TOO_LARGE };
    Text::new(content, limits.max_text).map_err(|invalid| Wrong { status, ..wrong(format!("content {invalid}")) })
}

fn read_edit(message: MessageId, body: &[u8], limits: &Limits) -> Result<Request, Wrong> {
    let fields = Fields::read(request::body_text(body)?, BODY)?;
    let command = Command::EditMessage { message, text: read_content(&fields, limits)? };
    Ok(Request { claimed_sender: None, command, tag: Some(Box::new(Tag { word: EDIT.into(), id: None })) })
}

fn read_listen(request: &http::Request<()>) -> Result<Request, Wrong> {
    let room = read_room(&request::query(request)?)?;
    let last = request.headers().get(LAST_EVENT_ID).and_then(|last| last.to_str().ok());
    // One that is not ours tells nothing: the client hears what comes, as if it came for the first time.
    Ok(visit(room, Visit::Listen { since: last.and_then(Mark::parse) }, LISTEN))
}

fn refusal_of(refused: &Refusal, word: &str) -> Answer {
    let (status, field) = match refused {
        Refusal::Malformed(_) => (StatusCode::BAD_REQUEST, None),
        Refusal::NotFound(_) => (StatusCode::NOT_FOUND, None),
        Refusal::NameTaken(_) if word == POST => {
            let sentence = "sender_id is a registered user's, in whose name nobody else may speak".into();
            return Wrong::field("sender_id")(sentence).answer();
        }
        Refusal::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, None),
        Refusal::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
        _ => (StatusCode::FORBIDDEN, None),
    };
    answer(status, &ShownError { error: &refusal::sentence(refused), field })
}

/// Here and below, the order of the fields is the order on the wire.
#[derive(Serialize)]
struct ShownPage<'a> {
    messages: Vec<Shown<'a>>,
    next_cursor: Option<String>,
    has_more: bool,
}

/// A message. Of one that was deleted while nobody listened no more is known than its id.
#[derive(Serialize)]
struct Shown<'a> {
    id: i64,
    content: Option<&'a str>,
    file: Option<&'a str>,
    created_date: Option<Time>,
    sender_id: Option<ShownId>,
}

impl<'a> Shown<'a> {
    fn of(message: &'a MessageRecord) -> Self {
        Self {
            id: message.id.0,
            content: Some(&message.text),
            file: message.file.as_deref(),
            created_date: Some(Time(message.at)),
            sender_id: Some(ShownId(message.sender)),
        }
    }

    fn of_stored(from: &Who, text: &'a str, stored: &'a Stored) -> Self {
        Self {
            id: stored.message.0,
            content: Some(text),
            file: stored.file.as_deref(),
            created_date: Some(Time(stored.at)),
            sender_id: Some(ShownId::of(from)),
        }
    }

    fn of_former(message: MessageId, content: Option<&'a str>, was: Option<&'a Former>) -> Self {
        Self {
            id: message.0,
            content,
            file: was.and_then(|was| was.file.as_deref()),
            created_date: was.map(|was| Time(was.at)),
            sender_id: was.map(|was| ShownId(was.sender)),
        }
    }
}

#[derive(Serialize)]
struct Connected {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'static str,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    data: ShownChange<'a>,
}

#[derive(Serialize)]
struct ShownChange<'a> {
    operation: &'static str,
    #[serde(flatten)]
    message: Shown<'a>,
}

#[derive(Serialize)]
struct Notification<'a> {
    #[serde(flatten)]
    change: ShownChange<'a>,
    chat_id: i64,
}

#[derive(Serialize)]
struct ShownError<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

fn answer(status: StatusCode, value: &impl Serialize) -> Answer {
    Answer::json(status, frame::json(value))
}

#[cfg(test)]
mod tests;
