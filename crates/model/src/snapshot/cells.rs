//! Reading the cells of raw rows in their order, and rows by many keys. A cell that does not
//! convert reads as empty: one damaged value must not keep a whole batch from being rendered.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use sql::Tx;
use wire::attr::Wire;
use wire::fault::Result;
use wire::types::Id;
use wire::value::Value;

/// The most keys in one statement.
const MOST_KEYS: usize = 1024;

/// The cells of a row that are still to be read.
pub struct Cells<'a> {
    rest: std::slice::Iter<'a, Value>,
}

impl<'a> Cells<'a> {
    /// All cells of a row.
    pub fn of(row: &'a [Value]) -> Self {
        Self { rest: row.iter() }
    }

    fn next(&mut self) -> &'a Value {
        self.rest.next().unwrap_or(&Value::Null)
    }

    /// An id; `None` also where there is something else.
    pub fn id(&mut self) -> Option<Id> {
        Id::load(self.next())
    }

    /// A text, empty for null.
    pub fn text(&mut self) -> String {
        self.next().as_text().unwrap_or_default().to_owned()
    }

    /// A number, 0 for null.
    pub fn number(&mut self) -> i64 {
        self.next().as_int().unwrap_or(0)
    }

    /// A number or null.
    pub fn maybe_number(&mut self) -> Option<i64> {
        self.next().as_int()
    }

    /// A truth value; some engines keep them as numbers.
    pub fn flag(&mut self) -> bool {
        match self.next() {
            Value::Bool(truth) => *truth,
            Value::Int(number) => *number != 0,
            _ => false,
        }
    }

    /// A value of a type of the wire, `None` for null and for what does not convert.
    pub fn read<T: Wire>(&mut self) -> Option<T> {
        match self.next() {
            value if value.is_null() => None,
            value => T::load(value),
        }
    }

    /// A value or null, and `None` for what does not convert: for what must not vanish unseen.
    pub fn strict<T: Wire>(&mut self) -> Option<Option<T>> {
        match self.next() {
            value if value.is_null() => Some(None),
            value => T::load(value).map(Some),
        }
    }

    /// JSON that reads as a type of the wire; empty for null and for what does not convert.
    pub fn json<T: Wire>(&mut self) -> T {
        let json = match self.next() {
            Value::Json(json) => Json::clone(json),
            Value::Text(text) => serde_json::from_str(text).unwrap_or(Json::Null),
            _ => Json::Null,
        };
        T::load(&Value::json(json)).unwrap_or_else(T::empty)
    }
}

/// The rows of a statement that has `{keys}` in place of a list of ids. One statement, or a few for
/// very many ids; lists are padded to a few lengths so that statements stay prepared.
pub async fn by_ids(tx: &Tx, sql: &str, ids: &BTreeSet<Id>) -> Result<Vec<Vec<Value>>> {
    let keys: Vec<Value> = ids.iter().map(Wire::store).collect();
    by_keys(tx, sql, &keys).await
}

/// As [`by_ids`], for keys of any type.
pub async fn by_keys(tx: &Tx, sql: &str, keys: &[Value]) -> Result<Vec<Vec<Value>>> {
    let mut found = Vec::new();
    for chunk in keys.chunks(MOST_KEYS) {
        let mut params = chunk.to_vec();
        if let Some(last) = chunk.last() {
            let length = [1, 4, 16, 64, 256, MOST_KEYS].into_iter().find(|n| *n >= chunk.len());
            params.resize(length.unwrap_or(chunk.len()), last.clone());
        }
        let list = vec!["?"; params.len()].join(", ");
        found.extend(tx.rows(&sql.replace("{keys}", &list), &params).await?);
    }
    Ok(found)
}
