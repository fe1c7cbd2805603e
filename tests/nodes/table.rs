//! The cross table: whoever does something on whichever node and in whichever words, all who are there are told of it, on
//! every node, once, in their own words; and nobody else is.

use serde_json::{Value, json};

use super::person::{Dialect, Person, Who, http, user};
use super::words::{Act, Room, Row};
use crate::common::cluster::Cluster;
use crate::common::database::rows;
use crate::common::{Server, wait_until};

const NODES: usize = 3;

/// Those who don't hear, but do things, too.
const MUTE: [Dialect; 2] = [Dialect::Api, Dialect::Sql];

/// Somebody on a node, in these rooms.
struct Seat {
    node: usize,
    person: Person,
    rooms: &'static [&'static str],
}

/// Three nodes, and on each of them somebody of every dialect in the lobby, those who can be in the private room too;
/// others in the attic alone.
struct Hall {
    cluster: Cluster,
    rooms: Vec<Room>,
    seats: Vec<Seat>,
    /// How many have confirmed to have read what the host has said.
    read_by: usize,
    /// The last message, and what it is.
    last: i64,
    text: String,
    /// The cells that are not as they should be.
    wrong: Vec<String>,
}

fn room_of(cluster: &Cluster, name: &str) -> Room {
    let sql = format!("SELECT id, uuid, is_private FROM chats WHERE name = '{name}'");
    let row = rows(&cluster.database, &sql).remove(0);
    Room { id: row[0].parse().unwrap(), uuid: row[1].clone(), name: name.into(), is_private: row[2] == "t" }
}

fn name_of(dialect: Dialect, node: usize, place: &str) -> String {
    format!("{dialect:?}-{node}-{place}").to_lowercase()
}

impl Hall {
    fn open() -> Self {
        // Who hears nothing for long does not look after its connection either.
        let cluster = Cluster::start_with(NODES, &["--ping", "10m"]);
        let first: &Server = &cluster.nodes[0];
        let make = |name: &str| user(first, &cluster.database, name);
        let host = make("host");
        let mut people = Vec::new();
        for node in 0..NODES {
            for dialect in Dialect::EARS.into_iter().chain(MUTE) {
                let who = match dialect {
                    Dialect::Action => Who::default(),
                    Dialect::Stream | Dialect::Sql => {
                        let uuid = format!("{node}{:07}-89b1-4d31-a456-426614174000", dialect as usize);
                        Who { name: format!("guest-{}", &uuid[..8]), uuid, ..Who::default() }
                    }
                    _ => make(&name_of(dialect, node, "hall")),
                };
                people.push((node, dialect, who));
            }
        }
        let members: Vec<i64> = people.iter().filter_map(|(_, _, who)| who.user).chain(host.user).collect();
        let private = json!({"UserID": host.user, "Roomname": "den", "Private": true, "Members": members});
        http(first, "POST /rooms", &private);
        http(first, "POST /rooms", &json!({"UserID": host.user, "Roomname": "attic"}));
        let rooms = ["lobby", "den", "attic"].map(|name| room_of(&cluster, name)).to_vec();
        let strangers: Vec<Who> =
            ["event", "chat", "conversation"].map(|name| make(&format!("{name}-stranger"))).into();

        let mut hall =
            Self { cluster, rooms, seats: Vec::new(), read_by: 0, last: 0, text: String::new(), wrong: Vec::new() };
        for (node, dialect, who) in people {
            hall.seat(node, dialect, who, &["lobby", "den"]);
        }
        for node in 0..NODES {
            hall.seat(node, Dialect::Action, Who::default(), &["attic"]);
            for (dialect, who) in [Dialect::Event, Dialect::Chat, Dialect::Conversation].into_iter().zip(&strangers) {
                hall.seat(node, dialect, who.clone(), &["attic"]);
            }
            let person = Person::listening(&hall.cluster.nodes[node], "attic");
            hall.seats.push(Seat { node, person, rooms: &["attic"] });
        }
        hall.meet();
        hall
    }

