//! Filters, order, pages, visibility.

use serde_json::json;
use sql::{Scope, Tx};
use wire::query::{Filter, Query};
use wire::row::Row;
use wire::types::{Id, Text};
use wire::value::Value;

use crate::bench::{Bench, ctx, kind_of};
use crate::thing::{TABLE, Thing, at, everything, listed, names, shelf, store, text, thing};

fn having(attr: usize, values: &[Value]) -> Query {
    let filters = vec![Filter::In { attr, values: values.to_vec() }];
    Query { filters, sort: vec![(at::name.index, false)], ..Query::default() }
}

async fn found(bench: &Bench, query: &Query) -> Vec<String> {
    let rows = listed(&bench.db, &everything(), query).await.unwrap();
    let filters = &query.filters;
    let counted = bench
        .db
        .read(&ctx(), |tx| async move { tx.count(&TABLE, &everything(), filters).await })
        .await
        .unwrap();
    assert_eq!(counted, rows.len() as u64);
    names(&rows)
}

pub async fn filters_compare_exactly(bench: &Bench) {
    let all: Vec<Thing> = ["foo", "Foo", "foo ", "fo", "föö"].map(thing).to_vec();
    store(&bench.db, &all).await.unwrap();
    let name = at::name.index;
    assert_eq!(found(bench, &having(name, &[text("foo")])).await, ["foo"]);
    assert_eq!(found(bench, &having(name, &[text("FOO")])).await, [""; 0]);
    assert_eq!(found(bench, &having(name, &[text("foo ")])).await, ["foo "]);
    assert_eq!(found(bench, &having(name, &[text("föö"), text("fo")])).await, ["fo", "föö"]);
    assert_eq!(found(bench, &having(name, &[])).await, [""; 0]);
    assert_eq!(found(bench, &having(name, &[text("a\0b")])).await, [""; 0]);
    let ready = having(at::ready.index, &[Value::Bool(true)]);
    assert_eq!(found(bench, &ready).await, ["Foo", "fo", "foo", "foo ", "föö"]);
    assert_eq!(found(bench, &having(at::ready.index, &[Value::Bool(false)])).await, [""; 0]);
    let id = having(at::id.index, &[text(all[1].id), text("not an id")]);
    assert_eq!(found(bench, &id).await, ["Foo"]);
}

pub async fn null_in_a_filter_stands_for_no_value(bench: &Bench) {
    let one = Thing { size: Some(0), note: Some(Text(String::new())), ..thing("zero") };
    let two = Thing { size: Some(2), ..thing("two") };
    store(&bench.db, &[one, two, thing("none")]).await.unwrap();
    let size = at::size.index;
    assert_eq!(found(bench, &having(size, &[Value::Null])).await, ["none"]);
    assert_eq!(found(bench, &having(size, &[Value::Int(0)])).await, ["zero"]);
    assert_eq!(found(bench, &having(size, &[Value::Null, Value::Int(2)])).await, ["none", "two"]);
    assert_eq!(found(bench, &having(at::note.index, &[text("")])).await, ["zero"]);
    assert_eq!(found(bench, &having(at::shelf.index, &[Value::Null])).await.len(), 3);
}

async fn with_parts(bench: &Bench) {
    for (name, labels) in
        [("a", &["x%y", "7"][..]), ("b", &["xzy"]), ("c", &["X%Y", "_"]), ("d", &[])]
    {
        let one = thing(name);
        store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
        for (place, label) in labels.iter().enumerate() {
            let params = [text(one.id), Value::Int(i64::try_from(place).unwrap()), text(label)];
            bench
                .exec("INSERT INTO parts (thing_id, place, label) VALUES (?, ?, ?)", &params)
                .await;
        }
    }
}

fn having_part(key: &'static str, substring: bool, values: &[&str]) -> Query {
    let values = values.iter().map(|value| text(*value)).collect();
    let filters = vec![Filter::Child { attr: at::parts.index, key, values, substring }];
    Query { filters, sort: vec![(at::name.index, false)], ..Query::default() }
}

