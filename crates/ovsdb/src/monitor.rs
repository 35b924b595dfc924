//! Following a database: the requests `monitor_cond_since`, `monitor_cond` and `monitor` in this
//! order of preference, and what their replies and notifications say.

use std::sync::Arc;

use serde_json::{Map as JsonObject, Value as Json, json};
use uuid::Uuid;

use crate::condition::Condition;
use crate::connection::{Connection, Incoming, Why};
use crate::layout::{Layout, RowChange, Texts};
use crate::rpc::Message;

/// The name of the monitor of the database.
pub(crate) const MONITOR: &str = "database";

/// Where a database is followed from.
pub(crate) struct Beginning {
    /// The server goes on from the transaction that was named; otherwise `rows` are all there are.
    pub resumed: bool,
    /// The latest transaction, if the server names them.
    pub last: Option<Uuid>,
    pub rows: Vec<RowChange>,
}

/// An update of the database.
pub(crate) struct Update {
    /// The transaction behind it, if the server names them.
    pub last: Option<Uuid>,
    pub rows: Vec<RowChange>,
}

/// Begins to follow, after the transaction `last` if there is one.
pub(crate) async fn begin(
    connection: &mut Connection,
    layout: &Arc<Layout>,
    last: Option<Uuid>,
) -> Result<Beginning, Why> {
    let database = &layout.schema.name;
    connection.cut_rows_of(MONITOR, Arc::clone(layout));
    let wanted = request_of(layout, true);
    let since = last.unwrap_or_default().to_string();
    let params = json!([database, MONITOR, wanted, since]);
    let answer = connection.ask("monitor_cond_since", &params).await?;
    if !is_unknown_method(&answer.error) {
        let rows = answer.rows;
        let result = if answer.error.is_null() {
            answer.result
        } else {
            return Err(refused(&answer.error));
        };
        let resumed = last.is_some() && result.get(0) == Some(&Json::Bool(true));
        return Ok(Beginning { resumed, last: transaction(result.get(1)), rows });
    }
    let params = json!([database, MONITOR, wanted]);
    let mut answer = connection.ask("monitor_cond", &params).await?;
    if is_unknown_method(&answer.error) {
        let params = json!([database, MONITOR, request_of(layout, false)]);
        answer = connection.ask("monitor", &params).await?;
    }
    if !answer.error.is_null() {
        return Err(refused(&answer.error));
    }
    Ok(Beginning { resumed: false, last: None, rows: answer.rows })
}

/// What came after the beginning.
pub(crate) enum Told {
    Update(Update),
    /// Nothing of this monitor.
    Other(Message),
}

impl From<Incoming> for Told {
    fn from(Incoming { message, rows }: Incoming) -> Self {
        let named = |params: &Json| params.get(0).is_some_and(|name| name == MONITOR);
        match message {
            Message::Notification { method, params } if named(&params) => match method.as_str() {
                "update3" => Self::Update(Update { last: transaction(params.get(1)), rows }),
                "update2" | "update" => Self::Update(Update { last: None, rows }),
                _ => Self::Other(Message::Notification { method, params }),
            },
            message => Self::Other(message),
        }
    }
}

/// `<monitor-requests>`: tables to columns and, where the server knows them, conditions.
pub(crate) fn request_of(layout: &Layout, conditions: bool) -> Json {
    let table = |followed: &crate::layout::Followed| {
        let columns: Vec<&str> = followed.columns.iter().map(|(name, _)| name).collect();
        let mut request = json!({"columns": columns});
        if conditions
            && !followed.condition.is_empty()
            && let Some(request) = request.as_object_mut()
        {
            let any = followed.condition.iter().map(Condition::to_json).collect();
            request.insert("where".to_owned(), Json::Array(any));
        }
        (followed.columns.table().to_owned(), json!([request]))
    };
    Json::Object(layout.tables.iter().map(table).collect::<JsonObject<_, _>>())
}

/// Reads `<table-updates>` that were not cut.
pub(crate) fn read_tables(
    layout: &Layout,
    tables: &Json,
    texts: &mut Texts,
) -> Result<Vec<RowChange>, Why> {
    let tables = tables.as_object().ok_or("an update is no object")?;
    let mut changes = Vec::new();
    for (table, rows) in tables {
        for (uuid, row) in rows.as_object().ok_or("the rows of an update are no object")? {
            changes.push(layout.read(table, uuid, row, texts)?);
        }
    }
    Ok(changes)
}

fn transaction(json: Option<&Json>) -> Option<Uuid> {
    let uuid = Uuid::try_parse(json?.as_str()?).ok()?;
    // A server that keeps no history, one without a cluster, names none.
    (!uuid.is_nil()).then_some(uuid)
}

fn is_unknown_method(error: &Json) -> bool {
    error == "unknown method" || error.get("error").is_some_and(|name| name == "unknown method")
}

fn refused(error: &Json) -> Why {
    format!("the server refuses to be followed: {error}")
}
