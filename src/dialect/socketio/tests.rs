//! Namespaces and what all vocabularies share: choices, refusals, carriages, offsets.

use super::testing::*;
use super::*;
use crate::hub::{Attended, Refusal};
use crate::id::Uuid;
use crate::proto::engineio::Carriage;

/// A vocabulary without chat, as a library's user may add one: sends everything back.
struct Mirror;

impl Vocabulary for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn takes_part(&self) -> bool {
        false
    }

    fn follows_all(&self) -> bool {
        false
    }

    fn knows(&self, _: &str) -> bool {
        true
    }

    fn decode(&self, call: &Call<'_>, _: &Limits, out: &mut Emitter<'_>) -> Decoded {
        let args = call.args.iter().map(|value| value.get());
        let args: Vec<&str> = call.ack.is_none().then_some("\"back\"").into_iter().chain(args).collect();
        match call.ack {
            Some(ack) => out.ack_raw(ack, &args, call.attachments),
            None => out.emit_raw(&args, call.attachments),
        }
        Decoded::Answer(Vec::new())
    }

    fn greet(&self, auth: &str, out: &mut Emitter<'_>) {
        out.emit_raw(&["\"auth\"", auth], &[]);
    }

    fn reply(&self, _: &Reply, _: Option<&Tag>, _: &mut Emitter<'_>) {}

    fn event(&self, _: &Event, _: &mut Emitter<'_>) {}
}

fn namespaces() -> Namespaces {
    Namespaces::new(&[
        ("/", &[&Conversation, &Chat]),
        ("/conversation", &[&Conversation]),
        ("/chat", &[&Chat]),
        ("/mirror", &[&Mirror]),
    ])
}

fn call<'a>(name: &'a str, args: &'a [&'a RawValue], ack: Option<&'a str>) -> Call<'a> {
    Call { name, args, attachments: &[], ack }
}

/// What is decoded and what is sent at once.
fn decode(namespaces: &Namespaces, key: FaceKey, call: &Call<'_>) -> (Option<Decoded>, Vec<String>) {
    let mut decoded = None;
    let sent = packets(Carriage::WebSocket, namespaces.namespace(key), |out| {
        decoded = Some(namespaces.decode(key, call, &LIMITS, out));
    });
    (decoded, sent)
}

#[test]
fn namespaces_are_found_by_their_names() {
    let namespaces = namespaces();
    let found = |name: &str| namespaces.find(name).map(|key| (namespaces.namespace(key), namespaces.words(key)));
    assert_eq!(found("/"), Some(("/", "undecided")));
    assert_eq!(found("/conversation"), Some(("/conversation", "conversation")));
    assert_eq!(found("/chat"), Some(("/chat", "chat")));
    assert_eq!(found("/mirror"), Some(("/mirror", "mirror")));
    for other in ["", "/Chat", "/chat/", "chat", "/random"] {
        assert_eq!(found(other), None, "{other}");
    }
    assert_eq!((namespaces.len(), namespaces.is_empty()), (6, false));
    assert!(Namespaces::new(&[]).is_empty());
}

#[test]
fn the_first_event_that_one_vocabulary_knows_decides() {
    let namespaces = namespaces();
    let undecided = namespaces.find("/").unwrap();
    let decided = |event| namespaces.decide(undecided, event);
    assert_eq!(namespaces.words(decided("message:send")), "chat");
    assert_eq!(namespaces.words(decided("typing")), "conversation");
    for unknown in ["", "5", "message", "constructor"] {
        assert_eq!(decided(unknown), undecided, "{unknown}");
    }
    let chat = decided("chat:list");
    assert_eq!((namespaces.namespace(chat), namespaces.decide(chat, "typing")), ("/", chat));
    let fixed = namespaces.find("/conversation").unwrap();
    assert_eq!(namespaces.decide(fixed, "chat:list"), fixed);
    assert_eq!(namespaces.words(namespaces.decide_for_choosing(undecided)), "conversation");
    assert_eq!(namespaces.decide_for_choosing(chat), chat);
}

