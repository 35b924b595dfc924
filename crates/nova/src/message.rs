//! What is said to Nova about some events, and what its answer means for each of them.

use http::StatusCode;
use model::nova_event::queue::Waiting;
use serde_json::{Value as Json, json};

/// How often an event is told that Nova takes but cannot use yet.
const TRIES_MAX: i64 = 5;

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nova has it.
    Told,
    /// Nova will never want it.
    Unwanted,
    /// It is told again later.
    Again,
}

/// The body of the request.
#[must_use]
pub fn body(events: &[Waiting]) -> Json {
    let one = |event: &Waiting| {
        let mut json = json!({
            "name": event.name,
            "server_uuid": event.server_uuid,
            "tag": event.port_id.to_string(),
        });
        if let (Some(status), Json::Object(fields)) = (&event.status, &mut json) {
            fields.insert("status".to_owned(), status.clone().into());
        }
        json
    };
    json!({"events": events.iter().map(one).collect::<Vec<_>>()})
}

/// What becomes of each event after this answer, in their order.
#[must_use]
pub fn fates(events: &[Waiting], status: StatusCode, answer: &[u8]) -> Vec<Fate> {
    match status {
        // Single events may have failed all the same: their codes are in the body.
        StatusCode::OK | StatusCode::MULTI_STATUS => {
            let answer: Json = serde_json::from_slice(answer).unwrap_or_default();
            events.iter().map(|event| fate(event, code(&answer, event))).collect()
        }
        // None of the servers exists, or Nova will never understand the request.
        StatusCode::NOT_FOUND => vec![Fate::Unwanted; events.len()],
        StatusCode::BAD_REQUEST if events.len() == 1 => vec![Fate::Unwanted],
        _ => vec![Fate::Again; events.len()],
    }
}

/// Nova's code for one event; 200 where it says nothing of it.
fn code(answer: &Json, event: &Waiting) -> i64 {
    let port = event.port_id.to_string();
    let is_it = |json: &&Json| {
        let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default();
        text("tag") == port && text("name") == event.name
    };
    let said = answer.get("events").and_then(Json::as_array).into_iter().flatten().find(is_it);
    said.and_then(|json| json.get("code")?.as_i64()).unwrap_or(200)
}

fn fate(event: &Waiting, code: i64) -> Fate {
    match code {
        200 => Fate::Told,
        // Not on a host yet (422), or Nova is not well: later perhaps.
        422 | 500..=599 if event.tries + 1 < TRIES_MAX => Fate::Again,
        _ => Fate::Unwanted,
    }
}
