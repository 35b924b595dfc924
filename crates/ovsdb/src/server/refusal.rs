//! Why an operation or a request is refused, as the protocol tells it (RFC 7047 §4, `<error>`).

use serde_json::{Map, Value as Json};

/// An `<error>`.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The tag on which clients match, such as `constraint violation`.
    error: String,
    /// A sentence for people.
    details: String,
    /// The piece of the request that is wrong.
    syntax: Option<String>,
}

impl Refusal {
    /// The tag with a sentence.
    pub fn new(error: &str, details: impl Into<String>) -> Self {
        Self { error: error.to_owned(), details: details.into(), syntax: None }
    }

    /// `syntax error`.
    pub fn syntax(details: impl Into<String>) -> Self {
        Self::new("syntax error", details)
    }

    /// `constraint violation`.
    pub fn constraint(details: impl Into<String>) -> Self {
        Self::new("constraint violation", details)
    }

    /// `referential integrity violation`.
    pub fn referential(details: impl Into<String>) -> Self {
        Self::new("referential integrity violation", details)
    }

    /// Shows what is wrong.
    pub fn at(mut self, json: &Json) -> Self {
        self.syntax = Some(json.to_string());
        self
    }

    /// As the protocol writes it.
    pub fn to_json(&self) -> Json {
        let mut object = Map::new();
        object.insert("error".to_owned(), self.error.clone().into());
        object.insert("details".to_owned(), self.details.clone().into());
        if let Some(syntax) = &self.syntax {
            object.insert("syntax".to_owned(), syntax.clone().into());
        }
        Json::Object(object)
    }
}
