//! A Northbound in the process, and what is done with it.

use std::collections::BTreeMap;

use ovn::apply::{self, Observed, Plan, Write};
use ovn::diff::{self, Difference};
use ovn::owned;
use ovn::want::{RowName, Wants};
use ovsdb::client::{Client, Options};
use ovsdb::error::TransactError;
use ovsdb::remote::Remote;
use ovsdb::server::{Columns, Server};
use ovsdb::transaction::{Outcome, Transaction};
use ovsdb::value::Datum;
use serde_json::{Value as Json, json};
use sql::Mark;
use uuid::Uuid;

const NORTHBOUND: &str = "OVN_Northbound";
const SCHEMA: &str = "/usr/share/ovn/ovn-nb.ovsschema";

pub struct Bench {
    server: Server,
    pub client: Client,
}

impl Bench {
    pub async fn start() -> Self {
        let schema = std::fs::read_to_string(SCHEMA).expect("the package ovn-central");
        let server = Server::start([serde_json::from_str(&schema).unwrap()]).unwrap();
        let mut options = Options::new(Remote::parse_list(server.remote()).unwrap(), NORTHBOUND);
        options.tables = owned::monitored();
        options.indexes = owned::indexes();
        let client = Client::start(options);
        client.connected().await;
        Self { server, client }
    }

    /// Until the replica shows what was edited by hand.
    pub async fn settle(&self) {
        let mut nothing = Transaction::new();
        nothing.comment("in step?");
        self.client.transact(&nothing).await.unwrap();
    }

    pub fn edit(&self, operation: &Json) {
        let result = self.server.edit(NORTHBOUND, std::slice::from_ref(operation));
        assert!(!result.to_string().contains("error"), "{result}");
    }

    pub fn diff(&self, units: &[(Mark, Wants)]) -> Vec<Difference> {
        let replica = self.client.read().unwrap();
        let units: Vec<_> = units.iter().map(|(mark, wants)| (*mark, wants)).collect();
        diff::diff(&units, &replica)
    }

    pub fn observed(&self, mark: Mark) -> Observed {
        Observed::of(mark, &self.client.read().unwrap())
    }

    /// Those units that do not wait, as one transaction.
    pub fn plan(&self, units: &[(Mark, Wants)], observed: &[Observed]) -> Plan {
        let differences = self.diff(units);
        let replica = self.client.read().unwrap();
        let mut writes = Vec::new();
        for (((mark, wants), observed), difference) in units.iter().zip(observed).zip(differences) {
            if let Difference::Edits(edits) = difference {
                let token = (Uuid::new_v4().as_u128() >> 65).to_string();
                writes.push(Write { mark: *mark, wants, observed, edits, token });
            }
        }
        apply::plan(&writes, &replica)
    }

    pub async fn send(
        &self,
        units: &[(Mark, Wants)],
        observed: &[Observed],
    ) -> Result<Vec<Outcome>, TransactError> {
        let plan = self.plan(units, observed);
        let outcomes = self.client.transact(&plan.transaction).await?;
        assert!(plan.missed(&outcomes).is_empty(), "operations without a row");
        Ok(outcomes)
    }

    pub async fn bring_in_line(&self, units: &[(Mark, Wants)]) {
        self.settle().await;
        let observed: Vec<Observed> = units.iter().map(|(mark, _)| self.observed(*mark)).collect();
        self.send(units, &observed).await.unwrap();
    }

    pub async fn uuid_of(&self, row: &RowName) -> Uuid {
        self.settle().await;
        owned::find(&self.client.read().unwrap(), row).unwrap()
    }

    pub fn cell(&self, table: &str, uuid: Uuid, column: &str) -> Datum {
        self.client.read().unwrap().row(table, uuid).unwrap().get(column).clone()
    }

    pub fn count(&self, table: &str) -> usize {
        self.server.rows(NORTHBOUND, table).len()
    }

    /// Rows that no unit has, and that refer to each other.
    pub async fn foreign_rows(&self) {
        for operation in [
            json!({"op": "insert", "table": "Logical_Switch", "row": {"name": "foreign"}}),
            json!({"op": "insert", "table": "Address_Set", "row": {"name": "theirs"}}),
            json!({"op": "insert", "table": "Port_Group", "row": {"name": "pg_theirs"}}),
            json!({"op": "insert", "table": "DHCP_Options", "row": {"cidr": "192.0.2.0/24"}}),
            json!({"op": "insert", "table": "DNS", "row": {"records": ["map", [["a", "b"]]]}}),
            json!({"op": "insert", "table": "HA_Chassis_Group", "row": {"name": "neutron-x"}}),
        ] {
            self.edit(&operation);
        }
        self.settle().await;
    }

    /// What there is of them.
    pub fn foreign(&self) -> BTreeMap<Uuid, Columns> {
        let tables = [
            "Logical_Switch",
            "Address_Set",
            "Port_Group",
            "DHCP_Options",
            "DNS",
            "HA_Chassis_Group",
        ];
        let replica = self.client.read().unwrap();
        let rows = tables.iter().flat_map(|table| self.server.rows(NORTHBOUND, table));
        rows.filter(|(uuid, _)| {
            tables.iter().any(|name| {
                let table = ovn::nb::Table::named(name).unwrap();
                let row = replica.row(name, *uuid);
                row.is_some_and(|row| owned::unit_of(&replica, table, *uuid, row).is_none())
            })
        })
        .collect()
    }
}
