//! Several nodes at one store: the one order of what they say and change, and how each finds in it what it did not hear of.

mod locks;

use std::collections::BTreeMap;

use roomcast::hub::Place;
use roomcast::hub::job::{Change, Deed, Done, Fault, Job, Order, Outside, Reach};
use roomcast::id::{ChangeId, MessageId, Position, RoomId, UserId};
use roomcast::store::Opened;

use super::by;
use crate::common::postgres::Postgres;
use crate::common::subject::{Subject, at, confirm, guest};

/// Two nodes at a new store, and how far each was when it began.
fn two() -> [(Subject, Position); 2] {
    let url = Postgres::shared().database();
    [1, 2].map(|number| {
        let (node, opened) = Subject::node(&url, number);
        (node, position(&opened))
    })
}

fn position(opened: &Opened) -> Position {
    opened.position.expect("a position")
}

fn order(done: &Done) -> Order {
    done.order().unwrap_or_else(|| panic!("no place: {done:?}"))
}

/// Which message or change something is: messages come before changes.
fn name(done: &Done) -> (bool, i64) {
    match done {
        Done::Appended(appended) => (false, appended.message.0),
        Done::Edited { change, .. } | Done::MessageDeleted { change, .. } => (true, change.0),
        Done::Reacted { change: Some(change), .. } | Done::Confirmed { change: Some(change), .. } => (true, change.0),
        other => panic!("{other:?}"),
    }
}

fn name_of(deed: &Outside) -> (bool, i64) {
    match &deed.what {
        Deed::Said(message) => (false, message.id.0),
        Deed::Changed(_, change) => (true, change.0),
    }
}

type Found = Vec<(i64, Outside)>;

/// What a node finds, in parts of `most`, and how many parts it took.
fn catch_up(
    node: &mut Subject,
    rooms: &[RoomId],
    users: &[UserId],
    mut since: Position,
    most: usize,
) -> (Found, Position, usize) {
    let (mut all, mut parts) = (Vec::new(), 0);
    loop {
        let (rooms, users) = (rooms.to_vec(), users.to_vec());
        let Ok(Done::CaughtUp { deeds, position, has_more }) = node.one(Job::CatchUp { rooms, users, since, most })
        else {
            panic!()
        };
        parts += 1;
        all.extend(deeds);
        if !has_more {
            return (all, position, parts);
        }
        assert!((position.number, position.transaction > since.transaction) == (since.number, true));
        since = position;
    }
}

/// What is found is as it is told: of each deed its transaction and its name.
fn names(found: &[(i64, Outside)]) -> Vec<(i64, (bool, i64))> {
    found.iter().map(|(transaction, deed)| (*transaction, name_of(deed))).collect()
}

/// Says and changes this and that, in transactions of all sizes; yields what came of it.
fn chatter(mut node: Subject, seed: u64, rooms: &[RoomId], user: UserId) -> Vec<Done> {
    let (mut random, mut own, mut done) = (fastrand::Rng::with_seed(seed), Vec::new(), Vec::new());
    for round in 0..60 {
        let jobs: Vec<Job> = (0..random.usize(1..6))
            .map(|_| match (random.u8(..5), own.last().copied()) {
                (0, Some(message)) => Job::EditMessage { message, text: "edited".into(), by: None, at: at(round) },
                (1, Some(message)) => {
                    let (emoji, reach) = (random.u32(..).to_string(), Reach::Visible);
                    Job::React { message, user, emoji, is_removed: false, reach, at: at(round) }
                }
                // Refused or no news: it takes no place, and no other's place.
                (2, Some(message)) => confirm(message, user, at(round)),
                _ => node.draft(rooms[random.usize(..rooms.len())], by(user), "hm", None),
            })
            .collect();
        for outcome in node.all(&jobs) {
            let outcome = outcome.unwrap();
            if let Done::Appended(appended) = &outcome {
                own.push(appended.message);
            }
            let is_news = !matches!(outcome, Done::Confirmed { change: None, .. });
            assert_eq!(outcome.order().is_some(), is_news, "{outcome:?}");
            done.extend(Some(outcome).filter(|_| is_news));
        }
    }
    done
}

