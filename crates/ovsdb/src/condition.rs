//! Conditions on the columns of a row, as operations and monitors take them (RFC 7047 §5.1).

use serde_json::{Value as Json, json};

use crate::value::Datum;

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The same.
    Equal,
    /// Not the same.
    Unequal,
    /// Holds at least the given members or pairs.
    Includes,
    /// Holds none of the given members or pairs.
    Excludes,
    /// A number below the given one.
    Less,
    /// A number up to the given one.
    LessOrEqual,
    /// A number above the given one.
    Greater,
    /// A number from the given one on.
    GreaterOrEqual,
}

/// What a row must fulfil. Operations take several as "and", monitors as "or".
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The column; `_uuid` is one too.
    pub column: String,
    /// How it is compared.
    pub function: Function,
    /// With what.
    pub value: Datum,
}

impl Condition {
    /// A condition.
    pub fn new(column: impl Into<String>, function: Function, value: Datum) -> Self {
        Self { column: column.into(), function, value }
    }

    /// The column has exactly this value.
    pub fn equal(column: impl Into<String>, value: Datum) -> Self {
        Self::new(column, Function::Equal, value)
    }

    /// The column holds at least these members or pairs.
    pub fn includes(column: impl Into<String>, value: Datum) -> Self {
        Self::new(column, Function::Includes, value)
    }

    /// The column holds none of these members or pairs.
    pub fn excludes(column: impl Into<String>, value: Datum) -> Self {
        Self::new(column, Function::Excludes, value)
    }

    /// As the protocol writes it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!([self.column, self.function.as_str(), self.value.to_json()])
    }
}

impl Function {
    fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Includes => "includes",
            Self::Excludes => "excludes",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}
