//! What can be asked of the hub. A dialect makes these out of text; nothing here knows how it was spelt.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use crate::id::{Mark, MessageId, Reference, Target, Uuid};
use crate::timestamp::Timestamp;

/// The longest name of a room or a user, and the longest mark of a client's own, in characters.
const MAX_NAME_CHARS: usize = 64;
/// The longest reaction or type of a message, in characters.
const MAX_WORD_CHARS: usize = 32;
/// The longest name of a file, in characters: what the column holds.
const MAX_FILE_CHARS: usize = 50;

/// A command, whom its sender claims to be, and what the dialect wants back with the reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The sender, if the request named one. From a session the hub refuses any but its own; a program that holds the
    /// API key acts for whom it names.
    pub claimed_sender: Option<Claim>,
    /// What is asked.
    pub command: Command,
    /// Comes back with the reply.
    pub tag: Option<Box<Tag>>,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { claimed_sender: None, command, tag: None }
    }
}

/// How a request names its sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// A connection id as the client wrote it.
    Connection(String),
    /// A registered user.
    User(Reference),
}

/// What a dialect needs to word the reply to a request. The hub keeps it and doesn't look into it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    /// The dialect's word for what was asked.
    pub word: Cow<'static, str>,
    /// The client's own mark, as it came.
    pub id: Option<Box<str>>,
}

/// What a session may ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Be the user whom a token names, take part by right of that user's participation, and be in their rooms.
    Attend(Attend),
    /// Be in those rooms alone that are entered from now on, and leave the others.
    Choose,
    /// Enter the open room of that name, made if there is none, and leave the one the session is in.
    Join {
        /// Which room.
        room: Name,
    },
    /// Leave the room that was joined by [`Command::Join`].
    Leave,
    /// Say something to the others in that room.
    SayToRoom {
        /// What is said.
        text: Text,
        /// Makes a repeat of the same message known as one.
        client_id: Option<ClientMark>,
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
    /// Register a user; the session is that user from now on.
    CreateUser {
        /// Free so far.
        name: Name,
    },
    /// Be another user from now on.
    SwitchUser {
        /// Who.
        user: Reference,
    },
    /// Name all registered users.
    ListUsers,
    /// Tell of one user.
    FindUser {
        /// Who.
        user: Reference,
    },
    /// Change the sender's name.
    RenameUser {
        /// Free so far.
        name: Name,
    },
    /// Delete the sender. What they said stays.
    DeleteUser,
    /// Make a durable room.
    CreateRoom {
        /// Free so far, if the room is open.
        name: Name,
        /// Of a private room: who takes part besides the sender.
        participants: Option<Vec<Reference>>,
    },
    /// Give a room another name; for its owner.
    RenameRoom {
        /// Which.
        room: Reference,
        /// Free so far.
        name: Name,
    },
    /// Delete a room and what was said in it; for its owner.
    DeleteRoom {
        /// Which.
        room: Reference,
    },
    /// Enter a durable room besides those the session is in.
    EnterRoom {
        /// Which.
        room: Reference,
    },
    /// Leave one of the rooms the session is in.
    ExitRoom {
        /// Which.
        room: Reference,
    },
    /// Say something in a durable room, or to a user.
    Say {
        /// Where.
        to: Target,
        /// What is said.
        text: Text,
        /// Makes a repeat of the same message known as one.
        client_id: Option<ClientMark>,
        /// What kind of message it is, if not plain text.
        message_type: Option<MessageType>,
        /// Whether the session itself is told as the room is, besides the reply.
        hears_itself: bool,
    },
    /// Change what one has said.
    EditMessage {
        /// Which.
        message: MessageId,
        /// What it says from now on.
        text: Text,
    },
    /// Put a reaction to a message, or take it back.
    React {
        /// Which.
        message: MessageId,
        /// The reaction.
        emoji: Emoji,
        /// It is taken back.
        is_removed: bool,
    },
    /// Tell the others that the sender is typing, or not any more.
    Type {
        /// Where.
        to: Target,
        /// Whether.
        is_typing: bool,
    },
    /// Hand the others something that is not kept: calls are arranged that way.
    Signal {
        /// To the others in a room, or to a user with whom the sender shares a private one.
        to: Target,
        /// What.
        data: Blob,
    },
    /// Name the private rooms in which the sender takes part, and what is new there.
    ListChats,
    /// Read what was said in a durable room.
    ReadMessages {
        /// Which.
        room: Reference,
        /// Where to read, and how much.
        page: Page,
    },
    /// Delete a message; for its author and the room's owner.
    DeleteMessage {
        /// Which.
        message: MessageId,
    },
    /// Confirm that the sender has read a message.
    Confirm {
        /// Which.
        message: MessageId,
    },
    /// Tell who has read a message.
    ListReaders {
        /// Which.
        message: MessageId,
    },
    /// Something in an open, durable room that one need not take part for: of this name, or the lobby.
    Visit(Option<Name>, Visit),
}

