//! `DhcpOption`: an option that DHCP hands to a port. Not here: which ones a back end supports.

use serde_json::{Map, Value as Json};

use super::list::Item;
use super::object::Object;
use super::words::IpVersion;
use super::{quoted, text};
use crate::attr::{Column, INVALID_INPUT, Wire};
use crate::value::Value;

/// Options whose value may be empty: an empty one is how they are left out.
const MAY_BE_BLANK: [&str; 2] = ["router", "classless-static-route"];

/// An option of DHCP by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpOption {
    /// Its name, as dnsmasq calls it.
    pub opt_name: String,
    /// Its value; `None` in an update takes the option away.
    pub opt_value: Option<String>,
    /// The version of DHCP that it is for.
    pub ip_version: IpVersion,
}

/// Reads a text on one line that is not blank.
fn line(key: &str, json: &Json, limit: u16) -> Result<String, String> {
    let line = text(json, limit).map_err(|why| format!("{key} must be a text: {why}"))?;
    if line.trim().is_empty() {
        return Err(format!("{key} must not be blank"));
    }
    // Separators of lines that the check of all texts lets pass.
    if line.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        return Err(format!("{key} must be one line, not {}", quoted(json)));
    }
    Ok(line)
}

impl Wire for DhcpOption {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "an object with opt_name, opt_value and optionally ip_version";

    fn parse(json: &Json) -> Result<Self, String> {
        let option = Object::read(json, &["opt_name", "opt_value", "ip_version"])?;
        let name = option.raw("opt_name").ok_or("the key opt_name is missing")?;
        let opt_name = line("opt_name", name, 64)?;
        let opt_value = match option.raw("opt_value").ok_or("the key opt_value is missing")? {
            Json::Null => None,
            value if MAY_BE_BLANK.contains(&opt_name.as_str()) => {
                Some(text(value, 255).map_err(|why| format!("opt_value must be a text: {why}"))?)
            }
            value => Some(line("opt_value", value, 255)?),
        };
        let ip_version = option.get("ip_version")?.unwrap_or(IpVersion::V4);
        Ok(Self { opt_name, opt_value, ip_version })
    }
    fn store(&self) -> Value {
        let mut members = Map::new();
        members.insert("opt_name".into(), self.opt_name.clone().into());
        members.insert("opt_value".into(), self.opt_value.clone().into());
        members.insert("ip_version".into(), self.ip_version.number().into());
        Value::json(members)
    }
    fn load(value: &Value) -> Option<Self> {
        Self::parse(&value.to_json()).ok()
    }
    fn empty() -> Self {
        Self { opt_name: String::new(), opt_value: None, ip_version: IpVersion::V4 }
    }
}

impl Item for DhcpOption {
    const LIST: &'static str =
        "a list of objects with opt_name, opt_value and optionally ip_version, each once, or null";
    fn list_fault(_: &Json) -> (&'static str, u16) {
        INVALID_INPUT
    }
}
