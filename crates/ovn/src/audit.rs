//! Comparing everything, or some units, with what is stored, in bounded pieces. Nothing is changed
//! here: who asks decides what becomes of the differences.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use model::snapshot;
use ovsdb::client::Client;
use sql::dirty::{self, Dirty};
use sql::{Db, Mark};
use wire::ctx::Ctx;
use wire::fault::{self, Error, Result};

use crate::diff::{self, Difference};
use crate::facts::Facts;
use crate::nb::Table;
use crate::owned;
use crate::render;
use crate::want::Wants;

/// Units that are compared at once.
pub const PIECE: usize = 500;

/// A unit that is not as wanted.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The unit.
    pub mark: Mark,
    /// What is different.
    pub difference: Difference,
    /// Its mark, if it has one, so that the difference is known and being worked on.
    pub known: Option<Dirty>,
}

/// Compares what is stored in a database with a Northbound.
#[derive(Clone)]
pub struct Audit {
    /// The database.
    pub db: Db,
    /// Northbound, followed as [`owned::monitored`] and [`owned::indexes`] say.
    pub nb: Client,
    /// What rendering knows.
    pub facts: Arc<Facts>,
}

impl Audit {
    /// All units: those that are stored, and those that rows in Northbound belong to.
    ///
    /// # Errors
    /// Those of the database; `HTTPServiceUnavailable` when Northbound was never read.
    pub async fn units(&self) -> Result<Vec<Mark>> {
        let mut units: BTreeSet<Mark> = BTreeSet::new();
        for table in Table::ALL {
            let replica = self.nb.read().ok_or_else(away)?;
            let unit = |(uuid, row): (uuid::Uuid, &Arc<ovsdb::row::Row>)| {
                owned::unit_of(&replica, table, uuid, row)
            };
            units.extend(replica.rows(table.name()).filter_map(unit));
        }
        let ctx = Ctx::system(Timestamp::now());
        let stored = self.db.read(&ctx, |tx| async move { snapshot::every(&tx).await }).await?;
        units.extend(stored);
        Ok(units.into_iter().collect())
    }

    /// Those of these units that are not as wanted.
    ///
    /// # Errors
    /// As [`Audit::units`].
    pub async fn compare(&self, units: &[Mark]) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for piece in units.chunks(PIECE) {
            findings.extend(self.compare_piece(piece).await?);
        }
        Ok(findings)
    }

    /// [`Audit::compare`], twice: what changes in just this moment is no difference.
    ///
    /// # Errors
    /// As [`Audit::units`].
    pub async fn compare_twice(&self, units: &[Mark]) -> Result<Vec<Finding>> {
        let first = self.compare(units).await?;
        let suspects: Vec<Mark> = first.iter().map(|finding| finding.mark).collect();
        self.compare(&suspects).await
    }

    async fn compare_piece(&self, units: &[Mark]) -> Result<Vec<Finding>> {
        let ctx = Ctx::system(Timestamp::now());
        let load = |tx: sql::Tx| async move {
            Ok((dirty::of(&tx, units).await?, snapshot::load(&tx, units).await?))
        };
        let (dirty, snapshots) = self.db.read(&ctx, load).await?;
        let mut known: BTreeMap<Mark, Dirty> = dirty
            .into_iter()
            .filter(|dirty| dirty.why.as_deref() != Some(dirty::LOOK_AGAIN))
            .map(|dirty| (dirty.mark, dirty))
            .collect();
        let wants: Vec<Wants> =
            units.iter().map(|mark| render::unit(*mark, &snapshots, &self.facts)).collect();
        let replica = self.nb.read().ok_or_else(away)?;
        let together: Vec<(Mark, &Wants)> = units.iter().copied().zip(&wants).collect();
        let differences = together.iter().zip(diff::diff(&together, &replica));
        let finding = |((mark, _), difference): (&(Mark, &Wants), Difference)| Finding {
            mark: *mark,
            difference,
            known: known.remove(mark),
        };
        Ok(differences.filter(|(_, difference)| !difference.is_none()).map(finding).collect())
    }
}

fn away() -> Error {
    fault::unavailable("OVN's Northbound database is not connected.")
}
