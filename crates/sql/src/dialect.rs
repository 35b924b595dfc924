//! `Dialect`: the few places where the three engines differ in what they are told.
//! Not here: how they are spoken to (`engine`).

use wire::attr::{Child, Column};

/// Which SQL a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
}

impl Dialect {
    /// Portable DDL as the statements of this dialect. Each of MariaDB's can be repeated, since it
    /// commits every one by itself.
    pub fn statements(self, portable: &str) -> Vec<String> {
        let code: Vec<&str> =
            portable.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let mut statements: Vec<String> = Vec::new();
        let mut text = String::new();
        for line in code {
            text.push_str(line);
            if let Some(whole) = text.trim_end().strip_suffix(';') {
                statements.push(self.statement(whole.trim()));
                text.clear();
            } else {
                text.push('\n');
            }
        }
        if !text.trim().is_empty() {
            statements.push(self.statement(text.trim()));
        }
        statements
    }

    fn statement(self, portable: &str) -> String {
        match self {
            Self::Sqlite => portable.replace("JSONTEXT", "TEXT"),
            Self::Postgres => collated(&portable.replace("JSONTEXT", "TEXT")),
            Self::Mariadb => repeatable(&portable.replace("JSONTEXT", "LONGTEXT")),
        }
    }

    /// `?` as this dialect writes its `number`th parameter.
    pub fn placeholders(self, sql: &str) -> String {
        if self != Self::Postgres {
            return sql.to_owned();
        }
        let mut out = String::with_capacity(sql.len() + 16);
        let (mut number, mut quote) = (0, None);
        for letter in sql.chars() {
            match (quote, letter) {
                (None, '?') => {
                    number += 1;
                    out.push('$');
                    out.push_str(&number.to_string());
                    continue;
                }
                (None, '\'' | '"') => quote = Some(letter),
                (Some(open), _) if open == letter => quote = None,
                _ => {}
            }
            out.push(letter);
        }
        out
    }

    /// An insert that does nothing where a row with the same unique key is there already. Only that
    /// is ignored: other violations are still errors.
    pub fn insert_ignore(self, table: &str, columns: &[&str], rows: usize) -> String {
        let mut sql = insert(table, columns, rows);
        match (self, columns.first()) {
            (Self::Mariadb, Some(key)) => {
                sql.push_str(&format!(" ON DUPLICATE KEY UPDATE {key} = {table}.{key}"));
            }
            _ => sql.push_str(" ON CONFLICT DO NOTHING"),
        }
        sql
    }

    /// An insert that overwrites `changed` where a row with the same `key` is there already.
    pub fn upsert(
        self,
        table: &str,
        columns: &[&str],
        key: &[&str],
        changed: &[&str],
        rows: usize,
    ) -> String {
        let mut sql = insert(table, columns, rows);
        let new = |column: &&str| match self {
            Self::Mariadb => format!("{column} = VALUES({column})"),
            _ => format!("{column} = excluded.{column}"),
        };
        let changes = changed.iter().map(new).collect::<Vec<_>>().join(", ");
        match self {
            Self::Mariadb => sql.push_str(" ON DUPLICATE KEY UPDATE "),
            _ => sql.push_str(&format!(" ON CONFLICT ({}) DO UPDATE SET ", key.join(", "))),
        }
        sql.push_str(&changes);
        sql
    }

    /// True where `column` contains the next parameter. No wildcards, hence nothing to escape.
    pub fn contains(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("strpos({column}, ?) > 0"),
            _ => format!("instr({column}, ?) > 0"),
        }
    }

    /// A sort key: nulls come first upwards and last downwards, as MariaDB has them.
    pub(crate) fn order(self, key: &str, descending: bool) -> String {
        match (self, descending) {
            (Self::Postgres, false) => format!("{key} ASC NULLS FIRST"),
            (Self::Postgres, true) => format!("{key} DESC NULLS LAST"),
            (_, false) => format!("{key} ASC"),
            (_, true) => format!("{key} DESC"),
        }
    }

    /// The rows of a child table that belong to `t`, as JSON text; null where there are none.
    pub(crate) fn children(self, child: &Child) -> String {
        match child.kept {
            Some(column) if self == Self::Sqlite => format!("t.{column}"),
            _ => self.gathered(child, "t"),
        }
    }

    /// The same, read from the child table; the parent is `of`.
    pub(crate) fn gathered(self, child: &Child, of: &str) -> String {
        let (object, list, cast) = match self {
            Self::Sqlite => ("json_object", "json_group_array", ""),
            Self::Postgres => ("json_build_object", "json_agg", "::text"),
            Self::Mariadb => ("JSON_OBJECT", "JSON_ARRAYAGG", ""),
        };
        let item = match child.keys {
            [(key, _)] if child.flat => format!("c.{key}"),
            keys => {
                let pair = |(key, _): &(&str, Column)| format!("'{key}', c.{key}");
                format!("{object}({})", keys.iter().map(pair).collect::<Vec<_>>().join(", "))
            }
        };
        let Child { table, parent, order, .. } = child;
        match self {
            // Aggregates see the rows of a subquery in its order. Their own ORDER BY would make
            // a temporary table for each parent, which takes longer than to read all of it.
            Self::Sqlite => format!(
                "(SELECT {list}({item}) FROM \
                 (SELECT * FROM {table} WHERE {parent} = {of}.id ORDER BY {order}) c)"
            ),
            _ => format!(
                "(SELECT {list}({item} ORDER BY c.{order}){cast} FROM {table} c \
                 WHERE c.{parent} = {of}.id)"
            ),
        }
    }
}

