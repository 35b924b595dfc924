//! Changes of a column in place (RFC 7047 §5.1 `<mutation>`).

use serde_json::Value as Json;

use super::cell::{self, Count, Names};
use super::refusal::Refusal;
use super::table::{Layout, Place, Row};
use crate::schema::{AtomType, Column};
use crate::value::{Atom, Datum};

/// What is done with the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Insert,
    Delete,
}

/// One mutation.
pub(super) struct Mutation {
    number: usize,
    mutator: Mutator,
    argument: Datum,
}

/// Reads the list of an operation.
pub(super) fn read(
    layout: &Layout,
    list: &[Json],
    names: &mut Names,
) -> Result<Vec<Mutation>, Refusal> {
    list.iter().map(|json| read_one(layout, json, names)).collect()
}

fn read_one(layout: &Layout, json: &Json, names: &mut Names) -> Result<Mutation, Refusal> {
    let Some([Json::String(name), Json::String(mutator), argument]) =
        json.as_array().map(Vec::as_slice)
    else {
        return Err(Refusal::syntax("Parse error in mutation.").at(json));
    };
    let place = layout.place(name).ok_or_else(|| layout.unknown(name).at(json))?;
    let fixed = || {
        let details = format!("Cannot mutate immutable column {name} in table {}.", layout.name);
        Refusal::constraint(details).at(json)
    };
    let Place::Cell(number) = place else { return Err(fixed()) };
    let column = layout.column(number).filter(|column| column.mutable).ok_or_else(fixed)?;
    let (kind, word) = (read_mutator(mutator)?, mutator);
    let arithmetic = !matches!(kind, Mutator::Insert | Mutator::Delete);
    let numbers = matches!(column.key.atom, AtomType::Integer | AtomType::Real)
        && !(kind == Mutator::Remainder && column.key.atom == AtomType::Real);
    let fits = if arithmetic {
        numbers && column.value.is_none()
    } else {
        // A column of exactly one takes nothing in or out.
        column.value.is_some() || (column.min, column.max) != (1, Some(1))
    };
    if !fits {
        let details = format!(
            "Type mismatch: \"{word}\" operator may not be applied to column {name} of type {}.",
            described(column)
        );
        return Err(Refusal::syntax(details).at(json));
    }
    let argument = if arithmetic {
        let one = Count { min: 1, max: Some(1) };
        cell::read(&plain_number(column), argument, one, names)?
    } else if kind == Mutator::Delete && column.value.is_some() {
        cell::read(column, argument, Count::ANY, names)
            .or_else(|_| cell::read_keys(column, argument, names))?
    } else {
        cell::read(column, argument, Count::ANY, names)?
    };
    Ok(Mutation { number, mutator: kind, argument })
}

/// The argument of arithmetic is held by no range; the result is.
fn plain_number(column: &Column) -> Column {
    let mut plain = column.clone();
    plain.key.range = (None, None);
    plain.key.allowed = None;
    plain
}

fn read_mutator(word: &str) -> Result<Mutator, Refusal> {
    Ok(match word {
        "+=" => Mutator::Add,
        "-=" => Mutator::Subtract,
        "*=" => Mutator::Multiply,
        "/=" => Mutator::Divide,
        "%=" => Mutator::Remainder,
        "insert" => Mutator::Insert,
        "delete" => Mutator::Delete,
        other => {
            return Err(Refusal::new("unknown mutator", format!("No mutator named {other}.")));
        }
    })
}

fn described(column: &Column) -> String {
    let key = cell::word(column.key.atom);
    match &column.value {
        Some(value) => format!("map of ({key}, {}) pairs", cell::word(value.atom)),
        None if column.max == Some(1) => key.to_owned(),
        None => format!("set of {key}s"),
    }
}

impl Mutation {
    /// Changes the row.
    pub fn apply(&self, layout: &Layout, row: &mut Row) -> Result<(), Refusal> {
        let Some(column) = layout.column(self.number) else { return Ok(()) };
        let mut datum = row.cell(self.number).clone();
        match (&mut datum, &self.argument, self.mutator) {
            (Datum::Set(have), Datum::Set(argument), Mutator::Insert) => {
                have.extend(argument.iter().cloned());
            }
            (Datum::Set(have), Datum::Set(argument), Mutator::Delete) => {
                have.retain(|atom| !argument.contains(atom));
            }
            // A key that is there keeps its value.
            (Datum::Map(have), Datum::Map(argument), Mutator::Insert) => {
                let new = argument.iter().filter(|(key, _)| !have.contains_key(key));
                let new: Vec<_> = new.map(|(key, value)| (key.clone(), value.clone())).collect();
                have.extend(new);
            }
            (Datum::Map(have), Datum::Map(argument), Mutator::Delete) => {
                have.retain(|key, value| argument.get(key) != Some(value));
            }
            (Datum::Map(have), Datum::Set(keys), Mutator::Delete) => {
                have.retain(|key, _| !keys.contains(key));
            }
            (Datum::Set(have), argument, _) => {
                let Some(right) = argument.as_one() else { return Ok(()) };
                let results = have.iter().map(|left| calculate(left, self.mutator, right));
                *have = results.collect::<Result<_, _>>()?;
            }
            (Datum::Map(_), _, _) => {}
        }
        cell::check_whole(column, &datum)?;
        row.set(self.number, datum);
        Ok(())
    }
}

fn calculate(left: &Atom, mutator: Mutator, right: &Atom) -> Result<Atom, Refusal> {
    match (left, right) {
        (Atom::Integer(left), Atom::Integer(right)) => whole(*left, mutator, *right),
        (Atom::Real(left), Atom::Real(right)) => real(*left, mutator, *right),
        _ => Err(Refusal::syntax("numbers of different types")),
    }
}

fn by_zero() -> Refusal {
    Refusal::new("domain error", "Division by zero.")
}

fn out_of_range() -> Refusal {
    Refusal::new("range error", "Result of operation is out of range.")
}

fn whole(left: i64, mutator: Mutator, right: i64) -> Result<Atom, Refusal> {
    let result = match mutator {
        Mutator::Add => left.checked_add(right),
        Mutator::Subtract => left.checked_sub(right),
        Mutator::Multiply => left.checked_mul(right),
        Mutator::Divide | Mutator::Remainder if right == 0 => return Err(by_zero()),
        Mutator::Divide => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    result.map(Atom::Integer).ok_or_else(out_of_range)
}

fn real(left: f64, mutator: Mutator, right: f64) -> Result<Atom, Refusal> {
    let result = match mutator {
        Mutator::Add => left + right,
        Mutator::Subtract => left - right,
        Mutator::Multiply => left * right,
        _ if right == 0.0 => return Err(by_zero()),
        _ => left / right,
    };
    if result.is_finite() { Ok(Atom::Real(result)) } else { Err(out_of_range()) }
}
