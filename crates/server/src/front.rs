//! What is asked first: the health check and the metrics are answered here, all else by the API;
//! each request is counted and can be logged. Not here: connections (`listen`).

use std::sync::Arc;
use std::time::Instant;

use api::reply::{self, Body, REQUEST_ID};
use api::server::{Label, Server};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::listen::Peer;
use crate::metrics::Metrics;
use crate::upload::Upload;

static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What answers the requests of all connections.
pub struct Front {
    /// The API.
    pub server: Arc<Server>,
    /// What is counted.
    pub metrics: Metrics,
    /// Everybody may see the metrics.
    pub metrics_public: bool,
    /// Requests are logged at info, else at debug.
    pub log_requests: bool,
}

impl Front {
    /// Answers one request.
    pub async fn answer(&self, mut request: Request<Incoming>, peer: Peer) -> Response<Body> {
        match request.uri().path() {
            "/healthcheck" => return health(request.method()),
            "/metrics" => return self.measured(&request, peer),
            _ => {}
        }
        if peer.is_encrypted && !request.headers().contains_key(&FORWARDED_PROTO) {
            // Links in replies begin as the request did.
            request.headers_mut().insert(&FORWARDED_PROTO, HeaderValue::from_static("https"));
        }
        let started = Instant::now();
        let _in_flight = self.metrics.begin();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = self.server.handle(request.map(Upload::new)).await;
        let took = started.elapsed();
        let label = response.extensions().get::<Label>().map_or("unknown", |label| label.0);
        let status = response.status().as_u16();
        self.metrics.answered(&method, label, status, took);
        // The path alone: what is behind the question mark is the caller's affair.
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    target: "nucleon::request",
                    request_id = id(&response),
                    method = method.as_str(),
                    path = uri.path(),
                    status,
                    milliseconds = took.as_secs_f64() * 1000.0,
                    "answered"
                )
            };
        }
        if self.log_requests {
            log!(info);
        } else {
            log!(debug);
        }
        response
    }

    fn measured(&self, request: &Request<Incoming>, peer: Peer) -> Response<Body> {
        // A proxy on this machine is near, those it speaks for are not.
        let is_near =
            peer.address.ip().is_loopback() && !request.headers().contains_key(&FORWARDED_FOR);
        if !self.metrics_public && !is_near {
            return text(
                StatusCode::FORBIDDEN,
                "text/plain",
                "Metrics are for this machine only.\n",
            );
        }
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "Only GET is possible.\n");
        }
        text(StatusCode::OK, OPENMETRICS, self.metrics.text())
    }
}

fn id(response: &Response<Body>) -> Option<&str> {
    response.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok())
}

/// PARITY: oslo.middleware's healthcheck: `OK` in plain text, to anybody, and 204 to HEAD.
fn health(method: &Method) -> Response<Body> {
    match *method {
        Method::GET => text(StatusCode::OK, "text/plain", "OK"),
        Method::HEAD => text(StatusCode::NO_CONTENT, "text/plain", ""),
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "Only GET is possible.\n"),
    }
}

fn text(status: StatusCode, kind: &'static str, text: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(reply::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
