//! What a request is answered with, by its path alone.

use http::header::{ALLOW, CONNECTION, HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{Method, Request, Response, StatusCode};

use crate::dialect::DialectKey;
use crate::origin::Origins;
use crate::proto::http::{Answer, has_body, has_token};

/// What becomes of a request.
pub(super) enum Route {
    /// An answer; the connection stays HTTP.
    Answer(Answer),
    /// The switch to a dialect, with the head that says so.
    Upgrade(DialectKey, Response<()>),
}

/// Decides. Every path is exact.
pub(super) fn route(request: Request<()>, origins: &Origins) -> Route {
    let path = request.uri().path();
    match DialectKey::by_path(path) {
        Some(dialect) => upgrade(request, dialect, origins),
        None if path == "/health" => Route::Answer(health(request.method())),
        None => Route::Answer(Answer::new(StatusCode::NOT_FOUND, "nothing is served at this path")),
    }
}

fn upgrade(mut request: Request<()>, dialect: DialectKey, origins: &Origins) -> Route {
    if !has_token(&request, UPGRADE, "websocket") {
        let answer = Answer::new(StatusCode::UPGRADE_REQUIRED, "this path speaks WebSocket");
        return Route::Answer(asking_for_websocket(answer));
    }
    if !origins.allow(request.headers()) {
        let sentence = "pages of this origin may not connect: ROOMCAST_ALLOW_ORIGINS lists those that may";
        return Route::Answer(Answer::new(StatusCode::FORBIDDEN, sentence));
    }
    let version = request.headers().get(SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version != "13") {
        let answer = Answer::new(StatusCode::UPGRADE_REQUIRED, "the WebSocket version spoken here is 13");
        return Route::Answer(asking_for_websocket(answer));
    }
    if has_body(&request) {
        return Route::Answer(Answer::new(StatusCode::BAD_REQUEST, "an upgrade has no body"));
    }
    // Both are lists that may go over several lines, of which tungstenite looks at the first alone.
    if has_token(&request, CONNECTION, "upgrade") {
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        request.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    match tungstenite::handshake::server::create_response(&request) {
        Ok(response) => Route::Upgrade(dialect, response),
        Err(error) => Route::Answer(Answer::new(StatusCode::BAD_REQUEST, &error.to_string())),
    }
}

/// RFC 9110 section 15.5.22 and RFC 6455 section 4.4.
fn asking_for_websocket(answer: Answer) -> Answer {
    answer
        .with(UPGRADE, HeaderValue::from_static("websocket"))
        .with(CONNECTION, HeaderValue::from_static("Upgrade"))
        .with(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
}

fn health(method: &Method) -> Answer {
    if *method == Method::GET || *method == Method::HEAD {
        Answer::new(StatusCode::OK, "ok")
    } else {
        let answer = Answer::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are taken here");
        answer.with(ALLOW, HeaderValue::from_static("GET, HEAD"))
    }
}
