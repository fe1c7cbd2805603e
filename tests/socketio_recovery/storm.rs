//! All come back at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::crowd::alone;
use crate::common::people;
use crate::common::returner::{Returner, Way, Words};
use crate::common::{Server, scratch_dir};

const CROWD: usize = 1_000;
const USERS: usize = 100;
/// So much was said that none of them has taken in.
const MISSED: usize = 50;
const THREADS: usize = 20;

/// Does something for each, on many threads at once.
fn for_each(crowd: &mut [Returner], act: impl Fn(&mut Returner) + Sync) {
    let each = crowd.len().div_ceil(THREADS);
    thread::scope(|scope| {
        for part in crowd.chunks_mut(each) {
            let act = &act;
            scope.spawn(move || part.iter_mut().for_each(act));
        }
    });
}

/// Two who speak to one another in an ephemeral room, until it is over. Returns how long the slowest answer took.
fn others_speak(server: &Server, is_over: &AtomicBool) -> Duration {
    let (mut client, id) = server.join_in();
    let request = format!(r#"{{"action":"private_message","user_id":"{id}","message":"still here?"}}"#);
    let mut slowest = Duration::ZERO;
    while !is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        client.ask(&request, &request);
        client.expect(&request);
        slowest = slowest.max(began.elapsed());
        thread::sleep(Duration::from_millis(5));
    }
    slowest
}

#[test]
fn a_thousand_come_back_at_once() {
    let _alone = alone(2 * CROWD);
    let database = scratch_dir().join("chat.db");
    let start = || Server::spawn(people::serve_on(&database, "127.0.0.1:0", &[]));
    let server = start();
    let users: Vec<i64> = (0..USERS).map(|number| people::user(&server, &format!("user {number}"))).collect();
    let room = people::private_room(&server, "tea", &users);
    let make = |number: usize| {
        let (words, namespace) =
            if number.is_multiple_of(2) { (Words::Chat, "/chat") } else { (Words::Conversation, "/conversation") };
        let way = if number % 10 < 8 { Way::WebSocket } else { Way::Polling };
        Returner::new(&format!("user {}", number % USERS), words, way, namespace, room)
    };
    let mut crowd: Vec<Returner> = (0..CROWD).map(make).collect();
    for_each(&mut crowd, |client| assert!(client.come_back(server.address).is_some_and(|missed| missed.is_empty())));
    let mut speaker = Returner::new("user 0", Words::Chat, Way::WebSocket, "/chat", room);
    speaker.come_back(server.address).unwrap();
    for number in 0..MISSED {
        let text = format!("missed {number}");
        speaker.say(number, &text, &text);
        while speaker.hear().expect("an answer").acknowledged.is_none() {}
    }
    server.signal("KILL");
    drop(server);

    let server = start();
    let (is_over, slowest) = (AtomicBool::new(false), Mutex::new(Duration::ZERO));
    let began = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| *slowest.lock().unwrap() = others_speak(&server, &is_over));
        for_each(&mut crowd, |client| {
            let missed = client.come_back(server.address).expect("an admission");
            let texts: Vec<String> = missed.into_iter().map(|message| message.text).collect();
            assert_eq!(texts, (0..MISSED).map(|number| format!("missed {number}")).collect::<Vec<_>>());
        });
        is_over.store(true, Ordering::SeqCst);
    });
    let (steady, slowest) = (began.elapsed(), slowest.into_inner().unwrap());
    println!(
        "{CROWD} clients and {MISSED} messages for each: steady after {steady:?}, others waited {slowest:?} at most"
    );
    assert!(crowd.iter().all(|client| client.recovered == 1));
    assert!(slowest < Duration::from_secs(1), "others waited {slowest:?}");
    assert!(steady < Duration::from_secs(20), "steady after {steady:?}");

    // What is said now reaches all of them, once.
    speaker.come_back(server.address).unwrap();
    speaker.say(MISSED, "after", "after");
    for_each(&mut crowd, |client| {
        let message = loop {
            if let Some(message) = client.hear().expect("a message").message {
                break message;
            }
        };
        assert_eq!(message.text, "after");
    });
}
