//! An OVSDB server in the process, for tests: it behaves like `ovsdb-server` (one that is a cluster
//! of one, so that transactions have names) in what the client uses, and goes wrong when it is told
//! to. It keeps nothing on disk. Not here: TLS, several servers, conversion of schemas.

mod cell;
mod condition;
mod database;
mod fault;
mod locks;
mod monitor;
mod mutation;
mod operation;
mod refusal;
mod session;
mod settle;
mod state;
mod table;
mod work;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use uuid::Uuid;

use self::database::{Content, Database};
pub use self::fault::{Mischief, Mischievous};
use self::operation::{Asker, Outcome, execute};
use self::state::{Next, Session, State};
use crate::value::Datum;

/// A row for looking at: its columns by name.
pub type Columns = BTreeMap<String, Datum>;

/// A running server. It lives on the runtime on which it was started, and ends when dropped.
pub struct Server {
    shared: Arc<Shared>,
    remote: String,
    listener: AbortHandle,
    socket: Option<PathBuf>,
}

/// The content of a database at some time.
#[derive(Clone, Debug)]
pub struct Backup(String, Content);

/// What all connections share.
struct Shared {
    state: Mutex<State>,
    paused: watch::Sender<bool>,
    /// How long a message waits at least, and at most.
    delay: Mutex<(Duration, Duration)>,
    closed: watch::Sender<bool>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the server is not paused.
    async fn running(&self) {
        let mut paused = self.paused.subscribe();
        // The sender lives as long as this.
        let _ = paused.wait_for(|paused| !paused).await;
    }

    /// Until a message may be worked on.
    async fn gate(&self) {
        let (least, most) = *self.delay.lock().unwrap_or_else(PoisonError::into_inner);
        if !most.is_zero() {
            let share = f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
            tokio::time::sleep(least + (most - least).mul_f64(share)).await;
        }
        self.running().await;
    }

    /// Works on a message; `false`: the connection ends.
    fn received(self: &Arc<Self>, session: u64, message: &Json) -> bool {
        let next = self.state().receive(session, message);
        match next {
            Next::Continue => true,
            Next::Hang => false,
            Next::Wake(after) => {
                let shared = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    shared.state().retry();
                });
                true
            }
        }
    }
}

