//! The wire protocols as pure machines: bytes in, values out, and the reverse. No socket, no clock, no chat.

pub mod engineio;
pub mod http;
pub mod socketio;
pub mod sse;
pub mod token;
pub mod websocket;
