//! Who says at the end whether all is well: compares what is stored with the rows there are, all of
//! it and by itself, however the reconcilers came to them.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use model::snapshot;
use model::unit::Unit;
use ovn::diff::diff;
use ovn::facts::Facts;
use ovn::nb::Table;
use ovn::{owned, render};
use ovsdb::client::{Client, Options};
use ovsdb::remote::Remote;
use ovsdb::replica::Replica;
use ovsdb::server::Server;
use ovsdb::transaction::Transaction;
use sql::{Db, Mark, dirty};
use wire::ctx::Ctx;

use crate::meddler::NORTHBOUND;

/// A patient client with short pauses.
pub fn client(server: &Server) -> Client {
    let mut options = Options::new(Remote::parse_list(server.remote()).unwrap(), NORTHBOUND);
    options.tables = owned::monitored();
    options.indexes = owned::indexes();
    options.backoff = (Duration::from_millis(1), Duration::from_millis(4));
    options.timeout = Duration::from_millis(500);
    options.probe = Duration::ZERO;
    Client::start(options)
}

/// Says whether all is well.
pub struct Oracle {
    client: Client,
}

impl Oracle {
    /// Follows this server.
    pub fn new(server: &Server) -> Self {
        Self { client: client(server) }
    }

    /// The first thing that is not as it should be; `None`: all is well.
    pub async fn difference(&self, db: &Db) -> Option<String> {
        let mut nothing = Transaction::new();
        nothing.comment("in step?");
        if let Err(error) = self.client.transact(&nothing).await {
            return Some(format!("the oracle is not connected: {error}"));
        }
        if let Some(left) = marks_left(db).await {
            return Some(left);
        }
        let ctx = Ctx::system(Timestamp::now());
        let loaded = db.read(&ctx, async |tx| {
            let mut marks: BTreeSet<Mark> = snapshot::every(&tx).await?.into_iter().collect();
            marks.extend(self.client.read().iter().flat_map(|replica| present(replica)));
            let marks: Vec<Mark> = marks.into_iter().collect();
            let snapshots = snapshot::load(&tx, &marks).await?;
            Ok((marks, snapshots))
        });
        let (marks, snapshots) = loaded.await.unwrap();
        let facts = Facts::default();
        let wants: Vec<_> =
            marks.iter().map(|mark| (*mark, render::unit(*mark, &snapshots, &facts))).collect();
        let units: Vec<_> = wants.iter().map(|(mark, wants)| (*mark, wants)).collect();
        let replica = self.client.read()?;
        let differences = diff(&units, &replica);
        let different =
            units.iter().zip(&differences).find(|(_, difference)| !difference.is_none());
        different.map(|((mark, _), difference)| {
            format!("{:?} {} differs: {difference:?}", Unit::of(mark.kind), mark.id)
        })
    }
}

/// The units that have rows.
fn present(replica: &Replica) -> BTreeSet<Mark> {
    let rows = Table::ALL
        .iter()
        .flat_map(|table| replica.rows(table.name()).map(|(uuid, row)| (*table, uuid, row)));
    rows.filter_map(|(table, uuid, row)| owned::unit_of(replica, table, uuid, row)).collect()
}

async fn marks_left(db: &Db) -> Option<String> {
    let ctx = Ctx::system(Timestamp::now());
    let left = db.read(&ctx, async |tx| dirty::due(&tx, i64::MAX, 5).await).await.unwrap();
    (!left.is_empty()).then(|| format!("marks are left: {left:?}"))
}
