//! What is shown, and where. Every line goes through here and leaves it escaped, because most of them hold words of
//! people whom nobody should have to trust with the own terminal.

use std::io::{self, Write};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use rustyline::ExternalPrinter;

use super::command::Line;

/// How many lines may wait to be shown at a terminal.
const WAITING_LINES: usize = 1_000;

/// Where lines are shown.
pub(super) enum Screen {
    /// Above the line that is being typed.
    Terminal(SyncSender<String>),
    /// On stdout and stderr.
    Pipe,
}

impl Screen {
    /// Shows lines by a thread of its own: the editor takes none while somebody searches the history, and the
    /// network, with its pings to answer, should not wait for that.
    pub(super) fn terminal(mut printer: impl ExternalPrinter + Send + 'static) -> Self {
        let (lines, waiting) = mpsc::sync_channel(WAITING_LINES);
        thread::spawn(move || {
            for line in waiting {
                // It fails once the editor is gone, and then there is nobody left to show a line to.
                drop(printer.print(line));
            }
        });
        Self::Terminal(lines)
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Shows what the server sent. An error means that nobody can see it anymore.
    pub(super) fn show(&self, line: &Line) -> Result<(), String> {
        match (self, line) {
            (Self::Terminal(_), Line::Echo(_)) => {}
            (Self::Terminal(lines), Line::News(text)) => print(lines, text),
            (Self::Pipe, Line::Echo(text) | Line::News(text)) => {
                let mut out = io::stdout().lock();
                writeln!(out, "{}", escaped(text))
                    .and_then(|()| out.flush())
                    .map_err(|error| format!("cannot write to standard output: {error}"))?;
            }
        }
        Ok(())
    }

    /// Shows what this program has to say itself.
    pub(super) fn status(&self, text: &str) {
        match self {
            Self::Terminal(lines) => print(lines, text),
            // A script without a stderr does not want to know.
            Self::Pipe => drop(writeln!(io::stderr(), "{}", escaped(text))),
        }
    }
}

fn print(lines: &SyncSender<String>, text: &str) {
    // It fails only when the program ends.
    drop(lines.send(escaped(text) + "\n"));
}

/// The text with all that could move a cursor, change a colour, begin a line or turn the direction of writing spelled
/// out.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_layout(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Line and paragraph separators, and the marks that embed, override or isolate a direction.
fn is_layout(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        let cases = [
            ("plain, ünïcödé, 日本, 👩‍💻 and a \\", "plain, ünïcödé, 日本, 👩‍💻 and a \\"),
            ("\x1b[2J\x1b]0;title\x07", r"\u{1b}[2J\u{1b}]0;title\u{7}"),
            ("a\r\nb\tc\x08\x7f", r"a\r\nb\tc\u{8}\u{7f}"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("abc\u{202e}cba\u{2066}\u{2028}", r"abc\u{202e}cba\u{2066}\u{2028}"),
        ];
        for (text, shown) in cases {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn a_terminal_is_not_shown_its_own_messages_again() {
        let (lines, waiting) = mpsc::sync_channel(9);
        let screen = Screen::Terminal(lines);
        screen.show(&Line::Echo("[lobby] you: hi".into())).unwrap();
        screen.show(&Line::News("[lobby] user 1: \x1b[2J".into())).unwrap();
        screen.status("connecting");
        drop(screen);
        assert_eq!(waiting.iter().collect::<Vec<_>>(), ["[lobby] user 1: \\u{1b}[2J\n", "connecting\n"]);
    }
}
