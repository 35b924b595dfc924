//! The loop that tells Nova: wakes up with commits of this process and looks from time to time for
//! what others left, gathers for a moment, tells, and keeps what could not be told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, StatusCode};
use identity::keystone::client::Client;
use jiff::Timestamp;
use model::nova_event::queue::{self, Waiting};
use model::unit::Unit;
use sql::Db;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use wire::ctx::Ctx;

use crate::endpoint::Endpoint;
use crate::message::{self, Fate};

/// What comes within this time is told together.
const GATHER: Duration = Duration::from_millis(50);
/// Between two looks for what others left.
const LOOK: Duration = Duration::from_secs(1);
/// Events in one request.
const BATCH_MAX: u32 = 100;
/// A claim is longer than any request can take.
const CLAIM: Duration = Duration::from_secs(60);
/// First and longest pause before an event is told again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// An event that could not be told for so long is given up: nobody waits for it any more.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// What was done so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events that Nova took.
    pub told: AtomicU64,
    /// Events that Nova did not want, or that got too old.
    pub dropped: AtomicU64,
    /// Requests that failed.
    pub failed: AtomicU64,
}

/// Tells one Nova.
pub struct Teller {
    db: Db,
    keystone: Client,
    endpoint: Endpoint,
    counters: Arc<Counters>,
}

impl Teller {
    /// Tells the Nova at `endpoint` as the service user of `keystone`.
    #[must_use]
    pub fn new(db: Db, keystone: Client, endpoint: Endpoint) -> Self {
        Self { db, keystone, endpoint, counters: Arc::default() }
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Tells for as long as the process lives.
    pub async fn run(self: Arc<Self>) {
        let mut marks = self.db.marks();
        loop {
            tokio::select! {
                () = port_changed(&mut marks) => {
                    tokio::time::sleep(GATHER).await;
                    // What has come meanwhile is told now, and needs no look of its own.
                    marks = marks.resubscribe();
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            loop {
                match self.tell().await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!("events for Nova wait: {error:#}");
                        break;
                    }
                }
            }
        }
    }

    /// Tells one batch; how many events were taken up.
    async fn tell(&self) -> anyhow::Result<usize> {
        let events = self.take().await?;
        if events.is_empty() {
            return Ok(0);
        }
        // One that Nova does not understand must not keep the others from it.
        let mut requests = vec![&*events];
        while let Some(request) = requests.pop() {
            match self.fates(request).await {
                Some(fates) => self.settle(request, &fates).await?,
                None => {
                    let (first, second) = request.split_at(request.len() / 2);
                    requests.extend([second, first]);
                }
            }
        }
        Ok(events.len())
    }

    /// Tells these events; what becomes of each. `None`: Nova understands them only without one of
    /// them, if at all.
    async fn fates(&self, events: &[Waiting]) -> Option<Vec<Fate>> {
        match self.post(events).await {
            Ok((StatusCode::BAD_REQUEST, _)) if events.len() > 1 => None,
            Ok((status, answer)) => {
                if status == StatusCode::NOT_FOUND {
                    self.endpoint.forget().await;
                }
                Some(message::fates(events, status, &answer))
            }
            Err(error) => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                self.endpoint.forget().await;
                tracing::warn!(events = events.len(), "Nova could not be told: {error:#}");
                Some(vec![Fate::Again; events.len()])
            }
        }
    }

    async fn take(&self) -> anyhow::Result<Vec<Waiting>> {
        let now = Timestamp::now();
        let now_ms = now.as_millisecond();
        let (claim, _) = uuid::Uuid::new_v4().as_u64_pair();
        let claim = i64::try_from(claim >> 1)?;
        let until = now_ms + i64::try_from(CLAIM.as_millis())?;
        self.db
            .write(&Ctx::system(now), |tx| async move {
                queue::take(&tx, now_ms, claim, until, BATCH_MAX).await
            })
            .await
            .context("taking events")
    }

    async fn post(&self, events: &[Waiting]) -> anyhow::Result<(StatusCode, Bytes)> {
        let uri = self.endpoint.get(&self.keystone).await?;
        let request = Request::post(uri)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header("x-openstack-nova-api-version", "2.1")
            .body(Bytes::from(message::body(events).to_string()))?;
        let reply = self.keystone.send_as_service(&request).await?;
        let status = reply.status();
        if !status.is_success() {
            self.counters.failed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(events = events.len(), %status, "Nova refused events");
        }
        Ok((status, reply.into_body()))
    }

    async fn settle(&self, events: &[Waiting], fates: &[Fate]) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let now_ms = now.as_millisecond();
        let settled: Vec<(&Waiting, Fate)> = events
            .iter()
            .zip(fates)
            .map(|(event, fate)| {
                (event, if is_old(event, now_ms) { too_old(*fate) } else { *fate })
            })
            .collect();
        let settled = &settled;
        self.db
            .write(&Ctx::system(now), |tx| async move {
                for (event, fate) in settled {
                    match fate {
                        Fate::Told | Fate::Unwanted => event.remove(&tx),
                        Fate::Again => event.put_off(&tx, now_ms + pause_ms(event.tries)),
                    }
                }
                Ok(())
            })
            .await
            .context("settling events")?;
        for (event, fate) in settled {
            match fate {
                Fate::Told => self.counters.told.fetch_add(1, Ordering::Relaxed),
                Fate::Unwanted => {
                    tracing::info!(port = %event.port_id, event = event.name, "not told to Nova");
                    self.counters.dropped.fetch_add(1, Ordering::Relaxed)
                }
                Fate::Again => continue,
            };
        }
        Ok(())
    }
}

fn is_old(event: &Waiting, now_ms: i64) -> bool {
    u128::try_from(now_ms - event.created_at).is_ok_and(|age| age > AGE_MAX.as_millis())
}

fn too_old(fate: Fate) -> Fate {
    if fate == Fate::Again { Fate::Unwanted } else { fate }
}

fn pause_ms(tries: i64) -> i64 {
    let doubled = PAUSE.0.saturating_mul(1 << tries.clamp(0, 10));
    i64::try_from(doubled.min(PAUSE.1).as_millis()).unwrap_or(i64::MAX)
}

/// Ends with the next commit that may have recorded an event.
async fn port_changed(marks: &mut Receiver<sql::Committed>) {
    loop {
        match marks.recv().await {
            Ok(committed) if !committed.marks.iter().any(is_port) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // The database is ours and lives as long as we do.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn is_port(mark: &sql::Mark) -> bool {
    mark.kind == Unit::Port as i16
}
