//! `/v2.0/quotas`: the limits of projects, and what they use.

use std::borrow::Cow;

use http::{Method, Response};
use model::quota_limits::{self, Limits};
use policy::check::Target;
use serde_json::{Map, Value as Json, json};
use wire::fault::{self, Result};

use crate::operation::Asked;
use crate::reply::{self, Body};
use crate::{authority, body};

/// A project's quota as rules see it.
struct Project<'a>(&'a str);

impl Target for Project<'_> {
    fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        matches!(key, "project_id" | "tenant_id").then_some(Cow::Borrowed(self.0))
    }
}

/// Answers each verb on all quotas, one project's, or a part of it.
///
/// # Errors
/// 403, 400, 404 for what is not there, 409 for a limit below the use.
pub async fn answer(
    asked: &Asked<'_>,
    method: &Method,
    project: Option<String>,
    what: Option<String>,
) -> Result<Response<Body>> {
    match (method, project.as_deref(), what.as_deref()) {
        (&Method::GET, None, None) => all(asked).await,
        // PARITY: two names of one question: which project is this?
        (&Method::GET, Some(word @ ("tenant" | "project")), None) => {
            let own = json!({ format!("{word}_id"): asked.ctx.project_id });
            Ok(reply::value(200, &json!({ word: own })))
        }
        (&Method::GET, Some(project), None) => {
            let limits = read(asked, project, true).await?;
            Ok(reply::value(200, &json!({"quota": named(&limits, None)})))
        }
        (&Method::GET, Some(project), Some("default")) => {
            let limits = read(asked, project, false).await?;
            Ok(reply::value(200, &json!({"quota": named(&limits, None)})))
        }
        (&Method::GET, Some(project), Some("details")) => details(asked, project).await,
        (&Method::PUT, Some(project), None) => update(asked, project).await,
        (&Method::DELETE, Some(project), None) => {
            require(asked, "delete_quota", project)?;
            let db = &asked.server.world.db;
            db.write(asked.ctx, |tx| async move {
                quota_limits::reset(&asked.call(&tx), project).await
            })
            .await?;
            Ok(reply::nothing())
        }
        (&Method::GET, ..) => {
            Err(fault::not_found("There is nothing at this path of /v2.0/quotas."))
        }
        _ => Err(fault::method_not_allowed(method, "quotas")),
    }
}

fn require(asked: &Asked<'_>, rule: &str, project: &str) -> Result<()> {
    authority::require(&asked.server.rules, asked.ctx, rule, &Project(project))
}

fn named(limits: &Limits, project: Option<&str>) -> Json {
    let mut object: Map<String, Json> =
        limits.iter().map(|(resource, limit)| (resource.clone(), Json::from(*limit))).collect();
    if let Some(project) = project {
        object.insert("project_id".into(), project.into());
        object.insert("tenant_id".into(), project.into());
    }
    Json::Object(object)
}

async fn all(asked: &Asked<'_>) -> Result<Response<Body>> {
    require(asked, "get_quota", &asked.ctx.project_id)?;
    let db = &asked.server.world.db;
    let projects =
        db.read(asked.ctx, |tx| async move { quota_limits::all(&asked.call(&tx)).await }).await?;
    let seen = |project: &str| asked.ctx.is_admin || project == asked.ctx.project_id;
    let quotas: Vec<Json> = projects
        .iter()
        .filter(|(project, _)| seen(project))
        .map(|(project, limits)| named(limits, Some(project)))
        .collect();
    Ok(reply::value(200, &json!({ "quotas": quotas })))
}

/// PARITY: a caller may read the quota of his own project, whatever the rules say.
fn may_read(asked: &Asked<'_>, project: &str) -> Result<()> {
    if project == asked.ctx.project_id { Ok(()) } else { require(asked, "get_quota", project) }
}

async fn read(asked: &Asked<'_>, project: &str, own: bool) -> Result<Limits> {
    may_read(asked, project)?;
    if !own {
        return Ok(asked.server.world.settings.quotas.clone());
    }
    let db = &asked.server.world.db;
    db.read(asked.ctx, |tx| async move { quota_limits::of(&asked.call(&tx), project).await }).await
}

async fn details(asked: &Asked<'_>, project: &str) -> Result<Response<Body>> {
    may_read(asked, project).map_err(|_| fault::admin_required("read another project's quota"))?;
    let db = &asked.server.world.db;
    let (limits, used) = db
        .read(asked.ctx, |tx| async move {
            let call = asked.call(&tx);
            Ok((quota_limits::of(&call, project).await?, quota_limits::used(&call, project).await?))
        })
        .await?;
    let quota: Map<String, Json> = limits
        .iter()
        .map(|(resource, limit)| {
            let used = used.get(resource).copied().unwrap_or(0);
            // Nothing is ever reserved: what is taken is taken in the transaction that makes it.
            (resource.clone(), json!({"limit": limit, "used": used, "reserved": 0}))
        })
        .collect();
    Ok(reply::value(200, &json!({ "quota": quota })))
}

async fn update(asked: &Asked<'_>, project: &str) -> Result<Response<Body>> {
    let json = body::json(&asked.body)?;
    let Some(Json::Object(wanted)) = json.get("quota") else {
        return Err(fault::bad_request("The body must be an object with the key 'quota'."));
    };
    require(asked, "update_quota", project)?;
    let db = &asked.server.world.db;
    let limits = db
        .write(asked.ctx, |tx| async move {
            let call = asked.call(&tx);
            quota_limits::set(&call, project, wanted).await?;
            quota_limits::of(&call, project).await
        })
        .await?;
    Ok(reply::value(200, &json!({"quota": named(&limits, None)})))
}
