//! Socket.IO: the same users, rooms and messages in the words of a *vocabulary*, on a *namespace*.
//!
//! A namespace offers one vocabulary or several. A socket on one that offers several is told everything in the words of
//! all of them, until its first event shows which it speaks; that one it is told from then on. What a socket is told
//! in is its *face*: the namespace, and the vocabularies that are left.
//!
//! A vocabulary is one file, and its name in the list that [`Namespaces::new`] is given.

mod chat;
mod conversation;
mod emitter;
mod recovery;
mod words;

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{Decoded, Limits};
use crate::hub::{Attended, Event, Reply, Tag};
pub use chat::Chat;
pub use conversation::Conversation;
pub use emitter::Emitter;
pub use recovery::{Connect, Pid};

/// The words of one kind of client.
pub trait Vocabulary: Sync {
    /// What it is called in settings and metrics.
    fn name(&self) -> &'static str;

    /// Whether its sockets take part in the chat: then they have to show a token. Of one that doesn't only
    /// [`Vocabulary::greet`] and [`Vocabulary::decode`] are asked, and what it decodes is answered by itself.
    fn takes_part(&self) -> bool {
        true
    }

    /// Whether its sockets are in all rooms of their user from the start.
    fn follows_all(&self) -> bool;

    /// Whether clients may send an event of that name.
    fn knows(&self, event: &str) -> bool;

    /// Reads one event, whose name it knows. The answer of [`Decoded::Answer`] is made by `out`, and empty here.
    fn decode(&self, call: &Call<'_>, limits: &Limits, out: &mut Emitter<'_>) -> Decoded;

    /// What a socket that takes no part is told first, after its CONNECT. `auth` is what came with that, a JSON text.
    fn greet(&self, _auth: &str, _out: &mut Emitter<'_>) {}

    /// What a socket is told first, after its CONNECT.
    fn welcome(&self, _attended: &Attended, _out: &mut Emitter<'_>) {}

    /// Says what a request has come to: as an acknowledgement, if the client asked for one, and whatever else the
    /// vocabulary has for it.
    fn reply(&self, reply: &Reply, tag: Option<&Tag>, out: &mut Emitter<'_>);

    /// Says what has happened. Of what it has no words for it says nothing.
    fn event(&self, event: &Event, out: &mut Emitter<'_>);
}

/// An event that a client sends.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its name.
    pub name: &'a str,
    /// What came with it, as it is written.
    pub args: &'a [&'a RawValue],
    /// The bytes that placeholders in the arguments stand for.
    pub attachments: &'a [Vec<u8>],
    /// Under what number the client wants an acknowledgement, if it wants one.
    pub ack: Option<&'a str>,
}

/// A face's place among all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaceKey(u8);

impl FaceKey {
    pub(super) fn new(place: usize) -> Self {
        Self(place as u8)
    }

    /// The place. There are fewer than 100.
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// A namespace, and the vocabularies in which a socket on it is told everything.
struct Face {
    namespace: Cow<'static, str>,
    vocabularies: Vec<&'static dyn Vocabulary>,
    /// The faces that this one may become, one for each of its vocabularies. None if there is but one.
    choices: Vec<FaceKey>,
}

/// The namespaces that are served.
pub struct Namespaces {
    faces: Vec<Face>,
    /// Each namespace's first face.
    first: Vec<FaceKey>,
}

impl Namespaces {
    /// Namespaces by name, each with the vocabularies that it offers.
    pub fn new(offers: &[(&'static str, &[&'static dyn Vocabulary])]) -> Self {
        let mut namespaces = Self { faces: Vec::new(), first: Vec::new() };
        for (name, vocabularies) in offers {
            let first = namespaces.add(name, vocabularies);
            if vocabularies.len() > 1 {
                let choices = vocabularies.iter().map(|vocabulary| namespaces.add(name, &[*vocabulary])).collect();
                namespaces.faces[first.index()].choices = choices;
            }
            namespaces.first.push(first);
        }
        namespaces
    }

    fn add(&mut self, name: &'static str, vocabularies: &[&'static dyn Vocabulary]) -> FaceKey {
        let key = FaceKey(self.faces.len() as u8);
        self.faces.push(Face { namespace: name.into(), vocabularies: vocabularies.to_vec(), choices: Vec::new() });
        key
    }

    /// How many faces there are.
    pub fn len(&self) -> usize {
        self.faces.len()
    }

    /// Whether nothing is served.
    pub fn is_empty(&self) -> bool {
        self.faces.is_empty()
    }

    /// The face of a socket that has just come to the namespace of that name.
    pub fn find(&self, namespace: &str) -> Option<FaceKey> {
        self.first.iter().copied().find(|key| self.face(*key).namespace == namespace)
    }

    /// The name of the namespace.
    pub fn namespace(&self, key: FaceKey) -> &str {
        &self.face(key).namespace
    }

    /// What the face speaks, for people and metrics.
    pub fn words(&self, key: FaceKey) -> &'static str {
        match self.face(key).vocabularies[..] {
            [only] => only.name(),
            _ => "undecided",
        }
    }

