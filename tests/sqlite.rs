//! What is SQLite's own: files that can't be used, other programs at the same database, full disks, and that a batch is
//! one transaction.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::disk::Disk;
use crate::common::subject::{self, Subject, at, confirm, guest, scratch_dir};
use roomcast::config::Durability;
use roomcast::hub::Place;
use roomcast::hub::job::{Fault, Job, Ticket};
use roomcast::id::{MessageId, RoomId, UserId};
use roomcast::store::{self, Handle, OpenError, Options, Settings};
use rusqlite::Connection;

const SOON: Duration = Duration::from_secs(10);

const LOCKED: &str = "the database is locked by another process";
const FULL: &str = "the disk is full";

fn file() -> Subject {
    Subject::new(&url(&scratch_dir().join("chat.db")), true)
}

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn open(url: &str, migrate: bool) -> Result<(), OpenError> {
    let options = Options { migrate, durability: Durability::Normal, key: "", node: None };
    store::open(url, &options).map(drop)
}

/// The sentence after the path, and whether trying again may help.
fn failure(path: &Path, migrate: bool) -> (String, bool) {
    let error = open(&url(path), migrate).unwrap_err();
    let rest = error.sentence.strip_prefix(&format!("{} ", path.display())).unwrap_or_else(|| panic!("{error:?}"));
    (rest.to_owned(), error.is_passing)
}

fn unavailable(sentence: &str) -> Fault {
    Fault::Unavailable(sentence.into())
}

/// How many transactions the write-ahead log holds: of the frames of its current run, those that end one.
fn transactions(database: &Path) -> usize {
    let log = fs::read(format!("{}-wal", database.display())).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page, salts) = (number(8) as usize, [number(16), number(20)]);
    let frames = (32..log.len()).step_by(24 + page);
    frames.filter(|&at| [number(at + 8), number(at + 12)] == salts && number(at + 4) != 0).count()
}

#[test]
fn a_batch_is_one_transaction() {
    let mut s = file();
    s.user("ada");
    let before = transactions(s.path());
    let mut jobs = vec![Job::CreateUser { name: "bob".into(), at: at(1) }, Job::ListUsers];
    for number in 0..100 {
        jobs.push(s.draft(RoomId::LOBBY, guest(number), "hi", Some("mark")));
    }
    jobs.push(Job::CreateUser { name: "bob".into(), at: at(1) });
    jobs.push(confirm(MessageId(1), UserId(1), at(1)));
    let outcomes = s.all(&jobs);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
    assert_eq!(transactions(s.path()), before + 1);
    // One that only reads is none, and sees what another process has written meanwhile.
    let other = Connection::open(s.path()).unwrap();
    other.execute("INSERT INTO users (username) VALUES ('eve')", []).unwrap();
    assert!(s.one(Job::FindUser { user: UserId(3).into() }).is_ok());
    assert_eq!(transactions(s.path()), before + 2);
}

#[test]
fn rows_of_other_programs_are_messages_like_any() {
    let mut s = file();
    let ada = s.user("ada");
    let other = Connection::open(s.path()).unwrap();
    let sender = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    other.execute("INSERT INTO messages (content, sender_id) VALUES ('plain', ?1)", [sender]).unwrap();
    let upper = ada.uuid.to_string().to_uppercase();
    let sql = "INSERT INTO messages (content, sender_id, created_date) VALUES ('as ada', ?1, CURRENT_TIMESTAMP)";
    other.execute(sql, [&upper]).unwrap();
    let sql = "INSERT INTO messages (content, sender_id, created_date) VALUES (x'68ff', 'the postman', unixepoch())";
    other.execute(sql, []).unwrap();
    other.execute("INSERT INTO message_reads (message_id, user_id) VALUES (1, ?1)", [ada.id.0]).unwrap();
    let (messages, _) = s.read(RoomId::LOBBY, Some(ada.id), Place::Newest, 9);
    let shown: Vec<_> = messages.iter().map(|m| (m.username.as_str(), m.text.as_str(), m.user)).collect();
    let expected =
        [("guest-67e55044", "plain", None), ("ada", "as ada", Some(ada.id)), ("guest-the post", "h\u{fffd}", None)];
    assert_eq!(shown, expected);
    assert_eq!((messages[0].sender.to_string().as_str(), messages[0].read_self), (sender, true));
    // All three are of now, whatever form their times have.
    let now: String = other.query_row("SELECT created_date FROM messages WHERE id = 1", [], |row| row.get(0)).unwrap();
    assert_eq!(messages[0].at.to_string(), now);
    let spread = messages.iter().map(|message| message.at.microseconds().abs_diff(messages[0].at.microseconds()));
    assert!(spread.max().unwrap() < 60_000_000);
    // The next process starts behind them.
    assert!(s.reopen().last >= messages[0].at);
    for refused in [
        "INSERT INTO users (username) VALUES ('ada')",
        "INSERT INTO chats (name) VALUES ('lobby')",
        "INSERT INTO messages (content, sender_id, file) VALUES ('', '', hex(zeroblob(26)))",
        "INSERT INTO chats (name, is_private) VALUES ('x', 'true')",
    ] {
        assert!(other.execute(refused, []).is_err(), "{refused}");
    }
}

