//! The store against a server made for the test, which answers as it is told to: other spellings, faults, no answer.

mod limits;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::calls::Endpoint;
use super::{Rest, open};
use crate::hub::job::{Author, Done, Draft, Fault, Job, Outcome};
use crate::hub::{Page, Place};
use crate::id::{MessageId, Reference, RoomId, Target, UserId};
use crate::store::Store;
use crate::timestamp::Timestamp;

/// What the server answers.
enum Say {
    /// A status and a body.
    This(u16, Value),
    /// The same, later.
    After(Duration, u16, Value),
    /// Nothing: it closes the connection.
    Nothing,
}

fn ok(body: Value) -> Say {
    Say::This(200, body)
}

/// A server of the database API, or something like it.
struct Other {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Other {
    /// `answer` is given a line such as `POST /user {"Username":"ada"}`.
    fn start(answer: impl Fn(&str) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answer, heard) = (Arc::new(answer), Arc::<Mutex<Vec<String>>>::default());
        let told = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, heard) = (Arc::clone(&answer), Arc::clone(&told));
                thread::spawn(move || converse(stream, &*answer, &heard));
            }
        });
        Self { url, heard }
    }

    fn connect(&self) -> Rest {
        Rest::connect(&self.url, "k3y", Duration::from_secs(4)).map_err(|error| error.sentence).unwrap().0
    }

    /// What it was asked since the last time.
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn converse(stream: TcpStream, answer: &dyn Fn(&str) -> Say, heard: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = request(&mut reader) {
        heard.lock().unwrap().push(request.clone());
        let (status, body) = match answer(&request) {
            Say::This(status, body) => (status, body),
            Say::After(pause, status, body) => {
                thread::sleep(pause);
                (status, body)
            }
            Say::Nothing => return,
        };
        let body = body.to_string();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut line, mut length, mut has_key) = (String::new(), 0, false);
    reader.read_line(&mut line).ok().filter(|&count| count > 0)?;
    let (request, _) = line.rsplit_once(" HTTP/1.1").unwrap();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|&count| count > 0)?;
        let header = header.trim().to_ascii_lowercase();
        has_key |= header == "api-key: k3y";
        match header.strip_prefix("content-length: ") {
            Some(text) => length = text.parse().unwrap(),
            None if header.is_empty() => break,
            None => {}
        }
    }
    assert!(has_key, "no key came with {request}");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(format!("{request} {}", String::from_utf8(body).unwrap()).trim_end().into())
}

