//! What Prometheus is told: requests, callers, the database. Counted where it happens, printed
//! here.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::server::Server;
use nova::teller::Counters;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Panics since the start: each is a mistake of ours.
static PANICS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    collection: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    collection: &'static str,
}

/// The counters of one server.
pub struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram>,
    in_flight: Gauge,
}

/// One request that is being answered, until it is dropped.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counters at zero, and those of the server as they are.
    pub fn new(
        server: Arc<Server>,
        nova: Option<Arc<Counters>>,
        ovn: Option<&ovn::counters::Counters>,
    ) -> Self {
        let mut registry = Registry::with_prefix("nucleon");
        let answered = Family::<Answered, Counter>::default();
        registry.register("requests", "Requests answered", answered.clone());
        // 0.25 ms to 8 s.
        let seconds = Family::<Asked, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
        });
        let help = "Seconds until a reply began";
        registry.register("request_duration_seconds", help, seconds.clone());
        let in_flight = Gauge::default();
        registry.register("requests_in_flight", "Requests being answered", in_flight.clone());
        registry.register_collector(Box::new(Outside(server)));
        if let Some(counters) = nova {
            registry.register_collector(Box::new(Told(counters)));
        }
        if let Some(counters) = ovn {
            counters.register(&mut registry);
        }
        Self { registry, answered, seconds, in_flight }
    }

    /// A request has come.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// A request has its reply.
    pub fn answered(
        &self,
        method: &http::Method,
        collection: &'static str,
        status: u16,
        took: Duration,
    ) {
        let method = name(method);
        self.answered.get_or_create(&Answered { method, collection, status }).inc();
        self.seconds.get_or_create(&Asked { method, collection }).observe(took.as_secs_f64());
    }

    /// In the text format of OpenMetrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// Methods that callers make up do not become labels.
fn name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Logs and counts panics, wherever they happen.
pub fn count_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no message");
        tracing::error!("panic at {at}: {text}");
    }));
}

/// Counters that are kept by others.
struct Outside(Arc<Server>);

impl fmt::Debug for Outside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Outside")
    }
}

impl Collector for Outside {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let sql = self.0.world.db.stats();
        let identity = self.0.identity.lookups();
        let panics = PANICS.load(Ordering::Relaxed);
        for (name, help, number) in [
            ("panics", "Panics: each is a mistake in the program", panics),
            ("sql_commits", "Transactions committed", sql.commits),
            ("sql_retries", "Transactions run again after a conflict", sql.retries),
            ("sql_statements", "Statements sent", sql.statements),
            ("sql_groups", "Commits on the disk, each of one transaction or several", sql.groups),
            ("sql_damaged", "Stored values that read as empty: see db check", sql.damaged),
            ("token_lookups", "Tokens looked up", identity.asked),
            ("token_misses", "Tokens that the cache did not have", identity.missed),
        ] {
            encode_counter(&mut encoder, name, help, number)?;
        }
        let queue = ConstGauge::new(i64::try_from(sql.queue).unwrap_or(i64::MAX));
        let help = "Transactions that wait for a connection";
        queue.encode(encoder.encode_descriptor("sql_queue", help, None, queue.metric_type())?)
    }
}

fn encode_counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    number: u64,
) -> fmt::Result {
    let counter = ConstCounter::new(number);
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

/// What was told to Nova.
#[derive(Debug)]
struct Told(Arc<Counters>);

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, counter) in [
            ("nova_events_told", "Events that Nova took", &self.0.told),
            ("nova_events_dropped", "Events that Nova did not want", &self.0.dropped),
            ("nova_requests_failed", "Requests that Nova did not answer well", &self.0.failed),
        ] {
            encode_counter(&mut encoder, name, help, counter.load(Ordering::Relaxed))?;
        }
        Ok(())
    }
}
