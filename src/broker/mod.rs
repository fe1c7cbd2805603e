//! Between nodes: what they tell one another, who of them lives, and which connection ids are whose.
//!
//! A [`Broker`] carries bytes over named channels, and may block. Two threads live with it, one that tells and one that
//! hears, behind a [`Handle`] that never waits. It promises little: of each node what arrives comes in the order in which
//! it was told, and once; what is told while the broker is away is lost, and so may be what was on its way. Those who
//! need more look in the store, and ask anew when they hear [`Arrival::Up`].

mod channel;
mod envelope;
mod handle;
mod inbox;
mod leases;
mod publisher;
mod queue;
#[cfg(feature = "redis")]
mod redis;
mod stats;
mod subscriber;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use crate::hub::nodes::BLOCK;
use crate::hub::nodes::Notice;
use crate::id::{NodeId, Uuid};
pub use handle::Handle;
pub use stats::Stats;

/// When a node has died, it is gone no later than this.
pub const LEASE: Duration = Duration::from_secs(15);

/// What a node knows of those before it without the broker, which may have forgotten them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    /// By its store nothing was ever told: it takes itself for the first.
    Nobody,
    /// By its store there were nodes. Some may be cut off just now, and hold ids that the broker must not give again.
    Somebody,
    /// It has no store to know it by.
    Unknown,
}

/// Opens the broker of that URL, once: takes part there as that node, which has that store if it is one that may be shared.
/// Unless nobody was there before, a broker that has just started and knows of none may have forgotten them, and they are
/// waited for: that is an error which passes.
pub fn open(url: &str, node: NodeId, store: Option<Uuid>, before: Before) -> Result<Opened, OpenError> {
    match url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
        #[cfg(feature = "redis")]
        Some("redis" | "rediss") => redis::open(url, node, store, before),
        #[cfg(not(feature = "redis"))]
        Some("redis" | "rediss") => {
            let _ = (node, store, before);
            Err(OpenError::lasting("this build goes without the broker for redis URLs"))
        }
        // What the URL begins with is not repeated: in a mistyped one it may be anything.
        _ => Err(OpenError::lasting("the broker URL must begin with redis:// or rediss://")),
    }
}

/// A place where nodes meet. Connections that are made of it are dropped when they fail.
pub trait Broker: Send + Sync {
    /// What the names of this chat's channels begin with.
    fn prefix(&self) -> &str;

    /// Connects, to tell others. An error is one sentence without a password.
    fn publisher(&self) -> Result<Box<dyn Publisher>, String>;

    /// Connects, to hear others.
    fn subscriber(&self) -> Result<Box<dyn Subscriber>, String>;
}

/// A connection for telling. Each call takes a few seconds at most, whatever the network does; after an error the
/// connection is of no use any more.
pub trait Publisher {
    /// Tells these, in their order. After an error, some of them may have been told.
    fn publish(&mut self, parcels: &[Parcel]) -> Result<(), String>;

    /// Says that the node lives, and that the block of ids which begins there was given to it, so that none is given twice
    /// if the broker has forgotten.
    fn renew(&mut self, block: u64) -> Result<(), String>;

    /// The same, and yields the first id of another block.
    fn reserve(&mut self, block: u64) -> Result<u64, String>;

    /// Says that the node goes.
    fn retire(&mut self) -> Result<(), String>;
}

/// A connection for hearing.
pub trait Subscriber {
    /// From now on, or no longer, what goes to these channels is heard. Each is confirmed by a [`Heard::Confirmed`].
    fn listen(&mut self, channels: &[String], is_on: bool) -> Result<(), String>;

    /// Waits for the next thing; if nothing comes for some seconds, the connection is taken for lost. That is no
    /// hardship: the node says so often that it lives, and hears that too.
    fn next(&mut self) -> Result<Heard, String>;
}

/// What comes over a connection.
pub enum Heard {
    /// Somebody told this.
    Message(Vec<u8>),
    /// A channel is listened to, or not any more.
    Confirmed,
}

/// Bytes on their way out.
pub struct Parcel {
    /// Where they go, in this order.
    pub channels: Vec<String>,
    /// What is told.
    pub payload: Vec<u8>,
    /// Whoever tells first what has this name is heard, and nobody else for some minutes.
    pub once: Option<String>,
}

/// Something for programs that are no nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// The channel, to the letter.
    pub channel: &'static str,
    /// What they get.
    pub payload: String,
    /// What several nodes announce under this name is told once. Without a name it may be told twice when the connection
    /// is lost.
    pub once: Option<String>,
}

/// What comes to the loop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// A node tells something.
    Notice {
        /// Which.
        from: NodeId,
        /// What.
        notice: Notice,
    },
    /// From now on what others tell is heard, and they hear this node. Between the last [`Arrival::Down`] and this anything
    /// may have been missed.
    Up,
    /// Others are not heard, or don't hear this node.
    Down,
    /// That node was not heard for too long.
    Gone(NodeId),
    /// The first id of another block, see [`BLOCK`].
    Block(u64),
}

/// A broker that can be reached, and what the hub starts from.
pub struct Opened {
    /// The broker.
    pub broker: Box<dyn Broker>,
    /// Which node this is.
    pub node: NodeId,
    /// The first id of this node's first block.
    pub block: u64,
    /// The other nodes that live, or did a moment ago.
    pub others: Vec<NodeId>,
    /// What it is, for the operator: a few words, no password.
    pub description: String,
}

/// Why a broker could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// One sentence, no password.
    pub sentence: String,
    /// It may work if it is tried again a little later.
    pub is_passing: bool,
}

impl OpenError {
    /// Trying again is of no use.
    fn lasting(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), is_passing: false }
    }
}

/// How much is kept while it can't be passed on, and how long nodes are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Envelopes that wait to be told; what comes beyond is dropped.
    pub queue: usize,
    /// Their bytes. Who is on this node has to fit in, about 100 for each session, once for all who ask in the same turn.
    pub queue_bytes: usize,
    /// Announcements that wait to be told; beyond that the oldest are dropped.
    pub announcements: usize,
    /// Bytes of envelopes that wait for the loop; beyond that the network waits.
    pub inbox_bytes: usize,
    /// A node that was not heard for so long is gone.
    pub lease: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { queue: 16_384, queue_bytes: 64 << 20, announcements: 4096, inbox_bytes: 16 << 20, lease: LEASE }
    }
}
