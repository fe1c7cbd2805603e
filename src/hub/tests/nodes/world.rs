//! Nodes, the bus between them, and the store that they share. What each client has been told is kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;
use job::{Deed, MessageRecord, Missed, Order, Outcome, Outside};

const LIMITS: Limits = Limits { max_rooms: 50, max_rooms_joined: 5, max_rooms_owned: 100, presence_of_all: false };

/// What one client has been told: what it is, and how far it has heard then.
pub(super) type Heard = Vec<(Event, Mark)>;

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    /// The open ones.
    pub(super) rooms: Vec<RoomRecord>,
    rows: Vec<Row>,
    transactions: i64,
    now: Duration,
    pub(super) random: fastrand::Rng,
    /// Of so many notices one is lost; 0: none.
    pub(super) losing: usize,
    /// Of so many times that it is to be noted who is online, the store fails once; 0: never.
    pub(super) failing: usize,
    /// Who is online by the store.
    pub(super) online: BTreeSet<UserId>,
}

pub(super) struct Node {
    pub(super) hub: Hub,
    is_up: bool,
    listens: BTreeSet<Address>,
    /// What is on its way here, from each other node in its order.
    coming: BTreeMap<u64, VecDeque<Notice>>,
    jobs: Vec<(Ticket, Job)>,
    outcomes: VecDeque<(Ticket, Outcome)>,
    pub(super) heard: BTreeMap<usize, Heard>,
    pub(super) replies: BTreeMap<usize, Vec<Reply>>,
}

/// A message that is stored.
struct Row {
    position: Position,
    node: u64,
    room: RoomRecord,
    message: MessageRecord,
}

impl World {
    pub(super) fn of(count: usize, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let rooms = vec![room(1, "lobby"), room(2, "tea")];
        let (nodes, rows, now, losing, failing, online) = Default::default();
        let mut world = Self { nodes, rooms, rows, transactions: 100, now, random, losing, failing, online };
        for _ in 0..count {
            world.start();
        }
        world.settle();
        world
    }

    /// A further node, that does not know the others yet.
    pub(super) fn start(&mut self) -> usize {
        self.start_as(false)
    }

    /// One that takes itself for the first.
    pub(super) fn start_alone(&mut self) -> usize {
        self.start_as(true)
    }

    fn start_as(&mut self, is_alone: bool) -> usize {
        let index = self.nodes.len() as u64;
        let mut hub = Hub::new(LIMITS, 1_000 + index, Timestamp::default());
        hub.load(&self.rooms, Some(Mark::default()));
        let position =
            Some(self.rows.last().map_or(Position { transaction: 100, ..Position::default() }, |row| row.position));
        let block = index * BLOCK;
        hub.join_nodes(Start { block, position, epoch: Timestamp::default(), is_alone });
        hub.note_time(self.now);
        let (listens, coming, jobs, outcomes, heard, replies) = Default::default();
        self.nodes.push(Node { hub, is_up: false, listens, coming, jobs, outcomes, heard, replies });
        self.connect(index as usize);
        index as usize
    }

    /// There is a way to the others again.
    pub(super) fn connect(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if !std::mem::replace(&mut node.is_up, true) {
            node.hub.connected();
        }
    }

    /// The node hears nobody and nobody hears it, and what was on its way is lost.
    pub(super) fn cut(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if std::mem::take(&mut node.is_up) {
            node.coming.clear();
            node.hub.disconnected();
        }
    }

    /// Others have not heard of it for too long.
    pub(super) fn lose(&mut self, gone: usize) {
        let id = self.nodes[gone].hub.node();
        for index in (0..self.nodes.len()).filter(|index| *index != gone) {
            self.with(index, |hub, effects| hub.lose(id, true, effects));
        }
    }

    /// A node that was there before the others, and that none of them has heard, is given up.
    pub(super) fn lose_unheard(&mut self) {
        for index in 0..self.nodes.len() {
            self.with(index, |hub, effects| hub.lose(NodeId(999), true, effects));
        }
    }

