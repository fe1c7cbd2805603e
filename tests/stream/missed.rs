//! Those who come back with the id of what they heard last: they hear what they have missed, all of it and once, and
//! then what comes.

use std::collections::BTreeSet;

use serde_json::json;

use crate::common::event::EventClient;
use crate::common::stream::{CONNECTED, Listener, Told, ask, post, post_many};
use crate::common::{Server, roomcast, scratch_dir};

/// The numbers of the next so many messages, which are new ones.
#[track_caller]
fn numbers(listener: &mut Listener, count: usize) -> Vec<usize> {
    let number = |told: Told| {
        let (kind, text) = told.brief();
        assert_eq!(kind, "new_message", "{text}");
        text.parse().unwrap()
    };
    (0..count).map(|_| number(listener.next())).collect()
}

#[test]
fn what_was_missed_comes_first_and_then_what_happens() {
    let server = Server::start(&[]);
    let mut listener = Listener::to_lobby(&server);
    post_many(&server, 0..5);
    let heard: Vec<Told> = (0..5).map(|_| listener.next()).collect();
    drop(listener);
    // From each place it goes on behind it.
    let mut after = Vec::new();
    for (place, told) in heard.iter().enumerate() {
        let mut back = Listener::returned(&server, told.id.as_ref().unwrap());
        for missed in heard[place + 1..].iter().chain(&after) {
            assert_eq!(back.next(), *missed, "to the letter as it was");
        }
        post(&server, "/message", "now");
        after.push(back.next());
        assert_eq!(after[place].brief().1, "now");
    }
}

#[test]
fn who_has_heard_only_that_it_is_connected_misses_nothing() {
    let server = Server::start(&[]);
    post(&server, "/message", "before");
    let connected = Listener::open(&server, "/stream", &[]).next();
    assert_eq!((&*connected.data, connected.id.as_deref()), (CONNECTED, Some("1.0")));
    post(&server, "/message", "meanwhile");
    let mut back = Listener::returned(&server, "1.0");
    back.expect("new_message", "meanwhile");
    // Nothing of an empty room either.
    let server = Server::start(&[]);
    let id = Listener::open(&server, "/stream", &[]).next().id.expect("an id");
    post(&server, "/message", "the first");
    Listener::returned(&server, &id).expect("new_message", "the first");
}

#[test]
fn thousands_are_missed_and_come_in_parts_while_more_is_said() {
    const GAP: usize = 2_000;
    const MEANWHILE: usize = 300;
    let server = Server::unlimited(&[]);
    post_many(&server, 0..1);
    post_many(&server, 1..GAP + 1);
    let mut listener = Listener::returned(&server, "1.0");
    std::thread::scope(|scope| {
        scope.spawn(|| post_many(&server, GAP + 1..GAP + MEANWHILE + 1));
        assert_eq!(numbers(&mut listener, GAP + MEANWHILE), (1..=GAP + MEANWHILE).collect::<Vec<_>>());
    });
    post(&server, "/message", "live");
    listener.expect("new_message", "live");
}

#[test]
fn edits_and_deletions_are_missed_too() {
    let server = Server::unlimited(&[]);
    post_many(&server, 0..600);
    let mut listener = Listener::to_lobby(&server);
    ask(&server, "PATCH /message/1", r#"{"content":"first edit"}"#);
    let heard = listener.next();
    assert_eq!((heard.brief().1.as_str(), heard.id.as_deref()), ("first edit", Some("600.1")));
    drop(listener);
    ask(&server, "PATCH /message/2", r#"{"content":"edited"}"#);
    ask(&server, "PATCH /message/2", r#"{"content":"edited again"}"#);
    let mut http = crate::common::http::Http::open(server.address).unwrap();
    for id in 3..=500 {
        http.send("DELETE", &format!("/message/{id}"), "").unwrap();
        assert_eq!(http.answer().unwrap().status, 204);
    }
    post(&server, "/message", "new");
    ask(&server, "DELETE /message/601", "").expect(204, "");

    let mut back = Listener::returned(&server, "600.1");
    // What is said now of a message, each time; of one that is gone no more than that.
    for _ in 0..2 {
        back.expect("updated_message", "edited again");
    }
    let gone: BTreeSet<i64> = (0..499)
        .map(|_| {
            let told = back.next().json();
            let (id, data) = (&told["data"]["id"], &told["data"]);
            assert_eq!((&told["type"], &data["operation"]), (&json!("deleted_message"), &json!("DELETE")));
            assert!(
                ["content", "file", "created_date", "sender_id"].iter().all(|&name| data[name].is_null()),
                "{told}"
            );
            id.as_i64().unwrap()
        })
        .collect();
    assert_eq!(gone, (3..=500).chain([601]).collect());
    post(&server, "/message", "live");
    let live = back.next();
    assert_eq!((live.brief().1.as_str(), live.id.as_deref()), ("live", Some("602.502")));
    // All of it is heard now.
    post(&server, "/message", "last");
    Listener::returned(&server, "602.502").expect("new_message", "last");
}

/// Who has read what is no news here; however much of it there is, what comes behind it is heard.
#[test]
fn what_has_no_words_here_is_passed_over() {
    const READ: usize = 600;
    let server = Server::unlimited(&[]);
    post_many(&server, 0..READ);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    for id in 1..=READ {
        ann.send("post_readconfirmation", &format!(r#"{{"messageId":{id}}}"#));
    }
    for _ in 0..2 * READ {
        ann.receive();
    }
    let mut back = Listener::returned(&server, &format!("{READ}.0"));
    post(&server, "/message", "live");
    back.expect("new_message", "live");
}

#[test]
fn an_id_that_is_not_ours_is_no_reason_to_refuse() {
    let server = Server::start(&[]);
    post(&server, "/message", "old");
    let foreign = ["", "7", "abc", "-1.0", "1.0.0", "01.0", "ä", "999999999999999999999.0", "99.99", "0x1.0"];
    for id in foreign {
        let mut listener = Listener::returned(&server, id);
        let text = format!("after {id}");
        post(&server, "/message", &text);
        listener.expect("new_message", &text);
    }
}

#[test]
fn nothing_is_missed_over_a_restart() {
    let database = format!("sqlite:{}", scratch_dir().join("chat.db").display());
    let start = || {
        let mut command = roomcast();
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database]);
        Server::spawn(command)
    };
    let mut server = start();
    let mut listener = Listener::to_lobby(&server);
    post(&server, "/message", "heard");
    let id = listener.next().id.unwrap();
    drop(listener);
    post(&server, "/message", "missed before");
    server.signal("TERM");
    assert!(server.wait().0.success());
    let server = start();
    post(&server, "/message", "missed after");
    let mut back = Listener::returned(&server, &id);
    back.expect("new_message", "missed before");
    back.expect("new_message", "missed after");
    // Who comes for the first time is told where it stands from the start, too.
    assert_eq!(Listener::open(&server, "/stream", &[]).next().id.as_deref(), Some("3.0"));
}
