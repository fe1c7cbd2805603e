//! How the cost of several nodes grows with members, rooms and nodes: hubs with up to a million sessions together, each
//! with its own and a mirror of all others, and between them a bus that is a function call. What would go over the wire
//! is packed and read, as JSON, and counted. What members are told goes through their outboxes into nothing: what the
//! kernel takes for it, the other benches say.
//!
//! A run prints the table of the README; `-- --keep` writes it there and draws `growth.svg`. In a test run, little of it
//! is done, to see that it works.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench that can't go on has failed")]

mod cluster;
mod fanout;
mod plot;

use std::process::Command;

use cluster::{Figures, Scale};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/growth.svg");
const BEGIN: &str = "<!-- growth:begin -->\n";
const END: &str = "<!-- growth:end -->";

/// In which a process of its own is told what to measure: memory that another one has left would be in the figures.
const SCALE: &str = "GROWTH_SCALE";

/// A million sessions on ten nodes, in ever larger rooms.
const ROOMS: [Scale; 4] = [
    Scale { nodes: 10, each: 100_000, room: 10 },
    Scale { nodes: 10, each: 100_000, room: 1_000 },
    Scale { nodes: 10, each: 100_000, room: 100_000 },
    Scale { nodes: 10, each: 100_000, room: 1_000_000 },
];

/// Ever more nodes with as many sessions each.
const NODES: [Scale; 5] = [
    Scale { nodes: 2, each: 10_000, room: 1_000 },
    Scale { nodes: 5, each: 10_000, room: 1_000 },
    Scale { nodes: 10, each: 10_000, room: 1_000 },
    Scale { nodes: 20, each: 10_000, room: 1_000 },
    Scale { nodes: 40, each: 10_000, room: 1_000 },
];

const SMALL: Scale = Scale { nodes: 5, each: 2_000, room: 100 };

fn main() {
    if let Ok(scale) = std::env::var(SCALE) {
        let figures = cluster::measure(serde_json::from_str(&scale).unwrap());
        return println!("{}", serde_json::to_string(&figures).unwrap());
    }
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if !has("--bench") {
        return println!("{}", table(&[measured(SMALL)]));
    }
    let (rooms, nodes) = (ROOMS.map(measured), NODES.map(measured));
    let table = table(&[&rooms[..], &nodes[..]].concat());
    println!("{table}");
    if has("--keep") {
        let readme = std::fs::read_to_string(README).unwrap();
        let (before, rest) = readme.split_once(BEGIN).expect("where the table begins");
        let (_, after) = rest.split_once(END).expect("where the table ends");
        std::fs::write(README, format!("{before}{BEGIN}\n{table}\n{END}{after}")).unwrap();
        std::fs::write(PLOT, plot::draw(&rooms, &nodes)).unwrap();
    }
}

fn measured(scale: Scale) -> Figures {
    let scale = serde_json::to_string(&scale).unwrap();
    let output = Command::new(std::env::current_exe().unwrap()).env(SCALE, &scale).output().unwrap();
    assert!(output.status.success(), "{scale}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A column, and what stands in it.
type Column = (&'static str, fn(&Figures) -> String);

#[rustfmt::skip]
const COLUMNS: [Column; 12] = [
    ("nodes",                                          |it| it.scale.nodes.to_string()),
    ("sessions",                                       |it| grouped(it.scale.nodes * it.scale.each)),
    ("in a room",                                      |it| grouped(it.scale.room)),
    ("bytes: own session, mirrored one",               |it| format!("{:.0}, {:.0}", it.own_bytes, it.mirrored_bytes)),
    ("MB of a node's memory",                          |it| format!("{:.0}", it.node_bytes() / 1e6)),
    ("µs to come: here, on each other node",           |it| pair(it.come)),
    ("to go",                                          |it| pair(it.go)),
    ("to say something: here, on each node it reaches", |it| pair(it.say)),
    ("nodes it reaches",                               |it| format!("{:.1}", it.reached)),
    ("to tell the members on one of them",              |it| format!("{:.1}", it.deliver * 1e6)),
    ("to take up a node: MB, s",                       |it| format!("{:.1}, {:.2}", it.directory_bytes / 1e6, it.directory_seconds)),
    ("to lose one: s, in steps of ms",                 |it| format!("{:.2}, {:.1}", it.loss_seconds, it.loss_step * 1e3)),
];

fn table(rows: &[Figures]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let head = line(COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect());
    let rule = format!("|{}\n", "---|".repeat(COLUMNS.len()));
    let body: String = rows.iter().map(|row| line(COLUMNS.iter().map(|(_, cell)| cell(row)).collect())).collect();
    head + &rule + &body
}

fn pair([here, there]: [f64; 2]) -> String {
    format!("{:.1}, {:.1}", here * 1e6, there * 1e6)
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|part| str::from_utf8(part).unwrap()).collect();
    parts.join(",")
}
