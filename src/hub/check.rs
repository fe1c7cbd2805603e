//! Whether the hub's parts agree with one another: checked after every change in a debug build, and by tests.

use super::Hub;
use super::session::Asker;
use crate::id::SlotKey;

/// See [`Hub::check_invariants`].
const CHECKED_UP_TO_SESSIONS: usize = 64;

impl Hub {
    /// After every change in a debug build, while the hub is small: the checks cost time in proportion to it.
    pub(super) fn check_in_debug(&self) {
        if cfg!(debug_assertions) && self.sessions.len() <= CHECKED_UP_TO_SESSIONS {
            self.check_invariants();
        }
    }

    /// Panics unless sessions, users, ids, rooms and presence agree with one another. For tests.
    pub fn check_invariants(&self) {
        let (mut clients, mut users) = (0, 0);
        for (index, session) in self.sessions.iter().enumerate() {
            let Some(session) = session else { continue };
            let slot = SlotKey::new(index);
            if let Asker::Client(id) = session.asker {
                clients += 1;
                assert!(id.0 < self.next_id, "{session:?} was never opened");
                assert_eq!(self.slots.get(&id), Some(&slot), "{session:?} is not found by its id");
            }
            if let Some(user) = &session.user {
                users += 1;
                assert!(
                    self.users.get(&user.id).is_some_and(|slots| slots.contains(&slot)),
                    "{session:?} is not online"
                );
            }
            for &room in &session.rooms {
                let times = self.members(room).iter().filter(|&&member| member == slot).count();
                assert_eq!(times, 1, "{session:?} is not a member, once, of its room");
            }
            for ticket in session.open_tickets() {
                assert_eq!(self.pending.get(&ticket).and_then(|pending| pending.asker), Some(slot), "a lost request");
            }
        }
        assert_eq!(self.slots.len(), clients, "an id leads to a slot without a session");
        assert_eq!(self.users.values().map(|slots| slots.len()).sum::<usize>(), users, "somebody is online by mistake");
        let (members, participants) = self.rooms.check_invariants();
        let in_rooms: usize = self.sessions.iter().flatten().map(|session| session.rooms.len()).sum();
        assert_eq!(members, in_rooms + self.check_away(), "a room keeps somebody who is not in it");
        self.check_attendees(participants);
    }

    fn check_attendees(&self, participants: usize) {
        let (mut attending, mut taking_part) = (0, 0);
        for (key, present) in self.presence.checked() {
            for &slot in &present.sessions {
                let user = self.attending_user(slot);
                assert!(user.is_ok_and(|user| user.id == present.user.id), "{:?} is not in {slot:?}", present.user);
            }
            for &room in &present.rooms {
                let times = self.rooms.living(room).present.iter().filter(|&&other| other == key).count();
                assert_eq!(times, 1, "{:?} does not take part, once, in its room", present.user);
            }
            attending += present.sessions.len();
            taking_part += present.rooms.len();
        }
        assert_eq!(taking_part, participants, "a room keeps a participant who is not here");
        let attendees = self.sessions.iter().flatten().filter_map(|session| session.attendee.as_ref());
        let (sessions, typings) = attendees.fold((0, 0), |(n, typings), one| (n + 1, typings + one.typings.len()));
        assert_eq!(attending, sessions, "an attendee is not present");
        assert_eq!(self.typings.len(), typings, "somebody types who is not here");
    }
}
