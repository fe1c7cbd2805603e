//! What a running server asks the kernel for: its system calls, counted by strace. What they cost is not measured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Server, scratch_dir, wait_until};

/// An strace that watches one server, all its threads.
pub struct Trace<'a> {
    server: &'a Server,
    strace: Child,
    summary: PathBuf,
}

impl<'a> Trace<'a> {
    /// Counts from now on. A wait that the server is in then or at the end may be counted or not.
    pub fn attach(server: &'a Server) -> Self {
        let summary = scratch_dir().join("calls");
        let strace = Command::new("strace")
            .args(["-qq", "-f", "-c", "-o", summary.to_str().unwrap(), "-p", &server.pid().to_string()])
            .stdin(Stdio::null())
            .spawn()
            .expect("strace is installed");
        let trace = Self { server, strace, summary };
        trace.settle();
        trace
    }

    /// Lets go of the server. Returns how often it made each call.
    pub fn finish(mut self) -> BTreeMap<String, usize> {
        self.settle();
        assert!(Command::new("kill").arg(self.strace.id().to_string()).status().unwrap().success());
        self.strace.wait().unwrap();
        let summary = std::fs::read_to_string(&self.summary).unwrap();
        summary.lines().filter_map(row).filter(|(name, _)| name != "total").collect()
    }

    /// Waits until the server is traced and asleep. Before it can be, strace has counted all its calls up to there.
    fn settle(&self) {
        let status = format!("/proc/{}/status", self.server.pid());
        let tracer = format!("\nTracerPid:\t{}\n", self.strace.id());
        wait_until("strace and the server", || {
            std::fs::read_to_string(&status).unwrap().contains(&tracer) && self.server.is_asleep()
        });
    }
}

/// Of one row of strace's table, the call and its count: the share, the time, the time of each, the count, the errors
/// if there were any, the name. Nothing of a heading or a rule.
fn row(line: &str) -> Option<(String, usize)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Some(((*words.last()?).to_owned(), words.get(3)?.parse().ok()?))
}
