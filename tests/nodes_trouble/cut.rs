//! Nodes in networks of their own are cut off from Redis, from PostgreSQL or from both, for shorter and for longer than the
//! others believe in a silent node.

use std::thread;
use std::time::{Duration, Instant};

use super::scene::{RATE, Scene};
use super::world::API_KEY;
use crate::common::cluster::Cluster;
use crate::common::network::Network;
use crate::common::postgres::Postgres;
use crate::common::redis::Redis;

/// The ways out of each network: of clients, to Redis, to PostgreSQL.
const CLIENTS: usize = 0;
const REDIS: usize = 1;
const POSTGRES: usize = 2;

const SHORT: Duration = Duration::from_secs(12);
const LONG: Duration = Duration::from_secs(20);

/// What each node is cut off from.
const CUTS: [&[usize]; 3] = [&[REDIS], &[POSTGRES], &[REDIS, POSTGRES]];

fn add(cluster: &mut Cluster, network: &Network, postgres: &Postgres, database: &str) {
    let database = postgres.url_at(&network.here(POSTGRES), database);
    let broker = cluster.redis.url_at(&network.here(REDIS), 0);
    let within = network.within();
    let flags = ["--database", &database, "--broker", &broker, "--api-key", API_KEY];
    cluster.add_under(&[&within[0], &within[1]], &format!("{}:0", network.there(CLIENTS)), &flags);
}

#[test]
fn nodes_that_were_cut_off_tell_what_they_missed_once() {
    // The first half is cut off for a short time, the other for a long one.
    let networks: Vec<Network> = (0..2 * CUTS.len()).map(|_| Network::with_links(3)).collect();
    let at = |link| networks.iter().map(|network| network.here(link)).collect::<Vec<String>>();
    let (redis, postgres) = (Redis::start_at(&at(REDIS)), Postgres::start_at(&at(POSTGRES)));
    let database = postgres.database();
    let name = database.rsplit('/').next().unwrap().to_owned();
    let mut cluster = Cluster::around(database, redis);
    cluster.add(&[]);
    networks.iter().for_each(|network| add(&mut cluster, network, &postgres, &name));
    cluster.wait_until_ready();

    let scene = Scene::begin_with(cluster, RATE / 2, &[]);
    let each = || {
        networks.iter().zip(CUTS.iter().cycle()).flat_map(|(network, cut)| cut.iter().map(move |link| (network, *link)))
    };
    let began = Instant::now();
    each().for_each(|(network, link)| network.cut(link));
    thread::sleep(SHORT.saturating_sub(began.elapsed()));
    let half: usize = CUTS.iter().map(|cut| cut.len()).sum();
    each().take(half).for_each(|(network, link)| network.heal(link));
    thread::sleep(LONG.saturating_sub(began.elapsed()));
    let long = Instant::now();
    each().skip(half).for_each(|(network, link)| network.heal(link));
    scene.wait_for_talk();

    let (_cluster, verdict) = scene.finish();
    println!("nodes cut off: {verdict}");
    println!("  heard {:.1?} after {LONG:?}", verdict.heard_again(long));
    let meanwhile = verdict.acknowledged(began, long);
    println!("  meanwhile {meanwhile}");
    assert!(meanwhile.count > 100, "{meanwhile}");
}
