//! `clientId`: who repeats a message gets the first answer again, and nothing is stored or shown twice.

use crate::common::event::{EventClient, all_told, none_told, untimed};
use crate::common::{Server, scratch_dir};

/// Sends it in the lobby under that mark; the frame that comes next, with its times.
fn say(client: &mut EventClient, text: &str, mark: &str) -> String {
    client.send("send_message", &format!(r#"{{"roomId":1,"text":"{text}","clientId":"{mark}"}}"#));
    client.client.receive()
}

fn stored_texts(client: &mut EventClient) -> Vec<String> {
    let page = client.reply("get_messages", r#"{"roomId":1}"#);
    page.split(r#""text":""#).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn a_repeat_is_answered_as_the_first_and_shown_to_nobody() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let mut bob = EventClient::named(&server, "Bob", &[1]);
    ann.receive();
    let first = say(&mut ann, "Hi", "a");
    assert_eq!(
        untimed(&first),
        r#"{"event":"ack","payload":{"event":"send_message","result":{"messageId":1,"roomId":1,"createdAt":"T"}}}"#
    );
    let hi = r#"{"messageId":1,"roomId":1,"userId":1,"username":"Ann","text":"Hi","createdAt":"T"}"#;
    all_told([&mut ann, &mut bob], "new_message", hi);
    assert_eq!(say(&mut ann, "Hi", "a"), first);
    none_told([&mut ann, &mut bob]);

    // From another socket of the same user, and after the first one has gone.
    let mut again = EventClient::of(&server, 1, &[1]);
    assert_eq!(say(&mut again, "Hi", "a"), first);
    drop(ann);
    assert_eq!(say(&mut again, "Hi", "a"), first);
    none_told([&mut again, &mut bob]);

    // Another's mark is another mark, and so is one with a blank.
    assert!(untimed(&say(&mut bob, "Hi", "a")).contains(r#""messageId":2,"#));
    let second = r#"{"messageId":2,"roomId":1,"userId":2,"username":"Bob","text":"Hi","createdAt":"T"}"#;
    all_told([&mut bob, &mut again], "new_message", second);
    assert!(untimed(&say(&mut again, "Hi", "a ")).contains(r#""messageId":3,"#));
    assert_eq!(stored_texts(&mut EventClient::named(&server, "Cid", &[1])), ["Hi", "Hi", "Hi"]);
}

#[test]
fn a_repeat_right_behind_the_first_is_one_too() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let twice = r#"{"event":"send_message","payload":{"roomId":1,"text":"Hi","clientId":"a"},"id":ID}"#;
    for id in ["1", "2", "3"] {
        ann.client.send(&twice.replace("ID", id));
    }
    let mut frames: Vec<String> = (0..4).map(|_| ann.receive()).collect();
    // The message itself comes some time after the first answer.
    let shown: Vec<usize> = (0..4).filter(|&place| frames[place].contains("new_message")).collect();
    assert!(shown.len() == 1 && shown[0] > 0, "{frames:?}");
    frames.remove(shown[0]);
    let answer = r#"{"event":"ack","id":ID,"payload":{"event":"send_message","result":{"messageId":1,"roomId":1,"createdAt":"T"}}}"#;
    assert_eq!(frames, ["1", "2", "3"].map(|id| answer.replace("ID", id)));
    ann.told_nothing();
    assert_eq!(stored_texts(&mut ann), ["Hi"]);
}

#[test]
fn a_repeat_of_what_was_deleted_does_not_bring_it_back() {
    let server = Server::start(&[]);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let first = say(&mut ann, "Hi", "a");
    ann.receive();
    ann.ok("delete_message", r#"{"messageId":1}"#, r#"{"messageId":1}"#);
    ann.told("message_deleted", r#"{"messageId":1,"roomId":1}"#);
    assert_eq!(say(&mut ann, "Hi", "a"), first);
    ann.told_nothing();
    assert!(stored_texts(&mut ann).is_empty());
}

#[test]
fn marks_outlive_the_server() {
    let file = scratch_dir().join("chat.db");
    let database = format!("sqlite:{}", file.display());
    let flags = ["--database", &*database];
    let mut server = Server::start(&flags);
    let mut ann = EventClient::named(&server, "Ann", &[1]);
    let first = say(&mut ann, "Hi", "a");
    // No farewell: what was answered is there after `kill -9`.
    server.signal("KILL");
    server.wait();

    let server = Server::start(&flags);
    let mut ann = EventClient::of(&server, 1, &[1]);
    assert_eq!(say(&mut ann, "Hi", "a"), first);
    ann.told_nothing();
    assert_eq!(stored_texts(&mut ann), ["Hi"]);
    // Times go on from where they were, and so do ids.
    let next = say(&mut ann, "Ho", "b");
    assert!(untimed(&next) == untimed(&first).replace(r#""messageId":1"#, r#""messageId":2"#), "{next}");
    let time = |frame: &str| frame.split(r#""createdAt":""#).nth(1).unwrap().to_owned();
    assert!(time(&next) > time(&first));
}
