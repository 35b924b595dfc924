//! What a client asks first: versions, the collections, the extensions.

use http::Response;
use serde_json::{Value as Json, json};
use wire::fault::{self, Result};

use crate::extension::{EXTENSIONS, Extension};
use crate::reply::{self, Body};

/// GET / : the versions of the API. `base` is the server's own URL as the client reached it.
pub fn versions(base: &str) -> Response<Body> {
    reply::value(
        200,
        &json!({"versions": [{
            "id": "v2.0",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": format!("{base}/v2.0/")}],
        }]}),
    )
}

/// GET /v2.0 : the collections of the core. PARITY: those of extensions are not listed.
pub fn resources(base: &str) -> Response<Body> {
    let resources: Vec<Json> = model::KINDS
        .iter()
        .filter(|kind| ["networks", "subnets", "subnetpools", "ports"].contains(&kind.path()))
        .map(|kind| {
            let (one, many) = (kind.table().one, kind.table().many);
            json!({
                "name": one,
                "collection": many,
                "links": [{"rel": "self", "href": format!("{base}/v2.0/{}", kind.path())}],
            })
        })
        .collect();
    reply::value(200, &json!({ "resources": resources }))
}

/// GET /v2.0/extensions.
pub fn extensions() -> Response<Body> {
    let all: Vec<Json> = EXTENSIONS.iter().map(shown).collect();
    reply::value(200, &json!({ "extensions": all }))
}

/// GET /v2.0/extensions/<alias>.
///
/// # Errors
/// 404 for one that is not served.
pub fn extension(alias: &str) -> Result<Response<Body>> {
    EXTENSIONS
        .iter()
        .find(|extension| extension.alias == alias)
        .map(|extension| reply::value(200, &json!({"extension": shown(extension)})))
        .ok_or_else(|| fault::not_found(format!("There is no extension '{alias}' here.")))
}

fn shown(extension: &Extension) -> Json {
    json!({
        "name": extension.name,
        "alias": extension.alias,
        "description": extension.description,
        "updated": extension.updated,
        "links": [],
    })
}
