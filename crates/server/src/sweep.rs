//! Without a data plane there is nothing to bring in line: marks that have become due are done as
//! they are. They go in batches, so that what was deleted long ago leaves nothing behind.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use sql::{Db, dirty};
use wire::ctx::Ctx;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// Marks in one transaction.
const BATCH: u64 = 500;

/// Clears due marks for as long as the process lives.
pub async fn run(db: Db) {
    loop {
        tokio::time::sleep(PAUSE).await;
        while let Some(count) = sweep(&db).await {
            if count < BATCH {
                break;
            }
        }
    }
}

/// Clears one batch; how many that were. `None`: the database could not be asked, which is logged.
pub async fn sweep(db: &Db) -> Option<u64> {
    let now = Timestamp::now();
    let swept = db
        .write(&Ctx::system(now), |tx| async move {
            let due = dirty::due(&tx, now.as_millisecond(), BATCH).await?;
            dirty::clear_all(&tx, &due);
            Ok(due.len())
        })
        .await
        .context("clearing marks");
    match swept {
        Ok(count) => u64::try_from(count).ok(),
        Err(error) => {
            tracing::warn!("{error:#}");
            None
        }
    }
}
