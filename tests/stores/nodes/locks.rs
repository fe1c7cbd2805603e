//! What waits for another node's transaction, and what does not.

use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use roomcast::hub::job::{Done, Fault, Job, Ticket};
use roomcast::id::{NodeId, RoomId};
use roomcast::store::{Handle, Settings};

use super::{order, position, two};
use crate::common::postgres::psql_session;
use crate::common::subject::{Subject, at, guest, open_for};

/// What nodes hold while they write.
const LOCK: i64 = 7_662_117_468;

const SOON: Duration = Duration::from_secs(20);

/// A node in the middle of a transaction.
struct Writing {
    psql: Child,
    stdin: ChildStdin,
}

impl Writing {
    fn begin(beside: &mut Subject, sql: &str) -> Self {
        let mut psql = psql_session(beside.url()).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut stdin = psql.stdin.take().unwrap();
        writeln!(stdin, "SET roomcast.node = 'another'; BEGIN; SELECT pg_advisory_xact_lock({LOCK}); {sql};").unwrap();
        let waits = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' \
                     AND l.granted AND a.datname = current_database() AND a.state = 'idle in transaction'";
        while beside.value(waits) != "1" {
            std::thread::yield_now();
        }
        Self { psql, stdin }
    }

    fn commit(mut self) {
        writeln!(self.stdin, "COMMIT;").unwrap();
        drop(self.stdin);
        assert!(self.psql.wait().unwrap().success());
    }
}

#[test]
fn a_mark_is_not_ahead_of_what_another_node_is_still_writing() {
    let [(mut one, _), (mut two, _)] = two();
    one.user("ada");
    let mark = |node: &mut Subject| {
        let job = Job::Attend { user: "ada".into(), most: 9, follows_all: true, recovery: None, most_missed: 9 };
        let Ok(Done::Attended(attended)) = node.one(job) else { panic!() };
        (attended.mark.message.0, attended.mark.change.0)
    };
    let message = two.say(RoomId::LOBBY, guest(2), "gone").message;
    two.one(Job::DeleteMessage { message, by: None, at: at(9) }).unwrap();
    // What is gone was heard.
    assert_eq!(mark(&mut one), (1, 1));
    let insert = "INSERT INTO messages (content, sender_id) VALUES ('hm', '67e55044-10b1-426f-9247-bb680e5fe0c8')";
    let other = Writing::begin(&mut one, insert);
    assert_eq!(mark(&mut one), (1, 1));
    other.commit();
    assert_eq!(mark(&mut one), (2, 1));
    let opened = Subject::node(one.url(), 3).1;
    assert_eq!(opened.mark.map(|mark| (mark.message.0, mark.change.0)), Some((2, 1)));
}

#[test]
fn a_lock_that_is_kept_makes_writing_unavailable_and_nothing_else() {
    let [(mut one, begun), _] = two();
    let other = Writing::begin(&mut one, "SELECT 1");
    let started = Instant::now();
    let jobs = [one.draft(RoomId::LOBBY, guest(1), "hm", Some("mark")), Job::ListUsers];
    let outcomes = one.all(&jobs);
    assert_eq!(outcomes[0], Err(Fault::Unavailable("the database is locked by another program".into())));
    assert_eq!(outcomes[1], Ok(Done::Users(vec![])));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    // Users and rooms have no place in the order.
    one.user("ada");
    assert!(open_fails(one.url()));
    other.commit();
    let said = one.one(jobs[0].clone()).unwrap();
    assert_eq!(order(&said).position.number, begun.number + 1);
    assert_eq!(position(&open_for(one.url(), Some(NodeId(3)))).number, begun.number + 1);
}

/// Who asks for a private room's participants while they hold a lock that others wait for is refused.
const TRAP: &str = "ALTER TABLE chat_participants RENAME TO participants; \
                    CREATE FUNCTION holds_no_lock() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
                        IF EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND granted) \
                        THEN RAISE 'the lock is held'; END IF; \
                        RETURN true; \
                    END $$; \
                    CREATE VIEW chat_participants AS SELECT * FROM participants WHERE holds_no_lock()";

#[test]
fn nobody_who_writes_waits_for_what_reads_widely() {
    let [(mut one, begun), (mut two, _)] = two();
    let ada = one.user("ada");
    let club = one.private("club", ada.id, &[]);
    two.say(RoomId::LOBBY, guest(2), "two");
    let node = open_for(one.url(), Some(NodeId(3)));
    one.sql(TRAP);
    let survey = Job::Survey { rooms: false, users: vec![ada.id], most: 9 };
    let catch_up = Job::CatchUp { rooms: vec![RoomId::LOBBY], users: vec![ada.id], since: begun, most: 9 };
    let [first, second, third] = ["one", "two", "three"].map(|text| one.draft(RoomId::LOBBY, guest(1), text, None));
    // In one transaction it would not do.
    assert_eq!(one.all(&[first.clone(), survey.clone()])[1], Err(Fault::Unsupported("the database refused it".into())));

    // While the thread begins, all of them come to wait.
    let settings = Settings { queue: 10, patience: SOON, is_alone: false };
    let mut handle = Handle::start(node.store, settings, Box::new(|| {})).unwrap();
    for (job, number) in [first, survey, second, catch_up, third].into_iter().zip(1..) {
        assert!(handle.submit(Ticket(number), job, Instant::now()));
    }
    let outcomes = handle.finish(Instant::now() + SOON);
    assert!(outcomes.iter().map(|(ticket, _)| ticket.0).eq(1..=5), "{outcomes:?}");
    let done: Vec<Done> = outcomes.into_iter().map(|(_, outcome)| outcome.unwrap()).collect();
    let number = |done: &Done| order(done).position.number - begun.number;
    assert_eq!([&done[0], &done[2], &done[4]].map(number), [3, 4, 5]);
    assert_eq!(done[1], Done::Surveyed { rooms: None, users: vec![(ada, vec![club])] });
    // What was written before it is behind it.
    let Done::CaughtUp { deeds, position, has_more: false } = &done[3] else { panic!("{:?}", done[3]) };
    assert_eq!((deeds.len(), position.number - begun.number), (2, 4));
}

/// A node can't say how far the others are while one of them writes; it may try again.
fn open_fails(url: &str) -> bool {
    use roomcast::store::{Options, open};
    let options =
        Options { migrate: true, durability: roomcast::config::Durability::Full, key: "", node: Some(NodeId(3)) };
    open(url, &options).is_err_and(|error| error.is_passing)
}
