//! What a transaction promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use sql::dialect::Dialect;
use wire::ctx::Ctx;
use wire::fault::{self, Error, Result};
use wire::row::Record as _;
use wire::types::{Id, Text};
use wire::value::Value;

use crate::bench::{Bench, ctx, kind_of};
use crate::thing::{TABLE, at, everything, found, listed, renamed, store, text, thing};

pub async fn a_row_is_read_back_as_it_was_written(bench: &Bench) {
    let mut one = thing("Grüße 'x' \"y\" \\ % _ 👍");
    one.size = Some(i64::MIN);
    one.note = Some(Text("  spaces  ".into()));
    one.ready = false;
    store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
    let id = text(one.id);
    for (place, label) in [(2, Value::Null), (1, Value::text("a"))] {
        let params = [id.clone(), Value::Int(place), label];
        bench.exec("INSERT INTO parts (thing_id, place, label) VALUES (?, ?, ?)", &params).await;
    }
    let row = found(&bench.db, one.id).await.unwrap();
    assert_eq!(row.get(at::name), one.name);
    assert_eq!(row.get(at::size), one.size);
    assert_eq!(row.get(at::note), one.note);
    assert!(!row.get(at::ready));
    assert_eq!(row.get(at::data), one.data);
    assert_eq!(row.get(at::shelf_id), None);
    assert!(row.get(at::mine));
    let parts = json!([{"place": 1, "label": "a"}, {"place": 2, "label": null}]);
    assert_eq!(row.named("parts").unwrap().to_json(), parts);
    assert_eq!(row.named("tags").unwrap().to_json(), json!([]));
    assert!(row.named("surprise").unwrap().is_missing());
    assert!(found(&bench.db, Id::random()).await.is_none());
}

pub async fn an_update_that_was_overtaken_is_run_again(bench: &Bench) {
    let one = thing("one");
    store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
    let stale = found(&bench.db, one.id).await.unwrap();
    let change = |name: &'static str, first: Option<wire::row::Row>| {
        let db = bench.db.clone();
        async move {
            let runs = AtomicUsize::new(0);
            let (runs, first, scope) = (&runs, &first, &everything());
            db.write(&ctx(), |tx| async move {
                let old = match (runs.fetch_add(1, Ordering::SeqCst), first) {
                    (0, Some(stale)) => stale.clone(),
                    _ => tx.find(&TABLE, scope, one.id).await?.unwrap(),
                };
                tx.update(&old, &renamed(&old, name))?;
                Ok(())
            })
            .await
            .unwrap();
            runs.load(Ordering::SeqCst)
        }
    };
    assert_eq!(change("two", None).await, 1);
    assert_eq!(change("three", Some(stale)).await, 2);
    let row = found(&bench.db, one.id).await.unwrap();
    assert_eq!((row.get(at::name).0.as_str(), row.get(at::revision_number)), ("three", 2));
    assert_eq!(bench.db.stats().retries, 1);
}

pub async fn an_act_that_is_always_overtaken_ends_as_unavailable(bench: &Bench) {
    let runs = &AtomicUsize::new(0);
    let gone = Id::random();
    let ended = bench
        .db
        .write(&ctx(), |tx| async move {
            runs.fetch_add(1, Ordering::SeqCst);
            tx.delete(&TABLE, gone)?;
            Ok(())
        })
        .await;
    assert_eq!(kind_of(ended), "HTTPServiceUnavailable");
    assert_eq!(runs.load(Ordering::SeqCst), 32);
}

