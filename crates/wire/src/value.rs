//! `Value`: the one dynamic scalar between wire, policy and SQL. Not here: what a value means
//! (types).

use serde_json::Value as Json;

/// One attribute's value, on its way between JSON, the policy and a database column.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nobody has chosen a value yet. Storing a row that still holds one is refused.
    #[default]
    Missing,
    /// JSON `null`, SQL `NULL`.
    Null,
    /// A truth value; SQL stores it as boolean (PostgreSQL) or 0/1.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A string; ids, addresses and times are stored as text on every engine.
    Text(String),
    /// A list or an object; SQL stores its JSON text. Boxed, for most values are short.
    Json(Box<Json>),
    /// JSON as it is shown, already written: numbers beyond 64 bits, and what is made only to be
    /// shown. It is never stored.
    Written(Box<str>),
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list or an object.
    pub fn json(json: impl Into<Json>) -> Self {
        Self::Json(Box::new(json.into()))
    }

    /// JSON that is written already, as it is shown.
    pub fn written(json: impl Into<Box<str>>) -> Self {
        Self::Written(json.into())
    }

    /// True where no value has been chosen.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// True for `Null` and `Missing`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Missing)
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The list or the object, if this is one.
    pub fn as_json(&self) -> Option<&Json> {
        match self {
            Self::Json(json) => Some(json),
            _ => None,
        }
    }

    /// The value as a caller sees it.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Missing | Self::Null => Json::Null,
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Int(number) => Json::from(*number),
            Self::Text(text) => Json::String(text.clone()),
            Self::Json(json) => Json::clone(json),
            // Numbers lose digits here; replies are written from the value itself.
            Self::Written(text) => serde_json::from_str(text).unwrap_or_default(),
        }
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(truth),
            Json::Number(number) => {
                number.as_i64().map_or_else(|| Self::json(Json::Number(number)), Self::Int)
            }
            Json::String(text) => Self::Text(text),
            other => Self::json(other),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
