//! A migrated database of its own for each test, on each engine.

use std::time::Duration;

use jiff::Timestamp;
use mysql_async::prelude::Queryable as _;
use sql::Db;
use wire::ctx::Ctx;
use wire::fault::Result;
use wire::value::Value;

use crate::thing;

pub struct Bench {
    pub db: Db,
    pub url: String,
    server: Option<(String, String)>,
    _directory: Option<tempfile::TempDir>,
}

pub fn ctx() -> Ctx {
    Ctx::system(Timestamp::now())
}

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} must be the URL of a server; `cargo xtask test` starts one")
    })
}

async fn command(url: &str, sql: &str) {
    if url.starts_with("postgres") {
        let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(driver);
        client.batch_execute(sql).await.unwrap();
    } else {
        let mut connection = mysql_async::Conn::from_url(url).await.unwrap();
        connection.query_drop(sql).await.unwrap();
        connection.disconnect().await.unwrap();
    }
}

impl Bench {
    async fn of(
        url: String,
        server: Option<(String, String)>,
        directory: Option<tempfile::TempDir>,
    ) -> Self {
        let db = Db::open(&url, thing::MIGRATIONS).await.unwrap();
        assert_eq!(db.migrate().await.unwrap(), [0, 1]);
        Self { db, url, server, _directory: directory }
    }

    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        Self::of(url, None, Some(directory)).await
    }

    pub async fn memory() -> Self {
        Self::of("sqlite::memory:".into(), None, None).await
    }

    pub async fn postgres() -> Self {
        Self::on(server("NUCLEON_TEST_POSTGRES")).await
    }

    pub async fn mariadb() -> Self {
        Self::on(server("NUCLEON_TEST_MARIADB")).await
    }

    async fn on(server: String) -> Self {
        let name = format!("t_{}", wire::types::Id::random().0.simple());
        command(&server, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').unwrap();
        Self::of(format!("{base}/{name}"), Some((server.clone(), name)), None).await
    }

    /// Runs SQL on a connection that the database under test knows nothing of.
    pub async fn behind_its_back(&self, sql: &str) {
        command(&self.url, sql).await;
    }

    pub fn is_served(&self) -> bool {
        self.server.is_some()
    }

    pub async fn close(self) {
        let Self { db, server, .. } = self;
        drop(db);
        if let Some((url, name)) = server {
            let force = if url.starts_with("postgres") { " WITH (FORCE)" } else { "" };
            let sql = format!("DROP DATABASE {name}{force}");
            tokio::time::timeout(Duration::from_secs(20), command(&url, &sql)).await.unwrap();
        }
    }

    /// One write that has to succeed.
    pub async fn exec(&self, sql: &'static str, params: &[Value]) {
        self.db
            .write(&ctx(), |tx| async move { tx.run(sql, params, Vec::new()).await })
            .await
            .unwrap();
    }

    pub async fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        self.db.read(&ctx(), |tx| async move { tx.rows(sql, &[]).await }).await.unwrap()
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0][0].as_int().unwrap()
    }
}

/// The type of the fault that was met.
pub fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    let error = result.unwrap_err();
    error.fault().unwrap_or_else(|| panic!("no fault: {error}")).kind
}
