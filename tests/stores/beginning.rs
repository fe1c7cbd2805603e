//! What a server that begins to serve does with what an earlier one has left, and how long a list of chats takes.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use roomcast::hub::Recovery;
use roomcast::hub::job::{Done, Job, Ticket};
use roomcast::id::{ChangeId, Mark, MessageId, RoomId, UserId};
use roomcast::store::{Handle, Settings};

use crate::common::subject::{Subject, at, confirm, guest, lasting_subjects};

const SOON: Duration = Duration::from_secs(10);

fn count(s: &Subject, rows: &str) -> usize {
    s.value(&format!("SELECT count(*) FROM {rows}")).parse().unwrap()
}

/// Somebody online, and rows of each kind of today and of long ago.
fn leave_behind(s: &mut Subject) {
    let ada = s.user("ada");
    s.one(Job::SetStatus { user: ada.id, is_online: true }).unwrap();
    let message = s.say(RoomId::LOBBY, guest(1), "hm").message;
    s.one(confirm(message, ada.id, at(1))).unwrap();
    assert_eq!(count(s, "users WHERE status = 'online'"), 1);
    let is_postgres = s.is_postgres();
    let ago = |days: u32| match is_postgres {
        true => format!("now() - interval '{days} days'"),
        false => format!("strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', '-{days} days')"),
    };
    s.sql(&format!("UPDATE message_changes SET changed_at = {}", ago(31)));
    for days in [29, 31] {
        let columns = "message_id, chat_id, kind, changed_at";
        s.sql(&format!("INSERT INTO message_changes ({columns}) VALUES (1, 1, 'edited', {})", ago(days)));
    }
    for (pid, days) in [("old", 8), ("young", 6)] {
        s.sql(&format!("INSERT INTO socket_rooms (pid, chat_id, chosen_at) VALUES ('{pid}', 1, {})", ago(days)));
    }
}

#[test]
fn a_server_that_begins_finds_nobody_here_and_nothing_stale() {
    for mut s in lasting_subjects() {
        leave_behind(&mut s);
        // Whoever merely opens it leaves it as it is.
        s.reopen();
        assert_eq!((count(&s, "message_changes"), count(&s, "users WHERE status = 'online'")), (3, 1));
        assert_eq!(s.store().begin(true), Ok(()));
        assert_eq!(count(&s, "users WHERE status <> 'offline'"), 0);
        assert_eq!((count(&s, "socket_rooms"), count(&s, "socket_rooms WHERE pid = 'young'")), (1, 1));
        // The beginning of the journal is cut off, and what is after that stays, whatever its time.
        assert_eq!((count(&s, "message_changes"), count(&s, "message_changes WHERE id > 1")), (2, 2));
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
}

#[test]
fn a_server_that_begins_beside_others_leaves_theirs_online() {
    for mut s in lasting_subjects() {
        leave_behind(&mut s);
        assert_eq!(s.store().begin(false), Ok(()));
        assert_eq!((count(&s, "users WHERE status = 'online'"), count(&s, "socket_rooms")), (1, 1));
    }
}

#[test]
fn a_journal_that_is_all_stale_is_emptied_and_its_ids_are_not_used_again() {
    for mut s in lasting_subjects() {
        leave_behind(&mut s);
        s.sql("UPDATE message_changes SET changed_at = '2024-01-01T12:00:00.000000Z'");
        assert_eq!(s.store().begin(true), Ok(()));
        assert_eq!(count(&s, "message_changes"), 0);
        s.one(Job::DeleteMessage { message: MessageId(1), by: None, at: at(9) }).unwrap();
        assert_eq!(count(&s, "message_changes WHERE id = 4"), 1);
    }
}

#[test]
fn the_thread_begins_before_it_does_anything_else() {
    for mut s in lasting_subjects() {
        leave_behind(&mut s);
        s.store().begin(true).unwrap();
        s.sql("UPDATE users SET status = 'online'");
        let (bell, woken) = mpsc::channel();
        let settings = Settings { queue: 10, patience: SOON, is_alone: true };
        let wake = Box::new(move || bell.send(()).unwrap_or(()));
        let mut handle = Handle::start(crate::common::subject::open(s.url()).store, settings, wake).unwrap();
        assert!(handle.submit(Ticket(1), Job::SetStatus { user: UserId(1), is_online: true }, Instant::now()));
        woken.recv_timeout(SOON).unwrap();
        assert_eq!(count(&s, "users WHERE status = 'online'"), 1);
        handle.finish(Instant::now() + SOON);
    }
}

const CHATS: usize = 100;
const MESSAGES: usize = 1_000;

/// How long it takes to list all chats, of which each has so many unread messages.
fn list(s: &mut Subject, user: UserId, unread: u64) -> Duration {
    let started = Instant::now();
    let Ok(Done::Chats(chats)) = s.one(Job::ListChats { user, most: 200 }) else { panic!() };
    assert_eq!(chats.len(), CHATS);
    assert!(chats.iter().all(|chat| chat.unread == unread && chat.last.is_some()));
    started.elapsed()
}

#[test]
fn a_hundred_long_chats_are_listed_quickly() {
    for mut s in lasting_subjects() {
        let (ada, bob) = (s.user("ada"), s.user("bob"));
        for number in 0..CHATS {
            s.private(&number.to_string(), ada.id, &[bob.id]);
        }
        let time = match s.is_postgres() {
            true => "timestamptz '2024-01-01T12:00:00Z' + i * interval '1 microsecond'",
            false => "printf('2024-01-01T12:00:00.%06dZ', i)",
        };
        s.sql(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {CHATS} * {MESSAGES}) \
             INSERT INTO messages (content, sender_id, chat_id, created_date) \
             SELECT 'hm', '{}', 2 + i % {CHATS}, {time} FROM n",
            bob.uuid
        ));
        // Nothing read, and almost all of it.
        let whole = list(&mut s, ada.id, 1_000);
        s.sql("UPDATE chat_participants SET last_read_at = '2024-01-01T12:00:00.098999Z'");
        let rest = list(&mut s, ada.id, 10);
        // A machine that has much else to do is slow too, but not as slow as one that looks at each message.
        assert!(whole + rest < Duration::from_secs(1), "{whole:?} {rest:?}");
    }
}
