//! Where the settings of `roomcast serve` come from: flags, environment and `.env`. The other commands that
//! need them read them the same way.

use std::collections::BTreeMap;

use crate::config::{Config, PREFIX, SETTINGS, Sources, by_flag};
use crate::id::NodeId;
use crate::store::{self, OpenError, Opened, Options};

/// The file that settings may stand in, in the working directory.
pub(super) const FILE: &str = ".env";

/// A word for `--migrate no`.
const NO_MIGRATE: &str = "no-migrate";

/// Finds every setting, or nothing if help was asked for; `command` is who asks.
pub(super) fn read(mut arguments: lexopt::Parser, command: &str) -> Result<Option<Config>, String> {
    let mut flags = Flags::default();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Ok(None),
            lexopt::Arg::Long(name) if Flags::has(name) => {
                let name = name.to_owned();
                flags.take(name, &mut arguments)?;
            }
            other => return Err(format!("{}; roomcast {command} --help lists the options", other.unexpected())),
        }
    }
    flags.config().map(Some)
}

/// Opens the store that is set, once.
pub(super) fn open_store(config: &Config, migrate: bool, node: Option<NodeId>) -> Result<Opened, OpenError> {
    let options = Options { migrate, durability: config.durability, key: &config.upstream_key.0, node };
    store::open(&config.database.0, &options)
}

/// What the options are.
pub(super) fn help() -> String {
    let mut help = String::from(
        "Each option has a variable, which counts where the option is not given; a variable may also stand in the \
         file .env.\n\n",
    );
    for setting in SETTINGS {
        let flag = format!("--{} {}", setting.flag, setting.value);
        let default = if setting.default.is_empty() { "none" } else { setting.default };
        help.push_str(&format!("  {flag:<26}{}\n", setting.help));
        help.push_str(&format!("  {:<26}[{}; default: {default}]\n", "", setting.variable()));
    }
    help.push_str(
        "\nWhere those are not set, HOST and PORT are taken for the address, DATABASE_URL or SHELLO_API_URL for the \
         database,\nREDIS_URL, or REDIS_HOST, REDIS_PORT, REDIS_DB and REDIS_PASSWORD, for the broker, SHELLO_API_KEY for \
         the upstream\nkey, and DEBUG=true for --log debug.\n",
    );
    help
}

/// The settings given as flags.
#[derive(Default)]
pub(super) struct Flags(BTreeMap<String, String>);

impl Flags {
    /// Whether that flag is a setting.
    pub(super) fn has(name: &str) -> bool {
        name == NO_MIGRATE || by_flag(name).is_some()
    }

    /// Takes the flag and its value.
    pub(super) fn take(&mut self, name: String, arguments: &mut lexopt::Parser) -> Result<(), String> {
        if name == NO_MIGRATE {
            self.0.insert("migrate".into(), "no".into());
            return Ok(());
        }
        let value = arguments.value().map_err(|error| error.to_string())?;
        let value = value.into_string().map_err(|_| format!("--{name}: the value is not UTF-8"))?;
        self.0.insert(name, value);
        Ok(())
    }

    /// Finds every setting.
    pub(super) fn config(self) -> Result<Config, String> {
        Sources { flags: self.0, environment: environment()?, file: file()? }.config()
    }
}

/// The process's own variables.
pub(super) fn environment() -> Result<BTreeMap<String, String>, String> {
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

/// Those in the file, if there is one.
pub(super) fn file() -> Result<BTreeMap<String, String>, String> {
    let lines = match dotenvy::from_path_iter(FILE) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(BTreeMap::new()),
        Err(_) => return Err(format!("{FILE}: the file can't be read")),
    };
    // The error's own text would show the line, and with it perhaps a secret.
    lines.collect::<Result<_, _>>().map_err(|_| format!("{FILE}: a line is not of the form NAME=value"))
}
