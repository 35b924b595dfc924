//! What a session watches, and how it is told: `update` (RFC 7047 §4.1.5), and `update2` and
//! `update3` with conditions and differences (ovsdb-server(7)).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::cell::{self, Names};
use super::condition::Condition;
use super::database::{Change, Changes, Database};
use super::refusal::Refusal;
use super::table::{Layout, Place, Row, TableNumber};

/// Which of the three ways of telling was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// `monitor`, told by `update`.
    One,
    /// `monitor_cond`, told by `update2`.
    Two,
    /// `monitor_cond_since`, told by `update3`.
    Three,
}

/// Which events of a column are told.
#[derive(Clone, Copy, Debug)]
struct Select {
    initial: bool,
    insert: bool,
    delete: bool,
    modify: bool,
}

/// What is watched of one table.
#[derive(Clone, Debug, Default)]
struct Watched {
    columns: Vec<(Place, Select)>,
    condition: Condition,
}

/// One monitor of a session.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    /// As the client calls it.
    pub id: Json,
    /// The database.
    pub database: String,
    /// How it is told.
    pub version: Version,
    tables: BTreeMap<TableNumber, Watched>,
}

impl Monitor {
    /// Reads the tables of a request.
    pub fn read(
        version: Version,
        id: &Json,
        (name, database): (&str, &Database),
        tables: &Json,
    ) -> Result<Self, Refusal> {
        let mut monitor =
            Self { id: id.clone(), database: name.to_owned(), version, tables: BTreeMap::new() };
        let tables = tables.as_object().ok_or_else(|| Refusal::syntax("object expected"))?;
        for (table, requests) in tables {
            let number = database
                .number(table)
                .ok_or_else(|| Refusal::syntax(format!("no table named {table}")))?;
            let Some(content) = database.content.table(number) else { continue };
            let one = std::slice::from_ref(requests);
            let requests = requests.as_array().map_or(one, Vec::as_slice);
            let mut watched = Watched::default();
            for request in requests {
                watched.add(&content.layout, request, version)?;
            }
            monitor.tables.insert(number, watched);
        }
        Ok(monitor)
    }

    /// Exchanges conditions; what is told of it afterwards, if anything.
    pub fn change(&mut self, database: &Database, tables: &Json) -> Result<Option<Json>, Refusal> {
        let before = self.clone();
        let tables = tables.as_object().ok_or_else(|| Refusal::syntax("object expected"))?;
        for (table, requests) in tables {
            let watched = database
                .number(table)
                .and_then(|number| Some((number, self.tables.get_mut(&number)?)));
            let Some((number, watched)) = watched else {
                return Err(Refusal::syntax(format!("no table named {table}")));
            };
            let Some(content) = database.content.table(number) else { continue };
            let one = std::slice::from_ref(requests);
            for request in requests.as_array().map_or(one, Vec::as_slice) {
                if let Some(clauses) = request.get("where") {
                    watched.condition =
                        Condition::read(&content.layout, clauses, &mut Names::default())?;
                }
            }
        }
        let mut told = Map::new();
        for (number, table) in database.content.tables() {
            let (Some(old), Some(new)) = (before.tables.get(&number), self.tables.get(&number))
            else {
                continue;
            };
            for (uuid, row) in &table.rows {
                let update = match (old.sees(*uuid, row), new.sees(*uuid, row)) {
                    (true, false) => json!({ "delete": null }),
                    (false, true) => {
                        json!({ "insert": new.differing(&table.layout, *uuid, row, |_| true) })
                    }
                    _ => continue,
                };
                add(&mut told, &table.layout.name, *uuid, update);
            }
        }
        Ok((!told.is_empty()).then_some(Json::Object(told)))
    }

