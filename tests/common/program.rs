//! What is published for programs that are no nodes, as one of them hears it.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use super::redis::Redis;

/// A program of somebody else's, `redis-cli`, that listens.
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Listens to what all three channels bring.
    pub fn start(redis: &Redis) -> Self {
        let mut command = redis.client();
        command.args(["SUBSCRIBE", "new_messages", "updated_messages", "deleted_messages"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut program = Self { lines: BufReader::new(child.stdout.take().unwrap()).lines(), child };
        for _ in 0..9 {
            program.line();
        }
        program
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// The next channel and payload.
    pub fn hear(&mut self) -> (String, String) {
        assert_eq!(self.line(), "message");
        (self.line(), self.line())
    }
}
