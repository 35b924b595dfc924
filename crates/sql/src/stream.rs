//! Long lists, read in one statement and handed out in chunks as the caller takes them.
//! Not here: short ones (`list`).

use tokio::sync::mpsc;
use wire::attr::Resource;
use wire::fault::Result;
use wire::query::Query;
use wire::row::Row;

use crate::db::Db;
use crate::engine::Flow;
use crate::list::listing;
use crate::select::Scope;

/// Chunks that wait for the caller to take them.
const AHEAD: usize = 2;

/// Reads a list in the background: chunks of `chunk` rows, all of one snapshot. An error is the last
/// item. Dropping the receiver ends the reading.
pub fn stream(
    db: &Db,
    table: &'static Resource,
    scope: Scope,
    query: &Query,
    chunk: usize,
) -> mpsc::Receiver<Result<Vec<Row>>> {
    let (outlet, receiver) = mpsc::channel(AHEAD);
    let (db, query, chunk) = (db.clone(), query.clone(), chunk.max(1));
    if query.marker.is_some() || query.reverse {
        tokio::spawn(async move {
            let listed = db.snapshot(|tx| {
                let (scope, query) = (scope.clone(), query.clone());
                async move { tx.list(table, &scope, &query).await }
            });
            match listed.await {
                Err(error) => drop(outlet.send(Err(error)).await),
                Ok(rows) => {
                    for rows in rows.chunks(chunk) {
                        if outlet.send(Ok(rows.to_vec())).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        return receiver;
    }
    let select = db.select(table, &query.fields);
    match listing(db.dialect(), &select, table, &scope, &query, None) {
        Err(error) => drop(outlet.try_send(Err(error))),
        Ok(sql) => {
            let counters = db.shared_counters();
            let decode = Box::new(move |cells| select.rows(cells, &counters));
            let flow = Flow { sql: sql.text, params: sql.params, chunk, decode, outlet };
            db.engine().stream(flow);
        }
    }
    receiver
}
