//! The hub under thousands of random commands, beside a model so simple that it is obviously right. After each step the
//! hub's invariants hold and both agree on who was told what. A failing seed is printed; `SEED=n` runs it alone.

use roomcast::hub::{Audience, Claim, Command, Effect, Event, Hub, Limits, Name, Refusal, Reply, Request, Text, Who};
use roomcast::id::{ConnectionId, SlotKey};
use roomcast::timestamp::Timestamp;

const SEEDS: u64 = 200;
const STEPS: usize = 400;
const SLOTS: usize = 12;
const LIMITS: Limits = Limits { max_rooms: 100, max_rooms_joined: 1, max_rooms_owned: 100, presence_of_all: false };
const ROOMS: [&str; 4] = ["a", "b", "c", "d"];

/// What somebody hears, as the model words it.
type Heard = (usize, String);

#[test]
fn hub_and_model_agree() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => seed.parse().map(|seed| seed..seed + 1).unwrap(),
        Err(_) => 0..SEEDS,
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| simulate(seed));
        assert!(outcome.is_ok(), "failed with SEED={seed}");
    }
}

fn simulate(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut hub, mut model) = (Hub::new(LIMITS, 0, Timestamp::default()), Model::default());
    for step in 0..STEPS {
        let slot = random.usize(0..SLOTS);
        let mut effects = Vec::new();
        let expected = match (&model.sessions[slot], random.u8(0..20)) {
            (None, _) => {
                hub.open(SlotKey::new(slot), &mut effects);
                model.open(slot)
            }
            (Some(_), 0) => {
                hub.close(SlotKey::new(slot), &mut effects);
                model.close(slot)
            }
            (Some(_), _) => {
                let request = random_request(&mut random, &model);
                hub.apply(SlotKey::new(slot), request.clone(), &mut effects);
                model.apply(slot, &request)
            }
        };
        assert_eq!(heard(&hub, &effects), expected, "seed {seed}, step {step}");
        hub.check_invariants();
        assert_eq!(hub.session_count(), model.sessions.iter().flatten().count());
        assert_eq!(hub.room_count(), model.rooms.len());
    }
}

fn random_request(random: &mut fastrand::Rng, model: &Model) -> Request {
    let room = Name::new(random.choice(ROOMS).unwrap()).unwrap();
    let text = Text::new(&format!("text {}", random.u16(..)), 100).unwrap();
    let somebody = random.u64(0..model.next_id + 2).to_string();
    let command = match random.u8(0..12) {
        0..4 => Command::Join { room },
        4 => Command::Leave,
        5..8 => Command::SayToRoom { text, client_id: None },
        8..10 => Command::SayToUser { to: somebody.clone(), text },
        10 => Command::ListRooms,
        _ => Command::ListMembers { room },
    };
    let claimed_sender = (random.u8(0..10) == 0).then_some(Claim::Connection(somebody));
    Request { claimed_sender, command, tag: None }
}

/// Sorted by recipient, but for each recipient in the order of telling.
fn heard(hub: &Hub, effects: &[Effect]) -> Vec<Heard> {
    let mut heard = Vec::new();
    for effect in effects {
        match effect {
            Effect::Reply { to, reply, .. } => heard.push((to.index(), word_reply(reply))),
            Effect::Tell { audience: Audience::Session(slot), event } => heard.push((slot.index(), word_event(event))),
            Effect::Tell { audience: Audience::Room { room, except }, event } => {
                let members = hub.members(*room).iter().filter(|&member| Some(*member) != *except);
                heard.extend(members.map(|member| (member.index(), word_event(event))));
            }
            other => panic!("without a store there is no {other:?}"),
        }
    }
    heard.sort_by_key(|(slot, _)| *slot);
    heard
}

fn word_reply(reply: &Reply) -> String {
    match reply {
        Reply::Welcome { id } => format!("welcome {id}"),
        Reply::Joined { room } => format!("joined {room}"),
        Reply::Left { room } => format!("left {room}"),
        Reply::SaidToRoom { room, text } => format!("said {text} in {room}"),
        Reply::SaidToUser { to, text } => format!("said {text} to {to}"),
        Reply::Rooms { rooms } => format!("rooms {:?}", rooms.iter().map(|room| &room.name).collect::<Vec<_>>()),
        Reply::Members { room, members } => {
            format!("members of {room} {:?}", members.iter().map(|id| id.0).collect::<Vec<_>>())
        }
        Reply::Refused(refusal) => match refusal {
            Refusal::NotYourId => "not your id".into(),
            Refusal::WasInNoRoom | Refusal::IsInNoRoom => "no room".into(),
            Refusal::NoSuchUser { id } => format!("no user {id}"),
            Refusal::NoSuchRoom { name } => format!("no room {name}"),
            other => panic!("nothing here is refused so: {other:?}"),
        },
        other => panic!("nothing here is answered so: {other:?}"),
    }
}

