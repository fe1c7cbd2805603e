//! Transactions of other programs, which end in another order than they began, or not at all, with many rows or with
//! what nobody foresaw: all of it that lasts is heard once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::ears::{
    Ear, Psql, deleted_message, disconnect_listeners, heard_of, json_of, new_message, say, saying, updated_message,
    wait_for_looks,
};
use super::serve;
use crate::common::Server;
use crate::common::database::rows;
use crate::common::postgres::{Postgres, psql};

fn server() -> (String, Server, Ear) {
    let url = Postgres::shared().database();
    let server = Server::spawn(serve(&url, &[]));
    let stream = Ear::stream(&server, "/stream", None);
    (url, server, stream)
}

#[test]
fn what_ends_later_than_it_began_is_heard_when_it_ends() {
    let (url, _server, stream) = server();
    let [mut slow, mut slower, mut taken_back] = [(); 3].map(|()| Psql::open(&url));
    slow.run(&format!("BEGIN; {}", saying("one")));
    slower.run(&format!("BEGIN; {}", saying("two")));
    taken_back.run(&format!("BEGIN; {}", saying("never")));
    // Others are told meanwhile, for longer than between two looks.
    heard_of(|| say(&url, "four"), &[(&stream, &new_message(4, "four"))]);
    taken_back.run("ROLLBACK");
    heard_of(|| slower.run("COMMIT"), &[(&stream, &new_message(2, "two"))]);
    let began = Instant::now();
    let mut id = 5;
    while began.elapsed() < Duration::from_secs(6) {
        heard_of(|| say(&url, "more"), &[(&stream, &new_message(id, "more"))]);
        id += 1;
        heard_of(
            || rows(&url, "UPDATE messages SET content = 'most' WHERE content = 'more'"),
            &[(&stream, &updated_message(id - 1, "most"))],
        );
        heard_of(|| rows(&url, "DELETE FROM messages WHERE content = 'most'"), &[(&stream, &deleted_message(id - 1))]);
        wait_for_looks(&url, 1);
    }
    heard_of(|| slow.run("COMMIT"), &[(&stream, &new_message(1, "one"))]);
    wait_for_looks(&url, 1);
    stream.expect_nothing();
}

#[test]
fn a_lost_connection_to_listen_on_loses_nothing() {
    let (url, _server, stream) = server();
    let [mut before, mut during] = [(); 2].map(|()| Psql::open(&url));
    for round in 0..3 {
        let id = 1 + round * 4;
        before.run(&format!("BEGIN; {}", saying("before")));
        heard_of(|| say(&url, "told"), &[(&stream, &new_message(id + 1, "told"))]);
        // Not even in the middle of a look.
        wait_for_looks(&url, 1);
        during.run(&format!("BEGIN; {}", saying("during")));
        disconnect_listeners(&url);
        before.run("COMMIT");
        rows(&url, &format!("UPDATE messages SET content = 'changed' WHERE id = {}", id + 1));
        say(&url, "after");
        let heard = [new_message(id, "before"), new_message(id + 3, "after"), updated_message(id + 1, "changed")];
        let mut told: Vec<String> = heard.iter().map(|_| stream.next().text).collect();
        // They may come in one look or in several.
        told.sort_by_key(|text| heard.iter().position(|heard| heard == text));
        assert_eq!(told, heard);
        heard_of(|| during.run("COMMIT"), &[(&stream, &new_message(id + 2, "during"))]);
    }
    wait_for_looks(&url, 1);
    stream.expect_nothing();
}

#[test]
fn a_connection_to_listen_on_that_is_late_misses_nothing() {
    let postgres = Postgres::shared();
    let url = postgres.database();
    let (_, database) = url.rsplit_once('/').unwrap();
    let allow = |count: i32| postgres.administer(&format!("ALTER DATABASE {database} CONNECTION LIMIT {count}"));
    allow(1);
    let server = Server::spawn(serve(&url, &[]));
    let stream = Ear::stream(&server, "/stream", None);
    let superuser = postgres.as_superuser(database);
    say(&superuser, "one");
    rows(&superuser, "UPDATE messages SET content = 'uno'");
    stream.expect_nothing();
    allow(-1);
    stream.expect(&new_message(1, "uno"));
    stream.expect(&updated_message(1, "uno"));
    wait_for_looks(&url, 1);
    stream.expect_nothing();
}

