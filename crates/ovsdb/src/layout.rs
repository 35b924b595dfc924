//! What is followed of a database: the tables and columns that were asked for and that the server
//! has, and how the text of a row becomes its values.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::condition::Condition;
use crate::row::{Columns, Row};
use crate::schema::{AtomType, Column, Schema};
use crate::value::{Atom, Datum};

/// A table and the columns of it that are wanted.
#[derive(Clone, Debug)]
pub struct Monitored {
    /// The table; nothing happens when the server lacks it.
    pub table: &'static str,
    /// The columns; those that the server lacks are left out.
    pub columns: &'static [&'static str],
    /// Rows that fulfil any of these; all rows when there are none. A server so old that it knows
    /// no `monitor_cond` (before 2016) sends all rows nevertheless.
    pub condition: Vec<Condition>,
}

/// What is followed, with the types that the server announced.
#[derive(Debug, Default)]
pub struct Layout {
    /// The whole schema.
    pub schema: Arc<Schema>,
    /// The tables that are followed, in the order of their names.
    pub tables: Vec<Followed>,
}

/// A table that is followed.
#[derive(Debug)]
pub struct Followed {
    /// Its columns.
    pub columns: Arc<Columns>,
    /// Positions of the columns that hold references.
    pub references: Vec<usize>,
    /// Rows that fulfil any of these; all rows when there are none.
    pub condition: Vec<Condition>,
}

/// What happened to a row.
#[derive(Debug)]
pub enum Delta {
    /// It is this row now.
    Whole(Row),
    /// These columns differ (`update2`'s differences).
    Differs(Vec<(usize, Datum)>),
    /// It is gone.
    Gone,
}

/// A change of one row as a server told it.
#[derive(Debug)]
pub struct RowChange {
    /// Position of the table in the layout.
    pub table: usize,
    /// The row.
    pub uuid: Uuid,
    /// What happened to it.
    pub delta: Delta,
}

impl Layout {
    /// What of `monitored` a server with this schema has.
    #[must_use]
    pub fn new(schema: Arc<Schema>, monitored: &[Monitored]) -> Self {
        let mut tables: Vec<Followed> = monitored
            .iter()
            .filter_map(|wanted| {
                let table = schema.tables.get(wanted.table)?;
                let columns = wanted
                    .columns
                    .iter()
                    .filter_map(|name| Some((*name, table.columns.get(*name)?.clone())))
                    .collect();
                Some(Followed::new(Columns::new(wanted.table, columns), wanted.condition.clone()))
            })
            .collect();
        tables.sort_by_key(|table| table.columns.table());
        tables.dedup_by_key(|table| table.columns.table());
        Self { schema, tables }
    }

    /// The position of a table.
    #[must_use]
    pub fn position(&self, table: &str) -> Option<usize> {
        self.tables.binary_search_by_key(&table, |followed| followed.columns.table()).ok()
    }

    /// Reads what an update says of a row: `{"initial"|"insert"|"modify"|"delete": …}` of
    /// `update2` and `update3`, or `{"old": …, "new": …}` of `update`.
    ///
    /// # Errors
    /// A sentence on what does not fit the schema.
    pub fn read(
        &self,
        table: &str,
        uuid: &str,
        json: &Json,
        texts: &mut Texts,
    ) -> Result<RowChange, String> {
        let at = self.position(table).ok_or_else(|| format!("table {table} was not asked for"))?;
        let columns = &self.tables.get(at).ok_or("a table without layout")?.columns;
        let row = Uuid::try_parse(uuid).map_err(|_| format!("`{uuid}` is no row's name"))?;
        let delta = read_delta(columns, json, texts)
            .map_err(|why| format!("table {table}, row {row}: {why}"))?;
        Ok(RowChange { table: at, uuid: row, delta })
    }
}

impl Followed {
    fn new(columns: Columns, condition: Vec<Condition>) -> Self {
        let refers = |column: &Column| {
            column.key.atom == AtomType::Uuid
                || column.value.as_ref().is_some_and(|value| value.atom == AtomType::Uuid)
        };
        let references = columns
            .iter()
            .enumerate()
            .filter(|(_, (_, column))| refers(column))
            .map(|(position, _)| position)
            .collect();
        Self { columns: Arc::new(columns), references, condition }
    }
}

fn read_delta(columns: &Arc<Columns>, json: &Json, texts: &mut Texts) -> Result<Delta, String> {
    let part = |name: &str| json.get(name);
    if let Some(row) = part("initial").or_else(|| part("insert")).or_else(|| part("new")) {
        let cells = read_cells(columns, row, texts)?;
        return Ok(Delta::Whole(Row::new(columns, cells)));
    }
    if let Some(difference) = part("modify") {
        return read_cells(columns, difference, texts).map(Delta::Differs);
    }
    if part("delete").is_some() || part("old").is_some() {
        return Ok(Delta::Gone);
    }
    Err("it says neither what came nor what went".to_owned())
}

fn read_cells(
    columns: &Columns,
    json: &Json,
    texts: &mut Texts,
) -> Result<Vec<(usize, Datum)>, String> {
    let row = json.as_object().ok_or("it is no object")?;
    let mut cells = Vec::with_capacity(row.len());
    for (name, value) in row {
        // A server may send `_version` unasked.
        let Some(position) = columns.position(name) else { continue };
        let column = columns.at(position).ok_or("a column without type")?;
        let datum =
            column.read(value).ok_or_else(|| format!("column {name} does not take {value}"))?;
        cells.push((position, texts.share(datum)));
    }
    Ok(cells)
}

/// Texts seen lately, so that the many equal ones of a database (keys of maps, names of projects)
/// are kept once. It holds a bounded number: a new text takes the place of an older one.
pub struct Texts {
    places: Box<[Option<Arc<str>>]>,
    hasher: RandomState,
}

impl Default for Texts {
    fn default() -> Self {
        Self { places: vec![None; 4096].into(), hasher: RandomState::new() }
    }
}

impl Texts {
    /// Shares nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { places: Box::default(), hasher: RandomState::new() }
    }

    fn share(&mut self, datum: Datum) -> Datum {
        match datum {
            Datum::Set(set) if set.len() > 4 => Datum::Set(set),
            Datum::Set(set) => {
                Datum::Set(set.into_iter().map(|atom| self.share_atom(atom)).collect())
            }
            Datum::Map(map) => Datum::Map(
                map.into_iter()
                    .map(|(key, value)| (self.share_atom(key), self.share_atom(value)))
                    .collect(),
            ),
        }
    }

    fn share_atom(&mut self, atom: Atom) -> Atom {
        match atom {
            // Long texts are seldom the same.
            Atom::String(text) if text.len() <= 64 => {
                let hash = self.hasher.hash_one(text.as_ref());
                let place = usize::try_from(hash)
                    .ok()
                    .and_then(|hash| hash.checked_rem(self.places.len()))
                    .and_then(|at| self.places.get_mut(at));
                let Some(place) = place else { return Atom::String(text) };
                match place {
                    Some(known) if **known == *text => Atom::String(Arc::clone(known)),
                    _ => {
                        *place = Some(Arc::clone(&text));
                        Atom::String(text)
                    }
                }
            }
            other => other,
        }
    }
}
