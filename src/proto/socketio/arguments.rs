//! The array that an event or an answer carries.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Fault;

/// Names that mean something else to a client or a server than an event.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// An array as its items, each the text that it was written as.
#[derive(Clone, Debug)]
pub struct Arguments<'a>(Vec<&'a RawValue>);

impl<'a> Arguments<'a> {
    /// Splits the data of an event or an answer.
    pub fn split(data: &'a str) -> Result<Self, Fault> {
        serde_json::from_str(data).map(Self).map_err(|_| Fault::Payload)
    }

    /// All items; those of an event begin with its name.
    pub fn items(&self) -> &[&'a RawValue] {
        &self.0
    }

    /// The name of an event, and what comes with it. A number, which may stand for a name, is taken as it was written.
    /// `None`: it is no event, or one with a reserved name.
    pub fn event(&self) -> Option<(Cow<'a, str>, &[&'a RawValue])> {
        let (first, rest) = self.0.split_first()?;
        let text = first.get();
        let name = match text.as_bytes().first()? {
            b'"' => serde_json::from_str::<Name<'a>>(text).ok()?.0,
            b'-' | b'0'..=b'9' => Cow::Borrowed(text),
            _ => return None,
        };
        (!RESERVED.contains(&&*name)).then_some((name, rest))
    }
}

/// A text, for which serde's own `Cow` would always be a copy.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_kept_as_they_were_written() {
        let arguments =
            Arguments::split(r#" [ "message" , 1.0,"\u0032", { "3" : [ true ] },1e999,"\ud800" ] "#).unwrap();
        let (name, rest) = arguments.event().unwrap();
        assert!(matches!(name, Cow::Borrowed("message")));
        let rest: Vec<&str> = rest.iter().map(|item| item.get()).collect();
        assert_eq!(rest, ["1.0", r#""\u0032""#, r#"{ "3" : [ true ] }"#, "1e999", r#""\ud800""#]);
        assert_eq!(arguments.items().len(), 6);
    }

    #[test]
    fn an_event_has_a_name() {
        let name = |data: &str| Some(Arguments::split(data).ok()?.event()?.0.into_owned());
        assert_eq!(name(r#"["\u0066oo"]"#).as_deref(), Some("foo"));
        assert_eq!(name(r#"[""]"#).as_deref(), Some(""));
        assert_eq!(name("[-1.5e3]").as_deref(), Some("-1.5e3"));
        for none in ["[]", "[null]", "[true]", "[[]]", "[{}]", "{}", "", "\"x\"", r#"["\ud800"]"#, r#"["x",]"#] {
            assert_eq!(name(none), None, "{none}");
        }
        for reserved in RESERVED {
            assert_eq!(name(&format!("[\"{reserved}\"]")), None);
            let escaped = reserved.replace('n', "\\u006e");
            assert_eq!(name(&format!("[\"{escaped}\"]")), None, "{escaped}");
            assert!(name(&format!("[\"{reserved} \"]")).is_some());
        }
    }
}
