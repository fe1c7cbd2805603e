//! Whoever does not read loses its connection, and nobody else loses anything: neither memory nor time.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::crowd::alone;
use crate::common::{ACTION, JOIN, Server, TEXT, frame, raw_websocket, read_close, read_frame, room_of};

/// Those who read; with the one who never does they are ten.
const READERS: usize = 9;

const TEXT_BYTES: usize = 16 * 1024;

/// So many are sent at once, and the next when all readers have them. It is a quarter of what an outbox holds: a reader
/// that waits for a processor is never slow.
const SALVO: usize = 16;

/// What is published while one member never reads: 1 GiB.
const MESSAGES: usize = (1 << 30) / TEXT_BYTES;

/// That is done in so many parts, and before each a quarter as much is published without that member.
const ROUNDS: usize = 16;

/// A server's `--outbox`, which is the default, and 2 MiB.
const MOST_BYTES: u64 = (1 << 20) + (2 << 20);

/// How much longer 99 of 100 deliveries may take beside it, as the median of the rounds' ratios: "within noise". Both
/// parts of a round meet the same mood of the machine, and the median is 1.0 to 1.2 even where others use all of its
/// processors, though single rounds go from 0.2 to 5. A tenth member's bytes are a tenth more work. A server that waits
/// for who does not read, be it one time in fifty, is beyond 2.
const NOISE: f64 = 2.0;

/// Longer than any kernel's buffers: whoever is still there then will never be disconnected.
const PATIENCE_MESSAGES: usize = MESSAGES / 4;

struct Room<'a> {
    server: &'a Server,
    /// The first one sends, the last one's time is taken.
    readers: Vec<BufReader<TcpStream>>,
    salvo: Vec<u8>,
    /// How many have been disconnected for not reading.
    disconnected: usize,
}

impl<'a> Room<'a> {
    fn new(server: &'a Server) -> Self {
        let request = format!(r#"{{"action":"room_message","message":"{}"}}"#, "x".repeat(TEXT_BYTES));
        let readers = room_of(server, READERS).into_iter().map(|reader| BufReader::with_capacity(1 << 16, reader));
        let salvo = frame(TEXT, request.as_bytes()).repeat(SALVO);
        Self { server, readers: readers.collect(), salvo, disconnected: 0 }
    }

    /// Publishes so many messages. Returns how long each took to the last reader.
    fn publish(&mut self, messages: usize) -> Vec<Duration> {
        let mut times = Vec::new();
        while times.len() < messages {
            self.exchange(&mut times);
        }
        times
    }

    /// The same with a member that never reads. When it has been disconnected another comes, until all is published.
    fn publish_beside_a_silent_one(&mut self, messages: usize) -> Vec<Duration> {
        let mut times = Vec::new();
        while times.len() < messages {
            let mut silent = self.join_silent();
            let joined = times.len();
            while !self.exchange(&mut times) {
                assert!(times.len() < joined + PATIENCE_MESSAGES, "whoever does not read is never disconnected");
            }
            let reason = (1008, "reading too slowly: the outbox is full".into());
            assert_eq!(read_close(&mut silent), reason, "what it finds when it does read at last");
            self.disconnected += 1;
        }
        times
    }

    fn join_silent(&self) -> TcpStream {
        let mut stream = raw_websocket(self.server, ACTION);
        stream.write_all(&frame(TEXT, JOIN)).unwrap();
        while read_frame(&mut stream).unwrap().1 != JOIN {}
        stream
    }

    /// A salvo, until all readers have it. Tells whether somebody has left the room.
    fn exchange(&mut self, times: &mut Vec<Duration>) -> bool {
        let mut left = false;
        let sent = Instant::now();
        self.readers[0].get_mut().write_all(&self.salvo).unwrap();
        // The last one is listened to first, lest its time be that of reading from the others.
        for (place, reader) in self.readers.iter_mut().enumerate().rev() {
            let is_timed = place == READERS - 1;
            let mut heard = 0;
            while heard < SALVO {
                let payload = read_frame(reader).unwrap().1;
                if payload.len() > TEXT_BYTES {
                    heard += 1;
                    times.extend(is_timed.then(|| sent.elapsed()));
                }
                left |= is_timed && payload.starts_with(br#"{"action":"leave""#);
            }
        }
        left
    }
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn one_that_never_reads_costs_the_others_nothing() {
    let _alone = alone(READERS + 1);
    // Nobody here answers pings.
    let server = Server::unlimited(&["--ping", "10m"]);
    let mut room = Room::new(&server);
    let memory = server.resident_bytes_of_all();
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let without = p99(&mut room.publish(MESSAGES / ROUNDS / 4));
        let with = p99(&mut room.publish_beside_a_silent_one(MESSAGES / ROUNDS));
        println!("round {round}: 99 of 100 within {with:.1?} beside one that does not read, {without:.1?} without");
        ratios.push(with.as_secs_f64() / without.as_secs_f64());
    }
    let grown = server.peak_bytes_of_all() - memory;
    let ratio = median(ratios);
    println!("{} were disconnected; memory grew by {grown} bytes at most; ratio {ratio:.2}", room.disconnected);
    assert!(grown <= MOST_BYTES, "memory grew by {grown} bytes");
    assert!(ratio <= NOISE, "beside one that does not read, deliveries take {ratio:.2} times as long");
}
