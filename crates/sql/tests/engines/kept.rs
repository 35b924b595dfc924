//! Lists that SQLite keeps in the parents' rows. The other engines gather them, and the same holds.

use serde_json::{Value as Json, json};
use sql::dialect::Dialect;
use sql::{Db, Migration, kept};
use wire::types::Id;
use wire::value::Value;

use crate::bench::{Bench, ctx};
use crate::thing::{MIGRATIONS, PARTS, found, store, text, thing};

async fn parts(db: &Db, id: Id) -> Json {
    found(db, id).await.unwrap().named("parts").unwrap().to_json()
}

/// The ids of the things whose list is not what the child table has.
async fn drifted(bench: &Bench) -> Vec<String> {
    let Some(sql) = kept::drifted(bench.db.dialect(), "things", &PARTS) else { return Vec::new() };
    let rows = bench.rows(&sql).await;
    rows.iter().map(|row| row[0].as_text().unwrap().to_owned()).collect()
}

async fn add(bench: &Bench, id: Id, place: i64, label: &str) {
    let params = [text(id), Value::Int(place), text(label)];
    bench.exec("INSERT INTO parts (thing_id, place, label) VALUES (?, ?, ?)", &params).await;
}

pub async fn a_list_follows_every_change_of_its_rows(bench: &Bench) {
    let (one, other) = (thing("one"), thing("other"));
    store(&bench.db, &[one.clone(), other.clone()]).await.unwrap();
    let all = async || (parts(&bench.db, one.id).await, parts(&bench.db, other.id).await);
    assert_eq!(all().await, (json!([]), json!([])));
    add(bench, one.id, 2, "b").await;
    add(bench, one.id, 1, "it's \"a\"").await;
    let (a, b) = (json!({"place": 1, "label": "it's \"a\""}), json!({"place": 2, "label": "b"}));
    assert_eq!(all().await, (json!([a, b]), json!([])));
    bench.exec("UPDATE parts SET place = 3 WHERE place = 1", &[]).await;
    let a = json!({"place": 3, "label": "it's \"a\""});
    assert_eq!(all().await, (json!([b, a]), json!([])), "in their order");
    bench.exec("UPDATE parts SET thing_id = ? WHERE place = 3", &[text(other.id)]).await;
    assert_eq!(all().await, (json!([b]), json!([a])), "moved from one to the other");
    bench.exec("UPDATE parts SET label = NULL WHERE place = 2", &[]).await;
    assert_eq!(all().await, (json!([{"place": 2, "label": null}]), json!([a])));
    bench.exec("DELETE FROM parts WHERE place = 2", &[]).await;
    assert_eq!(all().await, (json!([]), json!([a])));
    // With the row that has it.
    bench.exec("DELETE FROM things WHERE id = ?", &[text(other.id)]).await;
    assert_eq!(bench.number("SELECT COUNT(*) FROM parts").await, 0);
    assert_eq!(drifted(bench).await, [""; 0]);
    // What is undone is undone in the list.
    let ctx = &ctx();
    let undone = bench.db.write(ctx, |tx| async move {
        let params = vec![text(one.id), Value::Int(1), text("a")];
        tx.exec("INSERT INTO parts (thing_id, place, label) VALUES (?, ?, ?)", params);
        tx.flush().await?;
        Err::<(), _>(wire::fault::bad_request("undo it"))
    });
    assert!(undone.await.is_err());
    assert_eq!(parts(&bench.db, one.id).await, json!([]));
}

pub async fn a_list_that_drifted_is_found(bench: &Bench) {
    if bench.db.dialect() != Dialect::Sqlite {
        assert_eq!(kept::drifted(bench.db.dialect(), "things", &PARTS), None);
        return;
    }
    let (good, bad) = (thing("good"), thing("bad"));
    store(&bench.db, &[good.clone(), bad.clone()]).await.unwrap();
    add(bench, good.id, 1, "a").await;
    add(bench, bad.id, 1, "a").await;
    for damage in [Value::text("[]"), Value::Null, Value::text("no list")] {
        let params = [damage, text(bad.id)];
        bench.exec("UPDATE things SET parts_list = ? WHERE id = ?", &params).await;
        assert_eq!(drifted(bench).await, [bad.id.to_string()]);
    }
    bench.exec("UPDATE parts SET place = 2 WHERE thing_id = ?", &[text(bad.id)]).await;
    assert_eq!(drifted(bench).await, [""; 0], "written anew with the next change");
}

/// The things as they were before the list was kept, and the step behind that.
static BEFORE: &[Migration] =
    &[Migration { number: 1, name: "things", sql: MIGRATIONS[0].sql, fill: None }];
static AFTER: &[Migration] = &[
    Migration { number: 1, name: "things", sql: MIGRATIONS[0].sql, fill: None },
    Migration {
        number: 2,
        name: "kept",
        sql: "",
        fill: Some(|tx| Box::pin(kept::keep(tx, "things", &PARTS))),
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_there_before_have_their_lists() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("before.db").display());
    let (one, ctx) = (thing("one"), &ctx());
    let (id, before) = (one.id, Db::open(&url, BEFORE).await.unwrap());
    before.migrate().await.unwrap();
    store(&before, &[one]).await.unwrap();
    let insert = "INSERT INTO parts (thing_id, place, label) VALUES (?, 1, 'a')";
    let stored =
        before.write(ctx, |tx| async move { tx.run(insert, &[text(id)], Vec::new()).await });
    stored.await.unwrap();
    let after = Db::open(&url, AFTER).await.unwrap();
    assert_eq!(after.migrate().await.unwrap(), [2]);
    assert_eq!(parts(&after, id).await, json!([{"place": 1, "label": "a"}]));
}
