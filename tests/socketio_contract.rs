//! What holds on Socket.IO whatever a client speaks: who is told of whom, what strangers learn (nothing), how tokens are
//! taken, several namespaces on one connection, the other dialects, and coming back after a lost connection.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;
#[path = "socketio_contract/crossing.rs"]
mod crossing;
#[path = "socketio_contract/namespaces.rs"]
mod namespaces;
#[path = "socketio_contract/presence.rs"]
mod presence;
#[path = "socketio_contract/recovery.rs"]
mod recovery;
#[path = "socketio_contract/refused_recovery.rs"]
mod refused_recovery;
#[path = "socketio_contract/secrecy.rs"]
mod secrecy;
#[path = "common/socketio.rs"]
mod socketio;
#[path = "socketio_contract/tokens.rs"]
mod tokens;
#[path = "socketio_contract/vocabularies.rs"]
mod vocabularies;

const CHAT: &str = "/chat";
const CONVERSATION: &str = "/conversation";

/// A message as it is shown to those who chat.
fn message_new(room: &str, id: u32, text: &str, sender: &str) -> String {
    format!(
        r#"{{"id":"{id}","chat_id":"<{room}>","content":"{text}","message_type":"text","file":null,"sender":{{"id":"<{sender}>","username":"{sender}"}},"created_at":"T"}}"#
    )
}

/// And to those who converse.
fn conversation_message(room: &str, id: u32, text: &str, sender: &str, delivered: u32) -> String {
    format!(
        r#"{{"id":"{id}","sender_id":"<{sender}>","sender_username":"{sender}","conversation_id":"<{room}>","content":"{text}","created_at":"T","delivered":{delivered}}}"#
    )
}
