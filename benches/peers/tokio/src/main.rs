//! tokio-tungstenite, as its server example does it: a channel per member, and what comes out of it forwarded to the
//! socket; all in one thread. Usage: peer-tokio PORT [quiet]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::{StreamExt, TryStreamExt, future};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Asked {
    Join { room: String },
    RoomMessage { message: String },
}

#[derive(Serialize, Default)]
struct Told<'a> {
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl Told<'_> {
    /// The text is shared: a clone for a member counts a reference.
    fn text(&self) -> Message {
        Message::text(serde_json::to_string(self).expect("strings are JSON"))
    }
}

type Members = HashMap<usize, UnboundedSender<Message>>;

#[derive(Default)]
struct Chat {
    connected: usize,
    rooms: HashMap<String, Members>,
}

impl Chat {
    fn others(&self, room: &str, id: usize, told: &Told) {
        let text = told.text();
        for (_, member) in self.rooms[room].iter().filter(|(member, _)| **member != id) {
            // It fails for a member that is about to leave.
            let _ = member.unbounded_send(text.clone());
        }
    }

    fn leave(&mut self, room: &str, id: usize) {
        let Some(members) = self.rooms.get_mut(room) else { return };
        members.remove(&id);
        if members.is_empty() {
            self.rooms.remove(room);
        }
    }
}

async fn serve(stream: TcpStream, chat: Arc<Mutex<Chat>>, announces: bool) -> Result<(), Error> {
    let mut is_echo = false;
    #[expect(clippy::result_large_err, reason = "the library's own callback type")]
    let note_path = |request: &Request, response: Response| {
        is_echo = request.uri().path() == "/echo";
        Ok(response)
    };
    // The library fills its read buffer with zeros before every read. With the default of 128 KiB that is most of an
    // echo's cost, and 130 KB for each idle connection.
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let socket = accept_hdr_async_with_config(stream, note_path, Some(config)).await?;
    let (outgoing, mut incoming) = socket.split();
    if is_echo {
        return incoming.try_filter(|message| future::ready(!message.is_close())).forward(outgoing).await;
    }

    let (sender, receiver) = unbounded();
    let id = {
        let mut chat = chat.lock().unwrap();
        chat.connected += 1;
        chat.connected - 1
    };
    let user_id = id.to_string();
    let reply = |told: &Told| {
        let _ = sender.unbounded_send(told.text());
    };
    reply(&Told { action: "connection", user_id: Some(&user_id), ..Told::default() });

    // A task of its own: the example polls both halves in one, so that each delivery would try to read as well.
    tokio::spawn(receiver.map(Ok).forward(outgoing));

    let mut joined = None::<String>;
    while let Some(Ok(message)) = incoming.next().await {
        let mut chat = chat.lock().unwrap();
        match (message.to_text().map(serde_json::from_str), &joined) {
            (Ok(Ok(Asked::Join { room })), old) => {
                if let Some(old) = old {
                    chat.leave(old, id);
                }
                chat.rooms.entry(room.clone()).or_default().insert(id, sender.clone());
                let told = Told { action: "join", room: Some(&room), ..Told::default() };
                reply(&told);
                if announces {
                    chat.others(&room, id, &Told { user_id: Some(&user_id), ..told });
                }
                joined = Some(room);
            }
            (Ok(Ok(Asked::RoomMessage { message })), Some(room)) => {
                let (room, message) = (Some(&room[..]), Some(&message[..]));
                let told = Told { action: "room_message", room, message, ..Told::default() };
                reply(&told);
                chat.others(room.unwrap_or_default(), id, &Told { user_id: Some(&user_id), ..told });
            }
            _ => {}
        }
    }
    if let Some(room) = joined {
        chat.lock().unwrap().leave(&room, id);
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let announces = arguments.get(2).is_none_or(|mode| mode != "quiet");
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("127.0.0.1:{}", arguments[1]).parse().expect("an address"))?;
    let listener = socket.listen(16_384)?;
    let chat = Arc::new(Mutex::new(Chat::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, Arc::clone(&chat), announces));
    }
}
