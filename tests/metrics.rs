//! What probes and Prometheus are told: read by the parser of Prometheus's own Python client.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Server, wait_until};

/// Prints each sample as `name{label=value,…} value`.
const PARSE: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        labels = ','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))
        print(f'{sample.name}{{{labels}}} {sample.value}')
";

fn samples(server: &Server) -> BTreeMap<String, f64> {
    let answer = server.get("/metrics", &[]);
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin/python");
    let mut parser = Command::new(python);
    parser.args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut parser = parser.spawn().expect("installed by scripts/test");
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let sample = |line: &str| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
    printed.lines().map(|line| sample(line).unwrap()).collect()
}

#[test]
fn what_has_happened_is_counted() {
    let server = Server::start(&[]);
    let (mut zero, _) = server.join_in();
    let (mut one, _) = server.join_in();
    let mut nobody = server.connect("/ws");
    for client in [&mut zero, &mut one] {
        client.ask(r#"{"action":"join","room":"lobby"}"#, r#"{"action":"join","room":"lobby"}"#);
    }
    zero.expect(r#"{"action":"join","room":"lobby","user_id":"1"}"#);
    zero.ask(
        r#"{"action":"room_message","message":"hi"}"#,
        r#"{"action":"room_message","room":"lobby","message":"hi"}"#,
    );
    one.expect(r#"{"action":"room_message","room":"lobby","user_id":"0","message":"hi"}"#);
    one.ask(r#"{"action":"join","room":"tea"}"#, r#"{"action":"join","room":"tea"}"#);
    zero.expect(r#"{"action":"leave","room":"lobby","user_id":"1"}"#);
    one.ask(r#"{"action":"room_message","message":"hi"}"#, r#"{"action":"room_message","room":"tea","message":"hi"}"#);
    nobody.send(r#"{"event":"delete_user"}"#);
    assert!(nobody.receive().contains("not_identified"));
    nobody.send("{");
    assert!(nobody.receive().contains("bad_request"));
    one.close();
    wait_until("the end to be counted", || {
        samples(&server)["roomcast_connections{dialect=/chatserver/connect}"] == 1.0
    });

    let samples = samples(&server);
    let expected = [
        ("roomcast_connections{dialect=/ws}", 1.0),
        ("roomcast_connections{dialect=/echo}", 0.0),
        ("roomcast_rooms{}", 1.0),
        ("roomcast_messages_total{kind=durable}", 1.0),
        ("roomcast_messages_total{kind=ephemeral}", 1.0),
        // A join, a message and a leave, each to one other.
        ("roomcast_deliveries_total{}", 3.0),
        ("roomcast_refusals_total{code=bad_request}", 1.0),
        ("roomcast_refusals_total{code=not_identified}", 1.0),
        ("roomcast_closed_total{reason=slow_reader}", 0.0),
        ("roomcast_store_up{}", 1.0),
        ("roomcast_store_queue{}", 0.0),
        ("roomcast_store_jobs_total{}", 1.0),
        ("roomcast_store_commit_seconds_count{}", 1.0),
        ("roomcast_store_commit_seconds_bucket{le=+Inf}", 1.0),
        ("roomcast_outbox_bytes{}", 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(samples.get(name), Some(&value), "{name} of {samples:#?}");
    }
    assert!(samples["roomcast_closed_total{reason=peer}"] >= 1.0);
}

#[test]
fn probes_only_look() {
    let server = Server::start(&[]);
    for (path, body) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        assert!(server.get(path, &[]).ends_with(&format!("\r\n\r\n{body}")), "{path}");
    }
    for path in ["/health", "/ready", "/metrics"] {
        let refused = server.exchange(format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert!(refused.starts_with("HTTP/1.1 405 ") && refused.contains("\r\nallow: GET, HEAD\r\n"), "{refused}");
    }
}
