//! What a server that begins to serve does with what an earlier one has left, and how long a list of chats takes.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use roomcast::hub::Recovery;
use roomcast::hub::job::{Done, Job, Ticket};
use roomcast::id::{ChangeId, Mark, MessageId, RoomId, UserId};
use roomcast::store::{Handle, Settings};
use rusqlite::{Connection, params};

use crate::subject::{Subject, confirm};
use crate::{SOON, at, file, open, url};

fn count(db: &Connection, sql: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {sql}"), [], |row| row.get(0)).unwrap()
}

/// Somebody online, and rows of each kind of today and of long ago.
fn left_behind() -> (Subject, Connection) {
    let mut s = file();
    let ada = s.user("ada");
    s.one(Job::SetStatus { user: ada.id, is_online: true }).unwrap();
    let message = s.say(RoomId::LOBBY, crate::guest(1), "hm").message;
    s.one(confirm(message, ada.id, at(1))).unwrap();
    let db = Connection::open(s.path()).unwrap();
    assert_eq!(count(&db, "users WHERE status = 'online'"), 1);
    let ago = |days: u32| format!("strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', '-{days} days')");
    db.execute_batch(&format!(
        "UPDATE message_changes SET changed_at = {};
         INSERT INTO message_changes (message_id, chat_id, kind, changed_at) VALUES (1, 1, 'edited', {}), (1, 1, 'edited', {});
         INSERT INTO socket_rooms VALUES ('old', 1, {}), ('young', 1, {});",
        ago(31),
        ago(29),
        ago(31),
        ago(8),
        ago(6)
    ))
    .unwrap();
    (s, db)
}

#[test]
fn a_server_that_begins_finds_nobody_here_and_nothing_stale() {
    let (mut s, db) = left_behind();
    // Whoever merely opens it leaves it as it is.
    for migrate in [true, false] {
        open(&url(s.path()), migrate).unwrap();
    }
    assert_eq!((count(&db, "message_changes"), count(&db, "users WHERE status = 'online'")), (3, 1));
    assert_eq!(s.store().begin(), Ok(()));
    assert_eq!(count(&db, "users WHERE status <> 'offline'"), 0);
    assert_eq!((count(&db, "socket_rooms"), count(&db, "socket_rooms WHERE pid = 'young'")), (1, 1));
    // The beginning of the journal is cut off, and what is after that stays, whatever its time.
    assert_eq!((count(&db, "message_changes"), count(&db, "message_changes WHERE id > 1")), (2, 2));
    let mut come_back = |change| {
        let since = Some(Mark { message: MessageId(1), change: ChangeId(change) });
        let at = s.now();
        s.one(Job::Follow { pid: "p".into(), room: RoomId::LOBBY, is_in: true, at }).unwrap();
        let recovery = Some(Recovery { pid: "p".into(), since });
        let Ok(Done::Attended(attended)) =
            s.one(Job::Attend { user: "ada".into(), most: 9, follows_all: true, recovery, most_missed: 9 })
        else {
            panic!()
        };
        attended.missed.map(|missed| missed.changes.len())
    };
    assert_eq!([0, 1, 2, 3].map(&mut come_back), [None, Some(2), Some(1), Some(0)]);
}

#[test]
fn a_journal_that_is_all_stale_is_emptied_and_its_ids_are_not_used_again() {
    let (mut s, db) = left_behind();
    db.execute_batch("UPDATE message_changes SET changed_at = '2024-01-01T12:00:00.000000Z'").unwrap();
    assert_eq!(s.store().begin(), Ok(()));
    assert_eq!(count(&db, "message_changes"), 0);
    s.one(Job::DeleteMessage { message: MessageId(1), by: None, at: at(9) }).unwrap();
    assert_eq!(count(&db, "message_changes WHERE id = 4"), 1);
}

#[test]
fn the_thread_begins_before_it_does_anything_else() {
    let (mut s, db) = left_behind();
    let path = s.path().to_owned();
    s.store().begin().unwrap();
    drop(s);
    db.execute_batch("UPDATE users SET status = 'online'").unwrap();
    let (bell, woken) = mpsc::channel();
    let settings = Settings { queue: 10, patience: SOON };
    let wake = Box::new(move || bell.send(()).unwrap_or(()));
    let mut handle = Handle::start(crate::subject::open(&url(&path)).store, settings, wake).unwrap();
    assert!(handle.submit(Ticket(1), Job::SetStatus { user: UserId(1), is_online: true }, Instant::now()));
    woken.recv_timeout(SOON).unwrap();
    assert_eq!(count(&db, "users WHERE status = 'online'"), 1);
    handle.finish(Instant::now() + SOON);
}

#[test]
fn a_hundred_long_chats_are_listed_quickly() {
    const CHATS: i64 = 100;
    const MESSAGES: i64 = 1_000;
    let mut s = file();
    let (ada, bob) = (s.user("ada"), s.user("bob"));
    for number in 0..CHATS {
        s.private(&number.to_string(), ada.id, &[bob.id]);
    }
    let db = Connection::open(s.path()).unwrap();
    let sql = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1 * ?2) \
               INSERT INTO messages (content, sender_id, chat_id, created_date) \
               SELECT 'hm', ?3, 2 + i % ?1, printf('2024-01-01T12:00:00.%06dZ', i) FROM n";
    db.execute(sql, params![CHATS, MESSAGES, bob.uuid.to_string()]).unwrap();
    let mut list = |expected: u64| {
        let started = Instant::now();
        let Ok(Done::Chats(chats)) = s.one(Job::ListChats { user: ada.id, most: 200 }) else { panic!() };
        assert_eq!(chats.len(), CHATS as usize);
        assert!(chats.iter().all(|chat| chat.unread == expected && chat.last.is_some()));
        started.elapsed()
    };
    // Nothing read, and almost all of it.
    let whole = list(1_000);
    db.execute("UPDATE chat_participants SET last_read_at = '2024-01-01T12:00:00.098999Z'", []).unwrap();
    let rest = list(10);
    // A machine that has much else to do is slow too, but not as slow as one that looks at each message.
    assert!(whole + rest < Duration::from_secs(1), "{whole:?} {rest:?}");
}
