//! The value of a column as the server takes it: read with the exact errors of `ovsdb-server`, held
//! against the schema's limits, compared, and the difference that `update2` tells.

use std::collections::HashMap;

use serde_json::Value as Json;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::collection::{Map, Set};
use crate::schema::{AtomType, BaseType, Column};
use crate::value::{Atom, Datum};

/// The `named-uuid`s of one transaction: the first mention of a name chooses its UUID.
#[derive(Default)]
pub(super) struct Names(HashMap<String, Uuid>);

impl Names {
    /// The row that the name stands for.
    pub fn uuid(&mut self, name: &str) -> Uuid {
        *self.0.entry(name.to_owned()).or_insert_with(Uuid::new_v4)
    }
}

/// How many members a value may have.
#[derive(Clone, Copy)]
pub(super) struct Count {
    /// The least.
    pub min: u64,
    /// The greatest; `None`: unlimited.
    pub max: Option<u64>,
}

impl Count {
    /// As the column itself has it.
    pub fn of(column: &Column) -> Self {
        Self { min: column.min, max: column.max }
    }

    /// Any number: what a mutation or `includes` takes.
    pub const ANY: Self = Self { min: 0, max: None };
}

/// Reads a value of `column` with `count` members.
pub(super) fn read(
    column: &Column,
    json: &Json,
    count: Count,
    names: &mut Names,
) -> Result<Datum, Refusal> {
    let Some(value) = &column.value else { return read_set(column, json, count, names) };
    let members = tagged(json, "map")
        .ok_or_else(|| Refusal::syntax(r#"expected ["map", <array>]"#).at(json))?;
    fits(members.len(), count, "map", json)?;
    let mut pairs = Vec::with_capacity(members.len());
    for member in members {
        let Some([left, right]) = member.as_array().map(Vec::as_slice) else {
            return Err(Refusal::syntax("expected 2-element array").at(member));
        };
        pairs.push((read_atom(&column.key, left, names)?, read_atom(value, right, names)?));
    }
    let map: Map = pairs.into_iter().collect();
    if map.len() < members.len() {
        return Err(Refusal::new("ovsdb error", "map contains duplicate key"));
    }
    Ok(Datum::Map(map))
}

/// Reads the keys that a `delete` takes out of a map.
pub(super) fn read_keys(column: &Column, json: &Json, names: &mut Names) -> Result<Datum, Refusal> {
    read_set(column, json, Count::ANY, names)
}

fn read_set(
    column: &Column,
    json: &Json,
    count: Count,
    names: &mut Names,
) -> Result<Datum, Refusal> {
    let members = tagged(json, "set").unwrap_or_else(|| std::slice::from_ref(json));
    fits(members.len(), count, "set", json)?;
    let set: Set = members
        .iter()
        .map(|member| read_atom(&column.key, member, names))
        .collect::<Result<_, _>>()?;
    if set.len() < members.len() {
        return Err(Refusal::new("ovsdb error", "set contains duplicate"));
    }
    Ok(Datum::Set(set))
}

/// The members of `["set", […]]` or `["map", […]]`.
fn tagged<'a>(json: &'a Json, tag: &str) -> Option<&'a [Json]> {
    match json.as_array()?.as_slice() {
        [Json::String(word), Json::Array(members)] if word == tag => Some(members),
        _ => None,
    }
}

fn fits(members: usize, count: Count, kind: &str, json: &Json) -> Result<(), Refusal> {
    let members = members as u64;
    if members >= count.min && count.max.is_none_or(|max| members <= max) {
        return Ok(());
    }
    let max = count.max.map_or_else(|| "unlimited".to_owned(), |max| max.to_string());
    let min = count.min;
    let details = format!("{kind} must have {min} to {max} members but {members} are present");
    Err(Refusal::syntax(details).at(json))
}

fn read_atom(base: &BaseType, json: &Json, names: &mut Names) -> Result<Atom, Refusal> {
    let wrong = |expected: &str| Refusal::syntax(format!("expected {expected}")).at(json);
    let atom = match base.atom {
        AtomType::Integer => json.as_i64().map(Atom::Integer).ok_or_else(|| wrong("integer")),
        AtomType::Real => json.as_f64().map(Atom::Real).ok_or_else(|| wrong("real")),
        AtomType::Boolean => json.as_bool().map(Atom::Boolean).ok_or_else(|| wrong("boolean")),
        AtomType::String => json.as_str().map(Atom::from).ok_or_else(|| wrong("string")),
        AtomType::Uuid => return read_uuid(json, names),
    }?;
    check(base, &atom)?;
    Ok(atom)
}

