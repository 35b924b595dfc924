//! `Tag`: a word that a caller sticks on a thing. Not here: storing them, and how many (model).

use std::fmt::{self, Display};

use serde_json::Value as Json;

use super::list::Item;
use super::text;
use crate::attr::{Column, Wire};
use crate::value::Value;

/// A text of at most 255 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub String);

impl Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Wire for Tag {
    const COLUMN: Column = Column::Text(255);
    const ACCEPTS: &'static str = "a text of at most 255 characters";
    fn parse(json: &Json) -> Result<Self, String> {
        text(json, 255).map(Self)
    }
    fn store(&self) -> Value {
        Value::Text(self.0.clone())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().map(|text| Self(text.to_owned()))
    }
    fn empty() -> Self {
        Self::default()
    }
}

impl Item for Tag {
    const LIST: &'static str = "a list of texts of at most 255 characters, each once";
    const NULL_IS_EMPTY: bool = false;
}
