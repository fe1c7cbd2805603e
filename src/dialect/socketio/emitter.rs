//! What vocabularies write with: events and acknowledgements on one namespace, for one carriage, as finished bytes.

use serde::Serialize;

use crate::id::Mark;
use crate::proto::engineio::Carriage;
use crate::proto::socketio;

/// Appends packets to `wire`.
pub struct Emitter<'a> {
    wire: &'a mut Vec<u8>,
    carriage: Carriage,
    namespace: &'a str,
    /// Shown as the last argument of each event, for a client that comes back to say how far it had heard.
    offset: Option<String>,
}

impl<'a> Emitter<'a> {
    /// For the recipients on `namespace` that `carriage` reaches. `mark` says how far one has heard who has heard what is
    /// written; nothing where clients can't come back.
    pub fn new(wire: &'a mut Vec<u8>, carriage: Carriage, namespace: &'a str, mark: Option<Mark>) -> Self {
        Self { wire, carriage, namespace, offset: mark.map(|mark| mark.to_string()) }
    }

    /// An event with one object: of strings, numbers and lists alone, here and below.
    pub fn emit(&mut self, name: &str, payload: &impl Serialize) {
        self.carriage.text(self.wire, |wire| {
            socketio::event(wire, self.namespace, name, payload, self.offset.as_deref());
        });
    }

    /// An event with one object, and the bytes that placeholders in it stand for.
    pub fn emit_with(&mut self, name: &str, payload: &impl Serialize, attachments: &[Vec<u8>]) {
        self.emit_raw(&[&json(name), &json(payload)], attachments);
    }

    /// An event whose name and arguments are JSON texts. Bytes that placeholders in them stand for follow.
    pub fn emit_raw(&mut self, items: &[&str], attachments: &[Vec<u8>]) {
        let offset = self.offset.as_ref().map(|offset| format!("{offset:?}"));
        self.carriage.text(self.wire, |wire| {
            let items = items.iter().copied().chain(offset.as_deref());
            socketio::raw_event(wire, self.namespace, None, attachments.len(), items);
        });
        self.attach(attachments);
    }

    /// An acknowledgement with one object, under the client's own number.
    pub fn ack(&mut self, id: &str, payload: &impl Serialize) {
        self.carriage.text(self.wire, |wire| socketio::ack(wire, self.namespace, id, payload));
    }

    /// An acknowledgement whose arguments are JSON texts.
    pub fn ack_raw(&mut self, id: &str, items: &[&str], attachments: &[Vec<u8>]) {
        let items = items.iter().copied();
        self.carriage.text(self.wire, |wire| socketio::raw_ack(wire, self.namespace, id, attachments.len(), items));
        self.attach(attachments);
    }

    fn attach(&mut self, attachments: &[Vec<u8>]) {
        for bytes in attachments {
            self.carriage.binary(self.wire, bytes);
        }
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    #[expect(clippy::expect_used, reason = "strings, lists and numbers into a string: nothing in it can fail")]
    serde_json::to_string(value).expect("plain values")
}
