//! A client of Engine.IO's WebSocket, on which each message is a packet.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Instant;

use tungstenite::error::ProtocolError;
use tungstenite::handshake::HandshakeError;
use tungstenite::{Error, Message, WebSocket};

use super::PATIENCE;
use super::polling::{Session, connection};
use super::protocol::server;

/// One connection.
pub struct Socket(WebSocket<TcpStream>);

impl Socket {
    /// Upgrades a connection; else it is the status of the refusal.
    pub fn try_open(target: &str) -> Result<Self, u16> {
        match tungstenite::client(format!("ws://{}{target}", server()), connection()) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(HandshakeError::Failure(Error::Http(answer))) => Err(answer.status().as_u16()),
            Err(error) => panic!("neither an upgrade nor a refusal: {error}"),
        }
    }

    /// A connection that begins a session. The open packet has not been read.
    pub fn open(path: &str) -> Self {
        Self::try_open(&format!("{path}?EIO=4&transport=websocket")).expect("the upgrade")
    }

    /// A connection that is to take over a session.
    pub fn take_over(session: &Session) -> Self {
        Self::try_open(&session.target("websocket")).expect("the upgrade")
    }

    pub fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).unwrap();
    }

    /// The next packet, whichever. Nothing at the end of the connection.
    pub fn next(&mut self) -> Option<Message> {
        loop {
            match self.0.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => return Some(message),
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                    return None;
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("neither a packet nor the end: {error}"),
            }
        }
    }

    /// The next packet that is no ping, if there is one before the end. A ping is answered: the heartbeat has its own
    /// cases, and in the others it comes if the machine is slow.
    #[track_caller]
    fn next_message(&mut self) -> Option<Message> {
        let start = Instant::now();
        loop {
            let packet = self.next()?;
            if packet != Message::text("2") {
                return Some(packet);
            }
            assert!(start.elapsed() < PATIENCE, "nothing but pings");
            // The server may be closing, and then nothing goes out any more.
            let _ = self.0.send(Message::text("3"));
        }
    }

    /// The next packet that is no ping. It is text.
    #[track_caller]
    pub fn receive(&mut self) -> String {
        match self.next_message() {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The next packet that is no ping is this text, to the letter.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        assert_eq!(self.next_message(), Some(Message::text(text)));
    }

    /// The next packet that is no ping is binary, and these are its bytes.
    #[track_caller]
    pub fn expect_bytes(&mut self, bytes: &[u8]) {
        assert_eq!(self.next_message(), Some(Message::binary(bytes.to_vec())));
    }

    /// Nothing but pings comes before the end, and the end does come.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.next_message(), None);
    }
}
