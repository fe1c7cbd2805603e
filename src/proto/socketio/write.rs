//! Packets out, as the text of an Engine.IO message.

use serde::Serialize;

use super::Kind;

/// Grants a namespace, or asks for it. `data` is a JSON object, or nothing.
pub fn connect(wire: &mut Vec<u8>, namespace: &str, data: &str) {
    head(wire, Kind::Connect, 0, namespace, None);
    wire.extend_from_slice(data.as_bytes());
}

/// Refuses a namespace. `data` is a JSON object with a `message`.
pub fn connect_error(wire: &mut Vec<u8>, namespace: &str, data: &str) {
    head(wire, Kind::ConnectError, 0, namespace, None);
    wire.extend_from_slice(data.as_bytes());
}

/// Ends a namespace.
pub fn disconnect(wire: &mut Vec<u8>, namespace: &str) {
    head(wire, Kind::Disconnect, 0, namespace, None);
}

/// An event with one argument, and behind it the offset, by which a client that comes back says how far it has heard.
/// Values of strings, numbers and lists alone.
pub fn event(wire: &mut Vec<u8>, namespace: &str, name: &str, payload: &impl Serialize, offset: Option<&str>) {
    head(wire, Kind::Event, 0, namespace, None);
    wire.push(b'[');
    json(wire, name);
    wire.push(b',');
    json(wire, payload);
    if let Some(offset) = offset {
        wire.push(b',');
        json(wire, offset);
    }
    wire.push(b']');
}

/// The answer to the event `id`, with one argument of strings, numbers and lists alone.
pub fn ack(wire: &mut Vec<u8>, namespace: &str, id: &str, payload: &impl Serialize) {
    head(wire, Kind::Ack, 0, namespace, Some(id));
    wire.push(b'[');
    json(wire, payload);
    wire.push(b']');
}

/// An event made of JSON texts, of which the first is the name; with `id` it asks for an answer. Its attachments have
/// to follow it.
pub fn raw_event<'a>(
    wire: &mut Vec<u8>,
    namespace: &str,
    id: Option<&str>,
    attachments: usize,
    items: impl IntoIterator<Item = &'a str>,
) {
    let kind = if attachments == 0 { Kind::Event } else { Kind::BinaryEvent };
    head(wire, kind, attachments, namespace, id);
    array(wire, items);
}

/// The answer to the event `id`, made of JSON texts. Its attachments have to follow it.
pub fn raw_ack<'a>(
    wire: &mut Vec<u8>,
    namespace: &str,
    id: &str,
    attachments: usize,
    items: impl IntoIterator<Item = &'a str>,
) {
    let kind = if attachments == 0 { Kind::Ack } else { Kind::BinaryAck };
    head(wire, kind, attachments, namespace, Some(id));
    array(wire, items);
}

fn head(wire: &mut Vec<u8>, kind: Kind, attachments: usize, namespace: &str, id: Option<&str>) {
    wire.push(kind.digit());
    if attachments > 0 {
        wire.extend_from_slice(attachments.to_string().as_bytes());
        wire.push(b'-');
    }
    if namespace != "/" {
        wire.extend_from_slice(namespace.as_bytes());
        wire.push(b',');
    }
    wire.extend_from_slice(id.unwrap_or_default().as_bytes());
}

fn array<'a>(wire: &mut Vec<u8>, items: impl IntoIterator<Item = &'a str>) {
    wire.push(b'[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            wire.push(b',');
        }
        wire.extend_from_slice(item.as_bytes());
    }
    wire.push(b']');
}

