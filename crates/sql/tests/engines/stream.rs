//! Long lists.

use std::time::Duration;

use wire::query::Query;
use wire::types::Id;

use crate::bench::Bench;
use crate::thing::{TABLE, Thing, at, everything, listed, store, thing};

async fn fill(bench: &Bench, many: usize) {
    let all: Vec<Thing> = (0..many).map(|number| thing(&format!("n{number:05}"))).collect();
    store(&bench.db, &all).await.unwrap();
}

async fn streamed(bench: &Bench, query: &Query, chunk: usize) -> (Vec<Id>, Vec<usize>) {
    let mut receiver = sql::stream(&bench.db, &TABLE, everything(), query, chunk);
    let (mut ids, mut sizes) = (Vec::new(), Vec::new());
    while let Some(rows) = receiver.recv().await {
        let rows = rows.unwrap();
        sizes.push(rows.len());
        ids.extend(rows.iter().map(wire::row::Row::id));
    }
    (ids, sizes)
}

pub async fn a_stream_is_the_whole_list_in_chunks(bench: &Bench) {
    let query = Query { sort: vec![(at::name.index, true)], ..Query::default() };
    assert_eq!(streamed(bench, &query, 10).await, (vec![], vec![]));
    fill(bench, 250).await;
    let rows = listed(&bench.db, &everything(), &query).await.unwrap();
    let mut ids: Vec<Id> = rows.iter().map(wire::row::Row::id).collect();
    assert_eq!(streamed(bench, &query, 100).await, (ids.clone(), vec![100, 100, 50]));
    assert_eq!(streamed(bench, &query, 125).await, (ids.clone(), vec![125, 125]));
    assert_eq!(streamed(bench, &query, 1000).await, (ids.clone(), vec![250]));
    // Nobody asked for an order: every row, once.
    let (mut any, sizes) = streamed(bench, &Query::default(), 100).await;
    ids.sort();
    any.sort();
    assert_eq!((any, sizes), (ids.clone(), vec![100, 100, 50]));
    // The first few are those of an order, or the next page would not follow them.
    let page = Query { limit: Some(7), ..Query::default() };
    assert_eq!(streamed(bench, &page, 100).await.0, ids[..7]);
}

pub async fn a_stream_that_is_dropped_holds_nothing_up(bench: &Bench) {
    fill(bench, 300).await;
    for _ in 0..40 {
        let mut receiver = sql::stream(&bench.db, &TABLE, everything(), &Query::default(), 1);
        assert_eq!(receiver.recv().await.unwrap().unwrap().len(), 1);
        drop(receiver);
    }
    let query = Query::default();
    let read = streamed(bench, &query, 50);
    let (ids, _) = tokio::time::timeout(Duration::from_secs(20), read).await.unwrap();
    assert_eq!(ids.len(), 300);
    store(&bench.db, &[thing("after")]).await.unwrap();
}

pub async fn a_stream_can_begin_behind_a_marker(bench: &Bench) {
    fill(bench, 20).await;
    let whole = Query { sort: vec![(at::name.index, false)], ..Query::default() };
    let (ids, _) = streamed(bench, &whole, 50).await;
    let query = Query { marker: Some(ids[7].to_string()), ..whole };
    assert_eq!(streamed(bench, &query, 5).await, (ids[8..].to_vec(), vec![5, 5, 2]));
    let query = Query { marker: Some("nothing".into()), ..query };
    let mut receiver = sql::stream(&bench.db, &TABLE, everything(), &query, 5);
    assert_eq!(receiver.recv().await.unwrap().unwrap_err().fault().unwrap().status, 400);
    assert!(receiver.recv().await.is_none());
}
