//! The body of a request: its size, type and JSON, checked at the door. Not here: what it says
//! (`wire`).

use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use serde_json::Value as Json;
use wire::fault::{self, Result};

/// Lists and objects inside each other at most; serde_json's own limit is 128.
const DEPTH_MAX: usize = 32;

/// Reads the whole body, of at most `limit` bytes.
///
/// # Errors
/// 413 for a longer one, 400 for one that breaks off.
pub async fn read<B>(body: B, limit: usize) -> Result<Vec<u8>>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(fault::too_large(limit)),
        Err(_) => Err(fault::bad_request("The body broke off before its end.")),
    }
}

/// The JSON object of a body.
///
/// # Errors
/// 400 for none, for what is no JSON object, and for too deep nesting. PARITY: whatever the
/// `Content-Type` says, the body is read as JSON.
pub fn json(bytes: &[u8]) -> Result<Json> {
    let json: Json = serde_json::from_slice(bytes).map_err(|error| {
        fault::bad_request(format!(
            "The body is not JSON: something is wrong at line {}, column {}.",
            error.line(),
            error.column()
        ))
    })?;
    if !json.is_object() {
        return Err(fault::bad_request("The body must be a JSON object."));
    }
    if depth(&json) > DEPTH_MAX {
        return Err(fault::bad_request(format!(
            "The body nests lists and objects more than {DEPTH_MAX} deep."
        )));
    }
    Ok(json)
}

/// Refuses a caller who would not take JSON.
///
/// # Errors
/// 406.
pub fn accepts_json(headers: &HeaderMap) -> Result<()> {
    let Some(given) = headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok())
    else {
        return Ok(());
    };
    let taken = ["application/json", "application/*", "*/*", ""];
    let kinds = given.split(',').map(|range| range.split(';').next().unwrap_or("").trim());
    if kinds.map(str::to_ascii_lowercase).any(|kind| taken.contains(&kind.as_str())) {
        Ok(())
    } else {
        Err(fault::not_acceptable(given))
    }
}

fn depth(json: &Json) -> usize {
    match json {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
