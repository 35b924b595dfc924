//! A kind with everything that tables can say, and how it is stored.

use serde_json::json;
use sql::{Db, Migration, Scope};
use wire::attr::{Child, Column, Resource};
use wire::fault::Result;
use wire::query::Query;
use wire::resource;
use wire::row::{Record as _, Row};
use wire::types::profile::Dict;
use wire::types::{Id, Raw, Text};
use wire::value::Value;

use crate::bench::ctx;

pub static MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "things",
    sql: "-- What the tests need; a comment with a semicolon;
CREATE TABLE shelves (
  id VARCHAR(36) NOT NULL,
  CONSTRAINT pk_shelves PRIMARY KEY (id)
);
CREATE TABLE things (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  shelf_id VARCHAR(36) NULL,
  name VARCHAR(255) NOT NULL,
  size BIGINT NULL,
  ready BOOLEAN NOT NULL,
  note VARCHAR(255) NULL,
  data JSONTEXT NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_things PRIMARY KEY (id),
  CONSTRAINT uq_things_name UNIQUE (project_id, name),
  CONSTRAINT fk_things_shelf FOREIGN KEY (shelf_id) REFERENCES shelves (id)
);
CREATE INDEX ix_things_shelf ON things (shelf_id);
CREATE UNIQUE INDEX uq_things_note ON things (note);
CREATE TABLE parts (
  thing_id VARCHAR(36) NOT NULL,
  place BIGINT NOT NULL,
  label VARCHAR(255) NULL,
  CONSTRAINT pk_parts PRIMARY KEY (thing_id, place),
  CONSTRAINT fk_parts_thing FOREIGN KEY (thing_id) REFERENCES things (id) ON DELETE CASCADE
);
CREATE TABLE tags (
  resource_id VARCHAR(36) NOT NULL,
  tag VARCHAR(255) NOT NULL,
  CONSTRAINT pk_tags PRIMARY KEY (resource_id, tag)
);
CREATE TABLE counters (
  name VARCHAR(64) NOT NULL,
  used BIGINT NOT NULL,
  CONSTRAINT pk_counters PRIMARY KEY (name)
);
",
    fill: Some(|tx| Box::pin(sql::kept::keep(tx, "things", &PARTS))),
}];

/// Kept in the rows of things, where the engine is one that keeps lists.
pub static PARTS: Child = Child {
    table: "parts",
    parent: "thing_id",
    keys: &[("place", Column::Int), ("label", Column::Text(255))],
    flat: false,
    order: "place",
    kept: Some("parts_list"),
};

static TAGS: Child = Child {
    table: "tags",
    parent: "resource_id",
    keys: &[("tag", Column::Text(255))],
    flat: true,
    order: "tag",
    kept: None,
};

resource! {
    /// A thing.
    Thing = Resource::of("thing", "things").taggable()
        .join("LEFT JOIN shelves s ON s.id = t.shelf_id")
        .visible("(t.project_id = :project OR t.name LIKE 'shared%')");
    id: Id = ro().filter().sort();
    project_id: Text<255> = init().filter().sort().policy();
    shelf_id: Option<Id> = rw().null().filter().sort();
    name: Text<255> = rw().text("").filter().sort();
    size: Option<i64> = rw().null().filter().sort();
    ready: bool = rw().flag(true).filter().sort();
    note: Option<Text<255>> = rw().null().filter().sort();
    data: Dict = rw().unset();
    parts: Vec<Raw> = ro().filter().child(&PARTS);
    tags: Vec<Text<255>> = ro().child(&TAGS);
    mine: bool = ro().sql("CASE WHEN t.project_id = :project THEN 1=1 ELSE 1=0 END");
    shelf: Option<Id> = ro().filter().sort().sql("s.id");
    surprise: Vec<Raw> = ro().computed();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro();
}

static ON_SHELF: Child = Child {
    table: "things",
    parent: "shelf_id",
    keys: &[("name", Column::Text(255))],
    flat: true,
    order: "name",
    kept: None,
};

/// A place for things.
pub mod shelf {
    use super::*;

    resource! {
        /// A shelf. No index has its things in their order.
        Shelf = Resource::of("shelf", "shelves");
        id: Id = ro().filter().sort();
        things: Vec<Text<255>> = ro().child(&ON_SHELF);
    }
}

/// A thing that can be stored.
pub fn thing(name: &str) -> Thing {
    let mut thing = Thing::load(&Row::empty(&TABLE));
    thing.id = Id::random();
    thing.project_id = "p".into();
    thing.name = name.into();
    thing.ready = true;
    thing.data = Dict(json!({"k": [1, "zwei", null]}).as_object().unwrap().clone());
    thing.updated_at = "2026-11-21T00:00:00Z".into();
    thing
}

pub fn everything() -> Scope {
    Scope { project_id: "p".into(), all: true }
}

pub async fn store(db: &Db, things: &[Thing]) -> Result<()> {
    db.write(&ctx(), |tx| async move {
        for thing in things {
            tx.insert(&thing.store())?;
        }
        Ok(())
    })
    .await
}

pub async fn listed(db: &Db, scope: &Scope, query: &Query) -> Result<Vec<Row>> {
    db.read(&ctx(), |tx| async move { tx.list(&TABLE, scope, query).await }).await
}

pub async fn found(db: &Db, id: Id) -> Option<Row> {
    let scope = everything();
    let scope = &scope;
    db.read(&ctx(), |tx| async move { tx.find(&TABLE, scope, id).await }).await.unwrap()
}

pub fn names(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.get(at::name).0).collect()
}

/// An update of the name, as the model would prepare it.
pub fn renamed(old: &Row, name: &str) -> Row {
    let mut new = old.clone();
    new.set(at::name, name.into());
    new.set(at::revision_number, old.get(at::revision_number) + 1);
    new
}

pub fn text(value: impl ToString) -> Value {
    Value::text(value.to_string())
}
