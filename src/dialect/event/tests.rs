//! The event dialect by example: frames in, frames out.

use std::rc::Rc;

use serde_json::{Value, json};

use super::*;
use crate::hub::{ClientMark, Name, Page, Place, Text};
use crate::id::{ConnectionId, MessageId, Reference, Uuid};
use crate::timestamp::Timestamp;

const LIMITS: Limits = Limits { max_text: 20 };
const AT: &str = "2024-01-01T12:00:00.000001Z";

fn decoded(frame: &str) -> Decoded {
    EventDialect.decode(Message::Text(frame), &LIMITS)
}

fn request(frame: &str) -> Request {
    match decoded(frame) {
        Decoded::Request(request) => request,
        other => panic!("{frame}: {other:?}"),
    }
}

fn tag(word: &'static str, id: Option<&str>) -> Tag {
    Tag { word: word.into(), id: id.map(Into::into) }
}

fn at() -> Timestamp {
    Timestamp::parse(AT).unwrap()
}

fn user(id: i64, name: &str) -> Rc<User> {
    Rc::new(User { id: UserId(id), uuid: Uuid::nil(), name: name.into() })
}

fn guest() -> Who {
    Who::Guest { connection: ConnectionId(7), uuid: Uuid::nil() }
}

fn ann() -> Who {
    Who::User { user: user(1, "Ann"), connection: Some(ConnectionId(3)) }
}

fn both(id: RoomId) -> RoomIds {
    RoomIds { id, uuid: Uuid::nil() }
}

fn stored(message: MessageId, room: RoomId) -> Stored {
    Stored { message, room: both(room), at: at(), message_type: None, file: None, direct_to: None, delivered: 0 }
}

/// The payloads of finished text frames of less than 64 KiB.
fn frames(mut wire: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while let [0x81, length, rest @ ..] = wire {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(*length), rest),
        };
        frames.push(String::from_utf8(rest[..length].to_vec()).unwrap());
        wire = &rest[length..];
    }
    assert!(wire.is_empty());
    frames
}

fn replied(reply: &Reply, tag: Option<&Tag>) -> Vec<String> {
    let mut wire = Vec::new();
    EventDialect.reply(reply, tag, &mut wire);
    frames(&wire)
}

fn told(event: &Event) -> Vec<String> {
    let mut wire = Vec::new();
    EventDialect.event(event, &mut wire);
    frames(&wire)
}

/// What the sender of a frame that can't be read is told.
fn refused(frame: &str) -> String {
    match decoded(frame) {
        Decoded::Refused(refusal, tag) => replied(&Reply::Refused(refusal), tag.as_deref()).concat(),
        other => panic!("{frame}: {other:?}"),
    }
}

#[test]
fn every_event_is_read() {
    let name = |name| Name::new(name).unwrap();
    let (room, user, message) = (Reference::Number(2), Reference::Number(1), MessageId(3));
    let text = Text::new("Hello!", 20).unwrap();
    let say = |text, client_id| Command::Say {
        to: Target::Room(room),
        text,
        client_id,
        message_type: None,
        hears_itself: true,
    };
    let newest = Page { place: Place::Newest, limit: 50 };
    let cases = [
        ("create_user", json!({"username": " Ann "}), Command::CreateUser { name: name("Ann") }),
        ("switch_user", json!({"userId": 1}), Command::SwitchUser { user }),
        ("get_users", json!(null), Command::ListUsers),
        ("get_user", json!({"userId": "1"}), Command::FindUser { user }),
        ("change_user", json!({"username": "Bea"}), Command::RenameUser { name: name("Bea") }),
        ("delete_user", json!({}), Command::DeleteUser),
        ("get_rooms", json!({}), Command::ListRooms),
        ("create_room", json!({"roomName": "R"}), Command::CreateRoom { name: name("R"), participants: None }),
        ("change_room", json!({"roomId": 2, "roomName": "S"}), Command::RenameRoom { room, name: name("S") }),
        ("delete_room", json!({"roomId": "2"}), Command::DeleteRoom { room }),
        ("join_room", json!({"roomId": 2}), Command::EnterRoom { room }),
        ("leave_room", json!({"roomId": 2}), Command::ExitRoom { room }),
        ("send_message", json!({"roomId": 2, "text": "Hello!"}), say(text.clone(), None)),
        (
            "send_message",
            json!({"roomId": 2, "text": "Hello!", "clientId": "c"}),
            say(text, Some(ClientMark::new("c").unwrap())),
        ),
        ("get_messages", json!({"roomId": 2}), Command::ReadMessages { room, page: newest }),
        (
            "get_messages",
            json!({"roomId": 2, "limit": 501, "before": "3"}),
            Command::ReadMessages { room, page: Page { place: Place::Before(message), limit: 500 } },
        ),
        ("delete_message", json!({"messageId": 3}), Command::DeleteMessage { message }),
        ("post_readconfirmation", json!({"messageId": "3"}), Command::Confirm { message }),
        ("get_readconfirmation", json!({"messageId": 3}), Command::ListReaders { message }),
    ];
    for (event, payload, command) in cases {
        let frame = json!({"event": event, "payload": payload}).to_string();
        let expected = Request { claimed_sender: None, command, tag: Some(Box::new(tag(event, None))) };
        assert_eq!(request(&frame), expected, "{frame}");
    }
}

