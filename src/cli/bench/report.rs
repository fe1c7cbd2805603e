//! What comes out: the figures, under names that stay, as one JSON object or as a table for people.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::load::Tally;
use super::options::{Mode, Options};
use super::process::Usage;

/// Above this share of a thread's time the generator may be what is measured.
const SATURATED: f64 = 0.9;

/// All figures of one run. The names of the fields are those of the JSON object.
#[derive(Serialize)]
pub(super) struct Report {
    mode: Mode,
    members: usize,
    senders: usize,
    payload: usize,
    window: usize,
    seconds: f64,
    messages: u64,
    deliveries: u64,
    deliveries_per_second: f64,
    latency_us: Option<Latency>,
    generator: Option<Generator>,
    server: Option<ServerFigures>,
}

/// In microseconds.
#[derive(Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

#[derive(Serialize)]
struct Generator {
    cpu_fraction: f64,
    saturated: bool,
}

#[derive(Serialize)]
struct ServerFigures {
    cpu_s_per_million: Option<f64>,
    user_s_per_million: Option<f64>,
    system_s_per_million: Option<f64>,
    resident_bytes: Resident,
    bytes_per_idle_connection: f64,
    cpu_us_per_connection: f64,
}

#[derive(Serialize)]
struct Resident {
    before: u64,
    idle: u64,
    end: u64,
}

/// What the server had used at each stage.
pub(super) struct Stages {
    /// Before anybody connected.
    pub(super) before: Usage,
    /// When all were connected and welcomed.
    pub(super) idle: Usage,
    /// When the measurement began.
    pub(super) begin: Usage,
    /// When it ended.
    pub(super) end: Usage,
}

impl Report {
    /// Of a run that was measured: nothing, where all that was asked for is to connect.
    pub(super) fn new(options: &Options, tally: Option<&Tally>, stages: Option<&Stages>) -> Self {
        let (messages, deliveries) = tally.map_or((0, 0), |tally| (tally.messages, tally.deliveries));
        let seconds = tally.map_or(0.0, |tally| tally.span.as_secs_f64());
        Self {
            mode: options.mode,
            members: options.members,
            senders: options.senders,
            payload: options.payload,
            window: options.window,
            seconds: rounded(seconds),
            messages,
            deliveries,
            deliveries_per_second: rounded(ratio(deliveries, seconds)),
            latency_us: tally.map(|tally| Latency::of(&tally.latency)),
            generator: tally
                .map(|tally| Generator { cpu_fraction: rounded(tally.busy), saturated: tally.busy > SATURATED }),
            server: stages.map(|stages| ServerFigures::of(stages, options.members, deliveries)),
        }
    }
}

impl Latency {
    fn of(nanoseconds: &Histogram<u64>) -> Self {
        let at = |quantile| rounded(nanoseconds.value_at_quantile(quantile) as f64 / 1e3);
        Self { p50: at(0.5), p99: at(0.99), p99_9: at(0.999), max: rounded(nanoseconds.max() as f64 / 1e3) }
    }
}

impl ServerFigures {
    fn of(stages: &Stages, members: usize, deliveries: u64) -> Self {
        let used = stages.end.cpu.since(stages.begin.cpu);
        let per_million =
            |time: Duration| (deliveries > 0).then(|| rounded(time.as_secs_f64() * 1e6 / deliveries as f64));
        let connecting = stages.idle.cpu.since(stages.before.cpu);
        let grown = stages.idle.resident as f64 - stages.before.resident as f64;
        Self {
            cpu_s_per_million: per_million(used.total),
            user_s_per_million: per_million(used.user),
            system_s_per_million: per_million(used.system),
            resident_bytes: Resident {
                before: stages.before.resident,
                idle: stages.idle.resident,
                end: stages.end.resident,
            },
            bytes_per_idle_connection: rounded(grown / members as f64),
            cpu_us_per_connection: rounded(connecting.total.as_secs_f64() * 1e6 / members as f64),
        }
    }
}

