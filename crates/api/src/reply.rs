//! Replies: JSON with its status and headers, streams of rows, and errors in Neutron's form.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::json;
use wire::fault::{Error, Fault};

/// The body of every reply.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// `X-Openstack-Request-Id`.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A JSON reply.
pub fn json(status: u16, bytes: Vec<u8>) -> Response<Body> {
    with_body(status, full(bytes))
}

/// A JSON reply whose body comes piece by piece.
pub fn with_body(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A JSON reply of this value.
pub fn value(status: u16, value: &serde_json::Value) -> Response<Body> {
    json(status, value.to_string().into_bytes())
}

/// 204.
pub fn nothing() -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// `{"NeutronError": {"type": …, "message": …, "detail": ""}}`.
pub fn refused(fault: &Fault) -> Response<Body> {
    value(
        fault.status,
        &json!({"NeutronError": {
            "type": fault.kind, "message": fault.message, "detail": ""
        }}),
    )
}

/// The reply to a request that failed. What is ours to mend is logged here, once, and only the
/// request id leaves.
pub fn failed(error: &Error, request_id: &str) -> Response<Body> {
    match error {
        Error::Fault(fault) => {
            if fault.status >= 500 {
                tracing::error!(request_id, kind = fault.kind, "{}", fault.message);
            } else {
                tracing::debug!(request_id, kind = fault.kind, status = fault.status, "refused");
            }
            refused(fault)
        }
        Error::Retry(why) => {
            tracing::warn!(request_id, why, "gave up after too many conflicts");
            refused(&Fault::new(
                "HTTPConflict",
                409,
                "Others are changing the same things all the time; please try again.",
            ))
        }
        Error::Internal(error) => {
            tracing::error!(request_id, "{error:#}");
            refused(&internal(request_id))
        }
    }
}

/// What a caller sees of an error of ours.
pub fn internal(request_id: &str) -> Fault {
    Fault::new(
        "HTTPInternalServerError",
        500,
        format!("The server could not do this; its log says why under {request_id}."),
    )
}
