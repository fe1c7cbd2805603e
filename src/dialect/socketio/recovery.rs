//! What a client shows when it joins a namespace, and how one that comes back says who it was and how far it had heard.
//!
//! A `pid` is made of four parts: the socket's public id, a name that is hard to guess under which the store knows the
//! rooms it has chosen, how far it had heard when it was given the pid, and whom its token named: who shows another
//! user's begins anew. So nothing has to be kept here for one who may come back. Whatever somebody claims by it, they are
//! told only what their own token lets them hear.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::{ChangeId, Mark, MessageId};

/// The length of a public id and of a name, in characters: 16 bytes.
const ID_CHARS: usize = 22;

/// A client's own name for coming back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pid {
    /// The socket's public id.
    pub sid: String,
    /// Known to its client alone.
    pub name: String,
    /// How far the client had heard from the start.
    pub mark: Mark,
    /// Whose it is, as their token names them.
    pub user: String,
}

impl Pid {
    /// A new one, of random parts. Nothing if the system has no random numbers.
    pub fn fresh(user: &str) -> Option<Self> {
        let mark = Mark { message: MessageId(0), change: ChangeId(0) };
        Some(Self { sid: random_id()?, name: random_id()?, mark, user: user.into() })
    }

    /// Reads the form that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (sid, rest) = text.split_at_checked(ID_CHARS)?;
        let (name, rest) = rest.split_at_checked(ID_CHARS)?;
        let (offset, user) = rest.rsplit_once('.')?;
        let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_id(sid) || !is_id(name) {
            return None;
        }
        let user = String::from_utf8(URL_SAFE_NO_PAD.decode(user).ok()?).ok()?;
        Some(Self { sid: sid.into(), name: name.into(), mark: Mark::parse(offset)?, user })
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = URL_SAFE_NO_PAD.encode(&self.user);
        write!(f, "{}{}{}.{user}", self.sid, self.name, self.mark)
    }
}

fn random_id() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// What a client shows.
#[derive(Default, Debug)]
pub struct Connect {
    /// Who it is.
    pub token: Option<String>,
    /// Who it was.
    pub pid: Option<String>,
    /// How far it had heard.
    pub offset: Option<String>,
}

impl Connect {
    /// Reads what came with a CONNECT: a JSON object or nothing. Fields of a wrong type are taken for absent.
    pub fn read(data: &str) -> Self {
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(data).unwrap_or_default();
        let text = |name: &str| fields.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        Self { token: text("token"), pid: text("pid"), offset: text("offset") }
    }

    /// How far it says to have heard.
    pub fn since(&self) -> Option<Mark> {
        self.offset.as_deref().and_then(Mark::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_read_as_it_was_written() {
        let pid = Pid { mark: Mark { message: MessageId(7), change: ChangeId(0) }, ..Pid::fresh("Ann é").unwrap() };
        assert_eq!(Pid::parse(&pid.to_string()), Some(pid.clone()));
        assert_ne!(Pid::fresh("Ann é").unwrap().sid, pid.sid);
        let text = pid.to_string();
        for bad in ["", "x", &text[1..], &text[..44], &format!("{text}\""), &text.replace('.', ""), &"é".repeat(30)] {
            assert_eq!(Pid::parse(bad), None, "{bad}");
        }
        assert_eq!(Pid::parse(&format!("\"{}", &text[1..])), None, "what would end a JSON text");
    }

    #[test]
    fn what_a_client_shows_may_be_anything() {
        let read = Connect::read(r#"{"token":"t","pid":"p","offset":"1.2","x":{}}"#);
        assert_eq!((read.token.as_deref(), read.pid.as_deref()), (Some("t"), Some("p")));
        assert_eq!(read.since(), Some(Mark { message: MessageId(1), change: ChangeId(2) }));
        for bad in ["", "{}", r#"{"token":7,"pid":{},"offset":[]}"#, r#"{"token":null}"#] {
            let read = Connect::read(bad);
            assert_eq!((&read.token, &read.pid, read.since()), (&None, &None, None), "{bad}");
        }
    }
}
