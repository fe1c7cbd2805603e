//! Who comes back, and has heard so much before, perhaps on another node: what they have missed is read, and joined without
//! a gap to what is told in its turn.

use super::super::committed::{Pending, Purpose};
use super::super::job::{Done, Job, Missed, Outcome, Ticket};
use super::super::{Answer, Hub};
use crate::id::{Mark, MessageId, SlotKey};

pub(super) fn is_of_return(outcome: &Outcome) -> bool {
    match outcome {
        Ok(Done::Attended(attended)) => attended.missed.is_some(),
        outcome => matches!(outcome, Ok(Done::Missed { .. })),
    }
}

impl Hub {
    /// Of what was read for somebody who comes back, what is going to be told in its turn is left out. Yields how far one
    /// has heard who has heard the rest.
    pub(in super::super) fn trim(&self, missed: &mut Missed, mark: Mark) -> Mark {
        let Some(told) = self.nodes.told() else { return mark };
        let is_told = |transaction: Option<i64>| transaction.is_none_or(|at| at <= told.transaction);
        // Of what nodes write, later ids belong to later transactions.
        let untold = missed.messages.iter().filter(|(_, message)| !is_told(message.transaction));
        let before = untold.map(|(_, message)| MessageId(message.id.0 - 1)).min();
        missed.messages.retain(|(_, message)| is_told(message.transaction));
        let count = missed.changes.len();
        missed.changes.retain(|change| is_told(change.transaction));
        let change = if missed.changes.len() < count { mark.change.min(self.mark().change) } else { mark.change };
        Mark { message: before.unwrap_or(mark.message).min(mark.message), change }
    }

    /// Has the store read what somebody has missed who comes back. If they may have heard more on another node than was
    /// told here so far, that is told first, lest they hear it twice; and so is what is read just now, since that was not
    /// read for them.
    pub(in super::super) fn read_return(&mut self, slot: SlotKey, since: Mark, job: Job, purpose: Purpose) -> Answer {
        let is_reading = self.nodes.0.as_ref().is_some_and(|cluster| cluster.order.is_reading());
        if self.nodes.told().is_some_and(|told| told.mark.max(since) != told.mark) {
            self.catch_up();
        } else if !is_reading {
            return self.submit(slot, job, purpose);
        }
        let ticket = self.next_ticket();
        self.pending.insert(ticket, Pending { asker: Some(slot), by: None, purpose });
        if let Some(cluster) = &mut self.nodes.0 {
            cluster.order.put_off.push((ticket, job));
        }
        Answer::Later(ticket)
    }

    /// They may still be there.
    pub(super) fn begin_return(&mut self, put_off: Ticket, job: Job) {
        let Some(pending) = self.pending.remove(&put_off) else { return };
        let Some(slot) = pending.asker else { return };
        let ticket = self.give(job, pending);
        if let Some(session) = self.session_mut(slot) {
            session.await_instead(put_off, ticket);
        }
    }
}
