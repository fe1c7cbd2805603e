//! A real Redis server of a test's own, from the machine's packages: in a temporary folder, on a free port of the loopback.
//! It keeps nothing on the disk. Nothing of it stays behind, however the test ends.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::waiting::wait_until;

/// It has to be encoded in a URL, and must not show up anywhere else.
pub const PASSWORD: &str = "hunter/2%";
const ENCODED_PASSWORD: &str = "hunter%2F2%25";

const SETTINGS: &[&str] = &["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"];

/// Waits for the end of its standard input, which comes with the end of the test in whatever way. Then it ends the server,
/// even a paused one, and removes the folder.
const KEEPER: &str = r#"
    read -r _
    if pid=$(cat pid); then kill -KILL "$pid"; fi
    rm -rf "$PWD"
"#;

/// A server. Dropped, it is ended, and its folder removed, for which nobody waits.
pub struct Redis {
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    has_password: bool,
    has_tls: bool,
    server: Option<Child>,
    /// Its standard input ends when this is dropped, or the process ends.
    _keeper: Child,
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Before its number can be another's.
            let _ = std::fs::remove_file(self.folder.join("pid"));
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(false, false, &[])
    }

    pub fn start_with_password() -> Self {
        Self::start_with(true, false, &[])
    }

    /// One that can be reached at these addresses too. It has a password.
    pub fn start_at(addresses: &[String]) -> Self {
        Self::start_with(true, false, addresses)
    }

    /// A server that speaks TLS alone, with the certificate that [`Self::certificate`] names.
    pub fn start_with_tls() -> Self {
        Self::start_with(true, true, &[])
    }

    fn start_with(has_password: bool, has_tls: bool, addresses: &[String]) -> Self {
        let made = Command::new("mktemp").args(["--directory", "--tmpdir", "roomcast-XXXXXX"]).output().unwrap();
        let folder = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim_end());
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER])
            .current_dir(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = free_port();
        // The last setting is a list.
        let mut settings: Vec<String> = SETTINGS.iter().map(ToString::to_string).collect();
        settings.extend_from_slice(addresses);
        if has_password {
            settings.extend(["--requirepass".into(), PASSWORD.into()]);
        }
        let mut redis = Self { folder, port, settings, has_password, has_tls, server: None, _keeper: keeper };
        redis.settings.extend(redis.port_settings());
        redis.start_again();
        redis
    }

    fn port_settings(&self) -> Vec<String> {
        let port = self.port.to_string();
        if !self.has_tls {
            return vec!["--port".into(), port];
        }
        let mut openssl = Command::new("openssl");
        openssl
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout", "server.key", "-out", "server.crt"])
            .current_dir(&self.folder);
        let output = openssl.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let settings =
            ["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file", "server.crt"];
        let more = ["--tls-key-file", "server.key", "--tls-ca-cert-file", "server.crt"];
        settings.iter().chain(&more).map(ToString::to_string).collect()
    }

    /// The certificate to trust, a file. It is that of `localhost`, not of an address.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    /// The URL of a database.
    pub fn url(&self, database: u32) -> String {
        self.url_at("127.0.0.1", database)
    }

    /// The same at another of its addresses, without TLS.
    pub fn url_at(&self, address: &str, database: u32) -> String {
        let password = if self.has_password { format!(":{ENCODED_PASSWORD}@") } else { String::new() };
        if !self.has_tls {
            return format!("redis://{password}{address}:{}/{database}", self.port);
        }
        let roots = self.certificate().display().to_string();
        format!("rediss://{password}localhost:{}/{database}?ssl_ca_certs={roots}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `redis-cli` prints, which is another program at the server.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.client().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The program itself.
    pub fn client(&self) -> Command {
        let mut command = Command::new("redis-cli");
        let host = if self.has_tls { "localhost" } else { "127.0.0.1" };
        command.args(["-h", host, "-p", &self.port.to_string()]).current_dir(&self.folder).stdin(Stdio::null());
        if self.has_password {
            command.env("REDISCLI_AUTH", PASSWORD);
        }
        if self.has_tls {
            command.args(["--tls", "--cacert", "server.crt"]);
        }
        command
    }

    /// By `kill -9`. It forgets all.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        std::fs::remove_file(self.folder.join("pid")).unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Starts it, and waits until it answers.
    pub fn start_again(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = Command::new("redis-server");
        command.args(&self.settings).current_dir(&self.folder).process_group(0).stdin(Stdio::null());
        let server = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().expect("installed by scripts/test");
        let server = self.server.insert(server);
        std::fs::write(self.folder.join("pid"), server.id().to_string()).unwrap();
        wait_until("Redis to answer", || {
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "Redis has ended: {}", std::fs::read_to_string(self.folder.join("log")).unwrap());
            self.client().arg("PING").output().unwrap().stdout.starts_with(b"PONG")
        });
    }

    /// Stops it where it is: to others it is as if the machine were gone.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.server.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Seconds of the processor that it has used.
    pub fn seconds(&self) -> f64 {
        let seconds = |line: &str| line.split_once(':').and_then(|(_, number)| number.trim().parse::<f64>().ok());
        let info = self.cli(&["INFO", "cpu"]);
        let used = info.lines().filter(|line| line.starts_with("used_cpu_sys:") || line.starts_with("used_cpu_user:"));
        used.filter_map(seconds).sum()
    }
}

/// Below those that the system gives to whoever asks for any, so that nobody has it while the server is stopped.
fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(15_000..30_000)).take(100).find(is_free).expect("a free port")
}
