//! Two nodes over a real Redis with members in one room, and what they spend, beside a server that is alone.

use std::net::TcpStream;
use std::time::Duration;

use super::crowd::read_past;
use super::redis::Redis;
use super::{ACTION, Server, gather_by, raw_websocket, roomcast, say, wait_until};

/// How much is done.
pub struct Effort {
    /// Of each server's room.
    pub members: usize,
    /// Ratios are taken within a round.
    pub rounds: usize,
    /// In each round.
    pub messages: usize,
}

fn server(database: &str, broker: &[&str]) -> Server {
    let mut command = roomcast();
    // However slow the machine is, nobody is pinged.
    command.args(["serve", "--listen", "127.0.0.1:0", "--rate", "0", "--ping", "24h", "--database", database]);
    command.args(broker);
    Server::spawn(command)
}

/// Two nodes with so many members each in one room, who know of each other. Each room has a Redis database of its own.
pub fn nodes(redis: &Redis, number: u32, database: &str, room: &str, members: usize) -> [Crowd; 2] {
    let url = redis.url(number);
    let nodes = [0, 1].map(|_| Crowd::of(server(database, &["--broker", &url]), room, members));
    wait_until("the nodes to hear of the room", || {
        let channels = redis.cli(&["PUBSUB", "CHANNELS", &format!("roomcast:{number}:*")]);
        let rooms = channels.lines().filter(|line| line.contains(":name:") || line.contains(":room:"));
        rooms.into_iter().any(|room| redis.cli(&["PUBSUB", "NUMSUB", room]).lines().any(|count| count == "2"))
    });
    nodes
}

/// A server, and members of its room who read when they are told to.
pub struct Crowd {
    server: Server,
    pub members: Vec<TcpStream>,
    spent: Duration,
}

impl Crowd {
    fn of(server: Server, room: &str, members: usize) -> Self {
        let mut members: Vec<TcpStream> = (0..members).map(|_| raw_websocket(&server, ACTION)).collect();
        gather_by(format!(r#"{{"action":"join","room":"{room}"}}"#).as_bytes(), &mut members);
        Self { server, members, spent: Duration::ZERO }
    }

    /// All have been told. Nobody else reads before that: to wake somebody who waits costs more than the rest.
    fn hear(&mut self, text: &str) {
        read_past(&mut self.members[0], text.as_bytes());
        wait_until("all to be told", || self.server.is_asleep());
        self.members[1..].iter_mut().for_each(|member| read_past(member, text.as_bytes()));
    }

    /// From now on what it spends is counted.
    pub fn begin(&mut self) {
        self.spent = cpu_time(&self.server);
    }

    /// Seconds of its CPU time, all threads of it.
    pub fn spent(&self) -> f64 {
        (cpu_time(&self.server) - self.spent).as_secs_f64()
    }
}

/// Of all threads, to the nanosecond.
fn cpu_time(server: &Server) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let time = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    Duration::from_nanos(tasks.map(time).sum())
}

/// What a message costs the sender's node, and a delivery another node, as ratios to what they cost a server that is alone.
pub fn costs(redis: &Redis, effort: &Effort) -> [f64; 2] {
    let mut alone = Crowd::of(server("none", &[]), "den", effort.members);
    let [mut home, mut distant] = nodes(redis, 0, "none", "den", effort.members);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    // The first round is for warmth.
    for round in 0..=effort.rounds {
        [&mut alone, &mut home, &mut distant].into_iter().for_each(Crowd::begin);
        for message in 0..effort.messages {
            let text = format!("{:064}", round * effort.messages + message);
            say(&mut alone.members[0], &text);
            alone.hear(&text);
            say(&mut home.members[0], &text);
            home.hear(&text);
            distant.hear(&text);
        }
        if round > 0 {
            here.push(home.spent() / alone.spent());
            there.push(distant.spent() / alone.spent());
        }
    }
    [median(here), median(there)]
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
