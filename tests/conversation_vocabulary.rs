//! The conversation vocabulary of Socket.IO, to the letter: the rows of its tables by the names of the events, on the
//! namespace `/` and on `/conversation`.

mod connection;
mod messages;
mod rooms;
mod twins;

use crate::common::socketio::{Stage, Tab, all_told, none_told};

const CONVERSATION: &str = "/conversation";
const BOTH: [&str; 2] = ["/", CONVERSATION];

const TEA: &str = r#"{"conversation_id":"<tea>"}"#;
const TEA_ACK: &str = r#""conversation_id":"<tea>""#;

/// Those who play, each with one socket: ann and bob have joined tea, of which cid is no participant. All that was told of
/// their coming is read.
struct Party {
    stage: Stage,
    ann: Tab,
    bob: Tab,
    cid: Tab,
}

impl Party {
    fn on(namespace: &'static str) -> Self {
        let stage = Stage::set(&[]);
        let mut bob = stage.conversation("bob", namespace);
        let (mut ann, cid) = (stage.conversation("ann", namespace), stage.conversation("cid", namespace));
        bob.told("user_online", r#"{"user_id":"<ann>"}"#);
        ann.ok("join_conversation", TEA, TEA_ACK);
        bob.ok("join_conversation", TEA, TEA_ACK);
        Self { stage, ann, bob, cid }
    }

    /// Ann says something in tea, which is the message of that number, and bob hears it.
    #[track_caller]
    fn say(&mut self, number: u32, text: &str) {
        let message = in_tea(number, text, "ann", 1);
        let request = format!(r#"{{"conversation_id":"<tea>","content":"{text}"}}"#);
        self.ann.ok_after("conversation_message", &request, ["message_delivered", &message], fields(&message));
        self.bob.told("conversation_message", &message);
    }

    /// Something is told to ann and bob alone.
    #[track_caller]
    fn both_told(&mut self, event: &str, payload: &str) {
        all_told([&mut self.ann, &mut self.bob], event, payload);
        self.nobody_is_told();
    }

    #[track_caller]
    fn nobody_is_told(&mut self) {
        none_told([&mut self.ann, &mut self.bob, &mut self.cid]);
    }
}

/// A message as it is shown.
fn message(id: u32, text: &str, sender: &str, place: &str, delivered: u32) -> String {
    format!(
        r#"{{"id":"{id}","sender_id":"<{sender}>","sender_username":"{sender}",{place},"content":"{text}","created_at":"T","delivered":{delivered}}}"#
    )
}

fn in_tea(id: u32, text: &str, sender: &str, delivered: u32) -> String {
    message(id, text, sender, TEA_ACK, delivered)
}

fn direct(id: u32, text: &str, sender: &str, recipient: &str, delivered: u32) -> String {
    message(id, text, sender, &format!(r#""recipient_id":"<{recipient}>""#), delivered)
}

/// What stands in an object.
fn fields(object: &str) -> &str {
    object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap()
}