#[test]
fn rooms_and_users_are_named_by_uuid_too() {
    let uuid = Uuid::from_u128(5);
    let frame = format!(r#"{{"event":"join_room","payload":{{"roomId":"{uuid}","userId":"{uuid}"}}}}"#);
    let expected = (Command::EnterRoom { room: Reference::Uuid(uuid) }, Some(Claim::User(Reference::Uuid(uuid))));
    let request = request(&frame);
    assert_eq!((request.command, request.claimed_sender), expected);
}

#[test]
fn a_named_sender_is_handed_to_the_hub() {
    let claim = |frame| request(frame).claimed_sender;
    let own = Some(Claim::User(Reference::Number(4)));
    assert_eq!(claim(r#"{"event":"create_room","payload":{"userId":4,"roomName":"R"}}"#), own);
    assert_eq!(claim(r#"{"event":"get_rooms","payload":{"userId":"4"}}"#), own);
    assert_eq!(claim(r#"{"event":"get_rooms","payload":{"userId":null}}"#), None);
    assert_eq!(claim(r#"{"event":"get_user","payload":{"userId":4}}"#), None);
    assert_eq!(claim(r#"{"event":"switch_user","payload":{"userId":4}}"#), None);
}

#[test]
fn the_id_comes_back_as_it_came() {
    let ids =
        ["7", "-0", "9007199254740993", "1e400", "3.140", r#""x""#, r#""\u0041\ud83d""#, r#""""#, "\"ä\u{2028}\""];
    for id in ids {
        let request = request(&format!(r#"{{"id": {id} ,"event":"get_rooms"}}"#));
        let reply = Reply::Rooms { rooms: vec![] };
        let expected =
            format!(r#"{{"event":"ack","id":{id},"payload":{{"event":"get_rooms","result":{{"rooms":[]}}}}}}"#);
        assert_eq!(replied(&reply, request.tag.as_deref()), [expected]);
    }
    assert_eq!(request(r#"{"event":"get_rooms","id":1,"id":null}"#).tag.unwrap().id, None);
}

#[test]
fn the_last_of_equal_keys_wins_and_unknown_ones_are_ignored() {
    let frame =
        r#"{"event":1,"payload":[],"event":"leave_room","payload":{"roomId":1,"x":[{}],"roomId":2},"y":"\ud83d"}"#;
    assert_eq!(request(frame).command, Command::ExitRoom { room: Reference::Number(2) });
}

/// An error's event, code and sentence.
fn error(frame: &str) -> (Value, String, String) {
    let frame: Value = serde_json::from_str(&refused(frame)).unwrap();
    assert_eq!(frame["event"], "error");
    let text = |key: &str| frame["payload"][key].as_str().unwrap().to_owned();
    (frame["payload"]["event"].clone(), text("code"), text("message"))
}

#[test]
fn a_frame_that_does_not_say_what_it_asks_is_refused() {
    let cases = [
        ("[]", "a message must be a JSON object"),
        ("{", "a message must be a JSON object"),
        (r#"{"event":"get_rooms","payload":[}"#, "a message must be a JSON object"),
        ("{}", "event is missing"),
        (r#"{"event":null}"#, "event is missing"),
        (r#"{"event":7}"#, "event must be a string"),
        (r#"{"event":"\ud83d"}"#, "event must be a string"),
    ];
    for (frame, sentence) in cases {
        assert_eq!(error(frame), (Value::Null, "bad_request".into(), sentence.into()), "{frame}");
    }
    assert_eq!(
        refused(r#"{"id":7}"#),
        r#"{"event":"error","id":7,"payload":{"event":null,"code":"bad_request","message":"event is missing"}}"#
    );
    let binary = EventDialect.decode(Message::Binary(b"{}"), &LIMITS);
    assert!(matches!(binary, Decoded::Refused(Refusal::Malformed(sentence), _) if sentence.contains("binary")));
}

#[test]
fn an_unknown_event_is_said_back_shortened() {
    for word in ["", "ack", "Get_rooms", "__proto__", &"é".repeat(64)] {
        let (_, code, sentence) = error(&json!({"event": word}).to_string());
        assert_eq!((code.as_str(), sentence), ("unknown_event", format!("there is no {word:?} here")));
    }
    let (event, ..) = error(&json!({"event": "é".repeat(65)}).to_string());
    assert_eq!(event, format!("{}…", "é".repeat(64)));
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("get_rooms", "[]", "payload must be a JSON object"),
        ("get_rooms", "\"x\"", "payload must be a JSON object"),
        ("send_message", r#"{"roomId":1,"text":"\ud83d"}"#, "payload has half a character, or a number beyond measure"),
        ("send_message", r#"{"roomId":1e999}"#, "payload has half a character, or a number beyond measure"),
        ("create_user", "null", "username is missing"),
        ("create_user", r#"{"username":7}"#, "username must be a string"),
        ("create_user", r#"{"username":" "}"#, "username must be 1 to 64 characters"),
        ("create_room", r#"{"roomName":"a\u0007"}"#, "roomName must not contain control characters"),
        ("change_room", r#"{"roomName":"a"}"#, "roomId is missing"),
        ("switch_user", "{}", "userId is missing"),
        ("get_user", r#"{"userId":0}"#, "userId must be a positive integer or a UUID"),
        ("get_users", r#"{"userId":"me"}"#, "userId must be a positive integer or a UUID"),
        ("join_room", r#"{"roomId":1.5}"#, "roomId must be a positive integer or a UUID"),
        ("send_message", r#"{"roomId":1}"#, "text is missing"),
        ("send_message", r#"{"roomId":1,"text":""}"#, "text must be 1 to 20 bytes"),
        ("send_message", r#"{"roomId":1,"text":"x","clientId":7}"#, "clientId must be a string"),
        ("send_message", r#"{"roomId":1,"text":"x","clientId":""}"#, "clientId must be 1 to 64 characters"),
        ("get_messages", r#"{"roomId":1,"limit":0}"#, "limit must be a positive integer"),
        ("get_messages", r#"{"roomId":1,"limit":"x"}"#, "limit must be a positive integer"),
        ("get_messages", r#"{"roomId":1,"before":-1}"#, "before must be a positive integer"),
        ("delete_message", "{}", "messageId is missing"),
        ("get_readconfirmation", r#"{"messageId":[]}"#, "messageId must be a positive integer"),
    ];
    for (event, payload, sentence) in cases {
        let frame = format!(r#"{{"event":"{event}","payload":{payload},"id":"q"}}"#);
        assert_eq!(error(&frame), (event.into(), "bad_request".into(), sentence.into()), "{frame}");
        assert!(refused(&frame).starts_with(r#"{"event":"error","id":"q","payload":{"#));
    }
    for id in ["[7]", "{}", "true", &format!("\"{}\"", "x".repeat(MAX_ID_BYTES))] {
        let (event, code, sentence) = error(&format!(r#"{{"event":"get_rooms","id":{id}}}"#));
        assert_eq!((event, code.as_str()), ("get_rooms".into(), "bad_request"));
        assert!(sentence.starts_with("id must be "), "{sentence}");
    }
    let deep = format!(r#"{{"event":"get_rooms","payload":{}"#, "[".repeat(60_000));
    assert_eq!(error(&deep).1, "bad_request");
}

#[test]
fn every_refusal_has_its_code() {
    let cases = [
        (Refusal::NotIdentified, "not_identified"),
        (Refusal::NotYourId, "forbidden"),
        (Refusal::Forbidden("no"), "forbidden"),
        (Refusal::NotAMember, "not_a_member"),
        (Refusal::NotFound("no"), "not_found"),
        (Refusal::NameTaken("no"), "already_exists"),
        (Refusal::TooMany("no".into()), "rate_limited"),
        (Refusal::Unavailable("no".into()), "unavailable"),
    ];
    for (refusal, code) in cases {
        let said = replied(&Reply::Refused(refusal), Some(&tag("create_room", Some("7")))).concat();
        let start =
            format!(r#"{{"event":"error","id":7,"payload":{{"event":"create_room","code":"{code}","message":""#);
        assert!(said.starts_with(&start), "{said}");
    }
}

#[test]
fn results_are_written_to_the_letter() {
    let listed = |id: Option<i64>, owner: Option<i64>| ListedRoom {
        name: "R".into(),
        id: id.map(RoomId),
        owner: owner.map(UserId),
        members: 3,
    };
    let ann = || user(1, "Ann");
    let reader = Reader { user: UserId(1), name: "Ann".into(), at: at() };
    let (message, room) = (MessageId(3), RoomId(2));
    let cases = [
        ("create_user", Reply::User { user: ann(), online: true }, r#"{"userId":1,"username":"Ann"}"#.to_owned()),
        (
            "get_user",
            Reply::User { user: ann(), online: false },
            r#"{"userId":1,"username":"Ann","online":false}"#.into(),
        ),
        (
            "get_users",
            Reply::Users { users: vec![(ann(), true)] },
            r#"{"users":[{"userId":1,"username":"Ann","online":true}]}"#.into(),
        ),
        ("delete_user", Reply::UserDeleted { user: UserId(1) }, r#"{"userId":1}"#.into()),
        (
            "get_rooms",
            Reply::Rooms { rooms: vec![listed(Some(2), Some(1)), listed(None, None), listed(Some(1), None)] },
            r#"{"rooms":[{"roomId":2,"roomName":"R","ownerId":1,"memberCount":3},{"roomId":1,"roomName":"R","ownerId":null,"memberCount":3}]}"#
                .into(),
        ),
        ("create_room", Reply::Room { room: both(room), name: "\"R\"".into() }, r#"{"roomId":2,"roomName":"\"R\""}"#.into()),
        ("delete_room", Reply::RoomDeleted { id: room }, r#"{"roomId":2}"#.into()),
        ("join_room", Reply::Entered { room: both(room) }, r#"{"roomId":2}"#.into()),
        ("leave_room", Reply::Exited { room: both(room) }, r#"{"roomId":2}"#.into()),
        (
            "send_message",
            Reply::Said { from: None, text: "Hello!".into(), stored: stored(message, room).into() },
            format!(r#"{{"messageId":3,"roomId":2,"createdAt":"{AT}"}}"#),
        ),
        ("delete_message", Reply::MessageDeleted { message }, r#"{"messageId":3}"#.into()),
        (
            "post_readconfirmation",
            Reply::Confirmed { message, user: UserId(1), at: at() },
            format!(r#"{{"messageId":3,"userId":1,"readAt":"{AT}"}}"#),
        ),
        (
            "get_readconfirmation",
            Reply::Readers { message, readers: vec![reader] },
            format!(r#"{{"messageId":3,"readers":[{{"userId":1,"username":"Ann","readAt":"{AT}"}}]}}"#),
        ),
    ];
    for (event, reply, result) in cases {
        let frame = format!(r#"{{"event":"ack","payload":{{"event":"{event}","result":{result}}}}}"#);
        assert_eq!(replied(&reply, Some(&tag(event, None))), [frame]);
    }
}

#[test]
fn pages_tell_where_the_next_begins() {
    let record = |id: i64, user: Option<i64>, username: &str| MessageRecord {
        id: MessageId(id),
        user: user.map(UserId),
        sender: Uuid::nil(),
        username: username.into(),
        text: "Hi".into(),
        at: at(),
        read_by: 2,
        read_self: user.is_some(),
        message_type: "text".into(),
        file: None,
        edited_at: None,
        reactions: Vec::new(),
        direct_to: None,
        transaction: None,
    };
    let result = |messages: Vec<MessageRecord>, has_more: bool| {
        let reply = Reply::Messages { room: both(RoomId(2)), messages, has_more };
        let frame = replied(&reply, Some(&tag("get_messages", None))).concat();
        let start = r#"{"event":"ack","payload":{"event":"get_messages","result":"#;
        frame.strip_prefix(start).unwrap().strip_suffix("}}").unwrap().to_owned()
    };
    let first = format!(
        r#"{{"messageId":5,"roomId":2,"userId":null,"username":"guest-7","text":"Hi","createdAt":"{AT}","readBy":2,"readSelf":false}}"#
    );
    let second = first.replace(":5,", ":6,").replace("null", "1").replace("guest-7", "Ann").replace("false", "true");
    let messages = || vec![record(5, None, "guest-7"), record(6, Some(1), "Ann")];
    assert_eq!(result(messages(), true), format!(r#"{{"messages":[{first},{second}],"nextBefore":5}}"#));
    assert_eq!(result(messages(), false), format!(r#"{{"messages":[{first},{second}],"nextBefore":null}}"#));
    assert_eq!(result(vec![], false), r#"{"messages":[],"nextBefore":null}"#);
}

#[test]
fn broadcasts_are_written_to_the_letter() {
    let (message, room, name): (_, _, Rc<str>) = (MessageId(3), RoomId(2), "R".into());
    let joined = |who, id, is_again| Event::Joined { room: "R".into(), id, who, is_again };
    let left = |who, id, is_still_there| Event::Left { room: "R".into(), id, who, is_still_there };
    let said = |from| {
        let stored = Some(stored(message, room));
        Event::RoomMessage { room: "R".into(), from, text: "Hi \"you\"".into(), stored: stored.map(Into::into) }
    };
    let cases = [
        (
            joined(ann(), Some(room), false),
            r#""user_joined","payload":{"roomId":2,"userId":1,"username":"Ann"}"#.to_owned(),
        ),
        (
            left(guest(), Some(room), false),
            r#""user_left","payload":{"roomId":2,"userId":null,"username":"guest-7"}"#.into(),
        ),
        (
            said(ann()),
            format!(
                r#""new_message","payload":{{"messageId":3,"roomId":2,"userId":1,"username":"Ann","text":"Hi \"you\"","createdAt":"{AT}"}}"#
            ),
        ),
        (
            said(guest()),
            format!(
                r#""new_message","payload":{{"messageId":3,"roomId":2,"userId":null,"username":"guest-7","text":"Hi \"you\"","createdAt":"{AT}"}}"#
            ),
        ),
        (
            Event::UserRenamed { user: user(1, "Ann") },
            r#""user_updated","payload":{"userId":1,"username":"Ann"}"#.into(),
        ),
        (Event::UserDeleted { user: UserId(1) }, r#""user_deleted","payload":{"userId":1}"#.into()),
        (
            Event::RoomCreated { id: room, name: name.clone(), owner: Some(UserId(1)) },
            r#""room_created","payload":{"roomId":2,"roomName":"R","userId":1}"#.into(),
        ),
        (
            Event::RoomRenamed { id: room, name: name.clone() },
            r#""room_updated","payload":{"roomId":2,"roomName":"R"}"#.into(),
        ),
        (Event::RoomDeleted { id: room }, r#""room_deleted","payload":{"roomId":2}"#.into()),
        (
            Event::MessageDeleted { message, room: both(room), direct_to: None, was: None },
            r#""message_deleted","payload":{"messageId":3,"roomId":2}"#.into(),
        ),
        (
            Event::Confirmed {
                message,
                room: both(room),
                direct_to: None,
                user: UserId(1),
                user_uuid: Uuid::nil(),
                at: at(),
                read_by: 4,
            },
            format!(
                r#""readconfirmation_updated","payload":{{"messageId":3,"roomId":2,"userId":1,"readAt":"{AT}","readBy":4}}"#
            ),
        ),
    ];
    for (event, rest) in cases {
        assert_eq!(told(&event), [format!(r#"{{"event":{rest}}}"#)]);
    }
    let silent = [
        joined(ann(), None, false),
        joined(ann(), Some(room), true),
        left(ann(), None, false),
        left(ann(), Some(room), true),
        switched(None, false, false),
        switched(Some(room), true, true),
        Event::RoomMessage { room: name.clone(), from: guest(), text: "x".into(), stored: None },
        Event::PrivateMessage { from: ConnectionId(7), text: "x".into() },
        Event::Expelled { room: name },
    ];
    for event in silent {
        assert!(told(&event).is_empty(), "{event:?}");
    }
    assert!(replied(&Reply::Welcome { id: ConnectionId(7) }, None).is_empty());
}

#[test]
fn who_becomes_another_leaves_and_joins() {
    let left = r#"{"event":"user_left","payload":{"roomId":2,"userId":null,"username":"guest-7"}}"#;
    let joined = r#"{"event":"user_joined","payload":{"roomId":2,"userId":1,"username":"Ann"}}"#;
    for (is_still_there, is_again, frames) in
        [(false, false, vec![left, joined]), (true, false, vec![joined]), (false, true, vec![left])]
    {
        assert_eq!(told(&switched(Some(RoomId(2)), is_still_there, is_again)), frames);
    }
}

fn switched(id: Option<RoomId>, is_still_there: bool, is_again: bool) -> Event {
    Event::Switched { id, from: guest(), to: ann(), is_still_there, is_again }
}
