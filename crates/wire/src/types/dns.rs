//! `DnsName` and `DnsDomain`: names in the DNS. Not here: whether a name fits the configured
//! domain.

use std::fmt::{self, Display};

use serde_json::Value as Json;

use super::{quoted, text};
use crate::attr::{BAD_REQUEST, Column, INVALID_INPUT, Wire};
use crate::value::Value;

/// The longest name in the DNS.
const LONGEST: usize = 255;

/// The name of a host, relative or absolute, lower-case; it may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(pub String);

/// A domain that ends with a dot, lower-case; it may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsDomain(pub String);

/// Words that stand for something of the caller's and are put in later.
const PLACEHOLDERS: [&str; 4] = ["<project_id>", "<project_name>", "<user_name>", "<user_id>"];

fn dns(json: &Json) -> Result<String, String> {
    let name = text(json, 1024)?.to_lowercase();
    let trimmed = name.strip_suffix('.').unwrap_or(&name);
    if name.is_empty() {
        return Ok(name);
    }
    if trimmed.len() > LONGEST {
        return Err(format!("it has more than {LONGEST} characters"));
    }
    for label in trimmed.split('.') {
        check_label(label)?;
    }
    match trimmed.rsplit_once('.') {
        Some((_, top)) if top.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(format!("its last part '{top}' has only digits"))
        }
        _ => Ok(name),
    }
}

fn check_label(label: &str) -> Result<(), String> {
    if PLACEHOLDERS.contains(&label) {
        return Ok(());
    }
    if label.is_empty() {
        return Err("a part between its dots is empty".into());
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err("a part between its dots begins or ends with a hyphen".into());
    }
    let spelled = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if label.len() > 63 || !label.bytes().all(spelled) {
        return Err(format!(
            "its part {} is not 1 to 63 letters, digits and hyphens",
            quoted(&Json::from(label))
        ));
    }
    Ok(())
}

impl DnsName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for DnsName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Wire for DnsName {
    const COLUMN: Column = Column::Text(256);
    const ACCEPTS: &'static str = "a host name of the DNS like vm1";
    fn parse(json: &Json) -> Result<Self, String> {
        dns(json).map(Self)
    }
    fn fault(refused: &Json) -> (&'static str, u16) {
        if refused.is_string() { BAD_REQUEST } else { INVALID_INPUT }
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
    fn filter(text: &str) -> Option<Value> {
        Some(Value::Text(text.to_lowercase()))
    }
}

impl DnsDomain {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for DnsDomain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Wire for DnsDomain {
    const COLUMN: Column = Column::Text(255);
    const ACCEPTS: &'static str = "a domain of the DNS with its last dot, like 'example.org.'";
    fn parse(json: &Json) -> Result<Self, String> {
        let domain = dns(json)?;
        if !domain.is_empty() && !domain.ends_with('.') {
            return Err(format!("{} does not end with a dot", quoted(json)));
        }
        // A host in the domain needs room for a character and a dot.
        if domain.len() > LONGEST - 2 {
            return Err(format!("it has more than {} characters", LONGEST - 2));
        }
        Ok(Self(domain))
    }
    fn fault(refused: &Json) -> (&'static str, u16) {
        if refused.is_string() { BAD_REQUEST } else { INVALID_INPUT }
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
    fn filter(text: &str) -> Option<Value> {
        Some(Value::Text(text.to_lowercase()))
    }
}

/// The name servers of a subnet, in the order in which they are asked.
pub type Nameservers = Vec<super::ip::Ip>;
