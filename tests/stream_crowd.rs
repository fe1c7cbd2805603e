//! Thousands who listen: one POST reaches them all, and to tell them costs what it costs to tell as many who speak the
//! action dialect.

use std::io::Write;
use std::net::TcpStream;

use crate::common::crowd::{alone, least, read_past};
use crate::common::http::Http;
use crate::common::stream::saying;
use crate::common::{ACTION, Server, gather_by, raw_websocket, read_until, serve, wait_until};

const CROWD: usize = 5_000;
/// In each round so many are told to each crowd, one after the other.
const MESSAGES: usize = 20;

/// What a listener may cost of the server's own memory.
const LISTENER_BYTES: u64 = 900;

/// How much more than on the action dialect a delivery may cost. It is the same work: finished bytes that all share.
const MORE: f64 = 1.10;
/// So many crowds of each kind are measured in any case, and so many before it is given up: whatever else the machine
/// does can only add to a figure.
const CROWDS: std::ops::RangeInclusive<usize> = 2..=5;
/// So often is each of them measured.
const ROUNDS: usize = 4;

/// A server, so many clients of one dialect in the lobby, and somebody who posts there.
struct Crowd {
    server: Server,
    members: Vec<TcpStream>,
    poster: Http,
    said: usize,
    /// The CPU time for each delivery, in nanoseconds.
    figures: Vec<f64>,
}

impl Crowd {
    fn new(enter: impl FnOnce(&Server) -> Vec<TcpStream>) -> Self {
        // By itself glibc keeps what was freed for later.
        let mut command = serve(&["--rate", "0"]);
        command.env("MALLOC_TRIM_THRESHOLD_", "131072");
        let server = Server::spawn(command);
        let members = enter(&server);
        let poster = Http::open(server.address).unwrap();
        Self { server, members, poster, said: 0, figures: Vec::new() }
    }

    /// Has something said and heard by all, over and over.
    fn measure(&mut self) {
        let before = self.server.cpu_time();
        for _ in 0..MESSAGES {
            self.said += 1;
            let text = format!("{:064}", self.said);
            self.poster.send("POST", "/message", saying(&text)).unwrap();
            assert_eq!(self.poster.answer().unwrap().status, 201);
            // It is answered in the turn in which all are told. Nobody reads meanwhile: to wake somebody who waits costs
            // more than the rest.
            wait_until("all to be told", || self.server.is_asleep());
            for member in &mut self.members {
                read_past(member, text.as_bytes());
            }
        }
        let spent = (self.server.cpu_time() - before).as_nanos() as f64;
        self.figures.push(spent / (MESSAGES * CROWD) as f64);
    }
}

fn by_actions(server: &Server) -> Vec<TcpStream> {
    let mut crowd: Vec<TcpStream> = (0..CROWD).map(|_| raw_websocket(server, ACTION)).collect();
    gather_by(br#"{"action":"join","room":"lobby"}"#, &mut crowd);
    crowd
}

fn by_streams(server: &Server) -> Vec<TcpStream> {
    let base = server.resident_bytes();
    let mut crowd = server.many_raw(CROWD);
    for listener in &mut crowd {
        listener.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n").unwrap();
    }
    for listener in &mut crowd {
        read_until(listener, b"Connected to message stream\"}\n\n");
    }
    let each = (server.resident_bytes() - base) / CROWD as u64;
    println!("resident memory per listener: {each} bytes");
    assert!(each <= LISTENER_BYTES, "{each} bytes per listener");
    crowd
}

/// One crowd at a time: beside another one everything takes longer for whoever came second.
fn figures(enter: fn(&Server) -> Vec<TcpStream>) -> Vec<f64> {
    let mut crowd = Crowd::new(enter);
    (0..ROUNDS).for_each(|_| crowd.measure());
    let metrics = crowd.server.get("/metrics", &[]);
    assert!(metrics.contains("\nroomcast_closed_total{reason=\"slow_reader\"} 0\n"), "{metrics}");
    crowd.figures
}

#[test]
fn telling_five_thousand_listeners_costs_no_more_than_on_the_action_dialect() {
    let _alone = alone(CROWD);
    let (mut actions, mut streams, mut ratio) = (Vec::new(), Vec::new(), f64::INFINITY);
    for crowd in 1..=*CROWDS.end() {
        actions.extend(figures(by_actions));
        streams.extend(figures(by_streams));
        ratio = least(&streams) / least(&actions);
        if crowd >= *CROWDS.start() && ratio <= MORE {
            break;
        }
    }
    println!("ns for each delivery: actions {actions:.0?}, streams {streams:.0?}");
    println!("{CROWD} in the lobby: a delivery by an event stream costs {ratio:.3} times what it costs by actions");
    assert!(ratio <= MORE, "{ratio:.3}");
}
