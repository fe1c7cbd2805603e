//! Socket.IO, version 5, inside Engine.IO's messages: packets in, with every check of their shape, and packets out.
//!
//! A payload stays the JSON text that it is: a packet is borrowed from its message, and what a client has sent can go
//! to others byte for byte. Bytes inside a payload follow their packet as messages of their own, and [`Assembly`] waits
//! for them.
//!
//! Which packet may come when is not decided here, and neither is which namespaces exist.

mod arguments;
mod assembly;
mod packet;
mod scan;
mod write;

pub use arguments::Arguments;
pub use assembly::{Assembly, Whole};
pub use packet::{Fault, Kind, MAX_ATTACHMENTS, MAX_ID_DIGITS, Packet};
pub use scan::MAX_DEPTH;
pub use write::{ack, connect, connect_error, disconnect, event, raw_ack, raw_event};
