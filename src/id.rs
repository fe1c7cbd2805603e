//! The small numbers that name things, used by every layer.
//!
//! Two of them are easily confused and must never be: a [`SlotKey`] is a place inside this process that gets a new
//! tenant when the old one has left; a [`ConnectionId`] is what clients see, and is never used twice.

use std::fmt;

/// A place in the server's slab: the `mio` token of a connection, and what rooms keep of their members.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SlotKey(u32);

impl SlotKey {
    /// The key of the slab entry `index`. The limit of connections is far below `u32::MAX`, see
    /// [`crate::config::Config::max_connections`].
    pub fn new(index: usize) -> Self {
        debug_assert!(u32::try_from(index).is_ok());
        Self(index as u32)
    }

    /// The slab entry that this key names.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a client is called: 0, 1, 2, … in order of connecting, never used twice while the process lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// Reads the form that [`fmt::Display`] writes. Anything else, `01` and `+1` among it, names no connection.
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = text == "0" || (text.starts_with(|c: char| ('1'..='9').contains(&c)));
        if canonical { text.parse().ok().map(Self) } else { None }
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_names_a_connection() {
        assert_eq!(ConnectionId::parse("0"), Some(ConnectionId(0)));
        assert_eq!(ConnectionId::parse("120"), Some(ConnectionId(120)));
        for other in ["", "01", "00", "+1", "-1", " 1", "1 ", "1.0", "1a", "٣", "18446744073709551616"] {
            assert_eq!(ConnectionId::parse(other), None, "{other:?}");
        }
    }
}
