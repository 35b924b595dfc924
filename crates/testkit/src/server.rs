//! A server in the process, the callers that ask it, and its replies. No socket: a request is
//! handed over as the listener would do it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use api::server::Server;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use identity::Identity;
use identity::token::Tokens;
use model::backend::{Backend, NoBackend};
use model::kind::World;
use model::settings::Settings;
use policy::enforcer::Enforcer;
use serde_json::Value as Json;
use sql::Db;

use crate::database::{Database, Engine};

/// The address under which the server believes to be reached; links in replies begin with it.
pub const HOST: &str = "127.0.0.1:9696";

/// The bytes of a body at most: the program's own default.
const BODY_LIMIT: usize = 2 << 20;

/// One who asks.
#[derive(Clone, Debug)]
pub struct Who {
    /// The project he acts for.
    pub project: String,
    /// Himself.
    pub user: String,
    /// His roles, with those they imply, with commas.
    pub roles: &'static str,
}

impl Who {
    /// Somebody new of this project.
    pub fn new(project: &str, roles: &'static str) -> Self {
        let first = roles.split(',').next().unwrap();
        Self { project: project.to_owned(), user: format!("{first}-of-{project}"), roles }
    }

    /// An administrator.
    pub fn admin() -> Self {
        Self::new("admin", "admin,manager,member,reader")
    }

    /// One who may read and write in his project.
    pub fn member(project: &str) -> Self {
        Self::new(project, "member,reader")
    }

    /// One who may read in his project.
    pub fn reader(project: &str) -> Self {
        Self::new(project, "reader")
    }
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The bytes of the body.
    pub text: String,
    /// The body; null where it is empty or no JSON.
    pub json: Json,
}

impl Reply {
    /// The type of the fault; `""` where it is none.
    pub fn fault(&self) -> &str {
        self.json["NeutronError"]["type"].as_str().unwrap_or_default()
    }
}

/// A server with a database of its own, which believes what the headers say about callers.
pub struct TestServer {
    server: Arc<Server>,
    strict: Arc<Server>,
    database: Database,
}

impl TestServer {
    /// Starts one on a fresh database.
    ///
    /// # Panics
    /// The engine cannot be reached.
    pub async fn new(engine: Engine, settings: Settings) -> Self {
        Self::on(engine, settings, || Box::new(NoBackend)).await
    }

    /// Starts one that asks this data plane.
    ///
    /// # Panics
    /// The engine cannot be reached.
    pub async fn on(
        engine: Engine,
        settings: Settings,
        backend: impl Fn() -> Box<dyn Backend>,
    ) -> Self {
        let database = Database::new(engine).await;
        let tokens = Identity::Token(Tokens::new(database.db.clone()));
        Self {
            server: server(&database.db, settings.clone(), backend(), Identity::Header),
            strict: server(&database.db, settings, backend(), tokens),
            database,
        }
    }

    /// Runs a suite on a fresh server, and removes the database whatever becomes of it.
    ///
    /// # Panics
    /// As the suite does.
    pub async fn with<T>(
        engine: Engine,
        settings: Settings,
        suite: impl AsyncFnOnce(&Self) -> T,
    ) -> T {
        let server = Self::new(engine, settings).await;
        let outcome = AssertUnwindSafe(suite(&server)).catch_unwind().await;
        server.close().await;
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Stops it and drops its database.
    pub async fn close(self) {
        let Self { server, strict, database } = self;
        drop((server, strict));
        database.close().await;
    }

    /// The database below it.
    pub fn db(&self) -> &Db {
        &self.database.db
    }

    /// The URL of that database, for another server on it.
    pub fn url(&self) -> &str {
        &self.database.url
    }

    /// Asks once; a body is sent as JSON.
    ///
    /// # Panics
    /// The path is none.
    pub async fn call(&self, who: &Who, method: &str, path: &str, body: Option<Json>) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", HOST);
        for (name, value) in identity(who) {
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let bytes = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(request.body(Full::from(bytes)).unwrap()).await
    }

    /// Hands over a request as it is.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        ask(&self.server, request).await
    }

    /// Hands over a request to a server on the same database that wants a token.
    pub async fn send_unknown(&self, request: Request<Full<Bytes>>) -> Reply {
        ask(&self.strict, request).await
    }
}

/// The headers that say who asks.
pub fn identity(who: &Who) -> [(&'static str, &str); 3] {
    [("x-project-id", &who.project), ("x-user-id", &who.user), ("x-roles", who.roles)]
}

fn server(
    db: &Db,
    settings: Settings,
    backend: Box<dyn Backend>,
    identity: Identity,
) -> Arc<Server> {
    let world = World { db: db.clone(), settings, backend };
    let rules = Enforcer::neutron(None).unwrap();
    Arc::new(Server { world, rules, identity, body_limit: BODY_LIMIT })
}

async fn ask(server: &Arc<Server>, request: Request<Full<Bytes>>) -> Reply {
    let is_head = request.method() == Method::HEAD;
    let (parts, body) = server.handle(request).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    // A listener sends no body in reply to HEAD.
    let text = if is_head { String::new() } else { String::from_utf8(bytes.to_vec()).unwrap() };
    let json = serde_json::from_str(&text).unwrap_or_default();
    Reply { status: parts.status.as_u16(), headers: parts.headers, text, json }
}