#[test]
fn a_foreign_lock_makes_writing_unavailable_and_not_reading() {
    let mut s = file();
    let other = Connection::open(s.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    let jobs = [s.draft(RoomId::LOBBY, guest(1), "hi", None), Job::ListUsers];
    let outcomes = s.all(&jobs);
    assert_eq!(outcomes[0], Err(unavailable(LOCKED)));
    assert!(outcomes[1].is_ok());
    assert_eq!(s.store().check(), Err(LOCKED.into()));
    assert!(started.elapsed().as_secs() < 5);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(s.store().check(), Ok(()));
    s.say(RoomId::LOBBY, guest(1), "ho");
    assert_eq!(s.texts(RoomId::LOBBY), ["ho"]);
}

#[test]
fn the_thread_says_what_is_wrong_and_when_it_is_over() {
    let path = scratch_dir().join("chat.db");
    let (bell, woken) = mpsc::channel();
    let settings = Settings { queue: 10, patience: SOON, is_alone: true };
    let wake = Box::new(move || bell.send(()).unwrap_or(()));
    let mut handle = Handle::start(subject::open(&url(&path)).store, settings, wake).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let job = Job::CreateUser { name: "ada".into(), at: at(0) };
    assert!(handle.submit(Ticket(1), job.clone(), Instant::now()));
    woken.recv_timeout(SOON).unwrap();
    let mut outcomes = Vec::new();
    handle.drain(9, Instant::now(), &mut outcomes);
    assert_eq!(outcomes, [(Ticket(1), Err(unavailable(LOCKED)))]);
    assert_eq!(handle.trouble().as_deref(), Some(LOCKED));
    other.execute_batch("COMMIT").unwrap();
    let until = Instant::now() + SOON;
    while handle.trouble().is_some() {
        assert!(Instant::now() < until, "it has not found out");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(handle.submit(Ticket(2), job, Instant::now()));
    let outcomes = handle.finish(Instant::now() + SOON);
    assert!(matches!(outcomes[..], [(Ticket(2), Ok(_))]), "{outcomes:?}");
    drop(other);
    assert!(!path.with_extension("db-wal").exists(), "closed in order");
}

#[test]
fn a_full_disk_stores_nothing_and_mends() {
    let disk = Disk::new(scratch_dir(), "size=1m");
    let path = disk.0.join("chat.db");
    let mut s = Subject::new(&url(&path), true);
    let kept = s.say(RoomId::LOBBY, guest(1), "before").message;
    let ballast = disk.fill();
    let mut acknowledged = vec!["before".to_owned()];
    let mut refused = 0;
    for number in 0..200 {
        let text = format!("{number} {}", "x".repeat(4_000));
        let look = Job::FindRoom { room: RoomId::LOBBY.into(), reader: None };
        let jobs = [s.draft(RoomId::LOBBY, guest(1), &text, None), look];
        let outcomes = s.all(&jobs);
        assert!(outcomes[1].is_ok(), "reading goes on");
        match &outcomes[0] {
            Ok(_) => acknowledged.push(text),
            Err(fault) => {
                assert_eq!(*fault, unavailable(FULL));
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "the disk was never full");
    assert_eq!(s.store().check(), Err(FULL.into()));
    assert_eq!(kept, MessageId(1));
    fs::remove_file(&ballast).unwrap();
    assert_eq!(s.store().check(), Ok(()));
    s.say(RoomId::LOBBY, guest(1), "after");
    acknowledged.push("after".into());
    assert_eq!(all_texts(&mut s), acknowledged);
    // It is full again when the next process starts; that one waits.
    drop(s);
    let ballast = disk.fill();
    let (sentence, is_passing) = failure(&disk.0.join("new.db"), true);
    assert!(sentence.ends_with(FULL) && is_passing, "{sentence}");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(all_texts(&mut Subject::new(&url(&path), true)), acknowledged);
}

/// Page by page, the oldest first.
fn all_texts(s: &mut Subject) -> Vec<String> {
    let (mut texts, mut from) = (Vec::new(), MessageId(0));
    loop {
        let (messages, has_more) = s.read(RoomId::LOBBY, None, Place::After(from), 1_000);
        from = messages.last().map_or(from, |message| message.id);
        texts.extend(messages.into_iter().map(|message| message.text));
        if !has_more {
            return texts;
        }
    }
}

#[test]
fn a_read_only_file_system_is_called_one() {
    let disk = Disk::new(scratch_dir(), "size=4m");
    let path = disk.0.join("chat.db");
    let mut s = Subject::new(&url(&path), true);
    s.say(RoomId::LOBBY, guest(1), "before");
    drop(s);
    disk.remount("ro");
    assert_eq!(failure(&path, true), ("can't be written to".into(), false));
    let sentence = "can't be created: the file system is read-only";
    assert_eq!(failure(&disk.0.join("new.db"), true), (sentence.into(), false));
    disk.remount("rw");
    assert_eq!(Subject::new(&url(&path), true).texts(RoomId::LOBBY), ["before"]);
}

#[test]
fn a_file_that_is_taken_away_is_missed() {
    let mut s = file();
    s.say(RoomId::LOBBY, guest(1), "before");
    let path = s.path().to_owned();
    let aside = path.with_extension("aside");
    // All that belongs to it goes, as when a folder is moved.
    let move_all = |from: &Path, to: &Path| {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::rename(format!("{}{end}", from.display()), format!("{}{end}", to.display()));
        }
    };
    move_all(&path, &aside);
    let draft = s.draft(RoomId::LOBBY, guest(1), "lost?", None);
    assert_eq!(s.refused(draft.clone()), unavailable("the database is gone"));
    assert_eq!(s.refused(Job::ListUsers), unavailable("the database is gone"));
    assert!(s.store().check().is_err());
    assert!(!path.exists(), "no empty one is made in its place");
    fs::write(&path, "").unwrap();
    let exchanged = "the database was exchanged for one of another version";
    assert_eq!(s.refused(draft.clone()), unavailable(exchanged));
    fs::write(&path, "not a database, but long enough to be taken for one if nobody looks at it closely ".repeat(20))
        .unwrap();
    assert_eq!(s.refused(draft.clone()), unavailable("the database is damaged"));
    fs::remove_file(&path).unwrap();
    move_all(&aside, &path);
    assert!(s.one(draft).is_ok());
    assert_eq!(s.texts(RoomId::LOBBY), ["before", "lost?"]);
}

#[test]
fn what_can_not_be_opened_is_said_in_a_sentence() {
    let folder = scratch_dir();
    let path = |name: &str| folder.join(name);
    let lasting = |sentence: &str| (sentence.to_owned(), false);
    assert_eq!(failure(&folder, true), lasting("is a directory; the database must be a file"));
    assert_eq!(failure(&path("a/b.db"), true), lasting("can't be created: there is no such folder"));
    assert_eq!(failure(&path("missing.db"), false), lasting("does not exist"));
    assert!(!path("missing.db").exists());
    assert_eq!(failure(Path::new("/dev/null"), true), lasting("is not a file"));

    fs::write(path("text"), "once upon a time ".repeat(100)).unwrap();
    assert_eq!(failure(&path("text"), true), lasting("is not a SQLite database"));

    Connection::open(path("newer.db")).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let sentence = "has schema version 99, and this program knows none after 3";
    for migrate in [true, false] {
        assert_eq!(failure(&path("newer.db"), migrate), lasting(sentence));
    }
    fs::write(path("empty.db"), "").unwrap();
    let sentence = "has schema version 0 instead of 3, and may not be migrated";
    assert_eq!(failure(&path("empty.db"), false), lasting(sentence));
    assert_eq!(fs::read(path("empty.db")).unwrap(), [0; 0], "only checked");
    open(&url(&path("empty.db")), true).unwrap();
    open(&url(&path("empty.db")), false).unwrap();

    // Another program's databases stay as they are.
    let sentence = "holds other tables than those of this program";
    for (name, version) in [("foreign.db", 0), ("foreign1.db", 1), ("foreign2.db", 2)] {
        let foreign = Connection::open(path(name)).unwrap();
        let tables =
            format!("CREATE TABLE users (name); INSERT INTO users VALUES ('x'); PRAGMA user_version = {version}");
        foreign.execute_batch(&tables).unwrap();
        drop(foreign);
        let before = fs::read(path(name)).unwrap();
        assert_eq!(failure(&path(name), true), lasting(sentence));
        assert_eq!(fs::read(path(name)).unwrap(), before, "{name}");
    }
    let unhoused = Connection::open(path("empty.db")).unwrap();
    unhoused.execute_batch("DROP TRIGGER lobby_stays; DELETE FROM chats").unwrap();
    assert_eq!(failure(&path("empty.db"), true), lasting("has no lobby: the row 1 of chats is missing or private"));
}

#[test]
fn a_locked_database_may_be_tried_again() {
    let path = scratch_dir().join("chat.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE x (y)").unwrap();
    assert_eq!(failure(&path, true), ("is locked by another process".into(), true));
    other.execute_batch("ROLLBACK").unwrap();
    open(&url(&path), true).unwrap();
}

#[test]
fn urls_name_files_in_several_forms() {
    let folder = scratch_dir();
    let path = folder.join("chat.db");
    let absolute = path.display().to_string();
    let mut s = Subject::new(&format!("sqlite:{absolute}"), true);
    s.user("ada");
    drop(s);
    // `--no-migrate` opens none but the one that is there.
    for url in [
        format!("sqlite:{absolute}"),
        format!("SQLite://{absolute}"),
        format!("sqlite+aiosqlite:///{absolute}"),
        format!("sqlite:///{absolute}"),
    ] {
        open(&url, false).unwrap_or_else(|error| panic!("{url}: {error:?}"));
    }
    for url in
        ["sqlite::memory:", "sqlite://:memory:", "sqlite:///:memory:", "sqlite+aiosqlite://", "sqlite+x:///:memory:"]
    {
        let opened = subject::open(url);
        assert_eq!(opened.description, "memory, and gone with the process", "{url}");
    }
    // Relative to the working directory, and not to be mistaken for a URI.
    for (url, sentence) in [
        ("sqlite:missing.db", "missing.db does not exist"),
        ("sqlite://missing.db", "missing.db does not exist"),
        ("sqlite+aiosqlite:///missing.db", "missing.db does not exist"),
        ("sqlite+aiosqlite:////missing.db", "/missing.db does not exist"),
        ("sqlite:///missing.db", "/missing.db does not exist"),
        ("sqlite:file:missing.db", "file:missing.db does not exist"),
        ("sqlite:", "the database URL names no file: write sqlite:PATH"),
        ("sqlite:///", "the database URL names no file: write sqlite:PATH"),
        ("sqlite:x.db?mode=ro", "the database URL must end with the path: nothing else can be set there"),
    ] {
        assert_eq!(open(url, false).unwrap_err().sentence, sentence, "{url}");
    }
}

#[test]
fn what_is_looked_up_is_found_by_an_index() {
    let s = file();
    let db = Connection::open(s.path()).unwrap();
    for sql in [
        "SELECT m.id FROM messages m LEFT JOIN users u ON u.uuid = m.sender_id WHERE m.chat_id = 1 AND m.id < 9 ORDER BY m.id DESC",
        "SELECT m.id FROM messages m LEFT JOIN users u ON u.uuid = m.sender_id WHERE m.chat_id = 1 AND m.id > 9 ORDER BY m.id",
        "SELECT 1 FROM users WHERE username = 'x' AND deleted_at IS NULL AND id IS NOT 7",
        "SELECT 1 FROM chats WHERE name = 'x' AND NOT is_private AND id IS NOT 7",
        "SELECT created_date FROM messages ORDER BY created_date DESC LIMIT 1",
        "DELETE FROM messages WHERE chat_id = 1",
        "SELECT count(*) FROM message_reads WHERE message_id = 1",
        "SELECT count(*) FROM messages WHERE chat_id = 1 AND created_date > 'x' AND sender_id <> (SELECT uuid FROM users WHERE id = 1) COLLATE NOCASE",
        "SELECT o.id FROM direct_chats d JOIN users o ON o.id = CASE 1 WHEN d.low_user THEN d.high_user WHEN d.high_user THEN d.low_user END WHERE d.chat_id = 1",
        "SELECT c.id FROM direct_chats d JOIN chats c ON c.id = d.chat_id WHERE d.low_user = 1 AND d.high_user = 2",
        "SELECT x.id FROM message_changes x LEFT JOIN users u ON u.id = x.user_id LEFT JOIN messages m ON m.id = x.message_id WHERE x.chat_id = 1 AND x.id > 9 ORDER BY x.id",
        "DELETE FROM message_changes WHERE chat_id = 1",
        "DELETE FROM message_changes WHERE id < 9",
        "DELETE FROM socket_rooms WHERE pid = 'x'",
        "DELETE FROM socket_rooms WHERE chat_id = 1",
        "DELETE FROM message_reactions WHERE user_id = 1",
    ] {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> = statement.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        let is_found = |step: &String| step.contains("USING") && !step.contains("TEMP B-TREE");
        let is_good = plan.iter().all(|step| is_found(step) || step.starts_with("SCALAR SUBQUERY"));
        assert!(is_good, "{sql}: {plan:?}");
    }
}
