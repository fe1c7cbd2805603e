//! For whom a request is, and for which site, where a proxy asks in its client's place.
//!
//! Anybody can write a header. What `X-Forwarded-For`, `-Proto` and `-Host` say counts on connections of trusted proxies alone; of
//! the addresses, only those that such proxies have added: the list is read from its end, up to the first address that is none of
//! theirs. What is no address (`unknown`, a Unix socket, garbage) ends the list as well: then the client is not known, which is
//! no reason to refuse it, but it is nobody of this machine.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, HeaderMap};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request};
use ipnet::IpNet;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const ITS_HOST: &str = "x-forwarded-host";

/// What proxies say of those for whom they ask.
const SIGNS: [&str; 3] = [FOR, "x-real-ip", "forwarded"];

/// The proxies whose word counts. By default there are none.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Proxies(Vec<IpNet>);

/// Goes with a request that a trusted proxy has passed on, as its extension.
#[derive(Clone, Copy, Debug)]
struct Forwarded {
    /// No other machine had a hand in it.
    is_from_here: bool,
}

impl Proxies {
    /// Reads addresses and networks, with commas between them.
    pub fn parse(text: &str) -> Option<Self> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items
            .map(|item| item.parse().ok().or_else(|| Some(item.parse::<IpAddr>().ok()?.into())))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether nobody is trusted, so that there is nothing to [`note`](Self::note).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client whose request has come over a connection with `peer`. If that is a trusted proxy, the request remembers it
    /// for [`is_from_here`] and [`site`].
    pub fn note(&self, peer: IpAddr, request: &mut Request<()>) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return peer;
        }
        let (client, is_from_here) = self.client(peer, request.headers());
        request.extensions_mut().insert(Forwarded { is_from_here });
        client
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client, or the nearest to it that is known; and whether it and all between are this machine. Another one's
    /// loopback is not ours.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> (IpAddr, bool) {
        let (mut client, mut is_from_here) = (peer, peer.is_loopback());
        let lists = headers.get_all(FOR).iter().rev().map(HeaderValue::to_str);
        for item in lists.flat_map(|list| list.unwrap_or_default().rsplit(',')) {
            let Some(address) = address(item) else { return (client, false) };
            client = address;
            is_from_here &= address.is_loopback();
            if !self.trust(address) {
                return (client, is_from_here);
            }
        }
        (client, is_from_here && (headers.contains_key(FOR) || !is_passed_on(headers)))
    }
}

/// An address as proxies write it: perhaps with a port, in brackets or in quotation marks.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

fn is_passed_on(headers: &HeaderMap) -> bool {
    SIGNS.iter().any(|name| headers.contains_key(*name))
}

/// Whether the request comes from this machine's own programs, if its connection does.
pub fn is_from_here(request: &Request<()>) -> bool {
    match request.extensions().get::<Forwarded>() {
        Some(forwarded) => forwarded.is_from_here,
        // A proxy that nobody trusts is of this machine, and its clients may be anywhere.
        None => !is_passed_on(request.headers()),
    }
}

/// The site that the client has asked: its scheme, where a trusted proxy says it, and its host.
pub fn site(request: &Request<()>) -> (Option<Scheme>, Option<Authority>) {
    let host = |name: &str| only(request.headers(), name)?.parse().ok();
    if request.extensions().get::<Forwarded>().is_none() {
        return (None, host(HOST.as_str()));
    }
    let scheme = match only(request.headers(), PROTO).unwrap_or_default().to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(Scheme::HTTP),
        "https" | "wss" => Some(Scheme::HTTPS),
        _ => None,
    };
    (scheme, host(ITS_HOST).or_else(|| host(HOST.as_str())))
}

/// The header's value, if it is there once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

#[cfg(test)]
mod tests;
