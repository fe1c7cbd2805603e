//! Attendees under random commands, beside a model that looks at everybody each time: who is here, who is told of it,
//! and which rooms those are in who follow all. The hub's invariants are checked after each step.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use job::Direct;

const SLOTS: usize = 8;
const USERS: i64 = 5;
/// None is met: what the hub knows of present users is all there is.
const WIDE: Limits =
    Limits { max_rooms: 1_000, max_rooms_joined: 1_000, max_rooms_owned: 1_000, presence_of_all: false };

struct World {
    hub: Hub,
    /// The private rooms and who takes part: what the store knows.
    chats: BTreeMap<i64, BTreeSet<i64>>,
    /// The user of each session, and whether it follows all.
    sessions: [Option<(i64, bool)>; SLOTS],
    /// Users whose last session has gone, and when.
    left: Vec<(i64, u64)>,
    now: u64,
    last_chat: i64,
}

impl World {
    fn chats_of(&self, user: i64) -> Vec<i64> {
        self.chats.iter().filter(|(_, users)| users.contains(&user)).map(|(&chat, _)| chat).collect()
    }

    /// The sessions of others that share a room with that user.
    fn acquaintances(&self, user: i64) -> Vec<usize> {
        let shares = |other: i64| self.chats.values().any(|users| users.contains(&user) && users.contains(&other));
        let is_one = |slot: &usize| self.sessions[*slot].is_some_and(|(other, _)| other != user && shares(other));
        (0..SLOTS).filter(is_one).collect()
    }

    fn is_here(&self, user: i64) -> bool {
        self.sessions.iter().flatten().any(|(other, _)| *other == user)
    }

    /// What is told of presence, each time to whom, if to anybody.
    fn expect_presence(&self, effects: &[Effect], expected: &[(i64, bool)]) {
        let expected = expected.iter().map(|&(user, is_online)| (self.acquaintances(user), presence(user, is_online)));
        let told =
            all_told(effects, &self.hub).into_iter().filter(|(_, event)| matches!(event, Event::Presence { .. }));
        let sorted = told.map(|(mut slots, event)| {
            slots.sort_unstable();
            (slots, event)
        });
        assert_eq!(sorted.collect::<Vec<_>>(), expected.filter(|(slots, _)| !slots.is_empty()).collect::<Vec<_>>());
    }

    fn attend(&mut self, slot: usize, user: i64, follows_all: bool) {
        let is_new = !self.is_here(user) && self.left.iter().all(|(other, _)| *other != user);
        let record = participant(user, &self.chats_of(user));
        let effects = attend_as(&mut self.hub, slot, attending(follows_all), record);
        self.sessions[slot] = Some((user, follows_all));
        self.left.retain(|(other, _)| *other != user);
        self.expect_presence(&effects, &[(user, true)][usize::from(!is_new)..]);
    }

    fn close(&mut self, slot: usize, user: i64) {
        let effects = close(&mut self.hub, slot);
        self.sessions[slot] = None;
        if !self.is_here(user) {
            self.left.push((user, self.now));
        }
        self.expect_presence(&effects, &[]);
        self.hub.open(SlotKey::new(slot), &mut Vec::new());
    }

    fn advance(&mut self, seconds: u64) {
        self.now += seconds;
        let due = |&(_, at): &(i64, u64)| at + 5 <= self.now;
        let (gone, left): (Vec<_>, Vec<_>) = self.left.iter().partition(|left| due(left));
        self.left = left;
        let effects = advance(&mut self.hub, self.now);
        self.expect_presence(&effects, &gone.iter().map(|&(user, _)| (user, false)).collect::<Vec<_>>());
    }

    /// The store is asked that and has done it.
    fn store(&mut self, slot: usize, command: Command, done: Done) {
        let places = |hub: &Hub| (0..SLOTS).map(|slot| is_in(hub, slot)).collect::<Vec<_>>();
        ask(&mut self.hub, slot, command);
        let (ticket, _) = job(&mut self.hub);
        let (before, outcome) = (places(&self.hub), Ok(done));
        let moves = self.hub.moves_members(ticket, &outcome);
        commit_to(&mut self.hub, ticket, outcome);
        assert!(moves || before == places(&self.hub), "somebody has moved");
    }

