//! Refusals as codes and sentences, for the dialects that have codes.

use std::borrow::Cow;

use crate::hub::Refusal;

/// So much of an unknown word is said back.
const MAX_ECHOED_CHARS: usize = 64;

/// The code, one word for programs and counters.
pub fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed(_) => "bad_request",
        Refusal::UnknownRequest(_) => "unknown_event",
        Refusal::NotIdentified => "not_identified",
        Refusal::NotYourId | Refusal::Forbidden(_) => "forbidden",
        Refusal::NotAMember | Refusal::WasInNoRoom | Refusal::IsInNoRoom => "not_a_member",
        Refusal::NotFound(_) | Refusal::NoSuchUser { .. } | Refusal::NoSuchRoom { .. } => "not_found",
        Refusal::NameTaken(_) => "already_exists",
        Refusal::TooMany(_) => "rate_limited",
        Refusal::Unavailable(_) => "unavailable",
    }
}

/// The sentence, for people.
pub fn sentence(refusal: &Refusal) -> Cow<'_, str> {
    match refusal {
        Refusal::Malformed(sentence) | Refusal::TooMany(sentence) | Refusal::Unavailable(sentence) => sentence.into(),
        Refusal::UnknownRequest(word) => format!("there is no {word:?} here").into(),
        Refusal::NotIdentified => "this takes a user: create_user or switch_user comes first".into(),
        Refusal::NotYourId => "that is another user's id than this connection's own".into(),
        Refusal::NotAMember => "you are not in that room".into(),
        Refusal::Forbidden(sentence) | Refusal::NotFound(sentence) | Refusal::NameTaken(sentence) => (*sentence).into(),
        Refusal::WasInNoRoom => "user was not in a room".into(),
        Refusal::IsInNoRoom => "user is not in a room".into(),
        Refusal::NoSuchUser { id } => format!("user {id} is not on the server").into(),
        Refusal::NoSuchRoom { name } => format!("room {name} does not exist").into(),
    }
}

/// A client's unknown word as it is said back.
pub(super) fn cut(word: &str) -> String {
    match word.char_indices().nth(MAX_ECHOED_CHARS) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.into(),
    }
}
