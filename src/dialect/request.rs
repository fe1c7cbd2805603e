//! What the dialects of single HTTP requests read with: query strings, bodies, methods.

use std::borrow::Cow;

use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::Api;
use super::fields::Fields;
use crate::proto::http::Answer;

/// What a body is called in errors.
pub(super) const BODY: &str = "the body";

/// The method that is asked for: HEAD is GET without the body of the answer.
pub(super) fn method(request: &http::Request<()>) -> &Method {
    if request.method() == Method::HEAD { &Method::GET } else { request.method() }
}

/// The text that a body is. An error is the sentence for the sender.
pub(super) fn body_text(body: &[u8]) -> Result<&str, String> {
    str::from_utf8(body).map_err(|_| format!("{BODY} must be UTF-8"))
}

/// The fields of the query string.
pub(super) fn query(request: &http::Request<()>) -> Result<Fields<'_>, String> {
    let query = request.uri().query().unwrap_or_default();
    let pairs: Option<Vec<_>> = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
    let pairs = pairs.ok_or("the query string must be UTF-8")?;
    Ok(Fields::of_texts(pairs.into_iter()))
}

fn pair(text: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    Some((unquoted(key)?, unquoted(value)?))
}

/// Nothing for what is not UTF-8.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().ok();
    }
    // As forms write a blank.
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
}

/// The answer to a method that is not taken at this path.
pub(super) fn not_allowed(api: &dyn Api, path: &str) -> Answer {
    let methods = api.methods(path);
    let answer = api.refuse(StatusCode::METHOD_NOT_ALLOWED, &format!("only {methods} are taken here"));
    // Names of methods are always a header's value.
    match HeaderValue::try_from(methods) {
        Ok(methods) => answer.with(ALLOW, methods),
        Err(_) => answer,
    }
}