pub async fn an_update_that_changes_nothing_writes_nothing(bench: &Bench) {
    let one = thing("one");
    store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
    let row = &found(&bench.db, one.id).await.unwrap();
    let before = bench.db.stats().statements;
    bench
        .db
        .write(&ctx(), |tx| async move {
            tx.update(row, row)?.or("uq_things_name", fault::bad_request("x"));
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(bench.db.stats().statements, before);
}

async fn increment(bench: &Bench) -> Result<()> {
    bench
        .db
        .write(&ctx(), |tx| async move {
            tx.exec("UPDATE counters SET used = used + 1 WHERE name = ?", vec![text("c")])
                .expect(1, fault::bad_request("gone"));
            let rows = tx.rows("SELECT used FROM counters WHERE name = 'c'", &[]).await?;
            assert!(rows[0][0].as_int().unwrap() > 0);
            Ok(())
        })
        .await
}

pub async fn increments_of_many_tasks_are_counted_exactly(bench: &Bench) {
    bench.exec("INSERT INTO counters (name, used) VALUES ('c', 0)", &[]).await;
    let all = (0..64).map(|_| async {
        for _ in 0..4 {
            increment(bench).await.unwrap();
        }
    });
    futures_util::future::join_all(all).await;
    assert_eq!(bench.number("SELECT used FROM counters WHERE name = 'c'").await, 256);
    let stats = bench.db.stats();
    assert!(stats.commits >= 256, "{stats:?}");
    assert_eq!(stats.queue, 0);
    if bench.db.dialect() == Dialect::Sqlite {
        assert!(stats.groups < 200, "commits were not grouped: {stats:?}");
    }
}

pub async fn compare_and_swap_of_many_tasks_loses_nothing(bench: &Bench) {
    let one = thing("one");
    store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
    let done = &AtomicUsize::new(0);
    let scope = &everything();
    let all = (0..8).map(|_| async move {
        for _ in 0..4 {
            let changed = bench
                .db
                .write(&ctx(), |tx| async move {
                    let old = tx.find(&TABLE, scope, one.id).await?.unwrap();
                    let mut new = renamed(&old, "one");
                    new.set(at::size, Some(old.get(at::size).unwrap_or(0) + 1));
                    tx.update(&old, &new)?;
                    Ok(())
                })
                .await;
            match changed {
                Ok(()) => drop(done.fetch_add(1, Ordering::SeqCst)),
                Err(error) => assert_eq!(error.fault().unwrap().status, 503),
            }
        }
    });
    futures_util::future::join_all(all).await;
    let row = found(&bench.db, one.id).await.unwrap();
    let done = i64::try_from(done.load(Ordering::SeqCst)).unwrap();
    assert!(done >= 16, "{done}");
    assert_eq!(row.get(at::size), Some(done));
    assert_eq!(row.get(at::revision_number), done);
}

pub async fn however_many_change_one_row_everybody_has_his_turn(bench: &Bench) {
    let one = thing("one");
    store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
    let scope = &everything();
    let all = (0..300).map(|_| async {
        let act = async |tx: sql::Tx| {
            let old = tx.find(&TABLE, scope, one.id).await?.unwrap();
            // So that all have read before one writes.
            tokio::time::sleep(Duration::from_millis(2)).await;
            tx.update(&old, &renamed(&old, "changed"))?;
            Ok(())
        };
        bench.db.write(&ctx(), act).await
    });
    for done in futures_util::future::join_all(all).await {
        done.unwrap();
    }
    let row = found(&bench.db, one.id).await.unwrap();
    assert_eq!(row.get(at::revision_number), 300);
}

pub async fn a_fault_of_one_undoes_nothing_of_others(bench: &Bench) {
    let all = (0..60).map(|number| async move {
        let ended = bench
            .db
            .write(&ctx(), |tx| async move {
                tx.insert(&thing(&format!("n{number}")).store())?;
                tx.flush().await?;
                match number % 3 {
                    0 => Err(fault::bad_request("no")),
                    _ => Ok(()),
                }
            })
            .await;
        assert_eq!(ended.is_ok(), number % 3 != 0, "{ended:?}");
    });
    futures_util::future::join_all(all).await;
    assert_eq!(bench.number("SELECT COUNT(*) FROM things").await, 40);
}

pub async fn a_dropped_transaction_leaves_nothing_behind(bench: &Bench) {
    let ctx = &ctx();
    for flushed in [true, false] {
        let never = bench.db.write(ctx, |tx| async move {
            tx.insert(&thing("never").store())?;
            if flushed {
                tx.flush().await?;
            }
            std::future::pending::<()>().await;
            Ok(())
        });
        let ended = tokio::time::timeout(Duration::from_millis(200), never).await;
        assert!(ended.is_err());
    }
    store(&bench.db, &[thing("after")]).await.unwrap();
    assert_eq!(bench.number("SELECT COUNT(*) FROM things").await, 1);
}

pub async fn cancelled_callers_leave_whole_transactions_or_none(bench: &Bench) {
    let done = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for number in 0..120_u64 {
        let (db, done) = (bench.db.clone(), Arc::clone(&done));
        let task = tokio::spawn(async move {
            let one = &thing(&format!("n{number}"));
            let act = |tx: sql::Tx| async move {
                tx.insert(&one.store())?;
                tx.flush().await?;
                tokio::task::yield_now().await;
                tx.exec(
                    "INSERT INTO parts (thing_id, place, label) VALUES (?, 1, 'x')",
                    vec![text(one.id)],
                );
                Ok(())
            };
            db.write(&ctx(), act).await.unwrap();
            done.fetch_add(1, Ordering::SeqCst);
        });
        tasks.push(task);
        if number % 2 == 0 {
            tokio::time::sleep(Duration::from_micros(number * 7 % 900)).await;
            if let Some(task) = tasks.get(tasks.len() / 2) {
                task.abort();
            }
        }
    }
    for task in tasks {
        let ended = tokio::time::timeout(Duration::from_secs(30), task).await;
        let joined = ended.expect("a group was left to nobody");
        assert!(joined.is_ok() || joined.is_err_and(|error| error.is_cancelled()));
    }
    let done = i64::try_from(done.load(Ordering::SeqCst)).unwrap();
    store(&bench.db, &[]).await.unwrap();
    let things = bench.number("SELECT COUNT(*) FROM things").await;
    let parts = bench.number("SELECT COUNT(*) FROM parts").await;
    assert_eq!(things, parts, "half a transaction");
    assert!(things >= done && things <= 120, "{things} things, {done} answers");
}

pub async fn an_error_that_was_passed_over_spoils_the_transaction(bench: &Bench) {
    let ended = bench
        .db
        .write(&ctx(), |tx| async move {
            tx.insert(&thing("one").store())?;
            assert!(tx.rows("SELECT nothing FROM nowhere", &[]).await.is_err());
            Ok(())
        })
        .await;
    assert!(matches!(ended, Err(Error::Internal(_))), "{ended:?}");
    assert_eq!(bench.number("SELECT COUNT(*) FROM things").await, 0);
}

pub async fn a_write_in_a_read_is_refused(bench: &Bench) {
    let ended = bench
        .db
        .read(&ctx(), |tx| async move {
            tx.insert(&thing("one").store())?;
            Ok(())
        })
        .await;
    assert!(matches!(ended, Err(Error::Internal(_))), "{ended:?}");
    assert_eq!(bench.number("SELECT COUNT(*) FROM things").await, 0);
}

pub async fn a_transaction_cannot_be_used_after_its_end(bench: &Bench) {
    let kept = bench.db.write(&ctx(), |tx| async move { Ok(tx) }).await.unwrap();
    assert!(matches!(kept.rows("SELECT 1", &[]).await, Err(Error::Internal(_))));
    kept.exec("DELETE FROM things", Vec::new());
    assert!(kept.flush().await.is_err());
}

pub async fn a_value_that_nobody_chose_is_not_stored(bench: &Bench) {
    let mut row = thing("one").store();
    row.put(at::name.index, Value::Missing);
    let row = &row;
    let insert = |tx: sql::Tx| async move { tx.insert(row).map(drop) };
    let ended = bench.db.write(&ctx(), insert).await;
    assert!(ended.unwrap_err().to_string().contains("'name'"));
    let exec = |tx: sql::Tx| async move {
        tx.exec("DELETE FROM tags WHERE tag = ?", vec![Value::Missing]);
        Ok(())
    };
    assert!(bench.db.write(&ctx(), exec).await.is_err());
}

pub async fn answers_have_the_same_types_everywhere(bench: &Bench) {
    let mut one = thing("one");
    one.size = Some(40);
    store(&bench.db, &[one, thing("two")]).await.unwrap();
    let rows = bench
        .rows(
            "SELECT COUNT(*), SUM(size), MAX(size), ready, EXISTS (SELECT 1 FROM tags), data, note \
             FROM things WHERE name = 'one' GROUP BY ready, data, note",
        )
        .await;
    let data = Value::text(r#"{"k":[1,"zwei",null]}"#);
    let (one, forty) = (Value::Int(1), Value::Int(40));
    let wanted = [one.clone(), forty.clone(), forty, one, Value::Int(0), data, Value::Null];
    assert_eq!(rows, [wanted.to_vec()]);
}

pub async fn a_write_described_too_late_is_refused(bench: &Bench) {
    let ended = bench
        .db
        .write(&ctx(), |tx| async move {
            let write = tx.insert(&thing("one").store())?;
            tx.flush().await?;
            write.or("uq_things_name", fault::bad_request("x"));
            Ok(())
        })
        .await;
    assert!(matches!(ended, Err(Error::Internal(_))), "{ended:?}");
}

pub async fn the_deadline_ends_the_retries(bench: &Bench) {
    let ctx = Ctx { deadline: Some(Instant::now() + Duration::from_millis(30)), ..ctx() };
    let runs = &AtomicUsize::new(0);
    let ended: Result<()> = bench
        .db
        .write(&ctx, |_| async move {
            runs.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(40)).await;
            Err(Error::Retry("always"))
        })
        .await;
    assert_eq!(kind_of(ended), "HTTPServiceUnavailable");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

pub async fn a_connection_that_broke_is_replaced(bench: &Bench) {
    if !bench.is_served() {
        return store(&bench.db, &[thing("one")]).await.unwrap();
    }
    let runs = &AtomicUsize::new(0);
    bench
        .db
        .write(&ctx(), |tx| async move {
            tx.insert(&thing("one").store())?;
            let mine = match tx.dialect() {
                Dialect::Postgres => "SELECT pg_backend_pid()",
                _ => "SELECT CONNECTION_ID()",
            };
            let number = tx.rows(mine, &[]).await?[0][0].as_int().unwrap();
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                let kill = match tx.dialect() {
                    Dialect::Postgres => format!("SELECT pg_terminate_backend({number})"),
                    _ => format!("KILL {number}"),
                };
                bench.behind_its_back(&kill).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tx.rows("SELECT COUNT(*) FROM things", &[]).await.map(drop)
        })
        .await
        .unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    let all = listed(&bench.db, &everything(), &Default::default()).await.unwrap();
    assert_eq!(all.len(), 1);
}
