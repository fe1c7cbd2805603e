//! What vocabularies have in common: how what a client sends is read, how requests are answered, how ids are shown.
//!
//! An answer is an acknowledgement if the client asked for one: `{ok:true,…}` or `{ok:false,code,error}`. Where it did
//! not, it is told of a refusal by an event, `error` `{message, code, event}`, and of nothing else.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::fields::{Fields, as_references, pick};
use super::super::{Decoded, Limits, refusal};
use super::{Call, Emitter};
use crate::hub::{Blob, Command, Refusal, Reply, Request, Tag};
use crate::id::{MessageId, Reference, Target};

/// In errors: what comes with an event.
const PAYLOAD: &str = "payload";
/// Bytes are passed on where a field is for them, and refused where they would be lost.
const BYTES_ASTRAY: &str = "bytes have a place in the data of a call's signal alone";

/// The events that clients may send, and how what comes with them is read.
pub(super) type Words = [(&'static str, Read)];

/// An error is the sentence for the sender. The request has no tag yet.
pub(super) type Read = fn(&Fields<'_>, &Rest<'_>) -> Result<Request, String>;

/// What there is to a call besides its fields.
pub(super) struct Rest<'a> {
    /// The object as it is written.
    payload: &'a str,
    attachments: &'a [Vec<u8>],
    /// The longest text that may be said, in bytes.
    pub(super) max_text: usize,
}

impl Rest<'_> {
    /// A list of users.
    pub(super) fn references(&self, name: &str) -> Result<Vec<Reference>, String> {
        as_references(self.field(name)?, name)
    }

    /// Something to be passed on as it is, bytes in it too.
    pub(super) fn blob(&self, name: &str) -> Result<Blob, String> {
        let json = self.field(name)?.get();
        if !self.attachments.is_empty() && !holds_all(json, self.attachments.len()) {
            return Err(BYTES_ASTRAY.into());
        }
        Ok(Blob { json: json.into(), attachments: self.attachments.into() })
    }

    fn field(&self, name: &str) -> Result<&RawValue, String> {
        let [field] = pick(self.payload, PAYLOAD, [name])?;
        field.ok_or_else(|| format!("{name} is missing"))
    }
}

/// Whether each of so many attachments has a place in the JSON text, and no place is for another. Who is sent a
/// placeholder for nothing can't read the packet.
fn holds_all(json: &str, attachments: usize) -> bool {
    let mut has_place = vec![false; attachments];
    serde_json::from_str(json).is_ok_and(|value| find_places(&value, &mut has_place)) && !has_place.contains(&false)
}

/// False if there is a place for nothing.
fn find_places(value: &Value, has_place: &mut [bool]) -> bool {
    match value {
        Value::Object(object) if object.get("_placeholder") == Some(&Value::Bool(true)) => {
            let number = object.get("num").and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
            number.and_then(|number| has_place.get_mut(number)).map(|place| *place = true).is_some()
        }
        Value::Object(object) => object.values().all(|value| find_places(value, has_place)),
        Value::Array(items) => items.iter().all(|value| find_places(value, has_place)),
        _ => true,
    }
}

/// Where something is meant to arrive: in the room that one field names or with the user whom one of the others does.
/// Just one of them may be there.
pub(super) fn target(fields: &Fields<'_>, room: &str, users: &[&str]) -> Result<Target, String> {
    let mut found = fields.optional_reference(room)?.map(Target::Room);
    for user in users {
        if let Some(reference) = fields.optional_reference(user)?
            && found.replace(Target::User(reference)).is_some()
        {
            return Err(format!("only one of {room}, {} may be given", users.join(", ")));
        }
    }
    found.ok_or_else(|| format!("{room} or {} is missing", users.join(" or ")))
}

/// Whether the event is among these.
pub(super) fn know(words: &Words, event: &str) -> bool {
    words.iter().any(|(word, _)| *word == event)
}

/// Reads an event: its first argument, one object. Where none is needed it may be absent, and others are not looked at.
pub(super) fn decode(words: &'static Words, call: &Call<'_>, limits: &Limits) -> Decoded {
    let Some((word, read)) = words.iter().find(|(word, _)| *word == call.name) else { return unknown(call) };
    let tag = Some(Box::new(Tag { word: Cow::Borrowed(word), id: call.ack.map(Into::into) }));
    match read_request(*read, call, limits) {
        Ok(request) => Decoded::Request(Request { tag, ..request }),
        Err(sentence) => Decoded::Refused(Refusal::Malformed(sentence), tag),
    }
}

fn read_request(read: Read, call: &Call<'_>, limits: &Limits) -> Result<Request, String> {
    let payload = call.args.first().filter(|payload| payload.get() != "null");
    let fields = payload.map(|payload| Fields::of_value(payload, PAYLOAD)).transpose()?.unwrap_or_default();
    let payload = payload.map_or("{}", |payload| payload.get());
    let rest = Rest { payload, attachments: call.attachments, max_text: limits.max_text };
    let request = read(&fields, &rest)?;
    let takes_bytes = matches!(request.command, Command::Signal { .. });
    if !call.attachments.is_empty() && !takes_bytes { Err(BYTES_ASTRAY.into()) } else { Ok(request) }
}

/// Refuses an event that nobody knows.
pub(super) fn unknown(call: &Call<'_>) -> Decoded {
    let word = refusal::cut(call.name);
    let tag = Tag { word: word.clone().into(), id: call.ack.map(Into::into) };
    Decoded::Refused(Refusal::UnknownRequest(word), Some(Box::new(tag)))
}

/// Answers a request. `outcome` makes of a reply what stands behind `ok:true`.
pub(super) fn answer<'r, T: Serialize>(
    reply: &'r Reply,
    tag: Option<&Tag>,
    out: &mut Emitter<'_>,
    outcome: impl FnOnce(&'r Reply) -> T,
) {
    let ack = tag.and_then(|tag| tag.id.as_deref());
    match (reply, ack) {
        (Reply::Refused(refused), Some(ack)) => {
            let (code, error) = (refusal::code(refused), refusal::sentence(refused));
            out.ack(ack, &Refused { ok: false, code, error });
        }
        (Reply::Refused(refused), None) => {
            let (code, message) = (refusal::code(refused), refusal::sentence(refused));
            out.emit("error", &Error { message, code, event: tag.map(|tag| &*tag.word) });
        }
        (reply, Some(ack)) => out.ack(ack, &Done { ok: true, outcome: outcome(reply) }),
        (_, None) => {}
    }
}

#[derive(Serialize)]
struct Done<T> {
    ok: bool,
    #[serde(flatten)]
    outcome: T,
}

#[derive(Serialize)]
struct Refused<'a> {
    ok: bool,
    code: &'static str,
    error: Cow<'a, str>,
}

#[derive(Serialize)]
struct Error<'a> {
    message: Cow<'a, str>,
    code: &'static str,
    event: Option<&'a str>,
}

/// A message as it is shown: numbers beyond 2^53 would not survive JavaScript.
pub(super) struct ShownMessageId(pub(super) MessageId);

impl Serialize for ShownMessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What was passed on, to be written as it came. Nothing if it is no JSON, which the hub was never given.
pub(super) fn shown_data(data: &Blob) -> Option<&RawValue> {
    serde_json::from_str(&data.json).ok()
}
