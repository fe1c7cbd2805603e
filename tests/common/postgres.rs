//! A real PostgreSQL server of a test's own, from the machine's packages: a cluster in a temporary folder, on a free port
//! of the loopback. Nothing of it stays behind, however the test ends.
//!
//! The server's time zone is none that anybody computes in, and the role that roomcast comes as owns its databases and
//! nothing else.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::waiting::{wait_until, wait_within};

/// It has to be encoded in a URL, and must not show up anywhere else.
pub const PASSWORD: &str = "hunter/2%";
const ENCODED_PASSWORD: &str = "hunter%2F2%25";

/// For tests that need speed and no power cut: nothing reaches the disk for sure.
const FAST: &[&str] = &["fsync=off", "full_page_writes=off"];

const SETTINGS: &[&str] =
    &["listen_addresses=127.0.0.1", "shared_buffers=16MB", "max_connections=50", "timezone=Asia/Kathmandu"];

/// Waits for the end of its standard input, which comes with the end of the test in whatever way. Then it stops the
/// server, even a paused one, and removes the folder.
const KEEPER: &str = r#"
    read -r _
    if pid=$(head -n 1 data/postmaster.pid); then
        kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children")
        "$1" stop --mode=immediate --pgdata=data
    fi
    rm -rf "$PWD"
"#;

/// A server. Dropped, it is stopped and all its data removed, for which nobody waits.
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    /// The postmaster, while it runs.
    server: Option<Child>,
    /// Its standard input ends when this is dropped, or the process ends.
    _keeper: Child,
}

impl Postgres {
    /// A server that keeps what it has acknowledged.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// One for all tests of a process, quick and forgetful.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_with(FAST))
    }

    /// A server that speaks TLS too, with the certificate that [`Self::certificate`] names.
    pub fn start_with_tls() -> Self {
        Self::start_with(&["ssl=on", "ssl_cert_file=../server.crt", "ssl_key_file=../server.key"])
    }

    /// One that can be reached at these addresses too, quick and forgetful.
    pub fn start_at(addresses: &[String]) -> Self {
        let listen = format!("listen_addresses=127.0.0.1,{}", addresses.join(","));
        Self::start_with(&[FAST, &["max_connections=100", &listen]].concat())
    }

    fn start_with(settings: &[&str]) -> Self {
        let folder = folder();
        // Before there is anything to remove.
        let keeper = command(&folder, "/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program("pg_ctl"))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = free_port();
        let own = [format!("port={port}"), format!("unix_socket_directories={}", folder.display())];
        let settings = SETTINGS.iter().chain(settings).map(ToString::to_string).chain(own).collect();
        let mut postgres = Self { folder, port, settings, server: None, _keeper: keeper };
        postgres.make_cluster();
        postgres.start_again();
        postgres.administer(&format!("CREATE ROLE roomcast LOGIN PASSWORD '{PASSWORD}'"));
        postgres
    }

    fn make_cluster(&self) {
        let initdb = ["--pgdata=data", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        check(command(&self.folder, program("initdb")).args(initdb));
        fs::write(self.folder.join("data/pg_hba.conf"), "local all all trust\nhost all all all scram-sha-256\n")
            .unwrap();
        if self.settings.iter().any(|setting| setting == "ssl=on") {
            check(
                command(&self.folder, "openssl")
                    .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"])
                    .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
                    .args(["-addext", "subjectAltName=DNS:localhost"])
                    .args(["-keyout", "server.key", "-out", "server.crt"]),
            );
        }
    }

    /// The certificate to trust, a file. It is that of `localhost`, not of an address.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    /// The URL of a new database, in which there is nothing.
    pub fn database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("chat{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.administer(&format!("CREATE DATABASE {name} OWNER roomcast"));
        self.url(&name)
    }

    /// The URL of a database, whether there is one or not.
    pub fn url(&self, database: &str) -> String {
        self.url_at("127.0.0.1", database)
    }

    /// The same at another of its addresses.
    pub fn url_at(&self, address: &str, database: &str) -> String {
        format!("postgres://roomcast:{ENCODED_PASSWORD}@{address}:{}/{database}", self.port)
    }

    /// The host and port.
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// As the superuser, whom the socket alone lets in.
    pub fn administer(&self, sql: &str) -> String {
        psql(&self.as_superuser("postgres"), sql)
    }

    /// The URL of a database for the superuser.
    pub fn as_superuser(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port={}", self.folder.display(), self.port)
    }

    /// Stops in order: those who are connected are sent away.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        signal("INT", &[server.id()]);
        wait_until("PostgreSQL to stop", || server.try_wait().unwrap().is_some());
    }

    /// The postmaster by `kill -9`; the others end when they notice.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        let children = children(server.id());
        server.kill().unwrap();
        server.wait().unwrap();
        wait_until("PostgreSQL's processes to end", || !children.iter().copied().any(is_alive));
    }

    /// Starts it, and waits until it answers.
    pub fn start_again(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = command(&self.folder, program("postgres"));
        command.args(["-D", "data"]).args(self.settings.iter().flat_map(|setting| ["-c", setting]));
        // What ends the test's whole group leaves the end of this one to its keeper.
        let child =
            command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let server = self.server.insert(child);
        let (folder, pid) = (&self.folder, server.id().to_string());
        // The last line of that file is its state; the first says whether it is this start's.
        let is_ready = |status: String| status.starts_with(&pid) && status.trim_end().ends_with("\nready");
        // After a crash it brings each of its files to the disk.
        wait_within(Duration::from_secs(60), "PostgreSQL to be ready", || {
            let ended = server.try_wait().unwrap();
            assert!(ended.is_none(), "PostgreSQL has ended: {}", fs::read_to_string(folder.join("log")).unwrap());
            fs::read_to_string(folder.join("data/postmaster.pid")).is_ok_and(is_ready)
        });
    }

    /// Stops all its processes where they are: to others it is as if the machine were gone.
    pub fn pause(&self) {
        let pid = self.server.as_ref().expect("it runs").id();
        // First the one who would start others.
        signal("STOP", &[pid]);
        signal("STOP", &children(pid));
    }

    /// Lets them go on.
    pub fn resume(&self) {
        let pid = self.server.as_ref().expect("it runs").id();
        signal("CONT", &children(pid));
        signal("CONT", &[pid]);
    }
}

