//! The chat vocabulary of Socket.IO, to the letter: the complete message flow and the connection lifecycle, every event
//! that clients send and every one that they are told, on the namespace `/` and on `/chat`.

mod client_events;
mod history;
mod server_events;

use crate::common::socketio::{GRACE, Stage, Tab, all_told, none_told};
use crate::common::wait_until;

const CHAT: &str = "/chat";
const BOTH: [&str; 2] = ["/", CHAT];

/// How the first message of a chat is shown that ann has sent.
const HELLO: &str = r#"{"id":"1","chat_id":"<tea>","content":"Hello!","message_type":"text","file":null,"sender":{"id":"<ann>","username":"ann"},"created_at":"T"}"#;

/// Those who play, each with one socket: ann and bob share a chat, cid takes part in none. All that was told of their
/// coming is read.
struct Party {
    stage: Stage,
    ann: Tab,
    bob: Tab,
    cid: Tab,
}

impl Party {
    fn on(namespace: &'static str) -> Self {
        let stage = Stage::set(&[]);
        let mut bob = stage.chat("bob", namespace);
        let (ann, cid) = (stage.chat("ann", namespace), stage.chat("cid", namespace));
        bob.told("user:status", r#"{"userId":"<ann>","status":"online"}"#);
        Self { stage, ann, bob, cid }
    }

    /// Ann says something in tea, which is the message of that number; she and bob hear it.
    #[track_caller]
    fn say(&mut self, number: u32, text: &str) {
        let request = format!(r#"{{"chatId":"<tea>","content":"{text}"}}"#);
        let sent = format!(r#""id":"{number}","chat_id":"<tea>","created_at":"T","delivered":1"#);
        self.ann.ok("message:send", &request, &sent);
        let message = HELLO.replace(r#""id":"1""#, &format!(r#""id":"{number}""#)).replace("Hello!", text);
        all_told([&mut self.ann, &mut self.bob], "message:new", &message);
    }

    #[track_caller]
    fn nobody_is_told(&mut self) {
        none_told([&mut self.ann, &mut self.bob, &mut self.cid]);
    }
}

fn status(stage: &Stage, name: &str) -> String {
    stage.rows(&format!("SELECT status FROM users WHERE username = '{name}'")).remove(0).remove(0)
}

#[test]
fn the_complete_message_flow() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let updated = "SELECT updated_at FROM chats WHERE name = 'tea'";
        let before = party.stage.rows(updated);
        // User A sends a message, and wants no acknowledgement.
        party.ann.emit("message:send", r#"{"chatId":"<tea>","content":"Hello!","messageType":"text"}"#);
        // All participants, user A included, get it.
        all_told([&mut party.ann, &mut party.bob], "message:new", HELLO);
        party.nobody_is_told();
        // It is stored, and the chat was used.
        let stored = "SELECT m.id, m.content, m.message_type, u.username, m.created_date FROM messages m \
                      JOIN users u ON u.uuid = m.sender_id JOIN chats c ON c.id = m.chat_id WHERE c.name = 'tea'";
        let stored = party.stage.rows(stored);
        assert_eq!(stored[0][..4], ["1", "Hello!", "text", "ann"]);
        let after = party.stage.rows(updated);
        assert_eq!(after[0][0], stored[0][4]);
        assert!(after > before);
    }
}

#[test]
fn the_connection_lifecycle() {
    for namespace in BOTH {
        let stage = Stage::set(&[]);
        let mut bob = stage.chat("bob", namespace);
        // The client connects and shows its token; the server loads the user and their chats.
        let mut ann = stage.chat("ann", namespace);
        bob.told("user:status", r#"{"userId":"<ann>","status":"online"}"#);
        wait_until("the status in the store", || status(&stage, "ann") == "online");
        // It is in all their chats, without having joined one, and what happens reaches it.
        bob.emit("message:send", r#"{"chatId":"<tea>","content":"there?"}"#);
        let there = HELLO.replace("Hello!", "there?").replace("ann", "bob");
        all_told([&mut ann, &mut bob], "message:new", &there);
        bob.emit("typing:start", r#"{"chatId":"<tea>"}"#);
        ann.told("typing:start", r#"{"chatId":"<tea>","userId":"<bob>","username":"bob"}"#);
        // It disconnects: after a while the user is offline.
        let start = std::time::Instant::now();
        drop(ann);
        bob.told("user:status", r#"{"userId":"<ann>","status":"offline"}"#);
        // The server's clock is read once a turn.
        assert!(start.elapsed() > GRACE - std::time::Duration::from_millis(100), "{:?}", start.elapsed());
        wait_until("the status in the store", || status(&stage, "ann") == "offline");
        bob.told_nothing();
    }
}
