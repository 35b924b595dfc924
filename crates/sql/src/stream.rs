//! Long lists, read in one statement and handed out in chunks as the caller takes them.
//! Not here: short ones (`list`).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;
use wire::attr::Resource;
use wire::fault::Result;
use wire::query::Query;
use wire::row::Row;

use crate::db::Db;
use crate::engine::{Flow, Outlet};
use crate::list::listing;
use crate::select::{Scope, Sql};
use crate::stats::count;

/// Chunks that wait for the caller to take them.
const AHEAD: usize = 2;

/// Reads a list in the background: chunks of `chunk` rows, all of one snapshot. An error is the
/// last item. Dropping the receiver ends the reading.
pub fn stream(
    db: &Db,
    table: &'static Resource,
    scope: Scope,
    query: &Query,
    chunk: usize,
) -> mpsc::Receiver<Result<Vec<Row>>> {
    let (outlet, receiver) = mpsc::channel(AHEAD);
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
    receiver
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
    let Sql { text, params } = listing(db.dialect(), &select, table, scope, query, None)?;
    let counters = db.shared_counters();
    let decode = Box::new(move |cells| select.rows(cells, &counters));
    count(&db.counters().statements);
    let stalled = AtomicBool::new(false);
    let flow = Arc::new(Flow { sql: text, params, chunk, decode, outlet, stalled });
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
    let rows = db.snapshot(|tx| async move { tx.list(table, scope, query).await }).await?;
    for rows in rows.chunks(chunk) {
        if outlet.send(Ok(rows.to_vec())).await.is_err() {
            break;
        }
    }
    Ok(())
}
