//! `Schema`: the names of unique constraints, read from the migrations, for engines that report a
//! violation by columns or by table. Not here: applying migrations (`migrate`).

use std::collections::HashMap;

/// Names of unique constraints and primary keys.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    /// `table.a, table.b`, as SQLite reports them → constraint.
    by_columns: HashMap<String, String>,
    /// Table → its primary key's constraint.
    primary: HashMap<String, String>,
}

impl Schema {
    /// Reads the DDL of all migrations.
    pub fn read<'a>(migrations: impl Iterator<Item = &'a str>) -> Self {
        let mut schema = Self::default();
        for ddl in migrations {
            let mut table = String::new();
            for line in ddl.lines().map(str::trim) {
                schema.line(line, &mut table);
            }
        }
        schema
    }

    fn line(&mut self, line: &str, table: &mut String) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["CREATE" | "ALTER", "TABLE", name, ..] => {
                *table = name.trim_end_matches('(').to_owned();
                if let Some(at) = line.find("CONSTRAINT ") {
                    let rest = line.get(at..).unwrap_or("");
                    self.line(rest, table);
                }
            }
            ["CONSTRAINT", name, "UNIQUE", ..] => self.add(table, line, name),
            ["CONSTRAINT", name, "PRIMARY", ..] => {
                self.primary.insert(table.clone(), (*name).to_owned());
                self.add(table, line, name);
            }
            ["CREATE", "UNIQUE", "INDEX", name, "ON", of, ..] => {
                let of = of.split('(').next().unwrap_or(of);
                self.add(of, line, name);
            }
            _ => {}
        }
    }

    fn add(&mut self, table: &str, line: &str, name: &str) {
        let columns = line.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let Some((columns, _)) = columns else { return };
        let columns: Vec<String> =
            columns.split(',').map(|column| format!("{table}.{}", column.trim())).collect();
        self.by_columns.insert(columns.join(", "), name.to_owned());
    }

    /// The constraint over these columns, as SQLite names them.
    pub fn of_columns(&self, columns: &str) -> Option<&str> {
        self.by_columns.get(columns).map(String::as_str)
    }

    /// The constraint that is this table's primary key.
    pub fn primary_key(&self, table: &str) -> Option<&str> {
        self.primary.get(table).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_found_by_their_columns_and_by_table() {
        let ddl = "CREATE TABLE ports (\n  id VARCHAR(36),\n  \
            CONSTRAINT pk_ports PRIMARY KEY (id),\n  \
            CONSTRAINT uq_ports_mac UNIQUE (network_id, mac_address)\n);\n\
            CREATE UNIQUE INDEX uq_ports_name ON ports (name);";
        let schema = Schema::read([ddl].into_iter());
        let of = |columns| schema.of_columns(columns);
        assert_eq!(of("ports.network_id, ports.mac_address"), Some("uq_ports_mac"));
        assert_eq!(of("ports.name"), Some("uq_ports_name"));
        assert_eq!(of("ports.id"), Some("pk_ports"));
        assert_eq!(schema.primary_key("ports"), Some("pk_ports"));
        assert_eq!(of("ports.mac_address"), None);
    }
}
