//! The values of settings: what they are, and how they are read. An error is the rest of a sentence that begins with the
//! value.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use crate::origin::{Origin, Origins};
use crate::proxy::Proxies;

/// A value that is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "(secret)" })
    }
}

/// What a commit waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Until the disk has it: it outlives a power cut.
    Full,
    /// Until the system has it: it outlives the process.
    Normal,
}

/// What Socket.IO clients speak on the main namespace; the others are named after theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vocabulary {
    /// Both, until a client's first event shows which.
    Auto,
    /// `private_message`, `conversation_message` and so on.
    Conversation,
    /// `message:send`, `message:read` and so on.
    Chat,
}

/// Who is told who is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// Those who take part in a private room with them.
    Shared,
    /// Everybody.
    All,
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().map_err(|_| "is not an address such as 127.0.0.1:8000".to_string())?;
    found.into_iter().next().ok_or_else(|| "has no address".into())
}

pub(super) fn origins(text: &str) -> Result<Origins, String> {
    let mut origins = Origins::default();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if item == "*" {
            origins.any = true;
        } else {
            let origin = Origin::parse(item).ok_or("is not a list of origins such as https://chat.example")?;
            origins.listed.push(origin);
        }
    }
    Ok(origins)
}

pub(super) fn proxies(text: &str) -> Result<Proxies, String> {
    Proxies::parse(text).ok_or_else(|| "is not a list of addresses and networks such as 127.0.0.1, 10.0.0.0/8".into())
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err("must be yes or no".into()),
    }
}

pub(super) fn durability(text: &str) -> Result<Durability, String> {
    match text.to_ascii_lowercase().as_str() {
        "full" => Ok(Durability::Full),
        "normal" => Ok(Durability::Normal),
        _ => Err("must be full or normal".into()),
    }
}

pub(super) fn vocabulary(text: &str) -> Result<Vocabulary, String> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Vocabulary::Auto),
        "conversation" => Ok(Vocabulary::Conversation),
        "chat" => Ok(Vocabulary::Chat),
        _ => Err("must be auto, conversation or chat".into()),
    }
}

pub(super) fn presence(text: &str) -> Result<Presence, String> {
    match text.to_ascii_lowercase().as_str() {
        "shared" => Ok(Presence::Shared),
        "all" => Ok(Presence::All),
        _ => Err("must be shared or all".into()),
    }
}

/// A key travels in a header.
pub(super) fn key(text: &str) -> Result<Secret, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain { Ok(Secret(text.into())) } else { Err("must be printable ASCII without spaces".into()) }
}

pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "is not a whole number in range".into())
}

pub(crate) fn at_least_one<T: PartialEq + From<u8>>(value: T) -> Result<T, String> {
    if value == T::from(0) { Err("must be at least 1".into()) } else { Ok(value) }
}

pub(crate) fn size(text: &str) -> Result<usize, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    scaled(text, &units)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| "is not a size such as 65536, 64KiB or 1MiB".into())
}

/// A time that may be none.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { duration(text) }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("", 1_000)];
    let milliseconds = scaled(text, &units).filter(|&ms| (1..=MAX_DURATION_MS).contains(&ms));
    milliseconds.map(Duration::from_millis).ok_or_else(|| "is not a time such as 25s, 500ms or 2m".into())
}

/// A week: far beyond what makes sense, and far from overflowing a clock.
const MAX_DURATION_MS: u64 = 7 * 24 * 3_600_000;

/// A whole number with a unit; the first unit that fits is taken.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim();
    let (_, scale) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    digits.parse::<u64>().ok()?.checked_mul(*scale)
}
