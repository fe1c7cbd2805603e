//! HTTP/1.1 for the server's side: request heads and bodies in, under limits; finished answers out.
//!
//! Made of `httparse` and `http`, and not of `ureq-proto`, which parses a head anew for each piece that arrives, takes
//! bare line feeds and a body of two lengths, and has its limit of headers built in.

mod answer;
mod body;
mod head;

pub use answer::{Answer, CONTINUE, Parts, write_head};
pub use body::BodyReader;
pub use head::{HeadLimits, HeadReader, awaits_continue, has_body, has_token, keeps_alive};

use http::StatusCode;

/// A request that is refused, for its head or its body: what to answer before closing. Where the next request would
/// begin is not known any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestFault {
    /// 400, 413, 431 or 505.
    pub status: StatusCode,
    /// One sentence for the client.
    pub sentence: &'static str,
}

const fn bad(sentence: &'static str) -> RequestFault {
    RequestFault { status: StatusCode::BAD_REQUEST, sentence }
}
