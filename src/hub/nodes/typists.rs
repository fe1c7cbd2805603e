//! Who is typing on other nodes. Their nodes say when it has ended; that may get lost, or its node, and nobody types for
//! ever.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::super::Hub;
use super::super::effect::{Effect, Event, User};
use super::super::lapse::{LapseKey, Lapses};
use super::super::typing::TYPING;
use super::Whither;
use crate::id::{NodeId, UserId};

/// A typing of which nothing is heard for so long has ended. That it has is said by its node before, if it can be heard.
const SILENCE: Duration = Duration::from_secs(TYPING.as_secs() + 1);

/// On which node, who, and to whom.
type Place = (NodeId, UserId, Whither);

pub(super) struct Typists {
    lapses: Lapses<Place>,
    known: HashMap<Place, (LapseKey, Rc<User>)>,
}

impl Typists {
    pub(super) fn new() -> Self {
        Self { lapses: Lapses::of(SILENCE), known: HashMap::new() }
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.lapses.next()
    }

    pub(super) fn give_back(&mut self) {
        self.lapses.give_back();
        self.known.shrink_to_fit();
    }

    fn begin(&mut self, place: Place, user: &Rc<User>, now: Duration) {
        if let Some((lapse, _)) = self.known.get(&place) {
            self.lapses.put_off(*lapse, now);
        } else {
            let lapse = self.lapses.arm(place, now);
            self.known.insert(place, (lapse, Rc::clone(user)));
        }
    }

    /// Tells whether it had begun.
    fn end(&mut self, place: &Place) -> bool {
        let known = self.known.remove(place);
        known.is_some_and(|(lapse, _)| {
            self.lapses.disarm(lapse);
            true
        })
    }

    fn take_due(&mut self, now: Duration) -> Option<(Rc<User>, Whither)> {
        let place = self.lapses.take_due(now)?;
        let (_, user) = self.known.remove(&place)?;
        Some((user, place.2))
    }
}

impl Hub {
    /// Somebody is typing on that node, or not any more.
    pub(super) fn hear_typing(
        &mut self,
        from: NodeId,
        user: Rc<User>,
        to: Whither,
        is_typing: bool,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.now;
        let Some(cluster) = &mut self.nodes.0 else { return };
        let place = (from, user.id, to);
        if is_typing {
            cluster.typists.begin(place, &user, now);
        } else if !cluster.typists.end(&place) {
            return;
        }
        self.tell_whither(to, effects, |room| Event::Typing { user, room, is_typing });
    }

    /// Those of whom nothing was heard for a while have stopped.
    pub(in super::super) fn stop_silent_typists(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now;
        while let Some((user, to)) = self.nodes.0.as_mut().and_then(|cluster| cluster.typists.take_due(now)) {
            self.tell_whither(to, effects, |room| Event::Typing { user, room, is_typing: false });
        }
    }
}
