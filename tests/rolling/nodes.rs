//! Who has to stay with one node, and who has not.

use std::path::Path;
use std::process::Command;

use crate::common::http::request;
use crate::common::people::{private_room, token_of, user};
use crate::common::site::Site;
use crate::common::tools::tool;

/// Users of a private room: the room, and their tokens.
pub(super) fn people<const N: usize>(site: &Site, names: [&str; N]) -> (String, [String; N]) {
    let members = names.map(|name| user(&site.cluster.nodes[0], name));
    (private_room(&site.cluster.nodes[0], "tea", &members).to_string(), names.map(token_of))
}

/// A program beside this file that is told where the site is.
pub(super) fn script(site: &Site, name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rolling").join(name);
    let modules = tool("node_modules/socket.io-client");
    let mut command = Command::new("node");
    command.arg(path).arg(format!("http://{}", site.nginx.address)).env("NODE_PATH", modules.parent().unwrap());
    command
}

/// The protocol's own error, upon which every client begins anew.
#[test]
fn a_session_is_unknown_to_another_node() {
    let site = Site::start(&[], &[]);
    let [home, other] = [0, 1].map(|node: usize| site.cluster.nodes[node].address);
    let opened = request(home, "GET", "/socket.io/?EIO=4&transport=polling", "").body;
    let sid = opened.split(r#""sid":""#).nth(1).unwrap().split('"').next().unwrap();
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    request(other, "GET", &target, "").expect_unknown_session();
    request(other, "POST", &target, "40/chat,{}").expect_unknown_session();
    let upgrade = site.cluster.nodes[1].get(
        &format!("/socket.io/?EIO=4&transport=websocket&sid={sid}"),
        &[
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
    );
    assert!(upgrade.starts_with("HTTP/1.1 400 ") && upgrade.contains("Session ID unknown"), "{upgrade}");
    // Where it belongs it lives on.
    request(home, "POST", &target, "40/chat,{}").expect(200, "ok");
}

/// One after the other in turn: no request of a client goes where the one before went.
#[test]
fn websocket_alone_needs_no_node_of_its_own() {
    let site = Site::start(&[], &[("hash $remote_addr consistent;", "")]);
    let (room, [ann, bob]) = people(&site, ["ann", "bob"]);
    let talk = |transport: &str| script(&site, "pair.mjs").args([&*room, &ann, &bob, transport]).output().unwrap();
    let output = talk("websocket");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success() && said[0].ends_with("done\n"), "{said:?}");
    let stderr = String::from_utf8(talk("polling").stderr).unwrap();
    assert!(stderr.contains("Session ID unknown") || stderr.contains("xhr p"), "polling does: {stderr}");
}
