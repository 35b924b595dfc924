//! The second opinion: an empty Northbound, brought in line from nothing, must come out as the one
//! that has lived through everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ovn::diff::SYNC;
use ovn::nb::Table;
use ovsdb::server::{Columns, Server};
use ovsdb::value::{Atom, Datum};
use sql::Db;
use uuid::Uuid;

use crate::meddler::{self, NORTHBOUND};
use crate::oracle::Oracle;
use crate::worker::{Time, Worker};

/// The first row that is not as it would be; `None`: all are.
pub async fn difference(db: &Db, lived: &Server, time: &Arc<Time>) -> Option<String> {
    let fresh = meddler::northbound();
    let worker = Worker::start(db, &fresh, time);
    let oracle = Oracle::new(&fresh);
    let began = Instant::now();
    while let Some(difference) = oracle.difference(db).await {
        if began.elapsed() > Duration::from_secs(10) {
            return Some(format!("an empty Northbound is not brought in line: {difference}"));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        time.pass(Duration::from_secs(4));
    }
    worker.kill();
    Table::ALL.iter().find_map(|table| {
        let name = table.name();
        let difference = compare(&lived.rows(NORTHBOUND, name), &fresh.rows(NORTHBOUND, name))?;
        Some(format!("{name} is not as it would be from nothing: {difference}"))
    })
}

fn compare(lived: &BTreeMap<Uuid, Columns>, fresh: &BTreeMap<Uuid, Columns>) -> Option<String> {
    let extra = lived
        .iter()
        .find(|(uuid, columns)| !fresh.contains_key(uuid) && !meddler::is_foreign(columns));
    if let Some((uuid, columns)) = extra {
        return Some(format!("{uuid} is too many: {columns:?}"));
    }
    fresh.iter().find_map(|(uuid, columns)| {
        let Some(have) = lived.get(uuid) else { return Some(format!("{uuid} is missing")) };
        let (column, should) = columns.iter().find(|(name, should)| !same(&have[*name], should))?;
        Some(format!("{uuid} {column} is {:?} and should be {should:?}", have[column]))
    })
}

/// Of a map others may have keys, and the token is another one each time.
fn same(have: &Datum, should: &Datum) -> bool {
    let (Datum::Map(have), Datum::Map(should)) = (have, should) else { return have == should };
    should.iter().all(|(key, value)| *key == Atom::from(SYNC) || have.get(key) == Some(value))
}