    fn say_to(&mut self, slot: usize, from: i64, to: i64) {
        let two = BTreeSet::from([from, to]);
        // Rooms of two are found again by their size.
        let found = self.chats.iter().find(|(_, users)| **users == two).map(|(&room, _)| room);
        let room = found.unwrap_or(self.last_chat + 1);
        self.last_chat = self.last_chat.max(room);
        self.chats.insert(room, two);
        let direct = Some(Box::new(Direct { room: chat(room), to: user(to, "to") }));
        let (message, at, author) = (MessageId(1), Timestamp::default(), Some(user(from, "from")));
        let appended = Appended { message, room: ids(room), author, direct, at, is_repeat: false, order: None };
        let target = Target::User(Reference::Number(to));
        let command =
            Command::Say { to: target, text: text("hi"), client_id: None, message_type: None, hears_itself: false };
        self.store(slot, command, Done::Appended(appended));
    }

    fn create(&mut self, slot: usize, users: BTreeSet<i64>) {
        self.last_chat += 1;
        let participants = users.iter().map(|&one| user(one, "one")).collect();
        self.chats.insert(self.last_chat, users);
        let command = Command::CreateRoom { name: name("chat"), participants: Some(Vec::new()) };
        self.store(slot, command, Done::RoomCreated { room: chat(self.last_chat), participants });
    }

    fn step(&mut self, random: &mut fastrand::Rng) {
        let (slot, somebody) = (random.usize(0..SLOTS), random.i64(1..=USERS));
        let Some((user, follows_all)) = self.sessions[slot] else {
            return self.attend(slot, somebody, random.bool());
        };
        let chat = random.choice(self.chats.keys().copied()).unwrap_or(3);
        let room = Reference::Number(chat);
        match random.u8(0..12) {
            0..3 => self.close(slot, user),
            3..5 => self.advance(random.u64(0..4)),
            5 => self.say_to(slot, user, somebody),
            6 => self.create(slot, (1..=USERS).filter(|&one| one == user || random.u8(0..3) == 0).collect()),
            7 if self.chats.len() > 3 => {
                self.chats.remove(&chat);
                self.store(slot, Command::DeleteRoom { room }, Done::RoomDeleted(RoomId(chat)));
            }
            8 if !follows_all && self.chats_of(user).contains(&chat) => {
                let effects = ask(&mut self.hub, slot, Command::EnterRoom { room });
                assert_eq!(effects, [reply(slot, Reply::Entered { room: ids(chat) })]);
            }
            9 if !follows_all => drop(ask(&mut self.hub, slot, Command::ExitRoom { room })),
            10 => drop(ask(
                &mut self.hub,
                slot,
                Command::Type { to: Target::User(Reference::Number(somebody)), is_typing: true },
            )),
            _ => {
                let effects =
                    ask(&mut self.hub, slot, Command::Type { to: Target::Room(room), is_typing: random.bool() });
                let is_passed = effects.last() == Some(&reply(slot, Reply::Passed));
                assert_eq!(is_passed, self.chats_of(user).contains(&chat));
            }
        }
    }

    fn check(&self) {
        self.hub.check_invariants();
        for (index, session) in self.sessions.iter().enumerate() {
            if let Some((user, true)) = session {
                let mut rooms = is_in(&self.hub, index);
                rooms.sort_unstable();
                assert_eq!(rooms, self.chats_of(*user));
            }
        }
        let is_present = |user: &i64| self.is_here(*user) || self.left.iter().any(|(other, _)| other == user);
        let known = self.chats.values().filter(|users| users.iter().any(is_present)).count();
        assert_eq!(self.hub.room_count(), known, "of private rooms those whose participants are here are known");
    }
}

#[test]
fn hub_and_model_agree_on_who_is_here() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut hub = Hub::new(WIDE, 7, Timestamp::default());
        for index in 0..SLOTS {
            hub.open(slot(index), &mut Vec::new());
        }
        let (chats, sessions) = (BTreeMap::new(), [None; SLOTS]);
        let mut world = World { hub, chats, sessions, left: Vec::new(), now: 0, last_chat: 2 };
        for step in 0..400 {
            let run = std::panic::AssertUnwindSafe(|| {
                world.step(&mut random);
                world.check();
            });
            assert!(std::panic::catch_unwind(run).is_ok(), "seed {seed}, step {step}");
        }
    }
}
