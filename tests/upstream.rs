//! A Roomcast whose store is another Roomcast, over the database API; and `roomcast api-test` on either.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{Client, Server, roomcast, scratch_dir, wait_until};
use serde_json::{Value, json};

const EVENT: &str = "/ws";

/// One with a database in that directory.
fn keeper(directory: &Path, listen: &str, flags: &[&str]) -> Server {
    let mut command = roomcast();
    command.args(["serve", "--listen", listen, "--rate", "0", "--database", "sqlite:keeper.db"]).args(flags);
    command.current_dir(directory);
    Server::spawn(command)
}

/// One whose store is the other.
fn front(keeper: &Server, flags: &[&str]) -> Server {
    let url = format!("http://{}", keeper.address);
    Server::unlimited(&[&["--database", &url], flags].concat())
}

fn call(server: &Server, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = server.exchange(format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// An event client, and what it was told while it waited for answers.
struct Talker {
    client: Client,
    told: Vec<Value>,
}

impl Talker {
    fn new(server: &Server) -> Self {
        Self { client: server.connect(EVENT), told: Vec::new() }
    }

    fn receive(&mut self) -> Value {
        serde_json::from_str(&self.client.receive()).unwrap()
    }

    /// The payload of the answer.
    fn ask(&mut self, event: &str, payload: &Value) -> Value {
        self.client.send(&json!({"event": event, "payload": payload, "id": 1}).to_string());
        loop {
            let frame = self.receive();
            if frame["event"] == "ack" || frame["event"] == "error" {
                assert_eq!(frame["payload"]["event"], event, "{frame}");
                return frame["payload"].clone();
            }
            self.told.push(frame);
        }
    }

    /// The result of what was granted.
    #[track_caller]
    fn do_it(&mut self, event: &str, payload: &Value) -> Value {
        let answer = self.ask(event, payload);
        assert!(answer["code"].is_null(), "{event}: {answer}");
        answer["result"].clone()
    }

    /// The next broadcast of that name.
    fn hear(&mut self, event: &str) -> Value {
        loop {
            let frame = if self.told.is_empty() { self.receive() } else { self.told.remove(0) };
            if frame["event"] == event {
                return frame["payload"].clone();
            }
        }
    }
}

#[test]
fn what_is_said_at_the_front_is_kept_behind() {
    let keeper = keeper(&scratch_dir(), "127.0.0.1:0", &[]);
    let front = front(&keeper, &[]);
    let mut ada = Talker::new(&front);
    let user = ada.do_it("create_user", &json!({"username": "ada"}))["userId"].clone();
    assert_eq!(ada.ask("create_user", &json!({"username": "ada"}))["code"], "already_exists");
    let room = ada.do_it("create_room", &json!({"roomName": "tea"}))["roomId"].clone();
    ada.do_it("join_room", &json!({"roomId": room}));

    // A member at the keeper, who made the same room out by its list.
    let mut bob = Talker::new(&keeper);
    bob.do_it("create_user", &json!({"username": "bob"}));
    bob.do_it("join_room", &json!({"roomId": room}));
    let said = ada.do_it("send_message", &json!({"roomId": room, "text": "Grüße 👋"}));
    for talker in [&mut ada, &mut bob] {
        let heard = talker.hear("new_message");
        assert_eq!((&heard["text"], &heard["messageId"]), (&json!("Grüße 👋"), &said["messageId"]));
        assert_eq!((&heard["userId"], &heard["username"]), (&user, &json!("ada")));
    }
    let (status, kept) = call(&keeper, "GET", &format!("/messages?RoomID={room}"), &Value::Null);
    assert_eq!((status, &kept[0]["Message"], &kept[0]["MessageID"]), (200, &json!("Grüße 👋"), &said["messageId"]));

    let page = ada.do_it("get_messages", &json!({"roomId": room}));
    assert_eq!((&page["messages"][0]["text"], &page["nextBefore"]), (&json!("Grüße 👋"), &Value::Null));
    let message = &said["messageId"];
    let first = ada.do_it("post_readconfirmation", &json!({"messageId": message}));
    assert_eq!(ada.do_it("post_readconfirmation", &json!({"messageId": message}))["readAt"], first["readAt"]);
    let readers = ada.do_it("get_readconfirmation", &json!({"messageId": message}));
    assert_eq!((readers["readers"].as_array().unwrap().len(), &readers["readers"][0]["username"]), (1, &json!("ada")));
    ada.do_it("change_user", &json!({"username": "eve"}));
    ada.do_it("change_room", &json!({"roomId": room, "roomName": "coffee"}));
    ada.do_it("delete_message", &json!({"messageId": message}));
    assert_eq!(bob.hear("message_deleted")["messageId"], *message);
    let metrics = front.get("/metrics", &[]);
    let counted = "roomcast_upstream_call_seconds_count{endpoint=\"POST /messages\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    ada.do_it("delete_room", &json!({"roomId": room}));
    ada.do_it("delete_user", &json!({}));
    assert_eq!(call(&keeper, "GET", &format!("/user?UserID={user}"), &Value::Null).0, 404);
}

#[test]
fn history_is_paged_through_both() {
    let keeper = keeper(&scratch_dir(), "127.0.0.1:0", &[]);
    let front = front(&keeper, &[]);
    let mut ada = Talker::new(&front);
    ada.do_it("create_user", &json!({"username": "ada"}));
    let room = ada.do_it("create_room", &json!({"roomName": "tea"}))["roomId"].clone();
    ada.do_it("join_room", &json!({"roomId": room}));
    for number in 0..130 {
        ada.do_it("send_message", &json!({"roomId": room, "text": number.to_string()}));
    }
    let (mut before, mut texts) = (Value::Null, Vec::new());
    loop {
        let page = ada.do_it("get_messages", &json!({"roomId": room, "limit": 60, "before": before}));
        let part =
            page["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap().to_owned());
        texts.splice(0..0, part);
        before = page["nextBefore"].clone();
        if before.is_null() {
            break;
        }
    }
    assert_eq!(texts, (0..130).map(|number: i32| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn what_the_api_can_not_do_is_said() {
    let keeper = keeper(&scratch_dir(), "127.0.0.1:0", &[]);
    let front = front(&keeper, &[]);
    let mut ada = Talker::new(&front);
    ada.do_it("create_user", &json!({"username": "ada"}));
    let room = ada.do_it("create_room", &json!({"roomName": "tea"}))["roomId"].clone();
    ada.do_it("join_room", &json!({"roomId": room}));
    let answer = ada.ask("send_message", &json!({"roomId": room, "text": "x", "clientId": "1"}));
    assert_eq!(answer["code"], "unavailable");
    assert!(answer["message"].as_str().unwrap().contains("the upstream store has no "), "{answer}");
    // A guest, in the words of another dialect.
    let (mut guest, _) = front.join_in();
    guest.ask(r#"{"action":"join","room":"tea"}"#, r#"{"action":"join","room":"tea"}"#);
    guest.send(r#"{"action":"room_message","message":"x"}"#);
    assert!(guest.receive().contains("the upstream store has no guests"));
    // That is no outage.
    assert!(front.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
    assert!(!front.log().contains("the store is down"), "{}", front.log());
}

#[test]
fn the_keeper_goes_and_comes_back() {
    let directory = scratch_dir();
    let first = keeper(&directory, "127.0.0.1:0", &[]);
    let address = first.address.to_string();
    let front = front(&first, &[]);
    let mut ada = Talker::new(&front);
    ada.do_it("create_user", &json!({"username": "ada"}));
    let room = ada.do_it("create_room", &json!({"roomName": "tea"}))["roomId"].clone();
    ada.do_it("join_room", &json!({"roomId": room}));
    drop(first);
    let started = Instant::now();
    assert_eq!(ada.ask("send_message", &json!({"roomId": room, "text": "lost"}))["code"], "unavailable");
    assert!(started.elapsed() < Duration::from_secs(5));
    // Ephemeral rooms go on.
    let (mut guest, id) = front.join_in();
    guest.ask(r#"{"action":"join","room":"R"}"#, r#"{"action":"join","room":"R"}"#);
    let participants = format!(r#"{{"action":"participants","room":"R","participants":["{id}"]}}"#);
    guest.ask(r#"{"action":"participants","room":"R"}"#, &participants);
    wait_until("not ready", || front.get("/ready", &[]).starts_with("HTTP/1.1 503 "));
    assert!(front.get("/health", &[]).starts_with("HTTP/1.1 200 "));

    let _second = keeper(&directory, &address, &[]);
    wait_until("ready again", || front.get("/ready", &[]).starts_with("HTTP/1.1 200 "));
    ada.do_it("send_message", &json!({"roomId": room, "text": "kept"}));
    let page = ada.do_it("get_messages", &json!({"roomId": room}));
    assert_eq!((page["messages"].as_array().unwrap().len(), &page["messages"][0]["text"]), (1, &json!("kept")));
}

#[test]
fn the_key_is_asked_for_and_never_shown() {
    let keeper = keeper(&scratch_dir(), "127.0.0.1:0", &["--api-key", "s3cret"]);
    let url = format!("http://{}", keeper.address);
    for wrong in [&[][..], &["--upstream-key", "wr0ng"]] {
        let output =
            roomcast().args(["serve", "--listen", "127.0.0.1:0", "--database", &url]).args(wrong).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let last = format!("roomcast: the store at {url} refuses this server's key: ROOMCAST_UPSTREAM_KEY sets it");
        assert_eq!((output.status.code(), stderr.lines().last()), (Some(1), Some(&*last)), "{stderr}");
    }
    let mut command = roomcast();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "trace"]);
    command.env("SHELLO_API_URL", &url).env("SHELLO_API_KEY", "s3cret");
    let mut front = Server::spawn(command);
    let mut ada = Talker::new(&front);
    ada.do_it("create_user", &json!({"username": "ada-hush"}));
    front.wait_for_log("POST /user 201 in ");
    front.signal("TERM");
    let (_, log) = front.wait();
    assert!(!log.contains("s3cret") && !log.contains("hush"), "{log}");
}

fn api_test(url: &str, arguments: &[&str], key: &str) -> (Option<i32>, String, String) {
    let mut command = roomcast();
    command.arg("api-test").arg(url).args(arguments).env("ROOMCAST_API_KEY", key);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn both_pass_the_api_test_and_nothing_is_left() {
    let keeper = keeper(&scratch_dir(), "127.0.0.1:0", &["--api-key", "s3cret"]);
    let front = front(&keeper, &["--upstream-key", "s3cret", "--api-key", "s3cret"]);
    let names = || {
        let answer = keeper.get("/rooms", &["api-key: s3cret"]);
        (answer.split_once("\r\n\r\n").unwrap().1.to_owned(), keeper.get("/user", &["api-key: s3cret"]))
    };
    let before = names();
    for server in [&keeper, &front] {
        let url = format!("http://{}", server.address);
        let (code, printed, stderr) = api_test(&url, &[], "s3cret");
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{printed}");
        assert!(printed.contains("all well") && !printed.contains("s3cret"), "{printed}");
        for endpoint in ["/user", "/rooms", "/messages"] {
            for method in ["POST", "GET", "DELETE"] {
                assert!(printed.contains(&format!("{method} {endpoint}")), "{printed}");
            }
        }
        for step in ["PATCH /user", "PATCH /rooms", "POST /readconfirmation", "GET /readconfirmation?MessageID"] {
            assert!(printed.contains(step), "{printed}");
        }
        let (code, printed, _) = api_test(&url, &["--json"], "s3cret");
        let report: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!((code, &report["failed"]), (Some(0), &json!(0)));
        assert_eq!(report["steps"].as_array().unwrap().len() as u64, report["count"].as_u64().unwrap());
    }
    assert_eq!(names(), before);
}

#[test]
fn the_api_test_fails_where_something_is_wrong() {
    let keeper = keeper(&scratch_dir(), "127.0.0.1:0", &["--api-key", "s3cret"]);
    let url = format!("http://{}", keeper.address);
    let (code, printed, _) = api_test(&url, &["--key", "wr0ng"], "s3cret");
    assert!(code == Some(1) && printed.contains("FAILED") && printed.contains("  401  POST /user"), "{printed}");
    assert!(!printed.contains("wr0ng") && !printed.contains("s3cret"), "{printed}");
    drop(keeper);
    let (code, printed, _) = api_test(&url, &[], "");
    assert!(
        code == Some(1) && printed.contains("the server can't be reached: the connection was refused"),
        "{printed}"
    );
    let (code, _, stderr) = api_test("ftp://a", &[], "");
    assert!(code == Some(1) && stderr.starts_with("roomcast: the URL must begin with http://"), "{stderr}");
}
