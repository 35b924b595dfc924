//! Long lists, read in one statement and handed out in chunks as the caller takes them. The cells
//! become rows on the caller's side, while the next ones are read.
//! Not here: short ones (`list`).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;
use wire::attr::Resource;
use wire::fault::Result;
use wire::query::Query;
use wire::row::Row;

use crate::db::Db;
use crate::engine::{Cells, Flow, Outlet};
use crate::list::{Begin, listing};
use crate::select::{Scope, Select, Sql};
use crate::stats::{Counters, count};
use crate::tx::Tx;

/// Chunks that wait for the caller to take them.
const AHEAD: usize = 2;

/// A long list on its way. Dropping it ends the reading.
pub struct Stream {
    cells: mpsc::Receiver<Result<Cells>>,
    select: Arc<Select>,
    counters: Arc<Counters>,
}

impl Stream {
    /// The next rows; `None` behind the last ones.
    ///
    /// # Errors
    /// Faults of the query, those of the database; nothing comes behind one.
    pub async fn recv(&mut self) -> Option<Result<Vec<Row>>> {
        let cells = self.cells.recv().await?;
        Some(cells.map(|cells| self.select.rows(cells, &self.counters)))
    }
}

/// Reads a list in the background: chunks of `chunk` rows, all of one snapshot.
pub fn stream(
    db: &Db,
    table: &'static Resource,
    scope: Scope,
    query: &Query,
    chunk: usize,
) -> Stream {
    let (outlet, cells) = mpsc::channel(AHEAD);
    let stream =
        Stream { cells, select: db.select(table, &query.fields), counters: db.shared_counters() };
    let (db, query, chunk) = (db.clone(), query.clone(), chunk.max(1));
    tokio::spawn(async move {
        let refused = outlet.clone();
        let streamed = async {
            let permit = db.streams().acquire().await;
            let flowed = flow(&db, table, &scope, &query, chunk, outlet).await;
            drop(permit);
            flowed
        };
        let ended = tokio::select! {
            ended = streamed => ended,
            () = refused.closed() => return,
        };
        if let Err(error) = ended {
            // However long it takes: a list that is cut off must not look like a whole one.
            let _ = refused.send(Err(error)).await;
        }
    });
    stream
}

async fn flow(
    db: &Db,
    table: &'static Resource,
    scope: &Scope,
    query: &Query,
    chunk: usize,
    outlet: Outlet,
) -> Result<()> {
    if query.marker.is_some() || query.reverse {
        return pieces(db, table, scope, query, chunk, outlet).await;
    }
    let select = db.select(table, &query.fields);
    let Sql { text, params } = listing(db.dialect(), &select, table, scope, query, Begin::AsRead)?;
    count(&db.counters().statements);
    let stalled = AtomicBool::new(false);
    let flow = Arc::new(Flow { sql: text, params, chunk, outlet, stalled });
    db.engine().stream(Arc::clone(&flow)).await?;
    flow.whole()
}

/// A page behind a marker takes two statements: it is read whole, of one snapshot.
async fn pieces(
    db: &Db,
    table: &'static Resource,
    scope: &Scope,
    query: &Query,
    chunk: usize,
    outlet: Outlet,
) -> Result<()> {
    let select = &db.select(table, &query.fields);
    let read = |tx: Tx| async move { tx.cells(table, select, scope, query).await };
    let mut cells = db.snapshot(read).await?.into_iter();
    while cells.len() > 0 {
        if outlet.send(Ok(cells.by_ref().take(chunk).collect())).await.is_err() {
            break;
        }
    }
    Ok(())
}
