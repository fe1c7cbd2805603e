//! Rooms, on the other server: the open ones, for it lists no others.

use serde_json::json;

use super::answer;
use super::calls::Endpoint;
use super::errand::{Errand, not_understood};
use crate::hub::job::{Done, Fault, Outcome, RoomRecord};
use crate::id::{Reference, RoomId, UserId};

impl Errand<'_> {
    pub(super) fn create_room(&self, name: &str, owner: Reference) -> Outcome {
        let owner = self.user_id(owner)?;
        let body = json!({ "UserID": owner.0, "Roomname": name });
        let answer = self.send(Endpoint::CreateRoom, &body, |_| Fault::NoSuchUser)?;
        let id = answer::room_id(answer::one(&answer.body)).ok_or_else(not_understood)?;
        let room = self.room_record(answer::Room { id, name: name.into(), owner: Some(owner.0) });
        Ok(Done::RoomCreated { room, participants: Vec::new() })
    }

    pub(super) fn find_room(&self, room: Reference) -> Outcome {
        self.room(room).map(Done::Room)
    }

    pub(super) fn rename_room(&self, room: Reference, name: &str, by: Option<UserId>) -> Outcome {
        let mut record = self.room_of(room, by)?;
        let body = json!({ "RoomID": record.id.0, "Name": name });
        self.send(Endpoint::RenameRoom, &body, |_| Fault::NoSuchRoom)?;
        record.name = name.into();
        Ok(Done::Room(record))
    }

    pub(super) fn delete_room(&self, room: Reference, by: Option<UserId>) -> Outcome {
        let record = self.room_of(room, by)?;
        self.send(Endpoint::DeleteRoom, &json!({ "RoomID": record.id.0 }), |_| Fault::NoSuchRoom)?;
        Ok(Done::RoomDeleted(record.id))
    }

    /// The open rooms, the oldest first.
    pub(super) fn rooms(&self) -> Result<Vec<RoomRecord>, Fault> {
        let answer = self.read(Endpoint::ReadRooms, &[], not_understood())?;
        let rooms = answer::list(&answer.body, answer::room).ok_or_else(not_understood)?;
        Ok(self.room_records(rooms))
    }

    pub(super) fn room_records(&self, mut rooms: Vec<answer::Room>) -> Vec<RoomRecord> {
        rooms.sort_by_key(|room| room.id);
        rooms.into_iter().map(|room| self.room_record(room)).collect()
    }

    pub(super) fn room(&self, room: Reference) -> Result<RoomRecord, Fault> {
        let is_it = |record: &RoomRecord| match room {
            Reference::Number(id) => record.id.0 == id,
            Reference::Uuid(uuid) => record.uuid == uuid,
        };
        self.rooms()?.into_iter().find(is_it).ok_or(Fault::NoSuchRoom)
    }

    pub(super) fn room_id(&self, room: Reference) -> Result<RoomId, Fault> {
        match room {
            Reference::Number(id) => Ok(RoomId(id)),
            Reference::Uuid(_) => self.room(room).map(|record| record.id),
        }
    }

    /// The open room, if it is theirs. Of others the API doesn't tell whose they are.
    fn room_of(&self, room: Reference, by: Option<UserId>) -> Result<RoomRecord, Fault> {
        let record = self.room(room)?;
        if by.is_none() || record.owner == by { Ok(record) } else { Err(Fault::NoSuchRoom) }
    }

    fn room_record(&self, room: answer::Room) -> RoomRecord {
        let id = RoomId(room.id);
        let (uuid, owner) = (self.room_uuid(id), room.owner.map(UserId));
        RoomRecord { id, uuid, name: room.name, owner, is_private: false, direct: None }
    }
}
