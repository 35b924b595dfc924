//! One request from its first byte to its reply: who asks, what, and which operation does it.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Body as HttpBody;
use identity::Identity;
use identity::caller::{Caller, Refusal};
use jiff::Timestamp;
use model::kind::World;
use policy::enforcer::Enforcer;
use wire::ctx::Ctx;
use wire::fault::{self, Error, Result};

use crate::operation::{self, Asked};
use crate::reply::{self, Body, REQUEST_ID};
use crate::route::{self, Route};
use crate::{authority, bindings, body, catalog, list, project, query, quotas, tags};

/// What every request needs. One for the life of the process.
pub struct Server {
    /// Database, settings, data plane.
    pub world: World,
    /// The rules in force.
    pub rules: Enforcer,
    /// How callers are known.
    pub identity: Identity,
    /// The bytes of a body at most.
    pub body_limit: usize,
}

/// The label under which a request is counted.
#[derive(Clone, Copy, Debug)]
pub struct Label(pub &'static str);

impl Server {
    /// Answers one request. It is worked on in a task of its own: a client that goes away stops
    /// nothing half-way, and a panic is a 500. The reply carries a [`Label`] for metrics.
    pub async fn handle<B>(self: &Arc<Self>, request: Request<B>) -> Response<Body>
    where
        B: HttpBody + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let request_id = format!("req-{}", uuid::Uuid::new_v4());
        // In a box: a task is moved several times before it runs and when it ends.
        let work = tokio::spawn(Box::pin(Arc::clone(self).answer(request, request_id.clone())));
        let mut response = work.await.unwrap_or_else(|panic| {
            tracing::error!(request_id, "a request panicked: {panic}");
            reply::refused(&reply::internal(&request_id))
        });
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(&REQUEST_ID, value);
        }
        response
    }

    async fn answer<B>(self: Arc<Self>, request: Request<B>, request_id: String) -> Response<Body>
    where
        B: HttpBody + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, incoming) = request.into_parts();
        let mut route = route::parse(parts.uri.path());
        let speaks_for_projects = matches!(self.identity, Identity::Token(_));
        if matches!(route, Route::Identity | Route::Projects(_)) && !speaks_for_projects {
            route = Route::Unknown;
        }
        let label = Label(route::label(&route));
        let base = base_url(&parts.headers);
        if matches!(route, Route::Versions) {
            let refused = || fault::method_not_allowed(&parts.method, parts.uri.path());
            let reply = match parts.method {
                Method::GET => catalog::versions(&base),
                _ => reply::failed(&refused(), &request_id),
            };
            return labelled(reply, label);
        }
        if matches!(route, Route::Identity) && parts.method == Method::GET {
            return labelled(project::version(&base), label);
        }
        let caller = match self.identity.caller(&parts.headers).await {
            Ok(caller) => caller,
            Err(refusal) => return labelled(refused(&refusal), label),
        };
        let result = async {
            body::accepts_json(&parts.headers)?;
            let ctx = self.context(caller, request_id.clone());
            let asked = Asked {
                server: &self,
                ctx: &ctx,
                headers: &parts.headers,
                pairs: query::pairs(parts.uri.query())?,
                body: body::read(incoming, self.body_limit).await?,
                url: format!("{base}{}", parts.uri.path()),
            };
            self.dispatch(&asked, &parts.method, parts.uri.path(), route, &base).await
        }
        .await;
        labelled(result.unwrap_or_else(|error| reply::failed(&error, &request_id)), label)
    }

    fn context(&self, caller: Caller, request_id: String) -> Ctx {
        let mut ctx = Ctx {
            request_id,
            user_id: caller.user_id,
            project_id: caller.project_id,
            domain_id: caller.domain_id,
            system_scope: caller.system_scope,
            roles: caller.roles,
            service_roles: caller.service_roles,
            is_admin: false,
            deadline: None,
            now: Timestamp::now(),
        };
        ctx.is_admin = self.rules.check("context_is_admin", &authority::credentials(&ctx), &());
        ctx
    }

    async fn dispatch(
        &self,
        asked: &Asked<'_>,
        method: &Method,
        path: &str,
        route: Route,
        base: &str,
    ) -> Result<Response<Body>> {
        let (get, post) = (method == Method::GET, method == Method::POST);
        let (put, delete) = (method == Method::PUT, method == Method::DELETE);
        match route {
            Route::Unknown => Err(nothing_at(path)),
            Route::Resources if get => Ok(catalog::resources(base)),
            Route::Extensions(None) if get => Ok(catalog::extensions()),
            Route::Extensions(Some(alias)) if get => catalog::extension(&alias),
            // In boxes: each request would be as large as the largest of them.
            Route::Collection(kind) if get => Box::pin(list::list(asked, kind)).await,
            Route::Collection(kind) if post && kind.verbs().create => {
                Box::pin(operation::create(asked, kind)).await
            }
            Route::Member(kind, id) if get => Box::pin(operation::show(asked, kind, &id)).await,
            Route::Member(kind, id) if put && kind.verbs().update => {
                Box::pin(operation::update(asked, kind, &id)).await
            }
            Route::Member(kind, id) if delete && kind.verbs().delete => {
                Box::pin(operation::delete(asked, kind, &id)).await
            }
            Route::Action(kind, id, action) if put => {
                Box::pin(operation::act(asked, kind, &id, &action)).await
            }
            Route::Tags(kind, id, tag) => {
                Box::pin(tags::answer(asked, method, kind, &id, tag)).await
            }
            Route::Bindings(kind, id, host, activate) => {
                Box::pin(bindings::answer(asked, method, kind, &id, host, activate)).await
            }
            Route::Projects(None) if get => Ok(project::list(asked.ctx, &asked.pairs)),
            Route::Projects(Some(id)) if get => project::show(asked.ctx, &id),
            Route::Quotas(project, what) => {
                Box::pin(quotas::answer(asked, method, project, what)).await
            }
            // PARITY: these answer as if nothing were there.
            Route::Collection(_) if put || delete => Err(nothing_at(path)),
            Route::Extensions(_) => Err(nothing_at(path)),
            Route::Collection(kind) if post => {
                Err(fault::bad_request(format!("'{}' cannot be created.", kind.table().many)))
            }
            _ => Err(fault::method_not_allowed(method, path)),
        }
    }
}

/// 404 for a path that leads nowhere.
pub fn nothing_at(path: &str) -> Error {
    fault::not_found(format!(
        "There is nothing at {}; GET /v2.0/ lists the collections.",
        wire::types::quoted(&serde_json::Value::from(path))
    ))
}

fn labelled(mut response: Response<Body>, label: Label) -> Response<Body> {
    response.extensions_mut().insert(label);
    response
}

fn refused(refusal: &Refusal) -> Response<Body> {
    match refusal {
        Refusal::Unauthorized { www_authenticate, message } => {
            let mut response = reply::value(
                401,
                &serde_json::json!({"error": {
                    "code": 401, "title": "Unauthorized", "message": message,
                }}),
            );
            let value =
                www_authenticate.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
            if let Some(value) = value {
                response.headers_mut().insert(http::header::WWW_AUTHENTICATE, value);
            }
            response
        }
        Refusal::Unavailable => reply::refused(&fault::Fault::new(
            "HTTPServiceUnavailable",
            503,
            "The identity service does not answer; please try again later.",
        )),
    }
}

/// The URL under which the client reached the server, for links.
fn base_url(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("x-forwarded-host").or_else(|| text("host")).unwrap_or("localhost");
    let scheme = text("x-forwarded-proto").unwrap_or("http");
    format!("{scheme}://{host}")
}
