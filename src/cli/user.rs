//! `roomcast user`: registers users and lists them, in the database itself.

use lexopt::prelude::*;

use super::by_hand::{ByHand, RUNNING_HELP, SETTINGS_HELP};
use super::print;
use super::settings::Flags;

const HELP: &str = "\
usage: roomcast user add NAME [SETTING …]
       roomcast user list [SETTING …]

Registers a user in the database, and prints their id and UUID; or lists all users
with id, UUID and name.

  -h, --help  show this

";

pub(super) fn run(mut arguments: lexopt::Parser) -> Result<(), String> {
    let mut words = Vec::new();
    let mut flags = Flags::default();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        match argument {
            Value(given) if words.len() < 2 => words.push(given.string().map_err(|error| error.to_string())?),
            Short('h') | Long("help") => {
                print(&format!("{HELP}{SETTINGS_HELP}\n{RUNNING_HELP}"));
                return Ok(());
            }
            Long(name) if Flags::has(name) => {
                let name = name.to_owned();
                flags.take(name, &mut arguments)?;
            }
            other => return Err(format!("{}; roomcast user --help lists the options", other.unexpected())),
        }
    }
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["add", name] => {
            let user = ByHand::open(&flags.config()?, true)?.add_user(name)?;
            print(&format!("{} {}\n", user.id, user.uuid));
        }
        ["list"] => {
            let users = ByHand::open(&flags.config()?, false)?.users()?;
            let rows = users.iter().map(|user| format!("{:<8}{:<38}{}\n", user.id, user.uuid.to_string(), user.name));
            print(&format!("{:<8}{:<38}{}\n{}", "id", "uuid", "name", rows.collect::<String>()));
        }
        _ => return Err("add NAME or list? roomcast user --help tells more".into()),
    }
    Ok(())
}
