//! What is written here reaches those who are connected, as if it had been said on the event dialect.

use super::{ask, expect};
use crate::common::Server;
use crate::common::event::{EventClient, all_told, none_told};

#[test]
fn users_and_rooms_are_told_of_to_all() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let mut nobody = EventClient::connect(&server);
    let (mut guest, _) = server.join_in();
    expect(&server, "POST /user", r#"{"Username":"Bob"}"#, 201, r#"{"ID":2,"Username":"Bob"}"#);
    // Nobody is told of a new user on the event dialect either.
    none_told([&mut ann, &mut nobody]);
    ask(&server, "PATCH /user", r#"{"UserID":1,"Name":"Anna"}"#);
    all_told([&mut ann, &mut nobody], "user_updated", r#"{"userId":1,"username":"Anna"}"#);
    ask(&server, "POST /rooms", r#"{"UserID":2,"Roomname":"tea"}"#);
    all_told([&mut ann, &mut nobody], "room_created", r#"{"roomId":2,"roomName":"tea","userId":2}"#);
    ask(&server, "PATCH /rooms", r#"{"RoomID":2,"Name":"milk"}"#);
    all_told([&mut ann, &mut nobody], "room_updated", r#"{"roomId":2,"roomName":"milk"}"#);
    guest.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","milk"]}"#);
    ann.enter(&[2]);
    expect(
        &server,
        "GET /rooms",
        "",
        200,
        r#"[{"ID":1,"Name":"lobby","UserID":null,"MemberCount":1},{"ID":2,"Name":"milk","UserID":2,"MemberCount":1}]"#,
    );
    ask(&server, "DELETE /rooms", r#"{"RoomID":2}"#);
    all_told([&mut ann, &mut nobody], "room_deleted", r#"{"roomId":2}"#);
    ask(&server, "DELETE /user", r#"{"UserID":1}"#);
    all_told([&mut ann, &mut nobody], "user_deleted", r#"{"userId":1}"#);
    let sentence = "this takes a user: create_user or switch_user comes first";
    ann.no("leave_room", r#"{"roomId":1}"#, "not_identified", sentence);
    none_told([&mut ann, &mut nobody]);
    guest.expect_nothing();
}

#[test]
fn messages_reach_members_of_both_dialects_in_their_words() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let mut outsider = EventClient::named(&server, "Bob", &[]);
    let (mut guest, _) = server.join_in();
    guest.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
    ann.told("user_joined", r#"{"roomId":1,"userId":null,"username":"guest-2"}"#);
    // Who says it need not be in the room: the program that holds the key vouches for them.
    let marked = r#"{"UserID":2,"RoomID":1,"Message":"Hi","clientId":"a"}"#;
    expect(&server, "POST /messages", marked, 201, r#"{"message":"Message created","MessageID":1}"#);
    ann.told("new_message", r#"{"messageId":1,"roomId":1,"userId":2,"username":"Bob","text":"Hi","createdAt":"T"}"#);
    // Bob is no connection here, so it is Bob's UUID that stands for one, and leads to Bob.
    let heard = guest.receive();
    let uuid = heard.strip_prefix(r#"{"action":"room_message","room":"lobby","user_id":""#);
    let (uuid, rest) = uuid.and_then(|rest| rest.split_once('"')).unwrap_or_else(|| panic!("{heard}"));
    assert_eq!((uuid.len(), rest), (36, r#","message":"Hi"}"#), "{heard}");
    let bob = r#"{"userId":2,"username":"Bob","online":true}"#;
    ann.ok("get_user", &format!(r#"{{"userId":"{uuid}"}}"#), bob);
    expect(&server, &format!("GET /user?UserID={uuid}"), "", 200, r#"{"ID":2,"Username":"Bob"}"#);

    // A repeat, from here or there, is told to nobody.
    expect(&server, "POST /messages", marked, 201, r#"{"message":"Message created","MessageID":1}"#);
    outsider.enter(&[1]);
    ann.told("user_joined", r#"{"roomId":1,"userId":2,"username":"Bob"}"#);
    guest.expect(r#"{"action":"join","room":"lobby","user_id":"1"}"#);
    let again = r#"{"roomId":1,"text":"Hi","clientId":"a"}"#;
    outsider.ok("send_message", again, r#"{"messageId":1,"roomId":1,"createdAt":"T"}"#);
    none_told([&mut ann, &mut outsider]);
    guest.expect_nothing();

    ask(&server, "POST /readconfirmation", r#"{"MessageID":1,"UserID":1}"#);
    let read = r#"{"messageId":1,"roomId":1,"userId":1,"readAt":"T","readBy":1}"#;
    all_told([&mut ann, &mut outsider], "readconfirmation_updated", read);
    ask(&server, "POST /readconfirmation", r#"{"MessageID":1,"UserID":1}"#);
    ask(&server, "DELETE /messages", r#"{"MessageID":1}"#);
    all_told([&mut ann, &mut outsider], "message_deleted", r#"{"messageId":1,"roomId":1}"#);
    none_told([&mut ann, &mut outsider]);
    guest.expect_nothing();
}

#[test]
fn what_guests_say_is_read_here() {
    let server = Server::start(&[]);
    let (mut guest, _) = server.join_in();
    guest.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
    let hello = r#"{"action":"room_message","message":"Hello!"}"#;
    guest.ask(hello, r#"{"action":"room_message","room":"lobby","message":"Hello!"}"#);
    let said = r#"[{"MessageID":1,"RoomID":1,"UserID":null,"Username":"guest-0","Message":"Hello!","CreatedAt":"T"}]"#;
    expect(&server, "GET /messages?RoomID=1", "", 200, said);
    // Members are counted whatever they speak.
    let rooms = r#"[{"ID":1,"Name":"lobby","UserID":null,"MemberCount":1}]"#;
    expect(&server, "GET /rooms", "", 200, rooms);
}
