//! The stream dialect by example: here answers and events, to the letter; in `requests` what is asked.

mod requests;

use std::rc::Rc;

use serde_json::{Value, json};

use super::*;
use crate::hub::{Stored, Who};
use crate::id::{ChangeId, ConnectionId, RoomId, RoomIds, Uuid};

const AT: &str = "2024-01-01T12:00:00.000001Z";
const SENDER: &str = "123e4567-e89b-12d3-a456-426614174000";

/// The status, the sentence, and the field of a refusal.
fn error(answer: &Answer) -> (u16, String, Option<String>) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let fields = 1 + usize::from(text("field").is_some());
    assert_eq!((answer.content_type, body.as_object().unwrap().len()), ("application/json", fields));
    (answer.status.as_u16(), text("error").unwrap(), text("field"))
}

fn whole(reply: &Reply, word: &'static str) -> (u16, String) {
    match Stream.answer(reply, Some(&Tag { word: word.into(), id: None })) {
        Answered::Whole(answer) => (answer.status.as_u16(), answer.body),
        part => panic!("{part:?}"),
    }
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn at() -> Timestamp {
    Timestamp::parse(AT).unwrap()
}

fn sender() -> Uuid {
    SENDER.parse().unwrap()
}

fn mark(message: i64, change: i64) -> Mark {
    Mark { message: MessageId(message), change: ChangeId(change) }
}

fn ids() -> RoomIds {
    RoomIds { id: RoomId(1), uuid: Uuid::nil() }
}

fn record(id: i64, at: Timestamp) -> MessageRecord {
    MessageRecord {
        id: MessageId(id),
        user: None,
        sender: sender(),
        username: "guest-123e4567".into(),
        text: "Hi \"you\" 👋".into(),
        at,
        read_by: 0,
        read_self: false,
        message_type: "text".into(),
        file: (id == 2).then(|| "a.pdf".into()),
        edited_at: None,
        reactions: Vec::new(),
        direct_to: None,
        transaction: None,
    }
}

fn former(file: Option<&str>) -> Rc<Former> {
    Rc::new(Former { sender: sender(), at: at(), text: "as it was".into(), file: file.map(Into::into) })
}

fn stored(file: Option<&str>) -> Rc<Stored> {
    let file = file.map(Into::into);
    Rc::new(Stored {
        message: MessageId(7),
        room: ids(),
        at: at(),
        message_type: None,
        file,
        direct_to: None,
        delivered: 2,
    })
}

fn outsider() -> Who {
    Who::Outsider { uuid: sender(), name: "guest-123e4567".into() }
}

fn said(file: Option<&str>) -> Event {
    Event::RoomMessage {
        room: "lobby".into(), from: outsider(), text: "Hello! 👋".into(), stored: Some(stored(file))
    }
}

fn edited(was: Option<Rc<Former>>) -> Event {
    Event::Edited { message: MessageId(7), room: ids(), direct_to: None, text: "new".into(), at: at(), was }
}

fn deleted(was: Option<Rc<Former>>) -> Event {
    Event::MessageDeleted { message: MessageId(7), room: ids(), direct_to: None, was }
}

fn visiting(room: Option<&str>, visit: Visit, word: &'static str) -> Request {
    let tag = Some(Box::new(Tag { word: word.into(), id: room.map(Into::into) }));
    Request { claimed_sender: None, command: Command::Visit(room.map(name), visit), tag }
}

#[test]
fn answers_are_written_to_the_letter() {
    let (first, tie) = (record(2, at()), record(3, at()));
    let shown = |id, file: &str| {
        format!(r#"{{"id":{id},"content":"Hi \"you\" 👋","file":{file},"created_date":"{AT}","sender_id":"{SENDER}"}}"#)
    };
    let messages = |messages: &[&MessageRecord], has_more| Reply::Messages {
        room: ids(),
        messages: messages.iter().map(|&message| message.clone()).collect(),
        has_more,
    };
    let (a, b) = (shown(2, r#""a.pdf""#), shown(3, "null"));
    let hello =
        format!(r#"{{"id":7,"content":"Hello! 👋","file":"a.pdf","created_date":"{AT}","sender_id":"{SENDER}"}}"#);
    let edited = |was| Reply::Edited { message: MessageId(7), at: Timestamp::MAX, text: "new".into(), was };
    let new = format!(r#"{{"id":7,"content":"new","file":"a.pdf","created_date":"{AT}","sender_id":"{SENDER}"}}"#);
    let cases = [
        (PAGE, messages(&[], false), 200, r#"{"messages":[],"next_cursor":null,"has_more":false}"#.to_owned()),
        (
            PAGE,
            messages(&[&first, &tie], false),
            200,
            format!(r#"{{"messages":[{b},{a}],"next_cursor":null,"has_more":false}}"#),
        ),
        (
            PAGE,
            messages(&[&first, &tie], true),
            200,
            format!(r#"{{"messages":[{b},{a}],"next_cursor":"{AT}_2","has_more":true}}"#),
        ),
        (
            POST,
            Reply::Said { from: Some(outsider()), text: "Hello! 👋".into(), stored: stored(Some("a.pdf")) },
            201,
            hello,
        ),
        (EDIT, edited(Some(former(Some("a.pdf")))), 200, new),
        (
            EDIT,
            edited(None),
            200,
            r#"{"id":7,"content":"new","file":null,"created_date":null,"sender_id":null}"#.into(),
        ),
        ("", Reply::MessageDeleted { message: MessageId(7) }, 204, String::new()),
    ];
    for (word, reply, status, body) in cases {
        assert_eq!(whole(&reply, word), (status, body), "{reply:?}");
    }
}

#[test]
fn refusals_have_their_status() {
    let cases = [
        (Refusal::Malformed("no".into()), 400),
        (Refusal::NotIdentified, 403),
        (Refusal::Forbidden("no"), 403),
        (Refusal::NotFound("no"), 404),
        (Refusal::NameTaken("no"), 403),
        (Refusal::TooMany("no".into()), 429),
        (Refusal::Unavailable("no".into()), 503),
    ];
    for (refusal, status) in cases {
        for word in ["", PAGE, EDIT, LISTEN, LISTEN_ON] {
            let (answered, body) = whole(&Reply::Refused(refusal.clone()), word);
            assert!(answered == status && body.starts_with(r#"{"error":""#), "{refusal:?}: {answered} {body}");
        }
    }
    let taken =
        r#"{"error":"sender_id is a registered user's, in whose name nobody else may speak","field":"sender_id"}"#;
    assert_eq!(whole(&Reply::Refused(Refusal::NameTaken("no")), POST), (422, taken.into()));
    let refusal = Stream.refuse(StatusCode::UNAUTHORIZED, "no \"key\"");
    assert_eq!(error(&refusal), (401, "no \"key\"".into(), None));
    assert_eq!(whole(&Reply::Welcome { id: ConnectionId(1) }, "").0, 500);
}

fn lines(told: &Event, mark: Mark) -> String {
    let mut wire = Vec::new();
    event(told, mark, &mut wire);
    String::from_utf8(wire).unwrap()
}

#[test]
fn events_are_written_to_the_letter() {
    let about = |kind: &str, operation: &str, rest: &str| {
        format!("id: 7.3\ndata: {{\"type\":\"{kind}\",\"data\":{{\"operation\":\"{operation}\",\"id\":7,{rest}}}}}\n\n")
    };
    let of = format!(r#""created_date":"{AT}","sender_id":"{SENDER}""#);
    let unknown = r#""file":null,"created_date":null,"sender_id":null"#;
    let cases = [
        (said(None), about("new_message", "INSERT", &format!(r#""content":"Hello! 👋","file":null,{of}"#))),
        (said(Some("a.pdf")), about("new_message", "INSERT", &format!(r#""content":"Hello! 👋","file":"a.pdf",{of}"#))),
        (
            edited(Some(former(Some("a.pdf")))),
            about("updated_message", "UPDATE", &format!(r#""content":"new","file":"a.pdf",{of}"#)),
        ),
        (edited(None), about("updated_message", "UPDATE", &format!(r#""content":"new",{unknown}"#))),
        (
            deleted(Some(former(None))),
            about("deleted_message", "DELETE", &format!(r#""content":"as it was","file":null,{of}"#)),
        ),
        (deleted(None), about("deleted_message", "DELETE", &format!(r#""content":null,{unknown}"#))),
    ];
    for (told, expected) in cases {
        assert_eq!(lines(&told, mark(7, 3)), expected, "{told:?}");
    }
    // Whatever is said is one line.
    let text = "a\nb\r\n\nid: 9\ndata: x\u{2028}".into();
    let hostile = Event::RoomMessage { room: "lobby".into(), from: outsider(), text, stored: Some(stored(None)) };
    assert_eq!(lines(&hostile, mark(7, 3)).lines().count(), 3);
}

#[test]
fn of_what_else_happens_nothing_is_told() {
    let who = outsider;
    for other in [
        Event::Joined { room: "lobby".into(), id: Some(RoomId(1)), who: who(), is_again: false },
        Event::Left { room: "lobby".into(), id: Some(RoomId(1)), who: who(), is_still_there: false },
        Event::RoomMessage { room: "tea".into(), from: who(), text: "not stored".into(), stored: None },
        Event::RoomRenamed { id: RoomId(1), name: "den".into() },
        Event::Presence { user: sender(), is_online: true },
    ] {
        assert_eq!(lines(&other, mark(1, 1)), "", "{other:?}");
    }
}

/// The wire bytes of a reply to a listener, and what follows: nothing if it is live.
fn begun(missed: Vec<(Event, Mark)>, mark: Option<Mark>, has_more: bool, tag: &Tag) -> (String, Option<Request>) {
    let (part, next) = match Stream.answer(&Reply::Heard { missed, mark, has_more }, Some(tag)) {
        Answered::Live(part, encoding) => {
            assert_eq!(encoding, Encoding::STREAM);
            (part, None)
        }
        Answered::Part { part, next } => (part, Some(next.expect("there is more"))),
        whole => panic!("{whole:?}"),
    };
    assert_eq!((part.status, part.content_type), (StatusCode::OK, "text/event-stream"));
    assert_eq!(part.headers, [(X_ACCEL_BUFFERING, HeaderValue::from_static("no"))]);
    (part.body, next)
}

#[test]
fn a_stream_begins_with_what_was_missed() {
    const CONNECTED: &str = "data: {\"type\":\"connected\",\"message\":\"Connected to message stream\"}\n\n";
    let first = Tag { word: LISTEN.into(), id: None };
    assert_eq!(begun(vec![], None, false, &first), (format!("retry: 3000\n{CONNECTED}"), None));
    assert_eq!(begun(vec![], Some(mark(7, 3)), false, &first), (format!("retry: 3000\nid: 7.3\n{CONNECTED}"), None));
    let (one, other) = (lines(&said(None), mark(5, 2)), lines(&deleted(None), mark(7, 3)));
    let missed = vec![(said(None), mark(5, 2)), (deleted(None), mark(7, 3))];
    let expected = format!("retry: 3000\n{CONNECTED}{one}{other}");
    assert_eq!(begun(missed, Some(mark(7, 3)), false, &first), (expected, None));

    // What is not shown is heard with the last that is, or else with the beginning: it is no reason to tell that again.
    let unseen = || Event::Presence { user: sender(), is_online: true };
    let missed = vec![(said(None), mark(5, 2)), (unseen(), mark(7, 3))];
    let expected = format!("retry: 3000\n{CONNECTED}{}", lines(&said(None), mark(7, 3)));
    assert_eq!(begun(missed, Some(mark(7, 3)), false, &first), (expected, None));
    let expected = format!("retry: 3000\nid: 7.3\n{CONNECTED}");
    assert_eq!(begun(vec![(unseen(), mark(7, 3))], Some(mark(7, 3)), false, &first), (expected, None));

    // More than is told at once: the rest is asked for, in the same room, and told without another beginning.
    let first = Tag { word: LISTEN.into(), id: Some("tea".into()) };
    let (body, next) = begun(vec![(said(None), mark(5, 2))], Some(mark(5, 2)), true, &first);
    let next = next.unwrap();
    assert_eq!(body, format!("retry: 3000\n{CONNECTED}{one}"));
    assert_eq!(next, visiting(Some("tea"), Visit::Listen { since: Some(mark(5, 2)) }, LISTEN_ON));
    let tag = next.tag.unwrap();
    assert_eq!(begun(vec![(deleted(None), mark(7, 3))], Some(mark(7, 3)), false, &tag), (other, None));
    assert_eq!(begun(vec![], Some(mark(7, 3)), false, &tag), (String::new(), None));
}
