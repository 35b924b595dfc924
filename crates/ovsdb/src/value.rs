//! Values of columns: atoms, and the sets and maps of them (RFC 7047 §5.1). A column of one atom is
//! a set with one member, as the protocol has it too. Not here: which column takes what (`schema`).

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::collection::{Map, Set};

/// One scalar.
#[derive(Clone, Debug)]
pub enum Atom {
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// True or false.
    Boolean(bool),
    /// Text; shared, since most texts of a database are in many rows.
    String(Arc<str>),
    /// A reference to a row, or a row's own name.
    Uuid(Uuid),
}

impl Atom {
    fn rank(&self) -> u8 {
        match self {
            Self::Integer(_) => 0,
            Self::Real(_) => 1,
            Self::Boolean(_) => 2,
            Self::String(_) => 3,
            Self::Uuid(_) => 4,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is a whole one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(flag) = self { Some(*flag) } else { None }
    }

    /// The reference, if it is one.
    #[must_use]
    pub fn as_uuid(&self) -> Option<Uuid> {
        if let Self::Uuid(uuid) = self { Some(*uuid) } else { None }
    }

    /// As the protocol writes it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Integer(number) => json!(number),
            Self::Real(number) => json!(number),
            Self::Boolean(flag) => json!(flag),
            Self::String(text) => json!(text.as_ref()),
            Self::Uuid(uuid) => json!(["uuid", uuid.to_string()]),
        }
    }

    /// From the protocol. A whole number for a real column is given as `Integer`; `schema` knows.
    #[must_use]
    pub fn from_json(json: &Json) -> Option<Self> {
        match json {
            Json::Bool(flag) => Some(Self::Boolean(*flag)),
            Json::String(text) => Some(Self::String(text.as_str().into())),
            Json::Number(number) => {
                number.as_i64().map(Self::Integer).or_else(|| number.as_f64().map(Self::Real))
            }
            Json::Array(pair) => match pair.as_slice() {
                [Json::String(tag), Json::String(text)] if tag == "uuid" => {
                    Uuid::try_parse(text).ok().map(Self::Uuid)
                }
                _ => None,
            },
            Json::Null | Json::Object(_) => None,
        }
    }
}

/// By type first, then by value; reals by their total order.
impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Atom {}

impl From<i64> for Atom {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Atom {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}

impl From<&str> for Atom {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Atom {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Uuid> for Atom {
    fn from(uuid: Uuid) -> Self {
        Self::Uuid(uuid)
    }
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Datum {
    /// A set; one atom is a set of one, "not there" the empty set.
    Set(Set),
    /// A map.
    Map(Map),
}

impl Datum {
    /// The empty set.
    #[must_use]
    pub fn none() -> Self {
        Self::Set(Set::new())
    }

    /// A set of one.
    pub fn one(atom: impl Into<Atom>) -> Self {
        Self::Set(Set::from(atom.into()))
    }

    /// A set of at most one.
    pub fn maybe(atom: Option<impl Into<Atom>>) -> Self {
        Self::Set(atom.map(Into::into).into_iter().collect())
    }

    /// A set.
    pub fn set<A: Into<Atom>>(atoms: impl IntoIterator<Item = A>) -> Self {
        Self::Set(atoms.into_iter().map(Into::into).collect())
    }

    /// A map.
    pub fn map<K: Into<Atom>, V: Into<Atom>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The only member of a set of one.
    #[must_use]
    pub fn as_one(&self) -> Option<&Atom> {
        match self {
            Self::Set(set) if set.len() == 1 => set.first(),
            _ => None,
        }
    }

    /// The members, if it is a set.
    #[must_use]
    pub fn as_set(&self) -> Option<&Set> {
        if let Self::Set(set) = self { Some(set) } else { None }
    }

    /// The pairs, if it is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The text under a key of a map of texts.
    #[must_use]
    pub fn text_at(&self, key: &str) -> Option<&str> {
        self.as_map()?.text(key)?.as_str()
    }

    /// Nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Set(set) => set.is_empty(),
            Self::Map(map) => map.is_empty(),
        }
    }

    /// As the protocol writes it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Set(set) => match self.as_one() {
                Some(atom) => atom.to_json(),
                None => json!(["set", set.iter().map(Atom::to_json).collect::<Vec<_>>()]),
            },
            Self::Map(map) => {
                let pairs: Vec<Json> = map
                    .iter()
                    .map(|(key, value)| json!([key.to_json(), value.to_json()]))
                    .collect();
                json!(["map", pairs])
            }
        }
    }

    /// From the protocol.
    #[must_use]
    pub fn from_json(json: &Json) -> Option<Self> {
        if let Json::Array(tagged) = json
            && let [Json::String(tag), Json::Array(members)] = tagged.as_slice()
        {
            return match tag.as_str() {
                "set" => members.iter().map(Atom::from_json).collect::<Option<_>>().map(Self::Set),
                "map" => members.iter().map(pair).collect::<Option<_>>().map(Self::Map),
                _ => None,
            };
        }
        Atom::from_json(json).map(Self::one)
    }
}

fn pair(json: &Json) -> Option<(Atom, Atom)> {
    match json.as_array()?.as_slice() {
        [key, value] => Some((Atom::from_json(key)?, Atom::from_json(value)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let uuid = Uuid::from_u128(7);
        for datum in [
            Datum::none(),
            Datum::one("text"),
            Datum::one(uuid),
            Datum::set([1_i64, 2]),
            Datum::map([("key", "value"), ("other", "")]),
            Datum::Map(Map::new()),
        ] {
            assert_eq!(Datum::from_json(&datum.to_json()), Some(datum));
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in ["null", "{}", "[]", r#"["set"]"#, r#"["uuid","x"]"#, r#"["map",[[1]]]"#] {
            let json = serde_json::from_str(text).unwrap();
            assert_eq!(Datum::from_json(&json), None, "{text}");
        }
    }
}
