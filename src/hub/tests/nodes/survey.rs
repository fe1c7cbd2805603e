//! What was not heard is read again: in parts, whatever is heard meanwhile.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::world::World;
use super::*;
use crate::hub::nodes::PART;
use effect::User;

const OTHER: NodeId = NodeId(7);

/// A node, and what its store is asked for.
struct Surveyor(Hub);

/// What a part is of: whether it is of rooms, and of which users.
type Asked = (Ticket, bool, Vec<UserId>);

impl Surveyor {
    /// That many users are there.
    fn of(users: usize) -> Self {
        let mut node = Self(World::of(1, 1).nodes.remove(0).hub);
        (0..users).for_each(|index| node.open(index));
        assert_eq!(node.asked(), None);
        node
    }

    /// In each slot there is a user of that number.
    fn open(&mut self, index: usize) {
        self.0.open(slot(index), &mut Vec::new());
        let UserRecord { id, uuid, name } = user(index as i64, &format!("user{index}"));
        self.0.be_user(slot(index), Some(Rc::new(User { id, uuid, name: name.into() })));
    }

    fn hear(&mut self, notice: Notice) {
        self.0.hear(OTHER, notice, &mut Vec::new());
    }

    /// The part that the store is asked for since the last call.
    fn asked(&mut self) -> Option<Asked> {
        let jobs = self.0.take_jobs(Timestamp::default());
        let mut parts = jobs.into_iter().filter_map(|(ticket, job)| match job {
            Job::Survey { rooms, users, .. } => Some((ticket, rooms, users)),
            _ => None,
        });
        let part = parts.next();
        assert_eq!(parts.next(), None, "two parts at once");
        part
    }

    /// How many seconds it takes until the store is asked.
    fn seconds_until_asked(&mut self) -> (u64, Asked) {
        for seconds in 0..100 {
            if let Some(asked) = self.asked() {
                return (seconds, asked);
            }
            self.0.advance(self.0.now + Duration::from_secs(1), &mut Vec::new());
        }
        panic!("the store is not asked");
    }

    fn answer(&mut self, ticket: Ticket, outcome: job::Outcome) {
        self.0.queue(ticket, outcome);
        while let Some(telling) = self.0.next_in_order() {
            let Telling::Outcome(ticket, outcome) = telling else { panic!("{telling:?}") };
            self.0.committed(ticket, outcome, &mut Vec::new());
        }
        self.0.check_invariants();
    }

    /// Everybody has a new name.
    fn tell(&mut self, (ticket, has_rooms, users): &Asked, rooms: &[RoomRecord]) {
        let users = users.iter().map(|id| (user(id.0, &format!("new{id}")), Vec::new())).collect();
        self.answer(*ticket, Ok(Done::Surveyed { rooms: has_rooms.then(|| rooms.to_vec()), users }));
    }

    fn fail(&mut self, (ticket, ..): &Asked) {
        self.answer(*ticket, Err(Fault::Unavailable("away".into())));
    }

    /// What the user in that slot is called.
    fn name(&self, index: usize) -> Option<String> {
        Some(self.0.session(slot(index))?.user.as_ref()?.name.to_string())
    }

    fn has_room(&self, name: &str) -> bool {
        self.0.rooms.find(name).is_some()
    }
}

fn known() -> Vec<RoomRecord> {
    vec![room(1, "lobby"), room(2, "tea")]
}

#[test]
fn many_users_are_asked_about_in_parts_one_after_the_other() {
    const MANY: usize = 2 * PART + 100;
    let mut node = Surveyor::of(MANY);
    node.hear(Notice::Hello);
    let mut parts = vec![node.asked().unwrap()];
    assert_eq!(node.asked(), None);
    // Somebody comes who has just read all that there is to know, and somebody goes.
    node.open(MANY);
    let gone = (0..MANY).find(|index| !parts[0].2.contains(&UserId(*index as i64))).unwrap();
    node.0.close(slot(gone), &mut Vec::new());
    while let Some(part) = {
        node.tell(parts.last().unwrap(), &known());
        node.asked()
    } {
        parts.push(part);
    }
    assert_eq!(parts.iter().map(|part| part.1).collect::<Vec<_>>(), [true, false, false]);
    assert!(parts.iter().all(|part| (1..=PART).contains(&part.2.len())));
    let mut asked: Vec<i64> = parts.into_iter().flat_map(|part| part.2).map(|id| id.0).collect();
    asked.sort_unstable();
    assert_eq!(asked, (0..MANY as i64).filter(|index| *index != gone as i64).collect::<Vec<_>>());
    assert!(asked.iter().all(|&id| node.name(id as usize) == Some(format!("new{id}"))));
    assert_eq!(node.name(MANY), Some(format!("user{MANY}")));
    node.0.advance(Duration::from_secs(100), &mut Vec::new());
    assert_eq!(node.asked(), None);
}

