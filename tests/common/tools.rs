//! Programs that `scripts/test` installs: clients that none of us wrote, and what they are run by.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::scratch_dir;

/// Something that `scripts/test` installs.
pub(crate) fn tool(path: &str) -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(path);
    assert!(tool.exists(), "{} is missing: scripts/test installs it", tool.display());
    tool
}

/// A browser that shows a page. Killed when dropped.
pub(crate) struct Browser(Child);

impl Browser {
    /// Starts one with a profile of its own.
    pub(crate) fn open(page: &str) -> Self {
        let browser = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", scratch_dir().display()))
            .arg(page)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium is installed by scripts/test");
        Self(browser)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves `page` from `/` until something is posted to `/result`, and returns that.
pub(crate) fn serve_page(listener: &TcpListener, page: &str) -> String {
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head: Vec<String> =
            reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let Some(request) = head.first() else { continue };
        let mut result = None;
        if request.starts_with("POST /result") {
            let length =
                head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap()];
            reader.read_exact(&mut body).unwrap();
            result = Some(String::from_utf8(body).unwrap());
        }
        let body = if request.starts_with("GET / ") || request.starts_with("GET /?") { page } else { "" };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        if let Some(result) = result {
            return result;
        }
    }
}
