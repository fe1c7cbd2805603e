//! What Redis's failures are called. The server's own words are not repeated: they may be anybody's.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::super::OpenError;

/// What answers is perhaps no Redis at all.
pub(super) const FOREIGN: &str = "Redis says what is not understood";

/// What is wrong, for the log and whoever asks, and whether it may pass.
fn judge(error: &RedisError) -> (&'static str, bool) {
    match error.kind() {
        ErrorKind::AuthenticationFailed => ("Redis refuses the user or the password", false),
        ErrorKind::Server(ServerErrorKind::BusyLoading) => ("Redis is just loading its data", true),
        ErrorKind::Server(ServerErrorKind::ReadOnly) => ("Redis can't be written to: it is a replica", false),
        ErrorKind::Server(ServerErrorKind::NoPerm) => ("Redis denies this user what is needed", false),
        ErrorKind::Io if error.is_timeout() => ("Redis does not answer", true),
        ErrorKind::Io if is_tls(error) => ("TLS can't be spoken with Redis, or its certificate is not trusted", false),
        ErrorKind::Io => ("Redis can't be reached", true),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => (FOREIGN, false),
        _ => match error.code() {
            Some("NOAUTH" | "WRONGPASS") => ("Redis refuses the user or the password", false),
            Some("DENIED") => ("Redis lets in its own host alone: it has no password", false),
            Some("OOM") => ("Redis is out of memory", true),
            Some("MISCONF") => ("Redis can't save its data, and so takes none", true),
            _ => ("Redis refuses what is needed", false),
        },
    }
}

/// Whether it is TLS that can't be spoken, for which the system's errors have no word of their own.
fn is_tls(error: &RedisError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>()?.get_ref());
    cause.is_some_and(|cause| cause.is::<rustls::Error>())
}

pub(super) fn sentence(error: RedisError) -> String {
    judge(&error).0.into()
}

/// The same with the name of the server, which the operator has given.
pub(super) fn about(description: &str, error: &RedisError) -> OpenError {
    let (sentence, is_passing) = judge(error);
    OpenError { sentence: format!("{description} can't be used: {sentence}"), is_passing }
}
