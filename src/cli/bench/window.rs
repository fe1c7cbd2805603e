//! How many messages are on their way, exactly: a message is outstanding until every member of its room has it. `load`
//! keeps one window for each room, or for its own members of a room that is spread over several threads.
//!
//! All members of a room see the same messages in one order, so a count for each member is enough: the message that is
//! somebody's fifth is everybody's fifth, and who said it does not matter.

/// The messages of one room, as its members here have received them.
pub(super) struct Window {
    members: u32,
    /// How many may be outstanding.
    limit: u64,
    /// How many all members here have.
    complete: u64,
    /// How many members have the message of that number, for those numbers that may be outstanding; a ring.
    reached: Box<[u32]>,
}

impl Window {
    /// For a room with so many members here.
    pub(super) fn new(members: usize, limit: usize) -> Self {
        // A power of two, so that finding a place takes no division.
        let reached = vec![0; (limit + 1).next_power_of_two()].into();
        Self { members: members as u32, limit: limit as u64, complete: 0, reached }
    }

    /// A member has its `number`th message, counted from 1. False: so many have not been sent.
    #[must_use]
    pub(super) fn arrived(&mut self, number: u64) -> bool {
        if number > self.complete + self.limit {
            return false;
        }
        let place = self.place(number);
        self.reached[place] += 1;
        if self.reached[place] == self.members && number == self.complete + 1 {
            self.advance();
        }
        true
    }

    fn advance(&mut self) {
        loop {
            let place = self.place(self.complete + 1);
            if self.reached[place] != self.members {
                return;
            }
            self.reached[place] = 0;
            self.complete += 1;
        }
    }

    fn place(&self, number: u64) -> usize {
        number as usize & (self.reached.len() - 1)
    }

    /// How many messages all members here have.
    pub(super) fn complete(&self) -> u64 {
        self.complete
    }

    /// How many more may be sent, if so many were and all members everywhere have `complete` of them.
    pub(super) fn free(&self, sent: u64, complete: u64) -> usize {
        (complete + self.limit).saturating_sub(sent) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_outstanding_until_the_last_member_has_it() {
        let mut window = Window::new(3, 2);
        assert_eq!(window.free(0, window.complete()), 2);
        for _ in 0..2 {
            assert!(window.arrived(1));
            assert_eq!(window.free(2, window.complete()), 0);
        }
        // Two members are ahead; what counts is the last one.
        assert!(window.arrived(2) && window.arrived(2));
        assert_eq!(window.complete(), 0);
        assert!(window.arrived(1));
        assert_eq!((window.complete(), window.free(2, 1)), (1, 1));
        assert!(window.arrived(2));
        assert_eq!((window.complete(), window.free(2, 2)), (2, 2));
    }

    #[test]
    fn one_that_lags_by_the_whole_window_holds_everybody_back() {
        let mut window = Window::new(2, 5);
        for number in 1..=5 {
            assert!(window.arrived(number));
        }
        assert_eq!(window.complete(), 0);
        for number in 1..=5 {
            assert!(window.arrived(number));
            assert_eq!(window.complete(), number);
        }
    }

    #[test]
    fn what_was_not_sent_cannot_arrive() {
        let mut window = Window::new(1, 2);
        assert!(!window.arrived(3));
        assert!(window.arrived(1) && window.arrived(2) && window.arrived(3));
        assert!(!window.arrived(6));
    }

    #[test]
    fn any_order_within_the_window_comes_out_right() {
        for seed in 0..200 {
            let (members, limit) = (1 + seed as usize % 5, 1 + seed as usize % 7);
            let mut window = Window::new(members, limit);
            let mut received = vec![0_u64; members];
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..1_000 {
                let slowest = received.iter().copied().min().unwrap();
                assert_eq!(window.complete(), slowest);
                let member = random.usize(0..members);
                if received[member] < slowest + limit as u64 {
                    received[member] += 1;
                    assert!(window.arrived(received[member]));
                }
            }
        }
    }
}
