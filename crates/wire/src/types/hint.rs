//! What a caller hints at or points to: availability zones, back-end tuning, kinds of devices,
//! subnet pools, projects. Not here: whether they exist (model).

use std::fmt::{self, Display};

use serde_json::Value as Json;

use super::list::{self, Item};
use super::object::Object;
use super::{Id, Text, quoted, text};
use crate::attr::{BAD_REQUEST, Column, INVALID_INPUT, Wire};
use crate::value::Value;

/// The name of an availability zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(pub String);

/// The names of availability zones to prefer; all together at most 255 characters of JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones(pub Vec<Zone>);

impl Wire for Zone {
    const COLUMN: Column = Column::Text(255);
    const ACCEPTS: &'static str = "the name of an availability zone";
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

impl Item for Zone {
    const LIST: &'static str = "a list of names of availability zones, each once";
    const NULL_IS_EMPTY: bool = false;
}

/// How long the JSON text is where characters beyond ASCII are escaped, as in Neutron's column.
fn ascii_length(json: &Json) -> usize {
    let escaped = |c: char| if c.is_ascii() { 1 } else { 6 * c.len_utf16() };
    json.to_string().chars().map(escaped).sum()
}

impl Wire for Zones {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = <Zone as Item>::LIST;
    fn parse(json: &Json) -> Result<Self, String> {
        let zones = Vec::parse(json).map(Self)?;
        let length = ascii_length(json) + zones.0.len().saturating_sub(1);
        if length > 255 {
            return Err(format!("as JSON it has {length} characters and at most 255 are accepted"));
        }
        Ok(zones)
    }
    fn fault(refused: &Json) -> (&'static str, u16) {
        // A list of texts is refused for its length by Neutron, one of something else for its kind.
        let texts = refused.is_array() && Vec::<Text<{ u16::MAX }>>::parse(refused).is_ok();
        if texts { INVALID_INPUT } else { BAD_REQUEST }
    }
    fn store(&self) -> Value {
        self.0.store()
    }
    fn load(value: &Value) -> Option<Self> {
        Vec::load(value).map(Self)
    }
    fn empty() -> Self {
        Self::default()
    }
}

crate::words! {
    /// How a port's packets are spread over the queues for sending.
    pub enum TxSteering, "thread or hash" { Thread = "thread", Hash = "hash" }
}

/// Tuning of the back end: `{"openvswitch": {"other_config": {"tx-steering": "hash"}}}` or a part
/// of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints(serde_json::Map<String, Json>);

impl Hints {
    /// What is asked of the queues for sending.
    pub fn tx_steering(&self) -> Option<TxSteering> {
        let word = self.0.get("openvswitch")?.get("other_config")?.get("tx-steering")?;
        TxSteering::parse(word).ok()
    }
}

impl Wire for Hints {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str =
        "null or an object like {\"openvswitch\": {\"other_config\": {\"tx-steering\": \"hash\"}}}";
    fn parse(json: &Json) -> Result<Self, String> {
        let hints = Object::read(json, &["openvswitch"])?;
        if let Some(openvswitch) = hints.raw("openvswitch")
            && let Some(config) = Object::read(openvswitch, &["other_config"])?.raw("other_config")
        {
            Object::read(config, &["tx-steering"])?.get::<TxSteering>("tx-steering")?;
        }
        Ok(Self(json.as_object().cloned().unwrap_or_default()))
    }
    fn store(&self) -> Value {
        Value::json(Json::Object(self.0.clone()))
    }
    fn load(value: &Value) -> Option<Self> {
        Self::parse(&value.to_json()).ok()
    }
    fn empty() -> Self {
        Self::default()
    }
}

/// What kind of device a subnet's addresses are for: the beginning of a port's `device_owner`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceType(pub String);

impl Wire for ServiceType {
    const COLUMN: Column = Column::Text(255);
    const ACCEPTS: &'static str = "a text that begins with network:, neutron: or compute:";
    fn parse(json: &Json) -> Result<Self, String> {
        let service = text(json, 255)?;
        let standard = ["network:", "neutron:"].iter().any(|prefix| service.starts_with(prefix));
        // PARITY: Neutron adds the letters of `compute:` to its list of beginnings, each by itself
        // (neutron_lib.api.validators.validate_subnet_service_types), so `manila:share` passes.
        if standard || service.starts_with(['c', 'o', 'm', 'p', 'u', 't', 'e', ':']) {
            return Ok(Self(service));
        }
        Err(format!("{} does not begin with network:, neutron: or compute:", quoted(json)))
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

impl Item for ServiceType {
    const LIST: &'static str = "a list of texts that begin with network:, neutron: or compute:";

    fn is_empty_list(json: &Json) -> bool {
        list::is_bare(json)
    }
    fn list_fault(refused: &Json) -> (&'static str, u16) {
        let entries = refused.as_array().map(Vec::as_slice).unwrap_or_default();
        match entries.iter().find(|entry| Self::parse(entry).is_err()) {
            None => BAD_REQUEST,
            Some(entry) if entry.is_string() => ("InvalidSubnetServiceType", 400),
            Some(_) => ("InvalidInputSubnetServiceType", 400),
        }
    }
}

/// The pool that a subnet's addresses are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubnetPoolId {
    /// A subnet pool.
    Id(Id),
    /// The addresses are delegated by an upstream router (`prefix_delegation`).
    PrefixDelegation,
}

impl Display for SubnetPoolId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(out),
            Self::PrefixDelegation => out.write_str("prefix_delegation"),
        }
    }
}

impl SubnetPoolId {
    /// The pool in this text.
    pub fn read(text: &str) -> Option<Self> {
        if text == "prefix_delegation" {
            return Some(Self::PrefixDelegation);
        }
        Id::read(text).map(Self::Id)
    }
}

impl Wire for SubnetPoolId {
    const COLUMN: Column = Column::Text(36);
    const ACCEPTS: &'static str = "the UUID of a subnet pool or prefix_delegation";
    fn parse(json: &Json) -> Result<Self, String> {
        json.as_str().and_then(Self::read).ok_or_else(|| format!("{} is neither", quoted(json)))
    }
    fn store(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().and_then(Self::read)
    }
    fn empty() -> Self {
        Self::Id(Id::empty())
    }
}

/// The project that something is shared with; `*`: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetProject(pub String);

impl TargetProject {
    /// True when all projects are meant.
    pub fn is_all(&self) -> bool {
        self.0 == "*"
    }
}

impl Wire for TargetProject {
    const COLUMN: Column = Column::Text(255);
    const ACCEPTS: &'static str = "the UUID of a project, or * for all projects";
    fn parse(json: &Json) -> Result<Self, String> {
        let Text(target) = Text::<255>::parse(json)?;
        if target == "*" || Id::read(&target).is_some() {
            return Ok(Self(target));
        }
        Err(format!("{} is neither", quoted(json)))
    }
    fn fault(_: &Json) -> (&'static str, u16) {
        INVALID_INPUT
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