#[test]
fn what_a_transaction_does_to_its_own_rows_is_heard_as_what_is_left_of_it() {
    let (url, _server, stream) = server();
    let mut psql = Psql::open(&url);
    psql.run(&format!("BEGIN; {}; UPDATE messages SET content = 'changed'; COMMIT", saying("new")));
    stream.expect(&new_message(1, "changed"));
    stream.expect(&updated_message(1, "changed"));
    psql.run(&format!("BEGIN; SAVEPOINT a; {}; ROLLBACK TO a; {}; COMMIT", saying("taken back"), saying("kept")));
    stream.expect(&new_message(3, "kept"));
    psql.run(&format!(
        "BEGIN; {}; UPDATE messages SET content = 'x' WHERE id = 4; DELETE FROM messages WHERE id = 4; COMMIT",
        saying("short-lived")
    ));
    // That it is gone is all that there is to say.
    stream.expect(&deleted_message(4));
    heard_of(|| say(&url, "next"), &[(&stream, &new_message(5, "next"))]);
    wait_for_looks(&url, 1);
    stream.expect_nothing();
}

#[test]
fn ten_thousand_rows_in_one_statement_are_heard_once_each() {
    const COUNT: i64 = 10_000;
    let (url, server, stream) = server();
    let action = Ear::action(&server, "lobby");
    let numbers = || 1..=COUNT;
    let expect = |kind: &str| {
        let began = Instant::now();
        for number in numbers() {
            let heard = json_of(&stream.next());
            assert_eq!((&heard["type"], &heard["data"]["id"]), (&kind.into(), &number.into()));
        }
        println!("{kind}: all were heard {:?} later", began.elapsed());
    };
    let select = format!("SELECT number, '{}'::uuid FROM generate_series(1, {COUNT}) number", super::ears::SENDER);
    rows(&url, &format!("INSERT INTO messages (content, sender_id) {select}"));
    expect("new_message");
    for number in numbers() {
        assert!(action.next().text.ends_with(&format!(r#""message":"{number}"}}"#)));
    }
    rows(&url, "UPDATE messages SET content = content || '!'");
    expect("updated_message");
    rows(&url, "DELETE FROM messages");
    expect("deleted_message");
    heard_of(|| say(&url, "next"), &[(&stream, &new_message(COUNT + 1, "next"))]);
    wait_for_looks(&url, 1);
    stream.expect_nothing();
    action.expect(&super::ears::room_message("lobby", "next"));
    action.expect_nothing();
}

#[test]
fn notifications_are_small_and_those_of_others_do_no_harm() {
    let (url, server, stream) = server();
    let mut listener = Psql::open(&url);
    let select = "SELECT number, md5('x')::uuid FROM generate_series(1, 10000) number";
    // Numbers as long as they ever get.
    let highest = "SELECT setval(pg_get_serial_sequence('messages', 'id'), 9000000000000000000)";
    let printed = listener.run(&format!(
        "LISTEN roomcast; {highest}; INSERT INTO messages (content, sender_id) {select}; \
         DELETE FROM messages WHERE id % 2 = 0"
    ));
    let payloads: Vec<&str> = printed.iter().filter_map(|line| line.split('"').nth(3)).collect();
    assert!(payloads.iter().all(|payload| payload.len() < 8_000));
    let told = |kind: &str| {
        let ids = payloads.iter().filter_map(|payload| payload.strip_prefix(kind)?.rsplit(' ').next());
        ids.flat_map(|ids| ids.split(',')).count()
    };
    assert_eq!((told("said "), told("changed ")), (10_000, 5_000));
    let longest = "x".repeat(7_999);
    for payload in
        ["", " ", "said", "said  ", "said - 1,2,3", "changed x 99999999999999999999", "'';\n\u{7f}👩‍🚀", &longest]
    {
        psql(&url, &format!("NOTIFY roomcast, '{payload}'"));
    }
    psql(&url, "DO $$ BEGIN FOR i IN 1 .. 20000 LOOP PERFORM pg_notify('roomcast', i::text); END LOOP; END $$");
    // All that is told is what was there: of a message that is gone before it is told, only that it is.
    say(&url, "next");
    let (mut said, mut deleted) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let told = json_of(&stream.next());
        let data = &told["data"];
        if data["content"] == "next" {
            break;
        }
        let ids = if told["type"] == "new_message" { &mut said } else { &mut deleted };
        assert!(ids.insert(data["id"].as_i64().unwrap()), "told twice: {told}");
    }
    // The last of them may have been noted after what came next was said.
    while deleted.len() < 5_000 {
        let told = json_of(&stream.next());
        assert!(deleted.insert(told["data"]["id"].as_i64().unwrap()), "told twice: {told}");
    }
    let all = said.union(&deleted).count();
    assert_eq!((all, deleted.len()), (10_000, 5_000));
    wait_for_looks(&url, 1);
    stream.expect_nothing();
    assert!(server.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
}