#[test]
fn what_several_nodes_write_at_the_same_time_has_one_order_and_each_finds_the_others_part_of_it() {
    let [(mut one, begun), (two, _)] = two();
    let users = ["ada", "bob"].map(|name| one.user(name).id);
    let rooms = [RoomId::LOBBY, one.room("tea", users[0]).id, one.room("den", users[1]).id];
    let url = one.url().to_owned();
    let written: Vec<Vec<Done>> = std::thread::scope(|scope| {
        // They meet in the lobby, and each has a room of its own.
        let [lobby, tea, den] = rooms;
        let nodes = [(one, 1, [lobby, tea], users[0]), (two, 2, [lobby, den], users[1])];
        let threads = nodes.map(|(node, seed, rooms, user)| scope.spawn(move || chatter(node, seed, &rooms, user)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let mut transactions: BTreeMap<Position, Vec<&Done>> = BTreeMap::new();
    for done in written.iter().flatten() {
        transactions.entry(order(done).position).or_default().push(done);
    }
    let positions: Vec<Position> = transactions.keys().copied().collect();
    let numbers: Vec<u64> = positions.iter().map(|position| position.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(positions.is_sorted_by_key(|position| position.transaction));
    assert!(positions[0].transaction > begun.transaction);
    for done in transactions.values() {
        assert!(done.iter().all(|one| order(one).count == done.len()), "{done:?}");
    }
    for is_change in [false, true] {
        let ids: Vec<i64> = transactions
            .values()
            .flat_map(|done| done.iter().map(|done| name(done)).filter(|name| name.0 == is_change).map(|name| name.1))
            .collect();
        assert!(ids.len() > 40 && ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    }

    for (node, others) in [(1, &written[1]), (2, &written[0])] {
        let (mut node, opened) = Subject::node(&url, node);
        let last = *positions.last().unwrap();
        assert_eq!(position(&opened).number, last.number);
        let mut expected: Vec<_> = others.iter().map(|done| (order(done).position.transaction, name(done))).collect();
        expected.sort_unstable();
        for since in [begun].into_iter().chain(positions.iter().copied()).step_by(7) {
            let rest: Vec<_> =
                expected.iter().copied().filter(|(transaction, _)| *transaction > since.transaction).collect();
            for most in [1, 7, 10_000] {
                let (found, position, parts) = catch_up(&mut node, &rooms, &[], since, most);
                assert_eq!(names(&found), rest, "since {since:?}, {most} at most");
                assert_eq!(position, last);
                assert!(most != 10_000 || parts == 1);
                assert!(most != 1 || parts + 1 >= rest.chunk_by(|one, next| one.0 == next.0).count());
                let transactions = found.iter().all(|(transaction, deed)| match &deed.what {
                    Deed::Said(message) => message.transaction == Some(*transaction),
                    Deed::Changed(change, _) => change.transaction == Some(*transaction),
                });
                assert!(transactions, "{found:?}");
            }
        }
    }
}

#[test]
fn what_is_no_news_takes_no_place() {
    let [(mut one, begun), (mut two, _)] = two();
    let ada = one.user("ada").id;
    let first = one.draft(RoomId::LOBBY, by(ada), "hm", Some("mark"));
    let said = one.one(first.clone()).unwrap();
    assert_eq!(
        order(&said),
        Order { position: Position { number: begun.number + 1, ..order(&said).position }, count: 1 }
    );
    let Done::Appended(appended) = said else { panic!() };
    let message = appended.message;
    let react =
        |is_removed| Job::React { message, user: ada, emoji: "!".into(), is_removed, reach: Reach::Visible, at: at(9) };
    let nothing = [
        first,
        one.draft(RoomId(99), by(ada), "where?", None),
        Job::EditMessage { message: MessageId(99), text: "no".into(), by: None, at: at(9) },
        Job::DeleteMessage { message: MessageId(99), by: None, at: at(9) },
        react(true),
        Job::Confirm { message, user: ada.into(), reach: Reach::Visible, counts_own: false, at: at(9) },
        Job::SetStatus { user: ada, is_online: true },
    ];
    for node in [&mut one, &mut two] {
        assert!(node.all(&nothing).iter().flatten().all(|done| done.order().is_none()));
        assert_eq!(node.value("SELECT number FROM roomcast_order"), (begun.number + 1).to_string());
    }
    // Between news it has no part in their place.
    let mut jobs = nothing.to_vec();
    jobs.insert(0, react(false));
    jobs.push(confirm(message, ada, at(9)));
    let outcomes = two.all(&jobs);
    let orders: Vec<Order> = outcomes.iter().flatten().filter_map(Done::order).collect();
    // The reaction that is there is taken back, too.
    assert_eq!(
        orders.iter().map(|order| (order.position.number, order.count)).collect::<Vec<_>>(),
        [(begun.number + 2, 3); 3]
    );
}

#[test]
fn jobs_that_are_done_one_by_one_have_one_place_too() {
    let [(mut one, begun), _] = two();
    one.sql("ALTER TABLE messages ADD CONSTRAINT no_shouting CHECK (content <> upper(content))");
    let jobs = ["one", "TWO", "three"].map(|text| one.draft(RoomId::LOBBY, guest(1), text, None));
    let outcomes = one.all(&jobs);
    assert_eq!(outcomes[1], Err(Fault::Unsupported("the database refused it".into())));
    let orders: Vec<_> = outcomes.iter().flatten().map(order).collect();
    assert_eq!(orders.len(), 2);
    assert!(orders.iter().all(|order| (order.position.number, order.count) == (begun.number + 1, 2)), "{orders:?}");
}

#[test]
fn a_node_finds_what_concerns_its_rooms_and_users_and_nothing_else() {
    let [(mut one, begun), (mut two, _)] = two();
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| two.user(name).id);
    let [tea, den] = ["tea", "den"].map(|name| two.room(name, ada).id);
    let club = two.private("club", ada, &[bob]).id;
    one.say(RoomId::LOBBY, by(ada), "our own");
    one.sql("INSERT INTO messages (content, sender_id) VALUES ('of no node', '67e55044-10b1-426f-9247-bb680e5fe0c8')");
    let in_lobby = two.say(RoomId::LOBBY, by(bob), "lobby").message;
    let in_tea = two.say(tea, by(eve), "tea").message;
    two.say(den, by(eve), "den");
    let in_club = two.say(club, by(bob), "club").message;
    let told = two.tell(eve, ada, "psst");
    let direct = told.direct.unwrap().room;
    let Ok(Done::Confirmed { change: Some(read), .. }) = two.one(confirm(in_tea, bob, at(50))) else { panic!() };
    let Ok(Done::MessageDeleted { change: gone, .. }) =
        two.one(Job::DeleteMessage { message: in_lobby, by: None, at: at(51) })
    else {
        panic!()
    };

    let said = |message: MessageId| (false, message.0);
    let changed = |change: ChangeId| (true, change.0);
    for (rooms, users, expected) in [
        (vec![RoomId::LOBBY], vec![], vec![changed(gone)]),
        (vec![RoomId::LOBBY, tea], vec![], vec![said(in_tea), changed(read), changed(gone)]),
        (vec![], vec![bob], vec![said(in_club)]),
        (vec![], vec![ada], vec![said(in_club), said(told.message)]),
        // Who has said it hears wherever they are that it is read.
        (vec![], vec![eve], vec![said(told.message), changed(read)]),
        (vec![club], vec![bob], vec![said(in_club)]),
        (vec![RoomId(99)], vec![UserId(99)], vec![]),
        (vec![], vec![], vec![]),
    ] {
        let (found, end, _) = catch_up(&mut one, &rooms, &users, begun, 100);
        let names: Vec<_> = found.iter().map(|(_, deed)| name_of(deed)).collect();
        assert_eq!(names, expected, "{rooms:?} {users:?}");
        assert_eq!(end.number, begun.number + 8);
        let (found, again, _) = catch_up(&mut one, &rooms, &users, end, 100);
        assert!(found.is_empty() && again == end);
    }

    let (found, ..) = catch_up(&mut one, &[], &[eve], begun, 100);
    let mut participants = found[0].1.participants.clone().unwrap();
    participants.sort_unstable();
    assert_eq!((&found[0].1.room, participants), (&direct, vec![ada, eve]));
    let Deed::Changed(change, _) = &found[1].1.what else { panic!() };
    assert_eq!(change.what, Change::Confirmed { read_by: 1, author: Some(eve) });
    assert_eq!(found[1].1.participants, Some(vec![]));
}

#[test]
fn who_is_far_behind_catches_up_in_parts() {
    const COUNT: i64 = 25_000;
    let [(mut one, begun), _] = two();
    let ada = one.user("ada").id;
    let tea = one.room("tea", ada).id;
    let first = begun.transaction + 1_000;
    one.sql(&format!(
        "INSERT INTO messages (content, sender_id, chat_id, node, txid) \
         SELECT 'hm', '67e55044-10b1-426f-9247-bb680e5fe0c8', CASE i % 100 WHEN 0 THEN 1 ELSE {tea} END, 'another', {first} + i \
         FROM generate_series(1, {COUNT}) AS i; \
         UPDATE roomcast_order SET number = {COUNT}, txid = {first} + {COUNT}"
    ));
    for (rooms, most, expected) in [(vec![RoomId::LOBBY], 200, 250), (vec![RoomId::LOBBY], 7, 250), (vec![], 9, 0)] {
        let (found, end, parts) = catch_up(&mut one, &rooms, &[], begun, most);
        let transactions: Vec<_> = found.iter().map(|(transaction, _)| *transaction).collect();
        assert_eq!(transactions, (1..=expected).map(|place| first + place * 100).collect::<Vec<_>>());
        assert_eq!((end.number, end.transaction), (COUNT as u64, first + COUNT));
        assert!(parts > 2, "all that was written was looked at at once");
    }
}

#[test]
fn what_was_written_before_a_node_begins_is_no_news_to_it() {
    let mut alone = Subject::new(&Postgres::shared().database(), true);
    let url = alone.url().to_owned();
    alone.say(RoomId::LOBBY, guest(1), "alone");
    let (mut one, first) = Subject::node(&url, 1);
    let (mut two, second) = Subject::node(&url, 2);
    assert_eq!((position(&first).number, position(&second).number), (0, 0));
    assert_eq!(first.identity(), second.identity());
    assert_eq!(first.identity(), Some(first.rooms[0].uuid));
    two.say(RoomId::LOBBY, guest(2), "two");
    drop(two);
    // Without the others, for a while.
    alone.say(RoomId::LOBBY, guest(1), "alone again");
    assert_eq!(alone.value("SELECT number FROM roomcast_order"), "1");
    let (mut three, third) = Subject::node(&url, 3);
    assert_eq!(position(&third).number, 1);
    let said = one.say(RoomId::LOBBY, guest(3), "one").message;
    let (found, end, _) = catch_up(&mut three, &[RoomId::LOBBY], &[], position(&third), 100);
    assert_eq!(found.iter().map(|(_, deed)| name_of(deed)).collect::<Vec<_>>(), [(false, said.0)]);
    assert_eq!(end.number, 2);
    // Who is no node has no such order.
    let since = position(&third);
    let rooms = vec![RoomId::LOBBY];
    assert_eq!(
        alone.one(Job::CatchUp { rooms, users: vec![], since, most: 9 }),
        Ok(Done::CaughtUp { deeds: vec![], position: since, has_more: false })
    );
    assert_eq!(alone.reopen().position, None);
}

#[test]
fn what_was_restored_from_a_server_that_had_come_further_is_never_news() {
    let [(mut one, begun), (two, _)] = two();
    one.say(RoomId::LOBBY, guest(1), "hm");
    drop(two);
    for restored in [
        "UPDATE roomcast_order SET txid = 1000000000000",
        "INSERT INTO messages (content, sender_id, node, txid) VALUES \
         ('restored', '67e55044-10b1-426f-9247-bb680e5fe0c8', 'of old', 1000000000000)",
        "INSERT INTO message_changes (message_id, chat_id, kind, node, txid) VALUES (1, 1, 'edited', 'of old', 1000000000000)",
    ] {
        one.sql(restored);
        let (mut two, opened) = Subject::node(one.url(), 2);
        let since = position(&opened);
        assert_eq!(since.number, begun.number + 1);
        assert!(since.transaction < 1_000_000_000_000 && since.transaction > begun.transaction, "{since:?}");
        let ahead = "SELECT (SELECT count(*) FROM messages WHERE txid > 999999999) \
                     + (SELECT count(*) FROM message_changes WHERE txid > 999999999) \
                     + (SELECT count(*) FROM roomcast_order WHERE txid > 999999999)";
        assert_eq!(one.value(ahead), "0");
        let (found, ..) = catch_up(&mut two, &[RoomId::LOBBY], &[], since, 9);
        assert_eq!(found, []);
    }
    let (mut two, opened) = Subject::node(one.url(), 2);
    let said = one.say(RoomId::LOBBY, guest(1), "new").message;
    let (found, ..) = catch_up(&mut two, &[RoomId::LOBBY], &[], position(&opened), 9);
    assert_eq!(found.iter().map(|(_, deed)| name_of(deed)).collect::<Vec<_>>(), [(false, said.0)]);
}

#[test]
fn who_reads_is_shown_which_rows_another_node_tells() {
    let [(mut one, _), (mut two, _)] = two();
    let mut alone = Subject::new(one.url(), true);
    one.say(RoomId::LOBBY, guest(1), "one");
    let draft = two.draft(RoomId::LOBBY, guest(2), "two", None);
    let second = two.one(draft).unwrap();
    one.sql("INSERT INTO messages (content, sender_id) VALUES ('nobody', '67e55044-10b1-426f-9247-bb680e5fe0c8')");
    let transaction = Some(order(&second).position.transaction);
    let seen_by = |node: &mut Subject| -> Vec<Option<i64>> {
        let (messages, _) = node.read(RoomId::LOBBY, None, Place::Newest, 9);
        messages.into_iter().map(|message| message.transaction).collect()
    };
    assert_eq!(seen_by(&mut one), [None, transaction, None]);
    assert!(matches!(seen_by(&mut two)[..], [Some(_), None, None]));
    assert_eq!(seen_by(&mut alone), [None; 3]);
}

#[test]
fn a_look_finds_what_programs_write_and_not_what_nodes_tell() {
    let [(mut one, _), (mut two, _)] = two();
    one.store().watch(Box::new(|| true));
    let message = two.say(RoomId::LOBBY, guest(2), "two").message;
    two.one(Job::EditMessage { message, text: "too".into(), by: None, at: at(9) }).unwrap();
    two.sql("INSERT INTO messages (content, sender_id) VALUES ('nobody', '67e55044-10b1-426f-9247-bb680e5fe0c8')");
    let missed = |node: &mut Subject| {
        let since = roomcast::id::Mark::default();
        match node.one(Job::ReadMissed { room: RoomId::LOBBY, since, most: 9 }) {
            Ok(Done::Missed { missed, .. }) => (missed.messages.len(), missed.changes.len()),
            other => panic!("{other:?}"),
        }
    };
    // What is told in its own turn is left out until then; what nodes tell can be left out by its transaction.
    assert_eq!(missed(&mut one), (1, 1));
    let Ok(Done::Outside { deeds, has_more: false, has_settled: false }) = one.one(Job::Look) else { panic!() };
    let texts = deeds.iter().map(|deed| match &deed.what {
        Deed::Said(message) => message.text.as_str(),
        Deed::Changed(..) => "a change",
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["nobody"]);
    assert_eq!(missed(&mut one), (2, 1));
}
