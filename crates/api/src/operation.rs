//! The operations on single things and the actions, each on one page and for every kind. Order is
//! the contract: shape, permission, meaning, storage; permission is decided inside the transaction
//! that acts. Not here: lists (`list`).

use std::sync::Arc;

use http::{HeaderMap, Response};
use model::kind::{Call, Kind};
use sql::Tx;
use wire::ctx::Ctx;
use wire::draft::{Draft, Verb};
use wire::fault::{self, Error, Result};
use wire::query::{Filter, Query};
use wire::row::Row;
use wire::types::Id;
use wire::value::Value;

use crate::authority::{self, RowTarget, View};
use crate::body;
use crate::reply::{self, Body};
use crate::server::Server;

/// Who asks what: everything an operation needs beside the kind.
pub struct Asked<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// The caller.
    pub ctx: &'a Ctx,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Its decoded query.
    pub pairs: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// The URL of the collection, for links.
    pub url: String,
}

impl<'a> Asked<'a> {
    /// A call inside a transaction.
    pub fn call<'t>(&'t self, tx: &'t Tx) -> Call<'t> {
        self.server.world.call(tx, self.ctx)
    }

    /// Acts in a transaction, then waits for a moment until the data plane shows what was changed.
    ///
    /// # Errors
    /// As [`sql::Db::write`]; never because of the data plane.
    pub async fn write<T, F, Fut>(&self, act: F) -> Result<T>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        let world = &self.server.world;
        let (value, committed) = world.db.write_marked(self.ctx, act).await?;
        world.backend.settled(&committed).await;
        Ok(value)
    }

    /// As [`Asked::write`], on things of this kind. What is stored elsewhere must not make the
    /// database's writers wait, so it is changed while the database is only read.
    ///
    /// # Errors
    /// As [`Asked::write`].
    async fn change<T, F, Fut>(&self, kind: &dyn Kind, act: F) -> Result<T>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        if kind.is_stored() {
            return self.write(act).await;
        }
        self.server.world.db.read(self.ctx, act).await
    }

    fn fields(&self) -> Vec<String> {
        self.pairs
            .iter()
            .filter(|(name, value)| name == "fields" && !value.is_empty())
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// The view of the caller on a kind, with these fields.
    pub fn view(&'a self, kind: &dyn Kind, fields: &[String]) -> View<'a> {
        View::new(&self.server.rules, self.ctx, kind.table(), fields)
    }
}

/// The id in a path; what is no UUID names nothing.
pub fn id_of(kind: &dyn Kind, text: &str) -> Result<Id> {
    Id::read(text).ok_or_else(|| kind.not_found(text))
}

/// POST /v2.0/<many>, of one or of a list.
///
/// # Errors
/// Faults of the body, the policy, the quota and the kind.
pub async fn create(asked: &Asked<'_>, kind: &'static dyn Kind) -> Result<Response<Body>> {
    let (table, ctx) = (kind.table(), asked.ctx);
    let json = body::json(&asked.body)?;
    let limit = asked.server.world.settings.bulk_limit;
    let (mut drafts, bulk) = Draft::parse_many(table, &json, limit)?;
    if bulk && !kind.verbs().bulk {
        return Err(fault::bad_request(format!(
            "'{}' can be created only one by one.",
            table.many
        )));
    }
    for draft in &mut drafts {
        own(asked, draft)?;
    }
    let drafts = &drafts;
    let rows = asked
        .write(|tx| async move {
            let call = asked.call(&tx);
            let mut parents = Parents::default();
            for draft in drafts {
                let target = parents.complete(&call, kind, draft.complete()).await?;
                authority::require_all(&asked.server.rules, ctx, "create", draft, &target)?;
            }
            let made: Vec<Id> = kind.create_all(&call, drafts).await?.iter().map(Row::id).collect();
            read_back(&call, kind, &made).await
        })
        .await?;
    shown(asked, kind, rows, bulk, 201)
}

/// PARITY: naming another project than the token's is for callers whom `context_can_set_project_id`
/// permits it.
fn own(asked: &Asked<'_>, draft: &mut Draft) -> Result<()> {
    let ctx = asked.ctx;
    if let Some(index) = draft.table.position("project_id")
        && let Some(named) = draft.value(index).and_then(Value::as_text)
        && named != ctx.project_id
        && !ctx.is_admin
        && !asked.server.rules.check(
            "context_can_set_project_id",
            &authority::credentials(ctx),
            &(),
        )
    {
        return Err(fault::bad_request(
            "'project_id' must be the project of the token; only an administrator can name another.",
        ));
    }
    draft.own(ctx)
}

/// The parents that the rules of one request ask about, each read once.
#[derive(Default)]
struct Parents {
    read: Vec<(Id, Row)>,
}

impl Parents {
    /// The target of the rules of a create, with what they may ask about its parent.
    async fn complete(&mut self, call: &Call<'_>, kind: &dyn Kind, mut target: Row) -> Result<Row> {
        let Some((name, reference)) = kind.parent() else {
            return Ok(target);
        };
        let Some(parent) = model::KINDS.iter().find(|kind| kind.table().one == name) else {
            return Ok(target);
        };
        let Some(asked) = target.named(reference).and_then(Value::as_text) else {
            return Ok(target);
        };
        let id = Id::read(asked).ok_or_else(|| parent.not_found(asked))?;
        if !self.read.iter().any(|(known, _)| *known == id) {
            self.read.push((id, read_parent(call, *parent, id).await?));
        }
        let Some((_, row)) = self.read.iter().find(|(known, _)| *known == id) else {
            return Ok(target);
        };
        for attribute in ["project_id", "shared"] {
            if let Some(index) = target.table.position(&format!("{name}:{attribute}"))
                && let Some(value) = row.named(attribute)
            {
                target.put(index, value.clone());
            }
        }
        Ok(target)
    }
}

/// What rules ask about a parent, which the caller must be able to refer to.
async fn read_parent(call: &Call<'_>, kind: &dyn Kind, id: Id) -> Result<Row> {
    let table = kind.table();
    let attr = table.position("id").unwrap_or(0);
    let query = Query {
        filters: vec![Filter::In { attr, values: vec![Value::text(id.to_string())] }],
        fields: vec!["project_id".into(), "shared".into()],
        ..Query::default()
    };
    let found = call.tx.list(table, &call.scope(), &query).await?;
    found.into_iter().next().ok_or_else(|| kind.not_found(&id.to_string()))
}

async fn read_back(call: &Call<'_>, kind: &dyn Kind, ids: &[Id]) -> Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        rows.extend(call.tx.find(kind.table(), &call.everything(), *id).await?);
    }
    Ok(rows)
}

