//! The fields of a JSON object that a client sent, asked for by name. For the dialects whose frames are such objects.
//!
//! Where a key stands twice the last one wins, and a null counts as absent: so do the servers that these dialects come
//! from. Every error is a sentence for the sender that names the field.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::hub::{ClientMark, Invalid, Name, Text};
use crate::id::{MessageId, Reference};

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

    /// A number of things.
    pub(super) fn optional_count(&self, name: &str) -> Result<Option<usize>, String> {
        let count = match self.find(name) {
            None => return Ok(None),
            Some(Field::Integer(number @ 1..)) => usize::try_from(*number).ok(),
            Some(_) => None,
        };
        count.map(Some).ok_or_else(|| format!("{name} must be a positive integer"))
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
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields<'_> {
        Fields::read(text, "it").unwrap()
    }

    #[test]
    fn the_last_of_a_key_counts_and_other_values_are_read_over() {
        let text = r#"{"a":"first","n":null,"b":[{"deep":[1,-2,3.5]},"x"],"\u0061":"e\"scaped","o":{"k":{}},"t":true}"#;
        let fields = fields(text);
        assert_eq!(fields.text("a"), Ok("e\"scaped"));
        assert_eq!(fields.optional_text("n"), Ok(None));
        assert_eq!(fields.optional_text("absent"), Ok(None));
        assert_eq!(fields.optional_flag("t"), Ok(Some(true)));
        for other in ["b", "o", "t"] {
            assert_eq!(fields.text(other), Err(format!("{other} must be a string")));
        }
        for broken in [r#"{"a":[1,}"#, r#"{"a":1}x"#, r#"["a"]"#, r#"{"a":{"b":}}"#, "{1:2}", r#"{"a":"\ud800"}"#] {
            assert_eq!(Fields::read(broken, "it").err(), Some("it must be a JSON object".into()), "{broken}");
        }
    }

    #[test]
    fn ids_have_three_forms() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let text = format!(r#"{{"i":7,"s":"7","u":"{uuid}","n":null,"max":9223372036854775807}}"#);
        let read = fields(&text);
        for name in ["i", "s"] {
            assert_eq!(read.reference(name), Ok(Reference::Number(7)));
            assert_eq!(read.message(name), Ok(MessageId(7)));
        }
        assert_eq!(read.reference("u"), Ok(Reference::Uuid(uuid.parse().unwrap())));
        assert_eq!(read.message("max"), Ok(MessageId(i64::MAX)));
        assert_eq!(read.message("u"), Err("u must be a positive integer".into()));
        assert_eq!(read.reference("n"), Err("n is missing".into()));
        assert_eq!((read.optional_reference("n"), read.optional_message("x")), (Ok(None), Ok(None)));
        for bad in ["0", "-1", "1.0", "1e3", "9223372036854775808", "\"07\"", "\"\"", "true", "[1]", "{}"] {
            let text = format!(r#"{{"x":{bad}}}"#);
            let read = fields(&text);
            assert_eq!(read.reference("x"), Err("x must be a positive integer or a UUID".into()), "{bad}");
            assert_eq!(read.message("x"), Err("x must be a positive integer".into()), "{bad}");
            assert_eq!(read.optional_count("x"), Err("x must be a positive integer".into()), "{bad}");
        }
    }

    #[test]
    fn values_are_picked_as_they_stand() {
        let text = r#" {"a":1,"skipped":["\ud83d",1e999],"\u0061" : 9007199254740993.0 ,"b":{"x":[]},"c":null} "#;
        let picked = pick(text, "it", ["a", "b", "c", "d"]).unwrap();
        assert_eq!(
            picked.map(|value| value.map(RawValue::get)),
            [Some("9007199254740993.0"), Some(r#"{"x":[]}"#), None, None]
        );
        for broken in ["", "[]", "{", r#"{"a":}"#, r#"{"a":1}x"#, r#"{"\ud83d":1}"#, "null"] {
            assert!(pick(broken, "it", ["a"]).is_err(), "{broken}");
        }
    }

    #[test]
    fn lists_of_ids_are_read() {
        let list = |text: &str| {
            let [list] = pick(text, "it", ["l"]).unwrap();
            as_references(list.unwrap(), "l")
        };
        assert_eq!(list(r#"{"l":[]}"#), Ok(vec![]));
        assert_eq!(list(r#"{"l":[1,"2"]}"#), Ok(vec![Reference::Number(1), Reference::Number(2)]));
        for bad in ["1", "{}", "[0]", "[[1]]", "[null]", r#"["\ud83d"]"#] {
            assert!(list(&format!(r#"{{"l":{bad}}}"#)).is_err(), "{bad}");
        }
    }
}