#[test]
fn what_is_heard_meanwhile_is_not_taken_back_by_what_was_read_and_names_are_read_once_more() {
    let mut node = Surveyor::of(4);
    node.hear(Notice::RoomCreated(room(5, "hall"), Vec::new()));
    node.hear(Notice::Hello);
    let part = node.asked().unwrap();
    node.hear(Notice::UserRenamed(user(1, "late")));
    node.hear(Notice::UserDeleted(UserId(2)));
    node.hear(Notice::RoomRenamed(room(2, "coffee")));
    node.hear(Notice::RoomCreated(room(3, "den"), Vec::new()));
    node.hear(Notice::RoomDeleted(RoomId(5)));
    node.tell(&part, &[known(), vec![room(4, "pub"), room(5, "hall")]].concat());
    assert_eq!([1, 2, 3].map(|index| node.name(index)), [Some("late".into()), None, Some("new3".into())]);
    assert_eq!(
        ["coffee", "tea", "den", "hall", "pub"].map(|name| node.has_room(name)),
        [true, false, true, false, true]
    );
    // The store alone knows the last of the names, and none but these are looked at.
    let (seconds, part) = node.seconds_until_asked();
    assert_eq!((seconds, part.1, &part.2), (1, true, &vec![UserId(1)]));
    node.tell(&part, &known());
    assert_eq!(node.name(1), Some("new1".into()));
    assert_eq!(
        ["coffee", "tea", "den", "hall", "pub"].map(|name| node.has_room(name)),
        [false, true, false, false, false]
    );
    node.0.advance(node.0.now + Duration::from_secs(100), &mut Vec::new());
    assert_eq!(node.asked(), None);
}

#[test]
fn reasons_without_end_put_nobody_off_for_ever() {
    const MANY: usize = 2 * PART + 100;
    let mut node = Surveyor::of(MANY);
    let (mut read, mut renamed) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..7 {
        // Others come back all the time, and give names to a room and a user that are just read.
        node.hear(Notice::Hello);
        let part = node.asked().unwrap();
        let late = part.2.iter().copied().find(|id| !renamed.contains(id));
        renamed.extend(late);
        node.hear(Notice::RoomRenamed(room(2, "tea")));
        late.into_iter().for_each(|id| node.hear(Notice::UserRenamed(user(id.0, "late"))));
        node.tell(&part, &[known(), vec![room(3, "den")]].concat());
        read.extend(part.2.into_iter().filter(|id| Some(*id) != late));
        assert!(node.has_room("den"));
    }
    assert_eq!(read.len(), MANY);
}

#[test]
fn names_that_are_given_all_the_time_are_looked_at_all_the_same() {
    let mut node = Surveyor::of(2);
    let asked = (0..4).find_map(|_| {
        node.hear(Notice::UserRenamed(user(1, "another")));
        // Who is not here is no concern of this node's.
        node.hear(Notice::UserRenamed(user(99, "far")));
        node.0.advance(node.0.now + Duration::from_millis(400), &mut Vec::new());
        node.asked()
    });
    let (_, has_rooms, mut users) = asked.expect("a part");
    users.dedup();
    assert_eq!((has_rooms, users), (false, vec![UserId(1)]));
}

#[test]
fn a_private_room_is_called_what_the_store_calls_it() {
    const OURS: RoomId = RoomId(9);
    let mut world = World::of(1, 1);
    world.with(0, |hub, effects| hub.open(slot(0), effects));
    world.ask(0, 0, Command::Attend(Attend { user: "1".into(), follows_all: true, recovery: None }));
    world.settle();
    let name = |world: &World| {
        let rooms = &world.nodes[0].hub.rooms;
        rooms.living(rooms.find_durable(OURS.into()).unwrap()).name.to_string()
    };
    let renamed = RoomRecord { is_private: true, owner: None, ..room(OURS.0, "theirs") };
    world.with(0, |hub, effects| hub.hear(OTHER, Notice::RoomRenamed(renamed), effects));
    assert_eq!(name(&world), "theirs");
    world.settle();
    assert_eq!(name(&world), "ours");
}

#[test]
fn a_store_that_fails_is_asked_ever_more_rarely() {
    let mut node = Surveyor::of(PART + 100);
    node.hear(Notice::Hello);
    let mut part = node.asked().unwrap();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        node.fail(&part);
        // That there is one more reason does not make it work.
        node.hear(Notice::Hello);
        let (pause, again) = node.seconds_until_asked();
        assert_eq!((again.1, again.2.len()), (true, PART));
        pauses.push(pause);
        part = again;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    node.tell(&part, &known());
    let part = node.asked().expect("the next part, at once");
    node.fail(&part);
    let (pause, mut part) = node.seconds_until_asked();
    assert_eq!(pause, 1);
    // In the end nobody was left out.
    loop {
        node.tell(&part, &known());
        let Some(next) = node.asked() else { break };
        part = next;
    }
    assert!((0..PART + 100).all(|index| node.name(index) == Some(format!("new{index}"))));
}
