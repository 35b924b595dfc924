//! The types of attributes: each its own validator (`parse`), with one stored and shown form.
//! Here are the general ones; those of networking have a file each.

pub mod cidr;
pub mod dhcp_opt;
pub mod dns;
pub mod fixed_ip;
pub mod hint;
pub mod ip;
pub mod list;
pub mod mac;
pub mod name;
pub mod object;
pub mod pair;
pub mod port_range;
pub mod profile;
pub mod protocol;
pub mod reference;
pub mod route;
pub mod segment;
pub mod tags;
pub mod whole;
pub mod words;

use std::fmt::{self, Display};

use serde_json::Value as Json;

use crate::attr::{Column, INVALID_INPUT, Wire};
use crate::value::Value;

/// How a refused value is named in a message: short, on one line, whatever was sent.
pub fn quoted(json: &Json) -> String {
    let text = json.to_string();
    // JSON escapes only some of the control characters.
    let escaped = |c: char| match c.is_control() {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    if text.chars().count() <= 80 {
        return text.chars().map(escaped).collect();
    }
    text.chars().take(79).map(escaped).chain(["…".to_owned()]).collect()
}

/// How a refused text is named in a message: as JSON writes it, shortened.
pub fn quoted_text(text: &str) -> String {
    // Beyond this nothing is shown, so there is no need to copy it all.
    quoted(&Json::from(text.chars().take(100).collect::<String>()))
}

/// A caller's truth value: a boolean, 1 or 0, or one of the words for it in any case.
pub fn truth(json: &Json) -> Option<bool> {
    let word = match json {
        Json::Bool(truth) => return Some(*truth),
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_lowercase(),
        _ => return None,
    };
    match word.as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// A caller's whole number: as number, as text, or as truth value.
fn whole(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64().or_else(|| {
            // 4.0 is one; what has a fraction, or is too large to be exact, is not.
            let float = number.as_f64()?;
            let exact = float.fract() == 0.0 && float.abs() < 9e15;
            exact.then_some(float as i64)
        }),
        Json::String(text) => text.trim().parse().ok(),
        Json::Bool(truth) => Some(i64::from(*truth)),
        _ => None,
    }
}

impl Wire for bool {
    const COLUMN: Column = Column::Bool;
    const ACCEPTS: &'static str = "true or false";
    fn parse(json: &Json) -> Result<Self, String> {
        truth(json).ok_or_else(|| format!("{} is neither true nor false", quoted(json)))
    }
    fn fault(_: &Json) -> (&'static str, u16) {
        INVALID_INPUT
    }
    fn store(&self) -> Value {
        Value::Bool(*self)
    }
    fn load(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(truth) => Some(*truth),
            Value::Int(number) => Some(*number != 0),
            _ => None,
        }
    }
    fn empty() -> Self {
        false
    }
}

impl Wire for i64 {
    const COLUMN: Column = Column::Int;
    const ACCEPTS: &'static str = "a whole number";
    fn parse(json: &Json) -> Result<Self, String> {
        whole(json).ok_or_else(|| format!("{} is not a whole number", quoted(json)))
    }
    fn fault(_: &Json) -> (&'static str, u16) {
        INVALID_INPUT
    }
    fn store(&self) -> Value {
        Value::Int(*self)
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_int()
    }
    fn empty() -> Self {
        0
    }
}

impl<T: Wire> Wire for Option<T> {
    const COLUMN: Column = T::COLUMN;
    const ACCEPTS: &'static str = T::ACCEPTS;
    fn parse(json: &Json) -> Result<Self, String> {
        if T::nothing(json) { Ok(None) } else { T::parse(json).map(Some) }
    }
    fn fault(refused: &Json) -> (&'static str, u16) {
        T::fault(refused)
    }
    fn store(&self) -> Value {
        self.as_ref().map_or(Value::Null, Wire::store)
    }
    fn load(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::load(value).map(Some) }
    }
    fn empty() -> Self {
        None
    }
    fn filter(text: &str) -> Option<Value> {
        T::filter(text)
    }
}

/// A UUID, written lower-case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub uuid::Uuid);

impl Id {
    /// A new random id.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4())
    }

    /// The id in this text, in any form that a UUID is written in.
    pub fn read(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text).ok().map(Self)
    }
}

impl Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(out)
    }
}

impl Wire for Id {
    const COLUMN: Column = Column::Text(36);
    const ACCEPTS: &'static str = "a UUID";
    fn parse(json: &Json) -> Result<Self, String> {
        json.as_str().and_then(Self::read).ok_or_else(|| format!("{} is not a UUID", quoted(json)))
    }
    fn store(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().and_then(Self::read)
    }
    fn empty() -> Self {
        Self(uuid::Uuid::nil())
    }
}

/// A text of at most `N` characters, without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const N: u16>(pub String);

impl<const N: u16> Text<N> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const N: u16> From<&str> for Text<N> {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<const N: u16> Display for Text<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A caller's text of at most `limit` characters that is safe to store and to hand on.
pub fn text(json: &Json, limit: u16) -> Result<String, String> {
    let Json::String(text) = json else {
        return Err(format!("{} is not a text", quoted(json)));
    };
    let length = text.chars().count();
    if length > usize::from(limit) {
        return Err(format!("it has {length} characters and at most {limit} are accepted"));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(format!("it has the control character U+{:04X}", u32::from(bad)));
    }
    Ok(text.clone())
}

impl<const N: u16> Wire for Text<N> {
    const COLUMN: Column = Column::Text(N);
    const ACCEPTS: &'static str = "a text";
    fn parse(json: &Json) -> Result<Self, String> {
        text(json, N).map(Self)
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

/// Any JSON, for lists and objects whose inside the model knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw(pub Json);

impl Wire for Raw {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "a list or an object";
    fn parse(json: &Json) -> Result<Self, String> {
        Ok(Self(json.clone()))
    }
    fn store(&self) -> Value {
        Value::from(self.0.clone())
    }
    fn load(value: &Value) -> Option<Self> {
        Some(Self(value.to_json()))
    }
    fn empty() -> Self {
        Self(Json::Null)
    }
}
