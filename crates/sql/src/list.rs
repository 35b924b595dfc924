//! `Query` → SELECT: filters, order, and pages that begin behind a marker.
//! Not here: reading the query (`wire::query`), what the cells become (`select`).

use wire::attr::{Attr, Column, Resource, Source};
use wire::fault::{self, Error, Result};
use wire::query::{Filter, Query};
use wire::row::Row;
use wire::types::quoted_text;
use wire::value::Value;

use crate::dialect::Dialect;
use crate::engine::Cells;
use crate::select::{Scope, Select, Sql, expression, from, seen};
use crate::tx::Tx;

/// Values in one `IN (…)`.
const GROUP: usize = 500;
/// Parameters of one statement, below every engine's limit.
const PARAMS_MAX: usize = 30_000;

/// One sort key: its expression and whether it goes downwards.
struct Key {
    expression: String,
    descending: bool,
}

impl Tx {
    /// The rows that a query asks for, in its order; of each, the attributes that it asks for.
    ///
    /// # Errors
    /// `HTTPBadRequest` for a marker that is no row; faults of the buffered writes; those of the
    /// database.
    pub async fn list(
        &self,
        table: &'static Resource,
        scope: &Scope,
        query: &Query,
    ) -> Result<Vec<Row>> {
        let select = self.select(table, &query.fields);
        let cells = self.cells(table, &select, scope, query).await?;
        Ok(select.rows(cells, self.db().counters()))
    }

    /// [`Tx::list`] as cells.
    pub(crate) async fn cells(
        &self,
        table: &'static Resource,
        select: &Select,
        scope: &Scope,
        query: &Query,
    ) -> Result<Cells> {
        let after = match &query.marker {
            Some(marker) => Some(self.marker(table, scope, query, marker).await?),
            None => None,
        };
        let begin = after.as_deref().map_or(Begin::First, Begin::Behind);
        let sql = listing(self.dialect(), select, table, scope, query, begin)?;
        let mut cells = self.rows(&sql.text, &sql.params).await?;
        if query.reverse {
            cells.reverse();
        }
        Ok(cells)
    }

    /// How many rows there are under these filters.
    ///
    /// # Errors
    /// Faults of the buffered writes; those of the database.
    pub async fn count(
        &self,
        table: &'static Resource,
        scope: &Scope,
        filters: &[Filter],
    ) -> Result<u64> {
        let mut sql = Sql::default();
        sql.push("SELECT COUNT(*) ");
        sql.push_for(&from(table), scope);
        conditions(&mut sql, self.dialect(), table, scope, filters)?;
        let rows = self.rows(&sql.text, &sql.params).await?;
        let counted = rows.first().and_then(|row| row.first()).and_then(Value::as_int);
        counted
            .and_then(|counted| u64::try_from(counted).ok())
            .ok_or_else(|| Error::internal("COUNT answered with no number"))
    }

    /// The sort keys of the row behind which a page begins.
    async fn marker(
        &self,
        table: &'static Resource,
        scope: &Scope,
        query: &Query,
        marker: &str,
    ) -> Result<Vec<Value>> {
        let unknown = || {
            let (many, marker) = (table.many.replace(['_', '-'], " "), quoted_text(marker));
            fault::bad_request(format!(
                "'marker' must be the id of one of the {many}, not {marker}."
            ))
        };
        if marker.contains('\0') {
            return Err(unknown());
        }
        let keys = keys(self.dialect(), table, query)?;
        let columns: Vec<&str> = keys.iter().map(|key| key.expression.as_str()).collect();
        let mut sql = Sql::default();
        sql.push_for(&format!("SELECT {} {}", columns.join(", "), from(table)), scope);
        sql.bind(" WHERE t.id = ?", [Value::text(marker)]);
        seen(&mut sql, table, scope);
        self.rows(&sql.text, &sql.params).await?.pop().ok_or_else(unknown)
    }
}

/// Where a list begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Begin<'a> {
    /// With the first row, by its sort keys and its id.
    First,
    /// With any row, unless an order or a limit is asked for: sorted, none could leave before the
    /// last one is read. PARITY: Neutron does not sort such a list either.
    AsRead,
    /// Behind the row with these sort keys, the marker's.
    Behind(&'a [Value]),
}