fn ratio(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// To four digits behind the point: beyond them is noise.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// The table.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = format!("{:?}", self.mode).to_lowercase();
        write!(out, "{mode}: {} members, {} sending", grouped(self.members as f64), grouped(self.senders as f64))?;
        if let Some(latency) = &self.latency_us {
            writeln!(out, ", {} bytes of text, window {}, {:.1} s", self.payload, self.window, self.seconds)?;
            let rate = ratio(self.messages, self.seconds);
            row(out, "messages", self.messages as f64, &format!("{} a second", grouped(rate)))?;
            let rate = format!("{} a second", grouped(self.deliveries_per_second));
            row(out, "deliveries", self.deliveries as f64, &rate)?;
            for (name, value) in [("p50", latency.p50), ("p99", latency.p99), ("p99.9", latency.p99_9)] {
                row(out, &format!("latency {name}"), value, "µs")?;
            }
            row(out, "latency max", latency.max, "µs")?;
        } else {
            writeln!(out)?;
        }
        if let Some(server) = &self.server {
            write!(out, "{server}")?;
        }
        if let Some(generator) = &self.generator {
            writeln!(out, "  {:<24}{:>16.0} % of a thread's time", "generator", generator.cpu_fraction * 100.0)?;
            if generator.saturated {
                writeln!(out, "\nsaturated: the generator had no time left, so that these figures may be its own")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ServerFigures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("server CPU", self.cpu_s_per_million),
            ("  user", self.user_s_per_million),
            ("  system", self.system_s_per_million),
        ];
        for (name, seconds) in parts {
            if let Some(seconds) = seconds {
                writeln!(out, "  {name:<24}{seconds:>16.3} s per million deliveries")?;
            }
        }
        let resident = &self.resident_bytes;
        for (when, bytes) in [("at first", resident.before), ("connected", resident.idle), ("at the end", resident.end)]
        {
            row(out, &format!("server memory {when}"), bytes as f64 / 1024.0, "KiB")?;
        }
        row(out, "idle connection", self.bytes_per_idle_connection, "bytes")?;
        writeln!(out, "  {:<24}{:>16.1} µs of CPU", "accepting one", self.cpu_us_per_connection)
    }
}

fn row(out: &mut fmt::Formatter<'_>, name: &str, value: f64, unit: &str) -> fmt::Result {
    writeln!(out, "  {name:<24}{:>16} {unit}", grouped(value))
}

/// A whole number with commas between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut grouped = String::from(if value <= -0.5 { "-" } else { "" });
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [(0.0, "0"), (-0.2, "0"), (999.6, "1,000"), (-1234.0, "-1,234"), (12_345_678.0, "12,345,678")];
        for (value, text) in cases {
            assert_eq!(grouped(value), text);
        }
    }

    fn usage(milliseconds: u64, resident: u64) -> Usage {
        let time = Duration::from_millis(milliseconds);
        Usage { cpu: super::super::process::Cpu { user: time / 4, system: time * 3 / 4, total: time }, resident }
    }

    #[test]
    fn figures_follow_from_the_stages() {
        let options = ["--members", "10"].iter().collect::<Vec<_>>();
        let options = Options::parse(lexopt::Parser::from_args(options)).unwrap().unwrap();
        let mut latency = Histogram::new(3).unwrap();
        latency.record_n(1_000, 19_999).unwrap();
        latency.record(2_000_000).unwrap();
        let (messages, deliveries, span) = (2_000, 20_000, Duration::from_secs(2));
        let tally = Tally { messages, deliveries, latency, span, busy: 0.95 };
        let stages =
            Stages { before: usage(0, 5_000), idle: usage(1, 8_000), begin: usage(10, 0), end: usage(50, 9_000) };
        let report = Report::new(&options, Some(&tally), Some(&stages));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["mode"], "room");
        assert_eq!((&json["deliveries"], &json["deliveries_per_second"]), (&20_000.into(), &10_000.0.into()));
        assert_eq!(json["latency_us"]["p50"], 1.0);
        assert!(json["latency_us"]["max"].as_f64().unwrap() >= 2_000.0);
        assert_eq!(json["generator"]["saturated"], true);
        let server = &json["server"];
        assert_eq!((&server["cpu_s_per_million"], &server["user_s_per_million"]), (&2.0.into(), &0.5.into()));
        assert_eq!(
            (&server["bytes_per_idle_connection"], &server["cpu_us_per_connection"]),
            (&300.0.into(), &100.0.into())
        );
        let table = report.to_string();
        assert!(table.contains("saturated") && table.contains("20,000"), "{table}");
    }

    #[test]
    fn what_was_not_measured_is_null() {
        let options = Options::parse(lexopt::Parser::from_args(["--mode", "idle"])).unwrap().unwrap();
        let json = serde_json::to_value(Report::new(&options, None, None)).unwrap();
        for name in ["latency_us", "generator", "server"] {
            assert!(json[name].is_null(), "{name}");
        }
        assert_eq!((&json["deliveries"], &json["seconds"]), (&0.into(), &0.0.into()));
    }
}
