//! Thousands in one room, by each way to them: to tell Socket.IO clients or listeners to a stream costs what it costs to
//! tell as many who speak the action dialect. It is the same work: finished bytes that all share.
//!
//! `benches/cost.rs` counts the instructions and system calls of that, and finds what has grown by a twentieth. Here is
//! what the kernel does for a call, too.

use std::io::Write;
use std::net::TcpStream;

use crate::common::crowd::{Crowd, Effort, alone, ratios, read_past};
use crate::common::http::Http;
use crate::common::peer::{WEBSOCKET, connect_packet};
use crate::common::stream::saying;
use crate::common::{ACTION, Server, TEXT, frame, gather, people, raw_websocket, read_until, say, serve};

const EFFORT: Effort = Effort { members: 5_000, rounds: 7, messages: 6 };

/// What a listener may cost of the server's own memory.
const LISTENER_BYTES: u64 = 900;

/// How much more than on the action dialect a delivery may cost. It is 1.02 to 1.05 times as much, and up to 1.16 where
/// others empty the processor's caches all the time; with a frame made anew for each member it is 1.5 times as much.
const MORE: f64 = 1.25;

fn by_actions() -> Crowd {
    let server = Server::spawn(serve(&["--rate", "0", "--ping", "24h"]));
    let mut members: Vec<TcpStream> = (0..EFFORT.members).map(|_| raw_websocket(&server, ACTION)).collect();
    gather(&mut members);
    Crowd::new(server, members)
}

/// In the chat vocabulary. Returns the room they are in, too.
fn by_socket_io() -> (Crowd, i64) {
    let flags = ["--rate", "0", "--ping", "24h", "--outbox", "4MiB"];
    let server = Server::spawn(people::serve_people(&flags));
    let users = ["ada", "bob"].map(|name| people::user(&server, name));
    let room = people::private_room(&server, "tea", &users);
    let connect = frame(TEXT, connect_packet("/chat", "ada").as_bytes());
    let join = |_| {
        let mut member = raw_websocket(&server, WEBSOCKET);
        member.write_all(&connect).unwrap();
        read_past(&mut member, b"40/chat,");
        member
    };
    let members = (0..EFFORT.members).map(join).collect();
    (Crowd::new(server, members), room)
}

/// Listeners, and somebody who posts.
fn by_streams() -> (Crowd, Http) {
    // By itself glibc keeps what was freed for later.
    let mut command = serve(&["--rate", "0"]);
    command.env("MALLOC_TRIM_THRESHOLD_", "131072");
    let server = Server::spawn(command);
    let base = server.resident_bytes();
    let mut listeners = server.many_raw(EFFORT.members);
    for listener in &mut listeners {
        listener.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n").unwrap();
    }
    for listener in &mut listeners {
        read_until(listener, b"Connected to message stream\"}\n\n");
    }
    let each = (server.resident_bytes() - base) / EFFORT.members as u64;
    println!("resident memory per listener: {each} bytes");
    assert!(each <= LISTENER_BYTES, "{each} bytes per listener");
    let poster = Http::open(server.address).unwrap();
    (Crowd::new(server, listeners), poster)
}

#[test]
fn telling_five_thousand_costs_the_same_on_socket_io_streams_and_the_action_dialect() {
    let _alone = alone(3 * EFFORT.members);
    let (socket_io, room) = by_socket_io();
    let (streams, mut poster) = by_streams();
    let crowds = [by_actions(), socket_io, streams];
    let [_, socket_io, streams] = ratios(crowds, &EFFORT, |[actions, socket_io, streams], text| {
        say(&mut actions.members[0], text);
        actions.hear(text);
        let send = format!(r#"42/chat,["message:send",{{"chatId":{room},"content":"{text}"}}]"#);
        socket_io.members[0].write_all(&frame(TEXT, send.as_bytes())).unwrap();
        socket_io.hear(text);
        poster.send("POST", "/message", saying(text)).unwrap();
        assert_eq!(poster.answer().unwrap().status, 201);
        streams.hear(text);
    });
    println!("a delivery by Socket.IO costs {socket_io:.3} times what it costs by actions, by a stream {streams:.3}");
    assert!(socket_io <= MORE && streams <= MORE, "{socket_io:.3} {streams:.3}");
}