/// What somebody may do in an open, durable room who takes no part in the chat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Visit {
    /// Say something.
    Say {
        /// The UUID by which they want to be known. It must be no registered user's.
        sender: Uuid,
        /// What is said.
        text: Text,
        /// What is attached.
        file: Option<FileName>,
        /// The client's own mark: a repeat is answered as the first was.
        client_id: Option<ClientMark>,
    },
    /// Read what was said.
    Read(Page),
    /// Hear all that happens from now on.
    Listen {
        /// How far they have heard: first they are told what they have missed since.
        since: Option<Mark>,
    },
}

/// How a session begins to take part as a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attend {
    /// An id, a UUID or a name.
    pub user: String,
    /// The session is in all rooms of its user from the start, and in those that come to be; else in none before it
    /// enters one.
    pub follows_all: bool,
    /// How the session is known when it comes back, if it may come back.
    pub recovery: Option<Recovery>,
}

/// A session that may come back after its connection was lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// Its name for that, hard to guess; the store knows under it which rooms it has chosen.
    pub pid: String,
    /// How far it had heard when it was lost. Nothing: it comes for the first time.
    pub since: Option<Mark>,
}

/// A part of what was said in a room. Whatever its place, it is yielded oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Where it lies.
    pub place: Place,
    /// The most messages that it may have.
    pub limit: usize,
}

/// Where a [`Page`] lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The newest messages.
    Newest,
    /// The newest of those before this one.
    Before(MessageId),
    /// The oldest of those after this one; after 0, the oldest of all.
    After(MessageId),
    /// The newest of those that were said before this moment. By the times and not by the ids, since what other programs
    /// write may have any time.
    Earlier(Moment),
}

/// Where a message stands in the order of times. Of those of the same microsecond, the ids tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment {
    /// The time.
    pub at: Timestamp,
    /// Before the message of this id; before 1, before all of that time.
    pub message: MessageId,
}

impl Moment {
    /// After all messages.
    pub const END: Self = Self { at: Timestamp::MAX, message: MessageId(i64::MAX) };
}

/// Why a name or a text was not taken: the rest of a sentence that begins with the field's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a room or a user: trimmed, 1 to 64 characters, no control characters.
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

/// A client's own name for a message it sends, 1 to 64 characters: with it the client may send the message again without
/// saying it twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientMark(Box<str>);

impl ClientMark {
    /// Checks.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        match raw.chars().take(MAX_NAME_CHARS + 1).count() {
            1..=MAX_NAME_CHARS => Ok(Self(raw.into())),
            _ => Err(Invalid(format!("must be 1 to {MAX_NAME_CHARS} characters"))),
        }
    }

    pub(super) fn into_string(self) -> String {
        self.0.into()
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

/// What kind of message it is: a word of 1 to 32 letters, digits, `-` or `_`. The server makes no difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageType(Rc<str>);

impl MessageType {
    /// Checks.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        let is_word = raw.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_word || !(1..=MAX_WORD_CHARS).contains(&raw.len()) {
            return Err(Invalid(format!("must be 1 to {MAX_WORD_CHARS} letters, digits, - or _")));
        }
        Ok(Self(raw.into()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A reaction: 1 to 32 characters, no control characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emoji(Rc<str>);

impl Emoji {
    /// Checks.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        let is_bounded = (1..=MAX_WORD_CHARS).contains(&raw.chars().take(MAX_WORD_CHARS + 1).count());
        if !is_bounded || raw.chars().any(char::is_control) || raw.trim().is_empty() {
            return Err(Invalid(format!("must be 1 to {MAX_WORD_CHARS} characters, none of them a control character")));
        }
        Ok(Self(raw.into()))
    }

    /// The reaction itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a file: 1 to 50 characters, no control characters. What it names is not the server's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileName(Rc<str>);

impl FileName {
    /// Checks.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        let is_bounded = (1..=MAX_FILE_CHARS).contains(&raw.chars().take(MAX_FILE_CHARS + 1).count());
        if !is_bounded || raw.chars().any(char::is_control) {
            return Err(Invalid(format!("must be 1 to {MAX_FILE_CHARS} characters, none of them a control character")));
        }
        Ok(Self(raw.into()))
    }

    pub(super) fn into_shared(self) -> Rc<str> {
        self.0
    }
}

/// Something that the hub passes on and doesn't look into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob {
    /// A JSON text, with placeholders where the attachments belong.
    pub json: Rc<str>,
    /// Bytes that JSON can't hold.
    pub attachments: Rc<[Vec<u8>]>,
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
