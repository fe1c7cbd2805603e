//! Engine.IO, version 4, for the server's side: packets in and out over either of its two transports, the handshake,
//! and the answers to its HTTP requests.
//!
//! On a WebSocket each packet is a message. In long-polling packets are strung together with [`SEPARATOR`] between
//! them: a POST brings what the client has to say, and a GET is held until there is something to hear. What a session
//! is owed is therefore written for the [`Carriage`] that it has now, and rewritten by [`reframe`] when it changes to a
//! WebSocket.
//!
//! WebTransport and the versions before 4 are not spoken.

mod answer;
mod carriage;
mod handshake;
mod packet;

pub use answer::{Refusal, poll_answer, post_answer};
pub use carriage::{Bare, Carriage, poll_body, reframe};
pub use handshake::{Handshake, Query, Sid};
pub use packet::{Fault, Packet, Payload};

/// Stands between two packets in long-polling. No packet may contain it: JSON never does.
pub const SEPARATOR: u8 = 0x1e;
