//! What programs hear that are no nodes.

use roomcast::broker::{Announcement, Arrival};

use super::node::Node;
use crate::common::program::Program;
use crate::common::redis::Redis;
use crate::common::waiting::{PATIENCE, wait_until};

fn announce(node: &mut Node, channel: &'static str, payload: &str, once: Option<&str>) {
    let announcement = Announcement { channel, payload: payload.into(), once: once.map(Into::into) };
    node.handle().announce(announcement);
}

#[test]
fn what_several_nodes_announce_under_a_name_is_told_once() {
    let redis = Redis::start();
    let mut program = Program::start(&redis);
    let mut nodes = [1, 2].map(|id| Node::start(&redis.url(0), id));
    for n in 0..50 {
        for node in &mut nodes {
            announce(node, "new_messages", &format!("{{\"id\":{n}}}"), Some(&format!("message {n}")));
        }
    }
    // Each announces all in order, so of both together none comes before one with a smaller number.
    for n in 0..50 {
        assert_eq!(program.hear(), ("new_messages".into(), format!("{{\"id\":{n}}}")));
    }
    announce(&mut nodes[0], "updated_messages", "one", None);
    assert_eq!(program.hear(), ("updated_messages".into(), "one".into()));
    announce(&mut nodes[1], "deleted_messages", "two", Some("message 0"));
    announce(&mut nodes[1], "deleted_messages", "three", Some("deletion 0"));
    assert_eq!(program.hear(), ("deleted_messages".into(), "three".into()));
}

#[test]
fn what_is_announced_while_the_server_is_away_is_told_when_it_is_back() {
    let mut redis = Redis::start();
    let mut node = Node::start(&redis.url(0), 1);
    redis.kill();
    node.expect(&Arrival::Down);
    for n in 0..3 {
        announce(&mut node, "new_messages", &n.to_string(), Some(&n.to_string()));
    }
    assert_eq!(node.handle().stats().waiting, 3);
    redis.start_again();
    // They are told as soon as it is back, which may be before anybody listens: whoever listens late hears the rest.
    node.skip_to(PATIENCE, &Arrival::Up);
    wait_until("the announcements to be told", || node.handle().stats().published == 3);
}