    /// Something happens on a node, and those who are there hear of it.
    pub(super) fn with<T>(&mut self, node: usize, act: impl FnOnce(&mut Hub, &mut Vec<Effect>) -> T) -> T {
        let mut effects = Vec::new();
        let result = act(&mut self.nodes[node].hub, &mut effects);
        self.tell(node, effects);
        result
    }

    pub(super) fn ask(&mut self, node: usize, from: usize, command: Command) {
        self.with(node, |hub, effects| hub.apply(slot(from), command.into(), effects));
    }

    fn tell(&mut self, node: usize, effects: Vec<Effect>) {
        let Node { hub, heard, replies, .. } = &mut self.nodes[node];
        let mut resumed = Vec::new();
        for effect in effects {
            match &effect {
                Effect::Tell { .. } => {
                    let (to, event) = told(&effect, hub);
                    for to in to {
                        heard.entry(to).or_default().push((event.clone(), hub.mark()));
                    }
                }
                Effect::Reply { to, reply, .. } => replies.entry(to.index()).or_default().push(reply.clone()),
                Effect::Resume { slot } => resumed.push(*slot),
                Effect::Dismiss { .. } => {}
            }
        }
        for slot in resumed {
            while self.with(node, |hub, effects| hub.resume(slot, effects)) {}
        }
    }

    /// What the hub wants of bus and store is on its way.
    fn collect(&mut self, index: usize) {
        let from = self.nodes[index].hub.node();
        for errand in self.nodes[index].hub.take_errands() {
            match errand {
                Errand::Listen(address, true) => drop(self.nodes[index].listens.insert(address)),
                Errand::Listen(address, false) => drop(self.nodes[index].listens.remove(&address)),
                Errand::Reserve => {}
                Errand::Send(dispatch) if self.nodes[index].is_up => {
                    for other in 0..self.nodes.len() {
                        let is_lost = self.losing > 0 && self.random.usize(..self.losing) == 0;
                        let node = &mut self.nodes[other];
                        let own = Address::Node(node.hub.node());
                        let hears = |to: &Address| *to == Address::All || *to == own || node.listens.contains(to);
                        let is_kept = matches!(dispatch.notice, Notice::Hello | Notice::Directory { .. });
                        if other != index && node.is_up && dispatch.to.iter().any(hears) && (is_kept || !is_lost) {
                            node.coming.entry(from.0).or_default().push_back(dispatch.notice.clone());
                        }
                    }
                }
                Errand::Send(_) => {}
            }
        }
        let node = &mut self.nodes[index];
        let at = Timestamp::from_microseconds(self.now.as_micros() as i64);
        node.jobs.extend(node.hub.take_jobs(at));
    }

    /// One thing happens, whichever: something arrives, a transaction is done, an outcome is taken, time goes by.
    pub(super) fn step(&mut self) -> bool {
        let count = self.nodes.len();
        let start = self.random.usize(..count);
        for index in (0..count).map(|offset| (start + offset) % count) {
            self.collect(index);
            let node = &mut self.nodes[index];
            node.coming.retain(|_, coming| !coming.is_empty());
            match self.random.u8(..3) {
                0 if !node.coming.is_empty() => {
                    let senders: Vec<u64> = node.coming.keys().copied().collect();
                    let from = senders[self.random.usize(..senders.len())];
                    let notice = node.coming.get_mut(&from).and_then(VecDeque::pop_front).unwrap();
                    self.with(index, |hub, effects| {
                        hub.hear(NodeId(from), notice, effects);
                        hub.answer_askers();
                    });
                    self.drain(index);
                    return true;
                }
                1 if !node.jobs.is_empty() => {
                    self.transact(index);
                    return true;
                }
                _ => {}
            }
            if let Some((ticket, outcome)) = self.nodes[index].outcomes.pop_front() {
                self.nodes[index].hub.queue(ticket, outcome);
                self.drain(index);
                return true;
            }
        }
        self.nodes.iter().any(|node| !node.coming.is_empty() || !node.jobs.is_empty() || !node.outcomes.is_empty())
    }

    /// Tells what is to be told. A turn may end before that is all.
    fn drain(&mut self, index: usize) {
        while self.random.u8(..8) > 0 && self.tell_next(index) {}
    }

