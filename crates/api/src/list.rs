//! GET of a collection: one page with links to its neighbours, or all rows, shown as they are read.
//! Not here: what the parameters mean (`wire::query`), the SQL (`sql`).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use model::kind::Kind;
use sql::{Scope, Stream};
use wire::ctx::Ctx;
use wire::fault::Result;
use wire::query::Query;
use wire::row::Row;

use crate::authority::View;
use crate::operation::{Asked, id_of, open};
use crate::query;
use crate::reply::{self, Body};
use crate::server::Server;

/// Rows that are shown in one piece of a streamed reply.
const CHUNK: usize = 256;

/// A list on its way out.
struct Listed {
    server: Arc<Server>,
    ctx: Ctx,
    kind: &'static dyn Kind,
    fields: Vec<String>,
    /// What is written and has not left.
    out: Vec<u8>,
    is_empty: bool,
}

impl Listed {
    fn begin(asked: &Asked<'_>, kind: &'static dyn Kind, query: &Query) -> Self {
        let mut out = Vec::with_capacity(64 * 1024);
        open(&mut out, kind.table().many);
        out.push(b'[');
        Self {
            server: Arc::clone(asked.server),
            ctx: asked.ctx.clone(),
            kind,
            fields: query.fields.clone(),
            out,
            is_empty: true,
        }
    }

    /// Appends those of the rows that the caller may see, as he may see them.
    fn add(&mut self, mut rows: Vec<Row>) {
        let world = &self.server.world;
        self.kind.fill(&world.settings, &*world.backend, &mut rows);
        let view = View::new(&self.server.rules, &self.ctx, self.kind.table(), &self.fields);
        self.out.reserve(rows.len() * 1024);
        for row in rows.iter().filter(|row| view.sees(row)) {
            if !self.is_empty {
                self.out.push(b',');
            }
            self.is_empty = false;
            view.show(row, &mut self.out);
        }
    }

    /// What is written and has not left, which leaves now.
    fn frame(&mut self) -> Frame<Bytes> {
        Frame::data(Bytes::from(std::mem::take(&mut self.out)))
    }
}

/// GET /v2.0/<many>.
///
/// # Errors
/// Faults of the query.
pub async fn list(asked: &Asked<'_>, kind: &'static dyn Kind) -> Result<Response<Body>> {
    let (table, world) = (kind.table(), &asked.server.world);
    let query = Query::parse(table, &asked.pairs, world.settings.page_limit)?;
    if let Some(prepared) = kind.prepare(world, asked.ctx, &query) {
        prepared.await?;
    }
    if query.limit.is_some() || !kind.is_stored() {
        return page(asked, kind, &query).await;
    }
    let scope = Scope { project_id: asked.ctx.project_id.clone(), all: asked.ctx.sees_all() };
    let chunks = sql::stream(&world.db, table, scope, &readable(kind, &query), CHUNK);
    streamed(Listed::begin(asked, kind, &query), chunks).await
}

/// What has to be read for a query: where a computed attribute is asked for, everything.
fn readable(kind: &dyn Kind, query: &Query) -> Query {
    let computed = query.fields.iter().any(|field| {
        kind.table()
            .attr(field)
            .is_some_and(|attr| matches!(attr.verbs.source, wire::attr::Source::Computed))
    });
    let fields = if computed { Vec::new() } else { query.fields.clone() };
    Query { fields, ..query.clone() }
}

/// One page, with links to its neighbours.
async fn page(asked: &Asked<'_>, kind: &'static dyn Kind, query: &Query) -> Result<Response<Body>> {
    let world = &asked.server.world;
    let wanted = &readable(kind, query);
    let rows = world
        .db
        .read(asked.ctx, |tx| async move {
            let call = asked.call(&tx);
            if let Some(rows) = kind.computed(&call, wanted) {
                return rows.await;
            }
            if let Some(marker) = &wanted.marker
                && call.find(kind.table(), id_of(kind, marker)?).await?.is_none()
            {
                return Err(kind.not_found(marker));
            }
            tx.list(kind.table(), &call.scope(), wanted).await
        })
        .await?;
    let id = |row: Option<&Row>| row.map_or_else(String::new, |row| row.id().to_string());
    let (first, last) = (id(rows.first()), id(rows.last()));
    let links = query::links(&asked.url, &asked.pairs, query, (&first, &last), rows.len() as u64);
    let mut listed = Listed::begin(asked, kind, query);
    listed.add(rows);
    let mut out = listed.out;
    out.push(b']');
    if !links.is_empty() {
        out.extend_from_slice(format!(",\"{}_links\":", kind.table().many).as_bytes());
        out.extend_from_slice(serde_json::Value::from(links).to_string().as_bytes());
    }
    out.push(b'}');
    Ok(reply::json(200, out))
}

/// All rows, shown as they are read. A short list leaves in one piece, with its length.
async fn streamed(mut listed: Listed, mut chunks: Stream) -> Result<Response<Body>> {
    let first = chunks.recv().await.transpose()?.unwrap_or_default();
    let is_whole = first.len() < CHUNK;
    listed.add(first);
    if is_whole {
        listed.out.extend_from_slice(b"]}");
        return Ok(reply::json(200, listed.out));
    }
    let rest = stream::unfold(Some((listed, chunks)), |left| async {
        let (mut listed, mut chunks) = left?;
        match chunks.recv().await {
            Some(Ok(rows)) => {
                listed.add(rows);
                Some((Ok(listed.frame()), Some((listed, chunks))))
            }
            Some(Err(error)) => {
                // The status is out already: breaking off is what tells the client.
                let request_id = &listed.ctx.request_id;
                tracing::error!(request_id, "a list broke off: {error}");
                let broken = std::io::Error::other("the list could not be read to its end");
                Some((Err(broken), None))
            }
            None => {
                listed.out.extend_from_slice(b"]}");
                Some((Ok(listed.frame()), None))
            }
        }
    });
    Ok(reply::with_body(200, StreamBody::new(rest).boxed_unsync()))
}
