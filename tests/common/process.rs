//! A server that may not come up, with all its output piped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::time::Instant;

use super::{PATIENCE, wait_until};

/// Killed when dropped, so that one which starts after all does not stay.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn spawn(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Waits for the end: the exit code, and what it printed to standard output and standard error, which is little.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let mut code = None;
        wait_until("the end of the process", || {
            code = self.0.try_wait().unwrap();
            code.is_some()
        });
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (code.unwrap().code(), stdout, stderr)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The first line that it logs, when that has come.
    pub(crate) fn first_line_of_log(&mut self) -> String {
        let mut line = String::new();
        let mut stderr = BufReader::with_capacity(1, self.0.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        // Nothing that came behind it is lost.
        self.0.stderr = Some(stderr.into_inner());
        line
    }

    /// Waits until it says where it listens, which has to be soon.
    #[track_caller]
    pub(crate) fn comes_up(&mut self) {
        let (began, mut line) = (Instant::now(), String::new());
        let mut stdout = BufReader::new(self.0.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains(" listens on "), "{line}");
        assert!(began.elapsed() < PATIENCE, "it came up {:?} later", began.elapsed());
    }
}