/// `{"port": {…}}` or `{"ports": [{…}]}`.
fn shown(
    asked: &Asked<'_>,
    kind: &'static dyn Kind,
    mut rows: Vec<Row>,
    list: bool,
    status: u16,
) -> Result<Response<Body>> {
    let world = &asked.server.world;
    kind.fill(&world.settings, &*world.backend, &mut rows);
    let view = asked.view(kind, &asked.fields());
    let mut out = Vec::with_capacity(1024 * rows.len());
    open(&mut out, if list { kind.table().many } else { kind.table().one });
    if list {
        out.push(b'[');
    }
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        view.show(row, &mut out);
    }
    out.extend_from_slice(if list { b"]}" } else { b"}" });
    Ok(reply::json(status, out))
}

/// Begins a reply with the name of what is in it.
pub fn open(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(name.replace('-', "_").as_bytes());
    out.extend_from_slice(b"\":");
}

/// GET /v2.0/<many>/<id>.
///
/// # Errors
/// 404 for what is not there and for what the caller may not see, without a difference.
pub async fn show(asked: &Asked<'_>, kind: &'static dyn Kind, id: &str) -> Result<Response<Body>> {
    let world = &asked.server.world;
    let row = world
        .db
        .read(asked.ctx, |tx| async move {
            let call = asked.call(&tx);
            find(asked, &call, kind, id).await
        })
        .await?;
    shown(asked, kind, vec![row], false, 200)
}

