//! What has lately been heard of the other server, and spares asking again. Bounded: of what is long ago nothing is kept.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::hub::job::MessageRecord;
use crate::id::{ChangeId, MessageId, RoomId, UserId};

/// At least so many things of a kind are remembered, and at most twice as many.
const THINGS: usize = 10_000;

/// A name is believed for so long: others may change it without our knowing.
const NAME_HOLDS: Duration = Duration::from_secs(30);

/// So long after a part of a room's messages was read, the rest may be read without asking anew.
const UNREAD_HOLDS: Duration = Duration::from_secs(2);

/// Where a message is, and whose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Whereabouts {
    pub(super) room: RoomId,
    /// Who said it, if it is a registered user.
    pub(super) author: Option<UserId>,
}

/// All that is remembered.
#[derive(Default)]
pub(super) struct Memory {
    names: Recent<UserId, (String, Instant)>,
    messages: Recent<MessageId, Whereabouts>,
    unread: Option<Unread>,
    last_change: ChangeId,
}

/// The rest of a room's messages, of which somebody is reading one part after the other.
struct Unread {
    room: RoomId,
    after: MessageId,
    since: Instant,
    messages: Vec<MessageRecord>,
}

impl Memory {
    pub(super) fn name(&self, user: UserId) -> Option<&str> {
        let (name, heard) = self.names.find(&user)?;
        (heard.elapsed() < NAME_HOLDS).then_some(name)
    }

    pub(super) fn note_name(&mut self, user: UserId, name: &str) {
        self.names.put(user, (name.into(), Instant::now()));
    }

    pub(super) fn forget_name(&mut self, user: UserId) {
        self.names.forget(&user);
    }

    pub(super) fn message(&self, message: MessageId) -> Option<Whereabouts> {
        self.messages.find(&message).copied()
    }

    pub(super) fn note_message(&mut self, message: MessageId, whereabouts: Whereabouts) {
        self.messages.put(message, whereabouts);
    }

    pub(super) fn forget_message(&mut self, message: MessageId) {
        self.messages.forget(&message);
    }

    pub(super) fn next_change(&mut self) -> ChangeId {
        self.last_change.0 += 1;
        self.last_change
    }

    pub(super) fn keep_unread(&mut self, room: RoomId, after: MessageId, messages: Vec<MessageRecord>) {
        self.unread = Some(Unread { room, after, since: Instant::now(), messages });
    }

    pub(super) fn take_unread(&mut self, room: RoomId, after: MessageId) -> Option<Vec<MessageRecord>> {
        self.forget_unread();
        let unread = self.unread.take_if(|unread| unread.room == room && unread.after == after);
        unread.map(|unread| unread.messages)
    }

    /// Lets go of what nobody reads on: it may be large.
    pub(super) fn forget_unread(&mut self) {
        self.unread.take_if(|unread| unread.since.elapsed() >= UNREAD_HOLDS);
    }
}

/// Things by their ids, in two generations: when the young one is full it becomes the old one, and the old one goes.
struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Eq + Hash, V> Recent<K, V> {
    fn find(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= THINGS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn forget(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_no_more() {
        let mut recent = Recent::default();
        for number in 0..5 * THINGS {
            recent.put(number, ());
        }
        assert!((4 * THINGS..5 * THINGS).all(|number| recent.find(&number).is_some()));
        assert!(recent.find(&0).is_none());
        assert!(recent.young.len() + recent.old.len() <= 2 * THINGS);
        recent.forget(&(5 * THINGS - 1));
        assert!(recent.find(&(5 * THINGS - 1)).is_none());
    }
}
