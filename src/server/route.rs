//! What a request is answered with, by its path alone.

use http::header::{ALLOW, CONNECTION, HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{Method, Request, Response, StatusCode};

use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq;

use super::cors::{preflight, with_origin};
#[cfg(feature = "page")]
use super::page;
use crate::config::Config;
use crate::dialect::{APIS, Api, DialectKey};
use crate::proto::http::{Answer, has_body, has_token};
use crate::proxy::is_from_here;

/// What becomes of a request.
pub(super) enum Route {
    /// An answer; the connection stays HTTP.
    Answer(Answer),
    /// The switch to a dialect, with the head that says so.
    Upgrade(DialectKey, Response<()>),
    /// What the hub answers, in the words of this API.
    Exchange(&'static dyn Api),
    /// Whether all parts work.
    Ready,
    /// What has been counted.
    Metrics,
    /// A message as every dialect would say it.
    Wire,
}

/// Decides. Every path is exact.
pub(super) fn route(request: &Request<()>, config: &Config) -> Route {
    let path = request.uri().path();
    if let Some(dialect) = DialectKey::by_path(path) {
        return upgrade(request, dialect, config).unwrap_or_else(Route::Answer);
    }
    if let Some(api) = APIS.iter().find(|api| api.serves(path)) {
        if api.is_for_pages() && *request.method() == Method::OPTIONS {
            return Route::Answer(preflight(&config.origins, request, &api.methods(path)));
        }
        let needs_key = api.needs_key(request);
        let checked =
            check_origin(request, config).and_then(|()| if needs_key { check_key(request, config) } else { Ok(()) });
        return match checked {
            Ok(()) => Route::Exchange(*api),
            Err(Refused { status, sentence }) => {
                Route::Answer(for_its_page(*api, api.refuse(status, sentence), config, request))
            }
        };
    }
    #[cfg(feature = "page")]
    if let Some(file) = page::find(path) {
        let checked = if file.needs_key { check_key(request, config) } else { Ok(()) };
        return checked
            .map_or_else(|refused| Route::Answer(refused.into()), |()| probe(request, Route::Answer(file.answer())));
    }
    match path {
        "/health" => probe(request, Route::Answer(Answer::new(StatusCode::OK, "ok"))),
        "/ready" => probe(request, Route::Ready),
        "/metrics" => probe(request, Route::Metrics),
        "/wire" => probe(request, Route::Wire),
        _ => Route::Answer(Answer::new(StatusCode::NOT_FOUND, "nothing is served at this path")),
    }
}

/// Lets the page that asks read the answer, if the API is for pages.
pub(super) fn for_its_page(api: &dyn Api, answer: Answer, config: &Config, request: &Request<()>) -> Answer {
    if api.is_for_pages() { with_origin(&answer, &config.origins, request) } else { answer }
}

/// Who asks may not.
struct Refused {
    status: StatusCode,
    sentence: &'static str,
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        Self::new(refused.status, refused.sentence)
    }
}

fn check_origin(request: &Request<()>, config: &Config) -> Result<(), Refused> {
    if config.origins.allow(request) {
        return Ok(());
    }
    let sentence = "pages of this origin may not connect: ROOMCAST_ALLOW_ORIGINS lists those that may";
    Err(Refused { status: StatusCode::FORBIDDEN, sentence })
}

/// Whoever holds the key may act for any user. Without a key, only this machine's own programs may.
fn check_key(request: &Request<()>, config: &Config) -> Result<(), Refused> {
    let key = &config.api_key.0;
    if key.is_empty() {
        return if config.listen.ip().is_loopback() && is_from_here(request) {
            Ok(())
        } else {
            let sentence = "this is served on a loopback address alone, or with a key: set ROOMCAST_API_KEY";
            Err(Refused { status: StatusCode::FORBIDDEN, sentence })
        };
    }
    let in_query = || {
        let mut pairs = request.uri().query().unwrap_or_default().split('&');
        let value = pairs.find_map(|pair| pair.strip_prefix("api_key="))?;
        Some(percent_decode_str(value).decode_utf8_lossy())
    };
    let shown = match request.headers().get("api-key") {
        Some(value) => Some(String::from_utf8_lossy(value.as_bytes())),
        None => in_query(),
    };
    // In constant time, lest the answer's delay tell how much of a guess was right.
    if shown.is_some_and(|shown| shown.as_bytes().ct_eq(key.as_bytes()).into()) {
        return Ok(());
    }
    Err(Refused { status: StatusCode::UNAUTHORIZED, sentence: "the api-key is missing or wrong" })
}

fn upgrade(request: &Request<()>, dialect: DialectKey, config: &Config) -> Result<Route, Answer> {
    if !has_token(request, UPGRADE, "websocket") {
        let answer = Answer::new(StatusCode::UPGRADE_REQUIRED, "this path speaks WebSocket");
        return Err(asking_for_websocket(answer));
    }
    check_origin(request, config)?;
    if dialect.dialect().needs_key() {
        check_key(request, config)?;
    }
    websocket_response(request).map(|response| Route::Upgrade(dialect, response))
}

/// The head that switches to WebSocket, or why not.
pub(super) fn websocket_response(request: &Request<()>) -> Result<Response<()>, Answer> {
    let version = request.headers().get(SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version != "13") {
        let answer = Answer::new(StatusCode::UPGRADE_REQUIRED, "the WebSocket version spoken here is 13");
        return Err(asking_for_websocket(answer));
    }
    if has_body(request) {
        return Err(Answer::new(StatusCode::BAD_REQUEST, "an upgrade has no body"));
    }
    let mut request = request.clone();
    // Both are lists that may go over several lines, of which tungstenite looks at the first alone.
    if has_token(&request, CONNECTION, "upgrade") {
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        request.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    tungstenite::handshake::server::create_response(&request)
        .map_err(|error| Answer::new(StatusCode::BAD_REQUEST, &error.to_string()))
}

/// RFC 9110 section 15.5.22 and RFC 6455 section 4.4.
fn asking_for_websocket(answer: Answer) -> Answer {
    answer
        .with(UPGRADE, HeaderValue::from_static("websocket"))
        .with(CONNECTION, HeaderValue::from_static("Upgrade"))
        .with(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
}

/// For those who only look.
fn probe(request: &Request<()>, route: Route) -> Route {
    if *request.method() == Method::GET || *request.method() == Method::HEAD {
        return route;
    }
    let answer = Answer::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are taken here");
    Route::Answer(answer.with(ALLOW, HeaderValue::from_static("GET, HEAD")))
}
