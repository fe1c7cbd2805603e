//! The load generator, `roomcast bench`: many members connect to a server, some send, and what arrives is counted and
//! timed. It speaks the action dialect and the echo as any client would, knows nothing of the server's code, and so
//! measures others as well.
//!
//! The command line calls [`run`]. `options` says what to do, `crowd` connects the members and has them join, `load`
//! has them talk, on threads that are each a `worker`; a `window` bounds what is on its way, `frames` has the bytes.
//! `process` asks Linux what the server used, `report` makes figures of it all, and `progress` shows that it goes on.
//!
//! It sends as fast as what it sent arrives, never at a rate. So latencies are those of a server that is as busy as so
//! many outstanding messages make it.

mod crowd;
mod frames;
mod load;
mod options;
mod process;
mod progress;
mod report;
mod window;
mod worker;

use std::io::Write;

use self::load::Load;
use self::options::{HELP, Mode, Options};
use self::process::{Process, Usage};
use self::progress::Progress;
use self::report::{Report, Stages};
use super::serve::raise_descriptor_limit;

/// Runs `roomcast bench` with the arguments that follow it. The error is one sentence.
pub(super) fn run(arguments: lexopt::Parser) -> Result<(), String> {
    let text = match Options::parse(arguments)? {
        Some(options) => figures(&options)?,
        None => HELP.into(),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| format!("cannot print: {error}"))
}

/// What there is to print when all is done.
fn figures(options: &Options) -> Result<String, String> {
    let limit = raise_descriptor_limit();
    if options.members > limit {
        return Err(format!("--members: the limit of open files leaves room for {limit}; ulimit -n raises it"));
    }
    let report = measure(options)?;
    if options.json {
        serde_json::to_string(&report).map(|json| json + "\n").map_err(|error| error.to_string())
    } else {
        Ok(report.to_string())
    }
}

/// Connects, warms up and measures.
fn measure(options: &Options) -> Result<Report, String> {
    let server = options.pid.map(Process::new);
    let usage = || server.as_ref().map(Process::usage).transpose();
    let mut progress = Progress::new(options);
    let before = usage()?;
    let mut clients = crowd::connect(options, &mut progress)?;
    let idle = usage()?;
    if options.mode == Mode::Idle {
        return Ok(Report::new(options, None, stages(before, idle, idle, idle).as_ref()));
    }
    if options.mode != Mode::Echo {
        crowd::gather(&mut clients, options, &mut progress)?;
    }
    let mut load = Load::new(clients, options)?;
    load.run("warming up", options.warmup, &mut progress)?;
    let begin = usage()?;
    let tally = load.run("measuring", options.duration, &mut progress)?;
    let end = usage()?;
    Ok(Report::new(options, Some(&tally), stages(before, idle, begin, end).as_ref()))
}

/// All or nothing: they come of the same process, or there is none to ask.
fn stages(before: Option<Usage>, idle: Option<Usage>, begin: Option<Usage>, end: Option<Usage>) -> Option<Stages> {
    Some(Stages { before: before?, idle: idle?, begin: begin?, end: end? })
}
