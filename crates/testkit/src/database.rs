//! A new database for each test, on each engine, and its end.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use sql::Db;
use tempfile::TempDir;

/// How long a server may take to make or drop a database.
const PATIENCE: Duration = Duration::from_secs(30);

/// What keeps the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file in a directory that goes away.
    Sqlite,
    /// The server of `NUCLEON_TEST_POSTGRES`.
    Postgres,
    /// The server of `NUCLEON_TEST_MARIADB`.
    Mariadb,
}

impl Engine {
    /// The URL of the server's superuser; `None` where there is no server.
    ///
    /// # Panics
    /// The variable is not set: a suite is never left out in silence.
    fn server(self) -> Option<String> {
        let variable = match self {
            Self::Sqlite => return None,
            Self::Postgres => "NUCLEON_TEST_POSTGRES",
            Self::Mariadb => "NUCLEON_TEST_MARIADB",
        };
        let url = std::env::var(variable).unwrap_or_else(|_| {
            panic!("{variable} must be the URL of a server; `cargo xtask test` starts one")
        });
        Some(url)
    }
}

/// A migrated database of one test.
pub struct Database {
    /// The way in.
    pub db: Db,
    /// For a second way in.
    pub url: String,
    /// Superuser's URL and the name of the database there.
    served: Option<(String, String)>,
    _directory: Option<TempDir>,
}

impl Database {
    /// Makes one.
    ///
    /// # Panics
    /// The engine cannot be reached.
    pub async fn new(engine: Engine) -> Self {
        let Some(server) = engine.server() else {
            let directory = tempfile::tempdir().unwrap();
            let url = format!("sqlite:{}", directory.path().join("test.db").display());
            let db = migrated(&url).await;
            return Self { db, url, served: None, _directory: Some(directory) };
        };
        let name = format!("t_{}", uuid::Uuid::new_v4().simple());
        command(&server, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = format!("{base}/{name}");
        let db = migrated(&url).await;
        Self { db, url, served: Some((server, name)), _directory: None }
    }

    /// Drops it.
    ///
    /// # Panics
    /// The engine refuses or takes too long.
    pub async fn close(self) {
        let Self { db, served, .. } = self;
        drop(db);
        if let Some((server, name)) = served {
            let force = if server.starts_with("postgres") { " WITH (FORCE)" } else { "" };
            command(&server, &format!("DROP DATABASE {name}{force}")).await;
        }
    }
}

/// A database that goes away when this is dropped, also where a test fails.
pub struct Passing(Option<Database>);

impl Passing {
    /// Makes one.
    ///
    /// # Panics
    /// As [`Database::new`].
    pub async fn new(engine: Engine) -> Self {
        Self(Some(Database::new(engine).await))
    }

    /// The way in.
    ///
    /// # Panics
    /// Never.
    pub fn db(&self) -> Db {
        self.0.as_ref().unwrap().db.clone()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let Some(database) = self.0.take() else { return };
        // A runtime of its own: the test's does not wait for anything any more.
        let closing = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(database.close());
        });
        if closing.join().is_err() && !std::thread::panicking() {
            panic!("the test's database could not be dropped");
        }
    }
}

async fn migrated(url: &str) -> Db {
    let db = Db::open(url, model::MIGRATIONS).await.unwrap();
    db.migrate().await.unwrap();
    db
}

/// One statement on a connection of its own.
async fn command(url: &str, sql: &str) {
    let work = async {
        if url.starts_with("postgres") {
            let (client, driver) =
                tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(driver);
            client.batch_execute(sql).await.unwrap();
        } else {
            let mut connection = mysql_async::Conn::from_url(url).await.unwrap();
            connection.query_drop(sql).await.unwrap();
            connection.disconnect().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, work).await.expect("the database server answers in time");
}
