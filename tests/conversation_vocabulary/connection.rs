//! Coming, going, and who is told of it.

use std::time::{Duration, Instant};

use super::{BOTH, CONVERSATION, Party, TEA, TEA_ACK, in_tea};
use crate::common::socketio::{GRACE, Stage, Tab, all_told};
use crate::common::wait_until;

#[test]
fn connect() {
    for namespace in BOTH {
        let stage = Stage::set(&[]);
        // By the UUID, the id or the name that the token has.
        for user in [stage.uuid("ann").as_str(), "1", "ann"] {
            let mut tab = stage.tab(user, namespace);
            tab.told("online_users", r#"{"users":["<ann>"]}"#);
            tab.told_nothing();
        }
        wait_until("the status in the store", || {
            stage.rows("SELECT username FROM users WHERE status = 'online'") == [["ann"]]
        });
        let mut link = stage.link();
        let prefix = if namespace == "/" { "" } else { "/conversation," };
        link.send(&format!("40{prefix}"));
        let refusal = r#"{"message":"a token is needed","data":{"code":"unauthorized"}}"#;
        link.expect(&format!("44{prefix}{refusal}"));
    }
}

#[test]
fn disconnect() {
    for (namespace, leaves, delivered) in [("/", "41", 1), (CONVERSATION, "41/conversation,", 0)] {
        let mut party = Party::on(namespace);
        party.ann.link.send(leaves);
        // The connection stays, and may join again. Then it is in no conversation before it joins one.
        party.ann.join(&party.stage.auth("ann"));
        party.ann.welcomed();
        party.bob.emit("conversation_message", r#"{"conversation_id":2,"content":"x"}"#);
        party.bob.told("message_delivered", &in_tea(1, "x", "bob", delivered));
        if namespace == "/" {
            // It has not decided yet, and would hear of it as a chat's.
            let packet = party.ann.link.receive();
            assert!(packet.starts_with(r#"42["conversation_message",{"id":"1","#), "{packet}");
            let packet = party.ann.link.receive();
            assert!(packet.starts_with(r#"42["message:new",{"id":"1","#), "{packet}");
        }
        // Nobody has noticed.
        party.nobody_is_told();
    }
}

#[test]
fn user_online() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        // The second socket of a user is no news, and strangers hear of nobody.
        let mut second = party.stage.conversation("ann", namespace);
        party.nobody_is_told();
        second.told_nothing();
        party.stage.post("/rooms", r#"{"UserID":3,"Roomname":"cake","Private":true,"Members":[2]}"#);
        party.stage.post("/user", r#"{"Username":"dan"}"#);
        party.stage.post("/rooms", r#"{"UserID":4,"Roomname":"pie","Private":true,"Members":[2,1]}"#);
        party.stage.learn();
        let _dan = party.stage.conversation("dan", namespace);
        all_told([&mut party.ann, &mut party.bob, &mut second], "user_online", r#"{"user_id":"<dan>"}"#);
        party.nobody_is_told();
    }
}

#[test]
fn user_offline() {
    for namespace in BOTH {
        let mut party = Party::on(namespace);
        let start = Instant::now();
        drop(party.ann);
        party.bob.told("user_offline", r#"{"user_id":"<ann>"}"#);
        assert!(start.elapsed() > GRACE - Duration::from_millis(100), "{:?}", start.elapsed());
        party.bob.told_nothing();
        party.cid.told_nothing();
    }
}

#[test]
fn online_users() {
    for namespace in BOTH {
        let party = Party::on(namespace);
        // Those of whose coming and going it will hear, in the order in which they came, and itself at the end.
        let mut ann = party.stage.tab("ann", namespace);
        ann.told("online_users", r#"{"users":["<bob>","<ann>"]}"#);
        let mut cid = party.stage.tab("cid", namespace);
        cid.told("online_users", r#"{"users":["<cid>"]}"#);
        party.stage.post("/user", r#"{"Username":"dan"}"#);
        party.stage.learn();
        party.stage.tab("dan", namespace).told("online_users", r#"{"users":["<dan>"]}"#);
    }
}

/// With two tabs of one user.
#[test]
fn a_socket_is_where_it_has_joined() {
    let mut party = Party::on(CONVERSATION);
    let mut tabs: [Tab; 2] = [(); 2].map(|()| party.stage.conversation("ann", CONVERSATION));
    tabs[0].ok("join_conversation", TEA, TEA_ACK);
    party.bob.emit("conversation_message", r#"{"conversation_id":2,"content":"x"}"#);
    let message = in_tea(1, "x", "bob", 2);
    party.bob.told("message_delivered", &message);
    all_told([&mut party.ann, &mut tabs[0]], "conversation_message", &message);
    party.nobody_is_told();
    tabs.iter_mut().for_each(Tab::told_nothing);
}