/// The whole statement of a list.
pub(crate) fn listing(
    dialect: Dialect,
    select: &Select,
    table: &'static Resource,
    scope: &Scope,
    query: &Query,
    begin: Begin<'_>,
) -> Result<Sql> {
    let mut sql = select.start(scope);
    conditions(&mut sql, dialect, table, scope, &query.filters)?;
    let keys = keys(dialect, table, query)?;
    if let Begin::Behind(values) = begin {
        sql.push(" AND (");
        beyond(&mut sql, &keys, values, scope);
        sql.push(")");
    }
    let is_as_read = begin == Begin::AsRead && query.sort.is_empty() && query.limit.is_none();
    for (place, key) in keys.iter().enumerate().filter(|_| !is_as_read) {
        sql.push(if place == 0 { " ORDER BY " } else { ", " });
        sql.push_for(&dialect.order(&key.expression, key.descending), scope);
    }
    if let Some(limit) = query.limit {
        sql.push(&format!(" LIMIT {}", limit.min(i64::MAX as u64)));
    }
    if sql.params.len() > PARAMS_MAX {
        return Err(fault::bad_request(format!(
            "At most {PARAMS_MAX} values can be looked for at once among the {}, not {}.",
            table.many.replace(['_', '-'], " "),
            sql.params.len()
        )));
    }
    Ok(sql)
}

/// The sort keys, with the id at the end so that no two rows are equal.
fn keys(dialect: Dialect, table: &'static Resource, query: &Query) -> Result<Vec<Key>> {
    let mut keys = Vec::with_capacity(query.sort.len() + 1);
    for (index, descending) in &query.sort {
        let attr = attr_at(table, *index)?;
        let expression = expression(dialect, attr).ok_or_else(|| not_stored(attr))?;
        keys.push(Key { expression, descending: *descending != query.reverse });
    }
    let by_id = |(index, _): &(usize, bool)| table.position("id") == Some(*index);
    if !query.sort.iter().any(by_id) && table.position("id").is_some() {
        keys.push(Key { expression: "t.id".to_owned(), descending: query.reverse });
    }
    Ok(keys)
}

