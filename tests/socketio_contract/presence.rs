//! One user with several sockets: for the others it comes once and goes once, and a reload is invisible.

use std::thread;
use std::time::{Duration, Instant};

use super::{CHAT, CONVERSATION};
use crate::common::socketio::{GRACE, Stage, Tab};

/// So long is a user without a socket who loads a page anew.
const RELOAD: Duration = Duration::from_secs(1);

/// One who watches, without a room in common with ann, and what it is told of her.
struct Watcher {
    tab: Tab,
    online: [&'static str; 2],
    offline: [&'static str; 2],
}

impl Watcher {
    fn chat(stage: &Stage) -> Self {
        let online = ["user:status", r#"{"userId":"<ann>","status":"online"}"#];
        let offline = ["user:status", r#"{"userId":"<ann>","status":"offline"}"#];
        Self { tab: stage.chat("cid", CHAT), online, offline }
    }

    fn conversation(stage: &Stage) -> Self {
        let (online, offline) = (["user_online", r#"{"user_id":"<ann>"}"#], ["user_offline", r#"{"user_id":"<ann>"}"#]);
        Self { tab: stage.conversation("cid", CONVERSATION), online, offline }
    }

    /// The whole of it, with ann's tabs on these namespaces.
    fn watch(mut self, stage: &Stage, namespaces: [&'static str; 2]) {
        let [one, other] = namespaces;
        // Nothing happens for longer than the grace lasts, which must not count.
        self.tab.link.expect_silence(GRACE + RELOAD);
        let first = stage.tab("ann", one);
        self.tab.told(self.online[0], self.online[1]);
        let second = stage.tab("ann", other);
        self.tab.told_nothing();
        drop(first);
        self.tab.link.expect_silence(GRACE + RELOAD);
        // A reload of the only tab that is left.
        drop(second);
        thread::sleep(RELOAD);
        let reloaded = [stage.tab("ann", other), stage.tab("ann", one)];
        self.tab.link.expect_silence(GRACE + RELOAD);
        let start = Instant::now();
        drop(reloaded);
        self.tab.told(self.offline[0], self.offline[1]);
        let seconds = start.elapsed().as_secs_f64();
        assert!((4.9..7.0).contains(&seconds), "offline after {seconds} s");
        self.tab.told_nothing();
        let _back = stage.tab("ann", one);
        self.tab.told(self.online[0], self.online[1]);
        self.tab.told_nothing();
    }
}

/// In each vocabulary and in both. All at once: it consists of waiting.
#[test]
fn two_tabs_of_one_user() {
    let cases = [(CHAT, [CHAT; 2]), (CONVERSATION, [CONVERSATION; 2]), (CONVERSATION, [CHAT, "/"])];
    thread::scope(|scope| {
        for (watches, namespaces) in cases {
            scope.spawn(move || {
                // Pings must not be taken for news.
                let stage = Stage::set(&["--presence", "all", "--ping", "60s"]);
                let watcher = if watches == CHAT { Watcher::chat(&stage) } else { Watcher::conversation(&stage) };
                watcher.watch(&stage, namespaces);
            });
        }
    });
}

/// Who has no room in common hears of nobody, unless it is set so; whoever says something to another one has.
#[test]
fn presence_is_for_those_who_share_a_room() {
    let stage = Stage::set(&[]);
    let mut cid = stage.conversation("cid", CONVERSATION);
    let mut ann = stage.conversation("ann", CONVERSATION);
    cid.told_nothing();
    cid.emit("private_message", r#"{"recipient_id":"<ann>","content":"Hello!"}"#);
    cid.link.receive();
    ann.link.receive();
    drop(ann);
    cid.told("user_offline", r#"{"user_id":"<ann>"}"#);
    let _ann = stage.tab("ann", CHAT);
    cid.told("user_online", r#"{"user_id":"<ann>"}"#);
    stage.tab("cid", CONVERSATION).told("online_users", r#"{"users":["<ann>","<cid>"]}"#);
    let _bob = stage.tab("bob", CHAT);
    cid.told_nothing();
}

/// All sockets on one connection, and all connections of a user, are one user's.
#[test]
fn a_user_has_gone_with_the_last_socket_of_any_namespace() {
    let stage = Stage::set(&["--ping", "60s"]);
    let mut bob = stage.chat("bob", CHAT);
    let mut ann = stage.tab("ann", CHAT);
    bob.told("user:status", r#"{"userId":"<ann>","status":"online"}"#);
    ann.link.send(&format!("40/conversation,{}", stage.auth("ann")));
    ann.link.receive();
    ann.link.receive();
    ann.link.send("41/chat,");
    bob.link.expect_silence(GRACE + RELOAD);
    ann.link.send("41/conversation,");
    bob.told("user:status", r#"{"userId":"<ann>","status":"offline"}"#);
}
