//! A site of two nodes, as it is run: behind nginx, which leads each client to one of them by its address.

use std::net::SocketAddr;

use super::cluster::Cluster;
use super::http::Http;
use super::nginx::{ADDRESSES, Nginx};

/// The nodes, and what leads to them.
pub struct Site {
    /// Where all that is for everybody comes in.
    pub nginx: Nginx,
    pub cluster: Cluster,
}

/// Two URLs of a site; who comes by the one is led to the other node than who comes by the other.
pub struct Ways {
    pub urls: [String; 2],
    _nginx: Nginx,
}

impl Site {
    /// Two nodes with these flags besides, behind the file of the deployment with these changes.
    pub fn start(flags: &[&str], changes: &[(&str, &str)]) -> Self {
        let cluster = Cluster::start_with(2, &[&["--trust-proxies", "127.0.0.1"], flags].concat());
        let addresses: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.address).collect();
        Self { nginx: Nginx::before(&addresses, ADDRESSES, changes), cluster }
    }

    /// Which node answers a client of that address, by its place.
    pub fn node_of(&self, client: &str) -> Option<usize> {
        let mut http = Http::open(self.nginx.address).unwrap();
        http.write(format!("GET /health HTTP/1.1\r\nHost: x\r\nX-Client: {client}\r\n\r\n")).unwrap();
        let answer = http.answer().unwrap();
        // Those that were tried, the one that answered last.
        let node = answer.header("x-node")?.rsplit(", ").next()?.parse().ok()?;
        self.cluster.nodes.iter().position(|server| server.address == node)
    }

    /// Addresses of so many clients of each node, one of this machine's as the other.
    pub fn clients(&self, count: usize) -> Vec<String> {
        let of = |node| {
            let addresses = (1..250).map(|number| format!("127.0.0.{number}"));
            addresses.filter(move |client| self.node_of(client) == Some(node)).take(count)
        };
        let clients: Vec<String> = of(0).chain(of(1)).collect();
        assert_eq!(clients.len(), 2 * count, "{clients:?}");
        clients
    }

    /// A way to each node, for clients that can't say another address than theirs.
    pub fn ways(&self) -> Ways {
        let (nginx, addresses) = Nginx::nearer(self.nginx.address, &self.clients(1));
        let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
        Ways { urls: urls.try_into().unwrap(), _nginx: nginx }
    }
}
