//! The checkpoint: moves committed pages from the write-ahead log into the file while nobody waits
//! for it. Not here: commits (`writer`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::{self, Role};
use super::writer::Queue;

/// How often the log is looked at.
const PERIOD: Duration = Duration::from_millis(500);
/// A log of so many bytes is moved even while it is written to.
const LARGE: u64 = 16 << 20;
/// A log of so many bytes is emptied while the writer waits.
const HUGE: u64 = 256 << 20;

/// Runs until the database is closed.
pub async fn run(path: PathBuf, queue: Weak<Queue>) {
    let mut name = path.clone().into_os_string();
    name.push("-wal");
    let log = PathBuf::from(name);
    let mut connection: Option<Connection> = None;
    let (mut seen, mut moved) = (state(&log), None);
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(queue) = queue.upgrade() else { return };
        let now = state(&log);
        let (size, _) = now;
        if size > HUGE {
            queue.between(|writer| report(writer, "TRUNCATE")).await;
        }
        let idle = now == seen && moved != Some(now) && size > 0;
        seen = now;
        if !idle && (size < LARGE || moved == Some(now)) {
            continue;
        }
        let (path, used) = (path.clone(), connection.take());
        let work = tokio::task::spawn_blocking(move || {
            let opened = used.map_or_else(|| connection::open(&path, Role::Checkpoint), Ok);
            opened.inspect(|connection| report(connection, "PASSIVE")).ok()
        });
        connection = work.await.ok().flatten();
        moved = Some(now);
    }
}

/// Size of the log and when it was last written.
fn state(log: &Path) -> (u64, Option<std::time::SystemTime>) {
    fs::metadata(log).map_or((0, None), |data| (data.len(), data.modified().ok()))
}

fn report(connection: &Connection, mode: &str) {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let row = connection.query_row(&sql, [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    match row {
        Ok((busy, pages, moved)) => tracing::debug!(busy, pages, moved, mode, "checkpoint"),
        Err(error) => tracing::warn!(error = %error, mode, "a checkpoint failed"),
    }
}
