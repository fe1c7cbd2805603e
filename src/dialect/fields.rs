//! The fields of a JSON object that a client sent, asked for by name. For the dialects whose frames are such objects.
//!
//! Where a key stands twice the last one wins, and a null counts as absent: so do the servers that these dialects come
//! from. Every error is a sentence for the sender that names the field.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::hub::{ClientMark, Emoji, Invalid, MessageType, Name, Page, Place, Text};
use crate::id::{MessageId, Reference};

/// How many messages a page has unless the client says so.
const DEFAULT_PAGE_MESSAGES: usize = 50;
/// How many messages a page has at most.
const MAX_PAGE_MESSAGES: usize = 500;

/// An object's fields.
///
/// Texts are borrowed from the frame unless something in them is escaped, and lists and objects are read over: that
/// takes a third of the time of a `serde_json::Map`, and no memory for what nobody asks for.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Field<'a>)>);

enum Field<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    True,
    False,
    Null,
    Other,
}

impl Field<'_> {
    fn reference(&self) -> Option<Reference> {
        match self {
            Self::Integer(number @ 1..) => Some(Reference::Number(*number)),
            Self::Text(text) => Reference::parse(text),
            _ => None,
        }
    }
}

impl<'a> Fields<'a> {
    /// Reads the object that `text` is. `what` names it in the error.
    pub(super) fn read(text: &'a str, what: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|_| not_an_object(what))
    }

    /// Reads the object that this value is, in a frame that is known to be JSON. `what` names it in the error.
    pub(super) fn of_value(value: &'a RawValue, what: &str) -> Result<Self, String> {
        Self::read(value.get(), what).map_err(|sentence| {
            // In an object only this is left. JavaScript sends halves of emoji.
            let is_object = value.get().starts_with('{');
            if is_object { format!("{what} has half a character, or a number beyond measure") } else { sentence }
        })
    }

    /// Fields that are all texts.
    pub(super) fn of_texts(texts: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Self {
        Self(texts.map(|(key, text)| (key, Field::Text(text))).collect())
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        required(name, self.optional_text(name)?)
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.find(name) {
            None => Ok(None),
            Some(Field::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} must be a string")),
        }
    }

    /// The name of a user or a room.
    pub(super) fn name(&self, name: &str) -> Result<Name, String> {
        Name::new(self.text(name)?).map_err(named(name))
    }

    /// What somebody says.
    pub(super) fn said(&self, name: &str, max_bytes: usize) -> Result<Text, String> {
        Text::new(self.text(name)?, max_bytes).map_err(named(name))
    }

    /// A client's own mark for a message.
    pub(super) fn optional_mark(&self, name: &str) -> Result<Option<ClientMark>, String> {
        self.optional_text(name)?.map(ClientMark::new).transpose().map_err(named(name))
    }

    /// What kind of message it is.
    pub(super) fn optional_message_type(&self, name: &str) -> Result<Option<MessageType>, String> {
        self.optional_text(name)?.map(MessageType::new).transpose().map_err(named(name))
    }

    /// A reaction.
    pub(super) fn emoji(&self, name: &str) -> Result<Emoji, String> {
        Emoji::new(self.text(name)?).map_err(named(name))
    }

    /// A user or a room.
    pub(super) fn reference(&self, name: &str) -> Result<Reference, String> {
        required(name, self.optional_reference(name)?)
    }

    pub(super) fn optional_reference(&self, name: &str) -> Result<Option<Reference>, String> {
        let reference = match self.find(name) {
            None => return Ok(None),
            Some(field) => field.reference(),
        };
        reference.map(Some).ok_or_else(|| format!("{name} must be a positive integer or a UUID"))
    }

    /// A message.
    pub(super) fn message(&self, name: &str) -> Result<MessageId, String> {
        required(name, self.optional_message(name)?)
    }

    pub(super) fn optional_message(&self, name: &str) -> Result<Option<MessageId>, String> {
        match self.optional_reference(name) {
            Ok(Some(Reference::Number(number))) => Ok(Some(MessageId(number))),
            Ok(None) => Ok(None),
            Ok(Some(Reference::Uuid(_))) | Err(_) => Err(format!("{name} must be a positive integer")),
        }
    }

    /// Which part of what was said is asked for, by `limit` and `before`.
    pub(super) fn page(&self) -> Result<Page, String> {
        let limit = self.optional_count("limit")?.unwrap_or(DEFAULT_PAGE_MESSAGES).min(MAX_PAGE_MESSAGES);
        let place = self.optional_message("before")?.map_or(Place::Newest, Place::Before);
        Ok(Page { place, limit })
    }

    /// A number of things.
    pub(super) fn optional_count(&self, name: &str) -> Result<Option<usize>, String> {
        let count = match self.find(name) {
            None => return Ok(None),
            Some(Field::Integer(number @ 1..)) => usize::try_from(*number).ok(),
            Some(_) => None,
        };
        count.map(Some).ok_or_else(|| format!("{name} must be a positive integer"))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        required(name, self.optional_flag(name)?)
    }

    pub(super) fn optional_flag(&self, name: &str) -> Result<Option<bool>, String> {
        match self.find(name) {
            None => Ok(None),
            Some(Field::True) => Ok(Some(true)),
            Some(Field::False) => Ok(Some(false)),
            Some(_) => Err(format!("{name} must be true or false")),
        }
    }

    /// The field of that name, unless it is null.
    fn find(&self, name: &str) -> Option<&Field<'a>> {
        let (_, field) = self.0.iter().rev().find(|(key, _)| key == name)?;
        Some(field).filter(|field| !matches!(field, Field::Null))
    }
}

fn required<T>(name: &str, field: Option<T>) -> Result<T, String> {
    field.ok_or_else(|| format!("{name} is missing"))
}

fn named(field: &str) -> impl Fn(Invalid) -> String {
    move |invalid| format!("{field} {invalid}")
}

fn not_an_object(what: &str) -> String {
    format!("{what} must be a JSON object")
}

/// The values of these keys in the object that `text` is, as they stand there; nothing where one is absent. All else is
/// read over, and none of it but the keys is looked into. `what` names the object in the error.
pub(super) fn pick<'a, const N: usize>(
    text: &'a str,
    what: &str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let picked = Pick(names).deserialize(&mut deserializer);
    picked.and_then(|picked| deserializer.end().map(|()| picked)).map_err(|_| not_an_object(what))
}

/// The text that this value is, if it is one.
pub(super) fn as_text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok().map(|Key(text)| text)
}

/// The users or rooms that this value lists. `name` is the field's, for the error.
pub(super) fn as_references(value: &RawValue, name: &str) -> Result<Vec<Reference>, String> {
    let items: Option<Vec<Field<'_>>> = serde_json::from_str(value.get()).ok();
    let references = items.and_then(|items| items.iter().map(Field::reference).collect());
    references.ok_or_else(|| format!("{name} must be a list of positive integers or UUIDs"))
}

/// A text, for which serde's own `Cow` would always be a copy.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct Pick<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Pick<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Pick<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut picked = [None; N];
        while let Some(Key(key)) = map.next_key()? {
            match self.0.iter().position(|name| *name == key) {
                Some(place) => {
                    picked[place] = Some(map.next_value()?).filter(|value: &&RawValue| value.get() != "null")
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(picked)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Key(key), field)) = map.next_entry()? {
            fields.push((key, field));
        }
        Ok(Fields(fields))
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.into())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(if flag { Field::True } else { Field::False })
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Field::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Field::Other, Field::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Field::Other)
    }
}

#[cfg(test)]
mod tests;
