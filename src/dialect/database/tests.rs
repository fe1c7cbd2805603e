//! The database API by example: requests in, answers out.

use std::rc::Rc;

use http::header::{ALLOW, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::hub::{ClientMark, Name, Stored, Text};
use crate::id::{RoomIds, Uuid};
use crate::timestamp::Timestamp;

const LIMITS: Limits = Limits { max_text: 20 };
const AT: &str = "2024-01-01T12:00:00.000001Z";

fn decoded(method: &str, target: &str, body: &[u8]) -> Result<Request, Answer> {
    let request = http::Request::builder().method(method).uri(target).body(()).unwrap();
    Database.decode(&request, body, &LIMITS)
}

/// The status and the sentence of a refusal.
fn error(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.content_type, body.as_object().unwrap().len()), ("application/json", 1));
    (answer.status.as_u16(), body["error"].as_str().unwrap().to_owned())
}

fn whole(reply: &Reply, word: &'static str) -> (u16, String) {
    match Database.answer(reply, Some(&tagged(word))) {
        Answered::Whole(answer) => (answer.status.as_u16(), answer.body),
        part => panic!("{part:?}"),
    }
}

fn at() -> Timestamp {
    Timestamp::parse(AT).unwrap()
}

fn record(id: i64, user: Option<i64>) -> MessageRecord {
    MessageRecord {
        id: MessageId(id),
        user: user.map(UserId),
        sender: Uuid::nil(),
        username: "Ann".into(),
        text: "Hi \"you\"".into(),
        at: at(),
        read_by: 1,
        read_self: false,
        message_type: "text".into(),
        file: None,
        edited_at: None,
        reactions: Vec::new(),
        direct_to: None,
        transaction: None,
    }
}

fn both(id: RoomId) -> RoomIds {
    RoomIds { id, uuid: Uuid::nil() }
}

fn stored(message: MessageId, room: RoomId) -> Stored {
    Stored { message, room: both(room), at: at(), message_type: None, file: None, direct_to: None, delivered: 0 }
}

