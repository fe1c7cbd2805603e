//! `curl`, the client of HTTP that everybody has.

use std::process::Command;

/// Runs `curl` with these words; the status and the body.
pub(crate) fn curl(words: &[&str]) -> (u16, String) {
    let output = Command::new("curl").args(["-s", "--max-time", "10", "-w", "\n%{http_code}"]).args(words).output();
    let output = output.expect("curl is installed");
    assert!(output.status.success(), "{words:?}: {output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (body, status) = printed.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}
