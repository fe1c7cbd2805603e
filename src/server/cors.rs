//! Which pages may read answers: cross-origin resource sharing (WHATWG Fetch, section 3.2).

use http::header::{HeaderValue, ORIGIN, VARY};
use http::{HeaderName, Request, StatusCode};

use crate::origin::Origins;
use crate::proto::http::Answer;

const ALLOW_ORIGIN: HeaderName = http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
const ALLOW_CREDENTIALS: HeaderName = http::header::ACCESS_CONTROL_ALLOW_CREDENTIALS;
const ALLOW_METHODS: HeaderName = http::header::ACCESS_CONTROL_ALLOW_METHODS;
const ALLOW_HEADERS: HeaderName = http::header::ACCESS_CONTROL_ALLOW_HEADERS;

/// Lets a page of an allowed origin read the answer. One of another gets the same answer, which its browser keeps from it.
pub(super) fn with_origin(answer: &Answer, origins: &Origins, request: &Request<()>) -> Answer {
    let answer = answer.clone().with(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.headers().get(ORIGIN) else { return answer };
    if origins.any {
        // Whoever welcomes all pages does not mean those that carry somebody's cookies.
        return answer.with(ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if !origins.allow(request) {
        return answer;
    }
    answer.with(ALLOW_ORIGIN, origin.clone()).with(ALLOW_CREDENTIALS, HeaderValue::from_static("true"))
}

/// What a browser asks before it lets a page send what is more than a form would. `methods` are those that are taken.
pub(super) fn preflight(origins: &Origins, request: &Request<()>, methods: &str) -> Answer {
    let answer =
        with_origin(&Answer { body: String::new(), ..Answer::new(StatusCode::NO_CONTENT, "") }, origins, request);
    if !answer.headers.iter().any(|(name, _)| *name == ALLOW_ORIGIN) {
        return answer;
    }
    let wanted = request.headers().get(http::header::ACCESS_CONTROL_REQUEST_HEADERS);
    let answer = match HeaderValue::try_from(methods) {
        Ok(methods) => answer.with(ALLOW_METHODS, methods),
        // Names of methods are always a header's value.
        Err(_) => answer,
    };
    match wanted {
        Some(wanted) => answer.with(ALLOW_HEADERS, wanted.clone()),
        None => answer,
    }
}
