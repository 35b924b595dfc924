//! Tags of a resource: read, replaced, added, removed. Every change is one of the resource itself,
//! so its revision advances.

use wire::fault::{self, Result};
use wire::row::Row;
use wire::types::{Text, text};
use wire::value::Value;

use crate::kind::{Call, Kind};
use crate::standard;
use crate::unit::reads;

/// Tags of one resource at most.
pub const TAGS_MAX: usize = 50;

/// Characters of a tag at most.
pub const TAG_LENGTH_MAX: u16 = 255;

/// The tags of a row, as it was read.
pub fn of(row: &Row) -> Vec<String> {
    let Some(value) = row.named("tags") else {
        return Vec::new();
    };
    <Vec<Text<TAG_LENGTH_MAX>> as wire::attr::Wire>::load(value)
        .unwrap_or_default()
        .into_iter()
        .map(|tag| tag.0)
        .collect()
}

/// The tags of a request's body, checked.
///
/// # Errors
/// 400 for what is no list of texts, for too many, too long and repeated ones.
pub fn parse(json: &serde_json::Value) -> Result<Vec<String>> {
    let Some(items) = json.as_array() else {
        return Err(fault::invalid_input("'tags' must be a list of texts."));
    };
    let mut tags = Vec::with_capacity(items.len().min(TAGS_MAX));
    for item in items {
        let tag = parse_one(item)?;
        if tags.contains(&tag) {
            return Err(fault::invalid_input(format!(
                "'tags' has {} twice.",
                wire::types::quoted_text(&tag)
            )));
        }
        tags.push(tag);
    }
    if tags.len() > TAGS_MAX {
        return Err(fault::bad_limit(format!(
            "'tags' has {} tags; a resource can have at most {TAGS_MAX}.",
            tags.len()
        )));
    }
    Ok(tags)
}

/// One tag, checked.
///
/// # Errors
/// 400.
pub fn parse_one(json: &serde_json::Value) -> Result<String> {
    let tag = text(json, TAG_LENGTH_MAX)
        .map_err(|why| fault::invalid_input(format!("A tag must be a text: {why}.")))?;
    if tag.is_empty() {
        return Err(fault::invalid_input("A tag must have at least one character."));
    }
    Ok(tag)
}

/// Replaces all tags of a row; whether that changes any ([`advance`]).
///
/// # Errors
/// Those of the database.
pub fn replace(call: &Call<'_>, row: &Row, tags: &[String]) -> Result<bool> {
    let have = of(row);
    if have.len() == tags.len() && tags.iter().all(|tag| have.contains(tag)) {
        return Ok(false);
    }
    let id = row.id().to_string();
    call.tx.exec("DELETE FROM tags WHERE resource_id = ?", vec![Value::text(&*id)]);
    for tag in tags {
        insert(call, &id, tag);
    }
    Ok(true)
}

/// Adds tags to a row; whether it had not all of them ([`advance`]).
///
/// # Errors
/// 400 where the row would have too many.
pub fn add(call: &Call<'_>, row: &Row, tags: &[String]) -> Result<bool> {
    let have = of(row);
    let new: Vec<&String> = tags.iter().filter(|tag| !have.contains(tag)).collect();
    if have.len() + new.len() > TAGS_MAX {
        return Err(fault::bad_limit(format!("A resource can have at most {TAGS_MAX} tags.")));
    }
    if new.is_empty() {
        return Ok(false);
    }
    let id = row.id().to_string();
    for tag in new {
        insert(call, &id, tag);
    }
    Ok(true)
}

/// Removes one tag; it had it, so true ([`advance`]).
///
/// # Errors
/// `TagNotFound`.
pub fn remove(call: &Call<'_>, row: &Row, tag: &str) -> Result<bool> {
    if !of(row).iter().any(|have| have == tag) {
        return Err(fault::tag_not_found(tag));
    }
    call.tx.exec(
        "DELETE FROM tags WHERE resource_id = ? AND tag = ?",
        vec![Value::text(row.id().to_string()), Value::text(tag)],
    );
    Ok(true)
}

/// Stores the tags of a row that has just been made.
pub fn store(call: &Call<'_>, row: &Row, tags: &[String]) {
    let id = row.id().to_string();
    for tag in tags {
        insert(call, &id, tag);
    }
}

fn insert(call: &Call<'_>, id: &str, tag: &str) {
    // Adding a tag that somebody else has just added is no conflict.
    call.tx.exec_ignore("tags", &["resource_id", "tag"], vec![Value::text(id), Value::text(tag)]);
}

/// Advances the revision of a row whose tags change, and marks who reads it.
///
/// # Errors
/// Those of the database.
pub async fn advance(call: &Call<'_>, kind: &dyn Kind, row: &Row) -> Result<()> {
    let mut new = row.clone();
    standard::changed(call, &mut new);
    standard::update(call, kind, row, &new)?;
    reads::changed(call, row, &new).await
}
