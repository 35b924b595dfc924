//! How a server tells of changes, and keeps locks: the same on both servers.

use serde_json::{Value as Json, json};

use crate::house::{House, Wire, assert_fits, fits, name, uuid};

on_both!(
    a_database_is_announced,
    what_is_no_request_is_answered_or_ends_the_connection,
    a_monitor_tells_the_state_and_each_change,
    a_conditional_monitor_tells_differences,
    rows_enter_and_leave_a_condition,
    a_monitor_is_told_before_the_reply,
    a_condition_can_be_exchanged,
    a_monitor_can_be_cancelled,
    monitors_that_cannot_be_are_refused,
    a_monitor_resumes_after_the_last_transaction,
    a_transaction_that_is_not_remembered_means_everything,
    a_change_that_comes_to_nothing_is_not_told,
    the_server_tells_of_itself,
    a_lock_passes_on,
    a_lock_can_be_stolen,
    a_lock_is_given_up_with_the_connection,
);

fn cage(number: u128, row: Json) -> Json {
    json!({ "op": "insert", "table": "Cage", "uuid": name(number), "row": row })
}

fn update(number: u128, row: Json) -> Json {
    json!({ "op": "update", "table": "Cage", "where": [["_uuid", "==", uuid(number)]], "row": row })
}

fn delete(number: u128) -> Json {
    json!({ "op": "delete", "table": "Cage", "where": [["_uuid", "==", uuid(number)]] })
}

async fn done(wire: &mut Wire, operations: &[Json]) {
    let results = wire.transact(operations).await;
    let error = results
        .as_array()
        .unwrap()
        .iter()
        .find(|result| result.is_null() || result.get("error").is_some());
    assert_eq!(error, None, "{operations:?}");
}

async fn a_database_is_announced(house: &House) {
    let wire = &mut house.connect().await;
    assert_eq!(wire.call("list_dbs", json!([])).await, json!(["Zoo", "_Server"]));
    let schema = wire.call("get_schema", json!(["Zoo"])).await;
    assert_fits(&schema, &json!({ "name": "Zoo", "tables": { "Keeper": { "maxRows": 2 } } }));
    let server = wire.call("get_schema", json!(["_Server"])).await;
    assert_fits(&server, &json!({ "tables": { "Database": { "columns": { "leader": "*" } } } }));
    let unknown = wire.call("get_schema", json!(["None"])).await;
    assert_fits(&unknown, &json!({ "error": "unknown database" }));
}

