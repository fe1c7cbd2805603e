//! The form in which notices travel: `{"v":1,"node":"…","n":17,"what":…}`.
//!
//! `n` counts what that node tells. What is told over several channels has one number, and is taken once by those who
//! listen to more than one of them. Numbers may be missing: not everything is for everybody.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::hub::nodes::Notice;
use crate::id::NodeId;

/// A node of another version is not understood, and not guessed at.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Sent<'a> {
    v: u32,
    node: String,
    n: u64,
    what: &'a Notice,
}

/// What can be told of an envelope without opening it: most are the node's own, or come a second time.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    v: u32,
    node: &'a str,
    /// Its number.
    pub(super) n: u64,
    #[serde(borrow)]
    what: &'a RawValue,
}

/// Packs a notice.
pub(super) fn pack(node: NodeId, n: u64, notice: &Notice) -> Vec<u8> {
    let sent = Sent { v: VERSION, node: node.to_string(), n, what: notice };
    // Of plain values nothing can fail. What would be empty is nobody's envelope.
    serde_json::to_vec(&sent).unwrap_or_default()
}

impl<'a> Envelope<'a> {
    /// Reads the outside, and yields the sender with it.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(NodeId, Self)> {
        let envelope: Self = serde_json::from_slice(bytes).ok()?;
        let is_known = envelope.v == VERSION && envelope.node.len() == 16;
        let node = is_known.then(|| u64::from_str_radix(envelope.node, 16).ok())??;
        Some((NodeId(node), envelope))
    }

    /// Reads what is in it.
    pub(super) fn open(&self) -> Option<Notice> {
        serde_json::from_str(self.what.get()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::job::{Change, ChangeRecord, Deed, Former, MessageRecord, Outside, RoomRecord, UserRecord};
    use crate::hub::nodes::{Concern, Move, RoomTag, Whither};
    use crate::id::{ChangeId, ConnectionId, Mark, MessageId, Position, RoomId, RoomIds, UserId, Uuid};
    use crate::timestamp::Timestamp;

    const NODE: NodeId = NodeId(0xfedc_ba98_7654_3210);
    const ODD: &str = "\"tea\"\u{0}\n\\ — \u{1f375}</script>";

    fn user() -> UserRecord {
        UserRecord { id: UserId(i64::MAX), uuid: Uuid::from_u128(7), name: ODD.into() }
    }

    fn room() -> RoomRecord {
        let (id, uuid) = (RoomId(3), Uuid::from_u128(u128::MAX));
        let direct = Some(Box::new([Uuid::nil(), uuid]));
        RoomRecord { id, uuid, name: ODD.into(), owner: Some(UserId(1)), is_private: true, direct }
    }

    fn message() -> MessageRecord {
        MessageRecord {
            id: MessageId(9),
            user: None,
            sender: Uuid::from_u128(1),
            username: ODD.into(),
            text: ODD.into(),
            at: Timestamp::MAX,
            read_by: u64::MAX,
            read_self: true,
            message_type: "text".into(),
            file: Some(ODD.into()),
            edited_at: None,
            reactions: vec![(ODD.into(), 2)],
            direct_to: None,
            transaction: Some(i64::MIN),
        }
    }

    fn deed(what: Deed) -> Notice {
        let position = Some(Position { number: u64::MAX, transaction: -1, mark: Mark::default() });
        let deed = Box::new(Outside { room: room(), participants: Some(vec![UserId(1)]), what });
        Notice::Deed { position, deed, connection: Some(ConnectionId(u64::MAX)) }
    }

    fn changes() -> Vec<Notice> {
        let changes = [
            Change::Edited(ODD.into()),
            Change::Deleted,
            Change::Reacted { emoji: ODD.into(), is_removed: true },
            Change::Confirmed { read_by: 1, author: Some(UserId(4)) },
        ];
        let record = |what| {
            let (at, uuid) = (Timestamp::MAX, Uuid::from_u128(7));
            let was = Some(Former { sender: uuid, at, text: ODD.into(), file: None });
            let room = RoomIds { id: RoomId(1), uuid };
            ChangeRecord { message: MessageId(1), room, user: Some(user()), at, what, was, transaction: None }
        };
        changes.into_iter().map(|change| deed(Deed::Changed(record(change), ChangeId(4)))).collect()
    }

    fn moves() -> Vec<Move> {
        let connection = ConnectionId(5);
        let (durable, ephemeral) = (RoomTag::Durable(RoomId(1)), RoomTag::Ephemeral(ODD.into()));
        vec![
            Move::Open(connection),
            Move::Close(connection),
            Move::Be { connection, user: user(), is_attendee: true },
            Move::Enter { connection, room: durable, at: Timestamp::MAX },
            Move::Leave { connection, room: ephemeral },
            Move::Present { user: user(), rooms: vec![room()] },
            Move::Absent(UserId(1)),
            Move::TakePart { user: UserId(1), room: room() },
            Move::TakeNoPart { user: UserId(1), room: RoomId(1) },
        ]
    }

    fn notices() -> Vec<Notice> {
        let position = Position { number: 1, transaction: 2, mark: Mark::default() };
        let concern = Concern { room: RoomId(1), users: vec![UserId(2)], count: 3 };
        let (from, text) = (ConnectionId(1), ODD.to_owned());
        let mut notices = vec![
            Notice::Hello,
            Notice::Farewell,
            Notice::Alive(position),
            Notice::Directory { is_first: true, is_last: false, moves: moves() },
            Notice::Moved(moves()),
            deed(Deed::Said(message())),
            Notice::Committed { position, concerns: vec![concern] },
            Notice::Said { room: ODD.into(), from, text: text.clone() },
            Notice::Whisper { to: ConnectionId(2), from, text: text.clone() },
            Notice::Typing { user: user(), to: Whither::Room(RoomId(1)), is_typing: true },
            Notice::Signal { user: user(), to: Whither::User(UserId(1)), json: text, attachments: vec![vec![0, 255]] },
            Notice::RoomCreated(room(), vec![user()]),
            Notice::RoomRenamed(room()),
            Notice::RoomDeleted(RoomId(1)),
            Notice::UserRenamed(user()),
            Notice::UserDeleted(UserId(1)),
        ];
        notices.extend(changes());
        notices
    }

    #[test]
    fn every_notice_arrives_as_it_was() {
        for notice in notices() {
            let bytes = pack(NODE, u64::MAX, &notice);
            let (node, envelope) = Envelope::read(&bytes).unwrap();
            assert_eq!((node, envelope.n, envelope.open()), (NODE, u64::MAX, Some(notice)));
        }
    }

    #[test]
    fn the_form_stays_as_nodes_of_this_version_know_it() {
        let notice = Notice::Said { room: "tea".into(), from: ConnectionId(3), text: "Hi".into() };
        let text = String::from_utf8(pack(NodeId(255), 17, &notice)).unwrap();
        let what = r#"{"Said":{"room":"tea","from":3,"text":"Hi"}}"#;
        assert_eq!(text, format!(r#"{{"v":1,"node":"00000000000000ff","n":17,"what":{what}}}"#));
        // What a later node of this version says besides is read over.
        let more = format!(r#"{{"v":1,"at":5,"node":"00000000000000ff","n":17,"what":{what}}}"#);
        assert_eq!(Envelope::read(more.as_bytes()).unwrap().1.open(), Some(notice));
    }

    #[test]
    fn no_bytes_do_harm() {
        let whole = pack(NODE, 5, &Notice::Moved(moves()));
        for end in 0..whole.len() {
            assert!(Envelope::read(&whole[..end]).is_none(), "{end}");
        }
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..fastrand::usize(1..4) {
                let place = fastrand::usize(..bytes.len());
                bytes[place] = fastrand::u8(..);
            }
            if let Some((_, envelope)) = Envelope::read(&bytes) {
                let _ = envelope.open();
            }
        }
        let deep = format!(r#"{{"v":1,"node":"00000000000000ff","n":1,"what":{}}}"#, "[".repeat(100_000));
        assert!(Envelope::read(deep.as_bytes()).is_none());
    }
}
