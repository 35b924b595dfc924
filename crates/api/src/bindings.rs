//! `/v2.0/ports/<id>/bindings`: where a port is plugged in, or will be.

use http::{Method, Response};
use model::binding;
use model::kind::{Call, Kind};
use wire::draft::{Draft, Verb};
use wire::fault::{self, Result};
use wire::query::{Filter, Query};
use wire::row::Row;
use wire::show::Mask;

use crate::authority::{self, RowTarget};
use crate::body;
use crate::operation::{Asked, find};
use crate::reply::{self, Body};

/// What is asked of the bindings of a port.
enum Act<'a> {
    Create(Draft),
    Update(&'a str, Draft),
    Delete(&'a str),
    Activate(&'a str),
}

/// Answers each verb on the bindings of a port, on one of them, and its activation.
///
/// # Errors
/// 404 for the port or the binding, 403, and the faults of binding.
pub async fn answer(
    asked: &Asked<'_>,
    method: &Method,
    kind: &'static dyn Kind,
    id: &str,
    host: Option<String>,
    activate: bool,
) -> Result<Response<Body>> {
    let act = match (method, host.as_deref(), activate) {
        (&Method::GET, None, false) => return list(asked, kind, id).await,
        (&Method::GET, Some(host), false) => return show(asked, kind, id, host).await,
        (&Method::POST, None, false) => Act::Create(draft(asked, Verb::Create)?),
        (&Method::PUT, Some(host), false) => Act::Update(host, draft(asked, Verb::Update)?),
        (&Method::DELETE, Some(host), false) => Act::Delete(host),
        (&Method::PUT, Some(host), true) => Act::Activate(host),
        _ => return Err(fault::method_not_allowed(method, "bindings")),
    };
    let act = &act;
    let row = asked
        .write(|tx| async move {
            let call = asked.call(&tx);
            let port = find(asked, &call, kind, id).await?;
            authority::require(&asked.server.rules, asked.ctx, rule(act), &RowTarget(&port))?;
            perform(&call, &port, act).await
        })
        .await?;
    Ok(match (row, act) {
        (Some(row), Act::Create(_)) => shown(asked, &row, 201),
        (Some(row), Act::Activate(_)) => activated(&row),
        (Some(row), _) => shown(asked, &row, 200),
        (None, _) => reply::nothing(),
    })
}

fn rule(act: &Act<'_>) -> &'static str {
    match act {
        Act::Create(_) => "create_port_binding",
        Act::Update(..) => "update_port_binding",
        Act::Delete(_) => "delete_port_binding",
        Act::Activate(_) => "activate",
    }
}

async fn perform(call: &Call<'_>, port: &Row, act: &Act<'_>) -> Result<Option<Row>> {
    match act {
        Act::Create(ask) => binding::create(call, port, ask).await.map(Some),
        Act::Update(host, ask) => binding::update(call, port, host, ask).await.map(Some),
        Act::Activate(host) => binding::activate(call, port, host).await.map(Some),
        Act::Delete(host) => binding::delete(call, port, host).await.map(|()| None),
    }
}

fn draft(asked: &Asked<'_>, verb: Verb) -> Result<Draft> {
    let json = body::json(&asked.body)?;
    Draft::parse_one(&binding::TABLE, verb, &json)
}

async fn list(asked: &Asked<'_>, kind: &'static dyn Kind, id: &str) -> Result<Response<Body>> {
    let filters = Query::parse(&binding::TABLE, &asked.pairs, 0)?;
    let db = &asked.server.world.db;
    let mut rows = db
        .read(asked.ctx, |tx| async move {
            let call = asked.call(&tx);
            let port = find(asked, &call, kind, id).await?;
            // PARITY: who may not see bindings sees an empty list of them.
            if !may_read(asked, &port) {
                return Ok(Vec::new());
            }
            binding::list(&call, &port).await
        })
        .await?;
    rows.retain(|row| {
        filters.filters.iter().all(|filter| match filter {
            Filter::In { attr, values } => values.contains(row.value(*attr)),
            _ => true,
        })
    });
    let mask = Mask::of(&binding::TABLE, &filters.fields);
    let mut out = b"{\"bindings\":[".to_vec();
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        wire::show::object(row, &mask, &mut out);
    }
    out.extend_from_slice(b"]}");
    Ok(reply::json(200, out))
}

async fn show(
    asked: &Asked<'_>,
    kind: &'static dyn Kind,
    id: &str,
    host: &str,
) -> Result<Response<Body>> {
    let db = &asked.server.world.db;
    let row = db
        .read(asked.ctx, |tx| async move {
            let call = asked.call(&tx);
            let port = find(asked, &call, kind, id).await?;
            if !may_read(asked, &port) {
                return Err(fault::port_binding_not_found(port.id(), host));
            }
            binding::show(&call, &port, host).await
        })
        .await?;
    Ok(shown(asked, &row, 200))
}

fn may_read(asked: &Asked<'_>, port: &Row) -> bool {
    let rule = "get_port_binding";
    authority::require(&asked.server.rules, asked.ctx, rule, &RowTarget(port)).is_ok()
}

/// PARITY: an action's reply has no key around it.
fn activated(row: &Row) -> Response<Body> {
    let mut out = Vec::new();
    wire::show::object(row, &Mask::of(&binding::TABLE, &[]), &mut out);
    reply::json(200, out)
}

fn shown(asked: &Asked<'_>, row: &Row, status: u16) -> Response<Body> {
    let fields: Vec<String> =
        asked.pairs.iter().filter(|(n, _)| n == "fields").map(|(_, v)| v.clone()).collect();
    let mut out = b"{\"binding\":".to_vec();
    wire::show::object(row, &Mask::of(&binding::TABLE, &fields), &mut out);
    out.push(b'}');
    reply::json(status, out)
}
