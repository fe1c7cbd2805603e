//! `roomcast token`: signs a token for a user, to be shown by a Socket.IO client.

use std::time::{Duration, SystemTime};

use lexopt::prelude::*;

use super::by_hand::{ByHand, SETTINGS_HELP};
use super::settings::Flags;
use super::{keys, print};
use crate::config::{Config, duration};
use crate::hub::job::UserRecord;
use crate::id::Reference;
use crate::proto::token;

const HELP: &str = "\
usage: roomcast token USER [--create] [--ttl TIME] [SETTING …]

Prints a token for a user, signed with the secret of `roomcast serve`: a client of
Socket.IO shows it as `auth: {token}`. It names the user by their UUID, and the
issuer and the audience that are set.

  USER        the user's id, UUID or name
  --create    register a user of that name, if there is none
  --ttl TIME  how long the token is good (default 24h)
  -h, --help  show this

";

/// How long a token is good.
const TTL: Duration = Duration::from_secs(24 * 3600);

pub(super) fn run(mut arguments: lexopt::Parser) -> Result<(), String> {
    let (mut user, mut is_to_create, mut ttl) = (None, false, TTL);
    let mut flags = Flags::default();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        match argument {
            Value(given) if user.is_none() => user = Some(given.string().map_err(|error| error.to_string())?),
            Long("create") => is_to_create = true,
            Long("ttl") => {
                let text = arguments.value().and_then(|value| value.string()).map_err(|error| error.to_string())?;
                ttl = duration(&text).map_err(|wrong| format!("--ttl: {text:?} {wrong}"))?;
            }
            Short('h') | Long("help") => {
                print(&format!("{HELP}{SETTINGS_HELP}"));
                return Ok(());
            }
            Long(name) if Flags::has(name) => {
                let name = name.to_owned();
                flags.take(name, &mut arguments)?;
            }
            other => return Err(format!("{}; roomcast token --help lists the options", other.unexpected())),
        }
    }
    let wanted = user.ok_or("whose token? roomcast token --help tells more")?;
    let config = flags.config()?;
    check_secret(&config)?;
    let user = find(&mut ByHand::open(&config, is_to_create)?, &wanted, is_to_create)?;
    print(&format!("{}\n", sign(&config, &user, ttl)?));
    Ok(())
}

/// Before the store is opened: nothing is registered for a token that can't be signed.
fn check_secret(config: &Config) -> Result<(), String> {
    let is_checked = keys::verifier(config)?.is_some();
    match (is_checked, config.jwt_secret.0.is_empty()) {
        (_, false) => Ok(()),
        (true, true) => Err("only a public key is set: tokens are signed where its private key is".into()),
        (false, true) => {
            Err("there is no secret to sign with: set ROOMCAST_JWT_SECRET, to the same for the server, or have \
                              `roomcast init` write a .env with a fresh one"
                .into())
        }
    }
}

fn find(store: &mut ByHand, wanted: &str, is_to_create: bool) -> Result<UserRecord, String> {
    match store.find_user(wanted)? {
        Some(user) => Ok(user),
        None if is_to_create && Reference::parse(wanted).is_some() => {
            Err(format!("there is no user {wanted}, and ids are not for choosing: --create takes a name"))
        }
        None if is_to_create => store.add_user(wanted),
        None => Err(format!("there is no user {wanted:?}; --create registers one")),
    }
}

fn sign(config: &Config, user: &UserRecord, ttl: Duration) -> Result<String, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let named = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let (issuer, audience) = (named(config.jwt_issuer.as_str()), named(config.jwt_audience.as_str()));
    // A part of a second would be no time at all.
    let ttl = ttl.as_secs().max(1);
    let secret = config.jwt_secret.0.as_bytes();
    token::sign(secret, &user.uuid.to_string(), issuer, audience, now, ttl)
        .map_err(|wrong| format!("jwt-secret {wrong}"))
}