/// The row with this id, if the caller may see it.
///
/// # Errors
/// The kind's 404.
pub async fn find(asked: &Asked<'_>, call: &Call<'_>, kind: &dyn Kind, id: &str) -> Result<Row> {
    let key = Query { marker: None, ..Query::default() };
    let row = if let Some(rows) = kind.computed(call, &key) {
        let text = Value::text(id);
        rows.await?.into_iter().find(|row| row.values.first() == Some(&text))
    } else {
        call.find(kind.table(), id_of(kind, id)?).await?
    };
    row.filter(|row| authority::may_see(&asked.server.rules, asked.ctx, kind.table(), row))
        .ok_or_else(|| kind.not_found(id))
}

/// PUT /v2.0/<many>/<id>.
///
/// # Errors
/// 404, 412 for another revision than `If-Match` names, 403, and the kind's faults.
pub async fn update(
    asked: &Asked<'_>,
    kind: &'static dyn Kind,
    id: &str,
) -> Result<Response<Body>> {
    let json = body::json(&asked.body)?;
    let draft = &Draft::parse_one(kind.table(), Verb::Update, &json)?;
    let expected = expected_revision(asked.headers)?;
    let rows = asked
        .change(kind, |tx| async move {
            let call = asked.call(&tx);
            let old = find(asked, &call, kind, id).await?;
            let target = draft.applied(&old);
            authority::require_all(&asked.server.rules, asked.ctx, "update", draft, &target)?;
            check_revision(&old, expected)?;
            let new = kind.update(&call, &old, draft).await?;
            if !kind.is_stored() {
                return Ok(vec![new]);
            }
            read_back(&call, kind, &[new.id()]).await
        })
        .await?;
    shown(asked, kind, rows, false, 200)
}

/// DELETE /v2.0/<many>/<id>.
///
/// # Errors
/// 404, 412, 403, and the kind's faults.
pub async fn delete(
    asked: &Asked<'_>,
    kind: &'static dyn Kind,
    id: &str,
) -> Result<Response<Body>> {
    if !asked.body.is_empty() {
        return Err(fault::bad_request("A DELETE has no body."));
    }
    let expected = expected_revision(asked.headers)?;
    asked
        .change(kind, |tx| async move {
            let call = asked.call(&tx);
            let old = find(asked, &call, kind, id).await?;
            let rule = format!("delete_{}", kind.table().one);
            authority::require(&asked.server.rules, asked.ctx, &rule, &RowTarget(&old))?;
            check_revision(&old, expected)?;
            kind.delete(&call, &old).await
        })
        .await?;
    Ok(reply::nothing())
}

/// PUT /v2.0/<many>/<id>/<action>.
///
/// # Errors
/// 404, 403, and the kind's faults.
pub async fn act(
    asked: &Asked<'_>,
    kind: &'static dyn Kind,
    id: &str,
    action: &str,
) -> Result<Response<Body>> {
    let json = &body::json(&asked.body)?;
    let answer = asked
        .write(|tx| async move {
            let call = asked.call(&tx);
            let row = find(asked, &call, kind, id).await?;
            authority::require(&asked.server.rules, asked.ctx, action, &RowTarget(&row))?;
            kind.act(&call, &row, action, json).await
        })
        .await?;
    Ok(reply::value(200, &answer))
}

/// The revision in `If-Match: revision_number=N`.
fn expected_revision(headers: &HeaderMap) -> Result<Option<i64>> {
    let Some(given) = headers.get(http::header::IF_MATCH).filter(|given| *given != "*") else {
        return Ok(None);
    };
    given
        .to_str()
        .ok()
        .and_then(|text| text.trim().strip_prefix("revision_number="))
        .and_then(|number| number.trim().parse().ok())
        .map(Some)
        .ok_or_else(|| {
            fault::bad_limit("'If-Match' must be revision_number=N with a whole number.")
        })
}

fn check_revision(row: &Row, expected: Option<i64>) -> Result<()> {
    let Some(expected) = expected else {
        return Ok(());
    };
    match row.named("revision_number").and_then(Value::as_int) {
        Some(revision) if revision == expected => Ok(()),
        revision => Err(stale(row, revision.unwrap_or(0))),
    }
}

fn stale(row: &Row, revision: i64) -> Error {
    fault::revision_mismatch(row.table.one, row.id(), revision)
}
