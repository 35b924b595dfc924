//! `Kind`: what can be done with one kind of thing. A plain kind has a table and takes all
//! defaults. Not here: permission and HTTP (`api`), the SQL of one row (`sql`).

use std::future::Future;
use std::pin::Pin;

use serde_json::Value as Json;
use sql::{Db, Scope, Tx};
use wire::attr::Resource;
use wire::ctx::Ctx;
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::query::Query;
use wire::row::Row;
use wire::types::Id;

use crate::backend::Backend;
use crate::settings::Settings;
use crate::standard;
use crate::unit::Unit;

/// A future in a box: one allocation per call, and the pipeline is compiled once for all kinds.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What everything in the model works with during one transaction.
pub struct Call<'a> {
    /// The transaction.
    pub tx: &'a Tx,
    /// The caller.
    pub ctx: &'a Ctx,
    /// The operator's choices.
    pub settings: &'a Settings,
    /// The data plane, asked but never changed from here.
    pub backend: &'a dyn Backend,
    /// The quota against which all that this request makes is counted already.
    pub counted: Option<&'static str>,
}

impl Call<'_> {
    /// What the caller may see and refer to: everything, or his project's and what is shared with
    /// it.
    pub fn scope(&self) -> Scope {
        Scope { project_id: self.ctx.project_id.clone(), all: self.ctx.sees_all() }
    }

    /// Everything, for the server's own checks; `:project` still is the caller's.
    pub fn everything(&self) -> Scope {
        Scope { project_id: self.ctx.project_id.clone(), all: true }
    }

    /// The row with this id, if the caller may refer to it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn find(&self, table: &'static Resource, id: Id) -> Result<Option<Row>> {
        self.tx.find(table, &self.scope(), id).await
    }

    /// The rows that a query names, whoever owns them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn all(&self, table: &'static Resource, query: &Query) -> Result<Vec<Row>> {
        self.tx.list(table, &self.everything(), query).await
    }
}

/// Which verbs a collection answers. The others do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbs {
    /// POST.
    pub create: bool,
    /// PUT.
    pub update: bool,
    /// DELETE.
    pub delete: bool,
    /// POST of a list.
    pub bulk: bool,
}

impl Verbs {
    /// All of them.
    pub const ALL: Self = Self { create: true, update: true, delete: true, bulk: true };
    /// Only GET.
    pub const READ: Self = Self { create: false, update: false, delete: false, bulk: false };
}

/// One kind of thing.
pub trait Kind: Send + Sync {
    /// Its wire contract.
    fn table(&self) -> &'static Resource;

    /// Its name in the path; the collection's with hyphens where Neutron has them.
    fn path(&self) -> &'static str {
        self.table().many
    }

    /// What can be done with it.
    fn verbs(&self) -> Verbs {
        Verbs::ALL
    }

    /// The name of its quota, if it counts.
    fn quota(&self) -> Option<&'static str> {
        None
    }

    /// What OVN has to be brought in line with when one changes.
    fn unit(&self) -> Option<Unit> {
        None
    }

    /// The parent that policy rules may ask about, as `(name in rules, attribute that refers to
    /// it)`: `("network", "network_id")` for `tenant_id:%(network:tenant_id)s`.
    fn parent(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// There is none with this id that the caller may see.
    fn not_found(&self, id: &str) -> Error {
        fault::not_found(format!(
            "There is no {} {id} that this project can see.",
            self.table().one.replace('_', " ")
        ))
    }

    /// Before a collection is read: rows that come into being by being asked for (the default
    /// security group of a project).
    fn prepare<'a>(
        &'a self,
        _world: &'a World,
        _ctx: &'a Ctx,
        _query: &'a Query,
    ) -> Option<Pending<'a, ()>> {
        None
    }

    /// Makes one. What it returns need not be complete: the reply is read back.
    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.complete();
            standard::born(call, &mut row);
            standard::insert(call, self.as_dyn(), &row).await?;
            Ok(row)
        })
    }

    /// Makes all that one request asks for. Kinds that can do so with fewer statements than one by
    /// one, or for which the objects of one request must fit each other, have their own.
    fn create_all<'a>(&'a self, call: &'a Call<'a>, asks: &'a [Draft]) -> Pending<'a, Vec<Row>> {
        Box::pin(async move {
            let call = &standard::counted(call, self.as_dyn(), asks).await?;
            let mut rows = Vec::with_capacity(asks.len());
            for ask in asks {
                rows.push(self.create(call, ask).await?);
            }
            Ok(rows)
        })
    }

    /// Changes one.
    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.applied(old);
            standard::changed(call, &mut row);
            standard::update(call, self.as_dyn(), old, &row)?;
            Ok(row)
        })
    }

    /// Removes one.
    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move { standard::remove(call, self.as_dyn(), old).await })
    }

    /// Fills the computed attributes of rows that are about to be shown, from what was read.
    fn fill(&self, _settings: &Settings, _backend: &dyn Backend, _rows: &mut [Row]) {}

    /// The names of its actions: `PUT /v2.0/<many>/<id>/<action>`; each is also the policy rule's
    /// name.
    fn actions(&self) -> &'static [&'static str] {
        &[]
    }

    /// Does an action; the answer is the reply's whole body.
    fn act<'a>(
        &'a self,
        _call: &'a Call<'a>,
        _row: &'a Row,
        action: &'a str,
        _body: &'a Json,
    ) -> Pending<'a, Json> {
        Box::pin(async move { Err(fault::not_found(format!("There is no action {action}."))) })
    }

    /// True for kinds with a table in the database.
    fn is_stored(&self) -> bool {
        true
    }

    /// The rows of a kind that is not stored, filtered by the query.
    fn computed<'a>(
        &'a self,
        _call: &'a Call<'a>,
        _query: &'a Query,
    ) -> Option<Pending<'a, Vec<Row>>> {
        None
    }

    /// This kind as a trait object; each kind says `self`.
    fn as_dyn(&self) -> &dyn Kind;
}

/// The database and what the model needs beside it; everything a transaction starts from.
pub struct World {
    /// The database.
    pub db: Db,
    /// The operator's choices.
    pub settings: Settings,
    /// The data plane.
    pub backend: Box<dyn Backend>,
}

impl World {
    /// A call inside a transaction.
    pub fn call<'a>(&'a self, tx: &'a Tx, ctx: &'a Ctx) -> Call<'a> {
        Call { tx, ctx, settings: &self.settings, backend: &*self.backend, counted: None }
    }
}
