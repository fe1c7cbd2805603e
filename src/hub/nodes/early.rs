//! Who on other nodes is in a room that is not known here yet: a private one in which nobody here takes part, or one whose
//! making is not told here yet. Once it is known they are in it.

use std::collections::BTreeMap;

use super::super::Hub;
use super::{Cluster, Elsewhere};
use crate::id::{ConnectionId, NodeId, RoomId, RoomKey};
use crate::timestamp::Timestamp;

/// Since when they are in it.
pub(super) type Early = BTreeMap<(RoomId, ConnectionId), Timestamp>;

impl Cluster {
    pub(super) fn come_early(&mut self, connection: ConnectionId, room: RoomId, at: Timestamp) {
        if let Some(session) = self.sessions.get_mut(&connection)
            && self.early.insert((room, connection), at).is_none()
        {
            session.early.push(room);
        }
    }

    pub(super) fn leave_early(&mut self, connection: ConnectionId, room: RoomId) {
        self.early.remove(&(room, connection));
        if let Some(session) = self.sessions.get_mut(&connection) {
            session.early.retain(|other| *other != room);
        }
    }

    /// They are going, or their node says anew where they are.
    pub(super) fn leave_all_early(&mut self, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        for room in std::mem::take(&mut session.early) {
            self.early.remove(&(room, connection));
        }
    }

    pub(super) fn forget_early(&mut self, node: NodeId) {
        let came_early = |(id, session): (&ConnectionId, &Elsewhere)| {
            (session.node == node && !session.early.is_empty()).then_some(*id)
        };
        let connections: Vec<ConnectionId> = self.sessions.iter().filter_map(came_early).collect();
        connections.into_iter().for_each(|connection| self.leave_all_early(connection));
    }
}

impl Hub {
    /// The room is known now. Nobody is told: nobody here has been in it.
    pub(in super::super) fn take_in_early(&mut self, room: RoomId, key: RoomKey) {
        let Some(cluster) = self.nodes.0.as_mut().filter(|cluster| !cluster.early.is_empty()) else { return };
        let there = (room, ConnectionId(0))..=(room, ConnectionId(u64::MAX));
        let members: Vec<_> = cluster.early.range(there).map(|((_, connection), at)| (*connection, *at)).collect();
        for (connection, at) in members {
            if let Some(cluster) = &mut self.nodes.0 {
                cluster.leave_early(connection, room);
            }
            self.enter_away(connection, key, at, false, &mut Vec::new());
        }
    }
}
