//! `Dict`: an object of the caller's own making (`binding:profile`), kept as it is.

use serde_json::{Map, Value as Json};

use super::quoted;
use crate::attr::{Column, Wire};
use crate::value::Value;

/// The most characters of its JSON text.
const LONGEST: usize = 4095;
/// The deepest nesting.
const DEEPEST: usize = 16;

/// An object with any members. Its JSON text has at most 4095 characters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dict(pub Map<String, Json>);

impl Dict {
    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The member of this key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.get(key)
    }
}

fn deeper_than(json: &Json, most: usize) -> bool {
    let Some(rest) = most.checked_sub(1) else {
        return true;
    };
    match json {
        Json::Array(items) => items.iter().any(|item| deeper_than(item, rest)),
        Json::Object(members) => members.values().any(|member| deeper_than(member, rest)),
        _ => false,
    }
}

impl Wire for Dict {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "an object whose JSON has at most 4095 characters, or null";

    fn parse(json: &Json) -> Result<Self, String> {
        let members = match json {
            Json::Null => return Ok(Self::default()),
            Json::Object(members) => members,
            other => return Err(format!("{} is not an object", quoted(other))),
        };
        if deeper_than(json, DEEPEST) {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
        let length = json.to_string().chars().count();
        if length > LONGEST {
            return Err(format!("its JSON has {length} characters"));
        }
        Ok(Self(members.clone()))
    }
    fn store(&self) -> Value {
        Value::json(Json::Object(self.0.clone()))
    }
    fn load(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::default()),
            Value::Json(json) => json.as_object().map(|members| Self(members.clone())),
            _ => None,
        }
    }
    fn empty() -> Self {
        Self::default()
    }
}
