//! `PortNumber`: a port of TCP or UDP, or a type or code of ICMP. Not here: which of them a
//! protocol permits (model).

use serde_json::Value as Json;

use super::quoted;
use crate::attr::{Column, Wire};
use crate::value::Value;

/// A number from 0 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortNumber(pub u16);

impl Wire for PortNumber {
    const COLUMN: Column = Column::Int;
    const ACCEPTS: &'static str = "a number from 0 to 65535";
    fn parse(json: &Json) -> Result<Self, String> {
        u16::try_from(i64::parse(json)?)
            .map(Self)
            // Clients look for these words in the message.
            .map_err(|_| format!("Invalid value for port {}", quoted(json)))
    }
    fn fault(_: &Json) -> (&'static str, u16) {
        ("SecurityGroupInvalidPortValue", 400)
    }
    fn store(&self) -> Value {
        Value::Int(i64::from(self.0))
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_int().and_then(|number| u16::try_from(number).ok()).map(Self)
    }
    fn empty() -> Self {
        Self(0)
    }
    fn filter(text: &str) -> Option<Value> {
        Self::parse(&Json::from(text)).ok().map(|port| port.store())
    }
}
