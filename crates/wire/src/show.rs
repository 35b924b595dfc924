//! Row → JSON, as the caller may see it. Written straight into the reply's bytes: no tree is built.

use crate::attr::Resource;
use crate::row::Row;
use crate::value::Value;

/// Which attributes of a kind are shown: one flag per attribute of the table.
#[derive(Clone, Debug)]
pub struct Mask {
    shown: Vec<bool>,
    tenant: bool,
    project: bool,
}

impl Mask {
    /// All visible attributes.
    pub fn all(table: &Resource) -> Self {
        Self {
            shown: table.attrs.iter().map(|attr| attr.verbs.visible).collect(),
            tenant: true,
            project: true,
        }
    }

    /// The visible ones among those named by `fields`; all, if none is named.
    pub fn of(table: &Resource, fields: &[String]) -> Self {
        let mut mask = Self::all(table);
        if fields.is_empty() {
            return mask;
        }
        for (attr, shown) in table.attrs.iter().zip(&mut mask.shown) {
            *shown = *shown && fields.iter().any(|field| names(field, attr.wire));
        }
        mask.tenant = fields.iter().any(|field| field == "tenant_id");
        mask.project = fields.iter().any(|field| field == "project_id");
        mask
    }

    /// Hides one attribute.
    pub fn hide(&mut self, index: usize) {
        if let Some(shown) = self.shown.get_mut(index) {
            *shown = false;
        }
    }

    /// True when the attribute is shown.
    pub fn shows(&self, index: usize) -> bool {
        self.shown.get(index).copied().unwrap_or(false)
    }
}

fn names(field: &str, wire: &str) -> bool {
    field == wire || (wire == "project_id" && field == "tenant_id")
}

/// Appends the row as a JSON object.
pub fn object(row: &Row, mask: &Mask, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    for (index, (attr, value)) in row.table.attrs.iter().zip(&row.values).enumerate() {
        // What is missing is not there to show: `segments` of a network that has only one.
        if !mask.shows(index) || value.is_missing() {
            continue;
        }
        if attr.wire == "project_id" {
            if mask.project {
                member("project_id", value, &mut first, out);
            }
            if mask.tenant {
                member("tenant_id", value, &mut first, out);
            }
            continue;
        }
        member(attr.wire, value, &mut first, out);
    }
    out.push(b'}');
}

fn member(name: &str, value: &Value, first: &mut bool, out: &mut Vec<u8>) {
    if !*first {
        out.push(b',');
    }
    *first = false;
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write(value, out);
}

/// Appends a value as JSON.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Missing | Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        // Writing to a vector cannot fail, and these types always serialise.
        Value::Int(number) => drop(serde_json::to_writer(out, number)),
        Value::Text(text) => write_text(text, out),
        Value::Json(json) => drop(serde_json::to_writer(out, &**json)),
        Value::Written(text) => out.extend_from_slice(text.as_bytes()),
    }
}

/// Appends a text as JSON. Nearly all are ids, names and addresses, with nothing to escape.
fn write_text(text: &str, out: &mut Vec<u8>) {
    // Not `any`, which stops early: so many bytes are looked at in one step.
    let escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text.bytes().fold(false, |found, byte| found | escaped(byte)) {
        return drop(serde_json::to_writer(out, text));
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_as_json_whatever_is_in_it() {
        let letters = (0..0x250).filter_map(char::from_u32).map(String::from);
        let long = letters.clone().collect::<String>();
        for text in letters.chain([long, String::new(), "port 1".into(), "\u{1F600}".into()]) {
            let mut out = Vec::new();
            write(&Value::text(&*text), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}
