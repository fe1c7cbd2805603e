//! The database API with `curl`: here every row of its table, to the letter; in `tests/database/` what is refused, what
//! HTTP asks for besides, long lists, and what others hear of it.

mod access;
mod http;
mod lists;
mod private;
mod refusals;
mod shared;

use crate::common::Server;
use crate::common::curl;
use crate::common::event::untimed;

/// Runs `curl` with these words; the status and the body, without times.
fn curl(words: &[&str]) -> (u16, String) {
    let (status, body) = curl::curl(words);
    (status, untimed(&body))
}

/// Asks `METHOD /path`, with that body if it is not empty.
fn ask(server: &Server, line: &str, body: &str) -> (u16, String) {
    let (method, path) = line.split_once(' ').unwrap();
    let url = format!("http://{}{path}", server.address);
    let mut words = vec!["-X", method, &*url];
    if !body.is_empty() {
        words.extend(["--data-binary", body]);
    }
    curl(&words)
}

/// Asks and is answered so, to the letter.
#[track_caller]
fn expect(server: &Server, line: &str, body: &str, status: u16, answer: &str) {
    assert_eq!(ask(server, line, body), (status, answer.to_owned()), "{line} {body}");
}

/// Asks and is refused so.
#[track_caller]
fn refuse(server: &Server, line: &str, body: &str, status: u16, sentence: &str) {
    let answer = serde_json::json!({ "error": sentence }).to_string();
    expect(server, line, body, status, &answer);
}