    /// The faces that speak one vocabulary, of those that take part in the chat.
    pub(super) fn single_faces(&self) -> impl Iterator<Item = FaceKey> {
        let keys = (0..self.faces.len()).map(|place| FaceKey(place as u8));
        keys.filter(|key| self.face(*key).vocabularies.len() == 1 && self.takes_part(*key))
    }

    /// Whether a socket with that face takes part in the chat.
    pub fn takes_part(&self, key: FaceKey) -> bool {
        self.face(key).vocabularies.iter().any(|vocabulary| vocabulary.takes_part())
    }

    /// Whether a socket with that face is in all rooms of its user.
    pub fn follows_all(&self, key: FaceKey) -> bool {
        self.face(key).vocabularies.iter().any(|vocabulary| vocabulary.follows_all())
    }

    /// The face that a socket has from now on which has sent an event of that name: where only one vocabulary knows it,
    /// that one's.
    pub fn decide(&self, key: FaceKey, event: &str) -> FaceKey {
        self.choose(key, |vocabulary| vocabulary.knows(event))
    }

    /// The face of a socket that has come back with rooms of its own choice.
    pub fn decide_for_choosing(&self, key: FaceKey) -> FaceKey {
        self.choose(key, |vocabulary| !vocabulary.follows_all())
    }

    fn choose(&self, key: FaceKey, fits: impl Fn(&'static dyn Vocabulary) -> bool) -> FaceKey {
        let face = self.face(key);
        let mut fitting = face.choices.iter().zip(&face.vocabularies).filter(|(_, vocabulary)| fits(**vocabulary));
        match (fitting.next(), fitting.next()) {
            (Some((choice, _)), None) => *choice,
            _ => key,
        }
    }

    /// Reads an event of a socket with that face.
    pub fn decode(&self, key: FaceKey, call: &Call<'_>, limits: &Limits, out: &mut Emitter<'_>) -> Decoded {
        match self.face(key).vocabularies.iter().find(|vocabulary| vocabulary.knows(call.name)) {
            Some(vocabulary) => vocabulary.decode(call, limits, out),
            None => words::unknown(call),
        }
    }

    /// What a socket is told first that takes no part in the chat.
    pub fn greet(&self, key: FaceKey, auth: &str, out: &mut Emitter<'_>) {
        self.face(key).vocabularies.iter().for_each(|vocabulary| vocabulary.greet(auth, out));
    }

    /// What a socket is told first that does.
    pub fn welcome(&self, key: FaceKey, attended: &Attended, out: &mut Emitter<'_>) {
        self.face(key).vocabularies.iter().for_each(|vocabulary| vocabulary.welcome(attended, out));
    }

    /// What a request has come to. It is for one vocabulary to say, the one that has read the request, or no
    /// acknowledgement would be the only one. Of what none could read the first says so.
    pub fn reply(&self, key: FaceKey, reply: &Reply, tag: Option<&Tag>, out: &mut Emitter<'_>) {
        let vocabularies = &self.face(key).vocabularies;
        let knowing = tag.and_then(|tag| vocabularies.iter().find(|vocabulary| vocabulary.knows(&tag.word)));
        if let Some(vocabulary) = knowing.or(vocabularies.first()) {
            vocabulary.reply(reply, tag, out);
        }
    }

    /// What has happened, in all words of that face.
    pub fn event(&self, key: FaceKey, event: &Event, out: &mut Emitter<'_>) {
        self.face(key).vocabularies.iter().for_each(|vocabulary| vocabulary.event(event, out));
    }

    fn face(&self, key: FaceKey) -> &Face {
        &self.faces[key.index()]
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
