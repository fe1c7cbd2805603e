//! `roomcast serve`: reads the settings, prepares the process and runs the loop.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use log::LevelFilter;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use simple_logger::SimpleLogger;

use super::print;
use crate::config::{Config, PREFIX, SETTINGS, Sources, by_flag};
use crate::dialect::DIALECTS;
use crate::server::{Ended, Server};

/// Descriptors that connections may not use up: standard streams, poll, listener, signals, and a few to spare.
const RESERVED_DESCRIPTORS: u64 = 16;

pub(super) fn run(arguments: lexopt::Parser) -> Result<ExitCode, String> {
    let Some(flags) = read_flags(arguments)? else {
        print(&help());
        return Ok(ExitCode::SUCCESS);
    };
    let sources = Sources { flags, environment: environment()?, file: file()? };
    let mut config = sources.config()?;
    start_log(config.log)?;
    config.max_connections = config.max_connections.min(raise_descriptor_limit());
    serve(config)
}

fn serve(config: Config) -> Result<ExitCode, String> {
    let limit = config.max_connections;
    let mut server = Server::bind(config).map_err(|error| error.to_string())?;
    let address = server.address();
    let paths: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.path()).collect();
    print(&format!(
        "roomcast {} listens on http://{address}: {}, /health; rooms are ephemeral; up to {limit} connections\n",
        env!("CARGO_PKG_VERSION"),
        paths.join(", ")
    ));
    match server.run().map_err(|error| error.to_string())? {
        Ended::InOrder => Ok(ExitCode::SUCCESS),
        Ended::AtOnce => Ok(ExitCode::FAILURE),
    }
}

/// Only this program's own lines: tungstenite would log what people say to one another, control characters and all.
fn start_log(level: LevelFilter) -> Result<(), String> {
    let logger = SimpleLogger::new().with_level(LevelFilter::Off).with_utc_timestamps();
    let logger = logger.with_module_level(env!("CARGO_CRATE_NAME"), level);
    log::set_max_level(level);
    log::set_boxed_logger(Box::new(Log(logger))).map_err(|error| error.to_string())
}

/// The logger panics when standard error takes nothing (its reader is gone, the disk is full). Then the line is lost,
/// and that is all.
struct Log(SimpleLogger);

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = panic::catch_unwind(AssertUnwindSafe(|| self.0.log(record)));
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// The flags given, or nothing if help was asked for.
fn read_flags(mut arguments: lexopt::Parser) -> Result<Option<BTreeMap<String, String>>, String> {
    let mut flags = BTreeMap::new();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Ok(None),
            lexopt::Arg::Long(name) if by_flag(name).is_some() => {
                let name = name.to_owned();
                let value = arguments.value().map_err(|error| error.to_string())?;
                let value = value.into_string().map_err(|_| format!("--{name}: the value is not UTF-8"))?;
                flags.insert(name, value);
            }
            other => return Err(format!("{}; roomcast serve --help lists the options", other.unexpected())),
        }
    }
    Ok(Some(flags))
}

fn environment() -> Result<BTreeMap<String, String>, String> {
    let mut variables = BTreeMap::new();
    // A name that is not UTF-8 can't be ours.
    for (name, value) in std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))) {
        match value.into_string() {
            Ok(value) => drop(variables.insert(name, value)),
            Err(_) if name.starts_with(PREFIX) => return Err(format!("{name}: the value is not UTF-8")),
            Err(_) => {}
        }
    }
    Ok(variables)
}

fn file() -> Result<BTreeMap<String, String>, String> {
    let lines = match dotenvy::from_path_iter(".env") {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(BTreeMap::new()),
        Err(_) => return Err(".env: the file can't be read".into()),
    };
    // The error's own text would show the line, and with it perhaps a secret.
    lines.collect::<Result<_, _>>().map_err(|_| ".env: a line is not of the form NAME=value".into())
}

/// Raises the soft limit of open files to the hard one, and tells how many connections that leaves room for.
pub(super) fn raise_descriptor_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if raised { maximum } else { current };
    limit.map_or(usize::MAX, |limit| limit.saturating_sub(RESERVED_DESCRIPTORS).max(1) as usize)
}

fn help() -> String {
    let mut help = String::from(
        "Runs the chat server.\n\nusage: roomcast serve [OPTION …]\n\n\
         Each option has a variable, which counts where the option is not given; a variable may also stand in the \
         file .env.\n\n",
    );
    for setting in SETTINGS {
        let flag = format!("--{} {}", setting.flag, setting.value);
        let default = if setting.default.is_empty() { "none" } else { setting.default };
        help.push_str(&format!("  {flag:<26}{}\n", setting.help));
        help.push_str(&format!("  {:<26}[{}; default: {default}]\n", "", setting.variable()));
    }
    help.push_str(
        "\nHOST and PORT are taken for the address, and DEBUG=true for --log debug, where those are not set.\n",
    );
    help
}
