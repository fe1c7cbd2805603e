//! What a running server asks the kernel for: its system calls, counted by strace. What they cost is not measured.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use super::{Server, scratch_dir, wait_until};

/// An strace that watches one server, all its threads.
pub struct Trace<'a> {
    server: &'a Server,
    strace: Child,
    /// Kept open: strace has something to say when it lets go, too.
    messages: BufReader<ChildStderr>,
    summary: PathBuf,
}

impl<'a> Trace<'a> {
    /// Counts from now on. A wait that the server is in then or at the end may be counted or not.
    pub fn attach(server: &'a Server) -> Self {
        let summary = scratch_dir().join("calls");
        let mut strace = Command::new("strace")
            .args(["-f", "-c", "-o", summary.to_str().unwrap(), "-p", &server.pid().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is installed");
        let mut messages = BufReader::new(strace.stderr.take().unwrap());
        // Not before strace says so: that the server has a tracer shows earlier, when its calls still pass unseen.
        let mut message = String::new();
        messages.read_line(&mut message).unwrap();
        assert!(message.contains(" attached"), "the server is not traced: {message}");
        Self { server, strace, messages, summary }
    }

    /// Lets go of the server. Returns how often it made each call.
    pub fn finish(mut self) -> BTreeMap<String, usize> {
        // Before it can sleep, strace has counted all its calls up to there.
        wait_until("the server to sleep", || self.server.is_asleep());
        assert!(Command::new("kill").arg(self.strace.id().to_string()).status().unwrap().success());
        self.strace.wait().unwrap();
        drop(self.messages);
        let summary = std::fs::read_to_string(&self.summary).unwrap();
        summary.lines().filter_map(row).filter(|(name, _)| name != "total").collect()
    }
}

/// Of one row of strace's table, the call and its count: the share, the time, the time of each, the count, the errors
/// if there were any, the name. Nothing of a heading or a rule.
fn row(line: &str) -> Option<(String, usize)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Some(((*words.last()?).to_owned(), words.get(3)?.parse().ok()?))
}
