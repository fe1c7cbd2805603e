//! The fields of a JSON object that a client sent, asked for by name. For the dialects whose frames are such objects.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// An object's fields. Where a key stands twice the last one wins, and a null counts as absent: so do the servers
/// that these dialects come from. Every error is a sentence for the sender that names the field.
///
/// Texts are borrowed from the frame unless something in them is escaped, and what is neither text nor null is read
/// over: that takes a third of the time of a `serde_json::Map`, and no memory for what nobody asks for.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Field<'a>)>);

enum Field<'a> {
    Text(Cow<'a, str>),
    Null,
    Other,
}

impl<'a> Fields<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|_| "a message must be a JSON object".into())
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        self.optional_text(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.iter().rev().find(|(key, _)| key == name) {
            None | Some((_, Field::Null)) => Ok(None),
            Some((_, Field::Text(text))) => Ok(Some(text)),
            Some((_, Field::Other)) => Err(format!("{name} must be a string")),
        }
    }
}

/// A key, for which serde's own `Cow` would always be a copy.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

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

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Field::Other)
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

    #[test]
    fn the_last_of_a_key_counts_and_other_values_are_read_over() {
        let text = r#"{"a":"first","n":null,"b":[{"deep":[1,-2,3.5]},"x"],"\u0061":"e\"scaped","o":{"k":{}},"t":true}"#;
        let fields = Fields::read(text).unwrap();
        assert_eq!(fields.text("a"), Ok("e\"scaped"));
        assert_eq!(fields.optional_text("n"), Ok(None));
        assert_eq!(fields.optional_text("absent"), Ok(None));
        for other in ["b", "o", "t"] {
            assert_eq!(fields.text(other), Err(format!("{other} must be a string")));
        }
        for broken in [r#"{"a":[1,}"#, r#"{"a":1}x"#, r#"["a"]"#, r#"{"a":{"b":}}"#, "{1:2}", r#"{"a":"\ud800"}"#] {
            assert!(Fields::read(broken).is_err(), "{broken}");
        }
    }
}
