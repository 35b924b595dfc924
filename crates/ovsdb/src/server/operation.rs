//! The operations of a transaction (RFC 7047 §5.2), one after the other over [`Work`].

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::cell::{self, Count};
use super::condition::Condition;
use super::database::{Changes, Database};
use super::mutation;
use super::refusal::Refusal;
use super::settle::settle;
use super::table::{Layout, Place, TableNumber};
use super::work::Work;
use crate::value::Datum;

/// What came of a transaction.
pub(super) enum Outcome {
    /// The results, and what is to be committed.
    Done(Vec<Json>, Changes),
    /// The results with the error in them; nothing happened.
    Refused(Vec<Json>),
    /// A `wait` is not fulfilled yet; it may be so long since the transaction began.
    Waiting(Option<Duration>),
}

/// Why an operation does not go on.
enum Stop {
    Refused(Refusal),
    Waiting(Option<Duration>),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Whoever asks, as far as operations depend on it.
pub(super) struct Asker<'a> {
    /// The session holds the lock of that name.
    pub holds: &'a dyn Fn(&str) -> bool,
    /// How long ago the transaction was first tried.
    pub waited: Duration,
}

/// Carries out all operations, or none.
pub(super) fn execute(database: &Database, operations: &[Json], asker: &Asker<'_>) -> Outcome {
    let mut work = Work::new(database);
    let mut results = Vec::with_capacity(operations.len());
    for (number, operation) in operations.iter().enumerate() {
        let position = (number + 1, operations.len());
        match one(&mut work, operation, position, asker) {
            Ok(result) => results.push(result),
            Err(Stop::Waiting(until)) => return Outcome::Waiting(until),
            Err(Stop::Refused(refusal)) => {
                results.push(refusal.to_json());
                results.resize(operations.len(), Json::Null);
                return Outcome::Refused(results);
            }
        }
    }
    match settle(work) {
        Ok(changes) => Outcome::Done(results, changes),
        Err(refusal) => {
            results.push(refusal.to_json());
            Outcome::Refused(results)
        }
    }
}

/// One operation's members.
struct Members<'a> {
    json: &'a Json,
    position: (usize, usize),
}

impl<'a> Members<'a> {
    fn wrong(&self, details: &str) -> Refusal {
        let (number, of) = self.position;
        let details = format!("Parsing ovsdb operation {number} of {of} failed: {details}");
        Refusal::syntax(details).at(self.json)
    }

    fn optional(&self, name: &str) -> Option<&'a Json> {
        self.json.get(name)
    }

    fn required(&self, name: &str) -> Result<&'a Json, Refusal> {
        self.optional(name)
            .ok_or_else(|| self.wrong(&format!("Required '{name}' member is missing.")))
    }

    fn text(&self, name: &str) -> Result<&'a str, Refusal> {
        self.required(name)?
            .as_str()
            .ok_or_else(|| self.wrong(&format!("Type mismatch for member '{name}'.")))
    }

    fn list(&self, name: &str) -> Result<&'a Vec<Json>, Refusal> {
        self.required(name)?
            .as_array()
            .ok_or_else(|| self.wrong(&format!("Type mismatch for member '{name}'.")))
    }

    /// Nothing but these members is there.
    fn only(&self, allowed: &[&str]) -> Result<(), Refusal> {
        let members = self.json.as_object().into_iter().flat_map(Map::keys);
        for name in members {
            if name != "op" && !allowed.contains(&name.as_str()) {
                let details = format!("Member '{name}' is present but not allowed here.");
                return Err(self.wrong(&details));
            }
        }
        Ok(())
    }

    fn table<'w>(&self, work: &Work<'w>) -> Result<(TableNumber, &'w Arc<Layout>), Refusal> {
        let name = self.text("table")?;
        work.database
            .number(name)
            .and_then(|number| Some((number, work.layout(number)?)))
            .ok_or_else(|| self.wrong(&format!("No table named {name}.")))
    }
}

fn one(
    work: &mut Work<'_>,
    operation: &Json,
    position: (usize, usize),
    asker: &Asker<'_>,
) -> Result<Json, Stop> {
    let members = Members { json: operation, position };
    if !operation.is_object() {
        return Err(members.wrong("Object expected.").into());
    }
    let name = members.text("op")?;
    let writes = matches!(name, "insert" | "update" | "mutate" | "delete");
    if writes && !work.database.writable {
        let details = format!("{name} operation not allowed on table in reserved database");
        return Err(Refusal::new("not allowed", details).into());
    }
    match name {
        "insert" => Ok(insert(work, &members)?),
        "select" => Ok(select(work, &members)?),
        "update" => Ok(update(work, &members)?),
        "mutate" => Ok(mutate(work, &members)?),
        "delete" => Ok(delete(work, &members)?),
        "wait" => wait(work, &members, asker),
        "commit" | "comment" => Ok(json!({})),
        "abort" => Err(Refusal::new("aborted", "aborted by request").into()),
        "assert" => {
            let lock = members.text("lock")?;
            if (asker.holds)(lock) {
                return Ok(json!({}));
            }
            Err(Refusal::new("not owner", format!("Asserted lock {lock} not held.")).into())
        }
        other => Err(members.wrong(&format!("No operation \"{other}\"")).into()),
    }
}

