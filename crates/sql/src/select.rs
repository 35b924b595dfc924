//! Reading rows of a kind: which columns and expressions, and what their cells become.
//! Not here: filters, order and pages (`list`).

use std::sync::Arc;

use serde_json::Value as Json;
use wire::attr::{Attr, Child, Column, Resource, Source, Wire as _};
use wire::fault::Result;
use wire::row::Row;
use wire::types::Id;
use wire::value::Value;

use crate::dialect::Dialect;
use crate::engine::Cells;
use crate::stats::{Counters, count};
use crate::tx::Tx;

/// For whom is read: `:project` of the tables' expressions, and whether he sees everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The caller's project.
    pub project_id: String,
    /// Rows of others too, whatever the table's `visible` says.
    pub all: bool,
}

/// SQL with its parameters, growing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    pub text: String,
    pub params: Vec<Value>,
}

impl Sql {
    /// Appends SQL without parameters.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends an expression of a table, with the caller's project for each `:project`.
    pub fn push_for(&mut self, expression: &str, scope: &Scope) {
        let mut parts = expression.split(":project");
        self.push(parts.next().unwrap_or(""));
        for part in parts {
            self.push("?");
            self.push(part);
            self.params.push(Value::text(&*scope.project_id));
        }
    }

    /// Appends SQL with these parameters.
    pub fn bind(&mut self, text: &str, params: impl IntoIterator<Item = Value>) {
        self.push(text);
        self.params.extend(params);
    }
}

/// `SELECT … FROM … JOIN …` of a kind, up to the condition.
#[derive(Debug)]
pub(crate) struct Select {
    table: &'static Resource,
    /// The positions of the attributes that are read, in the order of the columns.
    read: Vec<usize>,
    /// With `?` for the caller's project, so many times.
    sql: String,
    projects: usize,
}

impl Select {
    /// Reads the attributes with these wire names, and those that are always needed; with no names,
    /// all.
    pub fn of(dialect: Dialect, table: &'static Resource, fields: &[String]) -> Self {
        let asked: Vec<usize> = fields.iter().filter_map(|name| table.position(name)).collect();
        let wanted = |index: usize, attr: &Attr| {
            fields.is_empty()
                || asked.contains(&index)
                || attr.verbs.policy
                || matches!(attr.wire, "id" | "project_id")
        };
        let mut read = Vec::new();
        let mut columns = Vec::new();
        for (index, attr) in table.attrs.iter().enumerate() {
            if let (true, Some(column)) = (wanted(index, attr), expression(dialect, attr)) {
                read.push(index);
                columns.push(column);
            }
        }
        let sql = format!("SELECT {} {}", columns.join(", "), from(table));
        let projects = sql.matches(":project").count();
        Self { table, read, sql: sql.replace(":project", "?"), projects }
    }

    /// The statement so far, for this caller.
    pub fn start(&self, scope: &Scope) -> Sql {
        let mut sql = Sql::default();
        // Room for the condition: the text is long and grows otherwise by copying.
        sql.text.reserve(self.sql.len() + 256);
        sql.bind(&self.sql, vec![Value::text(&*scope.project_id); self.projects]);
        sql
    }

    /// The rows that these cells are.
    pub fn rows(&self, cells: Cells, counters: &Counters) -> Vec<Row> {
        cells.into_iter().map(|cells| self.row(cells, counters)).collect()
    }

    fn row(&self, cells: Vec<Value>, counters: &Counters) -> Row {
        let attrs = self.table.attrs;
        let mut row = Row { table: self.table, values: Vec::with_capacity(attrs.len()) };
        for (&index, cell) in self.read.iter().zip(cells) {
            let Some(attr) = attrs.get(index) else { continue };
            let value = decoded(attr, cell).unwrap_or_else(|| {
                count(&counters.damaged);
                tracing::warn!(
                    target: "nucleon::damaged",
                    collection = self.table.many,
                    attribute = attr.field,
                    id = %row.id(),
                    "a stored value does not convert and reads as empty; run `nucleon db check`"
                );
                (attr.empty)()
            });
            while row.values.len() < index {
                // What is not read is missing.
                row.values.push(Value::Missing);
            }
            row.values.push(value);
        }
        row.values.resize(attrs.len(), Value::Missing);
        row
    }
}

