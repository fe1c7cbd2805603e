//! Hostile and unlucky clients of Engine.IO and Socket.IO, against the real binary: what each gets, that it costs nobody
//! else anything, and that its session ends or goes on as it should.

mod bounds;
mod floods;
mod origins;
mod requests;
mod secrets;
mod upgrade;

use crate::common::Server;
use crate::common::peer::{Polling, Socket, connect_packet};
use crate::common::{peer, people};

/// A server with Ada and Bob, and a private room of theirs.
struct Stage {
    server: Server,
    room: i64,
}

impl Stage {
    fn set(flags: &[&str]) -> Self {
        let server = Server::spawn(people::serve_people(flags));
        let members = ["ada", "bob"].map(|name| people::user(&server, name));
        let room = people::private_room(&server, "tea", &members);
        Self { server, room }
    }

    /// Somebody on `/chat` over WebSocket.
    fn socket(&self, name: &str) -> Socket {
        let mut socket = Socket::open(self.server.address);
        socket.send(&connect_packet("/chat", name));
        while !socket.receive().starts_with("40/chat,") {}
        socket
    }

    /// Somebody on `/chat` by polls.
    fn polling(&self, name: &str) -> Polling {
        let mut session = Polling::open(self.server.address);
        session.push(connect_packet("/chat", name));
        while !session.receive().starts_with("40/chat,") {}
        session
    }

    /// The server is well and serves others as ever.
    #[track_caller]
    fn check(&self) {
        let mut bob = self.socket("bob");
        bob.send(&peer::saying(1, self.room, "all well?"));
        while peer::said(&bob.receive()).as_deref() != Some("all well?") {}
    }

    /// Has Bob say so many things, which are acknowledged.
    fn say(&self, bob: &mut Socket, texts: std::ops::Range<usize>) {
        for number in texts {
            bob.send(&peer::saying(number, self.room, &text(number)));
            while !bob.receive().starts_with(&format!("43/chat,{number}[")) {}
        }
    }
}

fn text(number: usize) -> String {
    format!("message {number}")
}

/// What comes next of what was said.
#[track_caller]
fn next_said(mut receive: impl FnMut() -> Option<String>) -> String {
    loop {
        let packet = receive().expect("something that was said");
        if let Some(said) = peer::said(&packet) {
            return said;
        }
    }
}

/// The session has ended, or the next poll says that it does.
#[track_caller]
fn expect_closed(session: &Polling) {
    for _ in 0..3 {
        let answer = session.poll();
        if answer.status == 400 {
            return answer.expect_unknown_session();
        }
        assert_eq!(answer.status, 200);
        if answer.body.split(peer::SEPARATOR).next_back() == Some("1") {
            return session.poll().expect_unknown_session();
        }
    }
    panic!("the session goes on");
}
