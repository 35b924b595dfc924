//! Names: texts on one line that people give to things. Not here: which names are taken (model).

use std::fmt::{self, Display};

use serde_json::Value as Json;

use super::text;
use crate::attr::{BAD_REQUEST, Column, Wire};
use crate::value::Value;

/// Declares a kind of text, at most 255 characters long, that `check` accepts; `fault` answers
/// where it does not.
macro_rules! names {
    ($( $(#[$doc:meta])* $name:ident, $accepts:literal, $check:path, $fault:path; )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl Wire for $name {
            const COLUMN: Column = Column::Text(255);
            const ACCEPTS: &'static str = $accepts;
            fn parse(json: &Json) -> Result<Self, String> {
                let text = text(json, 255)?;
                $check(&text)?;
                Ok(Self(text))
            }
            fn fault(refused: &Json) -> (&'static str, u16) {
                $fault(refused)
            }
            fn store(&self) -> Value {
                Value::Text(self.0.clone())
            }
            fn load(value: &Value) -> Option<Self> {
                value.as_text().map(Self::from)
            }
            fn empty() -> Self {
                Self::default()
            }
        }
    )* };
}

names! {
    /// A printable name on one line, without spaces around it; it may be empty.
    Name, "a name of at most 255 printable characters, without spaces around it",
    printable, usual;
    /// A printable name of at least one character.
    NotEmptyName, "a name of 1 to 255 printable characters, without spaces around it",
    not_empty, usual;
    /// The name of a security group: any but `default`, which is reserved for the project's own
    /// group. Neutron answers `default` with the fault `SecurityGroupDefaultAlreadyExists`.
    NotDefaultName, "a text of at most 255 characters other than 'default'",
    not_default, taken;
}

fn usual(_: &Json) -> (&'static str, u16) {
    BAD_REQUEST
}

fn taken(refused: &Json) -> (&'static str, u16) {
    match refused.as_str().is_some_and(is_default) {
        true => ("SecurityGroupDefaultAlreadyExists", 409),
        false => BAD_REQUEST,
    }
}

/// True for the name that only a project's own security group bears.
pub fn is_default(name: &str) -> bool {
    name.to_lowercase() == "default"
}

fn not_default(name: &str) -> Result<(), String> {
    if is_default(name) {
        return Err("the name 'default' belongs to the project's own security group".into());
    }
    Ok(())
}

fn not_empty(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("it is empty".into());
    }
    printable(name)
}

fn printable(name: &str) -> Result<(), String> {
    if let Some(bad) = name.chars().find(|c| !is_printable(*c)) {
        return Err(format!(
            "it has the character U+{:04X}, which is not accepted",
            u32::from(bad)
        ));
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return Err("it begins or ends with a space".into());
    }
    Ok(())
}

/// Letters, marks, digits, punctuation, symbols and spaces of the basic plane.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && match u32::from(c) {
            // Line and paragraph separators.
            0x2028..=0x2029 => false,
            // Characters that only format.
            0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890..=0x891 | 0x8e2 | 0x180e => false,
            0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfeff => false,
            0xfff9..=0xfffb => false,
            // Private use, and what is no character.
            0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xfffe..=0xffff => false,
            // PARITY: Neutron's names end at the basic plane (no emoji).
            code => code < 0x1_0000,
        }
}
