//! What only a database in a file promises: SQLite alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sql::Db;
use wire::types::Id;
use wire::value::Value;

use crate::bench::{Bench, ctx};
use crate::thing::{MIGRATIONS, text};

fn path(bench: &Bench) -> String {
    bench.url.trim_start_matches("sqlite:").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_file_is_readable_by_its_owner_alone() {
    let bench = Bench::sqlite().await;
    for end in ["", "-wal", "-shm"] {
        let mode = fs::metadata(path(&bench) + end).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_power_cut() {
    let bench = Bench::sqlite().await;
    let elsewhere = tempfile::tempdir().unwrap();
    for number in 1..4 {
        bench.exec("INSERT INTO shelves VALUES (?)", &[text(Id::random())]).await;
        // What is on the disk at this moment, without the shared memory of the living.
        let copy = elsewhere.path().join(format!("{number}.db"));
        fs::copy(path(&bench), &copy).unwrap();
        let log = format!("{}-wal", copy.display());
        fs::copy(path(&bench) + "-wal", log).unwrap();
        let revived = Db::open(&format!("sqlite:{}", copy.display()), MIGRATIONS).await.unwrap();
        let rows = revived
            .read(&ctx(), |tx| async move { tx.rows("SELECT id FROM shelves", &[]).await })
            .await
            .unwrap();
        assert_eq!(rows.len(), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_writes_too() {
    let bench = Bench::sqlite().await;
    let other = Db::open(&bench.url, MIGRATIONS).await.unwrap();
    bench.exec("INSERT INTO counters VALUES ('c', 0)", &[]).await;
    // A task each, as requests have: who waits for the other process holds up his thread.
    let mut all = tokio::task::JoinSet::new();
    for number in 0..40 {
        let db = if number % 2 == 0 { bench.db.clone() } else { other.clone() };
        all.spawn(async move {
            let act = |tx: sql::Tx| async move {
                tx.exec("UPDATE counters SET used = used + 1", Vec::new());
                Ok(())
            };
            db.write(&ctx(), act).await.unwrap();
        });
    }
    all.join_all().await;
    assert_eq!(bench.number("SELECT used FROM counters").await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_only_what_is_stored_is_answered() {
    let bench = &Bench::sqlite().await;
    let pages = bench.number("PRAGMA page_count").await;
    let limit = &format!("PRAGMA max_page_count = {}", pages + 60);
    let on_the_writer = |tx: sql::Tx| async move { tx.rows(limit, &[]).await.map(drop) };
    bench.db.write(&ctx(), on_the_writer).await.unwrap();
    let done = &AtomicUsize::new(0);
    let all = (0..64).map(|_| async move {
        for _ in 0..4 {
            let note = &"x".repeat(3000);
            let stored = bench
                .db
                .write(&ctx(), |tx| async move {
                    let name = vec![Value::text(Id::random().to_string() + note), Value::Int(1)];
                    tx.exec("INSERT INTO counters VALUES (?, ?)", name);
                    tx.flush().await
                })
                .await;
            if stored.is_ok() {
                done.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    futures_util::future::join_all(all).await;
    let done = i64::try_from(done.load(Ordering::SeqCst)).unwrap();
    assert!((1..256).contains(&done), "{done}");
    assert_eq!(bench.number("SELECT COUNT(*) FROM counters").await, done);
    let relief = |tx: sql::Tx| async move {
        tx.rows("PRAGMA max_page_count = 1000000", &[]).await.map(drop)
    };
    bench.db.write(&ctx(), relief).await.unwrap();
    bench.exec("INSERT INTO counters VALUES ('after', 1)", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_moved_into_the_file_while_nothing_happens() {
    let bench = Bench::sqlite().await;
    for _ in 0..50 {
        bench.exec("INSERT INTO shelves VALUES (?)", &[text(Id::random())]).await;
    }
    let small = fs::metadata(path(&bench)).unwrap().len();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if fs::metadata(path(&bench)).unwrap().len() > small {
            return;
        }
    }
    panic!("the file did not grow");
}
