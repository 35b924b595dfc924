//! Lists: how many entries there may be, whether they may repeat, what null means. Not here: what
//! an entry is, which its own type says.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Id, Raw, Text, quoted};
use crate::attr::{BAD_REQUEST, Column, Wire};
use crate::value::Value;

/// The most entries that a list in a request may have.
pub const MOST_ENTRIES: usize = 1000;

/// True for `""` and `{}`. PARITY: some lists are empty in these forms too.
pub fn is_bare(json: &Json) -> bool {
    json.as_str() == Some("") || json.as_object().is_some_and(serde_json::Map::is_empty)
}

/// A type of which there are lists.
pub trait Item: Wire {
    /// What a list of them must be, to end the sentence "… must be".
    const LIST: &'static str;
    /// Whether null is taken for the empty list.
    const NULL_IS_EMPTY: bool = true;
    /// True for what else is taken for the empty list.
    fn is_empty_list(json: &Json) -> bool {
        let _ = json;
        false
    }
    /// Reads an entry, where a list is stricter than a single value.
    fn entry(json: &Json) -> Result<Self, String> {
        Self::parse(json)
    }
    /// Reads an entry of a stored list.
    fn stored(json: &Json) -> Option<Self> {
        Self::load(&Value::from(json.clone()))
    }
    /// The fault for a list that is refused.
    fn list_fault(refused: &Json) -> (&'static str, u16) {
        let _ = refused;
        BAD_REQUEST
    }
    /// Two entries with the same key exclude each other; `None`: entries may repeat.
    fn key(&self) -> Option<String> {
        Some(self.store().to_json().to_string())
    }
}

impl<T: Item> Wire for Vec<T> {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = T::LIST;

    fn parse(json: &Json) -> Result<Self, String> {
        let items = match json {
            Json::Null if T::NULL_IS_EMPTY => return Ok(Self::new()),
            other if T::is_empty_list(other) => return Ok(Self::new()),
            Json::Array(items) => items,
            other => return Err(format!("{} is not a list", quoted(other))),
        };
        if items.len() > MOST_ENTRIES {
            return Err(format!(
                "it has {} entries and at most {MOST_ENTRIES} are accepted",
                items.len()
            ));
        }
        let mut seen = BTreeSet::new();
        let mut list = Self::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let entry =
                T::entry(item).map_err(|why| format!("in its entry {}, {why}", place + 1))?;
            if let Some(key) = entry.key()
                && !seen.insert(key)
            {
                return Err(format!("its entry {}, {}, is a repetition", place + 1, quoted(item)));
            }
            list.push(entry);
        }
        Ok(list)
    }

    fn fault(refused: &Json) -> (&'static str, u16) {
        T::list_fault(refused)
    }

    fn store(&self) -> Value {
        Value::json(Json::Array(self.iter().map(|item| item.store().to_json()).collect()))
    }

    fn load(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::new()),
            Value::Json(json) => json.as_array()?.iter().map(T::stored).collect(),
            _ => None,
        }
    }

    fn empty() -> Self {
        Self::new()
    }
}

impl Item for Id {
    const LIST: &'static str = "a list of UUIDs, each once";
    fn stored(json: &Json) -> Option<Self> {
        json.as_str().and_then(Self::read)
    }
}

impl<const N: u16> Item for Text<N> {
    const LIST: &'static str = "a list of texts, each once";
}

impl Item for i64 {
    const LIST: &'static str = "a list of whole numbers, each once";
}

impl Item for Raw {
    const LIST: &'static str = "a list";
    fn key(&self) -> Option<String> {
        None
    }
}
