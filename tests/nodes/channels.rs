//! The channels for programs that are no nodes: each change once, whatever the number of nodes, and from wherever it comes.

use serde_json::{Value, json};

use super::person::{Dialect, Person, Who, http, user};
use super::words::{Act, Room, Row};
use crate::common::cluster::Cluster;
use crate::common::database::rows;
use crate::common::event::untimed;
use crate::common::program::Program;

/// The next channel, and what comes on it.
fn hear(program: &mut Program) -> (String, Value) {
    let (channel, payload) = program.hear();
    (channel, serde_json::from_str(&untimed(&payload)).unwrap())
}

#[test]
fn programs_hear_of_each_change_in_open_rooms_once() {
    let cluster = Cluster::start(3);
    let database = &cluster.database;
    let make = |name: &str| user(&cluster.nodes[0], database, name);
    let host = make("host");
    let den = json!({"UserID": 1, "Roomname": "den", "Private": true, "Members": []});
    http(&cluster.nodes[0], "POST /rooms", &den);
    let uuid = rows(database, "SELECT uuid FROM chats WHERE id = 1").remove(0).remove(0);
    let room = Room { id: 1, uuid, name: "lobby".into(), is_private: false };
    let mut program = Program::start(&cluster.redis);
    let dialects = Dialect::EARS.into_iter().chain([Dialect::Api, Dialect::Sql]);
    for (number, dialect) in dialects.enumerate() {
        let who = match dialect {
            Dialect::Action => Who::default(),
            Dialect::Stream | Dialect::Sql => {
                Who { uuid: host.uuid.replace(&host.uuid[..8], "00000000"), ..Who::default() }
            }
            _ => make(&format!("{dialect:?}")),
        };
        let server = &cluster.nodes[number % 3];
        let mut person = Person::come(server, dialect, who);
        let mut last = (0, String::new());
        for act in [Act::Enter, Act::Say, Act::Edit, Act::Delete] {
            let who = person.who.clone();
            let text = if act == Act::Delete { last.1.clone() } else { format!("{act:?} by {dialect:?}") };
            let row = Row { act, room: &room, dialect, who: &who, message: last.0, text: &text, read_by: 0 };
            let Some(ask) = row.ask() else { continue };
            person.ask(server, database, ask);
            let (channel, operation) = match act {
                Act::Say => ("new_messages", "INSERT"),
                Act::Edit => ("updated_messages", "UPDATE"),
                Act::Delete => ("deleted_messages", "DELETE"),
                _ => continue,
            };
            let (heard_on, told) = hear(&mut program);
            assert_eq!(
                (&*heard_on, &told["operation"]),
                (channel, &json!(operation)),
                "{act:?} by {dialect:?}: {told}"
            );
            let is_gone = (dialect, act) == (Dialect::Sql, Act::Delete);
            let content = if is_gone { Value::Null } else { json!(text) };
            assert_eq!((&told["content"], &told["chat_id"]), (&content, &json!(1)), "{told}");
            assert!(act == Act::Say || told["id"] == json!(last.0), "{told}");
            last = (told["id"].as_i64().unwrap(), text);
        }
        // Of what is said in private they hear nothing: the next thing is the next one's.
        http(server, "POST /messages", &json!({"UserID": 1, "RoomID": 2, "Message": "psst"}));
    }
    http(&cluster.nodes[0], "POST /messages", &json!({"UserID": 1, "RoomID": 1, "Message": "the end"}));
    assert_eq!(hear(&mut program).1["content"], "the end");
}
