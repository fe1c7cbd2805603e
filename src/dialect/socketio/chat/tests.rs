//! The chat vocabulary by example: events in, events and acknowledgements out.

use super::super::Conversation;
use super::super::testing::*;
use super::*;
use crate::hub::job::RoomRecord;
use crate::hub::{ClientMark, Emoji, MessageType, Name, Page, Place, Text};
use crate::id::{MessageId, Reference, RoomId, UserId, Uuid};

fn record() -> MessageRecord {
    MessageRecord {
        id: MessageId(3),
        user: Some(UserId(1)),
        sender: Uuid::from_u128(1),
        username: "Ann".into(),
        text: "Hello!".into(),
        at: at(),
        read_by: 6,
        read_self: true,
        message_type: "text".into(),
        file: None,
        edited_at: None,
        reactions: Vec::new(),
        direct_to: None,
        transaction: None,
    }
}

#[test]
fn every_event_is_read() {
    let (room, message) = (Reference::Number(2), MessageId(3));
    let (text, emoji) = (Text::new("Hello!", 20).unwrap(), Emoji::new("👍").unwrap());
    let (in_room, to_user) = (Target::Room(room), Target::User(Reference::Number(1)));
    let say = |client_id: Option<&str>, message_type: Option<&str>| Command::Say {
        to: in_room,
        text: text.clone(),
        client_id: client_id.map(|mark| ClientMark::new(mark).unwrap()),
        message_type: message_type.map(|word| MessageType::new(word).unwrap()),
        hears_itself: true,
    };
    let name = Name::new("tea").unwrap();
    let participants = Some(vec![Reference::Number(1), Reference::Uuid(Uuid::from_u128(5)), Reference::Number(4)]);
    let read = |place, limit| Command::ReadMessages { room, page: Page { place, limit } };
    let cases = [
        (
            r#""chat:create",{"name":" tea ","participants":[1,"<5>","4"]}"#,
            Command::CreateRoom { name: name.clone(), participants },
        ),
        (r#""chat:create",{"name":"tea","participants":[]}"#, Command::CreateRoom { name, participants: Some(vec![]) }),
        (r#""chat:list""#, Command::ListChats),
        (r#""chat:list",null"#, Command::ListChats),
        (r#""chat:list",{}"#, Command::ListChats),
        (r#""chat:join",{"chatId":2}"#, Command::EnterRoom { room }),
        (r#""chat:join",{"chatId":"<5>"}"#, Command::EnterRoom { room: Reference::Uuid(Uuid::from_u128(5)) }),
        (r#""chat:leave",{"chatId":"2"},"another",7"#, Command::ExitRoom { room }),
        (r#""message:send",{"chatId":2,"content":"Hello!"}"#, say(None, None)),
        (
            r#""message:send",{"chatId":2,"content":"Hello!","messageType":"image","clientId":"c"}"#,
            say(Some("c"), Some("image")),
        ),
        (
            r#""message:edit",{"messageId":"3","content":"Hello!"}"#,
            Command::EditMessage { message, text: text.clone() },
        ),
        (r#""message:delete",{"messageId":3}"#, Command::DeleteMessage { message }),
        (
            r#""message:react",{"messageId":"3","emoji":"👍"}"#,
            Command::React { message, emoji: emoji.clone(), is_removed: false },
        ),
        (
            r#""message:react",{"messageId":"3","emoji":"👍","remove":true}"#,
            Command::React { message, emoji, is_removed: true },
        ),
        (r#""message:read",{"messageId":"3"}"#, Command::Confirm { message }),
        (r#""message:read",{"messageId":"3","chatId":"<2>"}"#, Command::Confirm { message }),
        (r#""message:list",{"chatId":2}"#, read(Place::Newest, 50)),
        (r#""message:list",{"chatId":2,"before":"3","limit":501}"#, read(Place::Before(message), 500)),
        (r#""typing:start",{"chatId":2}"#, Command::Type { to: in_room, is_typing: true }),
        (r#""typing:stop",{"chatId":2}"#, Command::Type { to: in_room, is_typing: false }),
        (
            r#""call:signal",{"chatId":2,"data":{ "sdp" : [1e999] }}"#,
            Command::Signal { to: in_room, data: blob(r#"{ "sdp" : [1e999] }"#, &[]) },
        ),
        (
            r#""call:signal",{"userId":1,"data":"\u0041"}"#,
            Command::Signal { to: to_user, data: blob(r#""\u0041""#, &[]) },
        ),
    ];
    for (event, command) in cases {
        assert_eq!(request(&Chat, event), command.into(), "{event}");
    }
}

#[test]
fn its_events_are_known_to_no_other_vocabulary() {
    assert!(WORDS.iter().all(|(word, _)| Chat.knows(word) && !Conversation.knows(word)));
    for other in ["", "5", "message:new", "private_message", "chat:join "] {
        assert!(!Chat.knows(other), "{other}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let cases = [
        (r#""chat:create",{"participants":[]}"#, "name is missing"),
        (r#""chat:create",{"name":"\n","participants":[]}"#, "name must be 1 to 64 characters"),
        (r#""chat:create",{"name":"tea"}"#, "participants is missing"),
        (
            r#""chat:create",{"name":"tea","participants":[0]}"#,
            "participants must be a list of positive integers or UUIDs",
        ),
        (r#""chat:list",[]"#, "payload must be a JSON object"),
        (r#""chat:join""#, "chatId is missing"),
        (r#""chat:join",2"#, "payload must be a JSON object"),
        (r#""chat:join",{"chatId":true}"#, "chatId must be a positive integer or a UUID"),
        (r#""chat:leave",{"chatId":null}"#, "chatId is missing"),
        (r#""message:send",{"content":"x"}"#, "chatId is missing"),
        (r#""message:send",{"chatId":2}"#, "content is missing"),
        (r#""message:send",{"chatId":2,"content":7}"#, "content must be a string"),
        (r#""message:send",{"chatId":2,"content":""}"#, "content must be 1 to 20 bytes"),
        (r#""message:send",{"chatId":2,"content":"012345678901234567890"}"#, "content must be 1 to 20 bytes"),
        (
            r#""message:send",{"chatId":2,"content":"\ud83d"}"#,
            "payload has half a character, or a number beyond measure",
        ),
        (
            r#""message:send",{"chatId":2,"content":"x","messageType":"a b"}"#,
            "messageType must be 1 to 32 letters, digits, - or _",
        ),
        (r#""message:send",{"chatId":2,"content":"x","clientId":""}"#, "clientId must be 1 to 64 characters"),
        (r#""message:edit",{"content":"x"}"#, "messageId is missing"),
        (r#""message:edit",{"messageId":"3"}"#, "content is missing"),
        (r#""message:delete",{"messageId":"<3>"}"#, "messageId must be a positive integer"),
        (r#""message:react",{"messageId":"3"}"#, "emoji is missing"),
        (
            r#""message:react",{"messageId":"3","emoji":" "}"#,
            "emoji must be 1 to 32 characters, none of them a control character",
        ),
        (r#""message:react",{"messageId":"3","emoji":"x","remove":1}"#, "remove must be true or false"),
        (r#""message:read",{"chatId":2}"#, "messageId is missing"),
        (r#""message:list",{}"#, "chatId is missing"),
        (r#""message:list",{"chatId":2,"limit":0}"#, "limit must be a positive integer"),
        (r#""message:list",{"chatId":2,"before":"x"}"#, "before must be a positive integer"),
        (r#""typing:start",{}"#, "chatId is missing"),
        (r#""typing:stop",{}"#, "chatId is missing"),
        (r#""call:signal",{"data":1}"#, "chatId or userId is missing"),
        (r#""call:signal",{"chatId":2,"userId":1,"data":1}"#, "only one of chatId, userId may be given"),
        (r#""call:signal",{"chatId":2}"#, "data is missing"),
    ];
    for (event, sentence) in cases {
        assert_eq!(malformed(&Chat, event, &[]), sentence, "{event}");
    }
}

#[test]
fn bytes_belong_into_signals() {
    let bytes = [vec![1, 2], vec![3]];
    let data = r#"{"a":[{"_placeholder":true,"num":1}],"b":{"num":0,"_placeholder":true}}"#;
    let event = format!(r#""call:signal",{{"chatId":2,"data":{data}}}"#);
    let Decoded::Request(request) = decoded(&Chat, &event, &bytes) else { panic!("refused") };
    let to = Target::Room(Reference::Number(2));
    assert_eq!(request.command, Command::Signal { to, data: blob(data, &[&[1, 2], &[3]]) });

    let place = r#"{"_placeholder":true,"num":0}"#;
    let astray = [
        format!(r#""call:signal",{{"chatId":2,"data":1,"more":{place}}}"#),
        format!(r#""call:signal",{{"chatId":2,"data":1}},{place}"#),
        r#""call:signal",{"chatId":2,"data":{"_placeholder":true,"num":1}}"#.into(),
        r#""call:signal",{"chatId":2,"data":{"_placeholder":true,"num":-1}}"#.into(),
        r#""call:signal",{"chatId":2,"data":{"_placeholder":true}}"#.into(),
        r#""call:signal",{"chatId":2,"data":{"_placeholder":false,"num":0}}"#.into(),
        format!(r#""message:send",{{"chatId":2,"content":"x","file":{place}}}"#),
        format!(r#""chat:list",{{"x":{place}}}"#),
    ];
    for event in astray {
        let sentence = "bytes have a place in the data of a call's signal alone";
        assert_eq!(malformed(&Chat, &event, &bytes[..1]), sentence, "{event}");
    }
    let sentence = malformed(&Chat, &format!(r#""call:signal",{{"chatId":2,"data":{place}}}"#), &bytes);
    assert_eq!(sentence, "bytes have a place in the data of a call's signal alone");
}

#[test]
fn every_event_is_told() {
    let (message, room, user, at) = (MessageId(3), room(), user(), at());
    let uuid = user.uuid;
    let typing = |room, is_typing| Event::Typing { user: user.clone(), room, is_typing };
    let direct = Stored { direct_to: Some(Uuid::from_u128(5)), ..stored() };
    let image = Stored { message_type: Some("image".into()), file: Some("a.png".into()), ..stored() };
    let cases = [
        (
            said(ann(), stored()),
            r#"42["message:new",{"id":"3","chat_id":"<2>","content":"Hello!","message_type":"text","file":null,"sender":{"id":"<1>","username":"Ann"},"created_at":"<at>"}]"#,
        ),
        (
            said(guest(), direct),
            r#"42["message:new",{"id":"3","chat_id":"<2>","content":"Hello!","message_type":"text","file":null,"sender":{"id":"<7>","username":"guest-7"},"created_at":"<at>"}]"#,
        ),
        (
            said(ann(), image),
            r#"42["message:new",{"id":"3","chat_id":"<2>","content":"Hello!","message_type":"image","file":"a.png","sender":{"id":"<1>","username":"Ann"},"created_at":"<at>"}]"#,
        ),
        (
            Event::Edited { message, room, direct_to: None, text: "Bye".into(), at, was: None },
            r#"42["message:edited",{"id":"3","chat_id":"<2>","content":"Bye","edited_at":"<at>"}]"#,
        ),
        (
            Event::MessageDeleted { message, room, direct_to: None, was: None },
            r#"42["message:deleted",{"id":"3","chat_id":"<2>"}]"#,
        ),
        (
            Event::Reacted { message, room, direct_to: None, user: uuid, emoji: "👍".into(), is_removed: true },
            r#"42["message:reaction",{"messageId":"3","chatId":"<2>","userId":"<1>","emoji":"👍","removed":true}]"#,
        ),
        (
            Event::Confirmed { message, room, direct_to: None, user: user.id, user_uuid: uuid, at, read_by: 6 },
            r#"42["message:read",{"messageId":"3","userId":"<1>","chatId":"<2>"}]"#,
        ),
        (typing(Some(room), true), r#"42["typing:start",{"chatId":"<2>","userId":"<1>","username":"Ann"}]"#),
        (typing(Some(room), false), r#"42["typing:stop",{"chatId":"<2>","userId":"<1>"}]"#),
        (Event::Presence { user: uuid, is_online: true }, r#"42["user:status",{"userId":"<1>","status":"online"}]"#),
        (Event::Presence { user: uuid, is_online: false }, r#"42["user:status",{"userId":"<1>","status":"offline"}]"#),
        (
            Event::ChatCreated { room, name: "tea".into(), owner: Some(uuid), participants: [user.clone()].into() },
            r#"42["chat:new",{"id":"<2>","name":"tea","owner_id":"<1>","participants":[{"id":"<1>","username":"Ann"}]}]"#,
        ),
        (
            Event::Signal { user: user.clone(), room: Some(room), data: blob(r#"{ "a" : 1e999 }"#, &[]) },
            r#"42["call:signal",{"userId":"<1>","chatId":"<2>","data":{ "a" : 1e999 }}]"#,
        ),
        (
            Event::Signal { user: user.clone(), room: None, data: blob("[]", &[]) },
            r#"42["call:signal",{"userId":"<1>","data":[]}]"#,
        ),
    ];
    for (event, packet) in cases {
        assert_eq!(told(&Chat, &event), [spelt(packet)]);
    }
    let silent = [
        typing(None, true),
        Event::RoomMessage { room: "tea".into(), from: ann(), text: "Hello!".into(), stored: None },
        Event::Joined { room: "tea".into(), id: Some(room.id), who: ann(), is_again: false },
        Event::Left { room: "tea".into(), id: Some(room.id), who: ann(), is_still_there: false },
        Event::RoomRenamed { id: room.id, name: "tea".into() },
        Event::UserRenamed { user: user.clone() },
    ];
    for event in silent {
        assert!(told(&Chat, &event).is_empty(), "{event:?}");
    }
}

#[test]
fn every_request_is_acknowledged() {
    let (message, room, at) = (MessageId(3), room(), at());
    let edited = MessageRecord {
        edited_at: Some(at),
        reactions: vec![("👍".into(), 2)],
        message_type: "image".into(),
        file: Some("a.png".into()),
        ..record()
    };
    let chat = |name: &str, last| ChatRecord {
        room: RoomRecord {
            id: RoomId(2),
            uuid: room.uuid,
            name: name.into(),
            owner: None,
            is_private: true,
            direct: None,
        },
        updated_at: at,
        unread: 1,
        last,
    };
    let cases = [
        (Reply::Room { room, name: "tea".into() }, r#"{"ok":true,"chatId":"<2>"}"#),
        (Reply::Entered { room }, r#"{"ok":true,"chatId":"<2>"}"#),
        (Reply::Exited { room }, r#"{"ok":true,"chatId":"<2>"}"#),
        (
            Reply::Chats(vec![chat("tea", Some(record())), chat("new", None)]),
            r#"{"ok":true,"chats":[{"id":"<2>","name":"tea","updated_at":"<at>","unread":1,"last_message":{"id":"3","chat_id":"<2>","content":"Hello!","message_type":"text","file":null,"sender":{"id":"<1>","username":"Ann"},"created_at":"<at>"}},{"id":"<2>","name":"new","updated_at":"<at>","unread":1,"last_message":null}]}"#,
        ),
        (
            Reply::Said { from: Some(ann()), text: "Hello!".into(), stored: stored().into() },
            r#"{"ok":true,"id":"3","chat_id":"<2>","created_at":"<at>","delivered":4}"#,
        ),
        (Reply::Edited { message, at, text: "new".into(), was: None }, r#"{"ok":true,"id":"3","edited_at":"<at>"}"#),
        (Reply::MessageDeleted { message }, r#"{"ok":true,"id":"3"}"#),
        (Reply::Reacted { message }, r#"{"ok":true,"id":"3"}"#),
        (Reply::Confirmed { message, user: UserId(1), at }, r#"{"ok":true,"id":"3","read_at":"<at>"}"#),
        (
            Reply::Messages { room, messages: vec![edited], has_more: true },
            r#"{"ok":true,"messages":[{"id":"3","chat_id":"<2>","content":"Hello!","message_type":"image","file":"a.png","sender":{"id":"<1>","username":"Ann"},"created_at":"<at>","edited_at":"<at>","read_by":6,"reactions":[{"emoji":"👍","count":2}]}],"next":"3"}"#,
        ),
        (
            Reply::Messages { room, messages: vec![record()], has_more: false },
            r#"{"ok":true,"messages":[{"id":"3","chat_id":"<2>","content":"Hello!","message_type":"text","file":null,"sender":{"id":"<1>","username":"Ann"},"created_at":"<at>","edited_at":null,"read_by":6,"reactions":[]}],"next":null}"#,
        ),
        (Reply::Messages { room, messages: vec![], has_more: false }, r#"{"ok":true,"messages":[],"next":null}"#),
        (Reply::Passed, r#"{"ok":true}"#),
    ];
    for (reply, ack) in cases {
        assert_eq!(replied(&Chat, &reply), [spelt(&format!("4312[{ack}]"))]);
        assert!(replied_without_ack(&Chat, &reply).is_empty(), "{reply:?}");
    }
}