/// `INSERT INTO table (columns) VALUES (?, …), …`.
pub(crate) fn insert(table: &str, columns: &[&str], rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let rows = vec![row.as_str(); rows].join(", ");
    format!("INSERT INTO {table} ({}) VALUES {rows}", columns.join(", "))
}

/// Text compares byte by byte on PostgreSQL too, whatever the database's locale is.
fn collated(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() * 2);
    let mut rest = sql;
    while let Some(at) = rest.find("VARCHAR(") {
        let (before, type_on) = rest.split_at(at);
        let end = type_on.find(')').map_or(type_on.len(), |end| end + 1);
        let (kind, after) = type_on.split_at(end);
        out.push_str(before);
        out.push_str(kind);
        out.push_str(" COLLATE \"C\"");
        rest = after;
    }
    out.push_str(rest);
    out
}

/// MariaDB's storage and collation (exact: case and trailing spaces count), and `IF NOT EXISTS`.
fn repeatable(sql: &str) -> String {
    let mut out = sql
        .replace("ADD COLUMN ", "ADD COLUMN IF NOT EXISTS ")
        .replace("DROP COLUMN ", "DROP COLUMN IF EXISTS ");
    for (plain, safe) in [
        ("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS "),
        ("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS "),
        ("CREATE UNIQUE INDEX ", "CREATE UNIQUE INDEX IF NOT EXISTS "),
        ("DROP TABLE ", "DROP TABLE IF EXISTS "),
    ] {
        if let Some(rest) = out.strip_prefix(plain)
            && !rest.starts_with("IF ")
        {
            out = format!("{safe}{rest}");
        }
    }
    if out.starts_with("CREATE TABLE ") {
        out.push_str(" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DDL: &str = "-- A comment; with a semicolon;\nCREATE TABLE a (\n  id VARCHAR(36) NOT NULL,\
        \n  -- inside;\n  j JSONTEXT NOT NULL\n);\nCREATE UNIQUE INDEX uq_a ON a (j);\n";

    #[test]
    fn portable_ddl_becomes_the_statements_of_each_dialect() {
        let sqlite = Dialect::Sqlite.statements(DDL);
        assert_eq!(sqlite.len(), 2);
        assert!(sqlite[0].contains("j TEXT NOT NULL"), "{}", sqlite[0]);
        let postgres = Dialect::Postgres.statements(DDL);
        assert!(postgres[0].contains("id VARCHAR(36) COLLATE \"C\" NOT NULL"), "{}", postgres[0]);
        let mariadb = Dialect::Mariadb.statements(DDL);
        assert!(mariadb[0].starts_with("CREATE TABLE IF NOT EXISTS a ("), "{}", mariadb[0]);
        assert!(mariadb[0].ends_with("COLLATE=utf8mb4_nopad_bin"), "{}", mariadb[0]);
        assert!(mariadb[0].contains("j LONGTEXT"), "{}", mariadb[0]);
        assert_eq!(mariadb[1], "CREATE UNIQUE INDEX IF NOT EXISTS uq_a ON a (j)");
    }

    #[test]
    fn a_question_mark_in_a_literal_is_no_parameter() {
        let sql = "SELECT '?', \"a?\", 'it''s ?' FROM t WHERE a = ? AND b = ?";
        assert_eq!(
            Dialect::Postgres.placeholders(sql),
            "SELECT '?', \"a?\", 'it''s ?' FROM t WHERE a = $1 AND b = $2"
        );
    }
}
