//! The stream dialect over the real binary: here the commands of the document that it comes from, as they stand there;
//! in `tests/stream/` who may ask, what crosses to other dialects, event streams and those who come back, and long lists.

mod access;
mod crossing;
mod ends;
mod live;
mod missed;
mod paging;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::common::Server;
use crate::common::event::untimed;
use crate::common::stream::{self, SENDER, ask};
use serde_json::{Value, json};

/// What the document says its own server is.
const DOCUMENTED: &str = "http://localhost:8000";

/// The line of a shell, asked of this server.
fn shell(server: &Server, line: &str) -> Command {
    assert!(line.contains(DOCUMENTED), "{line}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line.replace(DOCUMENTED, &format!("http://localhost:{}", server.address.port()))]);
    shell
}

/// Runs a line that is answered once. Returns what it prints, without times.
#[track_caller]
fn run(server: &Server, line: &str) -> String {
    let output = shell(server, line).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    untimed(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_documented_commands_give_the_documented_answers() {
    const GET: &str = r#"curl "http://localhost:8000/message?limit=10""#;
    const POST: &str = r#"curl -X POST "http://localhost:8000/message" \
  -H "Content-Type: application/json" \
  -d '{"content": "Hello!", "sender_id": "123e4567-e89b-12d3-a456-426614174000"}'"#;
    const POST_WITH_FILE: &str = r#"curl -X POST "http://localhost:8000/message" \
  -H "Content-Type: application/json" \
  -d '{
  "content": "Hello, world! 👋",
  "file": "document.pdf",
  "sender_id": "123e4567-e89b-12d3-a456-426614174000"
}'"#;
    const STREAM: &str = r#"exec curl -N "http://localhost:8000/stream""#;

    let server = Server::start(&[]);
    let mut listening = shell(&server, STREAM).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut data = || untimed(&lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap());
    assert_eq!(data(), r#"{"type":"connected","message":"Connected to message stream"}"#);

    assert_eq!(run(&server, GET), r#"{"messages":[],"next_cursor":null,"has_more":false}"#);
    let fields = |id: i64, content: &str, file: &str| {
        format!(r#""id":{id},"content":"{content}","file":{file},"created_date":"T","sender_id":"{SENDER}""#)
    };
    let hello = fields(1, "Hello!", "null");
    let world = fields(2, "Hello, world! 👋", r#""document.pdf""#);
    assert_eq!(run(&server, POST), format!("{{{hello}}}"));
    assert_eq!(run(&server, POST_WITH_FILE), format!("{{{world}}}"));
    let page = format!(r#"{{"messages":[{{{world}}},{{{hello}}}],"next_cursor":null,"has_more":false}}"#);
    assert_eq!(run(&server, GET), page);
    let page = format!(r#"{{"messages":[{{{world}}}],"next_cursor":"T_2","has_more":true}}"#);
    assert_eq!(run(&server, &GET.replace("10", "1")), page);
    for fields in [hello, world] {
        assert_eq!(data(), format!(r#"{{"type":"new_message","data":{{"operation":"INSERT",{fields}}}}}"#));
    }
    listening.kill().unwrap();
    listening.wait().unwrap();
}

#[test]
fn all_that_people_write_comes_back_as_it_was() {
    let server = Server::start(&[]);
    let mut listener = stream::Listener::to_lobby(&server);
    let texts = [
        "Hello, world! 👋",
        "👩‍🚀🏳️‍🌈🇫🇮👍🏽",
        "سلام دنیا، שלום \u{202e}reversed",
        "日本語 ไทย Ελληνικά",
        "\" \\ / <b>&amp;</b> ' \u{0}\u{7f}",
        "lines\nid: 7\ndata: no\n\nretry: 0\r\n\u{2028}\u{feff}",
        "   ",
    ];
    for (number, text) in texts.iter().enumerate() {
        let body = json!({ "content": text, "file": "päivä 📎.pdf", "sender_id": SENDER });
        // Once as it is, and once with all that is not ASCII escaped, as Python writes it.
        let escaped: String = body
            .to_string()
            .chars()
            .flat_map(|char| {
                let mut units = [0; 2];
                let units: Vec<u16> = char.encode_utf16(&mut units).to_vec();
                let escaped: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
                if char.is_ascii() { vec![char.to_string()] } else { escaped }
            })
            .collect();
        for (place, body) in [body.to_string(), escaped].iter().enumerate() {
            let answer = ask(&server, "POST /message", body);
            let posted: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(
                (answer.status, posted["content"].as_str(), posted["file"].as_str()),
                (201, Some(*text), Some("päivä 📎.pdf"))
            );
            assert_eq!(posted["id"], 2 * number + place + 1);
            let page: Value = serde_json::from_str(&ask(&server, "GET /message?limit=1", "").body).unwrap();
            assert_eq!(page["messages"][0], posted);
            let told = listener.next().json();
            assert_eq!((&told["data"]["content"], &told["data"]["file"]), (&posted["content"], &posted["file"]));
        }
    }
}
