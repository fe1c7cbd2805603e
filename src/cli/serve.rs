//! `roomcast serve`: reads the settings, prepares the process and runs the loop.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use log::LevelFilter;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use simple_logger::SimpleLogger;

use super::{keys, print, settings};
use crate::broker::{self, Before};
use crate::config::{self, Config};
use crate::dialect::DIALECTS;
use crate::dialect::socketio::{Chat, Conversation, Namespaces, Vocabulary};
use crate::id::{NodeId, Uuid};
use crate::server::{Ended, Server, Sockets, Supervisor};
use crate::store::Opened;

const INTRODUCTION: &str = "Runs the chat server.\n\nusage: roomcast serve [OPTION …]\n\n";

/// Descriptors that connections may not use up: standard streams, poll, listener, signals, and a few to spare.
const RESERVED_DESCRIPTORS: u64 = 32;

/// Between attempts to open the store: at first, and at the most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

pub(super) fn run(arguments: lexopt::Parser) -> Result<ExitCode, String> {
    let Some(mut config) = settings::read(arguments, "serve")? else {
        print(&format!("{INTRODUCTION}{}", settings::help()));
        return Ok(ExitCode::SUCCESS);
    };
    start_log(config.log)?;
    config.max_connections = config.max_connections.min(raise_descriptor_limit());
    serve(config)
}

fn serve(config: Config) -> Result<ExitCode, String> {
    let limit = config.max_connections;
    // What is wrong with the keys ends the start, before anything is waited for.
    let verifier = keys::verifier(&config)?;
    let is_starting = end_at_a_signal()?;
    let supervisor = Supervisor::from_environment();
    // Before the port, so that nobody who connects has to wait for it.
    let (nonce, _) = Uuid::new_v4().as_u64_pair();
    let node = (!config.broker.0.is_empty()).then_some(NodeId(nonce));
    let opened = open_store(&config, node, &supervisor)?;
    let broker = open_broker(&config, node, opened.as_ref(), &supervisor)?;
    let kept = opened.as_ref().map_or("nowhere: all rooms are ephemeral".into(), |opened| opened.description.clone());
    let others = broker.as_ref().map(|broker| {
        let count = broker.others.len();
        format!("; node {} of {} over {}", broker.node, count + 1, broker.description)
    });
    let sockets = Sockets { namespaces: namespaces(config.socketio_vocabulary), verifier, echoes: false };
    let mut server = Server::bind(config, sockets, opened, broker, nonce).map_err(|error| error.to_string())?;
    server.report_to(supervisor);
    // From here on signals are the server's.
    is_starting.store(false, Relaxed);
    let address = server.address();
    let paths: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.path()).chain(["/socket.io/"]).collect();
    print(&format!(
        "roomcast {} listens on http://{address}: {}, and HTTP; messages are kept in {kept}{}; up to {limit} connections\n",
        env!("CARGO_PKG_VERSION"),
        paths.join(", "),
        others.unwrap_or_default()
    ));
    match server.run().map_err(|error| error.to_string())? {
        Ended::InOrder => Ok(ExitCode::SUCCESS),
        Ended::AtOnce => Ok(ExitCode::FAILURE),
    }
}

/// What is spoken over Socket.IO, and where: on `/` as it is set, elsewhere as the namespace says.
fn namespaces(vocabulary: config::Vocabulary) -> Namespaces {
    let main: &[&dyn Vocabulary] = match vocabulary {
        config::Vocabulary::Auto => &[&Conversation, &Chat],
        config::Vocabulary::Conversation => &[&Conversation],
        config::Vocabulary::Chat => &[&Chat],
    };
    Namespaces::new(&[("/", main), ("/conversation", &[&Conversation]), ("/chat", &[&Chat])])
}

/// While this is true, a signal to end is followed at once. Left to the system it would be, too, but not in a container:
/// the first process of one has to ask for signals, and until the store is there that may take a while.
fn end_at_a_signal() -> Result<Arc<AtomicBool>, String> {
    let is_starting = Arc::new(AtomicBool::new(true));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, 0, Arc::clone(&is_starting))
            .map_err(|error| format!("can't catch signals: {error}"))?;
    }
    Ok(is_starting)
}

/// Opens the store, if there is one. What may pass (the database is locked, the server not up yet) is waited for.
fn open_store(config: &Config, node: Option<NodeId>, supervisor: &Supervisor) -> Result<Option<Opened>, String> {
    if config.database.0.is_empty() {
        return Ok(None);
    }
    let open =
        || settings::open_store(config, config.migrate, node).map_err(|error| (error.sentence, error.is_passing));
    wait_for("store", config.store_wait, supervisor, open).map(Some)
}

/// Opens the broker, if there is one; it is waited for in the same way.
fn open_broker(
    config: &Config,
    node: Option<NodeId>,
    store: Option<&Opened>,
    supervisor: &Supervisor,
) -> Result<Option<broker::Opened>, String> {
    let Some(node) = node else { return Ok(None) };
    let before = match store.and_then(|store| store.position) {
        None => Before::Unknown,
        Some(position) if position.number == 0 => Before::Nobody,
        Some(_) => Before::Somebody,
    };
    let store = store.and_then(Opened::identity);
    let open =
        || broker::open(&config.broker.0, node, store, before).map_err(|error| (error.sentence, error.is_passing));
    wait_for("broker", config.broker_wait, supervisor, open).map(Some)
}

/// Tries until it works, for that long; an error is a sentence, and whether it may pass.
fn wait_for<T>(
    part: &str,
    patience: Duration,
    supervisor: &Supervisor,
    open: impl Fn() -> Result<T, (String, bool)>,
) -> Result<T, String> {
    let give_up_at = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        match open() {
            Ok(opened) => return Ok(opened),
            Err((sentence, true)) if Instant::now() + pause < give_up_at => {
                let status = format!("waiting for the {part}: {sentence}");
                log::warn!("{status}");
                supervisor.tell(&status);
                thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err((sentence, _)) => return Err(sentence),
        }
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

/// Raises the soft limit of open files to the hard one, and tells how many connections that leaves room for.
pub(super) fn raise_descriptor_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if raised { maximum } else { current };
    limit.map_or(usize::MAX, |limit| limit.saturating_sub(RESERVED_DESCRIPTORS).max(1) as usize)
}
