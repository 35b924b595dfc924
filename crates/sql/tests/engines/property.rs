//! Random rows and random queries on SQLite, compared with filters, order and pages that are as
//! simple as can be.

use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;
use wire::query::{Filter, Query};
use wire::types::{Id, Text};
use wire::value::Value;

use crate::bench::{Bench, ctx};
use crate::thing::{Thing, at, everything, listed, store, text, thing};

#[derive(Clone, Debug)]
struct Made {
    size: Option<i64>,
    ready: bool,
    note: Option<String>,
    labels: Vec<String>,
    tags: Vec<String>,
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "A", "a ", "%", "_", "a%b", "'", "é"])
        .prop_map(str::to_owned)
}

fn made() -> impl Strategy<Value = Made> {
    let size = prop::option::of(0_i64..3);
    let parts =
        (size, any::<bool>(), prop::option::of(word()), vec(word(), 0..3), vec(word(), 0..3));
    parts.prop_map(|(size, ready, note, labels, tags)| Made { size, ready, note, labels, tags })
}

fn filter() -> impl Strategy<Value = Filter> {
    let sizes = vec(prop_oneof![Just(Value::Null), (0_i64..3).prop_map(Value::Int)], 0..3);
    let flags = vec(any::<bool>().prop_map(Value::Bool), 1..2);
    let notes = vec(prop_oneof![Just(Value::Null), word().prop_map(Value::Text)], 1..3);
    let labels = vec(word().prop_map(Value::Text), 1..3);
    prop_oneof![
        sizes.prop_map(|values| Filter::In { attr: at::size.index, values }),
        flags.prop_map(|values| Filter::In { attr: at::ready.index, values }),
        notes.prop_map(|values| Filter::In { attr: at::note.index, values }),
        (labels, any::<bool>()).prop_map(|(values, substring)| Filter::Child {
            attr: at::parts.index,
            key: "label",
            values,
            substring
        }),
        (any::<bool>(), any::<bool>(), vec(word(), 1..3))
            .prop_map(|(all, negate, tags)| Filter::Tags { all, negate, tags }),
    ]
}

fn matches(made: &Made, filter: &Filter) -> bool {
    let among = |values: &[Value], value: Value| values.contains(&value);
    match filter {
        Filter::In { attr, values } if *attr == at::size.index => {
            among(values, made.size.map_or(Value::Null, Value::Int))
        }
        Filter::In { attr, values } if *attr == at::ready.index => {
            among(values, Value::Bool(made.ready))
        }
        Filter::In { values, .. } => {
            among(values, made.note.clone().map_or(Value::Null, Value::Text))
        }
        Filter::Child { values, substring, .. } => made.labels.iter().any(|label| {
            values.iter().any(|value| match (substring, value.as_text().unwrap()) {
                (true, part) => label.contains(part),
                (false, whole) => label == whole,
            })
        }),
        Filter::Tags { all, negate, tags } => {
            let has = |tag: &String| made.tags.contains(tag);
            let holds = if *all { tags.iter().all(has) } else { tags.iter().any(has) };
            holds != *negate
        }
    }
}

fn compare(left: &(Id, Made), right: &(Id, Made), sort: &[(usize, bool)]) -> Ordering {
    for (attr, descending) in sort {
        let order = match *attr {
            attr if attr == at::size.index => left.1.size.cmp(&right.1.size),
            attr if attr == at::ready.index => left.1.ready.cmp(&right.1.ready),
            _ => left.1.note.cmp(&right.1.note),
        };
        let order = if *descending { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    left.0.cmp(&right.0)
}

async fn stored(bench: &Bench, all: &[Made]) -> Vec<(Id, Made)> {
    bench.exec("DROP INDEX uq_things_note", &[]).await;
    let mut rows = Vec::new();
    for (number, made) in all.iter().enumerate() {
        let mut made = made.clone();
        made.tags.sort();
        made.tags.dedup();
        let one = Thing {
            size: made.size,
            ready: made.ready,
            note: made.note.clone().map(Text),
            ..thing(&number.to_string())
        };
        store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
        let (id, labels, tags) = (one.id, &made.labels, &made.tags);
        bench
            .db
            .write(&ctx(), |tx| async move {
                for (place, label) in (0..).zip(labels) {
                    let params = vec![text(id), Value::Int(place), text(label)];
                    tx.exec("INSERT INTO parts VALUES (?, ?, ?)", params);
                }
                for tag in tags {
                    tx.exec("INSERT INTO tags VALUES (?, ?)", vec![text(id), text(tag)]);
                }
                Ok(())
            })
            .await
            .unwrap();
        rows.push((id, made));
    }
    rows
}

async fn compare_lists(all: Vec<Made>, filters: Vec<Filter>, sort: Vec<(usize, bool)>, limit: u64) {
    let bench = Bench::memory().await;
    let mut rows = stored(&bench, &all).await;
    rows.retain(|(_, made)| filters.iter().all(|filter| matches(made, filter)));
    rows.sort_by(|left, right| compare(left, right, &sort));
    let wanted: Vec<Id> = rows.iter().map(|(id, _)| *id).collect();
    let mut query = Query { filters, sort, ..Query::default() };
    let ids = |rows: Vec<wire::row::Row>| rows.iter().map(|row| row.id()).collect::<Vec<_>>();
    let whole = ids(listed(&bench.db, &everything(), &query).await.unwrap());
    assert_eq!(whole, wanted);
    query.limit = Some(limit);
    for reverse in [false, true] {
        query.reverse = reverse;
        query.marker = None;
        let mut seen: Vec<Id> = Vec::new();
        loop {
            let page = ids(listed(&bench.db, &everything(), &query).await.unwrap());
            let next = if reverse { page.first() } else { page.last() };
            let Some(next) = next else { break };
            query.marker = Some(next.to_string());
            seen = if reverse { [page, seen].concat() } else { [seen, page].concat() };
            assert!(seen.len() <= wanted.len(), "the pages do not end");
        }
        assert_eq!(seen, wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn a_list_is_what_a_simple_filter_and_sort_leave(
        all in vec(made(), 0..9),
        filters in vec(filter(), 0..3),
        keys in prop::sample::subsequence(
            vec![at::size.index, at::ready.index, at::note.index], 0..3),
        descending in vec(any::<bool>(), 3),
        limit in 1_u64..4,
    ) {
        let sort = keys.into_iter().zip(descending).collect();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
            .block_on(compare_lists(all, filters, sort, limit));
    }
}
