//! A room of a thousand beside another node: that there is one costs neither the sender's node nor the other much.

use crate::common::crowd::{Effort, alone};
use crate::common::nodes::costs;
use crate::common::redis::Redis;

const EFFORT: Effort = Effort { members: 1_000, rounds: 5, messages: 20 };

/// How much more than on a server that is alone.
const MORE: f64 = 1.10;

/// So often it is tried: whatever else the machine does may be told more of the one than of the other.
const TRIES: usize = 3;

#[test]
fn another_node_costs_little_and_little_more_is_spent_there() {
    let _alone = alone(3 * EFFORT.members);
    let redis = Redis::start();
    let mut tried = Vec::new();
    for _ in 0..TRIES {
        let [sender, distant] = costs(&redis, &EFFORT);
        println!("a message on the sender's node: {sender:.3}; a delivery on the other: {distant:.3}");
        if sender <= MORE && distant <= MORE {
            return;
        }
        tried.push([sender, distant]);
    }
    panic!("more than {MORE}: {tried:.3?}");
}
