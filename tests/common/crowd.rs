//! How crowds are brought together, and measured that are told something.

use std::io::Read;
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Server, raise_descriptor_limit, wait_until};

/// One crowd at a time, of so many: they share the machine's processors, ports and descriptors. For as long as the guard
/// lives.
pub fn alone(members: usize) -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    assert!(raise_descriptor_limit() > members as u64 + 100, "too few open files are allowed");
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads in large pieces until `text` has come. What else has come then is left out or read with what comes next.
pub fn read_past(stream: &mut TcpStream, text: &[u8]) {
    let mut buffer = [0; 1 << 14];
    let mut tail = Vec::new();
    while !tail.windows(text.len()).any(|window| window == text) {
        tail.drain(..tail.len().saturating_sub(text.len()));
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection ended");
        tail.extend_from_slice(&buffer[..count]);
    }
}

/// A server, and members of its room who read when they are told to.
pub struct Crowd {
    pub server: Server,
    pub members: Vec<TcpStream>,
    spent: Duration,
}

impl Crowd {
    pub fn new(server: Server, members: Vec<TcpStream>) -> Self {
        Self { server, members, spent: Duration::ZERO }
    }

    /// All have been told. Nobody else reads before that: to wake somebody who waits costs more than the rest.
    pub fn hear(&mut self, text: &str) {
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

/// How much is done where costs are compared.
pub struct Effort {
    /// Of each crowd.
    pub members: usize,
    /// Ratios are taken within a round.
    pub rounds: usize,
    /// In each round.
    pub messages: usize,
}

/// What the crowds cost their servers, as ratios to what the first one costs: the medians of the rounds'. `tell` has all
/// of them hear a text, one crowd after the other, so that all meet the same moods of the machine.
pub fn ratios<const N: usize>(
    mut crowds: [Crowd; N],
    effort: &Effort,
    mut tell: impl FnMut(&mut [Crowd; N], &str),
) -> [f64; N] {
    let mut ratios = [(); N].map(|()| Vec::new());
    // The first round is for warmth.
    for round in 0..=effort.rounds {
        crowds.iter_mut().for_each(Crowd::begin);
        for message in 0..effort.messages {
            tell(&mut crowds, &format!("{:064}", round * effort.messages + message));
        }
        if round > 0 {
            let first = crowds[0].spent();
            ratios.iter_mut().zip(&crowds).for_each(|(ratios, crowd)| ratios.push(crowd.spent() / first));
        }
    }
    ratios.map(median)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
