//! The binary's subcommands. Each returns one sentence when it fails, and this module prints it.

mod address;
#[cfg(feature = "rest")]
mod api_test;
mod bench;
mod by_hand;
mod chat;
mod check;
mod health;
mod init;
mod keys;
mod room;
mod serve;
mod settings;
mod token;
mod user;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

const HELP: &str = "\
Roomcast, a chat server in one thread.

usage: roomcast COMMAND [OPTION …]

  serve          run the server
  init [PATH]    write a file .env with every setting and fresh secrets
  check          look whether the server could start with its settings
  health         ask whether the server serves
  user …         register users, and list them
  room …         make rooms
  token USER     sign a token for a user of Socket.IO
  chat [URL]     talk, from a terminal
  bench [URL]    put load on a server, and measure it
  api-test URL   ask a server's database API for everything, and measure it

`roomcast COMMAND --help` tells more. `roomcast --version` prints the version.
";

/// Runs the program with these arguments, its own name not among them.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match dispatch(lexopt::Parser::from_args(arguments)) {
        Ok(code) => code,
        Err(sentence) => {
            // Nobody may be reading, here as in `print`; then the exit code has to do.
            let _ = writeln!(io::stderr(), "roomcast: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output, if somebody is there: that nobody reads is no reason to end in a panic.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
    let _ = io::stdout().flush();
}

fn dispatch(mut arguments: lexopt::Parser) -> Result<ExitCode, String> {
    use lexopt::Arg::{Long, Short, Value};
    let wish = arguments.next().map_err(|error| error.to_string())?;
    match wish {
        Some(Value(command)) if command == "serve" => serve::run(arguments),
        Some(Value(command)) if command == "chat" => chat::run(arguments).map(|()| ExitCode::SUCCESS),
        Some(Value(command)) if command == "bench" => bench::run(arguments).map(|()| ExitCode::SUCCESS),
        Some(Value(command)) if command == "init" => init::run(arguments).map(|()| ExitCode::SUCCESS),
        Some(Value(command)) if command == "check" => check::run(arguments),
        Some(Value(command)) if command == "health" => health::run(arguments).map(|()| ExitCode::SUCCESS),
        Some(Value(command)) if command == "user" => user::run(arguments).map(|()| ExitCode::SUCCESS),
        Some(Value(command)) if command == "room" => room::run(arguments).map(|()| ExitCode::SUCCESS),
        Some(Value(command)) if command == "token" => token::run(arguments).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "rest")]
        Some(Value(command)) if command == "api-test" => api_test::run(arguments),
        #[cfg(not(feature = "rest"))]
        Some(Value(command)) if command == "api-test" => {
            Err("this build lacks the feature rest, and so api-test".into())
        }
        Some(Long("help") | Short('h')) => {
            print(HELP);
            Ok(ExitCode::SUCCESS)
        }
        Some(Long("version") | Short('V')) => {
            print(&format!("roomcast {}\n", env!("CARGO_PKG_VERSION")));
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => Err(format!("{}; roomcast --help tells what there is", other.unexpected())),
        None => Err("a command is missing; roomcast --help tells what there is".into()),
    }
}