/// `FROM … JOIN …` of a kind.
pub(crate) fn from(table: &Resource) -> String {
    let join = if table.join.is_empty() { "" } else { " " };
    format!("FROM {} t{join}{}", table.table, table.join)
}

/// Where an attribute's value is read from; `None` for one that is not stored.
pub(crate) fn expression(dialect: Dialect, attr: &Attr) -> Option<String> {
    match attr.verbs.source {
        Source::Column => Some(format!("t.{}", attr.field)),
        Source::Sql(expression) => Some(format!("({expression})")),
        Source::Child(child) => Some(dialect.children(child)),
        Source::Computed | Source::Ask => None,
    }
}

/// Appends ` AND` and the condition under which the caller sees a row.
pub(crate) fn seen(sql: &mut Sql, table: &Resource, scope: &Scope) {
    if !scope.all && table.visible != "1=1" {
        sql.push(" AND (");
        sql.push_for(table.visible, scope);
        sql.push(")");
    }
}

/// What a cell means as the attribute's value; `None`: it is damaged.
fn decoded(attr: &Attr, cell: Value) -> Option<Value> {
    let child = match attr.verbs.source {
        Source::Child(child) => Some(child),
        _ => None,
    };
    let value = match (cell, attr.column, child) {
        (Value::Null, _, Some(_)) => return Some(Value::json(Vec::<Json>::new())),
        (Value::Text(text), _, Some(child)) => children(&text, child)?,
        (Value::Null, ..) => Value::Null,
        (Value::Int(number @ (0 | 1)), Column::Bool, _) => return Some(Value::Bool(number == 1)),
        (Value::Int(number), Column::Int, _) => return Some(Value::Int(number)),
        (Value::Text(text), Column::Text(_), _) => return Some(Value::Text(text)),
        (Value::Text(text), Column::Json, _) => {
            Value::from(serde_json::from_str::<Json>(&text).ok()?)
        }
        _ => return None,
    };
    (attr.sound)(&value).then_some(value)
}

/// The JSON list of a child table, with the types of its columns, which SQL does not keep.
fn children(text: &str, child: &Child) -> Option<Value> {
    let mut json: Json = serde_json::from_str(text).ok()?;
    let is_lost = |(_, column): &&(&str, Column)| matches!(column, Column::Bool | Column::Json);
    for item in json.as_array_mut()? {
        for (key, column) in child.keys.iter().filter(is_lost) {
            let place = if child.flat { Some(&mut *item) } else { item.get_mut(*key) };
            let Some(place) = place else { continue };
            match (column, &*place) {
                (Column::Bool, Json::Number(number)) => {
                    *place = (number.as_i64() != Some(0)).into()
                }
                (Column::Json, Json::String(text)) => *place = serde_json::from_str(text).ok()?,
                _ => {}
            }
        }
    }
    Some(Value::json(json))
}

impl Tx {
    /// The row with this id, if the caller sees it.
    ///
    /// # Errors
    /// Faults of the buffered writes; those of the database.
    pub async fn find(
        &self,
        table: &'static Resource,
        scope: &Scope,
        id: Id,
    ) -> Result<Option<Row>> {
        let select = self.select(table, &[]);
        let mut sql = select.start(scope);
        sql.bind(" WHERE t.id = ?", [id.store()]);
        seen(&mut sql, table, scope);
        let cells = self.rows(&sql.text, &sql.params).await?;
        Ok(select.rows(cells, self.db().counters()).pop())
    }

    /// The kind's `SELECT`, made once.
    pub(crate) fn select(&self, table: &'static Resource, fields: &[String]) -> Arc<Select> {
        self.db().select(table, fields)
    }
}
