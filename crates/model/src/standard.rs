//! What every kind has in common: id, times, revision, description, tags, quota, marks. The one way
//! in which rows of kinds come into being, change and go.

use std::collections::BTreeMap;

use sql::Write;
use wire::attr::{Child, Column};
use wire::draft::Draft;
use wire::fault::Result;
use wire::row::Row;
use wire::value::Value;

use crate::kind::{Call, Kind};
use crate::{quota, rbac};

/// The tags of a row of any taggable kind.
pub static TAGS: Child = Child {
    table: "tags",
    parent: "resource_id",
    keys: &[("tag", Column::Text(255))],
    flat: true,
    order: "tag",
    kept: None,
};

/// Gives a new row its id, times and first revision, where its kind has them.
pub fn born(call: &Call<'_>, row: &mut Row) {
    let now = Value::Text(call.ctx.now_text());
    let chosen = [
        ("id", Value::Text(call.ctx.new_id().to_string())),
        ("created_at", now.clone()),
        ("updated_at", now),
        // PARITY: Neutron's first revision is 0 and its replies to creates show 1 or more for kinds
        // whose creation touches the record again; ours starts at 0 and is 1 only after a change.
        ("revision_number", Value::Int(0)),
    ];
    for (name, value) in chosen {
        if let Some(index) = row.table.position(name)
            && row.value(index).is_missing()
        {
            row.put(index, value);
        }
    }
}

/// Advances the revision and the time of a row that is about to be updated.
pub fn changed(call: &Call<'_>, row: &mut Row) {
    if let Some(index) = row.table.position("updated_at") {
        row.put(index, Value::Text(call.ctx.now_text()));
    }
    if let Some(index) = row.table.position("revision_number") {
        let revision = row.value(index).as_int().unwrap_or(0);
        row.put(index, Value::Int(revision + 1));
    }
}

/// Counts all that one request asks for at once, so that no row of it is counted on its own: what
/// passes the quota is refused before anything is made.
///
/// # Errors
/// `OverQuota`; those of the database.
pub async fn counted<'a>(call: &Call<'a>, kind: &dyn Kind, asks: &[Draft]) -> Result<Call<'a>> {
    let several = kind.quota().filter(|_| asks.len() > 1);
    if let Some(resource) = several {
        let mut counts = BTreeMap::new();
        for ask in asks {
            let index = ask.table.position("project_id");
            let project = index.and_then(|index| ask.value(index)).and_then(Value::as_text);
            *counts.entry(project.unwrap_or_default()).or_insert(0) += 1;
        }
        for (project, count) in counts {
            quota::take(call, resource, project, count).await?;
        }
    }
    Ok(Call { counted: several.or(call.counted), ..*call })
}

/// Stores a new row: counts it against its project's quota, marks its unit. `.or(…)` on what comes
/// back names the faults of its constraints.
///
/// # Errors
/// `OverQuota`; those of the database when they surface.
pub async fn insert(call: &Call<'_>, kind: &dyn Kind, row: &Row) -> Result<Write> {
    if let Some(resource) = kind.quota().filter(|resource| call.counted != Some(*resource)) {
        quota::take(call, resource, row.project_id(), 1).await?;
    }
    if let Some(unit) = kind.unit() {
        call.tx.mark(unit as i16, row.id());
    }
    call.tx.insert(row)
}

/// As [`insert`], of what the server makes unasked: it counts, but no limit stops it.
///
/// # Errors
/// Those of the database when they surface.
pub fn insert_unasked(call: &Call<'_>, kind: &dyn Kind, row: &Row) -> Result<Write> {
    if let Some(resource) = kind.quota() {
        quota::count(call, resource, row.project_id(), 1);
    }
    if let Some(unit) = kind.unit() {
        call.tx.mark(unit as i16, row.id());
    }
    call.tx.insert(row)
}

/// Stores a changed row, if nobody was quicker, and marks its unit.
///
/// # Errors
/// Those of the database when they surface.
pub fn update(call: &Call<'_>, kind: &dyn Kind, old: &Row, new: &Row) -> Result<Write> {
    if let Some(unit) = kind.unit() {
        call.tx.mark(unit as i16, new.id());
    }
    call.tx.update(old, new)
}

/// Removes a row with its tags and what it was shared through, gives back its quota, marks its
/// unit.
///
/// # Errors
/// Those of the database when they surface.
pub async fn remove(call: &Call<'_>, kind: &dyn Kind, row: &Row) -> Result<()> {
    remove_or(call, kind, row).await.map(drop)
}

/// As [`remove`]; `.or(…)` on what comes back names the faults of rows that still refer to it.
///
/// # Errors
/// Those of the database when they surface.
pub async fn remove_or(call: &Call<'_>, kind: &dyn Kind, row: &Row) -> Result<Write> {
    let id = row.id();
    if row.table.taggable {
        call.tx.exec("DELETE FROM tags WHERE resource_id = ?", vec![Value::text(id.to_string())]);
    }
    if rbac::is_shareable(row.table.one) {
        rbac::remove_entries(call, "object_id = ?", vec![Value::text(id.to_string())]).await?;
    }
    if let Some(resource) = kind.quota() {
        quota::release(call, resource, row.project_id(), 1);
    }
    if let Some(unit) = kind.unit() {
        call.tx.mark(unit as i16, id);
    }
    call.tx.delete(row.table, id)
}
