//! What is counted of the work on Northbound.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Bounds in seconds, close where the aims are: half within 10 ms, nearly all within 100 ms.
const LATENCIES: [f64; 18] = [
    0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0,
    5.0, 20.0, 60.0,
];

/// Counters, gauges and histograms; a clone counts the same.
#[derive(Clone)]
pub struct Counters {
    /// Stored marks of units that are not in line yet.
    pub waiting: Gauge,
    /// How long the oldest of them has been due, in seconds.
    pub oldest: Gauge,
    /// Units in one transaction.
    pub batch: Histogram,
    /// Seconds from a commit of this process to the rows in Northbound.
    pub latency: Histogram,
    /// Units that were brought in line.
    pub done: Counter,
    /// Units that somebody else had written in between.
    pub conflicts: Counter,
    /// Units that Northbound refused.
    pub refused: Counter,
    /// Units that were not in line although nobody had changed them here.
    pub drift: Counter,
    /// Comparisons of everything that came to their end.
    pub audits: Counter,
    /// What the last of them took, in seconds.
    pub audit_seconds: Gauge<f64, AtomicU64>,
    /// Whether Northbound can be written: 1 or 0.
    pub connected: Gauge,
    /// Whether this process watches over Northbound: 1 or 0.
    pub leader: Gauge,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            waiting: Gauge::default(),
            oldest: Gauge::default(),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            latency: Histogram::new(LATENCIES),
            done: Counter::default(),
            conflicts: Counter::default(),
            refused: Counter::default(),
            drift: Counter::default(),
            audits: Counter::default(),
            audit_seconds: Gauge::default(),
            connected: Gauge::default(),
            leader: Gauge::default(),
        }
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Counters").field("done", &self.done.get()).finish_non_exhaustive()
    }
}

impl Counters {
    /// Has them shown.
    pub fn register(&self, registry: &mut Registry) {
        let mut gauge = |name, help, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("ovn_marks_waiting", "Units that are not in line with Northbound yet", &self.waiting);
        gauge("ovn_oldest_mark_seconds", "How long the oldest of them is due", &self.oldest);
        gauge("ovn_northbound_connected", "Whether Northbound can be written", &self.connected);
        gauge("ovn_leader", "Whether this process watches over Northbound", &self.leader);
        let mut counter =
            |name, help, counter: &Counter| registry.register(name, help, counter.clone());
        counter("ovn_units", "Units brought in line with what is stored", &self.done);
        counter("ovn_conflicts", "Units that somebody else wrote in between", &self.conflicts);
        counter("ovn_refused", "Units that Northbound refused: see the log", &self.refused);
        counter("ovn_drift", "Units found out of line that nobody had changed here", &self.drift);
        counter("ovn_audits", "Comparisons of everything with Northbound", &self.audits);
        let help = "Seconds that the last comparison of everything took";
        registry.register("ovn_audit_seconds", help, self.audit_seconds.clone());
        registry.register("ovn_batch_units", "Units in one transaction", self.batch.clone());
        let help = "Seconds from a commit to the rows in Northbound";
        registry.register("ovn_commit_to_northbound_seconds", help, self.latency.clone());
    }
}