/// What `psql` prints, which is another program at the database: the values alone, `\x1f` between those of a row and
/// `\x1e` between rows.
#[track_caller]
pub fn psql(url: &str, sql: &str) -> String {
    try_psql(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The same, or why the server refused it.
pub fn try_psql(url: &str, sql: &str) -> Result<String, String> {
    let mut command = psql_session(url);
    command.args(["--field-separator=\x1f", "--record-separator=\x1e", "--command", sql]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The same program, which reads its commands from its standard input.
pub fn psql_session(url: &str) -> Command {
    let mut command = Command::new(program("psql"));
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--dbname", url]);
    command
}

/// One of the newest version that is there.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed by scripts/test");
    let version = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let programs = versions.map(|entry| entry.unwrap().path()).filter(|path| path.join("bin").join(name).exists());
    let newest = programs.max_by_key(|path| version(path)).expect("PostgreSQL's server is installed by scripts/test");
    newest.join("bin").join(name)
}

/// As somebody whom the server lets start it, which root is not.
fn command(folder: &Path, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg("--").arg(program).current_dir(folder);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[track_caller]
fn check(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Where the server's user can get at it, and short enough for a socket's path.
fn folder() -> PathBuf {
    let mut command = Command::new("mktemp");
    command.args(["--directory", "--tmpdir", "roomcast-XXXXXX"]);
    let folder = PathBuf::from(String::from_utf8(check(&mut command).stdout).unwrap().trim_end());
    check(Command::new("chmod").arg("755").arg(&folder));
    if is_root() {
        check(Command::new("chown").arg("postgres:postgres").arg(&folder));
    }
    folder
}

/// Below those that the system gives to whoever asks for any, so that nobody has it while the server is stopped.
fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(15_000..30_000)).take(100).find(is_free).expect("a free port")
}

fn signal(name: &str, pids: &[u32]) {
    // One that has just ended need not be told.
    let _ = Command::new("kill").arg(format!("-{name}")).args(pids.iter().map(u32::to_string)).output().unwrap();
}

fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Not even as a zombie, for which nobody asks.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with('Z'))
}