fn json(wire: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    #[expect(clippy::expect_used, reason = "strings, lists and numbers into a vector: nothing in it can fail")]
    serde_json::to_writer(wire, value).expect("a packet of plain values");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::socketio::{Arguments, MAX_ATTACHMENTS, Packet};

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut wire = Vec::new();
        write(&mut wire);
        String::from_utf8(wire).unwrap()
    }

    #[test]
    fn packets_are_written_to_the_letter() {
        let sid = r#"{"sid":"oSO0OpakMV_3jnilAAAA"}"#;
        let error = r#"{"message":"Not authorized"}"#;
        let placeholder = r#"{"_placeholder":true,"num":0}"#;
        let cases = [
            (written(|wire| connect(wire, "/", "")), "0"),
            (written(|wire| connect(wire, "/admin", sid)), r#"0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}"#),
            (written(|wire| connect_error(wire, "/", error)), r#"4{"message":"Not authorized"}"#),
            (written(|wire| disconnect(wire, "/")), "1"),
            (written(|wire| disconnect(wire, "/admin")), "1/admin,"),
            (written(|wire| raw_event(wire, "/", None, 0, ["\"foo\""])), r#"2["foo"]"#),
            (written(|wire| raw_event(wire, "/admin", None, 0, ["\"bar\""])), r#"2/admin,["bar"]"#),
            (written(|wire| raw_event(wire, "/", Some("12"), 0, ["\"foo\""])), r#"212["foo"]"#),
            (
                written(|wire| raw_event(wire, "/", None, 1, ["\"baz\"", placeholder])),
                r#"51-["baz",{"_placeholder":true,"num":0}]"#,
            ),
            (written(|wire| raw_ack(wire, "/admin", "13", 0, ["\"bar\""])), r#"3/admin,13["bar"]"#),
            (written(|wire| raw_ack(wire, "/", "12", 0, [])), "312[]"),
            (
                written(|wire| raw_ack(wire, "/", "15", 1, ["\"bar\"", placeholder])),
                r#"61-15["bar",{"_placeholder":true,"num":0}]"#,
            ),
            (
                written(|wire| raw_ack(wire, "/admin", "1", 1, [placeholder])),
                r#"61-/admin,1[{"_placeholder":true,"num":0}]"#,
            ),
            (written(|wire| event(wire, "/", "hey", &"Jude", None)), r#"2["hey","Jude"]"#),
            (written(|wire| event(wire, "/chat", "a\"b", &[1], Some("17"))), r#"2/chat,["a\"b",[1],"17"]"#),
            (written(|wire| ack(wire, "/", "7", &["\u{1e}"])), r#"37[["\u001e"]]"#),
        ];
        for (packet, expected) in cases {
            assert_eq!(packet, expected);
            assert!(Packet::parse(&packet).is_ok(), "{packet}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let seed = 15;
        let mut random = fastrand::Rng::with_seed(seed);
        let namespaces = ["/", "/chat", "/ä/ö", "/a-1[\"", "/0"];
        let values = ["1", "\"2\"", r#"{"3":[true]}"#, "[]", "null", r#"" \"],[ ""#, "-0.0", "1e999", "\"\\ud83d\""];
        for round in 0..20_000 {
            let namespace = *random.choice(&namespaces).unwrap();
            let id = random.u64(..).to_string();
            let id = &id[..random.usize(1..=id.len())];
            let attachments = random.usize(..=MAX_ATTACHMENTS);
            let placeholders: Vec<String> =
                (0..attachments).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
            let mut items: Vec<&str> = (0..random.usize(..5)).filter_map(|_| random.choice(values)).collect();
            items.extend(placeholders.iter().map(String::as_str));
            random.shuffle(&mut items);
            let (is_ack, has_id) = (random.bool(), random.bool());
            items.insert(0, "\"name\"");
            let text = written(|wire| match is_ack {
                true => raw_ack(wire, namespace, id, attachments, items.iter().copied()),
                false => raw_event(wire, namespace, has_id.then_some(id), attachments, items.iter().copied()),
            });
            let packet =
                Packet::parse(&text).unwrap_or_else(|fault| panic!("seed {seed}, round {round}: {fault:?}: {text}"));
            let expected_id = (is_ack || has_id).then_some(id);
            assert_eq!(
                (packet.namespace, packet.id, packet.attachments),
                (namespace, expected_id, attachments),
                "{text}"
            );
            let kinds = if is_ack { [Kind::Ack, Kind::BinaryAck] } else { [Kind::Event, Kind::BinaryEvent] };
            assert_eq!(packet.kind, kinds[usize::from(attachments > 0)], "{text}");
            let arguments = Arguments::split(packet.data).unwrap();
            assert!(arguments.items().iter().map(|item| item.get()).eq(items), "seed {seed}, round {round}: {text}");
        }
    }
}