#[test]
fn every_request_is_read() {
    let name = |name| Name::new(name).unwrap();
    let (user, room, message) = (Reference::Number(1), Reference::Number(2), MessageId(3));
    let text = Text::new("Hello!", 20).unwrap();
    let say = |text, client_id| Command::Say {
        to: Target::Room(room),
        text,
        client_id,
        message_type: None,
        hears_itself: true,
    };
    let all = Page { place: Place::After(MessageId(0)), limit: PART_MESSAGES };
    let one = |place, limit| Command::ReadMessages { room, page: Page { place, limit } };
    let uuid = Uuid::from_u128(5);
    let cases = [
        ("POST /user", json!({"Username": "Ann"}), making(None, Command::CreateUser { name: name("Ann") })),
        ("GET /user", json!(null), Command::ListUsers.into()),
        ("HEAD /user?", json!(null), Command::ListUsers.into()),
        ("GET /user?UserID=1", json!(null), Command::FindUser { user }.into()),
        (
            "GET /user?UserID=00000000-0000-0000-0000-000000000005",
            json!(null),
            Command::FindUser { user: Reference::Uuid(uuid) }.into(),
        ),
        ("PATCH /user", json!({"UserID": 1, "Name": "B"}), acting(user, Command::RenameUser { name: name("B") })),
        ("DELETE /user", json!({"UserID": "1"}), acting(user, Command::DeleteUser)),
        (
            "POST /rooms",
            json!({"UserID": 1, "Roomname": "R"}),
            making(Some(user), Command::CreateRoom { name: name("R"), participants: None }),
        ),
        (
            "POST /rooms",
            json!({"UserID": 1, "Roomname": "R", "Private": true, "Members": [2, "2", uuid.to_string()]}),
            making(
                Some(user),
                Command::CreateRoom {
                    name: name("R"),
                    participants: Some(vec![Reference::Number(2), Reference::Number(2), Reference::Uuid(uuid)]),
                },
            ),
        ),
        (
            "POST /rooms",
            json!({"UserID": 1, "Roomname": "R", "Private": true}),
            making(Some(user), Command::CreateRoom { name: name("R"), participants: Some(vec![]) }),
        ),
        ("GET /rooms", json!(null), Command::ListRooms.into()),
        ("PATCH /rooms", json!({"RoomID": 2, "Name": "S"}), Command::RenameRoom { room, name: name("S") }.into()),
        ("DELETE /rooms", json!({"RoomID": 2}), Command::DeleteRoom { room }.into()),
        (
            "POST /messages",
            json!({"UserID": 1, "RoomID": 2, "Message": "Hello!"}),
            making(Some(user), say(text.clone(), None)),
        ),
        (
            "POST /messages",
            json!({"UserID": 1, "RoomID": 2, "Message": "Hello!", "clientId": "c"}),
            making(Some(user), say(text, Some(ClientMark::new("c").unwrap()))),
        ),
        (
            "GET /messages?RoomID=2",
            json!(null),
            Request {
                claimed_sender: None,
                command: Command::ReadMessages { room, page: all },
                tag: Some(tagged(FIRST_PART)),
            },
        ),
        ("GET /messages?RoomID=9&Room%49D=2&limit=1000", json!(null), one(Place::Newest, 1_000).into()),
        ("GET /messages?&x&before=3&RoomID=%32", json!(null), one(Place::Before(message), 50).into()),
        ("GET /messages?before=3&limit=1&RoomID=2", json!(null), one(Place::Before(message), 1).into()),
        ("DELETE /messages", json!({"MessageID": 3}), Command::DeleteMessage { message }.into()),
        (
            "POST /readconfirmation",
            json!({"MessageID": "3", "UserID": 1}),
            making(Some(user), Command::Confirm { message }),
        ),
        ("GET /readconfirmation?MessageID=3", json!(null), Command::ListReaders { message }.into()),
    ];
    for (line, body, expected) in cases {
        let (method, target) = line.split_once(' ').unwrap();
        assert_eq!(decoded(method, target, body.to_string().as_bytes()), Ok(expected), "{line}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let body_cases: [(&str, &[u8], &str); 16] = [
        ("POST /user", b"", "the body must be a JSON object"),
        ("POST /user", b"[1]", "the body must be a JSON object"),
        ("POST /user", b"{\"Username\":\"\\ud83d\"}", "the body must be a JSON object"),
        ("POST /user", b"{\"Username\":\"\xff\"}", "the body must be UTF-8"),
        ("POST /user", b"{}", "Username is missing"),
        ("POST /user", b"{\"Username\":7}", "Username must be a string"),
        ("PATCH /user", b"{\"Name\":\"B\"}", "UserID is missing"),
        ("DELETE /user", b"{\"UserID\":0}", "UserID must be a positive integer or a UUID"),
        ("POST /rooms", b"{\"Roomname\":\"R\"}", "UserID is missing"),
        ("POST /rooms", b"{\"UserID\":1,\"Roomname\":\" \"}", "Roomname must be 1 to 64 characters"),
        ("POST /rooms", b"{\"UserID\":1,\"Roomname\":\"R\",\"Private\":1}", "Private must be true or false"),
        (
            "POST /rooms",
            b"{\"UserID\":1,\"Roomname\":\"R\",\"Private\":true,\"Members\":[true]}",
            "Members must be a list of positive integers or UUIDs",
        ),
        (
            "POST /rooms",
            b"{\"UserID\":1,\"Roomname\":\"R\",\"Members\":[2]}",
            "Members are for a room that has \"Private\": true",
        ),
        ("POST /messages", b"{\"UserID\":1,\"RoomID\":2}", "Message is missing"),
        ("DELETE /messages", b"{\"MessageID\":\"x\"}", "MessageID must be a positive integer"),
        ("POST /readconfirmation", b"{\"MessageID\":1}", "UserID is missing"),
    ];
    let query_cases = [
        ("GET /user?UserID=x", "UserID must be a positive integer or a UUID"),
        ("GET /user?UserID=", "UserID must be a positive integer or a UUID"),
        ("GET /messages", "RoomID is missing"),
        ("GET /messages?RoomID=1&limit=0", "limit must be 1 to 1000"),
        ("GET /messages?RoomID=1&limit=1001", "limit must be 1 to 1000"),
        ("GET /messages?RoomID=1&limit=ten", "limit must be 1 to 1000"),
        ("GET /messages?RoomID=1&before=0", "before must be a positive integer"),
        ("GET /messages?RoomID=1&before=+1", "before must be a positive integer"),
        ("GET /readconfirmation?", "MessageID is missing"),
        ("GET /rooms?x=%ff", "the query string must be UTF-8"),
        ("GET /rooms?+%c0%af", "the query string must be UTF-8"),
    ];
    for (line, body, sentence) in body_cases.into_iter().chain(query_cases.map(|(line, said)| (line, &b""[..], said))) {
        let (method, target) = line.split_once(' ').unwrap();
        let refusal = decoded(method, target, body).expect_err(line);
        assert_eq!(error(&refusal), (400, sentence.into()), "{line}");
    }
}

#[test]
fn other_methods_are_told_which_are_taken() {
    let cases = [
        ("PUT", "/user", "POST, GET, HEAD, PATCH, DELETE"),
        ("OPTIONS", "/messages", "POST, GET, HEAD, DELETE"),
        ("PATCH", "/readconfirmation", "POST, GET, HEAD"),
        ("get", "/rooms", "POST, GET, HEAD, PATCH, DELETE"),
    ];
    for (method, path, allowed) in cases {
        let refusal = decoded(method, path, b"").unwrap_err();
        assert_eq!(error(&refusal), (405, format!("only {allowed} are taken here")));
        assert_eq!(refusal.headers, [(ALLOW, HeaderValue::try_from(allowed).unwrap())]);
    }
}

#[test]
fn answers_are_written_to_the_letter() {
    let ann = || Rc::new(User { id: UserId(1), uuid: Uuid::nil(), name: "Ann".into() });
    let (message, room) = (MessageId(3), RoomId(2));
    let listed =
        |id: Option<i64>| ListedRoom { name: "R".into(), id: id.map(RoomId), owner: Some(UserId(1)), members: 4 };
    let reader = Reader { user: UserId(1), name: "Ann".into(), at: at() };
    let shown = format!(
        r#"[{{"MessageID":3,"RoomID":2,"UserID":null,"Username":"Ann","Message":"Hi \"you\"","CreatedAt":"{AT}"}}]"#
    );
    let cases = [
        (MAKES, Reply::User { user: ann(), online: true }, 201, r#"{"ID":1,"Username":"Ann"}"#.to_owned()),
        ("", Reply::User { user: ann(), online: true }, 200, r#"{"ID":1,"Username":"Ann"}"#.into()),
        ("", Reply::Users { users: vec![(ann(), true)] }, 200, r#"[{"ID":1,"Username":"Ann"}]"#.into()),
        ("", Reply::UserDeleted { user: UserId(1) }, 200, r#"{"message":"User deleted"}"#.into()),
        (MAKES, Reply::Room { room: both(room), name: "R".into() }, 201, r#"{"ID":2,"Name":"R"}"#.into()),
        ("", Reply::Room { room: both(room), name: "R".into() }, 200, r#"{"ID":2,"Name":"R"}"#.into()),
        (
            "",
            Reply::Rooms { rooms: vec![listed(None), listed(Some(2))] },
            200,
            r#"[{"ID":2,"Name":"R","UserID":1,"MemberCount":4}]"#.into(),
        ),
        ("", Reply::RoomDeleted { id: room }, 200, r#"{"message":"Room deleted"}"#.into()),
        (
            MAKES,
            Reply::Said { from: None, text: "Hello!".into(), stored: stored(message, room).into() },
            201,
            r#"{"message":"Message created","MessageID":3}"#.into(),
        ),
        ("", Reply::Messages { room: both(room), messages: vec![record(3, None)], has_more: true }, 200, shown.clone()),
        (
            FIRST_PART,
            Reply::Messages { room: both(room), messages: vec![record(3, None)], has_more: false },
            200,
            shown,
        ),
        (FIRST_PART, Reply::Messages { room: both(room), messages: vec![], has_more: false }, 200, "[]".into()),
        ("", Reply::MessageDeleted { message }, 200, r#"{"message":"Message deleted"}"#.into()),
        (
            MAKES,
            Reply::Confirmed { message, user: UserId(1), at: at() },
            201,
            format!(r#"{{"MessageID":3,"UserID":1,"ReadAt":"{AT}"}}"#),
        ),
        (
            "",
            Reply::Readers { message, readers: vec![reader] },
            200,
            format!(r#"[{{"UserID":1,"Username":"Ann","ReadAt":"{AT}"}}]"#),
        ),
    ];
    for (word, reply, status, body) in cases {
        assert_eq!(whole(&reply, word), (status, body), "{reply:?}");
    }
}

#[test]
fn refusals_have_their_status() {
    let cases = [
        (Refusal::Malformed("no".into()), 400),
        (Refusal::NotIdentified, 400),
        (Refusal::Forbidden("no"), 403),
        (Refusal::NotAMember, 403),
        (Refusal::NotFound("no"), 404),
        (Refusal::NameTaken("no"), 409),
        (Refusal::TooMany("no".into()), 429),
        (Refusal::Unavailable("no".into()), 503),
    ];
    for (refusal, status) in cases {
        for word in ["", MAKES, FIRST_PART, LATER_PART] {
            let (answered, body) = whole(&Reply::Refused(refusal.clone()), word);
            assert!(answered == status && body.starts_with(r#"{"error":""#), "{refusal:?}: {answered} {body}");
        }
    }
    assert_eq!(error(&Database.refuse(StatusCode::UNAUTHORIZED, "no \"key\"")), (401, "no \"key\"".into()));
    assert_eq!(whole(&Reply::Welcome { id: crate::id::ConnectionId(1) }, "").0, 500);
}

/// The pages of one list, each answered to what was to be asked after the one before.
fn in_parts(pages: &[&[i64]]) -> Value {
    let mut request = Some(decoded("GET", "/messages?RoomID=2", b"").unwrap());
    let mut body = String::new();
    for (place, page) in pages.iter().enumerate() {
        let asked = request.take().expect("more is asked for");
        let messages = page.iter().map(|&id| record(id, Some(1))).collect();
        let reply = Reply::Messages { room: both(RoomId(2)), messages, has_more: place + 1 < pages.len() };
        match Database.answer(&reply, asked.tag.as_deref()) {
            Answered::Whole(answer) => body.push_str(&answer.body),
            Answered::Part { part, next } => {
                assert_eq!((part.status, part.content_type), (StatusCode::OK, "application/json"));
                body.push_str(&part.body);
                request = next;
            }
            Answered::Live(..) => panic!("nothing follows here"),
        }
        if let (Some(next), Some(&last)) = (&request, page.last()) {
            let page = Page { place: Place::After(MessageId(last)), limit: PART_MESSAGES };
            assert_eq!(next.command, Command::ReadMessages { room: Reference::Number(2), page });
        }
    }
    assert!(request.is_none(), "nothing more is asked for");
    let messages: Vec<Value> = serde_json::from_str(&body).expect(&body);
    messages.iter().map(|message| message["MessageID"].clone()).collect()
}

#[test]
fn a_list_comes_out_right_over_parts() {
    assert_eq!(in_parts(&[&[]]), json!([]));
    assert_eq!(in_parts(&[&[1, 2]]), json!([1, 2]));
    assert_eq!(in_parts(&[&[1, 2], &[3]]), json!([1, 2, 3]));
    assert_eq!(in_parts(&[&[1], &[2, 4], &[7, 8]]), json!([1, 2, 4, 7, 8]));
    // All that was to follow has been deleted meanwhile.
    assert_eq!(in_parts(&[&[1], &[]]), json!([1]));
}
