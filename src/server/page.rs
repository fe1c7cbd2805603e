//! What a browser is shown: the chat at `/`, the plots at `/status`, and the files of both under `/page/`.
//!
//! They lie in `src/page` as they go out; nothing builds them. The headers let a browser run these files alone and talk
//! to this server alone, whatever gets into the page.

use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

use crate::proto::http::Answer;

/// `'self'` includes WebSocket to the same host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The last is for the API key, which may stand in the address of `/status`.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// What is served at one path.
pub(super) struct File {
    path: &'static str,
    /// It is for those alone who may speak the event dialect.
    pub(super) needs_key: bool,
    content_type: &'static str,
    text: &'static str,
}

macro_rules! part {
    ($name:literal, $content_type:expr) => {
        File {
            path: concat!("/page/", $name),
            needs_key: false,
            content_type: $content_type,
            text: include_str!(concat!("../page/", $name)),
        }
    };
}

static FILES: [File; 24] = [
    File { path: "/", needs_key: false, content_type: HTML, text: include_str!("../page/index.html") },
    File { path: "/status", needs_key: true, content_type: HTML, text: include_str!("../page/status.html") },
    part!("style.css", STYLE),
    part!("chat.css", STYLE),
    part!("status.css", STYLE),
    part!("icon.svg", IMAGE),
    part!("app.js", SCRIPT),
    part!("access.js", SCRIPT),
    part!("action.js", SCRIPT),
    part!("composer.js", SCRIPT),
    part!("dialogs.js", SCRIPT),
    part!("dom.js", SCRIPT),
    part!("event.js", SCRIPT),
    part!("link.js", SCRIPT),
    part!("log.js", SCRIPT),
    part!("memory.js", SCRIPT),
    part!("outbox.js", SCRIPT),
    part!("requests.js", SCRIPT),
    part!("room.js", SCRIPT),
    part!("sides.js", SCRIPT),
    part!("state.js", SCRIPT),
    part!("status.js", SCRIPT),
    part!("plot.js", SCRIPT),
    part!("wire.js", SCRIPT),
];

/// The file at exactly this path.
pub(super) fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

impl File {
    /// All of it.
    pub(super) fn answer(&self) -> Answer {
        let Self { content_type, text, .. } = *self;
        Answer { status: StatusCode::OK, headers: HEADERS.to_vec(), content_type, body: text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files that `text` names after `mark`, up to the closing quote.
    fn named<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
        text.split(mark).skip(1).filter_map(|rest| rest.split(['"', '\'']).next()).collect()
    }

    #[test]
    fn every_file_that_a_file_asks_for_is_served_and_no_other() {
        let mut asked = vec!["/", "/status"];
        for File { text, .. } in &FILES {
            asked.extend([named(text, "=\"/page/"), named(text, "from './")].concat());
        }
        for file in &FILES {
            let name = file.path.strip_prefix("/page/").unwrap_or(file.path);
            assert!(asked.contains(&name), "nobody asks for {name}");
        }
        for name in asked.iter().filter(|name| !name.starts_with('/')) {
            assert!(find(&format!("/page/{name}")).is_some(), "{name} is asked for and not there");
        }
    }

    #[test]
    fn nothing_is_foreign_inline_or_parsed_as_markup() {
        for File { path, text, .. } in &FILES {
            for forbidden in ["https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "<style", " style="]
            {
                assert!(!text.contains(forbidden), "{path} has {forbidden}");
            }
            assert_eq!(text.matches("<script").count(), text.matches("<script type=\"module\" src=\"/page/").count());
        }
    }
}
