//! Rooms over several nodes: ephemeral ones, who listens to which, and the one order of what is said.

use std::fmt::Debug;
use std::time::Instant;

use serde_json::{Value, json};

use super::person::{Dialect, Person, Who, http, user};
use crate::common::cluster::Cluster;
use crate::common::event::EventClient;
use crate::common::{Client, PATIENCE, wait_until};

fn join(client: &mut Client, room: &str) {
    let frame = json!({"action": "join", "room": room}).to_string();
    client.ask(&frame, &frame);
}

fn say(client: &mut Client, room: &str, text: &str) {
    let frame = json!({"action": "room_message", "message": text}).to_string();
    client.send(&frame);
    assert_eq!(parse(&client.receive()), json!({"action": "room_message", "room": room, "message": text}));
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The channels of rooms to which some node listens.
fn channels(cluster: &Cluster) -> Vec<String> {
    let listed = cluster.redis.cli(&["PUBSUB", "CHANNELS", "roomcast:0:*"]);
    let is_place = |channel: &&str| ["room:", "name:", "user:"].iter().any(|kind| channel.contains(kind));
    let mut channels: Vec<String> = listed.lines().filter(is_place).map(str::to_owned).collect();
    channels.sort();
    channels
}

#[track_caller]
fn wait_for_channels(cluster: &Cluster, expected: &[impl AsRef<str> + Debug]) {
    let deadline = Instant::now() + PATIENCE;
    let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
    while channels(cluster) != expected && Instant::now() < deadline {}
    assert_eq!(channels(cluster), expected);
}

#[test]
fn an_ephemeral_room_is_one_on_all_nodes() {
    let cluster = Cluster::start(3);
    let [mut one, mut two, mut three, mut elsewhere] = [0, 1, 2, 1].map(|node: usize| cluster.nodes[node].join_in());
    join(&mut one.0, "milk");
    join(&mut elsewhere.0, "honey");
    let told = |action: &str, id: &str| json!({"action": action, "room": "milk", "user_id": id});
    for (at, (client, id)) in [(1, &mut two), (2, &mut three)] {
        // It is there already for whoever comes later.
        wait_until("the room to be known", || {
            client.send(r#"{"action":"participants","room":"milk"}"#);
            parse(&client.receive())["participants"].as_array().is_some_and(|members| members.len() == at)
        });
        join(client, "milk");
        assert_eq!(parse(&one.0.receive()), told("join", id));
    }
    assert_eq!(parse(&two.0.receive()), told("join", &three.1));
    let mut people = [one, two, three];
    for speaker in 0..3 {
        let text = format!("from {speaker}");
        say(&mut people[speaker].0, "milk", &text);
        let user = people[speaker].1.clone();
        let said = json!({"action": "room_message", "room": "milk", "user_id": user, "message": text});
        for listener in (0..3).filter(|listener| *listener != speaker) {
            assert_eq!(parse(&people[listener].0.receive()), said);
        }
    }
    let [(mut one, one_id), (two, two_id), (mut three, _)] = people;
    one.ask(r#"{"action":"leave"}"#, r#"{"action":"leave","room":"milk"}"#);
    assert_eq!(parse(&three.receive()), told("leave", &one_id));
    // A connection that ends leaves its room.
    two.close();
    assert_eq!(parse(&three.receive()), told("leave", &two_id));
    three.ask(r#"{"action":"leave"}"#, r#"{"action":"leave","room":"milk"}"#);
    wait_until("the room to be gone with its last member", || {
        elsewhere.0.send(r#"{"action":"rooms"}"#);
        parse(&elsewhere.0.receive())["rooms"] == json!(["lobby", "honey"])
    });
    one.expect_nothing();
}

#[test]
fn a_node_listens_to_the_rooms_that_somebody_is_in_and_to_no_others() {
    let cluster = Cluster::start(2);
    let (first, second) = (&cluster.nodes[0], &cluster.nodes[1]);
    for name in ["ann", "bob"] {
        user(first, &cluster.database, name);
    }
    http(first, "POST /rooms", &json!({"UserID": 1, "Roomname": "attic"}));
    http(first, "POST /rooms", &json!({"UserID": 1, "Roomname": "den", "Private": true, "Members": [2]}));
    assert_eq!(channels(&cluster), [""; 0]);
    let (mut guest, _) = second.join_in();
    join(&mut guest, "milk");
    wait_for_channels(&cluster, &["roomcast:0:name:milk"]);
    join(&mut guest, "attic");
    wait_for_channels(&cluster, &["roomcast:0:room:2"]);
    let mut ann = EventClient::of(second, 1, &[2]);
    assert_eq!(parse(&guest.receive())["action"], "join");
    guest.ask(r#"{"action":"leave"}"#, r#"{"action":"leave","room":"attic"}"#);
    ann.receive();
    wait_until("only the second node to listen", || {
        cluster.redis.cli(&["PUBSUB", "NUMSUB", "roomcast:0:room:2"]) == "roomcast:0:room:2\n1\n"
    });
    // Who takes part in a private room hears of it from the start.
    let who = Who { name: "bob".into(), user: Some(2), ..Who::default() };
    let bob = Person::come(first, Dialect::Chat, who);
    wait_for_channels(&cluster, &["room:2", "room:3", "user:1", "user:2"].map(|place| ["roomcast:0:", place].concat()));
    drop(bob);
    ann.client.close();
    wait_for_channels(&cluster, &[""; 0]);
}

/// What everybody says at once, all hear in the order of the ids.
#[test]
fn what_is_said_on_all_nodes_at_once_all_hear_in_one_order() {
    const EACH: usize = 200;
    let cluster = Cluster::start(3);
    let names = ["ann", "bob", "cid"];
    let users = names.map(|name| user(&cluster.nodes[0], &cluster.database, name));
    let people = [0, 1, 2].map(|node: usize| {
        let server = &cluster.nodes[node];
        let mut event = Person::come(server, Dialect::Event, users[node].clone());
        event.ask_frame(&json!({"event": "join_room", "payload": {"roomId": 1}}));
        let mut guest = Person::come(server, Dialect::Action, Who::default());
        guest.ask_frame(&json!({"action": "join", "room": "lobby"}));
        [event, guest, Person::come(server, Dialect::Stream, Who::default())]
    });
    let mut asking = Person::come(&cluster.nodes[0], Dialect::Action, Who::default());
    wait_until("all to be there", || {
        let known = asking.ask_frame(&json!({"action": "participants", "room": "lobby"}));
        known["participants"].as_array().unwrap().len() == 6
    });
    let heard: Vec<Vec<(Option<i64>, String)>> = std::thread::scope(|scope| {
        let of_node = |(node, people): (usize, [Person; 3])| {
            let [mut event, guest, stream] = people;
            scope.spawn(move || {
                for number in 0..EACH {
                    let text = format!("{node} {number}");
                    event.send_frame(&json!({"event": "send_message", "payload": {"roomId": 1, "text": text}}));
                }
                [event, guest, stream].map(|person| said(person, 3 * EACH))
            })
        };
        let threads: Vec<_> = people.into_iter().enumerate().map(of_node).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let order = &heard[0];
    let ids: Vec<i64> = order.iter().map(|(id, _)| id.unwrap()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    for (listener, others) in heard.iter().enumerate() {
        assert_eq!(others.len(), order.len());
        for (one, other) in order.iter().zip(others) {
            assert!(one.1 == other.1 && other.0.is_none_or(|id| Some(id) == one.0), "{listener}: {one:?}, {other:?}");
        }
    }
    for node in 0..3 {
        let own: Vec<&str> = order.iter().filter_map(|(_, text)| text.strip_prefix(&format!("{node} "))).collect();
        assert_eq!(own, (0..EACH).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}

/// So many messages as they are heard: the id, where it is told, and the text.
fn said(mut person: Person, count: usize) -> Vec<(Option<i64>, String)> {
    let dialect = person.dialect;
    let message = |event: Value| {
        let (id, text) = match dialect {
            Dialect::Event if event["event"] == "new_message" => {
                (event["payload"]["messageId"].as_i64(), &event["payload"]["text"])
            }
            Dialect::Action if event["action"] == "room_message" => (None, &event["message"]),
            Dialect::Stream => (event["data"]["id"].as_i64(), &event["data"]["content"]),
            _ => return None,
        };
        Some((id, text.as_str().unwrap().to_owned()))
    };
    std::iter::repeat_with(|| person.hear_event()).filter_map(message).take(count).collect()
}