pub async fn children_are_filtered_by_their_columns(bench: &Bench) {
    with_parts(bench).await;
    assert_eq!(found(bench, &having_part("label", false, &["x%y"])).await, ["a"]);
    assert_eq!(found(bench, &having_part("label", false, &["xzy", "_", "no"])).await, ["b", "c"]);
    assert_eq!(found(bench, &having_part("place", false, &["1"])).await, ["a", "c"]);
    assert_eq!(found(bench, &having_part("place", false, &["one"])).await, [""; 0]);
    let mut both = having_part("place", false, &["1"]);
    both.filters.extend(having_part("label", false, &["7"]).filters);
    assert_eq!(found(bench, &both).await, ["a"]);
}

pub async fn children_come_in_their_order(bench: &Bench) {
    let (shelf, names) = (Id::random(), ["d", "a", "e", "b", "c"]);
    bench.exec("INSERT INTO shelves VALUES (?)", &[text(shelf)]).await;
    for name in names {
        let one = Thing { shelf_id: Some(shelf), ..thing(name) };
        store(&bench.db, &[one]).await.unwrap();
    }
    let scope = &everything();
    let find = |tx: Tx| async move { tx.find(&shelf::TABLE, scope, shelf).await };
    let row = bench.db.read(&ctx(), find).await.unwrap().unwrap();
    assert_eq!(row.named("things").unwrap().to_json(), json!(["a", "b", "c", "d", "e"]));
}

pub async fn a_substring_has_no_wildcards(bench: &Bench) {
    with_parts(bench).await;
    assert_eq!(found(bench, &having_part("label", true, &["x"])).await, ["a", "b"]);
    assert_eq!(found(bench, &having_part("label", true, &["%"])).await, ["a", "c"]);
    assert_eq!(found(bench, &having_part("label", true, &["_"])).await, ["c"]);
    assert_eq!(found(bench, &having_part("label", true, &["\\"])).await, [""; 0]);
    assert_eq!(found(bench, &having_part("label", true, &[""])).await, ["a", "b", "c"]);
}

pub async fn tags_are_filtered_in_four_ways(bench: &Bench) {
    for (name, tags) in [("a", &["red", "blue"][..]), ("b", &["red"]), ("c", &["Red"]), ("d", &[])]
    {
        let one = thing(name);
        store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
        for tag in tags {
            bench.exec("INSERT INTO tags VALUES (?, ?)", &[text(one.id), text(*tag)]).await;
        }
    }
    let tagged = |all, negate, tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let filters = vec![Filter::Tags { all, negate, tags }];
        Query { filters, sort: vec![(at::name.index, false)], ..Query::default() }
    };
    let both = ["red", "blue"];
    assert_eq!(found(bench, &tagged(true, false, &both)).await, ["a"]);
    assert_eq!(found(bench, &tagged(false, false, &both)).await, ["a", "b"]);
    assert_eq!(found(bench, &tagged(true, true, &both)).await, ["b", "c", "d"]);
    assert_eq!(found(bench, &tagged(false, true, &both)).await, ["c", "d"]);
    let query = tagged(true, false, &["red", "red"]);
    assert_eq!(found(bench, &query).await, ["a", "b"]);
    let rows = listed(&bench.db, &everything(), &query).await.unwrap();
    assert_eq!(rows[0].named("tags").unwrap().to_json(), json!(["blue", "red"]));
}

pub async fn more_values_than_an_engine_takes_at_once_are_split(bench: &Bench) {
    let all: Vec<Thing> = (0..3).map(|number| thing(&format!("n{number}"))).collect();
    store(&bench.db, &all).await.unwrap();
    for many in [1, 3, 499, 500, 501, 1300] {
        let mut values: Vec<Value> = (0..many).map(|n| text(format!("x{n}"))).collect();
        values.push(text("n2"));
        assert_eq!(found(bench, &having(at::name.index, &values)).await, ["n2"], "{many}");
    }
    let values: Vec<Value> = (0..40_000).map(Value::Int).collect();
    let query = having(at::size.index, &values);
    let error = listed(&bench.db, &everything(), &query).await.unwrap_err();
    assert!(error.to_string().contains("40"), "{error}");
}

fn ids(rows: &[Row]) -> Vec<Id> {
    rows.iter().map(Row::id).collect()
}

