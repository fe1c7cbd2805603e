//! A real nginx with the file as it is, but for ports, before a real server.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tungstenite::client::IntoClientRequest;

use super::{printed, text_of, with};
use crate::common::people::{private_room, serve_people, token_of, user};
use crate::common::tools::tool;
use crate::common::{ACTION, Client, ECHO, Server, scratch_dir, wait_until};

/// What stands around the file: paths of the test's own, and a single process under the test's own user.
const AROUND: &str = "
daemon off;
master_process off;
pid DIRECTORY/pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path DIRECTORY/body;
    proxy_temp_path DIRECTORY/proxy;
    fastcgi_temp_path DIRECTORY/fastcgi;
    uwsgi_temp_path DIRECTORY/uwsgi;
    scgi_temp_path DIRECTORY/scgi;
    include DIRECTORY/roomcast.conf;
}
";

/// A server, and an nginx that leads to it. Killed when dropped.
struct Proxied {
    server: Server,
    nginx: Child,
    /// Where nginx listens.
    address: SocketAddr,
}

impl Proxied {
    fn start(server: Server) -> Self {
        let address = free_address();
        let directory = scratch_dir();
        let upstream = format!("server {};", server.address);
        let listen = format!("listen {address};");
        let site = [("server 127.0.0.1:8000;", &*upstream), ("listen 80;", &listen), ("listen [::]:80;", "")];
        fs::write(directory.join("roomcast.conf"), with(text_of("nginx.conf"), &site)).unwrap();
        let around = with(AROUND.into(), &[("DIRECTORY", directory.to_str().unwrap())]);
        let config = directory.join("nginx.conf");
        fs::write(&config, around).unwrap();
        let output = command(&config).arg("-t").output().expect("nginx is installed by scripts/test");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("[warn]"), "{said}");
        let nginx = command(&config).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let proxied = Self { server, nginx, address };
        wait_until("nginx to listen", || TcpStream::connect(address).is_ok());
        proxied
    }

    /// The status and the body of an answer that came through nginx.
    fn curl(&self, path: &str, options: &[&str]) -> (String, String) {
        let url = format!("http://{}{path}", self.address);
        let printed =
            printed(Command::new("curl").args(["-sS", "-m", "10", "-w", "\n%{http_code}", &url]).args(options));
        let (body, status) = printed.rsplit_once('\n').unwrap();
        (status.into(), body.into())
    }

    /// An upgrade through nginx, with these headers; or the status that refuses it.
    fn upgrade(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Client, u16> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(crate::common::PATIENCE)).unwrap();
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Client { socket }),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                Err(answer.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Drop for Proxied {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

fn command(config: &Path) -> Command {
    // Where Debian has it, which is not on every user's path.
    let mut command = Command::new("/usr/sbin/nginx");
    // Before it has read its configuration it would write to the system's log.
    command.args(["-e", "stderr", "-c"]).arg(config);
    command
}

/// One that nobody has, or had a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn websockets_go_through() {
    let proxied = Proxied::start(Server::start(&["--api-key", "secret"]));
    let mut ann = proxied.upgrade(ACTION, &[]).unwrap();
    ann.expect(r#"{"action":"connection","user_id":"0"}"#);
    ann.ask(r#"{"action":"join","room":"tea"}"#, r#"{"action":"join","room":"tea"}"#);
    let mut bob = proxied.upgrade("/ws", &[("api-key", "secret")]).unwrap();
    bob.send(r#"{"event":"create_user","payload":{"username":"bob"}}"#);
    assert!(bob.receive().contains(r#""username":"bob""#));
    let mut echo = proxied.upgrade(ECHO, &[]).unwrap();
    let large = "x".repeat(60_000);
    echo.ask(&large, &large);

    // The origin is compared to the host that the browser asked for.
    let page = |origin| proxied.upgrade(ACTION, &[("Host", "chat.example:8443"), ("Origin", origin)]).map(drop);
    assert_eq!(page("https://chat.example:8443"), Ok(()));
    assert_eq!(page("https://evil.example"), Err(403));
}

#[test]
fn requests_go_through_over_connections_that_are_kept() {
    // Without a key nobody is served who comes through a proxy, whoever the proxy is.
    let open = Proxied::start(Server::start(&[]));
    assert_eq!(open.curl("/user", &[]).0, "403");
    assert_eq!(open.upgrade("/ws", &[]).map(drop), Err(403));
    let mut proxied = Proxied::start(Server::start(&["--api-key", "secret"]));
    let made = (String::from("201"), String::from(r#"{"ID":1,"Username":"ann"}"#));
    assert_eq!(proxied.curl("/user", &["-H", "api-key: secret", "-d", r#"{"Username":"ann"}"#]), made);
    for _ in 0..10 {
        assert_eq!(proxied.curl("/health", &[]), ("200".into(), "ok\n".into()));
    }
    // Too much for Roomcast, which says so in its own words; far too much for nginx.
    let too_much = |bytes: usize| {
        let file = scratch_dir().join("body");
        fs::write(&file, " ".repeat(bytes)).unwrap();
        proxied.curl("/user", &["-H", "api-key: secret", "--data-binary", &format!("@{}", file.display())])
    };
    let (status, body) = too_much(100_000);
    assert!(status == "413" && !body.contains("nginx"), "{status} {body}");
    let (status, body) = too_much(200_000);
    assert!(status == "413" && body.contains("nginx"), "{status} {body}");

    proxied.server.signal("TERM");
    let (_, log) = proxied.server.wait();
    let ended = log.split("stopped: ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    // Not one for each of the twelve. What is refused ends its own.
    assert!(ended.unwrap_or_else(|| panic!("{log}")) <= 4, "{log}");
}

#[test]
fn socketio_clients_go_through_by_either_transport() {
    let proxied = Proxied::start(Server::spawn(serve_people(&[])));
    let members = ["ann", "bob"].map(|name| user(&proxied.server, name));
    let room = private_room(&proxied.server, "tea", &members);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/through_nginx.mjs");
    let modules = tool("node_modules/socket.io-client");
    let mut command = Command::new("node");
    command.arg(script).arg(format!("http://{}", proxied.address)).args(["ann", "bob"].map(token_of));
    command.arg(room.to_string()).env("NODE_PATH", modules.parent().unwrap());
    let printed = printed(&mut command);
    assert!(printed.ends_with("done\n"), "{printed}");
}