#[test]
fn what_both_know_decides_nothing_and_is_read_once() {
    let namespaces = Namespaces::new(&[("/", &[&Mirror, &Chat])]);
    let key = namespaces.find("/").unwrap();
    assert_eq!(namespaces.decide(key, "chat:list"), key);
    assert_eq!(namespaces.words(namespaces.decide(key, "else")), "mirror");
    let (decoded, sent) = decode(&namespaces, key, &call("chat:list", &[], Some("5")));
    assert!(matches!(decoded, Some(Decoded::Answer(bytes)) if bytes.is_empty()));
    assert_eq!(sent, ["435[]"]);
}

#[test]
fn a_face_is_what_its_vocabularies_are() {
    let namespaces = namespaces();
    let key = |name| namespaces.find(name).unwrap();
    let traits = |name| (namespaces.takes_part(key(name)), namespaces.follows_all(key(name)));
    assert_eq!(traits("/"), (true, true));
    assert_eq!(traits("/conversation"), (true, false));
    assert_eq!(traits("/chat"), (true, true));
    assert_eq!(traits("/mirror"), (false, false));
}

#[test]
fn the_undecided_are_told_in_all_words() {
    let namespaces = namespaces();
    let online = Event::Presence { user: Uuid::from_u128(1), is_online: true };
    let told = |key| packets(Carriage::WebSocket, namespaces.namespace(key), |out| namespaces.event(key, &online, out));
    let undecided = namespaces.find("/").unwrap();
    let conversation = spelt(r#"42["user_online",{"user_id":"<1>"}]"#);
    let chat = spelt(r#"42["user:status",{"userId":"<1>","status":"online"}]"#);
    assert_eq!(told(undecided), [conversation.clone(), chat.clone()]);
    assert_eq!(told(namespaces.decide(undecided, "typing")), [conversation]);
    assert_eq!(told(namespaces.find("/chat").unwrap()), [chat.replacen("42", "42/chat,", 1)]);
    assert_eq!(told(namespaces.decide(undecided, "typing:stop")), [chat]);
    let attended =
        Attended { user: user(), online: vec![Uuid::from_u128(1)], mark: mark(0, 0), missed: None, has_chosen: false };
    let welcome = packets(Carriage::WebSocket, "/", |out| namespaces.welcome(undecided, &attended, out));
    assert_eq!(welcome, [spelt(r#"42["online_users",{"users":["<1>"]}]"#)]);
}

#[test]
fn an_unknown_event_is_refused_once_in_any_face() {
    let namespaces = namespaces();
    let long = "x".repeat(1000);
    let cut = format!("{}…", &long[..64]);
    for name in ["/", "/conversation", "/chat"] {
        let key = namespaces.find(name).unwrap();
        for (event, echoed) in [("5", "5"), ("", ""), ("user:status", "user:status"), (&long, &cut)] {
            for ack in [None, Some("7")] {
                let (decoded, sent) = decode(&namespaces, key, &call(event, &[], ack));
                let Some(Decoded::Refused(refusal, tag)) = decoded else { panic!("{event}: {decoded:?}") };
                assert!(sent.is_empty());
                let reply = Reply::Refused(refusal);
                let told = packets(Carriage::WebSocket, "/", |out| namespaces.reply(key, &reply, tag.as_deref(), out));
                let expected = match ack {
                    Some(ack) => {
                        format!(
                            r#"43{ack}[{{"ok":false,"code":"unknown_event","error":"there is no \"{echoed}\" here"}}]"#
                        )
                    }
                    None => format!(
                        r#"42["error",{{"message":"there is no \"{echoed}\" here","code":"unknown_event","event":"{echoed}"}}]"#
                    ),
                };
                assert_eq!(told, [expected], "{name}");
            }
        }
    }
}

#[test]
fn a_reply_is_said_by_the_vocabulary_that_has_read_the_request() {
    let namespaces = namespaces();
    let undecided = namespaces.find("/").unwrap();
    let reply = Reply::Entered { room: room() };
    let replied = |word: &'static str| {
        let tag = Tag { word: word.into(), id: Some("0".into()) };
        packets(Carriage::WebSocket, "/", |out| namespaces.reply(undecided, &reply, Some(&tag), out))
    };
    assert_eq!(replied("chat:join"), [spelt(r#"430[{"ok":true,"chatId":"<2>"}]"#)]);
    assert_eq!(replied("join_conversation"), [spelt(r#"430[{"ok":true,"conversation_id":"<2>"}]"#)]);
}

#[test]
fn every_refusal_has_a_code_and_a_sentence() {
    let cases = [
        (Refusal::Malformed("x is missing".into()), "bad_request", "x is missing"),
        (Refusal::UnknownRequest("x".into()), "unknown_event", "there is no \\\"x\\\" here"),
        (Refusal::NotYourId, "forbidden", "that is another user's id than this connection's own"),
        (Refusal::NotAMember, "not_a_member", "you are not in that room"),
        (Refusal::Forbidden("no"), "forbidden", "no"),
        (Refusal::NotFound("there is no such user"), "not_found", "there is no such user"),
        (Refusal::NameTaken("taken"), "already_exists", "taken"),
        (Refusal::TooMany("no more".into()), "rate_limited", "no more"),
        (Refusal::Unavailable("later".into()), "unavailable", "later"),
    ];
    for (refusal, code, sentence) in cases {
        let reply = Reply::Refused(refusal);
        for vocabulary in [&Conversation as &dyn Vocabulary, &Chat] {
            let ack = format!(r#"4312[{{"ok":false,"code":"{code}","error":"{sentence}"}}]"#);
            assert_eq!(replied(vocabulary, &reply), [ack]);
            let event = format!(r#"42["error",{{"message":"{sentence}","code":"{code}","event":"asked"}}]"#);
            assert_eq!(replied_without_ack(vocabulary, &reply), [event]);
        }
    }
}

#[test]
fn both_carriages_carry_the_same() {
    let data = r#"{"_placeholder":true,"num":0}"#;
    let signal = Event::Signal { user: user(), room: None, data: blob(data, &[&[1, 2, 255]]) };
    let online = Event::Presence { user: Uuid::from_u128(1), is_online: true };
    let told = |carriage| {
        packets(carriage, "/chat", |out| {
            Chat.event(&signal, out);
            Chat.event(&online, out);
        })
    };
    let binary = spelt(&format!(r#"451-/chat,["call:signal",{{"userId":"<1>","data":{data}}}]"#));
    let text = spelt(r#"42/chat,["user:status",{"userId":"<1>","status":"online"}]"#);
    assert_eq!(told(Carriage::WebSocket), [binary.clone(), "[1, 2, 255]".into(), text.clone()]);
    assert_eq!(told(Carriage::Polling), [binary, "bAQL/".into(), text]);
}

#[test]
fn an_offset_ends_each_event_and_no_acknowledgement() {
    let signal = Event::Signal { user: user(), room: None, data: blob("1", &[]) };
    let online = Event::Presence { user: Uuid::from_u128(1), is_online: true };
    let mut wire = Vec::new();
    let mut out = Emitter::new(&mut wire, Carriage::Polling, "/", Some(mark(17, 5)));
    Chat.event(&signal, &mut out);
    Chat.event(&online, &mut out);
    Chat.reply(&Reply::Passed, Some(&Tag { word: "typing:stop".into(), id: Some("0".into()) }), &mut out);
    let expected = concat!(
        "\u{1e}42[\"call:signal\",{\"userId\":\"<1>\",\"data\":1},\"17.5\"]",
        "\u{1e}42[\"user:status\",{\"userId\":\"<1>\",\"status\":\"online\"},\"17.5\"]",
        "\u{1e}430[{\"ok\":true}]"
    );
    assert_eq!(String::from_utf8(wire).unwrap(), spelt(expected));
}

#[test]
fn a_vocabulary_of_its_own_answers_as_it_likes() {
    let namespaces = namespaces();
    let key = namespaces.find("/mirror").unwrap();
    let args: Vec<&RawValue> =
        [r#"{ "3" : [ true ] }"#, "1e999"].map(|text| serde_json::from_str(text).unwrap()).into();
    let sent = |ack| decode(&namespaces, key, &call("anything", &args, ack)).1;
    assert_eq!(sent(None), [r#"42/mirror,["back",{ "3" : [ true ] },1e999]"#]);
    assert_eq!(sent(Some("8")), [r#"43/mirror,8[{ "3" : [ true ] },1e999]"#]);
    let greeted = packets(Carriage::WebSocket, "/mirror", |out| namespaces.greet(key, r#"{"a":1}"#, out));
    assert_eq!(greeted, [r#"42/mirror,["auth",{"a":1}]"#]);
    let online = Event::Presence { user: Uuid::from_u128(1), is_online: true };
    assert!(packets(Carriage::WebSocket, "/mirror", |out| namespaces.event(key, &online, out)).is_empty());
}
