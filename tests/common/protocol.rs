//! The server that the cases of the protocol suites run against, and its numbers. On `/engine.io/` it sends back every
//! message. On `/socket.io/` it has the namespaces `/` and `/custom`; there whoever connects is sent `auth` with what
//! they gave, `message` is answered by `message-back`, and `message-with-ack` by its acknowledgement, all with the
//! arguments that came. It runs in this process, with a vocabulary of the tests' own: that is one file.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;

use roomcast::config::Config;
use roomcast::dialect::socketio::{Call, Emitter, Namespaces, Vocabulary};
use roomcast::dialect::{Decoded, Limits};
use roomcast::hub::{Event, Reply, Tag};
use roomcast::server::{Server, Sockets};

pub const ENGINE_IO: &str = "/engine.io/";
pub const SOCKET_IO: &str = "/socket.io/";

pub const PING_INTERVAL: Duration = Duration::from_millis(300);
pub const PING_TIMEOUT: Duration = Duration::from_millis(200);
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(1000);
pub const MAX_PAYLOAD: u64 = 1_000_000;

/// Where it listens. It is started by the first who asks, and ends with the process.
pub fn server() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| start(SocketAddr::from(([127, 0, 0, 1], 0))))
}

/// Starts one on that address.
pub fn start(listen: SocketAddr) -> SocketAddr {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let config = Config {
            listen,
            ping: PING_INTERVAL,
            pong: PING_TIMEOUT,
            connect: CONNECT_TIMEOUT,
            max_message: MAX_PAYLOAD as usize,
            max_body: MAX_PAYLOAD as usize,
            recovery: false,
            ..Config::default()
        };
        let namespaces = Namespaces::new(&[("/", &[&Mirror]), ("/custom", &[&Mirror])]);
        let sockets = Sockets { namespaces, verifier: None, echoes: true };
        let mut server = Server::bind(config, sockets, None, None, 0).unwrap();
        tell.send(server.address()).unwrap();
        server.run().unwrap();
    });
    told.recv().unwrap()
}

/// Tells a client what it has shown, and says back what it says.
struct Mirror;

impl Vocabulary for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn takes_part(&self) -> bool {
        false
    }

    fn follows_all(&self) -> bool {
        false
    }

    fn knows(&self, _event: &str) -> bool {
        true
    }

    fn greet(&self, auth: &str, out: &mut Emitter<'_>) {
        out.emit_raw(&[r#""auth""#, auth], &[]);
    }

    fn decode(&self, call: &Call<'_>, _limits: &Limits, out: &mut Emitter<'_>) -> Decoded {
        let args = call.args.iter().map(|arg| arg.get());
        match (call.name, call.ack) {
            ("message", _) => {
                let items: Vec<&str> = std::iter::once(r#""message-back""#).chain(args).collect();
                out.emit_raw(&items, call.attachments);
            }
            ("message-with-ack", Some(id)) => out.ack_raw(id, &args.collect::<Vec<_>>(), call.attachments),
            _ => {}
        }
        Decoded::Answer(Vec::new())
    }

    fn reply(&self, _reply: &Reply, _tag: Option<&Tag>, _out: &mut Emitter<'_>) {}

    fn event(&self, _event: &Event, _out: &mut Emitter<'_>) {}
}
