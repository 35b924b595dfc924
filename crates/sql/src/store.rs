//! Rows of a kind on their way into their table: insert, update as compare-and-swap, delete.
//! Not here: reading (`select`, `list`); child tables, which are the model's.

use wire::attr::Wire as _;
use wire::attr::{Attr, Column, Resource, Source};
use wire::fault::{Error, Result};
use wire::row::Row;
use wire::types::Id;
use wire::value::Value;

use crate::dialect;
use crate::tx::{Tx, Write};

/// The attributes that are columns of the kind's own table, with their positions.
fn columns(table: &'static Resource) -> impl Iterator<Item = (usize, &'static Attr)> {
    let stored = |(_, attr): &(usize, &Attr)| matches!(attr.verbs.source, Source::Column);
    table.attrs.iter().enumerate().filter(stored)
}

/// The value as its column keeps it.
fn stored(row: &Row, index: usize, attr: &Attr) -> Result<Value> {
    match row.value(index) {
        Value::Missing => Err(Error::internal(format!(
            "nobody has chosen '{}' of a {}, so it cannot be stored",
            attr.field, row.table.one
        ))),
        Value::Null => Ok(Value::Null),
        value if attr.column == Column::Json => Ok(Value::json(value.to_json())),
        value => Ok(value.clone()),
    }
}

impl Tx {
    /// Buffers the insert of a row.
    ///
    /// # Errors
    /// `Internal` for a row with a column that nobody has chosen.
    pub fn insert(&self, row: &Row) -> Result<Write> {
        let mut names = Vec::new();
        let mut params = Vec::new();
        for (index, attr) in columns(row.table) {
            names.push(attr.field);
            params.push(stored(row, index, attr)?);
        }
        Ok(self.exec(dialect::insert(row.table.table, &names, 1), params))
    }

    /// Buffers the update of the columns that differ, if the row still has the revision number of
    /// `old`; otherwise the transaction is run again. `new` has the next number and time already.
    ///
    /// # Errors
    /// `Internal` for a row with a column that nobody has chosen.
    pub fn update(&self, old: &Row, new: &Row) -> Result<Write> {
        let mut changes = Vec::new();
        let mut params = Vec::new();
        for (index, attr) in columns(new.table) {
            if old.value(index) != new.value(index) {
                changes.push(format!("{} = ?", attr.field));
                params.push(stored(new, index, attr)?);
            }
        }
        if changes.is_empty() {
            return Ok(self.nothing());
        }
        let (table, changes) = (new.table.table, changes.join(", "));
        let mut sql = format!("UPDATE {table} SET {changes} WHERE id = ?");
        params.push(old.id().store());
        let revision = columns(new.table).find(|(_, attr)| attr.field == "revision_number");
        if let Some((index, attr)) = revision {
            sql.push_str(" AND revision_number = ?");
            params.push(stored(old, index, attr)?);
        }
        Ok(self.exec(sql, params).expect(1, Error::Retry("the row was changed or deleted")))
    }

    /// Buffers the removal of a row; if it is gone already the transaction is run again.
    ///
    /// # Errors
    /// None; the same shape as its neighbours.
    pub fn delete(&self, table: &'static Resource, id: Id) -> Result<Write> {
        let sql = format!("DELETE FROM {} WHERE id = ?", table.table);
        Ok(self.exec(sql, vec![id.store()]).expect(1, Error::Retry("the row is gone")))
    }
}
