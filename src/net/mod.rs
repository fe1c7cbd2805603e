//! Bytes and places: the listener, the sockets, what is owed to each, and what is due when. Nothing of chat.

pub mod allowance;
pub mod deadline;
pub mod listener;
pub mod outbox;
pub mod socket;
