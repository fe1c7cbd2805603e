//! A node that is gone, and everybody there with it. That may be thousands in one room, of each of whom all members are
//! told: so they leave in parts, no faster than that can be told.

use super::super::Hub;
use super::super::effect::Effect;
use crate::id::{ConnectionId, NodeId};

/// How many leave at once.
const PART: usize = 1024;

/// Who was on a node that is gone, and has not left yet.
pub(super) struct Loss {
    node: NodeId,
    is_sudden: bool,
    /// The last leaves first.
    connections: Vec<ConnectionId>,
}

impl Hub {
    /// A node is gone, and everybody there. `is_sudden`: without a word; it may be one that was there before this one, and was
    /// never heard. If they are many, the rest of them leaves with [`Hub::see_off_lost`].
    pub fn lose(&mut self, node: NodeId, is_sudden: bool, effects: &mut Vec<Effect>) {
        self.finish_loss(node, effects);
        let Some(cluster) = &mut self.nodes.0 else { return };
        match cluster.others.get_mut(&node) {
            // Others know it by its name when it comes back, and its guests by theirs.
            Some(other) if is_sudden => (other.roll, other.is_gone) = (None, true),
            _ => drop(cluster.others.remove(&node)),
        }
        let sessions = cluster.sessions.iter().filter(|(_, session)| session.node == node);
        let mut connections: Vec<ConnectionId> = sessions.map(|(id, _)| *id).collect();
        connections.sort_unstable_by(|one, other| other.cmp(one));
        cluster.losses.push(Loss { node, is_sudden, connections });
        self.see_off_lost(effects);
        // Of what it has written last it may have told nobody.
        self.catch_up_if_idle();
        self.survey();
        if is_sudden {
            self.doubt_statuses();
        }
    }

    /// Whether there are some left of those who were on nodes that are gone.
    pub fn has_losses(&self) -> bool {
        self.nodes.0.as_ref().is_some_and(|cluster| !cluster.losses.is_empty())
    }

    /// Some of them leave.
    pub fn see_off_lost(&mut self, effects: &mut Vec<Effect>) {
        let Some(cluster) = &mut self.nodes.0 else { return };
        let Some(mut loss) = cluster.losses.pop() else { return };
        let part = loss.connections.split_off(loss.connections.len().saturating_sub(PART));
        part.into_iter().rev().for_each(|connection| self.close_away(connection, effects));
        if loss.connections.is_empty() {
            self.lose_users(loss.node, loss.is_sudden, effects);
        } else if let Some(cluster) = &mut self.nodes.0 {
            cluster.losses.push(loss);
        }
        self.check_in_debug();
    }

    /// A node that is heard again is another one, as far as it was lost.
    pub(super) fn finish_loss(&mut self, node: NodeId, effects: &mut Vec<Effect>) {
        let is_under_way = |hub: &Self| {
            hub.nodes.0.as_ref().is_some_and(|cluster| cluster.losses.iter().any(|loss| loss.node == node))
        };
        while is_under_way(self) {
            self.see_off_lost(effects);
        }
    }

    fn lose_users(&mut self, node: NodeId, is_sudden: bool, effects: &mut Vec<Effect>) {
        let was_there: Vec<_> =
            self.presence.keys().filter(|&key| self.presence.living(key).nodes.contains(&node)).collect();
        for key in was_there {
            self.presence.living_mut(key).nodes.retain(|other| *other != node);
            let present = self.presence.living(key);
            if present.is_here || !present.nodes.is_empty() {
                continue;
            }
            if is_sudden {
                self.be_absent(key, effects);
            } else {
                // They have been sent to other nodes.
                self.presence.begin_leaving(key, self.now);
            }
        }
    }
}
