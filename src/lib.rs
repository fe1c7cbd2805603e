//! Roomcast: a chat server in one thread. One binary, one port, one `mio` poll loop.
//!
//! # Layers
//!
//! Each knows only those below it; `scripts/layers` proves it.
//!
//! | layer | modules | what lives there |
//! |---|---|---|
//! | 7 | [`cli`] | the subcommands of the binary |
//! | 6 | [`server`] | the loop that ties the layers together, and the page's files in `src/page` |
//! | 5 | [`store`] | users, durable rooms and messages, kept for good; a thread of its own |
//! | 5 | [`broker`] | what nodes tell one another: threads of its own, over Redis |
//! | 4 | [`dialect`] | the client protocols, and Socket.IO's vocabularies: text to request, reply and event to bytes |
//! | 3 | [`hub`] | sessions, rooms, members, rights, presence: the chat itself, without I/O |
//! | 2 | [`proto`] | HTTP/1.1, WebSocket, Engine.IO, Socket.IO, event streams and tokens as pure machines |
//! | 1 | [`net`] | listener, sockets, outboxes, deadlines: bytes and places |
//! | 0 | [`id`], [`timestamp`], [`error`], [`proxy`], [`origin`], [`config`] | small vocabulary that every layer may use |
//!
//! `net`, `proto` and `hub` don't know one another.
//!
//! # Journey of a message
//!
//! 1. `server::Server::turn`: the sender's socket is readable.
//! 2. `server::receive`: `net` fills the scratch buffer, [`proto::websocket::Reader`] yields a whole message.
//! 3. [`dialect::Dialect::decode`]: text becomes a [`hub::Request`].
//! 4. [`hub::Hub::apply`]: is the sender in the room? Then an event for the others, and a reply.
//! 5. `server::fanout`: the reply is encoded and put into the sender's outbox; the event is noted as news of the room.
//! 6. `server::flush`: at the end of the turn each member fetches the news. The first has it encoded to finished bytes,
//!    all events of the turn in one slice; the others get a reference to it.
//! 7. [`net::outbox::Outbox::flush`]: one write for each member, of what its outbox held and the news behind it.
//!
//! Over Socket.IO, `server::engine` stands between 2 and 3: a WebSocket message, or a part of a POST, is a packet of
//! [`proto::engineio`] and in it one of [`proto::socketio`]; [`dialect::socketio::Namespaces::decode`] makes the
//! request. At 7 the GET that waits is answered with the outbox of a session that polls.
//!
//! In a durable room the message is shown to nobody before it is stored: the hub makes a [`hub::job::Job`] of it, all jobs
//! of a turn go to the store's thread, which writes all that waits in one transaction, and what comes back
//! (`server::inbox`) enters at step 4 by [`hub::Hub::committed`]. What another program has written into the store comes the
//! same way, and enters by [`hub::Hub::happened`].
//!
//! Over plain HTTP a request is an *exchange* (`server::exchange`): a [`dialect::Api`] makes a request of the hub of it, and
//! the reply is the answer. Who asks for an event stream is told the room's news from then on, by steps 6 and 7.
//!
//! # Words
//!
//! A *slot* is a place in the server's slab, used again when its connection is gone; a *connection id* is what clients
//! see, never used twice. A *session* is one participant here. A *request* (a *command*, and who claims to send it)
//! gets exactly one *reply*; an *event* is told to an *audience*. A *refusal* is a reply that says no; a *close reason*
//! says why a connection was not kept. A *visitor* reads and writes in open rooms and takes no part; a *listener* is one who
//! hears what a room is told. A *turn* is one pass of the loop. A *frame* is one WebSocket frame; a
//! *message* is what a person said, and in `proto` one whole WebSocket message. An *outbox* holds the bytes owed to one
//! connection; *news* is what a room has been told since the last flush. A *job* is work for the store, its *ticket* says
//! whose, its *outcome* what came of it. A room is *open* or *private*, *durable* or *ephemeral*.
//!
//! Of Engine.IO and Socket.IO: a *session of Engine.IO* is one client's, whatever its *carriage*, polling or WebSocket.
//! It has a slot; its *sockets* are sessions of the hub. A socket is on one *namespace*. The first has the session's
//! slot, each further one an *annex*, a slot without a connection. A *vocabulary* is a set of event names, a *face* a
//! namespace and the vocabularies in which a socket on it is told things. An *attendee* is a session of the hub that
//! takes part as the user whom its token names. *Presence* is that a user has attendees, or had some a moment ago. A
//! *mark* says how far somebody has heard, in messages and in changes of messages; an *offset* is a mark as clients see
//! it.

pub mod broker;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod error;
pub mod hub;
pub mod id;
pub mod net;
pub mod origin;
pub mod proto;
pub mod proxy;
pub mod server;
pub mod store;
pub mod timestamp;
