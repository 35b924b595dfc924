//! `Reference`: what a caller writes to name another object. Whether there is such an object, and
//! whether he may use it, is for the model: what is no id names nothing, and that is a 404, not a
//! 400.

use std::fmt::{self, Display};

use serde_json::Value as Json;

use super::{Id, text};
use crate::attr::{Column, Wire};
use crate::value::Value;

/// The id of another object, or a text that cannot be one. At most 36 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(pub String);

impl Reference {
    /// The id; `None`: it is none, so that there is no such object.
    pub fn id(&self) -> Option<Id> {
        Id::read(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Id> for Reference {
    fn from(id: Id) -> Self {
        Self(id.to_string())
    }
}

impl Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Wire for Reference {
    const COLUMN: Column = Column::Text(36);
    const ACCEPTS: &'static str = "the id of another object";

    fn parse(json: &Json) -> Result<Self, String> {
        let text = text(json, 36)?;
        // An id in any of its spellings is stored in one.
        Ok(Id::read(&text).map_or(Self(text), Self::from))
    }
    fn nothing(json: &Json) -> bool {
        json.is_null() || json.as_str() == Some("")
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_is_kept_in_one_spelling_and_another_text_names_nothing() {
        let upper = json!("2E13C428-6172-4BE3-B0AF-D4D136C87B4C");
        let known = Reference::parse(&upper).unwrap();
        assert_eq!(known.as_str(), "2e13c428-6172-4be3-b0af-d4d136c87b4c");
        assert!(known.id().is_some());
        let unknown = Reference::parse(&json!("bad_group_id")).unwrap();
        assert_eq!((unknown.as_str(), unknown.id()), ("bad_group_id", None));
        assert!(Reference::parse(&json!(5)).is_err());
        assert!(Reference::parse(&json!("x".repeat(37))).is_err());
    }
}
