//! Constraints and expectations become the faults that the writes named.

use std::sync::atomic::{AtomicUsize, Ordering};

use wire::fault::{self, Error, Result};
use wire::row::Record as _;
use wire::types::{Id, Text};
use wire::value::Value;

use crate::bench::{Bench, ctx, kind_of};
use crate::thing::{TABLE, Thing, at, everything, found, listed, names, store, text, thing};

async fn insert(bench: &Bench, one: &Thing) -> Result<()> {
    bench
        .db
        .write(&ctx(), |tx| async move {
            tx.insert(&one.store())?
                .or("pk_things", fault::conflict_state("id"))
                .or("uq_things_name", fault::mac_address_in_use("n", "m"))
                .or("uq_things_note", fault::too_large(1))
                .or("fk_things_shelf", fault::network_not_found("s"));
            Ok(())
        })
        .await
}

pub async fn a_violated_constraint_is_the_fault_that_was_named(bench: &Bench) {
    let mut one = thing("one");
    one.note = Some(Text("n".into()));
    insert(bench, &one).await.unwrap();
    let twin = Thing { id: Id::random(), note: None, ..one.clone() };
    assert_eq!(kind_of(insert(bench, &twin).await), "MacAddressInUse");
    let twin = Thing { name: "two".into(), note: None, ..one.clone() };
    assert_eq!(kind_of(insert(bench, &twin).await), "Conflict");
    let twin = Thing { id: Id::random(), name: "two".into(), ..one.clone() };
    assert_eq!(kind_of(insert(bench, &twin).await), "HTTPRequestEntityTooLarge");
    let orphan = Thing { shelf_id: Some(Id::random()), ..thing("three") };
    assert_eq!(kind_of(insert(bench, &orphan).await), "NetworkNotFound");
    assert_eq!(bench.number("SELECT COUNT(*) FROM things").await, 1);
}

pub async fn a_violation_that_nobody_named_is_internal(bench: &Bench) {
    store(&bench.db, &[thing("one")]).await.unwrap();
    let error = store(&bench.db, &[thing("one")]).await.unwrap_err();
    assert!(matches!(error, Error::Internal(_)), "{error}");
    assert!(error.to_string().contains("uq_things_name"), "{error}");
}

pub async fn a_violation_may_mean_run_again(bench: &Bench) {
    store(&bench.db, &[thing("n0")]).await.unwrap();
    let runs = &AtomicUsize::new(0);
    bench
        .db
        .write(&ctx(), |tx| async move {
            let number = runs.fetch_add(1, Ordering::SeqCst);
            tx.insert(&thing(&format!("n{number}")).store())?
                .or("uq_things_name", Error::Retry("the name is taken"));
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

pub async fn a_foreign_key_is_named_from_both_sides(bench: &Bench) {
    let shelf = Id::random();
    bench.exec("INSERT INTO shelves (id) VALUES (?)", &[text(shelf)]).await;
    insert(bench, &Thing { shelf_id: Some(shelf), ..thing("one") }).await.unwrap();
    let ended = bench
        .db
        .write(&ctx(), |tx| async move {
            tx.exec("DELETE FROM shelves WHERE id = ?", vec![text(shelf)])
                .or("fk_things_shelf", fault::network_in_use("s"));
            Ok(())
        })
        .await;
    assert_eq!(kind_of(ended), "NetworkInUse");
}

pub async fn an_unexpected_number_of_rows_is_the_fault_that_was_named(bench: &Bench) {
    store(&bench.db, &[thing("one"), thing("two")]).await.unwrap();
    for (rows, fine) in [(1, false), (2, true), (3, false)] {
        let ended = bench
            .db
            .write(&ctx(), |tx| async move {
                tx.exec("UPDATE things SET size = ?", vec![Value::Int(rows)])
                    .expect(rows.unsigned_abs(), fault::over_quota("x", 1));
                tx.exec("INSERT INTO shelves (id) VALUES (?)", vec![text(Id::random())]);
                Ok(())
            })
            .await;
        match fine {
            true => ended.unwrap(),
            false => assert_eq!(kind_of(ended), "OverQuota"),
        }
    }
    assert_eq!(bench.number("SELECT SUM(size) FROM things").await, 4);
    assert_eq!(bench.number("SELECT COUNT(*) FROM shelves").await, 1);
}

pub async fn a_failing_write_undoes_those_before_and_behind_it(bench: &Bench) {
    let ended = bench
        .db
        .write(&ctx(), |tx| async move {
            tx.insert(&thing("one").store())?;
            tx.insert(&thing("one").store())?.or("uq_things_name", fault::bad_request("twice"));
            tx.insert(&thing("two").store())?;
            Ok(())
        })
        .await;
    assert_eq!(kind_of(ended), "HTTPBadRequest");
    let ended = bench
        .db
        .write(&ctx(), |tx| async move {
            tx.insert(&thing("one").store())?;
            tx.insert(&thing("one").store())?.or("uq_things_name", fault::bad_request("twice"));
            tx.count(&TABLE, &everything(), &[]).await
        })
        .await;
    assert_eq!(kind_of(ended), "HTTPBadRequest");
    assert_eq!(bench.number("SELECT COUNT(*) FROM things").await, 0);
}

pub async fn ignoring_a_duplicate_hides_nothing_else(bench: &Bench) {
    let one = thing("one");
    store(&bench.db, std::slice::from_ref(&one)).await.unwrap();
    let ctx = &ctx();
    let tag = |tag: Value| async move {
        let params = &vec![text(one.id), tag, text(one.id), text("more")];
        let act = |tx: sql::Tx| async move {
            tx.exec_ignore("tags", &["resource_id", "tag"], params.clone());
            Ok(())
        };
        bench.db.write(ctx, act).await
    };
    tag(text("a")).await.unwrap();
    tag(text("b")).await.unwrap();
    assert_eq!(bench.number("SELECT COUNT(*) FROM tags").await, 3);
    assert!(tag(Value::Null).await.is_err());
    let orphan = bench.db.write(ctx, |tx| async move {
        let params = vec![text(Id::random()), Value::Int(1), Value::Null];
        tx.exec_ignore("parts", &["thing_id", "place", "label"], params)
            .or("fk_parts_thing", fault::network_not_found("x"));
        Ok(())
    });
    assert_eq!(kind_of(orphan.await), "NetworkNotFound");
    assert_eq!(bench.number("SELECT COUNT(*) FROM tags").await, 3);
}

pub async fn hostile_texts_are_only_texts(bench: &Bench) {
    let hostile = [
        "'; DROP TABLE things; --",
        "\" OR 1=1 --",
        "\\'; DELETE FROM things; #",
        "?",
        ":project",
        "$1",
        "%_!\\",
        "/* */ UNION SELECT * FROM tags",
        "line\nbreak\ttab",
        "\u{202e}\u{feff}🦀",
    ];
    for name in hostile {
        store(&bench.db, &[thing(name)]).await.unwrap();
    }
    for name in hostile {
        let filter = wire::query::Filter::In { attr: at::name.index, values: vec![text(name)] };
        let query = wire::query::Query { filters: vec![filter], ..Default::default() };
        let rows = listed(&bench.db, &everything(), &query).await.unwrap();
        assert_eq!(names(&rows), [name]);
        let row = found(&bench.db, rows[0].id()).await.unwrap();
        assert_eq!(row.get(at::name).0, name);
    }
    assert_eq!(bench.number("SELECT COUNT(*) FROM things").await, 10);
}
