//! The conversation vocabulary by example: events in, events and acknowledgements out.

use std::rc::Rc;

use super::super::testing::*;
use super::*;
use crate::hub::{ClientMark, Emoji, Text};
use crate::id::{MessageId, Reference, UserId, Uuid};
use crate::proto::engineio::Carriage;

const IN_ROOM: &str = r#"{"id":"3","sender_id":"<1>","sender_username":"Ann","conversation_id":"<2>","content":"Hello!","created_at":"<at>","delivered":4}"#;
const DIRECT: &str = r#"{"id":"3","sender_id":"<7>","sender_username":"guest-7","recipient_id":"<5>","content":"Hello!","created_at":"<at>","delivered":4}"#;

fn direct() -> Stored {
    Stored { direct_to: Some(Uuid::from_u128(5)), ..stored() }
}

#[test]
fn every_event_is_read() {
    let (room, message) = (Reference::Number(2), MessageId(3));
    let (text, emoji) = (Text::new("Hello!", 20).unwrap(), Emoji::new("👍").unwrap());
    let (in_room, to_user) = (Target::Room(room), Target::User(Reference::Uuid(Uuid::from_u128(5))));
    let say = |to, client_id: Option<&str>| Command::Say {
        to,
        text: text.clone(),
        client_id: client_id.map(|mark| ClientMark::new(mark).unwrap()),
        message_type: None,
        hears_itself: false,
    };
    let signal = |to| Command::Signal { to, data: blob("[1]", &[]) };
    let cases = [
        (r#""join_conversation",{"conversation_id":2}"#, Command::EnterRoom { room }),
        (r#""leave_conversation",{"conversation_id":"2"},"another""#, Command::ExitRoom { room }),
        (r#""private_message",{"recipient_id":"<5>","content":"Hello!"}"#, say(to_user, None)),
        (r#""private_message",{"recipient_id":"<5>","content":"Hello!","client_id":"c"}"#, say(to_user, Some("c"))),
        (r#""conversation_message",{"conversation_id":2,"content":"Hello!"}"#, say(in_room, None)),
        (r#""conversation_message",{"conversation_id":2,"content":"Hello!","client_id":"c"}"#, say(in_room, Some("c"))),
        (r#""typing",{"conversation_id":2,"is_typing":true}"#, Command::Type { to: in_room, is_typing: true }),
        (
            r#""typing",{"recipient_id":"<5>","conversation_id":null,"is_typing":false}"#,
            Command::Type { to: to_user, is_typing: false },
        ),
        (
            r#""message_edit",{"message_id":"3","content":"Hello!"}"#,
            Command::EditMessage { message, text: text.clone() },
        ),
        (r#""message_delete",{"message_id":3}"#, Command::DeleteMessage { message }),
        (
            r#""message_react",{"message_id":"3","emoji":"👍"}"#,
            Command::React { message, emoji: emoji.clone(), is_removed: false },
        ),
        (
            r#""message_react",{"message_id":"3","emoji":"👍","remove":true}"#,
            Command::React { message, emoji, is_removed: true },
        ),
        (r#""message_read",{"message_id":"3"}"#, Command::Confirm { message }),
        (r#""call_signal",{"conversation_id":2,"data":[1]}"#, signal(in_room)),
        (r#""call_signal",{"user_id":"<5>","data":[1]}"#, signal(to_user)),
        (r#""call_signal",{"recipient_id":"<5>","data":[1]}"#, signal(to_user)),
    ];
    for (event, command) in cases {
        assert_eq!(request(&Conversation, event), command.into(), "{event}");
    }
}

#[test]
fn a_named_sender_is_handed_to_the_hub() {
    let own = Some(Claim::User(Reference::Uuid(Uuid::from_u128(1))));
    let claims = [
        r#""private_message",{"recipient_id":5,"content":"x","sender_id":"<1>"}"#,
        r#""conversation_message",{"conversation_id":2,"content":"x","sender_id":"<1>"}"#,
        r#""typing",{"recipient_id":5,"is_typing":true,"user_id":"<1>"}"#,
    ];
    for event in claims {
        assert_eq!(request(&Conversation, event).claimed_sender, own, "{event}");
    }
}

#[test]
fn every_event_is_known() {
    assert!(WORDS.iter().all(|(word, _)| Conversation.knows(word)));
    for other in ["", "5", "message_delivered", "message:send", "Typing"] {
        assert!(!Conversation.knows(other), "{other}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let no_id = "must be a positive integer or a UUID";
    let cases = [
        (r#""join_conversation""#, "conversation_id is missing".into()),
        (r#""join_conversation","tea""#, "payload must be a JSON object".into()),
        (r#""join_conversation",{"conversation_id":"tea"}"#, format!("conversation_id {no_id}")),
        (r#""leave_conversation",{}"#, "conversation_id is missing".into()),
        (r#""private_message",{"content":"x"}"#, "recipient_id is missing".into()),
        (r#""private_message",{"recipient_id":5}"#, "content is missing".into()),
        (r#""private_message",{"recipient_id":5,"content":""}"#, "content must be 1 to 20 bytes".into()),
        (r#""private_message",{"recipient_id":5,"content":"x","sender_id":"me"}"#, format!("sender_id {no_id}")),
        (r#""private_message",{"recipient_id":5,"content":"x","client_id":7}"#, "client_id must be a string".into()),
        (r#""conversation_message",{"content":"x"}"#, "conversation_id is missing".into()),
        (r#""conversation_message",{"conversation_id":2,"content":[]}"#, "content must be a string".into()),
        (r#""typing",{"is_typing":true}"#, "conversation_id or recipient_id is missing".into()),
        (
            r#""typing",{"conversation_id":2,"recipient_id":5,"is_typing":true}"#,
            "only one of conversation_id, recipient_id may be given".into(),
        ),
        (r#""typing",{"conversation_id":2}"#, "is_typing is missing".into()),
        (r#""typing",{"conversation_id":2,"is_typing":"yes"}"#, "is_typing must be true or false".into()),
        (r#""typing",{"conversation_id":2,"is_typing":true,"user_id":0}"#, format!("user_id {no_id}")),
        (r#""message_edit",{"content":"x"}"#, "message_id is missing".into()),
        (r#""message_edit",{"message_id":3}"#, "content is missing".into()),
        (r#""message_delete",{}"#, "message_id is missing".into()),
        (r#""message_react",{"message_id":3}"#, "emoji is missing".into()),
        (r#""message_react",{"message_id":3,"emoji":"x","remove":"x"}"#, "remove must be true or false".into()),
        (r#""message_read",{"message_id":0}"#, "message_id must be a positive integer".into()),
        (r#""call_signal",{"data":1}"#, "conversation_id or user_id or recipient_id is missing".into()),
        (
            r#""call_signal",{"user_id":1,"recipient_id":5,"data":1}"#,
            "only one of conversation_id, user_id, recipient_id may be given".into(),
        ),
        (r#""call_signal",{"user_id":1}"#, "data is missing".into()),
    ];
    for (event, sentence) in cases {
        assert_eq!(malformed(&Conversation, event, &[]), sentence, "{event}");
    }
    let astray = malformed(&Conversation, r#""typing",{"conversation_id":2,"is_typing":true}"#, &[vec![1]]);
    assert_eq!(astray, "bytes have a place in the data of a call's signal alone");
}

#[test]
fn every_event_is_told() {
    let (message, room, user, at) = (MessageId(3), room(), user(), at());
    let uuid = user.uuid;
    let cases = [
        (said(ann(), stored()), format!(r#"42["conversation_message",{IN_ROOM}]"#)),
        (said(guest(), direct()), format!(r#"42["private_message",{DIRECT}]"#)),
        (
            Event::Edited { message, room, direct_to: None, text: "Bye".into(), at, was: None },
            r#"42["message_edited",{"id":"3","conversation_id":"<2>","content":"Bye","edited_at":"<at>"}]"#.into(),
        ),
        (
            Event::MessageDeleted { message, room, direct_to: None, was: None },
            r#"42["message_deleted",{"id":"3","conversation_id":"<2>"}]"#.into(),
        ),
        (
            Event::Reacted { message, room, direct_to: None, user: uuid, emoji: "👍".into(), is_removed: false },
            r#"42["message_reaction",{"message_id":"3","conversation_id":"<2>","user_id":"<1>","emoji":"👍","removed":false}]"#.into(),
        ),
        (
            Event::Confirmed { message, room, direct_to: None, user: user.id, user_uuid: uuid, at, read_by: 6 },
            r#"42["message_read",{"message_id":"3","user_id":"<1>","conversation_id":"<2>"}]"#.into(),
        ),
        (
            Event::Typing { user: Rc::clone(&user), room: Some(room), is_typing: true },
            r#"42["user_typing",{"user_id":"<1>","is_typing":true,"conversation_id":"<2>"}]"#.into(),
        ),
        (
            Event::Typing { user: Rc::clone(&user), room: None, is_typing: false },
            r#"42["user_typing",{"user_id":"<1>","is_typing":false}]"#.into(),
        ),
        (Event::Presence { user: uuid, is_online: true }, r#"42["user_online",{"user_id":"<1>"}]"#.into()),
        (Event::Presence { user: uuid, is_online: false }, r#"42["user_offline",{"user_id":"<1>"}]"#.into()),
        (
            Event::Signal { user: Rc::clone(&user), room: Some(room), data: blob(r#"{ "a":1.0}"#, &[]) },
            r#"42["call_signal",{"user_id":"<1>","conversation_id":"<2>","data":{ "a":1.0}}]"#.into(),
        ),
        (
            Event::Signal { user: Rc::clone(&user), room: None, data: blob("7", &[]) },
            r#"42["call_signal",{"user_id":"<1>","data":7}]"#.into(),
        ),
    ];
    for (event, packet) in cases {
        assert_eq!(told(&Conversation, &event), [spelt(&packet)]);
    }
    let silent = [
        Event::RoomMessage { room: "tea".into(), from: ann(), text: "Hello!".into(), stored: None },
        Event::Joined { room: "tea".into(), id: Some(room.id), who: ann(), is_again: false },
        Event::Left { room: "tea".into(), id: Some(room.id), who: ann(), is_still_there: false },
        Event::ChatCreated { room, name: "tea".into(), owner: None, participants: [].into() },
        Event::UserRenamed { user },
    ];
    for event in silent {
        assert!(told(&Conversation, &event).is_empty(), "{event:?}");
    }
}

#[test]
fn every_request_is_acknowledged() {
    let (message, room, at) = (MessageId(3), room(), at());
    let cases = [
        (Reply::Entered { room }, r#"{"ok":true,"conversation_id":"<2>"}"#),
        (Reply::Exited { room }, r#"{"ok":true,"conversation_id":"<2>"}"#),
        (Reply::Edited { message, at, text: "new".into(), was: None }, r#"{"ok":true,"id":"3","edited_at":"<at>"}"#),
        (Reply::MessageDeleted { message }, r#"{"ok":true,"id":"3"}"#),
        (Reply::Reacted { message }, r#"{"ok":true,"id":"3"}"#),
        (Reply::Confirmed { message, user: UserId(1), at }, r#"{"ok":true,"id":"3","read_at":"<at>"}"#),
        (Reply::Passed, r#"{"ok":true}"#),
    ];
    for (reply, ack) in cases {
        assert_eq!(replied(&Conversation, &reply), [spelt(&format!("4312[{ack}]"))]);
        assert!(replied_without_ack(&Conversation, &reply).is_empty(), "{reply:?}");
    }
}

#[test]
fn a_sender_is_told_of_the_delivery() {
    for (from, stored, message) in [(ann(), stored(), IN_ROOM), (guest(), direct(), DIRECT)] {
        let reply = Reply::Said { from: Some(from), text: "Hello!".into(), stored: stored.into() };
        let delivered = spelt(&format!(r#"42["message_delivered",{message}]"#));
        let ack = spelt(&format!(r#"4312[{{"ok":true,{}]"#, &message[1..]));
        assert_eq!(replied(&Conversation, &reply), [delivered.clone(), ack]);
        assert_eq!(replied_without_ack(&Conversation, &reply), [delivered]);
    }
}

#[test]
fn a_newcomer_is_told_who_is_here() {
    let online = vec![Uuid::from_u128(1), Uuid::from_u128(5)];
    let attended = Attended { user: user(), online, mark: mark(0, 0), missed: None, has_chosen: false };
    let told = packets(Carriage::WebSocket, "/", |out| Conversation.welcome(&attended, out));
    assert_eq!(told, [spelt(r#"42["online_users",{"users":["<1>","<5>"]}]"#)]);
}
