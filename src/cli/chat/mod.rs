//! The terminal client, `roomcast chat`: what is typed goes to a server, what arrives is shown. It speaks the action
//! dialect as any client would and knows nothing of the server's code.
//!
//! The command line calls [`run`]. This file reads the keyboard; `link` has the socket, `command` the words of
//! both sides, `screen` what is shown and where. Two ways of use:
//!
//! * At a terminal: line editing with a history that is gone at the end. Text that arrives is shown above the line
//!   being typed. One's own messages are not shown again, since the typed line stays in sight.
//! * In a pipe: what the server sends goes to stdout, one line each, one's own messages included; what happens to the
//!   connection goes to stderr. Lines are read only as fast as the server answers, and wait while there is no connection.

mod command;
mod link;
mod screen;

use std::io::{self, BufRead, IsTerminal};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lexopt::prelude::*;
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor, ExternalPrinter};

use self::command::Typed;
use self::link::{Input, Link};
use self::screen::Screen;
use super::address::{self, ACTION_PATH, Address};

const USAGE: &str = "\
usage: roomcast chat [--patience SECONDS] [URL]

Talks to a chat server from a terminal, or from a script by its standard input and output.

  URL                 ws://HOST[:PORT][/PATH], also without the ws://
                      (default ws://127.0.0.1:8000/chatserver/connect)
  --patience SECONDS  in a script: how long to be without a connection before
                      giving up (default 30); a terminal keeps trying
  -h, --help          show this

Once connected, /help shows what can be typed.
";

/// How long somebody who quits at a terminal waits for the server's goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Runs `roomcast chat` with the arguments that follow it, until its user is done. The error is one sentence.
pub(super) fn run(arguments: lexopt::Parser) -> Result<(), String> {
    let Some(Options { address, patience }) = Options::parse(arguments).map_err(|wrong| wrong.to_string())? else {
        super::print(USAGE);
        return Ok(());
    };
    let ended = if io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && let Ok((editor, printer)) = line_editor()
    {
        at_terminal(address, editor, printer)
    } else {
        in_pipe(address, patience)
    };
    // The sentence may hold a server's words, and goes to a terminal too.
    ended.map_err(|sentence| screen::escaped(&sentence))
}

struct Options {
    address: Address,
    patience: Duration,
}

impl Options {
    /// Nothing if help was asked for.
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut address = None;
        let mut patience = 30;
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(url) if address.is_none() => address = Some(Address::parse(&url.string()?, ACTION_PATH)?),
                Long("patience") => patience = arguments.value()?.parse::<u32>()?,
                Short('h') | Long("help") => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let address = match address {
            Some(address) => address,
            None => Address::parse(address::DEFAULT, ACTION_PATH)?,
        };
        Ok(Some(Self { address, patience: Duration::from_secs(patience.into()) }))
    }
}

/// Fails on a terminal that cannot move its cursor; such a one is used like a pipe.
fn line_editor() -> rustyline::Result<(DefaultEditor, impl ExternalPrinter + Send + 'static)> {
    let mut editor = DefaultEditor::with_config(Config::builder().auto_add_history(true).build())?;
    let printer = editor.create_external_printer()?;
    Ok((editor, printer))
}

fn at_terminal(
    address: Address,
    mut editor: DefaultEditor,
    printer: impl ExternalPrinter + Send + 'static,
) -> Result<(), String> {
    let (link, input) = Link::open(address, Screen::terminal(printer), None)?;
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(link.run()));
    let typed = edit_lines(&mut editor, &input);
    // While the editor lives but reads nothing, whoever prints through it may wait forever.
    drop(editor);
    input.send(Typed::Quit);
    end.recv_timeout(GOODBYE_WITHIN).unwrap_or(Ok(())).and(typed)
}

fn edit_lines(editor: &mut DefaultEditor, input: &Input) -> Result<(), String> {
    loop {
        match editor.readline("> ") {
            Ok(line) => {
                let Some(typed) = Typed::parse(&line) else { continue };
                if typed == Typed::Quit || !input.send(typed) {
                    return Ok(());
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(error) => return Err(format!("cannot read the keyboard: {error}")),
        }
    }
}

fn in_pipe(address: Address, patience: Duration) -> Result<(), String> {
    let (link, input) = Link::open(address, Screen::Pipe, Some(patience))?;
    thread::spawn(move || read_lines(io::stdin().lock(), |typed| input.send(typed)));
    link.run()
}

/// Takes lines until the input ends, somebody quits, or `send` says that nobody listens.
fn read_lines(input: impl BufRead, send: impl Fn(Typed) -> bool) {
    for line in input.split(b'\n') {
        let typed = match line.map(String::from_utf8) {
            Ok(Ok(line)) => Typed::parse(line.trim_end_matches('\r')),
            Ok(Err(_)) => Some(Typed::Wrong("a line that is not UTF-8 was not sent".into())),
            Err(error) => Some(Typed::Wrong(format!("cannot read on: {error}"))),
        };
        let Some(typed) = typed else { continue };
        if typed == Typed::Quit || !send(typed) {
            break;
        }
    }
    send(Typed::Quit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn options(arguments: &[&str]) -> Result<Option<Options>, String> {
        Options::parse(lexopt::Parser::from_args(arguments)).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn arguments_are_read_or_refused_in_a_sentence() {
        let given = options(&["--patience", "5", "chat.example:9000"]).unwrap().unwrap();
        assert_eq!((given.patience, given.address.to_string()), (Duration::from_secs(5), "chat.example:9000".into()));
        let default = options(&[]).unwrap().unwrap();
        assert_eq!((default.patience, default.address.to_string()), (Duration::from_secs(30), "127.0.0.1:8000".into()));
        assert!(options(&["--help"]).unwrap().is_none());
        for wrong in [&["--patience"][..], &["--patience", "-1"], &["--nonsense"], &["a", "b"], &["wss://a"]] {
            assert!(options(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lines_are_taken_until_the_end_or_until_somebody_quits() {
        let taken = |input: &[u8]| {
            let taken = RefCell::new(Vec::new());
            read_lines(input, |typed| {
                taken.borrow_mut().push(typed);
                true
            });
            taken.into_inner()
        };
        let rooms = || Typed::parse("/rooms").unwrap();
        assert_eq!(taken(b"/rooms\r\n\n/rooms"), [rooms(), rooms(), Typed::Quit]);
        assert_eq!(taken(b"/quit\n/rooms\n"), [Typed::Quit]);
        assert_eq!(taken(b"\xff\n"), [Typed::Wrong("a line that is not UTF-8 was not sent".into()), Typed::Quit]);
    }
}
