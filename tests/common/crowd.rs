//! How crowds are brought together, and measured that are told something.

use std::io::Read;
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::raise_descriptor_limit;

/// One crowd at a time, of so many: they share the machine's processors, ports and descriptors. For as long as the guard
/// lives.
pub fn alone(members: usize) -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    assert!(raise_descriptor_limit() > members as u64 + 100, "too few open files are allowed");
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads in large pieces until `text` has come. What else has come then is left out or read with what comes next.
pub fn read_past(stream: &mut TcpStream, text: &[u8]) {
    let mut buffer = [0; 1 << 14];
    let mut tail = Vec::new();
    while !tail.windows(text.len()).any(|window| window == text) {
        tail.drain(..tail.len().saturating_sub(text.len()));
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection ended");
        tail.extend_from_slice(&buffer[..count]);
    }
}

/// The least of them: whatever else the machine does can only add to it.
pub fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}
