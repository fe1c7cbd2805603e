//! What has to hold while a server's store is down, whatever is wrong with it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::wire::Wire;
use super::{Client, Server};

/// Within this time what is durable is answered, whatever the store does.
pub(crate) const IN_TIME: Duration = Duration::from_secs(5);
/// For what the store has no part in.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(1);

pub(crate) const LOBBY: i64 = 1;

/// A user of the event dialect, in the lobby.
pub(crate) fn person(server: &Server, name: &str) -> Wire {
    let mut wire = Wire::open(server, "/ws");
    wire.ask("create_user", &json!({"username": name}));
    wire.ask("join_room", &json!({"roomId": LOBBY}));
    wire
}

pub(crate) fn saying(text: &str) -> Value {
    json!({"roomId": LOBBY, "text": text})
}

/// The code and the sentence of a refusal.
#[track_caller]
pub(crate) fn refusal(answer: &Value) -> (&str, &str) {
    assert_eq!(answer["event"], "error", "{answer}");
    let payload = &answer["payload"];
    (payload["code"].as_str().unwrap(), payload["message"].as_str().unwrap())
}

#[track_caller]
pub(crate) fn in_time<T>(limit: Duration, act: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = act();
    assert!(began.elapsed() < limit, "it took {:?}", began.elapsed());
    result
}

/// A request of the database API: the status, and what the body says.
pub(crate) fn api(server: &Server, method: &str, path: &str, body: &str) -> (u16, Value) {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}", body.len());
    let answer = server.exchange(format!("{head}\r\n\r\n{body}"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

pub(crate) fn is_ready(server: &Server) -> bool {
    server.get("/ready", &[]).starts_with("HTTP/1.1 200 ")
}

/// Two who are in an ephemeral room, and one who speaks to the lobby in the words of the action dialect.
pub(crate) struct Bystanders([Client; 3]);

impl Bystanders {
    pub(crate) fn new(server: &Server) -> Self {
        let mut clients = [(); 3].map(|()| server.join_in());
        for ((client, id), room) in clients.iter_mut().zip(["shed", "shed", "lobby"]) {
            client.send(&format!(r#"{{"action":"join","room":"{room}"}}"#));
            client.send(&format!(r#"{{"action":"private_message","user_id":"{id}","message":"in?"}}"#));
            // Both frames of it: it is delivered and answered.
            (0..2).for_each(|_| while !client.receive().contains("in?") {});
        }
        let [(mut zero, _), (one, _), (lobby, _)] = clients;
        zero.expect(r#"{"action":"join","room":"shed","user_id":"1"}"#);
        Self([zero, one, lobby])
    }

    /// Checks that all goes on that needs no store, and that the rest says what is wrong: always this.
    pub(crate) fn check(&mut self, server: &Server, trouble: &str) {
        for told in self.ask_around(server) {
            assert_eq!(told, trouble);
        }
    }

    /// The same where the sentence may change while it is looked at: all that were said.
    pub(crate) fn ask_around(&mut self, server: &Server) -> [String; 4] {
        let Self([zero, one, lobby]) = self;
        let ready = in_time(AT_ONCE, || {
            zero.ask(
                r#"{"action":"room_message","message":"still here?"}"#,
                r#"{"action":"room_message","room":"shed","message":"still here?"}"#,
            );
            one.expect(r#"{"action":"room_message","room":"shed","user_id":"0","message":"still here?"}"#);
            server.settle();
            server.get("/ready", &[])
        });
        assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
        let (_, body) = ready.split_once("\r\n\r\n").unwrap();
        let told = body.strip_prefix("the store is down: ").and_then(|rest| rest.strip_suffix('\n'));
        let ready = told.unwrap_or_else(|| panic!("{ready}")).to_owned();

        lobby.send(r#"{"action":"room_message","message":"never"}"#);
        let error = in_time(IN_TIME, || {
            let mut told = lobby.receive();
            while !told.starts_with(r#"{"action":"error","#) {
                told = lobby.receive();
            }
            serde_json::from_str::<Value>(&told).unwrap()["message"].as_str().unwrap().to_owned()
        });
        let refused = |path, body| {
            let (status, told) = in_time(IN_TIME, || api(server, "POST", path, body));
            assert_eq!(status, 503, "{told}");
            told["error"].as_str().unwrap().to_owned()
        };
        let user = refused("/user", r#"{"Username":"never"}"#);
        let message = refused("/messages", r#"{"UserID":1,"RoomID":1,"Message":"never"}"#);
        [ready, error, user, message]
    }
}
