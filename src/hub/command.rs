//! What can be asked of the hub. A dialect makes these out of text; nothing here knows how it was spelt.

use std::fmt;
use std::rc::Rc;

/// The longest name of a room, in characters.
pub(super) const MAX_NAME_CHARS: usize = 64;

/// A command, and whom its sender claims to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The sender's id, if the frame named one. The hub refuses any but the connection's own.
    pub claimed_sender: Option<String>,
    /// What is asked.
    pub command: Command,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { claimed_sender: None, command }
    }
}

/// What a session may ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Enter the open room of that name, made if there is none, and leave the one the session is in.
    Join {
        /// Which room.
        room: Name,
    },
    /// Leave the room.
    Leave,
    /// Say something to the others in the room.
    SayToRoom {
        /// What is said.
        text: Text,
    },
    /// Say something to one connection.
    SayToUser {
        /// The connection id as the client wrote it, which may name nobody.
        to: String,
        /// What is said.
        text: Text,
    },
    /// Name the open rooms.
    ListRooms,
    /// Name the members of a room.
    ListMembers {
        /// Which room.
        room: Name,
    },
}

/// Why a name or a text was not taken: the rest of a sentence that begins with the field's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a room: trimmed, 1 to 64 characters, no control characters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Name(Rc<str>);

impl Name {
    /// Trims and checks.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        let name = raw.trim();
        if name.chars().any(char::is_control) {
            return Err(Invalid("must not contain control characters".into()));
        }
        // Counting stops early: a hostile name may be as long as a message.
        match name.chars().take(MAX_NAME_CHARS + 1).count() {
            1..=MAX_NAME_CHARS => Ok(Self(name.into())),
            _ => Err(Invalid(format!("must be 1 to {MAX_NAME_CHARS} characters"))),
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn shared(&self) -> Rc<str> {
        Rc::clone(&self.0)
    }
}

/// What a person said: not empty, and no longer than the limit it was checked against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text(Rc<str>);

impl Text {
    /// Checks `raw` against `max_bytes`.
    pub fn new(raw: &str, max_bytes: usize) -> Result<Self, Invalid> {
        if raw.is_empty() || raw.len() > max_bytes {
            return Err(Invalid(format!("must be 1 to {max_bytes} bytes")));
        }
        Ok(Self(raw.into()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_shared(self) -> Rc<str> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(Name::new("  tea \u{2003}").unwrap().as_str(), "tea");
        assert_eq!(Name::new(&"é".repeat(64)).unwrap().as_str().chars().count(), 64);
        for bad in ["", "   ", "a\nb", "a\u{0}b", "a\u{7f}", "a\u{85}b", &"x".repeat(65)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn texts_are_bounded_in_bytes() {
        assert!(Text::new("é", 2).is_ok());
        assert_eq!(Text::new("é!", 2).unwrap_err().to_string(), "must be 1 to 2 bytes");
        assert!(Text::new("", 2).is_err());
    }
}
