//! `roomcast chat` against the real server: as a script's pipe, and at a terminal (in tmux, which plays both the terminal
//! and the hands).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::common::{PATIENCE, Server, roomcast, scratch_dir, wait_until};

/// A chat client whose input and output are pipes.
struct Chat {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Chat {
    fn start(url: &str) -> Self {
        let mut command = roomcast();
        command.args(["chat", url]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Self { stdin: child.stdin.take(), child, lines }
    }

    fn to(server: &Server) -> Self {
        Self::start(&format!("ws://{}", server.address))
    }

    fn write(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    #[track_caller]
    fn expect(&self, line: &str) {
        assert_eq!(self.lines.recv_timeout(PATIENCE).as_deref(), Ok(line));
    }

    /// Ends the input; everything sent is answered before it ends.
    fn finish(mut self) -> (bool, Vec<String>) {
        drop(self.stdin.take());
        let rest = self.lines.iter().collect();
        (self.child.wait().unwrap().success(), rest)
    }
}

#[test]
fn two_scripts_talk() {
    let server = Server::start(&[]);
    let mut zero = Chat::to(&server);
    zero.expect("connected as user 0");
    let mut one = Chat::to(&server);
    one.expect("connected as user 1");
    zero.write("/join tea room");
    zero.expect("you joined tea room");
    one.write("/join tea room");
    one.expect("you joined tea room");
    zero.expect("user 1 joined tea room");
    zero.write("hello");
    zero.expect("[tea room] you: hello");
    one.expect("[tea room] user 0: hello");
    one.write("/msg 0 psst");
    one.expect("[private] you to user 0: psst");
    zero.expect("[private] user 1: psst");
    one.write("/msg 7 psst");
    one.expect("error: user 7 is not on the server");
    one.write("/rooms");
    one.expect("rooms: lobby, tea room");
    one.write("/who");
    one.expect("in tea room: 0, 1 (you)");
    one.write("/leave");
    one.expect("you left tea room");
    zero.expect("user 1 left tea room");
    zero.write("\u{1b}[31mred");
    zero.expect("[tea room] you: \\u{1b}[31mred");
    assert_eq!(one.finish(), (true, vec![]));
    assert_eq!(zero.finish(), (true, vec![]));
}

#[test]
fn a_script_gets_all_its_answers_before_the_end() {
    let server = Server::start(&[]);
    let mut chat = Chat::to(&server);
    chat.write("/join count");
    for number in 0..100 {
        chat.write(&number.to_string());
    }
    let (succeeded, lines) = chat.finish();
    assert!(succeeded);
    let mut expected = vec!["connected as user 0".to_owned(), "you joined count".into()];
    expected.extend((0..100).map(|number| format!("[count] you: {number}")));
    assert_eq!(lines, expected);
}

#[test]
fn whoever_can_not_connect_says_so() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let output = roomcast().args(["chat", "--patience", "1", &address]).stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("gave up after 1 s"), "{stderr}");
    for url in ["wss://127.0.0.1", "http://x", "ws://"] {
        let output = roomcast().args(["chat", url]).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{url}");
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1, "{url}");
    }
}

/// A terminal of its own, with `roomcast chat` in it.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start(server: &Server) -> Self {
        let terminal = Self { socket: scratch_dir().join("tmux").display().to_string() };
        let chat = format!("{} chat ws://{}", env!("CARGO_BIN_EXE_roomcast"), server.address);
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", &chat]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let output = command.args(["-u", "-S", &self.socket]).args(arguments).output().expect("tmux is installed");
        String::from_utf8(output.stdout).unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a line.
    fn line(&self, text: &str) {
        self.keys(&["-l", text]);
        self.keys(&["Enter"]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        let shown = || self.screen().lines().any(|line| line.trim_end() == text);
        let deadline = std::time::Instant::now() + PATIENCE;
        while !shown() {
            assert!(std::time::Instant::now() < deadline, "{text:?} is not on the screen:\n{}", self.screen());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn what_arrives_does_not_tear_the_line_being_typed() {
    let server = Server::start(&[]);
    let terminal = Terminal::start(&server);
    terminal.wait_for("connected as user 0");
    terminal.line("/join tea");
    terminal.wait_for("you joined tea");
    let (mut other, _) = server.join_in();
    other.ask(r#"{"action":"join","room":"tea"}"#, r#"{"action":"join","room":"tea"}"#);
    terminal.wait_for("user 1 joined tea");
    terminal.keys(&["-l", "half a l"]);
    terminal.wait_for("> half a l");
    other.send(r#"{"action":"room_message","message":"am I \u001b[2Jinterrupting?"}"#);
    terminal.wait_for("[tea] user 1: am I \\u{1b}[2Jinterrupting?");
    terminal.wait_for("> half a l");
    terminal.line("ine");
    other.expect(r#"{"action":"room_message","room":"tea","message":"am I \u001b[2Jinterrupting?"}"#);
    other.expect(r#"{"action":"room_message","room":"tea","user_id":"0","message":"half a line"}"#);
    terminal.keys(&["Up"]);
    terminal.wait_for("> half a line");
    terminal.keys(&["C-c"]);
    other.expect(r#"{"action":"leave","room":"tea","user_id":"0"}"#);
}

#[test]
fn the_terminal_goes_on_when_the_server_comes_back() {
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let terminal = Terminal::start(&server);
    terminal.wait_for("connected as user 0");
    terminal.line("/join tea");
    terminal.wait_for("you joined tea");
    drop(server);
    wait_until("the loss to be told", || terminal.screen().contains("trying again in"));
    terminal.line("anybody?");
    terminal.wait_for("not connected: this was not sent");
    let mut command = roomcast();
    command.args(["serve", "--listen", &address]);
    let server = Server::spawn(command);
    wait_until("it to be in the room again", || terminal.screen().matches("you joined tea").count() == 2);
    let (mut other, _) = server.join_in();
    other.ask(r#"{"action":"join","room":"tea"}"#, r#"{"action":"join","room":"tea"}"#);
    terminal.line("back again");
    other.expect(r#"{"action":"room_message","room":"tea","user_id":"0","message":"back again"}"#);
    terminal.line("/quit");
    other.expect(r#"{"action":"leave","room":"tea","user_id":"0"}"#);
}
