//! Which other nodes live, as far as they were heard.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::id::NodeId;

/// The other nodes.
pub(super) struct Leases {
    lease: Duration,
    others: HashMap<NodeId, Other>,
}

struct Other {
    heard: Instant,
    /// The number of its last envelope.
    last: u64,
}

impl Leases {
    /// These live now.
    pub(super) fn new(lease: Duration, others: &[NodeId], now: Instant) -> Self {
        let others = others.iter().map(|&node| (node, Other { heard: now, last: 0 })).collect();
        Self { lease, others }
    }

    /// An envelope was heard. False if it is none of this node's that is new.
    pub(super) fn hear(&mut self, node: NodeId, n: u64, now: Instant) -> bool {
        let other = self.others.entry(node).or_insert(Other { heard: now, last: 0 });
        other.heard = now;
        let is_new = n > other.last;
        other.last = other.last.max(n);
        is_new
    }

    /// A node has said farewell.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.others.remove(&node);
    }

    /// Nobody could be heard until now.
    pub(super) fn renew(&mut self, now: Instant) {
        for other in self.others.values_mut() {
            other.heard = now;
        }
    }

    /// Takes out those who were silent for too long. All that was told before `until` has been heard.
    pub(super) fn take_gone(&mut self, until: Instant) -> Vec<NodeId> {
        let lease = self.lease;
        self.others.extract_if(|_, other| other.heard + lease < until).map(|(node, _)| node).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    #[test]
    fn an_envelope_is_new_once() {
        let now = Instant::now();
        let mut leases = Leases::new(LEASE, &[NodeId(1)], now);
        assert!(leases.hear(NodeId(1), 5, now) && !leases.hear(NodeId(1), 5, now) && !leases.hear(NodeId(1), 4, now));
        // Numbers may be missing, and each node has its own.
        assert!(leases.hear(NodeId(1), 9, now) && leases.hear(NodeId(2), 1, now));
    }

    #[test]
    fn who_is_silent_for_too_long_is_gone_once() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut leases = Leases::new(LEASE, &[NodeId(1), NodeId(2)], now);
        leases.hear(NodeId(2), 1, now + second);
        assert!(leases.take_gone(now + LEASE).is_empty());
        assert_eq!(leases.take_gone(now + LEASE + second), [NodeId(1)]);
        assert!(leases.take_gone(now + LEASE + second).is_empty());
        // What could not be heard is not held against anybody.
        leases.renew(now + 2 * LEASE);
        assert!(leases.take_gone(now + 3 * LEASE).is_empty());
        leases.forget(NodeId(2));
        assert!(leases.take_gone(now + 9 * LEASE).is_empty());
    }
}