    fn tell_next(&mut self, index: usize) -> bool {
        let Some(telling) = self.nodes[index].hub.next_in_order() else { return false };
        self.with(index, |hub, effects| match telling {
            Telling::Outcome(ticket, outcome) => hub.committed(ticket, outcome, effects),
            Telling::Deed(outside, by) => hub.happened_elsewhere(*outside, by, effects),
        });
        true
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        for index in 0..self.nodes.len() {
            let now = self.now;
            self.with(index, |hub, effects| hub.advance(now, effects));
        }
    }

    /// Until nothing is on its way, and all that can be known is known.
    pub(super) fn settle(&mut self) {
        for _ in 0..8 {
            while self.step() {}
            (0..self.nodes.len()).for_each(|index| while self.tell_next(index) {});
            self.pass(Duration::from_secs(3));
        }
        self.nodes.iter().for_each(|node| node.hub.check_invariants());
    }

    /// All that waits for the store, in one transaction.
    fn transact(&mut self, index: usize) {
        let node = self.nodes[index].hub.node().0;
        let jobs = std::mem::take(&mut self.nodes[index].jobs);
        self.transactions += self.random.i64(1..4);
        let number = self.rows.last().map_or(0, |row| row.position.number) + 1;
        let transaction = self.transactions;
        let count = jobs.iter().filter(|(_, job)| matches!(job, Job::Append(_))).count();
        let last = MessageId((self.rows.len() + count) as i64);
        let mark = Mark { message: last, ..Mark::default() };
        let position = Position { number, transaction, mark };
        for (ticket, job) in jobs {
            let outcome = match job {
                Job::Append(draft) => Ok(self.append(node, &draft, Order { position, count })),
                Job::CatchUp { rooms, since, most, .. } => Ok(self.catch_up(node, &rooms, since, most)),
                Job::ReadMissed { room, since, most } => Ok(self.read_missed(node, room, since, most)),
                Job::FindUser { user: Reference::Number(id) } => Ok(Done::User(user(id, &format!("user{id}")))),
                Job::Attend { user: name, .. } => {
                    let id = name.parse().unwrap();
                    let attended = job::Attended {
                        user: user(id, &format!("user{id}")),
                        rooms: vec![private()],
                        chosen: Vec::new(),
                        mark: Mark::default(),
                        missed: None,
                    };
                    Ok(Done::Attended(Box::new(attended)))
                }
                Job::FindRoom { .. } => Ok(Done::Room(private())),
                Job::Survey { rooms, users, .. } => {
                    let users = users.into_iter().map(|UserId(id)| (user(id, &format!("user{id}")), vec![private()]));
                    Ok(Done::Surveyed { rooms: rooms.then(|| self.rooms.clone()), users: users.collect() })
                }
                Job::SetStatus { user, is_online } => self.note_status(user, is_online),
                Job::ListOnline { after, most } => self.list_online(after, most),
                other => panic!("{other:?}"),
            };
            self.nodes[index].outcomes.push_back((ticket, outcome));
        }
    }

    /// What fails may be done all the same.
    fn note_status(&mut self, user: UserId, is_online: bool) -> Outcome {
        let has_failed = self.failing > 0 && self.random.usize(..self.failing) == 0;
        if !has_failed || self.random.bool() {
            if is_online {
                self.online.insert(user)
            } else {
                self.online.remove(&user)
            };
        }
        if has_failed { Err(Fault::Unavailable("away".into())) } else { Ok(Done::Noted) }
    }

    fn list_online(&mut self, after: UserId, most: usize) -> Outcome {
        if self.failing > 0 && self.random.usize(..self.failing) == 0 {
            return Err(Fault::Unavailable("away".into()));
        }
        Ok(Done::Online(self.online.range(after..).filter(|user| **user != after).take(most).copied().collect()))
    }

