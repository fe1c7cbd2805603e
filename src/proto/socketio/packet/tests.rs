//! Every example of the protocol's document, every illegal one of the reference's tests, and garbage.

use super::*;

fn packet<'a>(kind: Kind, namespace: &'a str, id: Option<&'a str>, data: &'a str) -> Packet<'a> {
    Packet { kind, attachments: 0, namespace, id, data }
}

#[test]
fn the_documents_examples_are_read() {
    let sid = r#"{"sid":"oSO0OpakMV_3jnilAAAA"}"#;
    let cases = [
        ("0", packet(Kind::Connect, "/", None, "")),
        (r#"0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}"#, packet(Kind::Connect, "/admin", None, sid)),
        (r#"4{"message":"Not authorized"}"#, packet(Kind::ConnectError, "/", None, r#"{"message":"Not authorized"}"#)),
        (r#"2["foo"]"#, packet(Kind::Event, "/", None, r#"["foo"]"#)),
        (r#"2/admin,["bar"]"#, packet(Kind::Event, "/admin", None, r#"["bar"]"#)),
        (r#"212["foo"]"#, packet(Kind::Event, "/", Some("12"), r#"["foo"]"#)),
        (r#"3/admin,13["bar"]"#, packet(Kind::Ack, "/admin", Some("13"), r#"["bar"]"#)),
        ("1", packet(Kind::Disconnect, "/", None, "")),
        ("1/admin,", packet(Kind::Disconnect, "/admin", None, "")),
        (r#"2["hey","Jude"]"#, packet(Kind::Event, "/", None, r#"["hey","Jude"]"#)),
        ("0/admin,", packet(Kind::Connect, "/admin", None, "")),
        (r#"2/admin,1["tellme"]"#, packet(Kind::Event, "/admin", Some("1"), r#"["tellme"]"#)),
        // Beyond the document's, what clients send.
        (r#"0{"token":"123"}"#, packet(Kind::Connect, "/", None, r#"{"token":"123"}"#)),
        (r#"0/chat,{"token":"…"}"#, packet(Kind::Connect, "/chat", None, r#"{"token":"…"}"#)),
        ("0/custom", packet(Kind::Connect, "/custom", None, "")),
        ("1/custom", packet(Kind::Disconnect, "/custom", None, "")),
        ("0/chat?token=abc,{}", packet(Kind::Connect, "/chat", None, "{}")),
        ("0/?a=/b", packet(Kind::Connect, "/", None, "")),
        ("30[]", packet(Kind::Ack, "/", Some("0"), "[]")),
        ("2[0]", packet(Kind::Event, "/", None, "[0]")),
        (r#"2["a",{"_placeholder":true}]"#, packet(Kind::Event, "/", None, r#"["a",{"_placeholder":true}]"#)),
        (r#"4/random,"Invalid""#, packet(Kind::ConnectError, "/random", None, r#""Invalid""#)),
    ];
    for (text, expected) in cases {
        assert_eq!(Packet::parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn binary_packets_say_how_much_follows() {
    let one = r#"["baz",{"_placeholder":true,"num":0}]"#;
    let two = r#"["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let reply = r#"["bar",{"_placeholder":true,"num":0}]"#;
    let bare = r#"[{"_placeholder":true,"num":0}]"#;
    let cases = [
        (format!("51-{one}"), Packet { attachments: 1, ..packet(Kind::BinaryEvent, "/", None, one) }),
        (format!("52-/admin,{two}"), Packet { attachments: 2, ..packet(Kind::BinaryEvent, "/admin", None, two) }),
        (format!("61-15{reply}"), Packet { attachments: 1, ..packet(Kind::BinaryAck, "/", Some("15"), reply) }),
        (format!("61-/admin,1{bare}"), Packet { attachments: 1, ..packet(Kind::BinaryAck, "/admin", Some("1"), bare) }),
        (format!("510-/,7{two}"), Packet { attachments: 10, ..packet(Kind::BinaryEvent, "/", Some("7"), two) }),
        (r#"50-["x"]"#.into(), packet(Kind::BinaryEvent, "/", None, r#"["x"]"#)),
        (r#"51-["hello"]"#.into(), Packet { attachments: 1, ..packet(Kind::BinaryEvent, "/", None, r#"["hello"]"#) }),
    ];
    for (text, expected) in cases {
        assert_eq!(Packet::parse(&text), Ok(expected), "{text}");
    }
}

#[test]
fn the_references_illegal_examples_are_refused() {
    let cases = [
        (r#"442["some","data""#, Fault::Id),
        (r#"0/admin,"invalid""#, Fault::Payload),
        ("0[]", Fault::Payload),
        ("1/admin,{}", Fault::Payload),
        (r#"2/admin,"invalid"#, Fault::Payload),
        ("2/admin,{}", Fault::Payload),
        (r#"2[{"toString":"foo"}]"#, Fault::Payload),
        (r#"2[true,"foo"]"#, Fault::Payload),
        (r#"2[null,"bar"]"#, Fault::Payload),
        (r#"2["connect"]"#, Fault::Payload),
        (r#"2["disconnect","123"]"#, Fault::Payload),
        ("5", Fault::Attachments),
        ("51", Fault::Attachments),
        ("5a-", Fault::Attachments),
        ("51.23-", Fault::Attachments),
        ("999", Fault::UnknownType),
    ];
    for (text, fault) in cases {
        assert_eq!(Packet::parse(text), Err(fault), "{text}");
    }
}

#[test]
fn other_faults_are_told_apart() {
    let deep = format!("2[\"a\",{}{}]", "[".repeat(200), "]".repeat(200));
    let endless = format!("2[\"a\",{}", "[".repeat(100_000));
    let long_id = format!("2{}[\"a\"]", "1".repeat(MAX_ID_DIGITS + 1));
    let cases = [
        ("", Fault::UnknownType),
        ("7", Fault::UnknownType),
        ("ä", Fault::UnknownType),
        // The suite's: an unknown type, a payload that is no array, and letters where an id belongs.
        ("abc", Fault::UnknownType),
        ("2{}", Fault::Payload),
        (r#"2abc["message-with-ack",1,"2",{"3":[false]}]"#, Fault::Payload),
        ("2", Fault::Payload),
        ("2[]", Fault::Payload),
        (r#"2["a"]x"#, Fault::Payload),
        (r#"2-1["a"]"#, Fault::Payload),
        (r#"2/admin["a"]"#, Fault::Payload),
        ("31", Fault::Payload),
        ("31{}", Fault::Payload),
        ("3[]", Fault::Id),
        ("01{}", Fault::Id),
        ("11", Fault::Id),
        (&long_id, Fault::Id),
        ("4", Fault::Payload),
        ("4[]", Fault::Payload),
        ("0null", Fault::Payload),
        // What would end a packet in long-polling gets into none.
        ("2[\"a\u{1e}4\"]", Fault::Payload),
        ("2[\"a\",\u{1e}1]", Fault::Payload),
        ("0/a\u{1e}4,", Fault::Namespace),
        ("0/a\n", Fault::Namespace),
        (r#"5-["a"]"#, Fault::Attachments),
        (r#"5-1-["a"]"#, Fault::Attachments),
        (r#"511-["a"]"#, Fault::Attachments),
        (r#"599999999999999999999999-["a"]"#, Fault::Attachments),
        ("51-", Fault::Payload),
        ("61-1{}", Fault::Payload),
        ("61-[]", Fault::Id),
        (r#"51-["a",{"_placeholder":true,"num":1}]"#, Fault::Placeholder),
        (r#"50-["a",{"_placeholder":true,"num":0}]"#, Fault::Placeholder),
        (r#"61-1[{"_placeholder":true,"num":"0"}]"#, Fault::Placeholder),
        (&deep, Fault::TooDeep),
        (&endless, Fault::Payload),
    ];
    for (text, fault) in cases {
        assert_eq!(Packet::parse(text), Err(fault), "{text:.80}");
    }
    assert!(Packet::parse(&long_id.replacen('1', "", 1)).is_ok());
}

/// Whatever comes, nothing panics; and what is taken as a packet lies within the text, is JSON and has its shape.
#[test]
fn garbage_is_survived() {
    let seed = 16;
    let mut random = fastrand::Rng::with_seed(seed);
    let words = [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "-",
        "/",
        "/a",
        "?",
        ",",
        "[",
        "]",
        "{",
        "}",
        "\"",
        ":",
        "\\",
        "\"a\"",
        "\"connect\"",
        "\"_placeholder\":true",
        "\"num\":0",
        "{\"_placeholder\":true,\"num\":",
        "ä",
        "\u{1e}",
        " ",
        "[\"a\"",
        "]",
        "1-",
        "null",
    ];
    let sound = [
        r#"0/a,{"token":"b"}"#,
        r#"2/a,12["b",{"c":[1,"ä"]}]"#,
        r#"32[null]"#,
        r#"52-["a",{"_placeholder":true,"num":1}]"#,
    ];
    let (mut taken, mut refused) = (0, 0);
    for round in 0..50_000 {
        let text: String = match random.u8(..3) {
            0 => String::from_utf8_lossy(&(0..random.usize(..40)).map(|_| random.u8(..)).collect::<Vec<_>>()).into(),
            1 => (0..random.usize(..10)).filter_map(|_| random.choice(words)).collect(),
            // One that is sound, spoilt in one place.
            _ => {
                let mut letters: Vec<char> = random.choice(sound).unwrap().chars().collect();
                let from = random.usize(..=letters.len());
                let to = random.usize(from..=letters.len().min(from + 2));
                letters.splice(from..to, random.choice(words).unwrap().chars());
                letters.into_iter().collect()
            }
        };
        match Packet::parse(&text) {
            Err(_) => refused += 1,
            Ok(packet) => {
                taken += 1;
                assert!(text.ends_with(packet.data), "seed {seed}, round {round}: {text:?}");
                let value = serde_json::from_str::<&RawValue>(packet.data);
                assert!(packet.data.is_empty() || value.is_ok(), "seed {seed}, round {round}: {text:?}");
                assert!(packet.namespace.starts_with('/') && packet.attachments <= MAX_ATTACHMENTS, "{text:?}");
            }
        }
        // The scan comes after the reading, and would survive without it.
        let _ = scan::check(&text, Some(random.usize(..3)));
    }
    assert!(taken > 1_000 && refused > 1_000, "{taken}, {refused}");
}