fn read_uuid(json: &Json, names: &mut Names) -> Result<Atom, Refusal> {
    match json.as_array().map(Vec::as_slice) {
        Some([Json::String(tag), Json::String(name)]) if tag == "named-uuid" => {
            Ok(Atom::Uuid(names.uuid(name)))
        }
        Some([Json::String(tag), Json::String(text)]) if tag == "uuid" => {
            let uuid = Uuid::try_parse(text)
                .map_err(|_| Refusal::syntax(format!("\"{text}\" is not a valid UUID")).at(json))?;
            Ok(Atom::Uuid(uuid))
        }
        _ => Err(Refusal::syntax(r#"expected ["uuid", <string>]"#).at(json)),
    }
}

/// Holds an atom against the schema's list, range and length.
fn check(base: &BaseType, atom: &Atom) -> Result<(), Refusal> {
    if let Some(allowed) = &base.allowed
        && !allowed.contains(atom)
    {
        let allowed: Vec<String> = allowed.iter().map(plain).collect();
        let details =
            format!("{} is not one of the allowed values ([{}])", plain(atom), allowed.join(", "));
        return Err(Refusal::constraint(details));
    }
    match atom {
        #[allow(clippy::cast_precision_loss)]
        Atom::Integer(number) => in_range(base, *number as f64, &plain(atom)),
        Atom::Real(number) => in_range(base, *number, &plain(atom)),
        Atom::String(text) => in_length(base, text),
        Atom::Boolean(_) | Atom::Uuid(_) => Ok(()),
    }
}

fn in_range(base: &BaseType, number: f64, shown: &str) -> Result<(), Refusal> {
    let (least, greatest) = base.range;
    if least.is_none_or(|least| number >= least)
        && greatest.is_none_or(|greatest| number <= greatest)
    {
        return Ok(());
    }
    let range = match (least, greatest) {
        (Some(least), Some(greatest)) => {
            format!("is not in the valid range {least} to {greatest} (inclusive)")
        }
        (Some(least), None) => format!("is less than minimum allowed value {least}"),
        _ => format!("is greater than maximum allowed value {}", greatest.unwrap_or_default()),
    };
    Err(Refusal::constraint(format!("{shown} {range}")))
}

fn in_length(base: &BaseType, text: &str) -> Result<(), Refusal> {
    let length = text.chars().count() as u64;
    let details = match base.length {
        (Some(least), _) if length < least => {
            format!("\"{text}\" length {length} is less than minimum allowed length {least}")
        }
        (_, Some(greatest)) if length > greatest => {
            format!("\"{text}\" length {length} is greater than maximum allowed length {greatest}")
        }
        _ => return Ok(()),
    };
    Err(Refusal::constraint(details))
}

/// An atom as messages show it.
fn plain(atom: &Atom) -> String {
    match atom.to_json() {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// A value as messages show it: the one atom, or the whole.
pub(super) fn shown(datum: &Datum) -> String {
    datum.as_one().map_or_else(|| datum.to_json().to_string(), plain)
}

/// Holds a value that an operation made against the column.
pub(super) fn check_whole(column: &Column, datum: &Datum) -> Result<(), Refusal> {
    let members = size(datum) as u64;
    if members < column.min || column.max.is_some_and(|max| members > max) {
        let max = column.max.unwrap_or(members);
        let kind = if column.value.is_some() { "map" } else { "set" };
        let word = word(column.key.atom);
        return Err(Refusal::constraint(format!(
            "Attempted to store {members} elements in {kind} of {} to {max} {word}s.",
            column.min
        )));
    }
    match datum {
        Datum::Set(set) => set.iter().try_for_each(|atom| check(&column.key, atom)),
        Datum::Map(map) => map.iter().try_for_each(|(key, value)| {
            check(&column.key, key)?;
            column.value.as_ref().map_or(Ok(()), |base| check(base, value))
        }),
    }
}

/// The name of a scalar type.
pub(super) fn word(atom: AtomType) -> &'static str {
    match atom {
        AtomType::Integer => "integer",
        AtomType::Real => "real",
        AtomType::Boolean => "boolean",
        AtomType::String => "string",
        AtomType::Uuid => "uuid",
    }
}

/// The number of members.
pub(super) fn size(datum: &Datum) -> usize {
    match datum {
        Datum::Set(set) => set.len(),
        Datum::Map(map) => map.len(),
    }
}

/// What `update2` tells of a changed column: the whole value where there is at most one, otherwise
/// the members that came or went, and of a map the pairs that came, went or changed.
pub(super) fn difference(column: &Column, old: &Datum, new: &Datum) -> Json {
    if column.max == Some(1) {
        return new.to_json();
    }
    match (old, new) {
        (Datum::Set(old), Datum::Set(new)) => {
            let gone = old.iter().filter(|atom| !new.contains(atom));
            let came = new.iter().filter(|atom| !old.contains(atom));
            Datum::Set(gone.chain(came).cloned().collect()).to_json()
        }
        (Datum::Map(old), Datum::Map(new)) => {
            let gone = old.iter().filter(|(key, _)| !new.contains_key(key));
            let came = new.iter().filter(|(key, value)| old.get(key) != Some(value));
            let pairs = gone.chain(came).map(|(key, value)| (key.clone(), value.clone()));
            Datum::Map(pairs.collect()).to_json()
        }
        _ => new.to_json(),
    }
}