impl Server {
    /// Starts a server with these empty databases on a unix socket of its own.
    ///
    /// # Errors
    /// The socket cannot be made, or a schema is none (`InvalidInput`).
    pub fn start(schemas: impl IntoIterator<Item = Json>) -> io::Result<Self> {
        let name = format!("ovsdb-{}.sock", Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path)?;
        let shared = share(schemas)?;
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    accept(&shared, stream);
                }
            }
        });
        let remote = format!("unix:{}", path.display());
        Ok(Self { shared, remote, listener: task.abort_handle(), socket: Some(path) })
    }

    /// Starts a server on a port of the loopback.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_tcp(schemas: impl IntoIterator<Item = Json>) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let remote = format!("tcp:{}", listener.local_addr()?);
        let shared = share(schemas)?;
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    accept(&shared, stream);
                }
            }
        });
        Ok(Self { shared, remote, listener: task.abort_handle(), socket: None })
    }

    /// Where it listens, as clients are told: `unix:PATH` or `tcp:127.0.0.1:PORT`.
    #[must_use]
    pub fn remote(&self) -> &str {
        &self.remote
    }

    /// The open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.state().sessions.len()
    }

    /// How many transactions have changed something.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.shared.state().committed
    }

    /// Breaks every connection.
    pub fn drop_connections(&self) {
        let mut state = self.shared.state();
        let sessions: Vec<u64> = state.sessions.keys().copied().collect();
        sessions.into_iter().for_each(|session| state.hang(session));
    }

    /// Breaks every connection and ends new ones at once, until [`Server::open`].
    pub fn close(&self) {
        self.shared.closed.send_replace(true);
        self.drop_connections();
    }

    /// Takes connections again.
    pub fn open(&self) {
        self.shared.closed.send_replace(false);
    }

    /// Works on nothing and says nothing until [`Server::resume`]; connections stay.
    pub fn pause(&self) {
        self.shared.paused.send_replace(true);
    }

    /// Goes on after [`Server::pause`].
    pub fn resume(&self) {
        self.shared.paused.send_replace(false);
    }

    /// Lets every message wait so long.
    pub fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap_or_else(PoisonError::into_inner) = (delay, delay);
    }

    /// Lets every message wait, one long and another not: what is asked on one connection may
    /// happen long after what was asked later on another.
    pub fn jitter(&self, most: Duration) {
        let delay = (Duration::ZERO, most);
        *self.shared.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// Refuses the next `count` transactions with `resources exhausted`.
    pub fn refuse_next(&self, count: usize) {
        self.shared.state().faults.refuse = count;
    }

    /// Lets the next `count` transactions happen, and breaks their connections without a reply.
    pub fn lose_next_replies(&self, count: usize) {
        self.shared.state().faults.lose = count;
    }

    /// Asks for each transaction what goes wrong with it; `None`: nothing any more.
    pub fn set_mischief(&self, mischievous: Option<Mischievous>) {
        self.shared.state().faults.mischievous = mischievous;
    }

    /// Sends `echo` on every connection; the answers are counted by [`Server::echoed`].
    pub fn echo(&self) {
        let state = self.shared.state();
        for session in state.sessions.values() {
            let _ = session.out.send(json!({ "id": "echo", "method": "echo", "params": [] }));
        }
    }

    /// How many of our `echo`s have been answered.
    #[must_use]
    pub fn echoed(&self) -> u64 {
        self.shared.state().echoed
    }

    /// A copy of a database's content; `None`: there is no such database.
    #[must_use]
    pub fn backup(&self, database: &str) -> Option<Backup> {
        let state = self.shared.state();
        let content = state.databases.get(database)?.content.clone();
        Some(Backup(database.to_owned(), content))
    }

    /// Starts anew with an earlier content: connections break, and nobody remembers transactions.
    pub fn restore(&self, backup: &Backup) {
        self.drop_connections();
        if let Some(database) = self.shared.state().databases.get_mut(&backup.0) {
            database.replace(backup.1.clone());
        }
    }

    /// Starts anew without rows.
    pub fn restart_empty(&self, database: &str) {
        self.drop_connections();
        if let Some(database) = self.shared.state().databases.get_mut(database) {
            database.replace(database.emptied());
        }
    }

    /// The rows of a table; empty when there is no such table.
    #[must_use]
    pub fn rows(&self, database: &str, table: &str) -> BTreeMap<Uuid, Columns> {
        let state = self.shared.state();
        let table = state
            .databases
            .get(database)
            .and_then(|database| database.content.table(database.number(table)?));
        let Some(table) = table else { return BTreeMap::new() };
        let columns = |row: &table::Row| {
            let cell =
                |(number, name, _): (usize, &str, _)| (name.to_owned(), row.cell(number).clone());
            table.layout.columns().map(cell).collect()
        };
        table.rows.iter().map(|(uuid, row)| (*uuid, columns(row))).collect()
    }

    /// Carries out operations as somebody else would, without any fault; the results as the
    /// protocol has them. `_Server` can be written too. A `wait` that is not fulfilled is null.
    pub fn edit(&self, database: &str, operations: &[Json]) -> Json {
        let mut state = self.shared.state();
        let Some(known) = state.databases.get_mut(database) else { return Json::Null };
        let writable = std::mem::replace(&mut known.writable, true);
        let asker = Asker { holds: &|_| false, waited: Duration::ZERO };
        let outcome = execute(known, operations, &asker);
        known.writable = writable;
        match outcome {
            Outcome::Done(results, changes) => {
                state.commit(database, changes);
                results.into()
            }
            Outcome::Refused(results) => results.into(),
            Outcome::Waiting(_) => Json::Null,
        }
    }

    /// Says in `_Server` that this server is the cluster's leader for `database`, or is not.
    pub fn set_leader(&self, database: &str, leader: bool) {
        self.edit(
            "_Server",
            &[json!({ "op": "update", "table": "Database", "where": [["name", "==", database]],
                      "row": { "leader": leader } })],
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listener.abort();
        self.drop_connections();
        if let Some(path) = &self.socket {
            // It is in the way of nobody if it stays.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn accept(shared: &Arc<Shared>, stream: impl AsyncRead + AsyncWrite + Send + 'static) {
    if *shared.closed.borrow() {
        return;
    }
    let (out, outgoing) = mpsc::unbounded_channel();
    let mut state = shared.state();
    let id = state.number();
    state.sessions.insert(id, Session::new(out));
    // The task cannot look for its session before this lock is given back.
    let task = tokio::spawn(session::serve(Arc::clone(shared), id, stream, outgoing));
    if let Some(session) = state.sessions.get_mut(&id) {
        session.task = Some(task.abort_handle());
    }
}

fn share(schemas: impl IntoIterator<Item = Json>) -> io::Result<Arc<Shared>> {
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let mut databases = BTreeMap::new();
    for schema in schemas {
        let (name, database) = Database::new(schema).map_err(wrong)?;
        databases.insert(name, database);
    }
    let names: Vec<(String, String)> = databases
        .iter()
        .map(|(name, database)| (name.clone(), database.schema.to_string()))
        .collect();
    let (name, server) = Database::new(server_schema()).map_err(wrong)?;
    databases.insert(name, server);
    let shared = Arc::new(Shared {
        state: Mutex::new(State::new(databases)),
        paused: watch::Sender::new(false),
        delay: Mutex::default(),
        closed: watch::Sender::new(false),
    });
    describe(&shared, &names);
    Ok(shared)
}

/// Fills the database `_Server`, which tells clients what there is.
fn describe(shared: &Arc<Shared>, names: &[(String, String)]) {
    let uuid = || json!(["uuid", Uuid::new_v4().to_string()]);
    let mut rows: Vec<Json> = names
        .iter()
        .map(|(name, schema)| {
            json!({ "op": "insert", "table": "Database", "row": {
                "name": name, "model": "clustered", "connected": true, "leader": true,
                "schema": schema, "sid": uuid(), "cid": uuid(), "index": 1,
            }})
        })
        .collect();
    rows.push(json!({ "op": "insert", "table": "Database", "row": {
        "name": "_Server", "model": "standalone", "connected": true, "leader": true,
    }}));
    let mut state = shared.state();
    let asker = Asker { holds: &|_| false, waited: Duration::ZERO };
    let outcome = state.databases.get("_Server").map(|server| execute(server, &rows, &asker));
    if let Some(Outcome::Done(_, changes)) = outcome {
        state.commit("_Server", changes);
    }
    if let Some(server) = state.databases.get_mut("_Server") {
        server.writable = false;
    }
}

/// The schema of `_Server` (ovsdb-server(5)).
fn server_schema() -> Json {
    let optional = |key: &str| json!({ "type": { "key": key, "min": 0 } });
    json!({
        "name": "_Server", "version": "1.2.0",
        "tables": { "Database": { "columns": {
            "name": { "type": "string" },
            "model": { "type": { "key": {
                "type": "string", "enum": ["set", ["clustered", "relay", "standalone"]] } } },
            "connected": { "type": "boolean" },
            "leader": { "type": "boolean" },
            "schema": optional("string"),
            "sid": optional("uuid"),
            "cid": optional("uuid"),
            "index": optional("integer"),
        }}},
    })
}
