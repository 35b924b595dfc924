//! Marks: stored with the commit, announced after it.

use sql::{Mark, dirty};
use wire::fault::{self, Result};
use wire::types::Id;

use crate::bench::{Bench, ctx};

async fn mark(bench: &Bench, marks: &[Mark]) {
    bench
        .db
        .write(&ctx(), |tx| async move {
            for mark in marks {
                tx.mark(mark.kind, mark.id);
            }
            Ok(())
        })
        .await
        .unwrap();
}

async fn due(bench: &Bench, later_ms: i64) -> Vec<dirty::Dirty> {
    let now = jiff::Timestamp::now().as_millisecond() + later_ms;
    bench.db.read(&ctx(), |tx| async move { dirty::due(&tx, now, 1000).await }).await.unwrap()
}

fn several(many: usize) -> Vec<Mark> {
    let mut marks: Vec<Mark> =
        (0_i16..).map(|kind| Mark { kind, id: Id::random() }).take(many).collect();
    marks.reverse();
    marks
}

pub async fn marks_are_stored_with_the_commit_and_announced(bench: &Bench) {
    let mut listener = bench.db.marks();
    let mut marks = several(250);
    mark(bench, &[marks.clone(), marks.clone()].concat()).await;
    marks.sort();
    let committed = listener.recv().await.unwrap();
    assert_eq!(committed.marks[..], marks);
    assert_eq!(due(bench, 0).await, []);
    let dirty = due(bench, 10_000).await;
    let mut found: Vec<Mark> = dirty.iter().map(|dirty| dirty.mark).collect();
    found.sort();
    assert_eq!(found, marks);
    assert!(dirty.iter().all(|dirty| dirty.tries == 0 && dirty.why.is_none()));
    assert!(dirty.iter().all(|dirty| dirty.token == committed.token));
    let (count, oldest) =
        bench.db.read(&ctx(), |tx| async move { dirty::backlog(&tx).await }).await.unwrap();
    assert_eq!((count, oldest), (250, Some(dirty[0].due_at)));
}

pub async fn a_mark_that_was_made_again_is_not_cleared(bench: &Bench) {
    let marks = &several(2);
    mark(bench, marks).await;
    let old = &due(bench, 10_000).await;
    mark(bench, &marks[..1]).await;
    let clear = |tx: sql::Tx| async move {
        dirty::clear_all(&tx, old);
        Ok(())
    };
    bench.db.write(&ctx(), clear).await.unwrap();
    let left =
        bench.db.read(&ctx(), |tx| async move { dirty::of(&tx, marks).await }).await.unwrap();
    assert_eq!(left.iter().map(|dirty| dirty.mark).collect::<Vec<_>>(), marks[..1]);
    assert!(old.iter().all(|old| old.token != left[0].token));
    let clear = |tx: sql::Tx| {
        let (mark, token) = (left[0].mark, left[0].token);
        async move {
            dirty::clear(&tx, mark, token);
            Ok(())
        }
    };
    bench.db.write(&ctx(), clear).await.unwrap();
    assert_eq!(due(bench, 10_000).await, []);
}

pub async fn marks_of_a_failed_act_do_not_exist(bench: &Bench) {
    let mut listener = bench.db.marks();
    let ended: Result<()> = bench
        .db
        .write(&ctx(), |tx| async move {
            tx.mark(1, Id::random());
            Err(fault::bad_request("no"))
        })
        .await;
    assert!(ended.is_err());
    assert_eq!(due(bench, 10_000).await, []);
    assert!(listener.try_recv().is_err());
}

pub async fn a_deferred_mark_is_due_later(bench: &Bench) {
    mark(bench, &several(1)).await;
    let dirty = &due(bench, 10_000).await[0];
    let defer = |tx: sql::Tx| async move {
        dirty::defer(&tx, dirty, dirty.due_at + 60_000, &"why ".repeat(200));
        Ok(())
    };
    bench.db.write(&ctx(), defer).await.unwrap();
    assert_eq!(due(bench, 10_000).await, []);
    let later = due(bench, 100_000).await;
    assert_eq!((later[0].tries, later[0].token), (1, dirty.token));
    assert_eq!(later[0].why.as_ref().map(String::len), Some(255));
}

pub async fn who_finishes_a_mark_that_another_has_removed_is_told(bench: &Bench) {
    let marks = &several(3);
    mark(bench, marks).await;
    let old = &due(bench, 10_000).await;
    let finish = |tx: sql::Tx| async move { dirty::finish(&tx, old).await };
    mark(bench, &marks[..1]).await;
    bench
        .db
        .write(&ctx(), |tx| async move {
            dirty::clear(&tx, marks[1], old[0].token);
            Ok(())
        })
        .await
        .unwrap();
    let gone = bench.db.write(&ctx(), finish).await.unwrap();
    assert!(gone.contains(&marks[1]) && !gone.contains(&marks[0]));
    let left = due(bench, 10_000).await;
    assert_eq!(left.iter().map(|dirty| dirty.mark).collect::<Vec<_>>(), marks[..1]);
    let finish = |tx: sql::Tx| {
        let left = &left;
        async move { dirty::finish(&tx, left).await }
    };
    assert_eq!(bench.db.write(&ctx(), finish).await.unwrap(), []);
    assert_eq!(due(bench, 10_000).await, []);
}

pub async fn a_mark_that_is_only_looked_at_again_is_no_work(bench: &Bench) {
    mark(bench, &several(1)).await;
    let dirty = due(bench, 10_000).await;
    let dirty = &dirty[0];
    let look = |tx: sql::Tx| async move {
        dirty::look_again(&tx, dirty, dirty.due_at + 15_000);
        Ok(())
    };
    bench.db.write(&ctx(), look).await.unwrap();
    let backlog =
        bench.db.read(&ctx(), |tx| async move { dirty::backlog(&tx).await }).await.unwrap();
    assert_eq!(backlog, (0, None));
    let left = due(bench, 100_000).await;
    let left = &left[0];
    assert_eq!((left.tries, left.why.as_deref()), (0, Some(dirty::LOOK_AGAIN)));
}
