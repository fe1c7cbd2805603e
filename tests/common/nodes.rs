//! Two nodes over a real Redis with members in one room, and what they spend, beside a server that is alone.

use std::net::TcpStream;

use super::crowd::{Crowd, Effort, ratios};
use super::redis::Redis;
use super::{ACTION, Server, gather_by, raw_websocket, roomcast, say, wait_until};

/// A server, and so many members of a room there.
fn crowd(database: &str, broker: &[&str], room: &str, members: usize) -> Crowd {
    let mut command = roomcast();
    // However slow the machine is, nobody is pinged.
    command.args(["serve", "--listen", "127.0.0.1:0", "--rate", "0", "--ping", "24h", "--database", database]);
    command.args(broker);
    let server = Server::spawn(command);
    let mut members: Vec<TcpStream> = (0..members).map(|_| raw_websocket(&server, ACTION)).collect();
    gather_by(format!(r#"{{"action":"join","room":"{room}"}}"#).as_bytes(), &mut members);
    Crowd::new(server, members)
}

/// Two nodes with so many members each in one room, who know of each other. Each room has a Redis database of its own.
pub fn nodes(redis: &Redis, number: u32, database: &str, room: &str, members: usize) -> [Crowd; 2] {
    let url = redis.url(number);
    let nodes = [0, 1].map(|_| crowd(database, &["--broker", &url], room, members));
    wait_until("the nodes to hear of the room", || {
        let channels = redis.cli(&["PUBSUB", "CHANNELS", &format!("roomcast:{number}:*")]);
        let rooms = channels.lines().filter(|line| line.contains(":name:") || line.contains(":room:"));
        rooms.into_iter().any(|room| redis.cli(&["PUBSUB", "NUMSUB", room]).lines().any(|count| count == "2"))
    });
    nodes
}

/// What a message costs the sender's node, and a delivery another node, as ratios to what they cost a server that is alone.
pub fn costs(redis: &Redis, effort: &Effort) -> [f64; 2] {
    let alone = crowd("none", &[], "den", effort.members);
    let [home, distant] = nodes(redis, 0, "none", "den", effort.members);
    let [_, home, distant] = ratios([alone, home, distant], effort, |[alone, home, distant], text| {
        say(&mut alone.members[0], text);
        alone.hear(text);
        say(&mut home.members[0], text);
        home.hear(text);
        distant.hear(text);
    });
    [home, distant]
}
