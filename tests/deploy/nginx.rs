//! What goes through nginx, with the file as it is.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use tungstenite::client::IntoClientRequest;

use super::printed;
use crate::common::nginx::{ADDRESSES, Nginx};
use crate::common::stream::{CONNECTED, Listener, post};
use crate::common::{ACTION, Client, ECHO, Server, scratch_dir};

/// A server, and an nginx that leads to it.
struct Proxied {
    server: Server,
    nginx: Nginx,
}

impl Proxied {
    fn start(server: Server) -> Self {
        let nginx = Nginx::before(&[server.address], ADDRESSES, &[]);
        Self { server, nginx }
    }

    /// The status and the body of an answer that came through nginx.
    fn curl(&self, path: &str, options: &[&str]) -> (String, String) {
        let url = format!("http://{}{path}", self.nginx.address);
        let printed =
            printed(Command::new("curl").args(["-sS", "-m", "10", "-w", "\n%{http_code}", &url]).args(options));
        let (body, status) = printed.rsplit_once('\n').unwrap();
        (status.into(), body.into())
    }

    /// An upgrade through nginx, with these headers; or the status that refuses it.
    fn upgrade(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Client, u16> {
        let mut request = format!("ws://{}{path}", self.nginx.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.nginx.address).unwrap();
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

/// By the file alone, and by what the server asks of any proxy alone.
#[test]
fn events_go_out_at_once() {
    let asks = "proxy_set_header Host $http_host;";
    let ways = [
        (asks, "proxy_set_header Host $http_host; proxy_ignore_headers X-Accel-Buffering;"),
        ("proxy_buffering off;", ""),
    ];
    for change in ways {
        let server = Server::start(&["--trust-proxies", "127.0.0.1"]);
        let nginx = Nginx::before(&[server.address], ADDRESSES, &[change]);
        let wire = TcpStream::connect(nginx.address).unwrap();
        wire.set_read_timeout(Some(crate::common::PATIENCE)).unwrap();
        let mut listener = Listener::over(wire, "GET /stream HTTP/1.0\r\nHost: x\r\n\r\n");
        assert_eq!(listener.next().data, CONNECTED);
        for text in ["one", "two"] {
            post(&server, "/message", text);
            listener.expect("new_message", text);
        }
    }
}

/// The same host by another scheme is another site.
#[test]
fn a_trusted_proxy_says_that_it_was_tls() {
    let tls = ("X-Forwarded-Proto $scheme", "X-Forwarded-Proto https");
    let pages = |flags: &[&str]| {
        let server = Server::start(&[&["--api-key", "secret"], flags].concat());
        let nginx = Nginx::before(&[server.address], ADDRESSES, &[tls]);
        let proxied = Proxied { server, nginx };
        let page = |origin| {
            let headers = [("Host", "chat.example"), ("Origin", origin), ("api-key", "secret")];
            proxied.upgrade("/ws", &headers).map(drop)
        };
        (page("https://chat.example"), page("http://chat.example"))
    };
    assert_eq!(pages(&["--trust-proxies", "127.0.0.1"]), (Ok(()), Err(403)));
    // From others it means nothing.
    assert_eq!(pages(&["--trust-proxies", "203.0.113.9"]), (Ok(()), Ok(())));
}

/// Who is no program of this machine can't become one by what it writes itself.
#[test]
fn a_trusted_proxy_says_who_asks_and_its_clients_do_not() {
    let mut proxied = Proxied::start(Server::start(&["--trust-proxies", "127.0.0.1, ::1"]));
    let status = |headers: &[&str]| {
        let options: Vec<&str> = headers.iter().flat_map(|header| ["-H", *header]).collect();
        proxied.curl("/user", &options).0
    };
    assert_eq!(status(&[]), "200");
    assert_eq!(status(&["X-Forwarded-For: 127.0.0.1"]), "200");
    let stranger = "X-Client: 203.0.113.9";
    assert_eq!(status(&[stranger]), "403");
    for forged in ["127.0.0.1", "127.0.0.1, 127.0.0.1", "::1", "localhost", "unknown", "127.0.0.1:80", "\"[::1]:80\""] {
        for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded"] {
            assert_eq!(status(&[stranger, &format!("{name}: {forged}")]), "403", "{name}: {forged}");
        }
    }
    // What it may claim for itself is to be somebody else from elsewhere.
    assert_eq!(status(&["X-Forwarded-For: 203.0.113.9"]), "403");
    assert_eq!(status(&["X-Forwarded-For: unknown"]), "403");

    // The scheme is the proxy's, so a page that came over TLS is none of this site.
    let page = |origin| proxied.upgrade(ACTION, &[("Host", "chat.example"), ("Origin", origin)]).map(drop);
    assert_eq!(page("http://chat.example"), Ok(()));
    assert_eq!(page("https://chat.example"), Err(403));
    let page = |address| {
        let headers = [("Host", "chat.example"), ("Origin", "http://localhost:3000"), ("X-Client", address)];
        proxied.upgrade(ACTION, &headers).map(drop)
    };
    assert_eq!((page("127.0.0.1"), page("203.0.113.9")), (Ok(()), Err(403)));

    // And the log shows the client.
    let mut breach = proxied.upgrade(ECHO, &[("X-Client", "2001:db8::9")]).unwrap();
    std::io::Write::write_all(breach.socket.get_mut(), b"\xff\xff no frame at all").unwrap();
    assert_eq!(breach.receive_close().0, 1002);
    proxied.server.signal("TERM");
    let (_, log) = proxied.server.wait();
    assert!(log.contains("closed 2001:db8::9: a breach of the protocol"), "{log}");
}
