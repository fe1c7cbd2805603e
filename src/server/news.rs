//! What rooms have been told since the last flush.
//!
//! A message to a room is noted here once and handed to nobody at first: each member fetches what it has not heard
//! when it is flushed, and most fetch all of it as one slice of bytes. So a message costs the same in a room of ten
//! and of ten thousand, and a member costs the same whether one message came in this turn or a hundred.
//!
//! Items are numbered through, over all rooms and turns, and a slot knows up to where it has heard (`Slot::heard`).
//! That one number keeps the order: before anything of its own is put into an outbox, and before its membership
//! changes, a slot is handed what it has not heard yet.

use crate::dialect::Encoding;
use crate::hub::{Event, RoomKey};
use crate::id::Mark;
use crate::net::outbox::Shared;

/// After a burst no more room than this is kept for the next.
const KEPT_ITEMS: usize = 1024;

/// In place of an index.
const NONE: u32 = u32::MAX;

/// The rooms that have been told something, and what.
#[derive(Default)]
pub(super) struct News {
    /// All items, in the order in which they were told.
    items: Vec<Item>,
    /// The number of the first item.
    base: u64,
    rooms: Vec<RoomNews>,
    /// By room, its place in `rooms` or [`NONE`].
    places: Vec<u32>,
}

struct Item {
    event: Event,
    /// How far one has heard who has heard this.
    mark: Mark,
    /// The next item of the same room, or [`NONE`].
    next: u32,
    encoded: Encoded,
}

/// The items of one room, as a list linked through [`News::items`].
struct RoomNews {
    room: RoomKey,
    first: u32,
    last: u32,
    count: u32,
    /// All of them in one slice.
    whole: Encoded,
}

/// Bytes in each encoding that has been needed so far.
#[derive(Default)]
pub(super) struct Encoded {
    /// Apart, since most are needed in one alone, and all members ask for it.
    first: Option<(Encoding, Shared)>,
    others: Vec<(Encoding, Shared)>,
}

impl Encoded {
    /// The bytes in that encoding, which `encode` makes the first time.
    pub(super) fn get(&mut self, encoding: Encoding, encode: impl FnOnce() -> Shared) -> &Shared {
        match &self.first {
            Some((first, _)) if *first != encoding => self.get_other(encoding, encode),
            _ => &self.first.get_or_insert_with(|| (encoding, encode())).1,
        }
    }

    fn get_other(&mut self, encoding: Encoding, encode: impl FnOnce() -> Shared) -> &Shared {
        let place = self.others.iter().position(|(known, _)| *known == encoding).unwrap_or_else(|| {
            self.others.push((encoding, encode()));
            self.others.len() - 1
        });
        &self.others[place].1
    }
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number that the next item will get: whoever has heard up to it has heard everything.
    pub(super) fn next_number(&self) -> u64 {
        self.base + self.items.len() as u64
    }

    /// Notes what `room` is told. Returns about how many bytes that is. (Escaped they may be six times as many, but then
    /// so is the reply that counts as well.)
    pub(super) fn tell(&mut self, room: RoomKey, event: Event, mark: Mark) -> usize {
        let cost = size_of::<Item>() + event.text().len();
        let index = self.items.len() as u32;
        self.items.push(Item { event, mark, next: NONE, encoded: Encoded::default() });
        if let Some(place) = self.place(room) {
            let news = &mut self.rooms[place];
            self.items[news.last as usize].next = index;
            news.last = index;
            news.count += 1;
            // What was joined before lacks this one.
            news.whole = Encoded::default();
        } else {
            if self.places.len() <= room.index() {
                self.places.resize(room.index() + 1, NONE);
            }
            self.places[room.index()] = self.rooms.len() as u32;
            self.rooms.push(RoomNews { room, first: index, last: index, count: 1, whole: Encoded::default() });
        }
        cost
    }

