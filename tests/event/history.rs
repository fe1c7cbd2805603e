//! What was said, page by page, and one order of it for all.

use serde_json::Value;

use crate::common::Server;
use crate::common::event::EventClient;

/// The ids of a page of room 1 and where the next one begins.
fn page(client: &mut EventClient, rest: &str) -> (Vec<i64>, Option<i64>) {
    let reply = client.reply("get_messages", &format!(r#"{{"roomId":1{rest}}}"#));
    let reply: Value = serde_json::from_str(&reply).unwrap();
    let result = &reply["payload"]["result"];
    let messages = result["messages"].as_array().unwrap_or_else(|| panic!("{reply}"));
    let ids = messages.iter().map(|message| message["messageId"].as_i64().unwrap()).collect();
    assert!(result["nextBefore"].is_null() || result["nextBefore"].is_i64(), "{reply}");
    (ids, result["nextBefore"].as_i64())
}

fn ids(range: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    range.collect()
}

#[test]
fn pages_go_back_from_the_newest() {
    let server = Server::unlimited(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    for number in 1..=120 {
        ann.send("send_message", &format!(r#"{{"roomId":1,"text":"{number}"}}"#));
    }
    for _ in 0..2 * 120 {
        ann.receive();
    }
    assert_eq!(page(&mut ann, ""), (ids(71..=120), Some(71)));
    assert_eq!(page(&mut ann, r#","before":71"#), (ids(21..=70), Some(21)));
    assert_eq!(page(&mut ann, r#","before":"21""#), (ids(1..=20), None));
    assert_eq!(page(&mut ann, r#","before":1"#), (vec![], None));
    assert_eq!(page(&mut ann, r#","limit":2"#), (ids(119..=120), Some(119)));
    // A page that ends with the very first message has no next one.
    assert_eq!(page(&mut ann, r#","limit":5,"before":6"#), (ids(1..=5), None));
    assert_eq!(page(&mut ann, r#","limit":120"#), (ids(1..=120), None));
    assert_eq!(page(&mut ann, r#","limit":1000000"#), (ids(1..=120), None));
    // What was deleted is a gap that no page stumbles over, also where one begins.
    ann.reply("delete_message", r#"{"messageId":118}"#);
    ann.receive();
    assert_eq!(page(&mut ann, r#","limit":2,"before":119"#), (ids(116..=117), Some(116)));
    assert_eq!(page(&mut ann, r#","limit":2,"before":118"#), (ids(116..=117), Some(116)));
}

#[test]
fn messages_of_other_rooms_are_not_among_them() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    ann.reply("create_room", r#"{"roomName":"tea"}"#);
    ann.receive();
    ann.enter(&[2]);
    for room in [1, 2, 2, 1] {
        ann.reply("send_message", &format!(r#"{{"roomId":{room},"text":"x"}}"#));
        ann.receive();
    }
    assert_eq!(page(&mut ann, ""), (vec![1, 4], None));
    // A message of another room is a place in time all the same.
    assert_eq!(page(&mut ann, r#","before":3"#), (vec![1], None));
}

#[test]
fn all_see_one_order_with_times_that_grow() {
    let server = Server::unlimited(&[]);
    let mut senders: Vec<EventClient> =
        ["Ann", "Bob", "Cid"].iter().map(|name| EventClient::named(&server, name, &[1])).collect();
    let texts = 50;
    for text in 0..texts {
        for sender in &mut senders {
            sender.send("send_message", &format!(r#"{{"roomId":1,"text":"{text}"}}"#));
        }
    }
    let total = texts * senders.len();
    let mut seen = senders.iter_mut().map(|sender| {
        let frames = std::iter::repeat_with(|| sender.client.receive());
        frames.filter(|frame| frame.starts_with(r#"{"event":"new_message""#)).take(total).collect::<Vec<_>>()
    });
    let first = seen.next().unwrap();
    assert!(seen.all(|other| other == first));
    let place = |frame: &str| {
        let frame: Value = serde_json::from_str(frame).unwrap();
        let payload = &frame["payload"];
        (payload["messageId"].as_i64().unwrap(), payload["createdAt"].as_str().unwrap().to_owned())
    };
    let places: Vec<(i64, String)> = first.iter().map(|frame| place(frame)).collect();
    assert!(places.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "{places:?}");
}
