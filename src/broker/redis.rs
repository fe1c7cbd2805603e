//! Redis: its Pub/Sub carries what nodes tell; a few keys hold who lives and which connection ids are given.
//!
//! Its Pub/Sub knows no databases, so the number of the database stands in the channels' names. The keys have the same
//! beginning: `…:nodes`, a sorted set by the time of the last renewal; `…:blocks`, how many blocks of ids were given;
//! `…:once:STORE:NAME`, what was announced a moment ago.
//!
//! No id is given twice, even if the server forgets all while nodes are cut off: whoever knows by the store that there were
//! nodes before goes on where none of them has come. The ids begin with 0 where nothing was given and nobody listens, and
//! by the store nothing was ever told, or there is no store to know it by. What was used like that and is forgotten can't be
//! told from what is new: then a node that is cut off still, and without a store for longer than those seconds that a server
//! which has just started is given, may hold the same ids as one that starts meanwhile.

mod target;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Connection, InfoDict, Pipeline, RedisResult, Value, cmd};

use super::{BLOCK, Before, Broker, Heard, LEASE, OpenError, Opened, Parcel, Publisher, Subscriber};
use crate::id::{NodeId, Uuid};
use target::Target;

/// To be connected, and to be answered. A server that is there does either at once.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(3);

/// A connection that is silent for so long is given up: this node alone is heard on it more often.
const SILENCE: Duration = Duration::from_secs(8);

/// Nodes that have lost the server try to be back after two seconds at most; and they have to be answered.
const YOUNG_SECONDS: u64 = 5;

/// What was announced under a name is not announced again for so many seconds.
const ONCE_SECONDS: u64 = 600;

/// Tells something under a name that is new, and else nothing.
const ANNOUNCE: &str = "if redis.call('SET', KEYS[1], '', 'NX', 'EX', ARGV[3]) then \
                        redis.call('PUBLISH', ARGV[1], ARGV[2]) end";

/// A node lives, and knows that the blocks up to a number were given. If the server knows less, it has forgotten, and
/// nobody knows which blocks others were given: then it goes on from 32 for each second since 1970. So many were never
/// given, for that is two million connections a second. That a server has forgotten, a node that has no block yet sees by
/// those who listen.
const RENEW: &str = "local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
local given, known = tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[2])
local others = redis.call('PUBSUB', 'NUMSUB', ARGV[4])[2]
if given < known or (given == 0 and others > 0) then
  given = math.max(now * 32, known)
  redis.call('SET', KEYS[2], string.format('%.0f', given))
end
if ARGV[5] == '1' then given = redis.call('INCR', KEYS[2]) end
return {given, redis.call('ZRANGE', KEYS[1], 0, -1)}";

/// Opens what a URL of the schemes `redis` and `rediss` names.
pub(super) fn open(url: &str, node: NodeId, store: Option<Uuid>, before: Before) -> Result<Opened, OpenError> {
    let target = Target::parse(url)?;
    let description = target.description.clone();
    let about = |error| trouble::about(&description, &error);
    let keys = Arc::new(Keys::new(target.database, node, store));
    let broker = Redis { client: target.client, keys };
    let mut publisher = broker.connect().map_err(about)?;
    let (given, _) = publisher.tend(0, false).map_err(about)?;
    if given == 0 && before != Before::Nobody && publisher.is_young().map_err(about)? {
        publisher.leave().map_err(about)?;
        let sentence = format!("{description} has just started; nodes that it has forgotten may be on their way");
        return Err(OpenError { sentence, is_passing: true });
    }
    // Whoever was there before was given one at least.
    let known = u64::from(before == Before::Somebody);
    let (count, members) = publisher.tend(known, true).map_err(about)?;
    let store = broker.keys.store();
    let others: Vec<(NodeId, &str)> =
        members.iter().filter_map(|member| read_member(member)).filter(|(other, _)| *other != node).collect();
    if others.iter().any(|(_, other)| *other != store) {
        publisher.leave().map_err(about)?;
        return Err(OpenError::lasting(format!(
            "{description} is where nodes meet that keep their messages in another database than this one"
        )));
    }
    let others = others.into_iter().map(|(node, _)| node).collect();
    let block = first_id(count).map_err(OpenError::lasting)?;
    Ok(Opened { broker: Box::new(broker), node, block, others, description })
}

/// A member of the set of nodes: who, and what store they have.
fn read_member(member: &str) -> Option<(NodeId, &str)> {
    let (node, store) = member.split_once(' ')?;
    Some((NodeId(u64::from_str_radix(node, 16).ok()?), store))
}

/// The first id of the last of so many blocks.
fn first_id(count: u64) -> Result<u64, String> {
    let first = count.checked_sub(1).and_then(|before| before.checked_mul(BLOCK));
    // All that a client's numbers can hold.
    first.filter(|id| *id < 1 << 53).ok_or_else(|| "the broker's counter of connection ids holds nonsense".into())
}

/// What the server's keys and channels are called, and this node's member of the set of nodes.
struct Keys {
    prefix: String,
    nodes: String,
    blocks: String,
    member: String,
}

impl Keys {
    fn new(database: i64, node: NodeId, store: Option<Uuid>) -> Self {
        let prefix = format!("roomcast:{database}");
        let member = format!("{node} {}", store.map_or_else(|| "none".into(), |store| store.to_string()));
        Self { nodes: format!("{prefix}:nodes"), blocks: format!("{prefix}:blocks"), member, prefix }
    }

    /// Another store gives the same names again.
    fn once(&self, name: &str) -> String {
        format!("{}:once:{}:{name}", self.prefix, self.store())
    }

