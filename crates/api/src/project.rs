//! `/v3`: what clients ask an identity service about projects, where callers come with the built-in
//! tokens. There a project is nothing but the text that tokens and things carry, so that every text
//! names one. Not here: tokens (`identity`); nothing is made or changed below this path.

use http::Response;
use serde_json::{Value as Json, json};
use wire::ctx::Ctx;
use wire::fault::{self, Result};

use crate::reply::{self, Body};

/// GET /v3 : the version of the identity API whose projects are served.
pub fn version(base: &str) -> Response<Body> {
    reply::value(
        200,
        &json!({"version": {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": format!("{base}/v3/")}],
        }}),
    )
}

/// GET /v3/projects : the one of the `name` that is asked for, or the caller's own.
pub fn list(ctx: &Ctx, pairs: &[(String, String)]) -> Response<Body> {
    let named = pairs.iter().find(|(key, _)| key == "name").map(|(_, name)| name.as_str());
    let id = named.unwrap_or(&ctx.project_id);
    let seen: Vec<Json> = may_see(ctx, id).then(|| shown(id)).into_iter().collect();
    reply::value(200, &json!({"projects": seen, "links": {}}))
}

/// GET /v3/projects/<id>.
///
/// # Errors
/// 404 for another project than the caller's own, but for administrators.
pub fn show(ctx: &Ctx, id: &str) -> Result<Response<Body>> {
    if may_see(ctx, id) {
        return Ok(reply::value(200, &json!({"project": shown(id)})));
    }
    Err(fault::not_found("There is no such project that this token may see."))
}

fn may_see(ctx: &Ctx, id: &str) -> bool {
    !id.is_empty() && id.len() <= 255 && (ctx.is_admin || id == ctx.project_id)
}

fn shown(id: &str) -> Json {
    json!({"id": id, "name": id, "domain_id": "default", "enabled": true, "is_domain": false})
}
