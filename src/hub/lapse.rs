//! Lapses: what is to happen when nobody has put it off for a while. All in one list are equally long, so that the list
//! is in the order in which they are due, and each operation costs the same however many there are.

use std::time::Duration;

use slab::Slab;

/// In place of a key.
const NONE: u32 = u32::MAX;

/// A lapse that was armed; used again once it is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LapseKey(u32);

struct Entry<T> {
    what: T,
    due: Duration,
    before: u32,
    after: u32,
}

/// Lapses of one length, as a list linked through a slab, the next one due in front.
pub(super) struct Lapses<T> {
    length: Duration,
    entries: Slab<Entry<T>>,
    first: u32,
    last: u32,
}

impl<T: Copy> Lapses<T> {
    pub(super) fn of(length: Duration) -> Self {
        Self { length, entries: Slab::new(), first: NONE, last: NONE }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn arm(&mut self, what: T, now: Duration) -> LapseKey {
        let entry = Entry { what, due: Duration::ZERO, before: NONE, after: NONE };
        let key = self.entries.insert(entry) as u32;
        self.append(key, now);
        LapseKey(key)
    }

    /// Begins anew.
    pub(super) fn put_off(&mut self, key: LapseKey, now: Duration) {
        self.unlink(key.0);
        self.append(key.0, now);
    }

    /// It will not happen.
    pub(super) fn disarm(&mut self, key: LapseKey) {
        self.unlink(key.0);
        self.entries.remove(key.0 as usize);
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.entries.get(self.first as usize).map(|entry| entry.due)
    }

    /// Takes out the next one that is due by now.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<T> {
        let entry = self.entries.get(self.first as usize).filter(|entry| entry.due <= now)?;
        let what = entry.what;
        self.disarm(LapseKey(self.first));
        Some(what)
    }

    pub(super) fn give_back(&mut self) {
        self.entries.shrink_to_fit();
    }

    fn append(&mut self, key: u32, now: Duration) {
        let last = std::mem::replace(&mut self.last, key);
        let entry = &mut self.entries[key as usize];
        (entry.due, entry.before, entry.after) = (now.saturating_add(self.length), last, NONE);
        match self.entries.get_mut(last as usize) {
            Some(last) => last.after = key,
            None => self.first = key,
        }
    }

    fn unlink(&mut self, key: u32) {
        let Entry { before, after, .. } = self.entries[key as usize];
        match self.entries.get_mut(before as usize) {
            Some(before) => before.after = after,
            None => self.first = after,
        }
        match self.entries.get_mut(after as usize) {
            Some(after) => after.before = before,
            None => self.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_put_off_is_due_behind_the_others() {
        let mut lapses = Lapses::of(seconds(5));
        let first = lapses.arm('a', seconds(0));
        let second = lapses.arm('b', seconds(1));
        lapses.arm('c', seconds(2));
        lapses.put_off(first, seconds(3));
        assert_eq!(lapses.next(), Some(seconds(6)));
        lapses.disarm(second);
        assert_eq!(lapses.next(), Some(seconds(7)));
        assert_eq!(lapses.take_due(seconds(6)), None);
        assert_eq!([lapses.take_due(seconds(9)), lapses.take_due(seconds(9))], [Some('c'), Some('a')]);
        assert_eq!((lapses.next(), lapses.len()), (None, 0));
    }

    /// Beside a vector that is sorted whenever somebody looks.
    #[test]
    fn the_list_agrees_with_a_sorted_one() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut lapses, mut model) = (Lapses::of(seconds(10)), Vec::<(Duration, u32, LapseKey)>::new());
            let mut now = Duration::ZERO;
            for number in 0..500 {
                now += seconds(1);
                match random.u8(0..5) {
                    0 | 1 => model.push((now + seconds(10), number, lapses.arm(number, now))),
                    2 if !model.is_empty() => {
                        let one = random.usize(0..model.len());
                        lapses.put_off(model[one].2, now);
                        model[one].0 = now + seconds(10);
                    }
                    3 if !model.is_empty() => lapses.disarm(model.swap_remove(random.usize(0..model.len())).2),
                    _ => now += seconds(random.u64(0..4)),
                }
                model.sort_by_key(|(due, ..)| *due);
                assert_eq!(lapses.next(), model.first().map(|(due, ..)| *due), "seed {seed}");
                while let Some(what) = lapses.take_due(now) {
                    assert_eq!(what, model.remove(0).1, "seed {seed}");
                }
                assert_eq!(lapses.len(), model.len(), "seed {seed}");
            }
        }
    }
}
