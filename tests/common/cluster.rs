//! Several nodes that are one chat: on a database and a Redis server of their own. Like all that the tests start, nothing
//! of it stays behind.

use std::ops::{Deref, DerefMut};

use super::people::SECRET;
use super::postgres::Postgres;
use super::redis::Redis;
use super::{Server, roomcast, roomcast_under, wait_until};

/// The nodes, and what they meet at.
pub struct Cluster {
    /// The nodes that run, in the order of their start. They end before what they need.
    pub nodes: Vec<Node>,
    pub redis: Redis,
    /// The database's URL.
    pub database: String,
}

/// One of them: a server that can be started again.
pub struct Node {
    server: Server,
    /// What comes before the program, if it does not run as it is.
    under: Vec<String>,
    flags: Vec<String>,
}

impl Deref for Node {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for Node {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

impl Node {
    /// By `kill -9`. Until it starts again nobody listens at its address.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.wait();
    }

    /// In order, as on SIGTERM. Returns all that it has printed.
    #[track_caller]
    pub fn stop(&mut self) -> String {
        self.signal("TERM");
        let (status, log) = self.wait();
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// Starts it, at the address where it was, after it has ended. Whoever needs it waits until it [is ready](Self::is_ready).
    pub fn start_again(&mut self) {
        self.server = spawn(&self.under, &self.server.address.to_string(), &self.flags);
    }

    /// Stops it where it is: to others it is as if the machine were gone.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Whether it says so: its store and Redis are there, and the others have said who is where.
    pub fn is_ready(&self) -> bool {
        self.get("/ready", &[]).starts_with("HTTP/1.1 200 ")
    }
}

impl Cluster {
    /// So many nodes, all ready. Each knows of the others.
    pub fn start(count: usize) -> Self {
        Self::start_with(count, &[])
    }

    /// The same with these flags besides.
    pub fn start_with(count: usize, flags: &[&str]) -> Self {
        let mut cluster = Self::around(Postgres::shared().database(), Redis::start());
        for _ in 0..count {
            cluster.add(flags);
        }
        cluster.wait_until_ready();
        cluster
    }

    /// Nobody yet.
    pub fn around(database: String, redis: Redis) -> Self {
        Self { nodes: Vec::new(), redis, database }
    }

    /// One more node, with these flags besides.
    pub fn add(&mut self, flags: &[&str]) -> &mut Node {
        let (database, redis) = (self.database.clone(), self.redis.url(0));
        let own = ["--database", &database, "--broker", &redis];
        self.add_under(&[], "127.0.0.1:0", &[&own, flags].concat())
    }

    /// One that runs under another program, listens there, and is told by its flags where its database and Redis are.
    pub fn add_under(&mut self, under: &[&str], listen: &str, flags: &[&str]) -> &mut Node {
        let own = ["--jwt-secret", SECRET, "--rate", "0"];
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        let (under, flags) = (owned(under), owned(&[&own, flags].concat()));
        let server = spawn(&under, listen, &flags);
        self.nodes.push(Node { server, under, flags });
        self.nodes.last_mut().unwrap()
    }

    /// Waits until all nodes are ready and know of each other.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        let count = self.nodes.len();
        wait_until("the nodes to be ready", || self.nodes.iter().all(Node::is_ready));
        wait_until("the nodes to know each other", || self.nodes.iter().all(|node| known(node) == count));
    }

    /// The nodes themselves.
    pub fn servers<const N: usize>(&self) -> [&Server; N] {
        let servers: Vec<&Server> = self.nodes.iter().map(|node| &**node).collect();
        servers.try_into().unwrap_or_else(|servers: Vec<_>| panic!("{} nodes", servers.len()))
    }
}

fn spawn(under: &[String], listen: &str, flags: &[String]) -> Server {
    let under: Vec<&str> = under.iter().map(String::as_str).collect();
    let mut command = if under.is_empty() { roomcast() } else { roomcast_under(&under) };
    command.args(["serve", "--listen", listen]).args(flags);
    Server::spawn(command)
}

/// How many nodes one knows to live, itself included.
fn known(node: &Server) -> usize {
    let metrics = node.get("/metrics", &[]);
    let count = metrics.lines().find_map(|line| line.strip_prefix("roomcast_nodes ")?.parse().ok());
    count.unwrap_or_else(|| panic!("no count of the nodes: {metrics}"))
}
