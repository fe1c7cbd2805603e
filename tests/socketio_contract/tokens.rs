//! Who may join a namespace: those who show a token of a user. A refusal is an answer, and the connection stays.

use std::time::{Duration, Instant};

use super::{CHAT, CONVERSATION};
use crate::common::socketio::{Link, SECRET, Stage, Tab, now, token_of};

const PREVIOUS: &[u8] = b"the secret that was used before, and long enough";
const NAMESPACES: [(&str, &str); 3] = [("/", ""), (CHAT, "/chat,"), (CONVERSATION, "/conversation,")];

fn expired() -> String {
    roomcast::proto::token::sign(SECRET, "ann", None, None, now() - 100, 10).unwrap()
}

/// What is shown, and the code and the sentence with which it is refused.
fn refusals(stage: &Stage) -> Vec<(String, &'static str, &'static str)> {
    let good = stage.token("ann");
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let shown = |token: &str| format!(r#"{{"token":"{token}"}}"#);
    let invalid = "the token is not valid";
    vec![
        (String::new(), "unauthorized", "a token is needed"),
        ("{}".into(), "unauthorized", "a token is needed"),
        (r#"{"token":7}"#.into(), "unauthorized", "a token is needed"),
        (shown(""), "unauthorized", invalid),
        (shown("x"), "unauthorized", invalid),
        (shown(&token_of(b"the secret of somebody else, and long enough", "ann", 60)), "unauthorized", invalid),
        (shown(&format!("{head}.{claims}.")), "unauthorized", invalid),
        // {"alg":"none"}
        (shown(&format!("eyJhbGciOiJub25lIn0.{claims}.")), "unauthorized", invalid),
        (shown(&format!("{head}.{claims}.{}", signature.to_ascii_uppercase())), "unauthorized", invalid),
        (shown(&expired()), "token_expired", "the token has expired"),
        (shown(&stage.token("nobody")), "unknown_user", "there is no such user"),
        (shown(&stage.token("99")), "unknown_user", "there is no such user"),
        (shown(&stage.token("5a2f8c1e-7b3d-4e6a-9f10-c4d5e6f7a8b9")), "unknown_user", "there is no such user"),
    ]
}

#[test]
fn refusals_have_codes_and_the_connection_stays() {
    let stage = Stage::set(&[]);
    for (namespace, prefix) in NAMESPACES {
        let mut tab = Tab::over(stage.link(), namespace);
        for (shown, code, sentence) in refusals(&stage) {
            tab.link.send(&format!("40{prefix}{shown}"));
            let error = format!(r#"{{"message":"{sentence}","data":{{"code":"{code}"}}}}"#);
            tab.link.expect(&format!("44{prefix}{error}"));
        }
        // On the same connection it may be tried again, with a better one.
        tab.join(&stage.auth("ann"));
        if namespace != CHAT {
            tab.welcomed();
        }
        tab.told_nothing();
    }
}

#[test]
fn a_refused_socket_is_nowhere() {
    let stage = Stage::set(&[]);
    let mut link = stage.link();
    link.send("40");
    link.receive();
    // An event without a namespace is a breach of the protocol.
    link.send(r#"42["chat:list"]"#);
    link.expect_end();
}

#[test]
fn a_header_may_hold_the_token() {
    let stage = Stage::set(&[]);
    for scheme in ["Bearer", "bearer"] {
        let header = format!("{scheme} {}", stage.token("bob"));
        let headers = [("Authorization", header.as_str())];
        let mut tab = Tab::over(Link::open(&stage, "", &headers), CONVERSATION);
        tab.join("");
        tab.told("online_users", r#"{"users":["<bob>"]}"#);
        // What is shown on joining comes first, for better or worse.
        let mut tab = Tab::over(Link::open(&stage, "", &headers), CONVERSATION);
        tab.link.send(r#"40/conversation,{"token":"x"}"#);
        let refused = r#"{"message":"the token is not valid","data":{"code":"unauthorized"}}"#;
        tab.link.expect(&format!("44/conversation,{refused}"));
        tab.join(&stage.auth("cid"));
        tab.told("online_users", r#"{"users":["<cid>"]}"#);
    }
    let headers = [("Authorization", "Basic x")];
    let mut link = Link::open(&stage, "", &headers);
    link.send("40");
    link.expect(r#"44{"message":"a token is needed","data":{"code":"unauthorized"}}"#);
}

/// Clocks may differ by five seconds.
#[test]
fn a_socket_whose_token_expires_is_disconnected() {
    let stage = Stage::set(&[]);
    let mut bob = stage.chat("bob", CHAT);
    let start = Instant::now();
    let mut tab = Tab::over(stage.link(), CHAT);
    tab.join(&format!(r#"{{"token":"{}"}}"#, token_of(SECRET, "ann", 1)));
    bob.told("user:status", r#"{"userId":"<ann>","status":"online"}"#);
    // Another socket on the same connection has a token of its own.
    tab.link.send(&format!("40/conversation,{}", stage.auth("cid")));
    tab.link.receive();
    tab.link.receive();
    tab.ok("typing:start", r#"{"chatId":2}"#, "");
    bob.told("typing:start", r#"{"chatId":"<tea>","userId":"<ann>","username":"ann"}"#);
    tab.link.expect("41/chat,");
    let seconds = start.elapsed().as_secs_f64();
    assert!((4.9..7.5).contains(&seconds), "disconnected after {seconds} s");
    bob.told("typing:stop", r#"{"chatId":"<tea>","userId":"<ann>"}"#);
    tab.link.send(r#"42/conversation,7["typing",{"recipient_id":"<cid>","is_typing":false}]"#);
    tab.link.expect(r#"43/conversation,7[{"ok":true}]"#);
    // A fresh one, in time: nobody has noticed.
    tab.join(&stage.auth("ann"));
    bob.link.expect_silence(Duration::from_secs(6));
}

#[test]
fn the_previous_secret_is_good_for_a_while() {
    let previous = std::str::from_utf8(PREVIOUS).unwrap();
    for (flags, is_good) in [(&["--jwt-previous-secret", previous][..], true), (&[], false)] {
        let stage = Stage::set(flags);
        let mut tab = Tab::over(stage.link(), CHAT);
        let auth = format!(r#"{{"token":"{}"}}"#, token_of(PREVIOUS, "ann", 60));
        if is_good {
            tab.join(&auth);
        } else {
            tab.link.send(&format!("40/chat,{auth}"));
            tab.link.expect(r#"44/chat,{"message":"the token is not valid","data":{"code":"unauthorized"}}"#);
        }
        Tab::over(stage.link(), CHAT).join(&stage.auth("bob"));
    }
}
