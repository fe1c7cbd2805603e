//! `roomcast room`: makes durable rooms, in the database itself.

use lexopt::prelude::*;

use super::by_hand::{ByHand, RUNNING_HELP, SETTINGS_HELP};
use super::print;
use super::settings::Flags;
use crate::id::Reference;

const HELP: &str = "\
usage: roomcast room add NAME --owner USER [SETTING …]
       roomcast room add NAME --private [--owner USER] [--member USER]… [SETTING …]

Makes a durable room in the database, and prints its id and UUID. A USER is an id, a
UUID or a name.

  --owner USER   whose room it is; of a private one, else the first member's
  --private      for its participants alone: the owner and the members
  --member USER  takes part in it; may be given again
  -h, --help     show this

";

/// What was asked for.
#[derive(Default)]
struct Options {
    words: Vec<String>,
    owner: Option<String>,
    members: Vec<String>,
    is_private: bool,
    flags: Flags,
}

impl Options {
    /// Nothing if help was asked for.
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        let string = |value: std::ffi::OsString| value.string().map_err(|error| error.to_string());
        while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
            match argument {
                Value(given) if options.words.len() < 2 => options.words.push(string(given)?),
                Long("private") => options.is_private = true,
                Long("owner") => options.owner = Some(string(arguments.value().map_err(|error| error.to_string())?)?),
                Long("member") => options.members.push(string(arguments.value().map_err(|error| error.to_string())?)?),
                Short('h') | Long("help") => return Ok(None),
                Long(name) if Flags::has(name) => {
                    let name = name.to_owned();
                    options.flags.take(name, &mut arguments)?;
                }
                other => return Err(format!("{}; roomcast room --help lists the options", other.unexpected())),
            }
        }
        Ok(Some(options))
    }
}

pub(super) fn run(arguments: lexopt::Parser) -> Result<(), String> {
    let Some(options) = Options::parse(arguments)? else {
        print(&format!("{HELP}{SETTINGS_HELP}\n{RUNNING_HELP}"));
        return Ok(());
    };
    let [add, name] = &options.words[..] else { return Err("add NAME? roomcast room --help tells more".into()) };
    if add != "add" {
        return Err(format!("there is no roomcast room {add:?}; roomcast room --help tells what there is"));
    }
    if !options.is_private && !options.members.is_empty() {
        return Err(
            "an open room has no members to be named: anybody may join it; --private makes it theirs alone".into()
        );
    }
    let Some(owner) = options.owner.as_ref().or(options.members.first()) else {
        return Err(match options.is_private {
            true => "a private room needs an --owner or a --member".into(),
            false => "an open room needs an --owner".into(),
        });
    };
    let config = options.flags.config()?;
    let mut store = ByHand::open(&config, true)?;
    let owner = store.user(owner)?;
    let members = options.members.iter().map(|member| Ok(store.user(member)?.id.into()));
    let members = members.collect::<Result<Vec<Reference>, String>>()?;
    let room = store.add_room(name, &owner, options.is_private.then_some(members), config.max_rooms_owned)?;
    print(&format!("{} {}\n", room.id, room.uuid));
    Ok(())
}
