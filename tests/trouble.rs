//! A store in trouble while the server runs: a full disk, a lock of another process, a full queue, the end in the middle
//! of it all. What is durable is refused in time and in a sentence, all else goes on, and it mends without a restart.
//! How a server starts with such a store, see `start.rs`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::disk::Disk;
use crate::common::outage::{AT_ONCE, Bystanders, IN_TIME, LOBBY, api, in_time, is_ready, person, refusal, saying};
use crate::common::wire::Wire;
use crate::common::{Server, roomcast, scratch_dir, wait_until};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// The whole sentences: no path, no SQL.
const FULL: &str = "the disk is full";
const LOCKED: &str = "the database is locked by another process";
const QUEUE_FULL: &str = "too many requests are waiting for the store";

fn serve(database: &Path, flags: &[&str]) -> Server {
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--rate", "0"]).args(flags);
    command.args(["--database", &format!("sqlite:{}", database.display())]);
    Server::spawn(command)
}

/// The texts in the lobby by the database itself, which another program may read at any time.
fn stored(database: &Path) -> Vec<String> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = db.prepare("SELECT content FROM messages WHERE chat_id = 1 ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// What a member was shown up to the message `last`.
fn shown_until(member: &mut Wire, last: &str) -> Vec<String> {
    let mut shown = Vec::new();
    while shown.last().is_none_or(|text| text != last) {
        let told = member.receive().expect("all that was said");
        assert!(!told.to_string().contains("never"), "{told}");
        if told["event"] == "new_message" {
            shown.push(told["payload"]["text"].as_str().unwrap().to_owned());
        }
    }
    shown
}

#[test]
fn a_full_disk_refuses_what_is_durable_and_nothing_else() {
    let disk = Disk::new(scratch_dir(), "size=2m");
    let database = disk.0.join("chat.db");
    let server = serve(&database, &[]);
    let mut bystanders = Bystanders::new(&server);
    let (mut ada, mut bob) = (person(&server, "ada"), person(&server, "bob"));
    ada.ask("create_room", &json!({"roomName": "tea"}));
    let before = ada.ask("send_message", &saying("before"))["messageId"].clone();
    let ballast = disk.fill();

    // What still finds room is acknowledged and what finds none is refused, until not even the smallest finds any.
    let (mut acknowledged, mut refused) = (vec!["before".to_owned()], 0);
    let long = (0..60).map(|number| format!("{number} {}", "x".repeat(4_000)));
    for text in long.chain((0..60).map(|number| number.to_string())) {
        let answer = in_time(IN_TIME, || ada.request("send_message", &saying(&text)));
        if answer["event"] == "ack" {
            acknowledged.push(text);
            refused = 0;
        } else {
            assert_eq!(refusal(&answer), ("unavailable", FULL));
            refused += 1;
        }
    }
    assert!(refused > 20, "the disk is not full: {refused}");

    for (event, payload) in [
        ("send_message", json!({"roomId": LOBBY, "text": "again", "clientId": "mark"})),
        ("create_room", json!({"roomName": "never"})),
        ("change_room", json!({"roomId": 2, "roomName": "never"})),
        ("delete_room", json!({"roomId": 2})),
        ("create_user", json!({"username": "never"})),
        ("change_user", json!({"username": "never"})),
        ("delete_user", json!({})),
        ("post_readconfirmation", json!({"messageId": before})),
        ("delete_message", json!({"messageId": before})),
    ] {
        let answer = in_time(IN_TIME, || ada.request(event, &payload));
        assert_eq!(refusal(&answer), ("unavailable", FULL), "{event}");
    }
    bystanders.check(&server, FULL);
    // Reading needs no room.
    assert_eq!(texts(&ada.ask("get_messages", &json!({"roomId": LOBBY, "limit": 500}))), acknowledged);
    assert_eq!(ada.ask("get_rooms", &json!({}))["rooms"][1]["roomName"], "tea");

    fs::remove_file(ballast).unwrap();
    wait_until("the server to find out", || is_ready(&server));
    for text in ["again", "after"] {
        let again = json!({"roomId": LOBBY, "text": text, "clientId": if text == "again" { "mark" } else { "other" }});
        ada.ask("send_message", &again);
        acknowledged.push(text.into());
    }
    assert_eq!(shown_until(&mut bob, "after"), acknowledged, "what was shown is what was acknowledged");
    assert_eq!(stored(&database), acknowledged);
    assert_eq!(texts(&ada.ask("get_messages", &json!({"roomId": LOBBY, "limit": 500}))), acknowledged);
    assert_eq!(
        api(&server, "GET", "/user", ""),
        (200, json!([{"ID": 1, "Username": "ada"}, {"ID": 2, "Username": "bob"}]))
    );
    assert_eq!(ada.ask("get_rooms", &json!({}))["rooms"].as_array().unwrap().len(), 2);
}

fn texts(page: &Value) -> Vec<String> {
    let messages = page["messages"].as_array().unwrap().iter();
    messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn kill_9_on_a_full_disk_loses_nothing() {
    let disk = Disk::new(scratch_dir(), "size=2m");
    let database = disk.0.join("chat.db");
    let mut server = serve(&database, &[]);
    let mut ada = person(&server, "ada");
    let (mut acknowledged, ballast) = (Vec::new(), disk.0.join("ballast"));
    for number in 0..200 {
        if number == 10 {
            disk.fill();
        }
        let text = format!("{number} {}", "x".repeat(4_000));
        let answer = ada.request("send_message", &saying(&text));
        if answer["event"] == "ack" { acknowledged.push(text) } else { assert_eq!(refusal(&answer).1, FULL) }
    }
    server.signal("KILL");
    server.wait();
    // The journal is replayed and read without any room, and what is durable is refused as before.
    let server = serve(&database, &[]);
    let mut ada = Wire::open(&server, "/ws");
    ada.ask("switch_user", &json!({"userId": 1}));
    ada.ask("join_room", &json!({"roomId": LOBBY}));
    assert_eq!(refusal(&ada.request("send_message", &saying(&"x".repeat(8_000)))), ("unavailable", FULL));
    assert!(stored(&database) == acknowledged, "another {} messages than those acknowledged", stored(&database).len());
    fs::remove_file(ballast).unwrap();
    wait_until("the server to find out", || is_ready(&server));
    ada.ask("send_message", &saying("after"));
    acknowledged.push("after".into());
    assert!(stored(&database) == acknowledged, "another {} messages than those acknowledged", stored(&database).len());
}

#[test]
fn a_folder_that_is_taken_away_is_missed_until_it_is_back() {
    const GONE: &str = "the database is gone";
    let (folder, aside) = (scratch_dir(), scratch_dir().join("aside"));
    let database = folder.join("chat.db");
    let server = serve(&database, &[]);
    let mut bystanders = Bystanders::new(&server);
    let (mut ada, mut bob) = (person(&server, "ada"), person(&server, "bob"));
    ada.ask("send_message", &saying("before"));
    fs::rename(&folder, &aside).unwrap();
    for (event, payload) in [("send_message", saying("never")), ("get_messages", json!({"roomId": LOBBY}))] {
        let answer = in_time(IN_TIME, || ada.request(event, &payload));
        assert_eq!(refusal(&answer), ("unavailable", GONE), "{event}");
    }
    bystanders.check(&server, GONE);
    fs::rename(&aside, &folder).unwrap();
    wait_until("the server to find out", || is_ready(&server));
    ada.ask("send_message", &saying("after"));
    assert_eq!(shown_until(&mut bob, "after"), ["before", "after"]);
    assert_eq!(stored(&database), ["before", "after"]);
}

#[test]
fn a_lock_of_another_process_refuses_in_time_and_passes() {
    let database = scratch_dir().join("chat.db");
    let server = serve(&database, &[]);
    let mut bystanders = Bystanders::new(&server);
    let (mut ada, mut bob) = (person(&server, "ada"), person(&server, "bob"));
    ada.ask("send_message", &saying("before"));
    let other = Connection::open(&database).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let first = in_time(IN_TIME, || ada.request("send_message", &saying("never")));
    assert_eq!(refusal(&first), ("unavailable", LOCKED));
    bystanders.check(&server, LOCKED);

    // A trickle, so that requests come while the store's thread tries, while it looks, and in between.
    let (sent, began) = mpsc::channel();
    let mut stream = ada.stream.try_clone().unwrap();
    let request = json!({"event": "send_message", "payload": saying("never")}).to_string();
    let trickle = thread::spawn(move || {
        for _ in 0..50 {
            sent.send(Instant::now()).unwrap();
            std::io::Write::write_all(&mut stream, &crate::common::frame(crate::common::TEXT, request.as_bytes()))
                .unwrap();
            thread::sleep(Duration::from_millis(110));
        }
    });
    let mut slowest = Duration::ZERO;
    for began in began {
        let answer = ada.receive().expect("an answer");
        slowest = slowest.max(began.elapsed());
        assert_eq!(refusal(&answer), ("unavailable", LOCKED));
    }
    trickle.join().unwrap();
    println!("the slowest refusal took {slowest:?}");
    assert!(slowest < IN_TIME, "the slowest refusal took {slowest:?}");
    assert_eq!(texts(&ada.ask("get_messages", &json!({"roomId": LOBBY}))), ["before"], "reading goes on");

    other.execute_batch("ROLLBACK").unwrap();
    wait_until("the server to find out", || is_ready(&server));
    ada.ask("send_message", &saying("after"));
    assert_eq!(shown_until(&mut bob, "after"), ["before", "after"]);
    assert_eq!(stored(&database), ["before", "after"]);
}

#[test]
fn a_lock_refuses_a_crowd_in_time_too() {
    let database = scratch_dir().join("chat.db");
    let server = serve(&database, &[]);
    let mut crowd: Vec<Wire> = (0..40).map(|number| person(&server, &number.to_string())).collect();
    let other = Connection::open(&database).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // More than go into one transaction, or two.
    let began = Instant::now();
    let request = json!({"event": "send_message", "payload": saying("never")});
    for member in &mut crowd {
        (0..60).for_each(|_| assert!(member.send(&request)));
    }
    for member in &mut crowd {
        let mut answers = 0;
        while answers < 60 {
            let told = member.receive().expect("an answer");
            if told["event"] != "user_joined" {
                assert_eq!(refusal(&told).0, "unavailable");
                answers += 1;
            }
        }
    }
    println!("the slowest of a crowd was refused after {:?}", began.elapsed());
    assert!(began.elapsed() < IN_TIME, "it took {:?}", began.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(stored(&database), [""; 0]);
}

#[test]
fn a_short_lock_is_waited_for_and_a_full_queue_is_not() {
    let database = scratch_dir().join("chat.db");
    let server = serve(&database, &["--store-queue", "1"]);
    let (mut ada, mut bob) = (person(&server, "ada"), person(&server, "bob"));
    let other = Connection::open(&database).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let held = json!({"event": "send_message", "payload": saying("held"), "id": "asked"});
    assert!(ada.send(&held));
    assert_eq!(ada.receive().unwrap()["event"], "user_joined", "that bob has come");
    server.settle();
    let answer = in_time(AT_ONCE, || bob.request("send_message", &saying("never")));
    assert_eq!(refusal(&answer), ("unavailable", QUEUE_FULL));
    let body = r#"{"UserID":2,"RoomID":1,"Message":"never"}"#;
    let answer = in_time(AT_ONCE, || api(&server, "POST", "/messages", body));
    assert_eq!(answer, (503, json!({"error": QUEUE_FULL})));
    // Meanwhile the first one still waits.
    ada.stream.set_nonblocking(true).unwrap();
    assert_eq!(ada.stream.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    ada.stream.set_nonblocking(false).unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(ada.receive().unwrap()["event"], "ack");
    bob.ask("send_message", &saying("after"));
    assert_eq!(shown_until(&mut ada, "after"), ["held", "after"]);
    assert_eq!(stored(&database), ["held", "after"]);
}

/// Speaks until the connection is closed, some requests always on their way. Returns what was acknowledged, in order.
fn speak(mut wire: Wire, name: &str, count: &AtomicUsize) -> Vec<String> {
    let (mut next, mut acknowledged) = (0, Vec::new());
    loop {
        while next < acknowledged.len() + 32 {
            wire.send(&json!({"event": "send_message", "payload": saying(&format!("{name} {next}"))}));
            next += 1;
        }
        let Some(told) = wire.receive() else { break };
        if told["event"] == "ack" {
            acknowledged.push(format!("{name} {}", acknowledged.len()));
            count.fetch_add(1, Ordering::SeqCst);
        } else {
            assert_ne!(told["event"], "error", "{told}");
        }
    }
    assert_eq!(wire.closed, Some(1001), "{name} is told why it ends");
    acknowledged
}

fn watch(mut wire: Wire) -> Vec<String> {
    let mut shown = Vec::new();
    while let Some(told) = wire.receive() {
        if told["event"] == "new_message" {
            shown.push(told["payload"]["text"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(wire.closed, Some(1001));
    shown
}

#[test]
fn the_end_under_load_loses_nothing() {
    let database = scratch_dir().join("chat.db");
    let mut server = serve(&database, &[]);
    let watcher = person(&server, "watcher");
    let names = ["ada", "bob", "cat", "dan"];
    let speakers = names.map(|name| person(&server, name));
    let count = AtomicUsize::new(0);
    let (acknowledged, shown) = thread::scope(|scope| {
        let count = &count;
        let watching = scope.spawn(move || watch(watcher));
        let speaking: Vec<_> =
            speakers.into_iter().zip(names).map(|(wire, name)| scope.spawn(move || speak(wire, name, count))).collect();
        wait_until("the load to run", || count.load(Ordering::SeqCst) > 500);
        let began = Instant::now();
        server.signal("TERM");
        assert_eq!(server.wait().0.code(), Some(0));
        assert!(began.elapsed() < IN_TIME, "it took {:?} to end", began.elapsed());
        let acknowledged: Vec<String> = speaking.into_iter().flat_map(|one| one.join().unwrap()).collect();
        (acknowledged, watching.join().unwrap())
    });
    let stored = stored(&database);
    // Not printed: these are thousands.
    assert!(shown == stored, "of {} stored messages {} were shown, or in another order", stored.len(), shown.len());
    let (mut all, mut told) = (stored, acknowledged);
    all.sort();
    told.sort();
    assert!(all == told, "of {} stored messages {} were acknowledged, or others", all.len(), told.len());
}

#[test]
fn the_end_does_not_wait_for_a_lock() {
    let database = scratch_dir().join("chat.db");
    let mut server = serve(&database, &[]);
    let mut ada = person(&server, "ada");
    let other = Connection::open(&database).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..10 {
        assert!(ada.send(&json!({"event": "send_message", "payload": saying("never")})));
    }
    server.settle();
    let began = Instant::now();
    server.signal("TERM");
    for _ in 0..10 {
        assert_eq!(refusal(&ada.receive().expect("an answer")), ("unavailable", LOCKED));
    }
    assert_eq!((ada.receive(), ada.closed), (None, Some(1001)));
    drop(ada);
    assert_eq!(server.wait().0.code(), Some(0));
    assert!(began.elapsed() < IN_TIME, "it took {:?} to end", began.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(stored(&database), [""; 0]);
}
