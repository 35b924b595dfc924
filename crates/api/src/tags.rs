//! `/v2.0/<many>/<id>/tags`: the tags of a resource of any taggable kind.

use http::{Method, Response};
use model::kind::Kind;
use model::tag;
use serde_json::{Value as Json, json};
use wire::fault::{self, Result};
use wire::row::Row;

use crate::authority::{self, RowTarget};
use crate::body;
use crate::operation::{Asked, find};
use crate::reply::{self, Body};

/// Answers each verb on the tags, or on one of them.
///
/// # Errors
/// 404 for the resource or the tag, 403, 400.
pub async fn answer(
    asked: &Asked<'_>,
    method: &Method,
    kind: &'static dyn Kind,
    id: &str,
    tag: Option<String>,
) -> Result<Response<Body>> {
    match (method, tag) {
        (&Method::GET, None) => {
            let tags = tag::of(&read(asked, kind, id).await?);
            Ok(reply::value(200, &json!({ "tags": tags })))
        }
        (&Method::GET, Some(tag)) => {
            if tag::of(&read(asked, kind, id).await?).contains(&tag) {
                Ok(reply::nothing())
            } else {
                Err(fault::tag_not_found(tag))
            }
        }
        (&Method::POST | &Method::PUT, None) => {
            let tags = &tags_of(asked)?;
            let act = if method == Method::POST { "create" } else { "update" };
            change(asked, kind, id, act, |call, row| match act {
                "create" => tag::add(call, row, tags),
                _ => tag::replace(call, row, tags),
            })
            .await?;
            // PARITY: what was sent comes back, not what the tags are then.
            Ok(reply::value(200, &json!({ "tags": tags })))
        }
        (&Method::PUT, Some(one)) => {
            let one = [tag::parse_one(&Json::from(one))?];
            change(asked, kind, id, "update", |call, row| tag::add(call, row, &one)).await?;
            Ok(reply::value(201, &Json::Null))
        }
        (&Method::DELETE, None) => {
            change(asked, kind, id, "delete", |call, row| tag::replace(call, row, &[])).await?;
            Ok(reply::nothing())
        }
        (&Method::DELETE, Some(one)) => {
            change(asked, kind, id, "delete", |call, row| tag::remove(call, row, &one)).await?;
            Ok(reply::nothing())
        }
        _ => Err(fault::method_not_allowed(method, "tags")),
    }
}

fn tags_of(asked: &Asked<'_>) -> Result<Vec<String>> {
    let json = body::json(&asked.body)?;
    let tags = json
        .get("tags")
        .ok_or_else(|| fault::invalid_input("The body must be an object with the key 'tags'."))?;
    tag::parse(tags)
}

/// The rule for an act on the tags of a kind. PARITY: segments have rules of another form.
fn rule(kind: &dyn Kind, act: &str) -> String {
    match kind.table().one {
        "segment" => format!("{act}_segments_tags"),
        one => format!("{act}_{one}:tags"),
    }
}

async fn read(asked: &Asked<'_>, kind: &'static dyn Kind, id: &str) -> Result<Row> {
    let db = &asked.server.world.db;
    db.read(asked.ctx, |tx| async move {
        let call = asked.call(&tx);
        let row = find(asked, &call, kind, id).await?;
        authority::require(&asked.server.rules, asked.ctx, &rule(kind, "get"), &RowTarget(&row))?;
        Ok(row)
    })
    .await
}

/// Changes the tags as `how` does, which says whether it did.
async fn change(
    asked: &Asked<'_>,
    kind: &'static dyn Kind,
    id: &str,
    act: &str,
    how: impl Fn(&model::kind::Call<'_>, &Row) -> Result<bool> + Send + Sync,
) -> Result<()> {
    let how = &how;
    asked
        .write(|tx| async move {
            let call = asked.call(&tx);
            let row = find(asked, &call, kind, id).await?;
            authority::require(&asked.server.rules, asked.ctx, &rule(kind, act), &RowTarget(&row))?;
            if how(&call, &row)? { tag::advance(&call, kind, &row).await } else { Ok(()) }
        })
        .await
}
