//! The binary: it only hands its arguments to [`roomcast::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    roomcast::cli::run(std::env::args_os().skip(1))
}
