//! Looking for marks that are due: what other processes left, what was lost on its way, and what
//! was put off. The process that watches over Northbound looks first; another only at what that one
//! has left for some seconds.

use std::sync::Arc;
use std::time::Duration;

use model::unit::Unit;
use sql::{Mark, dirty};
use wire::ctx::Ctx;
use wire::fault::Result;

use super::Work;

/// Marks in one look.
const BATCH: u64 = 1000;
/// How much longer than the watchman the others leave a mark alone.
const GRACE: Duration = Duration::from_secs(5);
/// Units of a newer release are left to it for so long.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Debug, Default)]
pub struct Swept {
    /// Units whose marks are due.
    pub due: Vec<Mark>,
    /// There were more than one look takes.
    pub there_is_more: bool,
}

/// Looks once, and refreshes what is told about the marks.
pub async fn sweep(work: Arc<Work>, wanted: bool) -> Swept {
    match look(&work, wanted).await {
        Ok(swept) => swept,
        Err(error) => {
            tracing::warn!("marks that are due cannot be read: {error:?}");
            Swept::default()
        }
    }
}

async fn look(work: &Work, wanted: bool) -> Result<Swept> {
    let now = work.chance.now();
    let now_ms = now.as_millisecond();
    let is_watchman = work.counters.leader.get() == 1;
    let grace = if is_watchman { Duration::ZERO } else { GRACE };
    let due_before = now_ms - i64::try_from(grace.as_millis()).unwrap_or_default();
    let ctx = Ctx::system(now);
    let (found, (waiting, oldest)) = work
        .db
        .read(&ctx, |tx| async move {
            let limit = if wanted { BATCH } else { 0 };
            Ok((dirty::due(&tx, due_before, limit).await?, dirty::backlog(&tx).await?))
        })
        .await?;
    work.counters.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    work.counters.oldest.set(oldest.map_or(0, |due_at| (now_ms - due_at).max(0) / 1000));
    let there_is_more = u64::try_from(found.len()) == Ok(BATCH);
    let (known, unknown): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|dirty| Unit::of(dirty.mark.kind).is_some());
    if !unknown.is_empty() {
        let unknown = &unknown;
        let due_at = now_ms + i64::try_from(UNKNOWN_PAUSE.as_millis()).unwrap_or_default();
        work.db
            .write(&ctx, |tx| async move {
                let why = "a unit that this release does not know";
                unknown.iter().for_each(|dirty| dirty::defer(&tx, dirty, due_at, why));
                Ok(())
            })
            .await?;
    }
    Ok(Swept { due: known.into_iter().map(|dirty| dirty.mark).collect(), there_is_more })
}