    fn store(&self) -> &str {
        self.member.split_once(' ').map_or("", |(_, store)| store)
    }
}

struct Redis {
    client: Client,
    keys: Arc<Keys>,
}

impl Redis {
    fn connect(&self) -> RedisResult<Telling> {
        Ok(Telling { connection: self.connection(ANSWER)?, keys: Arc::clone(&self.keys) })
    }

    fn connection(&self, patience: Duration) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(CONNECT)?;
        connection.set_read_timeout(Some(patience))?;
        connection.set_write_timeout(Some(ANSWER))?;
        Ok(connection)
    }
}

impl Broker for Redis {
    fn prefix(&self) -> &str {
        &self.keys.prefix
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, String> {
        Ok(Box::new(self.connect().map_err(trouble::sentence)?))
    }

    fn subscriber(&self) -> Result<Box<dyn Subscriber>, String> {
        Ok(Box::new(Hearing { connection: self.connection(SILENCE).map_err(trouble::sentence)? }))
    }
}

struct Telling {
    connection: Connection,
    keys: Arc<Keys>,
}

impl Telling {
    /// Says that the node lives, and that so many blocks were given, or more. Yields how many were given to all, with the
    /// one that is wanted now, and the members of the set of nodes.
    fn tend(&mut self, known: u64, wants: bool) -> RedisResult<(u64, Vec<String>)> {
        let keys = &self.keys;
        let mut renew = cmd("EVAL");
        renew.arg(RENEW).arg(2).arg(&keys.nodes).arg(&keys.blocks).arg(&keys.member).arg(known);
        renew.arg(LEASE.as_secs()).arg(format!("{}:all", keys.prefix)).arg(u8::from(wants));
        renew.query(&mut self.connection)
    }

    /// Whether nodes that were connected to it before it started may not be back yet.
    fn is_young(&mut self) -> RedisResult<bool> {
        let info: InfoDict = cmd("INFO").arg("server").query(&mut self.connection)?;
        Ok(info.get("uptime_in_seconds").is_some_and(|seconds: u64| seconds < YOUNG_SECONDS))
    }

    fn leave(&mut self) -> RedisResult<()> {
        cmd("ZREM").arg(&self.keys.nodes).arg(&self.keys.member).exec(&mut self.connection)
    }
}

impl Publisher for Telling {
    fn publish(&mut self, parcels: &[Parcel]) -> Result<(), String> {
        let mut pipeline = Pipeline::with_capacity(parcels.len());
        for Parcel { channels, payload, once } in parcels {
            for channel in channels {
                match once {
                    None => pipeline.cmd("PUBLISH").arg(channel).arg(payload),
                    Some(name) => {
                        let key = self.keys.once(name);
                        pipeline.cmd("EVAL").arg(ANNOUNCE).arg(1).arg(key).arg(channel).arg(payload).arg(ONCE_SECONDS)
                    }
                };
                pipeline.ignore();
            }
        }
        pipeline.exec(&mut self.connection).map_err(trouble::sentence)
    }

    fn renew(&mut self, block: u64) -> Result<(), String> {
        self.tend(block / BLOCK + 1, false).map(drop).map_err(trouble::sentence)
    }

    fn reserve(&mut self, block: u64) -> Result<u64, String> {
        let (count, _) = self.tend(block / BLOCK + 1, true).map_err(trouble::sentence)?;
        first_id(count)
    }

    fn retire(&mut self) -> Result<(), String> {
        self.leave().map_err(trouble::sentence)
    }
}

struct Hearing {
    connection: Connection,
}

impl Subscriber for Hearing {
    fn listen(&mut self, channels: &[String], is_on: bool) -> Result<(), String> {
        let command = cmd(if is_on { "SUBSCRIBE" } else { "UNSUBSCRIBE" }).arg(channels).get_packed_command();
        self.connection.send_packed_command(&command).map_err(trouble::sentence)
    }

    fn next(&mut self) -> Result<Heard, String> {
        match self.connection.recv_response().map_err(trouble::sentence)? {
            Value::Array(parts) => read_parts(parts),
            Value::ServerError(error) => return Err(trouble::sentence(error.into())),
            _ => None,
        }
        .ok_or_else(|| trouble::FOREIGN.into())
    }
}

/// What the server sends to those who listen: a word, the channel, and a message or a number.
fn read_parts(parts: Vec<Value>) -> Option<Heard> {
    let [Value::BulkString(word), Value::BulkString(_), content] = <[Value; 3]>::try_from(parts).ok()? else {
        return None;
    };
    match (word.as_slice(), content) {
        (b"message", Value::BulkString(message)) => Some(Heard::Message(message)),
        (b"subscribe" | b"unsubscribe", _) => Some(Heard::Confirmed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_begin_where_others_end() {
        assert_eq!((first_id(1), first_id(2)), (Ok(0), Ok(BLOCK)));
        assert!(first_id(0).is_err() && first_id(u64::MAX).is_err() && first_id(1 << 40).is_err());
        // As it is after the server has forgotten how many were given, far into the future.
        assert!(first_id(100_000_000_000).is_ok());
    }

    #[test]
    fn members_tell_their_store() {
        let store = Uuid::from_u128(7);
        let keys = Keys::new(3, NodeId(255), Some(store));
        assert_eq!(keys.prefix, "roomcast:3");
        assert_eq!(read_member(&keys.member), Some((NodeId(255), store.to_string().as_str())));
        assert_eq!(read_member("nobody"), None);
        assert_eq!(keys.once("message:1"), format!("roomcast:3:once:{store}:message:1"));
        assert_eq!(Keys::new(0, NodeId(1), None).store(), "none");
    }
}
