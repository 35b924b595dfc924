//! The one with `ovn-nbctl`: deletes and edits Northbound rows behind everybody's back.

use ovsdb::server::Server;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::dice::Dice;

/// The database.
pub const NORTHBOUND: &str = "OVN_Northbound";

/// Where Debian's `ovn-common` has the schema.
const SCHEMA: &str = "/usr/share/ovn/ovn-nb.ovsschema";

/// An empty Northbound in the process.
pub fn northbound() -> Server {
    let schema = std::fs::read_to_string(SCHEMA)
        .unwrap_or_else(|error| panic!("{SCHEMA} of ovn-common is needed: {error}"));
    Server::start([serde_json::from_str(&schema).unwrap()]).unwrap()
}

/// Tables, and what is done to one of their rows.
const EDITS: [(&str, &str); 8] = [
    ("Logical_Switch_Port", r#"{"addresses":["set",["00:00:5e:00:53:01 192.0.2.1"]]}"#),
    ("Logical_Switch_Port", r#"{"enabled":false,"type":"router"}"#),
    ("Logical_Switch_Port", r#"{"external_ids":["map",[]]}"#),
    ("Logical_Switch", r#"{"ports":["set",[]]}"#),
    ("Logical_Switch", r#"{"external_ids":["map",[["a","b"]]],"other_config":["map",[]]}"#),
    ("ACL", r#"{"match":"1","priority":7}"#),
    ("Port_Group", r#"{"ports":["set",[]]}"#),
    ("Address_Set", r#"{"addresses":["set",["203.0.113.9"]]}"#),
];

/// Tables whose rows can be deleted; of the others a row goes when nothing keeps it.
const DELETED: [&str; 4] = ["Logical_Switch", "DHCP_Options", "Port_Group", "Address_Set"];

/// Does one thing; what it was.
pub fn meddle(server: &Server, dice: &mut Dice) -> String {
    if dice.percent(40) {
        let table = *dice.one(&DELETED).unwrap();
        return change(server, dice, table, None);
    }
    if dice.percent(10) {
        // Rows of others, which nobody here may touch.
        let name = format!("foreign-{}", dice.below(1000));
        let row = json!({ "name": name });
        let insert = json!({ "op": "insert", "table": "Logical_Switch", "row": row });
        server.edit(NORTHBOUND, &[insert]);
        return format!("inserted the switch {name}");
    }
    let (table, row) = *dice.one(&EDITS).unwrap();
    change(server, dice, table, Some(serde_json::from_str(row).unwrap()))
}

/// Changes or deletes any row of a table.
fn change(server: &Server, dice: &mut Dice, table: &str, row: Option<Json>) -> String {
    let uuids: Vec<Uuid> = server
        .rows(NORTHBOUND, table)
        .into_iter()
        .filter(|(_, columns)| !is_foreign(columns))
        .map(|(uuid, _)| uuid)
        .collect();
    let Some(uuid) = dice.one(&uuids) else { return format!("found no {table}") };
    let only = json!([["_uuid", "==", ["uuid", uuid.to_string()]]]);
    let (operation, done) = match &row {
        Some(row) => {
            let update = json!({ "op": "update", "table": table, "where": only, "row": row });
            (update, format!("edited {table} {uuid}: {row}"))
        }
        None => {
            let delete = json!({ "op": "delete", "table": table, "where": only });
            (delete, format!("deleted {table} {uuid}"))
        }
    };
    // It may be refused, as it would be to him.
    server.edit(NORTHBOUND, &[operation]);
    done
}

/// It was inserted by [`meddle`].
pub fn is_foreign(columns: &ovsdb::server::Columns) -> bool {
    let name = columns.get("name").and_then(|name| name.as_one()?.as_str());
    name.is_some_and(|name| name.starts_with("foreign-"))
}
