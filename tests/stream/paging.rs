//! Long lists, turned over page by page while others write: another program straight into the database, with times of its
//! own, old ones and new ones and many that are the same.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use roomcast::timestamp::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::common::http::Http;
use crate::common::stream::{SENDER, saying};
use crate::common::{Server, roomcast, scratch_dir};

const MESSAGES: usize = 10_000;
/// 2024-01-01, as most of them were written.
const DAY: i64 = 1_704_067_200_000_000;

fn server_on(database: &Path) -> Server {
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--rate", "0"]);
    command.args(["--database", &format!("sqlite:{}", database.display())]);
    Server::spawn(command)
}

/// Another program that writes messages, each at its time.
fn write(database: &mut Connection, text: &str, times: impl Iterator<Item = i64>) {
    let transaction = database.transaction().unwrap();
    let sql = "INSERT INTO messages (content, sender_id, created_date) VALUES (?1, ?2, ?3)";
    for time in times {
        let time = Timestamp::from_microseconds(time).to_string();
        transaction.execute(sql, params![text, SENDER, time]).unwrap();
    }
    transaction.commit().unwrap();
}

/// 5,000 of one microsecond, 2,500 of another, and the rest somewhere around them; in no order.
fn times(random: &mut fastrand::Rng) -> Vec<i64> {
    let time = |random: &mut fastrand::Rng, number: usize| match number {
        0..5_000 => DAY,
        5_000..7_500 => DAY + 7,
        _ => DAY + random.i64(-5_000..5_000),
    };
    let mut times: Vec<i64> = (0..MESSAGES).map(|number| time(random, number)).collect();
    random.shuffle(&mut times);
    times
}

/// Turns over all pages, of limits that `limit` tells, and does `between` after each. Returns the old messages that were
/// shown, and how often.
fn turn_over(
    server: &Server,
    mut limit: impl FnMut() -> usize,
    mut between: impl FnMut(&mut Http),
) -> HashMap<i64, usize> {
    let mut http = Http::open(server.address).unwrap();
    let mut shown = HashMap::new();
    let (mut cursor, mut last) = (String::new(), None);
    loop {
        let limit = limit();
        http.send("GET", &format!("/message?limit={limit}{cursor}"), "").unwrap();
        let answer = http.answer().unwrap();
        let page: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
        let messages = page["messages"].as_array().unwrap();
        for message in messages {
            let place = (message["created_date"].as_str().unwrap().to_owned(), message["id"].as_i64().unwrap());
            assert!(last.as_ref().is_none_or(|last| place < *last), "{place:?} behind {last:?}");
            if message["content"] == "old" {
                *shown.entry(place.1).or_default() += 1;
            }
            last = Some(place);
        }
        if page["has_more"] == false {
            assert!(page["next_cursor"].is_null(), "{page}");
            return shown;
        }
        assert_eq!(messages.len(), limit, "a page that is not the last is full");
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
        between(&mut http);
    }
}

#[test]
fn turning_pages_shows_each_of_ten_thousand_once_while_others_write() {
    let path = scratch_dir().join("chat.db");
    let server = server_on(&path);
    let mut random = fastrand::Rng::with_seed(10);
    let mut database = Connection::open(&path).unwrap();
    database.busy_timeout(crate::common::PATIENCE).unwrap();
    // Losing what a test has written costs nothing.
    database.pragma_update(None, "synchronous", "OFF").unwrap();
    write(&mut database, "old", times(&mut random).into_iter());
    let expected: HashMap<i64, usize> = (1..=MESSAGES as i64).map(|id| (id, 1)).collect();

    let began = Instant::now();
    let quiet = turn_over(&server, || 100, |_| {});
    assert!(quiet == expected, "{} are shown", quiet.len());
    println!("100 pages of 100: {:?}", began.elapsed());

    let began = Instant::now();
    let (mut pages, mut other) = (0, random.fork());
    let noisy = turn_over(
        &server,
        || random.usize(1..=100),
        |http| {
            pages += 1;
            // Before all, after all, in between, and of the very microseconds that thousands share.
            let times = [DAY - 9_000, DAY + 9_000, DAY + other.i64(-5_000..5_000), DAY, DAY + 7];
            write(&mut database, "new", times.into_iter());
            http.send("POST", "/message", saying("posted")).unwrap();
            assert_eq!(http.answer().unwrap().status, 201);
        },
    );
    println!("{pages} pages of 1 to 100: {:?}", began.elapsed());
    assert!(noisy == expected, "{} are shown", noisy.len());
}

/// How long it takes to turn over so many pages of one message, with messages at these times.
fn turn_pages_of_one(times: impl Iterator<Item = i64>) -> Duration {
    let path = scratch_dir().join("chat.db");
    let server = server_on(&path);
    write(&mut Connection::open(&path).unwrap(), "old", times);
    let mut http = Http::open(server.address).unwrap();
    let mut cursor = String::new();
    let began = Instant::now();
    for turned in 0..300 {
        http.send("GET", &format!("/message?limit=1{cursor}"), "").unwrap();
        let page: Value = serde_json::from_str(&http.answer().unwrap().body).unwrap();
        assert_eq!(page["messages"][0]["id"], MESSAGES - turned);
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    began.elapsed()
}

/// What a page costs does not grow with how many share its time.
#[test]
fn a_page_in_the_midst_of_thousands_of_one_microsecond_costs_no_more() {
    let numbers = || 0..MESSAGES as i64;
    let apart = turn_pages_of_one(numbers().map(|number| DAY + number));
    let tied = turn_pages_of_one(numbers().map(|_| DAY));
    println!("300 pages of one: {apart:?}; of one microsecond all: {tied:?}");
    // Where all of one time are looked at for each page, it is beyond 30.
    assert!(tied < 8 * apart, "{tied:?} instead of {apart:?}");
}
