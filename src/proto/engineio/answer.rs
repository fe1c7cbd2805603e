//! Answers to Engine.IO's HTTP requests. Their words are the reference's: clients show them.

use http::StatusCode;

use crate::proto::http::Answer;

/// Why a request is refused. Clients know the reasons by [`Refusal::code`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A transport that doesn't exist.
    UnknownTransport,
    /// No such session, or not any more.
    UnknownSid,
    /// A session begins with a GET.
    BadMethod,
    /// The request doesn't fit the session's state.
    BadRequest,
    /// The client may not connect.
    Forbidden,
    /// Another version of the protocol than 4.
    UnsupportedVersion,
}

impl Refusal {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSid => 1,
            Self::BadMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    /// The words on the wire.
    pub const fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer to a request of long-polling.
    pub fn to_answer(self) -> Answer {
        Answer::json(self.status(), format!(r#"{{"code":{},"message":"{}"}}"#, self.code(), self.message()))
    }

    /// The answer to a request for a WebSocket, whose client can't read the other one. The connection ends with it.
    pub fn to_upgrade_answer(self) -> Answer {
        plain(StatusCode::BAD_REQUEST, "text/html", self.message().into())
    }
}

/// The answer to a poll, see [`poll_body`](super::poll_body).
pub fn poll_answer(body: String) -> Answer {
    plain(StatusCode::OK, "text/plain; charset=UTF-8", body)
}

/// The answer to a POST whose packets have been taken.
pub fn post_answer() -> Answer {
    plain(StatusCode::OK, "text/html", "ok".into())
}

fn plain(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    Answer { status, headers: Vec::new(), content_type, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(answer: &Answer) -> String {
        let mut wire = Vec::new();
        answer.write(&mut wire, false, true);
        String::from_utf8(wire).unwrap()
    }

    #[test]
    fn refusals_are_those_of_the_reference() {
        let table = [
            (Refusal::UnknownTransport, 400, r#"{"code":0,"message":"Transport unknown"}"#),
            (Refusal::UnknownSid, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
            (Refusal::BadMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
            (Refusal::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
            (Refusal::Forbidden, 403, r#"{"code":4,"message":"Forbidden"}"#),
            (Refusal::UnsupportedVersion, 400, r#"{"code":5,"message":"Unsupported protocol version"}"#),
        ];
        for (refusal, status, body) in table {
            let answer = refusal.to_answer();
            assert_eq!(
                (answer.status.as_u16(), answer.content_type, &*answer.body),
                (status, "application/json", body)
            );
            let upgrade = refusal.to_upgrade_answer();
            assert_eq!((upgrade.status.as_u16(), &*upgrade.body), (400, refusal.message()));
        }
    }

    #[test]
    fn answers_are_written_to_the_letter() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=UTF-8\r\ncache-control: no-store\r\n\
                    content-length: 5\r\nconnection: keep-alive\r\n\r\n4ää";
        assert_eq!(written(&poll_answer("4ää".into())), head);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncache-control: no-store\r\n\
                    content-length: 2\r\nconnection: keep-alive\r\n\r\nok";
        assert_eq!(written(&post_answer()), head);
    }
}