pub async fn pages_in_both_directions_are_the_sorted_whole(bench: &Bench) {
    let all: Vec<Thing> = (0..23_i64)
        .map(|number| Thing {
            size: (number % 4 > 0).then_some(number % 3),
            ready: number % 2 == 0,
            note: (number % 5 == 0).then(|| Text(format!("n{number}"))),
            ..thing(&format!("n{number}"))
        })
        .collect();
    store(&bench.db, &all).await.unwrap();
    let (size, ready, note) = (at::size.index, at::ready.index, at::note.index);
    for sort in [
        vec![],
        vec![(size, false)],
        vec![(size, true), (ready, false)],
        vec![(ready, true), (note, false), (size, false)],
        vec![(note, true)],
        vec![(at::id.index, true)],
        vec![(at::shelf.index, false)],
    ] {
        let whole = Query { sort: sort.clone(), ..Query::default() };
        let whole = ids(&listed(&bench.db, &everything(), &whole).await.unwrap());
        assert_eq!(whole.len(), 23);
        for reverse in [false, true] {
            let mut pages: Vec<Vec<Id>> = Vec::new();
            let mut query =
                Query { sort: sort.clone(), limit: Some(5), reverse, ..Query::default() };
            loop {
                let page = ids(&listed(&bench.db, &everything(), &query).await.unwrap());
                let next = if reverse { page.first() } else { page.last() };
                let Some(next) = next else { break };
                query.marker = Some(next.to_string());
                assert!(pages.len() < 6, "the pages do not end: {sort:?} {reverse}");
                pages.push(page);
            }
            if reverse {
                pages.reverse();
            }
            assert_eq!(pages.concat(), whole, "{sort:?} {reverse}");
        }
    }
    let sizes = Query { sort: vec![(size, false)], ..Query::default() };
    let rows = listed(&bench.db, &everything(), &sizes).await.unwrap();
    let sizes: Vec<Option<i64>> = rows.iter().map(|row| row.get(at::size)).collect();
    assert!(sizes.is_sorted(), "null comes first: {sizes:?}");
}

pub async fn a_marker_that_is_no_row_is_refused(bench: &Bench) {
    let other = Thing { project_id: "other".into(), ..thing("one") };
    store(&bench.db, std::slice::from_ref(&other)).await.unwrap();
    let scope = Scope { project_id: "p".into(), all: false };
    let unseen = other.id.to_string();
    for marker in [&*Id::random().to_string(), "x", "a\0b", "' OR 1=1", &unseen] {
        let query = Query { marker: Some(marker.to_owned()), ..Query::default() };
        assert_eq!(kind_of(listed(&bench.db, &scope, &query).await), "HTTPBadRequest");
    }
}

pub async fn a_caller_sees_his_own_rows_and_the_shared_ones(bench: &Bench) {
    let of = |project: &str, name: &str| Thing { project_id: project.into(), ..thing(name) };
    let all = [of("p", "mine"), of("q", "theirs"), of("q", "shared 1"), of(":project", "odd")];
    store(&bench.db, &all).await.unwrap();
    let query = &Query { sort: vec![(at::name.index, false)], ..Query::default() };
    let scope = &Scope { project_id: "p".into(), all: false };
    let rows = listed(&bench.db, scope, query).await.unwrap();
    assert_eq!(names(&rows), ["mine", "shared 1"]);
    let mine: Vec<bool> = rows.iter().map(|row| row.get(at::mine)).collect();
    assert_eq!(mine, [true, false]);
    let theirs = all[1].id;
    let found = bench
        .db
        .read(&ctx(), |tx| async move { tx.find(&TABLE, scope, theirs).await })
        .await
        .unwrap();
    assert!(found.is_none());
    let rows = listed(&bench.db, &everything(), query).await.unwrap();
    assert_eq!(rows.len(), 4);
}

pub async fn only_what_is_asked_for_is_read(bench: &Bench) {
    store(&bench.db, &[thing("one")]).await.unwrap();
    let fields = vec!["name".to_owned(), "parts".to_owned(), "surprise".to_owned()];
    let query = Query { fields, ..Query::default() };
    let rows = listed(&bench.db, &everything(), &query).await.unwrap();
    let read: Vec<&str> = TABLE
        .attrs
        .iter()
        .zip(&rows[0].values)
        .filter_map(|(attr, value)| (!value.is_missing()).then_some(attr.wire))
        .collect();
    assert_eq!(read, ["id", "project_id", "name", "parts"]);
}
