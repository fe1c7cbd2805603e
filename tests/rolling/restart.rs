//! One node after the other is restarted, while people talk on both.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use super::nodes::{people, script};
use crate::common::database;
use crate::common::event::EVENT;
use crate::common::http::Http;
use crate::common::people::user;
use crate::common::site::Site;
use crate::common::stream::SENDER;
use crate::common::{ACTION, Client, PATIENCE, wait_until};

/// What ends everything that is said in the lobby.
const LAST: &str = "the last";

/// The program of users that talk over Socket.IO. Killed when dropped.
struct Talk {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: BufReader<std::process::ChildStdout>,
}

impl Talk {
    fn start(site: &Site, clients: &[String]) -> Self {
        let (room, tokens) = people(site, ["ann", "bob", "cid"]);
        let mut command = script(site, "restart.mjs");
        command.arg(room).args(tokens).args(clients);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, lines) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut talk = Self { child, stdin, lines };
        assert_eq!(talk.line(), "all are here\n");
        talk
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    /// Lets them finish. What they have counted.
    fn finish(mut self) -> Value {
        drop(self.stdin.take());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
        serde_json::from_str(rest.lines().last().unwrap()).unwrap()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says something in the lobby, as a client of that address; tried until it is answered.
fn post(nginx: SocketAddr, client: &str, text: &str) {
    let body = json!({ "content": text, "sender_id": SENDER, "client_id": text }).to_string();
    let head = format!("POST /message HTTP/1.1\r\nHost: x\r\nX-Client: {client}\r\nContent-Length: {}", body.len());
    wait_until("an answer", || {
        let mut http = Http::open(nginx).unwrap();
        let is_sent = http.write(format!("{head}\r\n\r\n{body}")).is_ok();
        is_sent && http.answer().is_some_and(|answer| answer.status == 201)
    });
}

/// Goes on saying something until it is told to end.
fn write(nginx: SocketAddr, client: &str, is_over: &AtomicBool) {
    for number in 0.. {
        post(nginx, client, &format!("{client} {number}"));
        if is_over.load(Relaxed) {
            return;
        }
        // A pace that people may have.
        thread::sleep(Duration::from_millis(8));
    }
}

/// Listens to the lobby, and comes back whenever the stream ends, as a browser does. What was heard, and how often it ended.
fn listen(nginx: SocketAddr, client: &str, is_heard: &AtomicBool) -> (Vec<String>, usize) {
    let (mut heard, mut last, mut ends) = (Vec::new(), String::new(), 0);
    loop {
        let mut curl = Command::new("curl");
        // A header without a value is not sent.
        let headers = [format!("X-Client: {client}"), format!("Last-Event-ID: {last}")];
        curl.args(["-sN", "-m", "30", "-H", &headers[0], "-H", &headers[1]]);
        curl.arg(format!("http://{nginx}/stream"));
        let mut curl = curl.stdout(Stdio::piped()).spawn().unwrap();
        let mut retry = 0;
        for line in BufReader::new(curl.stdout.take().unwrap()).lines().map_while(Result::ok) {
            if let Some(id) = line.strip_prefix("id: ") {
                last = id.into();
            } else if let Some(time) = line.strip_prefix("retry: ") {
                retry = time.parse().unwrap();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let text = serde_json::from_str::<Value>(data).unwrap()["data"]["content"].as_str().map(str::to_owned);
                is_heard.store(true, Relaxed);
                heard.extend(text);
                if heard.last().is_some_and(|text| text == LAST) {
                    curl.kill().unwrap();
                    curl.wait().unwrap();
                    return (heard, ends);
                }
            }
        }
        curl.wait().unwrap();
        ends += 1;
        // So long it is told to wait, which is not to be the same for all.
        thread::sleep(Duration::from_millis(retry));
    }
}

/// A WebSocket through nginx, of that address.
fn connect(nginx: SocketAddr, path: &str, client: &str) -> WebSocket<TcpStream> {
    let mut request = format!("ws://{nginx}{path}").into_client_request().unwrap();
    request.headers_mut().insert("X-Client", client.parse().unwrap());
    let stream = TcpStream::connect(nginx).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    tungstenite::client(request, stream).unwrap().0
}

/// Listens to the lobby over the event dialect, which knows no coming back: one stretch of what was said for each connection.
fn attend(nginx: SocketAddr, client: &str, user: i64) -> Vec<Vec<String>> {
    let mut stretches: Vec<Vec<String>> = Vec::new();
    loop {
        let mut socket = connect(nginx, EVENT, client);
        for (event, payload) in [("switch_user", json!({ "userId": user })), ("join_room", json!({ "roomId": 1 }))] {
            socket.send(Message::text(json!({ "event": event, "payload": payload }).to_string())).unwrap();
        }
        let mut stretch = Vec::new();
        loop {
            match socket.read().unwrap() {
                Message::Text(text) => {
                    let told: Value = serde_json::from_str(&text).unwrap();
                    assert_ne!(told["event"], "error", "{told}");
                    if told["event"] == "new_message" {
                        stretch.push(told["payload"]["text"].as_str().unwrap().to_owned());
                    }
                }
                Message::Close(close) => break assert_eq!(close.map(|close| close.code.into()), Some(1001_u16)),
                _ => {}
            }
            if stretch.last().is_some_and(|text| text == LAST) {
                stretches.push(stretch);
                return stretches;
            }
        }
        stretches.push(stretch);
    }
}

/// Somebody in a room that nothing is kept of.
struct Guest {
    client: Client,
    id: String,
    room: String,
}

impl Guest {
    /// Enters the room, as a client of that address.
    fn join(nginx: SocketAddr, address: &str, room: &str) -> Self {
        let mut client = Client { socket: connect(nginx, ACTION, address) };
        let welcome: Value = serde_json::from_str(&client.receive()).unwrap();
        let join = format!(r#"{{"action":"join","room":"{room}"}}"#);
        client.ask(&join, &join);
        Self { client, id: welcome["user_id"].as_str().unwrap().to_owned(), room: room.to_owned() }
    }

    /// Says something, and the other hears it: so by then the other's node knows who is here.
    #[track_caller]
    fn say_to(&mut self, other: &mut Self) {
        let (id, room) = (&self.id, &self.room);
        let said = format!(r#""action":"room_message","room":"{room}""#);
        self.client.ask(r#"{"action":"room_message","message":"tea?"}"#, &format!(r#"{{{said},"message":"tea?"}}"#));
        other.client.expect(&format!(r#"{{{said},"user_id":"{id}","message":"tea?"}}"#));
    }

    /// Is told next that the other has come or gone.
    #[track_caller]
    fn expect_told(&mut self, action: &str, other: &Self) {
        let (id, room) = (&other.id, &self.room);
        self.client.expect(&format!(r#"{{"action":"{action}","room":"{room}","user_id":"{id}"}}"#));
    }

    /// Asks who is there.
    #[track_caller]
    fn expect_participants(&mut self, participants: &[String]) {
        let ids: Vec<String> = participants.iter().map(|id| format!("\"{id}\"")).collect();
        let ask = format!(r#"{{"action":"participants","room":"{}""#, self.room);
        self.client.ask(&format!("{ask}}}"), &format!(r#"{ask},"participants":[{}]}}"#, ids.join(",")));
    }
}

/// Waits until the node of that address knows of a room. Who enters before is told afterwards of those who were there.
fn wait_until_known(nginx: SocketAddr, address: &str, room: &str) {
    let mut client = Client { socket: connect(nginx, ACTION, address) };
    client.receive();
    wait_until("the room to be known", || {
        client.send(r#"{"action":"rooms"}"#);
        client.receive().contains(&format!("\"{room}\""))
    });
}

/// Restarts a node. Of two guests, one on each node, the one there goes to the other at once, and is seen to. How long it took
/// the node to end.
fn restart(site: &mut Site, place: usize, clients: &[String]) -> Duration {
    // An address of each node; it is, once nginx takes the node for one that serves.
    let homes = |site: &Site| [0, 1].map(|place| site.node_of(&clients[2 * place]));
    wait_until("both to be served by", || homes(site) == [Some(0), Some(1)]);
    let (of_this, of_other) = (&clients[2 * place], &clients[2 - 2 * place]);
    let (nginx, room) = (site.nginx.address, format!("room {place}"));
    let mut stays = Guest::join(nginx, of_other, &room);
    wait_until_known(nginx, of_this, &room);
    let mut goes = Guest::join(nginx, of_this, &room);
    stays.expect_told("join", &goes);
    stays.say_to(&mut goes);
    goes.expect_participants(&[stays.id.clone(), goes.id.clone()]);
    let started = Instant::now();
    site.cluster.nodes[place].signal("TERM");
    assert_eq!(goes.client.receive_close(), (1001, "the server is going away".into()));
    stays.expect_told("leave", &goes);
    goes = Guest::join(nginx, of_this, &room);
    stays.expect_told("join", &goes);
    let ids = [stays.id.clone(), goes.id.clone()];
    for guest in [&mut stays, &mut goes] {
        guest.expect_participants(&ids);
    }
    let (status, log) = site.cluster.nodes[place].wait();
    assert!(status.success(), "{log}");
    let ended = started.elapsed();
    site.cluster.nodes[place].start_again();
    site.cluster.wait_until_ready();
    // Whoever comes there now finds those who were here all the time.
    wait_until("it to be found", || site.node_of(of_this) == Some(place));
    let mut late = Guest::join(nginx, of_this, &room);
    late.expect_participants(&[ids.as_slice(), &[late.id.clone()]].concat());
    ended
}

/// Ends the writers with the test, however that ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn nobody_misses_anything_while_one_node_after_the_other_is_restarted() {
    let mut site = Site::start(&[], &[]);
    let clients = site.clients(2);
    let talk = Talk::start(&site, &clients);
    let eve = user(&site.cluster.nodes[0], "eve");
    let (entrance, database) = (site.nginx.address, site.cluster.database.clone());
    let (is_over, are_heard) = (AtomicBool::new(false), [const { AtomicBool::new(false) }; 2]);
    let (streams, stretches, durations) = thread::scope(|scope| {
        let each = [&clients[0], &clients[2]];
        let listeners = [0, 1].map(|at: usize| {
            let (client, is_heard) = (each[at], &are_heard[at]);
            scope.spawn(move || listen(entrance, client, is_heard))
        });
        let attendees = each.map(|client| scope.spawn(move || attend(entrance, client, eve)));
        wait_until("the streams", || are_heard.iter().all(|is_heard| is_heard.load(Relaxed)));
        let is_over = &is_over;
        let writers = each.map(|client| scope.spawn(move || write(entrance, client, is_over)));
        let over = Over(is_over);
        let durations = [0, 1].map(|place| restart(&mut site, place, &clients));
        drop(over);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        post(entrance, each[0], LAST);
        let stretches = attendees.map(|attendee| attendee.join().unwrap());
        (listeners.map(|listener| listener.join().unwrap()), stretches, durations)
    });
    let talked = talk.finish();
    // What is stored has one order. It is that in which everybody has heard it.
    let sql = format!("SELECT content FROM messages WHERE sender_id = '{SENDER}' ORDER BY id");
    let stored: Vec<String> = database::rows(&database, &sql).concat();
    println!("nodes ended after {durations:?}; {} messages in the lobby; Socket.IO: {talked}", stored.len());
    for (heard, ends) in streams {
        assert_eq!(heard, stored);
        assert!(ends >= 1, "its node was restarted");
    }
    for client in [&clients[0], &clients[2]] {
        let own: Vec<&String> = stored.iter().filter(|text| text.starts_with(&format!("{client} "))).collect();
        let said: Vec<String> = (0..own.len()).map(|number| format!("{client} {number}")).collect();
        assert!(own.len() > 25 && own.iter().zip(&said).all(|(own, said)| *own == said), "{own:?}");
    }
    for stretches in stretches {
        assert!(stretches.len() >= 2, "its node was restarted");
        for stretch in stretches.iter().filter(|stretch| !stretch.is_empty()) {
            let start = stored.iter().position(|text| *text == stretch[0]).expect("it is stored");
            assert_eq!(stretch[..], stored[start..][..stretch.len()]);
        }
    }
    assert!(talked["said"].as_u64() > Some(50) && talked["returns"].as_u64() >= Some(14), "{talked}");
}