#[test]
fn users() {
    let server = Server::start(&[]);
    expect(&server, "GET /user", "", 200, "[]");
    expect(&server, "POST /user", r#"{"Username":" Ann "}"#, 201, r#"{"ID":1,"Username":"Ann"}"#);
    expect(&server, "POST /user", r#"{"Username":"Bob","more":[1]}"#, 201, r#"{"ID":2,"Username":"Bob"}"#);
    refuse(&server, "POST /user", r#"{"Username":"Ann"}"#, 409, "there is a user of that name");
    expect(&server, "GET /user", "", 200, r#"[{"ID":1,"Username":"Ann"},{"ID":2,"Username":"Bob"}]"#);
    expect(&server, "GET /user?UserID=2", "", 200, r#"{"ID":2,"Username":"Bob"}"#);
    refuse(&server, "GET /user?UserID=3", "", 404, "there is no such user");

    expect(&server, "PATCH /user", r#"{"UserID":1,"Name":"Anna"}"#, 200, r#"{"ID":1,"Username":"Anna"}"#);
    expect(&server, "PATCH /user", r#"{"UserID":"1","Name":"Anna"}"#, 200, r#"{"ID":1,"Username":"Anna"}"#);
    refuse(&server, "PATCH /user", r#"{"UserID":1,"Name":"Bob"}"#, 409, "there is a user of that name");
    refuse(&server, "PATCH /user", r#"{"UserID":3,"Name":"Cid"}"#, 404, "there is no such user");

    expect(&server, "DELETE /user", r#"{"UserID":1}"#, 200, r#"{"message":"User deleted"}"#);
    refuse(&server, "DELETE /user", r#"{"UserID":1}"#, 404, "there is no such user");
    refuse(&server, "GET /user?UserID=1", "", 404, "there is no such user");
    expect(&server, "GET /user", "", 200, r#"[{"ID":2,"Username":"Bob"}]"#);
    // The name is free again, the id is not.
    expect(&server, "POST /user", r#"{"Username":"Anna"}"#, 201, r#"{"ID":3,"Username":"Anna"}"#);
}

#[test]
fn rooms() {
    let server = Server::start(&[]);
    ask(&server, "POST /user", r#"{"Username":"Ann"}"#);
    let lobby = r#"{"ID":1,"Name":"lobby","UserID":null,"MemberCount":0}"#;
    expect(&server, "GET /rooms", "", 200, &format!("[{lobby}]"));
    expect(&server, "POST /rooms", r#"{"UserID":1,"Roomname":" tea"}"#, 201, r#"{"ID":2,"Name":"tea"}"#);
    let taken = "there is an open room of that name";
    refuse(&server, "POST /rooms", r#"{"UserID":1,"Roomname":"tea"}"#, 409, taken);
    refuse(&server, "POST /rooms", r#"{"UserID":9,"Roomname":"milk"}"#, 404, "there is no such user");
    let tea = r#"{"ID":2,"Name":"tea","UserID":1,"MemberCount":0}"#;
    expect(&server, "GET /rooms", "", 200, &format!("[{lobby},{tea}]"));

    expect(&server, "PATCH /rooms", r#"{"RoomID":2,"Name":"green tea"}"#, 200, r#"{"ID":2,"Name":"green tea"}"#);
    refuse(&server, "PATCH /rooms", r#"{"RoomID":2,"Name":"lobby"}"#, 409, taken);
    refuse(&server, "PATCH /rooms", r#"{"RoomID":9,"Name":"x"}"#, 404, "there is no such room");
    let sentence = "the lobby can be neither renamed nor deleted";
    refuse(&server, "PATCH /rooms", r#"{"RoomID":1,"Name":"x"}"#, 403, sentence);
    refuse(&server, "DELETE /rooms", r#"{"RoomID":1}"#, 403, sentence);

    expect(&server, "DELETE /rooms", r#"{"RoomID":"2"}"#, 200, r#"{"message":"Room deleted"}"#);
    refuse(&server, "DELETE /rooms", r#"{"RoomID":2}"#, 404, "there is no such room");
    expect(&server, "GET /rooms", "", 200, &format!("[{lobby}]"));
}

#[test]
fn messages() {
    let server = Server::start(&[]);
    ask(&server, "POST /user", r#"{"Username":"Ann"}"#);
    expect(&server, "GET /messages?RoomID=1", "", 200, "[]");
    let created = |id| format!(r#"{{"message":"Message created","MessageID":{id}}}"#);
    let hi = r#"{"UserID":1,"RoomID":1,"Message":"Hi \"you\" \ud83d\ude00"}"#;
    expect(&server, "POST /messages", hi, 201, &created(1));
    expect(&server, "POST /messages", hi, 201, &created(2));
    let marked = r#"{"UserID":1,"RoomID":1,"Message":"once","clientId":"a"}"#;
    for _ in 0..2 {
        expect(&server, "POST /messages", marked, 201, &created(3));
    }
    refuse(&server, "POST /messages", r#"{"UserID":9,"RoomID":1,"Message":"x"}"#, 404, "there is no such user");
    refuse(&server, "POST /messages", r#"{"UserID":1,"RoomID":9,"Message":"x"}"#, 404, "there is no such room");
    refuse(&server, "GET /messages?RoomID=9", "", 404, "there is no such room");
    let shown = |id, text| {
        format!(r#"{{"MessageID":{id},"RoomID":1,"UserID":1,"Username":"Ann","Message":"{text}","CreatedAt":"T"}}"#)
    };
    let all = [shown(1, r#"Hi \"you\" 😀"#), shown(2, r#"Hi \"you\" 😀"#), shown(3, "once")];
    expect(&server, "GET /messages?RoomID=1", "", 200, &format!("[{}]", all.join(",")));

    expect(&server, "DELETE /messages", r#"{"MessageID":2}"#, 200, r#"{"message":"Message deleted"}"#);
    refuse(&server, "DELETE /messages", r#"{"MessageID":2}"#, 404, "there is no such message");
    ask(&server, "DELETE /user", r#"{"UserID":1}"#);
    let left = [&all[0], &all[2]].map(|message| message.replace("Ann", "deleted user")).join(",");
    expect(&server, "GET /messages?RoomID=1", "", 200, &format!("[{left}]"));
}

#[test]
fn read_confirmations() {
    let server = Server::start(&[]);
    for name in ["Ann", "Bob"] {
        ask(&server, "POST /user", &format!(r#"{{"Username":"{name}"}}"#));
    }
    ask(&server, "POST /messages", r#"{"UserID":1,"RoomID":1,"Message":"Hi"}"#);
    expect(&server, "GET /readconfirmation?MessageID=1", "", 200, "[]");
    for user in [2, 1] {
        let read = format!(r#"{{"MessageID":1,"UserID":{user},"ReadAt":"T"}}"#);
        expect(&server, "POST /readconfirmation", &format!(r#"{{"MessageID":1,"UserID":{user}}}"#), 201, &read);
    }
    let readers = r#"[{"UserID":2,"Username":"Bob","ReadAt":"T"},{"UserID":1,"Username":"Ann","ReadAt":"T"}]"#;
    expect(&server, "GET /readconfirmation?MessageID=1", "", 200, readers);
    // A second time is answered as the first, with its time.
    let url = format!("http://{}/readconfirmation", server.address);
    let timed = || curl::curl(&["-d", r#"{"MessageID":1,"UserID":2}"#, &url]);
    assert_eq!(timed(), timed());
    expect(&server, "GET /readconfirmation?MessageID=1", "", 200, readers);

    refuse(&server, "GET /readconfirmation?MessageID=9", "", 404, "there is no such message");
    let [unknown_message, unknown_user] = [r#"{"MessageID":9,"UserID":1}"#, r#"{"MessageID":1,"UserID":9}"#];
    refuse(&server, "POST /readconfirmation", unknown_message, 404, "there is no such message");
    refuse(&server, "POST /readconfirmation", unknown_user, 404, "there is no such user");
}