    /// All that there is.
    pub fn initial(&self, database: &Database) -> Json {
        let mut told = Map::new();
        for (number, watched) in &self.tables {
            let Some(table) = database.content.table(*number) else { continue };
            if !watched.columns.iter().any(|(_, select)| select.initial) {
                continue;
            }
            for (uuid, row) in table.rows.iter().filter(|(uuid, row)| watched.sees(**uuid, row)) {
                let initial = |select: Select| select.initial;
                let update = if self.version == Version::One {
                    json!({ "new": watched.whole(&table.layout, *uuid, row, initial) })
                } else {
                    json!({ "initial": watched.differing(&table.layout, *uuid, row, initial) })
                };
                add(&mut told, &table.layout.name, *uuid, update);
            }
        }
        Json::Object(told)
    }

    /// What is told of a transaction; `None`: nothing.
    pub fn changes(&self, database: &Database, changes: &Changes) -> Option<Json> {
        let mut told = Map::new();
        for ((number, uuid), change) in changes {
            let Some(watched) = self.tables.get(number) else { continue };
            let Some(table) = database.content.table(*number) else { continue };
            let update = match self.version {
                Version::One => watched.update(&table.layout, *uuid, change),
                Version::Two | Version::Three => watched.update2(&table.layout, *uuid, change),
            };
            if let Some(update) = update {
                add(&mut told, &table.layout.name, *uuid, update);
            }
        }
        (!told.is_empty()).then_some(Json::Object(told))
    }

    /// The notification that carries `told`.
    pub fn notification(&self, last: Uuid, told: &Json) -> Json {
        let (method, params) = match self.version {
            Version::One => ("update", json!([self.id, told])),
            Version::Two => ("update2", json!([self.id, told])),
            Version::Three => ("update3", json!([self.id, last.to_string(), told])),
        };
        json!({ "id": null, "method": method, "params": params })
    }
}

fn add(told: &mut Map<String, Json>, table: &str, uuid: Uuid, update: Json) {
    let rows = told.entry(table).or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(rows) = rows {
        rows.insert(uuid.to_string(), update);
    }
}

impl Watched {
    fn add(&mut self, layout: &Layout, json: &Json, version: Version) -> Result<(), Refusal> {
        let select = read_select(json.get("select"))?;
        match json.get("columns") {
            None => {
                let all = layout.columns().map(|(number, _, _)| (Place::Cell(number), select));
                self.columns.extend(all);
            }
            Some(names) => {
                for name in names.as_array().into_iter().flatten() {
                    let text = name.as_str().unwrap_or_default();
                    let place = layout.place(text).ok_or_else(|| {
                        Refusal::syntax(format!("{text} is not a valid column name")).at(names)
                    })?;
                    if self.columns.iter().any(|(known, _)| *known == place) {
                        let details = format!("column {text} mentioned more than once");
                        return Err(Refusal::syntax(details).at(names));
                    }
                    self.columns.push((place, select));
                }
            }
        }
        if let (Some(clauses), Version::Two | Version::Three) = (json.get("where"), version) {
            self.condition = Condition::read(layout, clauses, &mut Names::default())?;
        }
        Ok(())
    }

    fn sees(&self, uuid: Uuid, row: &Row) -> bool {
        self.condition.any(uuid, row)
    }

    /// The selected columns.
    fn whole(&self, layout: &Layout, uuid: Uuid, row: &Row, of: impl Fn(Select) -> bool) -> Json {
        let selected = self.columns.iter().filter(|(_, select)| of(*select));
        let cell = |(place, _): &(Place, Select)| {
            (layout.column_name(*place).to_owned(), place.value(uuid, row).to_json())
        };
        Json::Object(selected.map(cell).collect())
    }

    /// The selected columns that are not as in a new row.
    fn differing(
        &self,
        layout: &Layout,
        uuid: Uuid,
        row: &Row,
        of: impl Fn(Select) -> bool,
    ) -> Json {
        let selected = self.columns.iter().filter(|(_, select)| of(*select));
        let cell = |(place, _): &(Place, Select)| {
            let value = place.value(uuid, row);
            if let Place::Cell(number) = place
                && layout.column(*number).is_some_and(|column| column.default() == *value)
            {
                return None;
            }
            Some((layout.column_name(*place).to_owned(), value.to_json()))
        };
        Json::Object(selected.filter_map(cell).collect())
    }

