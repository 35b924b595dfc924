//! `Statement`: one buffered write, what it must have done, and the faults of the constraints that
//! it can violate. Not here: when it is sent (`tx`).

use std::borrow::Cow;

use wire::fault::Error;
use wire::value::Value;

/// A statement that changes something.
pub(crate) struct Statement {
    /// With `?` for each parameter.
    pub sql: Cow<'static, str>,
    /// The parameters.
    pub params: Vec<Value>,
    /// By constraint, what its violation means.
    pub faults: Vec<(&'static str, Error)>,
    /// How many rows it must change, and what it means if it does not.
    pub expect: Option<(u64, Error)>,
}

impl Statement {
    /// A statement without expectations.
    pub fn new(sql: impl Into<Cow<'static, str>>, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), params, faults: Vec::new(), expect: None }
    }

    /// The table that an INSERT, UPDATE or DELETE is about; empty for others.
    pub fn table(&self) -> &str {
        let words: Vec<&str> = self.sql.split_whitespace().take(3).collect();
        let name = match words.as_slice() {
            [verb, name, ..] if verb.eq_ignore_ascii_case("UPDATE") => name,
            [_, into, name]
                if into.eq_ignore_ascii_case("INTO") || into.eq_ignore_ascii_case("FROM") =>
            {
                name
            }
            _ => "",
        };
        name.split('(').next().unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_knows_its_table() {
        let table = |sql: &'static str| Statement::new(sql, Vec::new()).table().to_owned();
        assert_eq!(table("INSERT INTO ports(id) VALUES (?)"), "ports");
        assert_eq!(table("update ports set a = 1"), "ports");
        assert_eq!(table("DELETE FROM tags WHERE 1=1"), "tags");
        assert_eq!(table("SELECT 1"), "");
    }
}
