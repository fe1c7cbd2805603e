//! A session's id lets whoever has it into the session: it is hard to guess, and nobody else sees it.

use std::collections::HashSet;

use serde_json::Value;

use super::{Stage, text};
use crate::common::peer::{Polling, Socket, WEBSOCKET, connect_packet};
use crate::common::people::{SECRET, token_of};

#[test]
fn ids_are_long_and_never_the_same() {
    let stage = Stage::set(&[]);
    let mut seen = HashSet::new();
    let mut first_characters = HashSet::new();
    for _ in 0..500 {
        let sid = Polling::open(stage.server.address).sid;
        // 120 bits in base64.
        assert!(sid.len() >= 20 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        first_characters.insert(sid.as_bytes()[0]);
        assert!(seen.insert(sid));
    }
    assert!(first_characters.len() > 50, "{first_characters:?}");
}

/// Whatever happens, neither the log nor what others are told has a session's id, its name for coming back, or a token.
#[test]
fn no_secret_is_told_or_logged() {
    let stage = Stage::set(&["--log", "trace", "--presence", "all"]);
    let address = stage.server.address;
    let token = token_of("ada");
    let mut secrets = vec![token.clone(), SECRET.to_owned()];
    let mut others = [stage.socket("bob"), stage.socket("bob")];
    let mut bob = stage.socket("bob");

    let mut socket = Socket::at(address, WEBSOCKET);
    let open: Value = serde_json::from_str(&socket.receive()[1..]).unwrap();
    secrets.push(open["sid"].as_str().unwrap().to_owned());
    let mut session = Polling::open(address);
    secrets.push(session.sid.clone());
    socket.send(&format!(r#"40/chat,{{"token":"{token}"}}"#));
    session.push(format!(r#"40/chat,{{"token":"{token}"}}"#));
    let mut pids = Vec::new();
    for admission in [socket.receive(), session.receive()] {
        let admission: Value = serde_json::from_str(admission.strip_prefix("40/chat,").unwrap()).unwrap();
        let (sid, pid) = (admission["sid"].as_str().unwrap(), admission["pid"].as_str().unwrap());
        assert!(secrets.iter().all(|secret| !secret.contains(sid)), "the id that is shown is another one");
        pids.push(pid.to_owned());
    }
    socket.send(&crate::common::peer::saying(1, stage.room, &text(0)));
    session.push(crate::common::peer::saying(1, stage.room, &text(1)));
    socket.send(&format!(r#"42/chat,["typing:start",{{"chatId":{}}}]"#, stage.room));
    // A few ends that the log tells of: a second poll, nonsense, a refusal, a request for a session that is over.
    let mut theft = Polling::open(address);
    secrets.push(theft.sid.clone());
    theft.push(connect_packet("/chat", "ada"));
    let _poll = theft.begin_poll();
    theft.poll();
    theft.poll();
    let _ = session.try_push("4nonsense");
    session.poll();
    socket.send("abc");
    while socket.try_receive().is_some() {}
    let mut refused = Socket::open(address);
    let forged = format!("{token}x");
    refused.send(&format!(r#"40/chat,{{"token":"{forged}"}}"#));
    assert!(refused.receive().contains("unauthorized"));
    stage.server.get(&format!("/socket.io/?EIO=4&transport=polling&sid={}&token={token}", theft.sid), &[]);
    stage.server.get(&format!("/nowhere?token={token}"), &[&format!("Authorization: Bearer {token}")]);

    stage.say(&mut bob, 9..10);
    secrets.extend(pids);
    let mut told = Vec::new();
    for other in &mut others {
        loop {
            let packet = other.receive();
            let is_last = packet.contains(&text(9));
            told.push(packet);
            if is_last {
                break;
            }
        }
    }
    assert!(told.iter().any(|packet| packet.contains(&text(0))) && told.iter().any(|packet| packet.contains(&text(1))));
    stage.server.settle();
    let log = stage.server.log();
    assert!(log.contains("breach"), "what ends a session is logged: {log}");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log: {log}");
        assert!(told.iter().all(|packet| !packet.contains(secret.as_str())), "{secret} was told");
    }
}
