//! What probes and Prometheus are told. Counting costs the loop an addition; the text is made when somebody asks.

use std::collections::BTreeMap;
use std::fmt;

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Server;
use super::slot::Census;
use crate::broker;
use crate::dialect::DIALECTS;
use crate::error::CloseReason;
use crate::proto::http::Answer;
use crate::store::{CallStats, Stats};

/// What Prometheus asks for first: the text format of OpenMetrics.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Server {
    /// Whether all parts work; if not, which one is down.
    pub(super) fn readiness(&self) -> Answer {
        if self.is_ending() {
            return Answer::new(StatusCode::SERVICE_UNAVAILABLE, "the server is going away");
        }
        let down = |part: &str, trouble: &str| {
            Answer::new(StatusCode::SERVICE_UNAVAILABLE, &format!("the {part} is down: {trouble}"))
        };
        match (self.inbox.trouble(), self.nodes.trouble()) {
            (Some(trouble), _) => down("store", &trouble),
            (None, Some(trouble)) => down("broker", &trouble),
            (None, None) if self.nodes.is_awaiting(self.hub.known_nodes(), self.now) => {
                Answer::new(StatusCode::SERVICE_UNAVAILABLE, "other nodes have not said yet who is there")
            }
            (None, None) => Answer::new(StatusCode::OK, "ready"),
        }
    }

    /// All that has been counted.
    pub(super) fn metrics(&self) -> Answer {
        let mut registry = Registry::with_prefix("roomcast");
        registry.register_collector(Box::new(self.snapshot()));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        Answer { content_type: CONTENT_TYPE, body: text, ..Answer::new(StatusCode::OK, "") }
    }

    fn snapshot(&self) -> Snapshot {
        let (census, outbox_bytes) = self.slots.census();
        Snapshot {
            census,
            outbox_bytes,
            rooms: self.hub.room_count(),
            messages: self.hub.message_count(),
            deliveries: self.fanout.deliveries,
            refusals: self.fanout.refusals.clone(),
            closed: self.journal.counts().collect(),
            store: self.inbox.stats(),
            calls: self.inbox.calls(),
            broker: self.nodes.stats(),
        }
    }
}

/// The numbers at one time.
#[derive(Debug)]
struct Snapshot {
    census: Census,
    outbox_bytes: usize,
    rooms: usize,
    messages: [u64; 2],
    deliveries: u64,
    refusals: BTreeMap<&'static str, u64>,
    closed: Vec<(CloseReason, u64)>,
    store: Option<Stats>,
    calls: Vec<CallStats>,
    broker: Option<broker::Stats>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let encoder = &mut encoder;
        family(encoder, "connections", "connections by dialect", MetricType::Gauge, |mut metric| {
            let Census { dialects, engines: [websockets, polling], streams, others } = self.census;
            let paths = DIALECTS.iter().map(|dialect| dialect.path()).zip(dialects);
            let engines = [("engine.io websocket", websockets), ("engine.io polling", polling)];
            let rest = engines.into_iter().chain([("stream", streams), ("http", others)]);
            for (path, count) in paths.chain(rest) {
                ConstGauge::new(count as i64).encode(metric.encode_family(&[("dialect", path)])?)?;
            }
            Ok(())
        })?;
        gauge(encoder, "rooms", "rooms known", self.rooms)?;
        gauge(encoder, "outbox_bytes", "bytes owed to all connections; shared ones count for each", self.outbox_bytes)?;
        family(encoder, "messages", "messages said in rooms", MetricType::Counter, |mut metric| {
            for (kind, count) in ["ephemeral", "durable"].iter().zip(self.messages) {
                ConstCounter::new(count).encode(metric.encode_family(&[("kind", *kind)])?)?;
            }
            Ok(())
        })?;
        counter(encoder, "deliveries", "times that somebody was handed news of a room", self.deliveries)?;
        family(encoder, "refusals", "requests that were refused, by code", MetricType::Counter, |mut metric| {
            for (&code, &count) in &self.refusals {
                ConstCounter::new(count).encode(metric.encode_family(&[("code", code)])?)?;
            }
            Ok(())
        })?;
        family(encoder, "closed", "connections that have ended, by reason", MetricType::Counter, |mut metric| {
            for &(reason, count) in &self.closed {
                ConstCounter::new(count).encode(metric.encode_family(&[("reason", reason.word())])?)?;
            }
            Ok(())
        })?;
        self.store.as_ref().map_or(Ok(()), |stats| encode_store(encoder, stats))?;
        self.broker.as_ref().map_or(Ok(()), |stats| encode_broker(encoder, stats))?;
        if self.calls.is_empty() { Ok(()) } else { encode_calls(encoder, &self.calls) }
    }
}

fn encode_broker(encoder: &mut DescriptorEncoder<'_>, stats: &broker::Stats) -> fmt::Result {
    gauge(encoder, "broker_up", "whether other nodes are heard and hear this one", usize::from(stats.is_up))?;
    gauge(encoder, "broker_queue", "notices that wait to be told to other nodes", stats.waiting)?;
    gauge(encoder, "nodes", "nodes that live, this one among them", stats.nodes)?;
    counter(encoder, "broker_published", "notices told to other nodes", stats.published)?;
    counter(encoder, "broker_received", "notices heard of other nodes", stats.received)?;
    counter(encoder, "broker_dropped", "notices that were not told to other nodes", stats.dropped)?;
    counter(encoder, "broker_malformed", "what was heard and not understood", stats.malformed)
}

fn encode_store(encoder: &mut DescriptorEncoder<'_>, stats: &Stats) -> fmt::Result {
    gauge(encoder, "store_up", "whether the store works", usize::from(stats.is_up))?;
    gauge(encoder, "store_queue", "jobs that wait for the store", stats.waiting)?;
    counter(encoder, "store_jobs", "jobs done by the store", stats.jobs)?;
    family(encoder, "store_commit_seconds", "time for a transaction", MetricType::Histogram, |mut metric| {
        let buckets: Vec<(f64, u64)> = stats.commit_buckets.clone();
        let count = buckets.iter().map(|(_, count)| count).sum();
        metric.encode_histogram::<[(&str, &str); 0]>(stats.commit_seconds, count, &buckets, None)
    })
}

fn encode_calls(encoder: &mut DescriptorEncoder<'_>, calls: &[CallStats]) -> fmt::Result {
    let help = "time for a call to the upstream store";
    family(encoder, "upstream_call_seconds", help, MetricType::Histogram, |mut metric| {
        for call in calls {
            let count = call.buckets.iter().map(|(_, count)| count).sum();
            let labels = [("endpoint", call.endpoint.as_str())];
            let mut metric = metric.encode_family(&labels)?;
            metric.encode_histogram::<[(&str, &str); 0]>(call.seconds, count, &call.buckets, None)?;
        }
        Ok(())
    })?;
    let help = "calls to the upstream store that it did not answer, or by a failure of its own";
    family(encoder, "upstream_call_failures", help, MetricType::Counter, |mut metric| {
        for call in calls {
            let labels = [("endpoint", call.endpoint.as_str())];
            ConstCounter::new(call.failures).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    })
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: usize) -> fmt::Result {
    family(encoder, name, help, MetricType::Gauge, |metric| ConstGauge::new(value as i64).encode(metric))
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    family(encoder, name, help, MetricType::Counter, |metric| ConstCounter::new(value).encode(metric))
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    kind: MetricType,
    write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    write(encoder.encode_descriptor(name, help, None, kind)?)
}