fn one(store: &mut Rest, job: Job) -> Outcome {
    let mut outcomes = store.carry_out(&[job]);
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

fn unavailable(outcome: Outcome) -> String {
    match outcome {
        Err(Fault::Unavailable(sentence) | Fault::Unsupported(sentence)) => sentence,
        other => panic!("not unavailable: {other:?}"),
    }
}

fn say(room: i64, user: i64, text: &str) -> Draft {
    Draft {
        to: Target::Room(Reference::Number(room)),
        author: Author::User(Reference::Number(user)),
        text: text.into(),
        client_id: None,
        message_type: None,
        file: None,
        at: Timestamp::from_microseconds(5),
    }
}

fn read(room: i64, place: Place, limit: usize) -> Job {
    Job::ReadMessages { room: Reference::Number(room), reader: None, page: Page { place, limit } }
}

/// A server with other names for everything, which knows no pages and ignores queries.
fn stranger(request: &str) -> Say {
    let users = json!({"users": [{"user_id": "2", "name": "bob"}, {"user_id": "1", "name": "ada"}]});
    let messages: Vec<Value> = (1..=5)
        .rev()
        .map(|id| json!({"id": id, "room_id": 1, "user_id": "1", "content": format!("m{id}"), "timestamp": id}))
        .collect();
    match request.split([' ', '?']).take(2).collect::<Vec<_>>()[..] {
        ["GET", "/rooms"] => {
            ok(json!([{"RoomID": 3, "RoomName": "tea", "owner_id": 2}, {"RoomID": 1, "RoomName": "a"}]))
        }
        ["GET", "/user"] => ok(users),
        ["POST", "/user"] => ok(json!({"data": {"id": "7", "name": "eve"}})),
        ["POST", "/messages"] => ok(json!({"messageId": "6", "created_at": "2024-01-01 12:00:00"})),
        ["GET", "/messages"] => ok(json!({ "messages": messages })),
        ["GET", "/readconfirmation"] => ok(json!([{"id": 9, "userId": 2, "readAt": "2024-01-01T12:00:00Z"}])),
        ["POST", "/readconfirmation"] => ok(json!({"message": "ok"})),
        _ => ok(json!({"message": "done"})),
    }
}

#[test]
fn a_stranger_is_understood() {
    let other = Other::start(stranger);
    let opened = open(&other.url, "k3y", Duration::from_secs(4)).map_err(|error| error.sentence).unwrap();
    assert_eq!(opened.description, format!("the server at {}", other.url));
    let rooms: Vec<_> = opened.rooms.iter().map(|room| (room.id.0, &*room.name, room.owner)).collect();
    assert_eq!(rooms, [(1, "a", None), (3, "tea", Some(UserId(2)))]);

    let mut store = other.connect();
    let Ok(Done::User(eve)) = one(&mut store, Job::CreateUser { name: "eve".into(), at: Timestamp::default() }) else {
        panic!("no user")
    };
    assert_eq!((eve.id, &*eve.name), (UserId(7), "eve"));
    let Ok(Done::Users(users)) = one(&mut store, Job::ListUsers) else { panic!("no users") };
    assert_eq!(users.iter().map(|user| (user.id.0, &*user.name)).collect::<Vec<_>>(), [(1, "ada"), (2, "bob")]);
    // The same UUID every time, and it leads back.
    let found = one(&mut store, Job::FindUser { user: Reference::Uuid(users[1].uuid) });
    assert_eq!(found, Ok(Done::User(users[1].clone())));
    assert_ne!(users[0].uuid, opened.rooms[0].uuid);
    assert_eq!(one(&mut store, Job::FindUser { user: Reference::Number(9) }), Err(Fault::NoSuchUser));

    let Ok(Done::Appended(appended)) = one(&mut store, Job::Append(say(3, 2, "hi"))) else { panic!("not said") };
    assert_eq!((appended.message, appended.room.id, appended.is_repeat), (MessageId(6), RoomId(3), false));
    assert_eq!(appended.author.unwrap().name, "bob");
    assert_eq!(appended.at.to_string(), "2024-01-01T12:00:00.000000Z");
}

#[test]
fn pages_are_cut_where_the_other_server_does_not() {
    let other = Other::start(stranger);
    let mut store = other.connect();
    let cases = [
        (Place::Newest, 2, vec![4, 5], true),
        (Place::Newest, 5, vec![1, 2, 3, 4, 5], false),
        (Place::Before(MessageId(4)), 2, vec![2, 3], true),
        (Place::Before(MessageId(3)), 2, vec![1, 2], false),
        (Place::After(MessageId(0)), 2, vec![1, 2], true),
        (Place::After(MessageId(3)), 2, vec![4, 5], false),
        (Place::Newest, usize::MAX, vec![1, 2, 3, 4, 5], false),
    ];
    for (place, limit, expected, more) in cases {
        let Ok(Done::Messages { room, messages, has_more }) = one(&mut store, read(1, place, limit)) else {
            panic!("no messages")
        };
        assert_eq!(messages.iter().map(|message| message.id.0).collect::<Vec<_>>(), expected, "{place:?} {limit}");
        assert_eq!((room.id, has_more), (RoomId(1), more), "{place:?} {limit}");
        // Names that the list doesn't tell are looked up.
        assert!(messages.iter().all(|message| message.username == "ada" && message.at > Timestamp::default()));
    }
}

#[test]
fn a_whole_room_is_read_with_one_call() {
    let other = Other::start(|request| match request.starts_with("GET /rooms") {
        true => ok(json!([])),
        false => {
            ok((1..=50).map(|id| json!({"MessageID": id, "Message": "x".repeat(10_000), "Username": "x"})).collect())
        }
    });
    let mut store = other.connect();
    other.heard();
    let (mut after, mut pages) = (MessageId(0), Vec::new());
    loop {
        let Ok(Done::Messages { messages, has_more, .. }) = one(&mut store, read(1, Place::After(after), 20)) else {
            panic!("no messages")
        };
        pages.push(messages.len());
        after = messages.last().unwrap().id;
        if !has_more {
            break;
        }
    }
    // A page has no more than 20 messages, nor 128 KiB.
    assert_eq!((pages, after), (vec![13, 13, 13, 11], MessageId(50)));
    assert_eq!(other.heard(), ["GET /messages?RoomID=1"]);
    let Ok(Done::Messages { messages, has_more, .. }) = one(&mut store, read(1, Place::Newest, 20)) else {
        panic!("no messages")
    };
    assert_eq!((messages[0].id, messages.len(), has_more), (MessageId(38), 13, true));
}

/// Some servers give no more than so many messages, whatever they are asked for.
#[test]
fn a_smaller_page_than_asked_for_is_not_taken_for_the_last() {
    let other = Other::start(|request| {
        if request.starts_with("GET /rooms") {
            return ok(json!([]));
        }
        let number = |name| {
            let rest = request.split(&format!("{name}=")).nth(1)?;
            rest.split(['&', ' ']).next()?.parse::<i64>().ok()
        };
        let (before, limit) = (number("before").unwrap_or(121), number("limit").unwrap_or(60).min(60));
        let ids = (1..before).rev().take(limit as usize);
        ok(ids.map(|id| json!({"MessageID": id, "Message": "x", "Username": "x"})).collect())
    });
    let mut store = other.connect();
    for (place, first, more) in [(Place::Newest, 61, true), (Place::Before(MessageId(61)), 1, false)] {
        let Ok(Done::Messages { messages, has_more, .. }) = one(&mut store, read(1, place, 100)) else {
            panic!("no messages")
        };
        assert_eq!((messages[0].id.0, messages.len(), has_more), (first, 60, more));
    }
}

#[test]
fn statuses_become_faults() {
    let other = Other::start(|request| match request.split(' ').next().unwrap() {
        "GET" => ok(json!([{"ID": 1, "Name": "a", "Username": "a", "UserID": 1}])),
        _ => {
            let status = request.split('"').nth(3).unwrap().parse().unwrap();
            Say::This(status, json!({"error": "hush: /var/lib, api-key k3y"}))
        }
    });
    let mut store = other.connect();
    let mut create =
        |status: u16| one(&mut store, Job::CreateUser { name: status.to_string(), at: Timestamp::default() });
    assert_eq!(create(409), Err(Fault::NameTaken));
    assert_eq!(create(404), Err(Fault::NoSuchUser));
    for (status, part) in [
        (401, "refuses this server's key"),
        (403, "refuses this server's key"),
        (405, "can't do that"),
        (429, "asked too much"),
        (302, "is elsewhere"),
        (422, "does not take that: it answered with 422"),
        (500, "fails: it answered with 500"),
        (503, "fails: it answered with 503"),
        // No id in it.
        (201, "can't be understood"),
    ] {
        let sentence = unavailable(create(status));
        assert!(sentence.contains(part) && !sentence.contains("hush"), "{status}: {sentence}");
    }
    // None of them was sent twice.
    assert_eq!(other.heard().iter().filter(|request| request.starts_with("POST")).count(), 11);
}

#[test]
fn who_is_not_there_is_told_from_the_words() {
    let other = Other::start(|request| match request.split(' ').next().unwrap() {
        "GET" => ok(json!([{"ID": 1, "Name": "a"}])),
        _ if request.contains("user") => Say::This(404, json!({"error": "there is no such user"})),
        _ => Say::This(404, json!({"error": "there is no such room"})),
    });
    let mut store = other.connect();
    assert_eq!(one(&mut store, Job::Append(say(1, 1, "user"))), Err(Fault::NoSuchUser));
    assert_eq!(one(&mut store, Job::Append(say(1, 1, "x"))), Err(Fault::NoSuchRoom));
    // The author is looked up before anything is sent.
    assert_eq!(one(&mut store, Job::Append(say(1, 2, "x"))), Err(Fault::NoSuchUser));
    assert_eq!(other.heard().iter().filter(|request| request.starts_with("POST")).count(), 2);
}

#[test]
fn reads_are_tried_again_and_writes_are_not() {
    let other = {
        let fails = Mutex::new(0);
        Other::start(move |_| {
            let mut fails = fails.lock().unwrap();
            *fails += 1;
            // The first look succeeds; after that every other request fails.
            match *fails {
                1 => ok(json!([])),
                2 => Say::Nothing,
                4 => Say::This(503, json!({"error": "busy"})),
                6 => Say::Nothing,
                _ => ok(json!([{"ID": 1, "Username": "ada"}])),
            }
        })
    };
    let mut store = other.connect();
    for _ in 0..2 {
        assert!(matches!(one(&mut store, Job::ListUsers), Ok(Done::Users(users)) if users.len() == 1));
    }
    assert_eq!(other.heard().len(), 5);
    let sentence = unavailable(one(&mut store, Job::CreateUser { name: "x".into(), at: Timestamp::default() }));
    assert!(sentence.ends_with("; it may have been done all the same"), "{sentence}");
    assert_eq!(other.heard().len(), 1);
    let figures = store.upstream.client.calls().figures(Endpoint::ReadUsers);
    assert_eq!((figures.count, figures.failures), (4, 2));
}

#[test]
fn a_slow_server_costs_no_more_than_the_timeout() {
    let other = Other::start(|request| {
        let answer = json!([{"ID": 1, "Name": "a"}]);
        if request.starts_with("GET /rooms") { ok(answer) } else { Say::After(Duration::from_secs(3), 200, answer) }
    });
    let (mut store, _) =
        Rest::connect(&other.url, "k3y", Duration::from_millis(300)).map_err(|error| error.sentence).unwrap();
    let started = Instant::now();
    // More than there are lanes: those for which no time is left are not sent at all.
    let jobs: Vec<Job> = (1..=20).map(|id| Job::FindUser { user: Reference::Number(id) }).collect();
    let outcomes = store.carry_out(&jobs);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(outcomes.len(), 20);
    outcomes.into_iter().for_each(|outcome| drop(unavailable(outcome)));
    assert!(other.heard().len() <= 1 + 4);
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn a_server_that_is_gone_is_tried_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gone = |key: &str| Rest::connect(&format!("http://{address}"), key, Duration::from_secs(4)).err().unwrap();
    let error = gone("k3y");
    assert!(
        error.is_passing && error.sentence.contains("can't be reached: the connection was refused"),
        "{}",
        error.sentence
    );
    assert!(!error.sentence.contains("k3y"));
    assert!(!gone("not\na header").is_passing);
    let other = Other::start(|_| Say::This(401, json!({"error": "no"})));
    let error = open(&other.url, "k3y", Duration::from_secs(4)).err().unwrap();
    assert!(!error.is_passing && error.sentence.ends_with("ROOMCAST_UPSTREAM_KEY sets it"), "{}", error.sentence);

    // It goes, and comes back on the same port.
    let is_up = Arc::new(Mutex::new(true));
    let other = {
        let is_up = Arc::clone(&is_up);
        Other::start(move |_| if *is_up.lock().unwrap() { ok(json!([])) } else { Say::Nothing })
    };
    let mut store = other.connect();
    *is_up.lock().unwrap() = false;
    unavailable(one(&mut store, Job::ListUsers));
    other.heard();
    // Only its rooms are asked for to see whether it is back, however many jobs there are.
    let started = Instant::now();
    let jobs = vec![Job::ListUsers; 10];
    store.carry_out(&jobs).into_iter().for_each(|outcome| drop(unavailable(outcome)));
    assert_eq!(other.heard(), ["GET /rooms", "GET /rooms"]);
    assert!(started.elapsed() < Duration::from_secs(1));
    *is_up.lock().unwrap() = true;
    assert_eq!(one(&mut store, Job::ListUsers), Ok(Done::Users(vec![])));
}

#[test]
fn jobs_of_a_room_keep_their_order_and_others_do_not_wait() {
    let stored = Arc::new(Mutex::new(Vec::new()));
    let other = {
        let stored = Arc::clone(&stored);
        Other::start(move |request| {
            if request.starts_with("GET") {
                return ok((1..=8).map(|id| json!({"ID": id, "Username": "x", "Name": "x"})).collect());
            }
            thread::sleep(Duration::from_millis(20));
            let mut stored = stored.lock().unwrap();
            stored.push(request.split(r#""Message":""#).nth(1).unwrap().split('"').next().unwrap().to_owned());
            Say::This(201, json!({"message": "Message created", "MessageID": stored.len()}))
        })
    };
    let mut store = other.connect();
    let jobs: Vec<Job> = (0..40)
        .map(|number| Job::Append(say(1 + number % 4, 1 + number % 4, &format!("{}-{number:02}", number % 4))))
        .collect();
    let started = Instant::now();
    let outcomes = store.carry_out(&jobs);
    let took = started.elapsed();
    assert!(took < Duration::from_millis(40 * 20), "one after the other: {took:?}");
    // Each outcome is that of its own job.
    let stored = stored.lock().unwrap();
    for (job, outcome) in jobs.iter().zip(outcomes) {
        let (Job::Append(draft), Ok(Done::Appended(appended))) = (job, outcome) else { panic!("not said") };
        assert_eq!(stored[appended.message.0 as usize - 1], draft.text);
        assert_eq!(Target::Room(appended.room.id.into()), draft.to);
    }
    for room in 0..4 {
        let texts: Vec<_> = stored.iter().filter(|text| text.starts_with(&room.to_string())).collect();
        assert!(texts.len() == 10 && texts.is_sorted(), "{texts:?}");
    }
}
