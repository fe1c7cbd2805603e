//! What is due when, for every slot, at a cost that does not depend on how many there are.
//!
//! All deadlines of one kind are equally long, so that a list to whose end each new one is put is sorted by itself:
//! no wheel and no heap, and whatever is due stands at the front. The lists are linked through one node for each slot,
//! so arming, disarming and asking for the next are O(1), and nothing is allocated.

use std::time::Instant;

use crate::id::SlotKey;

const NONE: u32 = u32::MAX;

/// The deadlines of all slots; each slot has at most one. `KINDS` is the number of kinds; a kind is its index.
pub struct Deadlines<const KINDS: usize> {
    lists: [List; KINDS],
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

#[derive(Clone)]
struct Node {
    at: Option<Instant>,
    kind: u8,
    previous: u32,
    next: u32,
}

const UNARMED: Node = Node { at: None, kind: 0, previous: NONE, next: NONE };

impl<const KINDS: usize> Default for Deadlines<KINDS> {
    fn default() -> Self {
        Self { lists: [List { first: NONE, last: NONE }; KINDS], nodes: Vec::new() }
    }
}

impl<const KINDS: usize> Deadlines<KINDS> {
    /// Sets the deadline of `slot`, in place of the one that it may have. `at` must not be before the last one
    /// armed for this kind.
    pub fn arm(&mut self, slot: SlotKey, kind: usize, at: Instant) {
        self.disarm(slot);
        let index = slot.index();
        if self.nodes.len() <= index {
            self.nodes.resize(index + 1, UNARMED);
        }
        let last = self.lists[kind].last;
        self.nodes[index] = Node { at: Some(at), kind: kind as u8, previous: last, next: NONE };
        match self.nodes.get_mut(last as usize) {
            Some(node) => {
                debug_assert!(node.at <= Some(at), "deadlines of one kind are armed in order");
                node.next = index as u32;
            }
            None => self.lists[kind].first = index as u32,
        }
        self.lists[kind].last = index as u32;
    }

    /// Takes away the deadline of `slot`, if it has one.
    pub fn disarm(&mut self, slot: SlotKey) {
        let Some(node) = self.nodes.get_mut(slot.index()) else { return };
        if node.at.take().is_none() {
            return;
        }
        let Node { kind, previous, next, .. } = *node;
        let list = &mut self.lists[usize::from(kind)];
        match self.nodes.get_mut(previous as usize) {
            Some(node) => node.next = next,
            None => list.first = next,
        }
        match self.nodes.get_mut(next as usize) {
            Some(node) => node.previous = previous,
            None => list.last = previous,
        }
    }

    /// Gives back the memory of the slots from index `end` on, of which none is armed.
    pub fn give_back(&mut self, end: usize) {
        self.nodes.truncate(end);
        self.nodes.shrink_to_fit();
    }

    /// What `slot` is waiting for: when, and its kind.
    pub fn of(&self, slot: SlotKey) -> Option<(Instant, usize)> {
        let node = self.nodes.get(slot.index())?;
        Some((node.at?, usize::from(node.kind)))
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.lists.iter().filter_map(|list| self.nodes.get(list.first as usize)?.at).min()
    }

    /// Takes out one that is due, with its kind.
    pub fn pop_due(&mut self, now: Instant) -> Option<(SlotKey, usize)> {
        for kind in 0..KINDS {
            let first = self.lists[kind].first;
            if let Some(Node { at: Some(at), .. }) = self.nodes.get(first as usize)
                && *at <= now
            {
                let slot = SlotKey::new(first as usize);
                self.disarm(slot);
                return Some((slot, kind));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn slot(index: usize) -> SlotKey {
        SlotKey::new(index)
    }

    #[test]
    fn due_ones_come_in_order_and_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::<2>::default();
        deadlines.arm(slot(3), 0, at(10));
        deadlines.arm(slot(1), 1, at(5));
        deadlines.arm(slot(2), 0, at(20));
        assert_eq!(deadlines.next(), Some(at(5)));
        assert_eq!(deadlines.pop_due(at(4)), None);
        assert_eq!(deadlines.pop_due(at(10)), Some((slot(3), 0)));
        assert_eq!(deadlines.pop_due(at(10)), Some((slot(1), 1)));
        assert_eq!(deadlines.pop_due(at(10)), None);
        assert_eq!(deadlines.next(), Some(at(20)));
    }

    #[test]
    fn arming_again_replaces_and_disarming_removes() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::<2>::default();
        for index in 0..4 {
            deadlines.arm(slot(index), 0, at(index as u64));
        }
        deadlines.arm(slot(0), 1, at(100));
        deadlines.disarm(slot(2));
        deadlines.disarm(slot(9));
        let due: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(at(50))).collect();
        assert_eq!(due, [(slot(1), 0), (slot(3), 0)]);
        assert_eq!(deadlines.pop_due(at(100)), Some((slot(0), 1)));
        assert_eq!(deadlines.next(), None);
    }

    /// Against a plain list that is searched, with random calls.
    #[test]
    fn agrees_with_a_simple_model() {
        let mut random = fastrand::Rng::with_seed(7);
        let start = Instant::now();
        let mut deadlines = Deadlines::<3>::default();
        let mut model: Vec<Option<(u64, usize)>> = vec![None; 20];
        let lengths = [30, 7, 50];
        for now in 0..2_000 {
            let at = |ms| start + Duration::from_millis(ms);
            let index = random.usize(0..20);
            let kind = random.usize(0..3);
            if random.u8(0..4) == 0 {
                deadlines.disarm(slot(index));
                model[index] = None;
            } else {
                deadlines.arm(slot(index), kind, at(now + lengths[kind]));
                model[index] = Some((now + lengths[kind], kind));
            }
            assert_eq!(deadlines.next(), model.iter().flatten().map(|&(ms, _)| at(ms)).min());
            while let Some((slot, kind)) = deadlines.pop_due(at(now)) {
                let (due, expected) = model[slot.index()].take().unwrap();
                assert!(due <= now && kind == expected);
            }
            assert!(model.iter().flatten().all(|&(due, _)| due > now));
        }
    }
}