fn attr_at(table: &'static Resource, index: usize) -> Result<&'static Attr> {
    table.attrs.get(index).ok_or_else(|| {
        Error::internal(format!("{} have no attribute at position {index}", table.many))
    })
}

fn not_stored(attr: &Attr) -> Error {
    Error::internal(format!("'{}' is not stored, so no list can depend on it", attr.wire))
}

/// True for rows behind the one whose sort keys are `values`: on the first key that differs they
/// are further. Null is before everything upwards and behind everything downwards.
fn beyond(sql: &mut Sql, keys: &[Key], values: &[Value], scope: &Scope) {
    sql.push("1=0");
    for (place, (key, value)) in keys.iter().zip(values).enumerate() {
        if key.descending && value.is_null() {
            continue;
        }
        sql.push(" OR (");
        for (key, value) in keys.iter().zip(values).take(place) {
            sql.push_for(&key.expression, scope);
            match value.is_null() {
                true => sql.push(" IS NULL AND "),
                false => sql.bind(" = ? AND ", [value.clone()]),
            }
        }
        match (value.is_null(), key.descending) {
            (true, _) => {
                sql.push_for(&key.expression, scope);
                sql.push(" IS NOT NULL");
            }
            (false, false) => {
                sql.push_for(&key.expression, scope);
                sql.bind(" > ?", [value.clone()]);
            }
            (false, true) => {
                sql.push("(");
                sql.push_for(&key.expression, scope);
                sql.bind(" < ? OR ", [value.clone()]);
                sql.push_for(&key.expression, scope);
                sql.push(" IS NULL)");
            }
        }
        sql.push(")");
    }
}

fn conditions(
    sql: &mut Sql,
    dialect: Dialect,
    table: &'static Resource,
    scope: &Scope,
    filters: &[Filter],
) -> Result<()> {
    sql.push(" WHERE 1=1");
    seen(sql, table, scope);
    for filter in filters {
        sql.push(" AND (");
        match filter {
            Filter::In { attr, values } => {
                let attr = attr_at(table, *attr)?;
                let expression = expression(dialect, attr).ok_or_else(|| not_stored(attr))?;
                is_one_of(sql, &expression, scope, attr.column, values);
            }
            Filter::Child { attr, key, values, substring } => {
                let attr = attr_at(table, *attr)?;
                has_child(sql, dialect, attr, (key, values), *substring, scope)?;
            }
            Filter::Tags { all, negate, tags } => tagged(sql, *all, *negate, tags),
        }
        sql.push(")");
    }
    Ok(())
}

/// The values as those of a column; what cannot be one of them matches nothing.
fn comparable(column: Column, values: &[Value]) -> Vec<Value> {
    let compare = |value: &Value| match (column, value) {
        // PostgreSQL has no texts with this character, so no row has it.
        (_, Value::Text(text)) if text.contains('\0') => None,
        (Column::Int, Value::Text(text)) => text.trim().parse().ok().map(Value::Int),
        (Column::Bool, Value::Text(text)) => match text.to_lowercase().as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        (Column::Text(_), Value::Int(number)) => Some(Value::text(number.to_string())),
        (Column::Text(_) | Column::Int, Value::Bool(_)) => None,
        (_, Value::Null | Value::Missing) => None,
        _ => Some(value.clone()),
    };
    values.iter().filter_map(compare).collect()
}

/// `expression IN (values)`; null among the values stands for rows without one.
fn is_one_of(sql: &mut Sql, expression: &str, scope: &Scope, column: Column, values: &[Value]) {
    // Nothing but the terms themselves: SQLite uses no index for `1=0 OR …`.
    let mut or = "";
    if values.contains(&Value::Null) {
        sql.push_for(expression, scope);
        sql.push(" IS NULL");
        or = " OR ";
    }
    for group in comparable(column, values).chunks(GROUP) {
        sql.push(or);
        sql.push_for(expression, scope);
        sql.push(" IN (");
        // Filled up to a power of two with the last one: fewer different statements to prepare.
        let places = group.len().next_power_of_two().min(GROUP);
        let filled = group.iter().chain(group.last().into_iter().cycle()).take(places);
        sql.bind(&vec!["?"; places].join(", "), filled.cloned());
        sql.push(")");
        or = " OR ";
    }
    if or.is_empty() {
        sql.push("1=0");
    }
}

/// A row of the child table has one of the values.
fn has_child(
    sql: &mut Sql,
    dialect: Dialect,
    attr: &Attr,
    (key, values): (&str, &[Value]),
    substring: bool,
    scope: &Scope,
) -> Result<()> {
    let Source::Child(child) = attr.verbs.source else {
        return Err(Error::internal(format!("'{}' has no child table", attr.wire)));
    };
    let column = child.keys.iter().find(|(name, _)| *name == key).map(|(_, column)| *column);
    let column = column.ok_or_else(|| {
        Error::internal(format!("the child table of '{}' has no column {key}", attr.wire))
    })?;
    let (table, parent, key) = (child.table, child.parent, format!("c.{key}"));
    // Not correlated: the engine can start from the child's index.
    sql.push(&format!("t.id IN (SELECT c.{parent} FROM {table} c WHERE "));
    if substring {
        sql.push("1=0");
        for value in comparable(Column::Text(0), values) {
            sql.push(" OR ");
            sql.bind(&dialect.contains(&key), [value]);
        }
    } else {
        is_one_of(sql, &key, scope, column, values);
    }
    sql.push(")");
    Ok(())
}

/// The row has all of the tags, or any of them, or not.
fn tagged(sql: &mut Sql, all: bool, negate: bool, tags: &[String]) {
    let mut tags: Vec<&String> = tags.iter().collect();
    tags.sort();
    tags.dedup();
    if negate {
        sql.push("NOT ");
    }
    sql.push("(1=");
    sql.push(if all { "1" } else { "0" });
    for tag in tags {
        sql.push(if all { " AND " } else { " OR " });
        // No row has such a tag, and PostgreSQL does not take it for a value.
        if tag.contains('\0') {
            sql.push("1=0");
            continue;
        }
        sql.bind(
            "EXISTS (SELECT 1 FROM tags g WHERE g.resource_id = t.id AND g.tag = ?)",
            [Value::text(tag)],
        );
    }
    sql.push(")");
}
