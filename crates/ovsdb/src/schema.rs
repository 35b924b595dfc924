//! The schema that a server announces: which tables and columns there are, and what each column
//! takes. A newer server has more, an older one fewer; who writes asks here first.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::collection::{Map, Set};
use crate::value::{Atom, Datum};

/// The type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtomType {
    /// A whole number.
    Integer,
    /// A floating-point number.
    Real,
    /// True or false.
    Boolean,
    /// Text.
    String,
    /// A reference.
    Uuid,
}

/// What one side of a column takes (RFC 7047 `<base-type>`).
#[derive(Clone, Debug, PartialEq)]
pub struct BaseType {
    /// The scalar's type.
    pub atom: AtomType,
    /// The only values allowed, if they are listed.
    pub allowed: Option<Set>,
    /// The table that it refers to, and whether the reference keeps the row alive.
    pub refers: Option<Reference>,
    /// Least and greatest number.
    pub range: (Option<f64>, Option<f64>),
    /// Least and greatest length of a text, in characters.
    pub length: (Option<u64>, Option<u64>),
}

/// A reference from a column to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The table.
    pub table: String,
    /// Strong references keep the row; weak ones vanish with it.
    pub strong: bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What a member of the set, or a key of the map, is.
    pub key: BaseType,
    /// What a value of the map is; `None`: it is a set.
    pub value: Option<BaseType>,
    /// The least number of members.
    pub min: u64,
    /// The greatest; `None`: unlimited.
    pub max: Option<u64>,
    /// Is not kept over a restart of the server.
    pub ephemeral: bool,
    /// May be written after the row was inserted.
    pub mutable: bool,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Its columns by name, without `_uuid` and `_version`.
    pub columns: BTreeMap<String, Column>,
    /// Rows stay without being referred to.
    pub root: bool,
    /// Sets of columns that no two rows share.
    pub indexes: Vec<Vec<String>>,
    /// The greatest number of rows.
    pub max_rows: Option<u64>,
}

/// A database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Its name, such as `OVN_Northbound`.
    pub name: String,
    /// Its version, `x.y.z`.
    pub version: String,
    /// Its tables by name.
    pub tables: BTreeMap<String, Table>,
}

impl Schema {
    /// Reads a `<database-schema>`; what is wrong with it as text.
    ///
    /// # Errors
    /// A sentence that names the part that is no schema.
    pub fn from_json(json: &Json) -> Result<Self, String> {
        let text =
            |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let tables = json.get("tables").and_then(Json::as_object).ok_or("there are no tables")?;
        let mut schema =
            Self { name: text("name"), version: text("version"), tables: BTreeMap::new() };
        for (name, table) in tables {
            let table = read_table(table).map_err(|why| format!("table {name}: {why}"))?;
            schema.tables.insert(name.clone(), table);
        }
        // RFC 7047 §3.2: without any `isRoot` every table is a root table.
        if schema.tables.values().all(|table| !table.root) {
            schema.tables.values_mut().for_each(|table| table.root = true);
        }
        Ok(schema)
    }

    /// A column, if the server has it.
    #[must_use]
    pub fn column(&self, table: &str, column: &str) -> Option<&Column> {
        self.tables.get(table)?.columns.get(column)
    }
}

impl Column {
    /// What a new row has here when nothing is given.
    #[must_use]
    pub fn default(&self) -> Datum {
        if self.value.is_some() {
            return Datum::Map(Map::new());
        }
        if self.min == 0 {
            return Datum::none();
        }
        match self.key.atom {
            AtomType::Integer => Datum::one(0_i64),
            AtomType::Real => Datum::one(Atom::Real(0.0)),
            AtomType::Boolean => Datum::one(false),
            AtomType::String => Datum::one(""),
            AtomType::Uuid => Datum::one(uuid::Uuid::nil()),
        }
    }

