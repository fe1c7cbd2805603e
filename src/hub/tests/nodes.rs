//! Several hubs as one chat: a bus that delays and loses, a store that has the one order, nodes that go and come back.

mod directory;
mod order;
mod statuses;
mod survey;
mod typing;
mod world;

use super::*;
use crate::hub::nodes::{Address, BLOCK, Concern, Errand, Move, Notice, RoomTag, Start, Telling};
use crate::id::{NodeId, Position};
