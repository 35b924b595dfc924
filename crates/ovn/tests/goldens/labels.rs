//! Gives everything that chance or another clock has chosen a label, on both sides in the same way:
//! ids by what they are of, MAC addresses and addresses by the port that has them.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value as Json};

use crate::compare::Labelled;
use crate::rows::{self, Rows};
use crate::whole;

/// A row before it has its label.
struct Row {
    table: String,
    /// How others refer to it.
    reference: String,
    columns: BTreeMap<String, Json>,
}

const ID: &str = "[0-9a-f]{8}([-_])[0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}";
const MAC: &str = "fa:16:3e:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}";

/// The recorded rows.
pub fn recorded(scenario: &Json) -> Labelled {
    let text = scenario["northbound"].to_string();
    let text = text.replace("<Logical_Switch#0>", "<n1>").replace(":_>", ">");
    let tables: Map<String, Json> = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    for (table, rows) in tables {
        for row in rows.as_array().unwrap() {
            let mut columns: BTreeMap<String, Json> = row
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            let reference = columns.remove("_id").unwrap().as_str().unwrap().to_owned();
            // What the row of all filtered ports had before is no part of the record.
            if columns.remove("_changed").is_some() {
                columns.remove("acls");
            }
            found.push(Row { table: table.clone(), reference, columns });
        }
    }
    label(found, scenario)
}

/// The rendered rows.
pub fn rendered(rows: Rows, names: &BTreeMap<String, String>, scenario: &Json) -> Labelled {
    let named = |text: &str| {
        names.iter().fold(text.to_owned(), |text, (name, id)| {
            let label = format!("<{name}>");
            text.replace(id, &label).replace(&id.replace('-', "_"), &label)
        })
    };
    let used = rows.values().flat_map(|row| row.get("ports")).flat_map(|ports| ports.as_array());
    let used: Vec<&Json> = used.flatten().collect();
    let is_filtered = !used.is_empty();
    let mut found = Vec::new();
    for (name, columns) in &rows {
        let drops = name.key.contains("neutron_pg_drop");
        // These were there before each scenario.
        let before = name.table.name() == "NB_Global" || (drops && name.table.name() == "ACL");
        let empty = drops && columns.get("ports").is_none();
        if before || empty || !is_filtered && drops {
            continue;
        }
        let json = serde_json::to_string(columns).unwrap();
        let mut columns: BTreeMap<String, Json> = serde_json::from_str(&named(&json)).unwrap();
        if drops {
            columns.remove("acls");
        }
        // The recorded OVN had no such column, and what a schema lacks is left out.
        if name.table.name() == "DNS" {
            columns.remove("options");
        }
        found.push(Row {
            table: name.table.name().to_owned(),
            reference: named(&rows::reference(name)),
            columns,
        });
    }
    label(found, scenario)
}

fn label(mut rows: Vec<Row>, scenario: &Json) -> Labelled {
    for row in &mut rows {
        tidy(&mut row.columns);
    }
    let known = known(&rows, &whole::bodies(scenario));
    let relabelled = |text: &str| {
        known.iter().fold(text.to_owned(), |text, (from, to)| whole::replace(&text, from, to))
    };
    let mut labels = BTreeMap::new();
    for row in &mut rows {
        let text = relabelled(&serde_json::to_string(&row.columns).unwrap());
        row.columns = serde_json::from_str(&text).unwrap();
        if row.table == "ACL" {
            row.columns.remove("external_ids");
        }
        labels.insert(relabelled(&row.reference), name_of(row));
    }
    let mut labelled = Labelled::new();
    for mut row in rows {
        for value in row.columns.values_mut().filter_map(Json::as_array_mut) {
            for member in value.iter_mut() {
                let label = member.as_str().and_then(|text| labels.get(text));
                if let Some(label) = label {
                    *member = label.clone().into();
                }
            }
            value.sort_by_key(ToString::to_string);
        }
        let before = labelled.insert(name_of(&row), row.columns);
        assert_eq!(before, None, "one label for two rows");
    }
    labelled
}

/// Sets as lists, and nothing that is a default or is written by OVN.
fn tidy(columns: &mut BTreeMap<String, Json>) {
    for (name, value) in columns.iter_mut() {
        if !value.is_array() && !value.is_object() {
            *value = Json::Array(vec![value.take()]);
        }
        if let Some(keys) = value.as_object_mut() {
            keys.remove("nucleon:sync");
        }
        let rule = "neutron:security_group_rule_id";
        assert!(name != "rule" && value.get(rule).is_none_or(Json::is_string));
    }
    let is = |columns: &BTreeMap<String, Json>, name: &str, value: Json| {
        columns.get(name) == Some(&Json::Array(vec![value]))
    };
    for (name, default) in
        [("log", Json::from(false)), ("label", 0.into()), ("up", false.into()), ("type", "".into())]
    {
        if is(columns, name, default) {
            columns.remove(name);
        }
    }
    if columns.contains_key("tag_request") && columns.get("tag") == columns.get("tag_request") {
        columns.remove("tag");
    }
}

