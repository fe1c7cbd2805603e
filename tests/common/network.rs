//! A network of a process's own, a namespace, with several ways out of it that can be cut one by one: as when a cable is
//! pulled, nothing goes either way, and nobody is told. It takes the right to make networks, which root has.
//!
//! It lives as long as its keeper, a process that waits for the end of its standard input; so nothing of it stays behind,
//! however the test ends.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use super::wait_until;

/// Addresses that are for trying out networks, and meet no others.
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const SUBNETS: u32 = 1 << 15;

/// Each network has so many of them to itself, by the number of its keeper's process.
const MOST_LINKS: u32 = 4;

/// A namespace. Dropped, it is gone when nobody runs in it any more.
pub struct Network {
    keeper: Child,
    links: Vec<Link>,
}

/// A way between the test's network and that of its own, a subnet of two.
struct Link {
    /// Of the end here.
    name: String,
    here: Ipv4Addr,
    there: Ipv4Addr,
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

impl Network {
    /// With so many ways out, all open.
    pub fn with_links(count: u32) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "/bin/sh", "-c", "read -r _"]).stdin(Stdio::piped());
        let keeper = command.spawn().unwrap();
        let mut network = Self { keeper, links: Vec::new() };
        let own = || std::fs::read_link("/proc/self/ns/net").unwrap();
        wait_until("a network of its own", || {
            let ended = network.keeper.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "no network can be made, to which root has the right: unshare has ended, {ended:?}"
            );
            network.namespace_link().is_some_and(|theirs| theirs != own())
        });
        for number in 0..count {
            network.add_link(number);
        }
        network
    }

    fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.keeper.id())
    }

    fn namespace_link(&self) -> Option<std::path::PathBuf> {
        std::fs::read_link(self.namespace()).ok()
    }

    fn add_link(&mut self, number: u32) {
        assert!(number < MOST_LINKS);
        let subnet = FIRST + 4 * ((self.keeper.id() * MOST_LINKS + number) % SUBNETS);
        let (here, there) = (Ipv4Addr::from(subnet + 1), Ipv4Addr::from(subnet + 2));
        let pid = self.keeper.id().to_string();
        let (name, peer) = (format!("r{pid}n{number}"), format!("out{number}"));
        ip(&[], &["link", "add", &name, "type", "veth", "peer", "name", &peer, "netns", &pid]);
        ip(&[], &["addr", "add", &format!("{here}/30"), "dev", &name]);
        ip(&[], &["link", "set", &name, "up"]);
        let within = self.within();
        ip(&within, &["addr", "add", &format!("{there}/30"), "dev", &peer]);
        ip(&within, &["link", "set", &peer, "up"]);
        self.links.push(Link { name, here, there });
    }

    /// What comes before a command that is to run in it.
    pub fn within(&self) -> [String; 2] {
        ["nsenter".into(), format!("--net={}", self.namespace())]
    }

    /// Where the test's network is reached by that way.
    pub fn here(&self, link: usize) -> String {
        self.links[link].here.to_string()
    }

    /// Where whoever runs in it is reached by that way.
    pub fn there(&self, link: usize) -> String {
        self.links[link].there.to_string()
    }

    pub fn cut(&self, link: usize) {
        ip(&[], &["link", "set", &self.links[link].name, "down"]);
    }

    pub fn heal(&self, link: usize) {
        ip(&[], &["link", "set", &self.links[link].name, "up"]);
    }
}

#[track_caller]
fn ip(within: &[String], arguments: &[&str]) {
    let mut words = within.iter().map(String::as_str).chain(["ip"]).chain(arguments.iter().copied());
    let output = Command::new(words.next().unwrap()).args(words).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
