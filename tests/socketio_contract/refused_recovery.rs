//! Who can't be told all that was missed begins anew, with another sid; and nobody comes back as somebody else.

use super::{CHAT, CONVERSATION};
use crate::common::socketio::{Stage, Tab};

/// Joins with a pid and an offset. Returns what it was told before its admission.
fn come(stage: &Stage, user: &str, pid: &str, offset: Option<&str>) -> (Tab, Vec<String>) {
    let mut tab = Tab::over(stage.link(), CHAT);
    let offset = offset.map(|offset| format!(r#","offset":"{offset}""#)).unwrap_or_default();
    let missed = tab.join(&format!(r#"{{"token":"{}","pid":"{pid}"{offset}}}"#, stage.token(user)));
    (tab, missed)
}

/// It has been told nothing, and is somebody new.
#[track_caller]
fn is_anew((tab, missed): &(Tab, Vec<String>), sid: &str) {
    assert_eq!(missed, &Vec::<String>::new());
    assert_ne!(tab.sid, sid);
    assert!(!tab.pid.as_ref().unwrap().contains(sid));
}

#[test]
fn after_more_than_500_messages() {
    let stage = Stage::set(&["--rate", "0"]);
    // Before her, lest his coming is among what she misses.
    let mut bob = stage.chat("bob", CHAT);
    let ann = stage.chat("ann", CHAT);
    bob.told("user:status", r#"{"userId":"<ann>","status":"online"}"#);
    let (sid, pid) = (ann.sid.clone(), ann.pid.clone().unwrap());
    drop(ann);
    let mut say = |count: usize| {
        (0..count).for_each(|_| bob.emit("message:send", r#"{"chatId":2,"content":"x"}"#));
        (0..count).for_each(|_| drop(bob.link.receive()));
    };
    say(500);
    let (tab, missed) = come(&stage, "ann", &pid, None);
    assert_eq!((missed.len(), &tab.sid, tab.pid.as_ref()), (500, &sid, Some(&pid)));
    drop(tab);
    say(1);
    let anew = come(&stage, "ann", &pid, None);
    is_anew(&anew, &sid);
    // From where it had heard 1 of them on, it still works.
    let (tab, missed) = come(&stage, "ann", &pid, Some("1.0"));
    assert_eq!((missed.len(), &tab.sid), (500, &sid));
    // Who begins anew can come back from there.
    let (sid, pid) = (anew.0.sid.clone(), anew.0.pid.clone().unwrap());
    let (tab, missed) = come(&stage, "ann", &pid, None);
    assert_eq!((missed.len(), &tab.sid), (0, &sid));
}

#[test]
fn with_a_pid_or_an_offset_that_nobody_was_given() {
    let stage = Stage::set(&[]);
    let ann = stage.chat("ann", CHAT);
    let (sid, pid) = (ann.sid.clone(), ann.pid.clone().unwrap());
    stage.post("/messages", r#"{"UserID":2,"RoomID":2,"Message":"one"}"#);
    let (long, short) = (format!("{pid}0x"), &pid[..30]);
    let other = pid.rsplit_once('.').unwrap().0;
    let pids = ["", "nonsense", other, "__proto__", short, &long, &pid.replace('.', ","), &"é".repeat(24)];
    for pid in pids {
        is_anew(&come(&stage, "ann", pid, None), &sid);
        is_anew(&come(&stage, "ann", pid, Some("0.0")), &sid);
    }
    // From the future: of another database, or made up.
    for offset in ["2.0", "0.1", "99.0", "9223372036854775807.9223372036854775807"] {
        is_anew(&come(&stage, "ann", &pid, Some(offset)), &sid);
    }
    // One that can't be read counts as none: then it goes on from its admission.
    for offset in ["", "x", "-1.0", "1", "1.0.0", "9223372036854775808.0"] {
        let (tab, missed) = come(&stage, "ann", &pid, Some(offset));
        assert_eq!((missed.len(), &tab.sid), (1, &sid), "{offset}");
    }
}

/// With another's pid one hears what is one's own to hear, and nothing else.
#[test]
fn with_the_pid_of_another_user() {
    let stage = Stage::set(&[]);
    let mut ann = stage.conversation("ann", CONVERSATION);
    ann.ask("join_conversation", r#"{"conversation_id":2}"#);
    let (sid, pid) = (ann.sid.clone(), ann.pid.clone().unwrap());
    stage.post("/messages", r#"{"UserID":2,"RoomID":2,"Message":"secret"}"#);
    ann.link.receive();
    for namespace in [CHAT, CONVERSATION] {
        let mut tab = Tab::over(stage.link(), namespace);
        let missed = tab.join(&format!(r#"{{"token":"{}","pid":"{pid}","offset":"0.0"}}"#, stage.token("cid")));
        assert_eq!(missed, Vec::<String>::new());
        if namespace == CONVERSATION {
            tab.told("online_users", r#"{"users":["<cid>"]}"#);
        }
        tab.told_nothing();
        assert_ne!(tab.sid, sid);
        // Nor is what ann had chosen forgotten.
        tab.link.send(&format!("41{namespace}"));
        tab.told_nothing();
    }
    drop(ann.link);
    let mut back = Tab::over(stage.link(), CONVERSATION);
    let auth = format!(r#"{{"token":"{}","pid":"{pid}","offset":"0.0"}}"#, stage.token("ann"));
    assert_eq!(back.join(&auth).len(), 1);
    assert_eq!(back.sid, sid);
    back.welcomed();
    stage.post("/messages", r#"{"UserID":2,"RoomID":2,"Message":"more"}"#);
    assert!(back.link.receive().contains("more"));
}

/// A socket that has left did not mean to come back: its conversations are forgotten.
#[test]
fn after_leaving() {
    let stage = Stage::set(&[]);
    let mut ann = stage.conversation("ann", CONVERSATION);
    ann.ask("join_conversation", r#"{"conversation_id":2}"#);
    let auth = ann.return_ticket(&stage, "ann");
    ann.link.send("41/conversation");
    ann.told_nothing();
    let mut back = Tab::over(stage.link(), CONVERSATION);
    back.join(&auth);
    back.welcomed();
    stage.post("/messages", r#"{"UserID":2,"RoomID":2,"Message":"x"}"#);
    back.told_nothing();
}
