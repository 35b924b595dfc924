//! Migrations: once each, by one process, and never backwards.

use sql::{Db, Migration, Tx};
use wire::fault::Result;

use crate::bench::{Bench, ctx};
use crate::thing::MIGRATIONS;

pub async fn migrating_again_does_nothing(bench: &Bench) {
    assert_eq!(bench.db.migrate().await.unwrap(), [0; 0]);
    let rows = bench.rows("SELECT number, name FROM schema_version ORDER BY number").await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1][1].as_text(), Some("things"));
}

pub async fn a_schema_of_a_newer_release_is_refused(bench: &Bench) {
    bench.exec("INSERT INTO schema_version VALUES (7, 'tomorrow', 'x')", &[]).await;
    let error = bench.db.migrate().await.unwrap_err().to_string();
    assert!(error.contains("version 7 (tomorrow)") && error.contains("up to 1"), "{error}");
}

static MORE: &[Migration] = &[
    Migration { number: 1, name: "things", sql: MIGRATIONS[0].sql, fill: None },
    Migration {
        number: 2,
        name: "colours",
        sql: "ALTER TABLE things ADD COLUMN colour VARCHAR(20) NULL;\n\
              CREATE TABLE a (id BIGINT NOT NULL, CONSTRAINT pk_a PRIMARY KEY (id));\n",
        fill: Some(|tx| Box::pin(paint(tx))),
    },
    Migration {
        number: 3,
        name: "more",
        sql: "CREATE INDEX ix_a ON a (id);\nDROP TABLE a;\n",
        fill: None,
    },
];

/// What a migration does beside its DDL.
async fn paint(tx: &Tx) -> Result<()> {
    tx.exec("INSERT INTO shelves (id) VALUES ('grey')", Vec::new());
    Ok(())
}

async fn many_migrate_at_once(bench: &Bench) {
    let mut all = Vec::new();
    for _ in 0..6 {
        let db = Db::open(&bench.url, MORE).await.unwrap();
        all.push(tokio::spawn(async move { db.migrate().await }));
    }
    let mut applied = Vec::new();
    for one in all {
        applied.extend(one.await.unwrap().unwrap());
    }
    assert_eq!(applied, [2, 3]);
    assert_eq!(bench.number("SELECT COUNT(colour) FROM things").await, 0);
    assert_eq!(bench.number("SELECT COUNT(*) FROM shelves").await, 1);
    // A release between the two no longer dares to.
    assert!(bench.db.migrate().await.is_err());
}

mod sqlite {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_processes_migrate_at_once_and_one_does_it() {
        many_migrate_at_once(&Bench::sqlite().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_is_a_snapshot() {
        snapshot(&Bench::sqlite().await).await;
    }
}

mod postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_processes_migrate_at_once_and_one_does_it() {
        let bench = Bench::postgres().await;
        many_migrate_at_once(&bench).await;
        bench.close().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_is_a_snapshot() {
        let bench = Bench::postgres().await;
        snapshot(&bench).await;
        bench.close().await;
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_unavailable_in_plain_words() {
        unreachable("postgres://nobody:secret@127.0.0.1:1/none").await;
    }
}

mod mariadb {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_processes_migrate_at_once_and_one_does_it() {
        let bench = Bench::mariadb().await;
        many_migrate_at_once(&bench).await;
        bench.close().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_is_a_snapshot() {
        let bench = Bench::mariadb().await;
        snapshot(&bench).await;
        bench.close().await;
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_unavailable_in_plain_words() {
        unreachable("mysql://nobody:secret@127.0.0.1:1/none").await;
    }
}

async fn unreachable(url: &str) {
    let Err(error) = Db::open(url, MIGRATIONS).await else { panic!("port 1 answers") };
    let fault = error.fault().unwrap();
    assert_eq!(fault.status, 503);
    assert!(!fault.message.contains("secret") && !fault.message.contains("127.0.0.1"), "{fault:?}");
}

async fn snapshot(bench: &Bench) {
    let seen = bench
        .db
        .read(&ctx(), |tx| async move {
            let before = tx.rows("SELECT COUNT(*) FROM shelves", &[]).await?;
            bench.exec("INSERT INTO shelves VALUES ('a')", &[]).await;
            Ok((before, tx.rows("SELECT COUNT(*) FROM shelves", &[]).await?))
        })
        .await
        .unwrap();
    assert_eq!(seen.0, seen.1);
    assert_eq!(bench.number("SELECT COUNT(*) FROM shelves").await, 1);
}
