//! What can be done to a room, as rows: how each dialect asks for it, and how each tells others of it.

use serde_json::{Value, json};

use super::person::{Ask, Dialect, Who};

/// A durable room.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) id: i64,
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) is_private: bool,
}

/// What somebody does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    Say,
    /// What they have said.
    Edit,
    Delete,
    /// Confirms to have read what the host has said.
    Confirm,
    Type(bool),
    Leave,
    Enter,
}

impl Act {
    /// In an order in which each is possible.
    pub(super) const ALL: [Self; 8] = [
        Self::Say,
        Self::Edit,
        Self::Delete,
        Self::Confirm,
        Self::Type(true),
        Self::Type(false),
        Self::Leave,
        Self::Enter,
    ];
}

/// One row of the table: somebody does something.
pub(super) struct Row<'a> {
    pub(super) act: Act,
    pub(super) room: &'a Room,
    pub(super) dialect: Dialect,
    pub(super) who: &'a Who,
    /// It is about that message.
    pub(super) message: i64,
    pub(super) text: &'a str,
    /// How many have confirmed to have read it.
    pub(super) read_by: usize,
}

impl Row<'_> {
    /// How it is asked for; nothing, if there are no words for it.
    pub(super) fn ask(&self) -> Option<Ask> {
        let Self { room, message, text, .. } = self;
        let event = |event: &str, payload: Value| Some(Ask::Frame(json!({"event": event, "payload": payload})));
        let packet = |event: &str, payload: Value| Some(Ask::Frame(json!([event, payload])));
        let http = |line: String, body: Value| Some(Ask::Http(line, body));
        let (uuid, sender) = (&room.uuid, &self.who.uuid);
        let chat = json!({"chatId": uuid});
        let conversation = json!({"conversation_id": uuid});
        match (self.dialect, self.act) {
            (Dialect::Action, _) if room.is_private => None,
            (Dialect::Action, Act::Say) => Some(Ask::Frame(json!({"action": "room_message", "message": text}))),
            (Dialect::Action, Act::Leave) => Some(Ask::Frame(json!({"action": "leave"}))),
            (Dialect::Action, Act::Enter) => Some(Ask::Frame(json!({"action": "join", "room": room.name}))),

            (Dialect::Event, Act::Say) => event("send_message", json!({"roomId": room.id, "text": text})),
            (Dialect::Event, Act::Delete) => event("delete_message", json!({"messageId": message})),
            (Dialect::Event, Act::Confirm) => event("post_readconfirmation", json!({"messageId": message})),
            (Dialect::Event, Act::Leave) => event("leave_room", json!({"roomId": room.id})),
            (Dialect::Event, Act::Enter) => event("join_room", json!({"roomId": room.id})),

            (Dialect::Chat, Act::Say) => packet("message:send", json!({"chatId": uuid, "content": text})),
            (Dialect::Chat, Act::Edit) => packet("message:edit", json!({"messageId": message, "content": text})),
            (Dialect::Chat, Act::Delete) => packet("message:delete", json!({"messageId": message})),
            (Dialect::Chat, Act::Confirm) => packet("message:read", json!({"messageId": message, "chatId": uuid})),
            (Dialect::Chat, Act::Type(true)) => packet("typing:start", chat),
            (Dialect::Chat, Act::Type(false)) => packet("typing:stop", chat),
            (Dialect::Chat, Act::Leave) => packet("chat:leave", chat),
            (Dialect::Chat, Act::Enter) => packet("chat:join", chat),

            (Dialect::Conversation, Act::Say) => {
                packet("conversation_message", json!({"conversation_id": uuid, "content": text}))
            }
            (Dialect::Conversation, Act::Edit) => {
                packet("message_edit", json!({"message_id": message, "content": text}))
            }
            (Dialect::Conversation, Act::Delete) => packet("message_delete", json!({"message_id": message})),
            (Dialect::Conversation, Act::Confirm) => packet("message_read", json!({"message_id": message})),
            (Dialect::Conversation, Act::Type(is_typing)) => {
                packet("typing", json!({"conversation_id": uuid, "is_typing": is_typing}))
            }
            (Dialect::Conversation, Act::Leave) => packet("leave_conversation", conversation),
            (Dialect::Conversation, Act::Enter) => packet("join_conversation", conversation),

            (Dialect::Stream | Dialect::Sql, _) if room.is_private => None,
            (Dialect::Stream, Act::Say) => http("POST /message".into(), json!({"content": text, "sender_id": sender})),
            (Dialect::Stream, Act::Edit) => http(format!("PATCH /message/{message}"), json!({"content": text})),
            (Dialect::Stream, Act::Delete) => http(format!("DELETE /message/{message}"), Value::Null),

            (Dialect::Api, Act::Say) => {
                http("POST /messages".into(), json!({"UserID": self.who.user, "RoomID": room.id, "Message": text}))
            }
            (Dialect::Api, Act::Delete) => http("DELETE /messages".into(), json!({"MessageID": message})),
            (Dialect::Api, Act::Confirm) => {
                http("POST /readconfirmation".into(), json!({"MessageID": message, "UserID": self.who.user}))
            }

            (Dialect::Sql, Act::Say) => Some(Ask::Sql(format!(
                "INSERT INTO messages (content, sender_id, chat_id) VALUES ('{text}', '{sender}', {})",
                room.id
            ))),
            (Dialect::Sql, Act::Edit) => {
                Some(Ask::Sql(format!("UPDATE messages SET content = '{text}' WHERE id = {message}")))
            }
            (Dialect::Sql, Act::Delete) => Some(Ask::Sql(format!("DELETE FROM messages WHERE id = {message}"))),

            (Dialect::Action | Dialect::Event | Dialect::Stream | Dialect::Api | Dialect::Sql, _) => None,
        }
    }

    /// How somebody in the room is told of it, without times; nothing, if there are no words for it.
    pub(super) fn told(&self, to: Dialect, is_self: bool) -> Option<Value> {
        match to {
            Dialect::Action => self.told_in_actions(is_self),
            Dialect::Event => self.told_in_events(is_self),
            Dialect::Chat => self.told_in_a_chat(is_self),
            Dialect::Conversation => self.told_in_a_conversation(is_self),
            Dialect::Stream => self.told_on_a_stream(),
            Dialect::Api | Dialect::Sql => None,
        }
    }

    fn told_in_actions(&self, is_self: bool) -> Option<Value> {
        let (room, text) = (&self.room.name, self.text);
        let user = self.who.connection.as_ref().unwrap_or(&self.who.uuid);
        let frame = match self.act {
            _ if is_self || self.room.is_private => return None,
            Act::Say => json!({"action": "room_message", "room": room, "user_id": user, "message": text}),
            Act::Leave => json!({"action": "leave", "room": room, "user_id": user}),
            Act::Enter => json!({"action": "join", "room": room, "user_id": user}),
            _ => return None,
        };
        Some(frame)
    }

    fn told_in_events(&self, is_self: bool) -> Option<Value> {
        let (room, message, Who { user, name, .. }) = (self.room.id, self.message, self.who);
        let presence = json!({"roomId": room, "userId": user, "username": name});
        // Who comes to a private room and goes is told of those alone who enter it in these words.
        let is_quiet = self.room.is_private && self.dialect != Dialect::Event;
        let (event, payload) = match self.act {
            Act::Say => {
                let author = json!({"messageId": message, "roomId": room, "userId": user, "username": name});
                ("new_message", with(author, json!({"text": self.text, "createdAt": "T"})))
            }
            Act::Delete => ("message_deleted", json!({"messageId": message, "roomId": room})),
            Act::Confirm => {
                let read = json!({"messageId": message, "roomId": room, "userId": user, "readAt": "T"});
                ("readconfirmation_updated", with(read, json!({"readBy": self.read_by})))
            }
            Act::Leave if !is_self && !is_quiet => ("user_left", presence),
            Act::Enter if !is_self && !is_quiet => ("user_joined", presence),
            _ => return None,
        };
        Some(json!({"event": event, "payload": payload}))
    }

    fn told_in_a_chat(&self, is_self: bool) -> Option<Value> {
        let (room, id, Who { uuid, name, .. }) = (&self.room.uuid, self.message.to_string(), self.who);
        let told = match self.act {
            Act::Say => {
                let message = json!({"id": id, "chat_id": room, "content": self.text, "message_type": "text"});
                let sender = json!({"id": uuid, "username": name});
                json!(["message:new", with(message, json!({"file": null, "sender": sender, "created_at": "T"}))])
            }
            Act::Edit => {
                json!(["message:edited", {"id": id, "chat_id": room, "content": self.text, "edited_at": "T"}])
            }
            Act::Delete => json!(["message:deleted", {"id": id, "chat_id": room}]),
            Act::Confirm => json!(["message:read", {"messageId": id, "userId": uuid, "chatId": room}]),
            Act::Type(true) if !is_self => json!(["typing:start", {"chatId": room, "userId": uuid, "username": name}]),
            Act::Type(false) if !is_self => json!(["typing:stop", {"chatId": room, "userId": uuid}]),
            _ => return None,
        };
        Some(told)
    }

    /// How many a message has reached is not in it: that is for its sender to know.
    fn told_in_a_conversation(&self, is_self: bool) -> Option<Value> {
        let (room, id, Who { uuid, name, .. }) = (&self.room.uuid, self.message.to_string(), self.who);
        let told = match self.act {
            Act::Say => {
                let event = if is_self { "message_delivered" } else { "conversation_message" };
                let sender = json!({"id": id, "sender_id": uuid, "sender_username": name, "conversation_id": room});
                json!([event, with(sender, json!({"content": self.text, "created_at": "T"}))])
            }
            Act::Edit => {
                json!(["message_edited", {"id": id, "conversation_id": room, "content": self.text, "edited_at": "T"}])
            }
            Act::Delete => json!(["message_deleted", {"id": id, "conversation_id": room}]),
            Act::Confirm => json!(["message_read", {"message_id": id, "user_id": uuid, "conversation_id": room}]),
            Act::Type(is_typing) if !is_self => {
                json!(["user_typing", {"user_id": uuid, "is_typing": is_typing, "conversation_id": room}])
            }
            _ => return None,
        };
        Some(told)
    }

    fn told_on_a_stream(&self) -> Option<Value> {
        let (kind, operation) = match self.act {
            _ if self.room.is_private => return None,
            Act::Say => ("new_message", "INSERT"),
            Act::Edit => ("updated_message", "UPDATE"),
            Act::Delete => ("deleted_message", "DELETE"),
            _ => return None,
        };
        // Of a row that another program has removed no more is known.
        let message = if (self.dialect, self.act) == (Dialect::Sql, Act::Delete) {
            json!({"content": null, "created_date": null, "sender_id": null})
        } else {
            json!({"content": self.text, "created_date": "T", "sender_id": self.who.uuid})
        };
        let data = with(message, json!({"operation": operation, "id": self.message, "file": null}));
        Some(json!({"type": kind, "data": data}))
    }
}

/// Both objects' fields.
fn with(mut object: Value, more: Value) -> Value {
    let (Some(fields), Value::Object(more)) = (object.as_object_mut(), more) else { panic!("not two objects") };
    fields.extend(more);
    object
}