/// What stands for something that was chosen by chance, and its label.
fn known(rows: &[Row], calls: &str) -> Vec<(String, String)> {
    let id = Regex::new(&format!("^(provnet-)?({ID})$")).unwrap();
    let text = |row: &Row, column: &str| {
        row.columns.get(column).map(|value| value[0].as_str().unwrap_or("").to_owned())
    };
    let mut known: Vec<(String, String)> = Vec::new();
    let mut learn = |from: &str, to: String| known.push((from.to_owned(), to));
    for row in rows.iter().filter(|row| row.table == "Port_Group") {
        let group = row
            .columns
            .get("external_ids")
            .and_then(|ids| ids["neutron:security_group_id"].as_str());
        if let Some(group) = group.filter(|group| id.is_match(group)) {
            learn(group, "<default>".into());
            learn(&group.replace('-', "_"), "<default>".into());
        }
    }
    for row in rows.iter().filter(|row| row.table == "Logical_Switch_Port") {
        let name = text(row, "name").unwrap();
        let kind = text(row, "type").unwrap_or_default();
        let label = match (kind.as_str(), id.captures(&name)) {
            ("localport", Some(id)) => {
                learn(&id[2], "<metadata>".into());
                "<metadata>".to_owned()
            }
            ("localnet", Some(id)) => {
                let physical = row.columns["options"]["network_name"].as_str().unwrap();
                learn(&id[2], format!("<segment {physical}>"));
                continue;
            }
            ("localnet", None) => {
                let physical = row.columns["options"]["network_name"].as_str().unwrap();
                learn(name.strip_prefix("provnet-").unwrap(), format!("<segment {physical}>"));
                continue;
            }
            _ => name,
        };
        addresses(row, &label, calls, &mut learn);
    }
    let mac = Regex::new(&format!("^{MAC}$")).unwrap();
    for row in rows.iter().filter(|row| row.table == "DHCP_Options") {
        for key in ["server_mac", "server_id"] {
            let value = row.columns.get("options").and_then(|options| options[key].as_str());
            if let Some(value) = value.filter(|value| mac.is_match(value)) {
                learn(value, "<server mac>".into());
            }
        }
    }
    // The project of the record and ours.
    learn("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "<project>".into());
    learn("\"neutron:project_id\":\"admin\"", "\"neutron:project_id\":\"<project>\"".into());
    known
}

/// The MAC address and the addresses of a port, unless the calls have named them.
fn addresses(row: &Row, label: &str, calls: &str, learn: &mut impl FnMut(&str, String)) {
    let mac = Regex::new(MAC).unwrap();
    let columns = ["addresses", "port_security"].map(|name| row.columns.get(name));
    let all: String = columns.into_iter().flatten().map(ToString::to_string).collect();
    let named = |text: &str| whole::contains(calls, text);
    for found in mac.find_iter(&all).map(|found| found.as_str().to_owned()) {
        if !named(&found) {
            learn(&found, format!("<mac of {label}>"));
        }
    }
    let cidrs = row.columns.get("external_ids").and_then(|ids| ids["neutron:cidrs"].as_str());
    for cidr in cidrs.unwrap_or_default().split_whitespace() {
        let (address, _) = cidr.split_once('/').unwrap();
        // The services of a network have the first free addresses, everybody else any.
        let by_chance = label != "<metadata>" || address.contains(':');
        let owner = row.columns["external_ids"]["neutron:device_owner"].as_str().unwrap();
        if by_chance && !owner.starts_with("network:dhcp") && !named(address) {
            let version = if address.contains(':') { 6 } else { 4 };
            learn(address, format!("<ip{version} of {label}>"));
        }
    }
}

/// What a row is called: its table, and what tells it from others there.
fn name_of(row: &Row) -> String {
    let key = match row.table.as_str() {
        "ACL" => row.columns["match"][0].as_str().unwrap().to_owned(),
        "DHCP_Options" => {
            let ids = &row.columns["external_ids"];
            let port = ids["port_id"].as_str().map(|port| format!(" {port}"));
            format!("{}{}", ids["subnet_id"].as_str().unwrap(), port.unwrap_or_default())
        }
        "DNS" => row.columns["external_ids"]["ls_name"].as_str().unwrap().to_owned(),
        _ => row.columns["name"][0].as_str().unwrap().to_owned(),
    };
    format!("{} {key}", row.table)
}
