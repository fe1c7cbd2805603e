//! The first node of a cluster, while it is alone.

use crate::common::cluster::Cluster;

#[test]
fn a_node_that_is_the_first_counts_its_connections_from_nought() {
    let mut cluster = Cluster::start(1);
    let clients: Vec<_> = (0..3).map(|_| cluster.nodes[0].join_in()).collect();
    let ids: Vec<&str> = clients.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["0", "1", "2"]);
    cluster.add(&[]);
    cluster.wait_until_ready();
    let (_later, id) = cluster.nodes[1].join_in();
    assert!(!ids.contains(&id.as_str()), "{id} is given twice");
    let (_fourth, id) = cluster.nodes[0].join_in();
    assert_eq!(id, "3");
}
