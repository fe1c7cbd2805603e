//! A real nginx with the file of the deployment as it is, but for ports, before servers.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{scratch_dir, wait_until};

/// The site, from the repository.
const SITE: &str = include_str!("../../scripts/deploy/nginx.conf");

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
    MORE
    include DIRECTORY/roomcast.conf;
}
";

/// Lets a test's clients come from any address, by the header `X-Client`, and tells them which node has answered.
pub const ADDRESSES: &str =
    "set_real_ip_from 127.0.0.1; real_ip_header X-Client; add_header X-Node $upstream_addr always;";

/// Passes everything on, in the name of a client. An upgrade is one if the client says so, and nothing waits for more.
const HOP: &str = "
server {
    listen LISTEN;
    client_max_body_size 0;
    location / {
        proxy_pass http://SITE;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $http_connection;
        proxy_set_header X-Client CLIENT;
        proxy_buffering off;
        proxy_request_buffering off;
    }
}
";

/// Killed when dropped.
pub struct Nginx {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Nginx {
    /// Leads to these servers. `more` stands around the site, which is changed by `changes` besides.
    pub fn before(servers: &[SocketAddr], more: &str, changes: &[(&str, &str)]) -> Self {
        let address = free_address();
        let upstream: String = servers.iter().map(|server| format!("server {server} fail_timeout=2s;")).collect();
        let listen = format!("listen {address};");
        let own =
            [("server 127.0.0.1:8000 fail_timeout=2s;", &*upstream), ("listen 80;", &listen), ("listen [::]:80;", "")];
        Self::start(address, &with(with(SITE.into(), &own), changes), more)
    }

    /// Another one before a site that knows [`ADDRESSES`]: for each of these clients an address, by which whoever comes is
    /// that client to the site.
    pub fn nearer(site: SocketAddr, clients: &[String]) -> (Self, Vec<SocketAddr>) {
        let hops: Vec<SocketAddr> = clients.iter().map(|_| free_address()).collect();
        let (site, first) = (site.to_string(), hops[0]);
        let hop = |(hop, client): (&SocketAddr, &String)| {
            let own = [("LISTEN", hop.to_string()), ("SITE", site.clone()), ("CLIENT", client.clone())];
            with(HOP.into(), &own.each_ref().map(|(from, to)| (*from, &**to)))
        };
        (Self::start(first, &hops.iter().zip(clients).map(hop).collect::<String>(), ""), hops)
    }

    fn start(address: SocketAddr, site: &str, more: &str) -> Self {
        let directory = scratch_dir();
        fs::write(directory.join("roomcast.conf"), site).unwrap();
        let around = with(AROUND.into(), &[("DIRECTORY", directory.to_str().unwrap()), ("MORE", more)]);
        let config = directory.join("nginx.conf");
        fs::write(&config, around).unwrap();
        let output = command(&config).arg("-t").output().expect("nginx is installed by scripts/test");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("[warn]"), "{said}");
        let child = command(&config).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let nginx = Self { child, address };
        wait_until("nginx to listen", || TcpStream::connect(address).is_ok());
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The text with each of these replaced, which must be there.
#[track_caller]
pub fn with(mut text: String, replacements: &[(&str, &str)]) -> String {
    for (from, to) in replacements {
        assert!(text.contains(from), "{from:?} is not in it");
        text = text.replace(from, to);
    }
    text
}
