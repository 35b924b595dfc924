//! Names that a transcript gives to values of replies, and `${name}` in what it sends and expects.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// What was saved so far.
#[derive(Default)]
pub struct Names(HashMap<String, Json>);

impl Names {
    pub fn save(&mut self, name: &str, value: Json) {
        self.0.insert(name.to_owned(), value);
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// As it stands within a text.
    pub fn text(&self, name: &str) -> Option<String> {
        Some(match self.0.get(name)? {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// Puts values where `${name}` stands; `Err` names one that was not saved.
    pub fn fill(&self, value: &Json) -> Result<Json, String> {
        Ok(match value {
            Json::Object(object) => {
                let mut filled = Map::new();
                for (key, value) in object {
                    filled.insert(self.fill_text(key)?, self.fill(value)?);
                }
                Json::Object(filled)
            }
            Json::Array(list) => {
                Json::Array(list.iter().map(|one| self.fill(one)).collect::<Result<_, _>>()?)
            }
            Json::String(text) => match name_alone(text) {
                Some(name) => self.0.get(name).cloned().ok_or_else(|| name.to_owned())?,
                None => Json::String(self.fill_text(text)?),
            },
            other => other.clone(),
        })
    }

    /// The same within one text.
    pub fn fill_text(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        for part in parts(text) {
            match name_alone(part) {
                Some(name) => filled += &self.text(name).ok_or_else(|| name.to_owned())?,
                None => filled += part,
            }
        }
        Ok(filled)
    }
}

/// The name, if the text is `${name}` and nothing else.
pub fn name_alone(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.contains('}')).then_some(name)
}

/// A text in pieces that are `${name}` or have none.
pub fn parts(mut text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while let Some(start) = text.find("${") {
        let Some(length) = text[start..].find('}') else { break };
        let (before, rest) = text.split_at(start);
        let (name, after) = rest.split_at(length + 1);
        parts.extend([before, name]);
        text = after;
    }
    parts.push(text);
    parts
}

/// Follows `network.id`, `subnets.0.id` or `rules.ethertype=IPv4.id` into a reply.
pub fn pick<'a>(body: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(body, |body, part| match (body, part.split_once('=')) {
        (Json::Array(list), Some((key, value))) => {
            list.iter().find(|one| one.get(key).is_some_and(|it| printed(it) == value))
        }
        (Json::Array(list), None) => list.get(part.parse::<usize>().ok()?),
        (body, _) => body.get(part),
    })
}

fn printed(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        // The scenarios are Python's: `admin_state_up=True`.
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Null => "None".into(),
        other => other.to_string(),
    }
}
