//! `roomcast api-test`: asks a server's database API for everything that it can do, with a user and a room made for it,
//! and tells how that went and how long it took.
//!
//! `steps` walks the endpoints, `report` keeps and shows what came of it. The calls are those of the store that is
//! another server, so that whatever passes here can be such a store.

mod report;
mod steps;

use std::process::ExitCode;

use lexopt::prelude::*;

use self::report::Report;
use self::steps::Walk;
use super::{print, settings};
use crate::store::rest::client::{Client, Place};

const HELP: &str = "\
usage: roomcast api-test [OPTION …] URL

Walks every endpoint of a server's database API with a user and a room made for the
purpose, deletes them again, and prints each step with how long it took. The exit
code is 0 if all steps went well.

  URL         http:// or https://, with the path that the endpoints are under
  --key KEY   what the server wants to be shown; safer in ROOMCAST_API_KEY or
              SHELLO_API_KEY, in the environment or the file .env
  --json      print one JSON object
  -h, --help  show this
";

/// Where a key is looked for that is not given.
const KEY_VARIABLES: [&str; 2] = ["ROOMCAST_API_KEY", "SHELLO_API_KEY"];

struct Options {
    place: Place,
    key: String,
    is_json: bool,
}

pub(super) fn run(arguments: lexopt::Parser) -> Result<ExitCode, String> {
    let Some(Options { place, key, is_json }) = options(arguments)? else {
        print(HELP);
        return Ok(ExitCode::SUCCESS);
    };
    let client = Client::new(place, &key)?;
    let mut report = Report::new(client.place().base(), &key, !is_json);
    Walk::new(&client, &mut report)?.run();
    if is_json {
        print(&report.json());
    } else {
        print(&report.summary());
    }
    Ok(if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn options(mut arguments: lexopt::Parser) -> Result<Option<Options>, String> {
    let (mut place, mut key, mut is_json) = (None, None, false);
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        match argument {
            Value(url) if place.is_none() => {
                let url = url.into_string().map_err(|_| "the URL is not UTF-8")?;
                place = Some(Place::parse(&url).map_err(|wrong| format!("the URL {wrong}"))?);
            }
            Long("key") => {
                let value = arguments.value().map_err(|error| error.to_string())?;
                key = Some(value.into_string().map_err(|_| "--key: the value is not UTF-8")?);
            }
            Long("json") => is_json = true,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(format!("{}; roomcast api-test --help lists the options", other.unexpected())),
        }
    }
    let place = place.ok_or("the URL is missing; roomcast api-test --help tells more")?;
    let key = match key {
        Some(key) => key,
        None => found_key()?,
    };
    Ok(Some(Options { place, key, is_json }))
}

fn found_key() -> Result<String, String> {
    for variables in [settings::environment()?, settings::file()?] {
        if let Some(key) = KEY_VARIABLES.iter().find_map(|&name| variables.get(name)).filter(|key| !key.is_empty()) {
            return Ok(key.clone());
        }
    }
    Ok(String::new())
}