    /// Hands over what `rooms` have been told from the number `heard` on, one by one and in order, as `encode` makes it.
    pub(super) fn unheard(
        &mut self,
        rooms: &[RoomKey],
        heard: u64,
        encoding: Encoding,
        mut encode: impl FnMut(&Event, Mark) -> Shared,
        mut hand_over: impl FnMut(Shared),
    ) {
        let mut hand_over = |item: &mut Item| {
            hand_over(Shared::clone(item.encoded.get(encoding, || encode(&item.event, item.mark))));
        };
        if let Some(room) = self.only_room(rooms) {
            let mut index = self.first_unheard(room, heard);
            while let Some(item) = self.items.get_mut(index as usize) {
                hand_over(item);
                index = item.next;
            }
            return;
        }
        // What several rooms were told is told in the order in which it happened.
        let mut indices = Vec::new();
        for &room in rooms {
            let mut index = self.first_unheard(room, heard);
            while let Some(item) = self.items.get(index as usize) {
                indices.push(index);
                index = item.next;
            }
        }
        indices.sort_unstable();
        for index in indices {
            hand_over(&mut self.items[index as usize]);
        }
    }

    /// The first item of `room` with the number `heard` or above, or [`NONE`].
    fn first_unheard(&self, room: RoomKey, heard: u64) -> u32 {
        let Some(news) = self.place(room).map(|place| &self.rooms[place]) else { return NONE };
        if self.base + u64::from(news.last) < heard {
            return NONE;
        }
        let mut index = news.first;
        while let Some(item) = self.items.get(index as usize)
            && self.base + u64::from(index) < heard
        {
            index = item.next;
        }
        index
    }

    /// The room among these that has been told something, if it is just one.
    pub(super) fn only_room(&self, rooms: &[RoomKey]) -> Option<RoomKey> {
        if let [only] = rooms {
            return Some(*only);
        }
        let mut told = rooms.iter().filter(|&&room| self.place(room).is_some());
        let first = told.next()?;
        told.next().is_none().then_some(*first)
    }

    /// All that `room` has been told in one slice, and how many items that is, unless there is nothing or some of it is below the number `heard`.
    /// `encode` makes a slice of events.
    pub(super) fn whole(
        &mut self,
        room: RoomKey,
        heard: u64,
        encoding: Encoding,
        encode: impl FnOnce(&mut dyn Iterator<Item = (&Event, Mark)>) -> Shared,
    ) -> Option<(Shared, u32)> {
        let place = self.place(room)?;
        let news = &mut self.rooms[place];
        if self.base + u64::from(news.first) < heard {
            return None;
        }
        let whole = news.whole.get(encoding, || {
            let first = self.items.get(news.first as usize);
            let items = std::iter::successors(first, |item| self.items.get(item.next as usize));
            encode(&mut items.map(|item| (&item.event, item.mark)))
        });
        Some((Shared::clone(whole), news.count))
    }

    /// The rooms that have been told something, and the number of the last item of each.
    pub(super) fn rooms(&self) -> impl Iterator<Item = (RoomKey, u64)> {
        self.rooms.iter().map(|news| (news.room, self.base + u64::from(news.last)))
    }

    /// Gives back the memory of a crowd that has gone.
    pub(super) fn give_back(&mut self) {
        if self.is_empty() {
            *self = Self { base: self.base, ..Self::default() };
        }
    }

    /// Everybody has heard everything.
    pub(super) fn clear(&mut self) {
        self.base = self.next_number();
        self.items.clear();
        self.items.shrink_to(KEPT_ITEMS);
        for news in self.rooms.drain(..) {
            self.places[news.room.index()] = NONE;
        }
        self.rooms.shrink_to(KEPT_ITEMS);
    }

    fn place(&self, room: RoomKey) -> Option<usize> {
        let place = self.places.get(room.index()).copied().filter(|&place| place != NONE)?;
        Some(place as usize)
    }
}
