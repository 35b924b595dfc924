//! Agents, as the data plane knows them. Nothing is stored here: there are none without a data
//! plane, and what can be changed of them is changed there.

use serde_json::Value as Json;
use wire::attr::Resource;
use wire::draft::Draft;
use wire::fault::{self, Error};
use wire::query::Query;
use wire::resource;
use wire::row::Row;
use wire::types::{Id, Raw, Text};
use wire::value::Value;

use crate::kind::{Call, Kind, Pending, Verbs};

resource! {
    /// A process on a host that realises networking there.
    Agent = Resource::of("agent", "agents").ext("agent").visible("1=1");
    id: Id = ro().filter();
    agent_type: Text<255> = ro().filter();
    binary: Text<255> = ro().filter();
    topic: Text<255> = ro().filter();
    host: Text<255> = ro().filter();
    admin_state_up: bool = put().filter();
    created_at: Text<20> = ro();
    started_at: Text<20> = ro();
    heartbeat_timestamp: Text<20> = ro();
    alive: bool = ro().filter();
    configurations: Raw = ro();
    description: Option<Text<255>> = put().filter();
    availability_zone: Option<Text<255>> = ro().filter().ext("availability_zone");
}

/// The kind.
pub struct Agents;

impl Kind for Agents {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn verbs(&self) -> Verbs {
        Verbs { update: true, delete: true, ..Verbs::READ }
    }

    fn not_found(&self, id: &str) -> Error {
        fault::agent_not_found(id)
    }

    /// PARITY: agents are as up as they are: they cannot be switched off. The reply names what was
    /// asked and nothing else.
    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            if ask.asked(at::admin_state_up) == Some(false) {
                return Err(fault::bad_agent(
                    "'admin_state_up' of an agent must be true: agents of OVN cannot be disabled.",
                ));
            }
            if let Some(description) = ask.asked(at::description) {
                let description = description.map_or_else(String::new, |text| text.0);
                call.backend.describe_agent(id(old), &description).await?;
            }
            let mut row = Row::empty(&TABLE);
            for (attr, value) in ask.given() {
                if let Some(index) = TABLE.position(attr.wire) {
                    row.put(index, value.clone());
                }
            }
            Ok(row)
        })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        call.backend.remove_agent(id(old))
    }

    fn is_stored(&self) -> bool {
        false
    }

    fn computed<'a>(
        &'a self,
        call: &'a Call<'a>,
        query: &'a Query,
    ) -> Option<Pending<'a, Vec<Row>>> {
        Some(Box::pin(async move {
            let mut rows: Vec<Row> =
                call.backend.agents().iter().map(|agent| row(&TABLE, &agent.attributes)).collect();
            rows.retain(|row| crate::computed::matches(row, query));
            Ok(rows)
        }))
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

fn id(agent: &Row) -> &str {
    agent.value(at::id.index).as_text().unwrap_or_default()
}

/// What the data plane does not say of an agent is not shown.
fn row(table: &'static Resource, attributes: &serde_json::Map<String, Json>) -> Row {
    let mut row = Row::empty(table);
    for (index, attr) in table.attrs.iter().enumerate() {
        row.put(index, attributes.get(attr.wire).cloned().map_or(Value::Missing, Value::from));
    }
    row
}