    fn seat(&mut self, node: usize, dialect: Dialect, who: Who, rooms: &'static [&'static str]) {
        let server: &Server = &self.cluster.nodes[node];
        let mut person = Person::come(server, dialect, who);
        for room in rooms.iter().map(|name| self.rooms.iter().find(|room| room.name == *name).unwrap()) {
            let who = person.who.clone();
            let row = Row { act: Act::Enter, room, dialect, who: &who, message: 0, text: "", read_by: 0 };
            let Some(ask) = row.ask() else { continue };
            person.ask(server, &self.cluster.database, ask);
        }
        self.seats.push(Seat { node, person, rooms });
    }

    /// Waits until all nodes know who is there, and finds out who the guests are.
    fn meet(&mut self) {
        for (room, members) in [("lobby", 4 * NODES), ("attic", 4 * NODES)] {
            let mut asking = Person::come(&self.cluster.nodes[0], Dialect::Action, Who::default());
            let ask = json!({"action": "participants", "room": room});
            let mut known = Value::Null;
            wait_until("all to be there", || {
                known = asking.ask_frame(&ask)["participants"].take();
                known.as_array().unwrap().len() == members
            });
            for node in 1..NODES {
                let mut asking = Person::come(&self.cluster.nodes[node], Dialect::Action, Who::default());
                wait_until("all nodes to know the same", || asking.ask_frame(&ask)["participants"] == known);
            }
            // Who has entered after whom is known from the order.
            let known: Vec<String> = serde_json::from_value(known).unwrap();
            let seats = self.seats.iter_mut().filter(|seat| {
                let dialect = seat.person.dialect;
                seat.rooms.contains(&room) && dialect != Dialect::Stream && !MUTE.contains(&dialect)
            });
            for (seat, id) in seats.zip(known.clone()) {
                let connection = seat.person.who.connection.get_or_insert_with(|| id.clone());
                assert_eq!(*connection, id, "the order of joining {known:?}");
            }
        }
        for seat in self.seats.iter_mut().filter(|seat| seat.person.dialect == Dialect::Action) {
            seat.person.ask_frame(&json!({"action": "room_message", "message": "who am I?"}));
            let sql = "SELECT sender_id FROM messages ORDER BY id DESC LIMIT 1";
            seat.person.who.uuid = rows(&self.cluster.database, sql).remove(0).remove(0);
        }
        for name in ["lobby", "attic"] {
            self.host_says(name, "all here?");
            for seat in self.seats.iter_mut().filter(|seat| seat.rooms.contains(&name)) {
                if !MUTE.contains(&seat.person.dialect) {
                    seat.person.hear_until("all here?");
                }
            }
        }
    }

    fn host_says(&self, room: &str, text: &str) -> i64 {
        let room = self.rooms.iter().find(|one| one.name == room).unwrap();
        let host = "SELECT id FROM users WHERE username = 'host'";
        let host: i64 = rows(&self.cluster.database, host)[0][0].parse().unwrap();
        let body = json!({"UserID": host, "RoomID": room.id, "Message": text});
        http(&self.cluster.nodes[NODES - 1], "POST /messages", &body)["MessageID"].as_i64().unwrap()
    }

    /// Hears the next thing in a place, and what was said by the host: all the same.
    fn everybody_hears(&mut self, row: &Row<'_>, actor: usize) -> usize {
        let mut cells = 0;
        for (place, seat) in self.seats.iter_mut().enumerate() {
            if !seat.rooms.contains(&&*row.room.name) {
                continue;
            }
            let Some(expected) = row.told(seat.person.dialect, place == actor) else { continue };
            let mut heard = seat.person.hear();
            if let Some(message) = heard.get_mut(1).and_then(Value::as_object_mut) {
                message.remove("delivered");
            }
            let name = &seat.person.who.name;
            if heard != expected {
                let Row { act, dialect, who, .. } = row;
                let who = format!("{act:?} by {dialect:?} {who:?}");
                self.wrong.push(format!("{who}: {name} on {} hears {heard} and not {expected}", seat.node));
                // After a silence all the rest would be waited for in vain, too.
                assert!(!heard.is_null(), "{}", self.wrong.join("\n"));
            }
            cells += 1;
        }
        cells
    }

    /// Everybody does everything there, and all hear of it. Returns how many cells of the table that were.
    fn all_act_in(&mut self, name: &str) -> usize {
        let room = self.rooms.iter().find(|room| room.name == name).unwrap().clone();
        let (read, mut cells) = (self.host_says(name, "read this"), 0);
        for seat in self.seats.iter_mut().filter(|seat| seat.rooms.contains(&name)) {
            let dialect = seat.person.dialect;
            if !(MUTE.contains(&dialect) || room.is_private && [Dialect::Action, Dialect::Stream].contains(&dialect)) {
                seat.person.hear_until("read this");
            }
        }
        (self.read_by, self.last) = (0, read);
        for actor in 0..self.seats.len() {
            let seat = &self.seats[actor];
            if !seat.rooms.contains(&name) {
                continue;
            }
            for act in Act::ALL {
                cells += self.act(actor, act, &room, read);
            }
        }
        cells
    }

    fn act(&mut self, actor: usize, act: Act, room: &Room, read: i64) -> usize {
        let seat = &mut self.seats[actor];
        let (who, dialect) = (seat.person.who.clone(), seat.person.dialect);
        let text = match act {
            Act::Delete => self.text.clone(),
            act => format!("{act:?} by {dialect:?} on {}", seat.node),
        };
        let message = if act == Act::Confirm { read } else { self.last };
        let row = Row { act, room, dialect, who: &who, message, text: &text, read_by: self.read_by + 1 };
        let Some(ask) = row.ask() else { return 0 };
        seat.person.ask(&self.cluster.nodes[seat.node], &self.cluster.database, ask);
        self.read_by += usize::from(act == Act::Confirm);
        self.text.clone_from(&text);
        let mut row = row;
        if act == Act::Say {
            let sql = format!("SELECT id FROM messages WHERE content = '{text}' AND chat_id = {}", room.id);
            let id = rows(&self.cluster.database, &sql)[0][0].parse().unwrap();
            assert!(id > self.last, "{id} after {}", self.last);
            (self.last, row.message) = (id, id);
        }
        self.everybody_hears(&row, actor)
    }

    /// Everybody is told nothing but what the host says now.
    fn nobody_has_heard_more(&mut self) {
        for name in ["lobby", "attic"] {
            self.host_says(name, "the end");
            for seat in self.seats.iter_mut().filter(|seat| seat.rooms.contains(&name)) {
                if !MUTE.contains(&seat.person.dialect) {
                    let before = seat.person.hear_until("the end");
                    if !before.is_empty() {
                        self.wrong.push(format!("{} on {} has heard {before:?}", seat.person.who.name, seat.node));
                    }
                }
            }
        }
    }
}

#[test]
fn whatever_is_done_is_heard_by_all_who_are_there_on_every_node_and_by_nobody_else() {
    let mut hall = Hall::open();
    for room in ["lobby", "den"] {
        let cells = hall.all_act_in(room);
        hall.nobody_has_heard_more();
        assert!(hall.wrong.is_empty(), "of {cells} cells {}:\n{}", hall.wrong.len(), hall.wrong.join("\n"));
        println!("{cells} cells of the table for the {room}");
    }
}
