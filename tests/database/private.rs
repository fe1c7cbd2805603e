//! Private rooms: made here, and then neither listed nor read, not even by whoever holds the key.

use super::{ask, expect, refuse};
use crate::common::Server;
use crate::common::event::{EventClient, all_told, none_told};

/// Ann is in room 2 with Bob; Cid is not.
fn server() -> Server {
    let server = Server::start(&[]);
    for name in ["Ann", "Bob", "Cid"] {
        ask(&server, "POST /user", &format!(r#"{{"Username":"{name}"}}"#));
    }
    let secret = r#"{"UserID":1,"Roomname":"secret","Private":true,"Members":[2,"2"]}"#;
    expect(&server, "POST /rooms", secret, 201, r#"{"ID":2,"Name":"secret"}"#);
    server
}

const LOBBY: &str = r#"[{"ID":1,"Name":"lobby","UserID":null,"MemberCount":0}]"#;

#[test]
fn private_rooms_are_written_by_participants_alone_and_never_shown() {
    let server = server();
    expect(&server, "GET /rooms", "", 200, LOBBY);
    for user in [1, 2] {
        let body = format!(r#"{{"UserID":{user},"RoomID":2,"Message":"psst"}}"#);
        let created = format!(r#"{{"message":"Message created","MessageID":{user}}}"#);
        expect(&server, "POST /messages", &body, 201, &created);
    }
    // To anyone else it is as if there were none: the answers are those for a room that there is not.
    for room in [2, 99] {
        let body = format!(r#"{{"UserID":3,"RoomID":{room},"Message":"me too"}}"#);
        refuse(&server, "POST /messages", &body, 404, "there is no such room");
        for page in ["", "&limit=1", "&before=9"] {
            let line = format!("GET /messages?RoomID={room}{page}");
            refuse(&server, &line, "", 404, "there is no such room");
        }
    }
    for message in [1, 99] {
        let sentence = "there is no such message";
        refuse(&server, &format!("GET /readconfirmation?MessageID={message}"), "", 404, sentence);
        let body = format!(r#"{{"MessageID":{message},"UserID":3}}"#);
        refuse(&server, "POST /readconfirmation", &body, 404, sentence);
    }
    let read = r#"{"MessageID":1,"UserID":2,"ReadAt":"T"}"#;
    expect(&server, "POST /readconfirmation", r#"{"MessageID":1,"UserID":2}"#, 201, read);
}

#[test]
fn a_private_room_takes_part_in_no_names() {
    let server = server();
    expect(&server, "POST /rooms", r#"{"UserID":3,"Roomname":"secret"}"#, 201, r#"{"ID":3,"Name":"secret"}"#);
    let lobby_too = r#"{"UserID":3,"Roomname":"lobby","Private":true,"Members":[]}"#;
    expect(&server, "POST /rooms", lobby_too, 201, r#"{"ID":4,"Name":"lobby"}"#);
    // Not made at all if one of its members is nobody.
    let nobody = r#"{"UserID":3,"Roomname":"x","Private":true,"Members":[1,99]}"#;
    refuse(&server, "POST /rooms", nobody, 404, "there is no such user");
    for (members, sentence) in [
        ("1", "Members must be a list of positive integers or UUIDs"),
        ("[0]", "Members must be a list of positive integers or UUIDs"),
    ] {
        let body = format!(r#"{{"UserID":3,"Roomname":"x","Private":true,"Members":{members}}}"#);
        refuse(&server, "POST /rooms", &body, 400, sentence);
    }
    let open = r#"{"UserID":3,"Roomname":"x","Members":[1]}"#;
    refuse(&server, "POST /rooms", open, 400, r#"Members are for a room that has "Private": true"#);
    expect(&server, "POST /rooms", r#"{"UserID":3,"Roomname":"y"}"#, 201, r#"{"ID":5,"Name":"y"}"#);
}

#[test]
fn participants_hear_what_is_written_there_and_others_do_not() {
    let server = server();
    let mut ann = EventClient::of(&server, 1, &[2]);
    let mut bob = EventClient::of(&server, 2, &[2]);
    ann.told("user_joined", r#"{"roomId":2,"userId":2,"username":"Bob"}"#);
    let mut cid = EventClient::of(&server, 3, &[1]);
    let body = r#"{"UserID":2,"RoomID":2,"Message":"psst"}"#;
    expect(&server, "POST /messages", body, 201, r#"{"message":"Message created","MessageID":1}"#);
    let psst = r#"{"messageId":1,"roomId":2,"userId":2,"username":"Bob","text":"psst","createdAt":"T"}"#;
    all_told([&mut ann, &mut bob], "new_message", psst);
    expect(&server, "PATCH /rooms", r#"{"RoomID":2,"Name":"ours"}"#, 200, r#"{"ID":2,"Name":"ours"}"#);
    all_told([&mut ann, &mut bob], "room_updated", r#"{"roomId":2,"roomName":"ours"}"#);
    expect(&server, "DELETE /messages", r#"{"MessageID":1}"#, 200, r#"{"message":"Message deleted"}"#);
    all_told([&mut ann, &mut bob], "message_deleted", r#"{"messageId":1,"roomId":2}"#);
    expect(&server, "DELETE /rooms", r#"{"RoomID":2}"#, 200, r#"{"message":"Room deleted"}"#);
    all_told([&mut ann, &mut bob], "room_deleted", r#"{"roomId":2}"#);
    none_told([&mut ann, &mut bob, &mut cid]);
}
