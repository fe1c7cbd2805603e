//! What JSON that is known to be well-formed must keep besides, so that it can be passed on to any client: not to be
//! nested without end, and, in a binary packet, no placeholder without its attachment.
//!
//! One pass over the bytes. Types of `serde` would not do: they stumble over numbers and halves of characters that are
//! right in JSON and that JavaScript sends.

use std::borrow::Cow;

use serde::Deserialize;

use super::Fault;

/// How deep a payload may be nested: what `serde_json` takes, and so do the parsers of clients.
pub const MAX_DEPTH: usize = 127;

/// An array or an object that has begun.
enum Frame {
    Array,
    Object { key: Key, is_placeholder: bool, number: Option<usize> },
}

/// Which key the next value belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// It is still to come.
    Awaited,
    Placeholder,
    Number,
    Other,
}

impl Frame {
    const fn object() -> Self {
        Self::Object { key: Key::Awaited, is_placeholder: false, number: None }
    }

    /// Takes a string, which is a key or a value.
    fn string(&mut self, token: &str) {
        match self {
            Self::Object { key: key @ Key::Awaited, .. } => *key = Key::read(token),
            _ => self.value(token),
        }
    }

    /// Takes the beginning of a value, which is all of it unless it is an array or an object. As anywhere in JSON, the
    /// last of equal keys counts.
    fn value(&mut self, token: &str) {
        if let Self::Object { key, is_placeholder, number } = self {
            match key {
                Key::Placeholder => *is_placeholder = token == "true",
                Key::Number => *number = token.parse().ok(),
                Key::Awaited | Key::Other => {}
            }
        }
    }

    /// The next thing is a new item, or a new key.
    fn comma(&mut self) {
        if let Self::Object { key, .. } = self {
            *key = Key::Awaited;
        }
    }

    fn check(&self, attachments: usize) -> Result<(), Fault> {
        match self {
            Self::Object { is_placeholder: true, number, .. } if !number.is_some_and(|number| number < attachments) => {
                Err(Fault::Placeholder)
            }
            _ => Ok(()),
        }
    }
}

impl Key {
    /// `token` is in quotation marks.
    fn read(token: &str) -> Self {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        match token {
            r#""_placeholder""# => Self::Placeholder,
            r#""num""# => Self::Number,
            _ if !token.contains('\\') => Self::Other,
            _ => match serde_json::from_str(token) {
                Ok(Text(text)) if text == "_placeholder" => Self::Placeholder,
                Ok(Text(text)) if text == "num" => Self::Number,
                _ => Self::Other,
            },
        }
    }
}

/// Checks well-formed JSON. `attachments` is how many there are, in a packet whose placeholders count.
pub(super) fn check(json: &str, attachments: Option<usize>) -> Result<(), Fault> {
    // Most packets need no closer look: what has few brackets can't be nested deep.
    if attachments.is_none() && json.bytes().filter(|byte| b"[{".contains(byte)).count() <= MAX_DEPTH {
        return Ok(());
    }
    let mut frames: Vec<Frame> = Vec::new();
    let mut rest = json;
    while let Some(&byte) = rest.as_bytes().first() {
        let (token, after) = rest.split_at(token_length(rest));
        rest = after;
        match byte {
            b'{' | b'[' => {
                if frames.len() == MAX_DEPTH {
                    return Err(Fault::TooDeep);
                }
                frames.last_mut().into_iter().for_each(|frame| frame.value(token));
                frames.push(if byte == b'{' { Frame::object() } else { Frame::Array });
            }
            b'}' | b']' => {
                if let (Some(frame), Some(attachments)) = (frames.pop(), attachments) {
                    frame.check(attachments)?;
                }
            }
            b',' => frames.last_mut().into_iter().for_each(Frame::comma),
            b'"' => frames.last_mut().into_iter().for_each(|frame| frame.string(token)),
            b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => frames.last_mut().into_iter().for_each(|frame| frame.value(token)),
        }
    }
    Ok(())
}

/// The length of the string, number or word at the beginning, or of one sign.
fn token_length(json: &str) -> usize {
    let bytes = json.as_bytes();
    match bytes[0] {
        b'"' => string_length(bytes),
        b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => 1,
        _ => bytes.iter().position(|byte| b",]} \t\r\n".contains(byte)).unwrap_or(bytes.len()),
    }
}

/// The length of a string with its quotation marks.
fn string_length(bytes: &[u8]) -> usize {
    let mut length = 1;
    while let Some(stop) = bytes.get(length..).and_then(|rest| rest.iter().position(|byte| b"\"\\".contains(byte))) {
        length += stop + 1;
        if bytes[length - 1] == b'"' {
            return length;
        }
        // What follows a backslash ends nothing.
        length += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_limited() {
        let nested = |open: &str, close: &str, depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            assert_eq!(check(&nested(open, close, MAX_DEPTH), None), Ok(()));
            assert_eq!(check(&nested(open, close, MAX_DEPTH + 1), None), Err(Fault::TooDeep));
            // It is what the dialects' own reading takes.
            let read = |depth| serde_json::from_str::<serde_json::Value>(&nested(open, close, depth));
            assert!(read(MAX_DEPTH).is_ok() && read(MAX_DEPTH + 1).is_err());
        }
        let wide = format!("[{}1]", r#"[{}],"[[[[\"[[[[",{"]":[]},"#.repeat(200));
        assert_eq!(check(&wide, None), Ok(()));
    }

    #[test]
    fn placeholders_are_counted() {
        let sound = [
            r#"["baz",{"_placeholder":true,"num":0},[{"x":{"num":1,"_placeholder":true}}]]"#,
            r#"[{"_placeholder":false,"num":9}]"#,
            r#"[{"_placeholder":"true","num":9},{"_placeholder":[true]},{"_placeholder":1}]"#,
            r#"[{"_placeholder":true,"_placeholder":null},{"num":7},"_placeholder","num",9]"#,
            r#"{"a":"{\"_placeholder\":true}","_placeholder":{"_placeholder":false},"num":{}}"#,
            r#"[ { "_placeholder" : true , "num" : 1 , "more" : [ 1 , { } ] } ]"#,
            r#"[{"_placeholder":true,"num":2,"num":0}]"#,
            "[1e999,\"\\ud800\",\"\u{1F600}\"]",
        ];
        for json in sound {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(json).is_ok(), "{json}");
            assert_eq!(check(json, Some(2)), Ok(()), "{json}");
        }
        let faulty = [
            r#"[{"_placeholder":true,"num":2}]"#,
            r#"[{"_placeholder":true,"num":-1}]"#,
            r#"[{"_placeholder":true,"num":0.5}]"#,
            r#"[{"_placeholder":true,"num":"0"}]"#,
            r#"[{"_placeholder":true,"num":[0]}]"#,
            r#"[{"_placeholder":true,"num":{"num":0}}]"#,
            r#"[{"_placeholder":true}]"#,
            r#"[{"_placeholder":true,"num":0,"num":2}]"#,
            r#"{"a":[[{"_placeholder":true,"num":0},{"_placeholder" : true }]]}"#,
            r#"[{"\u005fplaceholder":true,"n\u0075m":2}]"#,
            r#"[{"a":[],"_placeholder":true,"num":99999999999999999999999999}]"#,
        ];
        for json in faulty {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(json).is_ok(), "{json}");
            assert_eq!(check(json, Some(2)), Err(Fault::Placeholder), "{json}");
            assert_eq!(check(json, None), Ok(()), "{json}");
        }
        assert_eq!(check(r#"[{"\u005fplaceholder":true,"n\u0075m":1}]"#, Some(2)), Ok(()));
    }
}
