//! A house to try things in: a database of its own, and callers of several projects.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;

use jiff::Timestamp;
use model::backend::NoBackend;
use model::binding;
use model::check::Finding;
use model::kind::{Kind, World};
use model::settings::Settings;
use serde_json::{Value as Json, json};
use testkit::database::{Engine, Passing};
use wire::ctx::Ctx;
use wire::draft::{Draft, Verb};
use wire::fault::Result;
use wire::row::Row;
use wire::types::Id;
use wire::value::Value;

/// The world, and a place for its database that goes with it.
pub struct House {
    pub world: World,
    _database: Passing,
}

/// A caller with the role member in a project.
pub fn member(project: &str) -> Ctx {
    Ctx {
        project_id: project.into(),
        system_scope: None,
        roles: vec!["member".into(), "reader".into()],
        is_admin: false,
        ..Ctx::system(Timestamp::now())
    }
}

/// An administrator, whose own project this is.
pub fn admin(project: &str) -> Ctx {
    Ctx { project_id: project.into(), ..Ctx::system(Timestamp::now()) }
}

pub fn kind(many: &str) -> &'static dyn Kind {
    model::kind(many).unwrap()
}

impl House {
    pub async fn new(engine: Engine) -> Arc<Self> {
        Self::with(engine, Settings::default()).await
    }

    pub async fn with(engine: Engine, settings: Settings) -> Arc<Self> {
        let database = Passing::new(engine).await;
        let world = World { db: database.db(), settings, backend: Box::new(NoBackend) };
        Arc::new(Self { world, _database: database })
    }

    pub async fn create(&self, ctx: &Ctx, many: &str, body: Json) -> Result<Row> {
        let kind = kind(many);
        let mut draft = Draft::parse(kind.table(), Verb::Create, &body)?;
        draft.own(ctx)?;
        let draft = &draft;
        let made = self
            .world
            .db
            .write(ctx, |tx| async move {
                let call = self.world.call(&tx, ctx);
                let id = kind.create(&call, draft).await?.id();
                call.tx.find(kind.table(), &call.everything(), id).await
            })
            .await?;
        Ok(self.shown(kind, made).unwrap())
    }

    /// Makes all of a list in one request.
    pub async fn create_all(&self, ctx: &Ctx, many: &str, bodies: &[Json]) -> Result<Vec<Row>> {
        let kind = kind(many);
        let mut drafts = Vec::new();
        for body in bodies {
            let mut draft = Draft::parse(kind.table(), Verb::Create, body)?;
            draft.own(ctx)?;
            drafts.push(draft);
        }
        let drafts = &drafts;
        let write = self.world.db.write(ctx, |tx| async move {
            kind.create_all(&self.world.call(&tx, ctx), drafts).await
        });
        write.await
    }

    pub async fn update(&self, ctx: &Ctx, many: &str, id: Id, body: Json) -> Result<Row> {
        let kind = kind(many);
        let draft = &Draft::parse(kind.table(), Verb::Update, &body)?;
        self.world
            .db
            .write(ctx, |tx| async move {
                let call = self.world.call(&tx, ctx);
                let old = call.find(kind.table(), id).await?;
                let old = old.ok_or_else(|| kind.not_found(&id.to_string()))?;
                kind.update(&call, &old, draft).await.map(drop)
            })
            .await?;
        Ok(self.find(many, id).await.unwrap())
    }

    pub async fn delete(&self, ctx: &Ctx, many: &str, id: Id) -> Result<()> {
        let kind = kind(many);
        self.world
            .db
            .write(ctx, |tx| async move {
                let call = self.world.call(&tx, ctx);
                let old = call.find(kind.table(), id).await?;
                let old = old.ok_or_else(|| kind.not_found(&id.to_string()))?;
                kind.delete(&call, &old).await
            })
            .await
    }

    /// The row as a caller is shown it.
    pub async fn find(&self, many: &str, id: Id) -> Option<Row> {
        let (kind, ctx) = (kind(many), &admin("nobody"));
        let row = self
            .world
            .db
            .read(ctx, |tx| async move { self.world.call(&tx, ctx).find(kind.table(), id).await })
            .await
            .unwrap();
        self.shown(kind, row)
    }

    /// With what is computed when a row is shown.
    fn shown(&self, kind: &dyn Kind, row: Option<Row>) -> Option<Row> {
        let mut rows: Vec<Row> = row.into_iter().collect();
        kind.fill(&self.world.settings, &*self.world.backend, &mut rows);
        rows.pop()
    }

    pub async fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        let ctx = &admin("nobody");
        self.world.db.read(ctx, |tx| async move { tx.rows(sql, &[]).await }).await.unwrap()
    }

    pub async fn run(&self, sql: &str, params: &[Value]) {
        let ctx = &admin("nobody");
        let run = self.world.db.write(ctx, |tx| async move {
            tx.run(sql.to_owned(), params, Vec::new()).await.map(drop)
        });
        run.await.unwrap();
    }

    /// How much of its quota a project uses.
    pub async fn used(&self, resource: &str, project: &str) -> i64 {
        let sql = format!(
            "SELECT COALESCE(MAX(used), 0) FROM quota_usage WHERE resource = '{resource}' \
             AND project_id = '{project}'"
        );
        self.count(&sql).await
    }

    /// What `nucleon db check` says.
    pub async fn findings(&self) -> Vec<Finding> {
        model::check::check(&self.world.db, &admin("nobody")).await.unwrap()
    }

    /// Plugs the port of a distributed router in on a host.
    pub async fn distribute(&self, ctx: &Ctx, port: &Row, host: &str) {
        let set = self.world.db.write(ctx, |tx| async move {
            let call = self.world.call(&tx, ctx);
            binding::distributed::set(&call, port, host, "r1").await
        });
        set.await.unwrap();
    }

    pub async fn count(&self, sql: &str) -> i64 {
        self.rows(sql).await[0][0].as_int().unwrap()
    }

    /// A network of the caller's with a subnet of 192.0.2.0/24.
    pub async fn network(&self, ctx: &Ctx) -> Id {
        let network = self.create(ctx, "networks", json!({"name": "n"})).await.unwrap().id();
        let subnet = json!({
            "network_id": network.to_string(), "ip_version": 4, "cidr": "192.0.2.0/24",
        });
        self.create(ctx, "subnets", subnet).await.unwrap();
        network
    }

    pub async fn port(&self, ctx: &Ctx, body: Json) -> Result<Row> {
        self.create(ctx, "ports", body).await
    }
}

/// The value of an attribute, as JSON.
pub fn shown(row: &Row, name: &str) -> Json {
    row.named(name).unwrap().to_json()
}

/// The type of the fault that was met.
pub fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    let error = result.unwrap_err();
    error.fault().unwrap_or_else(|| panic!("no fault: {error}")).kind
}
