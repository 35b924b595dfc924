//! The closed loop: each client sends its next request when the reply to the last one is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::connection::{Connection, Target};
use super::histogram::Histogram;

/// Makes the request with this number, counted from 0 over all clients.
pub type Requests = Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

/// How much is sent, by how many.
#[derive(Clone, Copy)]
pub struct Load {
    /// Connections, each with one request under way.
    pub clients: usize,
    /// For how long it is sent, without the warm-up.
    pub time: Duration,
    /// What is sent before, and not counted.
    pub warm_up: Duration,
    /// The most requests, warm-up included.
    pub most: usize,
}

/// What came of it.
#[derive(Default)]
pub struct Outcome {
    /// How long the good replies took.
    pub latencies: Histogram,
    /// How many replies were no success.
    pub errors: u64,
    /// The first of those.
    pub first_error: Option<String>,
    /// From the end of the warm-up to the last reply.
    pub elapsed: Duration,
}

impl Outcome {
    /// Good replies in a second.
    pub fn rate(&self) -> f64 {
        self.latencies.count() as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }

    fn add(&mut self, other: Outcome) {
        self.latencies.merge(&other.latencies);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.elapsed = self.elapsed.max(other.elapsed);
    }
}

/// Sends until the time is over or the most requests are sent.
pub async fn run(target: &Target, load: Load, requests: Requests) -> Result<Outcome> {
    let sent = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..load.clients {
        connections.push(Connection::open(target).await?);
    }
    let count_from = Instant::now() + load.warm_up;
    let mut clients = JoinSet::new();
    for connection in connections {
        clients.spawn(client(connection, load, count_from, requests.clone(), sent.clone()));
    }
    let mut whole = Outcome::default();
    while let Some(outcome) = clients.join_next().await {
        whole.add(outcome??);
    }
    Ok(whole)
}

async fn client(
    mut connection: Connection,
    load: Load,
    count_from: Instant,
    requests: Requests,
    sent: Arc<AtomicUsize>,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let until = count_from + load.time;
    loop {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        if number >= load.most {
            return Ok(outcome);
        }
        let request = requests(number);
        let began = Instant::now();
        let status = connection.send(&request).await?;
        let ended = Instant::now();
        if began >= count_from {
            outcome.elapsed = ended - count_from;
            if status / 100 == 2 {
                outcome.latencies.record(ended - began);
            }
        }
        if status / 100 != 2 {
            outcome.errors += 1;
            let body = String::from_utf8_lossy(&connection.body);
            outcome.first_error.get_or_insert_with(|| format!("{status} {body}"));
        }
        if ended >= until {
            return Ok(outcome);
        }
    }
}