    fn append(&mut self, node: u64, draft: &Draft, order: Order) -> Done {
        let Target::Room(Reference::Number(room_id)) = draft.to else { panic!("{draft:?}") };
        let id = MessageId(self.rows.len() as i64 + 1);
        let mut message = match &draft.author {
            Author::Guest { uuid, name } => MessageRecord { sender: *uuid, ..attend::message(id.0, None, name) },
            Author::User(_) => attend::message(id.0, Some(1), "user1"),
        };
        (message.text, message.at) = (draft.text.clone(), draft.at);
        message.transaction = Some(order.position.transaction);
        let open = self.rooms.iter().find(|room| room.id.0 == room_id);
        let room = open.cloned().unwrap_or_else(private);
        let done = Appended {
            message: id,
            room: room.ids(),
            author: matches!(draft.author, Author::User(_)).then(|| user(1, "user1")),
            direct: None,
            at: draft.at,
            is_repeat: false,
            order: Some(order),
        };
        self.rows.push(Row { position: order.position, node, room, message });
        Done::Appended(done)
    }

    fn catch_up(&self, node: u64, rooms: &[RoomId], since: Position, most: usize) -> Done {
        // A transaction has its place only at its end.
        let ended = self.rows.iter().rfind(|row| row.position.transaction < self.transactions);
        let last = ended.map_or(since, |row| row.position);
        let after = |row: &&Row| row.position.transaction > since.transaction;
        let own = self.rows.iter().filter(after).filter(|row| row.node != node && rooms.contains(&row.room.id));
        let mut deeds: Vec<(i64, Outside)> = own
            .map(|row| {
                let message = MessageRecord { transaction: None, ..row.message.clone() };
                let what = Deed::Said(message);
                (row.position.transaction, Outside { room: row.room.clone(), participants: None, what })
            })
            .collect();
        // In small parts, but no transaction in two.
        let most = most.min(3);
        let end = deeds.get(most).map(|(at, _)| *at);
        let cut = end.map(|end| deeds.iter().position(|(at, _)| *at == end).unwrap()).filter(|cut| *cut > 0);
        let has_more = cut.is_some();
        let mut position = if last.number > since.number { last } else { since };
        if let Some(cut) = cut {
            deeds.truncate(cut);
            position = Position { transaction: deeds[cut - 1].0, ..since };
        }
        Done::CaughtUp { deeds, position, has_more }
    }

    fn read_missed(&self, node: u64, room: RoomId, since: Mark, most: usize) -> Done {
        let most = most.min(5);
        let missed = self.rows.iter().filter(|row| row.room.id == room && row.message.id > since.message);
        let mut missed: Vec<&Row> = missed.collect();
        let has_more = missed.len() > most;
        missed.truncate(most);
        let last = if has_more { missed.last().map(|row| row.message.id) } else { None };
        let all = MessageId(self.rows.len() as i64);
        let mark = Mark { message: last.unwrap_or(all), change: since.change };
        let messages = missed.into_iter().map(|row| {
            let transaction = row.message.transaction.filter(|_| row.node != node);
            (row.room.ids(), MessageRecord { transaction, ..row.message.clone() })
        });
        let missed = Missed { messages: messages.collect(), changes: Vec::new() };
        Done::Missed { missed, mark, has_more }
    }

    /// Whether the connection in that slot of that node has said it.
    pub(super) fn is_by(&self, id: MessageId, node: usize, slot: usize) -> bool {
        let hub = &self.nodes[node].hub;
        let own = hub.who(SlotKey::new(slot)).map(|who| who.uuid());
        self.rows.iter().any(|row| row.message.id == id && Some(row.message.sender) == own)
    }

    /// The messages of that room, in their order.
    pub(super) fn said(&self, room: RoomId) -> Vec<MessageId> {
        self.rows.iter().filter(|row| row.room.id == room).map(|row| row.message.id).collect()
    }
}

/// The room in which all users take part.
fn private() -> RoomRecord {
    RoomRecord { is_private: true, owner: None, ..room(9, "ours") }
}

/// The messages among these.
pub(super) fn messages(heard: &[(Event, Mark)]) -> Vec<MessageId> {
    let id = |event: &Event| match event {
        Event::RoomMessage { stored: Some(stored), .. } => Some(stored.message),
        _ => None,
    };
    heard.iter().filter_map(|(event, _)| id(event)).collect()
}
