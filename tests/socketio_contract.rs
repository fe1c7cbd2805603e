//! What holds on Socket.IO whatever a client speaks: who is told of whom, what strangers learn (nothing), how tokens are
//! taken, several namespaces on one connection, the other dialects, and coming back after a lost connection.

mod crossing;
mod namespaces;
mod presence;
mod recovery;
mod refused_recovery;
mod secrecy;
mod tokens;
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
