//! Who is where: every node answers for all of them.

use serde_json::{Value, json};

use super::person::{Dialect, Person, Who, http, user};
use crate::common::cluster::Cluster;
use crate::common::database::value;
use crate::common::wait_until;

fn event(name: &str, payload: Value) -> Value {
    json!({"event": name, "payload": payload})
}

fn result(answer: &mut Value) -> Value {
    answer["payload"]["result"].take()
}

#[test]
fn what_is_said_to_one_connection_reaches_it_wherever_it_is() {
    let cluster = Cluster::start(2);
    let [(mut one, one_id), (mut two, two_id), (third, third_id)] =
        [0, 1, 1].map(|node: usize| cluster.nodes[node].join_in());
    let frame = |to: &str, text: &str| format!(r#"{{"action":"private_message","user_id":"{to}","message":"{text}"}}"#);
    let unknown = |id: &str| format!(r#"{{"action":"error","message":"user {id} is not on the server"}}"#);
    wait_until("the other to be known", || {
        one.send(&frame(&two_id, "Hello?"));
        one.receive() != unknown(&two_id)
    });
    two.expect(&frame(&one_id, "Hello?"));
    two.ask(&frame(&one_id, "Hello!"), &frame(&one_id, "Hello!"));
    one.expect(&frame(&two_id, "Hello!"));
    // To nobody: an id that nobody has, or one who has gone.
    one.ask(&frame("99", "x"), &unknown("99"));
    third.close();
    wait_until("the third to be gone", || {
        one.send(&frame(&third_id, "x"));
        one.receive() == unknown(&third_id)
    });
    one.expect_nothing();
    two.expect_nothing();
}

/// Waits until what is asked for is as expected.
fn wait_for(person: &mut Person, what: &str, ask: &Value, expected: impl Fn(&mut Value) -> bool) {
    wait_until(what, || expected(&mut person.ask_frame(ask)));
}

#[test]
fn lists_and_counts_are_those_of_all_nodes() {
    let cluster = Cluster::start(3);
    let [first, second, third] = cluster.servers();
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|name| user(first, &cluster.database, name));
    http(first, "POST /rooms", &json!({"UserID": 1, "Roomname": "tea", "Private": true, "Members": [1, 2]}));
    let tea = value(&cluster.database, "SELECT uuid FROM chats WHERE id = 2");

    let mut asking = Person::come(first, Dialect::Event, ann.clone());
    let online = |expected: [bool; 3]| {
        move |answer: &mut Value| {
            let users = result(answer)["users"].take();
            users.as_array().unwrap().iter().map(|user| user["online"] == true).eq(expected)
        }
    };
    let users = event("get_users", json!({}));
    wait_for(&mut asking, "ann alone to be online", &users, online([true, false, false]));
    let mut bobs = Person::come(second, Dialect::Conversation, bob.clone());
    assert_eq!(bobs.hear()[0], "online_users");
    wait_for(&mut asking, "bob to be online", &users, online([true, true, false]));
    let mut cids = Person::come(third, Dialect::Event, cid);
    wait_for(&mut asking, "all to be online", &users, online([true, true, true]));

    // Members are counted wherever they are.
    let rooms = event("get_rooms", json!({}));
    let counted = |count: usize| move |answer: &mut Value| result(answer)["rooms"][0]["memberCount"] == count;
    let join = event("join_room", json!({"roomId": 1}));
    asking.ask_frame(&join);
    cids.ask_frame(&join);
    for person in [&mut asking, &mut cids] {
        wait_for(person, "two members", &rooms, counted(2));
    }
    let listed = |server| http(server, "GET /rooms", &Value::Null)[0]["MemberCount"].take();
    wait_until("two members", || listed(second) == 2);

    // Whom bob shares a room with he is told of, and so are those in the other vocabulary.
    let mut anns = Person::come(third, Dialect::Chat, ann.clone());
    assert_eq!(bobs.hear(), json!(["user_online", {"user_id": ann.uuid}]));
    let mut both = [ann.uuid.as_str(), bob.uuid.as_str()];
    both.sort_unstable();
    let mut once_more = Person::come(first, Dialect::Conversation, bob.clone());
    wait_until("that node to know both", || {
        let told = once_more.hear();
        assert_eq!(told[0], "online_users");
        let mut present: Vec<&str> = told[1]["users"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        present.sort_unstable();
        let knows_both = present == both;
        if !knows_both {
            once_more = Person::come(first, Dialect::Conversation, bob.clone());
        }
        knows_both
    });

    // A message says how many sockets it has reached.
    for person in [&mut bobs, &mut once_more] {
        person.ask_frame(&json!(["join_conversation", {"conversation_id": tea}]));
    }
    let said = json!(["message:send", {"chatId": tea, "content": "milk?"}]);
    let mut reached = Value::Null;
    wait_until("both of bob's sockets to be known", || {
        reached = anns.ask_frame(&said)["delivered"].take();
        reached != 0 && reached != 1
    });
    assert_eq!(reached, 2);
    let direct = json!(["private_message", {"recipient_id": ann.uuid, "content": "psst"}]);
    let answer = bobs.ask_frame(&direct);
    assert_eq!(answer["delivered"], 1, "{answer}");
    anns.hear_until("psst");
    once_more.hear_until("milk?");

    // Who has gone from one node and is on another is still there.
    drop(once_more);
    drop(asking);
    wait_for(&mut cids, "one member", &rooms, counted(1));
    drop(bobs);
    wait_for(&mut cids, "bob to be gone", &users, online([true, false, true]));
    assert_eq!(anns.hear(), json!(["user:status", {"userId": bob.uuid, "status": "offline"}]));
}

#[test]
fn what_becomes_of_rooms_and_users_is_told_on_all_nodes() {
    let cluster = Cluster::start(3);
    let [first, second, third] = cluster.servers();
    let [ann, bob, _cid] = ["ann", "bob", "cid"].map(|name| user(first, &cluster.database, name));
    let mut anns = Person::come(first, Dialect::Event, ann);
    let mut bobs = Person::come(second, Dialect::Event, bob);
    let mut guest = Person::come(third, Dialect::Action, Who::default());
    let told = |people: [&mut Person; 2], name: &str, payload: Value| {
        for person in people {
            assert_eq!(person.hear(), event(name, payload.clone()));
        }
    };
    anns.ask_frame(&event("create_room", json!({"roomName": "tea"})));
    told([&mut anns, &mut bobs], "room_created", json!({"roomId": 2, "roomName": "tea", "userId": 1}));
    let rooms = |names: &'static [&str]| move |answer: &mut Value| answer["rooms"] == json!(names);
    let list = json!({"action": "rooms"});
    wait_for(&mut guest, "the room", &list, rooms(&["lobby", "tea"]));
    http(third, "PATCH /rooms", &json!({"RoomID": 2, "Name": "milk"}));
    told([&mut anns, &mut bobs], "room_updated", json!({"roomId": 2, "roomName": "milk"}));
    wait_for(&mut guest, "its new name", &list, rooms(&["lobby", "milk"]));

    guest.ask_frame(&json!({"action": "join", "room": "milk"}));
    anns.ask_frame(&event("delete_room", json!({"roomId": 2})));
    told([&mut anns, &mut bobs], "room_deleted", json!({"roomId": 2}));
    wait_for(&mut guest, "it to be gone", &list, rooms(&["lobby"]));

    http(second, "PATCH /user", &json!({"UserID": 3, "Name": "dan"}));
    told([&mut anns, &mut bobs], "user_updated", json!({"userId": 3, "username": "dan"}));
    let answer = bobs.ask_frame(&event("get_user", json!({"userId": 3})));
    assert_eq!(answer["payload"]["result"]["username"], "dan");
    http(third, "DELETE /user", &json!({"UserID": 3}));
    told([&mut anns, &mut bobs], "user_deleted", json!({"userId": 3}));
    bobs.ask_frame(&event("change_user", json!({"username": "rob"})));
    told([&mut anns, &mut bobs], "user_updated", json!({"userId": 2, "username": "rob"}));
}
