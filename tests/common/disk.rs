//! A small file system that a test may fill up or make read-only.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A file system of its own in memory. Taking it away again needs no open files, so it is detached.
pub struct Disk(pub PathBuf);

impl Disk {
    /// Mounts it over an empty directory.
    pub fn new(path: PathBuf, options: &str) -> Self {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).output().unwrap();
        assert!(mount.status.success(), "this test mounts a small file system and must be root: {mount:?}");
        Self(path)
    }

    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }

    /// Takes all the room that is left, and gives it back when removed.
    pub fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        // It ends with the disk full, which is what is wanted.
        let _ = fs::write(&path, vec![0; 16 << 20]);
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
