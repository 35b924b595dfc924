//! What a server says of itself in its database `_Server`: whether it belongs to a cluster, is in
//! touch with it, leads it, and how far it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::connection::{Connection, Incoming, Why};
use crate::layout::{Layout, Monitored, Texts};
use crate::monitor;
use crate::replica::Replica;
use crate::rpc::Message;
use crate::schema::Schema;

/// The name of the monitor of `_Server`.
pub(crate) const MONITOR: &str = "server";

static COLUMNS: [&str; 4] = ["connected", "leader", "model", "name"];

/// With how far the server is, which changes with every transaction.
static COLUMNS_WITH_INDEX: [&str; 6] = ["cid", "connected", "index", "leader", "model", "name"];

/// A cluster that stays behind what was seen of it for so long was set back on purpose.
const PATIENCE: Duration = Duration::from_secs(15);

/// The server's database `_Server` as far as it matters.
pub(crate) struct ServerState {
    replica: Replica,
    leader_only: bool,
}

/// How far a cluster was seen to be; a server behind that would show the past. A leader never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    cluster: Uuid,
    index: i64,
    /// Since when all servers were found behind.
    behind: Option<Instant>,
}

impl ServerState {
    /// Asks; `None`: a server so old that it has no `_Server` (before 2018), so no cluster either.
    pub async fn follow(
        connection: &mut Connection,
        leader_only: bool,
    ) -> Result<Option<Self>, Why> {
        let answer = connection.ask("get_schema", &json!(["_Server"])).await?;
        if !answer.error.is_null() {
            return Ok(None);
        }
        let schema = Schema::from_json(&answer.result)?;
        let columns: &[&str] = if leader_only { &COLUMNS } else { &COLUMNS_WITH_INDEX };
        let monitored = Monitored { table: "Database", columns, condition: Vec::new() };
        let layout = Arc::new(Layout::new(Arc::new(schema), &[monitored]));
        let wanted = monitor::request_of(&layout, true);
        let params = json!(["_Server", MONITOR, wanted]);
        let result = connection.ask("monitor_cond", &params).await?.result("monitor _Server")?;
        let mut state = Self { replica: Replica::new(layout, &[]), leader_only };
        state.apply(&result)?;
        Ok(Some(state))
    }

    /// Takes what a monitor's message says; `false`: it is not this monitor's.
    pub fn takes(&mut self, incoming: &Incoming) -> Result<bool, Why> {
        let Message::Notification { method, params } = &incoming.message else { return Ok(false) };
        if method != "update2" || params.get(0).is_none_or(|name| name != MONITOR) {
            return Ok(false);
        }
        self.apply(params.get(1).unwrap_or_default())?;
        Ok(true)
    }

    fn apply(&mut self, tables: &serde_json::Value) -> Result<(), Why> {
        let layout = Arc::clone(self.replica.layout());
        let changes = monitor::read_tables(&layout, tables, &mut Texts::none())?;
        self.replica.apply(changes).map(drop).map_err(|error| error.to_string())
    }

    /// May this server be used for `database`? How far it is goes into `seen`.
    pub fn check(&self, database: &str, seen: &mut Option<Seen>) -> Result<(), Why> {
        let row = self
            .replica
            .rows("Database")
            .map(|(_, row)| row)
            .find(|row| row.text("name") == Some(database))
            .ok_or_else(|| format!("the server has no database {database}"))?;
        let flag = |name: &str| row.get(name).as_one().and_then(|atom| atom.as_bool());
        let model = row.text("model").unwrap_or("standalone");
        if model == "standalone" {
            return Ok(());
        }
        if flag("connected") != Some(true) {
            return Err(format!("the {model} server is not in touch with its cluster"));
        }
        if model != "clustered" {
            return Ok(());
        }
        if self.leader_only && flag("leader") != Some(true) {
            return Err("the server does not lead its cluster".to_owned());
        }
        let cluster = row.get("cid").as_one().and_then(|atom| atom.as_uuid());
        let index = row.get("index").as_one().and_then(|atom| atom.as_integer());
        let (Some(cluster), Some(index)) = (cluster, index) else { return Ok(()) };
        if let Some(before) = seen
            && before.cluster == cluster
            && before.index > index
            && before.behind.get_or_insert_with(Instant::now).elapsed() < PATIENCE
        {
            return Err("the server is behind what was seen of its cluster".to_owned());
        }
        *seen = Some(Seen { cluster, index, behind: None });
        Ok(())
    }
}