/// The columns that a row of a request gives.
fn columns(
    work: &mut Work<'_>,
    layout: &Layout,
    row: &Json,
) -> Result<Vec<(Place, Datum)>, Refusal> {
    let row = row.as_object().ok_or_else(|| Refusal::syntax("object expected").at(row))?;
    let mut found = Vec::with_capacity(row.len());
    for (name, value) in row {
        let place = layout
            .place(name)
            .ok_or_else(|| layout.unknown(name).at(&json!({ name.as_str(): value })))?;
        let datum = match place {
            Place::Cell(number) => match layout.column(number) {
                Some(column) => cell::read(column, value, Count::of(column), &mut work.names)?,
                None => continue,
            },
            Place::Uuid | Place::Version => Datum::from_json(value)
                .ok_or_else(|| Refusal::syntax("expected a UUID").at(value))?,
        };
        found.push((place, datum));
    }
    Ok(found)
}

fn insert(work: &mut Work<'_>, members: &Members<'_>) -> Result<Json, Refusal> {
    let (table, layout) = members.table(work)?;
    members.only(&["table", "row", "uuid-name", "uuid"])?;
    let row = members.required("row")?;
    let uuid = chosen_uuid(work, members, table)?;
    let given = columns(work, layout, row)?;
    let mut row = layout.row();
    for (place, datum) in given {
        if let Place::Cell(number) = place {
            row.set(number, datum);
        }
    }
    for (number, _, column) in layout.columns() {
        // What is not given is the type's default, which a range or a list may not allow.
        if column.max.is_some() && column.min > 0 && column.key.refers.is_none() {
            cell::check_whole(column, row.cell(number))?;
        }
    }
    work.put((table, uuid), Some(Arc::new(row)));
    Ok(json!({ "uuid": ["uuid", uuid.to_string()] }))
}

fn chosen_uuid(
    work: &mut Work<'_>,
    members: &Members<'_>,
    table: TableNumber,
) -> Result<Uuid, Refusal> {
    if let Some(chosen) = members.optional("uuid") {
        let uuid = chosen
            .as_str()
            .and_then(|text| Uuid::try_parse(text).ok())
            .ok_or_else(|| Refusal::syntax("bad uuid").at(chosen))?;
        if work.known((table, uuid)) {
            let details = "This UUID would duplicate a UUID already present within the table or \
                           deleted within the same transaction.";
            return Err(Refusal::new("duplicate uuid", details).at(chosen));
        }
        return Ok(uuid);
    }
    let Some(name) = members.optional("uuid-name") else { return Ok(Uuid::new_v4()) };
    let is_identifier = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let text = name
        .as_str()
        .filter(|text| is_identifier(text))
        .ok_or_else(|| members.wrong("Type mismatch for member 'uuid-name'."))?;
    let uuid = work.names.uuid(text);
    if work.known((table, uuid)) {
        let details = "This \"uuid-name\" appeared on an earlier \"insert\" operation.";
        return Err(Refusal::new("duplicate uuid-name", details).at(name));
    }
    Ok(uuid)
}

fn condition(
    work: &mut Work<'_>,
    members: &Members<'_>,
    layout: &Layout,
) -> Result<Condition, Refusal> {
    members.list("where")?;
    Condition::read(layout, members.required("where")?, &mut work.names)
}

/// The named columns, or all.
fn places(members: &Members<'_>, layout: &Layout) -> Result<Vec<Place>, Refusal> {
    let Some(names) = members.optional("columns") else {
        let all = layout.columns().map(|(number, _, _)| Place::Cell(number));
        return Ok([Place::Uuid, Place::Version].into_iter().chain(all).collect());
    };
    let names = names.as_array().ok_or_else(|| Refusal::syntax("array expected").at(names))?;
    let place = |name: &Json| {
        let text = name.as_str().unwrap_or_default();
        layout
            .place(text)
            .ok_or_else(|| Refusal::syntax(format!("{text} is not a valid column name")).at(name))
    };
    names.iter().map(place).collect()
}

