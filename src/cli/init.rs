//! `roomcast init`: writes a file `.env` with every setting, commented out, and fresh secrets.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;

use super::{print, settings};
use crate::config::{SETTINGS, Setting};

const HELP: &str = "\
usage: roomcast init [--force] [PATH]

Writes a file with every setting of `roomcast serve`, commented out with its
default, and a fresh secret for each that should have one. Only its owner may
read it. `roomcast serve` takes the file .env of the directory it is started in.

  PATH        the file, or the directory for it (default .env)
  --force     replace the file if it is there
  -h, --help  show this
";

/// The settings that are given a fresh secret.
const SECRETS: [&str; 2] = ["api-key", "jwt-secret"];

/// As much as nobody can guess.
const SECRET_BYTES: usize = 32;

/// The names that other servers have for some of the settings: somebody who comes from one looks for these.
const FOREIGN: &str = "
# The names that other chat servers have for some of these settings work too. They are weaker.
#HOST=0.0.0.0
#PORT=8000
#DEBUG=True

# One file, or a PostgreSQL server.
#DATABASE_URL=sqlite:roomcast.db
#DATABASE_URL=postgresql://USER:PASSWORD@localhost:5432/chatroom

# Where several nodes meet to be one chat.
#REDIS_HOST=localhost
#REDIS_PORT=6379
#REDIS_DB=0
#REDIS_PASSWORD=
";

/// Lines of a comment are no longer.
const WIDTH: usize = 100;

pub(super) fn run(mut arguments: lexopt::Parser) -> Result<(), String> {
    let (mut path, mut is_forced) = (None, false);
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        match argument {
            Value(given) if path.is_none() => path = Some(PathBuf::from(given)),
            Long("force") => is_forced = true,
            Short('h') | Long("help") => {
                print(HELP);
                return Ok(());
            }
            other => return Err(format!("{}; roomcast init --help lists the options", other.unexpected())),
        }
    }
    let mut path = path.unwrap_or_else(|| settings::FILE.into());
    if path.is_dir() {
        path.push(settings::FILE);
    }
    let (text, secrets) = text()?;
    let shown = path.display();
    match write(&path, &text, is_forced) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(format!("{shown} is there already; --force replaces it"));
        }
        Err(error) => return Err(format!("can't write {shown}: {error}")),
    }
    print(&format!(
        "{shown} has {} settings with their defaults, and fresh secrets for {}; only its owner may read it\n",
        SETTINGS.len(),
        secrets.join(", ")
    ));
    Ok(())
}

/// What stands in the file, and which variables have got a secret.
fn text() -> Result<(String, Vec<String>), String> {
    let mut text = String::from(
        "# Settings of `roomcast serve`, which takes this file from the directory it is started in. A line that begins\n\
         # with # is not in force; behind it is the default. Flags and variables of the environment are stronger.\n\
         # There are secrets in here: keep it to yourself, and out of version control.\n",
    );
    text.push_str(FOREIGN);
    let mut secrets = Vec::new();
    for setting in SETTINGS {
        text.push_str(&format!("\n{}", comment(setting)));
        let variable = setting.variable();
        if SECRETS.contains(&setting.flag) {
            text.push_str(&format!("{variable}={}\n", secret()?));
            secrets.push(variable);
        } else {
            text.push_str(&format!("#{variable}={}\n", setting.default));
        }
    }
    Ok((text, secrets))
}

/// The setting's help, in lines that are not too long.
fn comment(setting: &Setting) -> String {
    let mut lines = vec![String::from("#")];
    for word in format!("{}: {}", setting.value, setting.help).split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => line.extend([" ", word]),
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Letters and digits alone, so that it may stand in a header, a URL or a shell's line.
fn secret() -> Result<String, String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system has no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The file is never there with another mode or a part of the text, and never replaced unless that is wanted.
fn write(path: &Path, text: &str, is_forced: bool) -> io::Result<()> {
    if !is_forced {
        return write_new(path, text);
    }
    let mut beside = path.to_path_buf();
    beside.set_file_name(format!(".env.{}.new", std::process::id()));
    write_new(&beside, text)?;
    fs::rename(&beside, path).inspect_err(|_| drop(fs::remove_file(&beside)))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let fill = |file: &mut File| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    fill(&mut file).inspect_err(|_| drop(fs::remove_file(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use std::collections::BTreeMap;

    fn variables(text: &str) -> BTreeMap<String, String> {
        dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().unwrap()
    }

    /// Every line is in force once the `#` before the variable is taken away.
    #[test]
    fn what_is_written_can_be_read() {
        let (text, secrets) = text().unwrap();
        let in_force = text.replace("\n#ROOMCAST_", "\nROOMCAST_");
        let sources = Sources { file: variables(&in_force), ..Sources::default() };
        assert_eq!(sources.file.len(), SETTINGS.len());
        let config = sources.config().unwrap();
        assert_eq!(config.api_key.0.len(), 2 * SECRET_BYTES);
        assert_eq!(secrets, ["ROOMCAST_API_KEY", "ROOMCAST_JWT_SECRET"]);
        assert_eq!(config.jwt_secret.0.len(), 2 * SECRET_BYTES);
        assert_ne!(config.jwt_secret, config.api_key);
        assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
        assert!(text.lines().all(|line| line.len() <= 120));
    }

    #[test]
    fn names_of_other_servers_are_there_to_be_filled_in() {
        let (text, _) = text().unwrap();
        let places =
            ["HOST", "PORT", "DEBUG", "DATABASE_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD"];
        let in_force = places.iter().fold(text.clone(), |text, name| {
            assert!(text.contains(&format!("\n#{name}=")), "{name}");
            text.replace(&format!("\n#{name}="), &format!("\n{name}="))
        });
        let file = variables(&in_force);
        assert!(places.iter().all(|name| file.contains_key(*name)), "{in_force}");
        let config = Sources { file, ..Sources::default() }.config().unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:8000");
        assert_eq!(config.log, log::LevelFilter::Debug);
        assert!(text.contains("\n#DATABASE_URL=sqlite:") && config.database.0.starts_with("postgresql://"));
    }
}