    /// Reads a value for this column: an empty set is an empty map where a map is meant, a whole
    /// number a real one where reals are. `None`: it does not fit.
    #[must_use]
    pub fn read(&self, json: &Json) -> Option<Datum> {
        match (Datum::from_json(json)?, &self.value) {
            (Datum::Set(set), Some(_)) if set.is_empty() => Some(Datum::Map(Map::new())),
            (Datum::Set(set), None) => set
                .into_iter()
                .map(|atom| self.key.fit(atom))
                .collect::<Option<_>>()
                .map(Datum::Set),
            (Datum::Map(map), Some(value)) => map
                .into_iter()
                .map(|(key, atom)| Some((self.key.fit(key)?, value.fit(atom)?)))
                .collect::<Option<_>>()
                .map(Datum::Map),
            _ => None,
        }
    }
}

impl BaseType {
    fn of(atom: AtomType) -> Self {
        Self { atom, allowed: None, refers: None, range: (None, None), length: (None, None) }
    }

    fn fit(&self, atom: Atom) -> Option<Atom> {
        match (self.atom, atom) {
            #[allow(clippy::cast_precision_loss)]
            (AtomType::Real, Atom::Integer(number)) => Some(Atom::Real(number as f64)),
            (AtomType::Integer, atom @ Atom::Integer(_))
            | (AtomType::Real, atom @ Atom::Real(_))
            | (AtomType::Boolean, atom @ Atom::Boolean(_))
            | (AtomType::String, atom @ Atom::String(_))
            | (AtomType::Uuid, atom @ Atom::Uuid(_)) => Some(atom),
            _ => None,
        }
    }
}

fn read_table(json: &Json) -> Result<Table, String> {
    let columns = json.get("columns").and_then(Json::as_object).ok_or("there are no columns")?;
    let columns = columns
        .iter()
        .map(|(name, column)| {
            let column = read_column(column).map_err(|why| format!("column {name}: {why}"))?;
            Ok((name.clone(), column))
        })
        .collect::<Result<_, String>>()?;
    let names = |json: &Json| -> Vec<String> {
        json.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
    };
    Ok(Table {
        columns,
        root: json.get("isRoot").and_then(Json::as_bool).unwrap_or(false),
        indexes: json
            .get("indexes")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .map(names)
            .collect(),
        max_rows: json.get("maxRows").and_then(Json::as_u64),
    })
}

fn read_column(json: &Json) -> Result<Column, String> {
    let kind = json.get("type").ok_or("there is no type")?;
    let flag = |name: &str, default| json.get(name).and_then(Json::as_bool).unwrap_or(default);
    let part = |name: &str| kind.get(name).map(read_base).transpose();
    let key = if kind.is_string() { Some(read_base(kind)?) } else { part("key")? };
    let max = match kind.get("max") {
        Some(Json::String(word)) if word == "unlimited" => None,
        Some(number) => Some(number.as_u64().ok_or("`max` is no number")?),
        None => Some(1),
    };
    Ok(Column {
        key: key.ok_or("its type has no key")?,
        value: part("value")?,
        min: kind.get("min").and_then(Json::as_u64).unwrap_or(1),
        max,
        ephemeral: flag("ephemeral", false),
        mutable: flag("mutable", true),
    })
}

fn read_base(json: &Json) -> Result<BaseType, String> {
    let name = json.as_str().or_else(|| json.get("type")?.as_str()).ok_or("there is no type")?;
    let mut base = BaseType::of(match name {
        "integer" => AtomType::Integer,
        "real" => AtomType::Real,
        "boolean" => AtomType::Boolean,
        "string" => AtomType::String,
        "uuid" => AtomType::Uuid,
        other => return Err(format!("there is no type {other}")),
    });
    if let Some(table) = json.get("refTable").and_then(Json::as_str) {
        let strong = json.get("refType").and_then(Json::as_str) != Some("weak");
        base.refers = Some(Reference { table: table.to_owned(), strong });
    }
    if let Some(listed) = json.get("enum") {
        let Some(Datum::Set(set)) = Datum::from_json(listed) else {
            return Err("`enum` is no set".to_owned());
        };
        base.allowed = Some(set);
    }
    let real = |name: &str| json.get(name).and_then(Json::as_f64);
    let whole = |name: &str| json.get(name).and_then(Json::as_u64);
    base.range = (
        real("minInteger").or_else(|| real("minReal")),
        real("maxInteger").or_else(|| real("maxReal")),
    );
    base.length = (whole("minLength"), whole("maxLength"));
    Ok(base)
}
