//! One room, two dialects: what is said and done on the event dialect reaches action members in their words, and the
//! other way round.

use crate::common::event::{EventClient, all_told, none_told};
use crate::common::{Client, Server};

/// The guest joins an open room by its name.
#[track_caller]
fn join(guest: &mut Client, room: &str) {
    let frame = format!(r#"{{"action":"join","room":"{room}"}}"#);
    guest.ask(&frame, &frame);
}

fn none_told_of_guests<const N: usize>(guests: [&mut Client; N]) {
    for guest in guests {
        guest.expect_nothing();
    }
}

/// Ann (connection 0) has made the room `tea` and entered it.
fn tea() -> (Server, EventClient) {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    ann.ok("create_room", r#"{"roomName":"tea"}"#, r#"{"roomId":2,"roomName":"tea"}"#);
    ann.told("room_created", r#"{"roomId":2,"roomName":"tea","userId":1}"#);
    ann.enter(&[2]);
    (server, ann)
}

#[test]
fn coming_and_going_is_told_in_both_dialects() {
    for (room, id) in [("lobby", 1), ("tea", 2)] {
        let (server, mut ann) = tea();
        ann.enter(&[1]);
        let (mut one, _) = server.join_in();
        let (mut two, _) = server.join_in();
        let (mut elsewhere, _) = server.join_in();
        join(&mut one, room);
        ann.told("user_joined", &format!(r#"{{"roomId":{id},"userId":null,"username":"guest-1"}}"#));
        join(&mut two, room);
        ann.told("user_joined", &format!(r#"{{"roomId":{id},"userId":null,"username":"guest-2"}}"#));
        one.expect(&format!(r#"{{"action":"join","room":"{room}","user_id":"2"}}"#));
        // A registered user is the connection that they came with.
        let mut bob = EventClient::named(&server, "Bob", &[id]);
        ann.told("user_joined", &format!(r#"{{"roomId":{id},"userId":2,"username":"Bob"}}"#));
        for guest in [&mut one, &mut two] {
            guest.expect(&format!(r#"{{"action":"join","room":"{room}","user_id":"4"}}"#));
        }
        elsewhere.ask(
            &format!(r#"{{"action":"participants","room":"{room}"}}"#),
            &format!(r#"{{"action":"participants","room":"{room}","participants":["0","1","2","4"]}}"#),
        );

        bob.ok("leave_room", &format!(r#"{{"roomId":{id}}}"#), &format!(r#"{{"roomId":{id}}}"#));
        ann.told("user_left", &format!(r#"{{"roomId":{id},"userId":2,"username":"Bob"}}"#));
        for guest in [&mut one, &mut two] {
            guest.expect(&format!(r#"{{"action":"leave","room":"{room}","user_id":"4"}}"#));
        }
        one.ask(r#"{"action":"leave"}"#, &format!(r#"{{"action":"leave","room":"{room}"}}"#));
        two.expect(&format!(r#"{{"action":"leave","room":"{room}","user_id":"1"}}"#));
        ann.told("user_left", &format!(r#"{{"roomId":{id},"userId":null,"username":"guest-1"}}"#));
        two.close();
        ann.told("user_left", &format!(r#"{{"roomId":{id},"userId":null,"username":"guest-2"}}"#));
        none_told([&mut ann, &mut bob]);
        none_told_of_guests([&mut one, &mut elsewhere]);
    }
}

#[test]
fn messages_are_shown_in_both_dialects() {
    for (room, id) in [("lobby", 1), ("tea", 2)] {
        let (server, mut ann) = tea();
        ann.enter(&[1]);
        let (mut one, _) = server.join_in();
        join(&mut one, room);
        ann.receive();
        let (mut two, _) = server.join_in();
        join(&mut two, room);
        ann.receive();
        one.receive();
        let (mut elsewhere, _) = server.join_in();
        join(&mut elsewhere, "elsewhere");
        let mut outsider = EventClient::named(&server, "Bob", &[]);

        let said = |message| format!(r#"{{"messageId":{message},"roomId":{id},"createdAt":"T"}}"#);
        ann.ok("send_message", &format!(r#"{{"roomId":{id},"text":"Hi \"you\""}}"#), &said(1));
        let shown = |message, user, name, text| {
            format!(
                r#"{{"messageId":{message},"roomId":{id},"userId":{user},"username":"{name}","text":"{text}","createdAt":"T"}}"#
            )
        };
        ann.told("new_message", &shown(1, "1", "Ann", r#"Hi \"you\""#));
        for guest in [&mut one, &mut two] {
            guest.expect(&format!(
                r#"{{"action":"room_message","room":"{room}","user_id":"0","message":"Hi \"you\""}}"#
            ));
        }
        one.ask(
            r#"{"action":"room_message","message":"Hello!"}"#,
            &format!(r#"{{"action":"room_message","room":"{room}","message":"Hello!"}}"#),
        );
        two.expect(&format!(r#"{{"action":"room_message","room":"{room}","user_id":"1","message":"Hello!"}}"#));
        ann.told("new_message", &shown(2, "null", "guest-1", "Hello!"));
        // Guests are answered in person, and so are registered users.
        let psst = r#"{"action":"private_message","user_id":"1","message":"psst"}"#;
        two.ask(psst, psst);
        one.expect(&psst.replace(r#""1""#, r#""2""#));

        // Both are kept, with who said them.
        let kept = |shown: &str| format!(r#"{},"readBy":0,"readSelf":false}}"#, shown.strip_suffix('}').unwrap());
        let all = [shown(1, "1", "Ann", r#"Hi \"you\""#), shown(2, "null", "guest-1", "Hello!")].map(|one| kept(&one));
        let page = format!(r#"{{"messages":[{}],"nextBefore":null}}"#, all.join(","));
        ann.ok("get_messages", &format!(r#"{{"roomId":{id}}}"#), &page);
        none_told([&mut ann, &mut outsider]);
        none_told_of_guests([&mut one, &mut two, &mut elsewhere]);
    }
}

#[test]
fn what_is_kept_of_a_guest_can_be_read_confirmed_and_deleted_by_the_owner() {
    let (server, mut ann) = tea();
    let (mut guest, _) = server.join_in();
    join(&mut guest, "tea");
    ann.receive();
    let hello = r#"{"action":"room_message","message":"Hello!"}"#;
    guest.ask(hello, r#"{"action":"room_message","room":"tea","message":"Hello!"}"#);
    ann.receive();
    ann.ok("post_readconfirmation", r#"{"messageId":1}"#, r#"{"messageId":1,"userId":1,"readAt":"T"}"#);
    ann.told("readconfirmation_updated", r#"{"messageId":1,"roomId":2,"userId":1,"readAt":"T","readBy":1}"#);
    ann.ok("delete_message", r#"{"messageId":1}"#, r#"{"messageId":1}"#);
    ann.told("message_deleted", r#"{"messageId":1,"roomId":2}"#);
    // For none of this there are words on the action dialect.
    guest.expect_nothing();
}

#[test]
fn a_guests_repeats_are_known_in_durable_rooms() {
    let (server, mut ann) = tea();
    let (mut one, _) = server.join_in();
    let (mut two, _) = server.join_in();
    join(&mut one, "tea");
    join(&mut two, "tea");
    one.receive();
    ann.receive();
    ann.receive();
    let marked = r#"{"action":"room_message","message":"Hello!","client_id":"a"}"#;
    for _ in 0..3 {
        one.ask(marked, r#"{"action":"room_message","room":"tea","message":"Hello!"}"#);
    }
    let hello = r#"{"action":"room_message","room":"tea","user_id":"1","message":"Hello!"}"#;
    two.expect(hello);
    let shown = r#"{"messageId":1,"roomId":2,"userId":null,"username":"guest-1","text":"Hello!","createdAt":"T"}"#;
    ann.told("new_message", shown);
    none_told([&mut ann]);
    none_told_of_guests([&mut one, &mut two]);
    // Another guest's mark, and another user's, is another.
    two.ask(marked, r#"{"action":"room_message","room":"tea","message":"Hello!"}"#);
    one.expect(&hello.replace(r#""1""#, r#""2""#));
    ann.told("new_message", &shown.replace(r#"d":1,"#, r#"d":2,"#).replace("guest-1", "guest-2"));
    let own = r#"{"roomId":2,"text":"Hello!","clientId":"a"}"#;
    ann.ok("send_message", own, r#"{"messageId":3,"roomId":2,"createdAt":"T"}"#);
    for bad in ["7", r#""""#] {
        let (sentence, frame) = ("client_id must be", marked.replace(r#""a""#, bad));
        one.send(&frame);
        if bad == "7" {
            one.expect(r#"{"action":"room_message","room":"tea","user_id":"0","message":"Hello!"}"#);
        }
        let reply = one.receive();
        assert!(reply.starts_with(&format!(r#"{{"action":"error","message":"{sentence}"#)), "{reply}");
    }
}

#[test]
fn a_repeat_in_another_room_is_answered_by_the_first_and_not_said_there() {
    let (server, mut ann) = tea();
    ann.enter(&[1]);
    let (mut guest, _) = server.join_in();
    let marked = r#"{"action":"room_message","message":"Hello!","client_id":"a"}"#;
    let first = r#"{"action":"room_message","room":"tea","message":"Hello!"}"#;
    join(&mut guest, "tea");
    ann.receive();
    guest.ask(marked, first);
    ann.receive();
    join(&mut guest, "lobby");
    ann.told("user_left", r#"{"roomId":2,"userId":null,"username":"guest-1"}"#);
    ann.told("user_joined", r#"{"roomId":1,"userId":null,"username":"guest-1"}"#);
    guest.ask(marked, first);
    ann.told_nothing();
    // When the room of the first is no more, and its name with it, the answer names the room that the guest is in.
    ann.ok("delete_room", r#"{"roomId":2}"#, r#"{"roomId":2}"#);
    ann.told("room_deleted", r#"{"roomId":2}"#);
    guest.ask(marked, r#"{"action":"room_message","room":"lobby","message":"Hello!"}"#);
    ann.told_nothing();
}

#[test]
fn durable_rooms_are_listed_among_the_others_oldest_first() {
    let (server, mut ann) = tea();
    let (mut guest, _) = server.join_in();
    let (mut other, _) = server.join_in();
    join(&mut other, "passing");
    ann.ok("create_room", r#"{"roomName":"milk"}"#, r#"{"roomId":3,"roomName":"milk"}"#);
    ann.receive();
    guest.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","tea","passing","milk"]}"#);
    // With nobody in it a durable room stays, and the other goes. What has no id has no place in the other list.
    let listed = |id, name, owner, members| {
        format!(r#"{{"roomId":{id},"roomName":"{name}","ownerId":{owner},"memberCount":{members}}}"#)
    };
    let rooms = [listed(1, "lobby", "null", 0), listed(2, "tea", "1", 1), listed(3, "milk", "1", 0)].join(",");
    ann.ok("get_rooms", "{}", &format!(r#"{{"rooms":[{rooms}]}}"#));
    join(&mut other, "milk");
    guest.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","tea","milk"]}"#);
    other.ask(r#"{"action":"leave"}"#, r#"{"action":"leave","room":"milk"}"#);
    guest.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","tea","milk"]}"#);
    let nobody = r#"{"action":"participants","room":"milk","participants":[]}"#;
    guest.ask(r#"{"action":"participants","room":"milk"}"#, nobody);
    // A new name does not make it younger.
    ann.ok("change_room", r#"{"roomId":2,"roomName":"coffee"}"#, r#"{"roomId":2,"roomName":"coffee"}"#);
    guest.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","coffee","milk"]}"#);
}

#[test]
fn durable_rooms_and_what_was_said_in_them_outlive_the_server() {
    let file = crate::common::scratch_dir().join("chat.db");
    let database = format!("sqlite:{}", file.display());
    let mut server = Server::start(&["--database", &database]);
    let mut ann = EventClient::named(&server, "Ann", &[]);
    for (id, name) in [(2, "tea"), (3, "milk")] {
        let made = format!(r#"{{"roomId":{id},"roomName":"{name}"}}"#);
        ann.ok("create_room", &format!(r#"{{"roomName":"{name}"}}"#), &made);
        ann.receive();
    }
    let (mut guest, _) = server.join_in();
    join(&mut guest, "tea");
    let hello = r#"{"action":"room_message","message":"Hello!"}"#;
    guest.ask(hello, r#"{"action":"room_message","room":"tea","message":"Hello!"}"#);
    server.signal("KILL");
    server.wait();

    let server = Server::start(&["--database", &database]);
    let (mut guest, _) = server.join_in();
    guest.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","tea","milk"]}"#);
    let mut ann = EventClient::of(&server, 1, &[2]);
    let said = r#"{"messageId":1,"roomId":2,"userId":null,"username":"guest-1","text":"Hello!","createdAt":"T","#;
    let page = format!(r#"{{"messages":[{said}"readBy":0,"readSelf":false}}],"nextBefore":null}}"#);
    ann.ok("get_messages", r#"{"roomId":2}"#, &page);
}

#[test]
fn a_room_that_is_deleted_is_left_by_its_guests() {
    let (server, mut ann) = tea();
    let (mut guest, _) = server.join_in();
    let (mut elsewhere, _) = server.join_in();
    join(&mut guest, "tea");
    ann.receive();
    ann.ok("delete_room", r#"{"roomId":2}"#, r#"{"roomId":2}"#);
    ann.told("room_deleted", r#"{"roomId":2}"#);
    guest.expect(r#"{"action":"leave","room":"tea"}"#);
    guest.ask(r#"{"action":"leave"}"#, r#"{"action":"error","message":"user was not in a room"}"#);
    none_told([&mut ann]);
    none_told_of_guests([&mut guest, &mut elsewhere]);
    // From now on the name is one like any other.
    join(&mut guest, "tea");
    guest.ask(
        r#"{"action":"room_message","message":"Hello!"}"#,
        r#"{"action":"room_message","room":"tea","message":"Hello!"}"#,
    );
    ann.told_nothing();
}

#[test]
fn a_room_that_is_renamed_goes_on_under_its_new_name() {
    let (server, mut ann) = tea();
    let (mut guest, _) = server.join_in();
    join(&mut guest, "tea");
    ann.receive();
    ann.ok("change_room", r#"{"roomId":2,"roomName":"milk"}"#, r#"{"roomId":2,"roomName":"milk"}"#);
    ann.told("room_updated", r#"{"roomId":2,"roomName":"milk"}"#);
    ann.ok("send_message", r#"{"roomId":2,"text":"Hi"}"#, r#"{"messageId":1,"roomId":2,"createdAt":"T"}"#);
    guest.expect(r#"{"action":"room_message","room":"milk","user_id":"0","message":"Hi"}"#);
    let gone = r#"{"action":"error","message":"room tea does not exist"}"#;
    guest.ask(r#"{"action":"participants","room":"tea"}"#, gone);
    join(&mut guest, "milk");
    guest.expect_nothing();
}

/// Who asks by name alone gets an open room, and no sign that there is a private one.
#[test]
fn private_rooms_are_not_there_for_guests() {
    let (server, mut ann) = tea();
    let mut bob = EventClient::named(&server, "Bob", &[]);
    let body = r#"{"UserID":1,"Roomname":"secret","Private":true,"Members":[2]}"#;
    let request = format!("POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert!(server.exchange(request).ends_with(r#"{"ID":3,"Name":"secret"}"#));
    ann.enter(&[3]);
    bob.enter(&[3]);
    ann.receive();
    let (mut guest, _) = server.join_in();
    guest.ask(r#"{"action":"rooms"}"#, r#"{"action":"rooms","rooms":["lobby","tea"]}"#);
    let nothing = r#"{"action":"error","message":"room secret does not exist"}"#;
    guest.ask(r#"{"action":"participants","room":"secret"}"#, nothing);
    join(&mut guest, "secret");
    guest.ask(
        r#"{"action":"participants","room":"secret"}"#,
        r#"{"action":"participants","room":"secret","participants":["2"]}"#,
    );
    guest.ask(
        r#"{"action":"room_message","message":"anyone?"}"#,
        r#"{"action":"room_message","room":"secret","message":"anyone?"}"#,
    );
    ann.ok("send_message", r#"{"roomId":3,"text":"psst"}"#, r#"{"messageId":1,"roomId":3,"createdAt":"T"}"#);
    let psst = r#"{"messageId":1,"roomId":3,"userId":1,"username":"Ann","text":"psst","createdAt":"T"}"#;
    all_told([&mut ann, &mut bob], "new_message", psst);
    ann.ok("delete_room", r#"{"roomId":3}"#, r#"{"roomId":3}"#);
    all_told([&mut ann, &mut bob], "room_deleted", r#"{"roomId":3}"#);
    none_told([&mut ann, &mut bob]);
    // The open room of the same name is another one, and stays.
    guest.ask(r#"{"action":"leave"}"#, r#"{"action":"leave","room":"secret"}"#);
    guest.expect_nothing();
}

#[test]
fn an_ephemeral_rooms_name_is_taken_as_long_as_it_lasts() {
    let (server, mut ann) = tea();
    let (mut guest, _) = server.join_in();
    join(&mut guest, "milk");
    let taken = "there is an open room of that name";
    ann.no("create_room", r#"{"roomName":"milk"}"#, "already_exists", taken);
    ann.no("change_room", r#"{"roomId":2,"roomName":"milk"}"#, "already_exists", taken);
    guest.ask(r#"{"action":"leave"}"#, r#"{"action":"leave","room":"milk"}"#);
    ann.ok("create_room", r#"{"roomName":"milk"}"#, r#"{"roomId":3,"roomName":"milk"}"#);
    ann.told("room_created", r#"{"roomId":3,"roomName":"milk","userId":1}"#);
    // The same name leads to the durable room now.
    ann.enter(&[3]);
    join(&mut guest, "milk");
    ann.told("user_joined", r#"{"roomId":3,"userId":null,"username":"guest-1"}"#);
    none_told([&mut ann]);
}

/// What is registered and said there by several in one go, all members see in one order, in whichever words.
#[test]
fn members_of_both_dialects_see_one_order() {
    let server = Server::unlimited(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let (mut guest, _) = server.join_in();
    join(&mut guest, "lobby");
    let (mut watcher, _) = server.join_in();
    join(&mut watcher, "lobby");
    let texts = 100;
    for text in 0..texts {
        ann.send("send_message", &format!(r#"{{"roomId":1,"text":"a{text}"}}"#));
        guest.send(&format!(r#"{{"action":"room_message","message":"g{text}"}}"#));
    }
    let said = |frame: &str, before: &str| Some(frame.split(before).nth(1)?.split('"').next()?.to_owned());
    let frames = std::iter::repeat_with(|| ann.client.receive());
    let by_ann: Vec<String> = frames.filter_map(|frame| said(&frame, r#""text":""#)).take(2 * texts).collect();
    let frames = std::iter::repeat_with(|| watcher.receive());
    let by_watcher: Vec<String> = frames.filter_map(|frame| said(&frame, r#""message":""#)).take(2 * texts).collect();
    assert_eq!(by_ann, by_watcher);
    for sender in ["a", "g"] {
        let own: Vec<&String> = by_ann.iter().filter(|text| text.starts_with(sender)).collect();
        assert_eq!(
            own,
            (0..texts).map(|text| format!("{sender}{text}")).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
    }
}