fn word_event(event: &Event) -> String {
    match event {
        Event::Joined { room, who, .. } => format!("{} joined {room}", id(who)),
        Event::Left { room, who, .. } => format!("{} left {room}", id(who)),
        Event::RoomMessage { room, from, text, stored: None } => format!("{} said {text} in {room}", id(from)),
        Event::PrivateMessage { from, text } => format!("{from} said {text}"),
        other => panic!("without a store there is no {other:?}"),
    }
}

fn id(who: &Who) -> ConnectionId {
    who.connection().unwrap()
}

/// Rooms as lists of slots in plain order; everything is found by walking.
struct Model {
    sessions: Vec<Option<ConnectionId>>,
    rooms: Vec<(String, Vec<usize>)>,
    next_id: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self { sessions: vec![None; SLOTS], rooms: Vec::new(), next_id: 0 }
    }
}

impl Model {
    fn open(&mut self, slot: usize) -> Vec<Heard> {
        self.sessions[slot] = Some(ConnectionId(self.next_id));
        self.next_id += 1;
        vec![(slot, format!("welcome {}", self.next_id - 1))]
    }

    fn close(&mut self, slot: usize) -> Vec<Heard> {
        let heard = self.leave(slot).map(|(_, heard)| heard).unwrap_or_default();
        self.sessions[slot] = None;
        sorted(heard)
    }

    fn apply(&mut self, slot: usize, request: &Request) -> Vec<Heard> {
        let id = self.sessions[slot].unwrap();
        let own = Claim::Connection(id.to_string());
        if request.claimed_sender.as_ref().is_some_and(|claimed| *claimed != own) {
            return vec![(slot, "not your id".into())];
        }
        sorted(match &request.command {
            Command::Join { room } => self.join(slot, room.as_str()),
            Command::Leave => match self.leave(slot) {
                Some((room, mut heard)) => {
                    heard.push((slot, format!("left {room}")));
                    heard
                }
                None => vec![(slot, "no room".into())],
            },
            Command::SayToRoom { text, .. } => match self.room_of(slot) {
                Some((room, members)) => {
                    let text = text.as_str();
                    let mut heard = tell(members, slot, &format!("{id} said {text} in {room}"));
                    heard.push((slot, format!("said {text} in {room}")));
                    heard
                }
                None => vec![(slot, "no room".into())],
            },
            Command::SayToUser { to, text } => {
                let found = self.sessions.iter().position(|session| session.is_some_and(|id| id.to_string() == *to));
                let text = text.as_str();
                match found {
                    Some(other) => vec![(other, format!("{id} said {text}")), (slot, format!("said {text} to {to}"))],
                    None => vec![(slot, format!("no user {to}"))],
                }
            }
            Command::ListRooms => {
                vec![(slot, format!("rooms {:?}", self.rooms.iter().map(|(name, _)| name).collect::<Vec<_>>()))]
            }
            Command::ListMembers { room } => {
                let found = self.rooms.iter().find(|(name, _)| name == room.as_str());
                let ids = |members: &[usize]| members.iter().map(|&m| self.sessions[m].unwrap().0).collect::<Vec<_>>();
                match found {
                    Some((name, members)) => vec![(slot, format!("members of {name} {:?}", ids(members)))],
                    None => vec![(slot, format!("no room {}", room.as_str()))],
                }
            }
            other => panic!("nobody asks {other:?}"),
        })
    }

    fn join(&mut self, slot: usize, name: &str) -> Vec<Heard> {
        let answer = (slot, format!("joined {name}"));
        if self.room_of(slot).is_some_and(|(room, _)| room == name) {
            return vec![answer];
        }
        let id = self.sessions[slot].unwrap();
        let mut heard = self.leave(slot).map(|(_, heard)| heard).unwrap_or_default();
        heard.push(answer);
        if !self.rooms.iter().any(|(room, _)| room == name) {
            self.rooms.push((name.into(), Vec::new()));
        }
        let (_, members) = self.rooms.iter_mut().find(|(room, _)| room == name).unwrap();
        members.push(slot);
        heard.extend(tell(members, slot, &format!("{id} joined {name}")));
        heard
    }

    fn leave(&mut self, slot: usize) -> Option<(String, Vec<Heard>)> {
        let id = self.sessions[slot].unwrap();
        let place = self.rooms.iter().position(|(_, members)| members.contains(&slot))?;
        let (name, members) = &mut self.rooms[place];
        members.retain(|&member| member != slot);
        let left = (name.clone(), tell(members, slot, &format!("{id} left {name}")));
        if members.is_empty() {
            self.rooms.remove(place);
        }
        Some(left)
    }

    fn room_of(&self, slot: usize) -> Option<(&str, &[usize])> {
        let (name, members) = self.rooms.iter().find(|(_, members)| members.contains(&slot))?;
        Some((name, members))
    }
}

fn tell(members: &[usize], except: usize, what: &str) -> Vec<Heard> {
    members.iter().filter(|&&member| member != except).map(|&member| (member, what.to_owned())).collect()
}

fn sorted(mut heard: Vec<Heard>) -> Vec<Heard> {
    heard.sort_by_key(|(slot, _)| *slot);
    heard
}