    /// The watched columns that differ.
    fn moved<'a>(
        &'a self,
        before: &'a Row,
        after: &'a Row,
    ) -> impl Iterator<Item = (Place, Select)> {
        let differs = move |place: Place| match place {
            Place::Uuid => false,
            Place::Version => before.version != after.version,
            Place::Cell(number) => before.cell(number) != after.cell(number),
        };
        self.columns.iter().copied().filter(move |(place, _)| differs(*place))
    }

    fn update(&self, layout: &Layout, uuid: Uuid, change: &Change) -> Option<Json> {
        let any = |of: fn(Select) -> bool| self.columns.iter().any(|(_, select)| of(*select));
        match (&change.before, &change.after) {
            (None, Some(after)) if any(|select| select.insert) => {
                Some(json!({ "new": self.whole(layout, uuid, after, |select| select.insert) }))
            }
            (Some(before), None) if any(|select| select.delete) => {
                Some(json!({ "old": self.whole(layout, uuid, before, |select| select.delete) }))
            }
            (Some(before), Some(after)) if any(|select| select.modify) => {
                let mut moved = self.moved(before, after).peekable();
                moved.peek()?;
                let old: Map<String, Json> = moved
                    .filter(|(_, select)| select.modify)
                    .map(|(place, _)| {
                        let name = layout.column_name(place).to_owned();
                        (name, place.value(uuid, before).to_json())
                    })
                    .collect();
                let new = self.whole(layout, uuid, after, |select| select.modify);
                Some(json!({ "new": new, "old": old }))
            }
            _ => None,
        }
    }

    fn update2(&self, layout: &Layout, uuid: Uuid, change: &Change) -> Option<Json> {
        let any = |of: fn(Select) -> bool| self.columns.iter().any(|(_, select)| of(*select));
        let seen =
            |row: &Option<std::sync::Arc<Row>>| row.clone().filter(|row| self.sees(uuid, row));
        match (seen(&change.before), seen(&change.after)) {
            (None, Some(after)) if any(|select| select.insert) => Some(
                json!({ "insert": self.differing(layout, uuid, &after, |select| select.insert) }),
            ),
            (Some(_), None) if any(|select| select.delete) => Some(json!({ "delete": null })),
            (Some(before), Some(after)) if any(|select| select.modify) => {
                let mut moved = self.moved(&before, &after).peekable();
                moved.peek()?;
                let told: Map<String, Json> = moved
                    .filter(|(_, select)| select.modify)
                    .map(|(place, _)| {
                        let (old, new) = (place.value(uuid, &before), place.value(uuid, &after));
                        let column = match place {
                            Place::Cell(number) => layout.column(number),
                            Place::Uuid | Place::Version => None,
                        };
                        let told = column.map_or_else(
                            || new.to_json(),
                            |column| cell::difference(column, &old, &new),
                        );
                        (layout.column_name(place).to_owned(), told)
                    })
                    .collect();
                Some(json!({ "modify": told }))
            }
            _ => None,
        }
    }
}

fn read_select(json: Option<&Json>) -> Result<Select, Refusal> {
    let mut select = Select { initial: true, insert: true, delete: true, modify: true };
    for (name, flag) in json.and_then(Json::as_object).into_iter().flatten() {
        let flag = flag.as_bool().unwrap_or(true);
        match name.as_str() {
            "initial" => select.initial = flag,
            "insert" => select.insert = flag,
            "delete" => select.delete = flag,
            "modify" => select.modify = flag,
            other => {
                let details = format!("Member '{other}' is present but not allowed here.");
                return Err(Refusal::syntax(details));
            }
        }
    }
    Ok(select)
}
