//! `ObjectType`: the name of a kind in entries. Not here: which kinds can be shared (`rbac`).

use serde_json::Value as Json;
use wire::attr::{Column, Wire};
use wire::types::Text;
use wire::value::Value;

/// A text of at most 64 characters; what names no kind is refused where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectType(Text<64>);

impl ObjectType {
    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Wire for ObjectType {
    const COLUMN: Column = Column::Text(64);
    const ACCEPTS: &'static str = "a kind of object that can be shared, such as network";

    fn parse(json: &Json) -> Result<Self, String> {
        Text::parse(json).map(Self)
    }
    fn store(&self) -> Value {
        self.0.store()
    }
    fn load(value: &Value) -> Option<Self> {
        Text::load(value).map(Self)
    }
    fn empty() -> Self {
        Self(Text::empty())
    }
    fn filter(text: &str) -> Option<Value> {
        // PARITY: policies of quality of service are known to filters, though there are none yet.
        let known = super::is_shareable(text) || text == "qos_policy";
        known.then(|| Value::text(text))
    }
}