fn select(work: &mut Work<'_>, members: &Members<'_>) -> Result<Json, Refusal> {
    let (table, layout) = members.table(work)?;
    members.only(&["table", "where", "columns"])?;
    let condition = condition(work, members, layout)?;
    let places = places(members, layout)?;
    let rows: Vec<Json> = work
        .meant(table, &condition)
        .into_iter()
        .map(|(uuid, row)| {
            let cell = |place: &Place| {
                let name = layout.column_name(*place).to_owned();
                (name, place.value(uuid, &row).to_json())
            };
            Json::Object(places.iter().map(cell).collect())
        })
        .collect();
    Ok(json!({ "rows": rows }))
}

fn update(work: &mut Work<'_>, members: &Members<'_>) -> Result<Json, Refusal> {
    let (table, layout) = members.table(work)?;
    members.only(&["table", "where", "row"])?;
    let given = columns(work, layout, members.required("row")?)?;
    let fixed = given.iter().find(|(place, _)| match place {
        Place::Cell(number) => layout.column(*number).is_some_and(|column| !column.mutable),
        Place::Uuid | Place::Version => true,
    });
    if let Some((place, _)) = fixed {
        let name = layout.column_name(*place);
        let details = format!("Cannot update immutable column {name} in table {}.", layout.name);
        return Err(Refusal::constraint(details).at(members.json));
    }
    let condition = condition(work, members, layout)?;
    let meant = work.meant(table, &condition);
    for (uuid, row) in &meant {
        let mut row = row.as_ref().clone();
        for (place, datum) in &given {
            if let Place::Cell(number) = place {
                row.set(*number, datum.clone());
            }
        }
        work.put((table, *uuid), Some(Arc::new(row)));
    }
    Ok(json!({ "count": meant.len() }))
}

fn mutate(work: &mut Work<'_>, members: &Members<'_>) -> Result<Json, Refusal> {
    let (table, layout) = members.table(work)?;
    members.only(&["table", "where", "mutations"])?;
    let mutations = mutation::read(layout, members.list("mutations")?, &mut work.names)?;
    let condition = condition(work, members, layout)?;
    let meant = work.meant(table, &condition);
    for (uuid, row) in &meant {
        let mut row = row.as_ref().clone();
        for mutation in &mutations {
            mutation.apply(layout, &mut row)?;
        }
        work.put((table, *uuid), Some(Arc::new(row)));
    }
    Ok(json!({ "count": meant.len() }))
}

fn delete(work: &mut Work<'_>, members: &Members<'_>) -> Result<Json, Refusal> {
    let (table, layout) = members.table(work)?;
    members.only(&["table", "where"])?;
    let condition = condition(work, members, layout)?;
    let meant = work.meant(table, &condition);
    for (uuid, _) in &meant {
        work.put((table, *uuid), None);
    }
    Ok(json!({ "count": meant.len() }))
}

fn wait(work: &mut Work<'_>, members: &Members<'_>, asker: &Asker<'_>) -> Result<Json, Stop> {
    let (table, layout) = members.table(work)?;
    members.only(&["timeout", "table", "where", "columns", "until", "rows"])?;
    let limit = match members.optional("timeout") {
        None => None,
        Some(limit) => {
            let limit = limit
                .as_u64()
                .ok_or_else(|| members.wrong("Type mismatch for member 'timeout'."))?;
            Some(Duration::from_millis(limit))
        }
    };
    let until = members.required("until")?;
    let equal = match until.as_str() {
        Some("==") => true,
        Some("!=") => false,
        _ => return Err(Refusal::syntax(r#""until" must be "==" or "!=""#).at(until).into()),
    };
    let places = places(members, layout)?;
    let condition = condition(work, members, layout)?;
    let mut wanted = Vec::new();
    for row in members.list("rows")? {
        let given = columns(work, layout, row)?;
        let of = |place: &Place| {
            let given = given.iter().find(|(other, _)| other == place);
            given.map_or_else(
                || place.value(Uuid::nil(), &layout.row()).into_owned(),
                |(_, datum)| datum.clone(),
            )
        };
        wanted.push(places.iter().map(of).collect::<Vec<Datum>>());
    }
    let mut have: Vec<Vec<Datum>> = work
        .meant(table, &condition)
        .iter()
        .map(|(uuid, row)| {
            places.iter().map(|place| place.value(*uuid, row).into_owned()).collect()
        })
        .collect();
    for rows in [&mut wanted, &mut have] {
        rows.sort_unstable();
        rows.dedup();
    }
    if (wanted == have) == equal {
        return Ok(json!({}));
    }
    match limit {
        Some(Duration::ZERO) => {
            Err(Refusal::new("timed out", r#""where" clause test failed"#).into())
        }
        Some(limit) if asker.waited >= limit => {
            let details = format!("\"wait\" timed out after {} ms", asker.waited.as_millis());
            Err(Refusal::new("timed out", details).into())
        }
        limit => Err(Stop::Waiting(limit)),
    }
}
