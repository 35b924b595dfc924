//! Which rows are meant: the `where` of operations and monitors (RFC 7047 §5.1 `<condition>`).

use serde_json::Value as Json;
use uuid::Uuid;

use super::cell::{self, Count, Names};
use super::refusal::Refusal;
use super::table::{Layout, Place, Row};
use crate::schema::AtomType;
use crate::value::{Atom, Datum};

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Less,
    LessOrEqual,
    Equal,
    Unequal,
    GreaterOrEqual,
    Greater,
    Includes,
    Excludes,
}

/// One clause.
#[derive(Clone, Debug)]
enum Clause {
    Constant(bool),
    Compare(Place, Function, Datum),
}

/// A list of clauses.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition(Vec<Clause>);

impl Condition {
    /// Reads a list; of no clauses everything is meant.
    pub fn read(layout: &Layout, json: &Json, names: &mut Names) -> Result<Self, Refusal> {
        let clauses = json.as_array().ok_or_else(|| Refusal::syntax("array expected").at(json))?;
        clauses
            .iter()
            .map(|clause| read_clause(layout, clause, names))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All clauses hold: what an operation asks.
    pub fn all(&self, uuid: Uuid, row: &Row) -> bool {
        self.0.iter().all(|clause| clause.holds(uuid, row))
    }

    /// One clause holds, or there is none: what a monitor asks.
    pub fn any(&self, uuid: Uuid, row: &Row) -> bool {
        self.0.is_empty() || self.0.iter().any(|clause| clause.holds(uuid, row))
    }

    /// The only row that can be meant, if a clause names it.
    pub fn only(&self) -> Option<Uuid> {
        self.0.iter().find_map(|clause| match clause {
            Clause::Compare(Place::Uuid, Function::Equal, datum) => datum.as_one()?.as_uuid(),
            _ => None,
        })
    }
}

impl Clause {
    fn holds(&self, uuid: Uuid, row: &Row) -> bool {
        match self {
            Self::Constant(flag) => *flag,
            Self::Compare(place, function, asked) => {
                compare(&place.value(uuid, row), *function, asked)
            }
        }
    }
}

fn compare(have: &Datum, function: Function, asked: &Datum) -> bool {
    let order = || Some(have.as_one()?.cmp(asked.as_one()?));
    match function {
        Function::Equal => have == asked,
        Function::Unequal => have != asked,
        Function::Less => order().is_some_and(std::cmp::Ordering::is_lt),
        Function::LessOrEqual => order().is_some_and(std::cmp::Ordering::is_le),
        Function::GreaterOrEqual => order().is_some_and(std::cmp::Ordering::is_ge),
        Function::Greater => order().is_some_and(std::cmp::Ordering::is_gt),
        Function::Includes => members(have, asked, true),
        Function::Excludes => members(have, asked, false),
    }
}

/// Each member of `asked` is in `have`, or none is.
fn members(have: &Datum, asked: &Datum, inside: bool) -> bool {
    match (have, asked) {
        (Datum::Set(have), Datum::Set(asked)) => {
            asked.iter().all(|atom| have.contains(atom) == inside)
        }
        (Datum::Map(have), Datum::Map(asked)) => {
            asked.iter().all(|(key, value)| (have.get(key) == Some(value)) == inside)
        }
        _ => false,
    }
}

fn read_clause(layout: &Layout, json: &Json, names: &mut Names) -> Result<Clause, Refusal> {
    if let Json::Bool(flag) = json {
        return Ok(Clause::Constant(*flag));
    }
    let Some([Json::String(name), Json::String(function), asked]) =
        json.as_array().map(Vec::as_slice)
    else {
        return Err(Refusal::syntax("Parse error in condition.").at(json));
    };
    let place = layout.place(name).ok_or_else(|| layout.unknown(name).at(json))?;
    let function = match function.as_str() {
        "<" => Function::Less,
        "<=" => Function::LessOrEqual,
        "==" => Function::Equal,
        "!=" => Function::Unequal,
        ">=" => Function::GreaterOrEqual,
        ">" => Function::Greater,
        "includes" => Function::Includes,
        "excludes" => Function::Excludes,
        other => {
            let details = format!("No function named {other}.");
            return Err(Refusal::new("unknown function", details));
        }
    };
    let column = match place {
        Place::Cell(number) => layout.column(number),
        Place::Uuid | Place::Version => None,
    };
    let Some(column) = column else {
        let uuid = Atom::from_json(asked).and_then(|atom| atom.as_uuid());
        let named = || Some(names.uuid(asked.as_array()?.get(1)?.as_str()?));
        let uuid =
            uuid.or_else(named).ok_or_else(|| Refusal::syntax("expected a UUID").at(json))?;
        return Ok(Clause::Compare(place, function, Datum::one(uuid)));
    };
    let count = match function {
        Function::Includes | Function::Excludes if column.max != Some(1) || column.min == 0 => {
            Count::ANY
        }
        _ => Count::of(column),
    };
    let ordered = !matches!(
        function,
        Function::Equal | Function::Unequal | Function::Includes | Function::Excludes
    );
    let number = matches!(column.key.atom, AtomType::Integer | AtomType::Real);
    if ordered && !(number && column.max == Some(1) && column.value.is_none()) {
        let details = format!(
            "Type mismatch: operator may not be applied to column {name} of type {}.",
            cell::word(column.key.atom)
        );
        return Err(Refusal::syntax(details).at(json));
    }
    Ok(Clause::Compare(place, function, cell::read(column, asked, count, names)?))
}
