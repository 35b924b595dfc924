//! `Object`: a JSON object inside an attribute, read key by key. Not here: what the keys are.

use serde_json::{Map, Value as Json};

use super::quoted;
use crate::attr::Wire;

/// An object that has no keys but the known ones.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    members: &'a Map<String, Json>,
}

impl<'a> Object<'a> {
    /// Reads an object with these keys.
    ///
    /// # Errors
    /// The end of a sentence, for anything else and for unknown keys.
    pub fn read(json: &'a Json, keys: &[&str]) -> Result<Self, String> {
        let Json::Object(members) = json else {
            return Err(format!(
                "{} is not an object with the keys {}",
                quoted(json),
                keys.join(", ")
            ));
        };
        match members.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(unknown) => Err(format!(
                "{} is not one of the keys {}",
                quoted(&Json::from(unknown.as_str())),
                keys.join(", ")
            )),
            None => Ok(Self { members }),
        }
    }

    /// The raw member of this key.
    pub fn raw(&self, key: &str) -> Option<&'a Json> {
        self.members.get(key)
    }

    /// The member of this key; `None`: there is none.
    ///
    /// # Errors
    /// The end of a sentence, for a member that is not of the type.
    pub fn get<T: Wire>(&self, key: &str) -> Result<Option<T>, String> {
        self.raw(key).map(|member| member_of(key, member)).transpose()
    }

    /// The member of this key, which must be there.
    ///
    /// # Errors
    /// The end of a sentence, for a missing member and one that is not of the type.
    pub fn need<T: Wire>(&self, key: &str) -> Result<T, String> {
        match self.raw(key) {
            Some(member) => member_of(key, member),
            None => Err(format!("the key {key} is missing")),
        }
    }
}

fn member_of<T: Wire>(key: &str, member: &Json) -> Result<T, String> {
    T::parse(member).map_err(|why| format!("{key} must be {}: {why}", T::ACCEPTS))
}
