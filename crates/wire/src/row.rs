//! `Row`: one stored record, its values in the order of its table. Not here: how it is stored
//! (`sql`).

use crate::attr::{At, Resource, Wire};
use crate::types::Id;
use crate::value::Value;

/// One record of a kind: `values[i]` belongs to `table.attrs[i]`.
#[derive(Clone, Debug)]
pub struct Row {
    /// The kind.
    pub table: &'static Resource,
    /// The values, in the table's order.
    pub values: Vec<Value>,
}

/// A kind's plain struct, made from a row and turned back into one. Implemented by `resource!`.
pub trait Record: Sized {
    /// The struct with each attribute loaded; a damaged one reads as empty (see [`Row::get`]).
    fn load(row: &Row) -> Self;
    /// The row.
    fn store(&self) -> Row;
}

impl Row {
    /// A row with nothing chosen.
    pub fn empty(table: &'static Resource) -> Self {
        Self { table, values: vec![Value::Missing; table.attrs.len()] }
    }

    /// The attribute's value. One that does not convert reads as empty and is reported,
    /// so that a single damaged column never makes a record unreadable.
    pub fn get<T: Wire>(&self, at: At<T>) -> T {
        let value = self.value(at.index);
        if value.is_missing() {
            // Not read, or computed: nothing is damaged.
            return T::empty();
        }
        T::load(value).unwrap_or_else(|| {
            let id = self.values.first().and_then(|id| id.as_text()).unwrap_or("");
            tracing::warn!(
                target: "nucleon::damaged",
                collection = self.table.many,
                attribute = at.name,
                id,
                "a stored value does not convert and reads as empty; run `nucleon db check`"
            );
            T::empty()
        })
    }

    /// Sets the attribute.
    pub fn set<T: Wire>(&mut self, at: At<T>, value: T) {
        self.put(at.index, value.store());
    }

    /// The raw value at a position of the table.
    pub fn value(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Missing)
    }

    /// Sets the raw value at a position of the table.
    pub fn put(&mut self, index: usize, value: Value) {
        if let Some(slot) = self.values.get_mut(index) {
            *slot = value;
        }
    }

    /// The value of an attribute by its wire name.
    pub fn named(&self, wire: &str) -> Option<&Value> {
        self.table.position(wire).map(|index| self.value(index))
    }

    /// The `id` attribute, nil in a table that has none.
    pub fn id(&self) -> Id {
        self.named("id").and_then(Id::load).unwrap_or_else(Id::empty)
    }

    /// The owning project, empty in a table without one.
    pub fn project_id(&self) -> &str {
        self.named("project_id").and_then(Value::as_text).unwrap_or("")
    }
}