async fn what_is_no_request_is_answered_or_ends_the_connection(house: &House) {
    let wire = &mut house.connect().await;
    assert_eq!(wire.call("dance", json!([])).await, json!("unknown method"));
    assert_eq!(wire.call("echo", json!(["a", 1])).await, json!(["a", 1]));
    for params in [json!([]), json!([1])] {
        assert_fits(&wire.call("transact", params).await, &json!({ "error": "syntax error" }));
    }
    let unknown = wire.call("transact", json!(["None"])).await;
    assert_fits(&unknown, &json!({ "error": "unknown database" }));
    assert_eq!(wire.transact(&[]).await, json!([]));
    // Two at once, with space between, and an answer to nothing.
    wire.raw(r#"{"method":"echo","params":[],"id":"x"} {"id":"y","result":[],"error":null}"#).await;
    assert_fits(&wire.next().await.unwrap(), &json!({ "id": "x", "result": [] }));
    for bad in ["{x}", r#"{"method":"echo","params":{},"id":1}"#, r#"{"id":1}"#] {
        let wire = &mut house.connect().await;
        wire.raw(bad).await;
        assert_eq!(wire.next().await, None, "{bad}");
    }
}

async fn a_monitor_tells_the_state_and_each_change(house: &House) {
    let (wire, other) = (&mut house.connect().await, &mut house.connect().await);
    done(other, &[cage(10, json!({ "name": "a", "tags": ["set", ["x", "y"]] }))]).await;
    let tables = json!({ "Cage": [{ "columns": ["name", "tags"] }] });
    let initial = wire.call("monitor", json!(["Zoo", "m", tables])).await;
    let row = json!({ "name": "a", "tags": ["set", ["x", "y"]] });
    assert_eq!(initial, json!({ "Cage": { name(10): { "new": row } } }));
    let told = |update: Json| json!({ "method": "update", "params": ["m", { "Cage": update }] });
    done(other, &[update(10, json!({ "tags": "z" }))]).await;
    let change = json!({ "new": { "name": "a", "tags": "z" },
                         "old": { "tags": ["set", ["x", "y"]] } });
    assert_fits(&wire.next().await.unwrap(), &told(json!({ name(10): change })));
    // What is not watched is not told.
    done(other, &[update(10, json!({ "size": 5 }))]).await;
    done(other, &[cage(11, json!({ "name": "b" }))]).await;
    let new = json!({ "new": { "name": "b", "tags": ["set", []] } });
    assert_fits(&wire.next().await.unwrap(), &told(json!({ name(11): new })));
    done(other, &[delete(11)]).await;
    let old = json!({ "old": { "name": "b", "tags": ["set", []] } });
    assert_fits(&wire.next().await.unwrap(), &told(json!({ name(11): old })));
}

/// The next notification that says something: the real server tells of rows without columns too.
async fn told(wire: &mut Wire) -> Json {
    loop {
        let message = wire.next().await.unwrap();
        let empty = json!({ "Cage": { name(10): { "modify": {} } } });
        if message["params"].as_array().unwrap().last() != Some(&empty) {
            return message;
        }
    }
}

async fn a_conditional_monitor_tells_differences(house: &House) {
    let (wire, other) = (&mut house.connect().await, &mut house.connect().await);
    let notes = json!(["map", [["a", "1"], ["b", "2"]]]);
    done(other, &[cage(10, json!({ "name": "a", "notes": notes, "size": 1 }))]).await;
    let tables = json!({ "Cage": [{ "columns": ["name", "tags", "notes", "size"] }] });
    let initial = wire.call("monitor_cond", json!(["Zoo", ["m", 1], tables])).await;
    // What is as in a new row is left out.
    let row = json!({ "name": "a", "notes": notes, "size": 1 });
    assert_eq!(initial, json!({ "Cage": { name(10): { "initial": row } } }));
    let steps = [
        (json!({ "tags": ["set", ["x", "y"]] }), json!({ "tags": ["set", ["x", "y"]] })),
        (json!({ "tags": ["set", ["z", "y"]] }), json!({ "tags": ["set", ["x", "z"]] })),
        (json!({ "tags": "y" }), json!({ "tags": "z" })),
        (
            json!({ "notes": ["map", [["b", "9"], ["c", "3"]]] }),
            json!({ "notes": ["map", [["a", "1"], ["b", "9"], ["c", "3"]]] }),
        ),
        (json!({ "size": 2 }), json!({ "size": 2 })),
        (json!({ "size": ["set", []] }), json!({ "size": ["set", []] })),
    ];
    for (change, modify) in steps {
        done(other, &[update(10, change)]).await;
        let expected = json!({ "Cage": { name(10): { "modify": modify } } });
        let message = told(wire).await;
        assert_eq!(message["method"], "update2");
        assert_eq!(message["params"], json!([["m", 1], expected]));
    }
    done(other, &[delete(10)]).await;
    let expected = json!({ "Cage": { name(10): { "delete": null } } });
    assert_eq!(told(wire).await["params"], json!([["m", 1], expected]));
}

async fn rows_enter_and_leave_a_condition(house: &House) {
    let (wire, other) = (&mut house.connect().await, &mut house.connect().await);
    // One of the clauses is enough.
    let tables = json!({ "Cage": [{ "columns": ["name"],
                                    "where": [["size", "==", 5], ["name", "==", "always"]] }] });
    let initial = wire.call("monitor_cond", json!(["Zoo", "m", tables])).await;
    assert_eq!(initial, json!({}));
    done(other, &[cage(11, json!({ "name": "always" }))]).await;
    done(other, &[cage(10, json!({ "name": "a", "size": 4 }))]).await;
    for size in [5, 6] {
        done(other, &[update(10, json!({ "size": size }))]).await;
    }
    let expected = [
        json!({ name(11): { "insert": { "name": "always" } } }),
        json!({ name(10): { "insert": { "name": "a" } } }),
        json!({ name(10): { "delete": null } }),
    ];
    for rows in expected {
        assert_eq!(told(wire).await["params"], json!(["m", { "Cage": rows }]));
    }
}

async fn a_monitor_is_told_before_the_reply(house: &House) {
    let wire = &mut house.connect().await;
    let tables = json!({ "Cage": [{ "columns": ["name"] }] });
    wire.call("monitor_cond_since", json!(["Zoo", "m", tables, name(0)])).await;
    done(wire, &[cage(10, json!({ "name": "a" }))]).await;
    assert_eq!(wire.told.len(), 1);
    let insert = json!({ "Cage": { name(10): { "insert": { "name": "a" } } } });
    assert_fits(&wire.told[0], &json!({ "method": "update3", "params": ["m", "*", insert] }));
}

async fn a_condition_can_be_exchanged(house: &House) {
    let wire = &mut house.connect().await;
    done(wire, &[cage(10, json!({ "name": "a" })), cage(11, json!({ "name": "b" }))]).await;
    let tables = json!({ "Cage": [{ "columns": ["name"], "where": [["name", "==", "a"]] }] });
    wire.call("monitor_cond", json!(["Zoo", "m", tables])).await;
    let other = json!({ "Cage": [{ "where": [["name", "==", "b"]] }] });
    let reply = wire.call("monitor_cond_change", json!(["m", "n", other])).await;
    assert_eq!(reply, json!({}));
    let rows = json!({ name(10): { "delete": null }, name(11): { "insert": { "name": "b" } } });
    assert_fits(&wire.told[0], &json!({ "method": "update2", "params": ["n", { "Cage": rows }] }));
    let gone = wire.call("monitor_cond_change", json!(["m", "n", other])).await;
    assert_fits(&gone, &json!({ "error": "syntax error" }));
}

async fn a_monitor_can_be_cancelled(house: &House) {
    let wire = &mut house.connect().await;
    let tables = json!({ "Cage": [{ "columns": ["name"] }] });
    wire.call("monitor_cond", json!(["Zoo", "m", tables])).await;
    assert_eq!(wire.call("monitor_cancel", json!(["m"])).await, json!({}));
    assert_eq!(wire.call("monitor_cancel", json!(["m"])).await, json!("unknown monitor"));
    done(wire, &[cage(10, json!({ "name": "a" }))]).await;
    assert_eq!(wire.told, Vec::<Json>::new());
}

async fn monitors_that_cannot_be_are_refused(house: &House) {
    let wire = &mut house.connect().await;
    wire.call("monitor_cond", json!(["Zoo", "m", {}])).await;
    let cases = [
        (json!(["Zoo", "m", {}]), "syntax error"),
        (json!(["Zoo", "n", { "None": [{}] }]), "syntax error"),
        (json!(["Zoo", "n", { "Cage": [{ "columns": ["no"] }] }]), "syntax error"),
        (json!(["Zoo", "n", { "Cage": [{ "columns": ["name", "name"] }] }]), "syntax error"),
        (json!(["Zoo", "n", { "Cage": [{ "select": { "no": true } }] }]), "syntax error"),
        (json!(["Zoo", "n", { "Cage": [{ "where": [["no", "==", 1]] }] }]), "unknown column"),
        (json!(["None", "n", {}]), "unknown database"),
    ];
    for (params, error) in cases {
        let reply = wire.call("monitor_cond", params.clone()).await;
        assert!(fits(&reply, &json!({ "error": error })), "{params}: {reply}");
    }
    let without = wire.call("monitor_cond_since", json!(["Zoo", "n", {}])).await;
    assert_fits(&without, &json!({ "error": "syntax error" }));
}

/// As many rows that the real server remembers some transactions: it keeps no more of them than it
/// has content.
async fn furnish(wire: &mut Wire) {
    let tags = json!(["set", ["p", "q", "r"]]);
    let row = |number: u128| cage(number, json!({ "name": format!("c{number}"), "tags": tags }));
    let rows: Vec<Json> = (100..200).map(row).collect();
    done(wire, &rows).await;
}

async fn a_monitor_resumes_after_the_last_transaction(house: &House) {
    let (wire, other) = (&mut house.connect().await, &mut house.connect().await);
    furnish(other).await;
    done(other, &[cage(10, json!({ "name": "a", "size": 5 })), cage(11, json!({ "name": "b" }))])
        .await;
    let tables = json!({ "Cage": [{ "columns": ["name", "tags"], "where": [["size", "==", 5]] }] });
    let initial = wire.call("monitor_cond_since", json!(["Zoo", "m", tables, name(0)])).await;
    let row = json!({ name(10): { "initial": { "name": "a" } } });
    assert_fits(&initial, &json!([false, "*", { "Cage": row }]));
    let last = &initial[1];
    let again = wire.call("monitor_cond_since", json!(["Zoo", "m2", tables, last])).await;
    assert_eq!(again, json!([true, last, {}]));
    let steps = [
        update(10, json!({ "size": 6 })),
        update(11, json!({ "tags": ["set", ["x", "y"]], "size": 5 })),
        cage(12, json!({ "name": "c", "size": 5 })),
        update(12, json!({ "tags": "t" })),
        cage(13, json!({ "name": "d", "size": 5 })),
        delete(13),
    ];
    for step in steps {
        done(other, &[step]).await;
    }
    let resumed = wire.call("monitor_cond_since", json!(["Zoo", "m3", tables, last])).await;
    let rows = json!({
        name(10): { "delete": null },
        name(11): { "insert": { "name": "b", "tags": ["set", ["x", "y"]] } },
        name(12): { "insert": { "name": "c", "tags": "t" } },
    });
    assert_fits(&resumed, &json!([true, "*", { "Cage": rows }]));
    assert_eq!(resumed[2]["Cage"].get(name(13)), None);
    // A modified row is told by its difference.
    let last = &resumed[1];
    done(other, &[update(11, json!({ "tags": ["set", ["y", "z"]] }))]).await;
    let resumed = wire.call("monitor_cond_since", json!(["Zoo", "m4", tables, last])).await;
    let row = json!({ name(11): { "modify": { "tags": ["set", ["x", "z"]] } } });
    assert_fits(&resumed, &json!([true, "*", { "Cage": row }]));
}

async fn a_transaction_that_is_not_remembered_means_everything(house: &House) {
    let wire = &mut house.connect().await;
    done(wire, &[cage(10, json!({ "name": "a" }))]).await;
    let tables = json!({ "Cage": [{ "columns": ["name"] }] });
    let reply = wire.call("monitor_cond_since", json!(["Zoo", "m", tables, name(77)])).await;
    let row = json!({ name(10): { "initial": { "name": "a" } } });
    assert_fits(&reply, &json!([false, "*", { "Cage": row }]));
}

async fn a_change_that_comes_to_nothing_is_not_told(house: &House) {
    let wire = &mut house.connect().await;
    done(wire, &[cage(10, json!({ "name": "a", "size": 5 }))]).await;
    let tables = json!({ "Cage": [{}] });
    wire.call("monitor_cond_since", json!(["Zoo", "m", tables, name(0)])).await;
    done(wire, &[update(10, json!({ "size": 5 }))]).await;
    done(wire, &[cage(11, json!({ "name": "b" })), delete(11)]).await;
    done(wire, &[json!({ "op": "comment", "comment": "nothing" })]).await;
    assert_eq!(wire.told, Vec::<Json>::new());
}

async fn the_server_tells_of_itself(house: &House) {
    let wire = &mut house.connect().await;
    let tables = json!({ "Database": [{ "columns": ["name", "model", "connected", "leader"] }] });
    let reply = wire.call("monitor_cond", json!(["_Server", "s", tables])).await;
    let rows: Vec<&Json> =
        reply["Database"].as_object().unwrap().values().map(|row| &row["initial"]).collect();
    let zoo = json!({ "name": "Zoo", "model": "clustered", "connected": true, "leader": true });
    assert!(rows.contains(&&zoo), "{rows:?}");
    let write = json!({ "op": "delete", "table": "Database", "where": [] });
    let refused = wire.call("transact", json!(["_Server", write])).await;
    assert_fits(&refused, &json!([{ "error": "not allowed" }]));
}

fn held(held: bool) -> Json {
    json!({ "locked": held })
}

fn said(method: &str) -> Json {
    json!({ "id": null, "method": method, "params": ["l"] })
}

async fn a_lock_passes_on(house: &House) {
    let (one, two) = (&mut house.connect().await, &mut house.connect().await);
    let lock = json!(["l"]);
    assert_eq!(one.call("lock", lock.clone()).await, held(true));
    assert_fits(&one.call("lock", lock.clone()).await, &json!({ "error": "syntax error" }));
    assert_eq!(two.call("lock", lock.clone()).await, held(false));
    let assertion = json!({ "op": "assert", "lock": "l" });
    assert_eq!(one.transact(std::slice::from_ref(&assertion)).await, json!([{}]));
    let refused = two.transact(std::slice::from_ref(&assertion)).await;
    assert_fits(&refused, &json!([{ "error": "not owner" }]));
    assert_eq!(one.call("unlock", lock.clone()).await, json!({}));
    assert_fits(&one.call("unlock", lock).await, &json!({ "error": "syntax error" }));
    assert_fits(&two.next().await.unwrap(), &said("locked"));
    assert_eq!(two.transact(&[assertion]).await, json!([{}]));
}

async fn a_lock_can_be_stolen(house: &House) {
    let (one, two) = (&mut house.connect().await, &mut house.connect().await);
    let lock = json!(["l"]);
    assert_eq!(one.call("lock", lock.clone()).await, held(true));
    assert_eq!(two.call("steal", lock.clone()).await, held(true));
    assert_fits(&one.next().await.unwrap(), &said("stolen"));
    // Whoever lost it waits for it.
    assert_fits(&one.call("steal", lock.clone()).await, &json!({ "error": "syntax error" }));
    assert_eq!(two.call("unlock", lock).await, json!({}));
    assert_fits(&one.next().await.unwrap(), &said("locked"));
}

async fn a_lock_is_given_up_with_the_connection(house: &House) {
    let mut one = house.connect().await;
    let two = &mut house.connect().await;
    assert_eq!(one.call("lock", json!(["l"])).await, held(true));
    assert_eq!(two.call("lock", json!(["l"])).await, held(false));
    drop(one);
    assert_fits(&two.next().await.unwrap(), &said("locked"));
}
